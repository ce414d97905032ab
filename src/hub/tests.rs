use std::sync::Arc;

use chrono::TimeDelta;

use crate::config::hub::{Hub as Limits, Signature};
use crate::hub::round::{Delivery, Document, Taken};
use crate::hub::state::{Phase, State, Wish};
use crate::model::Timestamp;
use crate::model::entry::Seq;
use crate::model::feed::{FeedName, Format};
use crate::model::source::Secret;
use crate::published::hub::{Mode, Refused};
use crate::published::request::FeedRequest;
use crate::store::subscriptions::{HubWrite, Subscription, SubscriptionName};

fn limits() -> Limits {
    Limits {
        is_enabled: true,
        allow_private: Vec::new(),
        lease: std::time::Duration::from_secs(864_000),
        subscriptions: 5,
        subscriptions_per_host: 3,
        query_topics: 1,
        verifications: 10,
        concurrency: 64,
        per_host: 8,
        signature: Signature::Sha256,
        ping: Vec::new(),
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_timestamp(1_795_000_000 + seconds, 0).unwrap()
}

fn read(topic: &str) -> Option<FeedRequest> {
    let (path, query) = topic.split_once('?').unwrap_or((topic, ""));
    (path == "all.atom").then(|| FeedRequest::read(FeedName::All, Format::Atom, query).unwrap())
}

fn wish(mode: Mode, topic: &str, callback: &str, secret: Option<&str>) -> Wish {
    Wish {
        mode,
        request: read(topic).unwrap(),
        topic: topic.into(),
        asked: format!("http://mill.example/{topic}"),
        callback: callback.into(),
        host: super::state::host(callback).into(),
        secret: secret.map(|secret| Secret::new(secret.to_owned())),
        lease: TimeDelta::seconds(1_000),
    }
}

/// Asks and is confirmed.
fn subscribe(state: &mut State, topic: &str, callback: &str, secret: Option<&str>, now: Timestamp) {
    state.ask(wish(Mode::Subscribe, topic, callback, secret), now, &limits()).unwrap();
    let wish = state.next_verification().unwrap();
    state.verified(wish, true, now, &limits());
}

fn kept<'s>(state: &'s State, topic: &str, callback: &str) -> Option<&'s Subscription> {
    state.held.get(&SubscriptionName::new(topic, callback)).map(|held| &held.kept)
}

/// A round in which some entries of the combined feed changed.
fn news(state: &mut State, numbers: &[u64]) {
    let before = state.cursor;
    let news: Vec<(u64, Seq)> = numbers.iter().map(|number| (*number, Seq(number * 10))).collect();
    state.concerned(&"all.atom".into(), &news, before);
    state.cursor = *numbers.last().unwrap();
}

/// Makes every document that is due, and gives which entries each holds.
fn make(state: &mut State) -> Vec<Option<Vec<u64>>> {
    let mut made = Vec::new();
    while let Some(order) = state.next_order() {
        made.push(order.entries.as_ref().map(|entries| entries.iter().map(|seq| seq.0).collect()));
        let document = Document { body: bytes::Bytes::new(), media_type: "text/plain", link: String::new() };
        state.made(order, Some(&Arc::new(document)));
    }
    made
}

fn begun(state: &mut State, now: Timestamp) -> Vec<Delivery> {
    std::iter::from_fn(|| state.next_delivery(8, now)).collect()
}

const A: &str = "http://a.example/cb";
const B: &str = "http://b.example/cb";

#[test]
fn nothing_is_subscribed_before_the_callback_confirms() {
    let mut state = State::default();
    state.ask(wish(Mode::Subscribe, "all.atom", A, None), at(0), &limits()).unwrap();
    assert!(state.held.is_empty());
    let asked = state.next_verification().unwrap();
    assert!(state.next_verification().is_none());
    state.verified(asked, false, at(1), &limits());
    assert!(state.held.is_empty() && !state.is_dirty());
    subscribe(&mut state, "all.atom", A, None, at(2));
    assert_eq!(kept(&state, "all.atom", A).unwrap().until, at(1_002));
}

#[test]
fn a_failed_request_leaves_the_subscription_as_it_was() {
    let mut state = State::default();
    subscribe(&mut state, "all.atom", A, Some("old"), at(0));
    for mode in [Mode::Subscribe, Mode::Unsubscribe] {
        state.ask(wish(mode, "all.atom", A, Some("new")), at(5), &limits()).unwrap();
        let asked = state.next_verification().unwrap();
        state.verified(asked, false, at(6), &limits());
        let kept = kept(&state, "all.atom", A).unwrap();
        assert_eq!((kept.secret.as_ref().unwrap().reveal(), kept.until), ("old", at(1_000)));
    }
    subscribe(&mut state, "all.atom", A, None, at(7));
    assert_eq!(kept(&state, "all.atom", A).map(|kept| (kept.secret.clone(), kept.until)), Some((None, at(1_007))));
    state.ask(wish(Mode::Unsubscribe, "all.atom", A, None), at(8), &limits()).unwrap();
    let asked = state.next_verification().unwrap();
    state.verified(asked, true, at(9), &limits());
    assert!(state.held.is_empty() && state.topics.is_empty());
}

