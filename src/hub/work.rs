//! The loop: starts what is due, and notes what has ended.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::clock;
use crate::config::Config;
use crate::fetch;
use crate::fetch::push::Pusher;
use crate::hub::round::{Delivery, Document, Order, Taken};
use crate::hub::state::Wish;
use crate::hub::{FOLLOWER, Hub, send};
use crate::model::entry::Seq;
use crate::model::feed::{FeedName, Format};
use crate::published::Door as _;
use crate::published::representation::Representation;
use crate::published::request::{FeedRequest, Refusal};
use crate::select::catalogue::Catalogue;
use crate::select::door::{self, StoreDoor};
use crate::select::page::SelectError;
use crate::select::push;
use crate::store::Handle;
use crate::store::engine::StoreError;
use crate::store::entries::Store;
use crate::store::subscriptions::HubWrite;

/// Between two looks into the journal, and between two writes.
const RHYTHM: Duration = Duration::from_secs(1);
/// Until the store is asked again after a failure: the committer mends it.
const MENDING: Duration = Duration::from_secs(5);
/// How often a number is written that only spares reading after a start, in ticks; and how often leases are looked at.
const SELDOM: u64 = 60;
/// Records of the journal that are read at once.
const ROUND: usize = 500;
/// Most bytes of documents that are made before others have been sent.
const DOCUMENTS: usize = 32 << 20;
/// Denials under way at once.
const DENIALS: usize = 8;
/// Between two words to other hubs.
const PINGS: Duration = Duration::from_secs(60);
/// How long the end may take.
const LAST: Duration = Duration::from_secs(2);

/// What ended.
enum Ended {
    Read(Result<Found, StoreError>),
    Made(Order, Result<Option<Arc<Document>>, StoreError>),
    Delivered(Delivery, Taken),
    Verified(Wish, bool),
    Denied,
    Pinged,
    Written(HubWrite, Result<(), StoreError>),
}

/// Entries that changed, each with the number under which the journal tells it.
type News = Vec<(u64, Seq)>;

/// What the journal held.
struct Found {
    before: u64,
    end: u64,
    /// Records after `before` are gone.
    is_lost: bool,
    /// What each topic lacks: numbers of the journal, and entries.
    concerned: Vec<(Arc<str>, News)>,
    feeds: Vec<FeedName>,
}

#[expect(clippy::struct_excessive_bools, reason = "each says whether one kind of work is under way or due")]
struct Work {
    hub: Arc<Hub>,
    store: Handle<Store>,
    door: StoreDoor,
    catalogue: watch::Receiver<Arc<Catalogue>>,
    config: Arc<Config>,
    journal: watch::Receiver<u64>,
    pusher: Arc<Pusher>,
    tasks: JoinSet<Ended>,
    is_reading: bool,
    is_making: bool,
    is_writing: bool,
    has_trouble: bool,
    deliveries: usize,
    denials: usize,
    read_at: Instant,
    make_at: Instant,
    write_at: Instant,
    /// The number is to be written, also where no record is.
    wants_write: bool,
    has_told: bool,
    ticks: u64,
    made: Vec<Weak<Document>>,
    /// Feeds that other hubs do not know to have changed.
    changed: BTreeSet<FeedName>,
    ping_at: Instant,
}

/// Runs until `stop`.
pub(super) async fn run(
    hub: Arc<Hub>,
    store: Handle<Store>,
    door: StoreDoor,
    stop: CancellationToken,
) -> Result<(), String> {
    let mut catalogue = hub.catalogue.clone();
    let config = Arc::clone(&catalogue.borrow_and_update().config);
    let pusher = pusher(&config)?;
    let journal = store.run(|store| Ok(store.watch_journal())).await.map_err(|error| error.to_string())?;
    let now = Instant::now();
    let work = Work {
        hub,
        store,
        door,
        catalogue,
        config,
        journal,
        pusher,
        tasks: JoinSet::new(),
        is_reading: false,
        is_making: false,
        is_writing: false,
        has_trouble: false,
        deliveries: 0,
        denials: 0,
        read_at: now,
        make_at: now,
        write_at: now,
        wants_write: false,
        has_told: true,
        ticks: 0,
        made: Vec::new(),
        changed: BTreeSet::new(),
        ping_at: now,
    };
    work.go_on(stop).await;
    Ok(())
}

