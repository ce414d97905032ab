//! Plans and replays over small stores.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::TimeDelta;

use crate::config::overrides;
use crate::model::Timestamp;
use crate::model::source::{Scope, SourceKey};
use crate::poll::absorb;
use crate::poll::prepare::{self, Fresh};
use crate::poll::topics::Topics;
use crate::poll::window::Window;
use crate::rehearsal::plan::Planning;
use crate::rehearsal::replay::Replaying;
use crate::rehearsal::report::{Asked, Fate, GroupKind, Pair, PairKind, Plan, Replay, Told};
use crate::rehearsal::{Present, Work, present};
use crate::select::catalogue::Catalogue;
use crate::store::engine::{Engine, Pairs};
use crate::store::entries::Store;
use crate::store::memory::MemoryEngine;

const PACT: &str = "Leaders of both countries signed a comprehensive agreement on trade investment culture and security on \
                    Thursday after two days of talks in the capital that were watched closely by all of their neighbours";
const FLOOD: &str = "The river rose by two metres within a single night and cut the last road to the villages on the far bank \
                     where some four hundred people wait for boats with water medicine and blankets from the coast";

fn now() -> Timestamp {
    chrono::DateTime::parse_from_rfc3339("2026-11-01T10:00:00Z").unwrap().to_utc()
}

fn asked(text: &str) -> Asked {
    Asked::new(text.to_owned(), PathBuf::from("/nowhere"), &BTreeMap::new(), false)
}

/// Two sources with a copy of one piece of news under different addresses, one with a piece of its own, and topics.
const FILE: &str = r#"
[sources.one]
url = "https://one.example/feed"
topics = ["world"]
[sources.two]
url = "https://two.example/feed"
[sources.three]
url = "https://three.example/feed"
topics = ["local"]
[topics.rivers]
match = "river"
"#;

fn rss(items: &[(&str, &str, &str)]) -> String {
    let item = |(guid, title, text): &(&str, &str, &str)| {
        format!(
            "<item><guid isPermaLink=\"false\">{guid}</guid><link>https://news.example/{guid}</link><title>{title}</title>\
             <pubDate>Sun, 01 Nov 2026 08:00:00 GMT</pubDate><description>{text}</description></item>"
        )
    };
    format!(
        "<rss version=\"2.0\"><channel><title>T</title>{}</channel></rss>",
        items.iter().map(item).collect::<String>()
    )
}

/// A store into which everything was polled under [`FILE`], and what holds it.
fn stored() -> (Arc<Store>, MemoryEngine) {
    let engine = MemoryEngine::default();
    let store = Arc::new(Store::new(Box::new(engine.clone())));
    let config = asked(FILE).config().unwrap();
    let named: Vec<_> = config.sources.iter().map(|source| (source.key.clone(), Vec::new())).collect();
    let scopes = store.scopes(&named).unwrap();
    let base = url::Url::parse("http://localhost/").unwrap();
    let catalogue = Catalogue::new(Arc::new(config), base, scopes, &BTreeMap::new());
    let topics = Topics::read(&catalogue, &store).unwrap();
    let mut counters = store.counters().unwrap();
    let documents = [
        ("one", rss(&[("pact-1", "A pact is signed", PACT), ("short-1", "A short note", "Too short to tell.")])),
        ("two", rss(&[("pact-2", "Leaders agree at last", PACT)])),
        ("three", rss(&[("flood-3", "The river rises", FLOOD)])),
    ];
    let window = Window::read(&store, &catalogue, now()).unwrap();
    for (minute, (source, body)) in (0..).zip(&documents) {
        let key = SourceKey::new(source).unwrap();
        let fresh = Fresh {
            key: &key,
            scope: &Scope::from(&key),
            body: body.as_bytes(),
            content_type: None,
            base: None,
            last_document: &[],
            state: crate::store::source::SourceState::default(),
            now: now() + TimeDelta::minutes(minute),
        };
        let prepared = prepare::prepare(fresh).unwrap();
        absorb::absorb(&store, &topics, &catalogue, prepared, &mut counters, &window).unwrap();
    }
    store.sync().unwrap();
    assert_eq!((counters.entries, counters.sightings), (3, 4));
    (store, engine)
}

