//! What of the store goes away with time: since when a source's document no longer shows a sighting, and what remains of one that
//! was removed.
//!
//! An entry is written once, so neither is part of its record. That a document shows a sighting is known from the source's last
//! document; only when it leaves, two small records say when: one under its entry, and one in the order of time, so that what is due is
//! a short scan. A removed sighting leaves a tombstone for each of its names, so that it does not return as news. The
//! record in the order of time is a hint: it counts only as far as the other one agrees.
//!
//! What people may still ask for, ids and addresses of entries, leaves a tombstone of no source (`nobody`): nothing is decided by
//! it, and it fades as the others do.

use crate::model::Timestamp;
use crate::model::entry::{Entry, Key, KeyKind, PublicId, Seq, Sighting};
use crate::model::feed::FeedId;
use crate::model::source::Scope;
use crate::store::engine::{Batch, StoreError, WRITES_LIMIT};
use crate::store::entries::{Store, WRITES_OF_ONE_ENTRY};
use crate::store::held;
use crate::store::keys::{self, Place};
use crate::store::record::{self, Counters};

/// How what a source's document shows has moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// The document no longer shows the source's sighting of this entry.
    Left { seq: Seq, at: Timestamp },
    /// It does again; it had left then.
    Returned { seq: Seq, left_at: Timestamp },
    /// It no longer shows what was removed under this name: only from now on the tombstone grows old.
    Buried { name: [u8; 16], tombstone: Tombstone, at: Timestamp },
}

/// What remains of a removed sighting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tombstone {
    /// When it was removed, or later last shown.
    pub since: Timestamp,
    /// The id that its entry had.
    pub id: PublicId,
}

/// What a source brought of an entry that goes, and the entry if that was all of it.
#[derive(Debug, Clone)]
pub struct Removal {
    pub scope: Scope,
    pub before: Entry,
    /// The entry without the sighting; `None` when nothing is left of it.
    pub after: Option<Entry>,
    /// Every membership that ends.
    pub parts: Vec<(FeedId, u32, Place)>,
    /// As [`Store::left_at`] says.
    pub left_at: Option<Timestamp>,
    pub at: Timestamp,
}

impl Removal {
    /// The sightings that go; several only where a rule made one entry of what one source has.
    pub fn sightings(&self) -> impl Iterator<Item = &Sighting> {
        self.before.sightings.iter().filter(|sighting| sighting.source == self.scope)
    }
}

impl Store {
    /// Since when the source's document no longer shows its sighting of an entry; `None` while it does.
    pub fn left_at(&self, scope: &Scope, seq: Seq) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.engine().get(&keys::left(scope, seq))?.and_then(|bytes| keys::instant(&bytes)))
    }

    /// Sightings of a source that left before a time, the earliest first. A hint; see the module.
    pub fn left_before(
        &self,
        scope: &Scope,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, Seq)>, StoreError> {
        let (from, to) = keys::leaving_range(scope, before);
        let found = self.engine().scan(&from, &to, limit)?;
        Ok(found.iter().filter_map(|(key, _)| keys::place(key)).map(|place| (place.sort_at, place.seq)).collect())
    }

    /// What remains of a sighting that the source called by this name.
    pub fn tombstone(&self, scope: &Scope, name: [u8; 16]) -> Result<Option<Tombstone>, StoreError> {
        let found = self.engine().get(&keys::tombstone(scope, name))?;
        found.map(|bytes| record::read_tombstone(&bytes)).transpose()
    }

    /// What remains of an entry with this id, or of a sighting that had it.
    pub fn removed_id(&self, id: PublicId) -> Result<Option<Tombstone>, StoreError> {
        self.tombstone(&nobody(), id.0)
    }

    /// What remains of an entry that had this address, or this guid, as its key.
    pub fn removed_key(&self, key: Key) -> Result<Option<Tombstone>, StoreError> {
        self.tombstone(&nobody(), key.hash)
    }

    pub fn has_tombstones(&self, scope: &Scope) -> Result<bool, StoreError> {
        let (from, to) = keys::tombstone_range(scope);
        Ok(!self.engine().scan(&from, &to, 1)?.is_empty())
    }

    /// Tombstones that are older than a time, the oldest first. A hint; see the module.
    pub fn tombstones_before(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, Scope, [u8; 16])>, StoreError> {
        let (from, to) = keys::fading_range(before);
        let found = self.engine().scan(&from, &to, limit)?;
        Ok(found.iter().filter_map(|(key, _)| keys::fading_parts(key)).collect())
    }

    /// Removes sightings of one source in bounded batches, and takes them off the counters and the source's facts with each of them.
    pub fn remove(&self, scope: &Scope, removals: &[Removal], counters: &mut Counters) -> Result<(), StoreError> {
        self.begin_commit();
        let mut state = self.source(scope)?;
        let mut batch = Batch::default();
        for (index, removal) in removals.iter().enumerate() {
            put_removal(&mut batch, removal);
            let sightings = removal.sightings().count() as u64;
            counters.sightings = counters.sightings.saturating_sub(sightings);
            counters.entries = counters.entries.saturating_sub(u64::from(removal.after.is_none()));
            if let Some(state) = &mut state {
                state.entries = state.entries.saturating_sub(sightings);
            }
            if index + 1 == removals.len() || batch.len() + 2 * WRITES_OF_ONE_ENTRY > WRITES_LIMIT {
                batch.put(keys::COUNTERS.to_vec(), record::write_counters(counters));
                if let Some(state) = &state {
                    batch.put(keys::source(scope), record::write_source(state));
                }
                self.apply_told(std::mem::take(&mut batch))?;
            }
        }
        Ok(())
    }

    /// Forgets what no longer counts: hints without a record, and tombstones that are old enough.
    pub fn forget(&self, forgotten: &[Forgotten]) -> Result<(), StoreError> {
        for forgotten in forgotten.chunks(WRITES_LIMIT / 4) {
            let mut batch = Batch::default();
            for one in forgotten {
                put_forgotten(&mut batch, one);
            }
            self.apply(&batch)?;
        }
        Ok(())
    }
}

