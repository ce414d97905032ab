//! What every sighting that a query finds certainly fulfils: for whoever proposes candidates from an index of his own.

use crate::model::Timestamp;
use crate::query::{Field, Node, Query, Term};

/// A condition that is necessary, and as a rule not sufficient: [`Query::matches`] alone decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needs {
    /// These words, folded as by [`crate::text::words`], follow each other within the title or within one text (within the title,
    /// within one author); of the last one only the beginning, if `is_prefix`. Never empty.
    Words {
        field: Field,
        words: Vec<String>,
        is_prefix: bool,
    },
    /// A whole category, folded.
    Category(String),
    /// The key of the sighting's source.
    Source(String),
    /// The key of a topic that the sighting's source names.
    Topic(String),
    /// A language range (RFC 4647 §3.3.1) in small letters, of the claimed language, or of the detected one where none is claimed.
    Language(String),
    HasEnclosure,
    /// Published at this instant or later.
    After(Timestamp),
    /// Published before this instant.
    Before(Timestamp),
    /// Two or more, none of which is `Anything` or `All`.
    All(Vec<Needs>),
    /// Two or more, none of which is `Anything` or `Any`.
    Any(Vec<Needs>),
    /// Nothing is certain: every sighting has to be looked at.
    Anything,
}

impl Query {
    /// What no sighting can lack that this query finds. What an index cannot tell (`-`, `url:`, `regex:`, `newer:`) is left out.
    pub fn needs(&self) -> Needs {
        needs(&self.root)
    }
}

fn needs(node: &Node) -> Needs {
    match node {
        Node::And(nodes) => all(nodes),
        Node::Or(nodes) => any(nodes),
        Node::Not(_) => Needs::Anything,
        Node::Term(term) => of_term(term),
    }
}

fn all(nodes: &[Node]) -> Needs {
    let mut parts = Vec::new();
    for node in nodes {
        match needs(node) {
            Needs::Anything => {}
            Needs::All(inner) => parts.extend(inner),
            part => parts.push(part),
        }
    }
    match parts.len() {
        0 => Needs::Anything,
        1 => parts.remove(0),
        _ => Needs::All(parts),
    }
}

fn any(nodes: &[Node]) -> Needs {
    let mut parts = Vec::new();
    for node in nodes {
        match needs(node) {
            Needs::Anything => return Needs::Anything,
            Needs::Any(inner) => parts.extend(inner),
            part => parts.push(part),
        }
    }
    if parts.len() == 1 { parts.remove(0) } else { Needs::Any(parts) }
}

fn of_term(term: &Term) -> Needs {
    match term {
        Term::Words { field, words, is_prefix } => {
            Needs::Words { field: *field, words: words.clone(), is_prefix: *is_prefix }
        }
        Term::Category(name) => Needs::Category(name.clone()),
        Term::Source(key) => Needs::Source(key.clone()),
        Term::Topic(key) => Needs::Topic(key.clone()),
        Term::Language(tag) => Needs::Language(tag.clone()),
        Term::HasEnclosure => Needs::HasEnclosure,
        Term::After(at, _) => Needs::After(*at),
        Term::Before(at, _) => Needs::Before(*at),
        Term::Address(_) | Term::Newer(..) | Term::Pattern(_) => Needs::Anything,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::parse;

    fn told(needs: &Needs) -> String {
        let list = |parts: &[Needs]| parts.iter().map(told).collect::<Vec<_>>().join(", ");
        match needs {
            Needs::Words { field, words, is_prefix } => {
                format!("{field:?} {}{}", words.join(" "), if *is_prefix { "*" } else { "" })
            }
            Needs::Category(name) => format!("category {name}"),
            Needs::Source(key) => format!("source {key}"),
            Needs::Topic(key) => format!("topic {key}"),
            Needs::Language(tag) => format!("language {tag}"),
            Needs::HasEnclosure => "enclosure".to_owned(),
            Needs::After(at) => format!("after {}", at.format("%F")),
            Needs::Before(at) => format!("before {}", at.format("%F")),
            Needs::All(parts) => format!("all [{}]", list(parts)),
            Needs::Any(parts) => format!("any [{}]", list(parts)),
            Needs::Anything => "anything".to_owned(),
        }
    }

    #[test]
    fn needs_are_what_no_match_can_lack() {
        for (query, expected) in [
            ("Zürich", "Any zurich"),
            ("\"mutual def\"*", "Any mutual def*"),
            ("title:summit author:desk", "all [Title summit, Author desk]"),
            ("summit -sports", "Any summit"),
            ("-sports", "anything"),
            ("--summit", "Any summit"),
            ("a OR (b OR c)", "any [Any a, Any b, Any c]"),
            ("a OR -b", "anything"),
            ("(a OR url:x) b", "Any b"),
            ("(a OR b c) (d e)", "all [any [Any a, all [Any b, Any c]], Any d, Any e]"),
            ("url:example.org newer:24h", "anything"),
            ("regex:/a.c/ (b OR c)", "any [Any b, Any c]"),
            ("category:\"World News\" lang:en-GB", "all [category world news, language en-gb]"),
            ("source:bbc topic:world has:enclosure", "all [source bbc, topic world, enclosure]"),
            ("after:2026-11-01 before:2026-12", "all [after 2026-11-01, before 2026-12-01]"),
        ] {
            assert_eq!(told(&parse(query).unwrap().needs()), expected, "{query}");
        }
    }
}
