//! What is the same, what is not, and what is shown.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use url::Url;

use crate::merge::canonical::{canonical, is_same_site};
use crate::merge::decide::{self, Arrival, ChangeKind, Facts, Known, Likeness};
use crate::merge::identify;
use crate::merge::present::{self, Standing, StandingSource};
use crate::merge::rules::{Kind, Of, Rule, Rules, Seen, Subject};
use crate::model::Timestamp;
use crate::model::document::{About, Enclosure, Guid, Observation, Origin, Particulars, RawHtml, Related, RelatedKind};
use crate::model::entry::{Entry, Ground, Key, Seq, TextName};
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
    documents: HashMap<Scope, HashSet<Key>>,
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
        let before = self.documents.insert(scope.clone(), arrival.document.clone()).unwrap_or_default();
        known.names_before = before.len();
        let is_gone = |key: &Key| before.contains(key) && !arrival.document.contains(key);
        let has_left = |entry: &&Entry| {
            let mut own = entry.sightings.iter().filter(|it| it.source == scope).filter_map(|it| it.keys.first());
            own.any(is_gone)
        };
        known.departed = self.entries.values().filter(has_left).map(|entry| entry.seq).collect();
        known.departed.sort_unstable();
        let facts = Facts {
            text: &|hash| self.texts.get(&hash).cloned(),
            grounds: &|scope| self.grounds.get(scope).copied().unwrap_or_default(),
            is_taken: &|id| self.entries.values().any(|entry| entry.id == id),
            rules: None,
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
                about: Arc::default(),
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

/// Polls a document and then another one of the same source; gives how many of the second's observations are new, and whether
/// any entry counts as changed.
fn again(before: &[Observation], after: &[Observation]) -> (usize, bool) {
    let mut world = World::default();
    world.poll("one", before);
    let told = world.poll("one", after);
    assert_eq!(world.poll("one", after), [], "polled again it changes nothing");
    let new = told.iter().filter(|(kind, _)| *kind == ChangeKind::New).count();
    (new, world.entries.values().any(|entry| entry.sightings[0].changed.is_some()))
}

fn at_hour(hour: u32, one: Observation) -> Observation {
    Observation { published: Some(at(&format!("2026-11-01T{hour:02}:00:00Z"))), ..one }
}

#[test]
fn a_guid_that_is_only_spelt_otherwise_is_the_same() {
    for guid in
        ["https://one.example/1", "http://www.one.example/1", "http://one.example/1/", "https://www.one.example/1/"]
    {
        let before = seen("http://one.example/1", "", "A pact", "Signed.");
        // Whatever else has changed.
        assert_eq!(again(&[before], &[at_hour(9, seen(guid, "", "A flood", "Water."))]).0, 0, "{guid}");
    }
    let before = seen("http://one.example/1", "", "A pact", "Signed.");
    assert_eq!(again(&[before], &[seen("http://two.example/1", "", "A flood", "Water.")]).0, 1);
    // Also where the document no longer showed it.
    let mut world = World::default();
    world.poll("one", &[seen("http://one.example/1", "", "A pact", "Signed.")]);
    world.poll("one", &[seen("http://one.example/2", "", "A flood", "Water.")]);
    world.poll("one", &[seen("https://one.example/1", "", "A pact", "Signed.")]);
    assert_eq!(world.count(), 2);
}

#[test]
fn a_short_entry_under_another_name_is_known_by_title_text_and_time() {
    let before = seen("1", "https://one.example/?p=1", "A pact", "Signed.");
    for (after, expected) in [
        (seen("2", "https://two.example/a-pact", "A pact", "Signed."), 0),
        (seen("2", "https://two.example/a-pact", "A Pact!", "signed"), 0),
        (at_hour(9, seen("2", "https://two.example/a-pact", "A pact", "Signed.")), 1),
        (seen("2", "https://two.example/a-pact", "A flood", "Signed."), 1),
        (seen("2", "https://two.example/a-pact", "A pact", "Broken again."), 1),
        (Observation { published: None, ..seen("2", "https://two.example/x", "A pact", "Signed.") }, 1),
        // The place on the site speaks for it as well as the time does.
        (at_hour(9, seen("2", "https://two.example/?p=1", "A pact", "Signed.")), 0),
    ] {
        assert_eq!(again(std::slice::from_ref(&before), std::slice::from_ref(&after)).0, expected, "{after:?}");
        // While the document shows the old name, both are meant.
        let both = [before.clone(), after.clone()];
        assert_eq!(again(std::slice::from_ref(&before), &both).0, 1, "{after:?}");
    }
}

#[test]
fn an_address_that_several_share_recognises_nothing() {
    let status =
        |guid: &str, hour: u32| at_hour(hour, seen(guid, "https://one.example/status", "Status", "No warnings."));
    assert_eq!(again(&[status("1", 1), status("2", 2)], &[status("3", 3), status("4", 4)]).0, 2);
    let plain = |guid: &str, hour: u32| at_hour(hour, seen(guid, "", "Status", "No warnings."));
    assert_eq!(again(&[plain("1", 1)], &[plain("2", 2)]).0, 1);
    assert_eq!(again(&[plain("1", 1), plain("2", 1)], &[plain("3", 1), plain("4", 1)]).0, 0, "two are two again");
}

fn old(number: usize) -> String {
    format!("old{number}")
}

fn new(number: usize) -> String {
    format!("new{number}")
}

/// Ten entries of which each says something of its own.
fn ten(
    name: fn(usize) -> String,
    hour: u32,
    title: fn(usize) -> String,
    text: fn(usize) -> String,
) -> Vec<Observation> {
    (0..10)
        .map(|it| {
            at_hour(hour, seen(&name(it), &format!("https://{}.example/{}", name(0), name(it)), &title(it), &text(it)))
        })
        .collect()
}

#[test]
fn when_most_names_change_at_once_neither_time_nor_address_contradicts() {
    let title = |it: usize| format!("Story {it}");
    let text = |it: usize| format!("The council met about {it}.");
    let before = ten(old, 1, title, text);
    assert_eq!(again(&before, &ten(new, 9, title, text)), (0, false));
    // One that is truly new among them.
    let mut more = ten(new, 9, title, text);
    more.insert(0, at_hour(9, seen("new99", "https://new0.example/99", "Story 99", "Something else.")));
    assert_eq!(again(&before, &more).0, 1);
    // A rolling document whose entries are all others, one of them told every day.
    let other = |it: usize| if it == 3 { "Story 3".to_owned() } else { format!("Report {it}") };
    let words =
        |it: usize| if it == 3 { "The council met about 3.".to_owned() } else { format!("Rain fell on village {it}.") };
    assert_eq!(again(&before, &ten(new, 9, other, words)).0, 10);
    // One template for each of ten towns, with other numbers: other news.
    let numbers = |it: usize| format!("Wind of {} km/h is expected.", it * 7);
    let later = |it: usize| format!("Wind of {} km/h is expected.", it * 7 + 3);
    assert_eq!(again(&ten(old, 1, title, numbers), &ten(new, 9, title, later)).0, 10);
}

#[test]
fn one_title_over_all_entries_confuses_none() {
    let text = |it: usize| format!("The council met about {it}.");
    let mut world = World::default();
    world.poll("one", &ten(old, 1, |_| "Note".to_owned(), text));
    world.poll("one", &ten(new, 9, |_| "Note".to_owned(), text));
    assert_eq!(world.count(), 10);
    for entry in world.entries.values() {
        let sighting = &entry.sightings[0];
        let number = sighting.guid.as_ref().unwrap().value.strip_prefix("new").unwrap().to_owned();
        assert_eq!(world.texts[&sighting.text.unwrap()], format!("The council met about {number}."));
    }
}

#[test]
fn entries_that_are_pictures_are_known_whatever_their_addresses_do() {
    let comic = |guid: &str, day: u32, host: &str, sign: u32| {
        let html = format!(
            "<a href='https://{host}.example/?s={sign}'><img src='https://{host}.example/c/2026-11-{day}.png?sig={sign}'></a>"
        );
        seen(guid, "", &format!("Comic of day {day}"), &html)
    };
    assert_eq!(again(&[comic("1", 3, "a", 1)], &[comic("1", 3, "b", 2)]), (0, false));
    assert_eq!(again(&[comic("1", 3, "a", 1)], &[comic("2", 3, "b", 2)]), (0, false));
    assert_eq!(again(&[comic("1", 3, "a", 1)], &[comic("1", 4, "a", 1)]), (0, true));
    assert_eq!(again(&[comic("1", 3, "a", 1)], &[comic("2", 4, "a", 1)]).0, 1);
}

#[test]
fn sessions_in_addresses_name_nothing() {
    let page = |session: &str| seen("", &format!("https://one.example/a{session}"), "A pact", "Signed.");
    for (one, other) in [
        ("?PHPSESSID=12ab", "?PHPSESSID=99"),
        (";jsessionid=AB12", ";jsessionid=CD"),
        ("?id=1&sessionid=3", "?sessionid=4&id=1"),
    ] {
        assert_eq!(again(&[page(one)], &[at_hour(9, page(other))]), (0, false), "{one}");
    }
}

#[test]
fn what_is_only_written_otherwise_does_not_count_as_changed() {
    let version = |title: &str, text: &str| seen("1", "", title, text);
    for (before, after, expected) in [
        (version("A pact", "Signed. 3 comments"), version("A Pact", "<p>Signed.</p>  4 comments"), false),
        (version("A pact", LONG), version("A pact", &LONG.replace("comprehensive", "comprehensve")), false),
        (version("A pact", LONG), version("A pact", &LONG.replace("two", "three")), true),
        (version("A pact", "Signed."), version("A pact", "Not signed."), true),
        (version("A pact", ""), version("A pact", "Signed."), true),
    ] {
        assert_eq!(again(std::slice::from_ref(&before), std::slice::from_ref(&after)), (0, expected), "{after:?}");
    }
}

#[test]
fn addresses_of_one_publisher_are_told_from_others() {
    let check = |one: &str, other: &str, expected: bool| {
        let (one, other) = (format!("https://{one}/a"), format!("http://{other}/b"));
        let found = is_same_site(&one.parse().unwrap(), &other.parse().unwrap());
        assert_eq!(found, expected, "{one} {other}");
    };
    for (one, other) in [
        ("bbc.co.uk", "www.bbc.co.uk"),
        ("news.bbc.co.uk", "feeds.bbc.co.uk"),
        ("example.org", "feeds.example.org"),
        ("blog.example.org", "feeds.example.org"),
        ("m.example.com", "rss.example.com"),
        ("127.0.0.1:80", "127.0.0.1:81"),
        ("localhost", "localhost"),
    ] {
        check(one, other, true);
    }
    for (one, other) in [
        ("bbc.co.uk", "itv.co.uk"),
        ("example.org", "example.com"),
        ("notexample.org", "example.org"),
        ("127.0.0.1", "127.0.0.2"),
        ("[::1]", "[::2]"),
        ("one", "two"),
    ] {
        check(one, other, false);
    }
}

fn rules(text: &[(Kind, &str)]) -> Vec<Rule> {
    let of = |text: &str| match text.strip_prefix("q:") {
        Some(query) => Of::Query(crate::query::parse(query).unwrap()),
        None => Of::Urls(text.split(' ').map(|url| Url::parse(&format!("https://{url}")).unwrap()).collect()),
    };
    text.iter().map(|(kind, text)| Rule { kind: *kind, of: of(text) }).collect()
}

/// A sighting at an address of a source, with a title, some hours after the first ones; `!` stands for one that queries match.
fn subject(rules: &Rules, source: &str, address: &str, title: &str, hours: i64) -> Subject {
    let url = Url::parse(&format!("http://www.{address}?utm_source=x")).unwrap();
    let source = scope(source);
    let at = at("2026-11-01T08:00:00Z") + chrono::TimeDelta::hours(hours);
    let seen = Seen { source: &source, addresses: [None, Some(identify::address_key(&url))], title: Some(title), at };
    rules.subject(seen, &|_| title.contains('!'))
}

#[test]
fn rules_say_what_is_one_and_what_never_is() {
    use Kind::{Apart, Together};
    let compiled = |text: &[(Kind, &str)]| Rules::new(rules(text), std::time::Duration::from_secs(3 * 3600));
    let check = |text: &[(Kind, &str)], other: (&str, &str, &str, i64), expected: [Option<usize>; 2]| {
        let rules = compiled(text);
        let one = subject(&rules, "one", "a.example/1", "A pact!", 0);
        let other = subject(&rules, other.0, other.1, other.2, other.3);
        let index = |rule: Option<&Rule>| rule.map(|rule| rules.all().iter().position(|it| it == rule).unwrap());
        let told = [index(rules.forbids(&one, &other)), index(rules.joins(&one, &other))];
        assert_eq!(told, expected, "{text:?} {other:?}");
        let reversed = [rules.forbids(&other, &one), rules.joins(&other, &one)].map(|rule| rule.is_some());
        assert_eq!(reversed, expected.map(|rule| rule.is_some()), "{text:?}");
    };
    let pair = "a.example/1 b.example/1";
    check(&[], ("two", "b.example/1", "A pact!", 0), [None, None]);
    check(&[(Apart, pair)], ("two", "b.example/1", "", 0), [Some(0), None]);
    check(&[(Apart, pair)], ("two", "a.example/1", "", 0), [None, None]);
    check(&[(Apart, pair)], ("two", "c.example/1", "", 0), [None, None]);
    check(&[(Together, pair)], ("two", "b.example/1", "Other words", 99), [None, Some(0)]);
    check(&[(Together, pair)], ("one", "b.example/1", "", 0), [None, Some(0)]);
    check(&[(Together, pair), (Apart, pair)], ("two", "b.example/1", "", 0), [Some(1), Some(0)]);
    // One address in two rules makes all of theirs one.
    let chain = [(Together, "b.example/1 c.example/1"), (Together, pair)];
    check(&chain, ("two", "c.example/1", "", 0), [None, Some(1)]);
    check(&[(Apart, "q:pact")], ("two", "b.example/1", "", 0), [Some(0), None]);
    check(&[(Apart, "q:pact")], ("one", "b.example/1", "", 0), [None, None]);
    check(&[(Together, "q:pact")], ("two", "b.example/1", "a PACT!", 3), [None, Some(0)]);
    check(&[(Together, "q:pact")], ("two", "b.example/1", "a PACT!", 4), [None, None]);
    check(&[(Together, "q:pact")], ("two", "b.example/1", "A flood!", 0), [None, None]);
    check(&[(Together, "q:pact")], ("two", "b.example/1", "A pact", 0), [None, None]);
    check(&[(Together, "q:pact")], ("one", "b.example/1", "A pact!", 0), [None, None]);
}

#[test]
fn rules_that_cannot_work_are_told() {
    use Kind::{Apart, Together};
    let check = |text: &[(Kind, &str)], expected: &str| {
        let doubts = super::rules::doubts(&rules(text)).concat();
        assert!(doubts.contains(expected) && doubts.is_empty() == expected.is_empty(), "{doubts}");
    };
    check(&[(Together, "a.example/1 b.example/1"), (Apart, "q:a"), (Together, "q:b")], "");
    check(&[(Together, "a.example/1 b.example/1"), (Together, "b.example/1/ a.example/1")], "is there twice");
    check(&[(Apart, "a.example/1 www.a.example/1")], "spellings of one address");
    check(&[(Apart, "a.example/1 b.example/")], "https://b.example/ is a front page");
    check(&[(Together, "a.example/1 b.example/1"), (Apart, "b.example/1 a.example/1")], "[[never_merge]] wins");
    check(
        &[
            (Together, "a.example/1 b.example/1"),
            (Together, "b.example/1 c.example/1"),
            (Apart, "c.example/1 a.example/1"),
        ],
        "[[never_merge]] wins",
    );
    check(&[(Together, "q:a b"), (Apart, "q:a b")], "has the same query");
}

#[test]
fn a_rule_shows_its_line_and_its_meaning() {
    let all = rules(&[(Kind::Apart, "a.example/1 b.example/1 c.example/1"), (Kind::Together, "q:title:pact")]);
    assert_eq!(
        all[0].to_string(),
        "[[never_merge]] urls = [\"https://a.example/1\", \"https://b.example/1\", \"https://c.example/1\"]"
    );
    let window = std::time::Duration::from_secs(72 * 3600);
    assert_eq!(
        all[0].sentence(window),
        "what is at https://a.example/1, https://b.example/1 and https://c.example/1 is never one entry"
    );
    assert_eq!(
        all[1].sentence(window),
        "what matches title:\"pact\" is one entry where titles are equal and times lie within 72 hours"
    );
}

fn carrying(particulars: Particulars) -> Observation {
    Observation { particulars, ..seen("1", "https://a.example/1", "A pact", LONG) }
}

fn thumbnail(address: &str) -> Particulars {
    let image = Related { kind: RelatedKind::Image, url: address.parse().unwrap(), media_type: None };
    Particulars { related: vec![image], ..Particulars::default() }
}

/// As after an update of the program, which keeps more than the one before it did.
#[test]
fn what_an_entry_carries_is_kept_once_and_is_no_news() {
    let mut world = World::default();
    world.poll("a", &[carrying(Particulars::default())]);
    let before = world.entries.values().next().unwrap().clone();
    let told = world.poll("a", &[carrying(thumbnail("https://a.example/i.png?x=1"))]);
    assert_eq!(told, [(ChangeKind::Updated, Ground::First)]);
    let after = world.entries.values().next().unwrap();
    assert_eq!((before.id, after.sightings[0].changed), (after.id, None));
    assert_eq!(after.sightings[0].particulars, thumbnail("https://a.example/i.png?x=1"));
    // Signed addresses change at every build.
    assert_eq!(world.poll("a", &[carrying(thumbnail("https://a.example/i.png?x=2"))]), []);
    let other = Particulars { is_explicit: Some(true), ..thumbnail("https://a.example/i.png") };
    assert_eq!(world.poll("a", &[carrying(other)]), [(ChangeKind::Updated, Ground::First)]);
}

/// An origin of an entry of a source at <https://a.example/feed?key=secret>, and whether it is told.
#[test]
fn an_origin_that_is_the_source_itself_says_nothing() {
    let origin = |feed: &str, id: Option<&str>| Origin {
        feed: Some(feed.parse().unwrap()),
        id: id.map(str::to_owned),
        ..Origin::default()
    };
    for (origin, is_told) in [
        (origin("https://a.example/feed?key=secret", None), false),
        (origin("http://a.example/feed/", None), false),
        (origin("https://a.example/other", Some("tag:a")), false),
        (origin("https://b.example/feed", Some("tag:b")), true),
    ] {
        let mut world = World::default();
        world.poll("a", &[carrying(Particulars { origin: Some(origin.clone()), ..Particulars::default() })]);
        let about = About { id: Some("tag:a".to_owned()), ..About::default() };
        let source = StandingSource {
            key: SourceKey::new("a").unwrap(),
            title: "A".to_owned(),
            address: Url::parse("https://a.example/feed").ok(),
            site: None,
            about: Arc::new(about),
            priority: 0,
            grounds: Grounds::default(),
            shows_pages: false,
        };
        let standing = Standing { sources: HashMap::from([(scope("a"), source)]) };
        let shown = present::present(world.entries.values().next().unwrap(), &standing).unwrap();
        assert_eq!(shown.particulars.origin.is_some(), is_told, "{origin:?}");
    }
}
