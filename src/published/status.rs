//! How the service stands, as pages, metrics and `list` tell it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::model::Timestamp;
use crate::model::entry::PublicId;
use crate::model::feed::FeedName;
use crate::model::source::{SourceKey, TopicKey};

/// A snapshot of the whole service. No secrets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Status {
    pub title: String,
    /// Where our feeds live, ending with a slash; `None` before the configuration was read.
    pub base: Option<Url>,
    /// Why nothing new can be kept; `None` while all is well.
    pub not_ready: Option<String>,
    /// Why the edited configuration is not in effect; `None` when it is.
    pub config_problem: Option<String>,
    /// In the order of the file.
    pub sources: Vec<SourceStatus>,
    pub topics: Vec<TopicStatus>,
    /// Feeds of these sources that whoever may read this may not read.
    pub unlisted: BTreeSet<FeedName>,
    /// The newest entries.
    pub latest: Vec<Headline>,
    pub entries: u64,
    pub sightings: u64,
    pub store_bytes: u64,
    /// The index that searches run on; `None` where there is none.
    pub search: Option<SearchStatus>,
}

/// How the index for searches stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchStatus {
    /// Sightings in it.
    pub documents: u64,
    /// Commits of the store that it does not have yet.
    pub behind: u64,
    pub bytes: u64,
    /// Why searches look through the newest entries only; `None` while they run on the index.
    pub note: Option<String>,
}

impl Status {
    /// Whether pages and lists are to name a feed.
    pub fn lists(&self, feed: &FeedName) -> bool {
        !self.unlisted.contains(feed)
    }
}

/// How a source fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    Failing,
    Throttled,
    Gone,
    New,
    Good,
}

impl Health {
    pub fn name(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Throttled => "throttled",
            Self::Gone => "gone",
            Self::New => "new",
            Self::Good => "good",
        }
    }
}

/// One source.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceStatus {
    pub key: SourceKey,
    pub title: String,
    /// For people; without userinfo and without a query that may hold a token.
    pub address: String,
    /// For programs; `None` for a file.
    pub feed_address: Option<Url>,
    pub site: Option<Url>,
    pub topics: Vec<TopicKey>,
    pub health: Health,
    /// What went wrong at the last poll.
    pub reason: Option<String>,
    pub last_success: Option<Timestamp>,
    /// `None` when it is not polled any more.
    pub next_poll: Option<Timestamp>,
    pub failures: u32,
    /// Sightings stored.
    pub entries: u64,
    /// Of these so many are held back, as a mass re-issue.
    pub held: u64,
    pub notes: Vec<String>,
}

/// One topic.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicStatus {
    pub key: TopicKey,
    pub title: String,
    /// What takes entries in, besides the sources that name the topic.
    pub query: Option<String>,
}

/// One entry on the front page.
#[derive(Debug, Clone, PartialEq)]
pub struct Headline {
    pub id: PublicId,
    pub title: String,
    pub url: Option<Url>,
    pub published: Timestamp,
    /// Titles of its sources, the shown one first.
    pub sources: Vec<String>,
}
