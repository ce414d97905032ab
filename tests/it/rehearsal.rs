//! `plan` and `replay` as commands: with a daemon and without one, and nothing is written.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::origin::{Origin, Reply, rss};
use crate::program::{HEAD, Program, run, told};

const PACT: &str = "Leaders of both countries signed a comprehensive agreement on trade investment culture and security on Thursday after two days of \
                    talks in the capital that were watched closely by all of their neighbours";

/// Two desks with one text under two addresses, polled into a store.
fn two_desks() -> (tempfile::TempDir, [Origin; 2]) {
    let origins = [Origin::start("127.0.0.1"), Origin::start("127.0.0.2")];
    let mut feeds = String::new();
    for (origin, (key, title)) in origins.iter().zip([("desk-a", "A pact is signed"), ("desk-b", "Leaders agree")]) {
        let items =
            [("1", origin.url("/pact"), title, PACT), ("2", origin.url("/short"), "A note from here", "Short.")];
        let items: Vec<_> = items.iter().map(|(guid, url, title, text)| (*guid, url.as_str(), *title, *text)).collect();
        origin.serve("/feed", Reply::rss(&rss(key, &origin.url("/"), &items)));
        writeln!(feeds, "[sources.{key}]\nurl = \"{}\"", origin.url("/feed")).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("feeds.toml"), format!("{HEAD}{feeds}[topics.pacts]\nmatch = \"pact\"\n")).unwrap();
    let (code, text) = told(folder.path(), &["poll", "--force"]);
    assert_eq!(code, Some(0), "{text}");
    (folder, origins)
}

fn change(folder: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(folder.join("feeds.toml")).unwrap();
    assert!(text.contains(from));
    fs::write(folder.join("changed.toml"), text.replace(from, to)).unwrap();
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    let output = run(folder, arguments);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Everything in the store, a record a line.
fn export(folder: &Path) -> String {
    let output = run(folder, &["export"]);
    assert_eq!(output.status.code(), Some(0));
    String::from_utf8(output.stdout).unwrap()
}

/// What would differ of each feed: appears, vanishes, is shown differently.
fn counts(plan: &Value) -> BTreeMap<String, [u64; 3]> {
    let of_feed = |feed: &Value| {
        let counts = ["appears", "vanishes", "shown_differently"].map(|name| feed[name].as_u64().unwrap());
        (feed["feed"].as_str().unwrap().to_owned(), counts)
    };
    plan["feeds"].as_array().unwrap().iter().map(of_feed).collect()
}

/// Runs with a daemon on the folder, and then without one.
fn check(folder: &Path, law: impl Fn(bool)) {
    let before = export(folder);
    law(false);
    assert_eq!(export(folder), before, "nothing is written");
    let program = Program::start(folder);
    let before = export(folder);
    law(true);
    assert_eq!(export(folder), before, "nothing is written");
    assert_eq!(program.stop(), Some(0));
}

#[test]
fn a_plan_is_made_with_a_daemon_and_without_one() {
    let (folder, _origins) = two_desks();
    let folder = folder.path();
    change(folder, "[sources.desk-b]", "[topics.notes]\nmatch = \"title:note\"\n[sources.desk-c]");
    // The note of the source that goes matches the new topic too, but nobody would show it.
    let expected = [("all", [0, 1, 0]), ("sources/desk-b", [0, 2, 0]), ("topics/notes", [1, 0, 0])];
    let expected: BTreeMap<String, [u64; 3]> = expected.map(|(feed, counts)| (feed.to_owned(), counts)).into();
    check(folder, |with_daemon| {
        for arguments in [&["plan", "changed.toml", "--json"][..], &["plan", "--config", "changed.toml", "--json"]] {
            let plan = json(folder, arguments);
            assert_eq!(counts(&plan), expected, "{plan}");
            assert_eq!(plan["sources"]["added"], serde_json::json!(["desk-c"]));
            assert_eq!(plan["sources"]["removed"], serde_json::json!(["desk-b"]));
            let is_loaded = plan["compared_with"].as_str().unwrap().contains("in effect");
            assert_eq!(is_loaded, with_daemon);
        }
        let (code, text) = told(folder, &["plan", "changed.toml"]);
        assert_eq!(code, Some(0));
        assert!(text.contains("- source desk-b") && text.contains("+ A note from here  [desk-a]"), "{text}");
        let (code, text) = told(folder, &["plan"]);
        assert_eq!(code, Some(0));
        assert!(text.contains("no feed would change"), "{text}");
    });
}

#[test]
fn what_a_plan_cannot_do_is_told() {
    let (folder, _origins) = two_desks();
    let folder = folder.path();
    change(folder, "match", "mathc");
    let (code, text) = told(folder, &["plan", "changed.toml"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("changed.toml: line") && text.contains("did you mean `match`?"), "{text}");
    let output = run(folder, &["plan", "changed.toml", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap()["good"], false);
    assert_eq!(told(folder, &["plan", "missing.toml"]).0, Some(2));

    change(folder, "[topics.pacts]", "[store]\npath = \"elsewhere\"\n[topics.pacts]");
    let (code, text) = told(folder, &["plan", "changed.toml"]);
    assert_eq!(code, Some(0));
    assert!(text.contains("[store] path would be") && text.contains("elsewhere"), "{text}");
    let (code, text) = told(folder, &["plan", "--config", "changed.toml"]);
    assert_eq!(code, Some(0));
    assert!(text.contains("there is no store in") && text.contains("+ source desk-a"), "{text}");
    assert!(!folder.join("elsewhere").exists(), "no store is made");
}

#[test]
fn a_replay_is_made_with_a_daemon_and_without_one() {
    let (folder, _origins) = two_desks();
    let folder = folder.path();
    check(folder, |_| {
        let same = json(folder, &["replay", "--json"]);
        assert_eq!((&same["would_part"], &same["would_join"]), (&0.into(), &0.into()), "{same}");
        let parted = json(folder, &["replay", "--set", "merge.same_content=false", "--json"]);
        assert_eq!((&parted["entries_now"], &parted["entries_then"]), (&3.into(), &4.into()));
        let pair = &parted["pairs"][0];
        assert_eq!((&pair["kind"], &pair["ground"]), (&"would_part".into(), &"same-content".into()));
        let (code, text) = told(folder, &["replay", "--set", "sources.desk-b.merge.same_content=false"]);
        assert_eq!(code, Some(0));
        assert!(
            text.starts_with("4 copies replayed: 3 entries now, 4 then\njoins that would not be made: 1; "),
            "{text}"
        );
        assert!(
            text.contains("Leaders agree") && text.contains("/pact") && text.contains("the same text as in"),
            "{text}"
        );
    });
    let (code, text) = told(folder, &["replay", "--set", "merging.treshold=0.5"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("--set: [merging] has no key `treshold` (did you mean `threshold`?)"), "{text}");
    fs::remove_dir_all(folder.join("feedmill-data")).unwrap();
    let (code, text) = told(folder, &["replay"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("there is no store"), "{text}");
}
