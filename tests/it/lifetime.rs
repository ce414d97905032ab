//! What keeps a store healthy for years, with the real binary: export and import, compaction, retention.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::origin::{Origin, Reply, rss};
use crate::program::{HEAD, Program, binary, told};

/// Rounds of tests that kill; more of them with `FEEDMILL_KILL_ROUNDS`.
fn rounds() -> u32 {
    std::env::var("FEEDMILL_KILL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(4)
}

/// Documents of two sources that share every third item.
fn publish(origin: &Origin, items: std::ops::Range<usize>) {
    for (key, other) in [("one", 1), ("two", 2)] {
        let items: Vec<[String; 4]> = items
            .clone()
            .rev()
            .map(|number| {
                let link = if number % 3 == 0 {
                    format!("http://news.example/{number}")
                } else {
                    format!("http://{key}.example/{number}")
                };
                let text =
                    format!("Report {number}: {}", format!("words of {} about it ", number % 3 * other).repeat(30));
                [format!("{key}-{number}"), link, format!("News number {number}"), text]
            })
            .collect();
        let items: Vec<(&str, &str, &str, &str)> =
            items.iter().map(|[guid, link, title, text]| (&**guid, &**link, &**title, &**text)).collect();
        origin.serve(&format!("/{key}"), Reply::rss(&rss(key, &format!("http://{key}.example/"), &items)));
    }
}

/// A folder whose store holds what two sources published.
fn polled(origin: &Origin, count: usize, more: &str) -> tempfile::TempDir {
    publish(origin, 0..count);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("feeds.toml"), feeds(origin, more)).unwrap();
    let (code, text) = told(folder.path(), &["poll"]);
    assert_eq!(code, Some(0), "{text}");
    folder
}

fn feeds(origin: &Origin, more: &str) -> String {
    let source = |key: &str| {
        let url = origin.url(&format!("/{key}"));
        format!("[sources.{key}]\nurl = \"{url}\"\ntopics = [\"both\"]\nmin_interval = \"24h\"\n{more}")
    };
    format!("{HEAD}{}{}[topics.first]\nmatch = \"title:number\"\n", source("one"), source("two"))
}

const FEEDS: &[&str] = &[
    "/all.atom?limit=2000",
    "/topics/both.atom?limit=2000",
    "/topics/first.rss",
    "/sources/one.json",
    "/sources/two.atom",
];

fn outputs(folder: &Path) -> Vec<String> {
    let program = Program::start(folder);
    let outputs = shown(&program);
    assert_eq!(program.stop(), Some(0));
    outputs
}

fn shown(program: &Program) -> Vec<String> {
    FEEDS.iter().map(|feed| program.get(feed).text()).collect()
}

/// Another folder with the same configuration and no store.
fn beside(folder: &Path) -> tempfile::TempDir {
    let other = tempfile::tempdir().unwrap();
    fs::copy(folder.join("feeds.toml"), other.path().join("feeds.toml")).unwrap();
    other
}

fn exported(folder: &Path) -> String {
    let (code, text) = told(folder, &["export"]);
    assert_eq!(code, Some(0), "{text}");
    text
}

