//! Why an entry is as it is, or is not there: the answer of `feedmill why` and of an entry's page, and at the same time its JSON.
//! Names of fields once published stay. No secrets.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use url::Url;

use crate::model::Timestamp;
use crate::model::access::Audience;
use crate::model::entry::PublicId;

/// What is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    Id(PublicId),
    /// In any spelling.
    Address(Url),
}

impl Asked {
    /// Reads an id as it is published, with or without `urn:uuid:`, or an address, with or without its scheme.
    ///
    /// # Errors
    /// A sentence that says how both look.
    pub fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(id) = PublicId::read(text) {
            return Ok(Self::Id(id));
        }
        let problem = || {
            format!(
                "`{text}` is neither an entry's id (urn:uuid:… or what follows it) nor an address (https://example.org/news/1)"
            )
        };
        let has_scheme = text.contains("://");
        let looks_bare = text.contains('.') && !text.contains(|letter: char| letter.is_whitespace() || letter == '@');
        let spelt = if has_scheme { text.to_owned() } else { format!("https://{text}") };
        let url = Url::parse(&spelt).ok().filter(|_| has_scheme || looks_bare);
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        url.map(Self::Address).ok_or_else(problem)
    }
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub asked: Asked,
    /// Why it is, or is not, in this feed: `all`, a topic's or a source's key, or a feed's path.
    pub feed: Option<String>,
    /// Whom the account is for.
    pub audience: Audience,
}

/// A time as JSON writes it: RFC 3339, UTC, seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub Timestamp);

impl Moment {
    /// For programs.
    pub fn iso(&self) -> String {
        self.0.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    }

    /// For people.
    pub fn text(&self) -> String {
        self.0.format("%e %b %Y, %H:%M UTC").to_string()
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.iso())
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        chrono::DateTime::parse_from_rfc3339(&text).map(|at| Self(at.to_utc())).map_err(de::Error::custom)
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Account {
    Entry(Box<EntryAccount>),
    Removed(RemovedAccount),
    NeverSeen(MissingAccount),
    /// There is no such feed.
    NoFeed(NoFeed),
}

/// The feed that was asked about does not exist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoFeed {
    pub text: String,
}

/// An entry that is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EntryAccount {
    /// `urn:uuid:…`
    pub id: String,
    /// Its page.
    pub page: String,
    pub title: Option<String>,
    pub url: Option<String>,
    pub first_seen: Moment,
    pub published: Option<Moment>,
    /// The id that was asked for, where it is another one: it was given up for this entry's.
    pub given_up: Option<String>,
    /// Why nobody is shown it, in a sentence; `None` when it is shown.
    pub hidden: Option<String>,
    /// Why what is shown is of that source.
    pub shown_because: Option<String>,
    /// In the order of joining.
    pub sightings: Vec<SightingAccount>,
    /// Further sightings, that are not told.
    pub more_sightings: usize,
    /// The entry that is most like it and was not joined with it.
    pub nearest: Option<NearestAccount>,
    /// Others at the address that was asked for.
    pub others: Vec<OtherEntry>,
    /// Every feed that holds it.
    pub feeds: Vec<HeldBy>,
    /// About the feed that was asked for.
    pub feed: Option<FeedVerdict>,
    /// Its sources and how their last polls went.
    pub sources: Vec<SourceAccount>,
}

/// One source's copy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SightingAccount {
    pub source: String,
    pub source_title: String,
    /// `false` when the source is no longer declared: it is kept, but not shown.
    pub is_declared: bool,
    /// Whether its title, text and link are what readers see.
    pub is_shown: bool,
    /// The id that it would have alone, and that leads to the entry.
    pub id: String,
    pub guid: Option<String>,
    pub url: Option<String>,
    pub title: Option<String>,
    /// As its publisher claims.
    pub published: Option<Moment>,
    pub first_seen: Moment,
    /// When its title or text last changed.
    pub updated: Option<Moment>,
    /// Since when its source's document no longer shows it.
    pub left: Option<Moment>,
    /// `first`, `same-guid`, `same-url`, `same-content`, `near-duplicate`.
    pub ground: String,
    pub score: f32,
    pub evidence: String,
    /// The source of the sighting that it was compared with when it joined.
    pub matched: Option<String>,
    /// Its text against that one's; `None` for the first.
    pub difference: Option<TextDifference>,
}

/// What differs between two texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextDifference {
    /// The source of the text that it is compared with.
    pub with: String,
    pub is_equal: bool,
    /// Only so many words of long texts are compared.
    pub is_cut: bool,
    pub pieces: Vec<TextPiece>,
}

/// A run of words of a [`TextDifference`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextPiece {
    Same(String),
    /// In the other text only.
    Removed(String),
    /// In this text only.
    Added(String),
    /// So many words that are the same.
    Skipped(usize),
}

/// The entry that came nearest without being joined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NearestAccount {
    pub entry: OtherEntry,
    /// Of the sighting that came nearest to it.
    pub source: String,
    pub score: f32,
    /// Why they are two.
    pub verdict: String,
}

