//! Addresses that answer with web pages: the daemon reads the feed that a page names.

use std::fs;
use std::path::Path;

use crate::origin::{Origin, Reply, rss};
use crate::program::{HEAD, Program, told};

fn folder(feeds: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("feeds.toml"), format!("{HEAD}{feeds}")).unwrap();
    folder
}

fn page(feed: &str) -> Reply {
    let body = format!(
        "<!DOCTYPE html><html><head><title>Blog</title>\
         <link rel=\"alternate\" type=\"application/rss+xml\" title=\"Blog\" href=\"{feed}\"></head><body>Hello</body></html>"
    );
    Reply::Document { body, media_type: "text/html" }
}

fn news(title: &str) -> Reply {
    Reply::rss(&rss(title, "http://blog.example/", &[("1", "http://blog.example/1", "The first entry", "Some words.")]))
}

fn poll(folder: &Path) -> (Option<i32>, String) {
    told(folder, &["poll", "--force"])
}

#[test]
fn the_feed_that_a_page_names_is_polled_instead_and_told() {
    let origin = Origin::start("127.0.0.1");
    origin.serve("/", page("feed.xml"));
    origin.serve("/feed.xml", news("Blog"));
    let folder = folder(&format!("[sources.blog]\nurl = \"{}\"\n", origin.url("/")));
    let mut program = Program::start(folder.path());
    program.wait_for("is a web page; its feed");
    assert_eq!(poll(folder.path()).0, Some(0));
    assert_eq!(program.items("/sources/blog.json").len(), 1);
    let note = format!("put `url = \"{}\"` under [sources.blog]", origin.url("/feed.xml"));
    let (_, listed) = told(folder.path(), &["list"]);
    assert!(listed.contains(&note) && listed.contains("good"), "{listed}");
    // It is remembered over a restart, and the page is left alone.
    assert_eq!(program.stop(), Some(0));
    assert_eq!(poll(folder.path()).0, Some(0));
    assert!(told(folder.path(), &["list"]).1.contains(&note));
    assert_eq!(origin.asked("/").len(), 1);
    assert!(origin.asked("/feed.xml").last().unwrap().headers.contains_key("if-none-match"));

    // When it is a feed no more it is forgotten, and found anew.
    origin.serve("/feed.xml", Reply::Document { body: "<html>Moved".to_owned(), media_type: "text/html" });
    origin.serve("/", page("/new.xml"));
    origin.serve("/new.xml", news("Blog"));
    let (code, text) = poll(folder.path());
    assert!(code == Some(1) && text.contains("its feed") && text.contains("is not read: this is a web page"), "{text}");
    assert!(!told(folder.path(), &["list"]).1.contains("polled instead"));
    assert_eq!(poll(folder.path()).0, Some(0));
    assert!(told(folder.path(), &["list"]).1.contains("/new.xml is polled instead"));
}

#[test]
fn a_page_without_a_feed_says_what_may_be_one_and_nothing_is_guessed() {
    let origin = Origin::start("127.0.0.1");
    origin.serve("/", Reply::Document { body: "<html><a href='/rss.xml'>RSS</a>".to_owned(), media_type: "text/html" });
    origin.serve("/rss.xml", news("Blog"));
    let folder = folder(&format!("[sources.blog]\nurl = \"{}\"\n", origin.url("/")));
    let (code, text) = poll(folder.path());
    assert_eq!(code, Some(1));
    assert!(text.contains(&format!("this may be one: url = \"{}\"", origin.url("/rss.xml"))), "{text}");
    assert_eq!(origin.asked("/rss.xml").len() + origin.asked("/feed").len(), 0);
}

#[test]
fn a_page_cannot_send_us_into_a_private_network() {
    let (origin, victim) = (Origin::start("127.0.0.1"), Origin::start("127.0.0.2"));
    origin.serve("/", page(&victim.url("/secret")));
    victim.serve("/secret", news("Secret"));
    let folder = folder(&format!("[sources.blog]\nurl = \"{}\"\n", origin.url("/")));
    let (code, text) = poll(folder.path());
    assert!(code == Some(1) && text.contains("is a private address"), "{text}");
    assert_eq!(victim.asked("/secret").len(), 0);
}

#[test]
fn a_page_that_leads_to_a_page_is_followed_once() {
    let origin = Origin::start("127.0.0.1");
    origin.serve("/", page("/a"));
    origin.serve("/a", page("/b"));
    origin.serve("/b", news("Blog"));
    let folder = folder(&format!("[sources.blog]\nurl = \"{}\"\n", origin.url("/")));
    assert_eq!(poll(folder.path()).0, Some(1));
    assert_eq!((origin.asked("/").len(), origin.asked("/a").len(), origin.asked("/b").len()), (1, 1, 0));
}

