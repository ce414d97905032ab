//! What a query needs → a query of the index that finds at least that.

use std::ops::Bound;

use tantivy::query::{BooleanQuery, EmptyQuery, Occur, PhraseQuery, Query, RangeQuery, TermQuery, TermSetQuery};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{Searcher, Term};

use crate::index::IndexError;
use crate::index::fields::{self, Fields};
use crate::model::Timestamp;
use crate::model::feed::FeedId;
use crate::model::source::Scope;

/// Most places at which words with one beginning may stand together. Of more, looking through the feed finds enough soon.
const BEGINNING_LIMIT: u64 = 2_000_000;
/// Most words with one beginning.
const WORDS_LIMIT: u64 = 100_000;

/// Where words are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    Any,
    Title,
    Author,
}

/// What every entry that is looked for has, in the index's own words: sources by their scopes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proposal {
    /// Folded words that follow each other; of the last one only the beginning, if so.
    Words {
        within: Words,
        words: Vec<String>,
        is_prefix: bool,
    },
    Category(String),
    /// One of these sources.
    Sources(Vec<Scope>),
    Feed(FeedId),
    Language(String),
    HasEnclosure,
    /// Published at this time or later.
    After(Timestamp),
    /// Published before this time.
    Before(Timestamp),
    All(Vec<Proposal>),
    Any(Vec<Proposal>),
    /// The index has nothing to say.
    Anything,
}

impl Proposal {
    /// Whether the index leaves anything out.
    pub fn is_narrow(&self) -> bool {
        match self {
            Self::Anything => false,
            Self::All(parts) => parts.iter().any(Self::is_narrow),
            Self::Any(parts) => parts.iter().all(Self::is_narrow),
            _ => true,
        }
    }
}

/// `None` when everything may be meant.
pub(super) type Found = Option<Box<dyn Query>>;

/// Writes proposals as queries.
pub(super) struct Translator<'a> {
    pub searcher: &'a Searcher,
    pub fields: Fields,
}

impl Translator<'_> {
    pub(super) fn query(&self, proposal: &Proposal) -> Result<Found, IndexError> {
        let fields = self.fields;
        Ok(match proposal {
            Proposal::Words { within, words, is_prefix } => {
                let field = match within {
                    Words::Any => fields.any,
                    Words::Title => fields.title,
                    Words::Author => fields.author,
                };
                self.words(field, words, *is_prefix)?
            }
            Proposal::Category(name) => Some(exact(fields::term(fields.category, name))),
            Proposal::Sources(scopes) => Some(match scopes.as_slice() {
                [] => Box::new(EmptyQuery),
                [one] => exact(fields::term(fields.source, one.as_str())),
                _ => {
                    let terms = scopes.iter().map(|scope| fields::term(fields.source, scope.as_str()));
                    Box::new(TermSetQuery::new(terms))
                }
            }),
            // Everything that is in the index is in the feed of all.
            Proposal::Feed(FeedId::All) | Proposal::Anything => None,
            Proposal::Feed(feed) => Some(exact(Term::from_field_u64(fields.feed, fields::number(feed)))),
            Proposal::Language(tag) => {
                let claimed = exact(fields::term(fields.language, tag));
                Some(self.or_flag(claimed, fields::HAS_NO_LANGUAGE)?)
            }
            Proposal::HasEnclosure => Some(self.flag(fields::HAS_ENCLOSURE)),
            Proposal::After(at) => Some(self.published(Bound::Included(*at), Bound::Unbounded)),
            Proposal::Before(at) => Some(self.published(Bound::Unbounded, Bound::Included(*at))),
            Proposal::All(parts) => self.all(parts)?,
            Proposal::Any(parts) => self.any(parts)?,
        })
    }

    fn all(&self, parts: &[Proposal]) -> Result<Found, IndexError> {
        let mut needed = Vec::new();
        for part in parts {
            needed.extend(self.query(part)?);
        }
        Ok(joined(needed, Occur::Must))
    }

    fn any(&self, parts: &[Proposal]) -> Result<Found, IndexError> {
        let mut possible = Vec::new();
        for part in parts {
            let Some(query) = self.query(part)? else { return Ok(None) };
            possible.push(query);
        }
        if possible.is_empty() {
            return Ok(Some(Box::new(EmptyQuery)));
        }
        Ok(joined(possible, Occur::Should))
    }

    /// Words that follow each other, or documents of which not all words are known.
    fn words(&self, field: Field, words: &[String], is_prefix: bool) -> Result<Found, IndexError> {
        let (whole, beginning) = match words.split_last() {
            Some((last, first)) if is_prefix => (first, Some(last)),
            _ => (words, None),
        };
        let mut needed: Vec<Box<dyn Query>> = Vec::new();
        match whole {
            [] => {}
            [one] => needed.push(exact(fields::term(field, one))),
            _ => {
                let terms = whole.iter().map(|word| fields::term(field, word)).collect();
                needed.push(Box::new(PhraseQuery::new(terms)));
            }
        }
        // That it follows the other words is for the matcher to see.
        if let Some(beginning) = beginning {
            needed.extend(self.beginning(field, fields::short(beginning))?);
        }
        let Some(found) = joined(needed, Occur::Must) else { return Ok(None) };
        Ok(Some(self.or_flag(found, fields::IS_LARGE)?))
    }

    /// What is found, and what has a flag, if anything has.
    fn or_flag(&self, found: Box<dyn Query>, flag: u64) -> Result<Box<dyn Query>, IndexError> {
        if self.searcher.doc_freq(&Term::from_field_u64(self.fields.flags, flag))? == 0 {
            return Ok(found);
        }
        Ok(Box::new(BooleanQuery::new(vec![(Occur::Should, found), (Occur::Should, self.flag(flag))])))
    }

    /// A word that begins so; nothing is asked of it when too many do.
    fn beginning(&self, field: Field, beginning: &str) -> Result<Found, IndexError> {
        let end = format!("{beginning}\u{10ffff}");
        let (mut words, mut places) = (0, 0);
        for segment in self.searcher.segment_readers() {
            let index = segment.inverted_index(field)?;
            let mut stream = index.terms().range().ge(beginning.as_bytes()).lt(end.as_bytes()).into_stream()?;
            while let Some((_, info)) = stream.next() {
                words += 1;
                places += u64::from(info.doc_freq);
                if words > WORDS_LIMIT || places > BEGINNING_LIMIT {
                    return Ok(None);
                }
            }
        }
        let (from, to) = (Term::from_field_text(field, beginning), Term::from_field_text(field, &end));
        Ok(Some(Box::new(RangeQuery::new(Bound::Included(from), Bound::Excluded(to)))))
    }

    fn flag(&self, flag: u64) -> Box<dyn Query> {
        exact(Term::from_field_u64(self.fields.flags, flag))
    }

    /// Parts of a millisecond are left to the matcher.
    fn published(&self, from: Bound<Timestamp>, to: Bound<Timestamp>) -> Box<dyn Query> {
        let term = |at: Timestamp| Term::from_field_i64(self.fields.published, at.timestamp_millis());
        Box::new(RangeQuery::new(from.map(term), to.map(term)))
    }
}

fn exact(term: Term) -> Box<dyn Query> {
    Box::new(TermQuery::new(term, IndexRecordOption::Basic))
}

/// `None` for no queries at all.
fn joined(mut queries: Vec<Box<dyn Query>>, how: Occur) -> Found {
    if queries.len() < 2 {
        return queries.pop();
    }
    Some(Box::new(BooleanQuery::new(queries.into_iter().map(|query| (how, query)).collect())))
}
