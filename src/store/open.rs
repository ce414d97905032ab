//! A folder → the store in it, for one process at a time.
//!
//! The lock is on the folder itself, not only on what the engine keeps in it: upkeep replaces that as a whole
//! ([`crate::store::compact`]), and nobody may come in between.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::store::compact::{self, Compacted};
use crate::store::engine::{Engine as _, StoreError};
use crate::store::entries::Store;
use crate::store::keys;
use crate::store::sled::SledEngine;

/// Opens the store in `path`, or makes one in a folder that is missing or empty. What an interrupted compaction left is finished first.
///
/// # Errors
/// As [`SledEngine::open`]; and when an import into it did not end.
pub fn open(path: &Path, cache_bytes: u64) -> Result<Store, StoreError> {
    let lock = lock(path)?;
    open_locked(path, cache_bytes, lock)
}

/// As [`open`], and compacts the store when it takes far more room than what it holds.
pub fn open_compact(path: &Path, cache_bytes: u64) -> Result<Store, StoreError> {
    let store = open(path, cache_bytes)?;
    if !compact::is_worth_it(&store)? {
        return Ok(store);
    }
    tracing::info!("the store takes more than three times the room of what it holds and is compacted");
    match compact::compact(store, path, cache_bytes, &mut |_| {}) {
        Ok((store, Compacted { before, after })) => {
            tracing::info!("the store is compacted: {} MB became {} MB", before >> 20, after >> 20);
            Ok(store)
        }
        Err(error) => {
            tracing::warn!(%error, "the store cannot be compacted and is used as it is");
            open(path, cache_bytes)
        }
    }
}

/// The caller holds the folder's lock.
pub(super) fn open_locked(path: &Path, cache_bytes: u64, lock: Option<File>) -> Result<Store, StoreError> {
    if lock.is_some() {
        compact::settle(path).map_err(|cause| StoreError::Unwritable { path: path.to_owned(), cause })?;
    }
    let engine = SledEngine::open(path, cache_bytes)?;
    if engine.get(keys::IMPORTING)?.is_some() {
        return Err(StoreError::Incomplete(path.to_owned()));
    }
    // A folder that was just made had nothing to be locked yet.
    let lock = match lock {
        Some(lock) => Some(lock),
        None => self::lock(path)?,
    };
    Ok(Store::locked(Box::new(engine), lock))
}

/// `None` where there is no folder, or where the file system knows no locks; the engine has one of its own.
fn lock(path: &Path) -> Result<Option<File>, StoreError> {
    let Ok(folder) = File::open(path) else { return Ok(None) };
    match folder.try_lock() {
        Ok(()) => Ok(Some(folder)),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(path.to_owned())),
        Err(TryLockError::Error(_)) => Ok(None),
    }
}
