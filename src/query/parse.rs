//! Tokens → tree.

use chrono::{NaiveDate, NaiveTime};

use crate::model::Timestamp;
use crate::model::source::SourceKey;
use crate::query::lex::{self, Kind, Token, Value, problem, unknown};
use crate::query::pattern::{Pattern, PatternProblem};
use crate::query::{DEPTH_LIMIT, Field, LENGTH_LIMIT, Node, PATTERNS_LIMIT, Query, QueryProblem, TERMS_LIMIT, Term};
use crate::text;
use crate::text::language;

pub(super) fn parse(text: &str, allows_newer: bool) -> Result<Query, QueryProblem> {
    if text.chars().count() > LENGTH_LIMIT {
        let what = format!("the query is longer than {LENGTH_LIMIT} characters");
        return Err(problem(LENGTH_LIMIT + 1, what, None));
    }
    let tokens = lex::tokens(text)?;
    let end = text.chars().count() + 1;
    let mut parser =
        Parser { tokens: tokens.into_iter().peekable(), end, terms: 0, patterns: Vec::new(), allows_newer };
    let root = parser.or(0)?;
    match parser.tokens.next() {
        None => {
            let unaided = unaided(&root, false, &mut parser.patterns.iter().copied());
            unaided.map_or(Ok(Query { root }), |position| {
                let help = "add a word, or source:, category: or another field, without `-` and not behind OR";
                Err(problem(position, "`regex:` needs another term beside it", Some(help)))
            })
        }
        Some(Token { position, .. }) => Err(problem(position, "this bracket closes nothing", Some("remove it"))),
    }
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    /// The position behind the last character.
    end: usize,
    terms: usize,
    /// Where each pattern stands, in the order of the tree.
    patterns: Vec<usize>,
    allows_newer: bool,
}

impl Parser {
    fn position(&mut self) -> usize {
        self.tokens.peek().map_or(self.end, |token| token.position)
    }

    fn next_is(&mut self, kind: &Kind) -> bool {
        self.tokens.next_if(|token| token.kind == *kind).is_some()
    }

    fn or(&mut self, depth: usize) -> Result<Node, QueryProblem> {
        let mut nodes = vec![self.and(depth)?];
        while self.next_is(&Kind::Or) {
            nodes.push(self.and(depth)?);
        }
        Ok(if nodes.len() == 1 { nodes.remove(0) } else { Node::Or(nodes) })
    }

    fn and(&mut self, depth: usize) -> Result<Node, QueryProblem> {
        let mut nodes = vec![self.not(depth)?];
        loop {
            let explicit = self.next_is(&Kind::And);
            let ends = matches!(self.tokens.peek().map(|token| &token.kind), None | Some(Kind::Or | Kind::Close));
            if ends && !explicit {
                break;
            }
            nodes.push(self.not(depth)?);
        }
        // `a (b c)` and `a b c` are one query, so they are one tree.
        let flat: Vec<Node> =
            nodes.into_iter().flat_map(|node| if let Node::And(inner) = node { inner } else { vec![node] }).collect();
        Ok(if flat.len() == 1 { flat.into_iter().next().expect("there is one") } else { Node::And(flat) })
    }

    fn not(&mut self, depth: usize) -> Result<Node, QueryProblem> {
        let mut is_negative = false;
        while self.next_is(&Kind::Minus) {
            is_negative = !is_negative;
        }
        let node = self.primary(depth)?;
        Ok(match node {
            Node::Not(inner) if is_negative => *inner,
            other if is_negative => Node::Not(Box::new(other)),
            other => other,
        })
    }

    fn primary(&mut self, depth: usize) -> Result<Node, QueryProblem> {
        let position = self.position();
        let Some(token) = self.tokens.next() else {
            return Err(problem(position, "something is missing here", Some("write a word")));
        };
        match token.kind {
            Kind::Open => {
                if depth == DEPTH_LIMIT {
                    return Err(problem(position, format!("brackets are nested more than {DEPTH_LIMIT} deep"), None));
                }
                let node = self.or(depth + 1)?;
                if !self.next_is(&Kind::Close) {
                    return Err(problem(position, "this bracket is not closed", Some("add a `)`")));
                }
                Ok(node)
            }
            Kind::Close => {
                Err(problem(position, "nothing stands before this bracket", Some("write a word or remove it")))
            }
            Kind::Or | Kind::And => Err(problem(
                position,
                "an operator needs something on both sides",
                Some("quote it to look for the word"),
            )),
            Kind::Minus => Err(problem(position, "`-` stands alone", Some("write -word"))),
            Kind::Term { field, value } => {
                self.count(position)?;
                self.term(position, field.as_deref(), &value).map(Node::Term)
            }
            Kind::Pattern { written, position: inside } => {
                self.count(position)?;
                if self.patterns.len() == PATTERNS_LIMIT {
                    let what = format!("the query has more than {PATTERNS_LIMIT} patterns");
                    return Err(problem(position, what, Some("join them: regex:/one|other/")));
                }
                self.patterns.push(position);
                pattern(inside, &written).map(Node::Term)
            }
        }
    }

    fn count(&mut self, position: usize) -> Result<(), QueryProblem> {
        self.terms += 1;
        if self.terms > TERMS_LIMIT {
            return Err(problem(position, format!("the query has more than {TERMS_LIMIT} terms"), None));
        }
        Ok(())
    }

