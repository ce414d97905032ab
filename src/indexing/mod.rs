//! The index follows the store: it is filled once and then reads the journal, a bounded step at a time and behind everything else.
//!
//! Each commit says how far it goes, so what a crash takes away is done again. A damaged index, one of another store, or one that is
//! too far behind the journal is made anew. Whatever fails here hurts searches alone, and they know another way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::index::{Entered, Index, IndexError, Standing, Writer};
use crate::model::entry::{Entry, Seq, Texts};
use crate::model::feed::FeedId;
use crate::model::source::{SourceKey, TopicKey};
use crate::select::candidate::{SourceFacts, with_facts};
use crate::select::search::definition;
use crate::store::engine::StoreError;
use crate::store::entries::Store;

/// What the journal calls the one that follows it here.
pub const FOLLOWER: &str = "index";

/// Entries of one step: some tens of milliseconds.
const STEP: usize = 64;
/// Entries of one step that are compared only.
const COMPARED: usize = 512;
/// Records of the journal read at once.
const RECORDS: usize = 16;
/// Documents of one commit while the index is filled, and while it follows.
const FILLED_AT_ONCE: usize = 50_000;
const FOLLOWED_AT_ONCE: usize = 5_000;
/// Longest time between a change and the commit that has it. Until then searches read it from the journal.
const COMMIT_AFTER: Duration = Duration::from_secs(10);
/// Between two attempts after a failure.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest rest after a step.
const REST: Duration = Duration::from_secs(1);
/// Larger indexes are not read as a whole at the start; what is wrong with them is met when it is read.
const VERIFIED: u64 = 256 << 20;

/// Why the index does not follow.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How far the filling has come, in entries; the whole is an estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    pub done: u64,
    pub whole: u64,
}

/// What there is to do after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    More,
    /// Nothing before the store changes, or before this time.
    Wait(Option<Instant>),
}

/// Brings the index after the store, step by step. Blocks for both.
pub struct Follower {
    store: Arc<Store>,
    index: Arc<Index>,
    memory: usize,
    /// How far the journal is on the disk.
    told: watch::Receiver<u64>,
    writer: Option<Writer>,
    standing: Standing,
    /// When the first change came that is not committed.
    since: Option<Instant>,
    /// A topic whose places are compared with what the index has, with its definition and the last entry that was looked at.
    comparing: Option<(TopicKey, u64, Seq)>,
    progress: Progress,
    /// Sources are looked up when something is searched, so documents name none.
    nobody: SourceKey,
}

impl Follower {
    /// Announces itself to the journal, so that nothing it has not read is removed.
    ///
    /// # Errors
    /// When the store fails.
    pub fn new(store: Arc<Store>, index: Arc<Index>, memory: usize) -> Self {
        let told = store.watch_journal();
        let standing = index.view().map(|view| view.standing().clone()).unwrap_or_default();
        let number = if index.view().is_some() { standing.number } else { *told.borrow() };
        store.followed(FOLLOWER, number);
        Self {
            store,
            index,
            memory,
            told,
            writer: None,
            standing,
            since: None,
            comparing: None,
            progress: Progress::default(),
            nobody: SourceKey::new("nobody").expect("it is a key"),
        }
    }

    /// Makes the index anew, whatever there is.
    ///
    /// # Errors
    /// When the folder cannot be written, or the store fails.
    pub fn begin_anew(&mut self) -> Result<(), Trouble> {
        self.writer = None;
        let number = *self.told.borrow();
        let standing = Standing { number, filled: Some(Seq(0)), topics: self.definitions()? };
        self.index.begin_anew(standing.clone())?;
        self.standing = standing;
        self.since = None;
        self.comparing = None;
        self.progress = Progress { done: 0, whole: self.store.counters()?.entries };
        self.store.followed(FOLLOWER, number);
        self.open()
    }

    fn open(&mut self) -> Result<(), Trouble> {
        let mut writer = self.index.writer(self.memory)?;
        if self.standing.filled == Some(Seq(0)) {
            // From here on it can be told what it is.
            self.index.commit(&mut writer, self.standing.clone())?;
        }
        self.writer = Some(writer);
        Ok(())
    }

