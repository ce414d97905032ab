//! Very many records on their way into a store, in bounded batches: imports and copies.

use std::collections::BTreeMap;

use crate::store::engine::{Batch, StoreError, Write};
use crate::store::entries::Store;

/// Writes of one batch, and most bytes of their values.
const BATCH: usize = 1_000;
const BATCH_BYTES: usize = 1 << 20;
/// Batches between two syncs.
const SYNC_EVERY: usize = 16;

/// Records on their way into a store, in bounded batches.
pub(super) struct Filling<'s> {
    store: &'s Store,
    batch: Batch,
    bytes: usize,
    batches: usize,
}

impl<'s> Filling<'s> {
    pub(super) fn new(store: &'s Store) -> Self {
        Self { store, batch: Batch::default(), bytes: 0, batches: 0 }
    }

    pub(super) fn put(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<(), StoreError> {
        self.bytes += key.len() + value.len();
        self.batch.put(key, value);
        if self.batch.len() >= BATCH || self.bytes >= BATCH_BYTES { self.flush() } else { Ok(()) }
    }

    /// Writes what waits, and reads it back: that finds what went wrong, and sled gives back memory only as operations go by,
    /// of which a batch is one.
    pub(super) fn flush(&mut self) -> Result<(), StoreError> {
        let batch = std::mem::take(&mut self.batch);
        self.bytes = 0;
        self.store.apply(&batch)?;
        let mut last: BTreeMap<&[u8], &[u8]> = BTreeMap::new();
        for write in batch.writes() {
            if let Write::Put(key, value) | Write::Insert(key, value) = write {
                last.insert(key, value);
            }
        }
        for (key, value) in last {
            if self.store.engine().get(key)?.as_deref() != Some(value) {
                return Err(StoreError::Damaged("what was written is not what is read back".to_owned()));
            }
        }
        self.batches += 1;
        if self.batches.is_multiple_of(SYNC_EVERY) { self.store.sync() } else { Ok(()) }
    }
}