/// Starts a command and kills it after so many milliseconds; true when it had ended by itself.
fn killed(folder: &Path, arguments: &[&str], after: Duration) -> bool {
    let mut child = binary(folder).args(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let (sender, ended) = std::sync::mpsc::channel::<()>();
    // It closes its standard error when it ends.
    std::thread::spawn(move || {
        let _ = stderr.read_to_string(&mut String::new());
        drop(sender);
    });
    let is_ended = ended.recv_timeout(after) == Err(std::sync::mpsc::RecvTimeoutError::Disconnected);
    let _ = child.kill();
    child.wait().unwrap();
    is_ended
}

/// A moment of a command that takes about so long, another one in each round.
fn moment(round: u32, whole: Duration) -> Duration {
    whole * (round * 7_919 % 1_000) / 1_000
}

/// Runs a command to its end, and says how long it took.
fn measured(folder: &Path, arguments: &[&str]) -> Duration {
    let began = Instant::now();
    let (code, text) = told(folder, arguments);
    assert_eq!(code, Some(0), "{text}");
    began.elapsed()
}

#[test]
fn an_export_fills_an_empty_store_with_the_same() {
    let origin = Origin::start("127.0.0.1");
    let folder = polled(&origin, 60, "");
    let before = outputs(folder.path());
    assert!(before.iter().all(|feed| feed.contains("News number 51")), "{before:?}");
    let (code, text) = told(folder.path(), &["export", "copy.jsonl"]);
    assert_eq!((code, text.as_str()), (Some(0), ""));
    let copy = fs::read_to_string(folder.path().join("copy.jsonl")).unwrap();
    assert_eq!(copy, exported(folder.path()));
    assert!(!folder.path().join("copy.jsonl.unfinished").exists());

    let other = beside(folder.path());
    fs::write(other.path().join("copy.jsonl"), &copy).unwrap();
    let (code, text) = told(other.path(), &["import", "copy.jsonl"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with("100 entries ("), "{text}");
    assert_eq!(exported(other.path()), copy);
    assert_eq!(outputs(other.path()), before);
    // What was polled already is known, validators and all.
    let asked = origin.asked("/one").len();
    let (code, text) = told(other.path(), &["poll", "--force"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("one: nothing new"), "{text}");
    assert!(origin.asked("/one")[asked].headers.contains_key("if-none-match"));
}

#[test]
fn an_export_of_a_running_daemon_is_of_one_moment_and_waits_for_nobody() {
    let origin = Origin::start("127.0.0.1");
    let folder = polled(&origin, 400, "");
    let program = Program::start(folder.path());
    // A reader that takes some lines and then none for a while.
    let mut slow = binary(folder.path()).arg("export").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(slow.stdout.take().unwrap());
    let mut export = String::new();
    lines.read_line(&mut export).unwrap();
    publish(&origin, 20..440);
    let (code, text) = told(folder.path(), &["poll", "--force"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("40 new"), "{text}");
    let (code, text) = told(folder.path(), &["export"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("another export is under way"), "{text}");
    lines.read_to_string(&mut export).unwrap();
    assert!(slow.wait().unwrap().success());
    assert!(export.contains("News number 399") && !export.contains("News number 400"));
    let later = exported(folder.path());
    assert!(later.contains("News number 439"));
    assert_eq!(program.stop(), Some(0));

    // Of the daemon and of the files: the same.
    assert_eq!(exported(folder.path()), later);
    for (export, last) in [(export, "News number 399"), (later, "News number 439")] {
        let other = beside(folder.path());
        fs::write(other.path().join("copy.jsonl"), export).unwrap();
        let (code, text) = told(other.path(), &["import", "copy.jsonl"]);
        assert_eq!(code, Some(0), "{text}");
        assert!(outputs(other.path())[0].contains(last));
    }
}

#[test]
fn an_import_that_cannot_be_is_refused() {
    let origin = Origin::start("127.0.0.1");
    let folder = polled(&origin, 10, "");
    let copy = exported(folder.path());
    let file = folder.path().join("copy.jsonl");
    fs::write(&file, &copy).unwrap();
    let (code, text) = told(folder.path(), &["import", "copy.jsonl"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("holds entries or sources already"), "{text}");
    let program = Program::start(folder.path());
    let (code, text) = told(folder.path(), &["import", "copy.jsonl"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("another feedmill uses the store"), "{text}");
    drop(program);

    let other = beside(folder.path());
    let (code, text) = told(other.path(), &["import", "feeds.toml"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("this is no export of feedmill"), "{text}");
    assert!(!other.path().join("feedmill-data").exists());
    // Cut off: the store is incomplete for everything that opens it.
    fs::write(other.path().join("cut.jsonl"), &copy[..copy.len() / 2]).unwrap();
    let (code, text) = told(other.path(), &["import", "cut.jsonl"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("cut off"), "{text}");
    for command in [&["list"][..], &["export"], &["compact"], &["import", "cut.jsonl"], &[]] {
        let (code, text) = told(other.path(), command);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains("is incomplete"), "{text}");
    }
}

#[test]
fn a_killed_import_never_looks_finished() {
    let origin = Origin::start("127.0.0.1");
    let folder = polled(&origin, 300, "");
    let copy = exported(folder.path());
    let first = beside(folder.path());
    fs::write(first.path().join("copy.jsonl"), &copy).unwrap();
    let length = measured(first.path(), &["import", "copy.jsonl"]);
    let (mut whole, mut incomplete) = (0, 0);
    for round in 0..rounds() {
        let other = beside(folder.path());
        fs::write(other.path().join("copy.jsonl"), &copy).unwrap();
        let _ = killed(other.path(), &["import", "copy.jsonl"], moment(round, length));
        let (code, text) = told(other.path(), &["export"]);
        // Killed before it began, it left no store, or an empty one.
        let is_empty = text.contains("there is no store") || text.lines().count() == 2;
        if !is_empty && code == Some(0) {
            assert_eq!(text, copy, "round {round}");
            whole += 1;
            continue;
        }
        assert!(is_empty || (code == Some(2) && text.contains("is incomplete")), "round {round}: {text}");
        incomplete += u32::from(!is_empty);
        let _ = fs::remove_dir_all(other.path().join("feedmill-data"));
        let (code, text) = told(other.path(), &["import", "copy.jsonl"]);
        assert_eq!(code, Some(0), "round {round}: {text}");
        assert_eq!(exported(other.path()), copy, "round {round}");
    }
    println!("{} kills: {whole} whole, {incomplete} incomplete", rounds());
}

#[test]
fn a_killed_export_leaves_no_file_that_looks_finished() {
    let origin = Origin::start("127.0.0.1");
    let folder = polled(&origin, 300, "");
    let copy = exported(folder.path());
    let file = folder.path().join("copy.jsonl");
    let length = measured(folder.path(), &["export", "copy.jsonl"]);
    for round in 0..rounds() {
        let _ = fs::remove_file(&file);
        let _ = killed(folder.path(), &["export", "copy.jsonl"], moment(round, length));
        if file.exists() {
            assert_eq!(fs::read_to_string(&file).unwrap(), copy, "round {round}");
        }
        // The store minds no kill of a reader.
        assert_eq!(exported(folder.path()), copy, "round {round}");
    }
}

#[test]
fn a_compacted_store_says_the_same() {
    let origin = Origin::start("127.0.0.1");
    let folder = polled(&origin, 200, "");
    let (copy, before) = (exported(folder.path()), outputs(folder.path()));
    let (code, text) = told(folder.path(), &["compact"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains(" kB became "), "{text}");
    assert_eq!(exported(folder.path()).lines().count(), copy.lines().count());
    assert_eq!(outputs(folder.path()), before);
    let program = Program::start(folder.path());
    let (code, text) = told(folder.path(), &["compact"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("stop it first"), "{text}");
    drop(program);
}

#[test]
fn a_killed_compaction_loses_nothing() {
    let origin = Origin::start("127.0.0.1");
    let folder = polled(&origin, 300, "");
    let copy = exported(folder.path());
    let length = measured(folder.path(), &["compact"]);
    let mut ended = 0;
    for round in 0..rounds() {
        ended += u32::from(killed(folder.path(), &["compact"], moment(round, length)));
        assert_eq!(exported(folder.path()), copy, "round {round}");
        let store = folder.path().join("feedmill-data");
        let left: Vec<_> = fs::read_dir(&store).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.iter().all(|name| name == "FEEDMILL" || name == "sled"), "round {round}: {left:?}");
    }
    println!("{} kills, {ended} came too late", rounds());
}

#[test]
fn more_than_a_source_may_keep_is_removed_at_the_start_and_returns_no_more() {
    let origin = Origin::start("127.0.0.1");
    let folder = polled(&origin, 60, "");
    let before = outputs(folder.path());
    fs::write(folder.path().join("feeds.toml"), feeds(&origin, "keep_entries = 40\n")).unwrap();
    let mut program = Program::start(folder.path());
    program.wait_for("entries are removed");
    program.wait_for("entries are removed");
    let (code, text) = told(folder.path(), &["poll", "--force"]);
    assert_eq!(code, Some(0), "{text}");
    for key in ["one", "two"] {
        assert_eq!(program.items(&format!("/sources/{key}.json")).len(), 40);
    }
    let items = program.items("/all.json?limit=2000");
    assert!(items.iter().all(|item| before[0].contains(item["id"].as_str().unwrap())));
    let listed: Vec<serde_json::Value> =
        serde_json::from_slice(&crate::program::run(folder.path(), &["list", "--json"]).stdout).unwrap();
    assert!(listed.iter().all(|source| source["entries"] == 40 || source["entries"] == 60), "{listed:?}");
    let after = shown(&program);
    drop(program);
    // Read anew, the same documents bring nothing.
    publish(&origin, 0..60);
    let program = Program::start(folder.path());
    let (code, text) = told(folder.path(), &["poll", "--force"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(shown(&program), after);
    assert_eq!(program.items("/all.json?limit=2000").len(), items.len());
}
