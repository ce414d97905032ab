//! `feedmill why` and the pages of entries, with the real binary: merged ones, parted ones, removed ones, and what was never there.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::origin::{Origin, Reply, rss};
use crate::program::{HEAD, Program, run, told};

const PACT: &str = "Leaders of both countries signed a comprehensive agreement on trade investment culture and security on \
                    Thursday after two days of talks in the capital that were watched closely by all of their neighbours";
const TITLE: &str = "Leaders sign a mutual defense pact after talks";
const FLOOD: &str = "http://desk.example/flood";

/// A desk, an outlet that copies it with another text, and somebody's remark on the same page.
fn newsroom() -> (tempfile::TempDir, Origin) {
    let origin = Origin::start("127.0.0.1");
    let page = "http://desk.example/news/pact";
    let copied = PACT.replace("comprehensive", "sweeping").replace("neighbours", "neighbours and allies");
    let desk = [
        ("d-1", &*format!("{page}?utm_source=rss"), TITLE, PACT),
        ("d-2", FLOOD, "Rescue teams reach the last village", "Help came."),
    ];
    let copy = [("c-1", &*format!("{page}/?fbclid=9"), TITLE, &*copied)];
    let remark = [("r-1", page, "Is this any good?", "Everybody should read this piece, if only for its length")];
    origin.serve("/desk", Reply::rss(&rss("The Desk", "http://desk.example/", &desk)));
    origin.serve("/copy?token=hunter2", Reply::rss(&rss("Copy", "http://copy.example/", &copy)));
    origin.serve("/remark", Reply::rss(&rss("Remarks", "http://remark.example/", &remark)));
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("feeds.toml"), feeds(&origin, "")).unwrap();
    // The desk first, so that all ids are known beforehand.
    for key in ["desk", "copy", "remark"] {
        let (code, text) = told(folder.path(), &["poll", key]);
        assert_eq!(code, Some(0), "{text}");
    }
    (folder, origin)
}

fn feeds(origin: &Origin, desk: &str) -> String {
    let source = |key: &str, path: &str, more: &str| format!("[sources.{key}]\nurl = \"{}\"\n{more}", origin.url(path));
    let sources = [
        source("desk", "/desk", &format!("topics = [\"world\"]\n{desk}")),
        source("copy", "/copy?token=hunter2", ""),
        source("remark", "/remark", ""),
    ];
    let topics = "[topics.pacts]\nmatch = 'title:pact -has:enclosure'\n[topics.summits]\nmatch = 'title:summit OR category:world'\n\
                  [topics.late]\nmatch = 'title:pact'\nmax_age = \"1h\"\n[topics.few]\nmatch = 'pact OR village'\nper_source = 1\n";
    format!("{HEAD}{}{topics}", sources.concat())
}

fn why(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    told(folder, &[&["why"], arguments].concat())
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    serde_json::from_slice(&run(folder, &[&["why", "--json"], arguments].concat()).stdout).unwrap()
}

fn bare(account: &Value) -> String {
    account["id"].as_str().unwrap().strip_prefix("urn:uuid:").unwrap().to_owned()
}

/// Times of this run, which no two runs share, as one word.
fn timeless(text: &str) -> String {
    let first_year = |text: &str| text.match_indices("20").map(|(at, _)| at).collect::<Vec<_>>();
    let mut told = text.to_owned();
    for at in first_year(text).into_iter().rev() {
        let is_time = text.get(at..at + 20).is_some_and(|it| it.ends_with(" UTC") && it.as_bytes()[4] == b'-');
        if is_time && !text[at..].starts_with("2026-11-01 08:00") {
            told.replace_range(at..at + 20, "NOW");
        }
    }
    told
}

#[test]
fn a_merged_entry_is_told_on_a_page_that_people_can_read() {
    let (folder, _origin) = newsroom();
    let (code, text) = why(folder.path(), &["https://www.desk.example/news/pact/?utm_medium=mail", "--in", "pacts"]);
    assert_eq!(code, Some(0), "{text}");
    let expected =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/why-merged.txt")).unwrap();
    let origin = text.lines().find_map(|line| line.trim().strip_prefix("http://127.0.0.1:")?.split('/').next());
    let text = timeless(&text.replace(origin.unwrap(), "PORT"));
    assert_eq!(text, expected, "{text}");
    assert!(!text.contains("hunter2"));
}

