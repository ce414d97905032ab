//! Which changed feed is rendered next, and when: by what each rendering cost. Time is an argument.
//!
//! Two bounds hold at once. A feed rests after a rendering, so that a busy one costs at most a twentieth of a core. And all feeds
//! together draw on one budget, so that many changed ones (the first polls of a thousand topics) leave the core to polling.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::feed::FeedName;

/// Shortest time between two publications of one feed.
const SHORTEST: Duration = Duration::from_secs(1);
/// How many times its cost a feed rests after a rendering.
const REST: u32 = 20;
/// All feeds together take one core for this part of the time (100 / 10), on the average …
const SHARE: f64 = 0.1;
/// … after this much that may be spent at once.
const BURST: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Default)]
pub(super) struct Rhythm {
    /// When a feed may be rendered again.
    rests: HashMap<FeedName, Instant>,
    /// When everything spent so far is paid at the rate of [`SHARE`].
    paid: Option<Instant>,
}

/// What there is to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Render(FeedName),
    /// Nothing before this.
    At(Instant),
    Nothing,
}

impl Rhythm {
    /// Chooses among changed feeds, each with the number of its oldest change; the oldest goes first. Feeds whose change somebody
    /// waits for, those up to `awaited`, do not ask for the budget.
    pub(super) fn next(&mut self, dirty: &HashMap<FeedName, u64>, awaited: Option<u64>, now: Instant) -> Next {
        self.rests.retain(|_, until| *until > now);
        let budget = self.paid.map_or(now, |paid| paid.checked_sub(BURST.div_f64(SHARE)).unwrap_or(now));
        let allowed = |feed: &FeedName, number: u64| {
            let rest = self.rests.get(feed).copied().unwrap_or(now);
            if awaited.is_some_and(|awaited| number <= awaited) { rest } else { rest.max(budget) }
        };
        let first = dirty.iter().map(|(feed, number)| (allowed(feed, *number).max(now), *number, feed)).min();
        match first {
            Some((at, _, feed)) if at <= now => Next::Render(feed.clone()),
            Some((at, ..)) => Next::At(at),
            None => Next::Nothing,
        }
    }

    /// Notes a rendering that began at `now`. What turned out to be the same bytes was no publication: its next change goes out
    /// without the shortest rest.
    pub(super) fn rendered(&mut self, feed: FeedName, cost: Duration, is_new: bool, now: Instant) {
        let shortest = if is_new { SHORTEST } else { Duration::ZERO };
        self.rests.insert(feed, now + cost + (cost * REST).max(shortest));
        self.paid = Some(self.paid.map_or(now, |paid| paid.max(now)) + cost.div_f64(SHARE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::source::TopicKey;

    fn topic(number: u64) -> FeedName {
        FeedName::Topic(TopicKey::new(&format!("t{number}")).unwrap())
    }

    fn dirty(numbers: impl IntoIterator<Item = u64>) -> HashMap<FeedName, u64> {
        numbers.into_iter().map(|number| (topic(number), number)).collect()
    }

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn the_first_change_goes_out_at_once_and_the_oldest_goes_first() {
        let (mut rhythm, now) = (Rhythm::default(), Instant::now());
        assert_eq!(rhythm.next(&dirty([]), None, now), Next::Nothing);
        assert_eq!(rhythm.next(&dirty([3, 1, 2]), None, now), Next::Render(topic(1)));
    }

    #[test]
    fn a_feed_rests_for_a_second_or_twenty_times_its_cost() {
        for (cost, is_new, rest) in [(10, true, 1_000), (100, true, 2_000), (10, false, 200), (0, false, 0)] {
            let (mut rhythm, now) = (Rhythm::default(), Instant::now());
            rhythm.rendered(topic(1), ms(cost), is_new, now);
            let free = now + ms(cost + rest);
            if rest > 0 {
                assert_eq!(rhythm.next(&dirty([1]), None, free - ms(1)), Next::At(free));
                // Others do not rest with it.
                assert_eq!(rhythm.next(&dirty([1, 2]), None, free - ms(1)), Next::Render(topic(2)));
            }
            assert_eq!(rhythm.next(&dirty([1]), None, free), Next::Render(topic(1)));
        }
    }

    /// Renders whatever may be rendered, 30 ms each, for a minute; gives how many renderings there were.
    fn flood(feeds: u64, is_awaited: bool) -> u32 {
        let (mut rhythm, mut now) = (Rhythm::default(), Instant::now());
        let (end, mut count) = (now + ms(60_000), 0);
        let mut changed = dirty(0..feeds);
        while now < end {
            match rhythm.next(&changed, is_awaited.then_some(feeds), now) {
                Next::Render(feed) => {
                    changed.remove(&feed);
                    rhythm.rendered(feed, ms(30), true, now);
                    now += ms(30);
                    count += 1;
                }
                Next::At(at) => now = at,
                Next::Nothing => break,
            }
        }
        count
    }

    #[test]
    fn all_feeds_together_stay_within_their_share_of_a_core() {
        // 60 s × 0.1 and the burst of a second, by 30 ms.
        let count = flood(1_000, false);
        assert!((225..=240).contains(&count), "{count}");
    }

    #[test]
    fn what_somebody_waits_for_is_not_held_up_by_the_budget() {
        assert_eq!(flood(1_000, true), 1_000);
    }

    #[test]
    fn only_what_was_changed_before_the_wait_began_is_exempt() {
        let (mut rhythm, now) = (Rhythm::default(), Instant::now());
        rhythm.rendered(topic(9), ms(5_000), true, now);
        let later = now + ms(1);
        assert_eq!(rhythm.next(&dirty([1, 2]), Some(1), later), Next::Render(topic(1)));
        assert!(matches!(rhythm.next(&dirty([2]), Some(1), later), Next::At(_)));
    }
}
