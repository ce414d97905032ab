//! A sighting → its document in the index.

use tantivy::TantivyDocument;
use tantivy::schema::Field;
use tantivy::tokenizer::{PreTokenizedString, Token};

use crate::index::fields::{self, Fields};
use crate::model::entry::Entry;
use crate::model::feed::FeedId;
use crate::model::source::Scope;
use crate::query::Facts;
use crate::text;

/// Most words of one sighting. One that has more is proposed for every word.
const WORDS_LIMIT: usize = 50_000;

/// Words of different texts lie so far apart that none follows another.
const GAP: usize = 10;

/// What is in the index of one sighting.
pub struct Document(pub(super) TantivyDocument);

/// What goes into the index of one entry.
pub struct Entered<'a> {
    entry: &'a Entry,
    fields: Fields,
    pub(super) documents: Vec<Document>,
}

impl<'a> Entered<'a> {
    pub(super) fn new(entry: &'a Entry, fields: Fields) -> Self {
        Self { entry, fields, documents: Vec::new() }
    }

    /// Adds one of the entry's sightings, as the matcher would see it.
    pub fn add(&mut self, scope: &Scope, facts: &Facts<'_>) {
        self.documents.push(document(self.fields, self.entry, scope, facts));
    }
}

fn document(fields: Fields, entry: &Entry, scope: &Scope, facts: &Facts<'_>) -> Document {
    let mut document = TantivyDocument::new();
    let (mut any, mut title, mut author) = (Words::default(), Words::default(), Words::default());
    if let Some(text) = facts.title {
        any.push(text::words(text));
        title.push(text::words(text));
    }
    for html in facts.text_html {
        any.push(text::words(&text::visible(html)));
    }
    for name in facts.authors {
        author.push(text::words(name));
    }
    if any.is_cut || title.is_cut || author.is_cut {
        document.add_u64(fields.flags, fields::IS_LARGE);
    }
    for (field, words) in [(fields.any, any), (fields.title, title), (fields.author, author)] {
        words.add_to(&mut document, field);
    }
    for category in facts.categories {
        document.add_text(fields.category, fields::short(&text::fold(category.trim())));
    }
    document.add_text(fields.source, fields::short(scope.as_str()));
    for tag in facts.language.iter().flat_map(|language| tags(language)) {
        document.add_text(fields.language, fields::short(&tag));
    }
    if facts.language.is_none() {
        document.add_u64(fields.flags, fields::HAS_NO_LANGUAGE);
    }
    if facts.has_enclosure {
        document.add_u64(fields.flags, fields::HAS_ENCLOSURE);
    }
    document.add_i64(fields.published, facts.published.timestamp_millis());
    document.add_u64(fields.entry, entry.seq.0);
    for placement in &entry.placements {
        let at = placement.sort_at.timestamp_millis();
        if placement.feed == FeedId::All {
            document.add_i64(fields.all_at, at);
        } else {
            document.add_u64(fields.feed, fields::number(&placement.feed));
            document.add_i64(fields.feed_at, at);
        }
    }
    Document(document)
}

/// The language and every range that holds it (RFC 4647 §3.3.1): en-gb, en.
fn tags(language: &str) -> Vec<String> {
    let whole = language.to_ascii_lowercase().replace('_', "-");
    let ends = whole.match_indices('-').map(|(at, _)| whole[..at].to_owned());
    ends.chain([whole.clone()]).collect()
}

/// The words of several texts, with their positions.
#[derive(Default)]
struct Words {
    tokens: Vec<Token>,
    next: usize,
    is_cut: bool,
}

impl Words {
    fn push(&mut self, words: Vec<String>) {
        for mut word in words {
            if self.tokens.len() == WORDS_LIMIT {
                self.is_cut = true;
                return;
            }
            word.truncate(fields::short(&word).len());
            self.tokens.push(Token { position: self.next, text: word, ..Token::default() });
            self.next += 1;
        }
        self.next += GAP;
    }

    fn add_to(self, document: &mut TantivyDocument, field: Field) {
        if !self.tokens.is_empty() {
            let text = PreTokenizedString { text: String::new(), tokens: self.tokens };
            document.add_pre_tokenized_text(field, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_found_under_each_range_that_holds_it() {
        assert_eq!(tags("zh_Hant-TW"), ["zh", "zh-hant", "zh-hant-tw"]);
        assert_eq!(tags("en"), ["en"]);
    }

    #[test]
    fn words_beyond_the_limit_are_left_out_and_told() {
        let mut words = Words::default();
        words.push(vec!["a".to_owned(); WORDS_LIMIT]);
        assert!(!words.is_cut);
        words.push(vec!["b".to_owned()]);
        assert_eq!((words.tokens.len(), words.is_cut), (WORDS_LIMIT, true));
    }
}
