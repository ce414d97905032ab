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