    /// Fills the index and follows to the end of what is known. `progress` is told after each step.
    ///
    /// # Errors
    /// As the first step that fails.
    pub fn catch_up(&mut self, progress: &mut dyn FnMut(Progress)) -> Result<(), Trouble> {
        while self.step()? == Next::More {
            progress(self.progress);
        }
        self.commit()
    }

    /// One bounded step.
    fn step(&mut self) -> Result<Next, Trouble> {
        if self.writer.is_none() {
            match self.index.view() {
                Some(view) if !matches!(self.index.trouble(), Some(IndexError::Damaged(_))) => {
                    self.standing = view.standing().clone();
                    self.since = None;
                    self.comparing = None;
                    if self.index.size_on_disk() <= VERIFIED {
                        self.index.verify()?;
                    }
                    self.open()?;
                }
                _ => self.begin_anew()?,
            }
            return Ok(Next::More);
        }
        if self.index.view().is_none() {
            // A search met damage.
            self.begin_anew()?;
            return Ok(Next::More);
        }
        match self.standing.filled {
            Some(after) => self.fill(after),
            None => self.follow(),
        }
    }

    fn fill(&mut self, after: Seq) -> Result<Next, Trouble> {
        let entries = self.store.entries_after(after, STEP)?;
        let Some(last) = entries.last().map(|entry| entry.seq) else {
            self.standing.filled = None;
            self.commit()?;
            return Ok(Next::More);
        };
        for entry in &entries {
            if let Some(entered) = self.entered(entry)?
                && let Some(writer) = &mut self.writer
            {
                writer.add(entered)?;
            }
        }
        self.progress.done += entries.len() as u64;
        self.standing.filled = Some(last);
        self.commit_from(FILLED_AT_ONCE)?;
        Ok(Next::More)
    }

    fn follow(&mut self) -> Result<Next, Trouble> {
        let end = *self.told.borrow_and_update();
        let Some(records) = self.store.changed_after(self.standing.number, RECORDS)? else {
            self.begin_anew()?;
            return Ok(Next::More);
        };
        let mut done = 0;
        for record in records {
            // What is not on the disk may be gone after a crash.
            if done >= STEP || record.number > end {
                break;
            }
            for seq in &record.entries {
                let entry = self.store.entry(*seq)?;
                let entered = entry.as_ref().map(|entry| self.entered(entry)).transpose()?.flatten();
                if let Some(writer) = &mut self.writer {
                    writer.replace(*seq, entered)?;
                }
            }
            done += record.entries.len().max(1);
            self.standing.number = record.number;
            self.since.get_or_insert_with(Instant::now);
        }
        let due = self.since.map(|since| since + COMMIT_AFTER);
        if due.is_some_and(|due| due <= Instant::now()) {
            self.commit()?;
        }
        self.commit_from(FOLLOWED_AT_ONCE)?;
        if done > 0 {
            return Ok(Next::More);
        }
        if self.compare()? { Ok(Next::More) } else { Ok(Next::Wait(self.since.and(due))) }
    }

    /// Topics whose memberships were worked out anew hold other entries, without a word in the journal: puts in order what
    /// differs. False when there is nothing to compare.
    fn compare(&mut self) -> Result<bool, Trouble> {
        let Some((key, definition, after)) = self.comparing.take() else {
            let current = self.definitions()?;
            self.standing.topics.retain(|key, _| current.contains_key(key));
            let other = current.into_iter().find(|(key, definition)| self.standing.topics.get(key) != Some(definition));
            let Some((key, definition)) = other else { return Ok(false) };
            self.commit()?;
            self.comparing = Some((key, definition, Seq(0)));
            return Ok(true);
        };
        let entries = self.store.entries_after(after, COMPARED)?;
        let Some(last) = entries.last().map(|entry| entry.seq) else {
            self.standing.topics.insert(key, definition);
            self.since.get_or_insert_with(Instant::now);
            self.commit()?;
            return Ok(true);
        };
        let Some(view) = self.index.view() else { return Ok(true) };
        let feed = FeedId::Topic(key.clone());
        for entry in &entries {
            let place = entry.placements.iter().find(|placement| placement.feed == feed);
            let place = place.map(|placement| placement.sort_at.timestamp_millis());
            if view.place(entry.seq, &feed)? != place {
                let entered = self.entered(entry)?;
                if let Some(writer) = &mut self.writer {
                    writer.replace(entry.seq, entered)?;
                }
            }
        }
        self.commit_from(FOLLOWED_AT_ONCE)?;
        self.comparing = Some((key, definition, last));
        Ok(true)
    }

