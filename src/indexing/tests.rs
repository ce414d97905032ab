use std::fs;
use std::path::Path;

use super::*;
use crate::index::{Proposal, Words};
use crate::model::Timestamp;
use crate::model::entry::{Ground, Placement, PublicId, Sighting};
use crate::model::source::Scope;
use crate::store::entries::{Commit, EntryWrite};
use crate::store::memory::MemoryEngine;
use crate::store::record::TopicRecord;

fn store() -> Arc<Store> {
    Arc::new(Store::new(Box::new(MemoryEngine::default())))
}

/// Writes an entry with one sighting under a title.
fn write(store: &Store, seq: u64, title: &str, feeds: &[FeedId]) {
    let at = Timestamp::UNIX_EPOCH + chrono::TimeDelta::hours(i64::try_from(seq).unwrap());
    let id = PublicId([u8::try_from(seq % 256).unwrap(); 16]);
    let sighting = Sighting {
        seq: Seq(seq + 1),
        source: Scope("one".into()),
        id,
        first_seen: at,
        sort_at: at,
        changed: None,
        guid: None,
        url: None,
        title: Some(title.to_owned()),
        published: None,
        authors: Vec::new(),
        categories: Vec::new(),
        enclosures: Vec::new(),
        particulars: crate::model::document::Particulars::default(),
        language: None,
        text: None,
        ground: Ground::First,
        score: 1.0,
        evidence: String::new(),
        matched: None,
        keys: Vec::new(),
        fingerprint: [0; 16],
        reading: [0; 16],
    };
    let placements = feeds.iter().map(|feed| Placement { feed: feed.clone(), sort_at: at }).collect();
    let write = EntryWrite {
        entry: Entry { seq: Seq(seq), id, first_seen: at, sightings: vec![sighting], placements, held: None },
        is_new: false,
        new_id: None,
        new_keys: Vec::new(),
        dropped_keys: Vec::new(),
        text: None,
        dropped_text: None,
        joins: Vec::new(),
    };
    store.commit(&Commit { entries: vec![write], ..Commit::default() }).unwrap();
    store.sync().unwrap();
}

fn write_all(store: &Store, numbers: std::ops::Range<u64>) {
    numbers.for_each(|number| write(store, number * 10, &format!("news n{number}"), &[FeedId::All]));
}

/// The entries with a word in their titles, as the index has them, newest first.
fn found(index: &Index, word: &str, feed: &FeedId) -> Vec<u64> {
    let proposal = Proposal::Words { within: Words::Title, words: vec![word.to_owned()], is_prefix: false };
    let found = index.view().unwrap().newest(&proposal, feed, None, 10_000).unwrap();
    found.into_iter().map(|spot| spot.entry.0).collect()
}

fn open(store: &Arc<Store>, folder: &Path, mark: u128) -> (Arc<Index>, Follower) {
    let index = Arc::new(Index::open(folder, mark));
    let follower = Follower::new(Arc::clone(store), Arc::clone(&index), 0);
    (index, follower)
}

#[test]
fn it_is_filled_and_follows_what_is_written_changed_and_removed() {
    let (store, folder) = (store(), tempfile::tempdir().unwrap());
    write_all(&store, 1..200);
    let (index, mut follower) = open(&store, folder.path(), 7);
    let mut seen = Vec::new();
    follower.catch_up(&mut |progress| seen.push(progress)).unwrap();
    assert_eq!(found(&index, "news", &FeedId::All), (1..200).rev().map(|number| number * 10).collect::<Vec<_>>());
    assert_eq!(seen.last().map(|progress| progress.done), Some(199));
    write(&store, 50, "olds", &[FeedId::All]);
    // Of no feed: held back.
    write(&store, 60, "news", &[]);
    follower.catch_up(&mut |_| {}).unwrap();
    assert_eq!(found(&index, "olds", &FeedId::All), [50]);
    assert_eq!(found(&index, "n5", &FeedId::All), [0; 0]);
    assert_eq!(found(&index, "news", &FeedId::All).len(), 197);
}

