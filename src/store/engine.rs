//! What an engine owes: an ordered map of bytes, blocking and object safe. All meaning lives above it, so that one codec and one
//! contract serve every engine.

use std::path::PathBuf;
use std::sync::Arc;

/// Most writes of one [`Batch`]. Replaced pages wait for sled's collector, and a batch counts as one step of it.
pub const WRITES_LIMIT: usize = 1_200;

/// A value of so many bytes is one piece in every engine.
pub const SHORT: usize = 4_000;

/// Keys and values, as scans give them.
pub type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// Why the store cannot do what it was asked, and what can be done about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "another feedmill uses the store in {0}; stop it first, or give this one a `path` of its own under [store]"
    )]
    InUse(PathBuf),
    #[error("{path} is not a feedmill store ({what}); name a new or empty folder as `path` under [store]")]
    Foreign { path: PathBuf, what: String },
    #[error(
        "the store in {0} has lost its contents although its marker is there; restore it from a backup, or remove the folder to begin anew"
    )]
    Emptied(PathBuf),
    #[error("the store in {0} is incomplete: an import into it did not end; remove the folder and import again")]
    Incomplete(PathBuf),
    #[error(
        "the store has format {found}, this feedmill knows formats up to {known}; use the newer feedmill that wrote it"
    )]
    Newer { found: u8, known: u8 },
    #[error(
        "{path} cannot be written: {cause}; make the folder writable for this user, or name another `path` under [store]"
    )]
    Unwritable { path: PathBuf, cause: std::io::Error },
    #[error("the store is damaged: {0}; restore it from a backup")]
    Damaged(String),
    #[error("the store failed: {0}")]
    Failed(Box<dyn std::error::Error + Send + Sync>),
    #[error("the store waits for the end of an earlier failure ({0}); mend its cause, feedmill tries again by itself")]
    Stuck(String),
    #[error("a store job did not finish: {0}")]
    Stopped(String),
}

/// One write of a [`Batch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    Put(Vec<u8>, Vec<u8>),
    /// See [`Batch::insert`].
    Insert(Vec<u8>, Vec<u8>),
    Delete(Vec<u8>),
}

impl Write {
    /// The bytes of its key and value.
    pub fn size(&self) -> usize {
        match self {
            Self::Put(key, value) | Self::Insert(key, value) => key.len() + value.len(),
            Self::Delete(key) => key.len(),
        }
    }
}

/// Writes that become visible together or not at all. Of two writes to one key the later wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    writes: Vec<Write>,
}

impl Batch {
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.writes.push(Write::Put(key, value));
    }

    /// As [`Batch::put`], where the caller knows that nothing longer than [`SHORT`] bytes lies under the key: this spares the engine
    /// to look for what a long value would leave behind.
    pub fn insert(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.writes.push(Write::Insert(key, value));
    }

    pub fn delete(&mut self, key: Vec<u8>) {
        self.writes.push(Write::Delete(key));
    }

    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    pub fn len(&self) -> usize {
        self.writes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }
}

/// An ordered map of bytes. Keys begin with a byte below 0x70; the rest is the engine's own.
///
/// After a failed write nothing is certain but what was synced: from then on every call gives [`StoreError::Stuck`], reads too, until
/// [`Engine::recover`] succeeds.
pub trait Engine: Send + Sync {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// The pairs with keys in `from..to`, ascending, at most `limit`.
    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Pairs, StoreError>;

    /// The pairs with keys in `from..to`, descending, at most `limit`.
    fn scan_back(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Pairs, StoreError>;

    /// Atomic, and visible when it returns; durable only after [`Engine::sync`]. At most [`WRITES_LIMIT`] writes.
    fn apply(&self, batch: &Batch) -> Result<(), StoreError>;

    /// Everything applied before is on the disk when it returns `Ok`.
    fn sync(&self) -> Result<(), StoreError>;

    /// Opens anew after a failure. Everything that was synced is there when it returns `Ok`, and all that can be read is on the disk;
    /// what was applied after the last sync may be gone. After an error it is stuck as before, and may be asked again.
    fn recover(&self) -> Result<(), StoreError>;

    fn size_on_disk(&self) -> Result<u64, StoreError>;
}

/// An engine that several own.
impl<E: Engine + ?Sized> Engine for Arc<E> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        (**self).get(key)
    }

    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Pairs, StoreError> {
        (**self).scan(from, to, limit)
    }

    fn scan_back(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Pairs, StoreError> {
        (**self).scan_back(from, to, limit)
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        (**self).apply(batch)
    }

    fn sync(&self) -> Result<(), StoreError> {
        (**self).sync()
    }

    fn recover(&self) -> Result<(), StoreError> {
        (**self).recover()
    }

    fn size_on_disk(&self) -> Result<u64, StoreError> {
        (**self).size_on_disk()
    }
}
