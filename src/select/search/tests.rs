use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::config::{self, Surroundings};
use crate::indexing::Follower;
use crate::model::document::{Enclosure, Person};
use crate::model::entry::{Entry, Ground, Placement, PublicId, Sighting, TextDigest, TextName};
use crate::model::feed::Format;
use crate::model::source::SourceKey;
use crate::published::request::FeedRequest;
use crate::store::entries::{Commit, EntryWrite};
use crate::store::memory::MemoryEngine;
use crate::store::record::TextWriter;

const FEEDS: &str = r#"
[topics.north]
[topics.ice]
match = "ice"
[sources.one]
url = "https://one.example/feed"
topics = ["north"]
[sources.two]
url = "https://two.example/feed"
topics = ["north", "ice"]
[sources.three]
url = "https://three.example/feed"
"#;

const SOURCES: [&str; 4] = ["one", "two", "three", "gone"];
const TEXTS: [&str; 10] = [
    "Ice on the river",
    "the RIVER ice breaks",
    "Zürich straße iced",
    "<p>on the <b>ice</b>, don’t fall</p>",
    "日本語 ice 本日",
    "riverside",
    "",
    "on the<br>river",
    "ice",
    "summer news of the day",
];
const QUERIES: [&str; 22] = [
    "ice",
    "ice river",
    "\"on the\"",
    "\"the river\" -summer",
    "riv*",
    "\"the ri\"*",
    "title:ice OR author:desk",
    "author:\"ann desk\"",
    "日本",
    "\"本日\"",
    "zurich OR strasse",
    "category:world",
    "category:\"World News\" ice",
    "lang:en",
    "lang:en-gb ice",
    "has:enclosure",
    "source:two the",
    "topic:north ice",
    "after:1970-01-02 the",
    "before:1970-01-02 (ice OR river)",
    "-ice",
    "nothing",
];

/// What an entry is made of: small numbers that choose from the lists above.
#[derive(Debug, Clone)]
struct Made {
    sort_at: i64,
    sightings: Vec<(usize, usize, usize, u8)>,
}

fn made() -> impl Strategy<Value = Made> {
    let sighting = (0..SOURCES.len(), 0..TEXTS.len(), 0..TEXTS.len(), any::<u8>());
    (-20..60_i64, prop::collection::vec(sighting, 1..3)).prop_map(|(sort_at, sightings)| Made { sort_at, sightings })
}

fn at(hours: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + chrono::TimeDelta::hours(hours)
}

fn sighting(number: u64, sort_at: i64, (source, title, text, more): (usize, usize, usize, u8)) -> (Sighting, Vec<u8>) {
    let has = |bit: u8| more & (1 << bit) != 0;
    let seq = Seq(number);
    let author = Person { name: "Ann Desk".to_owned(), url: None };
    let enclosure =
        Enclosure { url: "https://one.example/a.mp3".parse().unwrap(), media_type: None, length: None, title: None };
    let texts = TextWriter::default().write(has(0).then_some(TEXTS[title]), Some(TEXTS[text]));
    let sighting = Sighting {
        seq,
        source: Scope(SOURCES[source].into()),
        id: PublicId([u8::try_from(number % 256).unwrap(); 16]),
        first_seen: at(sort_at),
        sort_at: at(sort_at),
        changed: None,
        guid: None,
        url: None,
        title: has(1).then(|| TEXTS[title].to_owned()),
        published: has(2).then(|| at(sort_at / 2)),
        authors: has(3).then_some(author).into_iter().collect(),
        categories: has(4)
            .then(|| " World news".to_owned())
            .into_iter()
            .chain(has(5).then(|| "WORLD".to_owned()))
            .collect(),
        enclosures: has(6).then_some(enclosure).into_iter().collect(),
        particulars: crate::model::document::Particulars::default(),
        language: has(7).then(|| if has(0) { "en_GB" } else { "en" }.to_owned()),
        text: Some(TextName::new(seq, TextDigest([1; 8]))),
        ground: Ground::First,
        score: 1.0,
        evidence: String::new(),
        matched: None,
        keys: Vec::new(),
        fingerprint: [0; 16],
        reading: [0; 16],
    };
    (sighting, texts)
}

/// A store under [`FEEDS`] with one generation of each topic.
struct Mill {
    store: Arc<Store>,
    catalogue: Catalogue,
}

