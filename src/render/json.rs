//! JSON Feed 1.1, with our extension `_feedmill` that tells every sighting.

use serde::Serialize;

use crate::model::Timestamp;
use crate::model::page::Provenance;
use crate::render::{Clean, Place, Prepared};

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are the format's")]
struct Feed<'a> {
    version: &'static str,
    title: &'a str,
    home_page_url: &'a str,
    feed_url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_url: Option<&'a str>,
    items: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Item<'a> {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_html: Option<&'a str>,
    /// Where there is no content: an item needs one of the two.
    #[serde(skip_serializing_if = "Option::is_none")]
    content_text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a str>,
    date_published: String,
    date_modified: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authors: Vec<Author<'a>>,
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
struct Author<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
}

#[derive(Serialize)]
struct Attachment<'a> {
    url: &'a str,
    mime_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_in_bytes: Option<u64>,
}

#[derive(Serialize)]
struct Extension<'a> {
    first_seen: String,
    /// The shown one first.
    sightings: Vec<Sighting<'a>>,
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
        next_url: older(place).map(url::Url::as_str),
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
        url: entry.url.as_ref().map(url::Url::as_str),
        title: &clean.title,
        content_text: content_html.is_none().then(|| clean.summary().unwrap_or(&clean.title)),
        content_html,
        summary: clean.summary(),
        date_published: date(entry.published),
        date_modified: date(entry.updated),
        authors: entry
            .authors
            .iter()
            .map(|it| Author { name: &it.name, url: it.url.as_ref().map(url::Url::as_str) })
            .collect(),
        tags: &entry.categories,
        language: entry.language.as_deref(),
        attachments: entry.enclosures.iter().map(attachment).collect(),
        extension: Extension {
            first_seen: date(entry.first_seen),
            sightings: entry.sightings.iter().map(sighting).collect(),
        },
    }
}

fn attachment(enclosure: &crate::model::document::Enclosure) -> Attachment<'_> {
    Attachment {
        url: enclosure.url.as_str(),
        mime_type: enclosure.media_type.as_deref().unwrap_or("application/octet-stream"),
        title: enclosure.title.as_deref(),
        size_in_bytes: enclosure.length,
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
