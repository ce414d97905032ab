//! The store as the program speaks of it: entries, texts, feeds and sources, over any engine.
//!
//! It decides nothing. A [`Commit`] is applied in bounded atomic batches, the poll's own facts in the last one, so that a crash
//! between two batches leaves entries without their validators and the same document is simply read again.

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::Timestamp;
use crate::model::entry::{Entry, Key, PublicId, Seq, TextName, Texts};
use crate::model::feed::FeedId;
use crate::model::source::{Scope, SourceKey, TopicKey};
use crate::store::archives::{Archives, Joining};
use crate::store::engine::{Batch, Engine, StoreError, WRITES_LIMIT};
use crate::store::held;
use crate::store::journal::Journal;
use crate::store::keys::{self, Place};
use crate::store::record::{self, Counters, TopicRecord};
use crate::store::sketches::{self, SketchWrite};
use crate::store::snapshot::{Snapshot, Snapshots};
use crate::store::source::SourceState;
use crate::store::tombstone::{self, Move};

/// Most entries that one key is looked up for. A key that more share tells nothing apart.
const SHARING_LIMIT: usize = 64;

/// Most writes that one entry's change costs: record, id, text twice, 2 × 40 keys and its memberships.
pub(in crate::store) const WRITES_OF_ONE_ENTRY: usize = 200;

/// One entry to be written, with what its change adds and takes away.
#[derive(Debug, Clone)]
pub struct EntryWrite {
    pub entry: Entry,
    pub is_new: bool,
    /// The stand-alone id of a sighting that joined: given to no other, and found under the entry.
    pub new_id: Option<PublicId>,
    pub new_keys: Vec<Key>,
    pub dropped_keys: Vec<Key>,
    /// The compressed raw fragments ([`record::TextWriter`]) of the sighting that changed.
    pub text: Option<(TextName, Vec<u8>)>,
    pub dropped_text: Option<TextName>,
    /// Feeds, each with the epochs of its memberships, that the entry joins.
    pub joins: Vec<(FeedId, u32, Place)>,
}

/// What one poll, or one rebuilding of a topic, writes.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    pub entries: Vec<EntryWrite>,
    pub counters: Option<Counters>,
    pub sources: Vec<(Scope, Arc<SourceState>)>,
    pub last_document: Option<(Scope, Arc<Vec<[u8; 16]>>)>,
    /// When the poll was, by our clock; needed only with sketches.
    pub at: Option<Timestamp>,
    /// Of sightings that are new or changed; they replace earlier ones.
    pub sketches: Vec<SketchWrite>,
    /// What of a source's document has moved; before the document itself.
    pub moved: Option<(Scope, Vec<Move>)>,
    /// Entries of `entries` that are held back no longer: whose they were, and since when.
    pub let_out: HashMap<Seq, (Scope, Timestamp)>,
    /// Nothing is new for followers of the journal: only a feed to come takes shape.
    pub is_silent: bool,
}

/// Longest wait of a reader for the sync of what it has read.
const SYNC_PATIENCE: Duration = Duration::from_secs(10);

/// All that is durable, behind one value.
pub struct Store {
    engine: Box<dyn Engine>,
    snapshots: Snapshots,
    commits: Mutex<Commits>,
    synced: Condvar,
    journal: Journal,
    archives: Archives,
    /// Keeps other processes out for as long as the store lives; see [`crate::store::open`].
    lock: Option<File>,
}

/// How many commits there were, and how many of them are on the disk.
#[derive(Default)]
struct Commits {
    applied: u64,
    synced: u64,
    is_stuck: bool,
}

impl Store {
    pub fn new(engine: Box<dyn Engine>) -> Self {
        Self {
            engine,
            snapshots: Snapshots::default(),
            commits: Mutex::default(),
            synced: Condvar::new(),
            journal: Journal::default(),
            archives: Archives::default(),
            lock: None,
        }
    }

