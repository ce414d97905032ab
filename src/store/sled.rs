//! The embedded engine: sled 0.34, driven so that an acknowledged write survives a power cut.
//!
//! What sled's own documentation does not say, and what this file is for:
//! - `flush()` writes, but does not force the log to the disk. `sync` therefore flushes and then calls `sync_data` on
//!   a second handle of the log.
//! - Records above a quarter of a segment go to files in `blobs/` that are never synced. Values are therefore cut into chunks of
//!   `CHUNK` bytes, and `blobs/` stays empty.
//! - A lost log opens as an empty store without an error. A marker file beside it, written last, tells loss from a new store.
//! - Its configuration is written without a sync, and half of it is refused. A store is therefore made under another name, synced, and
//!   then renamed.
//! - A snapshot whose writing was cut short is taken for a whole one, and refused. It is removed before opening.
//! - Its threads may hold the log's lock a little longer than the value that was dropped.
//! - After one failed write nothing that follows may be acknowledged, so errors are sticky. To recover, the tree is closed and opened
//!   anew in the same process. Unless the disk was merely full, its log is first written once more: after a failed sync the system
//!   may have forgotten which pages the disk does not hold.
//! - A write that fails while `flush()` waits for it may wake nobody; a second `flush()` does.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::FileExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, TryLockError, mpsc};
use std::time::{Duration, Instant};

use sled::IVec;

use crate::store::engine::{Batch, Engine, Pairs, StoreError, WRITES_LIMIT, Write};

/// Largest value that sled sees. A leaf holds up to 16 of them and must stay below a quarter of a segment.
const CHUNK: usize = 6_000;
/// First byte of the keys of all chunks but the first. No caller's key begins with it, so scans never meet one.
const REST: u8 = 0x7f;
/// First byte of a stored value: it is whole, or the number of the chunks in which it goes on follows.
const WHOLE: u8 = 0;
const CHUNKED: u8 = 1;

/// The format that this version writes. A larger one is refused.
pub const FORMAT: u8 = 1;
const FORMAT_KEY: &[u8] = b"\x01format";

/// Says that a folder is a store of ours, and that it was whole once.
pub(super) const MARKER: &str = "FEEDMILL";
/// Where sled's files lie in it.
pub(super) const FOLDER: &str = "sled";
/// A store that is being made, or whose making was cut short.
const UNFINISHED: &str = ".sled";
/// Room on the disk without which a recovery is not begun: a few of sled's segments.
const ROOM: usize = 4 << 20;
/// A flush that takes longer may wait for a write that has failed.
const STALLED: Duration = Duration::from_secs(2);
/// How long a log that was just closed may stay locked.
const CLOSING: Duration = Duration::from_secs(10);
/// Names that a running daemon adds to the store's folder.
const OURS: &[&str] = &[MARKER, FOLDER, "feedmill.sock"];

/// See the module.
pub struct SledEngine {
    path: PathBuf,
    cache_bytes: u64,
    /// `None` after a recovery that did not succeed.
    tree: RwLock<Option<Tree>>,
    stuck: RwLock<Option<String>>,
    /// The disk may not hold what the system shows of the log.
    is_doubtful: AtomicBool,
}

impl SledEngine {
    /// Opens the store in `path`, or makes one in a folder that is missing or empty.
    ///
    /// # Errors
    /// When the folder is in use, foreign, emptied, newer than this program, or cannot be written. Nothing has been changed then.
    pub fn open(path: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        let has_marker = path.join(MARKER).exists();
        if path.exists() {
            refuse_foreign(path, has_marker)?;
        }
        let tree = open(path, cache_bytes, has_marker)?;
        Ok(Self {
            path: path.to_owned(),
            cache_bytes,
            tree: RwLock::new(Some(tree)),
            stuck: RwLock::new(None),
            is_doubtful: AtomicBool::new(false),
        })
    }

    /// Runs a job on the tree unless there was a failure; `sticks` when an error of the job is one.
    fn with<T>(&self, sticks: bool, job: impl FnOnce(&Tree) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let tree = match self.tree.try_read() {
            Ok(tree) => tree,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(StoreError::Stuck("it is being opened anew".to_owned())),
        };
        let stuck = self.stuck.read().unwrap_or_else(PoisonError::into_inner).clone();
        let tree = match (stuck, tree.as_ref()) {
            (None, Some(tree)) => tree,
            (why, _) => return Err(StoreError::Stuck(why.unwrap_or_default())),
        };
        let result = job(tree);
        if let (true, Err(error)) = (sticks, &result) {
            self.stick(error);
        }
        result
    }

