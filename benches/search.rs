//! How long searches take: `cargo bench --bench search [-- ENTRIES [memory]]`.
//!
//! Fills a store with entries whose words are as frequent as words are (Zipf), makes the index, and asks for pages of 100 through
//! `select` as a reader would, each query once. `memory` keeps the store in memory, so that the disk of the store is not measured.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has nothing to say")]
#![expect(clippy::print_stdout, reason = "this is what it is for")]
#![expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use feedmill::config::{self, Surroundings};
use feedmill::index::Index;
use feedmill::indexing::Follower;
use feedmill::model::Timestamp;
use feedmill::model::document::Particulars;
use feedmill::model::entry::{Entry, Ground, Placement, PublicId, Seq, Sighting, TextDigest, TextName};
use feedmill::model::feed::{FeedId, FeedName, Format};
use feedmill::model::source::Scope;
use feedmill::published::request::FeedRequest;
use feedmill::select::catalogue::Catalogue;
use feedmill::select::page::PAGE;
use feedmill::select::search;
use feedmill::store::entries::{Commit, EntryWrite, Store};
use feedmill::store::keys::Place;
use feedmill::store::memory::MemoryEngine;
use feedmill::store::open;
use feedmill::store::record::{Counters, TextWriter};

const CACHE: u64 = 64 << 20;
const MEMORY: usize = 20_000_000;
const SOURCES: u64 = 200;
/// Entries of one document.
const POLL: u64 = 35;
/// Words that there are, in a title, and in a text.
const VOCABULARY: f64 = 200_000.0;
const TITLE: usize = 9;
const TEXT: usize = 220;
/// Queries of each kind.
const QUERIES: u64 = 1_000;

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ (mixed >> 27)
    }

    /// From 0 to 1.
    fn share(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A word; its frequency falls with its rank.
    fn word(&mut self) -> String {
        spelt(VOCABULARY.powf(self.share()))
    }
}

/// A word for a rank, of syllables.
fn spelt(rank: f64) -> String {
    const SYLLABLES: [&str; 16] =
        ["ba", "de", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu", "va", "ze", "cha", "sto", "gri", "plu"];
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "ranks are small and positive")]
    let mut rank = rank as usize;
    let mut word = String::new();
    while rank > 0 {
        word.push_str(SYLLABLES[rank % SYLLABLES.len()]);
        rank /= SYLLABLES.len();
    }
    word
}

fn text(number: u64) -> (String, String) {
    let mut dice = Dice(number.wrapping_mul(7_919));
    let mut line = |count| (0..count).map(|_| dice.word()).collect::<Vec<_>>().join(" ");
    (line(TITLE), line(TEXT))
}

fn write(number: u64, texts: &mut TextWriter) -> EntryWrite {
    let seq = Seq(number * 2 + 1);
    let at = Timestamp::from_timestamp(1_790_000_000 + i64::try_from(number).unwrap() * 60, 0).unwrap();
    let scope = Scope(format!("source-{}", number % SOURCES).into());
    let (title, text) = text(number);
    let name = TextName::new(Seq(seq.0 + 1), TextDigest(number.to_be_bytes()));
    let feeds = [FeedId::All, FeedId::Source(scope.clone())];
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    let sighting = Sighting {
        seq: Seq(seq.0 + 1),
        source: scope,
        id: PublicId(id),
        first_seen: at,
        sort_at: at,
        changed: None,
        guid: None,
        url: format!("https://example.org/news/{number}").parse().ok(),
        title: Some(title),
        published: Some(at),
        authors: Vec::new(),
        categories: vec!["world".to_owned()],
        enclosures: Vec::new(),
        particulars: Particulars::default(),
        language: Some("en".to_owned()),
        text: Some(name),
        ground: Ground::First,
        score: 1.0,
        evidence: String::new(),
        matched: None,
        keys: Vec::new(),
        fingerprint: id,
        reading: id,
    };
    EntryWrite {
        is_new: true,
        new_id: None,
        new_keys: Vec::new(),
        dropped_keys: Vec::new(),
        text: Some((name, texts.write(None, Some(&text)))),
        dropped_text: None,
        joins: feeds.iter().map(|feed| (feed.clone(), 0, Place { sort_at: at, seq })).collect(),
        entry: Entry {
            seq,
            id: sighting.id,
            first_seen: at,
            placements: feeds.into_iter().map(|feed| Placement { feed, sort_at: at }).collect(),
            held: None,
            sightings: vec![sighting],
        },
    }
}

fn fill(store: &Store, count: u64) {
    let (mut number, mut texts) = (0, TextWriter::default());
    while number < count {
        let until = (number + POLL).min(count);
        let entries = (number..until).map(|number| write(number, &mut texts)).collect();
        let counters = Counters { next: until * 2 + 1, entries: until, sightings: until };
        store.commit(&Commit { entries, counters: Some(counters), ..Commit::default() }).unwrap();
        if until.is_multiple_of(35_000) {
            store.sync().unwrap();
        }
        number = until;
    }
    store.sync().unwrap();
}

