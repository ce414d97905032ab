//! Entries that take the place of others, because the rules over merging changed: all that hangs on them follows in one atomic batch.

use std::collections::{HashMap, HashSet};

use crate::model::Timestamp;
use crate::model::entry::{Entry, Key, PublicId, Seq};
use crate::model::feed::FeedId;
use crate::model::source::Scope;
use crate::store::archives;
use crate::store::engine::{Batch, StoreError, WRITES_LIMIT};
use crate::store::entries::Store;
use crate::store::held;
use crate::store::keys::{self, Place};
use crate::store::record::{self, Counters, RulesRecord};

/// One set of entries before and after. Both hold the same sightings.
#[derive(Debug, Clone, Default)]
pub struct Rearrangement {
    pub before: Vec<Entry>,
    pub after: Vec<Entry>,
    /// Memberships, each in its epoch, that end, and that begin.
    pub parts: Vec<(FeedId, u32, Place)>,
    pub joins: Vec<(FeedId, u32, Place)>,
    /// Ids that name nothing any more.
    pub lost_ids: Vec<PublicId>,
    /// Since when sources' documents no longer show their sightings of an entry: as it was, and as it is.
    pub left_before: Vec<(Scope, Seq, Timestamp)>,
    pub left_after: Vec<(Scope, Seq, Timestamp)>,
}

impl Store {
    /// Which rules stored entries follow; none in a store that never met any.
    pub fn rules(&self) -> Result<RulesRecord, StoreError> {
        let found = self.engine().get(keys::RULES)?;
        found.map(|bytes| record::read_rules(&bytes)).transpose().map(Option::unwrap_or_default)
    }

    pub fn put_rules(&self, rules: &RulesRecord) -> Result<(), StoreError> {
        self.begin_commit();
        let mut batch = Batch::default();
        if *rules == RulesRecord::default() {
            batch.delete(keys::RULES.to_vec());
        } else {
            batch.put(keys::RULES.to_vec(), record::write_rules(rules));
        }
        self.apply(&batch)
    }

    /// Puts entries in the place of others, atomically but for keys that are too many for one batch: then new ones come before and old
    /// ones go afterwards, which nobody sees, since a key counts only as far as its entry agrees.
    ///
    /// # Errors
    /// When more hangs on the entries than one batch holds; nothing has changed then.
    pub fn rearrange(&self, change: &Rearrangement, counters: &Counters) -> Result<(), StoreError> {
        let (old, new) = (keys_of(&change.before), keys_of(&change.after));
        let mut batch = Batch::default();
        put_core(&mut batch, change, counters);
        if batch.len() + archives::writes_of(change) >= WRITES_LIMIT {
            return Err(StoreError::Stopped(format!(
                "{} entries at once are too many to rearrange",
                change.before.len()
            )));
        }
        self.begin_commit();
        let put = self.archives().rearrange(self.engine(), &mut batch, change);
        put.and_then(|()| self.put_rearranged(batch, &old, &new)).inspect_err(|_| self.archives().forget())
    }

    fn put_rearranged(
        &self,
        mut batch: Batch,
        old: &HashSet<(Key, Seq)>,
        new: &HashSet<(Key, Seq)>,
    ) -> Result<(), StoreError> {
        let mut added: Vec<&(Key, Seq)> = new.difference(old).collect();
        let mut gone: Vec<&(Key, Seq)> = old.difference(new).collect();
        // The order of a set is chance; that of a batch should not be.
        added.sort_unstable();
        gone.sort_unstable();
        if batch.len() + added.len() + gone.len() < WRITES_LIMIT {
            put_keys(&mut batch, &added, &gone);
            return self.apply_told(batch);
        }
        for added in added.chunks(WRITES_LIMIT) {
            let mut batch = Batch::default();
            put_keys(&mut batch, added, &[]);
            self.apply(&batch)?;
        }
        self.apply_told(batch)?;
        for gone in gone.chunks(WRITES_LIMIT) {
            let mut batch = Batch::default();
            put_keys(&mut batch, &[], gone);
            self.apply(&batch)?;
        }
        Ok(())
    }
}

fn keys_of(entries: &[Entry]) -> HashSet<(Key, Seq)> {
    let keys = |entry: &Entry| {
        let seq = entry.seq;
        let keys: Vec<Key> = entry.sightings.iter().flat_map(|sighting| sighting.keys.iter().copied()).collect();
        keys.into_iter().map(move |key| (key, seq))
    };
    entries.iter().flat_map(keys).collect()
}

fn put_keys(batch: &mut Batch, added: &[&(Key, Seq)], gone: &[&(Key, Seq)]) {
    for (key, seq) in added {
        batch.put(keys::key(*key, *seq), Vec::new());
    }
    for (key, seq) in gone {
        batch.delete(keys::key(*key, *seq));
    }
}

fn put_core(batch: &mut Batch, change: &Rearrangement, counters: &Counters) {
    let kept: HashMap<Seq, &Entry> = change.after.iter().map(|entry| (entry.seq, entry)).collect();
    for before in change.before.iter().filter(|before| !kept.contains_key(&before.seq)) {
        batch.delete(keys::entry(before.seq));
    }
    for id in &change.lost_ids {
        batch.delete(keys::id(*id));
    }
    for after in &change.after {
        if !change.before.contains(after) {
            batch.put(keys::entry(after.seq), record::write_entry(after));
        }
        let ids: HashSet<PublicId> = after.sightings.iter().map(|sighting| sighting.id).chain([after.id]).collect();
        for id in ids {
            batch.put(keys::id(id), after.seq.0.to_be_bytes().to_vec());
        }
    }
    for (feed, epoch, place) in &change.parts {
        batch.delete(keys::membership(feed, *epoch, *place));
    }
    for (feed, epoch, place) in &change.joins {
        batch.put(keys::membership(feed, *epoch, *place), Vec::new());
    }
    held::follow(batch, &change.before, &change.after);
    for (scope, seq, at) in &change.left_before {
        batch.delete(keys::left(scope, *seq));
        batch.delete(keys::leaving(scope, *at, *seq));
    }
    for (scope, seq, at) in &change.left_after {
        batch.put(keys::left(scope, *seq), keys::ordered(*at).to_vec());
        batch.put(keys::leaving(scope, *at, *seq), Vec::new());
    }
    batch.put(keys::COUNTERS.to_vec(), record::write_counters(counters));
}
