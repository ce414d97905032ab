//! The rules find what they are for: sound documents with one fault each.

use feedmill::model::feed::Format;

use super::rules;

const ADDRESS: &str = "http://mill.example/all";

const ATOM: &str = r#"<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en"><title>All</title><id>http://mill.example/all</id>
<updated>2026-11-01T10:00:00Z</updated><link href="http://mill.example/all" rel="self"/>
<entry><title>A pact</title><id>urn:uuid:01010101-0101-0101-0101-010101010101</id><updated>2026-11-01T10:00:00Z</updated><author><name>Ann</name></author>
<link href="https://a.example/1" rel="alternate"/><link href="https://a.example/1.mp3" rel="enclosure" type="audio/mpeg" length="7"/>
<source><title>A</title><id>tag:a.example,2026:x</id><updated>2026-11-01T10:00:00Z</updated></source>
<summary>Short</summary><content type="html">&lt;p>&lt;a href="https://a.example/">Long&lt;/a>&lt;/p></content></entry></feed>"#;

const RSS: &str = r#"<?xml version="1.0"?><rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd">
<channel><title>All</title><link>http://mill.example/</link><description>All</description><atom:link href="http://mill.example/all" rel="self"/>
<item><title>A pact</title><link>https://a.example/1</link><description>Short</description><enclosure url="https://a.example/1.mp3" length="7" type="audio/mpeg"/>
<guid isPermaLink="false">urn:uuid:01010101-0101-0101-0101-010101010101</guid><pubDate>Sun, 01 Nov 2026 08:00:00 +0000</pubDate>
<source url="https://a.example/feed">A</source><content:encoded><![CDATA[<p>Long</p>]]></content:encoded><itunes:duration>0:01:02</itunes:duration>
<itunes:explicit>false</itunes:explicit></item></channel></rss>"#;

const JSON: &str = r#"{"version":"https://jsonfeed.org/version/1.1","title":"All","feed_url":"http://mill.example/all","items":[
{"id":"urn:uuid:01010101-0101-0101-0101-010101010101","url":"https://a.example/1","title":"A pact","content_html":"<p>Long</p>","date_published":"2026-11-01T08:00:00Z",
"date_modified":"2026-11-01T08:00:00Z","authors":[{"name":"Ann"}],"tags":["world"],"attachments":[{"url":"https://a.example/1.mp3","mime_type":"audio/mpeg","size_in_bytes":7}],
"_feedmill":{"first_seen":"2026-11-01T08:00:00Z","sightings":[{"source":"a"}]}}]}"#;

fn names(document: &str, format: Format) -> Vec<&'static str> {
    rules::look(document.as_bytes(), format, ADDRESS).0.into_iter().map(|(name, _)| name).collect()
}

fn check(document: &str, format: Format, faults: &[(&str, &str, &str)]) {
    assert!(names(document, format).is_empty(), "{:?}", rules::look(document.as_bytes(), format, ADDRESS));
    for (sound, faulty, expected) in faults {
        assert!(document.contains(sound), "{sound}");
        let found = names(&document.replacen(sound, faulty, 1), format);
        assert!(found.contains(expected), "{faulty}: {found:?}");
    }
}

#[test]
fn faults_in_atom_are_found() {
    let entry = &ATOM[ATOM.find("<entry>").unwrap()..ATOM.find("</feed>").unwrap()];
    check(
        ATOM,
        Format::Atom,
        &[
            ("</entry>", "", "SAXError"),
            ("Short", "&nbsp;", "SAXError"),
            ("Short", "&#1;", "SAXError"),
            ("<summary>", "<x:summary>", "SAXError"),
            ("<title>All</title>", "", "MissingElement"),
            ("<title>A pact</title>", "<title> </title>", "NotBlank"),
            ("<title>A pact</title>", "<title>A</title><title>B</title>", "DuplicateElement"),
            ("<summary>Short</summary>", "<summary>A</summary><summary>B</summary>", "DuplicateElement"),
            ("<summary>", "<foo/><summary>", "UndefinedElement"),
            (entry, &entry.repeat(2), "DuplicateEntries"),
            ("2026-11-01T10:00:00Z", "2026-11-01", "InvalidRFC3339Date"),
            ("rel=\"self\"", "rel=\"via\"", "MissingSelf"),
            ("href=\"http://mill.example/all\"", "href=\"http://mill.example/\"", "SelfDoesntMatchLocation"),
            ("href=\"https://a.example/1\"", "href=\"/1\"", "InvalidFullLink"),
            ("href=\"https://a.example/1\"", "href=\"https://a.example/a|b\"", "InvalidFullLink"),
            ("rel=\"enclosure\" type=\"audio/mpeg\"", "rel=\"enclosure\" type=\"mp3\"", "InvalidMIMEAttribute"),
            ("length=\"7\"", "length=\"-1\"", "InvalidIntegerAttribute"),
            ("rel=\"enclosure\" type=\"audio/mpeg\"", "rel=\"alternate\"", "DuplicateAtomLink"),
            ("<name>Ann</name>", "<name/>", "NotBlank"),
            ("<author><name>Ann</name></author>", "", "MissingElement"),
            ("<source>", "<source><foo/>", "UndefinedElement"),
            ("<id>tag:a.example,2026:x</id>", "<id>x</id>", "InvalidFullLink"),
            ("xml:lang=\"en\"", "xml:lang=\"English\"", "InvalidLanguage"),
            ("type=\"html\"", "type=\"text/html\"", "InvalidTextType"),
            ("&lt;p>", "&lt;p onclick='x()'>", "SecurityRiskAttr"),
            ("&lt;p>", "&lt;p style='x'>", "DangerousStyleAttr"),
            ("&lt;p>", "&lt;script>", "SecurityRisk"),
            ("&lt;p>", "&lt;iframe src='https://a.example/'>", "SecurityRisk"),
            ("href=\"https://a.example/\"", "href=\"/a\"", "ContainsRelRef"),
            ("href=\"https://a.example/\"", "href=\"javascript:x()\"", "ContainsRelRef"),
        ],
    );
    let start = ATOM.find("<source>").unwrap();
    let end = ATOM.find("</source>").unwrap() + "</source>".len();
    check(ATOM, Format::Atom, &[(&ATOM[start..end], "", "MissingSourceElement")]);
    let bare = ATOM.replace("<link href=\"https://a.example/1\" rel=\"alternate\"/>", "");
    let start = bare.find("<content").unwrap();
    check(&bare, Format::Atom, &[(&bare[start..bare.find("</entry>").unwrap()], "", "MissingContentOrAlternate")]);
}