fn catalogue(store: &Store) -> Catalogue {
    let mut feeds = String::new();
    for source in 0..SOURCES {
        let _ = write!(feeds, "[sources.source-{source}]\nurl = \"https://example.org/{source}\"\n");
    }
    let around = Surroundings {
        variables: &BTreeMap::new(),
        folder: Path::new("/"),
        read_file: &|_| Err(std::io::Error::other("none")),
    };
    Catalogue::of_store(Arc::new(config::read(&feeds, &around).unwrap()), store).unwrap()
}

/// How a query of one kind is made.
type Ask = fn(&mut Dice, u64) -> String;

const KINDS: [(&str, Ask); 6] = [
    ("two words of one text", |dice, count| {
        let (_, text) = text(dice.roll() % count);
        let words: Vec<&str> = text.split(' ').collect();
        let place = |dice: &mut Dice| usize::try_from(dice.roll() % TEXT as u64).unwrap();
        format!("{} {}", words[place(dice)], words[place(dice)])
    }),
    ("two words of which most are rare", |dice, _| {
        let word = |dice: &mut Dice| spelt(1.0 + dice.share() * 20_000.0);
        format!("{} {}", word(dice), word(dice))
    }),
    ("two of the 20 most frequent words", |dice, _| {
        let word = |dice: &mut Dice| spelt(1.0 + dice.share() * 19.0);
        format!("{} {}", word(dice), word(dice))
    }),
    ("two words that follow each other", |dice, count| {
        let (_, text) = text(dice.roll() % count);
        let words: Vec<&str> = text.split(' ').collect();
        let place = usize::try_from(dice.roll() % (TEXT as u64 - 1)).unwrap();
        format!("\"{} {}\"", words[place], words[place + 1])
    }),
    ("a word of a title and a source", |dice, count| {
        let (title, _) = text(dice.roll() % count);
        let word = title.split(' ').nth(usize::try_from(dice.roll() % TITLE as u64).unwrap()).unwrap();
        format!("title:{word} source:source-{}", dice.roll() % SOURCES)
    }),
    ("the beginning of a word and a word", |dice, _| {
        let word: String = spelt(100.0 + dice.share() * 100_000.0).chars().take(4).collect();
        format!("{word}* {}", dice.word())
    }),
];

fn measure(store: &Store, index: Option<&Index>, catalogue: &Catalogue, count: u64) {
    let now = Timestamp::from_timestamp(1_900_000_000, 0).unwrap();
    for (kind, ask) in KINDS {
        let mut dice = Dice(42);
        let (mut times, mut found, mut cut) = (Vec::new(), 0, 0);
        let queries = if index.is_some() { QUERIES } else { 10 };
        for _ in 0..queries {
            let query = Some(ask(&mut dice, count));
            let request = FeedRequest { query, ..FeedRequest::plain(FeedName::All, Format::Atom) };
            let began = Instant::now();
            let page = search::select(store, index, catalogue, &request, now).unwrap();
            times.push(began.elapsed());
            found += page.entries.len();
            cut += usize::from(page.next.is_some() && page.entries.len() < PAGE);
        }
        times.sort_unstable();
        let at = |share: usize| milliseconds(times[(times.len() - 1) * share / 100]);
        println!(
            "{kind}: median {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, longest {:.1} ms; {:.1} entries a page, {cut} cut",
            at(50),
            at(90),
            at(99),
            at(100),
            found as f64 / queries as f64,
        );
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let count: u64 = arguments.iter().filter_map(|argument| argument.parse().ok()).next_back().unwrap_or(50_000);
    let folder = tempfile::tempdir_in(".").unwrap();
    let path = folder.path().join("store");
    let began = Instant::now();
    let store = if arguments.iter().any(|argument| argument == "memory") {
        std::fs::create_dir(&path).unwrap();
        Store::new(Box::new(MemoryEngine::default()))
    } else {
        open::open(&path, CACHE).unwrap()
    };
    let store = Arc::new(store);
    fill(&store, count);
    println!("{count} entries stored in {:.0} s", began.elapsed().as_secs_f64());
    let catalogue = catalogue(&store);
    let mark = store.mark().unwrap();
    store.sync().unwrap();
    let index = Arc::new(Index::open(&path, mark));
    let began = Instant::now();
    let mut follower = Follower::new(Arc::clone(&store), Arc::clone(&index), MEMORY);
    follower.begin_anew().unwrap();
    follower.catch_up(&mut |_| {}).unwrap();
    let took = began.elapsed().as_secs_f64();
    let (bytes, documents) = (index.size_on_disk(), index.view().unwrap().documents());
    println!(
        "{documents} documents in {took:.0} s ({:.0}/s), {} MB ({} bytes an entry)",
        documents as f64 / took,
        bytes / 1_000_000,
        bytes / count.max(1)
    );
    println!("on the index:");
    measure(&store, Some(&index), &catalogue, count);
    println!("without it, looking through the newest {} entries:", feedmill::select::page::SCAN);
    measure(&store, None, &catalogue, count);
}
