//! The only place that knows feed-rs: XML text → observations in our own words.
//!
//! feed-rs may panic, makes ids up, copies dates and keeps plain text and HTML apart only by media type. None of that leaves here.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use feed_rs::model::{Content, Entry, Feed, FeedType, Link, MediaObject, Text};
use feed_rs::parser;
use url::Url;

use crate::model::document::{Dialect, Enclosure, Guid, Header, Observation, Parsed, Person, RawHtml};
use crate::parse::{NotAFeed, dates};
use crate::text;

pub(super) fn read(text: &str, base: Option<&Url>) -> Result<Parsed, NotAFeed> {
    let parser = parser::Builder::new()
        .base_uri(base.map(Url::as_str))
        // Its own ids follow the title or chance; "none" must stay none.
        .id_generator(|_, _, _| String::new())
        .timestamp_parser(dates::read_date)
        .sanitize_content(false)
        .build();
    // A panic is a bug of the reader on this document; the next document is read by a new parser.
    let result = catch_unwind(AssertUnwindSafe(|| parser.parse(text.as_bytes())));
    let feed = match result {
        Ok(Ok(feed)) => feed,
        Ok(Err(error)) => return Err(NotAFeed::new(meaning(&error.to_string()))),
        Err(_) => return Err(NotAFeed::new("the reader of feeds fails on this document")),
    };
    let dialect = match feed.feed_type {
        FeedType::Atom => Dialect::Atom,
        FeedType::JSON => Dialect::JsonFeed,
        FeedType::RSS0 => Dialect::Rss0,
        FeedType::RSS1 => Dialect::Rss1,
        FeedType::RSS2 => Dialect::Rss2,
    };
    Ok(parsed(feed, dialect, text, base))
}

fn meaning(error: &str) -> String {
    if error.contains("no root element") {
        "the XML is no feed that can be read (no known root element)".to_owned()
    } else {
        format!("the XML is broken: {error}")
    }
}

fn parsed(feed: Feed, dialect: Dialect, text: &str, base: Option<&Url>) -> Parsed {
    let no_permalinks = if dialect == Dialect::Rss2 { not_permalinks(text) } else { HashSet::new() };
    let url = alternate(&feed.links, base);
    let authors: Vec<Person> = if dialect == Dialect::Atom { people(&feed.authors) } else { Vec::new() };
    let header = Header {
        title: feed.title.as_ref().and_then(plain),
        language: feed.language.clone(),
        ttl_minutes: feed.ttl,
        url,
    };
    let entries = feed.entries.into_iter();
    let observations = entries.map(|entry| observation(entry, dialect, &no_permalinks, base, &authors)).collect();
    Parsed { dialect, header, observations, notes: Vec::new() }
}

fn observation(
    entry: Entry,
    dialect: Dialect,
    no_permalinks: &HashSet<String>,
    base: Option<&Url>,
    fallback: &[Person],
) -> Observation {
    let is_rss2 = dialect == Dialect::Rss2;
    let guid = Some(entry.id.trim())
        .filter(|value| !value.is_empty())
        .map(|value| Guid { value: value.to_owned(), is_permalink: is_rss2.then(|| !no_permalinks.contains(value)) });
    let by_guid = guid.as_ref().filter(|guid| guid.is_permalink != Some(false));
    let url = alternate(&entry.links, base).or_else(|| by_guid.and_then(|guid| web_address(&guid.value, None)));
    let (summary, content) = texts(entry.summary.as_ref(), entry.content.as_ref());
    let authors = people(&entry.authors);
    Observation {
        url,
        title: entry.title.as_ref().and_then(plain),
        published: entry.published,
        // In RSS it is a copy of the other date, not a statement of the publisher.
        updated: entry.updated.filter(|_| dialect == Dialect::Atom),
        authors: if authors.is_empty() { fallback.to_vec() } else { authors },
        categories: entry
            .categories
            .iter()
            .map(|category| category.label.clone().unwrap_or_else(|| category.term.clone()))
            .collect(),
        enclosures: enclosures(&entry.links, &entry.media, base),
        language: entry.language,
        guid,
        summary,
        content,
    }
}

