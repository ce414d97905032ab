use std::sync::Arc;

use proptest::prelude::*;
use url::Url;

use crate::model::Timestamp;
use crate::model::document::{About, Enclosure, Guid, Origin, Particulars, Person, RawHtml, Related, RelatedKind};
use crate::model::entry::{Ground, PublicId, Texts};
use crate::model::feed::Format;
use crate::model::feed::Media;
use crate::model::page::{Page, Presented, Provenance};
use crate::model::source::SourceKey;
use crate::parse;
use crate::render::Place;
use crate::render::opml::{self, Outline};
use crate::render::sanitise::Sanitiser;
use crate::render::{Fragments, feed, prepare};
use crate::text::markup;

fn at(text: &str) -> Timestamp {
    chrono::DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn provenance(source: &str, ground: Ground) -> Provenance {
    Provenance {
        source: SourceKey::new(source).unwrap(),
        source_title: format!("The {source} & more"),
        source_address: Some(url(&format!("https://{source}.example/feed?x=1&y=2"))),
        site: Some(url(&format!("https://{source}.example/"))),
        source_updated: Some(at("2026-11-01T08:00:00Z")),
        about: Arc::default(),
        guid: Some(Guid { value: format!("{source}-1"), is_permalink: None }),
        url: Some(url(&format!("https://{source}.example/1"))),
        title: Some("A <pact>".to_owned()),
        published: Some(at("2026-11-01T08:00:00Z")),
        ground,
        score: 1.0,
    }
}

/// An entry and its raw fragments.
type Sample = (Presented, Texts);

fn entry(id: u8, title: Option<&str>, html: &str) -> Sample {
    let presented = Presented {
        id: PublicId([id; 16]),
        first_seen: at("2026-11-01T09:00:00Z"),
        published: at("2026-11-01T08:00:00Z"),
        updated: at("2026-11-01T10:00:00Z"),
        title: title.map(str::to_owned),
        url: Some(url("https://one.example/a?b=1&c=2")),
        authors: vec![Person { name: "Desk & co".to_owned(), url: None }],
        categories: vec!["World <news>".to_owned()],
        enclosures: vec![Enclosure {
            url: url("https://one.example/a.mp3"),
            media_type: Some("audio/mpeg".to_owned()),
            length: Some(7),
            title: None,
        }],
        language: Some("en".to_owned()),
        particulars: Particulars::default(),
        text: None,
        page: None,
        sightings: vec![provenance("one", Ground::First)],
    };
    (presented, Texts { summary: None, content: Some(RawHtml(html.to_owned())) })
}

fn page(about: About, entries: Vec<Presented>) -> Page {
    let (title, home_url) = ("All & everything".to_owned(), url("http://mill.example/"));
    Page { title, home_url, about: Arc::new(about), entries }
}

fn written(samples: Vec<Sample>, format: Format) -> String {
    written_about(About::default(), samples, format)
}

fn written_about(about: About, samples: Vec<Sample>, format: Format) -> String {
    let mut sanitiser = Sanitiser::default();
    let (mut entries, mut fragments) = (Vec::new(), Vec::new());
    for (entry, texts) in samples {
        fragments.push(Arc::new(Fragments::clean(&mut sanitiser, &texts, entry.fragments_base())));
        entries.push(entry);
    }
    let self_url = url(&format!("http://mill.example/all.{}", format.suffix()));
    let next = url("http://mill.example/next?before=1-2&limit=1");
    String::from_utf8(feed(
        &prepare(page(about, entries), fragments),
        format,
        &Place { next_url: Some(next), hub_url: Some(url("http://mill.example/hub")), ..Place::at(self_url) },
    ))
    .unwrap()
}

#[test]
fn an_archive_page_is_marked_and_leads_both_ways() {
    let of_format = |format: Format| {
        let at = |path: &str| url(&format!("http://mill.example/{path}.{}", format.suffix()));
        let place = Place {
            current_url: Some(at("all")),
            previous_archive_url: Some(at("all/archive/0-1")),
            next_archive_url: Some(at("all/archive/0-3")),
            ..Place::at(at("all/archive/0-2"))
        };
        let (entry, texts) = entry(1, None, "<p>Hello</p>");
        let fragments = vec![Arc::new(Fragments::clean(&mut Sanitiser::default(), &texts, None))];
        String::from_utf8(feed(&prepare(page(About::default(), vec![entry]), fragments), format, &place)).unwrap()
    };
    for format in [Format::Atom, Format::Rss] {
        let text = of_format(format);
        assert!(text.contains("xmlns:fh=\"http://purl.org/syndication/history/1.0\""), "{text}");
        assert!(text.contains("<fh:archive"), "{text}");
        for (rel, page) in [
            ("self", "/archive/0-2"),
            ("current", ""),
            ("prev-archive", "/archive/0-1"),
            ("next-archive", "/archive/0-3"),
        ] {
            let link = format!("href=\"http://mill.example/all{page}.{}\" rel=\"{rel}\"", format.suffix());
            assert!(text.contains(&link), "{link} in {text}");
        }
    }
    // A feed and its archive have one id.
    assert!(of_format(Format::Atom).contains("<id>http://mill.example/all.atom</id>"));
    let json: serde_json::Value = serde_json::from_str(&of_format(Format::Json)).unwrap();
    assert_eq!(json["next_url"], "http://mill.example/all/archive/0-1.json");
    // Only an archive does: a current document goes on by cursor.
    assert_eq!(json["feed_url"], "http://mill.example/all/archive/0-2.json");
}

fn merged() -> Sample {
    let mut merged = entry(1, Some("A <pact> & more"), "<p>Hello <b>world</b><script>x()</script></p>");
    merged.1.summary = Some(RawHtml("<i>Short &amp; sweet</i>".to_owned()));
    merged.0.sightings.push(provenance("two", Ground::SameUrl));
    merged
}

#[test]
fn atom_names_every_source_in_its_own_elements() {
    let text = written(vec![merged()], Format::Atom);
    for part in [
        "<id>http://mill.example/all.atom</id>",
        "<updated>2026-11-01T10:00:00+00:00</updated>",
        "<link href=\"http://mill.example/next?before=1-2&amp;limit=1\" rel=\"next\"",
        "<title>A &lt;pact&gt; &amp; more</title>",
        "<id>urn:uuid:01010101-0101-0101-0101-010101010101</id>",
        "<link href=\"https://two.example/1\" rel=\"related\" title=\"The two &amp; more\"/>",
        "rel=\"via\" title=\"The one &amp; more\"/>",
        "rel=\"via\" title=\"The two &amp; more\"/>",
        "<source><title>The one &amp; more</title><id>https://one.example/feed?x=1&amp;y=2</id>",
        "rel=\"enclosure\" type=\"audio/mpeg\"",
        "<summary>Short &amp; sweet</summary>",
        "<content type=\"html\">&lt;p&gt;Hello &lt;b&gt;world&lt;/b&gt;&lt;/p&gt;</content>",
    ] {
        assert!(text.contains(part), "{part}\nin {text}");
    }
    assert!(!text.contains("script"));
}

#[test]
fn rss_follows_the_profile() {
    let text = written(vec![merged()], Format::Rss);
    for part in [
        "<atom:link href=\"http://mill.example/all.rss\" rel=\"self\" type=\"application/rss+xml\"/>",
        "<guid isPermaLink=\"false\">urn:uuid:01010101-0101-0101-0101-010101010101</guid>",
        "<pubDate>Sun, 01 Nov 2026 08:00:00 +0000</pubDate>",
        "<source url=\"https://one.example/feed?x=1&amp;y=2\">The one &amp; more</source>",
        "<enclosure url=\"https://one.example/a.mp3\" length=\"7\" type=\"audio/mpeg\"/>",
        "<dc:creator>Desk &amp; co</dc:creator>",
        "<description><![CDATA[Short &amp; sweet]]></description>",
        "<content:encoded><![CDATA[<p>Hello <b>world</b></p>]]></content:encoded>",
        "rel=\"related\"",
        "rel=\"via\"",
    ] {
        assert!(text.contains(part), "{part}\nin {text}");
    }
    assert!(text.find("<description>").unwrap() < text.find("<content:encoded>").unwrap());
}

/// An episode with everything that an entry can carry, in a language of its own.
fn episode() -> Sample {
    let mut episode = entry(2, Some("An episode"), "<p>Talk</p>");
    let related = |kind, address: &str, media_type: Option<&str>| Related {
        kind,
        url: url(address),
        media_type: media_type.map(str::to_owned),
    };
    let picture = Enclosure {
        url: url("https://one.example/p.png"),
        media_type: None,
        length: Some(9),
        title: Some("A picture".to_owned()),
    };
    episode.0.enclosures.insert(0, picture);
    episode.0.language = Some("de_CH".to_owned());
    episode.0.particulars = Particulars {
        related: vec![
            related(RelatedKind::Comments, "https://one.example/a#c", None),
            related(RelatedKind::Transcript, "https://one.example/a.vtt", None),
            related(RelatedKind::Chapters, "https://one.example/c.json", Some("application/json")),
            related(RelatedKind::Image, "https://one.example/i.jpg?a|b&c", None),
            related(RelatedKind::Subject, "https://two.example/subject", None),
        ],
        origin: None,
        duration: Some(std::time::Duration::from_secs(3_723)),
        episode: Some(7),
        season: Some(2),
        is_explicit: Some(false),
    };
    episode
}

fn told_about() -> About {
    About {
        id: Some("tag:one.example,2026:feed".to_owned()),
        description: Some("Talk & more".to_owned()),
        language: Some("en".to_owned()),
        image: Some(url("https://one.example/logo.png")),
        rights: Some("© One".to_owned()),
        authors: vec![Person { name: "The desk".to_owned(), url: Some(url("https://one.example/desk")) }],
        categories: vec!["Talk".to_owned()],
    }
}

/// Every part stands in the text, in this order.
fn check_parts(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let at = rest.find(part);
        assert!(at.is_some(), "{part}\nin {rest}\nof {text}");
        rest = &rest[at.unwrap()..];
    }
}

