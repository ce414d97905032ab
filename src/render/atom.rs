//! Atom 1.0 (RFC 4287), with thumbnails of Media RSS, which Atom has no element for.

use std::collections::BTreeMap;

use atom_syndication::extension::{Extension, ExtensionMap};
use atom_syndication::{Category, Content, Entry, Feed, Generator, Link, Person, Source, Text, WriteConfig};
use chrono::SubsecRound;
use url::Url;

use crate::model::Timestamp;
use crate::model::document::RelatedKind;
use crate::model::feed::Format;
use crate::render::{Clean, GENERATOR, HISTORY, MEDIA, Place, Prepared, fit, legible_about};

pub(super) fn write(prepared: &Prepared, place: &Place) -> Vec<u8> {
    let page = &prepared.page;
    let mut links = vec![
        link("self", place.self_url.as_str(), Some(plain(Format::Atom.media_type()))),
        link("alternate", page.home_url.as_str(), Some("text/html")),
    ];
    links.extend(place.links().map(|(rel, url)| link(rel, url.as_str(), Some(plain(Format::Atom.media_type())))));
    links.extend(place.hub_url.as_ref().map(|hub| link("hub", hub.as_str(), None)));
    let language = prepared.language();
    let entries: Vec<Entry> = prepared.entries.iter().map(|clean| entry(clean, language)).collect();
    let mut namespaces = BTreeMap::new();
    if entries.iter().any(|entry| entry.extensions.contains_key("media")) {
        namespaces.insert("media".to_owned(), MEDIA.to_owned());
    }
    let (prefix, namespace, marker) = HISTORY;
    let mut extensions = ExtensionMap::default();
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
        logo: page.about.image.as_ref().map(|image| fit::address(image).into_owned()),
        rights: page.about.rights.as_deref().map(Text::plain),
        subtitle: page.about.description.as_deref().map(Text::plain),
        lang: language.map(str::to_owned),
        entries,
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

fn link_to(rel: &str, url: &Url, media_type: Option<&str>) -> Link {
    link(rel, &fit::address(url), media_type)
}

fn category(term: &str) -> Category {
    Category { term: term.to_owned(), ..Category::default() }
}

fn entry(clean: &Clean, feed_language: Option<&str>) -> Entry {
    let entry = &clean.entry;
    // §2: the language of the feed holds for what is within it.
    let lang = entry.language.clone().filter(|own| Some(own.as_str()) != feed_language);
    let text = |value: &str| Text { lang: lang.clone(), ..Text::plain(value) };
    let content = clean.content().map(|html| Content {
        value: Some(html.to_owned()),
        content_type: Some("html".to_owned()),
        lang: lang.clone(),
        ..Content::default()
    });
    // §4.1.2: an entry needs a page or content.
    let content =
        content.or_else(|| entry.url.is_none().then(|| Content { value: Some(String::new()), ..Content::default() }));
    Entry {
        title: text(&clean.title),
        id: entry.id.to_string(),
        updated: date(entry.updated),
        published: Some(date(entry.published)),
        authors: authors(clean),
        categories: entry.categories.iter().map(|term| category(term)).collect(),
        links: links(clean),
        source: Some(source(clean)),
        summary: clean.summary().map(text),
        content,
        extensions: clean.image().map(thumbnail).unwrap_or_default(),
        ..Entry::default()
    }
}

fn thumbnail(image: &Url) -> ExtensionMap {
    // The crate writes attributes of extensions as they are; quotes and brackets are no letters of an address.
    let attrs = BTreeMap::from([("url".to_owned(), fit::address(image).replace('&', "&amp;"))]);
    let thumbnail = Extension { name: "media:thumbnail".to_owned(), attrs, ..Extension::default() };
    BTreeMap::from([("media".to_owned(), BTreeMap::from([("thumbnail".to_owned(), vec![thumbnail])]))])
}

fn person(author: &crate::model::document::Person) -> Person {
    let uri = author.url.as_ref().map(|url| fit::address(url).into_owned());
    Person { name: author.name.clone(), uri, ..Person::default() }
}

/// §4.1.2: every entry has an author; without one it is the feed that it is from.
fn authors(clean: &Clean) -> Vec<Person> {
    let authors = clean.authors();
    if authors.is_empty() {
        return vec![Person { name: clean.home().title, ..Person::default() }];
    }
    authors.iter().map(person).collect()
}

/// Its page, its enclosures, its remarks, what it is about, the pages of its other copies (related), and the feeds that it came
/// through (via).
fn links(clean: &Clean) -> Vec<Link> {
    let entry = &clean.entry;
    let mut links = Vec::new();
    links.extend(entry.url.as_ref().map(|url| link_to("alternate", url, Some("text/html"))));
    for enclosure in &entry.enclosures {
        let length = enclosure.length.map(|length| length.to_string());
        let link = link_to("enclosure", &enclosure.url, enclosure.media_type.as_deref());
        links.push(Link { length, title: enclosure.title.clone(), ..link });
    }
    // RFC 4685 §4.
    let replies = clean.related(RelatedKind::Comments);
    links.extend(replies.map(|replies| link_to("replies", &replies.url, Some("text/html"))));
    links.extend(clean.related(RelatedKind::Subject).map(|subject| link_to("related", &subject.url, None)));
    for sighting in entry.sightings.iter().skip(1) {
        let url = sighting.url.iter();
        links.extend(
            url.map(|url| Link { title: Some(sighting.source_title.clone()), ..link_to("related", url, None) }),
        );
    }
    for sighting in &entry.sightings {
        let address = sighting.source_address.iter();
        links.extend(
            address.map(|url| Link { title: Some(sighting.source_title.clone()), ..link_to("via", url, None) }),
        );
    }
    links
}

/// §4.2.11: with what holds for the entry where it says nothing itself.
fn source(clean: &Clean) -> Source {
    let home = clean.home();
    let about = home.about.map(legible_about).unwrap_or_default();
    let mut links = Vec::new();
    links.extend(home.site.map(|site| link_to("alternate", site, None)));
    links.extend(home.feed.map(|feed| link_to("self", feed, None)));
    let has_authors = !clean.entry.authors.is_empty();
    let has_categories = !clean.entry.categories.is_empty();
    Source {
        title: Text::plain(home.title),
        id: home.id,
        updated: date(home.updated),
        authors: if has_authors { Vec::new() } else { about.authors.iter().map(person).collect() },
        categories: if has_categories {
            Vec::new()
        } else {
            about.categories.iter().map(|term| category(term)).collect()
        },
        rights: about.rights.map(Text::plain),
        links,
        ..Source::default()
    }
}
