//! The order laws: in whatever order sources are polled, each source's own documents in order, things settle in the same place.
//! Run over the real way into the store, with random sources, documents, copies and bridges.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use chrono::TimeDelta;
use feedmill::config::{self, Config, Surroundings};
use feedmill::merge::identify::{self, Identified};
use feedmill::model::Timestamp;
use feedmill::model::entry::Seq;
use feedmill::model::feed::{FeedId, FeedName, Format};
use feedmill::model::source::{Scope, SourceKey};
use feedmill::parse;
use feedmill::poll::absorb;
use feedmill::poll::committer::Committer;
use feedmill::poll::prepare::{self, Fresh, Prepared};
use feedmill::poll::quarantine::Release;
use feedmill::poll::rearrange::{Desk, Rearranging};
use feedmill::poll::retention::Pruning;
use feedmill::poll::topics::Topics;
use feedmill::poll::window::Window;
use feedmill::published::request::FeedRequest;
use feedmill::select::catalogue::Catalogue;
use feedmill::select::page;
use feedmill::store::engine::{Batch, Engine, Pairs, StoreError};
use feedmill::store::entries::Store;
use feedmill::store::keys::Place;
use feedmill::store::memory::MemoryEngine;
use feedmill::store::record::Counters;
use feedmill::store::source::SourceState;
use proptest::prelude::*;

pub const SOURCES: usize = 4;

pub fn start() -> Timestamp {
    chrono::DateTime::parse_from_rfc3339("2026-11-01T10:00:00Z").unwrap().to_utc()
}

/// One item of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub guid: Option<String>,
    pub url: Option<String>,
    pub title: String,
    pub text: String,
    /// Hours before the start.
    pub age: i64,
}

pub type Document = Vec<Item>;

fn rss(document: &Document, source: usize) -> String {
    let item = |item: &Item| {
        let guid =
            item.guid.as_ref().map_or_else(String::new, |guid| format!("<guid isPermaLink=\"false\">{guid}</guid>"));
        let link =
            item.url.as_ref().map_or_else(String::new, |url| format!("<link>{}</link>", url.replace('&', "&amp;")));
        let date = (start() - TimeDelta::hours(item.age)).to_rfc2822();
        let (title, text) = (&item.title, &item.text);
        format!(
            "<item>{guid}{link}<title>{title}</title><pubDate>{date}</pubDate><description>&lt;p&gt;{text}&lt;/p&gt;</description></item>"
        )
    };
    let items: String = document.iter().map(item).collect();
    format!(
        "<rss version=\"2.0\"><channel><title>S{source}</title><link>http://s{source}.example/</link>{items}</channel></rss>"
    )
}

fn key(source: usize) -> SourceKey {
    SourceKey::new(&format!("s{source}")).unwrap()
}

/// What a poll left: the source's facts, and the hashes of its document.
type LastPoll = (SourceState, Arc<Vec<[u8; 16]>>);

fn sources(more: &str) -> String {
    let source = |number: usize| {
        let (topic, priority) = (number % 2, number % 2);
        format!(
            "[sources.s{number}]\nurl = \"http://s{number}.example/feed\"\ntopics = [\"t{topic}\"]\npriority = {priority}\n{more}"
        )
    };
    (0..SOURCES).map(source).collect::<Vec<_>>().concat()
}

fn config(text: &str) -> Config {
    let around = Surroundings {
        variables: &BTreeMap::new(),
        folder: Path::new("."),
        read_file: &|_| Err(std::io::Error::other("none")),
    };
    config::read(text, &around).unwrap()
}

/// A store that documents are polled into.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) topics: Topics,
    pub(crate) catalogue: Catalogue,
    pub(crate) counters: Counters,
    window: Window,
    last: HashMap<SourceKey, LastPoll>,
}

impl World {
    fn new() -> Self {
        Self::with("")
    }

    /// A world with rules over merging.
    pub fn ruled(rules: &str) -> Self {
        let mut world = Self::with("");
        world.follow(rules);
        world
    }

    /// Edits the rules, and works off what follows from that.
    pub fn follow(&mut self, rules: &str) {
        self.follow_for(rules, usize::MAX);
    }

    /// As [`World::follow`], but it ends after so many steps.
    pub fn follow_for(&mut self, rules: &str, steps: usize) {
        let config = config(&[&sources(""), rules].concat());
        let (base, scopes) = (self.catalogue.base.clone(), self.catalogue.scopes.clone());
        self.catalogue = Catalogue::new(Arc::new(config), base, scopes, &BTreeMap::new());
        self.topics = Topics::read(&self.catalogue, &self.store).unwrap();
        let Some(mut rearranging) = Rearranging::begin(&self.store, &self.catalogue).unwrap() else { return };
        let now = start() + TimeDelta::days(30);
        let desk = Desk { store: &self.store, topics: &self.topics, catalogue: &self.catalogue, now };
        for _ in 0..steps {
            if rearranging.step(desk, &mut self.counters).unwrap().is_none() {
                break;
            }
        }
    }

    /// A world whose sources all have further keys.
    fn with(more: &str) -> Self {
        Self::configured(more, "")
    }

    fn configured(more: &str, tables: &str) -> Self {
        Self::of(&[&sources(more), tables].concat())
    }

