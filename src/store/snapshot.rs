//! The whole store as it was at one moment, read in small steps while the committer goes on writing.
//!
//! Whoever reads is somewhere in the order of the keys. Before a batch changes a key that is still to be read, its value of that
//! moment is kept aside; what was read already may change as it likes. So neither waits for the other: a slow reader
//! stops no poll, and a busy committer stops no reader. What is kept aside is bounded; a snapshot that would need more ends with an error.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::engine::{Batch, Engine, Pairs, StoreError, Write};
use crate::store::moment::Moments;

/// Most bytes that are kept aside for one snapshot.
const ASIDE_LIMIT: usize = 128 << 20;

/// What stands above every key of a caller.
pub(super) const END: &[u8] = &[0x70];

/// The writes of one store, and the snapshot that is being read of it, if one is.
#[derive(Default)]
pub(super) struct Snapshots {
    open: Arc<Mutex<Option<Aside>>>,
    /// What reads the store in any order is told as well.
    moments: Mutex<Moments>,
}

/// What a snapshot still needs of values that have changed since its moment.
struct Aside {
    /// Keys from here on are still to be read.
    next: Vec<u8>,
    /// Values of that moment; `None` where there was none.
    values: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    bytes: usize,
    is_given_up: bool,
}

/// A snapshot that is being read. Dropped, it costs nothing more.
pub(super) struct Snapshot {
    open: Arc<Mutex<Option<Aside>>>,
}

fn lock(open: &Mutex<Option<Aside>>) -> MutexGuard<'_, Option<Aside>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Snapshots {
    /// Applies a batch; what an open snapshot still needs is kept for it.
    pub(super) fn apply(&self, engine: &dyn Engine, batch: &Batch) -> Result<(), StoreError> {
        let mut open = lock(&self.open);
        if let Some(aside) = open.as_mut() {
            aside.keep(engine, batch)?;
        }
        self.moments.lock().unwrap_or_else(PoisonError::into_inner).keep(engine, batch)?;
        engine.apply(batch)
    }

    /// Between two batches.
    pub(super) fn moments<T>(&self, ask: impl FnOnce(&mut Moments) -> T) -> T {
        let _between = lock(&self.open);
        ask(&mut self.moments.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a snapshot of this moment; `None` while another one is being read.
    pub(super) fn take(&self) -> Option<Snapshot> {
        let mut open = lock(&self.open);
        if open.is_some() {
            return None;
        }
        *open = Some(Aside { next: Vec::new(), values: BTreeMap::new(), bytes: 0, is_given_up: false });
        Some(Snapshot { open: Arc::clone(&self.open) })
    }
}

impl Aside {
    fn keep(&mut self, engine: &dyn Engine, batch: &Batch) -> Result<(), StoreError> {
        for write in batch.writes() {
            let (Write::Put(key, _) | Write::Insert(key, _) | Write::Delete(key)) = write;
            if self.is_given_up || *key < self.next || self.values.contains_key(key) {
                continue;
            }
            let value = engine.get(key)?;
            self.bytes += key.len() + value.as_ref().map_or(0, Vec::len);
            self.values.insert(key.clone(), value);
            if self.bytes > ASIDE_LIMIT {
                self.is_given_up = true;
                self.values.clear();
            }
        }
        Ok(())
    }

    /// The next pairs of that moment, and whether there may be more.
    fn read(&mut self, engine: &dyn Engine, limit: usize) -> Result<(Pairs, bool), StoreError> {
        if self.is_given_up {
            let what = "the store changed faster than its snapshot was read; read it faster, for instance into a file";
            return Err(StoreError::Stopped(what.to_owned()));
        }
        let current = engine.scan(&self.next, END, limit)?;
        let is_more = current.len() == limit;
        // Keys after the last pair, also ones that were removed since, belong to the next step.
        let next = match current.last() {
            Some((key, _)) if is_more => [key.as_slice(), &[0]].concat(),
            _ => END.to_vec(),
        };
        let later = self.values.split_off(&next);
        let past = std::mem::replace(&mut self.values, later);
        self.next = next;
        self.bytes = self
            .bytes
            .saturating_sub(past.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, Vec::len)).sum());
        if past.is_empty() {
            return Ok((current, is_more));
        }
        let mut merged: BTreeMap<Vec<u8>, Vec<u8>> = current.into_iter().collect();
        for (key, value) in past {
            match value {
                Some(value) => drop(merged.insert(key, value)),
                None => drop(merged.remove(&key)),
            }
        }
        Ok((merged.into_iter().collect(), is_more))
    }
}

impl Snapshot {
    /// The next pairs in the order of their keys, about `limit`, and whether there may be more.
    pub(super) fn read(&self, engine: &dyn Engine, limit: usize) -> Result<(Pairs, bool), StoreError> {
        lock(&self.open).as_mut().map_or_else(|| Ok((Pairs::new(), false)), |aside| aside.read(engine, limit))
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        *lock(&self.open) = None;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::memory::MemoryEngine;

    fn batch(writes: &[(u8, Option<u8>)]) -> Batch {
        let mut batch = Batch::default();
        for (key, value) in writes {
            match value {
                Some(value) => batch.put(vec![2, *key], vec![*value]),
                None => batch.delete(vec![2, *key]),
            }
        }
        batch
    }

    fn writes() -> impl Strategy<Value = Vec<(u8, Option<u8>)>> {
        prop::collection::vec((0_u8..24, prop::option::of(any::<u8>())), 0..8)
    }

    #[test]
    fn there_is_one_snapshot_at_a_time() {
        let snapshots = Snapshots::default();
        let first = snapshots.take().unwrap();
        assert!(snapshots.take().is_none());
        drop(first);
        assert!(snapshots.take().is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_meanwhile_is_not_seen(
            before in writes(), meanwhile in prop::collection::vec(writes(), 0..12), limit in 1_usize..6
        ) {
            let engine = MemoryEngine::default();
            let snapshots = Snapshots::default();
            snapshots.apply(&engine, &batch(&before)).unwrap();
            let expected = engine.scan(&[0], END, usize::MAX).unwrap();
            let snapshot = snapshots.take().unwrap();
            let mut read = Pairs::new();
            let mut meanwhile = meanwhile.iter();
            loop {
                let (pairs, is_more) = snapshot.read(&engine, limit).unwrap();
                read.extend(pairs);
                if let Some(writes) = meanwhile.next() {
                    snapshots.apply(&engine, &batch(writes)).unwrap();
                }
                if !is_more {
                    break;
                }
            }
            prop_assert_eq!(read, expected);
        }
    }
}