#[test]
fn what_came_in_any_order_and_in_many_parts_is_found_newest_first() {
    let (store, folder) = (store(), tempfile::tempdir().unwrap());
    let (index, mut follower) = open(&store, folder.path(), 7);
    for number in 1..=100 {
        write(&store, (number * 37 % 101) * 10, "news", &[FeedId::All]);
        if number % 3 == 0 {
            // Each in a part of its own; parts are joined beside this.
            follower.catch_up(&mut |_| {}).unwrap();
        }
    }
    follower.catch_up(&mut |_| {}).unwrap();
    let newest_first: Vec<u64> = (1..=100).rev().map(|number| number * 10).collect();
    assert_eq!(found(&index, "news", &FeedId::All), newest_first);
    let view = index.view().unwrap();
    let (mut before, mut paged) = (None, Vec::new());
    loop {
        let page = view.newest(&Proposal::Anything, &FeedId::All, before, 7).unwrap();
        paged.extend(page.iter().map(|spot| spot.entry.0));
        before = page.last().copied();
        if page.len() < 7 {
            break;
        }
    }
    assert_eq!(paged, newest_first);
}

#[test]
fn after_a_crash_it_goes_on_from_its_last_commit() {
    let (store, folder) = (store(), tempfile::tempdir().unwrap());
    write_all(&store, 1..100);
    let (_, mut follower) = open(&store, folder.path(), 7);
    follower.catch_up(&mut |_| {}).unwrap();
    write_all(&store, 100..150);
    // Written and not committed.
    while follower.step().unwrap() == Next::More {}
    drop(follower);
    write_all(&store, 150..170);
    let (index, mut follower) = open(&store, folder.path(), 7);
    assert_eq!(found(&index, "news", &FeedId::All).len(), 99);
    assert_eq!(index.view().unwrap().standing().filled, None);
    follower.catch_up(&mut |_| {}).unwrap();
    assert_eq!(found(&index, "news", &FeedId::All).len(), 169);
}

#[test]
fn a_filling_that_was_interrupted_is_finished() {
    let (store, folder) = (store(), tempfile::tempdir().unwrap());
    write_all(&store, 1..300);
    let (index, mut follower) = open(&store, folder.path(), 7);
    (0..3).for_each(|_| assert_eq!(follower.step().unwrap(), Next::More));
    follower.commit().unwrap();
    let standing = index.view().unwrap().standing().clone();
    assert!(standing.filled.is_some_and(|seq| seq > Seq(0)), "{standing:?}");
    drop((index, follower));
    write(&store, 10, "olds", &[FeedId::All]);
    let (index, mut follower) = open(&store, folder.path(), 7);
    assert_eq!(*index.view().unwrap().standing(), standing);
    follower.catch_up(&mut |_| {}).unwrap();
    assert_eq!(found(&index, "news", &FeedId::All).len(), 298);
    assert_eq!(found(&index, "olds", &FeedId::All), [10]);
}

#[test]
fn an_index_of_another_store_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let other = store();
    write_all(&other, 1..20);
    open(&other, folder.path(), 7).1.catch_up(&mut |_| {}).unwrap();
    let store = store();
    write_all(&store, 50..55);
    let (index, mut follower) = open(&store, folder.path(), 8);
    assert!(index.view().is_none());
    follower.catch_up(&mut |_| {}).unwrap();
    assert_eq!(found(&index, "news", &FeedId::All), [540, 530, 520, 510, 500]);
}