fn all(engine: &MemoryEngine) -> Pairs {
    engine.scan(&[0], &[0xff], usize::MAX).unwrap()
}

/// Everything that is told to the end.
fn told(mut work: impl Work) -> Vec<Told> {
    let mut all = Vec::new();
    while let Some(told) = work.step().unwrap() {
        all.extend(told);
    }
    all
}

fn plan_of(told: &[Told]) -> Plan {
    let plan = told.iter().find_map(|told| if let Told::Plan(plan) = told { Some(&**plan) } else { None });
    plan.unwrap().clone()
}

/// What would differ, a line each: `topics/world -A pact is signed`.
fn lines(told: &[Told]) -> Vec<String> {
    let line = |told: &Told| match told {
        Told::Entry(entry) => {
            let sign = match entry.fate {
                Fate::Appears => '+',
                Fate::Vanishes => '-',
                Fate::ShownDifferently => '~',
            };
            Some(format!("{} {sign}{}", entry.feed, entry.title.as_deref().unwrap_or_default()))
        }
        Told::Group(group) => {
            Some(format!("{} {}", if group.kind == GroupKind::Merge { "merge" } else { "part" }, group.ids.len()))
        }
        _ => None,
    };
    let mut lines: Vec<String> = told.iter().filter_map(line).collect();
    lines.sort();
    lines
}

/// Plans a changed file against the configuration that is in effect.
fn planned(changed: &str) -> (Plan, Vec<String>) {
    let (store, engine) = stored();
    let before = all(&engine);
    let present: Present = present(&store, asked(FILE).config().unwrap()).unwrap();
    let config = asked(changed).config().unwrap();
    let planning = Planning::new(&store, config, Some(&present), String::new(), now(), false).unwrap();
    let told = told(planning);
    assert_eq!(all(&engine), before, "a plan writes nothing");
    (plan_of(&told), lines(&told))
}

#[test]
fn a_plan_says_what_would_become_of_every_entry() {
    let pact = "A pact is signed";
    for (changed, expected) in [
        (FILE.to_owned(), vec![]),
        (
            FILE.replace("match = \"river\"", "match = \"agreement\""),
            vec![format!("topics/rivers +{pact}"), "topics/rivers -The river rises".to_owned()],
        ),
        (FILE.to_owned() + "[topics.short]\nmatch = \"title:note\"\n", vec!["topics/short +A short note".to_owned()]),
        (
            FILE.replace("[sources.two]", "[sources.two]\npriority = 5"),
            vec![
                "all ~Leaders agree at last".to_owned(),
                "sources/one ~Leaders agree at last".to_owned(),
                "sources/two ~Leaders agree at last".to_owned(),
                "topics/world ~Leaders agree at last".to_owned(),
            ],
        ),
        (FILE.replace("[sources.three]", "[sources.three-a]\nwas = [\"three\"]"), vec![]),
        (FILE.replace("topics = [\"local\"]", ""), vec!["topics/local -The river rises".to_owned()]),
        (
            FILE.replace("match = \"river\"", "match = \"river\"\nmax_age = \"1h\""),
            vec!["topics/rivers -The river rises".to_owned()],
        ),
        (
            FILE.replace("[sources.one]", "[sources.one]\nkeep_entries = 1"),
            vec![
                "all -A short note".to_owned(),
                "sources/one -A short note".to_owned(),
                "topics/world -A short note".to_owned(),
            ],
        ),
        (FILE.to_owned() + "[sources.new]\nurl = \"https://new.example/feed\"\n", vec![]),
    ] {
        let (_, lines) = planned(&changed);
        assert_eq!(lines, expected, "{changed}");
    }
}

#[test]
fn what_a_source_brought_is_not_shown_without_it() {
    // The file without the declaration of one source.
    let without = |source: &str| {
        let from = FILE.find(&format!("[sources.{source}]")).unwrap();
        let to = FILE[from..].find("\n[").unwrap() + from + 1;
        FILE[..from].to_owned() + &FILE[to..]
    };
    for (changed, expected) in [
        (
            without("three"),
            vec![
                "all -The river rises".to_owned(),
                "sources/three -The river rises".to_owned(),
                "topics/local -The river rises".to_owned(),
                "topics/rivers -The river rises".to_owned(),
            ],
        ),
        // The other copy is still shown, in every feed that it belongs to.
        (
            without("one"),
            vec![
                "all -A short note".to_owned(),
                "all ~Leaders agree at last".to_owned(),
                "sources/one -A pact is signed".to_owned(),
                "sources/one -A short note".to_owned(),
                "sources/two ~Leaders agree at last".to_owned(),
                "topics/world -A pact is signed".to_owned(),
                "topics/world -A short note".to_owned(),
            ],
        ),
    ] {
        let (plan, lines) = planned(&changed);
        assert_eq!(lines, expected, "{changed}");
        assert_eq!(plan.sources.removed.len(), 1);
    }
}

