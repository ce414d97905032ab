//! RSS 2.0, by the RSS Advisory Board's profile.

use std::collections::BTreeMap;

use rss::extension::atom::{AtomExtension, Link};
use rss::extension::dublincore::DublinCoreExtension;
use rss::extension::{Extension, ExtensionMap};
use rss::{Category, Channel, Enclosure, Guid, Item, Source};
use url::Url;

use crate::model::Timestamp;
use crate::model::feed::Format;
use crate::render::{Clean, GENERATOR, HISTORY, Place, Prepared};

pub(super) fn write(prepared: &Prepared, place: &Place) -> Vec<u8> {
    let page = &prepared.page;
    let media_type = Format::Rss.media_type().split(';').next().map(str::to_owned);
    let mut links = vec![Link { mime_type: media_type.clone(), ..link("self", &place.self_url, None) }];
    links.extend(place.links().map(|(rel, url)| Link { mime_type: media_type.clone(), ..link(rel, url, None) }));
    let (prefix, address, marker) = HISTORY;
    let mut extensions = ExtensionMap::default();
    let namespace = |prefix: &str, name: &str| (prefix.to_owned(), name.to_owned());
    let mut namespaces = BTreeMap::from([
        namespace("atom", "http://www.w3.org/2005/Atom"),
        namespace("content", "http://purl.org/rss/1.0/modules/content/"),
        namespace("dc", "http://purl.org/dc/elements/1.1/"),
    ]);
    if place.is_archive() {
        let mark = Extension { name: format!("{prefix}:{marker}"), ..Extension::default() };
        extensions.insert(prefix.to_owned(), BTreeMap::from([(marker.to_owned(), vec![mark])]));
        namespaces.extend([namespace(prefix, address)]);
    }
    let channel = Channel {
        title: page.title.clone(),
        link: page.home_url.to_string(),
        description: page.title.clone(),
        last_build_date: Some(date(prepared.updated())),
        generator: Some(format!("feedmill ({GENERATOR})")),
        items: prepared.entries.iter().map(|clean| item(clean, &page.home_url)).collect(),
        atom_ext: Some(AtomExtension { links }),
        namespaces,
        extensions,
        ..Channel::default()
    };
    channel.write_to(Vec::new()).expect("writing to memory cannot fail")
}

/// RFC 822 with four digits of the year and a numeric zone.
fn date(at: Timestamp) -> String {
    at.format("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

fn link(rel: &str, url: &Url, title: Option<&str>) -> Link {
    Link { rel: rel.to_owned(), href: url.to_string(), title: title.map(str::to_owned), ..Link::default() }
}

fn item(clean: &Clean, home: &Url) -> Item {
    let entry = &clean.entry;
    let shown = &entry.sightings[0];
    let content = clean.content().map(str::to_owned);
    // The summary is plain text and goes where HTML is expected.
    let summary = clean.summary().map(escaped);
    let (description, content) = if summary.is_some() { (summary, content) } else { (content, None) };
    let creators: Vec<String> = entry.authors.iter().map(|author| author.name.clone()).collect();
    Item {
        title: Some(clean.title.clone()),
        link: entry.url.as_ref().map(ToString::to_string),
        guid: Some(Guid { value: entry.id.to_string(), permalink: false }),
        pub_date: Some(date(entry.published)),
        categories: entry.categories.iter().map(|name| Category { name: name.clone(), domain: None }).collect(),
        enclosure: entry.enclosures.first().map(enclosure),
        source: Some(Source {
            url: shown.source_address.as_ref().unwrap_or(home).to_string(),
            title: Some(shown.source_title.clone()),
        }),
        dublin_core_ext: (!creators.is_empty())
            .then(|| DublinCoreExtension { creators, ..DublinCoreExtension::default() }),
        atom_ext: Some(AtomExtension { links: links(clean) }).filter(|extension| !extension.links.is_empty()),
        description,
        content,
        ..Item::default()
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// An item has room for one; the length is required, and 0 means unknown.
fn enclosure(enclosure: &crate::model::document::Enclosure) -> Enclosure {
    Enclosure {
        url: enclosure.url.to_string(),
        length: enclosure.length.unwrap_or(0).to_string(),
        mime_type: enclosure.media_type.clone().unwrap_or_else(|| "application/octet-stream".to_owned()),
    }
}

/// The pages of its other copies (related), and the feeds that it came through (via).
fn links(clean: &Clean) -> Vec<Link> {
    let sightings = &clean.entry.sightings;
    let related = sightings
        .iter()
        .skip(1)
        .filter_map(|sighting| Some(link("related", sighting.url.as_ref()?, Some(&sighting.source_title))));
    let via = sightings
        .iter()
        .filter_map(|sighting| Some(link("via", sighting.source_address.as_ref()?, Some(&sighting.source_title))));
    related.chain(via).collect()
}