#[test]
fn what_an_entry_carries_stands_in_the_words_of_each_format() {
    check_parts(
        &written_about(told_about(), vec![episode()], Format::Atom),
        &[
            "<feed xmlns=\"http://www.w3.org/2005/Atom\" xmlns:media=\"http://search.yahoo.com/mrss/\" xml:lang=\"en\">",
            "<logo>https://one.example/logo.png</logo><rights>© One</rights><subtitle>Talk &amp; more</subtitle>",
            "<title xml:lang=\"de-CH\">An episode</title>",
            "<link href=\"https://one.example/p.png\" rel=\"enclosure\" type=\"image/png\" title=\"A picture\" length=\"9\"/>",
            "<link href=\"https://one.example/a.mp3\" rel=\"enclosure\" type=\"audio/mpeg\" length=\"7\"/>",
            "<link href=\"https://one.example/a#c\" rel=\"replies\" type=\"text/html\"/>",
            "<link href=\"https://two.example/subject\" rel=\"related\"/>",
            "<content xml:lang=\"de-CH\" type=\"html\">",
            "<media:thumbnail url=\"https://one.example/i.jpg?a%7Cb&amp;c\"",
        ],
    );
    check_parts(
        &written_about(told_about(), vec![episode()], Format::Rss),
        &[
            "xmlns:media=\"http://search.yahoo.com/mrss/\" xmlns:podcast=\"https://podcastindex.org/namespace/1.0\"",
            "<description>Talk &amp; more</description><language>en</language><copyright>© One</copyright>",
            "<image><url>https://one.example/logo.png</url><title>All &amp; everything</title><link>http://mill.example/</link></image>",
            "<comments>https://one.example/a#c</comments>",
            "<enclosure url=\"https://one.example/a.mp3\" length=\"7\" type=\"audio/mpeg\"/>",
            "<media:content fileSize=\"9\" medium=\"image\" type=\"image/png\" url=\"https://one.example/p.png\"",
            "<media:thumbnail url=\"https://one.example/i.jpg?a%7Cb&amp;c\"",
            "<podcast:chapters type=\"application/json+chapters\" url=\"https://one.example/c.json\"",
            "<podcast:transcript type=\"text/vtt\" url=\"https://one.example/a.vtt\"",
            "<itunes:author>Desk &amp; co</itunes:author><itunes:image href=\"https://one.example/i.jpg?a%7Cb&amp;c\"></itunes:image>",
            "<itunes:duration>1:02:03</itunes:duration><itunes:explicit>false</itunes:explicit>",
            "<itunes:episode>7</itunes:episode><itunes:season>2</itunes:season>",
            "<dc:creator>Desk &amp; co</dc:creator><dc:language>de-CH</dc:language>",
        ],
    );
    let value: serde_json::Value =
        serde_json::from_str(&written_about(told_about(), vec![episode()], Format::Json)).unwrap();
    let item = &value["items"][0];
    for (place, expected) in [
        (&value["description"], "Talk & more"),
        (&value["language"], "en"),
        (&value["icon"], "https://one.example/logo.png"),
        (&value["authors"][0]["url"], "https://one.example/desk"),
        (&item["language"], "de-CH"),
        (&item["image"], "https://one.example/i.jpg?a%7Cb&c"),
        (&item["external_url"], "https://two.example/subject"),
        (&item["attachments"][0]["mime_type"], "image/png"),
        (&item["_feedmill"]["related"][0]["kind"], "comments"),
        (&item["_feedmill"]["related"][1]["url"], "https://one.example/a.vtt"),
    ] {
        assert_eq!(*place, expected, "{value}");
    }
    assert_eq!(item["attachments"][0].get("duration_in_seconds"), None);
    assert_eq!(item["attachments"][1]["duration_in_seconds"], 3_723);
    assert_eq!((&item["_feedmill"]["season"], &item["_feedmill"]["episode"]), (&2.into(), &7.into()));
}

