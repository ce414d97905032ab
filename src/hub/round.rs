//! What news become: who lacks what, which document says it, and what follows from an answer. Pure, as `state`.
//!
//! Nothing waits as a document for each subscriber. A subscription knows the number of the journal through which it was told; those who
//! lack the same stand in one group and share one document, which is made when their turn comes.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use chrono::TimeDelta;

use crate::hub::state::{Phase, State};
use crate::model::Timestamp;
use crate::model::entry::Seq;
use crate::model::source::Secret;
use crate::published::request::FeedRequest;
use crate::store::subscriptions::SubscriptionName;

/// Changed entries that a topic remembers. Who lacks more gets the whole document.
const RECENT: usize = 500;
/// Failed deliveries after which news are given up; the subscription stays, and later news are tried once each (WebSub §7).
const RETRIES: u32 = 8;
/// The wait after the first failure; after each further one it is three times as long.
const FIRST_WAIT: TimeDelta = TimeDelta::seconds(5);
const LONGEST_WAIT: TimeDelta = TimeDelta::hours(1);

/// A feed that somebody subscribes to.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) request: FeedRequest,
    pub(super) names: BTreeSet<SubscriptionName>,
    /// What of it changed, by the number of the journal; complete after `since`.
    recent: VecDeque<(u64, Seq)>,
    pub(super) since: u64,
    /// The number of its last change.
    pub(super) last: u64,
}

impl Topic {
    pub(super) fn new(request: FeedRequest, cursor: u64) -> Self {
        Self { request, names: BTreeSet::new(), recent: VecDeque::new(), since: cursor, last: cursor }
    }

    fn remember(&mut self, news: &[(u64, Seq)]) {
        self.recent.extend(news.iter().copied());
        while self.recent.len() > RECENT
            && let Some((number, _)) = self.recent.pop_front()
        {
            self.since = number;
        }
        self.last = news.iter().map(|(number, _)| *number).max().unwrap_or(self.last).max(self.last);
    }

    /// What changed after a number, each once; `None` when not all of it is remembered.
    fn after(&self, number: u64) -> Option<Vec<Seq>> {
        if number < self.since {
            return None;
        }
        let mut entries: Vec<Seq> = self.recent.iter().filter(|(at, _)| *at > number).map(|(_, seq)| *seq).collect();
        entries.sort_unstable();
        entries.dedup();
        Some(entries)
    }
}

/// Subscriptions to one topic that lack the same.
#[derive(Debug)]
pub(super) struct Group {
    topic: Arc<str>,
    after: u64,
    names: Vec<(SubscriptionName, u64)>,
}

/// A document that has to be made.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) group: Group,
    pub(super) request: FeedRequest,
    /// `None` stands for the whole document.
    pub(super) entries: Option<Vec<Seq>>,
    /// It tells everything through this number.
    through: u64,
}

/// What is sent, shared by all who get it.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) body: bytes::Bytes,
    pub(super) media_type: &'static str,
    pub(super) link: String,
}

/// A document for one subscription.
#[derive(Debug, Clone)]
pub(super) struct Parcel {
    name: SubscriptionName,
    serial: u64,
    pub(super) document: Arc<Document>,
    through: u64,
}

/// A parcel with the address it goes to.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) host: Arc<str>,
    pub(super) callback: Arc<str>,
    pub(super) secret: Option<Secret>,
    pub(super) parcel: Parcel,
}

/// What a callback said of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Yes,
    /// 410: it will never take anything again.
    Gone,
    No,
}

impl State {
    /// Notes what concerns a topic of what came after `before`: its subscribers lack it.
    pub(super) fn concerned(&mut self, topic: &Arc<str>, news: &[(u64, Seq)], before: u64) {
        let Some(known) = self.topics.get_mut(topic) else { return };
        known.remember(news);
        let last = known.last;
        for name in known.names.clone() {
            let Some(held) = self.held.get_mut(&name) else { continue };
            if held.phase == Phase::Level && held.kept.through < last {
                held.kept.through = held.kept.through.max(before);
                self.group(name);
            }
        }
    }

    /// What the journal held after `cursor` is gone: everybody gets whole documents.
    pub(super) fn lost(&mut self, end: u64) {
        let before = self.cursor;
        self.cursor = end;
        for topic in self.topics.keys().cloned().collect::<Vec<_>>() {
            if let Some(known) = self.topics.get_mut(&topic) {
                known.recent.clear();
                (known.since, known.last) = (end, end);
            }
            self.concerned(&topic, &[], before.min(end.saturating_sub(1)));
        }
    }

