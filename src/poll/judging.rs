//! What the rules over merging need to know of a sighting, read from where it lies: the store for what is stored, the document for
//! what arrives.

use std::collections::HashMap;

use crate::merge::decide::Arrival;
use crate::merge::identify::Identified;
use crate::merge::rules::{self, Rules, Seen, Subject};
use crate::model::entry::{Key, Sighting, Texts};
use crate::query::{Candidate, Facts};
use crate::select::candidate::{SourceFacts, with_candidate};
use crate::select::catalogue::Catalogue;
use crate::store::engine::StoreError;
use crate::store::entries::Store;

/// What the rules know of a stored sighting. A query never matches what a source brought that is not declared any more.
pub fn stored(rules: &Rules, store: &Store, catalogue: &Catalogue, sighting: &Sighting) -> Result<Subject, StoreError> {
    let seen = Seen::stored(sighting);
    let source = SourceFacts::of(catalogue, &sighting.source).filter(|_| rules.has_queries());
    let Some(source) = source else { return Ok(rules.subject(seen, &|_| false)) };
    let texts = match sighting.text {
        Some(name) => store.texts(name)?.unwrap_or_default(),
        None => Texts::default(),
    };
    let ask = |candidate: &Candidate<'_>| rules.subject(seen, &|query| query.matches(candidate, sighting.first_seen));
    Ok(with_candidate(sighting, texts.parts(), &source, ask))
}

/// What the rules know of a document's observations, by their own keys; each one that a `[[merge]]` by query speaks of gets the key of
/// its title.
pub fn arriving(
    rules: &Rules,
    catalogue: &Catalogue,
    arrival: &Arrival,
    seen: &mut [Identified],
) -> HashMap<Key, Subject> {
    let mut subjects = HashMap::new();
    if rules.is_empty() {
        return subjects;
    }
    let source = SourceFacts::of(catalogue, &arrival.scope).filter(|_| rules.has_queries());
    for one in seen {
        let subject = subject(rules, source.as_ref(), arrival, one);
        one.title = rules::title_key(&subject);
        subjects.insert(one.own, subject);
    }
    subjects
}

fn subject(rules: &Rules, source: Option<&SourceFacts<'_>>, arrival: &Arrival, one: &Identified) -> Subject {
    let seen = Seen::arriving(one, arrival);
    let Some(source) = source else { return rules.subject(seen, &|_| false) };
    let observation = &one.observation;
    let html: Vec<&str> = [one.summary(), one.content()].into_iter().flatten().collect();
    let authors: Vec<&str> = observation.authors.iter().map(|person| person.name.as_str()).collect();
    let categories: Vec<&str> = observation.categories.iter().map(String::as_str).collect();
    let candidate = Candidate::new(Facts {
        title: observation.title.as_deref(),
        text_html: &html,
        authors: &authors,
        categories: &categories,
        source: source.key,
        topics: source.topics,
        language: observation.language.as_deref(),
        url: observation.url.as_ref().map(url::Url::as_str),
        published: crate::merge::present::published_at(observation.published, arrival.now),
        has_enclosure: !observation.enclosures.is_empty(),
    });
    rules.subject(seen, &|query| query.matches(&candidate, arrival.now))
}