#[test]
fn a_plan_says_what_rules_would_part_and_merge() {
    let apart = "[[never_merge]]\nurls = [\"https://news.example/pact-1\", \"https://news.example/pact-2\"]\n";
    let together = "[[merge]]\nurls = [\"https://news.example/pact-1\", \"https://news.example/flood-3\"]\n";
    let (plan, lines) = planned(&(FILE.to_owned() + apart));
    assert_eq!((plan.merge, plan.part), (0, 1));
    assert!(lines.contains(&"part 2".to_owned()), "{lines:?}");
    // The parted copy is new in no feed but the combined one, which held it as a part of the other.
    assert_eq!(
        lines,
        ["all +Leaders agree at last", "part 2", "sources/two +Leaders agree at last", "sources/two -A pact is signed"]
    );
    let (plan, lines) = planned(&(FILE.to_owned() + together));
    assert_eq!((plan.merge, plan.part), (1, 0));
    assert!(lines.contains(&"merge 2".to_owned()) && lines.contains(&"all -The river rises".to_owned()), "{lines:?}");
}

#[test]
fn a_plan_says_what_differs_in_the_file() {
    let changed =
        FILE.replace("[sources.two]", "[sources.two]\npriority = 5").replace("[sources.three]", "[sources.four]")
            + "[topics.short]\nmatch = \"title:note\"\n[store]\npath = \"elsewhere\"\n";
    let (plan, _) = planned(&changed.replace("match = \"river\"", "match = \"flood\""));
    assert_eq!(plan.sources.added, ["four"]);
    assert_eq!(plan.sources.removed, ["three"]);
    assert_eq!(plan.sources.changed[0].key, "two");
    assert_eq!(plan.sources.changed[0].what, ["priority 0 → 5"]);
    assert_eq!(plan.topics.added, ["short"]);
    assert_eq!(plan.topics.changed[0].what, ["match '\"river\"' → '\"flood\"'"]);
    assert!(plan.notes.iter().any(|note| note.contains("/nowhere/elsewhere")), "{:?}", plan.notes);
    assert!(planned(FILE).0.is_empty());
    assert!(
        planned(&FILE.replace("[sources.three]", "[sources.three-a]\nwas = [\"three\"]")).0.sources.removed.is_empty()
    );
}

#[test]
fn without_a_known_configuration_the_store_says_what_it_was_used_for() {
    let (store, engine) = stored();
    let before = all(&engine);
    let plan = |changed: &str| {
        let config = asked(changed).config().unwrap();
        let told = told(Planning::new(&store, config, None, String::new(), now(), false).unwrap());
        (plan_of(&told), lines(&told))
    };
    assert!(plan(FILE).0.is_empty());
    let changed =
        FILE.replace("[sources.three]", "[sources.four]").replace("match = \"river\"", "match = \"agreement\"");
    let (plan, lines) = plan(&changed);
    assert_eq!((plan.sources.added, plan.sources.removed), (vec!["four".to_owned()], vec!["three".to_owned()]));
    assert_eq!(plan.topics.changed[0].what, ["match '\"river\"' → '\"agreement\"'"]);
    assert_eq!(
        lines,
        [
            "all -The river rises",
            "sources/three -The river rises",
            "topics/local -The river rises",
            "topics/rivers +A pact is signed",
            "topics/rivers -The river rises",
        ]
    );
    assert_eq!(all(&engine), before);
}

#[test]
fn one_plan_is_made_at_a_time_and_a_store_goes_on_meanwhile() {
    let (store, _engine) = stored();
    let config = || asked(FILE).config().unwrap();
    let planning = Planning::new(&store, config(), None, String::new(), now(), false).unwrap();
    assert!(Replaying::new(&store, config(), false).is_err());
    store.forget_topic(&crate::model::source::TopicKey::new("rivers").unwrap()).unwrap();
    assert!(plan_of(&told(planning)).is_empty(), "it is made of one moment");
    assert!(Replaying::new(&store, config(), false).is_ok());
}

