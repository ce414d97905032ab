//! The laws of `[[merge]]` and `[[never_merge]]`: a store that a rule came to, or left, is as one that always, or never, had it.

use std::collections::{BTreeMap, BTreeSet};

use feedmill::model::Timestamp;
use feedmill::model::entry::{Entry, Seq};
use feedmill::model::feed::FeedId;
use feedmill::model::source::{Scope, SourceKey};
use feedmill::select::page;
use feedmill::store::portable::Export;
use proptest::prelude::*;

use crate::laws::{Document, Item, SOURCES, World, laws, order, with_bridges, without_bridges, words};

/// An entry without the numbers that depend on what else there was.
type Told = (String, Timestamp, Vec<(String, String)>, BTreeSet<(String, Timestamp)>);

fn name(sighting: &feedmill::model::entry::Sighting) -> (String, String) {
    (
        sighting.source.as_str().to_owned(),
        format!("{:?} {:?} {:?}", sighting.keys[0].hash, sighting.title, sighting.first_seen),
    )
}

fn told(entry: &Entry) -> Told {
    let places = entry.placements.iter().map(|it| (format!("{:?}", it.feed), it.sort_at)).collect();
    (entry.id.to_string(), entry.first_seen, entry.sightings.iter().map(name).collect(), places)
}

fn entries(world: &World) -> Vec<Entry> {
    world.store.entries_after(Seq(0), usize::MAX).unwrap()
}

/// Everything that a rule could change, and every feed in its order.
fn all_of(world: &World) -> (BTreeSet<Told>, BTreeMap<String, Vec<(String, Timestamp)>>, BTreeSet<String>) {
    check_whole(world);
    let mut feeds = BTreeMap::new();
    for feed in feeds_of(world) {
        let epoch = page::epoch(&world.store, &feed).unwrap();
        let places = world.store.newest(&feed, epoch, None, usize::MAX).unwrap();
        let id = |seq| world.store.entry(seq).unwrap().unwrap().id.to_string();
        feeds.insert(format!("{feed:?}"), places.iter().map(|place| (id(place.seq), place.sort_at)).collect());
    }
    (entries(world).iter().map(told).collect(), feeds, world.shown())
}

fn feeds_of(world: &World) -> Vec<FeedId> {
    let sources = &world.catalogue.config.sources;
    let own = sources.iter().map(|source| FeedId::Source(Scope::from(&source.key)));
    let topics = world.catalogue.config.topics.iter().map(|topic| FeedId::Topic(topic.key.clone()));
    own.chain(topics).chain([FeedId::All]).collect()
}

/// Every record leads somewhere, and nothing leads nowhere.
fn check_whole(world: &World) {
    world.count();
    let entries: BTreeMap<u64, Entry> = entries(world).into_iter().map(|entry| (entry.seq.0, entry)).collect();
    let mut export = Export::begin(&world.store).unwrap();
    let mut lines = Vec::new();
    while let Some(more) = export.step(&world.store).unwrap() {
        lines.extend(more);
    }
    let (mut keys, mut places) = (BTreeSet::new(), BTreeSet::new());
    let mut ids = BTreeMap::new();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line: serde_json::Value = serde_json::from_slice(line).unwrap();
        let entry = || &entries[&line["entry"].as_u64().unwrap()];
        match line["kind"].as_str().unwrap() {
            "key" => drop(keys.insert((line["hash"].to_string(), entry().seq))),
            "membership" => drop(places.insert((line["feed"].to_string(), entry().seq))),
            "id" => drop(ids.insert(line["id"].as_str().unwrap().to_owned(), entry().seq)),
            "left" | "leaving" => {
                let scope = line["scope"].as_str().unwrap();
                assert!(entry().sightings.iter().any(|it| it.source.as_str() == scope), "{line}");
            }
            _ => {}
        }
    }
    let hash = |key: &feedmill::model::entry::Key| {
        let digits: String = key.hash.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("\"{digits}\"")
    };
    let expected: BTreeSet<(String, Seq)> = entries
        .values()
        .flat_map(|entry| entry.sightings.iter().flat_map(|it| &it.keys).map(|key| (hash(key), entry.seq)))
        .collect();
    assert_eq!(keys, expected);
    assert_eq!(places.len(), entries.values().map(|entry| entry.placements.len()).sum::<usize>());
    for entry in entries.values() {
        assert_eq!(ids.remove(&entry.id.to_string()), Some(entry.seq));
        for sighting in entry.sightings.iter().filter(|sighting| sighting.id != entry.id) {
            assert_eq!(ids.remove(&sighting.id.to_string()), Some(entry.seq));
        }
    }
    assert_eq!(ids, BTreeMap::new());
}

/// The address of a story at a source, where it has one of its own.
fn address(story: usize, source: usize) -> String {
    format!("http://s{source}.example/s{source}-{story}")
}

fn apart() -> impl Strategy<Value = String> {
    prop_oneof![
        (0_usize..6, 0..SOURCES, 1..SOURCES).prop_map(|(story, one, other)| {
            let (one, other) = (address(story, one), address(story, (one + other) % SOURCES));
            format!("[[never_merge]]\nurls = [\"{one}\", \"{other}\"]\n")
        }),
        (0_usize..6).prop_map(|story| {
            let urls: Vec<String> = (0..SOURCES).map(|source| format!("\"{}\"", address(story, source))).collect();
            format!("[[never_merge]]\nurls = [{}]\n", urls.join(", "))
        }),
        (0..SOURCES).prop_map(|source| format!("[[never_merge]]\nquery = 'source:s{source}'\n")),
        (0_usize..6).prop_map(|story| format!("[[never_merge]]\nquery = 'title:\"number {story}\" OR w{story}x0'\n")),
    ]
}