    fn commits(&self) -> MutexGuard<'_, Commits> {
        self.commits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until everything that can have been read so far is on the disk: what is shown must not be lost. A commit is visible
    /// before it is durable.
    ///
    /// # Errors
    /// When it does not get there, because the store is stuck or the disk too slow.
    pub fn wait_for_sync(&self) -> Result<(), StoreError> {
        let commits = self.commits();
        let target = commits.applied;
        let is_behind = |commits: &mut Commits| commits.synced < target && !commits.is_stuck;
        let waited = self.synced.wait_timeout_while(commits, SYNC_PATIENCE, is_behind);
        let (commits, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if commits.synced < target {
            return Err(StoreError::Stuck("what was read is not on the disk yet".to_owned()));
        }
        Ok(())
    }

    /// Counts a commit before it is applied: a reader who sees any of it waits for it.
    pub(in crate::store) fn begin_commit(&self) {
        self.commits().applied += 1;
    }

    /// A store that holds the lock of its folder.
    pub(in crate::store) fn locked(engine: Box<dyn Engine>, lock: Option<File>) -> Self {
        Self { lock, ..Self::new(engine) }
    }

    pub(in crate::store) fn is_locked(&self) -> bool {
        self.lock.is_some()
    }

    /// Closes the engine and gives back the lock.
    pub(in crate::store) fn close(self) -> Option<File> {
        self.lock
    }

    pub(in crate::store) fn engine(&self) -> &dyn Engine {
        self.engine.as_ref()
    }

    /// The whole store as it is now; `None` while another snapshot is being read.
    pub(in crate::store) fn snapshot(&self) -> Option<Snapshot> {
        self.snapshots.take()
    }

    pub(in crate::store) fn snapshots(&self) -> &Snapshots {
        &self.snapshots
    }

    /// Every write goes through here, so that a snapshot misses none.
    pub(in crate::store) fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        self.snapshots.apply(self.engine.as_ref(), batch)
    }

    /// As [`Store::apply`], and told in the journal.
    pub(in crate::store) fn apply_told(&self, mut batch: Batch) -> Result<(), StoreError> {
        self.journal.tell(self.engine.as_ref(), &mut batch)?;
        self.apply(&batch)
    }

    pub(in crate::store) fn journal(&self) -> &Journal {
        &self.journal
    }

    pub(in crate::store) fn archives(&self) -> &Archives {
        &self.archives
    }

    pub fn counters(&self) -> Result<Counters, StoreError> {
        self.read(keys::COUNTERS, record::read_counters).map(Option::unwrap_or_default)
    }

    fn read<T>(&self, key: &[u8], read: impl Fn(&[u8]) -> Result<T, StoreError>) -> Result<Option<T>, StoreError> {
        self.engine.get(key)?.map(|bytes| read(&bytes)).transpose()
    }

    /// The entries that share a key, oldest first; at most 64.
    pub fn sharing(&self, key: Key) -> Result<Vec<Seq>, StoreError> {
        let (from, to) = keys::key_range(key);
        let found = self.engine.scan(&from, &to, SHARING_LIMIT)?;
        Ok(found.iter().filter_map(|(key, _)| keys::seq(key)).collect())
    }

    pub fn entry(&self, seq: Seq) -> Result<Option<Entry>, StoreError> {
        self.read(&keys::entry(seq), |bytes| record::read_entry(seq, bytes))
    }

    pub fn entry_with_id(&self, id: PublicId) -> Result<Option<Seq>, StoreError> {
        Ok(self.engine.get(&keys::id(id))?.and_then(|bytes| keys::seq(&bytes)))
    }

    pub fn texts(&self, name: TextName) -> Result<Option<Texts>, StoreError> {
        self.read(&keys::text(name), record::read_texts)
    }

