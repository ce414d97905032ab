//! The whole store as it was at one moment, read in any order while the committer goes on writing.
//!
//! A snapshot is read once from the first key to the last; this is asked here and there, for as long as somebody tries
//! something out. Before a batch changes a key for the first time since that moment, its value is kept aside. What is kept aside is
//! bounded; a moment that would need more can no longer be read.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::store::engine::{Batch, Engine, Pairs, StoreError, Write};
use crate::store::entries::Store;
use crate::store::overlay::{Layer, Way, join, through};

/// Most bytes that are kept aside.
const ASIDE_LIMIT: usize = 128 << 20;

/// Values of the moment that have changed since; `None` where there was none.
#[derive(Default)]
struct Aside {
    values: Layer,
    bytes: usize,
    is_given_up: bool,
}

/// Where the writes of a store look whether a moment is being read.
#[derive(Default)]
pub(super) struct Moments {
    open: Weak<Mutex<Aside>>,
}

fn lock(aside: &Mutex<Aside>) -> MutexGuard<'_, Aside> {
    aside.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Moments {
    /// Keeps what a batch is about to change.
    pub(super) fn keep(&self, engine: &dyn Engine, batch: &Batch) -> Result<(), StoreError> {
        let Some(open) = self.open.upgrade() else { return Ok(()) };
        let mut aside = lock(&open);
        for write in batch.writes() {
            let (Write::Put(key, _) | Write::Insert(key, _) | Write::Delete(key)) = write;
            if aside.is_given_up || aside.values.contains_key(key) {
                continue;
            }
            let value = engine.get(key)?;
            aside.bytes += key.len() + value.as_ref().map_or(0, Vec::len);
            aside.values.insert(key.clone(), value);
            if aside.bytes > ASIDE_LIMIT {
                aside.is_given_up = true;
                aside.values.clear();
            }
        }
        Ok(())
    }

    /// `None` while another moment is being read.
    fn take(&mut self) -> Option<Arc<Mutex<Aside>>> {
        if self.open.strong_count() > 0 {
            return None;
        }
        let aside = Arc::default();
        self.open = Arc::downgrade(&aside);
        Some(aside)
    }
}

/// One moment of a store, as an engine that refuses writes. Dropped, it costs nothing more.
pub struct Moment {
    store: Arc<Store>,
    aside: Arc<Mutex<Aside>>,
}

impl Moment {
    /// The store as it is now; `None` while another moment of it is being read.
    pub fn of(store: &Arc<Store>) -> Option<Self> {
        let aside = store.snapshots().moments(Moments::take)?;
        Some(Self { store: Arc::clone(store), aside })
    }

    fn aside(&self) -> Result<MutexGuard<'_, Aside>, StoreError> {
        let aside = lock(&self.aside);
        if aside.is_given_up {
            let what = "the store changed more than can be kept aside while it was read; try again when less is polled";
            return Err(StoreError::Stopped(what.to_owned()));
        }
        Ok(aside)
    }

    fn walk(&self, from: &[u8], to: &[u8], limit: usize, way: Way) -> Result<Pairs, StoreError> {
        through(self.store.engine(), from, to, limit, way, |found, below, from, to| {
            join(found, below, &self.aside()?.values, (from, to), limit, way);
            Ok(())
        })
    }
}

fn passed() -> StoreError {
    StoreError::Failed("a moment that has passed cannot be written".into())
}

impl Engine for Moment {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        // Kept aside before it is overwritten, so it is looked for after the read.
        let now = self.store.engine().get(key)?;
        Ok(self.aside()?.values.get(key).cloned().unwrap_or(now))
    }

    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Pairs, StoreError> {
        self.walk(from, to, limit, Way::Up)
    }

    fn scan_back(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Pairs, StoreError> {
        self.walk(from, to, limit, Way::Down)
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        if batch.is_empty() { Ok(()) } else { Err(passed()) }
    }

    fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn recover(&self) -> Result<(), StoreError> {
        Err(passed())
    }

    fn size_on_disk(&self) -> Result<u64, StoreError> {
        self.store.engine().size_on_disk()
    }
}
