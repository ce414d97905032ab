//! Tree → text that reads as the same tree.

use std::fmt::{self, Display, Formatter};

use crate::query::{Field, Node, Query, Term};

impl Display for Query {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.root.fmt(formatter)
    }
}

impl Display for Node {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(nodes) => joined(formatter, nodes, " ", |node| matches!(node, Self::Or(_))),
            Self::Or(nodes) => joined(formatter, nodes, " OR ", |node| matches!(node, Self::Or(_))),
            Self::Not(node) => {
                formatter.write_str("-")?;
                bracketed(formatter, node, !matches!(**node, Self::Term(_)))
            }
            Self::Term(term) => term.fmt(formatter),
        }
    }
}

fn joined(
    formatter: &mut Formatter<'_>,
    nodes: &[Node],
    between: &str,
    needs_brackets: fn(&Node) -> bool,
) -> fmt::Result {
    for (index, node) in nodes.iter().enumerate() {
        if index > 0 {
            formatter.write_str(between)?;
        }
        bracketed(formatter, node, needs_brackets(node))?;
    }
    Ok(())
}

fn bracketed(formatter: &mut Formatter<'_>, node: &Node, needs_brackets: bool) -> fmt::Result {
    if needs_brackets { write!(formatter, "({node})") } else { node.fmt(formatter) }
}

impl Display for Term {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words { field, words, is_prefix } => {
                formatter.write_str(match field {
                    Field::Any => "",
                    Field::Title => "title:",
                    Field::Author => "author:",
                })?;
                write!(formatter, "\"{}\"", words.join(" "))?;
                formatter.write_str(if *is_prefix { "*" } else { "" })
            }
            Self::Category(name) => write!(formatter, "category:\"{name}\""),
            Self::Source(key) => write!(formatter, "source:\"{key}\""),
            Self::Topic(key) => write!(formatter, "topic:\"{key}\""),
            Self::Language(tag) => write!(formatter, "lang:\"{tag}\""),
            Self::Address(part) => write!(formatter, "url:\"{part}\""),
            Self::Pattern(pattern) => write!(formatter, "regex:/{}/", pattern.written),
            Self::HasEnclosure => formatter.write_str("has:enclosure"),
            Self::After(_, written) => write!(formatter, "after:\"{written}\""),
            Self::Before(_, written) => write!(formatter, "before:\"{written}\""),
            Self::Newer(_, written) => write!(formatter, "newer:\"{written}\""),
        }
    }
}
