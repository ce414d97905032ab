//! One contract for every engine.

use std::sync::Arc;

use proptest::prelude::*;

use crate::store::engine::{Batch, Engine, Pairs, StoreError};
use crate::store::entries::{Commit, Store};
use crate::store::memory::MemoryEngine;
use crate::store::moment::Moment;
use crate::store::overlay::{LIMIT, Overlay};
use crate::store::record::Counters;
use crate::store::sled::SledEngine;

const CACHE: u64 = 8 << 20;

fn sled() -> (tempfile::TempDir, SledEngine) {
    let folder = tempfile::tempdir().unwrap();
    let engine = SledEngine::open(&folder.path().join("store"), CACHE).unwrap();
    (folder, engine)
}

/// Runs a law against every engine.
fn check(law: impl Fn(&dyn Engine)) {
    law(&MemoryEngine::default());
    let (_folder, engine) = sled();
    law(&engine);
    law(&Overlay::new(Arc::new(MemoryEngine::default()), LIMIT));
}

fn put(engine: &dyn Engine, pairs: &[(&[u8], &[u8])]) {
    let mut batch = Batch::default();
    for (key, value) in pairs {
        batch.put(key.to_vec(), value.to_vec());
    }
    engine.apply(&batch).unwrap();
}

#[test]
fn what_was_put_is_found_and_the_later_write_wins() {
    check(|engine| {
        put(engine, &[(b"\x02a", b"1"), (b"\x02a", b"2"), (b"\x02b", b"")]);
        assert_eq!(engine.get(b"\x02a").unwrap().as_deref(), Some(&b"2"[..]));
        assert_eq!(engine.get(b"\x02b").unwrap().as_deref(), Some(&b""[..]));
        assert_eq!(engine.get(b"\x02c").unwrap(), None);
    });
}

#[test]
fn scans_keep_their_bounds_order_and_limit() {
    check(|engine| {
        put(engine, &[(b"\x02a", b"a"), (b"\x02b", b"b"), (b"\x02c", b"c"), (b"\x03a", b"x")]);
        let keys = |pairs: Vec<(Vec<u8>, Vec<u8>)>| pairs.into_iter().map(|(_, value)| value[0]).collect::<Vec<_>>();
        assert_eq!(keys(engine.scan(b"\x02", b"\x03", 10).unwrap()), b"abc");
        assert_eq!(keys(engine.scan(b"\x02b", b"\x02c", 10).unwrap()), b"b");
        assert_eq!(keys(engine.scan(b"\x02", b"\x03", 2).unwrap()), b"ab");
        assert_eq!(keys(engine.scan_back(b"\x02", b"\x03", 2).unwrap()), b"cb");
        assert_eq!(engine.scan(b"\x03", b"\x02", 10).unwrap(), vec![]);
    });
}

#[test]
fn long_values_come_back_whole_and_leave_nothing_behind() {
    check(|engine| {
        for length in [0, 5_999, 6_000, 6_001, 12_000, 12_001, 200_000] {
            let value: Vec<u8> = (0..length).map(|number: usize| u8::try_from(number % 251).unwrap()).collect();
            put(engine, &[(b"\x04long", &value), (b"\x04longer", b"neighbour")]);
            assert_eq!(engine.get(b"\x04long").unwrap(), Some(value.clone()));
            assert_eq!(engine.scan(b"\x04", b"\x05", 10).unwrap()[0].1, value);
        }
        put(engine, &[(b"\x04long", b"short")]);
        assert_eq!(
            engine.scan(b"\x00", b"\xff", 10).unwrap().len(),
            if engine.get(b"\x01format").unwrap().is_some() { 3 } else { 2 }
        );
        let mut batch = Batch::default();
        batch.delete(b"\x04long".to_vec());
        engine.apply(&batch).unwrap();
        assert_eq!(engine.get(b"\x04long").unwrap(), None);
    });
}

#[test]
fn sled_keeps_no_blobs_and_all_that_was_synced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/store");
    let value = vec![7; 100_000];
    {
        let engine = SledEngine::open(&path, CACHE).unwrap();
        for number in 0..200_u8 {
            put(&engine, &[(&[2, number], &value)]);
        }
        engine.sync().unwrap();
    }
    assert_eq!(std::fs::read_dir(path.join("sled/blobs")).unwrap().count(), 0);
    let engine = SledEngine::open(&path, CACHE).unwrap();
    assert_eq!(engine.scan(&[2], &[3], 1_000).unwrap().len(), 200);
    assert_eq!(engine.get(&[2, 199]).unwrap(), Some(value));
}

#[test]
fn the_memory_engine_forgets_what_was_not_synced() {
    let engine = MemoryEngine::default();
    put(&engine, &[(b"\x02a", b"1")]);
    engine.sync().unwrap();
    put(&engine, &[(b"\x02b", b"2")]);
    engine.forget_unsynced();
    assert_eq!(engine.scan(b"\x00", b"\xff", 10).unwrap().len(), 1);
}

