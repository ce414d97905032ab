//! What is the same, what is not, and what is shown.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use url::Url;

use crate::merge::canonical::canonical;
use crate::merge::decide::{self, Arrival, ChangeKind, Facts, Known, Likeness};
use crate::merge::identify;
use crate::merge::present::{self, Standing, StandingSource};
use crate::model::Timestamp;
use crate::model::document::{Enclosure, Guid, Observation, RawHtml};
use crate::model::entry::{Entry, Ground, Seq, TextName};
use crate::model::source::{Grounds, Scope, SourceKey};

const LONG: &str = "Leaders of both countries signed a comprehensive agreement on trade investment culture and security on Thursday after two \
                    days of talks in the capital that were watched closely by all of their neighbours";
const OTHER: &str = "Rescue teams reached the last of the flooded villages on Monday morning and brought food water and medicine to several \
                     hundred people who had waited there for help since the end of last week";

fn at(text: &str) -> Timestamp {
    chrono::DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

fn seen(guid: &str, url: &str, title: &str, text: &str) -> Observation {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Observation {
        guid: some(guid).map(|value| Guid { value, is_permalink: None }),
        url: some(url).map(|url| Url::parse(&url).unwrap()),
        title: some(title),
        content: some(text).map(RawHtml),
        published: Some(at("2026-11-01T08:00:00Z")),
        ..Observation::default()
    }
}

fn scope(name: &str) -> Scope {
    Scope(name.into())
}

/// What a store would know, without one.
#[derive(Default)]
struct World {
    entries: HashMap<Seq, Entry>,
    texts: HashMap<TextName, String>,
    next: Seq,
    minute: i64,
    polled: HashMap<Scope, Timestamp>,
    grounds: HashMap<Scope, Grounds>,
    alike: Option<Likeness>,
}

impl World {
    fn now(&self) -> Timestamp {
        at("2026-11-01T10:00:00Z") + chrono::TimeDelta::minutes(self.minute)
    }

    /// Polls one document and says what it changed.
    fn poll(&mut self, source: &str, document: &[Observation]) -> Vec<(ChangeKind, Ground)> {
        self.minute += 1;
        let scope = scope(source);
        let site = Url::parse(&format!("https://{source}.example/news/")).unwrap();
        let all = identify::identify(&scope, Some(&site), document.to_vec());
        let entries = self.entries.iter().map(|(seq, entry)| (*seq, Arc::new(entry.clone()))).collect();
        let mut known = Known { entries, ..Known::default() };
        for entry in self.entries.values() {
            for key in entry.sightings.iter().flat_map(|sighting| &sighting.keys) {
                known.by_key.entry(*key).or_default().push(entry.seq);
            }
        }
        if let (Some(alike), Some(one)) = (self.alike.clone(), all.first()) {
            known.alike.insert(one.own, vec![alike]);
        }
        let arrival = Arrival {
            scope: scope.clone(),
            previous_poll: self.polled.get(&scope).copied(),
            now: self.now(),
            document: all.iter().map(|one| one.own).collect(),
        };
        let facts = Facts {
            text: &|hash| self.texts.get(&hash).cloned(),
            grounds: &|scope| self.grounds.get(scope).copied().unwrap_or_default(),
            is_taken: &|id| self.entries.values().any(|entry| entry.id == id),
        };
        let mut next = Seq(self.next.0.max(1));
        let changes = decide::decide(&arrival, all, known, &facts, &mut next);
        self.next = next;
        self.polled.insert(scope, self.now());
        let mut told = Vec::new();
        for (change, one) in changes {
            told.push((change.kind, change.entry.sightings[change.sighting].ground));
            if let Some(name) = change.entry.sightings[change.sighting].text {
                self.texts.insert(name, one.told().into_owned());
            }
            self.entries.insert(change.entry.seq, Arc::unwrap_or_clone(change.entry));
        }
        told
    }

    fn count(&self) -> usize {
        self.entries.len()
    }
}

/// Polls one observation each of two sources and says on what ground the second joined.
fn joined(one: Observation, other: Observation) -> Option<Ground> {
    let mut world = World::default();
    world.poll("one", &[one]);
    let told = world.poll("other", &[other]);
    told.first().filter(|(kind, _)| *kind == ChangeKind::Joined).map(|(_, ground)| *ground)
}

#[test]
fn spellings_of_one_address_are_equal() {
    for (one, other) in [
        ("https://www.example.org/a/", "http://example.org/a"),
        ("https://m.example.org/a", "https://EXAMPLE.org:443/a#top"),
        ("https://example.org/a?b=1&a=2", "https://example.org/a?a=2&b=1&utm_source=x&fbclid=y"),
        ("https://example.org/a?source=rss", "https://example.org/a"),
        ("https://amp.example.org/a", "https://example.org/a?"),
    ] {
        assert_eq!(canonical(&Url::parse(one).unwrap()), canonical(&Url::parse(other).unwrap()), "{one} {other}");
    }
    for (one, other) in [
        ("https://example.org/a", "https://example.org/A"),
        ("https://example.org/a?id=1", "https://example.org/a?id=2"),
        ("https://example.org/a?source=bbc", "https://example.org/a"),
        ("https://m.com/a", "https://com/a"),
        ("https://example.org:8080/a", "https://example.org/a"),
    ] {
        assert_ne!(canonical(&Url::parse(one).unwrap()), canonical(&Url::parse(other).unwrap()), "{one} {other}");
    }
}

#[test]
fn copies_join_on_the_strongest_ground() {
    let url = "https://one.example/a";
    let tracked = "https://www.one.example/a/?utm_source=feed";
    assert_eq!(
        joined(
            seen("tag:one,2026:1", "", "A pact is signed today", LONG),
            seen("tag:one,2026:1", "", "A pact is signed today", "")
        ),
        Some(Ground::SameGuid)
    );
    assert_eq!(
        joined(seen("1", url, "A pact is signed today", LONG), seen("2", tracked, "A pact is signed today", "")),
        Some(Ground::SameUrl)
    );
    assert_eq!(
        joined(seen("1", url, "A pact", LONG), seen("2", tracked, "Quite another headline", LONG)),
        Some(Ground::SameUrl)
    );
    assert_eq!(
        joined(seen("1", url, "A pact", LONG), seen("2", "https://other.example/b", "Another headline", LONG)),
        Some(Ground::SameContent)
    );
}

#[test]
fn what_only_shares_a_key_stays_apart() {
    let url = "https://one.example/a";
    // A guid that is a mere number belongs to its source.
    assert_eq!(joined(seen("1", "", "A pact", "short"), seen("1", "", "A pact", "short")), None);
    // A remark on an article is not the article.
    assert_eq!(joined(seen("1", url, "A pact is signed today", LONG), seen("2", url, "My thoughts", OTHER)), None);
    // Short texts say the same about different things.
    assert_eq!(
        joined(
            seen("1", url, "Status", "No warnings."),
            seen("2", "https://other.example/b", "Status", "No warnings.")
        ),
        None
    );
    // A front page names no entry.
    assert_eq!(
        joined(
            seen("1", "https://one.example/", "Weekly links", ""),
            seen("2", "https://one.example/", "Weekly links", "")
        ),
        None
    );
}

#[test]
fn a_ground_can_be_switched_off_on_either_side() {
    for source in ["one", "other"] {
        let mut world = World::default();
        world.grounds.insert(scope(source), Grounds { same_content: false, ..Grounds::default() });
        world.poll("one", &[seen("1", "https://one.example/a", "A pact", LONG)]);
        world.poll("other", &[seen("2", "https://other.example/b", "Another headline", LONG)]);
        assert_eq!(world.count(), 2, "{source}");
    }
}

#[test]
fn the_same_document_again_changes_nothing() {
    let mut world = World::default();
    let document =
        [seen("1", "https://one.example/a", "A pact", LONG), seen("2", "https://one.example/b", "A flood", OTHER)];
    assert_eq!(world.poll("one", &document).len(), 2);
    assert_eq!(world.poll("one", &document), []);
}

#[test]
fn an_edit_updates_in_place_and_keeps_what_was_published() {
    let mut world = World::default();
    world.poll("one", &[seen("1", "https://one.example/a", "A pact", LONG)]);
    let before = world.entries[&Seq(1)].clone();
    assert_eq!(
        world.poll("one", &[seen("1", "https://one.example/a", "A pact, corrected", LONG)]),
        [(ChangeKind::Updated, Ground::First)]
    );
    let after = &world.entries[&Seq(1)];
    assert_eq!(
        (after.id, after.first_seen, after.sightings[0].sort_at),
        (before.id, before.first_seen, before.sightings[0].sort_at)
    );
    assert_eq!(after.sightings[0].title.as_deref(), Some("A pact, corrected"));
    assert_eq!(after.sightings[0].changed, Some(world.now()));
}

#[test]
fn a_date_that_moves_at_every_build_is_no_change() {
    let mut world = World::default();
    let one = seen("1", "https://one.example/a", "A pact", LONG);
    world.poll("one", std::slice::from_ref(&one));
    let moved =
        Observation { published: Some(at("2026-11-01T09:59:00Z")), updated: Some(at("2026-11-01T09:59:00Z")), ..one };
    assert_eq!(world.poll("one", &[moved]), []);
}

#[test]
fn a_changed_guid_is_recognised_by_its_address() {
    let mut world = World::default();
    world.poll("one", &[seen("1", "https://one.example/a", "A pact", LONG)]);
    world.poll("one", &[seen("http-to-https-1", "https://one.example/a", "A pact", LONG)]);
    assert_eq!(world.count(), 1);
    // And the old name still means the same entry.
    world.poll("one", &[seen("1", "https://one.example/a", "A pact", LONG)]);
    assert_eq!(world.count(), 1);
}

#[test]
fn two_items_under_one_address_are_two_entries() {
    let mut world = World::default();
    let status = |guid: &str, title: &str| seen(guid, "https://one.example/status", title, "");
    world.poll("one", &[status("1", "All is well"), status("2", "Mail is down")]);
    assert_eq!(world.count(), 2);
    // One after another, each alone in its document: the address stays, everything else differs.
    let mut world = World::default();
    world.poll("one", &[status("1", "All is well")]);
    let later = Observation { published: Some(at("2026-11-01T09:00:00Z")), ..status("2", "Mail is down") };
    world.poll("one", &[later]);
    assert_eq!(world.count(), 2);
}

#[test]
fn a_status_page_that_says_the_same_twice_has_two_entries() {
    let mut world = World::default();
    let report = |guid: &str, hour: u32| Observation {
        published: Some(at(&format!("2026-11-01T{hour:02}:00:00Z"))),
        ..seen(guid, "", "Warnings", LONG)
    };
    world.poll("one", &[report("1", 6)]);
    world.poll("one", &[report("2", 7)]);
    assert_eq!(world.count(), 2);
    // The same report under a new guid is no news.
    world.poll("one", &[report("3", 7)]);
    assert_eq!(world.count(), 2);
}

#[test]
fn a_changelog_that_tells_its_entries_apart_by_fragment_keeps_them_apart() {
    let mut world = World::default();
    world.poll("one", &[seen("", "https://one.example/log#v2", "Version 2", "")]);
    world.poll("one", &[seen("", "https://one.example/log#v3", "Version 3", "")]);
    assert_eq!(world.count(), 2);
}

#[test]
fn a_guid_that_all_items_share_tells_nothing_and_loses_nothing() {
    let mut world = World::default();
    let document = [
        seen("same", "https://one.example/a", "A pact", ""),
        seen("same", "https://one.example/b", "A flood", ""),
        seen("same", "", "Without an address", ""),
    ];
    world.poll("one", &document);
    assert_eq!(world.count(), 3);
    assert_eq!(world.poll("one", &document), []);
}

#[test]
fn a_podcast_with_the_same_notes_and_another_file_is_another_episode() {
    let mut world = World::default();
    let episode = |guid: &str, file: &str| {
        let url = Url::parse(&format!("https://one.example/{file}.mp3")).unwrap();
        Observation {
            enclosures: vec![Enclosure { url, media_type: None, length: None, title: None }],
            ..seen(guid, "", "The show", LONG)
        }
    };
    world.poll("one", &[episode("1", "first")]);
    world.poll("one", &[episode("2", "second")]);
    assert_eq!(world.count(), 2);
}

#[test]
fn names_that_wander_between_items_hide_none() {
    let mut world = World::default();
    let item = |guid: &str| seen(guid, "https://one.example/a", "A pact", LONG);
    world.poll("one", &[item("1")]);
    world.poll("one", &[item("2")]);
    assert_eq!(world.count(), 1);
    // Both at once: the address repeats, so two items are meant.
    let document =
        [seen("1", "https://one.example/a", "A pact", LONG), seen("2", "https://one.example/a", "A flood", OTHER)];
    world.poll("one", &document);
    let titles: HashSet<_> = world.entries.values().filter_map(|entry| entry.sightings[0].title.clone()).collect();
    assert_eq!(titles, HashSet::from(["A pact".to_owned(), "A flood".to_owned()]));
    assert_eq!(world.poll("one", &document), []);
}

#[test]
fn a_proposal_of_likeness_joins_where_no_key_does() {
    let mut world = World::default();
    world.poll("one", &[seen("1", "https://one.example/a", "A pact", LONG)]);
    world.alike =
        Some(Likeness { entry: Seq(1), sighting: Seq(2), score: 0.9, evidence: "nine tenths of its text".to_owned() });
    assert_eq!(
        world.poll("other", &[seen("2", "https://other.example/b", "A pact", OTHER)]),
        [(ChangeKind::Joined, Ground::NearDuplicate)]
    );
    // Never within one source, where likeness is no evidence.
    world.alike = Some(Likeness { entry: Seq(1), sighting: Seq(2), score: 0.9, evidence: String::new() });
    assert_eq!(
        world.poll("one", &[seen("9", "https://one.example/z", "A storm", OTHER)]),
        [(ChangeKind::New, Ground::First)]
    );
}

#[test]
fn public_ids_are_unique_also_where_keys_are_shared() {
    let mut world = World::default();
    let url = "https://one.example/a";
    world.poll("one", &[seen("", url, "A pact is signed today", LONG)]);
    world.poll("other", &[seen("", url, "My thoughts", OTHER)]);
    let ids: HashSet<_> = world.entries.values().map(|entry| entry.id).collect();
    assert_eq!(ids.len(), 2);
}

#[test]
fn places_lie_between_two_polls() {
    let mut world = World::default();
    let one = |guid: &str, published: &str| Observation { published: Some(at(published)), ..seen(guid, "", guid, "") };
    world.poll("one", &[one("old", "2020-01-01T00:00:00Z"), one("future", "2030-01-01T00:00:00Z")]);
    let first_poll = world.now();
    world.poll("one", &[one("back-dated", "2020-01-01T00:00:00Z"), one("old", "2020-01-01T00:00:00Z")]);
    let place = |title: &str| {
        world.entries.values().find(|entry| entry.sightings[0].title.as_deref() == Some(title)).unwrap().sightings[0]
            .sort_at
    };
    assert_eq!(place("old"), at("2020-01-01T00:00:00Z"));
    assert_eq!(place("future"), first_poll);
    assert_eq!(place("back-dated"), first_poll);
}

/// The title that is shown of an entry with these sightings: source, priority, address, claimed time.
fn shown(sightings: &[(&str, i32, &str, Option<&str>)]) -> String {
    let mut world = World::default();
    let mut standing = Standing::default();
    for (source, priority, url, published) in sightings {
        let one = Observation { published: published.map(at), ..seen("", url, source, LONG) };
        world.poll(source, &[one]);
        standing.sources.insert(
            scope(source),
            StandingSource {
                key: SourceKey::new(source).unwrap(),
                title: (*source).to_owned(),
                address: None,
                site: Url::parse(&format!("https://{source}.example/")).ok(),
                priority: *priority,
                grounds: Grounds::default(),
                shows_pages: false,
            },
        );
    }
    assert_eq!(world.count(), 1);
    let entry = world.entries.values().next().unwrap();
    present::shown(entry, &standing).unwrap().title.clone().unwrap()
}

#[test]
fn what_is_shown_follows_the_rule_and_not_the_order_of_arrival() {
    let early = Some("2026-11-01T06:00:00Z");
    let late = Some("2026-11-01T07:00:00Z");
    // Priority, then home, then the earliest claim, then the key.
    assert_eq!(shown(&[("a", 0, "https://a.example/1", early), ("b", 1, "https://x.example/2", late)]), "b");
    assert_eq!(shown(&[("a", 0, "https://x.example/1", early), ("b", 0, "https://www.b.example/2", late)]), "b");
    assert_eq!(shown(&[("a", 0, "https://a.example/1", late), ("b", 0, "https://b.example/2", early)]), "b");
    assert_eq!(shown(&[("a", 0, "https://a.example/1", None), ("b", 0, "https://b.example/2", late)]), "b");
    assert_eq!(shown(&[("b", 0, "https://b.example/1", late), ("a", 0, "https://a.example/2", late)]), "a");
}
