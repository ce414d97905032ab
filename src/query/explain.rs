//! Why does a sighting match, or why not? The tree of the query with an answer at every branch.

use crate::model::Timestamp;
use crate::query::matching::{Candidate, has};
use crate::query::{Node, Query};

/// How the branches of an [`Explained`] make up its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Branching {
    /// A single term.
    Term,
    /// Yes, when all of them are.
    All,
    /// Yes, when one of them is.
    Any,
    /// Yes, when it is not.
    Not,
}

/// One branch of a query, as text that reads as the same branch, and whether it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    pub text: String,
    pub branching: Branching,
    pub holds: bool,
    /// Every branch below, also those that decide nothing any more.
    pub branches: Vec<Explained>,
}

impl Query {
    /// As [`Query::matches`], term by term.
    pub fn explain(&self, candidate: &Candidate<'_>, now: Timestamp) -> Explained {
        explain(&self.root, candidate, now)
    }
}

fn explain(node: &Node, candidate: &Candidate<'_>, now: Timestamp) -> Explained {
    let all = |nodes: &[Node]| nodes.iter().map(|node| explain(node, candidate, now)).collect::<Vec<_>>();
    let (branching, branches) = match node {
        Node::Term(_) => (Branching::Term, Vec::new()),
        Node::And(nodes) => (Branching::All, all(nodes)),
        Node::Or(nodes) => (Branching::Any, all(nodes)),
        Node::Not(node) => (Branching::Not, vec![explain(node, candidate, now)]),
    };
    let holds = match node {
        Node::Term(term) => has(term, candidate, now),
        Node::And(_) => branches.iter().all(|branch| branch.holds),
        Node::Or(_) => branches.iter().any(|branch| branch.holds),
        Node::Not(_) => !branches.iter().all(|branch| branch.holds),
    };
    Explained { text: node.to_string(), branching, holds, branches }
}
