//! Tokens → tree.

use chrono::{NaiveDate, NaiveTime};

use crate::model::Timestamp;
use crate::query::lex::{self, Kind, Token, Value, problem};
use crate::query::{DEPTH_LIMIT, Field, LENGTH_LIMIT, Node, Query, QueryProblem, TERMS_LIMIT, Term};
use crate::text;

const FIELDS: &[&str] =
    &["title", "author", "category", "source", "topic", "lang", "url", "has", "after", "before", "newer", "regex"];

pub(super) fn parse(text: &str, allows_newer: bool) -> Result<Query, QueryProblem> {
    if text.chars().count() > LENGTH_LIMIT {
        let what = format!("the query is longer than {LENGTH_LIMIT} characters");
        return Err(problem(LENGTH_LIMIT + 1, what, None));
    }
    let tokens = lex::tokens(text)?;
    let end = text.chars().count() + 1;
    let mut parser = Parser { tokens: tokens.into_iter().peekable(), end, terms: 0, allows_newer };
    let root = parser.or(0)?;
    match parser.tokens.next() {
        None => Ok(Query { root }),
        Some(Token { position, .. }) => Err(problem(position, "this bracket closes nothing", Some("remove it"))),
    }
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    /// The position behind the last character.
    end: usize,
    terms: usize,
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
                self.terms += 1;
                if self.terms > TERMS_LIMIT {
                    return Err(problem(position, format!("the query has more than {TERMS_LIMIT} terms"), None));
                }
                self.term(position, field.as_deref(), &value).map(Node::Term)
            }
        }
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
            "source" => Ok(Term::Source(filled(field, value)?.to_owned())),
            "topic" => Ok(Term::Topic(filled(field, value)?.to_owned())),
            "lang" => Ok(Term::Language(filled(field, value)?.to_ascii_lowercase())),
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
            "regex" => Err(problem(position, "`regex:` is not supported yet", Some("use words, \"phrases\" or word*"))),
            other => Err(unknown(position, other)),
        }
    }
}

fn unknown(position: usize, field: &str) -> QueryProblem {
    let near = FIELDS.iter().filter(|known| strsim::damerau_levenshtein(known, &field.to_lowercase()) <= 2);
    let near = near.min_by_key(|known| strsim::damerau_levenshtein(known, field));
    let help =
        near.map_or_else(|| "quote it to look for it as text".to_owned(), |near| format!("did you mean `{near}:`?"));
    problem(position, format!("there is no field `{field}:`"), Some(&help))
}

fn filled<'a>(field: &str, value: &'a Value) -> Result<&'a str, QueryProblem> {
    let text = value.text.trim();
    if text.is_empty() { Err(problem(value.position, format!("nothing stands in `{field}:`"), None)) } else { Ok(text) }
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