#[test]
fn what_is_written_of_an_episode_is_read_back() {
    let expected = episode().0.particulars;
    for format in Format::ALL {
        let text = written(vec![episode()], format);
        let read = parse::parse(text.as_bytes(), None, None, at("2026-11-24T00:00:00Z")).unwrap();
        assert!(read.notes.is_empty(), "{:?}", read.notes);
        let seen = &read.observations[0];
        assert_eq!(seen.enclosures.len(), 2, "{text}");
        if format != Format::Atom {
            assert_eq!(seen.particulars.duration, expected.duration, "{text}");
        }
        let image = seen.particulars.of(RelatedKind::Image).next().unwrap();
        assert_eq!(image.url.as_str(), "https://one.example/i.jpg?a%7Cb&c");
        if format == Format::Rss {
            let Particulars { episode, season, is_explicit, .. } = &seen.particulars;
            assert_eq!((*episode, *season, *is_explicit), (expected.episode, expected.season, expected.is_explicit));
            for kind in [RelatedKind::Comments, RelatedKind::Transcript, RelatedKind::Chapters] {
                assert_eq!(seen.particulars.of(kind).count(), 1, "{} in {text}", kind.name());
            }
        }
    }
}

/// An entry as its publisher tells of its origin, and what becomes of it.
#[test]
fn an_entry_is_told_to_be_from_the_feed_that_its_publisher_names_else_from_its_source() {
    let another = |feed: Option<&str>, id: Option<&str>, title: Option<&str>| {
        let (url, updated) = (Some(url("https://another.example/")), Some(at("2026-10-01T00:00:00Z")));
        let (title, id) = (title.map(str::to_owned), id.map(str::to_owned));
        Origin { title, url, feed: feed.map(self::url), id, updated }
    };
    for (origin, atom, rss) in [
        (
            None,
            "<source><title>The one &amp; more</title><id>tag:one.example,2026:feed</id><updated>2026-11-01T08:00:00+00:00</updated>\
             <author><name>The desk</name><uri>https://one.example/desk</uri></author><category term=\"Talk\"/>\
             <link href=\"https://one.example/\" rel=\"alternate\"/><link href=\"https://one.example/feed?x=1&amp;y=2\" rel=\"self\"/>\
             <rights>© One</rights></source>",
            "<source url=\"https://one.example/feed?x=1&amp;y=2\">The one &amp; more</source>",
        ),
        (
            Some(another(Some("https://another.example/feed"), Some("tag:another.example,2026:x"), Some("Another"))),
            "<source><title>Another</title><id>tag:another.example,2026:x</id><updated>2026-10-01T00:00:00+00:00</updated>\
             <link href=\"https://another.example/\" rel=\"alternate\"/><link href=\"https://another.example/feed\" rel=\"self\"/></source>",
            "<source url=\"https://another.example/feed\">Another</source>",
        ),
        (
            Some(another(None, Some("no address"), None)),
            "<source><title>another.example</title><id>https://another.example/</id>",
            "<source url=\"https://another.example/\">another.example</source>",
        ),
        (
            Some(Origin { title: Some("Only a name".to_owned()), ..Origin::default() }),
            "<source><title>The one &amp; more</title>",
            "<source url=\"https://one.example/feed?x=1&amp;y=2\">The one &amp; more</source>",
        ),
    ] {
        let mut sample = entry(1, Some("A pact"), "<p>Text</p>");
        sample.0.authors.clear();
        sample.0.categories.clear();
        sample.0.sightings[0].about = Arc::new(told_about());
        sample.0.particulars.origin = origin;
        check_parts(&written(vec![sample.clone()], Format::Atom), &[atom]);
        check_parts(&written(vec![sample], Format::Rss), &[rss]);
    }
}

