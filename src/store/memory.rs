//! An engine for tests: a map, which can forget what was not synced.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::store::engine::{Batch, Engine, Pairs, StoreError, Write};

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Default)]
struct State {
    current: Map,
    synced: Map,
}

/// See the module.
#[derive(Default)]
pub struct MemoryEngine {
    state: RwLock<State>,
}

impl MemoryEngine {
    /// What a power cut does: only what was synced is left.
    pub fn forget_unsynced(&self) {
        let mut state = self.write();
        state.current = state.synced.clone();
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine for MemoryEngine {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.read().current.get(key).cloned())
    }

    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Pairs, StoreError> {
        if from >= to {
            return Ok(Vec::new());
        }
        let state = self.read();
        let range = state.current.range(from.to_vec()..to.to_vec());
        Ok(range.take(limit).map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn scan_back(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Pairs, StoreError> {
        if from >= to {
            return Ok(Vec::new());
        }
        let state = self.read();
        let range = state.current.range(from.to_vec()..to.to_vec());
        Ok(range.rev().take(limit).map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut state = self.write();
        for write in batch.writes() {
            match write {
                Write::Put(key, value) | Write::Insert(key, value) => {
                    drop(state.current.insert(key.clone(), value.clone()))
                }
                Write::Delete(key) => drop(state.current.remove(key)),
            }
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        let mut state = self.write();
        state.synced = state.current.clone();
        Ok(())
    }

    fn size_on_disk(&self) -> Result<u64, StoreError> {
        let state = self.read();
        Ok(state.current.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum())
    }
}
