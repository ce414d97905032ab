//! One document of a feed as a reader is shown it, before it takes a format.

use std::sync::Arc;

use url::Url;

use super::Timestamp;
use super::document::{About, Enclosure, Guid, Particulars, Person};
use super::entry::{Ground, PublicId, TextName};
use super::source::SourceKey;

/// A sighting as a reader is told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Provenance {
    pub source: SourceKey,
    /// The source's title: the user's, else the publisher's, else its key.
    pub source_title: String,
    /// The source's own address, without secrets; `None` for a file.
    pub source_address: Option<Url>,
    /// The source's site.
    pub site: Option<Url>,
    /// When the source's document last brought something new or changed.
    pub source_updated: Option<Timestamp>,
    /// What the source's document says about itself.
    pub about: Arc<About>,
    pub guid: Option<Guid>,
    pub url: Option<Url>,
    pub title: Option<String>,
    pub published: Option<Timestamp>,
    pub ground: Ground,
    pub score: f32,
}

/// An entry as it is shown: everything that a format needs, and nothing that depends on the clock.
#[derive(Debug, Clone, PartialEq)]
pub struct Presented {
    pub id: PublicId,
    pub first_seen: Timestamp,
    pub published: Timestamp,
    pub updated: Timestamp,
    pub title: Option<String>,
    pub url: Option<Url>,
    pub authors: Vec<Person>,
    pub categories: Vec<String>,
    pub enclosures: Vec<Enclosure>,
    pub language: Option<String>,
    pub particulars: Particulars,
    /// Names the raw fragments of the shown sighting; `None` when its publisher sent none.
    pub text: Option<TextName>,
    /// Names what the entry's page gave, which is shown in place of its content; `None` where there is nothing better than that.
    pub page: Option<TextName>,
    /// The shown one first, the others by key. Never empty.
    pub sightings: Vec<Provenance>,
}

impl Presented {
    /// Where relative addresses in its fragments start from.
    pub fn fragments_base(&self) -> Option<&Url> {
        self.url.as_ref().or_else(|| self.sightings[0].site.as_ref())
    }
}

/// One document of a feed, before it takes a format.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    pub title: String,
    /// The human page of this service, absolute.
    pub home_url: Url,
    /// What the feed says about itself; nothing where it is a mix of sources.
    pub about: Arc<About>,
    /// Newest first, in the feed's own order.
    pub entries: Vec<Presented>,
}