#[test]
fn rare_name_spaces_are_declared_only_where_their_words_are_used() {
    for format in [Format::Atom, Format::Rss] {
        let text = written(vec![merged()], format);
        for prefix in ["xmlns:media", "xmlns:podcast", "xmlns:itunes"] {
            assert!(!text.contains(prefix), "{prefix} in {text}");
        }
    }
}

#[test]
fn a_feed_without_a_language_takes_that_of_all_its_entries() {
    let in_language = |id, language: &str| {
        let mut sample = entry(id, Some("A pact"), "<p>Text</p>");
        sample.0.language = Some(language.to_owned());
        sample
    };
    for (languages, expected) in [(["de", "de"], Some("de")), (["de", "en"], None), (["Deutsch", "Deutsch"], None)] {
        let samples = vec![in_language(1, languages[0]), in_language(2, languages[1])];
        let value: serde_json::Value = serde_json::from_str(&written(samples, Format::Json)).unwrap();
        assert_eq!(value["language"].as_str(), expected, "{languages:?}");
    }
}

/// Our own reader forgives a second one; others do not.
#[test]
fn documents_begin_with_their_one_declaration() {
    for format in [Format::Atom, Format::Rss] {
        let text = written(vec![merged()], format);
        assert!(text.starts_with("<?xml version=\"1.0\"") && text.matches("<?xml").count() == 1, "{text}");
    }
}