#[test]
fn no_secret_goes_along() {
    let variables = BTreeMap::from([
        ("DESK_TOKEN".to_owned(), "hunter2".to_owned()),
        ("OTHER".to_owned(), "hunter3".to_owned()),
        ("FEEDMILL_STORE_PATH".to_owned(), "/data".to_owned()),
    ]);
    let text = "[sources.one]\nurl = \"https://one.example/feed\"\n[sources.one.headers]\nx-token = { env = \"DESK_TOKEN\" }\n\
                y-token = { file = \"missing\" }\n";
    let asked = Asked::new(text.to_owned(), Path::new("/nowhere").to_owned(), &variables, false);
    assert!(!format!("{asked:?}").contains("hunter"));
    let config = asked.config().unwrap();
    assert_eq!(config.store.path, Path::new("/data"));
    assert_eq!(config.sources[0].headers.len(), 2);
}

/// Replays with some settings: the end, and the pairs that differ.
fn replayed(settings: &[&str]) -> (Replay, Vec<Pair>) {
    replayed_with(FILE, settings)
}

fn replayed_with(file: &str, settings: &[&str]) -> (Replay, Vec<Pair>) {
    let (store, engine) = stored();
    let before = all(&engine);
    let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
    let text = overrides::with_settings(file, &settings).unwrap();
    let told = told(Replaying::new(&store, asked(&text).config().unwrap(), false).unwrap());
    assert_eq!(all(&engine), before, "a replay writes nothing");
    let end = told.iter().find_map(|told| if let Told::Replay(end) = told { Some((**end).clone()) } else { None });
    let pairs = told.into_iter().filter_map(|told| if let Told::Pair(pair) = told { Some(*pair) } else { None });
    (end.unwrap(), pairs.collect())
}

#[test]
fn a_replay_as_it_is_finds_no_difference() {
    let (end, pairs) = replayed(&[]);
    assert_eq!(pairs, []);
    assert_eq!((end.sightings, end.entries_now, end.entries_then, end.would_part, end.would_join), (4, 3, 3, 0, 0));
}

#[test]
fn a_ground_that_is_switched_off_parts_what_it_joined() {
    for setting in [
        "merging.same_content=false",
        "merge.same_content=false",
        "sources.one.merge.same_content=false",
        "sources.two.merge.same_content=false",
    ] {
        let (end, pairs) = replayed(&[setting]);
        assert_eq!((end.entries_now, end.entries_then, end.would_part, end.would_join), (3, 4, 1, 0), "{setting}");
        let [pair] = pairs.as_slice() else { panic!("{pairs:?}") };
        assert_eq!((pair.kind, pair.ground.as_str()), (PairKind::WouldPart, "same-content"));
        assert_eq!(pair.evidence, "the same text as in one");
        let told: Vec<_> =
            pair.sightings.iter().map(|it| (it.source.as_str(), it.title.as_deref(), it.url.as_deref())).collect();
        assert_eq!(
            told,
            [
                ("one", Some("A pact is signed"), Some("https://news.example/pact-1")),
                ("two", Some("Leaders agree at last"), Some("https://news.example/pact-2")),
            ]
        );
        assert_eq!(pair.sightings[0].entry, pair.sightings[1].entry);
    }
    let apart = "[[never_merge]]\nurls = [\"https://news.example/pact-1\", \"https://news.example/pact-2\"]\n";
    let (end, pairs) = replayed_with(&(FILE.to_owned() + apart), &[]);
    assert_eq!((end.would_part, end.would_join, pairs.len()), (1, 0, 1));
    let together = "[[merge]]\nurls = [\"https://news.example/pact-1\", \"https://news.example/flood-3\"]\n";
    let (end, pairs) = replayed_with(&(FILE.to_owned() + together), &[]);
    assert_eq!((end.would_part, end.would_join, pairs[0].ground.as_str()), (0, 1, "rule"));
    assert_eq!(replayed(&["sources.three.merge.same_content=false"]).0.would_part, 0);
}
