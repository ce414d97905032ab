//! Does a sighting, as a whole, match? The one place that decides it.

use std::cell::OnceCell;

use crate::model::Timestamp;
use crate::model::source::{SourceKey, TopicKey};
use crate::query::{Field, Node, Term};
use crate::text;

/// What a query may ask of a sighting.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub title: Option<&'a str>,
    /// Raw fragments: summary, content.
    pub text_html: &'a [&'a str],
    pub authors: &'a [&'a str],
    pub categories: &'a [&'a str],
    pub source: &'a SourceKey,
    /// The topics that the source names.
    pub topics: &'a [TopicKey],
    pub language: Option<&'a str>,
    pub url: Option<&'a str>,
    pub published: Timestamp,
    pub has_enclosure: bool,
}

/// One sighting that many queries may look at: its words are split once, and only when one asks for them.
#[derive(Debug)]
pub struct Candidate<'a> {
    facts: Facts<'a>,
    title: OnceCell<Vec<String>>,
    texts: OnceCell<Vec<Vec<String>>>,
    authors: OnceCell<Vec<Vec<String>>>,
}

impl<'a> Candidate<'a> {
    pub fn new(facts: Facts<'a>) -> Self {
        Self { facts, title: OnceCell::new(), texts: OnceCell::new(), authors: OnceCell::new() }
    }

    fn title(&self) -> &[String] {
        self.title.get_or_init(|| self.facts.title.map(text::words).unwrap_or_default())
    }

    fn texts(&self) -> &[Vec<String>] {
        self.texts.get_or_init(|| self.facts.text_html.iter().map(|html| text::words(&text::visible(html))).collect())
    }

    fn authors(&self) -> &[Vec<String>] {
        self.authors.get_or_init(|| self.facts.authors.iter().map(|author| text::words(author)).collect())
    }
}

pub(super) fn matches(node: &Node, candidate: &Candidate<'_>, now: Timestamp) -> bool {
    match node {
        Node::And(nodes) => nodes.iter().all(|node| matches(node, candidate, now)),
        Node::Or(nodes) => nodes.iter().any(|node| matches(node, candidate, now)),
        Node::Not(node) => !matches(node, candidate, now),
        Node::Term(term) => has(term, candidate, now),
    }
}

pub(super) fn has(term: &Term, candidate: &Candidate<'_>, now: Timestamp) -> bool {
    let facts = &candidate.facts;
    match term {
        Term::Words { field, words, is_prefix } => {
            let within = |text: &[String]| follows(text, words, *is_prefix);
            match field {
                Field::Any => within(candidate.title()) || candidate.texts().iter().any(|text| within(text)),
                Field::Title => within(candidate.title()),
                Field::Author => candidate.authors().iter().any(|author| within(author)),
            }
        }
        Term::Category(name) => facts.categories.iter().any(|category| text::fold(category.trim()) == *name),
        Term::Source(key) => facts.source.as_str() == key,
        Term::Topic(key) => facts.topics.iter().any(|topic| topic.as_str() == key),
        Term::Language(tag) => facts.language.is_some_and(|language| speaks(language, tag)),
        Term::Address(part) => facts.url.is_some_and(|url| text::fold(url).contains(part)),
        Term::HasEnclosure => facts.has_enclosure,
        Term::After(at, _) => facts.published >= *at,
        Term::Before(at, _) => facts.published < *at,
        Term::Newer(seconds, _) => facts.published > now - chrono::TimeDelta::seconds(*seconds),
    }
}

/// Whether the words follow each other somewhere in the text.
fn follows(text: &[String], words: &[String], is_prefix: bool) -> bool {
    let Some((last, first)) = words.split_last() else { return false };
    text.windows(words.len()).any(|window| {
        let end = &window[first.len()];
        window[..first.len()] == *first && if is_prefix { end.starts_with(last.as_str()) } else { end == last }
    })
}

/// RFC 4647 §3.3.1: `en` finds en and en-GB.
fn speaks(language: &str, tag: &str) -> bool {
    let language = language.to_ascii_lowercase().replace('_', "-");
    language.strip_prefix(tag).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}