#[test]
fn a_damaged_index_is_made_anew() {
    for damage in [0_usize, 1, 2] {
        let (store, folder) = (store(), tempfile::tempdir().unwrap());
        write_all(&store, 1..50);
        open(&store, folder.path(), 7).1.catch_up(&mut |_| {}).unwrap();
        for file in fs::read_dir(folder.path().join("index")).unwrap() {
            let path = file.unwrap().path();
            let mut bytes = fs::read(&path).unwrap();
            let is_data = path.extension().is_some_and(|ending| ["idx", "term", "fast"].iter().any(|it| ending == *it));
            match damage {
                0 if is_data => bytes.truncate(bytes.len() / 2),
                1 if is_data => bytes.iter_mut().take(20).for_each(|byte| *byte ^= 0x55),
                2 if path.ends_with("meta.json") => bytes = b"{}".to_vec(),
                _ => continue,
            }
            fs::write(&path, bytes).unwrap();
        }
        let (index, mut follower) = open(&store, folder.path(), 7);
        let mut failures = 0;
        while let Err(trouble) = follower.catch_up(&mut |_| {}) {
            follower.give_up(trouble);
            failures += 1;
            assert!(failures < 3, "damage {damage}: {:?}", index.trouble());
        }
        assert_eq!(found(&index, "news", &FeedId::All).len(), 49, "damage {damage}");
        assert_eq!(index.trouble(), None);
    }
}

#[test]
fn one_that_is_too_far_behind_the_journal_is_made_anew() {
    let (store, folder) = (store(), tempfile::tempdir().unwrap());
    write_all(&store, 1..5);
    open(&store, folder.path(), 7).1.catch_up(&mut |_| {}).unwrap();
    store.unfollow(FOLLOWER);
    write_all(&store, 5..2_200);
    (0..3).for_each(|_| store.trim_journal().unwrap());
    assert_eq!(store.changed_after(4, 1).unwrap(), None);
    let (index, mut follower) = open(&store, folder.path(), 7);
    follower.catch_up(&mut |_| {}).unwrap();
    assert_eq!(found(&index, "news", &FeedId::All).len(), 2_199);
}

#[test]
fn a_topic_that_is_worked_out_anew_is_followed() {
    let (store, folder) = (store(), tempfile::tempdir().unwrap());
    let key = TopicKey::new("world").unwrap();
    let topic = FeedId::Topic(key.clone());
    let define = |epoch| {
        store.define_topic(&key, &TopicRecord { epoch, query: Some("news".to_owned()), sources: Vec::new() }).unwrap();
    };
    define(0);
    write(&store, 10, "news", &[FeedId::All, topic.clone()]);
    write(&store, 20, "news", &[FeedId::All]);
    let (index, mut follower) = open(&store, folder.path(), 7);
    follower.catch_up(&mut |_| {}).unwrap();
    assert_eq!(found(&index, "news", &topic), [10]);
    // As a rebuilding does it: entries without a word in the journal, then the definition.
    let mut entries = store.entries_after(Seq(0), 10).unwrap();
    let moved = entries[0].placements.pop().unwrap();
    entries[1].placements.push(moved);
    for entry in entries {
        let write = EntryWrite {
            entry,
            is_new: false,
            new_id: None,
            new_keys: Vec::new(),
            dropped_keys: Vec::new(),
            text: None,
            dropped_text: None,
            joins: Vec::new(),
        };
        store.commit(&Commit { entries: vec![write], is_silent: true, ..Commit::default() }).unwrap();
    }
    define(1);
    store.sync().unwrap();
    follower.catch_up(&mut |_| {}).unwrap();
    assert_eq!(found(&index, "news", &topic), [20]);
    let current = store.topic(&key).unwrap().map(|record| definition(&record));
    assert_eq!(index.view().unwrap().standing().topics.get(&key).copied(), current);
}

#[tokio::test]
async fn the_loop_follows_and_makes_the_index_anew_when_it_is_asked() {
    let (store, folder) = (store(), tempfile::tempdir().unwrap());
    write_all(&store, 1..100);
    let (index, follower) = open(&store, folder.path(), 7);
    let (orders, ordered) = mpsc::channel(1);
    let stop = CancellationToken::new();
    let following = tokio::spawn(run(follower, ordered, stop.clone()));
    let (order, mut told) = mpsc::unbounded_channel();
    orders.send(order).await.unwrap();
    let mut last = Progress::default();
    while let Some(progress) = told.recv().await {
        last = progress;
    }
    assert_eq!(last, Progress { done: 99, whole: last.whole });
    assert_eq!(found(&index, "news", &FeedId::All).len(), 99);
    stop.cancel();
    following.await.unwrap();
}