#[test]
fn a_feed_is_added_and_the_daemon_takes_it_up() {
    let origin = Origin::start("127.0.0.1");
    origin.serve("/", page("/feed.xml"));
    origin.serve("/feed.xml", news("The Blog"));
    let folder = folder("# my topics\n[topics.reading] # for the train\n");
    let mut program = Program::start(folder.path());
    let (code, text) = told(folder.path(), &["add", &origin.url("/"), "--topic", "reading"]);
    assert_eq!(code, Some(0), "{text}");
    for expected in ["The Blog (RSS 2.0), 1 entries, newest of 2026-11-01 08:00", "added [sources.the-blog]"] {
        assert!(text.contains(expected), "{text}");
    }
    let written = fs::read_to_string(folder.path().join("feeds.toml")).unwrap();
    let table = format!("\n[sources.the-blog]\nurl = \"{}\"\ntopics = [\"reading\"]\n", origin.url("/feed.xml"));
    assert_eq!(written, format!("{HEAD}# my topics\n[topics.reading] # for the train\n{table}"));
    program.wait_for("the edited configuration is in effect: 1 sources");
    assert_eq!(poll(folder.path()).0, Some(0));
    assert_eq!(program.items("/topics/reading.json").len(), 1);

    // The same again is the user's mistake, under whatever spelling.
    for again in [origin.url("/"), origin.url("/feed.xml/"), origin.url("/feed.xml?utm_source=x")] {
        let (code, text) = told(folder.path(), &["add", &again]);
        assert!(code == Some(2) && text.contains("is there already: [sources.the-blog]"), "{text}");
    }
    assert_eq!(fs::read_to_string(folder.path().join("feeds.toml")).unwrap(), written);
}

#[test]
fn mistakes_are_told_before_anybody_is_asked() {
    let origin = Origin::start("127.0.0.1");
    let folder = folder("[sources.a]\nurl = \"https://a.example/feed\"\n");
    let url = origin.url("/feed");
    for (arguments, expected) in [
        (&["add", "ftp://x.example/"][..], "no address of a feed"),
        (&["add", &url, "--key", "Not A Key"], "is not a key"),
        (&["add", &url, "--key", "a"], "[sources.a] is there already"),
        (&["add", &url, "--topic", "Ä"], "is not a key"),
        (&["add", "http://10.1.2.3/feed"], "lies at the private address"),
        (&["add", "www.a.example/feed"], "is there already: [sources.a]"),
    ] {
        let (code, text) = told(folder.path(), arguments);
        assert!(code == Some(2) && text.contains(expected), "{arguments:?}: {text}");
    }
    assert_eq!(origin.asked("/feed").len(), 0);
}

#[test]
fn usual_places_are_tried_for_the_user_and_lines_can_be_looked_at_first() {
    let origin = Origin::start("127.0.0.1");
    origin.serve("/", Reply::Document { body: "<html>Hello".to_owned(), media_type: "text/html" });
    origin.serve("/atom.xml", news("Hidden"));
    let folder = folder("");
    let before = fs::read_to_string(folder.path().join("feeds.toml")).unwrap();
    let (code, text) = told(folder.path(), &["add", &origin.url("/"), "--key", "x", "--dry-run"]);
    assert_eq!((code, text), (Some(0), format!("[sources.x]\nurl = \"{}\"\n", origin.url("/atom.xml"))));
    let (code, text) = told(folder.path(), &["add", &origin.url("/"), "--dry-run", "--json"]);
    let told_of: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, told_of["entries"].as_u64(), told_of["key"].as_str()), (Some(0), Some(1), Some("hidden")));
    assert_eq!(told_of["page"].as_str(), Some(origin.url("/").as_str()));
    let (code, text) = told(folder.path(), &["parse", &origin.url("/")]);
    assert!(code == Some(0) && text.contains("shown is its feed") && text.contains("Hidden (RSS 2.0)"), "{text}");
    assert_eq!(fs::read_to_string(folder.path().join("feeds.toml")).unwrap(), before);

    origin.serve("/atom.xml", Reply::status("404 Not Found", ""));
    let (code, text) = told(folder.path(), &["add", &origin.url("/")]);
    assert!(code == Some(1) && text.contains("names no feed"), "{text}");
}

#[test]
fn links_and_permissions_of_the_file_stay() {
    use std::os::unix::fs::PermissionsExt as _;

    let origin = Origin::start("127.0.0.1");
    origin.serve("/feed", news("Blog"));
    let folder = folder("");
    let (link, kept) = (folder.path().join("feeds.toml"), folder.path().join("kept.toml"));
    fs::rename(&link, &kept).unwrap();
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("kept.toml", &link).unwrap();
    assert_eq!(told(folder.path(), &["add", &origin.url("/feed")]).0, Some(0));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(fs::read_to_string(&kept).unwrap().contains("[sources.127-0-0-1]"));
    // A file that is not there yet is made; a private address is refused there as everywhere.
    let (code, text) = told(folder.path(), &["add", &origin.url("/feed"), "--config", "new.toml"]);
    assert!(code == Some(2) && text.contains("private address"), "{text}");
    assert!(!folder.path().join("new.toml").exists());
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().ends_with(".new")), "{names:?}");
}
