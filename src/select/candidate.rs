//! A stored sighting → what a query can ask of it.

use crate::merge::present;
use crate::model::entry::Sighting;
use crate::model::source::{Scope, SourceKey, TopicKey};
use crate::query::{Candidate, Facts};
use crate::select::catalogue::Catalogue;

/// What a query may ask of a sighting's source.
pub struct SourceFacts<'a> {
    pub key: &'a SourceKey,
    pub topics: &'a [TopicKey],
}

impl<'a> SourceFacts<'a> {
    /// `None` when the source is not declared any more.
    pub fn of(catalogue: &'a Catalogue, scope: &Scope) -> Option<Self> {
        let key = &catalogue.standing.sources.get(scope)?.key;
        let source = catalogue.source(key)?;
        Some(Self { key: &source.key, topics: &source.topics })
    }
}

/// Shows one sighting, with its summary and content, to queries.
pub fn with_candidate<T>(
    sighting: &Sighting,
    texts: [Option<&str>; 2],
    source: &SourceFacts<'_>,
    ask: impl FnOnce(&Candidate<'_>) -> T,
) -> T {
    with_facts(sighting, texts, source, |facts| ask(&Candidate::new(facts)))
}

/// As [`with_candidate`], for the index, which has to see what queries see.
pub fn with_facts<T>(
    sighting: &Sighting,
    texts: [Option<&str>; 2],
    source: &SourceFacts<'_>,
    show: impl FnOnce(Facts<'_>) -> T,
) -> T {
    let html: Vec<&str> = texts.into_iter().flatten().collect();
    let authors: Vec<&str> = sighting.authors.iter().map(|person| person.name.as_str()).collect();
    let categories: Vec<&str> = sighting.categories.iter().map(String::as_str).collect();
    show(Facts {
        title: sighting.title.as_deref(),
        text_html: &html,
        authors: &authors,
        categories: &categories,
        source: source.key,
        topics: source.topics,
        language: sighting.language.as_deref(),
        url: sighting.url.as_ref().map(url::Url::as_str),
        published: present::published(sighting),
        has_enclosure: !sighting.enclosures.is_empty(),
    })
}