    pub(super) fn stick(&self, error: &StoreError) {
        if !is_full(error) {
            self.is_doubtful.store(true, Ordering::Relaxed);
        }
        let mut stuck = self.stuck.write().unwrap_or_else(PoisonError::into_inner);
        stuck.get_or_insert_with(|| error.to_string());
    }
}

impl Engine for SledEngine {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.with(false, |tree| tree.get(key))
    }

    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Pairs, StoreError> {
        if from >= to {
            return Ok(Pairs::new());
        }
        self.with(false, |tree| tree.collect(tree.db.range(from..to), limit))
    }

    fn scan_back(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Pairs, StoreError> {
        if from >= to {
            return Ok(Pairs::new());
        }
        self.with(false, |tree| tree.collect(tree.db.range(from..to).rev(), limit))
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        debug_assert!(batch.len() <= WRITES_LIMIT, "callers bound their batches");
        self.with(true, |tree| tree.write(batch))
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.with(true, |tree| {
            tree.flush()?;
            tree.log.sync_data().map_err(|error| StoreError::Failed(error.into()))
        })
    }

    fn recover(&self) -> Result<(), StoreError> {
        let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
        let unwritable = |cause| StoreError::Unwritable { path: self.path.clone(), cause };
        // Room first: an opening that fails half-way would only add to the trouble.
        make_room(&self.path).map_err(unwritable)?;
        if let Some(old) = tree.take() {
            close(old);
        }
        let log = closed(&self.path.join(FOLDER)).map_err(unwritable)?;
        if self.is_doubtful.load(Ordering::Relaxed) {
            rewrite(&log).map_err(unwritable)?;
        }
        drop(log);
        *tree = Some(open(&self.path, self.cache_bytes, true)?);
        self.is_doubtful.store(false, Ordering::Relaxed);
        *self.stuck.write().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }

    fn size_on_disk(&self) -> Result<u64, StoreError> {
        self.with(false, |tree| tree.db.size_on_disk().map_err(failed))
    }
}

fn open(path: &Path, cache_bytes: u64, has_marker: bool) -> Result<Tree, StoreError> {
    let unwritable = |cause| StoreError::Unwritable { path: path.to_owned(), cause };
    let folder = path.join(FOLDER);
    if has_marker && !folder.join("db").exists() {
        return Err(StoreError::Emptied(path.to_owned()));
    }
    fs::create_dir_all(path).map_err(unwritable)?;
    probe(path).map_err(unwritable)?;
    if !folder.exists() {
        let unfinished = path.join(UNFINISHED);
        Tree::make(&unfinished, cache_bytes).map_err(unwritable)?;
        fs::rename(&unfinished, &folder).map_err(unwritable)?;
    }
    let tree = Tree::open(&folder, cache_bytes).map_err(|error| opening(path, error))?;
    match tree.get(FORMAT_KEY)?.as_deref() {
        Some([FORMAT]) => {}
        Some([found, ..]) if *found > FORMAT => return Err(StoreError::Newer { found: *found, known: FORMAT }),
        Some(_) => return Err(StoreError::Damaged("its format number cannot be read".to_owned())),
        None if has_marker => return Err(StoreError::Emptied(path.to_owned())),
        None => tree.write_format()?,
    }
    tree.sync_files(&folder).map_err(unwritable)?;
    if !has_marker {
        sync_above(&folder).map_err(unwritable)?;
        write_marker(path).map_err(unwritable)?;
    }
    Ok(tree)
}

/// sled, open.
struct Tree {
    db: sled::Db,
    /// A second handle of sled's log, which can be told to reach the disk.
    log: File,
}

impl Tree {
    fn open(folder: &Path, cache_bytes: u64) -> sled::Result<Self> {
        remove_unfinished_snapshots(folder)?;
        let config = sled::Config::new().path(folder).cache_capacity(cache_bytes);
        // A second line: segments are cleaned on its thread, too.
        let db = config.flush_every_ms(Some(500)).open()?;
        let log = File::open(folder.join("db"))?;
        Ok(Self { db, log })
    }