    fn definitions(&self) -> Result<BTreeMap<TopicKey, u64>, StoreError> {
        let mut found = BTreeMap::new();
        for key in self.store.topics()? {
            if let Some(record) = self.store.topic(&key)? {
                found.insert(key, definition(&record));
            }
        }
        Ok(found)
    }

    /// What the index has of an entry; nothing of one that is in no feed.
    fn entered<'e>(&self, entry: &'e Entry) -> Result<Option<Entered<'e>>, StoreError> {
        let Some(writer) = self.writer.as_ref().filter(|_| !entry.placements.is_empty()) else { return Ok(None) };
        let mut entered = writer.enter(entry);
        let source = SourceFacts { key: &self.nobody, topics: &[] };
        for sighting in &entry.sightings {
            let texts = match sighting.text {
                Some(name) => self.store.texts(name)?.unwrap_or_default(),
                None => Texts::default(),
            };
            with_facts(sighting, texts.parts(), &source, |facts| entered.add(&sighting.source, &facts));
        }
        Ok(Some(entered))
    }

    fn commit_from(&mut self, pending: usize) -> Result<(), Trouble> {
        let is_enough = self.writer.as_ref().is_some_and(|writer| writer.pending() >= pending);
        if is_enough { self.commit() } else { Ok(()) }
    }

    /// Makes durable what was written, and lets the journal go on without it.
    fn commit(&mut self) -> Result<(), Trouble> {
        if let Some(writer) = &mut self.writer {
            self.index.commit(writer, self.standing.clone())?;
            self.store.followed(FOLLOWER, self.standing.number);
        }
        self.since = None;
        Ok(())
    }

    /// After a failure: the next step opens the index again as its last commit left it.
    fn give_up(&mut self, trouble: Trouble) {
        self.writer = None;
        match trouble {
            Trouble::Index(error) => {
                let is_new = self.index.trouble().as_ref() != Some(&error);
                if is_new {
                    tracing::warn!("the index does not follow; searches look through the feeds if need be: {error}");
                }
                self.index.note(error);
            }
            // The committer tells it.
            Trouble::Store(error) => tracing::debug!(%error, "the index waits for the store"),
        }
    }
}

/// Asked to make the index anew; told how far that has come, until it is done.
pub type Order = mpsc::UnboundedSender<Progress>;

/// Follows until `stop`. The thread is its own: steps block, and rests in between leave room for everything else.
pub async fn run(mut follower: Follower, mut orders: mpsc::Receiver<Order>, stop: CancellationToken) {
    let mut asked: Vec<Order> = Vec::new();
    let index = Arc::clone(&follower.index);
    let mut told = follower.told.clone();
    while !stop.is_cancelled() {
        if let Ok(order) = orders.try_recv() {
            begin(&mut follower, &mut asked, order);
        }
        let begun = Instant::now();
        let (until, is_resting) = match follower.step() {
            Ok(Next::More) => {
                asked.retain(|order| order.send(follower.progress).is_ok());
                if follower.standing.filled.is_none() {
                    asked.clear();
                }
                // Nobody waits for the index but who asked for it.
                let rest = if asked.is_empty() { begun.elapsed().min(REST) } else { Duration::ZERO };
                (Some(Instant::now() + rest), true)
            }
            Ok(Next::Wait(until)) => (until, false),
            Err(trouble) => {
                let is_damage = matches!(trouble, Trouble::Index(IndexError::Damaged(_)));
                follower.give_up(trouble);
                (Some(Instant::now() + if is_damage { REST } else { PATIENCE }), true)
            }
        };
        let time = async {
            match until {
                Some(until) => tokio::time::sleep_until(until.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = time => {}
            Some(order) = orders.recv() => begin(&mut follower, &mut asked, order),
            Ok(()) = told.changed(), if !is_resting => {}
            () = index.damaged(), if !is_resting => {}
        }
    }
}

fn begin(follower: &mut Follower, asked: &mut Vec<Order>, order: Order) {
    match follower.begin_anew() {
        Ok(()) => asked.push(order),
        // Whoever asked sees that it has ended, and why in the index's own trouble.
        Err(trouble) => follower.give_up(trouble),
    }
}

#[cfg(test)]
mod tests;