#[test]
fn the_page_and_its_json_say_what_the_command_says() {
    let (folder, _origin) = newsroom();
    let program = Program::start(folder.path());
    let account = json(folder.path(), &["desk.example/news/pact"]);
    let sightings = account["sightings"].as_array().unwrap();
    assert_eq!(sightings.len(), 2);
    assert_eq!((&sightings[1]["ground"], &sightings[1]["matched"]), (&Value::from("same-url"), &Value::from("desk")));
    let id = bare(&account);
    assert_eq!(account["page"], format!("http://news.example/entries/{id}"));

    let answer = program.get(&format!("/entries/{id}.json"));
    assert_eq!((answer.status, answer.headers["content-type"].as_str()), (200, "application/json"));
    let mut told: Value = serde_json::from_slice(&answer.body).unwrap();
    // Asked by its address, the remark at the same address is told, too.
    assert_eq!(account["others"][0]["title"], "Is this any good?");
    told["others"] = account["others"].clone();
    assert_eq!(told, account);

    let page = program.get(&format!("/entries/{id}"));
    let text = page.text();
    for part in ["<del>comprehensive</del>", "<ins>sweeping</ins>", "Is this any good?", "../topics/pacts.atom"] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert!(!text.contains("hunter2") && !answer.text().contains("hunter2"));
    let head = program.ask("HEAD", &format!("/entries/{id}"), &[]);
    assert_eq!((head.status, head.body.len(), &head.headers["etag"]), (200, 0, &page.headers["etag"]));
    let current = program.ask("GET", &format!("/entries/{id}"), &[("if-none-match", &page.headers["etag"])]);
    assert_eq!(current.status, 304);

    // The id that the copy would have alone was given up, and leads here.
    let given_up = sightings[1]["id"].as_str().unwrap().strip_prefix("urn:uuid:").unwrap();
    let moved = program.get(&format!("/entries/{given_up}.json"));
    assert_eq!((moved.status, moved.headers["location"].as_str()), (301, &*format!("{id}.json")));
    assert_eq!(json(folder.path(), &[given_up])["given_up"], format!("urn:uuid:{given_up}"));
    // The front page leads to it; the status is made anew every second.
    let link = format!("href=\"entries/{id}\"");
    assert!((0..100_000).any(|_| program.get("/").text().contains(&link)));
    assert_eq!(json(folder.path(), &[account["page"].as_str().unwrap()])["id"], account["id"]);
    let by_address = program.get("/entries?url=http%3A%2F%2Fdesk.example%2Fnews%2Fpact");
    assert!(by_address.text().contains("2 sightings of one entry"), "{}", by_address.text());
    assert_eq!(program.stop(), Some(0));
}

#[test]
fn why_something_is_not_in_a_feed_is_said() {
    let (folder, _origin) = newsroom();
    let pact = "http://desk.example/news/pact";
    for (arguments, expected) in [
        ([FLOOD, "--in", "world"], "In topics/world (World): it is there\n  desk names this topic."),
        (
            [FLOOD, "--in", "summits"],
            "In topics/summits (Summits): it is not there\n  None of its sources (desk) names this topic, and the topic's `match` \
             (`title:\"summit\" OR category:\"world\"`) holds for none of its copies.\n  `match` on the copy of desk:\n    one of these: \
             no\n      `title:\"summit\"`: no\n      `category:\"world\"`: no\n",
        ),
        (
            [pact, "--in", "late"],
            "not in its current document\n  It is too old for the topic's `max_age`: it was published on 2026-11-01",
        ),
        (
            [FLOOD, "--in", "few"],
            "In topics/few (Few): it belongs to it, but is not in its current document\n  It is over the topic's `per_source`: newer \
             entries of desk have taken its 1 places in the document.",
        ),
        ([FLOOD, "--in", "copy"], "In sources/copy (Copy): it is not there\n  copy has no copy of it."),
        ([FLOOD, "--in", "all"], "In all (feedmill: all): it is there\n"),
    ] {
        let (code, text) = why(folder.path(), &arguments);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains(expected), "{arguments:?}: {expected}\nin\n{text}");
    }
    // A definition that changed is worked out by the daemon, and a source may be gone.
    let path = folder.path().join("feeds.toml");
    let before = fs::read_to_string(&path).unwrap();
    fs::write(&path, before.replace("title:summit OR", "village OR").replace("[sources.copy]", "[sources.other]"))
        .unwrap();
    let (_, text) = why(folder.path(), &[FLOOD, "--in", "summits"]);
    assert!(text.contains("worked out anew"), "{text}");
    let (_, text) = why(folder.path(), &[pact]);
    assert!(text.contains("copy  copy (no longer declared)"), "{text}");
}

#[test]
fn an_older_entry_is_on_a_later_page() {
    let origin = Origin::start("127.0.0.1");
    let items: Vec<(String, String)> =
        (0..230).map(|number| (format!("g{number}"), format!("http://many.example/{number}"))).collect();
    let items: Vec<_> = items.iter().map(|(guid, link)| (&**guid, &**link, "News", "Text")).collect();
    origin.serve("/many", Reply::rss(&rss("Many", "http://many.example/", &items)));
    let folder = tempfile::tempdir().unwrap();
    let feeds = format!("{HEAD}[sources.many]\nurl = \"{}\"\n", origin.url("/many"));
    fs::write(folder.path().join("feeds.toml"), feeds).unwrap();
    let (code, text) = told(folder.path(), &["poll"]);
    assert_eq!(code, Some(0), "{text}");
    for (number, page) in [(0, 1), (99, 1), (100, 2), (199, 2), (229, 3)] {
        let account = json(folder.path(), &[&format!("many.example/{number}"), "--in", "many"]);
        let verdict = &account["feed"];
        assert_eq!((&verdict["page"], &verdict["is_in_document"]), (&page.into(), &(page == 1).into()), "{number}");
    }
    let (_, text) = why(folder.path(), &["many.example/229", "--in", "all"]);
    assert!(
        text.contains("it belongs to it, but is not in its current document\n  It is on page 3 of the feed"),
        "{text}"
    );
}

