//! Does a sighting, as a whole, match? The one place that decides it.

use std::cell::OnceCell;

use crate::model::Timestamp;
use crate::model::source::{SourceKey, TopicKey};
use crate::query::{Field, Node, Term};
use crate::text;
use crate::text::language;

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
    visible: OnceCell<Vec<String>>,
    texts: OnceCell<Vec<Vec<String>>>,
    authors: OnceCell<Vec<Vec<String>>>,
    /// Title and texts, folded.
    folded: OnceCell<Vec<String>>,
    /// Of a text whose feed does not say it.
    language: OnceCell<Option<&'static str>>,
}

impl<'a> Candidate<'a> {
    pub fn new(facts: Facts<'a>) -> Self {
        Self {
            facts,
            title: OnceCell::new(),
            visible: OnceCell::new(),
            texts: OnceCell::new(),
            authors: OnceCell::new(),
            folded: OnceCell::new(),
            language: OnceCell::new(),
        }
    }

    pub(super) fn facts(&self) -> &Facts<'a> {
        &self.facts
    }

    pub(super) fn title(&self) -> &[String] {
        self.title.get_or_init(|| self.facts.title.map(text::words).unwrap_or_default())
    }

    fn visible(&self) -> &[String] {
        self.visible.get_or_init(|| self.facts.text_html.iter().map(|html| text::visible(html)).collect())
    }

    pub(super) fn texts(&self) -> &[Vec<String>] {
        self.texts.get_or_init(|| self.visible().iter().map(|text| text::words(text)).collect())
    }

    pub(super) fn authors(&self) -> &[Vec<String>] {
        self.authors.get_or_init(|| self.facts.authors.iter().map(|author| text::words(author)).collect())
    }

    fn folded(&self) -> &[String] {
        self.folded.get_or_init(|| {
            let texts = self.visible().iter().map(String::as_str);
            self.facts.title.into_iter().chain(texts).map(text::fold).collect()
        })
    }

    /// As claimed, else as the longest text, with the title, is found to be in. `None` when neither tells.
    pub fn language(&self) -> Option<&str> {
        if self.facts.language.is_some() {
            return self.facts.language;
        }
        *self.language.get_or_init(|| {
            let longest = self.visible().iter().max_by_key(|text| text.len()).map(String::as_str);
            language::detected(&format!("{} {}", self.facts.title.unwrap_or_default(), longest.unwrap_or_default()))
        })
    }
}

pub(super) fn matches(node: &Node, candidate: &Candidate<'_>, now: Timestamp) -> bool {
    match node {
        Node::And(nodes) => {
            // Patterns cost most, so they are tried last.
            let all = |of_patterns: bool| {
                let mut asked = nodes.iter().filter(|node| is_pattern(node) == of_patterns);
                asked.all(|node| matches(node, candidate, now))
            };
            all(false) && all(true)
        }
        Node::Or(nodes) => nodes.iter().any(|node| matches(node, candidate, now)),
        Node::Not(node) => !matches(node, candidate, now),
        Node::Term(term) => has(term, candidate, now),
    }
}

fn is_pattern(node: &Node) -> bool {
    match node {
        Node::Not(node) => is_pattern(node),
        node => matches!(node, Node::Term(Term::Pattern(_))),
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
        Term::Language(range) => candidate.language().is_some_and(|tag| language::finds(range, tag)),
        Term::Address(part) => facts.url.is_some_and(|url| text::fold(url).contains(part)),
        Term::Pattern(pattern) => candidate.folded().iter().any(|text| pattern.is_in(text)),
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