    /// A feed's places, newest first, below `before`.
    pub fn newest(
        &self,
        feed: &FeedId,
        epoch: u32,
        before: Option<Place>,
        limit: usize,
    ) -> Result<Vec<Place>, StoreError> {
        let (from, to) = keys::membership_range(feed, epoch, before);
        let found = self.engine.scan_back(&from, &to, limit)?;
        Ok(found.iter().filter_map(|(key, _)| keys::place(key)).collect())
    }

    /// Whether a feed has an entry at this place.
    pub fn holds(&self, feed: &FeedId, epoch: u32, place: Place) -> Result<bool, StoreError> {
        Ok(self.engine.get(&keys::membership(feed, epoch, place))?.is_some())
    }

    /// Entries with a sequence number above `after`, oldest first.
    pub fn entries_after(&self, after: Seq, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let found = self.engine.scan(&keys::entry(Seq(after.0 + 1)), &[keys::ENTRY + 1], limit)?;
        found.iter().filter_map(|(key, bytes)| Some(record::read_entry(keys::seq(key)?, bytes))).collect()
    }

    /// Entries with a sequence number below `before`, newest first.
    pub fn entries_before(&self, before: Seq, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let found = self.engine.scan_back(&[keys::ENTRY], &keys::entry(before), limit)?;
        found.iter().filter_map(|(key, bytes)| Some(record::read_entry(keys::seq(key)?, bytes))).collect()
    }

    pub fn source(&self, scope: &Scope) -> Result<Option<SourceState>, StoreError> {
        self.read(&keys::source(scope), record::read_source)
    }

    pub fn last_document(&self, scope: &Scope) -> Result<Vec<[u8; 16]>, StoreError> {
        self.read(&keys::last_document(scope), record::read_last_document).map(Option::unwrap_or_default)
    }

    pub fn topic(&self, key: &TopicKey) -> Result<Option<TopicRecord>, StoreError> {
        self.read(&keys::topic(key), record::read_topic)
    }

    /// The scopes of the given sources. One that the store has not met gets its key, or the scope of a key that it had before;
    /// a key whose scope another source took along gets a numbered one.
    pub fn scopes(&self, sources: &[(SourceKey, Vec<SourceKey>)]) -> Result<HashMap<SourceKey, Scope>, StoreError> {
        let mut batch = Batch::default();
        let mut known = HashMap::new();
        let mut taken = self.taken_scopes()?;
        for (key, was) in sources {
            let mut scope = self.scope(key)?;
            if let Some(scope) = scope {
                known.insert(key.clone(), scope);
                continue;
            }
            for old in was {
                if scope.is_none() {
                    scope = self.scope(old)?;
                    if scope.is_some() {
                        batch.delete(keys::name(old));
                    }
                }
            }
            let scope = scope.unwrap_or_else(|| free_scope(key, &taken));
            taken.insert(scope.clone());
            batch.put(keys::name(key), scope.as_str().as_bytes().to_vec());
            known.insert(key.clone(), scope);
            if batch.len() + 2 >= WRITES_LIMIT {
                self.apply(&std::mem::take(&mut batch))?;
            }
        }
        self.apply(&batch)?;
        Ok(known)
    }

    fn scope(&self, key: &SourceKey) -> Result<Option<Scope>, StoreError> {
        let Some(bytes) = self.engine.get(&keys::name(key))? else { return Ok(None) };
        let text =
            String::from_utf8(bytes).map_err(|_| StoreError::Damaged(format!("the scope of {key} is not text")))?;
        Ok(Some(Scope(text.into())))
    }

    /// Every key that a source has or had, with its scope; an old key that a source took along (`was`) is not among them.
    pub fn names(&self) -> Result<Vec<(SourceKey, Scope)>, StoreError> {
        let found = self.engine.scan(&[keys::NAME], &[keys::NAME + 1], usize::MAX)?;
        let read = |(key, scope): (Vec<u8>, Vec<u8>)| {
            let key = SourceKey::new(std::str::from_utf8(&key[1..]).ok()?).ok()?;
            Some((key, Scope(String::from_utf8(scope).ok()?.into())))
        };
        Ok(found.into_iter().filter_map(read).collect())
    }

