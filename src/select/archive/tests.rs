use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use chrono::TimeDelta;

use super::*;
use crate::config::{self, Surroundings};
use crate::model::Timestamp;
use crate::model::document::Guid;
use crate::model::entry::{Entry, Ground, Placement, PublicId, Seq, Sighting};
use crate::model::feed::{FeedId, FeedName, Format};
use crate::model::source::{Scope, TopicKey};
use crate::published::request::FeedRequest;
use crate::select::catalogue::Catalogue;
use crate::store::entries::{Commit, EntryWrite, Store};
use crate::store::memory::MemoryEngine;
use crate::store::rearrange::Rearrangement;
use crate::store::record::{Counters, TopicRecord};

const FEEDS: &str = "[topics.world]\nper_source = 20\nmax_age = \"10d\"\n\
                     [sources.one]\nurl = \"https://one.example/\"\ntopics = [\"world\"]\n\
                     [sources.two]\nurl = \"https://two.example/\"\ntopics = [\"world\"]\n";

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_timestamp(1_793_527_200 + minutes * 60, 0).unwrap()
}

fn topic() -> FeedId {
    FeedId::Topic(TopicKey::new("world").unwrap())
}

/// An entry of a source, placed at a minute.
fn write(seq: u64, source: &str, minutes: i64) -> EntryWrite {
    let sort_at = at(minutes);
    let feeds = [FeedId::All, FeedId::Source(Scope(source.into())), topic()];
    let sighting = Sighting {
        seq: Seq(seq),
        source: Scope(source.into()),
        id: PublicId(u128::from(seq).to_be_bytes()),
        first_seen: sort_at,
        sort_at,
        changed: None,
        guid: Some(Guid { value: seq.to_string(), is_permalink: None }),
        url: None,
        title: Some(seq.to_string()),
        published: Some(sort_at),
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
    let place = Place { sort_at, seq: Seq(seq) };
    let placements = feeds.iter().map(|feed| Placement { feed: feed.clone(), sort_at }).collect();
    let entry = Entry {
        seq: Seq(seq),
        id: sighting.id,
        first_seen: sort_at,
        sightings: vec![sighting],
        placements,
        held: None,
    };
    EntryWrite {
        entry,
        is_new: true,
        new_id: None,
        new_keys: Vec::new(),
        dropped_keys: Vec::new(),
        text: None,
        dropped_text: None,
        joins: feeds.into_iter().map(|feed| (feed, 0, place)).collect(),
    }
}

struct World {
    store: Store,
    catalogue: Catalogue,
    next: u64,
}

impl World {
    fn new() -> Self {
        let around = Surroundings {
            variables: &BTreeMap::new(),
            folder: Path::new("/"),
            read_file: &|_| Err(std::io::Error::other("none")),
        };
        let store = Store::new(Box::new(MemoryEngine::default()));
        let catalogue = Catalogue::of_store(Arc::new(config::read(FEEDS, &around).unwrap()), &store).unwrap();
        Self { store, catalogue, next: 1 }
    }

    /// So many entries of a source join, each a minute after the one before.
    fn join(&mut self, source: &str, count: u64, minutes: i64) {
        let seqs = self.next..self.next + count;
        let entries = seqs.zip(minutes..).map(|(seq, minutes)| write(seq, source, minutes)).collect();
        self.store.commit(&Commit { entries, ..Commit::default() }).unwrap();
        self.next += count;
    }

    fn select(&self, request: &FeedRequest) -> Result<Selection, SelectError> {
        page::select(&self.store, &self.catalogue, request, at(0) + TimeDelta::days(30))
    }

    fn archive(&self, feed: FeedName, epoch: u32, number: u64) -> Result<Selection, SelectError> {
        self.select(&FeedRequest::archive(feed, Format::Atom, ArchivePage { epoch, number }))
    }

    /// Takes entries out of all feeds, as retention does.
    fn remove(&self, seqs: std::ops::RangeInclusive<u64>) {
        for seq in seqs {
            let entry = self.store.entry(Seq(seq)).unwrap().unwrap();
            let place = |it: &Placement| (it.feed.clone(), 0, Place { sort_at: it.sort_at, seq: Seq(seq) });
            let parts = entry.placements.iter().map(place).collect();
            let change = Rearrangement { before: vec![entry], parts, ..Rearrangement::default() };
            self.store.rearrange(&change, &Counters::default()).unwrap();
        }
    }
}

fn seqs(selection: &Selection) -> Vec<u64> {
    selection.entries.iter().map(|entry| entry.title.as_ref().unwrap().parse().unwrap()).collect()
}

fn all() -> FeedRequest {
    FeedRequest::plain(FeedName::All, Format::Atom)
}

#[test]
fn the_current_document_also_holds_what_no_closed_page_does() {
    let mut world = World::new();
    world.join("one", 250, 1_000);
    // Dated back, so that it stands below everything else.
    world.join("two", 30, 0);
    let current = world.select(&all()).unwrap();
    let expected: Vec<u64> = (151..=250).rev().chain((251..=280).rev()).collect();
    assert_eq!(seqs(&current), expected);
    assert_eq!(current.archives.previous, Some(ArchivePage { epoch: 0, number: 2 }));
    // A reader who asks for something else gets that alone, and no archive.
    let limited = world.select(&FeedRequest { limit: Some(100), ..all() }).unwrap();
    assert_eq!(seqs(&limited), (151..=250).rev().collect::<Vec<_>>());
    assert_eq!(limited.archives, Beside::default());
    // The next page goes on where the newest hundred end.
    let next = world.select(&FeedRequest { before: current.next, ..all() }).unwrap();
    assert_eq!(seqs(&next)[0], 150);
}

#[test]
fn a_page_lists_a_hundred_in_the_feeds_own_order_and_leads_both_ways() {
    let mut world = World::new();
    world.join("one", 60, 1_000);
    world.join("two", 200, 0);
    let page = world.archive(FeedName::All, 0, 1).unwrap();
    assert_eq!(seqs(&page), (1..=60).rev().chain((61..=100).rev()).collect::<Vec<_>>());
    assert_eq!((page.archives.previous, page.archives.next.map(|next| next.number)), (None, Some(2)));
    let page = world.archive(FeedName::All, 0, 2).unwrap();
    assert_eq!((page.archives.previous.map(|page| page.number), page.archives.next), (Some(1), None));
}

#[test]
fn the_limits_of_a_topics_current_document_do_not_hold_for_its_archive() {
    let mut world = World::new();
    world.join("one", 90, 0);
    world.join("two", 10, 100);
    // Of these, thirty days later, the youngest are within `max_age`.
    world.join("one", 40, 25 * 24 * 60);
    let name = FeedName::Topic(TopicKey::new("world").unwrap());
    let current = world.select(&FeedRequest::plain(name.clone(), Format::Atom)).unwrap();
    assert_eq!(seqs(&current), (121..=140).rev().collect::<Vec<_>>());
    assert_eq!(seqs(&world.archive(name, 0, 1).unwrap()).len(), 100);
}

#[test]
fn what_is_removed_is_skipped_and_an_empty_page_is_gone() {
    let mut world = World::new();
    world.join("one", 420, 0);
    world.remove(101..=199);
    let page = world.archive(FeedName::All, 0, 2).unwrap();
    assert_eq!(seqs(&page), [200]);
    world.remove(200..=200);
    assert!(matches!(world.archive(FeedName::All, 0, 2), Err(SelectError::Gone(_))));
    let around = |number| world.archive(FeedName::All, 0, number).unwrap().archives;
    assert_eq!(around(3).previous, Some(ArchivePage { epoch: 0, number: 1 }));
    assert_eq!(around(1).next, Some(ArchivePage { epoch: 0, number: 3 }));
    world.remove(1..=100);
    assert_eq!(world.archive(FeedName::All, 0, 3).unwrap().archives.previous, None);
    world.remove(301..=400);
    let current = world.select(&all()).unwrap();
    assert_eq!(current.archives.previous, Some(ArchivePage { epoch: 0, number: 3 }));
}

#[test]
fn addresses_of_pages_that_are_not_there_say_why() {
    let mut world = World::new();
    world.join("one", 150, 0);
    let key = TopicKey::new("world").unwrap();
    let name = FeedName::Topic(key.clone());
    let anew = TopicRecord { epoch: 1, query: None, sources: vec!["one".to_owned()] };
    world.store.define_topic(&key, &anew).unwrap();
    for (feed, epoch, number, is_gone) in
        [(name.clone(), 0, 1, true), (name.clone(), 1, 1, false), (name, 2, 1, false), (FeedName::All, 0, 2, false)]
    {
        match world.archive(feed.clone(), epoch, number) {
            Err(SelectError::Gone(text)) if is_gone => assert!(text.contains("/topics/world.atom"), "{text}"),
            Err(SelectError::Missing(text)) if !is_gone => assert!(text.contains(&feed.to_string()), "{text}"),
            other => panic!("{feed} {epoch} {number}: {other:?}"),
        }
    }
}

#[test]
fn every_entry_is_in_the_current_document_or_in_a_page_however_they_are_placed() {
    let mut world = World::new();
    let mut expected = BTreeSet::new();
    for round in 0..40_i64 {
        world.join("one", 13, round * 7_919 % 500);
        world.join("two", 9, 500 - round * 31 % 300);
        expected.extend(1..world.next);
        let current = world.select(&all()).unwrap();
        let mut found: BTreeSet<u64> = seqs(&current).into_iter().collect();
        let mut page = current.archives.previous;
        while let Some(ArchivePage { epoch, number }) = page {
            let archive = world.archive(FeedName::All, epoch, number).unwrap();
            found.extend(seqs(&archive));
            page = archive.archives.previous;
        }
        assert_eq!(found, expected, "{round}");
    }
}
