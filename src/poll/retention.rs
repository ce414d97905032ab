//! How long entries stay: what a poll says about what its document still shows, and the removal of what has been gone for long enough.
//!
//! A sighting's age counts from when its source's document last showed it. What a document shows never goes by age, however
//! long its source fails. The committer removes between two groups of polls, in steps.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;

use crate::merge::decide::{Arrival, Known};
use crate::merge::identify::Identified;
use crate::model::Timestamp;
use crate::model::entry::{Entry, Key, KeyKind, Placement, Seq};
use crate::model::feed::FeedId;
use crate::model::source::Scope;
use crate::poll::topics::Topics;
use crate::select::catalogue::Catalogue;
use crate::store::engine::StoreError;
use crate::store::entries::{EntryWrite, Store};
use crate::store::keys::Place;
use crate::store::record::Counters;
use crate::store::tombstone::{Forgotten, Move, Removal};

/// Sightings that one step removes, and tombstones that it looks at.
const STEP: usize = 200;
/// Places read at once when a source's newest entries are counted.
const STRIDE: usize = 1_000;
/// How long a tombstone stays after the last document that showed it.
const TOMBSTONES: TimeDelta = TimeDelta::days(400);

/// What a document shows that the one before it did not, and the other way round: the names and versions of observations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moves {
    pub gone: Vec<[u8; 16]>,
    pub came: Vec<[u8; 16]>,
}

impl Moves {
    pub fn between(before: &[[u8; 16]], now: &[[u8; 16]]) -> Self {
        let (old, new): (HashSet<_>, HashSet<_>) = (before.iter().collect(), now.iter().collect());
        Self {
            gone: before.iter().filter(|hash| !new.contains(hash)).copied().collect(),
            came: now.iter().filter(|hash| !old.contains(hash)).copied().collect(),
        }
    }
}

/// Takes out what was removed once under the same name: a document that shows it still brings no news.
pub fn without_removed(
    store: &Store,
    scope: &Scope,
    seen: &mut Vec<Identified>,
    known: &Known,
) -> Result<(), StoreError> {
    if !store.has_tombstones(scope)? {
        return Ok(());
    }
    let lives = |own: Key| {
        let entries = known.by_key.get(&own).into_iter().flatten().filter_map(|seq| known.entries.get(seq));
        entries.flat_map(|entry| &entry.sightings).any(|it| it.source == *scope && it.keys.contains(&own))
    };
    let mut removed = HashSet::new();
    for one in seen.iter().filter(|one| !lives(one.own)) {
        if store.tombstone(scope, one.own.hash)?.is_some() {
            removed.insert(one.own);
        }
    }
    seen.retain(|one| !removed.contains(&one.own));
    Ok(())
}

/// The entries that have, or had, each of these names.
pub fn named(store: &Store, names: &[[u8; 16]]) -> Result<Named, StoreError> {
    let mut found = Named::new();
    for hash in names {
        let mut entries = Vec::new();
        for seq in store.sharing(Key { kind: KeyKind::Guid, hash: *hash })? {
            entries.extend(store.entry(seq)?.map(Arc::new));
        }
        if !entries.is_empty() {
            found.insert(*hash, entries);
        }
    }
    Ok(found)
}

/// Entries by name.
pub type Named = HashMap<[u8; 16], Vec<Arc<Entry>>>;

/// What the store is to remember of a document's moves, given the names of what is new or changed in it, and what is about to be
/// written of its entries. `gone` is what stood under the names that are gone.
pub fn moved(
    store: &Store,
    arrival: &Arrival,
    names: &[Key],
    (moves, gone): (&Moves, &Named),
    writes: &[EntryWrite],
) -> Result<Vec<Move>, StoreError> {
    let (scope, now) = (&arrival.scope, arrival.now);
    let written: HashMap<Seq, &EntryWrite> = writes.iter().map(|write| (write.entry.seq, write)).collect();
    let is_called = |entry: &Entry, key: Key| {
        let entry = written.get(&entry.seq).map_or(entry, |write| &write.entry);
        entry.sightings.iter().any(|it| it.source == *scope && it.keys.first() == Some(&key))
    };
    // The entries that the source calls by this name when everything is written.
    let named = |hash: [u8; 16]| {
        let key = Key { kind: KeyKind::Guid, hash };
        let mut found = Vec::new();
        for seq in store.sharing(key)? {
            if let Some(entry) = store.entry(seq)?.filter(|entry| is_called(entry, key)) {
                found.push(entry);
            }
        }
        Ok::<_, StoreError>(found)
    };
    let is_buried = store.has_tombstones(scope)?;
    let mut moved = Vec::new();
    for hash in &moves.gone {
        let key = Key { kind: KeyKind::Guid, hash: *hash };
        let entries: Vec<Entry> = gone
            .get(hash)
            .into_iter()
            .flatten()
            .map(|entry| written.get(&entry.seq).map_or_else(|| Entry::clone(entry), |write| write.entry.clone()))
            .filter(|entry| is_called(entry, key))
            .collect();
        for entry in &entries {
            // A rule may have put several of a source's sightings into one entry: it leaves with the last of them.
            let mut own = entry.sightings.iter().filter(|it| it.source == *scope);
            let is_shown = own.any(|it| it.keys.first().is_some_and(|name| arrival.document.contains(name)));
            if !is_shown && store.left_at(scope, entry.seq)?.is_none() {
                moved.push(Move::Left { seq: entry.seq, at: now });
            }
        }
        if is_buried
            && entries.is_empty()
            && let Some(tombstone) = store.tombstone(scope, *hash)?
        {
            moved.push(Move::Buried { name: *hash, tombstone, at: now });
        }
    }
    // Of a document that is new altogether everything came, but nothing of it is to be looked for.
    let came: HashSet<&[u8; 16]> = moves.came.iter().collect();
    let sightings = writes.iter().flat_map(|write| &write.entry.sightings).filter(|it| it.source == *scope);
    let are_written: HashSet<&Key> = sightings.filter_map(|it| it.keys.first()).collect();
    let mut back: HashSet<Seq> = writes.iter().filter(|write| !write.is_new).map(|write| write.entry.seq).collect();
    for name in names.iter().filter(|name| came.contains(&name.hash) && !are_written.contains(name)) {
        back.extend(named(name.hash)?.into_iter().map(|entry| entry.seq));
    }
    for seq in back {
        if let Some(left_at) = store.left_at(scope, seq)? {
            moved.push(Move::Returned { seq, left_at });
        }
    }
    Ok(moved)
}

