//! Sources that issue everything anew: what is known stays silent, and what is not is held back until somebody releases it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::origin::{Origin, Reply};
use crate::program::{HEAD, Program, told};

/// More than a document of ours holds by default, so that every output is asked for all.
const OUTPUTS: &[&str] = &["/all.json?limit=2000", "/topics/town.json?limit=2000", "/sources/one.json?limit=2000"];

/// What a source publishes, and how it writes it.
struct Edition {
    guid: fn(usize) -> String,
    host: &'static str,
    link: fn(usize) -> String,
    /// Hours before the first edition's entries, or after.
    shift: i64,
    text: fn(usize) -> String,
}

const FIRST: Edition = Edition {
    guid: |number| format!("http://old.example/?p={number}"),
    host: "http://old.example",
    link: |number| format!("/?p={number}"),
    shift: 0,
    text: |number| words(number, 40),
};

/// All guids, the host, the links and the dates are others.
const SECOND: Edition = Edition {
    guid: |number| format!("urn:new:{}", number * 7),
    host: "https://www.new.example",
    link: |number| format!("/posts/story-{number}"),
    shift: 1_000,
    text: |number| words(number, 40),
};

fn words(number: usize, count: usize) -> String {
    let word = |at: usize| {
        ["harbour", "council", "bridge", "storm", "market", "school", "ferry", "museum"][at * (number + 3) % 8]
    };
    (0..count)
        .map(|at| format!("{}{}", word(at), char::from(b'a' + u8::try_from((number + at) % 26).unwrap())))
        .collect::<Vec<_>>()
        .join(" ")
}

fn document(edition: &Edition, numbers: impl Iterator<Item = usize>) -> String {
    let start = chrono::DateTime::parse_from_rfc3339("2026-01-01T00:00:00Z").unwrap();
    let item = |number: usize| {
        let (guid, link, text) = ((edition.guid)(number), (edition.link)(number), (edition.text)(number));
        let at = start + chrono::TimeDelta::hours(i64::try_from(number).unwrap() + edition.shift);
        format!(
            "<item><guid isPermaLink=\"false\">{guid}</guid><link>{}{link}</link><title>Story number {number}</title>\
             <pubDate>{}</pubDate><description>&lt;p&gt;{text}&lt;/p&gt;</description></item>",
            edition.host,
            at.to_rfc2822()
        )
    };
    let items: String = numbers.map(item).collect();
    format!(
        "<rss version=\"2.0\"><channel><title>One</title><link>{}/</link><description/>{items}</channel></rss>",
        edition.host
    )
}

fn publish(origin: &Origin, edition: &Edition, numbers: impl Iterator<Item = usize>) {
    origin.serve("/feed", Reply::rss(&document(edition, numbers)));
}

fn folder(origin: &Origin, more: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let url = origin.url("/feed");
    let feeds = format!("{HEAD}{more}[sources.one]\nurl = \"{url}\"\n[topics.town]\nmatch = \"title:story\"\n");
    fs::write(folder.path().join("feeds.toml"), feeds).unwrap();
    folder
}

fn poll(folder: &Path) -> String {
    let (code, text) = told(folder, &["poll", "--force"]);
    assert_eq!(code, Some(0), "{text}");
    text
}

