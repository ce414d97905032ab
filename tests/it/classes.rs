//! What publishers get wrong, by class: for each at least two documents, and what is read of them.

use chrono::DateTime;
use feedmill::model::document::{Observation, Parsed, RelatedKind};
use feedmill::parse;
use url::Url;

fn read(document: &[u8], content_type: Option<&str>) -> Parsed {
    let base = Url::parse("https://base.example/dir/feed").unwrap();
    let now = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
    let shown = String::from_utf8_lossy(document);
    parse::parse(document, content_type, Some(&base), now).unwrap_or_else(|error| panic!("{error}: {shown}"))
}

/// What is there of an entry: guid, address, title, day, people, categories, summary, text, enclosures.
fn shown(seen: &Observation) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut add = |name: &str, value: Option<String>| parts.extend(value.map(|value| format!("{name}={value}")));
    add("guid", seen.guid.as_ref().map(|guid| guid.value.clone()));
    add("url", seen.url.as_ref().map(ToString::to_string));
    add("title", seen.title.clone());
    let time = |at: DateTime<chrono::Utc>| at.format("%Y-%m-%dT%H:%M").to_string();
    add("published", seen.published.map(time));
    add("updated", seen.updated.map(time));
    let list = |list: Vec<String>| Some(list.join(",")).filter(|list| !list.is_empty());
    add("by", list(seen.authors.iter().map(|person| person.name.clone()).collect()));
    add("in", list(seen.categories.clone()));
    add("summary", seen.summary.as_ref().map(|html| html.0.clone()));
    add("text", seen.content.as_ref().map(|html| html.0.clone()));
    add("enclosed", list(seen.enclosures.iter().map(|enclosure| enclosure.url.to_string()).collect()));
    parts.join(" ")
}

fn check_bytes(document: &[u8], expected: &[&str]) {
    let parsed = read(document, None);
    let shown: Vec<String> = parsed.observations.iter().map(shown).collect();
    assert_eq!(shown, expected, "{}", String::from_utf8_lossy(document));
}

fn check(document: &str, expected: &[&str]) {
    check_bytes(document.as_bytes(), expected);
}

/// An item of RSS 2.0.
fn item(inside: &str, expected: &str) {
    check(&format!("<rss version=\"2.0\"><channel><title>T</title><item>{inside}</item></channel></rss>"), &[expected]);
}

/// An entry of Atom.
fn entry(inside: &str, expected: &str) {
    let document =
        format!("<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>T</title><entry>{inside}</entry></feed>");
    check(&document, &[expected]);
}

#[test]
fn types_of_atom_texts_that_nobody_knows_are_text() {
    entry("<title type=\"\">a</title><content type=\"text/plain\">b</content>", "title=a text=b");
    entry(
        "<title type=\"HTML\">a</title><content type=\"application/xhtml+xml\"><div><b>b</b></div></content>",
        "title=a text=<b>b</b>",
    );
    entry(
        "<title>a</title><content type=\"application/octet-stream\" mode=\"base64\">aGVsbG8=</content>",
        "title=a text=hello",
    );
    entry("<title>a</title><content type=\"image/png\" src=\"/a.png\"/>", "url=https://base.example/a.png title=a");
}

#[test]
fn versions_of_rss_that_nobody_specified_are_read() {
    check("<rss><channel><item><title>a</title></item></channel></rss>", &["title=a"]);
    check("<rss version=\"0.93\"><channel><item><title>a</title></item></channel></rss>", &["title=a"]);
    check("<RSS version=2.01><Channel><Item><Title>a</Title></Item></Channel></RSS>", &["title=a"]);
    check("<channel><item><title>a</title></item></channel>", &["title=a"]);
    check("<rss><item><title>a</title></item></rss>", &["title=a"]);
    check("<rss version=\"2.0\"/>", &[]);
}

