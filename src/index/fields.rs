//! What a document of the index has, and how places and words are spelt in it.

use tantivy::schema::{FAST, Field, INDEXED, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::{IndexSettings, IndexSortByField, Order, Term};

use crate::model::feed::FeedId;
use crate::text;

/// Longest word or name, in bytes. Longer ones are cut, here and in what is looked for, so that they still meet.
const LONGEST: usize = 200;

/// What [`Fields::flags`] tells.
pub(super) const HAS_ENCLOSURE: u64 = 1;
/// Not all words are in the index: it may have any.
pub(super) const IS_LARGE: u64 = 2;

/// It claims no language; the matcher may find one in its text.
pub(super) const HAS_NO_LANGUAGE: u64 = 4;

/// The fields of a document. Nothing is stored but numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields {
    /// Words of title, summary and content, with positions.
    pub any: Field,
    pub title: Field,
    pub author: Field,
    /// Whole, folded.
    pub category: Field,
    /// Its scope.
    pub source: Field,
    /// `en-gb` and `en`.
    pub language: Field,
    pub flags: Field,
    /// In milliseconds.
    pub published: Field,
    /// The entry's number.
    pub entry: Field,
    /// The entry's sort time in the feed of all, in milliseconds.
    pub all_at: Field,
    /// The other feeds that hold the entry, as numbers, and its sort time in each, in the same order.
    pub feed: Field,
    pub feed_at: Field,
}

fn text_options(tokenizer: &str, option: IndexRecordOption) -> TextOptions {
    let indexing = TextFieldIndexing::default();
    let indexing = indexing.set_tokenizer(tokenizer).set_index_option(option).set_fieldnorms(false);
    TextOptions::default().set_indexing_options(indexing)
}

pub(super) fn schema() -> (Schema, Fields) {
    let mut schema = Schema::builder();
    // Words come split already; the tokenizer named here sees none of them.
    let words = text_options("raw", IndexRecordOption::WithFreqsAndPositions);
    let whole = text_options("raw", IndexRecordOption::Basic);
    let fields = Fields {
        any: schema.add_text_field("any", words.clone()),
        title: schema.add_text_field("title", words.clone()),
        author: schema.add_text_field("author", words),
        category: schema.add_text_field("category", whole.clone()),
        source: schema.add_text_field("source", whole.clone()),
        language: schema.add_text_field("language", whole),
        flags: schema.add_u64_field("flags", INDEXED),
        published: schema.add_i64_field("published", FAST),
        entry: schema.add_u64_field("entry", INDEXED | FAST),
        all_at: schema.add_i64_field("all_at", FAST),
        feed: schema.add_u64_field("feed", INDEXED | FAST),
        feed_at: schema.add_i64_field("feed_at", FAST),
    };
    (schema.build(), fields)
}

/// Documents lie in the order of the feed of all, newest first: of many that are found, the first ones are enough.
pub(super) fn settings() -> IndexSettings {
    let newest_first = IndexSortByField { field: "all_at".to_owned(), order: Order::Desc };
    IndexSettings { sort_by_field: Some(newest_first), ..IndexSettings::default() }
}

/// A word or name as it stands in the index.
pub(super) fn short(word: &str) -> &str {
    text::beginning(word, LONGEST)
}

pub(super) fn term(field: Field, word: &str) -> Term {
    Term::from_field_text(field, short(word))
}

/// The number of a feed other than that of all. Two of the same number are told apart by the store.
pub(super) fn number(feed: &FeedId) -> u64 {
    let digest = match feed {
        FeedId::All => blake3::hash(b"all"),
        FeedId::Topic(key) => blake3::hash(format!("topic {key}").as_bytes()),
        FeedId::Source(scope) => blake3::hash(format!("source {}", scope.as_str()).as_bytes()),
    };
    digest.as_bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
