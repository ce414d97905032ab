//! Who subscribes to what, until when, and whom we still have to ask. Pure: facts and the time are arguments.
//!
//! A subscription is named by topic and callback. A request changes nothing until its callback has said that it wants it (WebSub §5.3);
//! what is under way meanwhile goes on as it was.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use crate::config::hub::Hub as Limits;
use crate::hub::lanes::{Job, Lanes};
use crate::hub::round::{Group, Topic};
use crate::hub::verify::Verifying;
use crate::model::Timestamp;
use crate::model::source::Secret;
use crate::published::hub::{Mode, Refused};
use crate::published::request::FeedRequest;
use crate::store::subscriptions::{HubWrite, Subscription, SubscriptionName};

/// Where a subscription stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It has been told everything.
    Level,
    /// It is behind, and waits for a document that says what it lacks.
    Grouped,
    /// The document is there; it waits for its turn.
    Queued,
    UnderWay,
    /// A delivery failed; it waits for the next try.
    Waiting,
}

/// A subscription in memory.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) kept: Subscription,
    pub(super) host: Arc<str>,
    pub(super) phase: Phase,
    /// Whether the disk knows that it is behind.
    pub(super) is_known_behind: bool,
    /// Tells it from an earlier one of the same name.
    pub(super) serial: u64,
}

/// A request that may be put to its callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) mode: Mode,
    pub(super) request: FeedRequest,
    pub(super) topic: Arc<str>,
    /// As the subscriber spelt it.
    pub(super) asked: String,
    pub(super) callback: Arc<str>,
    pub(super) host: Arc<str>,
    pub(super) secret: Option<Secret>,
    pub(super) lease: chrono::TimeDelta,
}

impl Wish {
    pub(super) fn name(&self) -> SubscriptionName {
        SubscriptionName::new(&self.topic, &self.callback)
    }
}

/// Somebody who is told that there will be no news (§5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Denial {
    pub(super) callback: Arc<str>,
    pub(super) asked: String,
    pub(super) reason: &'static str,
}

/// See the module; what becomes of news is in `round`, the asking in `verify`.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) held: HashMap<SubscriptionName, Held>,
    pub(super) topics: HashMap<Arc<str>, Topic>,
    hosts: HashMap<Arc<str>, usize>,
    pub(super) verifying: Verifying,
    pub(super) denials: VecDeque<Denial>,
    /// The number of the journal through which it is known what concerns whom.
    pub(super) cursor: u64,
    /// Those who lack the same, in the order in which that was found.
    pub(super) groups: VecDeque<Group>,
    pub(super) lanes: Lanes<super::round::Parcel>,
    pub(super) retries: BTreeSet<(Timestamp, SubscriptionName)>,
    dirty: HashSet<SubscriptionName>,
    /// The number that is on the disk.
    through: u64,
    serial: u64,
}

impl State {
    /// What was kept. `through` is the number on the disk and `end` that of the journal: what claims to know more is of another copy.
    /// `read` gives the request of a topic that is there.
    pub(super) fn load(
        kept: Vec<(SubscriptionName, Subscription)>,
        through: u64,
        end: u64,
        read: impl Fn(&str) -> Option<FeedRequest>,
    ) -> Self {
        let mut state = Self { through: through.min(end), cursor: end, ..Self::default() };
        for (name, mut subscription) in kept {
            let is_behind = subscription.retry_at.is_some();
            let known = if is_behind { subscription.through } else { subscription.through.max(through) };
            subscription.through = known.min(end);
            if !is_behind {
                // Those who were behind get the whole document; the journal may not reach so far back.
                state.cursor = state.cursor.min(subscription.through);
            }
            match read(&subscription.topic) {
                Some(request) => state.insert(name, subscription, request, is_behind),
                None => state.deny_gone(name, &subscription),
            }
        }
        for topic in state.topics.values_mut() {
            (topic.since, topic.last) = (state.cursor, state.cursor);
        }
        state
    }

    fn deny_gone(&mut self, name: SubscriptionName, subscription: &Subscription) {
        let (callback, asked) = (Arc::clone(&subscription.callback), subscription.asked.clone());
        self.denials.push_back(Denial { callback, asked, reason: "there is no such feed any more" });
        self.dirty.insert(name);
    }

    fn insert(&mut self, name: SubscriptionName, kept: Subscription, request: FeedRequest, is_known_behind: bool) {
        let host: Arc<str> = host(&kept.callback).into();
        *self.hosts.entry(Arc::clone(&host)).or_default() += 1;
        let topic = self.topics.entry(Arc::clone(&kept.topic)).or_insert_with(|| Topic::new(request, self.cursor));
        topic.names.insert(name);
        let phase = kept.retry_at.map_or(Phase::Level, |at| {
            self.retries.insert((at, name));
            Phase::Waiting
        });
        self.serial += 1;
        self.held.insert(name, Held { kept, host, phase, is_known_behind, serial: self.serial });
    }

    pub(super) fn remove(&mut self, name: SubscriptionName) {
        let Some(held) = self.held.remove(&name) else { return };
        if let Some(count) = self.hosts.get_mut(&held.host) {
            *count -= 1;
            if *count == 0 {
                self.hosts.remove(&held.host);
            }
        }
        if let Some(topic) = self.topics.get_mut(&held.kept.topic) {
            topic.names.remove(&name);
            if topic.names.is_empty() {
                self.topics.remove(&held.kept.topic);
            }
        }
        if let Some(at) = held.kept.retry_at {
            self.retries.remove(&(at, name));
        }
        self.dirty.insert(name);
    }

