//! What is asked of a plan or a replay, and what they tell: on its way between a command and the daemon, and as JSON for programs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A configuration that is to be tried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub text: String,
    /// Where its relative paths start.
    pub folder: PathBuf,
    pub variables: BTreeMap<String, String>,
    /// Everything is told, not only the first of each kind.
    pub all: bool,
}

/// One thing that is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    Progress(Progress),
    /// An entry that a feed would show otherwise.
    Entry(Box<Differing>),
    /// Entries that would become one, or one that would become several.
    Group(Box<Group>),
    /// Two sightings that would be joined otherwise.
    Pair(Box<Pair>),
    /// The end of a plan.
    Plan(Box<Plan>),
    /// The end of a replay.
    Replay(Box<Replay>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub done: u64,
    pub of: u64,
}

/// What would become of an entry in a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    Appears,
    Vanishes,
    /// Another sighting's title, text and link.
    ShownDifferently,
}

/// An entry that a feed would show otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Differing {
    pub feed: String,
    pub fate: Fate,
    pub id: String,
    pub title: Option<String>,
    pub url: Option<String>,
    /// The one that is shown first; as the entry is now, or would be if it is not yet there.
    pub sources: Vec<String>,
}

/// Entries that would merge or part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    pub kind: GroupKind,
    /// Ids of the entries that would be one, or of what one would become.
    pub ids: Vec<String>,
    /// One for each of them, in the same order.
    pub titles: Vec<Option<String>>,
    pub sources: Vec<String>,
    /// The feeds that would show it.
    pub feeds: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupKind {
    Merge,
    Part,
}

/// What a changed configuration would do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plan {
    pub compared_with: String,
    /// What cannot be seen in lists of entries.
    pub notes: Vec<String>,
    pub sources: Changes,
    pub topics: Changes,
    /// Feeds that differ, in the order of their names.
    pub feeds: Vec<FeedChange>,
    pub merge: u64,
    pub part: u64,
    /// Sightings that would be removed for good.
    pub removed_sightings: u64,
    /// That were looked at.
    pub entries: u64,
}

impl Plan {
    /// Whether everything would stay as it is.
    pub fn is_empty(&self) -> bool {
        let Self { sources, topics, feeds, .. } = self;
        sources.is_empty() && topics.is_empty() && feeds.is_empty() && self.merge + self.part == 0
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Changes {
    pub added: Vec<String>,
    pub removed: Vec<String>,
    pub changed: Vec<Changed>,
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    pub key: String,
    /// Of its settings.
    pub what: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FeedChange {
    pub feed: String,
    pub appears: u64,
    pub vanishes: u64,
    pub shown_differently: u64,
}

/// Two sightings that would be joined otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    pub kind: PairKind,
    /// The one that was there already, and the one that joins it.
    pub sightings: [PairSighting; 2],
    /// On which they are joined now, or would be.
    pub ground: String,
    pub score: f32,
    pub evidence: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PairKind {
    /// One entry now, and would be two.
    WouldPart,
    /// Two entries now, and would be one.
    WouldJoin,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairSighting {
    pub source: String,
    pub title: Option<String>,
    pub url: Option<String>,
    /// Of the entry that holds it now.
    pub entry: String,
}

/// What other settings of merging would have done.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Replay {
    pub sightings: u64,
    /// That were left out, because there are more than one replay can hold.
    pub left_out: u64,
    pub entries_now: u64,
    pub entries_then: u64,
    pub would_part: u64,
    pub would_join: u64,
}
