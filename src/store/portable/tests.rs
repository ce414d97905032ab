use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::model::Timestamp;
use crate::model::document::{About, Enclosure, Guid, Origin, Particulars, Person, RawHtml, Related, RelatedKind};
use crate::model::entry::{Entry, Ground, Key, KeyKind, Placement, PublicId, Seq, Sighting, TextName};
use crate::model::feed::FeedId;
use crate::model::source::{Scope, SourceKey, TopicKey, Validators};
use crate::schedule::Facts;
use crate::store::engine::Pairs;
use crate::store::entries::{Commit, EntryWrite};
use crate::store::keys::Place;
use crate::store::memory::MemoryEngine;
use crate::store::pages::PageText;
use crate::store::record::{Counters, RuleRecord, RulesRecord, TopicRecord};
use crate::store::source::{DocumentFacts, PollOutcome, SourceState};
use crate::store::tombstone::{Move, Tombstone};

fn at(millis: i64) -> Timestamp {
    Timestamp::from_timestamp_millis(millis).unwrap()
}

fn empty() -> Store {
    Store::new(Box::new(MemoryEngine::default()))
}

fn key(kind: KeyKind, number: u8) -> Key {
    Key { kind, hash: [number; 16] }
}

fn particulars() -> Particulars {
    let related = |kind| Related {
        kind,
        url: "https://example.org/b".parse().unwrap(),
        media_type: (kind == RelatedKind::Transcript).then(|| "text/vtt".to_owned()),
    };
    Particulars {
        related: RelatedKind::ALL.map(related).to_vec(),
        origin: Some(Origin {
            title: Some("Another".to_owned()),
            url: Some("https://another.example/".parse().unwrap()),
            feed: None,
            id: Some("tag:another.example,2026:feed".to_owned()),
            updated: Some(at(1_790_000_000_000)),
        }),
        duration: Some(std::time::Duration::from_secs(62)),
        episode: Some(7),
        season: Some(1),
        is_explicit: Some(false),
    }
}

fn about() -> About {
    About {
        id: Some("tag:example.org,2026:feed".to_owned()),
        description: Some("News".to_owned()),
        language: Some("en-GB".to_owned()),
        image: Some("https://example.org/logo.png".parse().unwrap()),
        rights: Some("© 2026".to_owned()),
        authors: vec![Person { name: "Desk".to_owned(), url: None }],
        categories: vec!["news".to_owned()],
    }
}

fn sighting(number: u8) -> Sighting {
    Sighting {
        seq: Seq(u64::from(number) + 1),
        source: Scope("bbc~2".into()),
        id: PublicId([number; 16]),
        first_seen: at(1_790_000_000_123),
        sort_at: at(-5),
        changed: Some(at(1_790_000_100_000)),
        guid: Some(Guid { value: "guid \u{1f600} \"quoted\"".to_owned(), is_permalink: Some(false) }),
        url: Some("https://example.org/a?b=c%20d".parse().unwrap()),
        title: Some("A title\nof two lines".to_owned()),
        published: Some(at(1_700_000_000_000)),
        authors: vec![Person { name: "Ann".to_owned(), url: Some("https://ann.example/".parse().unwrap()) }],
        categories: vec!["world".to_owned()],
        enclosures: vec![Enclosure {
            url: "https://example.org/a.mp3".parse().unwrap(),
            media_type: Some("audio/mpeg".to_owned()),
            length: Some(u64::MAX),
            title: None,
        }],
        language: Some("en".to_owned()),
        // Every other one carries nothing more, as in stores of earlier versions.
        particulars: if number.is_multiple_of(2) { particulars() } else { Particulars::default() },
        text: Some(TextName([number; 16])),
        ground: Ground::SameUrl,
        score: 0.87,
        evidence: "the same address".to_owned(),
        matched: None,
        keys: vec![key(KeyKind::Guid, number), key(KeyKind::Url, number), key(KeyKind::Content, number)],
        fingerprint: [number; 16],
        reading: [number; 16],
    }
}

