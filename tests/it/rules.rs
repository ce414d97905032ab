//! The laws of `[[merge]]` and `[[never_merge]]`: a store that a rule came to, or left, is as one that always, or never, had it.

use std::collections::{BTreeMap, BTreeSet};

use feedmill::merge::identify;
use feedmill::merge::rules::Kind;
use feedmill::model::Timestamp;
use feedmill::model::entry::{Entry, Key, Seq, Sighting};
use feedmill::model::feed::FeedId;
use feedmill::model::source::{Scope, SourceKey};
use feedmill::poll::judging;
use feedmill::select::page;
use feedmill::store::portable::Export;
use proptest::prelude::*;

use crate::laws::{BY_KEYS, Document, Item, SOURCES, WAYS, World, order, start, with_bridges, without_bridges, words};
use crate::origin::{Origin, Reply, rss};
use crate::program::{HEAD, Program, told as run};

/// An entry without the numbers that depend on what else there was.
type Told = (String, Timestamp, Vec<(String, String)>, BTreeSet<(String, Timestamp)>);

fn name(sighting: &Sighting) -> (String, String) {
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

/// Entries; the ids and places of each feed; what readers see.
type All = (BTreeSet<Told>, BTreeMap<String, Vec<(String, Timestamp)>>, BTreeSet<String>);

/// Everything that a rule could change, and every feed in its order.
fn all_of(world: &World) -> All {
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
    check_rules_hold(world);
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
    // Thirty-two digits, as a line spells them.
    let hash = |key: &Key| format!("\"{:032x}\"", u128::from_be_bytes(key.hash));
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

/// No entry holds two sightings that a rule forbids to be one, and none is without those that an address rule puts into it.
fn check_rules_hold(world: &World) {
    let rules = &world.catalogue.rules;
    let subject = |it| judging::stored(rules, &world.store, &world.catalogue, it).unwrap();
    let entries = entries(world);
    for entry in &entries {
        for (index, one) in entry.sightings.iter().enumerate() {
            for other in &entry.sightings[index + 1..] {
                assert_eq!(rules.forbids(&subject(one), &subject(other)), None);
            }
        }
    }
    let named = rules.all().iter().find(|rule| rule.names_addresses() && rule.kind == Kind::Together);
    let is_alone = rules.all().len() == 1;
    if let Some(named) = named.filter(|_| is_alone) {
        // What moved on is not there any more.
        let is_at =
            |it: &Sighting, key| it.url.as_ref().map(identify::address_key) == Some(key) && it.keys.contains(&key);
        let at = |key| entries.iter().filter(move |entry| entry.sightings.iter().any(|it| is_at(it, key)));
        let holding: BTreeSet<Seq> = named.address_keys().into_iter().flat_map(at).map(|entry| entry.seq).collect();
        assert!(holding.len() < 2, "{holding:?}");
    }
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
    fn with_titles(ways: usize)(documents in without_bridges(ways), titled in prop::collection::btree_set(0_usize..6, 0..3)) -> Vec<Vec<Document>> {
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

/// Each case fills several stores.
fn laws() -> ProptestConfig {
    let laws = crate::laws::laws();
    ProptestConfig { cases: laws.cases.div_ceil(8), ..laws }
}

proptest! {
    #![proptest_config(laws())]

    #[test]
    fn a_rule_that_came_later_is_as_one_that_was_always_there(
        documents in with_titles(WAYS.len()), order in order(), rule in prop_oneof![apart(), together()]
    ) {
        let mut later = polled("", &documents, &order);
        later.follow(&rule);
        let always = polled(&rule, &documents, &order);
        prop_assert_eq!(all_of(&later), all_of(&always));
        check_nothing_lost(&later, &documents);
    }

    /// But for what the words alone would join: published entries that no key tells to be one stay two when a rule went.
    #[test]
    fn a_rule_that_went_is_as_one_that_was_never_there(
        documents in with_titles(BY_KEYS), order in order(), rule in prop_oneof![apart(), together()]
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

    /// Also when another edit comes before the work is done.
    #[test]
    fn work_that_was_interrupted_is_done_again(
        documents in with_titles(BY_KEYS), order in order(), one in apart(),
        other in prop_oneof![Just(String::new()), apart()], steps in 0_usize..2
    ) {
        let mut world = polled("", &documents, &order);
        world.follow_for(&one, steps);
        world.follow(&other);
        prop_assert_eq!(all_of(&world), all_of(&polled(&other, &documents, &order)));
        let both = [one.as_str(), &other].concat();
        world.follow(&both);
        world.follow_for(&other, steps);
        world.follow(&both);
        prop_assert_eq!(all_of(&world), all_of(&polled(&both, &documents, &order)));
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
        // Removing what no document shows finds everything where it is.
        world.prune(start() + chrono::TimeDelta::days(900));
        check_whole(&world);
        check_nothing_lost(&world, &documents);
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

/// What one entry of a source holds, as `s0-1+s1-1`.
fn partition(world: &World) -> Vec<String> {
    let guids = |entry: &Entry| {
        let guids: Vec<&str> = entry.sightings.iter().filter_map(|it| Some(it.guid.as_ref()?.value.as_str())).collect();
        guids.join("+")
    };
    let mut all: Vec<String> = entries(world).iter().map(guids).collect();
    all.sort();
    all
}

fn item(guid: &str, title: &str, text: &str, age: i64) -> Item {
    let url = Some(format!("http://{guid}.example/news"));
    Item { guid: Some(guid.to_owned()), url, title: title.to_owned(), text: text.to_owned(), age }
}

/// Three copies of one text; another entry of the first source, and one of the title "Alike" at each of two sources.
fn five() -> Vec<Vec<Document>> {
    let document = |source: usize| {
        let copy =
            item(&format!("a{source}"), ["One headline", "A second one", "What the third says"][source], &words(1), 3);
        let alone =
            item(&format!("b{source}"), "Alike they are", &words(10 + source), 30 * i64::try_from(source).unwrap());
        let other = item("c", "Another thing", &words(20), 1);
        match source {
            0 => vec![other, copy, alone],
            1 => vec![copy, alone],
            _ => vec![copy],
        }
    };
    (0..3).map(|source| vec![document(source)]).collect()
}

/// How five entries are divided under a rule, whether it was there at first or came later, and that they are as before when it went.
fn check_divided(rules: &str, expected: &[&str]) {
    let mut world = polled("", &five(), &[]);
    let before = all_of(&world);
    assert_eq!(partition(&world), ["a0+a1+a2", "b0", "b1", "c"]);
    world.follow(rules);
    assert_eq!(partition(&world), expected, "{rules}");
    assert_eq!(all_of(&world), all_of(&polled(rules, &five(), &[])), "{rules}");
    world.follow("");
    assert_eq!(all_of(&world), before, "{rules}");
}

#[test]
fn rules_part_and_join() {
    let urls = |kind: &str, names: &[&str]| {
        let urls: Vec<String> =
            names.iter().map(|name| format!("\"https://www.{name}.example/news/?utm_source=x\"")).collect();
        format!("[[{kind}]]\nurls = [{}]\n", urls.join(", "))
    };
    check_divided(&urls("never_merge", &["a0", "a1"]), &["a0+a2", "a1", "b0", "b1", "c"]);
    check_divided(&urls("never_merge", &["a0", "a1", "a2"]), &["a0", "a1", "a2", "b0", "b1", "c"]);
    check_divided(&urls("never_merge", &["a0", "b1"]), &["a0+a1+a2", "b0", "b1", "c"]);
    check_divided("[[never_merge]]\nquery = 'source:s1'\n", &["a0+a2", "a1", "b0", "b1", "c"]);
    check_divided("[[never_merge]]\nquery = 'source:s0'\n", &["a0", "a1+a2", "b0", "b1", "c"]);
    check_divided(&urls("merge", &["b0", "b1"]), &["a0+a1+a2", "b0+b1", "c"]);
    check_divided(&urls("merge", &["b0", "c"]), &["a0+a1+a2", "b1", "c+b0"]);
    check_divided(&urls("merge", &["b1", "a2"]), &["a0+a1", "b0", "b1+a2", "c"]);
    check_divided("[[merge]]\nquery = 'title:alike'\n", &["a0+a1+a2", "b0+b1", "c"]);
    check_divided("[[merge]]\nquery = 'title:alike -source:s1'\n", &["a0+a1+a2", "b0", "b1", "c"]);
    // Further apart than the window.
    check_divided("[[merge]]\nquery = 'title:alike'\n[merging]\nwindow = \"3h\"\n", &["a0+a1+a2", "b0", "b1", "c"]);
    // What is never one wins.
    let both = [urls("merge", &["b0", "b1"]), urls("never_merge", &["b1", "b0"])].concat();
    check_divided(&both, &["a0+a1+a2", "b0", "b1", "c"]);
}

#[test]
fn an_edit_that_brings_an_entry_under_a_rule_joins_it_there_and_then() {
    let mut world = World::ruled("[[merge]]\nurls = [\"http://b0.example/news\", \"http://b1.example/news\"]\n");
    let moved = Item { url: Some("http://elsewhere.example/b1".to_owned()), ..five()[1][0][1].clone() };
    world.poll(0, 0, &vec![five()[0][0][2].clone()]);
    world.poll(1, 0, &vec![moved]);
    assert_eq!(partition(&world), ["b0", "b1"]);
    world.poll(1, 1, &vec![five()[1][0][1].clone()]);
    assert_eq!(partition(&world), ["b0+b1"]);
    check_whole(&world);
}

#[test]
fn a_source_with_two_sightings_in_an_entry_leaves_it_with_the_last_of_them() {
    let rule = "[[merge]]\nurls = [\"http://b0.example/news\", \"http://c.example/news\"]\n";
    let days = |days: i64| start() + chrono::TimeDelta::days(days);
    let day = |day: usize| 24 * day;
    let mut world = World::ruled(rule);
    let document = five()[0][0].clone();
    world.poll(0, 0, &document);
    assert_eq!(partition(&world), ["a0", "c+b0"]);
    world.poll(0, day(1), &document[1..].to_vec());
    assert_eq!(world.prune(days(800)), 0, "b0 is still shown");
    world.poll(0, day(2), &document[1..2].to_vec());
    assert_eq!(world.prune(days(800)), 2);
    assert_eq!(partition(&world), ["a0"]);
    assert_eq!(world.poll(0, day(3), &document), 0, "what was removed is no news");
    check_whole(&world);
}

#[test]
fn the_daemon_parts_and_joins_what_is_stored_when_the_file_is_edited() {
    let origins = [Origin::start("127.0.0.1"), Origin::start("127.0.0.2")];
    let page = |number: usize| origins[number].url("/news/1");
    for (number, origin) in origins.iter().enumerate() {
        let body = rss(&format!("S{number}"), &origin.url("/"), &[("1", &page(number), "A pact is signed", &words(1))]);
        origin.serve("/feed", Reply::rss(&body));
    }
    let source = |number: usize| format!("[sources.s{number}]\nurl = \"{}\"\n", origins[number].url("/feed"));
    let feeds = format!("{HEAD}{}{}", source(0), source(1));
    let rule = format!("[[never_merge]]\nurls = [\"{}\", \"{}\"]\n", page(0), page(1));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("feeds.toml");
    std::fs::write(&file, &feeds).unwrap();
    let mut program = Program::start(folder.path());
    assert_eq!(run(folder.path(), &["poll", "--force"]).0, Some(0));
    let ids = |program: &Program| {
        let items = program.items("/all.json");
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let before = ids(&program);
    assert_eq!(before.len(), 1);
    for (text, count) in [(format!("{feeds}{rule}"), 2), (feeds.clone(), 1)] {
        std::fs::write(&file, text).unwrap();
        program.wait_for("what is stored follows the changed rules over merging");
        // The order waits for what was published before it.
        assert_eq!(run(folder.path(), &["poll", "--force"]).0, Some(0));
        let now = ids(&program);
        assert_eq!(now.len(), count);
        assert!(now.contains(&before[0]));
    }
    let (code, text) = run(folder.path(), &["check"]);
    assert!(code == Some(0) && !text.contains("  rule "), "{text}");
    std::fs::write(&file, format!("{feeds}{rule}{rule}")).unwrap();
    let (_, text) = run(folder.path(), &["check"]);
    let sentence = format!("  rule         what is at {} and {} is never one entry\n", page(0), page(1));
    assert!(text.contains(&sentence) && text.contains("is there twice"), "{text}");
    assert_eq!(program.stop(), Some(0));
}
