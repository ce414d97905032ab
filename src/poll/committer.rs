//! The one writer. It drains what waits, decides and applies each document, syncs once for all of them, and only then acknowledges.
//!
//! It has a thread of its own: sled blocks, and its writes must not wait behind other blocking work.

use std::collections::{HashMap, HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock;
use crate::model::Timestamp;
use crate::model::feed::FeedId;
use crate::model::source::{Scope, TopicKey};
use crate::poll::absorb::{self, Absorbed};
use crate::poll::pages::PageWrite;
use crate::poll::prepare::Prepared;
use crate::poll::quarantine::{Holding, Release};
use crate::poll::rearrange::{Desk, Rearranged, Rearranging};
use crate::poll::retention::{Pruned, Pruning, Uncounted};
use crate::poll::topics::Topics;
use crate::poll::window::Window;
use crate::select::catalogue::Catalogue;
use crate::store::archives::Made;
use crate::store::engine::StoreError;
use crate::store::entries::{Commit, Store};
use crate::store::record::Counters;
use crate::store::source::SourceState;

/// Documents that share one sync. More would save nothing and let sled's memory grow (its epochs advance with each operation).
const GROUP: usize = 8;

/// How long after a failure the store is first opened anew, and the longest time between two attempts.
const FIRST_RECOVERY: Duration = Duration::from_secs(1);
const LONGEST_RECOVERY: Duration = Duration::from_secs(10);
/// How often a stuck committer looks for orders, which it refuses.
const LOOK: Duration = Duration::from_millis(20);

/// Orders that may wait. Pollers beyond it wait themselves, which bounds the memory of a burst.
const WAITING: usize = 64;

/// What the committer is asked to do.
enum Order {
    Absorb(Box<Prepared>, oneshot::Sender<Result<Absorbed, Arc<StoreError>>>),
    /// The text of an entry's page.
    Page(Box<PageWrite>, oneshot::Sender<Result<(), Arc<StoreError>>>),
    /// Facts that need not be durable at once; they travel with the next sync.
    Remember(Vec<(Scope, Arc<SourceState>)>),
    /// Lets out what is held back of a source, and says how many that were.
    Release(Scope, oneshot::Sender<Result<u64, Arc<StoreError>>>),
    Follow(Arc<Catalogue>, oneshot::Sender<Result<(), Arc<StoreError>>>),
    /// Removes what is old enough, between the groups that come.
    Prune,
    /// Acknowledges when everything ordered before is durable.
    Settle(oneshot::Sender<Result<(), Arc<StoreError>>>),
}

/// Told after each sync which feeds differ now; `None` stands for all.
pub type Changed = Box<dyn Fn(Option<&HashSet<FeedId>>) + Send>;

/// The way to the committer. It stops when the last of these is dropped and everything ordered is done.
#[derive(Clone)]
pub struct Committer {
    orders: mpsc::Sender<Order>,
    trouble: watch::Receiver<Option<String>>,
    uncounted: Arc<Uncounted>,
    holding: Arc<Holding>,
    window: Window,
    store: Arc<Store>,
}

impl Committer {
    /// Starts the committer's thread.
    pub fn start(store: Arc<Store>, catalogue: Arc<Catalogue>, changed: Changed) -> Result<Self, StoreError> {
        let (orders, waiting) = mpsc::channel(WAITING);
        let (trouble, seen) = watch::channel(None);
        let counters = store.counters()?;
        if let Some(Made { feeds, places }) = store.make_archives()? {
            tracing::info!(feeds, places, "archives of {feeds} feeds are made of what an earlier version stored");
        }
        let topics = Topics::read(&catalogue, &store)?;
        let window = Window::read(&store, &catalogue, clock::now())?;
        let rearranging = Rearranging::begin(&store, &catalogue)?;
        let uncounted = Arc::default();
        let holding = Arc::new(Holding::read(&store)?);
        let (looking, reading) = (window.clone(), Arc::clone(&store));
        let mut work = Work {
            store,
            catalogue,
            topics,
            window,
            counters,
            changed,
            trouble,
            recovery: None,
            unwritten: HashMap::new(),
            rearranging,
            pruning: None,
            releases: VecDeque::new(),
            uncounted: Arc::clone(&uncounted),
            holding: Arc::clone(&holding),
        };
        std::thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || work.run(waiting))
            .map_err(|error| StoreError::Stopped(format!("the committer's thread cannot start: {error}")))?;
        Ok(Self { orders, trouble: seen, uncounted, holding, window: looking, store: reading })
    }

    /// Looks for what a document's observations are nearly the same as. Blocks for reading texts; not needed, but what is done here the
    /// committer need not do.
    pub fn look(&self, catalogue: &Catalogue, prepared: &mut Prepared) {
        match self.window.look(&self.store, catalogue, &prepared.arrival, &prepared.seen) {
            Ok(looked) => prepared.looked = looked,
            Err(error) => tracing::debug!(%error, "near-duplicates cannot be looked for yet"),
        }
    }

    /// Stores a document; durable when it returns `Ok`.
    pub async fn absorb(&self, prepared: Prepared) -> Result<Absorbed, Arc<StoreError>> {
        let (answer, answered) = oneshot::channel();
        self.order(Order::Absorb(Box::new(prepared), answer)).await;
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Stores the text of a page, if its sighting is still there; durable when it returns `Ok`.
    pub async fn put_page(&self, page: PageWrite) -> Result<(), Arc<StoreError>> {
        let (answer, answered) = oneshot::channel();
        self.order(Order::Page(Box::new(page), answer)).await;
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }

    pub async fn remember(&self, states: Vec<(Scope, Arc<SourceState>)>) {
        self.order(Order::Remember(states)).await;
    }

    /// Applies a new configuration; topics whose definition changed are rebuilt in the background.
    pub async fn follow(&self, catalogue: Arc<Catalogue>) -> Result<(), Arc<StoreError>> {
        let (answer, answered) = oneshot::channel();
        self.order(Order::Follow(catalogue, answer)).await;
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Lets out what is held back of a source; gives how many entries that were, when all of them are durable.
    pub async fn release(&self, scope: Scope) -> Result<u64, Arc<StoreError>> {
        let (answer, answered) = oneshot::channel();
        self.order(Order::Release(scope, answer)).await;
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// How much is held back of each source.
    pub fn holding(&self) -> &Holding {
        &self.holding
    }

    /// Begins to remove what is old enough.
    pub async fn prune(&self) {
        self.order(Order::Prune).await;
    }

    pub fn uncounted(&self) -> &Uncounted {
        &self.uncounted
    }

    /// Waits until everything ordered before is durable.
    pub async fn settle(&self) -> Result<(), Arc<StoreError>> {
        let (answer, answered) = oneshot::channel();
        self.order(Order::Settle(answer)).await;
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Why nothing can be stored for now; `None` while all is well.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.borrow().clone()
    }

    /// Waits until things can be stored.
    pub async fn recovered(&self) {
        // A committer that has ended will not recover, and nobody waits for it.
        let _ = self.trouble.clone().wait_for(Option::is_none).await;
    }

    async fn order(&self, order: Order) {
        // A committer that has ended drops the order, and with it the sender of the answer.
        let _ = self.orders.send(order).await;
    }
}

fn stopped() -> Arc<StoreError> {
    Arc::new(StoreError::Stopped("the committer has ended".to_owned()))
}

/// Tells whoever waits, once it is known how the sync went.
type Acknowledgement = Box<dyn FnOnce(&Result<(), Arc<StoreError>>)>;

/// When a stuck store is opened anew.
struct Recovery {
    at: Instant,
    wait: Duration,
}

struct Work {
    store: Arc<Store>,
    catalogue: Arc<Catalogue>,
    topics: Topics,
    window: Window,
    counters: Counters,
    changed: Changed,
    trouble: watch::Sender<Option<String>>,
    /// Set while the store is stuck.
    recovery: Option<Recovery>,
    /// Facts that the store could not take; the poller counts on them being written.
    unwritten: HashMap<Scope, Arc<SourceState>>,
    /// What changed rules over merging have left to do.
    rearranging: Option<Rearranging>,
    /// The round of removals that is under way.
    pruning: Option<Pruning>,
    /// The releases that are under way, and who waits for their ends.
    releases: VecDeque<(Release, Option<Answer>)>,
    uncounted: Arc<Uncounted>,
    holding: Arc<Holding>,
}

/// Who waits for the end of a release.
type Answer = oneshot::Sender<Result<u64, Arc<StoreError>>>;

impl Work {
    fn run(&mut self, mut waiting: mpsc::Receiver<Order>) {
        while let Some(first) = self.next(&mut waiting) {
            let mut group = vec![first];
            while group.len() < GROUP
                && let Ok(order) = waiting.try_recv()
            {
                group.push(order);
            }
            self.work(group);
            self.release_in_time(clock::now());
        }
    }

    /// The next order; what there is to do without one is done meanwhile. `None` when there will be none any more.
    fn next(&mut self, waiting: &mut mpsc::Receiver<Order>) -> Option<Order> {
        loop {
            if self.recovery.as_ref().is_some_and(|recovery| recovery.at <= Instant::now()) {
                self.recover();
            }
            let is_idle = !self.topics.is_building()
                && self.rearranging.is_none()
                && self.pruning.is_none()
                && self.releases.is_empty();
            if self.recovery.is_none() && is_idle {
                return waiting.blocking_recv();
            }
            match waiting.try_recv() {
                Ok(order) => return Some(order),
                Err(mpsc::error::TryRecvError::Disconnected) => return None,
                Err(mpsc::error::TryRecvError::Empty) if self.recovery.is_some() => std::thread::sleep(LOOK),
                Err(mpsc::error::TryRecvError::Empty) => self.go_on(),
            }
        }
    }

    /// Applies a group, syncs once, and acknowledges.
    fn work(&mut self, group: Vec<Order>) {
        let mut feeds = HashSet::new();
        let mut everything = false;
        let mut done: Vec<Acknowledgement> = Vec::new();
        let mut facts = Vec::new();
        for order in group {
            match order {
                Order::Absorb(prepared, answer) => {
                    let result = self.absorb(*prepared);
                    if let Ok(absorbed) = &result {
                        feeds.extend(absorbed.feeds.iter().cloned());
                        self.count_held(&absorbed.holding);
                        // A rule may have put entries together that were held back.
                        if !self.catalogue.rules.is_empty() {
                            self.recount_held();
                        }
                    }
                    done.push(acknowledge(answer, result));
                }
                Order::Page(page, answer) => {
                    let result = self.put_page(*page).map(|changed| feeds.extend(changed));
                    done.push(acknowledge(answer, result));
                }
                Order::Remember(sources) => {
                    facts.extend(sources.iter().cloned());
                    if let Err(error) = self.store.commit(&Commit { sources, ..Commit::default() }) {
                        tracing::error!(%error, "the facts of sources could not be stored");
                    }
                }
                Order::Follow(catalogue, answer) => {
                    let result = self.follow(catalogue);
                    everything = true;
                    done.push(acknowledge(answer, result));
                }
                Order::Release(scope, answer) => {
                    // Everything, also what a clock that ran ahead dated later.
                    let release = Release::new(scope, clock::now(), Timestamp::MAX_UTC);
                    self.releases.push_back((release, Some(answer)));
                }
                Order::Prune => self.begin_pruning(),
                Order::Settle(answer) => done.push(acknowledge(answer, Ok(()))),
            }
        }
        let synced = self.store.sync();
        self.note(&synced);
        if synced.is_err() {
            self.unwritten.extend(facts);
        }
        if let Err(error) = self.store.trim_journal() {
            tracing::error!(%error, "what was read of the journal cannot be removed");
        }
        let synced = synced.map_err(Arc::new);
        // First the marks: whoever is told may wait for what is marked.
        if everything {
            (self.changed)(None);
        } else if !feeds.is_empty() && synced.is_ok() {
            (self.changed)(Some(&feeds));
        }
        for tell in done {
            tell(&synced);
        }
    }

    fn follow(&mut self, catalogue: Arc<Catalogue>) -> Result<(), StoreError> {
        let has_other_window = self.catalogue.config.merging.window != catalogue.config.merging.window;
        self.catalogue = catalogue;
        self.topics = Topics::read(&self.catalogue, &self.store)?;
        if has_other_window {
            self.window.read_again(&self.store, &self.catalogue, clock::now())?;
        }
        self.rearranging = Rearranging::begin(&self.store, &self.catalogue)?;
        Ok(())
    }

    /// Gives the feeds that differ then. A sighting may have been removed while its page was read.
    fn put_page(&self, write: PageWrite) -> Result<HashSet<FeedId>, StoreError> {
        let PageWrite { scope, entry, sighting, page } = write;
        let entry = self
            .store
            .entry(entry)?
            .filter(|entry| entry.sightings.iter().any(|known| known.seq == sighting && known.source == scope));
        let Some(entry) = entry else { return Ok(HashSet::new()) };
        self.store.put_page(sighting, page)?;
        Ok(entry.placements.into_iter().map(|placement| placement.feed).collect())
    }

    /// One step of what waits for quiet moments; nobody gains by taking turns.
    fn go_on(&mut self) {
        match () {
            // Somebody may wait for it.
            () if !self.releases.is_empty() => self.release(),
            () if self.topics.is_building() => self.build(),
            () if self.rearranging.is_some() => self.rearrange(),
            () => self.prune(),
        }
    }

    /// One step of the first release that is under way.
    fn release(&mut self) {
        let Some((mut release, answer)) = self.releases.pop_front() else { return };
        let step = release.step(&self.store, &self.topics, &self.catalogue);
        // Was it the disk, then the store is stuck, and a recovery begins.
        let synced = self.store.sync();
        self.note(&synced);
        self.count_held(std::iter::once(&release.scope));
        let end = match step.and_then(|feeds| synced.map(|()| feeds)) {
            Ok(Some(feeds)) => {
                (self.changed)(Some(&feeds));
                self.releases.push_front((release, answer));
                return;
            }
            Ok(None) => {
                let (source, released) = (release.scope.as_str(), release.released);
                tracing::info!(source, released, "{released} entries of {source} that were held back are released");
                Ok(released)
            }
            Err(error) => {
                tracing::error!(%error, "what is held back cannot be released");
                Err(Arc::new(error))
            }
        };
        if let Some(answer) = answer {
            // A command that went away needs no answer.
            let _ = answer.send(end);
        }
    }

    /// Begins to release what has been held back for as long as the file says. Looked at between two groups; the daemon prunes every
    /// hour, so there is one.
    fn release_in_time(&mut self, now: Timestamp) {
        let after = self.catalogue.config.merging.release_after.and_then(|after| TimeDelta::from_std(after).ok());
        let Some(until) = after.and_then(|after| now.checked_sub_signed(after)) else { return };
        for scope in self.holding.since(until) {
            if self.recovery.is_none() && !self.releases.iter().any(|(release, _)| release.scope == scope) {
                self.releases.push_back((Release::new(scope, now, until), None));
            }
        }
    }

    fn recount_held(&self) {
        if let Err(error) = self.holding.recount(&self.store) {
            tracing::error!(%error, "what is held back cannot be counted");
        }
    }

    fn count_held<'s>(&self, scopes: impl IntoIterator<Item = &'s Scope>) {
        for scope in scopes {
            if let Err(error) = self.holding.count(&self.store, scope) {
                tracing::error!(%error, "what is held back cannot be counted");
            }
        }
    }

    fn rearrange(&mut self) {
        let Some(rearranging) = &mut self.rearranging else { return };
        let desk = Desk { store: &self.store, topics: &self.topics, catalogue: &self.catalogue, now: clock::now() };
        let (rearranged, is_done) = match rearranging.step(desk, &mut self.counters) {
            Ok(Some(rearranged)) => (rearranged, false),
            Ok(None) => (Rearranged { has_written: true, ..Rearranged::default() }, true),
            Err(error) => {
                tracing::error!(%error, "what is stored cannot follow the changed rules over merging");
                self.rearranging = None;
                (Rearranged { has_written: true, ..Rearranged::default() }, false)
            }
        };
        if !rearranged.has_written {
            return;
        }
        if let Err(error) = self.window.moved(&self.store, &rearranged.moved) {
            tracing::error!(%error, "sketches of copies that moved cannot be written");
        }
        // Was it the disk, then the store is stuck, and a recovery begins it anew.
        let synced = self.store.sync();
        self.note(&synced);
        self.recount_held();
        if synced.is_ok() && !rearranged.feeds.is_empty() {
            (self.changed)(Some(&rearranged.feeds));
        }
        if is_done && let Some(done) = self.rearranging.take() {
            let moved = done.moved;
            tracing::info!(moved, "what is stored follows the changed rules over merging: {moved} copies have moved");
        }
    }

    fn begin_pruning(&mut self) {
        if let Err(error) = self.window.prune(&self.store, clock::now()) {
            tracing::error!(%error, "sketches that are too old cannot be removed");
        }
        match Pruning::new(&self.store, &self.catalogue, clock::now()) {
            Ok(pruning) => self.pruning = Some(pruning),
            Err(error) => tracing::error!(%error, "what is to be removed cannot be found out"),
        }
    }

    fn prune(&mut self) {
        let Some(pruning) = &mut self.pruning else { return };
        let pruned = match pruning.step(&self.store, &self.topics, &mut self.counters) {
            Ok(Some(pruned)) if pruned.has_written => pruned,
            Ok(Some(_)) => return,
            Ok(None) => {
                self.pruning = None;
                return;
            }
            Err(error) => {
                tracing::error!(%error, "what is old enough cannot be removed");
                self.pruning = None;
                Pruned::default()
            }
        };
        // Was it the disk, then the store is stuck, and a recovery begins.
        let synced = self.store.sync();
        self.note(&synced);
        if let (Some(scope), Ok(())) = (&pruned.scope, synced) {
            let (sightings, entries) = (pruned.sightings, pruned.entries);
            self.uncounted.add(scope, sightings);
            self.count_held(std::iter::once(scope));
            tracing::info!(sightings, entries, "{entries} entries are removed: they were kept for long enough");
            (self.changed)(Some(&pruned.feeds));
        }
    }

    /// Opens a stuck store anew, and lets go of everything that was known beyond what it holds.
    fn recover(&mut self) {
        match self.opened_anew() {
            Ok(()) => {
                self.recovery = None;
                self.trouble.send_replace(None);
                tracing::info!("the store can be written again; everything that was acknowledged is there");
                (self.changed)(None);
            }
            Err(error) => {
                tracing::warn!(%error, "the store still cannot be written");
                let wait = self.recovery.as_ref().map_or(FIRST_RECOVERY, |recovery| recovery.wait * 2);
                self.fail(&error, wait.min(LONGEST_RECOVERY));
            }
        }
    }

    fn opened_anew(&mut self) -> Result<(), StoreError> {
        let store = &self.store;
        let bug = |_| Err(StoreError::Stopped("opening the store anew ended in a bug".to_owned()));
        catch_unwind(AssertUnwindSafe(|| store.recover())).unwrap_or_else(bug)?;
        self.counters = store.counters()?;
        self.topics = Topics::read(&self.catalogue, store)?;
        self.window.read_again(store, &self.catalogue, clock::now())?;
        self.rearranging = Rearranging::begin(store, &self.catalogue)?;
        let sources = self.unwritten.iter().map(|(scope, state)| (scope.clone(), Arc::clone(state))).collect();
        store.commit(&Commit { sources, ..Commit::default() })?;
        store.sync()?;
        self.unwritten.clear();
        self.holding.recount(store)?;
        Ok(())
    }

    /// A bug that one document brings to light costs that document, not the committer.
    fn absorb(&mut self, mut prepared: Prepared) -> Result<Absorbed, StoreError> {
        let scope = prepared.arrival.scope.clone();
        let uncounted = self.uncounted.take(&scope);
        prepared.state.entries = prepared.state.entries.saturating_sub(uncounted);
        let (store, topics, catalogue) = (&self.store, &self.topics, &self.catalogue);
        let (counters, window) = (&mut self.counters, &self.window);
        let deciding = AssertUnwindSafe(|| absorb::absorb(store, topics, catalogue, prepared, counters, window));
        let bug = || Err(StoreError::Stopped("deciding on the document ended in a bug".to_owned()));
        let absorbed = catch_unwind(deciding).unwrap_or_else(|_| bug());
        if absorbed.is_err() && uncounted > 0 {
            self.uncounted.add(&scope, uncounted);
        }
        absorbed
    }

    fn build(&mut self) {
        match self.topics.build(&self.store, &self.catalogue, clock::now()) {
            Ok(None) => {
                let synced = self.store.sync();
                self.note(&synced);
            }
            Ok(Some(topic)) => {
                let synced = self.store.sync();
                self.note(&synced);
                tracing::info!(%topic, "the memberships of {topic} follow its new definition");
                (self.changed)(Some(&only(topic)));
            }
            Err(error) => {
                tracing::error!(%error, "the memberships of a topic cannot follow its new definition");
                self.topics.give_up_building();
                // Was it the disk, then the store is stuck, and a recovery begins it anew.
                let synced = self.store.sync();
                self.note(&synced);
            }
        }
    }

    fn note(&mut self, synced: &Result<(), StoreError>) {
        if let Err(error) = synced
            && self.recovery.is_none()
        {
            tracing::error!(%error, "the store cannot be written: nothing new is kept until it can be; it is tried again and again");
            self.fail(error, FIRST_RECOVERY);
        }
    }

    fn fail(&mut self, error: &StoreError, wait: Duration) {
        self.recovery = Some(Recovery { at: Instant::now() + wait, wait });
        self.trouble.send_replace(Some(error.to_string()));
    }
}

fn only(topic: TopicKey) -> HashSet<FeedId> {
    HashSet::from([FeedId::Topic(topic)])
}

/// Answers with the result, but only if the sync went well: nothing is acknowledged that is not on the disk.
fn acknowledge<T: 'static>(
    answer: oneshot::Sender<Result<T, Arc<StoreError>>>,
    result: Result<T, StoreError>,
) -> Acknowledgement {
    Box::new(move |synced| {
        let result = result.map_err(Arc::new).and_then(|value| synced.clone().map(|()| value));
        // Nobody waits any more when the poll was cancelled at the stop.
        let _ = answer.send(result);
    })
}
