//! Laws of archives: nothing that joined a feed is lost, nothing is listed twice, and what a page lists stays as it is.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::model::Timestamp;
use crate::model::document::Guid;
use crate::model::entry::{Entry, Ground, Placement, PublicId, Seq, Sighting};
use crate::model::source::{Scope, TopicKey};
use crate::store::entries::Commit;
use crate::store::memory::MemoryEngine;
use crate::store::portable::{Export, Import};
use crate::store::record::Counters;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_timestamp_millis(1_790_000_000_000 + millis).unwrap()
}

fn feeds() -> [FeedId; 3] {
    [FeedId::All, FeedId::Source(Scope("desk".into())), FeedId::Topic(TopicKey::new("world").unwrap())]
}

/// An entry whose place is not that of its coming: later ones may stand below earlier ones.
fn place(seq: u64) -> Place {
    Place { sort_at: at(i64::try_from(seq * 7_919 % 1_000).unwrap()), seq: Seq(seq) }
}

fn entry(seq: u64) -> Entry {
    let sighting = Sighting {
        seq: Seq(seq),
        source: Scope("desk".into()),
        id: PublicId(u128::from(seq).to_be_bytes()),
        first_seen: at(0),
        sort_at: place(seq).sort_at,
        changed: None,
        guid: Some(Guid { value: seq.to_string(), is_permalink: None }),
        url: None,
        title: None,
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
    let placement = |feed| Placement { feed, sort_at: place(seq).sort_at };
    Entry {
        seq: Seq(seq),
        id: sighting.id,
        first_seen: at(0),
        sightings: vec![sighting],
        placements: feeds().map(placement).into(),
        held: None,
    }
}

fn write(seq: u64, epochs: &[u32], is_new: bool) -> EntryWrite {
    let joins = feeds().into_iter().flat_map(|feed| {
        let of_feed = if matches!(feed, FeedId::Topic(_)) { epochs } else { &[0][..] };
        of_feed.iter().map(|epoch| (feed.clone(), *epoch, place(seq))).collect::<Vec<_>>()
    });
    EntryWrite {
        entry: entry(seq),
        is_new,
        new_id: None,
        new_keys: Vec::new(),
        dropped_keys: Vec::new(),
        text: None,
        dropped_text: None,
        joins: joins.collect(),
    }
}

fn commit(store: &Store, seqs: impl IntoIterator<Item = u64>, epochs: &[u32]) -> Result<(), StoreError> {
    let entries = seqs.into_iter().map(|seq| write(seq, epochs, true)).collect();
    store.commit(&Commit { entries, ..Commit::default() })
}

/// The closed pages, and what waits for the next one.
fn listed(store: &Store, feed: &FeedId, epoch: u32) -> (BTreeMap<u64, Vec<Place>>, Vec<Place>) {
    let pages = store.archive_pages(feed, epoch, None, usize::MAX).unwrap().into_iter().collect();
    (pages, store.open_part(feed, epoch).unwrap())
}

/// Every member is listed once, and pages are numbered without a gap.
fn check(store: &Store, feed: &FeedId, epoch: u32) -> (BTreeMap<u64, Vec<Place>>, Vec<Place>) {
    let (pages, open) = listed(store, feed, epoch);
    let all: Vec<Place> = pages.values().flatten().chain(&open).copied().collect();
    let once: BTreeSet<Place> = all.iter().copied().collect();
    assert_eq!(once.len(), all.len(), "a place is listed twice");
    for member in store.newest(feed, epoch, None, usize::MAX).unwrap() {
        assert!(once.contains(&member), "{member:?} is not listed");
    }
    assert!(open.len() < PAGE);
    assert!(pages.keys().copied().eq(1..=pages.len() as u64));
    (pages, open)
}

#[derive(Debug, Clone)]
enum Step {
    Commit(usize),
    Sync,
    /// Power goes: what was not synced is gone.
    Cut,
    /// The process is started anew.
    Reopen,
    /// A write fails, and the store recovers.
    Fail(usize),
    /// Entries that have joined are met again.
    Again,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_usize..260).prop_map(Step::Commit),
        2 => Just(Step::Sync),
        1 => Just(Step::Cut),
        1 => Just(Step::Reopen),
        1 => (1_usize..260).prop_map(Step::Fail),
        1 => Just(Step::Again),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_join_is_listed_once_and_pages_never_change(steps in prop::collection::vec(step(), 1..24)) {
        let engine = MemoryEngine::default();
        let mut store = Store::new(Box::new(engine.clone()));
        let (mut next, mut durable) = (1, BTreeMap::new());
        for step in steps {
            match step {
                Step::Commit(count) => {
                    commit(&store, next..next + count as u64, &[0]).unwrap();
                    next += count as u64;
                }
                Step::Sync => {
                    store.sync().unwrap();
                    durable = feeds().into_iter().map(|feed| (feed.clone(), listed(&store, &feed, 0).0)).collect();
                }
                Step::Cut => {
                    engine.forget_unsynced();
                    store = Store::new(Box::new(engine.clone()));
                }
                Step::Reopen => store = Store::new(Box::new(engine.clone())),
                Step::Fail(count) => {
                    engine.fail(true);
                    prop_assert!(commit(&store, next..next + count as u64, &[0]).is_err());
                    next += count as u64;
                    engine.fail(false);
                    store.recover().unwrap();
                }
                Step::Again => {
                    let entries = (1..next.min(300)).filter(|seq| store.entry(Seq(*seq)).unwrap().is_some());
                    let entries = entries.map(|seq| write(seq, &[0], false)).collect();
                    store.commit(&Commit { entries, ..Commit::default() }).unwrap();
                }
            }
            for feed in feeds() {
                let (pages, _) = check(&store, &feed, 0);
                prop_assert!(pages.values().all(|places| places.len() == PAGE));
                let kept: BTreeMap<u64, Vec<Place>> = durable.get(&feed).cloned().unwrap_or_default();
                for (number, places) in kept {
                    prop_assert_eq!(pages.get(&number), Some(&places));
                }
            }
        }
    }
}

