//! RSS 2.0, by the RSS Advisory Board's profile, with the words of Media RSS and of podcasts where there is something to say in them.

use std::collections::BTreeMap;

use rss::extension::atom::{AtomExtension, Link};
use rss::extension::dublincore::DublinCoreExtension;
use rss::extension::itunes::{ITunesChannelExtension, ITunesItemExtension};
use rss::extension::{Extension, ExtensionMap};
use rss::{Category, Channel, Enclosure, Guid, Image, Item, Source};
use url::Url;

use crate::model::Timestamp;
use crate::model::document::{self, RelatedKind};
use crate::model::feed::Format;
use crate::render::{Clean, GENERATOR, HISTORY, MEDIA, Place, Prepared, fit};

/// <https://podcastindex.org/namespace/1.0>: the address names the words, and its form is theirs.
const PODCAST: &str = "https://podcastindex.org/namespace/1.0";

/// Longest `itunes:author`, in characters.
const AUTHOR: usize = 255;

pub(super) fn write(prepared: &Prepared, place: &Place) -> Vec<u8> {
    let page = &prepared.page;
    let media_type = Format::Rss.media_type().split(';').next().map(str::to_owned);
    let mut links = vec![Link { mime_type: media_type.clone(), ..link("self", &place.self_url, None) }];
    links.extend(place.links().map(|(rel, url)| Link { mime_type: media_type.clone(), ..link(rel, url, None) }));
    links.extend(place.hub_url.as_ref().map(|hub| link("hub", hub, None)));
    let language = prepared.language();
    let items: Vec<Item> = prepared.entries.iter().map(|clean| item(clean, &page.home_url, language)).collect();
    let image = page.about.image.as_ref().map(|image| Image {
        url: fit::address(image).into_owned(),
        title: page.title.clone(),
        link: page.home_url.to_string(),
        ..Image::default()
    });
    let mut namespaces = namespaces(&items);
    let (prefix, address, marker) = HISTORY;
    let mut extensions = ExtensionMap::default();
    if place.is_archive() {
        let mark = Extension { name: format!("{prefix}:{marker}"), ..Extension::default() };
        extensions.insert(prefix.to_owned(), BTreeMap::from([(marker.to_owned(), vec![mark])]));
        namespaces.insert(prefix.to_owned(), address.to_owned());
    }
    let channel = Channel {
        title: page.title.clone(),
        link: page.home_url.to_string(),
        description: page.about.description.clone().unwrap_or_else(|| page.title.clone()),
        language: language.map(str::to_owned),
        copyright: page.about.rights.clone(),
        image,
        last_build_date: Some(date(prepared.updated())),
        generator: Some(format!("feedmill ({GENERATOR})")),
        itunes_ext: podcast(prepared, &items),
        namespaces,
        items,
        atom_ext: Some(AtomExtension { links }),
        extensions,
        ..Channel::default()
    };
    channel.write_to(Vec::new()).expect("writing to memory cannot fail")
}

/// Those of rarer words only where they are used; the crate declares iTunes' own by itself.
fn namespaces(items: &[Item]) -> BTreeMap<String, String> {
    let usual = [
        ("atom", "http://www.w3.org/2005/Atom"),
        ("content", "http://purl.org/rss/1.0/modules/content/"),
        ("dc", "http://purl.org/dc/elements/1.1/"),
    ];
    let rare = [("media", MEDIA), ("podcast", PODCAST)];
    let used = rare.into_iter().filter(|(prefix, _)| items.iter().any(|item| item.extensions.contains_key(*prefix)));
    usual.into_iter().chain(used).map(|(prefix, name)| (prefix.to_owned(), name.to_owned())).collect()
}

/// What directories of podcasts ask of a channel, as far as it is known; nothing for a feed without episodes.
fn podcast(prepared: &Prepared, items: &[Item]) -> Option<ITunesChannelExtension> {
    let mut episodes = items.iter().filter_map(|item| item.itunes_ext.as_ref());
    episodes.next()?;
    let is_explicit = prepared.entries.iter().any(|clean| clean.entry.particulars.is_explicit == Some(true));
    let about = &prepared.page.about;
    Some(ITunesChannelExtension {
        author: names(&about.authors),
        image: about.image.as_ref().map(|image| fit::address(image).into_owned()),
        explicit: Some(is_explicit.to_string()),
        ..ITunesChannelExtension::default()
    })
}

fn names(people: &[document::Person]) -> Option<String> {
    let names: Vec<&str> = people.iter().map(|person| person.name.as_str()).collect();
    Some(names.join(", ").chars().take(AUTHOR).collect()).filter(|names: &String| !names.is_empty())
}