    /// A world with a feeds.toml of its own.
    pub(crate) fn of(feeds: &str) -> Self {
        let config = config(feeds);
        let store = Store::new(Box::new(MemoryEngine::default()));
        let named: Vec<_> = config.sources.iter().map(|source| (source.key.clone(), Vec::new())).collect();
        let scopes = store.scopes(&named).unwrap();
        let base = url::Url::parse("http://localhost/").unwrap();
        let catalogue = Catalogue::new(Arc::new(config), base, scopes, &BTreeMap::new());
        let topics = Topics::read(&catalogue, &store).unwrap();
        let window = Window::read(&store, &catalogue, start()).unwrap();
        Self { store, topics, catalogue, counters: Counters::default(), window, last: HashMap::new() }
    }

    /// Polls a document; gives how many changes it made. The time of a poll belongs to the document, not to the order.
    pub(crate) fn poll(&mut self, source: usize, number: usize, document: &Document) -> usize {
        self.try_poll(source, number, document).unwrap()
    }

    fn try_poll(&mut self, source: usize, number: usize, document: &Document) -> Result<usize, StoreError> {
        let now = start() + TimeDelta::minutes(i64::try_from(number * 60 + source).unwrap());
        self.try_poll_body(&key(source), rss(document, source).as_bytes(), now)
    }

    /// Polls the bytes of a document; gives how many changes they made.
    pub(crate) fn poll_body(&mut self, key: &SourceKey, body: &[u8], now: Timestamp) -> usize {
        self.try_poll_body(key, body, now).unwrap()
    }

    fn try_poll_body(&mut self, key: &SourceKey, body: &[u8], now: Timestamp) -> Result<usize, StoreError> {
        let (state, last_document) = self.last.remove(key).unwrap_or_default();
        self.try_absorb(prepared(key, body, state, &last_document, now), now)
    }

    /// Polls a document that was prepared; gives how many changes it made.
    pub(crate) fn absorb(&mut self, prepared: Prepared, now: Timestamp) -> usize {
        self.try_absorb(prepared, now).unwrap()
    }

    fn try_absorb(&mut self, mut prepared: Prepared, now: Timestamp) -> Result<usize, StoreError> {
        prepared.arrival.now = now;
        prepared.state.facts.last_success = Some(now);
        let (key, hashes) = (prepared.key.clone(), Arc::clone(&prepared.hashes));
        // Whether a poller looked before or not must make no difference.
        if prepared.seen.len().is_multiple_of(2) {
            let Prepared { arrival, seen, .. } = &prepared;
            prepared.looked = self.window.look(&self.store, &self.catalogue, arrival, seen).unwrap();
        }
        let absorbed =
            absorb::absorb(&self.store, &self.topics, &self.catalogue, prepared, &mut self.counters, &self.window)?;
        self.last.insert(key, (absorbed.state, hashes));
        Ok(absorbed.new + absorbed.joined + absorbed.updated + absorbed.held)
    }

    /// Lets out everything that is held back of a source; gives how many entries that were.
    fn release(&mut self, source: usize, now: Timestamp) -> u64 {
        let mut release = Release::new(Scope::from(&key(source)), now, Timestamp::MAX_UTC);
        while release.step(&self.store, &self.topics, &self.catalogue).unwrap().is_some() {}
        release.released
    }

    pub fn poll_all(&mut self, documents: &[Vec<Document>], order: &[usize]) {
        let mut next = vec![0; documents.len()];
        let rest = (0..documents.len()).flat_map(|source| std::iter::repeat_n(source, documents[source].len()));
        for source in order.iter().map(|turn| turn % documents.len()).chain(rest) {
            if let Some(document) = documents[source].get(next[source]) {
                self.poll(source, next[source], document);
                next[source] += 1;
            }
        }
    }

    /// Removes what is to be removed by the clock of then; gives how many sightings went.
    pub fn prune(&mut self, now: Timestamp) -> u64 {
        let mut pruning = Pruning::new(&self.store, &self.catalogue, now).unwrap();
        let mut sightings = 0;
        while let Some(pruned) = pruning.step(&self.store, &self.topics, &mut self.counters).unwrap() {
            sightings += pruned.sightings;
        }
        sightings
    }

    /// Entries and sightings that are there, which the counters have to say as well; and that no record is left without its entry.
    pub fn count(&self) -> (u64, u64) {
        let entries = self.store.entries_after(Seq(0), usize::MAX).unwrap();
        let sightings: usize = entries.iter().map(|entry| entry.sightings.len()).sum();
        assert_eq!((self.counters.entries, self.counters.sightings), (entries.len() as u64, sightings as u64));
        assert_eq!(self.store.counters().unwrap(), self.counters);
        let mut feeds = vec![(FeedId::All, 0)];
        for source in &self.catalogue.config.sources {
            feeds.push((FeedId::Source(Scope::from(&source.key)), 0));
            let topic = FeedId::Topic(source.topics[0].clone());
            feeds.push((topic.clone(), page::epoch(&self.store, &topic).unwrap()));
        }
        for (feed, epoch) in feeds {
            for place in self.store.newest(&feed, epoch, None, usize::MAX).unwrap() {
                let entry = entries.iter().find(|entry| entry.seq == place.seq).unwrap();
                assert!(entry.placements.iter().any(|it| it.feed == feed && it.sort_at == place.sort_at));
            }
        }
        // What is held back is in no feed, and is found.
        let mut held = BTreeSet::new();
        for scope in self.store.holding().unwrap() {
            held.extend(self.store.held(&scope, usize::MAX).unwrap().into_iter().map(|(_, seq)| seq));
        }
        for entry in &entries {
            assert_eq!(entry.held.is_some(), held.remove(&entry.seq));
            assert_eq!(entry.held.is_some(), entry.placements.is_empty());
        }
        assert!(held.is_empty());
        (entries.len() as u64, sightings as u64)
    }

