//! What a publisher sent: one document's observations, as claimed.
//!
//! A publisher *claims*, so every field that a document may leave out is an `Option` and keeps the field's own name.

use std::time::Duration;

use chrono::Weekday;
use url::Url;

use super::Timestamp;

/// HTML as the publisher wrote it. It may hold anything; only `render` may turn it into something that is sent on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RawHtml(pub String);

/// The entry's identifier by its publisher: RSS `guid`, Atom `id`, RDF `about`, JSON Feed `id`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Guid {
    /// As given, without white space around it. Never empty.
    pub value: String,
    /// RSS `isPermaLink`, where the document says it.
    pub is_permalink: Option<bool>,
}

/// RSS `author`/`dc:creator`, Atom `author`, JSON Feed `authors`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Person {
    pub name: String,
    pub url: Option<Url>,
}

/// RSS `enclosure`, Atom `link rel=enclosure`, JSON Feed `attachments`, `media:content`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Enclosure {
    pub url: Url,
    pub media_type: Option<String>,
    /// In bytes. A claim: publishers often send 0 or nonsense.
    pub length: Option<u64>,
    pub title: Option<String>,
}

/// Where a publisher says that it has an entry from: RSS `source`, `atom:source`. At least one of them is there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Origin {
    pub title: Option<String>,
    /// The site's page.
    pub url: Option<Url>,
    pub feed: Option<Url>,
    /// The `atom:id` of the other feed.
    pub id: Option<String>,
    /// When the other feed changed, as it says.
    pub updated: Option<Timestamp>,
}

/// What belongs to an entry and lies elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Related {
    pub kind: RelatedKind,
    pub url: Url,
    pub media_type: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RelatedKind {
    /// A page for remarks: RSS `comments`.
    Comments,
    /// `podcast:transcript`.
    Transcript,
    /// `podcast:chapters`.
    Chapters,
    /// A picture that stands for the entry: `media:thumbnail`, `itunes:image`, JSON Feed `image`.
    Image,
    /// The page that the entry is about, where it has one of its own too: JSON Feed `external_url`.
    Subject,
}

impl RelatedKind {
    pub const ALL: [Self; 5] = [Self::Comments, Self::Transcript, Self::Chapters, Self::Image, Self::Subject];

    pub fn name(self) -> &'static str {
        match self {
            Self::Comments => "comments",
            Self::Transcript => "transcript",
            Self::Chapters => "chapters",
            Self::Image => "image",
            Self::Subject => "subject",
        }
    }
}

/// What an entry carries beside its text: for players, and for readers that show more than a text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Particulars {
    pub related: Vec<Related>,
    pub origin: Option<Origin>,
    /// Of what is played.
    pub duration: Option<Duration>,
    pub episode: Option<u32>,
    pub season: Option<u32>,
    /// Whether it is not for children: `itunes:explicit`.
    pub is_explicit: Option<bool>,
}

impl Particulars {
    /// What is related in one way, in the publisher's order.
    pub fn of(&self, kind: RelatedKind) -> impl Iterator<Item = &Related> {
        self.related.iter().filter(move |related| related.kind == kind)
    }
}

/// One entry as one document showed it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observation {
    pub guid: Option<Guid>,
    /// Plain text, white space folded, never empty.
    pub title: Option<String>,
    /// The entry's own page: RSS `link`, Atom `link rel=alternate`, JSON Feed `url`; absolute, http or https.
    pub url: Option<Url>,
    /// Only as claimed; `None` when missing, unreadable or absurd.
    pub published: Option<Timestamp>,
    /// Only as claimed; `None` when the format merely copies `published`.
    pub updated: Option<Timestamp>,
    pub authors: Vec<Person>,
    pub categories: Vec<String>,
    pub summary: Option<RawHtml>,
    pub content: Option<RawHtml>,
    pub enclosures: Vec<Enclosure>,
    /// BCP 47, as given.
    pub language: Option<String>,
    /// The true address behind one that counts readers: `feedburner:origLink`.
    pub original: Option<Url>,
    pub particulars: Particulars,
}

impl Observation {
    /// The entry's own page, behind any address that only counts readers.
    pub fn address(&self) -> Option<&Url> {
        self.original.as_ref().or(self.url.as_ref())
    }

    /// Whether there is anything to tell it from others by, or to show of it.
    pub fn says_something(&self) -> bool {
        self.guid.is_some()
            || self.url.is_some()
            || self.title.is_some()
            || self.summary.is_some()
            || self.content.is_some()
            || !self.enclosures.is_empty()
    }
}

/// What a feed says about itself that is told on with its entries and in a feed of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct About {
    /// The `atom:id` of the feed.
    pub id: Option<String>,
    /// Plain text: Atom `subtitle`, RSS `description`.
    pub description: Option<String>,
    /// BCP 47, as given.
    pub language: Option<String>,
    /// Atom `logo` and `icon`, RSS `image`, JSON Feed `icon`.
    pub image: Option<Url>,
    /// Plain text: Atom `rights`, RSS `copyright`.
    pub rights: Option<String>,
    pub authors: Vec<Person>,
    pub categories: Vec<String>,
}

/// What the document says about itself: Atom `feed`, RSS `channel`, JSON Feed's top level.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    pub title: Option<String>,
    /// The site's page, absolute.
    pub url: Option<Url>,
    pub about: About,
    /// RSS `ttl`, in minutes.
    pub ttl_minutes: Option<u32>,
    /// How often it is made anew: `sy:updatePeriod` and `sy:updateFrequency`.
    pub period: Option<Duration>,
    /// RSS `skipHours`, in UTC, and `skipDays`: when nothing new comes.
    pub skip_hours: Vec<u8>,
    pub skip_days: Vec<Weekday>,
    /// Its own address, as it gives it: Atom `link rel=self`.
    pub self_address: Option<Url>,
    /// WebSub.
    pub hubs: Vec<Url>,
    /// An older part: `link rel=next` or `prev-archive` (RFC 5005).
    pub older: Option<Url>,
    /// Where the feed has moved for good: `itunes:new-feed-url`.
    pub moved: Option<Url>,
}

/// The dialect of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    Atom,
    Rss0,
    Rss1,
    Rss2,
    JsonFeed,
}

impl Dialect {
    pub fn name(self) -> &'static str {
        match self {
            Self::Atom => "Atom",
            Self::Rss0 => "RSS 0.9x",
            Self::Rss1 => "RSS 1.0",
            Self::Rss2 => "RSS 2.0",
            Self::JsonFeed => "JSON Feed",
        }
    }
}

/// A document that was read, with the oddities that were tolerated on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    pub dialect: Dialect,
    pub header: Header,
    /// In document order, which is newest first by habit.
    pub observations: Vec<Observation>,
    /// One sentence each: what was odd and what was done about it.
    pub notes: Vec<String>,
    /// It is not cut off: what it does not show, its publisher does not show.
    pub is_complete: bool,
}