    /// Every scope that has a name.
    pub fn taken_scopes(&self) -> Result<std::collections::HashSet<Scope>, StoreError> {
        let found = self.engine.scan(&[keys::NAME], &[keys::NAME + 1], usize::MAX)?;
        Ok(found.into_iter().filter_map(|(_, bytes)| Some(Scope(String::from_utf8(bytes).ok()?.into()))).collect())
    }

    /// Applies a commit; visible at once, durable after [`Store::sync`].
    pub fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        self.begin_commit();
        // What a batch would have added to the archives is not there when it was not applied.
        self.commit_in_batches(commit).inspect_err(|_| self.archives.forget())
    }

    fn commit_in_batches(&self, commit: &Commit) -> Result<(), StoreError> {
        let apply = |batch: Batch| if commit.is_silent { self.apply(&batch) } else { self.apply_told(batch) };
        let mut batch = Batch::default();
        let mut joining = Joining::default();
        for write in &commit.entries {
            if batch.len() + joining.writes_with(write) + WRITES_OF_ONE_ENTRY > WRITES_LIMIT {
                self.put_counters(&mut batch, commit);
                self.archives.put(self.engine(), &mut batch, std::mem::take(&mut joining))?;
                apply(std::mem::take(&mut batch))?;
            }
            joining.add(self.engine(), write)?;
            put_entry(&mut batch, write);
            held::put(&mut batch, write, commit);
        }
        self.put_counters(&mut batch, commit);
        self.archives.put(self.engine(), &mut batch, joining)?;
        sketches::put(&mut batch, commit.at, &commit.sketches);
        for (scope, one) in commit.moved.iter().flat_map(|(scope, moved)| moved.iter().map(move |one| (scope, one))) {
            if batch.len() + 8 > WRITES_LIMIT {
                apply(std::mem::take(&mut batch))?;
            }
            tombstone::put_move(&mut batch, scope, one);
        }
        if let Some((scope, hashes)) = &commit.last_document {
            batch.put(keys::last_document(scope), record::write_last_document(hashes));
        }
        for (scope, state) in &commit.sources {
            if batch.len() + 1 >= WRITES_LIMIT {
                apply(std::mem::take(&mut batch))?;
            }
            batch.put(keys::source(scope), record::write_source(state));
        }
        if !batch.is_empty() {
            apply(batch)?;
        }
        Ok(())
    }

    /// With every batch, so that no sequence number is ever given twice.
    #[expect(clippy::unused_self, reason = "reads as one of the steps of commit")]
    fn put_counters(&self, batch: &mut Batch, commit: &Commit) {
        if let Some(counters) = &commit.counters {
            batch.put(keys::COUNTERS.to_vec(), record::write_counters(counters));
        }
    }

    /// Every topic that has a definition.
    pub fn topics(&self) -> Result<Vec<TopicKey>, StoreError> {
        let found = self.engine.scan(&[keys::TOPIC], &[keys::TOPIC + 1], usize::MAX)?;
        Ok(found.iter().filter_map(|(key, _)| TopicKey::new(std::str::from_utf8(&key[1..]).ok()?).ok()).collect())
    }

    /// Removes a topic's definition and memberships. Declared again, it is worked out anew.
    pub fn forget_topic(&self, key: &TopicKey) -> Result<(), StoreError> {
        let epoch = self.topic(key)?.map_or(0, |record| record.epoch);
        let feed = FeedId::Topic(key.clone());
        // First the definition: memberships without one are never read.
        let mut batch = Batch::default();
        batch.delete(keys::topic(key));
        self.apply(&batch)?;
        self.clear_epoch(&feed, epoch)?;
        self.clear_epoch(&feed, epoch + 1)
    }

    /// Makes `record` the topic's definition; its epoch is the one that is read from now on.
    pub fn define_topic(&self, key: &TopicKey, topic: &TopicRecord) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        batch.put(keys::topic(key), record::write_topic(topic));
        self.apply(&batch)
    }

    /// Removes all memberships of one epoch of a feed, and its archive, in bounded batches.
    pub fn clear_epoch(&self, feed: &FeedId, epoch: u32) -> Result<(), StoreError> {
        self.archives.forget();
        self.clear(&keys::membership_range(feed, epoch, None))?;
        self.clear(&keys::archive_whole(feed, epoch))
    }

    pub(in crate::store) fn clear(&self, (from, to): &(Vec<u8>, Vec<u8>)) -> Result<(), StoreError> {
        loop {
            let found = self.engine.scan(from, to, WRITES_LIMIT)?;
            if found.is_empty() {
                return Ok(());
            }
            let mut batch = Batch::default();
            for (key, _) in found {
                batch.delete(key);
            }
            self.apply(&batch)?;
        }
    }

    /// How many entries a feed holds, counted up to `limit`.
    pub fn count(&self, feed: &FeedId, epoch: u32, limit: usize) -> Result<usize, StoreError> {
        let (from, to) = keys::membership_range(feed, epoch, None);
        Ok(self.engine.scan(&from, &to, limit)?.len())
    }

    /// Everything that was committed before is on the disk when it returns `Ok`.
    pub fn sync(&self) -> Result<(), StoreError> {
        let target = self.commits().applied;
        let told = self.journal.written(self.engine())?;
        let result = self.engine.sync();
        let mut commits = self.commits();
        match &result {
            Ok(()) => {
                commits.synced = commits.synced.max(target);
                self.journal.synced(told);
            }
            Err(_) => commits.is_stuck = true,
        }
        drop(commits);
        self.synced.notify_all();
        result
    }

    /// Opens the engine anew after a failure; what was not synced may be gone.
    pub fn recover(&self) -> Result<(), StoreError> {
        self.engine.recover()?;
        self.journal.forget();
        self.archives.forget();
        let mut commits = self.commits();
        commits.synced = commits.applied;
        commits.is_stuck = false;
        Ok(())
    }

    pub fn size_on_disk(&self) -> Result<u64, StoreError> {
        self.engine.size_on_disk()
    }
}