fn write(number: u8) -> EntryWrite {
    let (seq, sighting) = (Seq(u64::from(number)), sighting(number));
    let feeds = [FeedId::All, FeedId::Source(Scope("bbc~2".into())), FeedId::Topic(TopicKey::new("world").unwrap())];
    EntryWrite {
        is_new: true,
        new_id: None,
        new_keys: sighting.keys.clone(),
        dropped_keys: Vec::new(),
        text: sighting.text.map(|hash| (hash, TextWriter::default().write(Some("<p>Short</p>"), None))),
        dropped_text: None,
        joins: feeds.iter().map(|feed| (feed.clone(), 0, Place { sort_at: at(-5), seq })).collect(),
        entry: Entry {
            seq,
            id: PublicId([number; 16]),
            first_seen: at(1_790_000_000_123),
            sightings: vec![sighting],
            placements: feeds.into_iter().map(|feed| Placement { feed, sort_at: at(-5) }).collect(),
            held: (number == 9).then(|| at(1_790_000_000_456)),
        },
    }
}

/// A store with every kind of record.
fn filled() -> Store {
    let store = empty();
    store.scopes(&[(SourceKey::new("bbc").unwrap(), Vec::new())]).unwrap();
    let facts = Facts { last_success: Some(at(1_790_000_000_000)), failures: 3, ..Facts::default() };
    let state = SourceState {
        facts,
        location: "https://example.org/feed".to_owned(),
        validators: Validators {
            url: None,
            etag: Some(b"\"\xff\xfe\"".to_vec()),
            last_modified: Some(b"Sun, 01 Nov 2026 08:00:00 GMT".to_vec()),
        },
        named: Some(url::Url::parse("https://example.org/feed.xml").unwrap()),
        notes: vec!["odd".to_owned()],
        entries: 40,
        about: about(),
        document: Some(DocumentFacts { at: at(1_790_000_000_000), entries: 40, oldest: Some(at(1_780_000_000_000)) }),
        ..SourceState::default()
    };
    let mut state = state;
    for outcome in PollOutcome::ALL {
        state.note(at(1_790_000_000_000), outcome, (outcome == PollOutcome::Failed).then_some("no answer"));
    }
    state.note_fresh(at(1_790_000_000_000), [1, 2, 3]);
    let scope = Scope("bbc~2".into());
    let commit = Commit {
        entries: (1..=40).map(write).collect(),
        counters: Some(Counters { next: 90, entries: 40, sightings: 40 }),
        sources: vec![(scope.clone(), Arc::new(state))],
        last_document: Some((scope.clone(), Arc::new(vec![[7; 16], [8; 16]]))),
        moved: Some((
            scope,
            vec![
                Move::Left { seq: Seq(3), at: at(1_790_000_000_000) },
                Move::Buried {
                    name: [9; 16],
                    tombstone: Tombstone { since: at(5), id: PublicId([3; 16]) },
                    at: at(1_790_000_000_001),
                },
            ],
        )),
        ..Commit::default()
    };
    store.commit(&commit).unwrap();
    let page = PageText {
        url: "https://pages.example/7".parse().unwrap(),
        at: at(1_790_000_000_002),
        html: RawHtml("<p>Längerer Text</p>".repeat(1_000)),
    };
    store.put_page(Seq(7), record::write_page(&page)).unwrap();
    assert_eq!(store.page(Seq(7)).unwrap(), Some(page));
    assert_eq!(store.page_mark(Seq(7)).unwrap().unwrap().at, at(1_790_000_000_002));
    let topic = TopicRecord { epoch: 3, query: Some("a OR b".to_owned()), sources: vec!["bbc~2".to_owned()] };
    store.define_topic(&TopicKey::new("world").unwrap(), &topic).unwrap();
    let rule = |is_apart| RuleRecord { is_apart, urls: vec!["https://a.example/1".to_owned()], query: None };
    let queried = RuleRecord { is_apart: true, urls: Vec::new(), query: Some("source:bbc".to_owned()) };
    store.put_rules(&RulesRecord { applied: vec![rule(true), queried], begun: vec![rule(false)] }).unwrap();
    put_unknown(&store);
    store
}

