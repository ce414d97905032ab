//! Compaction: the store copied into a fresh folder beside it, which then takes its place.
//!
//! sled gives little space back: a changed value is written anew, and where it lay stays with what is still valid beside it. A copy in
//! the order of the keys is dense. A kill or a power cut leaves the old store or the new one, whole, at any moment:
//!
//! ```text
//! copy to sled.new ─sync→ rename to sled.ready ─sync→ sled becomes sled.old ─sync→ sled.ready becomes sled ─sync→ remove sled.old
//! ```
//! What an interruption left is recognised at the next opening (`settle`). While `sled` is there it is the store, whatever lies
//! beside it: a copy that was not put in its place may be older than what was written since.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;

use crate::model::entry::Seq;
use crate::model::feed::FeedId;
use crate::store::engine::{Batch, StoreError};
use crate::store::entries::Store;
use crate::store::filling::Filling;
use crate::store::keys::{self, Place};
use crate::store::open;
use crate::store::record;
use crate::store::sled::{FOLDER, MARKER, SledEngine};
use crate::store::snapshot::END;

/// Where the engine keeps its files, inside the store's folder as well as inside the copy.
const CURRENT: &str = FOLDER;
/// The copy while it is made: a store's folder of its own.
const COPY: &str = "sled.new";
const COPIED: &str = "sled.new/sled";
/// The copy's files, whole and on the disk.
const READY: &str = "sled.ready";
const OLD: &str = "sled.old";

/// How many times what it holds a store may take on the disk.
const WASTEFUL: u64 = 3;
/// Smaller stores are not worth it.
const SMALL: u64 = 32 << 20;
/// Pairs read at once.
const STRIDE: usize = 256;
/// Places in the order of entries where their sizes are looked at, and entries at each.
const SAMPLES: u64 = 24;
const SAMPLE: usize = 16;

/// What a place takes in its feed's archive, in bytes: a time and a number, and its part of the record around them.
const LISTED: usize = 15;

/// What a compaction did, in bytes on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    pub before: u64,
    pub after: u64,
}

/// About how many bytes the store's keys and values have, as a sample of its entries tells.
///
/// Counting at each write would need the size of every replaced value, and counting all of it at each start would read all of it. A
/// sample is within a few hundredths, and what it decides needs no more.
pub fn logical_bytes(store: &Store) -> Result<u64, StoreError> {
    let counters = store.counters()?;
    let (mut bytes, mut met) = (0, 0);
    for sample in 0..SAMPLES {
        let after = Seq(counters.next * sample / SAMPLES);
        for (key, value) in store.engine().scan(&keys::entry(Seq(after.0 + 1)), &[keys::ENTRY + 1], SAMPLE)? {
            bytes += entry_bytes(store, &key, &value)?;
            met += 1;
        }
    }
    let entries = (u128::from(bytes) * u128::from(counters.entries)).checked_div(met).unwrap_or_default();
    let mut rest = 0;
    for kind in [keys::SOURCE, keys::LAST_DOCUMENT] {
        let found = store.engine().scan(&[kind], &[kind + 1], usize::MAX)?;
        rest += found.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum::<u64>();
    }
    Ok(u64::try_from(entries).unwrap_or(u64::MAX).saturating_add(rest))
}

/// An entry's record, and everything that lies elsewhere because of it.
fn entry_bytes(store: &Store, key: &[u8], value: &[u8]) -> Result<u64, StoreError> {
    let Some(seq) = keys::seq(key) else { return Ok(0) };
    let entry = record::read_entry(seq, value)?;
    let mut bytes = key.len() + value.len() + keys::id(entry.id).len() + 8;
    for sighting in &entry.sightings {
        bytes += if sighting.id == entry.id { 0 } else { keys::id(sighting.id).len() + 8 };
        bytes += sighting.keys.iter().map(|key| keys::key(*key, seq).len()).sum::<usize>();
        if let Some(hash) = sighting.text {
            let name = keys::text(hash);
            bytes += name.len() + store.engine().get(&name)?.map_or(0, |text| text.len());
        }
    }
    let place = |feed: &FeedId, sort_at| keys::membership(feed, 0, Place { sort_at, seq }).len() + LISTED;
    bytes += entry.placements.iter().map(|placement| place(&placement.feed, placement.sort_at)).sum::<usize>();
    Ok(bytes as u64)
}