    fn places(&self) -> BTreeMap<u64, (String, Timestamp)> {
        let places = self.store.newest(&FeedId::All, 0, None, usize::MAX).unwrap();
        let entry = |place: &Place| self.store.entry(place.seq).unwrap().unwrap().id.to_string();
        places.iter().map(|place| (place.seq.0, (entry(place), place.sort_at))).collect()
    }

    /// What readers see, without what may depend on the order: ids, first sights and places.
    pub(crate) fn shown(&self) -> BTreeSet<String> {
        let request = FeedRequest { limit: Some(2000), ..FeedRequest::plain(FeedName::All, Format::Json) };
        let selection = page::select(&self.store, &self.catalogue, &request, start()).unwrap();
        let entries = selection.entries.into_iter().map(|entry| {
            let sightings: BTreeSet<String> = entry
                .sightings
                .iter()
                .map(|it| format!("{} {:?} {:?}", it.source, it.guid.as_ref().map(|guid| &guid.value), it.title))
                .collect();
            let texts = entry.text.map(|hash| self.store.texts(hash).unwrap());
            let (title, url) = (entry.title, entry.url.map(|url| url.to_string()));
            format!("{title:?} {url:?} {texts:?} {} {} {sightings:?}", entry.published, entry.updated)
        });
        entries.collect()
    }

    /// In how many entries of a feed a source shows an observation under its present name and with its present words.
    pub fn times_shown(&self, feed: &FeedId, epoch: u32, scope: &Scope, seen: &Identified) -> usize {
        let places = self.store.newest(feed, epoch, None, usize::MAX).unwrap();
        let entries = places.iter().map(|place| self.store.entry(place.seq).unwrap().unwrap());
        let sightings = entries.flat_map(|entry| entry.sightings).filter(|sighting| sighting.source == *scope);
        sightings.filter(|sighting| sighting.keys[0] == seen.own && sighting.reading == seen.reading).count()
    }
}

/// A document, ready to be decided on.
pub(crate) fn prepared(
    key: &SourceKey,
    body: &[u8],
    state: SourceState,
    last_document: &[[u8; 16]],
    now: Timestamp,
) -> Prepared {
    let (scope, base, content_type) = (Scope::from(key), None, None);
    prepare::prepare(Fresh { key, scope: &scope, body, content_type, base, last_document, state, now }).unwrap()
}

/// The observations of a document as the way into the store recognises them.
pub fn identified(document: &Document, source: usize, scope: &Scope) -> Vec<Identified> {
    let parsed = parse::parse(rss(document, source).as_bytes(), None, None, start()).unwrap();
    identify::identify(scope, parsed.header.url.as_ref(), parsed.observations)
}

/// Polls all documents, each source's own in order; `order` picks whose turn it is.
pub fn polled(documents: &[Vec<Document>], order: &[usize]) -> World {
    let mut world = World::new();
    world.poll_all(documents, order);
    world
}

pub fn words(story: usize) -> String {
    let word = |number: usize| format!("w{story}x{number}");
    (0..40).map(word).collect::<Vec<_>>().join(" ")
}

/// How the copies of a story are alike: whatever two of them one looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Alike {
    /// One address and one title, texts of their own.
    Address,
    /// One text, addresses and titles of their own.
    Text,
    /// A guid that means the same everywhere, and one title.
    Guid,
    /// Nearly one text: each source has a lead of its own and leaves out another part of it.
    Nearly,
}

/// From what a key tells to what only the words tell.
pub const WAYS: [Alike; 4] = [Alike::Address, Alike::Text, Alike::Guid, Alike::Nearly];
/// So many of them are told by keys.
pub const BY_KEYS: usize = 3;

/// Headlines that have nothing in common. Under titles that are alike each other word counts.
fn headline(source: usize, edition: usize) -> String {
    let names = [
        ["Amber lamps are lit", "Lamps go out"],
        ["Birches grow by the river", "River birches fall"],
        ["Coral dies", "Divers mourn"],
        ["Dunes move inland again", "Sand covers every road"],
    ];
    names[source][edition % 2].to_owned()
}

fn nearly(story: usize, source: usize, edition: usize) -> String {
    let mut body: Vec<String> = (0..90).map(|number| format!("w{story}y{number}")).collect();
    body.drain(source * 20..source * 20 + 10);
    let lead = (0..4 + edition).map(|number| format!("lead{source}x{story}y{number} "));
    lead.collect::<String>() + &body.join(" ")
}