    /// Makes an empty tree that is whole on the disk.
    fn make(folder: &Path, cache_bytes: u64) -> std::io::Result<()> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        let tree = Self::open(folder, cache_bytes)?;
        tree.write_format().map_err(std::io::Error::other)?;
        tree.sync_files(folder)?;
        close(tree);
        closed(folder).map(drop)
    }

    fn write_format(&self) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        batch.put(FORMAT_KEY.to_vec(), vec![FORMAT]);
        self.write(&batch)?;
        self.flush()
    }

    /// sled syncs no folder and writes its configuration without syncing it.
    fn sync_files(&self, folder: &Path) -> std::io::Result<()> {
        for place in [folder.join("conf"), folder.join("blobs"), folder.to_owned()] {
            File::open(place)?.sync_all()?;
        }
        self.log.sync_data()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.db.get(key).map_err(failed)?;
        value.map(|value| self.whole(key, &value)).transpose()
    }

    fn whole(&self, key: &[u8], value: &IVec) -> Result<Vec<u8>, StoreError> {
        let (chunks, first) = unwrapped(value)?;
        let mut bytes = first.to_vec();
        for number in 0..chunks {
            let chunk = self.db.get(chunk_name(key, number)).map_err(failed)?;
            let chunk = chunk.ok_or_else(|| StoreError::Damaged("a part of a long value is missing".to_owned()))?;
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    fn collect(
        &self,
        pairs: impl Iterator<Item = sled::Result<(IVec, IVec)>>,
        limit: usize,
    ) -> Result<Pairs, StoreError> {
        let mut found = Pairs::new();
        for pair in pairs.take(limit) {
            let (key, value) = pair.map_err(failed)?;
            let value = self.whole(&key, &value)?;
            found.push((key.to_vec(), value));
        }
        Ok(found)
    }

    /// Removes what a value that is about to be replaced left beside it.
    fn remove_rest(&self, key: &[u8], batch: &mut sled::Batch) -> Result<(), StoreError> {
        if let Some(old) = self.db.get(key).map_err(failed)? {
            let (chunks, _) = unwrapped(&old)?;
            for number in 0..chunks {
                batch.remove(chunk_name(key, number));
            }
        }
        Ok(())
    }

    fn write(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut writes = sled::Batch::default();
        for write in batch.writes() {
            match write {
                Write::Put(key, value) => {
                    self.remove_rest(key, &mut writes)?;
                    put(&mut writes, key, value);
                }
                Write::Insert(key, value) => put(&mut writes, key, value),
                Write::Delete(key) => {
                    self.remove_rest(key, &mut writes)?;
                    writes.remove(key.as_slice());
                }
            }
        }
        self.db.apply_batch(writes).map_err(failed)?;
        self.collect_garbage(batch.len())
    }

    /// Pages that a batch replaced wait until sled's collector comes by. It does so with reads, and counts a batch as one: without
    /// reads in their number, memory grows with everything that is written.
    fn collect_garbage(&self, writes: usize) -> Result<(), StoreError> {
        for _ in 0..writes / 2 {
            self.db.contains_key(FORMAT_KEY).map_err(failed)?;
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), StoreError> {
        let (done, waiting) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                while waiting.recv_timeout(STALLED) == Err(mpsc::RecvTimeoutError::Timeout) {
                    let _ = self.db.flush();
                }
            });
            let flushed = self.db.flush();
            drop(done);
            flushed.map(drop).map_err(failed)
        })
    }
}

/// A tree that failed to sync says so by a panic when it is dropped; that is known already.
fn close(tree: Tree) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(tree)));
}

/// Chunks after the first have names of their own, which no scan of a caller meets.
fn chunk_name(key: &[u8], number: u32) -> Vec<u8> {
    [&[REST], key, &number.to_be_bytes()[..]].concat()
}

fn put(batch: &mut sled::Batch, key: &[u8], value: &[u8]) {
    let (first, rest) = value.split_at(value.len().min(CHUNK));
    let chunks = rest.chunks(CHUNK);
    let count = u32::try_from(chunks.len()).expect("a value is far below 2^32 chunks");
    let head = if count == 0 { vec![WHOLE] } else { [&[CHUNKED], &count.to_be_bytes()[..]].concat() };
    batch.insert(key, [&head, first].concat());
    for (number, chunk) in (0..count).zip(chunks) {
        batch.insert(chunk_name(key, number), chunk);
    }
}

/// How many chunks follow, and the first bytes.
fn unwrapped(value: &[u8]) -> Result<(u32, &[u8]), StoreError> {
    let parts = match value.split_first() {
        Some((&WHOLE, body)) => Some((0, body)),
        Some((&CHUNKED, rest)) => rest.split_first_chunk().map(|(count, body)| (u32::from_be_bytes(*count), body)),
        _ => None,
    };
    parts.ok_or_else(|| StoreError::Damaged("a value has no beginning".to_owned()))
}