#[test]
fn leases_end() {
    let mut state = State::default();
    subscribe(&mut state, "all.atom", A, None, at(0));
    news(&mut state, &[1]);
    make(&mut state);
    // Nothing is sent any more, also before the subscription is cleared away.
    assert!(begun(&mut state, at(1_000)).is_empty());
    state.expire(at(999));
    assert_eq!(state.held.len(), 1);
    state.expire(at(1_000));
    assert!(state.held.is_empty());
    let write = state.take_write();
    assert_eq!(write.subscriptions, [(SubscriptionName::new("all.atom", A), None)]);
}

#[test]
fn what_strangers_can_make_us_do_has_limits() {
    let mut state = State::default();
    let busy = |result: Result<(), Refused>| matches!(result, Err(Refused::Busy(_)));
    let on_a = |number: usize| format!("http://a.example/{number}");
    for number in 0..3 {
        subscribe(&mut state, "all.atom", &on_a(number), None, at(0));
    }
    let mut ask = |topic: &str, callback: &str, now: i64| {
        let asked = state.ask(wish(Mode::Subscribe, topic, callback, None), at(now), &limits());
        if asked.is_ok() {
            let wish = state.next_verification().unwrap();
            state.verified(wish, true, at(now), &limits());
        }
        asked
    };
    assert!(busy(ask("all.atom", &on_a(3), 0)), "too many of a host");
    assert_eq!(ask("all.atom?q=x", B, 0), Ok(()));
    assert!(busy(ask("all.atom?q=y", B, 0)), "too many feeds with parameters");
    assert_eq!(ask("all.atom?q=x", "http://c.example/", 0), Ok(()));
    assert!(busy(ask("all.atom", "http://d.example/", 0)), "too many altogether");
    for _ in 0..7 {
        assert_eq!(ask("all.atom", &on_a(0), 0), Ok(()), "what is there may be renewed");
    }
    assert!(busy(ask("all.atom", &on_a(0), 0)), "a host is asked ten times a minute");
    assert_eq!(ask("all.atom", &on_a(0), 7), Ok(()));
}

#[test]
fn all_who_lack_the_same_share_one_document() {
    let mut state = State::default();
    subscribe(&mut state, "all.atom", A, None, at(0));
    subscribe(&mut state, "all.atom", B, Some("s"), at(0));
    news(&mut state, &[1, 2]);
    assert_eq!(make(&mut state), [Some(vec![10, 20])]);
    let deliveries = begun(&mut state, at(1));
    assert_eq!(deliveries.len(), 2);
    assert!(Arc::ptr_eq(&deliveries[0].parcel.document, &deliveries[1].parcel.document));
    // While one is slow it gets nothing more; then all that it lacks at once.
    state.delivered(&deliveries[0], Taken::Yes, at(1));
    news(&mut state, &[3]);
    news(&mut state, &[4]);
    assert_eq!(make(&mut state), [Some(vec![30, 40])]);
    let quick = begun(&mut state, at(2));
    assert_eq!(quick.len(), 1);
    state.delivered(&deliveries[1], Taken::Yes, at(3));
    assert_eq!(make(&mut state), [Some(vec![30, 40])]);
    state.delivered(&quick[0], Taken::Yes, at(3));
    assert_eq!(begun(&mut state, at(4)).len(), 1);
}

#[test]
fn failures_are_tried_again_ever_later_and_then_given_up() {
    let mut state = State::default();
    subscribe(&mut state, "all.atom", A, None, at(0));
    news(&mut state, &[1]);
    let mut now = at(0);
    let mut waits = Vec::new();
    for _ in 0..9 {
        assert_eq!(make(&mut state), [Some(vec![10])]);
        let delivery = begun(&mut state, now).pop().unwrap();
        // The lease is long enough only for the first tries of this test.
        state.held.values_mut().for_each(|held| held.kept.until = at(1_000_000));
        state.delivered(&delivery, Taken::No, now);
        let Some((next, _)) = state.retries.first().copied() else { break };
        waits.push((next - now).num_seconds());
        state.wake(next - TimeDelta::milliseconds(1));
        assert!(make(&mut state).is_empty());
        state.wake(next);
        now = next;
    }
    assert_eq!(waits.len(), 8);
    assert!(waits.iter().zip(&waits[1..]).all(|(one, next)| next > one || *next >= 3_600), "{waits:?}");
    assert!((5..=6).contains(&waits[0]) && waits[7] <= 4_500, "{waits:?}");
    // The subscription stays, and later news are tried.
    assert_eq!(state.held.values().next().unwrap().phase, Phase::Level);
    news(&mut state, &[2]);
    assert_eq!(make(&mut state), [Some(vec![20])]);
    let delivery = begun(&mut state, now).pop().unwrap();
    state.delivered(&delivery, Taken::Yes, now);
    assert_eq!(kept(&state, "all.atom", A).unwrap().failures, 0);
}