fn copy(story: usize, alike: Alike, source: usize, edition: usize) -> Item {
    let own = format!("s{source}-{story}");
    let tracking =
        ["", "?utm_source=rss", "?fbclid=1", "?utm_medium=feed&amp;utm_campaign=x"][source % 4].replace("&amp;", "&");
    let title = format!("Story number {story} told once");
    let edited = format!(
        "In edition {edition} of source {source} about {story}: {}",
        words(1000 + story * 50 + source * 10 + edition)
    );
    let (guid, url, title, text) = match alike {
        Alike::Address => (own, format!("http://www.story{story}.example/a{tracking}"), title, edited),
        Alike::Text => {
            (own.clone(), format!("http://s{source}.example/{own}"), headline(source, edition), words(story))
        }
        Alike::Nearly => (
            own.clone(),
            format!("http://s{source}.example/{own}"),
            headline(source, edition),
            nearly(story, source, edition),
        ),
        Alike::Guid => {
            (format!("tag:story{story}.example,2026:1"), format!("http://s{source}.example/{own}"), title, edited)
        }
    };
    Item { guid: Some(guid), url: Some(url), title, text, age: i64::try_from(story * 3 + source % 2).unwrap() }
}

prop_compose! {
    /// Documents whose stories are alike in one way each, so that no copy stands between two others.
    ///
    /// `ways` of [`WAYS`] are used, the first ones.
    pub fn without_bridges(ways: usize)(
        ways in prop::collection::vec(0..ways, 6),
        picks in prop::collection::vec(prop::collection::vec(prop::collection::vec((0_usize..6, 0_usize..2), 0..5), 1..4), SOURCES),
    ) -> Vec<Vec<Document>> {
        let document = |source: usize, picks: &Vec<(usize, usize)>| {
            let stories: BTreeMap<usize, usize> = picks.iter().copied().collect();
            stories.into_iter().map(|(story, edition)| copy(story, WAYS[ways[story]], source, edition)).collect::<Document>()
        };
        picks.iter().enumerate().map(|(source, documents)| documents.iter().map(|picks| document(source, picks)).collect()).collect()
    }
}

prop_compose! {
    /// An item put together from small pools, so that keys are shared in every odd way.
    fn odd_item()(guid in prop::option::of(0_usize..4), url in prop::option::of(0_usize..4), title in 0_usize..3, text in 0_usize..4, age in 0_i64..9) -> Item {
        Item {
            guid: guid.map(|guid| if guid < 2 { format!("{guid}") } else { format!("tag:odd.example,2026:{guid}") }),
            url: url.map(|url| format!("http://odd.example/{url}")),
            title: format!("Title {title} of the odd ones"),
            text: words(text),
            age,
        }
    }
}

pub fn with_bridges() -> impl Strategy<Value = Vec<Vec<Document>>> {
    prop::collection::vec(prop::collection::vec(prop::collection::vec(odd_item(), 0..5), 1..4), SOURCES)
}

pub fn order() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0_usize..SOURCES, 0..14)
}

/// What is called so, an hour older than the one before.
pub fn items(names: &[&str]) -> Document {
    let item = |(age, name): (usize, &&str)| Item {
        guid: Some((*name).to_owned()),
        url: None,
        title: (*name).to_owned(),
        text: (*name).to_owned(),
        age: i64::try_from(age).unwrap(),
    };
    names.iter().enumerate().map(item).collect()
}

#[test]
fn a_tombstone_stays_while_it_is_shown_and_400_days_more() {
    let scope = Scope::from(&key(0));
    let days = |days: i64| start() + TimeDelta::days(days);
    let mut world = World::with("keep_entries = 1\n");
    world.poll(0, 0, &items(&["c", "b", "a"]));
    assert_eq!(world.prune(days(1)), 2);
    for day in [402, 900, 1_301] {
        assert_eq!(world.prune(days(day)), 0);
        assert!(world.store.has_tombstones(&scope).unwrap(), "day {day}");
        world.last.clear();
        assert_eq!(world.poll(0, 24 * usize::try_from(day).unwrap(), &items(&["c", "b", "a"])), 0, "day {day}");
    }
    // From day 1,310 on the document shows them no more.
    let before = world.store.last_document(&scope).unwrap();
    world.last.insert(key(0), (SourceState::default(), Arc::new(before)));
    world.poll(0, 24 * 1_310, &items(&["c"]));
    for (day, is_there) in [(1_700, true), (1_711, false)] {
        world.prune(days(day));
        assert_eq!(world.store.has_tombstones(&scope).unwrap(), is_there, "day {day}");
    }
    assert_eq!(world.count(), (1, 1));
}

#[test]
fn what_comes_back_before_its_time_is_as_if_it_had_never_left() {
    let days = |days: usize| 24 * days;
    let mut world = World::with("keep = \"10d\"\n");
    world.poll(0, 0, &items(&["b", "a"]));
    let before = world.places();
    world.poll(0, days(1), &items(&["b"]));
    assert_eq!(world.poll(0, days(9), &items(&["b", "a"])), 0);
    assert_eq!(world.prune(start() + TimeDelta::days(50)), 0);
    world.poll(0, days(60), &items(&["b"]));
    assert_eq!(world.prune(start() + TimeDelta::days(69)), 0);
    assert_eq!(world.places(), before);
    assert_eq!(world.prune(start() + TimeDelta::days(71)), 1);
    // Now it has been removed, and is no news.
    assert_eq!(world.poll(0, days(72), &items(&["b", "a"])), 0);
    assert_eq!(world.count(), (1, 1));
}