#[test]
fn json_tells_every_sighting() {
    let text = written(vec![merged()], Format::Json);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(text.starts_with("{\"version\":\"https://jsonfeed.org/version/1.1\""));
    let item = &value["items"][0];
    assert_eq!(item["content_html"], "<p>Hello <b>world</b></p>");
    assert_eq!(item["_feedmill"]["first_seen"], "2026-11-01T09:00:00Z");
    assert_eq!(item["_feedmill"]["sightings"][1]["ground"], "same-url");
    assert_eq!(item["_feedmill"]["sightings"][1]["guid"], "two-1");
    assert_eq!(item["attachments"][0]["size_in_bytes"], 7);
}

#[test]
fn an_entry_without_a_title_gets_one_from_its_text() {
    let long = format!("<p>{}</p>", "word ".repeat(40));
    for (html, expected) in
        [("<p>Just a note</p>", "Just a note"), (long.as_str(), "…"), ("<img src=\"x\">", "The one & more")]
    {
        let text = written(vec![entry(1, None, html)], Format::Json);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let title = value["items"][0]["title"].as_str().unwrap();
        assert!(title.ends_with(expected) && title.chars().count() <= 81, "{title}");
    }
}

#[test]
fn an_empty_page_is_valid_in_every_format() {
    for format in Format::ALL {
        let text = written(Vec::new(), format);
        let parsed = parse::parse(text.as_bytes(), None, None, at("2026-11-24T00:00:00Z")).unwrap();
        assert_eq!(parsed.observations.len(), 0);
    }
    assert!(written(Vec::new(), Format::Atom).contains("<updated>1970-01-01T00:00:00+00:00</updated>"));
}