/// Something that [`Store::forget`] takes away, or carries on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forgotten {
    /// The hint that a sighting left then.
    Leaving { scope: Scope, at: Timestamp, seq: Seq },
    /// The hint that a tombstone is from then.
    Fading { scope: Scope, at: Timestamp, name: [u8; 16] },
    /// A tombstone with its hint.
    Tombstone { scope: Scope, at: Timestamp, name: [u8; 16] },
    /// A tombstone that was still shown a moment ago.
    Renewed { scope: Scope, name: [u8; 16], tombstone: Tombstone, at: Timestamp },
}

fn put_forgotten(batch: &mut Batch, forgotten: &Forgotten) {
    match forgotten {
        Forgotten::Leaving { scope, at, seq } => batch.delete(keys::leaving(scope, *at, *seq)),
        Forgotten::Fading { scope, at, name } => batch.delete(keys::fading(*at, scope, *name)),
        Forgotten::Tombstone { scope, at, name } => {
            batch.delete(keys::tombstone(scope, *name));
            batch.delete(keys::fading(*at, scope, *name));
        }
        Forgotten::Renewed { scope, name, tombstone, at } => {
            batch.delete(keys::fading(tombstone.since, scope, *name));
            put_tombstone(batch, scope, *name, Tombstone { since: *at, ..*tombstone });
        }
    }
}

/// The scope of tombstones that belong to no source; no key of a source is empty.
fn nobody() -> Scope {
    Scope("".into())
}

/// At most four writes.
pub(in crate::store) fn put_move(batch: &mut Batch, scope: &Scope, one: &Move) {
    match one {
        Move::Left { seq, at } => {
            batch.put(keys::left(scope, *seq), keys::ordered(*at).to_vec());
            batch.put(keys::leaving(scope, *at, *seq), Vec::new());
        }
        Move::Returned { seq, left_at } => {
            batch.delete(keys::left(scope, *seq));
            batch.delete(keys::leaving(scope, *left_at, *seq));
        }
        Move::Buried { name, tombstone, at } => {
            let (scope, name, tombstone, at) = (scope.clone(), *name, *tombstone, *at);
            put_forgotten(batch, &Forgotten::Renewed { scope, name, tombstone, at });
        }
    }
}

fn put_tombstone(batch: &mut Batch, scope: &Scope, name: [u8; 16], tombstone: Tombstone) {
    batch.put(keys::tombstone(scope, name), record::write_tombstone(&tombstone));
    batch.put(keys::fading(tombstone.since, scope, name), Vec::new());
}

fn put_removal(batch: &mut Batch, removal: &Removal) {
    let Removal { scope, before, after, parts, left_at, at } = removal;
    let seq = before.seq;
    if let Some(after) = after {
        batch.put(keys::entry(seq), record::write_entry(after));
    } else {
        batch.delete(keys::entry(seq));
        batch.delete(keys::id(before.id));
    }
    held::follow(batch, [before], after);
    for (feed, epoch, place) in parts {
        batch.delete(keys::membership(feed, *epoch, *place));
    }
    batch.delete(keys::left(scope, seq));
    if let Some(left_at) = left_at {
        batch.delete(keys::leaving(scope, *left_at, seq));
    }
    for sighting in removal.sightings() {
        put_sighting_removal(batch, removal, sighting);
    }
    if after.is_none() {
        put_tombstone(batch, &nobody(), before.id.0, Tombstone { since: *at, id: before.id });
    }
}

fn put_sighting_removal(batch: &mut Batch, removal: &Removal, sighting: &Sighting) {
    let Removal { scope, before, after, at, .. } = removal;
    let seq = before.seq;
    let tombstone = Tombstone { since: *at, id: before.id };
    if sighting.id != before.id {
        batch.delete(keys::id(sighting.id));
        put_tombstone(batch, &nobody(), sighting.id.0, tombstone);
    }
    batch.delete(keys::page(sighting.seq));
    let others = || after.iter().flat_map(|entry| &entry.sightings);
    if let Some(hash) = sighting.text.filter(|hash| !others().any(|other| other.text == Some(*hash))) {
        batch.delete(keys::text(hash));
    }
    for key in &sighting.keys {
        if !others().any(|other| other.keys.contains(key)) {
            batch.delete(keys::key(*key, seq));
        }
        // What the source itself called it. An address or a text may come back as something else.
        if key.kind == KeyKind::Guid {
            put_tombstone(batch, scope, key.hash, tombstone);
        }
    }
    // Of the many keys that it may have had those by which people know it: its address, and a guid that may be one.
    let is_address = sighting.guid.as_ref().is_some_and(|guid| guid.value.starts_with("http"));
    let kinds = [Some(KeyKind::Guid).filter(|_| is_address), Some(KeyKind::Url)].into_iter().flatten();
    for key in kinds.filter_map(|kind| sighting.keys.iter().find(|key| key.kind == kind)).filter(|_| after.is_none()) {
        put_tombstone(batch, &nobody(), key.hash, tombstone);
    }
}