#[test]
fn an_entry_stays_as_long_as_one_of_its_sources_keeps_it() {
    let mut world = World::with("keep = \"10d\"\n");
    let item = Item { url: Some("http://news.example/a".to_owned()), ..items(&["An item that two carry"]).remove(0) };
    world.poll(0, 0, &vec![item.clone()]);
    assert_eq!(world.poll(1, 0, &vec![item]), 1);
    assert_eq!(world.count(), (1, 2));
    let before = world.places();
    world.poll(0, 24, &Vec::new());
    assert_eq!(world.prune(start() + TimeDelta::days(20)), 1);
    assert_eq!((world.count(), world.places()), ((1, 1), before));
    world.poll(1, 24 * 21, &Vec::new());
    assert_eq!(world.prune(start() + TimeDelta::days(40)), 1);
    assert_eq!(world.count(), (0, 0));
    assert_eq!(world.places(), BTreeMap::new());
}

pub fn laws() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

#[test]
fn nearly_the_same_text_joins_in_every_order() {
    for order in [[0, 1, 2, 3], [3, 1, 0, 2], [2, 3, 1, 0]] {
        let mut world = World::new();
        for source in order {
            assert_eq!(world.poll(source, 0, &vec![copy(1, Alike::Nearly, source, 0)]), 1);
        }
        assert_eq!(world.count(), (1, 4), "{order:?}");
    }
}

#[test]
fn an_address_becomes_a_key_when_the_neighbour_that_shared_it_is_gone() {
    let item = |guid: Option<&str>, story: usize| Item {
        guid: guid.map(str::to_owned),
        url: Some("http://odd.example/3".to_owned()),
        title: "One title of the odd ones".to_owned(),
        text: words(story),
        age: 0,
    };
    let alone = vec![item(Some("tag:odd.example,2026:2"), 2)];
    let both = vec![alone[0].clone(), item(None, 0)];
    let mut world = World::new();
    assert_eq!(world.poll(0, 0, &both), 2);
    assert_eq!(world.poll(0, 1, &alone), 1, "the address is learnt although no word changed");
    assert_eq!(world.poll(0, 2, &alone), 0);
    world.last.clear();
    assert_eq!(world.poll(0, 3, &alone), 0);
}

proptest! {
    #![proptest_config(laws())]

    #[test]
    fn the_order_of_polling_does_not_matter(documents in without_bridges(WAYS.len()), one in order(), other in order()) {
        prop_assert_eq!(polled(&documents, &one).shown(), polled(&documents, &other).shown());
    }

    #[test]
    fn a_second_round_changes_nothing(documents in with_bridges(), order in order()) {
        let mut world = polled(&documents, &order);
        for (source, documents) in documents.iter().enumerate() {
            prop_assert_eq!(world.poll(source, documents.len(), documents.last().unwrap()), 0);
        }
    }

    /// What a crash between two batches leaves: the entries, but not what the last document held.
    #[test]
    fn a_second_round_changes_nothing_even_where_the_last_document_was_forgotten(documents in with_bridges(), order in order()) {
        let mut world = polled(&documents, &order);
        let before = world.shown();
        world.last.clear();
        for (source, documents) in documents.iter().enumerate() {
            prop_assert_eq!(world.poll(source, documents.len(), documents.last().unwrap()), 0);
        }
        prop_assert_eq!(world.shown(), before);
    }

    #[test]
    fn every_observation_is_shown_once_in_every_feed_it_belongs_to(documents in with_bridges(), order in order()) {
        let world = polled(&documents, &order);
        for (source, documents) in documents.iter().enumerate() {
            let key = key(source);
            let topic = world.catalogue.source(&key).unwrap().topics[0].clone();
            let epoch = page::epoch(&world.store, &FeedId::Topic(topic.clone())).unwrap();
            let feeds = [(FeedId::All, 0), (FeedId::Source(Scope::from(&key)), 0), (FeedId::Topic(topic), epoch)];
            let seen = identified(documents.last().unwrap(), source, &Scope::from(&key));
            // Only what is the same in every word may be folded.
            let different: BTreeSet<String> = documents.last().unwrap().iter().map(|item| format!("{:?} {:?} {} {}", item.guid, item.url, item.title, item.text)).collect();
            prop_assert!(seen.len() >= different.len());
            for one in seen {
                for (feed, epoch) in &feeds {
                    let times = world.times_shown(feed, *epoch, &Scope::from(&key), &one);
                    prop_assert_eq!(times, 1, "{:?} in {:?}", one.observation, feed);
                }
            }
        }
    }

    /// By age goes what no document shows any more, and nothing else.
    #[test]
    fn what_is_shown_never_goes_by_age_and_what_left_goes_in_time(documents in with_bridges(), order in order()) {
        let mut world = polled(&documents, &order);
        let before = world.places();
        prop_assert_eq!(world.prune(start() + TimeDelta::days(700)), 0);
        prop_assert_eq!(world.places(), before.clone());
        world.prune(start() + TimeDelta::days(800));
        world.count();
        let after = world.places();
        prop_assert!(after.iter().all(|(seq, place)| before.get(seq) == Some(place)));
        for (source, documents) in documents.iter().enumerate() {
            let scope = Scope::from(&key(source));
            let shown = identified(documents.last().unwrap(), source, &scope);
            for one in &shown {
                prop_assert_eq!(world.times_shown(&FeedId::All, 0, &scope, one), 1);
            }
            let kept = world.store.newest(&FeedId::Source(scope), 0, None, usize::MAX).unwrap();
            prop_assert_eq!(kept.len(), shown.len());
            prop_assert_eq!(world.poll(source, documents.len(), documents.last().unwrap()), 0);
        }
        prop_assert_eq!(world.places(), after);
    }

    /// Also when all of it is read anew, as after a crash.
    #[test]
    fn nothing_that_was_removed_returns_as_new(documents in with_bridges(), order in order(), keep in 1_usize..4) {
        let mut world = World::with(&format!("keep_entries = {keep}\n"));
        world.poll_all(&documents, &order);
        let sightings = world.count().1;
        let removed = world.prune(start() + TimeDelta::days(1));
        let (_, left) = world.count();
        prop_assert_eq!(left + removed, sightings);
        let after = world.places();
        for is_forgotten in [false, true] {
            if is_forgotten {
                world.last.clear();
            }
            for (source, documents) in documents.iter().enumerate() {
                let scope = Scope::from(&key(source));
                prop_assert!(world.store.newest(&FeedId::Source(scope), 0, None, usize::MAX).unwrap().len() <= keep);
                prop_assert_eq!(world.poll(source, documents.len(), documents.last().unwrap()), 0);
            }
        }
        prop_assert_eq!(world.places(), after);
        prop_assert_eq!(world.count().1, left);
    }

    #[test]
    fn what_was_published_keeps_its_id_and_place(documents in with_bridges(), order in order()) {
        let mut world = World::new();
        let mut published: HashMap<u64, (String, Timestamp, Timestamp)> = HashMap::new();
        let mut next = [0; SOURCES];
        for source in order {
            let Some(document) = documents[source].get(next[source]) else { continue };
            world.poll(source, next[source], document);
            next[source] += 1;
            for place in world.store.newest(&FeedId::All, 0, None, usize::MAX).unwrap() {
                let entry = world.store.entry(place.seq).unwrap().unwrap();
                let facts = (entry.id.to_string(), entry.first_seen, place.sort_at);
                let before = published.entry(place.seq.0).or_insert_with(|| facts.clone());
                prop_assert_eq!(&*before, &facts);
            }
        }
        let ids: BTreeSet<_> = published.values().map(|(id, _, _)| id).collect();
        prop_assert_eq!(ids.len(), published.len());
    }
}

