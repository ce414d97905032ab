//! What is held back of a source, as a part of what looks like a mass re-issue.
//!
//! Such an entry is stored as any other, with its keys, so that it is known from then on; but it has no place in any feed. A small
//! record for each of them, by source and in the order of time, finds them again without a look at anything else.

use std::collections::HashSet;

use crate::model::Timestamp;
use crate::model::entry::{Entry, Seq};
use crate::model::source::Scope;
use crate::store::engine::{Batch, StoreError};
use crate::store::entries::{Commit, EntryWrite, Store};
use crate::store::keys;

impl Store {
    /// What is held back of a source: since when, and which entry; the earliest first.
    pub fn held(&self, scope: &Scope, limit: usize) -> Result<Vec<(Timestamp, Seq)>, StoreError> {
        let (from, to) = keys::held_range(scope);
        let found = self.engine().scan(&from, &to, limit)?;
        Ok(found.iter().filter_map(|(key, _)| keys::place(key)).map(|place| (place.sort_at, place.seq)).collect())
    }

    /// Every source of which something is held back.
    pub fn holding(&self) -> Result<HashSet<Scope>, StoreError> {
        let mut found = HashSet::new();
        let mut from = vec![keys::HELD];
        // From one source to the next, however many entries lie between.
        while let Some((key, _)) = self.engine().scan(&from, &[keys::HELD + 1], 1)?.first() {
            let Some((scope, _)) = keys::held_parts(key) else { break };
            from = keys::held_range(&scope).1;
            found.insert(scope);
        }
        Ok(found)
    }

    /// Takes away records that lead nowhere.
    pub fn forget_held(&self, scope: &Scope, stale: &[(Timestamp, Seq)]) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        for (since, seq) in stale {
            batch.delete(keys::held(scope, *since, *seq));
        }
        self.apply(&batch)
    }
}

/// The records of entries that others take the place of.
pub(super) fn follow<'e>(
    batch: &mut Batch,
    before: impl IntoIterator<Item = &'e Entry>,
    after: impl IntoIterator<Item = &'e Entry>,
) {
    let name = |entry: &Entry| entry.held.map(|since| keys::held(&entry.sightings[0].source, since, entry.seq));
    for gone in before.into_iter().filter_map(name) {
        batch.delete(gone);
    }
    for held in after.into_iter().filter_map(name) {
        batch.put(held, Vec::new());
    }
}

/// The record of an entry that is held back, or its end, beside the entry itself.
pub(super) fn put(batch: &mut Batch, write: &EntryWrite, commit: &Commit) {
    let seq = write.entry.seq;
    if let Some((scope, since)) = commit.let_out.get(&seq) {
        batch.delete(keys::held(scope, *since, seq));
    }
    if let Some(since) = write.entry.held.filter(|_| write.is_new) {
        batch.insert(keys::held(&write.entry.sightings[0].source, since, seq), Vec::new());
    }
}
