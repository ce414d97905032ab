//! Facts about a source → when to poll it next. Facts are stored, plans are derived, so that nothing has to be kept in step.

use std::time::Duration;

use chrono::{Datelike as _, DurationRound as _, TimeDelta, Timelike as _};

use crate::model::Timestamp;

/// What happened so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    pub last_attempt: Option<Timestamp>,
    pub last_success: Option<Timestamp>,
    /// In a row.
    pub failures: u32,
    /// The publisher forbade requests until then (Retry-After).
    pub throttled_until: Option<Timestamp>,
    /// The publisher's caching headers or `ttl` say that nothing new comes before.
    pub hint_until: Option<Timestamp>,
    /// 410.
    pub gone_since: Option<Timestamp>,
    /// Times of publishing that its documents showed, newest first.
    pub published: Vec<Timestamp>,
    /// What its documents say about when they are made anew.
    pub rhythm: Rhythm,
}

/// What a document says about when it is made anew. It holds until the next document says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rhythm {
    /// RSS `ttl` or `sy:updatePeriod`, the longer one.
    pub every: Option<Duration>,
    /// RSS `skipHours`: a bit for each hour of the day in UTC, the lowest for midnight.
    pub quiet_hours: u32,
    /// RSS `skipDays`: a bit for each day, the lowest for Monday.
    pub quiet_days: u8,
}

impl Rhythm {
    fn is_quiet(&self, at: Timestamp) -> bool {
        let day = at.weekday().num_days_from_monday();
        self.quiet_hours >> at.hour() & 1 == 1 || self.quiet_days >> day & 1 == 1
    }

    /// The first time from `at` on at which something new may come. A publisher who skips everything skips nothing.
    fn awake(&self, at: Timestamp) -> Timestamp {
        if self.quiet_hours == 0 && self.quiet_days == 0 {
            return at;
        }
        let hour = at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at);
        let later = (1..=WEEK).map(|hours| hour + TimeDelta::hours(hours));
        std::iter::once(at).chain(later).find(|at| !self.is_quiet(*at)).unwrap_or(at)
    }
}

/// The user's bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    pub min: Duration,
    pub max: Duration,
}

/// When to poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    Now,
    At(Timestamp),
    /// Not until it is named.
    Never,
}

/// In hours.
const WEEK: i64 = 7 * 24;
const HOUR: Duration = Duration::from_secs(3600);
/// Longest wait after failures: a source that is mended is found again within a day.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(24 * 3600);
/// First wait after a failure, if the interval is longer.
const FIRST_RETRY: Duration = Duration::from_secs(15 * 60);
/// Share of the interval by which sources are spread, so that they never fall into step. A twentieth either way.
const JITTER: f64 = 0.05;

/// When a source is to be polled. `key` only spreads sources apart.
pub fn due(key: &str, facts: &Facts, policy: &Policy, now: Timestamp) -> Due {
    if facts.gone_since.is_some() {
        return Due::Never;
    }
    let Some(last_attempt) = facts.last_attempt else { return Due::Now };
    // A clock that was set back must not make a source wait for the future that was.
    let last_attempt = last_attempt.min(now);
    let wait = if facts.failures > 0 { back_off(facts, policy) } else { interval(facts, policy) };
    let planned = later(last_attempt, spread(key, last_attempt, wait).max(policy.min));
    let allowed = [facts.throttled_until, facts.hint_until.filter(|_| facts.failures == 0)];
    let next = facts.rhythm.awake(allowed.into_iter().flatten().fold(planned, Timestamp::max));
    if next <= now { Due::Now } else { Due::At(next) }
}

/// How often a source that answers is asked: half the usual gap between its entries. A source that has been silent for long
/// drifts towards the longest interval, since its silence counts as a gap.
pub fn interval(facts: &Facts, policy: &Policy) -> Duration {
    let usual = usual_gap(facts).map_or(HOUR, |gap| gap / 2);
    usual.clamp(policy.min, policy.max.max(policy.min))
}

/// The median gap between entries; the time since the newest one is a gap as well.
fn usual_gap(facts: &Facts) -> Option<Duration> {
    let newest = *facts.published.first()?;
    let silence = facts.last_success.map(|success| success - newest).filter(|silence| *silence > TimeDelta::zero());
    let between = facts.published.windows(2).map(|pair| pair[0] - pair[1]);
    let mut gaps: Vec<Duration> =
        between.chain(silence).filter_map(|gap| gap.to_std().ok()).filter(|gap| !gap.is_zero()).collect();
    gaps.sort_unstable();
    let median = gaps.get(gaps.len() / 2).copied()?;
    // After ten usual gaps without an entry, the silence says more than the past.
    let silence = silence.and_then(|silence| silence.to_std().ok()).unwrap_or_default();
    Some(median.max(silence / 10))
}

/// Doubles with every failure. A publisher that throttles without saying for how long gets an hour first.
fn back_off(facts: &Facts, policy: &Policy) -> Duration {
    let first = interval(facts, policy).min(FIRST_RETRY);
    let doubled = first.saturating_mul(2_u32.saturating_pow((facts.failures - 1).min(16)));
    doubled.min(LONGEST_BACK_OFF).max(policy.min)
}

/// The wait, a little longer or shorter: by a hash, so that it is the same after a restart.
fn spread(key: &str, last_attempt: Timestamp, wait: Duration) -> Duration {
    let mut hasher = blake3::Hasher::new();
    hasher.update(key.as_bytes());
    hasher.update(&last_attempt.timestamp_millis().to_be_bytes());
    let share = f64::from(hasher.finalize().as_bytes()[0]) / 255.0;
    wait.mul_f64(1.0 - JITTER + 2.0 * JITTER * share)
}