/// Entries of one source that say something of their own each, in texts that are long or short.
fn issued(edition: &str, stories: std::ops::Range<usize>, is_long: bool, hours: i64) -> Document {
    let item = |story: usize| Item {
        guid: Some(format!("{edition}-{story}")),
        url: Some(format!("http://{edition}.example/{edition}/{story}")),
        title: format!("Story number {story} told once"),
        text: if is_long { words(story) } else { format!("w{story}x0 w{story}x1 w{story}x2") },
        age: i64::try_from(story).unwrap() + hours,
    };
    stories.map(item).collect()
}

/// An engine that fails after so many batches, as a crash in the midst of a commit would end it.
struct Cut {
    inner: Arc<MemoryEngine>,
    left: std::sync::atomic::AtomicUsize,
}

impl Engine for Cut {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(key)
    }
    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Pairs, StoreError> {
        self.inner.scan(from, to, limit)
    }
    fn scan_back(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Pairs, StoreError> {
        self.inner.scan_back(from, to, limit)
    }
    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        let left = self.left.load(std::sync::atomic::Ordering::Relaxed);
        self.left.store(left.saturating_sub(1), std::sync::atomic::Ordering::Relaxed);
        if left == 0 { Err(StoreError::Stuck("cut".to_owned())) } else { self.inner.apply(batch) }
    }
    fn sync(&self) -> Result<(), StoreError> {
        self.inner.sync()
    }
    fn recover(&self) -> Result<(), StoreError> {
        self.inner.recover()
    }
    fn size_on_disk(&self) -> Result<u64, StoreError> {
        self.inner.size_on_disk()
    }
}

/// Polls one document after another, the second of them so that it ends after so many batches and is polled again; gives the world then,
/// and what the second document changed when it was whole.
fn interrupted(before: &Document, after: &Document, batches: usize) -> (World, usize) {
    let mut world = World::with("merge = { reissue_limit = 10 }\n");
    let engine = Arc::new(MemoryEngine::default());
    let open = |left: usize| Store::new(Box::new(Cut { inner: Arc::clone(&engine), left: left.into() }));
    world.store = open(usize::MAX);
    let named: Vec<_> = world.catalogue.config.sources.iter().map(|it| (it.key.clone(), Vec::new())).collect();
    world.store.scopes(&named).unwrap();
    world.topics = Topics::read(&world.catalogue, &world.store).unwrap();
    world.poll(0, 0, before);
    let last = world.last[&key(0)].clone();
    world.store = open(batches);
    let is_whole = world.try_poll(0, 1, after).is_ok();
    world.store = open(usize::MAX);
    world.counters = world.store.counters().unwrap();
    if is_whole {
        return (world, usize::MAX);
    }
    world.last.insert(key(0), last);
    let changes = world.poll(0, 1, after);
    (world, changes)
}