/// Sightings that were removed and that the counts of their sources in memory still hold.
#[derive(Default)]
pub struct Uncounted(Mutex<HashMap<Scope, u64>>);

impl Uncounted {
    pub fn add(&self, scope: &Scope, count: u64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(scope.clone()).or_default() += count;
    }

    /// Gives the number once.
    pub fn take(&self, scope: &Scope) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(scope).unwrap_or_default()
    }
}

enum Job {
    /// Sightings of a source that left before this.
    Age(Scope, Timestamp),
    /// All but so many of a source's newest.
    Count(Scope, usize),
    /// All of a source that lie below this place.
    Below(Scope, Place),
    /// All but so many of what is held back of a source.
    Held(Scope, usize),
    /// Tombstones from before this.
    Tombstones(Timestamp),
}

/// One round of removals, done in steps.
pub struct Pruning {
    now: Timestamp,
    jobs: VecDeque<Job>,
}

/// What a step removed.
#[derive(Debug, Default)]
pub struct Pruned {
    /// The source whose sightings went; `None` when none did.
    pub scope: Option<Scope>,
    pub sightings: u64,
    pub entries: u64,
    /// Feeds whose documents may differ now.
    pub feeds: HashSet<FeedId>,
    /// Whether anything was written.
    pub has_written: bool,
}

impl Pruning {
    /// A round by the clock of now. Sources that are no longer declared have the default of `[store]`.
    pub fn new(store: &Store, catalogue: &Catalogue, now: Timestamp) -> Result<Self, StoreError> {
        let declared: HashMap<&Scope, _> = catalogue
            .config
            .sources
            .iter()
            .filter_map(|source| Some((catalogue.scopes.get(&source.key)?, source)))
            .collect();
        let mut jobs = VecDeque::new();
        for scope in store.taken_scopes()? {
            let source = declared.get(&scope);
            let keep = source.map_or(catalogue.config.store.keep, |source| source.keep);
            if let Some(before) = TimeDelta::from_std(keep).ok().and_then(|keep| now.checked_sub_signed(keep)) {
                jobs.push_back(Job::Age(scope.clone(), before));
            }
            if let Some(count) = source.and_then(|source| source.keep_entries) {
                jobs.push_back(Job::Held(scope.clone(), count));
                jobs.push_back(Job::Count(scope, count));
            }
        }
        jobs.push_back(Job::Tombstones(now - TOMBSTONES));
        Ok(Self { now, jobs })
    }

