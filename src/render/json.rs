//! JSON Feed 1.1, with our extension `_feedmill` that tells every sighting.

use std::borrow::Cow;

use serde::Serialize;

use crate::model::Timestamp;
use crate::model::document::{Enclosure, Person, Related, RelatedKind};
use crate::model::page::Provenance;
use crate::render::{Clean, Place, Prepared, fit};

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are the format's")]
struct Feed<'a> {
    version: &'static str,
    title: &'a str,
    home_page_url: &'a str,
    feed_url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icon: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authors: Vec<Author>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hubs: Vec<Hub<'a>>,
    items: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Hub<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    url: &'a str,
}

#[derive(Serialize)]
struct Item<'a> {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<Cow<'a, str>>,
    /// What the entry is about, where it has an address of its own too.
    #[serde(skip_serializing_if = "Option::is_none")]
    external_url: Option<Cow<'a, str>>,
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_html: Option<&'a str>,
    /// Where there is no content: an item needs one of the two.
    #[serde(skip_serializing_if = "Option::is_none")]
    content_text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<Cow<'a, str>>,
    date_published: String,
    date_modified: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authors: Vec<Author>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tags: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<Attachment<'a>>,
    #[serde(rename = "_feedmill")]
    extension: Extension<'a>,
}

#[derive(Serialize)]
struct Author {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

#[derive(Serialize)]
struct Attachment<'a> {
    url: Cow<'a, str>,
    mime_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_in_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_in_seconds: Option<u64>,
}

#[derive(Serialize)]
struct Extension<'a> {
    first_seen: String,
    /// The shown one first.
    sightings: Vec<Sighting<'a>>,
    /// The feed that its publisher has it from.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<Origin<'a>>,
    /// What JSON Feed has no words for: remarks, transcripts, chapters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related: Vec<Attached<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    season: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    episode: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explicit: Option<bool>,
}

#[derive(Serialize)]
struct Origin<'a> {
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feed_url: Option<&'a str>,
}

#[derive(Serialize)]
struct Attached<'a> {
    kind: &'static str,
    url: &'a str,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    media_type: Option<&'a str>,
}

#[derive(Serialize)]
struct Sighting<'a> {
    source: &'a str,
    source_title: &'a str,
    guid: Option<&'a str>,
    url: Option<&'a str>,
    title: Option<&'a str>,
    published: Option<String>,
    ground: &'static str,
    score: f32,
}

pub(super) fn write(prepared: &Prepared, place: &Place) -> Vec<u8> {
    let feed = Feed {
        version: "https://jsonfeed.org/version/1.1",
        title: &prepared.page.title,
        home_page_url: prepared.page.home_url.as_str(),
        feed_url: place.self_url.as_str(),
        description: prepared.page.about.description.as_deref(),
        icon: prepared.page.about.image.as_ref().map(fit::address),
        authors: prepared.page.about.authors.iter().map(author).collect(),
        language: prepared.language(),
        next_url: older(place).map(url::Url::as_str),
        hubs: place.hub_url.iter().map(|url| Hub { kind: "WebSub", url: url.as_str() }).collect(),
        items: prepared.entries.iter().map(item).collect(),
    };
    serde_json::to_vec(&feed).expect("these types have no value that JSON cannot hold")
}

/// The format has one name for what is older. An archive goes on with the page before.
fn older(place: &Place) -> Option<&url::Url> {
    if place.is_archive() { place.previous_archive_url.as_ref() } else { place.next_url.as_ref() }
}

fn date(at: Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

fn item(clean: &Clean) -> Item<'_> {
    let entry = &clean.entry;
    let content_html = clean.content();
    Item {
        id: entry.id.to_string(),
        url: entry.url.as_ref().map(fit::address),
        external_url: clean.related(RelatedKind::Subject).map(|subject| fit::address(&subject.url)),
        title: &clean.title,
        content_text: content_html.is_none().then(|| clean.summary().unwrap_or(&clean.title)),
        content_html,
        summary: clean.summary(),
        image: clean.image().map(fit::address),
        date_published: date(entry.published),
        date_modified: date(entry.updated),
        authors: clean.authors().iter().map(author).collect(),
        tags: &entry.categories,
        language: entry.language.as_deref(),
        attachments: entry.enclosures.iter().map(|enclosure| attachment(clean, enclosure)).collect(),
        extension: extension(clean),
    }
}

fn author(person: &Person) -> Author {
    Author { name: person.name.clone(), url: person.url.as_ref().map(|url| fit::address(url).into_owned()) }
}

fn extension(clean: &Clean) -> Extension<'_> {
    let (entry, particulars) = (&clean.entry, &clean.entry.particulars);
    let home = clean.home();
    let attached = |related: &'_ Related| !matches!(related.kind, RelatedKind::Image | RelatedKind::Subject);
    Extension {
        first_seen: date(entry.first_seen),
        sightings: entry.sightings.iter().map(sighting).collect(),
        // A source's own words are known of it; those of another are not.
        origin: home.about.is_none().then(|| Origin {
            title: home.title,
            url: home.site.map(url::Url::as_str),
            feed_url: home.feed.map(url::Url::as_str),
        }),
        related: particulars.related.iter().filter(|related| attached(related)).map(attachment_of).collect(),
        season: particulars.season,
        episode: particulars.episode,
        explicit: particulars.is_explicit,
    }
}

fn attachment_of(related: &Related) -> Attached<'_> {
    Attached { kind: related.kind.name(), url: related.url.as_str(), media_type: related.media_type.as_deref() }
}

fn attachment<'a>(clean: &Clean, enclosure: &'a Enclosure) -> Attachment<'a> {
    let is_main = clean.main_enclosure().is_some_and(|main| main.url == enclosure.url);
    let duration = clean.entry.particulars.duration.filter(|_| is_main);
    Attachment {
        url: fit::address(&enclosure.url),
        mime_type: enclosure.media_type.as_deref().unwrap_or(fit::ANY_TYPE),
        title: enclosure.title.as_deref(),
        size_in_bytes: enclosure.length,
        duration_in_seconds: duration.map(|duration| duration.as_secs()),
    }
}

fn sighting(sighting: &Provenance) -> Sighting<'_> {
    Sighting {
        source: sighting.source.as_str(),
        source_title: &sighting.source_title,
        guid: sighting.guid.as_ref().map(|guid| guid.value.as_str()),
        url: sighting.url.as_ref().map(url::Url::as_str),
        title: sighting.title.as_deref(),
        published: sighting.published.map(date),
        ground: sighting.ground.name(),
        score: sighting.score,
    }
}