#[test]
fn nothing_that_runs_or_tracks_gets_through() {
    let base = url("https://one.example/dir/page");
    let mut sanitiser = Sanitiser::default();
    for (html, expected) in [
        ("<p onclick=\"x()\" style=\"color:red\">a</p>", "<p>a</p>"),
        ("<a href=\"javascript:x()\">a</a>", "<a>a</a>"),
        ("<a href=\"data:text/html,x\">a</a>", "<a>a</a>"),
        ("<a href=\"../b?c=1&d=2\">a</a>", "<a href=\"https://one.example/b?c=1&amp;d=2\">a</a>"),
        ("<a href=\"mailto:a@b.c\">a</a>", "<a href=\"mailto:a@b.c\">a</a>"),
        ("<img src=p.png style=\"width: 1px; height:1px\">", ""),
        ("<img src=p.png style=display:none><img src=\"\"><img alt=x>", ""),
        (
            "<img src=\"http://feeds.x.example/~r/a/b?i=1\"><img src=//pixel.wp.com/b.gif><img src=https://ad.doubleclick.net/x>",
            "",
        ),
        ("<img src=\"data:image/gif;base64,R0lGOD\">a", "a"),
        (
            "<img src=\"data:image/gif;base64,R0\" data-src=\"p.png?a&amp;b\" alt='\"'>",
            "<img src=\"https://one.example/dir/p.png?a&amp;b\" alt=\"&quot;\">",
        ),
        ("<img data-lazy-src=/p.png src=spinner.svg>", "<img src=\"https://one.example/p.png\">"),
        ("<img srcset=\"a.png 400w, b.png 800w\">", "<img src=\"https://one.example/dir/b.png\">"),
        ("<img src=data:,> <noscript><img src=p.png></noscript>", " <img src=\"https://one.example/dir/p.png\">"),
        (
            "<img src=data:, data-src=p.png><noscript><img src=p.png></noscript>",
            "<img src=\"https://one.example/dir/p.png\">",
        ),
        ("<noscript><img src=p.png></noscript>a", "a"),
        (
            "<iframe src=//www.youtube.com/embed/x?a=1&amp;b></iframe>",
            "<iframe src=\"https://www.youtube.com/embed/x?a=1&amp;b\" allowfullscreen=\"\"></iframe>",
        ),
        ("<iframe src=https://y.example/p>no</iframe>a", "<a href=\"https://y.example/p\">▶ y.example</a>a"),
        ("<iframe src=javascript:x>no</iframe><iframe srcdoc=\"<script>\">no</iframe>a", "a"),
        ("<img src=\"p.png\" srcset=\"q.png 2x\" onerror=x>", "<img src=\"https://one.example/dir/p.png\">"),
        ("a<img src=\"t.gif\" width=\"1\" height=\"1\">b", "ab"),
        (
            "a<img height=0 src=\"t.gif\">b<img src=\"p.png\" width=10>",
            "ab<img src=\"https://one.example/dir/p.png\" width=\"10\">",
        ),
        ("<iframe>no</iframe><object>no</object><form>no</form><svg><script>no</script></svg>a", "a"),
        ("<script>no</script><style>no</style>a", "a"),
        ("<p>unclosed <b>tags", "<p>unclosed <b>tags</b></p>"),
        ("a&#1;b", "ab"),
    ] {
        assert_eq!(sanitiser.clean(&RawHtml(html.to_owned()), Some(&base)).as_str(), expected, "{html}");
    }
    assert_eq!(sanitiser.clean(&RawHtml("<a href=\"/x\">a</a>".to_owned()), None).as_str(), "<a>a</a>");
}