#[test]
fn gone_ends_the_subscription() {
    let mut state = State::default();
    subscribe(&mut state, "all.atom", A, None, at(0));
    news(&mut state, &[1]);
    make(&mut state);
    let delivery = begun(&mut state, at(1)).pop().unwrap();
    state.delivered(&delivery, Taken::Gone, at(1));
    assert!(state.held.is_empty());
}

/// What a start finds of what was written before.
fn restarted(writes: &[HubWrite], end: u64) -> State {
    let mut kept = std::collections::BTreeMap::new();
    let mut through = 0;
    for write in writes {
        for (name, subscription) in &write.subscriptions {
            match subscription {
                Some(subscription) => kept.insert(*name, subscription.clone()),
                None => kept.remove(name),
            };
        }
        through = write.through.unwrap_or(through);
    }
    State::load(kept.into_iter().collect(), through, end, read)
}

#[test]
fn the_number_on_the_disk_never_passes_what_somebody_lacks() {
    let mut state = State::default();
    subscribe(&mut state, "all.atom", A, None, at(0));
    subscribe(&mut state, "all.atom", B, None, at(0));
    let mut writes = vec![state.take_write()];
    news(&mut state, &[1]);
    make(&mut state);
    let mut deliveries = begun(&mut state, at(1));
    let second = deliveries.pop().unwrap();
    state.delivered(&deliveries[0], Taken::Yes, at(1));
    writes.push(state.take_write());
    // Killed here, both are told again what came after 0.
    assert_eq!(restarted(&writes, 1).cursor, 0);
    state.delivered(&second, Taken::No, at(2));
    writes.push(state.take_write());
    // Killed here, the first is told nothing twice, and the second what it lacks.
    let mut again = restarted(&writes, 1);
    assert_eq!((again.cursor, again.counts()), (1, (2, 1)));
    again.wake(at(60));
    assert_eq!(make(&mut again), [None], "what the journal may not hold any more is told by the whole document");
    let delivery = begun(&mut again, at(60)).pop().unwrap();
    again.delivered(&delivery, Taken::Yes, at(61));
    writes.push(again.take_write());
    assert_eq!(restarted(&writes, 1).counts(), (2, 0));
}

#[test]
fn a_failed_write_is_done_again() {
    let mut state = State::default();
    subscribe(&mut state, "all.atom", A, None, at(0));
    let write = state.take_write();
    assert!(!state.is_dirty());
    state.not_written(write);
    assert_eq!(state.take_write().subscriptions.len(), 1);
}

#[test]
fn a_lost_journal_gives_everybody_the_whole_document() {
    let mut state = State::default();
    subscribe(&mut state, "all.atom", A, None, at(0));
    state.lost(90);
    assert_eq!(make(&mut state), [None]);
    assert_eq!(begun(&mut state, at(1)).len(), 1);
}

#[test]
fn who_subscribes_to_a_feed_that_goes_is_told_so() {
    let mut state = State::default();
    subscribe(&mut state, "all.atom", A, None, at(0));
    state.follow(read);
    assert_eq!(state.held.len(), 1);
    state.follow(|_| None);
    assert!(state.held.is_empty());
    assert_eq!(state.denials.pop_front().map(|denial| denial.asked), Some("http://mill.example/all.atom".to_owned()));
    assert!(state.is_dirty());
}

#[test]
fn who_subscribes_again_is_another_one() {
    let mut state = State::default();
    subscribe(&mut state, "all.atom", A, None, at(0));
    news(&mut state, &[1]);
    make(&mut state);
    let old = begun(&mut state, at(1)).pop().unwrap();
    state.remove(SubscriptionName::new("all.atom", A));
    subscribe(&mut state, "all.atom", A, None, at(2));
    state.delivered(&old, Taken::Gone, at(3));
    assert_eq!(state.held.len(), 1, "what was said of the old one says nothing of the new one");
}