fn put_unknown(store: &Store) {
    let mut batch = Batch::default();
    batch.put(keys::FORMAT.to_vec(), vec![1]);
    // What a later version may have put there.
    batch.put(vec![0x6a, 1, 2], vec![0xff, 0]);
    batch.put(b"\x01later".to_vec(), b"x".to_vec());
    batch.put([&[keys::KEY, 9], &[0; 24][..]].concat(), Vec::new());
    store.apply(&batch).unwrap();
}

fn contents(store: &Store) -> Pairs {
    let pairs = store.engine().scan(&[0], END, usize::MAX).unwrap();
    pairs.into_iter().filter(|(key, _)| key != keys::FORMAT && key[0] != keys::JOURNAL).collect()
}

fn exported(store: &Store) -> Vec<u8> {
    let mut export = Export::begin(store).unwrap();
    let mut bytes = Vec::new();
    while let Some(lines) = export.step(store).unwrap() {
        bytes.extend(lines);
    }
    bytes
}

fn imported(bytes: &[u8]) -> Result<Store, ImportError> {
    let store = empty();
    Import::open(bytes)?.run(&store, &mut |_| {})?;
    Ok(store)
}

/// Why a text cannot be imported.
fn check_refused(bytes: &[u8], expected: &str) {
    let told = imported(bytes).err().expect("this is refused").to_string();
    assert!(told.contains(expected), "{told}");
}

#[test]
fn a_store_comes_back_record_by_record_and_its_export_byte_by_byte() {
    let store = filled();
    let bytes = exported(&store);
    let back = imported(&bytes).unwrap();
    assert_eq!(contents(&back), contents(&store));
    assert_eq!(exported(&back), bytes);
}

#[test]
fn an_empty_store_has_an_export_too() {
    let bytes = exported(&empty());
    assert_eq!(bytes.split(|byte| *byte == b'\n').count(), 3);
    assert_eq!(contents(&imported(&bytes).unwrap()), Pairs::new());
}

#[test]
fn lines_are_for_people_too() {
    let text = String::from_utf8(exported(&filled())).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("{\"kind\":\"feedmill_export\",\"format\":1,"), "{}", lines[0]);
    let entry = lines.iter().find(|line| is_entry(line.as_bytes())).unwrap();
    for part in [
        "\"id\":\"urn:uuid:01010101-0101-0101-0101-010101010101\"",
        "\"first_seen\":\"2026-09-21T14:13:20.123Z\"",
        "\"feed\":\"topic:world\"",
        "\"ground\":\"same-url\"",
        "\"score\":0.87",
    ] {
        assert!(entry.contains(part), "{part}: {entry}");
    }
    for kind in ["left", "leaving", "tombstone", "fading", "rules"] {
        assert_eq!(text.matches(&format!("\"kind\":\"{kind}\"")).count(), 1, "{kind}");
    }
    assert!(text.contains("\"summary\":\"<p>Short</p>\""));
    assert!(text.contains("{\"kind\":\"other\",\"key\":\"6a0102\",\"value\":\"ff00\"}"));
    assert!(is_end([lines.last().unwrap(), "\n"].concat().as_bytes()));
}

#[test]
fn a_file_that_was_cut_anywhere_is_refused_and_its_store_stays_incomplete() {
    let bytes = exported(&filled());
    for end in (1..bytes.len()).step_by(1_009).chain([bytes.len() - 1]) {
        let store = empty();
        let Ok(import) = Import::open(&bytes[..end]) else { continue };
        let told = import.run(&store, &mut |_| {}).unwrap_err().to_string();
        assert!(told.contains("cut off") && told.contains("line "), "{told}");
        assert!(store.engine().get(keys::IMPORTING).unwrap().is_some());
    }
}