#[test]
fn media_stay_as_far_as_they_are_wanted() {
    let html = "<img src=https://x.example/p><video src=https://x.example/v></video><audio><source src=https://x.example/a></audio>\
                <iframe src=https://player.vimeo.com/video/1></iframe>";
    let of = |media| Sanitiser::new(media).clean(&RawHtml(html.to_owned()), None).as_str().to_owned();
    let links = "<a href=\"https://x.example/v\">x.example</a><a href=\"https://x.example/a\">x.example</a>\
                 <a href=\"https://player.vimeo.com/video/1\">▶ player.vimeo.com</a>";
    assert_eq!(of(Media::None), links);
    assert_eq!(of(Media::Images), format!("<img src=\"https://x.example/p\">{links}"));
    let all = of(Media::All);
    for kept in ["<img ", "<video src=", "<source src=", "<iframe src=\"https://player.vimeo.com/"] {
        assert!(all.contains(kept), "{all}");
    }
}

/// What has got through other cleaners.
const ATTACKS: &[&str] = &[
    "<script>alert(1)</script>",
    "<scr<script>ipt>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<img data-src='x\" onerror=\"alert(1)'>",
    "<img data-src=javascript:alert(1)>",
    "<img srcset='javascript:alert(1) 1x'>",
    "<svg><script>alert(1)</script></svg>",
    "<svg/onload=alert(1)>",
    "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
    "<img src=data:,><noscript><img src=x alt='</noscript><script>alert(1)</script>'></noscript>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<iframe src='https://www.youtube.com/embed/x\" onload=\"alert(1)'></iframe>",
    "<iframe src=https://www.youtube.com/embed/x><script>alert(1)</script></iframe>",
    "<a href='https://www.youtube.com/embed/x'>▶ www.youtube.com</a><script>alert(1)</script>",
    "<a href=\" javascript:alert(1)\">a</a>",
    "<a href='jav&#x09;ascript:alert(1)'>a</a>",
    "<a href=data:text/html,<script>alert(1)</script>>a</a>",
    "<video poster=javascript:alert(1) src=javascript:alert(1)><source onerror=alert(1)>",
    "<form action=javascript:alert(1)><button formaction=javascript:alert(1)>",
    "<body onload=alert(1)><style>@import 'javascript:alert(1)'</style>",
    "<object data=javascript:alert(1)><embed src=javascript:alert(1)>",
    "<base href=javascript:/a/><meta http-equiv=refresh content='0;javascript:alert(1)'>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<template><script>alert(1)</script></template>",
    "<textarea><script>alert(1)</script></textarea><xmp><script>",
];

/// Nothing in the markup runs or tracks; what a text merely shows does no harm.
fn is_harmless(html: &str) -> bool {
    markup::tags(html).all(|tag| {
        let is_known = !["script", "style", "object", "embed", "form", "svg", "math", "base", "meta", "noscript"]
            .iter()
            .any(|name| tag.name.eq_ignore_ascii_case(name));
        let address = |value: &str| {
            let start: String =
                value.chars().filter(|letter| !letter.is_whitespace() && !letter.is_control()).collect();
            !start.to_lowercase().starts_with("javascript:") && !start.to_lowercase().starts_with("data:")
        };
        let is_player = !tag.begins("iframe")
            || tag.attribute("src").is_some_and(|src| src.starts_with("https://www.youtube.com/"));
        is_known
            && is_player
            && tag.attributes().all(|(name, value)| {
                !name.to_lowercase().starts_with("on") && name != "srcdoc" && name != "style" && address(&value)
            })
    })
}

#[test]
fn attacks_come_to_nothing() {
    for media in [Media::All, Media::Images, Media::None] {
        let mut sanitiser = Sanitiser::new(media);
        for attack in ATTACKS {
            for base in [None, Some(url("https://one.example/"))] {
                let clean = sanitiser.clean(&RawHtml((*attack).to_owned()), base.as_ref());
                assert!(is_harmless(clean.as_str()), "{attack} → {}", clean.as_str());
            }
        }
    }
}