#[test]
fn rss_of_the_rdf_kind_is_read_in_all_its_shapes() {
    let rdf = |inside: &str, namespace: &str| {
        format!(
            "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" xmlns=\"{namespace}\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\">{inside}</rdf:RDF>"
        )
    };
    let item = "<item rdf:about=\"https://e.example/1\"><title>a</title><dc:date>2026-11-01T08:00:00Z</dc:date><dc:subject>s</dc:subject></item>";
    let expected = "guid=https://e.example/1 url=https://e.example/1 title=a published=2026-11-01T08:00 in=s";
    check(&rdf(&format!("<channel><title>T</title></channel>{item}"), "http://purl.org/rss/1.0/"), &[expected]);
    check(&rdf(&format!("<channel><title>T</title>{item}</channel>"), "http://purl.org/rss/1.0/"), &[expected]);
    check(&rdf(&format!("<channel/>{item}"), "http://my.netscape.com/rdf/simple/0.9/"), &[expected]);
    check(
        "<Channel xmlns=\"http://purl.org/net/rss1.1#\"><items><item><title>a</title></item></items></Channel>",
        &["title=a"],
    );
}

#[test]
fn atom_of_2003_is_read() {
    check(
        "<feed version=\"0.3\" xmlns=\"http://purl.org/atom/ns#\"><tagline>x</tagline><entry><id>1</id><issued>2003-12-13T08:29:29-04:00</issued><modified>2003-12-14</modified><content mode=\"escaped\">&lt;p&gt;b&lt;/p&gt;</content></entry></feed>",
        &["guid=1 published=2003-12-13T12:29 updated=2003-12-14T00:00 text=<p>b</p>"],
    );
    check(
        "<feed version=\"0.3\" xmlns=\"http://purl.org/atom/ns#\"><entry><title mode=\"xml\">a</title><created>2003-12-13</created></entry></feed>",
        &["title=a updated=2003-12-13T00:00"],
    );
}

#[test]
fn tags_that_do_not_match_cost_nothing() {
    item(
        "<title>a</title><description>b<p>c<br></description><link>/x</link>",
        "url=https://base.example/x title=a text=b<p>c<br>",
    );
    item("<title>a</title></p></div><link>/x</link>", "url=https://base.example/x title=a");
    item("<title>a<link>/x</link><guid>1</guid>", "guid=1 url=https://base.example/x title=a");
    check(
        "<rss><channel><itunes:category text=\"x\"><item><title>a</title></item><item><title>b</title></channel></rss>",
        &["title=a", "title=b"],
    );
    check(
        "<rss><channel><item><title>a</title><item><title>b</title></item></item></channel></rss>",
        &["title=a", "title=b"],
    );
    item("<title>a <b>c <i>d</b></i></title>", "title=a c d");
}

#[test]
fn references_that_are_none_are_text() {
    item(
        "<title>AT&T &copy; caf&eacute;</title><link>/x?a=1&b=2</link>",
        "url=https://base.example/x?a=1&b=2 title=AT&T © café",
    );
    item("<title>&#146;&#X26;&#0;&bogus;</title>", "title=’&&bogus;");
    check(
        "<!DOCTYPE rss [<!ENTITY me \"Ann\"><!ENTITY out SYSTEM \"file:///etc/passwd\">]><rss><channel><item><title>&me; &out;</title></item></channel></rss>",
        &["title=Ann &out;"],
    );
}

#[test]
fn encodings_are_found_out() {
    let around = |title: &[u8]| [b"<rss><channel><item><title>", title, b"</title></item></channel></rss>"].concat();
    check_bytes(&around(b"caf\xe9"), &["title=café"]);
    check_bytes(&around("Ã©tÃ© Ã\u{a0} la mer".as_bytes()), &["title=été à la mer"]);
    let declared = |label: &str, title: &[u8]| {
        [format!("<?xml version=\"1.0\" encoding=\"{label}\"?>").as_bytes(), &around(title)].concat()
    };
    check_bytes(&declared("koi8-r", b"\xf0\xd2\xc9\xd7\xc5\xd4"), &["title=Привет"]);
    check_bytes(&declared("shift_jis", b"\x93\xfa\x96\x7b"), &["title=日本"]);
    check_bytes(&declared("iso-8859-1", "größer".as_bytes()), &["title=größer"]);
    let wide = |big: bool| -> Vec<u8> {
        let text = String::from_utf8(around("é".as_bytes())).unwrap();
        text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    };
    check_bytes(&wide(true), &["title=é"]);
    check_bytes(&[b"\xff\xfe", &wide(false)[..]].concat(), &["title=é"]);
    let served = read(&around(b"\xe9"), Some("application/rss+xml; charset=ISO-8859-1"));
    assert_eq!(served.observations[0].title.as_deref(), Some("é"));
}