fn pusher(config: &Config) -> Result<Arc<Pusher>, String> {
    let agent = fetch::user_agent(config.poll.contact.as_deref());
    let pusher = Pusher::new(agent, config.hub.allow_private.clone(), config.hub.per_host);
    pusher.map(Arc::new).map_err(|error| format!("requests cannot be set up: {error}"))
}

impl Work {
    async fn go_on(mut self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(RHYTHM);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let hub = Arc::clone(&self.hub);
        loop {
            let is_ahead = self.start();
            let read_at = self.read_at;
            tokio::select! {
                () = stop.cancelled() => break,
                () = hub.woken.notified() => {}
                Ok(()) = self.journal.changed() => {}
                Ok(()) = self.catalogue.changed() => self.follow(),
                Some(ended) = self.tasks.join_next() => self.note(ended),
                () = tokio::time::sleep_until(read_at), if is_ahead => {}
                _ = ticks.tick() => self.tick(),
            }
        }
        self.end().await;
    }

    fn is_on(&self) -> bool {
        self.config.hub.is_enabled
    }

    /// Starts what is due. True when the journal is ahead and will be read later.
    fn start(&mut self) -> bool {
        if !self.is_on() {
            return false;
        }
        self.verify();
        self.deliver();
        self.make();
        self.write();
        self.ping();
        self.read()
    }

    fn verify(&mut self) {
        let hub = Arc::clone(&self.hub);
        let mut state = hub.state();
        while let Some(wish) = state.next_verification() {
            let pusher = Arc::clone(&self.pusher);
            self.tasks.spawn(async move {
                let is_confirmed = send::verify(&pusher, &wish).await;
                Ended::Verified(wish, is_confirmed)
            });
        }
        while self.denials < DENIALS
            && let Some(denial) = state.denials.pop_front()
        {
            self.denials += 1;
            let pusher = Arc::clone(&self.pusher);
            self.tasks.spawn(async move {
                send::deny(&pusher, &denial).await;
                Ended::Denied
            });
        }
    }

    fn deliver(&mut self) {
        let hub = Arc::clone(&self.hub);
        let (mut state, now) = (hub.state(), clock::now());
        let limits = &self.config.hub;
        while self.deliveries < limits.concurrency
            && let Some(delivery) = state.next_delivery(limits.per_host, now)
        {
            self.deliveries += 1;
            let (pusher, method) = (Arc::clone(&self.pusher), limits.signature);
            self.tasks.spawn(async move {
                let taken = send::deliver(&pusher, &delivery, method).await;
                Ended::Delivered(delivery, taken)
            });
        }
    }

    /// One document at a time, and no further one while those that wait to be sent take too much room.
    fn make(&mut self) {
        if self.is_making || Instant::now() < self.make_at {
            return;
        }
        self.made.retain(|document| document.strong_count() > 0);
        let held = self.made.iter().filter_map(Weak::upgrade).map(|document| document.body.len()).sum::<usize>();
        if held > DOCUMENTS {
            return;
        }
        let Some(order) = self.hub.state().next_order() else { return };
        self.is_making = true;
        let (door, catalogue) = (self.door.clone(), Arc::clone(&self.catalogue.borrow()));
        self.tasks.spawn(async move {
            let made = document(&door, &catalogue, &order).await;
            Ended::Made(order, made)
        });
    }