#[test]
fn a_re_issue_that_was_interrupted_brings_nothing_new_all_the_same() {
    for (batches, is_long) in [(0, false), (1, true), (2, false), (3, true), (4, false), (5, true)] {
        let (before, after) = (issued("old", 0..400, is_long, 700), issued("new", 0..400, is_long, 0));
        let (mut world, _) = interrupted(&before, &after, batches);
        assert_eq!(world.store.entries_after(Seq(0), usize::MAX).unwrap().len(), 400, "{batches}");
        assert_eq!(world.poll(0, 2, &after), 0, "{batches}");
    }
}

#[test]
fn a_quarantine_that_was_interrupted_holds_everything_all_the_same() {
    let (before, after) = (issued("old", 0..60, true, 700), issued("new", 500..900, true, 0));
    for batches in 0..3 {
        let (mut world, changes) = interrupted(&before, &after, batches);
        assert!(changes <= 400, "it is cut");
        assert_eq!(world.store.entries_after(Seq(0), usize::MAX).unwrap().len(), 460, "{batches}");
        assert_eq!(world.places().len(), 60, "{batches}");
        assert_eq!(world.poll(0, 2, &after), 0, "{batches}");
        assert_eq!(world.release(0, start() + TimeDelta::days(9)), 400, "{batches}");
        assert_eq!(world.places().len(), 460, "{batches}");
        assert_eq!(world.poll(0, 3, &after), 0, "{batches}");
    }
}

#[test]
fn what_is_released_comes_last_and_the_oldest_first() {
    let mut world = World::with("merge = { reissue_limit = 10 }\n");
    world.poll(0, 0, &issued("old", 0..20, true, 700));
    assert_eq!(world.poll(0, 1, &issued("new", 100..160, true, 0)), 60);
    let before = world.places();
    assert_eq!(before.len(), 20);
    let now = start() + TimeDelta::days(9);
    assert_eq!(world.release(0, now), 60);
    assert_eq!(world.release(0, now), 0);
    let places = world.store.newest(&FeedId::All, 0, None, usize::MAX).unwrap();
    let titles: Vec<String> = places
        .iter()
        .map(|it| world.store.entry(it.seq).unwrap().unwrap().sightings[0].title.clone().unwrap())
        .collect();
    let expected: Vec<String> =
        (100..160).chain(0..20).map(|story| format!("Story number {story} told once")).collect();
    assert_eq!(titles, expected);
    assert!(places[..60].iter().all(|place| place.sort_at == now));
    let after = world.places();
    assert!(before.iter().all(|(seq, place)| after.get(seq) == Some(place)));
}

#[test]
fn a_first_poll_and_the_smaller_part_of_a_document_are_never_held_back() {
    let mut world = World::with("merge = { reissue_limit = 10 }\n");
    world.poll(0, 0, &issued("old", 0..200, true, 700));
    world.poll(0, 1, &issued("old", 0..300, true, 700));
    assert_eq!(world.places().len(), 300);
    world.poll(0, 2, &issued("old", 0..10, true, 700));
    world.poll(0, 3, &issued("old", 0..310, true, 700));
    assert_eq!(world.places().len(), 310, "known ones are known, however many come back");
    assert_eq!(world.count(), (310, 310));
}

#[test]
fn what_another_source_carries_too_is_let_out() {
    let mut world = World::with("merge = { reissue_limit = 10 }\n");
    world.poll(0, 0, &issued("old", 0..20, true, 700));
    world.poll(0, 1, &issued("new", 100..160, true, 0));
    // The same texts at another source, at its first poll and later.
    world.poll(1, 1, &issued("other", 100..102, true, 0));
    world.poll(1, 2, &issued("other", 100..104, true, 0));
    assert_eq!(world.count(), (80, 84));
    assert_eq!(world.places().len(), 24);
    let own = FeedId::Source(Scope("s0".into()));
    assert_eq!(world.store.newest(&own, 0, None, usize::MAX).unwrap().len(), 24);
    let topic =
        FeedId::Topic(world.catalogue.config.topics.iter().find(|it| it.key.as_str() == "t0").unwrap().key.clone());
    let epoch = page::epoch(&world.store, &topic).unwrap();
    assert_eq!(world.store.newest(&topic, epoch, None, usize::MAX).unwrap().len(), 24);
    assert_eq!(world.release(0, start() + TimeDelta::days(9)), 56);
    assert_eq!(world.places().len(), 80);
    world.count();
}

#[test]
fn what_is_held_back_goes_in_time_as_all_else_and_leaves_a_tombstone() {
    let mut world = World::with("merge = { reissue_limit = 10 }\nkeep = \"10d\"\n");
    world.poll(0, 0, &issued("old", 0..20, true, 700));
    world.poll(0, 1, &issued("new", 100..160, true, 0));
    world.poll(0, 24, &issued("new", 100..130, true, 0));
    // Thirty that are held back, and the twenty that were there before.
    assert_eq!(world.prune(start() + TimeDelta::days(50)), 50);
    assert_eq!(world.count(), (30, 30));
    assert_eq!(world.release(0, start() + TimeDelta::days(50)), 30);
    assert_eq!(world.poll(0, 24 * 51, &issued("new", 100..160, true, 0)), 0);
}