#[test]
fn what_is_not_there_gets_an_answer() {
    let (folder, origin) = newsroom();
    origin.serve("/desk", Reply::status("500 Oops", ""));
    let (code, _) = told(folder.path(), &["poll", "--force", "desk"]);
    assert_eq!(code, Some(1));
    let unknown = "6f0f3f39-6a0c-5d1e-9c55-0c1f6d7f3b52";
    for (asked, code, expected) in [
        ("http://feeds.desk.example/never", 1, "desk  The Desk (it belongs to the same site)"),
        ("http://desk.example/never", 1, "desk  The Desk (its site has the host)"),
        ("http://desk.example/never", 1, "had 2 entries, the oldest of 2026-11-01 08:00 UTC"),
        ("http://desk.example/never", 1, "2 entries: 2 new, 0 joined, 0 updated"),
        ("http://desk.example/never", 1, "500"),
        (
            "http://nobody.example/never",
            1,
            "no declared source belongs to nobody.example. `feedmill add nobody.example`",
        ),
        (unknown, 1, "No entry has or had this id."),
        ("urn:uuid:6f0f3f39", 2, "neither an entry's id (urn:uuid:"),
        ("a word", 2, "neither an entry's id"),
    ] {
        let (found, text) = why(folder.path(), &[asked]);
        assert_eq!(found, Some(code), "{asked}: {text}");
        assert!(text.contains(expected), "{asked}: {text}");
    }
    let (code, text) = why(folder.path(), &[FLOOD, "--in", "wrld"]);
    assert_eq!((code, text.contains("did you mean `world`?")), (Some(2), true), "{text}");
    let program = Program::start(folder.path());
    for (path, status, part) in [
        (format!("/entries/{unknown}"), 404, "No entry has or had this id."),
        (format!("/entries/{unknown}.json"), 404, "never_seen"),
        ("/entries/nonsense".to_owned(), 404, "`nonsense` is no entry's id"),
        ("/entries?url=desk.example/never".to_owned(), 404, "500"),
    ] {
        let answer = program.get(&path);
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.text().contains(part), "{path}: {}", answer.text());
    }
    let (code, text) = why(folder.path(), &[FLOOD, "--in", "wrld"]);
    assert_eq!((code, text.contains("did you mean `world`?")), (Some(2), true), "{text}");
    assert_eq!(why(folder.path(), &[unknown]).0, Some(1));
}

#[test]
fn what_was_removed_is_remembered() {
    let (folder, origin) = newsroom();
    let pact = json(folder.path(), &["desk.example/news/pact"]);
    let flood = json(folder.path(), &[FLOOD]);
    let copied = pact["sightings"][1]["id"].as_str().unwrap().to_owned();
    // Of the desk's two the flood stands lower in its document, and goes.
    fs::write(folder.path().join("feeds.toml"), feeds(&origin, "keep_entries = 1\n")).unwrap();
    let mut program = Program::start(folder.path());
    program.wait_for("entries are removed");
    for suffix in ["", ".json"] {
        let answer = program.get(&format!("/entries/{}{suffix}", bare(&flood)));
        assert_eq!(answer.status, 410);
        assert!(answer.text().contains("It was here, and was removed on 20"), "{}", answer.text());
        assert_eq!(program.get(&format!("/entries/{}{suffix}", bare(&pact))).status, 200);
    }
    let (code, text) = why(folder.path(), &[FLOOD]);
    assert_eq!((code, text.contains("It was here, and was removed on 20")), (Some(1), true), "{text}");
    assert_eq!(json(folder.path(), &[FLOOD])["id"], flood["id"]);
    assert_eq!(json(folder.path(), &[&copied])["id"], pact["id"]);
    assert_eq!(program.stop(), Some(0));
    // An export carries all of it.
    let other = tempfile::tempdir().unwrap();
    fs::copy(folder.path().join("feeds.toml"), other.path().join("feeds.toml")).unwrap();
    let export = other.path().join("backup.jsonl");
    let (code, text) = told(folder.path(), &["export", export.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = told(other.path(), &["import", export.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{text}");
    for asked in [FLOOD, "desk.example/news/pact", &copied] {
        assert_eq!(json(other.path(), &[asked]), json(folder.path(), &[asked]), "{asked}");
    }
}