    fn write(&mut self) {
        if self.is_writing || Instant::now() < self.write_at {
            return;
        }
        let write = {
            let mut state = self.hub.state();
            if !state.is_dirty() && !self.wants_write {
                return;
            }
            state.take_write()
        };
        (self.wants_write, self.is_writing) = (false, true);
        self.write_at = Instant::now() + RHYTHM;
        let store = self.store.clone();
        self.tasks.spawn(async move {
            let (write, result) = written(&store, write).await;
            Ended::Written(write, result)
        });
    }

    /// Begins a look into the journal where it is ahead of us; true when it is too early.
    fn read(&mut self) -> bool {
        let end = (*self.journal.borrow_and_update()).max(self.hub.end);
        let (before, topics) = {
            let mut state = self.hub.state();
            if state.held.is_empty() && self.config.hub.ping.is_empty() && !self.is_reading && state.cursor < end {
                state.cursor = end;
                drop(state);
                self.follow_journal(end);
                return false;
            }
            if state.cursor >= end || self.is_reading {
                return false;
            }
            if Instant::now() < self.read_at {
                return true;
            }
            let topics = state.topics.iter().map(|(name, topic)| (Arc::clone(name), topic.request.clone()));
            (state.cursor, topics.collect::<Vec<_>>())
        };
        self.is_reading = true;
        self.read_at = Instant::now() + RHYTHM;
        let (store, door) = (self.store.clone(), self.door.clone());
        let feeds = if self.config.hub.ping.is_empty() { Vec::new() } else { feeds(&self.catalogue.borrow()) };
        self.tasks.spawn(async move { Ended::Read(read(&store, &door, topics, feeds, (before, end)).await) });
        false
    }

    fn follow_journal(&self, number: u64) {
        let store = self.store.clone();
        // Cheap, but the store is reached through its door alone.
        tokio::spawn(async move {
            let told = move |store: &Store| {
                store.followed(FOLLOWER, number);
                Ok(())
            };
            let _ = store.run(told).await;
        });
    }

    fn note(&mut self, ended: Result<Ended, tokio::task::JoinError>) {
        let hub = Arc::clone(&self.hub);
        let now = clock::now();
        match ended {
            Ok(Ended::Delivered(delivery, taken)) => {
                self.deliveries -= 1;
                hub.counters.hub.delivered(taken == Taken::Yes);
                hub.state().delivered(&delivery, taken, now);
                self.has_told = true;
            }
            Ok(Ended::Verified(wish, is_confirmed)) => {
                hub.counters.hub.verified(is_confirmed);
                // Who subscribes does not ask again: only how far somebody was told can wait.
                self.write_at = self.write_at.min(Instant::now());
                hub.state().verified(wish, is_confirmed, now, &self.config.hub);
            }
            Ok(Ended::Denied) => self.denials -= 1,
            Ok(Ended::Read(found)) => self.note_read(found),
            Ok(Ended::Made(order, made)) => {
                self.is_making = false;
                match made {
                    Ok(document) => {
                        self.made.extend(document.as_ref().map(Arc::downgrade));
                        hub.state().made(order, document.as_ref());
                    }
                    Err(error) => {
                        self.make_at = Instant::now() + MENDING;
                        hub.state().not_made(order);
                        self.trouble(&error);
                    }
                }
            }
            Ok(Ended::Written(write, result)) => self.note_written(write, result),
            Err(error) if error.is_panic() => {
                // What it was about stays as it is until the next start: it must not be tried again and again.
                tracing::error!(%error, "a task of the hub ended in a bug");
            }
            Ok(Ended::Pinged) | Err(_) => {}
        }
    }