#[test]
fn a_source_that_keeps_so_many_holds_no_more_back() {
    let mut world = World::with("merge = { reissue_limit = 10 }\nkeep_entries = 30\n");
    world.poll(0, 0, &issued("old", 0..20, true, 700));
    world.poll(0, 1, &issued("new", 100..160, true, 0));
    assert_eq!(world.prune(start() + TimeDelta::days(1)), 30);
    assert_eq!(world.count(), (50, 50));
    assert_eq!(world.poll(0, 2, &issued("new", 100..160, true, 0)), 0);
    assert_eq!(world.release(0, start() + TimeDelta::days(1)), 30);
    assert_eq!(world.prune(start() + TimeDelta::days(1)), 20);
}

#[test]
fn what_is_held_back_for_long_enough_is_released_by_itself() {
    let mut world = World::configured("merge = { reissue_limit = 10 }\n", "[merging]\nrelease_after = \"1h\"\n");
    world.poll(0, 0, &issued("old", 0..20, true, 700));
    world.poll(0, 1, &issued("new", 100..400, true, 0));
    let store = Arc::new(world.store);
    let (told, changes) = std::sync::mpsc::channel();
    let changed = Box::new(move |feeds: Option<&std::collections::HashSet<FeedId>>| told.send(feeds.cloned()).unwrap());
    let committer = Committer::start(Arc::clone(&store), Arc::new(world.catalogue), changed).unwrap();
    let scope = Scope("s0".into());
    assert_eq!(committer.holding().of(&scope).unwrap().entries, 300);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    // Any order brings the committer to look.
    runtime.block_on(committer.settle()).unwrap();
    while committer.holding().of(&scope).is_some() {
        assert!(changes.recv().unwrap().unwrap().contains(&FeedId::All));
    }
    assert_eq!(store.newest(&FeedId::All, 0, None, usize::MAX).unwrap().len(), 320);
}

#[test]
fn a_topic_that_is_worked_out_anew_leaves_out_what_is_held_back() {
    let mut world = World::with("merge = { reissue_limit = 10 }\n");
    world.poll(0, 0, &issued("old", 0..20, true, 700));
    world.poll(0, 1, &issued("new", 100..160, true, 0));
    let topic = world.catalogue.config.topics[0].key.clone();
    let feed = FeedId::Topic(topic.clone());
    let stored = world.store.topic(&topic).unwrap().unwrap();
    // As if it had been defined otherwise.
    let other = feedmill::store::record::TopicRecord { query: Some("x".to_owned()), ..stored };
    world.store.define_topic(&topic, &other).unwrap();
    world.topics = Topics::read(&world.catalogue, &world.store).unwrap();
    // Some are released in the midst of it.
    while world.topics.is_building() {
        world.topics.build(&world.store, &world.catalogue, start()).unwrap();
    }
    let held = |world: &World| {
        let epoch = page::epoch(&world.store, &feed).unwrap();
        world.store.newest(&feed, epoch, None, usize::MAX).unwrap().len()
    };
    assert_eq!(held(&world), 20);
    world.release(0, start() + TimeDelta::days(9));
    assert_eq!(held(&world), 80);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: laws().cases / 4, ..laws() })]

    /// Whatever the names, hosts and dates become, and whatever falls off at the end or comes new at the top.
    #[test]
    fn a_re_issue_brings_only_what_is_new(
        count in 12_usize..40, lost in 0_usize..4, more in 0_usize..4, is_long in any::<bool>(), hours in 0_i64..1_400
    ) {
        let mut world = World::new();
        world.poll(0, 0, &issued("old", 0..count, is_long, 700));
        let ids = |world: &World| world.places().into_values().collect::<BTreeSet<_>>();
        let before = ids(&world);
        let after: Document = issued("new", lost..count, is_long, hours).into_iter().chain(issued("new", 500..500 + more, is_long, hours)).collect();
        world.poll(0, 1, &after);
        prop_assert_eq!(world.count().0, (count + more) as u64);
        prop_assert!(ids(&world).is_superset(&before));
        prop_assert_eq!(world.poll(0, 2, &after), 0);
        world.last.clear();
        prop_assert_eq!(world.poll(0, 3, &after), 0);
    }

    /// Held back or not, every observation is shown once when all is released.
    #[test]
    fn quarantine_loses_nothing_and_doubles_nothing(documents in with_bridges(), order in order()) {
        let mut world = World::with("merge = { reissue_limit = 1 }\n");
        world.poll_all(&documents, &order);
        world.count();
        for (source, documents) in documents.iter().enumerate() {
            prop_assert_eq!(world.poll(source, documents.len(), documents.last().unwrap()), 0);
        }
        for source in 0..SOURCES {
            world.release(source, start() + TimeDelta::days(2));
        }
        world.count();
        for (source, documents) in documents.iter().enumerate() {
            let scope = Scope::from(&SourceKey::new(&format!("s{source}")).unwrap());
            for one in identified(documents.last().unwrap(), source, &scope) {
                for feed in [FeedId::All, FeedId::Source(scope.clone())] {
                    prop_assert_eq!(world.times_shown(&feed, 0, &scope, &one), 1);
                }
            }
            prop_assert_eq!(world.poll(source, documents.len() + 1, documents.last().unwrap()), 0);
        }
    }
}
