use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::config::{self, Surroundings};
use crate::model::access::Audience;
use crate::model::document::Particulars;
use crate::model::entry::{Ground, Placement};
use crate::model::feed::FeedId;
use crate::model::source::Scope;
use crate::published::why::EntryAccount;
use crate::store::entries::{Commit, EntryWrite};
use crate::store::memory::MemoryEngine;

fn at(hours: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + chrono::TimeDelta::hours(hours)
}

/// An entry of the source `one`, in no feed but `all`.
fn entry(seq: u64) -> Entry {
    let id = PublicId([u8::try_from(seq).unwrap(); 16]);
    let sighting = Sighting {
        seq: Seq(seq + 1),
        source: Scope("one".into()),
        id,
        first_seen: at(5),
        sort_at: at(5),
        changed: None,
        guid: None,
        url: "https://one.example/1".parse().ok(),
        title: Some(format!("News {seq}")),
        published: None,
        authors: Vec::new(),
        categories: Vec::new(),
        enclosures: Vec::new(),
        language: None,
        particulars: Particulars::default(),
        text: None,
        ground: Ground::First,
        score: 1.0,
        evidence: String::new(),
        matched: None,
        keys: Vec::new(),
        fingerprint: [0; 16],
        reading: [0; 16],
    };
    let placements = vec![Placement { feed: FeedId::All, sort_at: at(5) }];
    Entry { seq: Seq(seq), id, first_seen: at(5), sightings: vec![sighting], placements, held: None }
}

fn store(entries: &[Entry]) -> Store {
    let store = Store::new(Box::new(MemoryEngine::default()));
    let write = |entry: &Entry| EntryWrite {
        entry: entry.clone(),
        is_new: true,
        new_id: None,
        new_keys: Vec::new(),
        dropped_keys: Vec::new(),
        text: None,
        dropped_text: None,
        joins: Vec::new(),
    };
    let commit = Commit { entries: entries.iter().map(write).collect(), ..Commit::default() };
    store.commit(&commit).unwrap();
    store
}

fn catalogue(feeds: &str, store: &Store) -> Catalogue {
    let around = Surroundings {
        variables: &BTreeMap::new(),
        folder: Path::new("/"),
        read_file: &|_| Err(std::io::Error::other("none")),
    };
    Catalogue::of_store(Arc::new(config::read(feeds, &around).unwrap()), store).unwrap()
}

fn told(feeds: &str, store: &Store, id: PublicId, feed: &str, nearest: &FindNearest<'_>) -> EntryAccount {
    let catalogue = catalogue(feeds, store);
    let known = Known { store, catalogue: &catalogue, now: at(9), nearest };
    let question = Question { asked: Asked::Id(id), feed: Some(feed.to_owned()), audience: Audience::Full };
    match explain(&known, &question).unwrap() {
        Account::Entry(account) => *account,
        other => panic!("{other:?}"),
    }
}

const ONE: &str = "[sources.one]\nurl = \"https://one.example/feed\"\n";

#[test]
fn what_is_held_back_says_so() {
    let mut held = entry(1);
    held.held = Some(at(6));
    held.placements.clear();
    let account = told(ONE, &store(&[held.clone()]), held.id, "all", &by_keys);
    let hidden = account.hidden.unwrap();
    assert!(
        hidden.starts_with("It is held back since 1970-01-01 06:00 UTC, with everything that one showed"),
        "{hidden}"
    );
    let verdict = account.feed.unwrap();
    assert_eq!((verdict.belongs, verdict.is_in_document, verdict.reasons), (false, false, vec![hidden]));
}

#[test]
fn an_entry_without_a_declared_source_is_kept_and_says_so() {
    let two = "[sources.two]\nurl = \"https://two.example/feed\"\n";
    let account = told(two, &store(&[entry(1)]), entry(1).id, "all", &by_keys);
    assert_eq!(
        account.hidden.as_deref(),
        Some("None of its sources is declared any more (one): it is kept, but not shown.")
    );
    assert!(!account.sightings[0].is_declared && !account.sightings[0].is_shown);
    assert!(!account.feed.unwrap().is_in_document);
}

#[test]
fn whoever_knows_more_says_what_is_near() {
    let near: &FindNearest<'_> = &|_, entry, sighting| {
        assert_eq!((entry.seq, sighting.seq), (Seq(1), Seq(2)));
        Ok(Some(Nearest { entry: Seq(5), sighting: Seq(6), score: 0.4, verdict: "two numbers differ".to_owned() }))
    };
    let account = told(ONE, &store(&[entry(1), entry(5)]), entry(1).id, "all", near);
    let nearest = account.nearest.unwrap();
    assert_eq!((nearest.entry.title.as_deref(), nearest.verdict.as_str()), (Some("News 5"), "two numbers differ"));
    assert_eq!(nearest.source, "one");
}

#[test]
fn feeds_are_named_as_people_name_them() {
    let store = store(&[]);
    let feeds = format!("{ONE}topics = [\"world\", \"one\"]\n");
    let catalogue = catalogue(&feeds, &store);
    let named = |name: &str| named(&catalogue, name).map(|feed| feed.to_string());
    for (name, expected) in [
        ("all", "all"),
        ("world", "topics/world"),
        ("topics/world", "topics/world"),
        // A topic comes before a source of the same name.
        ("one", "topics/one"),
        ("sources/one", "sources/one"),
    ] {
        assert_eq!(named(name).as_deref(), Ok(expected), "{name}");
    }
    for (name, near) in [("wrold", "world"), ("sources/world", "world"), ("", "all"), ("ALL", "all")] {
        let text = named(name).unwrap_err();
        assert!(text.starts_with(&format!("there is no feed `{name}`; did you mean `{near}`?")), "{text}");
    }
}