    fn note_read(&mut self, found: Result<Found, StoreError>) {
        self.is_reading = false;
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                self.read_at = Instant::now() + MENDING;
                return self.trouble(&error);
            }
        };
        self.has_trouble = false;
        let mut state = self.hub.state();
        if found.is_lost {
            state.lost(found.end);
        }
        for (topic, news) in &found.concerned {
            state.concerned(topic, news, found.before);
            self.has_told = true;
        }
        state.cursor = found.end;
        drop(state);
        self.changed.extend(found.feeds);
    }

    fn note_written(&mut self, write: HubWrite, result: Result<(), StoreError>) {
        self.is_writing = false;
        match result {
            Ok(()) => {
                self.has_trouble = false;
                if let Some(through) = write.through {
                    self.follow_journal(through);
                }
            }
            Err(error) => {
                self.write_at = Instant::now() + MENDING;
                self.hub.state().not_written(write);
                self.trouble(&error);
            }
        }
    }

    fn trouble(&mut self, error: &StoreError) {
        if !std::mem::replace(&mut self.has_trouble, true) {
            tracing::warn!(%error, "the hub waits for the store");
        }
    }

    /// Once a second.
    fn tick(&mut self) {
        self.ticks += 1;
        let is_seldom = self.ticks.is_multiple_of(SELDOM);
        let mut state = self.hub.state();
        let now = clock::now();
        state.wake(now);
        if is_seldom {
            state.expire(now);
        }
        let (subscriptions, waiting) = state.counts();
        self.hub.counters.hub.stands(subscriptions, waiting);
        if subscriptions > 0 && (self.has_told || is_seldom) && state.lag() > 0 {
            self.wants_write = true;
        }
        self.has_told &= waiting > 0;
    }

    /// A changed configuration.
    fn follow(&mut self) {
        let catalogue = Arc::clone(&self.catalogue.borrow_and_update());
        let before = std::mem::replace(&mut self.config, Arc::clone(&catalogue.config));
        let (old, new) = (&before.hub, &self.config.hub);
        if (&old.allow_private, old.per_host, &before.poll.contact)
            != (&new.allow_private, new.per_host, &self.config.poll.contact)
        {
            match pusher(&self.config) {
                Ok(pusher) => self.pusher = pusher,
                Err(error) => tracing::error!("{error}"),
            }
        }
        if old.is_enabled && !new.is_enabled {
            let store = self.store.clone();
            tokio::spawn(async move {
                let left = |store: &Store| {
                    store.unfollow(FOLLOWER);
                    Ok(())
                };
                let _ = store.run(left).await;
            });
        }
        self.hub.state().follow(|topic| push::remembered(&catalogue, topic));
    }

    fn ping(&mut self) {
        if self.changed.is_empty() || Instant::now() < self.ping_at {
            return;
        }
        self.ping_at = Instant::now() + PINGS;
        let catalogue = Arc::clone(&self.catalogue.borrow());
        let changed = std::mem::take(&mut self.changed);
        let addresses = changed.into_iter().flat_map(|feed| {
            Format::ALL.map(|format| door::address(&catalogue.base, &FeedRequest::plain(feed.clone(), format)))
        });
        let addresses: Arc<Vec<Url>> = Arc::new(addresses.collect());
        for hub in self.config.hub.ping.iter().cloned() {
            let (pusher, addresses) = (Arc::clone(&self.pusher), Arc::clone(&addresses));
            self.tasks.spawn(async move {
                send::ping(pusher, hub, addresses).await;
                Ended::Pinged
            });
        }
    }

    /// What is under way may end; what is known is written.
    async fn end(mut self) {
        let ended = async {
            while self.deliveries > 0 || self.is_writing {
                let Some(ended) = self.tasks.join_next().await else { return };
                self.note(ended);
            }
        };
        let is_late = tokio::time::timeout(LAST, ended).await.is_err();
        if is_late {
            tracing::debug!("some subscribers did not answer in time; they are told again after the next start");
        }
        let write = self.hub.state().take_write();
        if write.through.is_some() || !write.subscriptions.is_empty() {
            let (_, result) = written(&self.store, write).await;
            if let Err(error) = result {
                tracing::warn!(%error, "how far subscribers were told could not be written; some are told again");
            }
        }
    }
}

