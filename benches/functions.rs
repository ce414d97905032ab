//! What single steps cost: reading a document, bringing it into the store, finding the newest entries of a feed, writing a feed.
//! `cargo bench --bench functions`.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use feedmill::config::{self, Surroundings};
use feedmill::model::feed::{FeedName, Format};
use feedmill::model::page::{Page, Presented};
use feedmill::model::source::{Scope, SourceKey};
use feedmill::poll::absorb;
use feedmill::poll::prepare::{self, Fresh, Prepared};
use feedmill::poll::topics::Topics;
use feedmill::poll::window::Window;
use feedmill::published::request::FeedRequest;
use feedmill::render::sanitise::Sanitiser;
use feedmill::render::{Fragments, Place};
use feedmill::select::catalogue::Catalogue;
use feedmill::select::page;
use feedmill::store::entries::Store;
use feedmill::store::memory::MemoryEngine;
use feedmill::store::record::Counters;
use feedmill::store::source::SourceState;
use feedmill::{parse, render};

/// Entries of a document, and documents in the store: what a hundred sources of usual size bring.
const ENTRIES: usize = 35;
const DOCUMENTS: usize = 100;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 0).expect("a time of this century")
}

/// Words that differ from item to item, some 3 kB of HTML each, as news are.
fn document(number: usize) -> String {
    let item = |item: usize| {
        let word = |word: usize| format!("w{}", (number * 7_919 + item * 104_729 + word * 31) % 5_000);
        let words = (0..400).map(word).collect::<Vec<_>>().join(" ");
        let date = (now() - TimeDelta::minutes(i64::try_from(item * 37 + number).unwrap_or_default())).to_rfc2822();
        format!(
            "<item><guid isPermaLink=\"false\">{number}-{item}</guid><link>https://s{number}.example/{item}?utm_source=rss</link>\
             <title>Headline {item} of source {number} – “quoted”</title><pubDate>{date}</pubDate><category>World</category>\
             <description>&lt;p&gt;{words}&lt;/p&gt;&lt;p&gt;&lt;a href=\"/more\"&gt;More&lt;/a&gt; &lt;img src=\"/i.jpg\"&gt;&lt;/p&gt;</description></item>"
        )
    };
    let items = (0..ENTRIES).map(item).collect::<Vec<_>>().concat();
    format!(
        "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>S{number}</title><link>https://s{number}.example/</link>{items}</channel></rss>"
    )
}

fn catalogue(store: &Store) -> Catalogue {
    let source = |number| {
        format!("[sources.s{number}]\nurl = \"https://s{number}.example/feed\"\ntopics = [\"t{}\"]\n", number % 5)
    };
    let text = (0..DOCUMENTS).map(source).collect::<Vec<_>>().concat();
    let around = Surroundings {
        variables: &BTreeMap::new(),
        folder: Path::new("."),
        read_file: &|_| Err(std::io::Error::other("no secrets here")),
    };
    let config = config::read(&text, &around).expect("the sources are well declared");
    let named: Vec<_> = config.sources.iter().map(|source| (source.key.clone(), Vec::new())).collect();
    let scopes = store.scopes(&named).expect("memory does not fail");
    let base = url::Url::parse("http://localhost/").expect("an address");
    Catalogue::new(Arc::new(config), base, scopes, &BTreeMap::new())
}

fn prepared(number: usize) -> Prepared {
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

struct World {
    store: Store,
    topics: Topics,
    catalogue: Catalogue,
    counters: Counters,
    window: Window,
}

impl World {
    fn empty() -> Self {
        let store = Store::new(Box::new(MemoryEngine::default()));
        let catalogue = catalogue(&store);
        let topics = Topics::read(&catalogue, &store).expect("memory does not fail");
        let window = Window::read(&store, &catalogue, now()).expect("memory does not fail");
        Self { store, topics, catalogue, counters: Counters::default(), window }
    }

    fn full() -> Self {
        let mut world = Self::empty();
        for number in 0..DOCUMENTS {
            world.absorb(prepared(number));
        }
        world
    }

    fn absorb(&mut self, prepared: Prepared) {
        absorb::absorb(&self.store, &self.topics, &self.catalogue, prepared, &mut self.counters, &self.window)
            .expect("memory does not fail");
    }
}

fn steps(criterion: &mut Criterion) {
    let body = document(1);
    let mut reading = criterion.benchmark_group("document");
    reading.throughput(Throughput::Bytes(body.len() as u64));
    reading.bench_function("parse", |bencher| {
        bencher.iter(|| parse::parse(black_box(body.as_bytes()), None, None, now()));
    });
    reading.bench_function("prepare", |bencher| bencher.iter(|| prepared(black_box(1))));
    reading.bench_function("absorb", |bencher| {
        let mut world = World::empty();
        let mut next = 0;
        let mut another = || {
            next = (next + 1) % DOCUMENTS;
            prepared(next)
        };
        bencher.iter_batched(&mut another, |prepared| world.absorb(prepared), BatchSize::SmallInput);
    });
    reading.finish();

    let world = World::full();
    let request = FeedRequest::plain(FeedName::All, Format::Atom);
    let select = || page::select(&world.store, &world.catalogue, &request, now()).expect("memory does not fail");
    let mut writing = criterion.benchmark_group("feed of 100");
    writing.bench_function("newest", |bencher| bencher.iter(select));
    let entries = select().entries;
    let clean = |entries: &[Presented]| -> Vec<Arc<Fragments>> {
        let mut sanitiser = Sanitiser::default();
        let texts = entries.iter().map(|entry| {
            let texts = entry.text.map(|name| world.store.texts(name).expect("memory does not fail"));
            (entry, texts.flatten().unwrap_or_default())
        });
        texts.map(|(entry, texts)| Arc::new(Fragments::clean(&mut sanitiser, &texts, entry.url.as_ref()))).collect()
    };
    writing.bench_function("clean", |bencher| bencher.iter(|| clean(&entries)));
    let home_url = world.catalogue.base.clone();
    let about = Arc::default();
    let page = Page { title: "All".to_owned(), home_url: home_url.clone(), about, entries: entries.clone() };
    let clean = render::prepare(page, clean(&entries));
    for format in Format::ALL {
        writing.bench_function(format.suffix(), |bencher| {
            bencher.iter(|| render::feed(&clean, format, &Place::at(home_url.clone())));
        });
    }
    writing.finish();
}

criterion_group!(benches, steps);
criterion_main!(benches);