fn failed(error: sled::Error) -> StoreError {
    match error {
        sled::Error::Corruption { at, .. } => StoreError::Damaged(format!("a page cannot be read ({at:?})")),
        other => StoreError::Failed(other.into()),
    }
}

fn opening(path: &Path, error: sled::Error) -> StoreError {
    match error {
        sled::Error::Io(error) if error.kind() == ErrorKind::WouldBlock || error.to_string().contains("lock") => {
            StoreError::InUse(path.to_owned())
        }
        sled::Error::Io(cause) => StoreError::Unwritable { path: path.to_owned(), cause },
        other => failed(other),
    }
}

/// A folder with something of others in it is left alone.
fn refuse_foreign(path: &Path, has_marker: bool) -> Result<(), StoreError> {
    let foreign = |what: String| StoreError::Foreign { path: path.to_owned(), what };
    if !path.is_dir() {
        return Err(foreign("it is a file".to_owned()));
    }
    let entries = fs::read_dir(path).map_err(|cause| StoreError::Unwritable { path: path.to_owned(), cause })?;
    let names: Vec<String> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let stranger = names.iter().find(|name| !OURS.contains(&name.as_str()) && !name.starts_with('.'));
    match stranger {
        Some(name) if !has_marker => Err(foreign(format!("it holds `{name}`"))),
        _ => Ok(()),
    }
}

/// Makes durable that there is such a path. Folders may have been made by an earlier start that was cut short.
fn sync_above(path: &Path) -> std::io::Result<()> {
    for folder in path.canonicalize()?.ancestors().skip(1) {
        match File::open(folder).and_then(|folder| folder.sync_all()) {
            // A folder that belongs to somebody else is older than we are; syncing it is a courtesy.
            Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {}
            other => other?,
        }
    }
    Ok(())
}

/// A write that was refused for want of room has reached neither the disk nor the system's memory.
fn is_full(error: &StoreError) -> bool {
    let StoreError::Failed(cause) = error else { return false };
    let cause = match cause.downcast_ref() {
        Some(sled::Error::Io(cause)) => Some(cause),
        _ => cause.downcast_ref::<std::io::Error>(),
    };
    cause.is_some_and(|cause| cause.kind() == ErrorKind::StorageFull)
}

/// A snapshot only saves time at the next start. While it is written it has this ending, which sled forgets to skip when it reads.
fn remove_unfinished_snapshots(folder: &Path) -> std::io::Result<()> {
    let Ok(log) = File::open(folder.join("db")) else { return Ok(()) };
    if log.try_lock().is_err() {
        // Another process is writing it.
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "generating") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// The log of a tree that was closed, locked: sled's own threads may hold it a little longer.
fn closed(folder: &Path) -> std::io::Result<File> {
    let log = File::options().read(true).write(true).open(folder.join("db"))?;
    let began = Instant::now();
    loop {
        match log.try_lock() {
            Ok(()) => return Ok(log),
            Err(fs::TryLockError::Error(error)) => return Err(error),
            Err(fs::TryLockError::WouldBlock) if began.elapsed() > CLOSING => return Err(ErrorKind::WouldBlock.into()),
            Err(fs::TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// Makes a file on the disk what it seems to be.
fn rewrite(file: &File) -> std::io::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    let mut at = 0;
    loop {
        let length = file.read_at(&mut buffer, at)?;
        if length == 0 {
            return file.sync_all();
        }
        file.write_all_at(&buffer[..length], at)?;
        at += length as u64;
    }
}

/// Whether there is room for going on for a while.
fn make_room(path: &Path) -> std::io::Result<()> {
    let place = path.join(".room");
    let written = File::create(&place).and_then(|mut file| {
        file.write_all(&vec![b' '; ROOM])?;
        file.sync_all()
    });
    let removed = fs::remove_file(&place);
    written.and(removed)
}

/// Finds out now, with a plain error, that nothing can be written.
fn probe(path: &Path) -> std::io::Result<()> {
    let probe: PathBuf = path.join(".probe");
    fs::write(&probe, b"probe")?;
    fs::remove_file(&probe)
}

/// Written last and synced: from here on an empty tree means loss.
fn write_marker(path: &Path) -> std::io::Result<()> {
    let temporary = path.join(".marker");
    let mut file = File::create(&temporary)?;
    writeln!(file, "feedmill store, format {FORMAT}")?;
    file.sync_all()?;
    fs::rename(&temporary, path.join(MARKER))?;
    File::open(path)?.sync_all()
}