    /// One bounded step; `None` when the round is done.
    pub fn step(
        &mut self,
        store: &Store,
        topics: &Topics,
        counters: &mut Counters,
    ) -> Result<Option<Pruned>, StoreError> {
        let Some(job) = self.jobs.pop_front() else { return Ok(None) };
        let mut pruned = Pruned::default();
        let rest = match job {
            Job::Age(scope, before) => {
                let left = store.left_before(&scope, before, STEP)?;
                let is_more = left.len() == STEP;
                let mut seqs = Vec::new();
                let mut stale = Vec::new();
                for (at, seq) in left {
                    if store.left_at(&scope, seq)? == Some(at) && store.entry(seq)?.is_some() {
                        seqs.push(seq);
                    } else {
                        stale.push(Forgotten::Leaving { scope: scope.clone(), at, seq });
                    }
                }
                store.forget(&stale)?;
                pruned.has_written |= !stale.is_empty();
                self.remove(store, topics, counters, &scope, &seqs, &mut pruned)?;
                is_more.then_some(Job::Age(scope, before))
            }
            Job::Count(scope, count) => lowest_kept(store, &scope, count)?.map(|place| Job::Below(scope, place)),
            Job::Below(scope, place) => {
                let below = store.newest(&FeedId::Source(scope.clone()), 0, Some(place), STEP)?;
                let seqs: Vec<Seq> = below.iter().map(|place| place.seq).collect();
                self.remove(store, topics, counters, &scope, &seqs, &mut pruned)?;
                // A step that could remove nothing would come again for ever.
                (below.len() == STEP && pruned.sightings > 0).then_some(Job::Below(scope, place))
            }
            Job::Held(scope, count) => {
                let held = store.held(&scope, usize::MAX)?;
                let (most, is_more) = (held.len().saturating_sub(count), held.len() > count + STEP);
                let seqs: Vec<Seq> = held.iter().take(most.min(STEP)).map(|(_, seq)| *seq).collect();
                self.remove(store, topics, counters, &scope, &seqs, &mut pruned)?;
                (is_more && pruned.sightings > 0).then_some(Job::Held(scope, count))
            }
            Job::Tombstones(before) => self.fade(store, before, &mut pruned)?.then_some(Job::Tombstones(before)),
        };
        self.jobs.extend(rest);
        Ok(Some(pruned))
    }

    fn remove(
        &self,
        store: &Store,
        topics: &Topics,
        counters: &mut Counters,
        scope: &Scope,
        seqs: &[Seq],
        pruned: &mut Pruned,
    ) -> Result<(), StoreError> {
        let mut removals = Vec::new();
        for seq in seqs {
            let Some(before) = store.entry(*seq)? else { continue };
            let removal = removal(store, topics, scope, before, self.now)?;
            pruned.feeds.extend(removal.before.placements.iter().map(|placement| placement.feed.clone()));
            pruned.sightings += removal.sightings().count() as u64;
            pruned.entries += u64::from(removal.after.is_none());
            removals.push(removal);
        }
        if removals.is_empty() {
            return Ok(());
        }
        store.remove(scope, &removals, counters)?;
        pruned.scope = Some(scope.clone());
        pruned.has_written = true;
        Ok(())
    }

    /// Lets tombstones go that no document has shown for long enough; true when there may be more.
    fn fade(&self, store: &Store, before: Timestamp, pruned: &mut Pruned) -> Result<bool, StoreError> {
        let old = store.tombstones_before(before, STEP)?;
        let is_more = old.len() == STEP;
        let mut shown: HashMap<Scope, HashSet<[u8; 16]>> = HashMap::new();
        let mut forgotten = Vec::new();
        for (at, scope, name) in old {
            if !shown.contains_key(&scope) {
                shown.insert(scope.clone(), store.last_document(&scope)?.into_iter().collect());
            }
            forgotten.push(match store.tombstone(&scope, name)?.filter(|tombstone| tombstone.since == at) {
                None => Forgotten::Fading { scope, at, name },
                Some(tombstone) if shown[&scope].contains(&name) => {
                    Forgotten::Renewed { scope, name, tombstone, at: self.now }
                }
                Some(_) => Forgotten::Tombstone { scope, at, name },
            });
        }
        store.forget(&forgotten)?;
        pruned.has_written |= !forgotten.is_empty();
        Ok(is_more)
    }
}

/// The place of the last of a source's newest so many; `None` when it has no more.
fn lowest_kept(store: &Store, scope: &Scope, count: usize) -> Result<Option<Place>, StoreError> {
    let feed = FeedId::Source(scope.clone());
    let (mut left, mut before) = (count, None);
    while left > 0 {
        let places = store.newest(&feed, 0, before, left.min(STRIDE))?;
        let Some(last) = places.last() else { return Ok(None) };
        left -= places.len();
        before = Some(*last);
    }
    Ok(before)
}

/// What goes when a source's sighting of an entry goes. The places of what stays are not touched.
fn removal(
    store: &Store,
    topics: &Topics,
    scope: &Scope,
    before: Entry,
    now: Timestamp,
) -> Result<Removal, StoreError> {
    let own = FeedId::Source(scope.clone());
    let mut after = before.clone();
    after.sightings.retain(|sighting| sighting.source != *scope);
    after.placements.retain(|placement| placement.feed != own);
    let after = Some(after).filter(|after| !after.sightings.is_empty());
    let ending = before.placements.iter().filter(|placement| after.is_none() || placement.feed == own);
    let parts = ending.flat_map(|Placement { feed, sort_at }| {
        let place = Place { sort_at: *sort_at, seq: before.seq };
        topics.epochs(feed).into_iter().map(move |epoch| (feed.clone(), epoch, place))
    });
    let parts = parts.collect();
    let left_at = store.left_at(scope, before.seq)?;
    Ok(Removal { scope: scope.clone(), before, after, parts, left_at, at: now })
}