    fn term(&self, position: usize, field: Option<&str>, value: &Value) -> Result<Term, QueryProblem> {
        let Some(field) = field else { return words(Field::Any, value) };
        if value.is_prefix && !matches!(field, "title" | "author") {
            let what = format!("`*` means nothing behind `{field}:`");
            return Err(problem(value.position, what, Some("it stands behind words, also of title: and author:")));
        }
        match field {
            "title" => words(Field::Title, value),
            "author" => words(Field::Author, value),
            "category" => Ok(Term::Category(text::fold(filled(field, value)?))),
            "source" => Ok(Term::Source(key(field, value)?)),
            "topic" => Ok(Term::Topic(key(field, value)?)),
            "lang" => spoken(value),
            "url" => Ok(Term::Address(text::fold(filled(field, value)?))),
            "has" if value.text == "enclosure" => Ok(Term::HasEnclosure),
            "has" => Err(problem(value.position, format!("`has:{}` is not known", value.text), Some("has:enclosure"))),
            "after" => Ok(Term::After(instant(value)?, value.text.clone())),
            "before" => Ok(Term::Before(instant(value)?, value.text.clone())),
            "newer" if self.allows_newer => Ok(Term::Newer(span(value)?, value.text.clone())),
            "newer" => {
                let help = "use the topic's max_age";
                Err(problem(position, "`newer:` cannot decide who belongs to a topic", Some(help)))
            }
            other => Err(unknown(position, other)),
        }
    }
}

fn filled<'a>(field: &str, value: &'a Value) -> Result<&'a str, QueryProblem> {
    let text = value.text.trim();
    if text.is_empty() { Err(problem(value.position, format!("nothing stands in `{field}:`"), None)) } else { Ok(text) }
}

/// Keys of sources and topics are written alike.
fn key(field: &str, value: &Value) -> Result<String, QueryProblem> {
    let text = filled(field, value)?;
    let checked = SourceKey::new(text).map(|key| key.to_string());
    checked.map_err(|wrong| problem(value.position, wrong.to_string(), Some("keys stand in feeds.toml")))
}

fn spoken(value: &Value) -> Result<Term, QueryProblem> {
    let text = filled("lang", value)?;
    let help = "write lang:en or lang:pt-br";
    let range = language::range(text);
    range
        .map(Term::Language)
        .ok_or_else(|| problem(value.position, format!("`{text}` is no language code"), Some(help)))
}

fn pattern(position: usize, written: &str) -> Result<Term, QueryProblem> {
    if written.is_empty() {
        return Err(problem(position, "the pattern is empty", Some("write regex:/…/")));
    }
    let read = Pattern::read(written).map(Term::Pattern);
    read.map_err(|PatternProblem { offset, what }| problem(position + offset, what, None))
}

/// The position of the first pattern beside which nothing else has to hold: it would be tried on every text there is.
fn unaided(node: &Node, is_aided: bool, positions: &mut impl Iterator<Item = usize>) -> Option<usize> {
    match node {
        Node::And(nodes) => {
            let is_aided = is_aided || nodes.iter().any(aids);
            nodes.iter().find_map(|node| unaided(node, is_aided, positions))
        }
        Node::Or(nodes) => nodes.iter().find_map(|node| unaided(node, is_aided, positions)),
        Node::Not(node) => unaided(node, is_aided, positions),
        Node::Term(Term::Pattern(_)) => positions.next().filter(|_| !is_aided),
        Node::Term(_) => None,
    }
}

/// Whether it asks for something by itself, other than a pattern.
fn aids(node: &Node) -> bool {
    match node {
        Node::And(nodes) => nodes.iter().any(aids),
        Node::Or(nodes) => nodes.iter().all(aids),
        Node::Not(_) => false,
        Node::Term(term) => !matches!(term, Term::Pattern(_)),
    }
}

fn words(field: Field, value: &Value) -> Result<Term, QueryProblem> {
    let words = text::words(&value.text);
    if words.is_empty() {
        let what = format!("`{}` has neither letters nor digits", value.text);
        return Err(problem(value.position, what, Some("only words can be looked for")));
    }
    Ok(Term::Words { field, words, is_prefix: value.is_prefix })
}

/// A year, month, day (which begin at midnight UTC), or an instant of RFC 3339.
fn instant(value: &Value) -> Result<Timestamp, QueryProblem> {
    if let Ok(at) = chrono::DateTime::parse_from_rfc3339(&value.text) {
        return Ok(at.to_utc());
    }
    let spelt = match value.text.len() {
        4 => format!("{}-01-01", value.text),
        7 => format!("{}-01", value.text),
        _ => value.text.clone(),
    };
    let day = NaiveDate::parse_from_str(&spelt, "%Y-%m-%d");
    day.map(|day| day.and_time(NaiveTime::MIN).and_utc())
        .map_err(|_| problem(value.position, format!("`{}` is no date", value.text), Some("write 2026-11-01")))
}

fn span(value: &Value) -> Result<i64, QueryProblem> {
    let number = value.text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &value.text[number.len()..] {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3_600),
        "d" => Some(86_400),
        "w" => Some(7 * 86_400),
        _ => None,
    };
    let number = number.parse::<i64>().ok().filter(|number| (1..=100_000).contains(number));
    let span = number.zip(unit).map(|(number, unit)| number * unit);
    span.ok_or_else(|| problem(value.position, format!("`{}` is no span of time", value.text), Some("write 24h or 7d")))
}