#[test]
fn a_document_that_is_cut_off_keeps_its_whole_entries_and_is_not_complete() {
    let start = "<rss version=\"2.0\"><channel><item><title>a</title><link>/1</link></item>";
    for (rest, expected) in [
        ("<item><title>b</title><descr", &["url=https://base.example/1 title=a", "title=b"][..]),
        ("<item><description>b", &["url=https://base.example/1 title=a"]),
        ("<item><title><![CDATA[cut he", &["url=https://base.example/1 title=a", "title=cut he"]),
        ("", &["url=https://base.example/1 title=a"]),
    ] {
        let document = format!("{start}{rest}");
        check(&document, expected);
        assert!(!read(document.as_bytes(), None).is_complete, "{document}");
    }
    assert!(read(format!("{start}</channel></rss> <!-- 0.2 s -->").as_bytes(), None).is_complete);
}

#[test]
fn what_stands_around_a_feed_is_passed_over() {
    let feed = "<rss><channel><item><title>a</title></item></channel></rss>";
    for before in [
        "\n \r\n",
        "<br />\n<b>Warning</b>: x in <b>/y</b>\n",
        "<!-- cached -->",
        "<html><body>",
        "\u{feff}",
        "// {x}\n",
    ] {
        check(&format!("{before}{feed}"), &["title=a"]);
    }
    check("<b>Warning</b>: x<br><entry xmlns=\"http://www.w3.org/2005/Atom\"><title>a</title></entry>", &["title=a"]);
    let page = "<html><body><entry><p>no</p></entry><channel>no</channel></body></html>";
    assert!(parse::parse(page.as_bytes(), None, None, DateTime::UNIX_EPOCH).is_err());
    check(&format!("{feed}<script>if (a && b < c) d();</script></html>"), &["title=a"]);
    check(&format!("<!-- x --><?xml version=\"1.0\" encoding=\"utf-16\"?>{feed}"), &["title=a"]);
}

#[test]
fn names_are_known_whatever_their_prefix() {
    check(
        "<x:rss xmlns:x=\"http://wrong.example/\"><x:channel><x:item><x:title>a</x:title></x:item></x:channel></x:rss>",
        &["title=a"],
    );
    item("<dc:creator>Ann</dc:creator><media:description>b</media:description>", "by=Ann text=b");
    item("<foo:title>no</foo:title><title>a</title>", "title=a");
    check(
        "<rss xmlns:m=\"https://search.yahoo.com/mrss\"><channel><item><m:group><m:title>a</m:title><m:content url=\"/a.mp4\"/></m:group></item></channel></rss>",
        &["title=a enclosed=https://base.example/a.mp4"],
    );
}

#[test]
fn what_is_missing_is_found_elsewhere() {
    item("<guid>https://e.example/1</guid>", "guid=https://e.example/1 url=https://e.example/1");
    item("<guid isPermaLink=\"false\">https://e.example/1</guid>", "guid=https://e.example/1");
    item("<title/><title>a</title><link/><atom:link href=\"/x\"/>", "url=https://base.example/x title=a");
    item(
        "<itunes:author>Ann</itunes:author><itunes:summary>b</itunes:summary><itunes:keywords>x, y</itunes:keywords>",
        "by=Ann in=x,y text=b",
    );
    item(
        "<description>s</description><content:encoded><![CDATA[<p>b</p>]]></content:encoded>",
        "summary=s text=<p>b</p>",
    );
    item(
        "<author>a@b.example (Ann)</author><enclosure>https://e.example/a.mp3</enclosure>",
        "by=Ann enclosed=https://e.example/a.mp3",
    );
    entry("<id>https://e.example/1</id>", "guid=https://e.example/1 url=https://e.example/1");
    entry("<author>Ann</author><category label=\"x\"/><category>y</category>", "by=Ann in=x,y");
}