    fn group(&mut self, name: SubscriptionName) {
        let Some(held) = self.held.get_mut(&name) else { return };
        held.phase = Phase::Grouped;
        let (topic, after, member) = (Arc::clone(&held.kept.topic), held.kept.through, (name, held.serial));
        let known = self.groups.iter_mut().find(|group| group.after == after && group.topic == topic);
        match known {
            Some(group) => group.names.push(member),
            None => self.groups.push_back(Group { topic, after, names: vec![member] }),
        }
    }

    /// The next document to be made.
    pub(super) fn next_order(&mut self) -> Option<Order> {
        loop {
            let group = self.groups.pop_front()?;
            if let Some(topic) = self.topics.get(&group.topic) {
                let (request, through) = (topic.request.clone(), topic.last);
                return Some(Order { request, entries: topic.after(group.after), through, group });
            }
        }
    }

    /// It is made; `None` when there is nothing to tell.
    pub(super) fn made(&mut self, order: Order, document: Option<&Arc<Document>>) {
        let through = order.through;
        for (name, serial) in order.group.names {
            let Some(held) = self.held.get_mut(&name) else { continue };
            if held.serial != serial || held.phase != Phase::Grouped {
                continue;
            }
            match document {
                Some(document) => {
                    held.phase = Phase::Queued;
                    self.put_in_lane(name, Parcel { name, serial, document: Arc::clone(document), through });
                }
                None => self.told(name, through),
            }
        }
    }

    /// It could not be made; it is tried again.
    pub(super) fn not_made(&mut self, order: Order) {
        self.groups.push_front(order.group);
    }

    /// The next delivery, under way until [`State::delivered`].
    pub(super) fn next_delivery(&mut self, per_host: usize, now: Timestamp) -> Option<Delivery> {
        loop {
            let job = self.lanes.next(per_host)?;
            let held = self.held.get_mut(&job.what.name);
            let held = held.filter(|held| held.serial == job.what.serial && held.kept.until > now);
            let Some(held) = held else {
                self.lanes.ended(&job.host, &job.callback);
                continue;
            };
            held.phase = Phase::UnderWay;
            let secret = held.kept.secret.clone();
            return Some(Delivery { host: job.host, callback: job.callback, secret, parcel: job.what });
        }
    }

    /// A delivery has ended.
    pub(super) fn delivered(&mut self, delivery: &Delivery, taken: Taken, now: Timestamp) {
        self.lanes.ended(&delivery.host, &delivery.callback);
        let Parcel { name, serial, through, .. } = delivery.parcel;
        let Some(held) = self.held.get_mut(&name).filter(|held| held.serial == serial) else { return };
        match taken {
            Taken::Gone => self.remove(name),
            Taken::Yes => {
                held.kept.failures = 0;
                self.told(name, through);
            }
            Taken::No => {
                held.kept.failures = held.kept.failures.saturating_add(1);
                if held.kept.failures > RETRIES {
                    let last = self.topics.get(&held.kept.topic).map_or(through, |topic| topic.last);
                    self.told(name, last);
                } else {
                    let at = now + wait(held.kept.failures, name);
                    held.phase = Phase::Waiting;
                    held.kept.retry_at = Some(at);
                    self.retries.insert((at, name));
                }
                self.changed(name);
            }
        }
    }

    fn told(&mut self, name: SubscriptionName, through: u64) {
        let Some(held) = self.held.get_mut(&name) else { return };
        held.kept.through = held.kept.through.max(through);
        if let Some(at) = held.kept.retry_at.take() {
            self.retries.remove(&(at, name));
        }
        let was_known = held.is_known_behind;
        held.phase = Phase::Level;
        let last = self.topics.get(&held.kept.topic).map_or(0, |topic| topic.last);
        if last > held.kept.through {
            self.group(name);
        }
        if was_known {
            self.changed(name);
        }
    }

    /// Those whose next try has come lack something again.
    pub(super) fn wake(&mut self, now: Timestamp) {
        while let Some((at, name)) = self.retries.first().copied()
            && at <= now
        {
            self.retries.pop_first();
            if self.held.get(&name).is_some_and(|held| held.phase == Phase::Waiting) {
                self.group(name);
            }
        }
    }
}

/// Growing, and not the same for all who failed at the same time: up to a quarter is a matter of the name.
fn wait(failures: u32, name: SubscriptionName) -> TimeDelta {
    let grown = FIRST_WAIT * 3_i32.saturating_pow(failures.saturating_sub(1).min(8));
    let wait = grown.min(LONGEST_WAIT);
    wait + wait * i32::from(name.0[0]) / 1_024
}
