//! What looking for near-duplicates costs: `cargo bench --bench merging [-- ENTRIES [memory]]`.
//!
//! Two stores take the same documents, one with `near_duplicate` and one without. At 20,000 stored entries, 200,000 and the given number the
//! next documents are timed in turns; the difference is what near-duplicates cost. A fifth of the entries are copies of what
//! another source had. `memory` keeps the stores in memory, for numbers that would fill a disk.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has nothing to say")]
#![expect(clippy::print_stdout, reason = "this is what it is for")]
#![expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use feedmill::config::{self, Surroundings};
use feedmill::model::source::{Scope, SourceKey};
use feedmill::poll::absorb::{self, Absorbed};
use feedmill::poll::prepare::{self, Fresh, Prepared};
use feedmill::poll::topics::Topics;
use feedmill::poll::window::Window;
use feedmill::select::catalogue::Catalogue;
use feedmill::store::entries::Store;
use feedmill::store::memory::MemoryEngine;
use feedmill::store::open;
use feedmill::store::record::Counters;
use feedmill::store::source::SourceState;

const SOURCES: u64 = 1_000;
/// Entries of one document.
const DOCUMENT: u64 = 20;
/// Documents that are timed at each number of entries.
const TIMED: u64 = 300;
/// So many entries come in the 72 hours of the window: it is full at the first mark.
const IN_WINDOW: u64 = 20_000;
const CACHE: u64 = 64 << 20;

