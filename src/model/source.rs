//! What we read: sources as `feeds.toml` declares them.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

/// Longest key of a source or topic, in characters. Keys become parts of addresses and of records on disk.
pub const KEY_LIMIT: usize = 64;

/// What is wrong with a key of a source or topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a key: use 1 to {KEY_LIMIT} lower-case letters, digits and hyphens, beginning with a letter or digit"
)]
pub struct KeyProblem(pub String);

fn checked(text: &str) -> Result<Arc<str>, KeyProblem> {
    let sound = (1..=KEY_LIMIT).contains(&text.len())
        && !text.starts_with('-')
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if sound { Ok(text.into()) } else { Err(KeyProblem(text.to_owned())) }
}

/// The stable short name of a source (`bbc-world`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceKey(Arc<str>);

impl SourceKey {
    /// # Errors
    /// When the text is not a key.
    pub fn new(text: &str) -> Result<Self, KeyProblem> {
        checked(text).map(Self)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SourceKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for SourceKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

/// The stable short name of a topic (`world-news`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicKey(Arc<str>);

impl TopicKey {
    /// # Errors
    /// When the text is not a key.
    pub fn new(text: &str) -> Result<Self, KeyProblem> {
        checked(text).map(Self)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for TopicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

/// The name under which a source's facts, guids and sightings are kept: its key when the store first met it.
///
/// A renamed source (`was = ["old-key"]`) keeps its scope, so that nothing on disk has to be rewritten and no published id moves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(pub Arc<str>);

impl Scope {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&SourceKey> for Scope {
    fn from(key: &SourceKey) -> Self {
        Self(Arc::clone(&key.0))
    }
}

/// Where a source is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// `http:` or `https:`, without userinfo (that went to [`Source::credentials`]).
    Http(Url),
    /// A local file; relative paths are already resolved against the folder of `feeds.toml`.
    File(PathBuf),
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(url) => write!(formatter, "{url}"),
            Self::File(path) => write!(formatter, "file:{}", path.display()),
        }
    }
}

/// A value that must never be printed: `Debug` hides it and there is no `Display`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value itself, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// HTTP Basic credentials of a source (RFC 7617).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    pub username: String,
    pub password: Secret,
}

/// What to send back with the next request (RFC 9110 §13), byte for byte as it was received.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Validators {
    /// The final address that they came from. They are never sent to another one.
    pub url: Option<Url>,
    pub etag: Option<Vec<u8>>,
    pub last_modified: Option<Vec<u8>>,
}

/// Which grounds may join a copy to an entry that exists, and how strict they are. A join needs its ground on both sides, and the
/// stricter thresholds of the two hold.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "one switch for each ground, as the file has them")]
pub struct Grounds {
    /// Across sources; within one source the same guid always means the same entry.
    pub same_guid: bool,
    pub same_url: bool,
    pub same_content: bool,
    pub near_duplicate: bool,
    /// Least share of the word runs of both texts together that they have in common, for near-duplicates of like length. From 0 to 1.
    pub threshold: f32,
    /// Least share of the shorter text's words that stand in the longer one, too. From 0 to 1.
    pub containment: f32,
}

impl Default for Grounds {
    fn default() -> Self {
        Self {
            same_guid: true,
            same_url: true,
            same_content: true,
            near_duplicate: true,
            threshold: 0.45,
            containment: 0.7,
        }
    }
}

/// One upstream feed as declared in `feeds.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    pub key: SourceKey,
    /// Keys that this source had before.
    pub was: Vec<SourceKey>,
    pub location: Location,
    /// The user's name for it; without one the source's own title is shown.
    pub title: Option<String>,
    pub topics: Vec<TopicKey>,
    /// Of an entry's sightings the one with the highest priority is shown.
    pub priority: i32,
    pub grounds: Grounds,
    /// More new entries than this in one document, and more than half of it, look like a mass re-issue.
    pub reissue_limit: usize,
    /// Shortest wait between two polls.
    pub min_interval: Duration,
    /// Longest wait between two polls while all is well.
    pub max_interval: Duration,
    /// How long a sighting is kept after the source's document last showed it.
    pub keep: Duration,
    /// Most sightings that are kept; all that are not too old without it.
    pub keep_entries: Option<usize>,
    /// Whether, and how, the full text of entries is read from their pages.
    pub full_text: Option<FullText>,
    pub credentials: Option<Credentials>,
    /// Further request headers; sent to the source's own origin only.
    pub headers: Vec<(String, Secret)>,
}

/// How the article of an entry's page is found, for a source whose feed holds less.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FullText {
    /// A CSS selector of what holds the article; found by itself without one.
    pub content_selector: Option<String>,
    /// CSS selectors of what does not belong to it.
    pub remove_selectors: Vec<String>,
}