#[test]
fn the_first_date_that_can_be_read_counts() {
    item("<pubDate>soon</pubDate><dc:date>2026-11-01</dc:date>", "published=2026-11-01T00:00");
    item("<pubDate>Sun, 01 Nov 2026 08:00:00 GMT</pubDate><dc:date>soon</dc:date>", "published=2026-11-01T08:00");
    item("<pubDate>Mo, 02 März 2026 08:00:00 CET</pubDate>", "published=2026-03-02T07:00");
    item("<pubDate>0001-01-01T00:00:00Z</pubDate><title>a</title>", "title=a");
    item("<pubDate>2026-13-45</pubDate><title>a</title>", "title=a");
}

#[test]
fn xhtml_is_html_without_its_wrapper() {
    entry(
        "<content type=\"xhtml\"><div xmlns=\"http://www.w3.org/1999/xhtml\"><p title=\"&quot; x\">a<br/>b</p><a/></div></content>",
        "text=<p title=\"&quot; x\">a<br>b</p><a></a>",
    );
    entry(
        "<summary type=\"xhtml\"><x:div xmlns:x=\"http://www.w3.org/1999/xhtml\"><x:b>a</x:b></x:div></summary>",
        "text=<b>a</b>",
    );
    entry("<title>1 &lt; 2</title><summary>a &amp;lt; b</summary>", "title=1 < 2 text=a &amp;lt; b");
}

#[test]
fn relative_addresses_start_from_the_nearest_base() {
    check(
        "<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:base=\"https://x.example/a/\"><entry xml:base=\"b/\"><link href=\"c\"/></entry><entry><link href=\"c\"/></entry></feed>",
        &["url=https://x.example/a/b/c", "url=https://x.example/a/c"],
    );
    item("<link>../x</link>", "url=https://base.example/x");
    item("<link>//x.example/y</link>", "url=https://x.example/y");
    item("<link>javascript:alert(1)</link><title>a</title>", "title=a");
}

#[test]
fn entries_within_other_things_are_no_entries() {
    check(
        "<feed xmlns=\"http://www.w3.org/2005/Atom\"><entry><title>a</title><source><title>S</title><entry><title>no</title></entry></source></entry></feed>",
        &["title=a"],
    );
    item(
        "<title>a</title><sx:sync xmlns:sx=\"http://feedsync.org/2007/feedsync\"><sx:conflicts><item><title>no</title></item></sx:conflicts></sx:sync>",
        "title=a",
    );
}

