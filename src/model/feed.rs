//! What we publish: feeds and their formats.

use std::fmt;

use super::source::{Scope, SourceKey, TopicKey};

/// What of pictures and players stays in the texts that we publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Media {
    /// Pictures, sound, films, and the players of a few known hosts.
    #[default]
    All,
    /// Pictures; of all else a link.
    Images,
    /// No pictures, and of all else a link.
    None,
}

/// One of the feeds that we publish.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FeedName {
    All,
    Topic(TopicKey),
    Source(SourceKey),
}

impl fmt::Display for FeedName {
    /// The feed's path without the leading slash and the suffix: `all`, `topics/world-news`, `sources/bbc-world`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => formatter.write_str("all"),
            Self::Topic(key) => write!(formatter, "topics/{key}"),
            Self::Source(key) => write!(formatter, "sources/{key}"),
        }
    }
}

/// A feed as the store knows it: sources by their scope, so that a renamed source keeps its feed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FeedId {
    All,
    Topic(TopicKey),
    Source(Scope),
}

/// The formats of our feeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    Atom,
    Rss,
    Json,
}

impl Format {
    pub const ALL: [Self; 3] = [Self::Atom, Self::Rss, Self::Json];

    /// The suffix of the feed's address.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Atom => "atom",
            Self::Rss => "rss",
            Self::Json => "json",
        }
    }

    /// RFC 4287 §7, the RSS Advisory Board's profile, JSON Feed 1.1.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Atom => "application/atom+xml; charset=utf-8",
            Self::Rss => "application/rss+xml; charset=utf-8",
            Self::Json => "application/feed+json; charset=utf-8",
        }
    }
}