/// Another entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OtherEntry {
    pub id: String,
    pub page: String,
    pub title: Option<String>,
    pub sources: Vec<String>,
}

/// A feed that holds an entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldBy {
    /// Its path: `all`, `topics/world-news`, `sources/bbc-world`.
    pub feed: String,
    pub title: String,
    /// Where it stands in the feed's order: the time at which it joined it, by the feed's reckoning.
    pub since: Moment,
}

/// Whether an entry is in a feed's document, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeedVerdict {
    pub feed: String,
    pub title: String,
    /// Whether the feed holds it at all.
    pub belongs: bool,
    /// Whether it is in the current document, without parameters.
    pub is_in_document: bool,
    /// On which page of the feed it is, from 1.
    pub page: Option<usize>,
    /// Sentences, the most telling one first.
    pub reasons: Vec<String>,
    /// The topic's query, for each sighting.
    pub queries: Vec<QueryVerdict>,
}

/// A topic's query applied to one sighting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QueryVerdict {
    pub source: String,
    pub query: TermVerdict,
}

/// One branch of a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TermVerdict {
    /// As it can be written.
    pub text: String,
    /// `term`, `all`, `any`, `not`.
    pub kind: String,
    pub holds: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub branches: Vec<TermVerdict>,
}

/// An entry that was stored once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RemovedAccount {
    /// `urn:uuid:…`
    pub id: String,
    /// What was asked for.
    pub asked: String,
    pub removed: Moment,
    pub text: String,
}

/// Something that is not in the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MissingAccount {
    pub asked: String,
    pub text: String,
    /// Sources that would be likely to bring it, the likeliest first.
    pub sources: Vec<SourceAccount>,
}

/// A source and how its last polls went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceAccount {
    pub source: String,
    pub title: String,
    /// Without secrets.
    pub address: String,
    /// Why it is told here, in a few words.
    pub why: String,
    pub last_attempt: Option<Moment>,
    pub last_success: Option<Moment>,
    pub problem: Option<String>,
    /// What its last document held.
    pub document: Option<DocumentAccount>,
    /// The last ones, newest first.
    pub polls: Vec<PollAccount>,
}

/// What a document held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DocumentAccount {
    pub at: Moment,
    pub entries: u32,
    /// The earliest time that one of its entries claimed.
    pub oldest: Option<Moment>,
}

/// One poll.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PollAccount {
    pub at: Moment,
    /// `fresh`, `not_modified`, `throttled`, `gone`, `failed`.
    pub outcome: String,
    /// What went wrong.
    pub reason: Option<String>,
    /// Entries of the document, where one came.
    pub entries: Option<u32>,
    pub new: u32,
    pub joined: u32,
    pub updated: u32,
}

impl PollAccount {
    /// For people.
    pub fn text(&self) -> String {
        let Self { new, joined, updated, .. } = self;
        match (&self.reason, self.entries) {
            (Some(reason), _) => reason.clone(),
            (None, Some(entries)) if (*new, *joined, *updated) == (0, 0, 0) => {
                format!("{}, nothing new", self::entries(entries))
            }
            (None, Some(entries)) => {
                format!("{}: {new} new, {joined} joined, {updated} updated", self::entries(entries))
            }
            (None, None) => self.outcome.replace('_', " "),
        }
    }
}

/// A number of entries, for people.
pub fn entries(count: u32) -> String {
    if count == 1 { "1 entry".to_owned() } else { format!("{count} entries") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_addresses_are_read_in_any_spelling() {
        let id = "6f0f3f39-6a0c-5d1e-9c55-0c1f6d7f3b52";
        for text in [id, &format!("urn:uuid:{id}"), &format!("URN:UUID:{}", id.to_uppercase()), &format!(" {id} ")] {
            let Ok(Asked::Id(read)) = Asked::read(text) else { panic!("{text} is an id") };
            assert_eq!(read.to_string(), format!("urn:uuid:{id}"));
        }
        for (text, expected) in [
            ("https://example.org/news/1", "https://example.org/news/1"),
            ("example.org/news", "https://example.org/news"),
            ("http://[::1]:80/a b", "http://[::1]/a%20b"),
        ] {
            assert_eq!(Asked::read(text), Ok(Asked::Address(expected.parse().unwrap())), "{text}");
        }
        for text in ["", "news", "urn:uuid:6f0f", "mailto:a@example.org", "ftp://example.org/", "two words.", &id[1..]]
        {
            assert!(Asked::read(text).unwrap_err().contains("urn:uuid:"), "{text}");
        }
    }

    #[test]
    fn times_are_written_and_read() {
        let moment = Moment(Timestamp::UNIX_EPOCH);
        let text = serde_json::to_string(&moment).unwrap();
        assert_eq!(text, "\"1970-01-01T00:00:00Z\"");
        assert_eq!(serde_json::from_str::<Moment>(&text).unwrap(), moment);
    }
}