#[test]
fn all_that_an_entry_carries_is_there() {
    let parsed = read(
        b"<rss xmlns:feedburner=\"http://rssnamespace.org/feedburner/ext/1.0\"><channel><ttl>30</ttl><sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>4</sy:updateFrequency>
        <skipHours><hour>0</hour><hour>24</hour><hour>7</hour></skipHours><skipDays><day>Sunday</day></skipDays><language>de</language><copyright>&#169; B</copyright>
        <description>All of B</description><managingEditor>b@base.example (The B)</managingEditor><category>News</category><image><url>/logo.png</url></image>
        <atom:link rel=\"hub\" href=\"https://hub.example/\"/><atom:link rel=\"self\" href=\"/feed\"/><itunes:new-feed-url>https://new.example/</itunes:new-feed-url>
        <item><title>a</title><link>/p</link><feedburner:origLink>/o</feedburner:origLink><comments>/c</comments>
        <source url=\"https://user:secret@s.example/rss\">The Source</source><itunes:explicit>Clean</itunes:explicit><itunes:duration>1:02</itunes:duration><itunes:episode>7</itunes:episode>
        <podcast:transcript url=\"/t.vtt\" type=\"text/vtt\"/><podcast:chapters url=\"/c.json\"/><media:thumbnail url=\"/i.jpg\"/>
        <enclosure url=\"/a.mp3\" type=\"audio/mpeg\" length=\"12\"/><guid isPermaLink=\"false\">1</guid></item></channel></rss>",
        None,
    );
    let (header, seen) = (&parsed.header, &parsed.observations[0]);
    assert_eq!((header.ttl_minutes, header.period.map(|period| period.as_secs())), (Some(30), Some(6 * 3600)));
    assert_eq!(
        (header.skip_hours.as_slice(), header.skip_days.as_slice()),
        (&[0, 0, 7][..], &[chrono::Weekday::Sun][..])
    );
    let about = &header.about;
    assert_eq!((about.language.as_deref(), header.hubs.len()), (Some("de"), 1));
    assert_eq!((about.rights.as_deref(), about.description.as_deref()), (Some("© B"), Some("All of B")));
    assert_eq!((about.authors[0].name.as_str(), about.categories.as_slice()), ("The B", &["News".to_owned()][..]));
    assert_eq!(about.image.as_ref().map(Url::as_str), Some("https://base.example/logo.png"));
    assert!(seen.authors.is_empty());
    assert_eq!(seen.particulars.is_explicit, Some(false));
    assert_eq!(header.self_address.as_ref().map(Url::as_str), Some("https://base.example/feed"));
    assert_eq!(header.moved.as_ref().map(Url::as_str), Some("https://new.example/"));
    assert_eq!(seen.original.as_ref().map(Url::as_str), Some("https://base.example/o"));
    assert_eq!(seen.guid.as_ref().and_then(|guid| guid.is_permalink), Some(false));
    assert_eq!((seen.particulars.duration.map(|time| time.as_secs()), seen.particulars.episode), (Some(62), Some(7)));
    let origin = seen.particulars.origin.as_ref().unwrap();
    assert_eq!(
        (origin.title.as_deref(), origin.feed.as_ref().map(Url::as_str)),
        (Some("The Source"), Some("https://s.example/rss"))
    );
    let kinds: Vec<RelatedKind> = seen.particulars.related.iter().map(|related| related.kind).collect();
    assert_eq!(kinds, [RelatedKind::Comments, RelatedKind::Transcript, RelatedKind::Chapters, RelatedKind::Image]);
    assert_eq!(seen.enclosures[0].length, Some(12));
}

#[test]
fn what_a_feed_of_atom_says_of_itself_and_of_another_is_there() {
    let parsed = read(
        b"<feed xmlns=\"http://www.w3.org/2005/Atom\"><id>tag:base.example,2026:feed</id><rights>CC BY</rights><author><name>B</name></author>
        <category term=\"news\"/><entry><id>1</id><title>a</title><source><id>tag:s.example,2026:feed</id><title>S</title>
        <updated>2026-01-02T03:04:05Z</updated><link href=\"https://s.example/\"/><link rel=\"self\" href=\"https://s.example/atom\"/></source></entry></feed>",
        None,
    );
    let (about, seen) = (&parsed.header.about, &parsed.observations[0]);
    assert_eq!((about.id.as_deref(), about.rights.as_deref()), (Some("tag:base.example,2026:feed"), Some("CC BY")));
    assert_eq!((about.authors[0].name.as_str(), about.categories.as_slice()), ("B", &["news".to_owned()][..]));
    let origin = seen.particulars.origin.as_ref().unwrap();
    assert_eq!(origin.id.as_deref(), Some("tag:s.example,2026:feed"));
    assert_eq!(origin.updated.map(|at| at.to_rfc3339()), Some("2026-01-02T03:04:05+00:00".to_owned()));
    assert_eq!(origin.feed.as_ref().map(Url::as_str), Some("https://s.example/atom"));
}

#[test]
fn what_would_cost_too_much_is_passed_over() {
    let deep = format!(
        "<rss><channel><item><title>a</title>{}</item><item><title>b</title></item></channel></rss>",
        "<x>".repeat(100_000)
    );
    check(&deep, &["title=a", "title=b"]);
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;\">]><rss><channel><item><title>&c;</title></item></channel></rss>";
    check(bomb, &["title=&b;&b;&b;"]);
    let wide = format!("<rss><channel><item{}><title>a</title></item></channel></rss>", " x=\"y\"".repeat(50_000));
    check(&wide, &["title=a"]);
}