#[test]
fn places_are_listed_in_the_order_of_joining() {
    let store = Store::new(Box::new(MemoryEngine::default()));
    for first in (1..=230).step_by(10) {
        commit(&store, first..first + 10, &[0]).unwrap();
    }
    let (pages, open) = check(&store, &FeedId::All, 0);
    let seqs = |places: &[Place]| places.iter().map(|place| place.seq.0).collect::<Vec<_>>();
    assert_eq!(seqs(&pages[&1]), (1..=100).collect::<Vec<_>>());
    assert_eq!(seqs(&pages[&2]), (101..=200).collect::<Vec<_>>());
    assert_eq!(seqs(&open), (201..=230).collect::<Vec<_>>());
}

#[test]
fn an_open_part_has_few_records_however_slowly_it_grows() {
    let store = Store::new(Box::new(MemoryEngine::default()));
    for seq in 1..=99 {
        commit(&store, [seq], &[0]).unwrap();
        let (from, to) = keys::archive_range(&FeedId::All, 0, Archived::Part, None);
        assert!(store.engine().scan(&from, &to, usize::MAX).unwrap().len() <= PARTS);
    }
    check(&store, &FeedId::All, 0);
}

#[test]
fn a_topic_that_is_worked_out_anew_has_pages_of_its_own_and_the_old_ones_go() {
    let store = Store::new(Box::new(MemoryEngine::default()));
    let [_, _, topic] = feeds();
    commit(&store, 1..=150, &[0]).unwrap();
    // What comes while it is worked out joins both; working out meets it again.
    commit(&store, 151..=180, &[0, 1]).unwrap();
    let build = |seqs: std::ops::RangeInclusive<u64>| {
        let writes =
            seqs.map(|seq| EntryWrite { joins: vec![(topic.clone(), 1, place(seq))], ..write(seq, &[], false) });
        Commit { entries: writes.collect(), is_silent: true, ..Commit::default() }
    };
    store.commit(&build(1..=120)).unwrap();
    store.commit(&build(121..=180)).unwrap();
    let (pages, open) = check(&store, &topic, 1);
    assert_eq!((pages.len(), open.len()), (1, 80));
    store.clear_epoch(&topic, 0).unwrap();
    assert_eq!(listed(&store, &topic, 0), (BTreeMap::new(), Vec::new()));
    check(&store, &topic, 1);
    let (from, to) = keys::archive_whole(&topic, 0);
    assert!(store.engine().scan(&from, &to, 1).unwrap().is_empty());
}

/// One entry leaves its place in all feeds, and another one has it.
fn rearrange(store: &Store, parts: &[u64], joins: &[u64]) {
    let all = |seqs: &[u64]| {
        let of = |seq: &u64| feeds().map(|feed| (feed, 0, place(*seq)));
        seqs.iter().flat_map(of).collect::<Vec<_>>()
    };
    let change = Rearrangement { parts: all(parts), joins: all(joins), ..Rearrangement::default() };
    store.rearrange(&change, &Counters::default()).unwrap();
}

