//! Which topics does an entry belong to? What that costs with ten topics and with a thousand: `cargo bench --bench topics`.
//!
//! Entries of 40 to 600 words as news have them: few words are frequent, most are rare, and rare ones are longer. Topics ask for two
//! words, for a phrase, for one word or another, for categories, beginnings and patterns, and leave words out. Times are the least of
//! several rounds, all topics in turns; prints figures, and is no test.

#![expect(clippy::print_stdout, reason = "figures are what it is for")]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small numbers, in figures for people"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use feedmill::config::{self, Surroundings};
use feedmill::model::source::{Scope, SourceKey};
use feedmill::poll::absorb;
use feedmill::poll::prepare::{self, Fresh, Prepared};
use feedmill::poll::topics::Topics;
use feedmill::poll::window::Window;
use feedmill::query::set::Set;
use feedmill::query::{Candidate, Facts, Query, parse};
use feedmill::select::catalogue::Catalogue;
use feedmill::store::entries::Store;
use feedmill::store::memory::MemoryEngine;
use feedmill::store::record::Counters;
use feedmill::store::source::SourceState;
use feedmill::text::language;

/// Different words; as many as a year of news has without names.
const WORDS: u64 = 40_000;
const ENTRIES: u64 = 1_000;
const DOCUMENTS: u64 = 60;
const ROUNDS: usize = 7;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 0).expect("a time of this century")
}

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    /// By Zipf's law, nearly: a word of ten times the rank is ten times as rare.
    fn word(&mut self) -> String {
        let magnitude = self.roll(46);
        word((1.26_f64.powi(i32::try_from(magnitude).unwrap_or(0)) as u64 + self.roll(1 + magnitude)).min(WORDS))
    }
}

/// The word of a rank, in letters alone: the rarer, the longer.
fn word(rank: u64) -> String {
    let mut text = String::new();
    let mut rest = rank + 1;
    while rest > 0 {
        let syllables = ["ba", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "zu"];
        text.push_str(syllables[usize::try_from(rest % 10).unwrap_or(0)]);
        rest /= 10;
    }
    text
}

/// A topic's query. Its words are neither the commonest, which nobody asks for, nor all different.
fn query(dice: &mut Dice) -> String {
    let mut rare = |from: u64| word(from + dice.0 % 7 + dice.roll(WORDS / 8));
    match rare(1).len() % 8 {
        0 => format!("{} {}", rare(30), rare(100)),
        1 => format!("\"{} {}\"", rare(10), rare(100)),
        2 => format!("{} OR {} OR {}", rare(300), rare(300), rare(300)),
        3 => format!("title:{} -{}", rare(100), rare(1)),
        4 => format!("category:{} OR title:\"{} {}\"", rare(3_000), rare(50), rare(50)),
        5 => format!("({} OR {}) ({} OR {})", rare(50), rare(50), rare(50), rare(50)),
        6 => format!("{}* {}", rare(500), rare(300)),
        _ => format!("{} regex:/{}.{{1,20}}{}/", rare(300), rare(30), rare(30)),
    }
}

struct News {
    title: String,
    text: String,
    categories: Vec<String>,
}

fn news(dice: &mut Dice) -> News {
    let words = |dice: &mut Dice, count| (0..count).map(|_| dice.word()).collect::<Vec<_>>().join(" ");
    let length = 40 + dice.roll(560);
    News {
        title: words(dice, 9),
        text: format!("<p>{}</p>", words(dice, length)),
        categories: vec![dice.word(), dice.word()],
    }
}

/// The time of one entry, of the quickest round.
fn least(rounds: usize, mut round: impl FnMut()) -> Duration {
    let times = (0..rounds).map(|_| {
        let began = Instant::now();
        round();
        began.elapsed()
    });
    times.min().unwrap_or_default()
}

fn micros(time: Duration, entries: u64) -> f64 {
    time.as_secs_f64() * 1e6 / entries as f64
}