fn soup() -> impl Strategy<Value = String> {
    let tags = "(</?(p|a|b|div|img|iframe|noscript|video|table|tr|td|svg|math|script|style|title|textarea)( (src|href|data-src|alt|onerror|style|width)=(\"[^\"]{0,9}\"|'[^']{0,9}'|1|javascript:x|//www.youtube.com/embed/1|/a.png))?/?>)";
    let piece = prop_oneof![
        prop::sample::select(ATTACKS).prop_map(str::to_owned),
        tags.prop_map(|tag: String| tag),
        "[<>&\"'= a-c/!-]{0,6}"
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

#[test]
fn opml_groups_by_category_and_escapes() {
    let outline = |title: &str, category: Option<&str>| Outline {
        title: title.to_owned(),
        feed_url: url("https://one.example/feed?a=1&b=2"),
        site_url: None,
        category: category.map(str::to_owned),
    };
    let text =
        String::from_utf8(opml::write("A & B", &[outline("in", Some("World \"News\"")), outline("<out>", None)]))
            .unwrap();
    assert_eq!(
        text,
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<opml version=\"2.0\">\n<head><title>A &amp; B</title></head>\n<body>\n\
         <outline type=\"rss\" text=\"&lt;out&gt;\" title=\"&lt;out&gt;\" xmlUrl=\"https://one.example/feed?a=1&amp;b=2\"/>\n\
         <outline text=\"World &quot;News&quot;\" title=\"World &quot;News&quot;\">\n\
         <outline type=\"rss\" text=\"in\" title=\"in\" xmlUrl=\"https://one.example/feed?a=1&amp;b=2\"/>\n</outline>\n</body>\n</opml>\n"
    );
}

fn any_entry() -> impl Strategy<Value = Sample> {
    let text = || prop_oneof![any::<String>(), "[<>&\"'\\]\\[! a-zé\u{1}\u{b}\u{fffe}]{0,30}"];
    (any::<u8>(), prop::option::of(text()), text(), text(), text()).prop_map(|(id, title, html, name, category)| {
        let mut entry = entry(id, title.as_deref(), &html);
        entry.0.authors[0].name.clone_from(&name);
        entry.0.categories[0] = category;
        entry.0.sightings[0].source_title = format!("x{name}");
        entry
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Well-formed for any text: what was written is read back, in the same order, with the same ids, titles, links and dates.
    #[test]
    fn every_format_says_the_same_when_read_back(entries in prop::collection::vec(any_entry(), 0..4)) {
        let read = |format| {
            let text = written(entries.clone(), format);
            let parsed = parse::parse(text.as_bytes(), None, None, at("2026-11-24T00:00:00Z")).map_err(|error| TestCaseError::fail(format!("{error}: {text}")))?;
            let seen = parsed.observations.into_iter().map(|seen| (seen.guid.map(|guid| guid.value), seen.title, seen.url, seen.published));
            Ok::<_, TestCaseError>(seen.collect::<Vec<_>>())
        };
        let atom = read(Format::Atom)?;
        prop_assert_eq!(atom.len(), entries.len());
        prop_assert_eq!(&atom, &read(Format::Rss)?);
        prop_assert_eq!(&atom, &read(Format::Json)?);
    }

    #[test]
    fn no_soup_is_harmful_and_what_is_clean_stays_as_it_is(html in soup(), media in prop::sample::select(&[Media::All, Media::Images, Media::None][..])) {
        let base = url("https://one.example/dir/");
        let mut sanitiser = Sanitiser::new(media);
        let once = sanitiser.clean(&RawHtml(html), Some(&base));
        prop_assert!(is_harmless(once.as_str()), "{}", once.as_str());
        let twice = sanitiser.clean(&RawHtml(once.as_str().to_owned()), Some(&base));
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn the_same_entries_give_the_same_bytes(entries in prop::collection::vec(any_entry(), 0..3)) {
        for format in Format::ALL {
            prop_assert_eq!(written(entries.clone(), format), written(entries.clone(), format));
        }
    }
}