#[test]
fn what_is_rearranged_joins_the_newest_closed_page_and_comes_back_where_it_was() {
    let store = Store::new(Box::new(MemoryEngine::default()));
    commit(&store, 1..=250, &[0]).unwrap();
    rearrange(&store, &[7], &[1_000]);
    let (pages, open) = check(&store, &FeedId::All, 0);
    assert_eq!((pages[&1].len(), pages[&2].len(), open.len()), (100, 101, 50));
    assert_eq!(pages[&2].last(), Some(&place(1_000)));
    rearrange(&store, &[1_000], &[7]);
    assert!(store.is_member(&FeedId::All, 0, place(7)).unwrap());
    assert_eq!(check(&store, &FeedId::All, 0).0, pages);
    rearrange(&store, &[7], &[1_000]);
    assert_eq!(check(&store, &FeedId::All, 0).0, pages);
    for some in (2_000..2_300).collect::<Vec<u64>>().chunks(50) {
        rearrange(&store, &[], some);
    }
    let (pages, open) = check(&store, &FeedId::All, 0);
    assert_eq!(pages.values().map(Vec::len).collect::<Vec<_>>(), [100, 200, 200, 1]);
    assert_eq!(open.len(), 50);
    commit(&store, 251..=300, &[0]).unwrap();
    assert_eq!(check(&store, &FeedId::All, 0).0[&5].len(), 100);
}

#[test]
fn a_feed_without_a_closed_page_takes_what_is_rearranged_as_what_joins() {
    let store = Store::new(Box::new(MemoryEngine::default()));
    commit(&store, 1..=10, &[0]).unwrap();
    rearrange(&store, &[3], &[500]);
    let (pages, open) = check(&store, &FeedId::All, 0);
    assert_eq!((pages.len(), open.len()), (0, 11));
}

/// A store as an earlier version wrote it.
fn earlier(entries: u64) -> (MemoryEngine, Store) {
    let engine = MemoryEngine::default();
    let store = Store::new(Box::new(engine.clone()));
    commit(&store, 1..=entries, &[0]).unwrap();
    for feed in feeds() {
        store.clear(&keys::archive_whole(&feed, 0)).unwrap();
    }
    store.archives().forget();
    (engine, store)
}

#[test]
fn a_store_of_an_earlier_version_gets_archives_the_oldest_places_first() {
    let (_, store) = earlier(2_345);
    assert_eq!(store.make_archives().unwrap(), Some(Made { feeds: 3, places: 3 * 2_345 }));
    for feed in feeds() {
        let (pages, open) = check(&store, &feed, 0);
        assert_eq!((pages.len(), open.len()), (23, 45));
        let all: Vec<Place> = pages.into_values().flatten().chain(open).collect();
        assert!(all.is_sorted());
    }
    assert_eq!(store.make_archives().unwrap(), None);
}

#[test]
fn making_archives_goes_on_where_it_was_interrupted() {
    let (engine, store) = earlier(1_500);
    // Of one feed all is done, of the next one a part; nothing says that the whole is.
    store.make_archive(&FeedId::All, 0).unwrap();
    let mut batch = Batch::default();
    let [_, source, _] = feeds();
    let oldest = store.engine().scan(&[keys::MEMBERSHIP, 2], &[keys::MEMBERSHIP, 3], 250).unwrap();
    let places: Vec<Place> = oldest.iter().filter_map(|(key, _)| keys::place(key)).collect();
    let joining = Joining { count: places.len(), feeds: vec![(&source, 0, places)] };
    store.archives().put(store.engine(), &mut batch, joining).unwrap();
    store.apply(&batch).unwrap();
    let store = Store::new(Box::new(engine));
    assert_eq!(store.make_archives().unwrap(), Some(Made { feeds: 2, places: 1_250 + 1_500 }));
    for feed in feeds() {
        assert_eq!(check(&store, &feed, 0).0.len(), 15);
    }
}

#[test]
fn an_export_carries_the_archives() {
    let store = Store::new(Box::new(MemoryEngine::default()));
    store.make_archives().unwrap();
    commit(&store, 1..=130, &[0]).unwrap();
    let mut text = Vec::new();
    let mut export = Export::begin(&store).unwrap();
    while let Some(lines) = export.step(&store).unwrap() {
        text.extend(lines);
    }
    let copy = Store::new(Box::new(MemoryEngine::default()));
    Import::open(text.as_slice()).unwrap().run(&copy, &mut |_| {}).unwrap();
    for feed in feeds() {
        assert_eq!(listed(&copy, &feed, 0), listed(&store, &feed, 0));
    }
    assert_eq!(copy.make_archives().unwrap(), None, "they are made already");
}
