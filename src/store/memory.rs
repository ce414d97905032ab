//! An engine for tests: a map, which can forget what was not synced, and fail.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::store::engine::{Batch, Engine, Pairs, StoreError, Write};

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Default)]
struct State {
    current: Map,
    synced: Map,
    is_failing: bool,
    is_stuck: bool,
}

/// See the module. Clones are the same map.
#[derive(Clone, Default)]
pub struct MemoryEngine {
    state: Arc<RwLock<State>>,
}

impl MemoryEngine {
    /// What a power cut does: only what was synced is left.
    pub fn forget_unsynced(&self) {
        let mut state = self.write();
        state.current = state.synced.clone();
    }

    /// What a full disk does, until it is told `false`: writes fail.
    pub fn fail(&self, is_failing: bool) {
        self.write().is_failing = is_failing;
    }

    fn read(&self) -> Result<RwLockReadGuard<'_, State>, StoreError> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        if state.is_stuck { Err(stuck()) } else { Ok(state) }
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn writable(&self) -> Result<RwLockWriteGuard<'_, State>, StoreError> {
        let mut state = self.write();
        if state.is_stuck {
            return Err(stuck());
        }
        if state.is_failing {
            state.is_stuck = true;
            return Err(StoreError::Failed("it was told to fail".into()));
        }
        Ok(state)
    }
}

fn stuck() -> StoreError {
    StoreError::Stuck("it was told to fail".to_owned())
}

impl Engine for MemoryEngine {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.read()?.current.get(key).cloned())
    }

    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Pairs, StoreError> {
        if from >= to {
            return Ok(Vec::new());
        }
        let state = self.read()?;
        let range = state.current.range(from.to_vec()..to.to_vec());
        Ok(range.take(limit).map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn scan_back(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Pairs, StoreError> {
        if from >= to {
            return Ok(Vec::new());
        }
        let state = self.read()?;
        let range = state.current.range(from.to_vec()..to.to_vec());
        Ok(range.rev().take(limit).map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut state = self.writable()?;
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
        let mut state = self.writable()?;
        state.synced = state.current.clone();
        Ok(())
    }

    fn recover(&self) -> Result<(), StoreError> {
        let mut state = self.write();
        if state.is_failing {
            return Err(stuck());
        }
        if state.is_stuck {
            state.current = state.synced.clone();
            state.is_stuck = false;
        }
        Ok(())
    }

    fn size_on_disk(&self) -> Result<u64, StoreError> {
        let state = self.read()?;
        Ok(state.current.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum())
    }
}
