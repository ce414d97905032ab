//! What is read can be published in every format, and what is published is read back: as many entries, with the same ids.
#![no_main]

use std::sync::Arc;

use chrono::DateTime;
use feedmill::model::document::Observation;
use feedmill::model::entry::{Ground, PublicId, Texts};
use feedmill::model::feed::Format;
use feedmill::model::page::{Page, Presented, Provenance};
use feedmill::model::source::SourceKey;
use feedmill::render::sanitise::Sanitiser;
use feedmill::render::{self, Fragments, Place};
use feedmill::{model::Timestamp, parse};
use libfuzzer_sys::fuzz_target;
use url::Url;

/// Entries that are published: enough to find what is wrong, and quick.
const ENTRIES: usize = 5;

fn presented(number: usize, seen: &Observation, now: Timestamp) -> Presented {
    let mut id = [0; 16];
    id[0] = u8::try_from(number).unwrap_or_default();
    Presented {
        id: PublicId(id),
        first_seen: now,
        published: seen.published.unwrap_or(now),
        updated: seen.updated.unwrap_or(now),
        title: seen.title.clone(),
        url: seen.url.clone(),
        authors: seen.authors.clone(),
        categories: seen.categories.clone(),
        enclosures: seen.enclosures.clone(),
        language: seen.language.clone(),
        particulars: seen.particulars.clone(),
        text: None,
        page: None,
        sightings: vec![Provenance {
            source: SourceKey::new("one").expect("a key"),
            source_title: "One".to_owned(),
            source_address: None,
            site: None,
            source_updated: None,
            about: Arc::default(),
            guid: seen.guid.clone(),
            url: seen.url.clone(),
            title: seen.title.clone(),
            published: seen.published,
            ground: Ground::First,
            score: 1.0,
        }],
    }
}

fuzz_target!(|bytes: &[u8]| {
    let now = DateTime::from_timestamp(1_795_000_000, 0).expect("a time of this century");
    let address = Url::parse("https://mill.example/all.atom").expect("an address");
    let Ok(parsed) = parse::parse(bytes, None, Some(&address), now) else { return };
    let seen: Vec<&Observation> = parsed.observations.iter().take(ENTRIES).collect();
    let mut sanitiser = Sanitiser::default();
    let fragments: Vec<Arc<Fragments>> = seen
        .iter()
        .map(|seen| {
            let texts = Texts { summary: seen.summary.clone(), content: seen.content.clone() };
            Arc::new(Fragments::clean(&mut sanitiser, &texts, seen.url.as_ref()))
        })
        .collect();
    let entries: Vec<Presented> = seen.iter().enumerate().map(|(number, seen)| presented(number, seen, now)).collect();
    let ids: Vec<String> = entries.iter().map(|entry| entry.id.to_string()).collect();
    let page = Page { title: "All".to_owned(), home_url: address.clone(), about: Arc::default(), entries };
    let prepared = render::prepare(page, fragments);
    for format in Format::ALL {
        let document = render::feed(&prepared, format, &Place::at(address.clone()));
        let again = parse::parse(&document, None, Some(&address), now).expect("what we publish is a feed");
        // A few entries may look encoded twice where the document that they are from did not.
        let notes: Vec<&String> = again.notes.iter().filter(|note| !note.contains("encoded twice")).collect();
        assert!(notes.is_empty(), "{notes:?}: {}", String::from_utf8_lossy(&document));
        let found: Vec<String> =
            again.observations.iter().filter_map(|seen| seen.guid.as_ref()).map(|guid| guid.value.clone()).collect();
        assert_eq!(found, ids, "{}", String::from_utf8_lossy(&document));
    }
});