/// Numbers that look random and follow from their place.
fn dice(number: u64) -> u64 {
    let mixed = (number ^ (number >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 17
}

/// A story of 60 to 400 words, common ones more often than rare ones.
fn story(number: u64) -> String {
    let word = |at: u64| {
        let roll = dice(number * 1_009 + at);
        let rank = if roll.is_multiple_of(3) { dice(roll) % 60 } else { dice(roll) % 30_000 };
        format!("w{}", char_word(rank))
    };
    (0..60 + dice(number) % 340).map(word).collect::<Vec<_>>().join(" ")
}

fn char_word(mut rank: u64) -> String {
    let mut word = String::new();
    while word.is_empty() || rank > 0 {
        word.push(char::from(b'a' + u8::try_from(rank % 26).unwrap()));
        rank /= 26;
    }
    word
}

fn at(number: u64) -> DateTime<Utc> {
    let seconds = number * 72 * 3600 / IN_WINDOW;
    DateTime::from_timestamp(1_795_000_000, 0).unwrap() + TimeDelta::seconds(i64::try_from(seconds).unwrap())
}

/// The document that brings entries from `first` on. Every fifth entry tells what an earlier one told, with a lead of its own and without
/// its end.
fn document(first: u64) -> String {
    let item = |number: u64| {
        let text = if number.is_multiple_of(5) && number > 5_000 {
            let told = story(number - 1 - dice(number) % 4_000);
            let words: Vec<&str> = told.split(' ').collect();
            format!("From our desk w{} {}", char_word(number), words[..words.len() * 9 / 10].join(" "))
        } else {
            story(number)
        };
        let date = at(number).to_rfc2822();
        format!(
            "<item><guid isPermaLink=\"false\">{number}</guid><link>https://s{}.example/{number}</link><title>Headline {}</title>\
             <pubDate>{date}</pubDate><description>&lt;p&gt;{text}&lt;/p&gt;</description></item>",
            number / DOCUMENT % SOURCES,
            char_word(dice(number))
        )
    };
    let items: String = (first..first + DOCUMENT).map(item).collect();
    format!("<rss version=\"2.0\"><channel><title>S</title>{items}</channel></rss>")
}

fn prepared(first: u64) -> Prepared {
    let key = SourceKey::new(&format!("s{}", first / DOCUMENT % SOURCES)).unwrap();
    let now = at(first + DOCUMENT);
    let mut state = SourceState::default();
    state.facts.last_success = Some(now - TimeDelta::hours(1));
    prepare::prepare(Fresh {
        key: &key,
        scope: &Scope::from(&key),
        body: document(first).as_bytes(),
        content_type: None,
        base: None,
        last_document: &[],
        state,
        now,
    })
    .unwrap()
}

struct World {
    store: Store,
    topics: Topics,
    catalogue: Catalogue,
    counters: Counters,
    window: Window,
    looking: Duration,
}

impl World {
    fn new(store: Store, near_duplicate: bool) -> Self {
        let source = |number| format!("[sources.s{number}]\nurl = \"https://s{number}.example/feed\"\n");
        let sources: String = (0..SOURCES).map(source).collect();
        let text = format!("[merging]\nnear_duplicate = {near_duplicate}\n{sources}");
        let around = Surroundings {
            variables: &BTreeMap::new(),
            folder: Path::new("."),
            read_file: &|_| Err(std::io::Error::other("no secrets here")),
        };
        let config = config::read(&text, &around).unwrap();
        let named: Vec<_> = config.sources.iter().map(|source| (source.key.clone(), Vec::new())).collect();
        let scopes = store.scopes(&named).unwrap();
        let base = url::Url::parse("http://localhost/").unwrap();
        let catalogue = Catalogue::new(Arc::new(config), base, scopes, &BTreeMap::new());
        let topics = Topics::read(&catalogue, &store).unwrap();
        let window = Window::read(&store, &catalogue, at(0)).unwrap();
        Self { store, topics, catalogue, counters: Counters::default(), window, looking: Duration::ZERO }
    }

    /// What the pollers do, many at once; then what the committer does, which is timed.
    fn absorb(&mut self, mut prepared: Prepared) -> (Absorbed, Duration) {
        let start = Instant::now();
        prepared.looked = self.window.look(&self.store, &self.catalogue, &prepared.arrival, &prepared.seen).unwrap();
        self.looking += start.elapsed();
        let start = Instant::now();
        let Self { store, topics, catalogue, counters, window, .. } = self;
        let absorbed = absorb::absorb(store, topics, catalogue, prepared, counters, window).unwrap();
        (absorbed, start.elapsed())
    }
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e6
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let most: u64 = arguments.first().map_or(200_000, |word| word.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let store = |name: &str| -> Store {
        if arguments.iter().any(|word| word == "memory") {
            return Store::new(Box::new(MemoryEngine::default()));
        }
        open::open(&folder.path().join(name), CACHE).unwrap()
    };
    let mut with = World::new(store("with"), true);
    let mut without = World::new(store("without"), false);
    println!(
        "  entries  absorb, without     with  ratio  more, µs an entry  looking before, µs an entry  joined  in the window      MB"
    );
    let mut next = 0;
    let mut joined = 0;
    for mark in [20_000, 200_000, most].into_iter().filter(|mark| *mark <= most) {
        if next > mark {
            break;
        }
        while next < mark {
            let document = prepared(next);
            joined += with.absorb(document).0.joined;
            without.absorb(prepared(next));
            next += DOCUMENT;
        }
        let (mut on, mut off) = (Vec::new(), Vec::new());
        let looked = with.looking;
        for turn in 0..TIMED {
            // In turns, and each first in every other one: a disk that is busy is busy for both.
            let (one, other) = (prepared(next), prepared(next));
            if turn % 2 == 0 {
                off.push(without.absorb(other).1);
            }
            let (absorbed, time) = with.absorb(one);
            on.push(time);
            joined += absorbed.joined;
            if turn % 2 == 1 {
                off.push(without.absorb(prepared(next)).1);
            }
            next += DOCUMENT;
            if turn % 8 == 7 {
                with.store.sync().unwrap();
                without.store.sync().unwrap();
            }
        }
        let (on, off) = (median(on), median(off));
        let looking = with.looking.checked_sub(looked).unwrap();
        let (members, bytes) = with.window.size();
        println!(
            "{mark:>9} {off:>13.0} µs {on:>5.0} µs {:>6.2} {:>18.1} {:>28.1} {joined:>7} {members:>14} {:>7.1}",
            on / off,
            (on - off) / DOCUMENT as f64,
            looking.as_secs_f64() * 1e6 / (TIMED * DOCUMENT) as f64,
            bytes as f64 / 1e6
        );
    }
}
