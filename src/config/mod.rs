//! `feeds.toml` → checked values. Pure: the text, the environment and a way to read secret files come in as arguments.
//!
//! ```text
//! text ─toml→ spanned tables ─table::Reader→ values with units ─check→ Config
//! ```
//! Every problem is collected with its place; a file with one problem gives no configuration at all.

mod access;
mod address;
mod check;
pub mod edit;
pub mod hub;
mod merging;
pub mod overrides;
mod problem;
mod read;
mod table;
mod units;

#[cfg(test)]
mod tests;

pub use problem::Problem;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use crate::model::access::Access;
use crate::model::feed::Media;
use crate::model::source::{Source, TopicKey};
use crate::query::Query;

/// What surrounds the text.
pub struct Surroundings<'a> {
    /// The environment.
    pub variables: &'a BTreeMap<String, String>,
    /// The folder of `feeds.toml`; relative paths start there.
    pub folder: &'a Path,
    /// Reads a file that holds a secret.
    pub read_file: &'a dyn Fn(&Path) -> std::io::Result<String>,
}

/// All of `feeds.toml`, as meant.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub server: Server,
    pub store: StoreSettings,
    pub poll: PollSettings,
    pub merging: Merging,
    pub hub: hub::Hub,
    pub search: SearchSettings,
    /// Who may read what: `[access]`, and every `access` and `private`.
    pub access: Arc<Access>,
    /// In the order of the file.
    pub sources: Vec<Arc<Source>>,
    /// Declared ones in the order of the file, then those that only sources name.
    pub topics: Vec<Topic>,
    /// What is allowed but probably not meant.
    pub warnings: Vec<Problem>,
}

/// `[server]`
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    pub listen: SocketAddr,
    /// Ends with a slash.
    pub public_url: Option<Url>,
    pub title: String,
    /// For rendered documents in memory, all together.
    pub cache_bytes: u64,
    /// Most connections of readers at once.
    pub connections: usize,
    /// What of pictures and players stays in texts.
    pub media: Media,
    /// Threads that answer readers; as many as the machine has cores when `None`.
    pub threads: Option<usize>,
}

/// `[store]`
#[derive(Debug, Clone, PartialEq)]
pub struct StoreSettings {
    pub path: PathBuf,
    pub cache_bytes: u64,
    /// How long a sighting is kept after its source's document last showed it, where the source says nothing else.
    pub keep: Duration,
}

/// `[poll]`
#[derive(Debug, Clone, PartialEq)]
pub struct PollSettings {
    /// Requests under way at once.
    pub concurrency: usize,
    /// Of these to one host.
    pub per_host: usize,
    /// Between the beginnings of two requests to one host.
    pub host_delay: Duration,
    pub connect_timeout: Duration,
    /// For a whole request with its answer.
    pub timeout: Duration,
    /// In bytes, counted after decompression.
    pub body_limit: u64,
    /// Networks in which sources of this file may live.
    pub allow_private: Vec<IpNet>,
    /// Whether pages that entries name may lie in private networks: for a lab, since publishers choose these addresses.
    pub allow_private_links: bool,
    pub hosts: BTreeMap<String, HostPace>,
    /// An address or a page that publishers can turn to.
    pub contact: Option<String>,
}

/// `[search]`
#[derive(Debug, Clone, PartialEq)]
pub struct SearchSettings {
    /// Whether searches run on an index. Without one they look through the newest entries.
    pub enabled: bool,
    /// For documents on their way into the index.
    pub memory_bytes: u64,
}

/// `[poll.hosts."example.org"]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostPace {
    pub per_host: usize,
    pub host_delay: Duration,
}

/// `[merging]`, `[[merge]]` and `[[never_merge]]`
#[derive(Debug, Clone, PartialEq)]
pub struct Merging {
    /// Near-duplicates lie no further apart in time.
    pub window: Duration,
    /// After how long a mass re-issue that was held back is let go; only when somebody says so without it.
    pub release_after: Option<Duration>,
    /// In the order of the file.
    pub rules: Vec<MergeRule>,
}

/// What the user knows better about which copies are the same.
#[derive(Debug, Clone, PartialEq)]
pub struct MergeRule {
    pub kind: RuleKind,
    pub of: RuleScope,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleKind {
    /// `[[merge]]`
    Together,
    /// `[[never_merge]]`
    Apart,
}

/// Which copies a rule speaks of.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleScope {
    /// Those at these addresses, among one another; at least two.
    Urls(Vec<Url>),
    /// Those that match: for `[[merge]]` when their titles are equal, too, and they lie within the window; for `[[never_merge]]` each of them
    /// with anything else.
    Query(Query),
}

/// `[topics.KEY]`
#[derive(Debug, Clone, PartialEq)]
pub struct Topic {
    pub key: TopicKey,
    pub title: Option<String>,
    pub matches: Option<Query>,
    /// Most entries of one source in the current document.
    pub per_source: Option<usize>,
    /// Older entries leave the current document.
    pub max_age: Option<Duration>,
}

/// Reads and checks the whole text.
///
/// # Errors
/// Every problem there is, in the order of the text.
pub fn read(text: &str, around: &Surroundings<'_>) -> Result<Config, Vec<Problem>> {
    read::read(text, around)
}
