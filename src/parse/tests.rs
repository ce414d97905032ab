use proptest::prelude::*;
use url::Url;

use crate::model::Timestamp;
use crate::model::document::{Observation, Parsed};
use crate::parse;

fn now() -> Timestamp {
    chrono::DateTime::parse_from_rfc3339("2026-11-24T12:00:00Z").unwrap().to_utc()
}

fn read(document: &str) -> Parsed {
    let base = Url::parse("https://base.example/dir/feed").unwrap();
    parse::parse(document.as_bytes(), None, Some(&base), now()).unwrap_or_else(|error| panic!("{error}: {document}"))
}

/// One observation in a line: guid, address, title, date, text.
fn shown(seen: &Observation) -> String {
    let or = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let text = seen.content.as_ref().or(seen.summary.as_ref()).map(|html| html.0.clone());
    let date = seen.published.or(seen.updated).map(|at| at.format("%Y-%m-%d").to_string());
    let guid = seen.guid.as_ref().map(|guid| guid.value.clone());
    [or(guid), or(seen.url.as_ref().map(ToString::to_string)), or(seen.title.clone()), or(date), or(text)].join(" | ")
}

fn check(document: &str, expected: &[&str]) {
    let parsed = read(document);
    assert_eq!(parsed.observations.iter().map(shown).collect::<Vec<_>>(), expected, "{document}");
}

fn rss(item: &str) -> String {
    format!(
        "<rss version=\"2.0\"><channel><title>T</title><link>https://site.example/</link><item>{item}</item></channel></rss>"
    )
}

fn atom(entry: &str) -> String {
    format!("<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>T</title><entry>{entry}</entry></feed>")
}

#[test]
fn rss_items_are_read() {
    check(
        &rss(
            "<guid isPermaLink=\"false\"> 7 </guid><link>/a</link><title>A &amp;amp; B</title><pubDate>Sun, 01 Nov 2026 08:00:00 GMT</pubDate><description>&lt;p&gt;x&lt;/p&gt;</description>",
        ),
        &["7 | https://base.example/a | A & B | 2026-11-01 | <p>x</p>"],
    );
    // A guid that is an address is the link, unless it says that it is none.
    check(
        &rss("<guid>https://e.example/1</guid><title>T</title>"),
        &["https://e.example/1 | https://e.example/1 | T | - | -"],
    );
    check(
        &rss("<guid isPermaLink=\"false\">https://e.example/1</guid><title>T</title>"),
        &["https://e.example/1 | - | T | - | -"],
    );
    // No guid is none, never one that was made up.
    check(&rss("<title>Only a title</title>"), &["- | - | Only a title | - | -"]);
    check(&rss("<title>T</title><link>javascript:alert(1)</link>"), &["- | - | T | - | -"]);
    check(&rss("<title>T</title><pubDate>Sun, 01 Nov 2099 08:00:00 GMT</pubDate>"), &["- | - | T | - | -"]);
}

#[test]
fn atom_entries_are_read() {
    check(
        &atom(
            "<id>tag:e,2026:1</id><title type=\"html\">&lt;b&gt;T&lt;/b&gt;</title><link href=\"b\"/><updated>2026-11-01T08:00:00Z</updated><content type=\"html\">&lt;p&gt;x&lt;/p&gt;</content>",
        ),
        &["tag:e,2026:1 | https://base.example/dir/b | T | 2026-11-01 | <p>x</p>"],
    );
    check(
        &atom("<id>https://e.example/1</id><title>1 &lt; 2</title>"),
        &["https://e.example/1 | https://e.example/1 | 1 < 2 | - | -"],
    );
    check(&atom("<id>1</id><summary>a\nb</summary>"), &["1 | - | - | - | a<br>\nb"]);
}

#[test]
fn json_feeds_are_read_field_by_field() {
    check(
        r#"{"version":"https://jsonfeed.org/version/1.1","title":"T","items":[
            {"id":7,"url":"/a","title":"One","content_text":"1 < 2 & 3","date_published":"2026-11-01T08:00:00Z"},
            {"id":"https://e.example/2","title":5,"summary":"s","tags":[null,"x"],"attachments":[{"url":"a.mp3","size_in_bytes":1.5}]},
            "nonsense"]}"#,
        &[
            "7 | https://base.example/a | One | 2026-11-01 | 1 &lt; 2 &amp; 3",
            "https://e.example/2 | https://e.example/2 | - | - | s",
        ],
    );
}

