//! A folder → the store in it, for one process at a time.
//!
//! The lock is on the folder itself, not only on what the engine keeps in it, so that upkeep may replace that as a whole.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::store::engine::{Engine as _, StoreError};
use crate::store::entries::Store;
use crate::store::keys;
use crate::store::sled::SledEngine;

/// Opens the store in `path`, or makes one in a folder that is missing or empty.
///
/// # Errors
/// As [`SledEngine::open`]; and when an import into it did not end.
pub fn open(path: &Path, cache_bytes: u64) -> Result<Store, StoreError> {
    let lock = lock(path)?;
    open_locked(path, cache_bytes, lock)
}

/// The caller holds the folder's lock.
pub(super) fn open_locked(path: &Path, cache_bytes: u64, lock: Option<File>) -> Result<Store, StoreError> {
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
