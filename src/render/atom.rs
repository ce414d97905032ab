//! Atom 1.0 (RFC 4287).

use std::collections::BTreeMap;

use atom_syndication::extension::{Extension, ExtensionMap};
use atom_syndication::{Category, Content, Entry, Feed, Generator, Link, Person, Source, Text, WriteConfig};
use chrono::SubsecRound;

use crate::model::Timestamp;
use crate::model::feed::Format;
use crate::model::page::Provenance;
use crate::render::{Clean, GENERATOR, HISTORY, Place, Prepared};

pub(super) fn write(prepared: &Prepared, place: &Place) -> Vec<u8> {
    let page = &prepared.page;
    let mut links = vec![
        link("self", place.self_url.as_str(), Some(plain(Format::Atom.media_type()))),
        link("alternate", page.home_url.as_str(), Some("text/html")),
    ];
    links.extend(place.links().map(|(rel, url)| link(rel, url.as_str(), Some(plain(Format::Atom.media_type())))));
    let (prefix, namespace, marker) = HISTORY;
    let mut extensions = ExtensionMap::default();
    let mut namespaces = BTreeMap::new();
    if place.is_archive() {
        let mark = Extension { name: format!("{prefix}:{marker}"), ..Extension::default() };
        extensions.insert(prefix.to_owned(), BTreeMap::from([(marker.to_owned(), vec![mark])]));
        namespaces.insert(prefix.to_owned(), namespace.to_owned());
    }
    let feed = Feed {
        title: Text::plain(page.title.as_str()),
        // A feed and its archive are one feed (RFC 5005 §4).
        id: place.current_url.as_ref().unwrap_or(&place.self_url).to_string(),
        updated: date(prepared.updated()),
        generator: Some(Generator { value: "feedmill".to_owned(), uri: Some(GENERATOR.to_owned()), version: None }),
        links,
        entries: prepared.entries.iter().map(entry).collect(),
        extensions,
        namespaces,
        ..Feed::default()
    };
    let config = WriteConfig { write_document_declaration: true, indent_size: None };
    feed.write_with_config(Vec::new(), config).expect("writing to memory cannot fail")
}

/// The media type without its charset: in a `type` attribute it says nothing more.
fn plain(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or(media_type)
}

fn date(at: Timestamp) -> chrono::DateTime<chrono::FixedOffset> {
    at.trunc_subsecs(0).fixed_offset()
}

fn link(rel: &str, href: &str, media_type: Option<&str>) -> Link {
    Link { rel: rel.to_owned(), href: href.to_owned(), mime_type: media_type.map(str::to_owned), ..Link::default() }
}

fn entry(clean: &Clean) -> Entry {
    let entry = &clean.entry;
    let shown = &entry.sightings[0];
    let content = clean.content().map(|html| Content {
        value: Some(html.to_owned()),
        content_type: Some("html".to_owned()),
        ..Content::default()
    });
    // §4.1.2: an entry needs a page or content.
    let content =
        content.or_else(|| entry.url.is_none().then(|| Content { value: Some(String::new()), ..Content::default() }));
    Entry {
        title: Text::plain(clean.title.as_str()),
        id: entry.id.to_string(),
        updated: date(entry.updated),
        published: Some(date(entry.published)),
        authors: authors(clean),
        categories: entry
            .categories
            .iter()
            .map(|term| Category { term: term.clone(), ..Category::default() })
            .collect(),
        links: links(clean),
        source: Some(source(shown)),
        summary: clean.summary().map(Text::plain),
        content,
        ..Entry::default()
    }
}

/// §4.1.2: every entry has an author; without one it is its source.
fn authors(clean: &Clean) -> Vec<Person> {
    let person = |name: &str, uri: Option<String>| Person { name: name.to_owned(), uri, ..Person::default() };
    let authors = &clean.entry.authors;
    if authors.is_empty() {
        return vec![person(&clean.entry.sightings[0].source_title, None)];
    }
    authors.iter().map(|author| person(&author.name, author.url.as_ref().map(ToString::to_string))).collect()
}

/// Its page, its enclosures, the pages of its other copies (related), and the feeds that it came through (via).
fn links(clean: &Clean) -> Vec<Link> {
    let entry = &clean.entry;
    let mut links = Vec::new();
    links.extend(entry.url.as_ref().map(|url| link("alternate", url.as_str(), Some("text/html"))));
    for enclosure in &entry.enclosures {
        let length = enclosure.length.map(|length| length.to_string());
        let link = link("enclosure", enclosure.url.as_str(), enclosure.media_type.as_deref());
        links.push(Link { length, title: enclosure.title.as_deref().map(super::legible), ..link });
    }
    for sighting in entry.sightings.iter().skip(1) {
        let url = sighting.url.iter();
        links.extend(
            url.map(|url| Link { title: Some(sighting.source_title.clone()), ..link("related", url.as_str(), None) }),
        );
    }
    for sighting in &entry.sightings {
        let address = sighting.source_address.iter();
        links.extend(
            address.map(|url| Link { title: Some(sighting.source_title.clone()), ..link("via", url.as_str(), None) }),
        );
    }
    links
}

/// §4.2.11. A source of RSS has no id of its own; its address is one.
fn source(sighting: &Provenance) -> Source {
    let address = sighting.source_address.as_ref().map(ToString::to_string);
    let mut links = Vec::new();
    links.extend(sighting.site.as_ref().map(|site| link("alternate", site.as_str(), None)));
    links.extend(address.iter().map(|address| link("self", address, None)));
    Source {
        title: Text::plain(sighting.source_title.as_str()),
        id: address.unwrap_or_else(|| format!("urn:feedmill:source:{}", sighting.source)),
        updated: date(sighting.source_updated.unwrap_or(Timestamp::UNIX_EPOCH)),
        links,
        ..Source::default()
    }
}