#[test]
fn mistakes_are_told_with_their_line() {
    let text = String::from_utf8(exported(&filled())).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    check_refused(b"", "this is no export");
    check_refused(b"{\"version\":1}\n", "missing field `kind`");
    check_refused(b"<rss/>\n", "this is no export");
    check_refused(lines[0].replace("\"format\":1", "\"format\":9").as_bytes(), "format 9");
    check_refused(text.replacen("A title", "B title", 1).as_bytes(), "its digest is another");
    check_refused([&lines[..5], &lines[6..]].concat().concat().as_bytes(), "lines are missing");
    check_refused([&text, lines[1]].concat().as_bytes(), "goes on after its end");
    check_refused(
        text.replacen("\"ground\":\"same-url\"", "\"ground\":\"taste\"", 1).as_bytes(),
        "`taste` is no ground",
    );
    check_refused(text.replacen("\"title\":", "\"tilte\":", 1).as_bytes(), "unknown field `tilte`");
    let numbered = text.replacen("{\"kind\":\"text\"", "{\"kind\":\"poem\"", 1);
    let place = lines.iter().position(|line| line.contains("\"kind\":\"text\"")).unwrap() + 1;
    check_refused(numbered.as_bytes(), &format!("line {place}: "));
    let own = "{\"kind\":\"other\",\"key\":\"01666f726d6174\",\"value\":\"09\"}\n";
    check_refused([lines[0], own].concat().as_bytes(), "cannot come from outside");
}

#[test]
fn an_import_needs_an_empty_store() {
    let bytes = exported(&filled());
    let store = filled();
    let before = contents(&store);
    let refused = Import::open(&bytes[..]).unwrap().run(&store, &mut |_| {}).unwrap_err();
    assert!(matches!(refused, ImportError::NotEmpty), "{refused}");
    assert_eq!(contents(&store), before);
}

#[test]
fn names_without_entries_give_way() {
    let store = empty();
    store.scopes(&[(SourceKey::new("other").unwrap(), Vec::new())]).unwrap();
    let bytes = exported(&filled());
    Import::open(&bytes[..]).unwrap().run(&store, &mut |_| {}).unwrap();
    assert_eq!(exported(&store), bytes);
}

#[test]
fn there_is_one_export_at_a_time() {
    let store = filled();
    let first = Export::begin(&store).unwrap();
    assert!(Export::begin(&store).is_err());
    drop(first);
    assert!(Export::begin(&store).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_record_is_called_it_is_not_lost(
        pairs in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..40), prop::collection::vec(any::<u8>(), 0..9)), 0..8),
        kind in 0x10_u8..0x70,
    ) {
        let store = empty();
        let mut batch = Batch::default();
        for (key, value) in pairs {
            batch.put([&[kind], key.as_slice()].concat(), value);
        }
        // Keys and memberships of odd shapes.
        batch.put([&[keys::MEMBERSHIP], &[kind; 30][..]].concat(), Vec::new());
        batch.put([&[keys::KEY], &[kind; 25][..]].concat(), vec![kind]);
        store.apply(&batch).unwrap();
        let bytes = exported(&store);
        let back = imported(&bytes).unwrap();
        prop_assert_eq!(contents(&back), contents(&store));
    }

    #[test]
    fn every_time_and_every_score_comes_back(millis in -90_000_000_000_000_i64..300_000_000_000_000, score in 0.0_f32..=1.0) {
        let mut write = write(1);
        write.entry.sightings[0].published = Some(at(millis));
        write.entry.sightings[0].score = score;
        let store = empty();
        store.commit(&Commit { entries: vec![write], ..Commit::default() }).unwrap();
        let back = imported(&exported(&store)).unwrap();
        prop_assert_eq!(contents(&back), contents(&store));
    }
}
