//! The query language of topics and of `?q=`: text → tree → does this sighting match?
//!
//! One tree and one matcher that decides. AND by default and tighter than OR, `-` tightest.

mod explain;
mod lex;
mod matching;
mod needs;
mod parse;
mod pattern;
pub mod set;
mod show;

#[cfg(test)]
mod tests;

pub use explain::{Branching, Explained};
pub use matching::{Candidate, Facts};
pub use needs::Needs;

use crate::model::Timestamp;
use crate::query::pattern::Pattern;

/// Longest query, in characters. Longer ones are not typed by people.
pub const LENGTH_LIMIT: usize = 2_000;
/// Most terms. Each is looked for in each candidate.
pub const TERMS_LIMIT: usize = 100;
/// Deepest nesting of brackets; bounds the stack.
pub const DEPTH_LIMIT: usize = 20;
/// Most patterns (`regex:`). Each may be tried on whole texts.
pub const PATTERNS_LIMIT: usize = 5;

/// Why a query cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryProblem {
    /// In characters, from 1.
    pub position: usize,
    pub what: String,
    /// What to write instead, where that is clear.
    pub help: Option<String>,
}

impl std::fmt::Display for QueryProblem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "character {}: {}", self.position, self.what)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(formatter, " ({help})"))
    }
}

impl std::error::Error for QueryProblem {}

/// A query that was read. Its `Display` is a text that reads as the same query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    root: Node,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    /// Two or more.
    And(Vec<Node>),
    /// Two or more.
    Or(Vec<Node>),
    Not(Box<Node>),
    Term(Term),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Term {
    /// Folded words that follow each other; the last one may be the beginning of a word only.
    Words {
        field: Field,
        words: Vec<String>,
        is_prefix: bool,
    },
    /// Folded.
    Category(String),
    Source(String),
    Topic(String),
    /// A range, in small letters.
    Language(String),
    /// Folded.
    Address(String),
    Pattern(Pattern),
    HasEnclosure,
    /// From this instant on, and as it was written.
    After(Timestamp, String),
    /// Before this instant.
    Before(Timestamp, String),
    /// In seconds, and as it was written.
    Newer(i64, String),
}

/// Where words are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Title or text.
    Any,
    Title,
    Author,
}

impl Query {
    /// Whether a sighting, as a whole, is what the query asks for. `now` matters to `newer:` alone.
    pub fn matches(&self, candidate: &Candidate<'_>, now: Timestamp) -> bool {
        matching::matches(&self.root, candidate, now)
    }

    /// What `lang:` with this range asks for; the range is one that [`crate::text::language::range`] gave.
    pub fn of_language(range: String) -> Self {
        Self { root: Node::Term(Term::Language(range)) }
    }

    /// Both at once.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut nodes = Vec::new();
        for node in [self.root, other.root] {
            match node {
                Node::And(inner) => nodes.extend(inner),
                node => nodes.push(node),
            }
        }
        Self { root: Node::And(nodes) }
    }
}

/// Reads a query.
///
/// # Errors
/// The first thing that cannot be read, with its position.
pub fn parse(text: &str) -> Result<Query, QueryProblem> {
    parse::parse(text, true)
}

/// Reads a topic's `match`. Membership is decided once, at arrival, so that it cannot ask how old an entry is.
///
/// # Errors
/// As [`parse()`], and at `newer:`.
pub fn parse_for_topic(text: &str) -> Result<Query, QueryProblem> {
    parse::parse(text, false)
}
