//! What changed, in the order of commits, for whoever derives something from the store: the index, the hub.
//!
//! A batch that writes or removes entries carries a record of their numbers, so that one is not there without the other. Followers
//! read on from where they were, as far as the disk has it, and say how far they came; what all of them have read is removed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::model::entry::Seq;
use crate::store::engine::{Batch, Engine, StoreError, WRITES_LIMIT, Write};
use crate::store::entries::Store;
use crate::store::{keys, record};

/// Most records that wait for a follower: about a week of a busy store. One that is further behind begins anew.
const KEPT: u64 = 1_000_000;

/// Records between two looks for what all followers have read.
const TRIMMED_AT_ONCE: u64 = 2_000;

/// Entries that one batch wrote or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// One more than that of the record before.
    pub number: u64,
    /// Each once, in the order of the batch. One that is not in the store any more was removed.
    pub entries: Vec<Seq>,
}

/// Where the journal stands.
pub(in crate::store) struct Journal {
    state: Mutex<State>,
    /// The number of the last record that is on the disk.
    synced: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    /// Of the record to come; read from the store when it is first needed.
    next: Option<u64>,
    trimmed: u64,
    /// How far each follower has come.
    followers: BTreeMap<&'static str, u64>,
}

impl Default for Journal {
    fn default() -> Self {
        Self { state: Mutex::default(), synced: watch::Sender::new(0) }
    }
}

impl Journal {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, engine: &dyn Engine) -> Result<u64, StoreError> {
        let mut state = self.state();
        if let Some(next) = state.next {
            return Ok(next);
        }
        let last = engine.scan_back(&[keys::JOURNAL], &[keys::JOURNAL + 1], 1)?;
        let next = last.first().and_then(|(key, _)| keys::journal_number(key)).map_or(1, |number| number + 1);
        state.next = Some(next);
        Ok(next)
    }

    /// Adds the record of a batch to it.
    pub(in crate::store) fn tell(&self, engine: &dyn Engine, batch: &mut Batch) -> Result<(), StoreError> {
        let mut entries: Vec<Seq> = Vec::new();
        for write in batch.writes() {
            let (Write::Put(key, _) | Write::Insert(key, _) | Write::Delete(key)) = write;
            if key.first() == Some(&keys::ENTRY)
                && let Some(seq) = keys::seq(key)
                && !entries.contains(&seq)
            {
                entries.push(seq);
            }
        }
        if entries.is_empty() {
            return Ok(());
        }
        let number = self.next(engine)?;
        batch.insert(keys::journal(number), record::write_changed(&entries));
        // A batch that fails leaves the store stuck until it is opened anew, and then the number is read again.
        self.state().next = Some(number + 1);
        Ok(())
    }

    /// Whoever waits may read what was written before the sync that began with this number.
    pub(in crate::store) fn synced(&self, number: u64) {
        self.synced.send_if_modified(|known| number > std::mem::replace(known, number.max(*known)));
    }

    /// The number of the last record that was written.
    pub(in crate::store) fn written(&self, engine: &dyn Engine) -> Result<u64, StoreError> {
        self.next(engine).map(|next| next - 1)
    }

    /// What was not synced may be gone.
    pub(in crate::store) fn forget(&self) {
        self.state().next = None;
    }
}

impl Store {
    /// The number of the last record that may be read, and word of each further one.
    pub fn watch_journal(&self) -> watch::Receiver<u64> {
        self.journal().synced.subscribe()
    }

    /// The number of the newest record, synced or not; 0 for a store that has none.
    pub fn journal_end(&self) -> Result<u64, StoreError> {
        self.journal().written(self.engine())
    }

    /// Up to `limit` records after a number, oldest first. `None` when some that followed it are gone: then what is derived has to be
    /// derived anew from the whole store, and may go on from [`Store::journal_end`] as it was before that began.
    pub fn changed_after(&self, number: u64, limit: usize) -> Result<Option<Vec<Changed>>, StoreError> {
        let found = self.engine().scan(&keys::journal(number + 1), &[keys::JOURNAL + 1], limit)?;
        let mut read = Vec::with_capacity(found.len());
        for (key, value) in found {
            let Some(found) = keys::journal_number(&key) else { continue };
            read.push(Changed { number: found, entries: record::read_changed(&value)? });
        }
        let is_whole = match read.first() {
            Some(first) => first.number == number + 1,
            None => number <= self.journal_end()?,
        };
        Ok(is_whole.then_some(read))
    }