#[test]
fn encodings_are_found_out() {
    let latin = b"<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><rss version=\"2.0\"><channel><title>caf\xe9</title></channel></rss>";
    let undeclared = b"<rss version=\"2.0\"><channel><title>caf\xe9 \xc3\xa9</title></channel></rss>";
    let lie = "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><rss version=\"2.0\"><channel><title>café</title></channel></rss>";
    let wide: Vec<u8> = "<rss version=\"2.0\"><channel><title>café</title></channel></rss>"
        .encode_utf16()
        .flat_map(u16::to_be_bytes)
        .collect();
    let title =
        |bytes: &[u8], content_type| parse::parse(bytes, content_type, None, now()).unwrap().header.title.unwrap();
    assert_eq!(title(latin, None), "café");
    assert_eq!(title(undeclared, None), "café é");
    assert_eq!(title(lie.as_bytes(), None), "café");
    assert_eq!(title(&wide, None), "café");
    let plain = b"<rss version=\"2.0\"><channel><title>caf\xe9</title></channel></rss>";
    assert_eq!(title(plain, Some("text/xml; charset=\"windows-1252\"")), "café");
}

#[test]
fn what_is_no_feed_says_so() {
    for (document, expected) in [
        ("", "empty"),
        ("<!DOCTYPE html><html><body>hello</body></html>", "web page"),
        ("hello", "neither XML nor JSON"),
        ("{\"a\": 1}", "not a JSON Feed"),
        ("{", "the JSON is broken"),
        ("<opml/>", "a list of feeds"),
        ("<other/>", "no known root element"),
    ] {
        let error = parse::parse(document.as_bytes(), None, None, now()).unwrap_err();
        assert!(error.what.contains(expected), "{document}: {error}");
    }
}

#[test]
fn what_would_stop_the_reader_is_kept_from_it() {
    let nested = format!("<rss version=\"2.0\">{}", "<media:group>".repeat(50_000));
    assert!(read(&nested).notes.iter().any(|note| note.contains("nested too deeply")));
    let huge = rss(
        "<title>T</title><itunes:duration xmlns:itunes=\"http://www.itunes.com/dtds/podcast-1.0.dtd\">99999999999999999999999999</itunes:duration>",
    );
    // Read or refused, but never a panic that leaves the border.
    let _ = parse::parse(huge.as_bytes(), None, None, now());
    let second = format!("<!-- x --><?xml version=\"1.0\" encoding=\"koi8-r\"?>{}", rss("<title>T</title>"));
    assert_eq!(read(&second).observations.len(), 1);
}

#[test]
fn a_feed_without_entries_is_a_feed() {
    assert_eq!(read("<rss version=\"2.0\"><channel><title>T</title></channel></rss>").observations.len(), 0);
}

#[test]
fn entries_are_bounded_and_the_rest_is_told() {
    let items = "<item><title>T</title><guid>x</guid></item>".repeat(5_100);
    let parsed = read(&format!("<rss version=\"2.0\"><channel>{items}</channel></rss>"));
    assert_eq!(parsed.observations.len(), 5_000);
    assert!(parsed.notes.iter().any(|note| note.contains("only the first 5000")), "{:?}", parsed.notes);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse::parse(&bytes, None, None, now());
    }

    #[test]
    fn a_feed_cut_off_anywhere_is_survived(cut in 0_usize..400, flip in any::<(usize, u8)>()) {
        let mut bytes = rss("<guid>1</guid><link>/a</link><title>é</title><author>é a@b.c</author><pubDate>Sun, 01 Nov 2026 08:00:00 GMT</pubDate>").into_bytes();
        let length = bytes.len();
        bytes[flip.0 % length] = flip.1;
        bytes.truncate(cut);
        let _ = parse::parse(&bytes, None, None, now());
    }

    #[test]
    fn reading_a_date_never_panics(text in "[0-9a-zA-Zé:,+ ./-]{0,40}") {
        parse::read_date(&text);
    }
}