impl Mill {
    fn new() -> Self {
        let store = Arc::new(Store::new(Box::new(MemoryEngine::default())));
        let around = Surroundings {
            variables: &BTreeMap::new(),
            folder: Path::new("/"),
            read_file: &|_| Err(std::io::Error::other("none")),
        };
        let config = Arc::new(config::read(FEEDS, &around).unwrap());
        let catalogue = Catalogue::of_store(Arc::clone(&config), &store).unwrap();
        for topic in &config.topics {
            store.define_topic(&topic.key, &catalogue.definition(topic, 1)).unwrap();
        }
        Self { store, catalogue }
    }

    /// Writes an entry under a number, in `all`, in its sources and in `north`.
    fn write(&self, number: u64, made: &Made) {
        let seq = Seq(number * 10);
        let sightings = made.sightings.iter().zip(0_u32..);
        let sightings: Vec<_> = sightings
            .map(|(it, index)| sighting(seq.0 + 1 + u64::from(index), made.sort_at + i64::from(index), *it))
            .collect();
        let mut placements = vec![Placement { feed: FeedId::All, sort_at: at(made.sort_at) }];
        for (sighting, _) in &sightings {
            let mut feeds = vec![FeedId::Source(sighting.source.clone())];
            if ["one", "two"].contains(&sighting.source.as_str()) {
                feeds.push(FeedId::Topic(TopicKey::new("north").unwrap()));
            }
            for feed in feeds {
                if !placements.iter().any(|placement| placement.feed == feed) {
                    placements.push(Placement { feed, sort_at: sighting.sort_at });
                }
            }
        }
        let texts: Vec<_> = sightings.iter().map(|(it, text)| (it.text.unwrap(), text.clone())).collect();
        let entry = Entry {
            seq,
            id: sightings[0].0.id,
            first_seen: at(made.sort_at),
            sightings: sightings.into_iter().map(|(sighting, _)| sighting).collect(),
            placements,
            held: None,
        };
        let epoch = |feed: &FeedId| u32::from(matches!(feed, FeedId::Topic(_)));
        let joins =
            entry.placements.iter().map(|it| (it.feed.clone(), epoch(&it.feed), Place { sort_at: it.sort_at, seq }));
        let joins = joins.collect::<Vec<_>>();
        for (index, text) in texts.into_iter().enumerate() {
            let write = EntryWrite {
                entry: entry.clone(),
                is_new: false,
                new_id: None,
                new_keys: Vec::new(),
                dropped_keys: Vec::new(),
                text: Some(text),
                dropped_text: None,
                joins: if index == 0 { joins.clone() } else { Vec::new() },
            };
            self.store.commit(&Commit { entries: vec![write], ..Commit::default() }).unwrap();
        }
        self.store.sync().unwrap();
    }

    fn follower(&self, index: &Arc<Index>) -> Follower {
        let mut follower = Follower::new(Arc::clone(&self.store), Arc::clone(index), 0);
        follower.begin_anew().unwrap();
        follower
    }

    fn is_helped(&self, index: &Index, request: &FeedRequest) -> bool {
        let view = index.view().unwrap();
        let mut is_helped = false;
        page::select_from(&self.store, &self.catalogue, request, at(100), &mut |filter, feed, epoch, before| {
            let feed = feed.clone();
            let asked = Asked { store: &self.store, catalogue: &self.catalogue, view: &view, feed, epoch };
            is_helped = Candidates::of(asked, filter, before)?.is_some();
            Ok(Vec::new())
        })
        .unwrap();
        is_helped
    }

    /// Every page of a request, and how many of them the index gave.
    fn pages(&self, index: Option<&Index>, mut request: FeedRequest) -> (Vec<Selection>, usize) {
        let (mut pages, mut helped) = (Vec::new(), 0);
        loop {
            let page = select(&self.store, index, &self.catalogue, &request, at(100)).unwrap();
            helped += usize::from(index.is_some_and(|index| self.is_helped(index, &request)));
            let next = page.next;
            pages.push(page);
            if next.is_none() {
                return (pages, helped);
            }
            request.before = next;
        }
    }

