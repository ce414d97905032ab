//! A rendered selection → the listing that pages show.

use crate::model::feed::FeedName;
use crate::model::page::Presented;
use crate::published::listing::{Listed, ListedSource, Listing};
use crate::published::request::Cursor;
use crate::render::{self, plain};

pub(super) fn listing(title: String, feed: FeedName, page: &render::Prepared, next: Option<Cursor>) -> Listing {
    let entries = plain::entries(page).map(|it| Listed {
        id: it.entry.id,
        title: it.title.to_owned(),
        url: it.entry.url.clone(),
        published: it.entry.published,
        language: it.entry.language.clone(),
        sources: sources(it.entry),
        copies: it.entry.sightings.len(),
        summary: it.summary,
    });
    Listing { title, feed, entries: entries.collect(), next }
}

fn sources(entry: &Presented) -> Vec<ListedSource> {
    let mut sources: Vec<ListedSource> = Vec::with_capacity(entry.sightings.len());
    for sighting in &entry.sightings {
        if !sources.iter().any(|known| known.key == sighting.source) {
            sources.push(ListedSource { key: sighting.source.clone(), title: sighting.source_title.clone() });
        }
    }
    sources
}
