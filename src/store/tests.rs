//! One contract for every engine.

use proptest::prelude::*;

use crate::store::engine::{Batch, Engine, StoreError};
use crate::store::entries::{Commit, Store};
use crate::store::memory::MemoryEngine;
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

/// Both engines, with a way to make each fail at its next write.
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
}