async fn written(store: &Handle<Store>, write: HubWrite) -> (HubWrite, Result<(), StoreError>) {
    let write = Arc::new(write);
    let job = Arc::clone(&write);
    let result = store.run(move |store| store.write_hub(&job)).await;
    (Arc::unwrap_or_clone(write), result)
}

/// The feeds that other hubs may know.
fn feeds(catalogue: &Catalogue) -> Vec<FeedName> {
    let has_address = catalogue.config.server.public_url.is_some();
    let sources = catalogue.config.sources.iter().map(|source| FeedName::Source(source.key.clone()));
    let feeds = catalogue.ready_feeds().into_iter().chain(sources);
    feeds.filter(|feed| has_address && push::may_subscribe(catalogue, feed)).collect()
}

async fn read(
    store: &Handle<Store>,
    door: &StoreDoor,
    topics: Vec<(Arc<str>, FeedRequest)>,
    feeds: Vec<FeedName>,
    (before, end): (u64, u64),
) -> Result<Found, StoreError> {
    let read = store.run(move |store| store.changed_after(before, ROUND)).await?;
    let mut found = Found { before, end, is_lost: false, concerned: Vec::new(), feeds: Vec::new() };
    let Some(mut records) = read else { return Ok(Found { is_lost: true, ..found }) };
    // What is not on the disk yet may still be lost; word of it comes when it is.
    records.retain(|record| record.number <= end);
    found.end = records.last().map_or(end, |record| record.number);
    let mut numbers: HashMap<Seq, u64> = HashMap::new();
    for record in &records {
        numbers.extend(record.entries.iter().map(|seq| (*seq, record.number)));
    }
    let mut entries: Vec<Seq> = numbers.keys().copied().collect();
    entries.sort_unstable();
    let plain = feeds.iter().map(|feed| FeedRequest::plain(feed.clone(), Format::Atom));
    let requests = topics.iter().map(|(_, request)| request.clone()).chain(plain).collect();
    let mut asked = door.asked_for(requests, entries).await?;
    let of_feeds = asked.split_off(topics.len());
    let changed = feeds.into_iter().zip(of_feeds).filter(|(_, entries)| !entries.is_empty());
    found.feeds = changed.map(|(feed, _)| feed).collect();
    for ((topic, _), entries) in topics.into_iter().zip(asked) {
        let mut news: Vec<(u64, Seq)> = entries.into_iter().map(|seq| (numbers[&seq], seq)).collect();
        news.sort_unstable();
        if !news.is_empty() {
            found.concerned.push((topic, news));
        }
    }
    Ok(found)
}

/// What is sent to those who lack some entries: of Atom and RSS these alone (WebSub §7), of JSON Feed the whole document.
async fn document(door: &StoreDoor, catalogue: &Catalogue, order: &Order) -> Result<Option<Arc<Document>>, StoreError> {
    let request = order.request.clone();
    let made = match order.entries.clone().filter(|_| request.format != Format::Json) {
        Some(entries) => match door.news(request.clone(), entries).await {
            Ok(Some(representation)) => representation,
            Ok(None)
            | Err(SelectError::Refused(_) | SelectError::Unknown(_) | SelectError::Missing(_) | SelectError::Gone(_)) =>
            {
                return Ok(None);
            }
            Err(SelectError::Store(error)) => return Err(error),
        },
        None => match door.feed(request.clone()).await {
            Ok(representation) => Arc::unwrap_or_clone(representation),
            Err(Refusal::NotFound(_) | Refusal::Gone(_) | Refusal::Bad(_)) => return Ok(None),
            Err(Refusal::Busy | Refusal::Failed) => {
                return Err(StoreError::Stopped("the whole document cannot be read now".to_owned()));
            }
        },
    };
    let Representation { identity, media_type, .. } = made;
    let own = door::address(&catalogue.base, &request);
    let Some(hub) = catalogue.hub_url() else { return Ok(None) };
    Ok(Some(Arc::new(Document { body: identity.body, media_type, link: push::link(Some(&hub), &own) })))
}