/// Every engine, with a way to make each fail at its next write.
fn check_failing(law: impl Fn(&dyn Engine, &dyn Fn(bool))) {
    let memory = MemoryEngine::default();
    law(&memory, &|is_failing| memory.fail(is_failing));
    let (_folder, engine) = sled();
    let failure = StoreError::Failed("it was told to fail".into());
    law(&engine, &|is_failing| {
        if is_failing {
            engine.stick(&failure);
        }
    });
    let overlay = Overlay::new(Arc::new(MemoryEngine::default()), 1_000);
    law(&overlay, &|is_failing| {
        if is_failing {
            let mut batch = Batch::default();
            batch.put(vec![2], vec![0; 1_001]);
            assert!(overlay.apply(&batch).is_err(), "it is full");
        }
    });
}

#[test]
fn after_a_failure_nothing_is_taken_or_read_until_it_has_recovered() {
    check_failing(|engine, fail| {
        put(engine, &[(b"\x02a", b"1")]);
        engine.sync().unwrap();
        put(engine, &[(b"\x02b", b"2")]);
        fail(true);
        assert!(engine.sync().is_err());
        assert!(matches!(engine.apply(&Batch::default()), Err(StoreError::Stuck(_))));
        assert!(matches!(engine.get(b"\x02a"), Err(StoreError::Stuck(_))));
        assert!(matches!(engine.scan(b"\x02", b"\x03", 9), Err(StoreError::Stuck(_))));
        fail(false);
        engine.recover().unwrap();
        assert_eq!(engine.get(b"\x02a").unwrap().as_deref(), Some(&b"1"[..]));
        put(engine, &[(b"\x02c", b"3")]);
        engine.sync().unwrap();
        engine.recover().unwrap();
        assert_eq!(engine.get(b"\x02c").unwrap().as_deref(), Some(&b"3"[..]), "to recover without need loses nothing");
    });
}

#[test]
fn readers_wait_for_the_sync_of_what_they_read() {
    let engine = MemoryEngine::default();
    let store = Store::new(Box::new(engine.clone()));
    store.commit(&Commit::default()).unwrap();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| store.wait_for_sync());
        store.sync().unwrap();
        assert!(reader.join().unwrap().is_ok());
    });
    engine.fail(true);
    assert!(store.commit(&Commit { counters: Some(Counters::default()), ..Commit::default() }).is_err());
    assert!(store.sync().is_err());
    assert!(matches!(store.wait_for_sync(), Err(StoreError::Stuck(_))));
    engine.fail(false);
    store.recover().unwrap();
    store.wait_for_sync().unwrap();
}

#[test]
fn a_store_opens_once() {
    let (folder, _engine) = sled();
    let again = SledEngine::open(&folder.path().join("store"), CACHE).err().unwrap();
    assert!(matches!(again, StoreError::InUse(_)), "{again}");
}

/// Prepares a folder and says how opening it ends.
fn refused(prepare: impl Fn(&std::path::Path)) -> StoreError {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    prepare(&path);
    SledEngine::open(&path, CACHE).err().expect("this folder is refused")
}

#[test]
fn what_is_not_a_feedmill_store_is_left_alone() {
    let a_file = refused(|path| std::fs::write(path, "text").unwrap());
    assert!(matches!(a_file, StoreError::Foreign { .. }), "{a_file}");
    let photos = refused(|path| {
        std::fs::create_dir(path).unwrap();
        std::fs::write(path.join("photo.jpg"), "jpg").unwrap();
    });
    assert!(photos.to_string().contains("photo.jpg"), "{photos}");
}

#[test]
fn an_emptied_store_is_never_taken_for_a_new_one() {
    let without_tree = refused(|path| {
        drop(SledEngine::open(path, CACHE).unwrap());
        std::fs::remove_dir_all(path.join("sled")).unwrap();
    });
    assert!(matches!(without_tree, StoreError::Emptied(_)), "{without_tree}");
    let empty_tree = refused(|path| {
        drop(SledEngine::open(path, CACHE).unwrap());
        std::fs::remove_dir_all(path.join("sled")).unwrap();
        drop(sled::open(path.join("sled")).unwrap());
    });
    assert!(matches!(empty_tree, StoreError::Emptied(_)), "{empty_tree}");
}

#[test]
fn a_creation_that_was_cut_short_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    drop(SledEngine::open(&path, CACHE).unwrap());
    std::fs::remove_file(path.join("FEEDMILL")).unwrap();
    drop(SledEngine::open(&path, CACHE).unwrap());
    assert!(path.join("FEEDMILL").exists());
}

#[test]
fn a_snapshot_that_was_cut_short_is_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    drop(SledEngine::open(&path, CACHE).unwrap());
    std::fs::write(path.join("sled/snap.FFFF.generating"), b"").unwrap();
    drop(SledEngine::open(&path, CACHE).unwrap());
}

#[test]
fn a_newer_format_is_refused() {
    let newer = refused(|path| {
        let engine = SledEngine::open(path, CACHE).unwrap();
        put(&engine, &[(b"\x01format", &[2])]);
        engine.sync().unwrap();
    });
    assert!(matches!(newer, StoreError::Newer { found: 2, known: 1 }), "{newer}");
}