    /// The record has to be written.
    pub(super) fn changed(&mut self, name: SubscriptionName) {
        self.dirty.insert(name);
    }

    /// Whether there is room for one more, which is not there yet.
    pub(super) fn has_room(&self, wish: &Wish, limits: &Limits) -> Result<(), Refused> {
        if wish.mode == Mode::Unsubscribe || self.held.contains_key(&wish.name()) {
            return Ok(());
        }
        let full = |what: &str| Err(Refused::Busy(format!("this hub has no room for more {what}; try again later")));
        if self.held.len() >= limits.subscriptions {
            return full("subscriptions");
        }
        if self.hosts.get(&wish.host).is_some_and(|count| *count >= limits.subscriptions_per_host) {
            return full("subscriptions with callbacks on this host");
        }
        let is_costly = |request: &FeedRequest| !request.is_plain();
        if is_costly(&wish.request) && !self.topics.contains_key(&wish.topic) {
            let there = self.topics.values().filter(|topic| is_costly(&topic.request)).count();
            if there >= limits.query_topics {
                return full("feeds with parameters");
            }
        }
        Ok(())
    }

    /// The callback has confirmed a wish: it takes effect.
    ///
    /// # Errors
    /// Who has to be told that there is no room any more.
    pub(super) fn confirmed(&mut self, wish: Wish, now: Timestamp, limits: &Limits) -> Result<(), Denial> {
        let name = wish.name();
        if wish.mode == Mode::Unsubscribe {
            self.remove(name);
            return Ok(());
        }
        if self.has_room(&wish, limits).is_err() {
            return Err(Denial { callback: wish.callback, asked: wish.asked, reason: "there is no room any more" });
        }
        let until = now + wish.lease;
        if let Some(held) = self.held.get_mut(&name) {
            // How far it has been told is as it was.
            (held.kept.secret, held.kept.until, held.kept.asked) = (wish.secret, until, wish.asked);
        } else {
            let kept = Subscription {
                topic: wish.topic,
                asked: wish.asked,
                callback: wish.callback,
                secret: wish.secret,
                until,
                through: self.cursor,
                failures: 0,
                retry_at: None,
            };
            self.insert(name, kept, wish.request, false);
        }
        self.changed(name);
        Ok(())
    }

    /// Ends subscriptions whose time is over (§5.3: leases are enforced).
    pub(super) fn expire(&mut self, now: Timestamp) {
        let over = self.held.iter().filter(|(_, held)| held.kept.until <= now).map(|(name, _)| *name);
        for name in over.collect::<Vec<_>>() {
            self.remove(name);
        }
    }

    /// Ends subscriptions to feeds that are not there any more; their callbacks are told.
    pub(super) fn follow(&mut self, read: impl Fn(&str) -> Option<FeedRequest>) {
        let mut gone = Vec::new();
        for (topic, known) in &mut self.topics {
            match read(topic) {
                Some(request) => known.request = request,
                None => gone.extend(known.names.iter().copied()),
            }
        }
        for name in gone {
            if let Some(held) = self.held.get(&name) {
                let kept = held.kept.clone();
                self.remove(name);
                self.deny_gone(name, &kept);
            }
        }
    }

    pub(super) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// The number that may stand on the disk: nobody lacks anything before it whom the disk does not know to be behind.
    fn settled(&self) -> u64 {
        let behind = self.held.values().filter(|held| held.phase != Phase::Level && !held.is_known_behind);
        behind.map(|held| held.kept.through).min().unwrap_or(self.cursor).min(self.cursor)
    }

    /// How far the number on the disk could move.
    pub(super) fn lag(&self) -> u64 {
        self.settled().saturating_sub(self.through)
    }

    /// What has to be written, as if it were written when this returns.
    pub(super) fn take_write(&mut self) -> HubWrite {
        let mut subscriptions = Vec::with_capacity(self.dirty.len());
        for name in std::mem::take(&mut self.dirty) {
            if let Some(held) = self.held.get_mut(&name) {
                held.is_known_behind = held.kept.retry_at.is_some();
            }
            subscriptions.push((name, self.held.get(&name).map(|held| held.kept.clone())));
        }
        let settled = self.settled();
        let through = (settled != self.through).then_some(settled);
        self.through = settled;
        HubWrite { subscriptions, through }
    }

    /// A write failed: the disk knows nothing of it for certain.
    pub(super) fn not_written(&mut self, write: HubWrite) {
        for (name, _) in write.subscriptions {
            if let Some(held) = self.held.get_mut(&name) {
                held.is_known_behind = false;
            }
            self.dirty.insert(name);
        }
        self.through = 0;
    }

    /// How many subscriptions there are, and how many of them are behind.
    pub(super) fn counts(&self) -> (usize, usize) {
        let behind = self.held.values().filter(|held| held.phase != Phase::Level).count();
        (self.held.len(), behind)
    }

    pub(super) fn put_in_lane(&mut self, name: SubscriptionName, what: super::round::Parcel) {
        let Some(held) = self.held.get(&name) else { return };
        let (host, callback) = (Arc::clone(&held.host), Arc::clone(&held.kept.callback));
        self.lanes.push(Job { host, callback, what });
    }
}

/// The host of a callback, by which it is counted and paced.
pub(super) fn host(callback: &str) -> String {
    let url = url::Url::parse(callback).ok();
    url.as_ref().and_then(url::Url::host_str).unwrap_or_default().to_owned()
}
