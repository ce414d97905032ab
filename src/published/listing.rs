//! A page of a feed as plain data: what the pages for people show of it. No markup, no secrets.

use url::Url;

use crate::model::Timestamp;
use crate::model::entry::PublicId;
use crate::model::feed::FeedName;
use crate::model::source::SourceKey;
use crate::published::request::Cursor;

/// The same entries, in the same order, as the document of the same request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The feed's, without the query.
    pub title: String,
    pub feed: FeedName,
    /// Newest first, in the feed's own order.
    pub entries: Vec<Listed>,
    /// Where older entries go on; `None` at the end of the feed.
    pub next: Option<Cursor>,
}

/// One entry of a [`Listing`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub id: PublicId,
    /// Never empty.
    pub title: String,
    pub url: Option<Url>,
    pub published: Timestamp,
    /// As the publisher claims it.
    pub language: Option<String>,
    /// The shown one first. Never empty.
    pub sources: Vec<ListedSource>,
    /// How many sightings it has.
    pub copies: usize,
    /// The beginning of its text, to the end of a word.
    pub summary: Option<String>,
}

/// A source that carries an entry; once, however many copies it has of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSource {
    pub key: SourceKey,
    pub title: String,
}

impl Listing {
    /// How much memory it takes, in bytes.
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.title.len() + self.entries.iter().map(Listed::size).sum::<usize>()
    }
}

impl Listed {
    fn size(&self) -> usize {
        let texts = [self.summary.as_deref(), self.url.as_ref().map(Url::as_str), self.language.as_deref()];
        let sources = self.sources.iter().map(|source| size_of::<ListedSource>() + source.title.len());
        size_of::<Self>()
            + self.title.len()
            + texts.into_iter().flatten().map(str::len).sum::<usize>()
            + sources.sum::<usize>()
    }
}