fn together() -> impl Strategy<Value = String> {
    let addresses = prop::collection::btree_set((0_usize..6, 0..SOURCES), 2..4);
    prop_oneof![
        addresses.prop_map(|named| {
            let urls: Vec<String> =
                named.iter().map(|(story, source)| format!("\"{}\"", address(*story, *source))).collect();
            format!("[[merge]]\nurls = [{}]\n", urls.join(", "))
        }),
        Just("[[merge]]\nquery = 'title:alike'\n".to_owned()),
    ]
}

prop_compose! {
    /// Documents in which some stories have nothing in common but one title.
    fn with_titles()(documents in without_bridges(), titled in prop::collection::btree_set(0_usize..6, 0..3)) -> Vec<Vec<Document>> {
        let item = |source: usize, item: Item| {
            let story = usize::try_from(item.age / 3).unwrap();
            if !titled.contains(&story) {
                return item;
            }
            let own = format!("s{source}-{story}");
            let url = Some(address(story, source));
            let text = words(7_000 + story * 10 + source);
            Item { guid: Some(own), url, text, title: format!("Titles alike: {story}"), ..item }
        };
        documents.into_iter().enumerate().map(|(source, documents)| {
            documents.into_iter().map(|document| document.into_iter().map(|it| item(source, it)).collect()).collect()
        }).collect()
    }
}

/// Every observation is where its source and its topics are read.
fn check_nothing_lost(world: &World, documents: &[Vec<Document>]) {
    for (source, documents) in documents.iter().enumerate() {
        let key = SourceKey::new(&format!("s{source}")).unwrap();
        let topic = FeedId::Topic(world.catalogue.source(&key).unwrap().topics[0].clone());
        let scope = Scope::from(&key);
        let seen = crate::laws::identified(documents.last().unwrap(), source, &scope);
        for feed in [FeedId::All, FeedId::Source(scope.clone()), topic] {
            let epoch = page::epoch(&world.store, &feed).unwrap();
            for one in &seen {
                assert_eq!(world.times_shown(&feed, epoch, &scope, one), 1, "{:?} in {feed:?}", one.observation);
            }
        }
    }
}

fn polled(rules: &str, documents: &[Vec<Document>], order: &[usize]) -> World {
    let mut world = World::ruled(rules);
    world.poll_all(documents, order);
    world
}

proptest! {
    #![proptest_config(laws())]

    #[test]
    fn a_rule_that_came_later_is_as_one_that_was_always_there(
        documents in with_titles(), order in order(), rule in prop_oneof![apart(), together()]
    ) {
        let mut later = polled("", &documents, &order);
        later.follow(&rule);
        let always = polled(&rule, &documents, &order);
        prop_assert_eq!(all_of(&later), all_of(&always));
        check_nothing_lost(&later, &documents);
    }

    #[test]
    fn a_rule_that_went_is_as_one_that_was_never_there(
        documents in with_titles(), order in order(), rule in prop_oneof![apart(), together()]
    ) {
        let never = polled("", &documents, &order);
        let mut once = polled(&rule, &documents, &order);
        once.follow("");
        prop_assert_eq!(all_of(&once), all_of(&never));
        let before = all_of(&never);
        let mut both = never;
        both.follow(&rule);
        both.follow("");
        prop_assert_eq!(all_of(&both), before);
    }

    /// Whatever keys are shared in whatever odd way.
    #[test]
    fn a_rule_loses_nothing_and_touches_nothing_else(
        documents in with_bridges(), order in order(), rule in odd_rule()
    ) {
        let mut world = polled("", &documents, &order);
        let before: BTreeMap<String, Told> = entries(&world).iter().map(|entry| (entry.id.to_string(), told(entry))).collect();
        world.follow(&rule);
        check_whole(&world);
        check_nothing_lost(&world, &documents);
        let sightings = |entry: &Told| entry.2.clone();
        for entry in entries(&world) {
            if let Some(before) = before.get(&entry.id.to_string())
                && sightings(before) == sightings(&told(&entry))
            {
                prop_assert_eq!(before, &told(&entry));
            }
        }
        for id in before.keys() {
            let lines: Vec<String> = entries(&world).iter().flat_map(|entry| entry.sightings.iter().map(|it| it.id.to_string()).chain([entry.id.to_string()])).collect();
            prop_assert!(lines.contains(id), "an id that was published leads somewhere");
        }
        let after = all_of(&world);
        world.follow(&rule);
        prop_assert_eq!(all_of(&world), after.clone());
        for (source, documents) in documents.iter().enumerate() {
            prop_assert_eq!(world.poll(source, documents.len(), documents.last().unwrap()), 0);
        }
        prop_assert_eq!(all_of(&world), after);
    }
}

/// Rules over the odd items.
fn odd_rule() -> impl Strategy<Value = String> {
    let kind = prop_oneof![Just("merge"), Just("never_merge")];
    let of = prop_oneof![
        (0_usize..4, 1_usize..4).prop_map(|(one, other)| {
            format!("urls = [\"http://odd.example/{one}\", \"http://odd.example/{}\"]", (one + other) % 4)
        }),
        (0_usize..3).prop_map(|title| format!("query = 'title:\"title {title}\"'")),
        (0..SOURCES).prop_map(|source| format!("query = 'source:s{source}'")),
    ];
    (kind, of).prop_map(|(kind, of)| format!("[[{kind}]]\n{of}\n"))
}