fn ask(news: &News, source: &SourceKey, mut ask: impl FnMut(&Candidate<'_>)) {
    let categories: Vec<&str> = news.categories.iter().map(String::as_str).collect();
    ask(&Candidate::new(Facts {
        title: Some(&news.title),
        text_html: &[&news.text],
        authors: &[],
        categories: &categories,
        source,
        topics: &[],
        language: Some("en"),
        url: None,
        published: now(),
        has_enclosure: false,
    }));
}

fn main() {
    let mut dice = Dice(7);
    let queries: Vec<String> = (0..1_000).map(|_| query(&mut dice)).collect();
    let entries: Vec<News> = (0..ENTRIES).map(|_| news(&mut dice)).collect();
    matching(&queries, &entries);
    languages(&entries);
    absorbing(&queries);
}

/// The queries alone, filed and one by one.
fn matching(queries: &[String], entries: &[News]) {
    let source = SourceKey::new("wire").expect("a key");
    let mut ten = None;
    for count in [10, 100, 1_000] {
        let read: Vec<Query> = queries[..count].iter().map(|query| parse(query).expect("a query")).collect();
        let set = Set::new(read.clone());
        let mut found = 0;
        let filed = least(ROUNDS, || {
            found = 0;
            for news in entries {
                ask(news, &source, |it| found += black_box(set.matching(it, now())).len());
            }
        });
        let singly = least(2, || {
            let each = |it: &Candidate<'_>| {
                black_box(read.iter().filter(|query| query.matches(it, now())).count());
            };
            for news in entries {
                ask(news, &source, each);
            }
        });
        let (filed, singly) = (micros(filed, ENTRIES), micros(singly, ENTRIES));
        let base = *ten.get_or_insert(filed);
        println!(
            "{count} topics: {filed:.1} µs an entry ({:.2} of ten topics), one by one {singly:.1} µs; {found} found of {ENTRIES} entries",
            filed / base
        );
    }
}

/// What `lang:` costs an entry whose feed is silent.
fn languages(entries: &[News]) {
    let time = least(ROUNDS, || {
        for news in entries {
            black_box(language::detected(&news.text));
        }
    });
    println!("detecting a language: {:.1} µs an entry", micros(time, ENTRIES));
}

fn document(number: u64) -> String {
    let mut dice = Dice(number * 1_000 + 1);
    let items = (0..35).map(|item| {
        let News { title, text, categories } = news(&mut dice);
        format!(
            "<item><guid isPermaLink=\"false\">{number}-{item}</guid><title>{title}</title><category>{}</category>\
             <description><![CDATA[{text}]]></description></item>",
            categories[0]
        )
    });
    format!("<rss version=\"2.0\"><channel><title>S</title>{}</channel></rss>", items.collect::<Vec<_>>().concat())
}

fn catalogue(store: &Store, queries: &[String]) -> Catalogue {
    let mut text = String::new();
    for number in 0..DOCUMENTS {
        let _ = writeln!(
            text,
            "[sources.s{number}]\nurl = \"https://s{number}.example/feed\"\ntopics = [\"t{}\"]",
            number % 5
        );
    }
    for (number, query) in queries.iter().enumerate() {
        let _ = writeln!(text, "[topics.t{number}]\nmatch = '{query}'");
    }
    let around = Surroundings {
        variables: &BTreeMap::new(),
        folder: Path::new("."),
        read_file: &|_| Err(std::io::Error::other("no secrets here")),
    };
    let config = config::read(&text, &around).expect("a good configuration");
    let named: Vec<_> = config.sources.iter().map(|source| (source.key.clone(), Vec::new())).collect();
    let scopes = store.scopes(&named).expect("memory does not fail");
    let base = url::Url::parse("http://localhost/").expect("an address");
    Catalogue::new(Arc::new(config), base, scopes, &BTreeMap::new())
}

fn prepared(number: u64) -> Prepared {
    let key = SourceKey::new(&format!("s{number}")).expect("a key");
    prepare::prepare(Fresh {
        key: &key,
        scope: &Scope::from(&key),
        body: document(number).as_bytes(),
        content_type: None,
        base: None,
        last_document: &[],
        state: SourceState::default(),
        now: now(),
    })
    .expect("a feed")
}

/// Whole documents on their way into a store in memory, which makes the topics' share larger than it is on a disk.
fn absorbing(queries: &[String]) {
    let mut ten = None;
    for count in [10, 1_000] {
        let rounds = (0..3).map(|_| {
            let store = Store::new(Box::new(MemoryEngine::default()));
            let catalogue = catalogue(&store, &queries[..count]);
            let topics = Topics::read(&catalogue, &store).expect("memory does not fail");
            let window = Window::read(&store, &catalogue, now()).expect("memory does not fail");
            let mut counters = Counters::default();
            let documents: Vec<Prepared> = (0..DOCUMENTS).map(prepared).collect();
            let began = Instant::now();
            for document in documents {
                absorb::absorb(&store, &topics, &catalogue, document, &mut counters, &window)
                    .expect("memory does not fail");
            }
            began.elapsed()
        });
        let time = micros(rounds.min().unwrap_or_default(), DOCUMENTS * 35);
        let base = *ten.get_or_insert(time);
        println!("absorbing with {count} topics: {time:.1} µs an entry ({:.2} of ten topics)", time / base);
    }
}