fn operations() -> impl Strategy<Value = Vec<(u8, u8, Option<usize>)>> {
    let length = prop_oneof![0_usize..20, 5_990_usize..6_010, 11_990_usize..12_010];
    prop::collection::vec((1_u8..4, any::<u8>(), prop::option::of(length)), 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_sled_agree(operations in operations()) {
        let memory = MemoryEngine::default();
        let (_folder, sled) = sled();
        // Several writes to a batch, also to one key.
        for operations in operations.chunks(3) {
            let mut batch = Batch::default();
            for (kind, name, length) in operations {
                match length {
                    Some(length) => batch.put(vec![*kind, name % 4], vec![*name; *length]),
                    None => batch.delete(vec![*kind, name % 4]),
                }
            }
            memory.apply(&batch).unwrap();
            sled.apply(&batch).unwrap();
        }
        let (from, to) = (&[1, 0][..], &[1, 9][..]);
        prop_assert_eq!(memory.scan(from, to, 100).unwrap(), sled.scan(from, to, 100).unwrap());
        prop_assert_eq!(memory.scan_back(&[2], &[4], 5).unwrap(), sled.scan_back(&[2], &[4], 5).unwrap());
    }

    /// An overlay over what another engine holds looks like one engine, and the base never learns of it.
    #[test]
    fn an_overlay_looks_as_if_all_of_it_had_been_written(
        below in small(), above in small(), limit in 1_usize..9, from in 0_u8..20, to in 0_u8..24
    ) {
        let (base, expected) = (MemoryEngine::default(), MemoryEngine::default());
        write(&base, &below);
        write(&expected, &below);
        let before = all(&base);
        let overlay = Overlay::new(Arc::new(base.clone()), LIMIT);
        write(&overlay, &above);
        write(&expected, &above);
        let (from, to) = (&[2, from][..], &[2, to][..]);
        prop_assert_eq!(all(&overlay), all(&expected));
        prop_assert_eq!(overlay.scan(from, to, limit).unwrap(), expected.scan(from, to, limit).unwrap());
        prop_assert_eq!(overlay.scan_back(from, to, limit).unwrap(), expected.scan_back(from, to, limit).unwrap());
        for name in 0..24 {
            prop_assert_eq!(overlay.get(&[2, name]).unwrap(), expected.get(&[2, name]).unwrap());
        }
        // What is known to be hidden comes back when it is written.
        write(&overlay, &below);
        write(&expected, &below);
        prop_assert_eq!(overlay.scan(from, to, limit).unwrap(), expected.scan(from, to, limit).unwrap());
        prop_assert_eq!(all(&overlay), all(&expected));
        for key in overlay.changed(&[2], &[3], usize::MAX) {
            prop_assert_ne!(overlay.get(&key).unwrap(), base.get(&key).unwrap());
        }
        prop_assert_eq!(all(&base), before);
    }

    /// Whatever is written meanwhile, a moment stays as it was.
    #[test]
    fn a_moment_stays_as_it_was(
        before in small(), meanwhile in prop::collection::vec(small(), 0..6), limit in 1_usize..9, from in 0_u8..20, to in 0_u8..24
    ) {
        let store = Arc::new(Store::new(Box::new(MemoryEngine::default())));
        store.apply(&batch(&before)).unwrap();
        let expected = MemoryEngine::default();
        write(&expected, &before);
        let moment = Moment::of(&store).unwrap();
        prop_assert!(Moment::of(&store).is_none(), "one at a time");
        let (from, to) = (&[2, from][..], &[2, to][..]);
        for writes in meanwhile {
            store.apply(&batch(&writes)).unwrap();
            prop_assert_eq!(moment.scan(from, to, limit).unwrap(), expected.scan(from, to, limit).unwrap());
            prop_assert_eq!(moment.scan_back(from, to, limit).unwrap(), expected.scan_back(from, to, limit).unwrap());
            prop_assert_eq!(all(&moment), all(&expected));
            for name in 0..24 {
                prop_assert_eq!(moment.get(&[2, name]).unwrap(), expected.get(&[2, name]).unwrap());
            }
        }
        drop(moment);
        prop_assert!(Moment::of(&store).is_some());
    }
}

fn small() -> impl Strategy<Value = Vec<(u8, Option<u8>)>> {
    prop::collection::vec((0_u8..24, prop::option::of(any::<u8>())), 0..16)
}

fn batch(writes: &[(u8, Option<u8>)]) -> Batch {
    let mut batch = Batch::default();
    for (name, value) in writes {
        match value {
            Some(value) => batch.put(vec![2, *name], vec![*value]),
            None => batch.delete(vec![2, *name]),
        }
    }
    batch
}

fn write(engine: &dyn Engine, writes: &[(u8, Option<u8>)]) {
    engine.apply(&batch(writes)).unwrap();
}

fn all(engine: &dyn Engine) -> Pairs {
    engine.scan(&[0], &[0x70], usize::MAX).unwrap()
}