fn free_scope(key: &SourceKey, taken: &std::collections::HashSet<Scope>) -> Scope {
    let own = Scope::from(key);
    if !taken.contains(&own) {
        return own;
    }
    // `~` cannot stand in a key, so a numbered scope never meets a key.
    let mut numbered = (2..).map(|number: u32| Scope(format!("{key}~{number}").into()));
    numbered.find(|scope| !taken.contains(scope)).expect("one of infinitely many is free")
}

fn put_entry(batch: &mut Batch, write: &EntryWrite) {
    let seq = write.entry.seq;
    if write.is_new {
        // A sequence number is given once: nothing lies under it.
        batch.insert(keys::entry(seq), record::write_entry(&write.entry));
        batch.insert(keys::id(write.entry.id), seq.0.to_be_bytes().to_vec());
    } else {
        batch.put(keys::entry(seq), record::write_entry(&write.entry));
    }
    if let Some(id) = write.new_id {
        batch.insert(keys::id(id), seq.0.to_be_bytes().to_vec());
    }
    if let Some((hash, bytes)) = &write.text {
        // Under this name lies nothing, or the same bytes.
        batch.insert(keys::text(*hash), bytes.clone());
    }
    if let Some(hash) = write.dropped_text {
        batch.delete(keys::text(hash));
    }
    for key in &write.new_keys {
        batch.insert(keys::key(*key, seq), Vec::new());
    }
    for key in &write.dropped_keys {
        batch.delete(keys::key(*key, seq));
    }
    for (feed, epoch, place) in &write.joins {
        batch.insert(keys::membership(feed, *epoch, *place), Vec::new());
    }
}