/// The same, counted by reading everything.
pub fn exact_bytes(store: &Store) -> Result<u64, StoreError> {
    let (mut from, mut bytes) = (vec![0], 0);
    loop {
        let found = store.engine().scan(&from, END, STRIDE)?;
        let Some((last, _)) = found.last() else { return Ok(bytes) };
        from = [last.as_slice(), &[0]].concat();
        bytes += found.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum::<u64>();
    }
}

/// Whether a compaction would give back much.
pub fn is_worth_it(store: &Store) -> Result<bool, StoreError> {
    let size = store.size_on_disk()?;
    if !store.is_locked() || size < SMALL || size / WASTEFUL <= logical_bytes(store)? {
        return Ok(false);
    }
    // A store that was that large when it was fresh would be copied at every start, for nothing.
    let fresh = store.engine().get(keys::COMPACTED)?.and_then(|bytes| Some(u64::from_be_bytes(bytes.try_into().ok()?)));
    Ok(fresh.is_none_or(|fresh| size > fresh + fresh / 2))
}

/// Copies an open store and puts the copy in its place; gives the new store. `progress` is told the bytes of each step.
///
/// # Errors
/// The store is as it was then, but closed.
pub fn compact(
    store: Store,
    path: &Path,
    cache_bytes: u64,
    progress: &mut dyn FnMut(usize),
) -> Result<(Store, Compacted), StoreError> {
    let failed = |cause| StoreError::Unwritable { path: path.to_owned(), cause };
    if !store.is_locked() {
        let what = "the file system of the store keeps no locks, so that nobody can be kept out while it is exchanged";
        return Err(StoreError::Stopped(what.to_owned()));
    }
    let before = store.size_on_disk()?;
    store.sync()?;
    let after = copy(&store, path, cache_bytes, progress)?;
    // The engine writes when it is closed; it must not find a copy under its name.
    let lock = store.close();
    for step in SWAP {
        step(path).map_err(failed)?;
    }
    let store = open::open_locked(path, cache_bytes, lock)?;
    Ok((store, Compacted { before, after }))
}

/// A whole store in [`COPY`], on the disk when it returns, and closed. Gives its size.
fn copy(store: &Store, path: &Path, cache_bytes: u64, progress: &mut dyn FnMut(usize)) -> Result<u64, StoreError> {
    let folder = path.join(COPY);
    remove(&folder).map_err(|cause| StoreError::Unwritable { path: folder.clone(), cause })?;
    let copy = Store::new(Box::new(SledEngine::open(&folder, cache_bytes)?));
    let mut filling = Filling::new(&copy);
    let mut from = vec![0];
    loop {
        let found = store.engine().scan(&from, END, STRIDE)?;
        let Some((last, _)) = found.last() else { break };
        from = [last.as_slice(), &[0]].concat();
        let bytes = found.iter().map(|(key, value)| key.len() + value.len()).sum();
        progress(bytes);
        for (key, value) in found {
            filling.put(key, value)?;
        }
    }
    filling.flush()?;
    copy.sync()?;
    let size = copy.size_on_disk()?;
    let mut batch = Batch::default();
    batch.put(keys::COMPACTED.to_vec(), size.to_be_bytes().to_vec());
    copy.apply(&batch)?;
    copy.sync()?;
    drop(copy);
    Ok(size)
}

/// One step on the way into place; after each of them the store is whole.
type Step = fn(&Path) -> std::io::Result<()>;

