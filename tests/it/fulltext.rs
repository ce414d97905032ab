//! The full text of entries, from their pages on loopback to the feeds that readers get.

use std::fs;
use std::path::Path;

use crate::origin::{Origin, Reply, rss};
use crate::program::{HEAD, Program, run, told};

const TEASER: &str =
    "The last ferry of the season has left the island with forty passengers and a piano that nobody had booked";
const REST: &str = "The captain said that he had carried stranger things, among them a wedding cake of seven storeys and a bull called \
                    Ferdinand, but never anything that was played all the way across.";
const READ: &str = "pages of entries are read";

fn page(text: &str) -> Reply {
    let body = format!(
        "<!doctype html><html><head><title>Ferry</title></head><body><nav><a href=\"/\">Home</a></nav><main><h1>Ferry</h1>\
         <article><p>{text}.</p><figure><img src=\"data:,\" data-src=\"/ferry.jpg\" alt=\"\"></figure><p class=\"body\">{REST}</p>\
         </article></main><section id=\"comments\"><form><p>Leave a comment</p></form></section></body></html>"
    );
    Reply::Document { body, media_type: "text/html; charset=utf-8" }
}

/// A publisher whose feed holds teasers: of a good page, of one that robots.txt forbids, and of one that holds something else.
fn publisher() -> Origin {
    let origin = Origin::start("127.0.0.1");
    let items = ["/a", "/private/b", "/c"].map(|path| (path, origin.url(path)));
    let items = items.each_ref().map(|(path, url)| (*path, url.as_str(), *path, TEASER));
    origin.serve("/feed", Reply::rss(&rss("Island", &origin.url("/"), &items)));
    origin.serve(
        "/robots.txt",
        Reply::Document { body: "User-agent: *\nDisallow: /private\n".to_owned(), media_type: "text/plain" },
    );
    origin.serve("/a", page(TEASER));
    origin.serve("/private/b", page(TEASER));
    origin.serve(
        "/c",
        page("You have no rights to see this, but here is much else that you could read about our shop and its goods"),
    );
    origin
}

fn folder(origin: &Origin, poll: &str, source: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    configure(folder.path(), origin, poll, source);
    folder
}

fn configure(folder: &Path, origin: &Origin, poll: &str, source: &str) {
    let text = format!("{HEAD}{poll}[sources.island]\nurl = \"{}\"\n{source}", origin.url("/feed"));
    fs::write(folder.join("feeds.toml"), text).unwrap();
}

/// Everything that was committed is published when it returns.
fn poll(folder: &Path) {
    let (code, text) = told(folder, &["poll", "--force"]);
    assert_eq!(code, Some(0), "{text}");
}

fn item(program: &Program, title: &str) -> serde_json::Value {
    program.items("/all.json").into_iter().find(|item| item["title"] == title).unwrap()
}

fn content(program: &Program, title: &str) -> String {
    item(program, title)["content_html"].as_str().unwrap().to_owned()
}

fn notes(folder: &Path) -> serde_json::Value {
    let listed: Vec<serde_json::Value> = serde_json::from_slice(&run(folder, &["list", "--json"]).stdout).unwrap();
    assert_eq!(listed[0]["health"], "good");
    listed[0]["notes"].clone()
}

#[test]
fn the_text_of_pages_is_shown_where_it_is_better_and_allowed() {
    let origin = publisher();
    let folder = folder(&origin, "allow_private_links = true\n", "full_text = true\n");
    let mut program = Program::start(folder.path());
    program.wait_for(READ);
    poll(folder.path());
    let full = content(&program, "/a");
    assert!(full.contains(TEASER) && full.contains(REST), "{full}");
    assert!(full.contains(&origin.url("/ferry.jpg")), "{full}");
    assert!(!full.contains("Home") && !full.contains("comment") && !full.contains("<h1>"), "{full}");
    assert!(program.get("/all.atom").text().contains("a bull called Ferdinand"));
    for title in ["/private/b", "/c"] {
        assert_eq!(content(&program, title), format!("<p>{TEASER}</p>"), "{title}");
    }
    // What is shown of an entry besides its text does not move.
    assert_eq!(item(&program, "/a")["date_modified"], item(&program, "/c")["date_modified"]);
    let told_notes = notes(folder.path()).to_string();
    assert!(
        told_notes.contains("1 pages of entries could not be read, 2 could") && told_notes.contains("robots.txt"),
        "{told_notes}"
    );
    assert_eq!(origin.asked("/robots.txt").len(), 1);
    assert_eq!(origin.asked("/private/b").len(), 0);
    let before = program.get("/all.atom").text();
    program.kill();
    let program = Program::start(folder.path());
    poll(folder.path());
    assert_eq!(program.get("/all.atom").text(), before);
    assert_eq!(origin.asked("/a").len(), 1, "no page is asked for twice");
}

#[test]
fn pages_in_private_networks_are_refused_and_the_feeds_own_text_is_shown() {
    let origin = publisher();
    let folder = folder(&origin, "", "full_text = true\n");
    let mut program = Program::start(folder.path());
    program.wait_for(READ);
    poll(folder.path());
    assert_eq!(content(&program, "/a"), format!("<p>{TEASER}</p>"));
    assert!(notes(folder.path()).to_string().contains("allow_private_links in [poll]"));
    for path in ["/robots.txt", "/a"] {
        assert_eq!(origin.asked(path).len(), 0, "{path}");
    }
}

#[test]
fn a_host_that_asks_for_fewer_requests_is_left_alone() {
    let origin = publisher();
    origin.serve("/a", Reply::status("429 Too Many Requests", ""));
    let folder = folder(&origin, "allow_private_links = true\n", "full_text = true\n");
    let mut program = Program::start(folder.path());
    program.wait_for(READ);
    poll(folder.path());
    assert_eq!((origin.asked("/a").len(), origin.asked("/c").len()), (1, 0));
    assert!(notes(folder.path()).to_string().contains("429"));
}

#[test]
fn an_export_carries_pages_and_an_edit_decides_whether_they_are_shown() {
    let origin = publisher();
    let folder = folder(&origin, "allow_private_links = true\n", "full_text = true\nremove_selectors = [\".body\"]\n");
    // A command that polls by itself waits for the pages: with what is removed, they hold no more than the feed.
    poll(folder.path());
    let (_, lines) = told(folder.path(), &["export"]);
    assert!(!lines.contains("\"kind\":\"page\""), "{lines}");
    assert_eq!(origin.asked("/a").len(), 1);
    // Another text of the feed is a reason to read the page again.
    let changed = format!("{TEASER}, which it will bring back in spring");
    origin.serve("/feed", Reply::rss(&rss("Island", &origin.url("/"), &[("/a", &origin.url("/a"), "/a", &changed)])));
    configure(folder.path(), &origin, "allow_private_links = true\n", "full_text = true\n");
    poll(folder.path());
    let (_, lines) = told(folder.path(), &["export"]);
    assert!(lines.contains("\"kind\":\"page\""), "{lines}");
    fs::write(folder.path().join("backup.jsonl"), &lines).unwrap();
    fs::remove_dir_all(folder.path().join("feedmill-data")).unwrap();
    let (code, text) = told(folder.path(), &["import", "backup.jsonl"]);
    assert_eq!(code, Some(0), "{text}");
    let program = Program::start(folder.path());
    assert!(content(&program, "/a").contains("Ferdinand"));
    program.kill();
    configure(folder.path(), &origin, "", "");
    let program = Program::start(folder.path());
    assert_eq!(content(&program, "/a"), format!("<p>{changed}</p>"));
}