fn later(at: Timestamp, wait: Duration) -> Timestamp {
    TimeDelta::from_std(wait).ok().and_then(|wait| at.checked_add_signed(wait)).unwrap_or(Timestamp::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: Policy = Policy { min: Duration::from_secs(15 * 60), max: Duration::from_secs(24 * 3600) };

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_timestamp(1_790_000_000 + minutes * 60, 0).unwrap()
    }

    /// Minutes from the last attempt, at minute 0, to the next.
    fn wait(facts: Facts) -> i64 {
        let facts = Facts { last_attempt: Some(at(0)), ..facts };
        match due("bbc", &facts, &POLICY, at(0)) {
            Due::At(next) => (next - at(0)).num_minutes(),
            other => panic!("{other:?}"),
        }
    }

    fn every(minutes: i64) -> Vec<Timestamp> {
        (0..20).map(|number| at(-number * minutes)).collect()
    }

    #[test]
    fn a_source_that_was_never_asked_is_asked_now() {
        assert_eq!(due("bbc", &Facts::default(), &POLICY, at(0)), Due::Now);
    }

    #[test]
    fn a_source_that_is_gone_is_asked_no_more() {
        assert_eq!(due("bbc", &Facts { gone_since: Some(at(0)), ..Facts::default() }, &POLICY, at(9)), Due::Never);
    }

    #[test]
    fn the_interval_follows_the_rate_of_the_source_within_bounds() {
        let interval = |published: Vec<Timestamp>, silence: i64| {
            let facts = Facts { published, last_success: Some(at(silence)), ..Facts::default() };
            interval(&facts, &POLICY).as_secs() / 60
        };
        assert_eq!(interval(vec![], 0), 60);
        assert_eq!(interval(every(1), 0), 15);
        assert_eq!(interval(every(120), 0), 60);
        assert_eq!(interval(every(10_000), 0), 1440);
        assert_eq!(interval(every(120), 60 * 100), 300);
        assert_eq!(interval(vec![at(0); 20], 0), 60);
    }

    #[test]
    fn the_publisher_may_ask_for_longer() {
        let quick = || Facts { published: every(1), last_success: Some(at(0)), ..Facts::default() };
        assert_eq!(wait(Facts { hint_until: Some(at(300)), ..quick() }), 300);
        assert_eq!(wait(Facts { throttled_until: Some(at(900)), failures: 1, ..quick() }), 900);
        assert!(wait(Facts { hint_until: Some(at(1)), ..quick() }) >= 15);
    }

    #[test]
    fn hours_and_days_without_news_are_slept_through() {
        // Minute 0 is Monday, 21 September 2026, 14:13:20 UTC.
        let asleep = |quiet_hours: u32, quiet_days: u8| {
            let rhythm = Rhythm { every: None, quiet_hours, quiet_days };
            wait(Facts { published: every(1), last_success: Some(at(0)), rhythm, ..Facts::default() })
        };
        assert_eq!(asleep(0, 0), 15);
        assert_eq!(asleep(1 << 14, 0), 46);
        assert_eq!(asleep(0b111 << 14, 0), 166);
        assert_eq!(asleep(0, 1), 586);
        assert_eq!(asleep(1, 0b10), 15);
        assert_eq!(asleep((1 << 24) - 1, 0), 15);
        assert_eq!(asleep(0, 0x7f), 15);
    }

    #[test]
    fn failures_wait_twice_as_long_each_and_never_for_ever() {
        let waits: Vec<i64> = (1..=12).map(|failures| wait(Facts { failures, ..Facts::default() })).collect();
        assert!(waits.windows(2).all(|pair| pair[1] >= pair[0] * 9 / 10), "{waits:?}");
        assert!(waits[0] <= 16 && waits[3] >= 100 && waits[11] <= 1513, "{waits:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_is_asked_before_its_time(
            key in "[a-z]{1,9}", failures in 0_u32..50, attempt in -5_000_i64..5_000,
            throttled in prop::option::of(-5_000_i64..5_000), hint in prop::option::of(-5_000_i64..5_000),
            published in prop::collection::vec(-90_000_i64..0, 0..20),
        ) {
            let mut published: Vec<Timestamp> = published.into_iter().map(at).collect();
            published.sort_by(|left, right| right.cmp(left));
            let facts = Facts {
                last_attempt: Some(at(attempt)), last_success: Some(at(attempt)), failures, published,
                throttled_until: throttled.map(at), hint_until: hint.map(at), gone_since: None, rhythm: Rhythm::default(),
            };
            let now = at(0);
            let next = match due(&key, &facts, &POLICY, now) { Due::Now => now, Due::At(next) => next, Due::Never => unreachable!() };
            let asked = at(attempt).min(now);
            prop_assert!(next >= asked + TimeDelta::minutes(15));
            prop_assert!(facts.throttled_until.is_none_or(|until| next >= until));
            prop_assert!(failures > 0 || facts.hint_until.is_none_or(|until| next >= until));
            let longest = asked + TimeDelta::minutes(1440 * 105 / 100 + 1);
            let bound = [facts.throttled_until, facts.hint_until].into_iter().flatten().fold(longest.max(now), Timestamp::max);
            prop_assert!(next <= bound);
        }
    }
}