/// RFC 822 with four digits of the year and a numeric zone.
fn date(at: Timestamp) -> String {
    at.format("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

fn link(rel: &str, url: &Url, title: Option<&str>) -> Link {
    let href = fit::address(url).into_owned();
    Link { rel: rel.to_owned(), href, title: title.map(str::to_owned), ..Link::default() }
}

fn item(clean: &Clean, home: &Url, feed_language: Option<&str>) -> Item {
    let entry = &clean.entry;
    let content = clean.content().map(str::to_owned);
    // The summary is plain text and goes where HTML is expected.
    let summary = clean.summary().map(escaped);
    let (description, content) = if summary.is_some() { (summary, content) } else { (content, None) };
    let creators: Vec<String> = clean.authors().into_iter().map(|author| author.name).collect();
    let languages: Vec<String> =
        entry.language.clone().into_iter().filter(|own| Some(own.as_str()) != feed_language).collect();
    let dublin_core = DublinCoreExtension { creators, languages, ..DublinCoreExtension::default() };
    let comments = clean.related(RelatedKind::Comments);
    Item {
        title: Some(clean.title.clone()),
        link: entry.url.as_ref().map(|url| fit::address(url).into_owned()),
        guid: Some(Guid { value: entry.id.to_string(), permalink: false }),
        pub_date: Some(date(entry.published)),
        categories: entry.categories.iter().map(|name| Category { name: name.clone(), domain: None }).collect(),
        comments: comments.map(|comments| fit::address(&comments.url).into_owned()),
        enclosure: clean.main_enclosure().map(enclosure),
        source: Some(source(clean, home)),
        dublin_core_ext: Some(dublin_core).filter(|said| *said != DublinCoreExtension::default()),
        itunes_ext: episode(clean),
        atom_ext: Some(AtomExtension { links: links(clean) }).filter(|extension| !extension.links.is_empty()),
        extensions: extensions(clean),
        description,
        content,
        ..Item::default()
    }
}

fn source(clean: &Clean, otherwise: &Url) -> Source {
    let home = clean.home();
    let address = home.feed.or(home.site).unwrap_or(otherwise);
    Source { url: fit::address(address).into_owned(), title: Some(home.title) }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// An item has room for one; the length is required, and 0 means unknown.
fn enclosure(enclosure: &document::Enclosure) -> Enclosure {
    Enclosure {
        url: fit::address(&enclosure.url).into_owned(),
        length: enclosure.length.unwrap_or(0).to_string(),
        mime_type: enclosure.media_type.clone().unwrap_or_else(|| fit::ANY_TYPE.to_owned()),
    }
}

/// What players ask of an episode; `None` for what is none.
fn episode(clean: &Clean) -> Option<ITunesItemExtension> {
    let particulars = &clean.entry.particulars;
    let number = |number: Option<u32>| number.filter(|number| *number > 0).map(|number| number.to_string());
    let is_played = clean.main_enclosure().is_some_and(fit::is_played);
    let extension = ITunesItemExtension {
        duration: particulars.duration.map(|duration| {
            let seconds = duration.as_secs();
            format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
        }),
        episode: number(particulars.episode),
        season: number(particulars.season),
        explicit: particulars.is_explicit.map(|is_explicit| is_explicit.to_string()),
        image: clean.image().filter(|_| is_played).map(|image| fit::address(image).into_owned()),
        ..ITunesItemExtension::default()
    };
    (extension != ITunesItemExtension::default())
        .then(|| ITunesItemExtension { author: names(&clean.authors()), ..extension })
}

/// Its picture, the enclosures that an item has no room for, what is said in it and its parts.
fn extensions(clean: &Clean) -> ExtensionMap {
    let main = clean.main_enclosure().map(|enclosure| &enclosure.url);
    let others = clean.entry.enclosures.iter().filter(|enclosure| Some(&enclosure.url) != main);
    let mut media = BTreeMap::new();
    media.insert("content", others.map(media_content).collect::<Vec<_>>());
    let thumbnail = clean.image().map(|image| element("media:thumbnail", [("url", fit::address(image).into_owned())]));
    media.insert("thumbnail", thumbnail.into_iter().collect());
    let particulars = &clean.entry.particulars;
    let of = |name: &str, kind: RelatedKind| {
        let found = particulars.of(kind);
        let attributes =
            |it: &document::Related| [("url", fit::address(&it.url).into_owned()), ("type", fit::podcast_type(it))];
        found.map(|it| element(name, attributes(it))).collect::<Vec<_>>()
    };
    let mut podcast = BTreeMap::new();
    podcast.insert("transcript", of("podcast:transcript", RelatedKind::Transcript));
    podcast.insert("chapters", of("podcast:chapters", RelatedKind::Chapters).into_iter().take(1).collect());
    let mut all = ExtensionMap::new();
    for (prefix, elements) in [("media", media), ("podcast", podcast)] {
        let used = elements.into_iter().filter(|(_, elements)| !elements.is_empty());
        let used: BTreeMap<_, _> = used.map(|(name, elements)| (name.to_owned(), elements)).collect();
        if !used.is_empty() {
            all.insert(prefix.to_owned(), used);
        }
    }
    all
}

fn media_content(enclosure: &document::Enclosure) -> Extension {
    let known = enclosure.media_type.as_deref();
    let medium = known.and_then(|known| known.split('/').next());
    let medium = medium.filter(|medium| ["image", "audio", "video"].contains(medium));
    let attributes = [
        ("url", Some(fit::address(&enclosure.url).into_owned())),
        ("type", known.map(str::to_owned)),
        ("medium", medium.map(str::to_owned)),
        ("fileSize", enclosure.length.map(|length| length.to_string())),
    ];
    element("media:content", attributes.into_iter().filter_map(|(name, value)| Some((name, value?))))
}

fn element(name: &str, attributes: impl IntoIterator<Item = (&'static str, String)>) -> Extension {
    let attrs = attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Extension { name: name.to_owned(), attrs, ..Extension::default() }
}

/// What it is about, the pages of its other copies (related), and the feeds that it came through (via).
fn links(clean: &Clean) -> Vec<Link> {
    let sightings = &clean.entry.sightings;
    let subject = clean.related(RelatedKind::Subject).map(|subject| link("related", &subject.url, None));
    let related = sightings
        .iter()
        .skip(1)
        .filter_map(|sighting| Some(link("related", sighting.url.as_ref()?, Some(&sighting.source_title))));
    let via = sightings
        .iter()
        .filter_map(|sighting| Some(link("via", sighting.source_address.as_ref()?, Some(&sighting.source_title))));
    subject.into_iter().chain(related).chain(via).collect()
}