const SWAP: &[Step] = &[
    |path| sync_all(&path.join(COPY)),
    |path| rename(path, COPIED, READY),
    |path| rename(path, CURRENT, OLD),
    |path| rename(path, READY, CURRENT),
    |path| remove(&path.join(OLD)),
    |path| remove(&path.join(COPY)),
];

/// Finishes or clears away what an interrupted compaction left. The caller holds the folder's lock.
pub(super) fn settle(path: &Path) -> std::io::Result<()> {
    if !path.join(MARKER).exists() {
        // Whatever is there, it is not ours.
        return Ok(());
    }
    if path.join(OLD).exists() && !path.join(CURRENT).exists() {
        // Between the two renames: nobody can have opened, and so changed, anything since.
        let whole = if path.join(READY).exists() { READY } else { OLD };
        rename(path, whole, CURRENT)?;
    }
    for left in [READY, OLD, COPY] {
        remove(&path.join(left))?;
    }
    Ok(())
}

fn rename(path: &Path, from: &str, to: &str) -> std::io::Result<()> {
    fs::rename(path.join(from), path.join(to))?;
    File::open(path)?.sync_all()
}

fn remove(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Everything below a folder, with the folders themselves.
fn sync_all(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_all(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::engine::Engine as _;

    const CACHE: u64 = 8 << 20;

    fn filled(path: &Path) -> Store {
        let store = open::open(path, CACHE).unwrap();
        for number in 0..400_u32 {
            let mut batch = Batch::default();
            let length = if number % 50 == 0 { 30_000 } else { 300 };
            batch.put([&[keys::TEXT], &number.to_be_bytes()[..]].concat(), vec![number.to_be_bytes()[3]; length]);
            store.apply(&batch).unwrap();
        }
        store.sync().unwrap();
        store
    }

    fn contents(store: &Store) -> Vec<(Vec<u8>, Vec<u8>)> {
        let pairs = store.engine().scan(&[0], END, usize::MAX).unwrap();
        pairs.into_iter().filter(|(key, _)| key != keys::COMPACTED).collect()
    }

    fn names(path: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_copy_holds_the_same_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let store = filled(&path);
        let before = contents(&store);
        let (store, _) = compact(store, &path, CACHE, &mut |_| {}).unwrap();
        assert_eq!(contents(&store), before);
        drop(store);
        assert_eq!(names(&path), ["FEEDMILL", "sled"]);
        assert_eq!(contents(&open::open(&path, CACHE).unwrap()), before);
    }

    #[test]
    fn an_interruption_after_any_step_leaves_a_whole_store() {
        for steps in 0..=SWAP.len() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("store");
            let store = filled(&path);
            let before = contents(&store);
            copy(&store, &path, CACHE, &mut |_| {}).unwrap();
            drop(store);
            for step in &SWAP[..steps] {
                step(&path).unwrap();
            }
            let store = open::open(&path, CACHE).unwrap();
            assert_eq!(contents(&store), before, "after {steps} steps");
            drop(store);
            assert_eq!(names(&path), ["FEEDMILL", "sled"], "after {steps} steps");
        }
    }

    #[test]
    fn a_copy_that_is_not_in_place_is_older_than_what_was_written_since() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let store = filled(&path);
        copy(&store, &path, CACHE, &mut |_| {}).unwrap();
        drop(store);
        SWAP[..2].iter().for_each(|step| step(&path).unwrap());
        // An older feedmill knows nothing of copies.
        let engine = SledEngine::open(&path, CACHE).unwrap();
        let mut batch = Batch::default();
        batch.put(vec![keys::TEXT, 9], b"later".to_vec());
        engine.apply(&batch).unwrap();
        engine.sync().unwrap();
        drop(engine);
        let store = open::open(&path, CACHE).unwrap();
        assert_eq!(store.engine().get(&[keys::TEXT, 9]).unwrap().as_deref(), Some(&b"later"[..]));
    }
}