    /// A follower has made durable what it derives from the records up to this one; the first call announces it.
    pub fn followed(&self, follower: &'static str, number: u64) {
        self.journal().state().followers.insert(follower, number);
    }

    /// Nobody waits for this follower any more.
    pub fn unfollow(&self, follower: &'static str) {
        self.journal().state().followers.remove(follower);
    }

    /// Removes a bounded number of records that every follower has read, or that are too many. The last one stays, since it holds the
    /// number. For the one writer; costs nothing while there is little to remove.
    pub fn trim_journal(&self) -> Result<(), StoreError> {
        let end = self.journal_end()?;
        let keep_from = {
            let state = self.journal().state();
            let read = state.followers.values().copied().min().unwrap_or(end);
            let keep_from = (read + 1).max(end.saturating_sub(KEPT)).min(end);
            if keep_from < state.trimmed + TRIMMED_AT_ONCE {
                return Ok(());
            }
            keep_from
        };
        let found = self.engine().scan(&[keys::JOURNAL], &keys::journal(keep_from), WRITES_LIMIT)?;
        let is_all = found.len() < WRITES_LIMIT;
        let mut batch = Batch::default();
        for (key, _) in found {
            batch.delete(key);
        }
        self.apply(&batch)?;
        if is_all {
            self.journal().state().trimmed = keep_from;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryEngine;

    fn store() -> Store {
        Store::new(Box::new(MemoryEngine::default()))
    }

    fn write(store: &Store, entries: &[u64]) {
        let mut batch = Batch::default();
        for entry in entries {
            batch.put(keys::entry(Seq(*entry)), vec![0]);
        }
        store.apply_told(batch).unwrap();
    }

    fn read(store: &Store, after: u64) -> Option<Vec<(u64, Vec<u64>)>> {
        let read = store.changed_after(after, 100).unwrap()?;
        Some(read.into_iter().map(|it| (it.number, it.entries.iter().map(|seq| seq.0).collect())).collect())
    }

    #[test]
    fn every_batch_tells_which_entries_it_changed() {
        let store = store();
        write(&store, &[7, 8, 7]);
        write(&store, &[]);
        let mut batch = Batch::default();
        batch.delete(keys::entry(Seq(7)));
        store.apply_told(batch).unwrap();
        assert_eq!(read(&store, 0), Some(vec![(1, vec![7, 8]), (2, vec![7])]));
        assert_eq!(read(&store, 1), Some(vec![(2, vec![7])]));
        assert_eq!(read(&store, 2), Some(vec![]));
    }

    #[test]
    fn who_knows_more_than_there_is_has_to_begin_anew() {
        let store = store();
        write(&store, &[1]);
        assert_eq!(read(&store, 5), None);
    }

    #[test]
    fn word_comes_with_the_sync() {
        let store = store();
        let watch = store.watch_journal();
        write(&store, &[1]);
        assert_eq!(*watch.borrow(), 0);
        store.sync().unwrap();
        assert_eq!(*watch.borrow(), 1);
    }

    #[test]
    fn what_all_have_read_is_removed_but_for_the_last() {
        let store = store();
        for entry in 1..=2_100 {
            write(&store, &[entry]);
        }
        store.followed("slow", 2_050);
        store.followed("quick", 2_100);
        for _ in 0..3 {
            store.trim_journal().unwrap();
        }
        assert_eq!(read(&store, 2_049), None);
        assert_eq!(read(&store, 2_050).map(|read| read.len()), Some(50));
        store.unfollow("slow");
        for entry in 0..2_000 {
            write(&store, &[entry]);
        }
        store.followed("quick", 4_100);
        for _ in 0..3 {
            store.trim_journal().unwrap();
        }
        assert_eq!(store.journal_end().unwrap(), 4_100);
        assert_eq!(read(&store, 4_099).map(|read| read.len()), Some(1));
        store.recover().unwrap();
        assert_eq!(store.journal_end().unwrap(), 4_100);
    }
}