/// How often each id stands in an output, over all of its pages.
fn ids(program: &Program, output: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for item in program.items(output) {
        *found.entry(item["id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    found
}

/// A source of 500 entries changes to another edition: nothing appears in any output, and everything stays what it was.
fn check_silent(first: &Edition, second: &Edition) {
    let origin = Origin::start("127.0.0.1");
    publish(&origin, first, (0..500).rev());
    let folder = folder(&origin, "");
    let program = Program::start(folder.path());
    poll(folder.path());
    let before: Vec<_> = OUTPUTS.iter().map(|output| ids(&program, output)).collect();
    assert!(before.iter().all(|ids| ids.len() == 500), "{:?}", before.iter().map(BTreeMap::len).collect::<Vec<_>>());
    let order: Vec<_> = program.items(OUTPUTS[0]).iter().map(|item| item["id"].clone()).collect();
    publish(&origin, second, (0..500).rev());
    let text = poll(folder.path());
    assert!(text.contains("0 new, 0 joined, 500 updated"), "{text}");
    let after: Vec<_> = OUTPUTS.iter().map(|output| ids(&program, output)).collect();
    assert!(before == after);
    let items = program.items(OUTPUTS[0]);
    assert!(order == items.iter().map(|item| item["id"].clone()).collect::<Vec<_>>());
    // Links follow, dates do not.
    assert!(items.iter().all(|item| item["url"].as_str().unwrap().starts_with(second.host)));
    assert!(items.iter().all(|item| item["date_published"].as_str().unwrap() < "2026-02"), "{}", items[0]);
    // And from now on it is known so.
    publish(&origin, second, (0..500).rev().chain(std::iter::once(900)));
    let text = poll(folder.path());
    assert!(text.contains("1 new, 0 joined, 0 updated"), "{text}");
}

#[test]
fn a_source_that_changes_guids_host_and_dates_at_once_brings_nothing_new() {
    check_silent(&FIRST, &SECOND);
}

#[test]
fn the_same_with_texts_that_are_too_short_to_be_keys() {
    let first = Edition { text: |number| words(number, 6), ..FIRST };
    let second = Edition { text: |number| words(number, 6), ..SECOND };
    check_silent(&first, &second);
}

#[test]
fn the_same_while_one_in_twenty_changed_a_little() {
    check_silent(
        &FIRST,
        &Edition {
            text: |number| words(number, 40) + if number.is_multiple_of(20) { " corrected" } else { "" },
            ..SECOND
        },
    );
    check_silent(
        &Edition { text: |number| words(number, 6), ..FIRST },
        &Edition {
            text: |number| words(number, 6) + if number.is_multiple_of(20) { " corrected" } else { "" },
            ..SECOND
        },
    );
}

#[test]
fn many_new_ones_are_held_back_told_and_released_once_over_a_kill() {
    let origin = Origin::start("127.0.0.1");
    publish(&origin, &FIRST, (0..500).rev());
    let folder = folder(&origin, "");
    let mut program = Program::start(folder.path());
    poll(folder.path());
    let before: Vec<_> = OUTPUTS.iter().map(|output| program.get(output).text()).collect();
    publish(&origin, &SECOND, (1_000..1_500).rev());
    let text = poll(folder.path());
    assert!(text.contains("0 new, 0 joined, 0 updated, 500 held back"), "{text}");
    assert!(OUTPUTS.iter().map(|output| program.get(output).text()).eq(before.iter().cloned()));
    let line = program.wait_for("held back");
    assert!(line.contains("500 new entries of one") && line.contains("`feedmill release one`"), "{line}");
    assert_eq!(program.get("/readyz").text(), "ready\n");

    program.kill();
    let program = Program::start(folder.path());
    // Shown again it changes nothing, and is known also where nothing is left of validators.
    publish(&origin, &SECOND, (999..1_500).rev().filter(|number| *number != 999));
    poll(folder.path());
    assert!(OUTPUTS.iter().map(|output| program.get(output).text()).eq(before.iter().cloned()));
    let (_, listed) = told(folder.path(), &["list"]);
    assert!(listed.contains("500 entries are held back: `feedmill release one`"), "{listed}");
    let (_, listed) = told(folder.path(), &["list", "--json"]);
    assert!(listed.contains("\"held\":500"), "{listed}");
    assert!(program.get("/metrics").text().contains("feedmill_source_held_entries{source=\"one\"} 500\n"));
    assert!(program.get("/").text().contains("500 entries are held back"));

    let (code, text) = told(folder.path(), &["release", "one"]);
    assert_eq!((code, text.as_str()), (Some(0), "one: 500 entries are released\n"));
    for output in OUTPUTS {
        let ids = ids(&program, output);
        assert_eq!(ids.len(), 1_000, "{output}");
        assert!(ids.values().all(|times| *times == 1));
    }
    // They arrived when they were released, the oldest first: the newest stands on top.
    assert_eq!(program.items("/all.json")[0]["title"], "Story number 1499");
    let after: Vec<_> = OUTPUTS.iter().map(|output| program.get(output).text()).collect();
    program.kill();
    let program = Program::start(folder.path());
    poll(folder.path());
    assert!(OUTPUTS.iter().map(|output| program.get(output).text()).eq(after));
    let (code, text) = told(folder.path(), &["release", "one"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("nothing of `one` is held back"), "{text}");
    let (code, text) = told(folder.path(), &["release", "ome"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("did you mean `one`?"), "{text}");
}

#[test]
fn without_a_daemon_it_is_released_as_well() {
    let origin = Origin::start("127.0.0.1");
    publish(&origin, &FIRST, (0..20).rev());
    let folder = folder(&origin, "[merging]\nreissue_limit = 10\n");
    poll(folder.path());
    publish(&origin, &SECOND, (100..120).rev());
    let text = poll(folder.path());
    assert!(text.contains("20 held back"), "{text}");
    let (_, listed) = told(folder.path(), &["list"]);
    assert!(listed.contains("20 entries are held back"), "{listed}");
    let (code, exported) = told(folder.path(), &["export"]);
    assert_eq!((code, exported.matches("\"kind\":\"held\"").count()), (Some(0), 20));
    let (code, text) = told(folder.path(), &["release", "one"]);
    assert_eq!((code, text.as_str()), (Some(0), "one: 20 entries are released\n"));
    let program = Program::start(folder.path());
    assert_eq!(program.items("/all.json").len(), 40);
}