    fn check(&self, index: &Index, request: &FeedRequest) -> usize {
        let (expected, _) = self.pages(None, request.clone());
        let (found, helped) = self.pages(Some(index), request.clone());
        let ids = |pages: &[Selection]| -> Vec<Vec<u8>> {
            pages.iter().map(|page| page.entries.iter().map(|entry| entry.id.0[0]).collect()).collect()
        };
        assert_eq!(ids(&found), ids(&expected), "{:?} {:?}", request.feed, request.query);
        assert!(
            found == expected,
            "{:?} {:?}: the pages differ in more than their entries",
            request.feed,
            request.query
        );
        helped
    }
}

/// An entry never moves and keeps its sources, but may say something else.
fn changed(early: Option<&Made>, made: Made) -> Made {
    let Some(early) = early else { return made };
    let mut changed = early.clone();
    for (sighting, other) in changed.sightings.iter_mut().zip(&made.sightings) {
        *sighting = (sighting.0, other.1, other.2, other.3);
    }
    changed
}

fn request(feed: &str, query: &str, limit: usize) -> FeedRequest {
    let feed = match feed {
        "all" => crate::model::feed::FeedName::All,
        "north" => crate::model::feed::FeedName::Topic(TopicKey::new("north").unwrap()),
        source => crate::model::feed::FeedName::Source(SourceKey::new(source).unwrap()),
    };
    FeedRequest { query: Some(query.to_owned()), limit: Some(limit), ..FeedRequest::plain(feed, Format::Atom) }
}

#[test]
fn searches_run_on_the_index() {
    let mill = Mill::new();
    for number in 1..20 {
        mill.write(number, &Made { sort_at: 1, sightings: vec![(0, 0, 1, 255), (1, 1, 8, 0)] });
    }
    let index = Arc::new(Index::in_memory());
    mill.follower(&index).catch_up(&mut |_| {}).unwrap();
    for feed in ["all", "north", "one"] {
        assert_eq!(mill.check(&index, &request(feed, "ice river", 5)), 4, "{feed}");
    }
    assert_eq!(mill.check(&index, &request("all", "-ice", 5)), 0);
    let plain = FeedRequest { query: None, source: SourceKey::new("two").ok(), ..request("all", "", 7) };
    assert_eq!(mill.check(&index, &plain), 3);
}

#[test]
fn what_the_index_has_not_seen_is_found() {
    let mill = Mill::new();
    let ice = |sort_at| Made { sort_at, sightings: vec![(0, 0, 0, 255)] };
    let index = Arc::new(Index::in_memory());
    mill.write(1, &ice(5));
    let mut follower = mill.follower(&index);
    follower.catch_up(&mut |_| {}).unwrap();
    mill.write(2, &ice(3));
    mill.write(1, &Made { sort_at: 5, sightings: vec![(0, 9, 9, 255)] });
    assert_eq!(mill.check(&index, &request("all", "ice", 5)), 1);
    assert_eq!(mill.pages(Some(&index), request("all", "ice", 5)).0[0].entries.len(), 1);
    assert_eq!(mill.check(&index, &request("all", "summer", 5)), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 24, ..ProptestConfig::default() })]

    /// Whatever is stored and asked, the index changes nothing but the time it takes.
    #[test]
    fn the_index_gives_the_pages_that_looking_through_the_feed_gives(
        early in prop::collection::vec(made(), 1..25),
        late in prop::collection::vec((1..30_u64, made()), 0..5),
        queries in prop::collection::vec((0..QUERIES.len(), 0..QUERIES.len(), 0..4_u8), 8),
        limit in 1..5_usize,
    ) {
        let mill = Mill::new();
        let mut written = BTreeMap::new();
        for (number, made) in (1..).zip(early) {
            mill.write(number, &made);
            written.insert(number, made);
        }
        let index = Arc::new(Index::in_memory());
        mill.follower(&index).catch_up(&mut |_| {}).unwrap();
        for (number, made) in late {
            let made = changed(written.get(&number), made);
            mill.write(number, &made);
            written.insert(number, made);
        }
        for (one, other, how) in queries {
            let query = match how {
                0 => QUERIES[one].to_owned(),
                1 => format!("({}) ({})", QUERIES[one], QUERIES[other]),
                2 => format!("({}) OR ({})", QUERIES[one], QUERIES[other]),
                _ => format!("({}) -({})", QUERIES[one], QUERIES[other]),
            };
            for feed in ["all", "north", "two"] {
                mill.check(&index, &request(feed, &query, limit));
            }
        }
    }
}