/// The text as plain text, on one line.
fn plain(text: &Text) -> Option<String> {
    let is_plain = text.content_type.as_str() == "text/plain";
    let shown = if is_plain { text::visible_title(&text.content) } else { text::visible(&text.content) };
    Some(shown).filter(|shown| !shown.is_empty())
}

/// A description that stands alone is the content.
fn texts(summary: Option<&Text>, content: Option<&Content>) -> (Option<RawHtml>, Option<RawHtml>) {
    let summary = summary.map(|text| html(&text.content, text.content_type.as_str()));
    let content = content.and_then(|content| Some(html(content.body.as_deref()?, content.content_type.as_str())));
    let filled = |html: Option<RawHtml>| html.filter(|html| !html.0.trim().is_empty());
    match (filled(summary), filled(content)) {
        (Some(summary), None) => (None, Some(summary)),
        (Some(summary), Some(content)) if summary == content => (None, Some(content)),
        both => both,
    }
}

fn html(text: &str, media_type: &str) -> RawHtml {
    // RSS does not say what it holds; feed-rs calls it plain when it looks so.
    if media_type == "text/plain" && !text.contains('<') { RawHtml(as_html(text)) } else { RawHtml(text.to_owned()) }
}

/// Plain text as HTML that shows the same; references that are there already are kept.
pub(super) fn as_html(text: &str) -> String {
    text.trim().replace('<', "&lt;").replace('>', "&gt;").replace("\r\n", "\n").replace('\n', "<br>\n")
}

fn alternate(links: &[Link], base: Option<&Url>) -> Option<Url> {
    let is_page = |link: &&Link| link.target.is_none() && matches!(link.rel.as_deref(), None | Some("alternate" | ""));
    links.iter().filter(is_page).find_map(|link| web_address(&link.href, base))
}

/// An absolute address of the web; anything else is none.
pub(super) fn web_address(text: &str, base: Option<&Url>) -> Option<Url> {
    let text = text.trim();
    let url = Url::parse(text).ok().or_else(|| base.and_then(|base| base.join(text).ok()))?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

fn people(people: &[feed_rs::model::Person]) -> Vec<Person> {
    let person = |person: &feed_rs::model::Person| {
        let name = person.name.clone().or_else(|| person.email.clone())?;
        Some(Person { name, url: person.uri.as_deref().and_then(|uri| web_address(uri, None)) })
    };
    people.iter().filter_map(person).collect()
}

fn enclosures(links: &[Link], media: &[MediaObject], base: Option<&Url>) -> Vec<Enclosure> {
    let linked = links.iter().filter(|link| link.rel.as_deref() == Some("enclosure")).filter_map(|link| {
        Some(Enclosure {
            url: web_address(&link.href, base)?,
            media_type: link.media_type.clone(),
            length: link.length,
            title: link.title.clone(),
        })
    });
    let played = media.iter().flat_map(|object| &object.content).filter_map(|content| {
        Some(Enclosure {
            url: web_address(content.url.as_ref()?.as_str(), base)?,
            media_type: content.content_type.as_ref().map(ToString::to_string),
            length: content.size,
            title: None,
        })
    });
    linked.chain(played).collect()
}

/// The guids that say they are no address (`isPermaLink="false"`): feed-rs throws the attribute away.
fn not_permalinks(text: &str) -> HashSet<String> {
    let mut found = HashSet::new();
    for part in text.split("<guid").skip(1) {
        let Some((attributes, rest)) = part.split_once('>') else { continue };
        let attributes = attributes.to_ascii_lowercase();
        let says_no = attributes
            .split_once("ispermalink")
            .is_some_and(|(_, value)| value.trim_start_matches([' ', '=', '"', '\'']).starts_with("false"));
        if !says_no || attributes.ends_with('/') {
            continue;
        }
        let Some((value, _)) = rest.split_once("</") else { continue };
        let value = value.trim();
        let value = value.strip_prefix("<![CDATA[").and_then(|value| value.strip_suffix("]]>")).unwrap_or(value);
        found.insert(html_escape::decode_html_entities(value.trim()).into_owned());
    }
    found
}
