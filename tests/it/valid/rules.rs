//! What a validator of feeds finds in a document. Findings have the names that the W3C's validator gives to them, where it knows them.

use std::collections::{BTreeSet, HashSet};

use chrono::DateTime;
use feedmill::model::feed::Format;
use feedmill::text::markup;
use serde_json::Value;

use super::xml::{self, Element};

const ATOM: &str = "http://www.w3.org/2005/Atom";
const CONTENT: &str = "http://purl.org/rss/1.0/modules/content/";
const DC: &str = "http://purl.org/dc/elements/1.1/";
const MEDIA: &str = "http://search.yahoo.com/mrss/";
const ITUNES: &str = "http://www.itunes.com/dtds/podcast-1.0.dtd";
const PODCAST: &str = "https://podcastindex.org/namespace/1.0";
/// Players that may stay in texts; the W3C's validator warns of these frames too.
const PLAYERS: [&str; 3] =
    ["https://www.youtube.com/", "https://www.youtube-nocookie.com/", "https://player.vimeo.com/"];

/// What was found: the name of each finding, and where.
#[derive(Debug, Default)]
pub struct Findings(pub Vec<(&'static str, String)>);

impl Findings {
    fn add(&mut self, name: &'static str, detail: impl Into<String>) {
        let mut detail: String = detail.into();
        if let Some((at, _)) = detail.char_indices().nth(200) {
            detail.truncate(at);
        }
        self.0.push((name, detail));
    }

    fn expect(&mut self, holds: bool, name: &'static str, detail: &str) {
        if !holds {
            self.add(name, detail);
        }
    }
}

/// Looks at a document of one format that is to be found at an address.
pub fn look(document: &[u8], format: Format, address: &str) -> Findings {
    let mut found = Findings::default();
    let Ok(text) = std::str::from_utf8(document) else {
        found.add("UnicodeError", "it is no UTF-8");
        return found;
    };
    match format {
        Format::Json => match serde_json::from_str(text) {
            Ok(feed) => json(&feed, address, &mut found),
            Err(error) => found.add("SAXError", error.to_string()),
        },
        Format::Atom | Format::Rss => match xml::read(text) {
            Ok(root) if format == Format::Atom => atom(&root, address, &mut found),
            Ok(root) => rss(&root, address, &mut found),
            Err(error) => found.add("SAXError", error),
        },
    }
    found
}

/// Each of the names is there exactly once.
fn required(element: &Element, space: &str, names: &[&str], found: &mut Findings) {
    for name in names {
        if element.first(space, name).is_none() {
            found.add("MissingElement", format!("{name} in {}", element.name));
        }
    }
    single(element, space, names, found);
}

fn single(element: &Element, space: &str, names: &[&str], found: &mut Findings) {
    for name in names {
        if element.all(space, name).count() > 1 {
            let finding = if *name == "enclosure" { "DuplicateEnclosure" } else { "DuplicateElement" };
            found.add(finding, format!("{name} in {}", element.name));
        }
    }
}

fn known(element: &Element, names: &[(&str, &[&str])], found: &mut Findings) {
    for child in &element.children {
        let is_known = names.iter().any(|(space, names)| *space == child.space && names.contains(&child.name.as_str()));
        found.expect(is_known, "UndefinedElement", &format!("{}{} in {}", child.space, child.name, element.name));
    }
}

/// RFC 3986, with the forms of `urn:` (RFC 8141) and `tag:` (RFC 4151), and no letters besides.
fn is_absolute(address: &str) -> bool {
    let has_letters =
        address.bytes().all(|byte| byte.is_ascii_alphanumeric() || b";/?:@&=+$.-_!~*'()%,#[]".contains(&byte));
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let path = rest.find('/').map_or("", |at| &rest[at..]);
    has_letters && !path.contains(['[', ']']) && url::Url::parse(address).is_ok()
}

fn link(address: &str, found: &mut Findings) {
    found.expect(is_absolute(address), "InvalidFullLink", address);
}

fn web_link(address: &str, found: &mut Findings) {
    link(address, found);
    found.expect(address.starts_with("http://") || address.starts_with("https://"), "InvalidFullLink", address);
}

fn media_type(value: &str, found: &mut Findings) {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    let is_type = value.split_once('/').is_some_and(|(kind, part)| is_part(kind) && is_part(part));
    found.expect(is_type, "InvalidMIMEAttribute", value);
}

fn language(value: &str, found: &mut Findings) {
    let mut parts = value.split('-');
    let first = parts.next().unwrap_or_default();
    let is_language = matches!(first.len(), 2 | 3) && first.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_tag = |part: &str| matches!(part.len(), 1..=8) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    found.expect(is_language && parts.all(is_tag), "InvalidLanguage", value);
}

fn number(value: &str, name: &'static str, found: &mut Findings) {
    found.expect(value.parse::<u64>().is_ok(), name, value);
}

fn rfc3339(value: &str, found: &mut Findings) {
    found.expect(DateTime::parse_from_rfc3339(value).is_ok(), "InvalidRFC3339Date", value);
}

/// `Sun, 01 Nov 2026 08:00:00 +0000`: single blanks, two digits of the day, four of the year.
fn rfc822(value: &str, found: &mut Findings) {
    let read = DateTime::parse_from_str(value, "%a, %d %b %Y %H:%M:%S %z");
    found.expect(read.is_ok() && value.len() == 31, "ProblematicalRFC822Date", value);
}

fn safe(html: &str, found: &mut Findings) {
    for tag in markup::tags(html) {
        let name = tag.name.to_ascii_lowercase();
        let is_player = name == "iframe"
            && (tag.is_end || tag.attribute("src").is_some_and(|src| PLAYERS.iter().any(|it| src.starts_with(it))));
        let unsafe_ones = [
            "script", "style", "iframe", "object", "embed", "applet", "form", "meta", "base", "link", "svg", "math",
            "frame",
        ];
        found.expect(
            is_player || !unsafe_ones.contains(&name.as_str()),
            "SecurityRisk",
            html.get(tag.place.clone()).unwrap_or_default(),
        );
        for (attribute, value) in tag.attributes() {
            let attribute = attribute.to_ascii_lowercase();
            found.expect(!attribute.starts_with("on") && attribute != "srcdoc", "SecurityRiskAttr", &attribute);
            found.expect(attribute != "style", "DangerousStyleAttr", &value);
            if ["href", "src", "poster", "cite"].contains(&attribute.as_str()) {
                let is_address =
                    url::Url::parse(&value).is_ok_and(|url| ["http", "https", "mailto"].contains(&url.scheme()));
                found.expect(is_address, "ContainsRelRef", &value);
            }
        }
    }
}

fn text_construct(element: &Element, found: &mut Findings) {
    if let Some(tag) = element.attribute("xml:lang") {
        language(tag, found);
    }
    match element.attribute("type").unwrap_or("text") {
        "html" => safe(&element.text, found),
        "text" => {}
        other => found.add("InvalidTextType", other),
    }
    found.expect(element.children.is_empty(), "ContainsHTML", &element.name);
}

fn atom_links(element: &Element, found: &mut Findings) {
    let mut met = HashSet::new();
    for each in element.all(ATOM, "link") {
        let Some(href) = each.attribute("href") else {
            found.add("MissingHref", &element.name);
            continue;
        };
        web_link(href, found);
        let rel = each.attribute("rel").unwrap_or("alternate");
        if let Some(kind) = each.attribute("type") {
            media_type(kind, found);
        }
        if let Some(length) = each.attribute("length") {
            number(length, "InvalidIntegerAttribute", found);
        }
        let is_new = !["alternate", "self"].contains(&rel)
            || met.insert((rel.to_owned(), each.attribute("type").unwrap_or_default().to_owned()));
        found.expect(is_new, "DuplicateAtomLink", href);
    }
}

fn self_link(holder: &Element, address: &str, found: &mut Findings) {
    let links: Vec<&str> = holder
        .all(ATOM, "link")
        .filter(|link| link.attribute("rel") == Some("self"))
        .filter_map(|link| link.attribute("href"))
        .collect();
    match links[..] {
        [] => found.add("MissingSelf", &holder.name),
        [own] => found.expect(own == address, "SelfDoesntMatchLocation", own),
        _ => found.add("DuplicateAtomLink", "self"),
    }
}

fn people(element: &Element, found: &mut Findings) {
    for person in element.all(ATOM, "author").chain(element.all(ATOM, "contributor")) {
        required(person, ATOM, &["name"], found);
        known(person, &[(ATOM, &["name", "uri", "email"])], found);
        let is_named = person.first(ATOM, "name").is_some_and(|name| !name.text.trim().is_empty());
        found.expect(is_named, "NotBlank", "the name of a person");
        if let Some(uri) = person.first(ATOM, "uri") {
            link(&uri.text, found);
        }
    }
    for category in element.all(ATOM, "category") {
        let term = category.attribute("term").unwrap_or_default();
        found.expect(!term.trim().is_empty(), "AttrNotBlank", "the term of a category");
    }
}

const ABOUT: &[&str] = &[
    "id",
    "title",
    "updated",
    "author",
    "category",
    "contributor",
    "generator",
    "icon",
    "link",
    "logo",
    "rights",
    "subtitle",
];

/// A feed, or the source of an entry.
fn atom_about(element: &Element, found: &mut Findings) {
    required(element, ATOM, &["id", "title", "updated"], found);
    single(element, ATOM, &["rights", "subtitle", "logo", "icon", "generator"], found);
    for id in element.all(ATOM, "id").chain(element.all(ATOM, "logo")).chain(element.all(ATOM, "icon")) {
        link(&id.text, found);
    }
    for updated in element.all(ATOM, "updated") {
        rfc3339(&updated.text, found);
    }
    for name in ["title", "rights", "subtitle"] {
        for text in element.all(ATOM, name) {
            text_construct(text, found);
            found.expect(!text.text.trim().is_empty(), "NotBlank", name);
        }
    }
    people(element, found);
    atom_links(element, found);
}

fn atom(root: &Element, address: &str, found: &mut Findings) {
    found.expect(root.space == ATOM && root.name == "feed", "UndefinedElement", &root.name);
    known(root, &[(ATOM, &[ABOUT, &["entry"]].concat())], found);
    atom_about(root, found);
    self_link(root, address, found);
    if let Some(tag) = root.attribute("xml:lang") {
        language(tag, found);
    }
    let mut ids = BTreeSet::new();
    for entry in root.all(ATOM, "entry") {
        let id = entry.first(ATOM, "id").map(|id| id.text.clone()).unwrap_or_default();
        found.expect(ids.insert(id.clone()), "DuplicateEntries", &id);
        atom_entry(entry, found);
    }
}

fn atom_entry(entry: &Element, found: &mut Findings) {
    let names = ["id", "title", "updated", "published", "author", "category", "contributor", "link", "rights"];
    let own: &[&str] = &[&names[..], &["source", "summary", "content"]].concat();
    known(entry, &[(ATOM, own), (MEDIA, &["thumbnail"])], found);
    required(entry, ATOM, &["id", "title", "updated"], found);
    single(entry, ATOM, &["published", "rights", "source", "summary", "content"], found);
    for date in entry.all(ATOM, "updated").chain(entry.all(ATOM, "published")) {
        rfc3339(&date.text, found);
    }
    for id in entry.all(ATOM, "id") {
        link(&id.text, found);
        found.expect(id.text.len() > 8, "NotSufficientlyUnique", &id.text);
    }
    for text in ["title", "summary", "content"].iter().flat_map(|name| entry.all(ATOM, name)) {
        text_construct(text, found);
    }
    found.expect(entry.first(ATOM, "title").is_none_or(|it| !it.text.trim().is_empty()), "NotBlank", "a title");
    people(entry, found);
    atom_links(entry, found);
    thumbnails(entry, found);
    let has_page = entry.all(ATOM, "link").any(|link| matches!(link.attribute("rel"), None | Some("alternate")));
    found.expect(has_page || entry.first(ATOM, "content").is_some(), "MissingContentOrAlternate", "an entry");
    found.expect(entry.first(ATOM, "author").is_some(), "MissingElement", "author in entry");
    match entry.first(ATOM, "source") {
        Some(source) => {
            known(source, &[(ATOM, ABOUT)], found);
            atom_about(source, found);
        }
        None => found.add("MissingSourceElement", "an entry"),
    }
}

fn thumbnails(holder: &Element, found: &mut Findings) {
    for each in holder.all(MEDIA, "thumbnail").chain(holder.all(MEDIA, "content")) {
        match each.attribute("url") {
            Some(url) => web_link(url, found),
            None => found.add("MissingAttribute", "the address of a thumbnail"),
        }
        if let Some(kind) = each.attribute("type") {
            media_type(kind, found);
        }
        if let Some(size) = each.attribute("fileSize") {
            number(size, "InvalidPositiveInteger", found);
        }
        if let Some(medium) = each.attribute("medium") {
            let is_known = ["image", "audio", "video", "document", "executable"].contains(&medium);
            found.expect(is_known, "InvalidMediaMedium", medium);
        }
    }
}

fn rss(root: &Element, address: &str, found: &mut Findings) {
    found.expect(root.name == "rss" && root.attribute("version") == Some("2.0"), "UndefinedElement", &root.name);
    let Some(channel) = root.first("", "channel") else {
        found.add("MissingElement", "channel in rss");
        return;
    };
    let core: &[&str] = &[
        "title",
        "link",
        "description",
        "language",
        "copyright",
        "lastBuildDate",
        "generator",
        "image",
        "item",
        "ttl",
        "docs",
    ];
    let itunes: &[&str] = &["author", "image", "explicit", "category", "owner", "type"];
    known(channel, &[("", core), (ATOM, &["link"]), (ITUNES, itunes)], found);
    required(channel, "", &["title", "link", "description"], found);
    single(channel, "", &["language", "copyright", "lastBuildDate", "generator", "image"], found);
    for each in channel.all("", "link") {
        web_link(&each.text, found);
    }
    for date in channel.all("", "lastBuildDate") {
        rfc822(&date.text, found);
    }
    for tag in channel.all("", "language") {
        language(&tag.text, found);
    }
    for image in channel.all("", "image") {
        required(image, "", &["url", "title", "link"], found);
        image.all("", "url").for_each(|url| web_link(&url.text, found));
    }
    podcast(channel, found);
    atom_links(channel, found);
    self_link(channel, address, found);
    let mut guids = BTreeSet::new();
    for item in channel.all("", "item") {
        let guid = item.first("", "guid").map(|guid| guid.text.clone()).unwrap_or_default();
        found.expect(guids.insert(guid.clone()), "DuplicateValue", &guid);
        rss_item(item, found);
    }
}

fn rss_item(item: &Element, found: &mut Findings) {
    let core =
        ["title", "link", "description", "author", "category", "comments", "enclosure", "guid", "pubDate", "source"];
    let itunes: &[&str] = &["author", "image", "duration", "explicit", "episode", "season", "title", "episodeType"];
    known(
        item,
        &[
            ("", &core),
            (CONTENT, &["encoded"]),
            (DC, &["creator", "language"]),
            (ATOM, &["link"]),
            (MEDIA, &["content", "thumbnail"]),
            (ITUNES, itunes),
            (PODCAST, &["transcript", "chapters"]),
        ],
        found,
    );
    single(item, "", &["title", "link", "description", "comments", "enclosure", "guid", "pubDate", "source"], found);
    single(item, CONTENT, &["encoded"], found);
    single(item, DC, &["language"], found);
    let says = |name| item.first("", name).is_some();
    found.expect(says("title") || says("description"), "ItemMustContainTitleOrDescription", "an item");
    found.expect(item.first("", "title").is_none_or(|it| !it.text.trim().is_empty()), "NotBlank", "a title");
    for each in item.all("", "link").chain(item.all("", "comments")) {
        web_link(&each.text, found);
    }
    for author in item.all("", "author") {
        found.expect(author.text.contains('@') && author.text.contains('('), "InvalidContact", &author.text);
    }
    for category in item.all("", "category").chain(item.all(DC, "creator")) {
        found.expect(!category.text.trim().is_empty(), "NotBlank", &category.name);
    }
    rss_marks(item, found);
    let place = |space: &str, name: &str| item.children.iter().position(|it| it.space == space && it.name == name);
    if let Some(content) = place(CONTENT, "encoded") {
        let is_before = place("", "description").is_some_and(|description| description < content);
        found.expect(is_before, "NeedDescriptionBeforeContent", "an item");
    }
    for html in item.all("", "description").chain(item.all(CONTENT, "encoded")) {
        safe(&html.text, found);
    }
    atom_links(item, found);
    thumbnails(item, found);
    podcast(item, found);
}

/// What names it, dates it, and says where it is from.
fn rss_marks(item: &Element, found: &mut Findings) {
    match item.first("", "guid") {
        None => found.add("MissingGuid", "an item"),
        Some(guid) => {
            let is_permanent = guid.attribute("isPermaLink") != Some("false");
            found.expect(!is_permanent || guid.text.starts_with("http"), "InvalidPermalink", &guid.text);
            let is_bare = guid.text.len() < 9 && guid.text.bytes().all(|byte| byte.is_ascii_digit());
            found.expect(!is_bare, "NotSufficientlyUnique", &guid.text);
        }
    }
    for date in item.all("", "pubDate") {
        rfc822(&date.text, found);
    }
    match item.first("", "source") {
        Some(source) => {
            web_link(source.attribute("url").unwrap_or_default(), found);
            found.expect(!source.text.trim().is_empty(), "NotBlank", "a source");
        }
        None => found.add("MissingSourceElement", "an item"),
    }
    for enclosure in item.all("", "enclosure") {
        for name in ["url", "length", "type"] {
            found.expect(enclosure.attribute(name).is_some(), "MissingAttribute", name);
        }
        web_link(enclosure.attribute("url").unwrap_or_default(), found);
        number(enclosure.attribute("length").unwrap_or_default(), "InvalidIntegerAttribute", found);
        media_type(enclosure.attribute("type").unwrap_or_default(), found);
    }
    for tag in item.all(DC, "language") {
        language(&tag.text, found);
    }
}

fn podcast(holder: &Element, found: &mut Findings) {
    single(holder, ITUNES, &["author", "image", "duration", "explicit", "episode", "season"], found);
    for image in holder.all(ITUNES, "image") {
        web_link(image.attribute("href").unwrap_or_default(), found);
    }
    for author in holder.all(ITUNES, "author") {
        found.expect(author.text.chars().count() <= 255, "TooLong", &author.text);
    }
    for explicit in holder.all(ITUNES, "explicit") {
        found.expect(["true", "false"].contains(&explicit.text.as_str()), "InvalidTrueFalse", &explicit.text);
    }
    for each in holder.all(ITUNES, "episode").chain(holder.all(ITUNES, "season")) {
        found.expect(each.text.parse::<u32>().is_ok_and(|it| it > 0), "InvalidPositiveInteger", &each.text);
    }
    for duration in holder.all(ITUNES, "duration") {
        let parts: Vec<&str> = duration.text.split(':').collect();
        let is_time =
            parts.len() == 3 && parts.iter().all(|part| matches!(part.len(), 1 | 2) && part.parse::<u32>().is_ok());
        found.expect(is_time, "InvalidDuration", &duration.text);
    }
    for each in holder.all(PODCAST, "transcript").chain(holder.all(PODCAST, "chapters")) {
        web_link(each.attribute("url").unwrap_or_default(), found);
        media_type(each.attribute("type").unwrap_or_default(), found);
    }
}

/// JSON Feed 1.1.
fn json(feed: &Value, address: &str, found: &mut Findings) {
    found.expect(feed["version"] == "https://jsonfeed.org/version/1.1", "MissingElement", "version");
    found.expect(feed["title"].is_string(), "MissingElement", "title");
    found.expect(feed["feed_url"] == address, "SelfDoesntMatchLocation", &feed["feed_url"].to_string());
    let names = [
        "version",
        "title",
        "home_page_url",
        "feed_url",
        "description",
        "icon",
        "favicon",
        "authors",
        "language",
        "next_url",
        "hubs",
        "items",
    ];
    json_names(feed, &names, found);
    json_links(feed, &["home_page_url", "icon", "favicon", "next_url"], found);
    json_authors(feed, found);
    let Some(items) = feed["items"].as_array() else {
        found.add("MissingElement", "items");
        return;
    };
    let mut ids = BTreeSet::new();
    for item in items {
        let id = item["id"].as_str().unwrap_or_default();
        found.expect(!id.is_empty(), "MissingElement", "id");
        found.expect(ids.insert(id), "DuplicateEntries", id);
        json_item(item, found);
    }
}

fn json_names(object: &Value, names: &[&str], found: &mut Findings) {
    for (name, value) in object.as_object().into_iter().flatten() {
        let is_own = name == "_feedmill";
        found.expect(is_own || names.contains(&name.as_str()), "UndefinedElement", name);
        found.expect(is_own || !value.is_null(), "NotBlank", name);
    }
    if let Some(tag) = object["language"].as_str() {
        language(tag, found);
    }
}

fn json_links(object: &Value, names: &[&str], found: &mut Findings) {
    for name in names {
        match &object[*name] {
            Value::Null => {}
            Value::String(address) => web_link(address, found),
            other => found.add("InvalidFullLink", other.to_string()),
        }
    }
}

fn json_authors(object: &Value, found: &mut Findings) {
    for author in object["authors"].as_array().into_iter().flatten() {
        json_names(author, &["name", "url", "avatar"], found);
        json_links(author, &["url", "avatar"], found);
        let is_named = author["name"].as_str().is_some_and(|name| !name.trim().is_empty());
        found.expect(is_named, "NotBlank", "the name of an author");
    }
}

fn json_item(item: &Value, found: &mut Findings) {
    let names = [
        "id",
        "url",
        "external_url",
        "title",
        "content_html",
        "content_text",
        "summary",
        "image",
        "banner_image",
        "date_published",
        "date_modified",
        "authors",
        "tags",
        "language",
        "attachments",
    ];
    json_names(item, &names, found);
    json_links(item, &["url", "external_url", "image", "banner_image"], found);
    json_authors(item, found);
    let has_text = item["content_html"].is_string() || item["content_text"].is_string();
    found.expect(has_text, "MissingContentOrAlternate", "an item");
    safe(item["content_html"].as_str().unwrap_or_default(), found);
    for name in ["date_published", "date_modified"] {
        rfc3339(item[name].as_str().unwrap_or_default(), found);
    }
    for tag in item["tags"].as_array().into_iter().flatten() {
        found.expect(tag.as_str().is_some_and(|tag| !tag.trim().is_empty()), "NotBlank", "a tag");
    }
    for attachment in item["attachments"].as_array().into_iter().flatten() {
        json_names(attachment, &["url", "mime_type", "title", "size_in_bytes", "duration_in_seconds"], found);
        web_link(attachment["url"].as_str().unwrap_or_default(), found);
        media_type(attachment["mime_type"].as_str().unwrap_or_default(), found);
        for name in ["size_in_bytes", "duration_in_seconds"] {
            let number = &attachment[name];
            found.expect(number.is_null() || number.is_u64(), "InvalidIntegerAttribute", name);
        }
    }
    let own = &item["_feedmill"];
    rfc3339(own["first_seen"].as_str().unwrap_or_default(), found);
    let sightings = own["sightings"].as_array().map_or(0, Vec::len);
    found.expect(sightings > 0, "MissingSourceElement", "an item without a sighting");
}