#[test]
fn faults_in_rss_are_found() {
    let item = &RSS[RSS.find("<item>").unwrap()..RSS.find("</channel>").unwrap()];
    let guid = "<guid isPermaLink=\"false\">urn:uuid:01010101-0101-0101-0101-010101010101</guid>";
    let enclosure = "<enclosure url=\"https://a.example/1.mp3\" length=\"7\" type=\"audio/mpeg\"/>";
    check(
        RSS,
        Format::Rss,
        &[
            ("<description>All</description>", "", "MissingElement"),
            ("rel=\"self\"", "rel=\"via\"", "MissingSelf"),
            (item, &item.repeat(2), "DuplicateValue"),
            (guid, "", "MissingGuid"),
            (guid, "<guid isPermaLink=\"false\">12</guid>", "NotSufficientlyUnique"),
            (" isPermaLink=\"false\"", "", "InvalidPermalink"),
            ("<pubDate>Sun, 01 Nov 2026", "<pubDate>Sun, 1  Nov 26", "ProblematicalRFC822Date"),
            ("<pubDate>Sun, ", "<pubDate>Mon, ", "ProblematicalRFC822Date"),
            (enclosure, &enclosure.repeat(2), "DuplicateEnclosure"),
            (" length=\"7\"", "", "MissingAttribute"),
            ("length=\"7\"", "length=\"\"", "InvalidIntegerAttribute"),
            ("type=\"audio/mpeg\"", "type=\"\"", "InvalidMIMEAttribute"),
            ("<source url=\"https://a.example/feed\">A</source>", "", "MissingSourceElement"),
            ("<description>Short</description>", "", "NeedDescriptionBeforeContent"),
            ("<description>Short</description>", "<author>Ann</author><description/>", "InvalidContact"),
            ("<p>", "<p><style>", "SecurityRisk"),
            ("0:01:02", "62", "InvalidDuration"),
            ("<itunes:explicit>false", "<itunes:explicit>clean", "InvalidTrueFalse"),
            ("<itunes:explicit>", "<itunes:episode>0</itunes:episode><itunes:explicit>", "InvalidPositiveInteger"),
            ("<pubDate>", "<foo/><pubDate>", "UndefinedElement"),
        ],
    );
    let bare = RSS
        .replace("<description>Short</description>", "")
        .replace("<content:encoded><![CDATA[<p>Long</p>]]></content:encoded>", "");
    check(&bare, Format::Rss, &[("<title>A pact</title>", "", "ItemMustContainTitleOrDescription")]);
}

#[test]
fn faults_in_json_feeds_are_found() {
    let item = &JSON[JSON.find("{\"id\"").unwrap()..JSON.len() - 2];
    check(
        JSON,
        Format::Json,
        &[
            ("]}", "]", "SAXError"),
            ("version/1.1", "version/1", "MissingElement"),
            (
                "\"feed_url\":\"http://mill.example/all\"",
                "\"feed_url\":\"http://mill.example/\"",
                "SelfDoesntMatchLocation",
            ),
            (item, &format!("{item},{item}"), "DuplicateEntries"),
            ("\"content_html\":\"<p>Long</p>\",", "", "MissingContentOrAlternate"),
            ("2026-11-01T08:00:00Z", "yesterday", "InvalidRFC3339Date"),
            ("\"url\":\"https://a.example/1\"", "\"url\":\"1\"", "InvalidFullLink"),
            ("\"name\":\"Ann\"", "\"name\":\"\"", "NotBlank"),
            ("\"world\"", "\"\"", "NotBlank"),
            ("audio/mpeg", "mp3", "InvalidMIMEAttribute"),
            ("\"size_in_bytes\":7", "\"size_in_bytes\":-7", "InvalidIntegerAttribute"),
            ("\"title\":\"A pact\"", "\"headline\":\"A pact\"", "UndefinedElement"),
            ("{\"source\":\"a\"}", "", "MissingSourceElement"),
        ],
    );
}
