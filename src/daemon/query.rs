//! What `feedmill query` asks, and the answer to it: the same with a daemon and without.

use serde::{Deserialize, Serialize};

use crate::daemon::control::Answer;
use crate::model::Timestamp;
use crate::model::feed::{FeedName, Format};
use crate::model::page::Presented;
use crate::published::request::{FeedRequest, Refusal};
use crate::select::catalogue::Catalogue;
use crate::select::door::StoreDoor;
use crate::select::why::named;

/// A query with all that bounds it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// `all`, a topic or a source; all of them without it.
    pub feed: Option<String>,
    /// As behind the `?` of a feed's address.
    pub parameters: String,
    /// The suffix of a format, for a whole document; without it entries are told.
    pub format: Option<String>,
}

/// Entries, as they are found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    pub entries: Vec<FoundEntry>,
    /// Whether older ones may match, too.
    pub has_more: bool,
}

/// One entry as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundEntry {
    /// `urn:uuid:…`
    pub id: String,
    pub title: Option<String>,
    pub url: Option<String>,
    /// RFC 3339, in UTC.
    pub published: String,
    /// The same, of the moment when the entry was first seen.
    pub first_seen: String,
    /// Keys, the shown one first.
    pub sources: Vec<String>,
}

/// A whole feed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundDocument {
    pub text: String,
    pub entries: usize,
}

/// Reads the entries or the document.
pub async fn answer(door: &StoreDoor, catalogue: &Catalogue, asked: &Asked) -> Answer {
    let feed = match asked.feed.as_deref().map_or(Ok(FeedName::All), |feed| named(catalogue, feed)) {
        Ok(feed) => feed,
        Err(unknown) => return Answer::Refused(unknown),
    };
    let format = match asked.format.as_deref().map(format) {
        None => None,
        Some(Some(format)) => Some(format),
        Some(None) => return Answer::Refused("there are the formats atom, rss and json".to_owned()),
    };
    match FeedRequest::read(feed, format.unwrap_or(Format::Atom), &asked.parameters) {
        Ok(request) => found(door, request, format.is_some()).await.unwrap_or_else(refused),
        Err(refusal) => refused(refusal),
    }
}

fn format(suffix: &str) -> Option<Format> {
    Format::ALL.into_iter().find(|format| format.suffix() == suffix)
}

async fn found(door: &StoreDoor, request: FeedRequest, is_document: bool) -> Result<Answer, Refusal> {
    if is_document {
        let (entries, representation) = door.document(request).await?;
        let text = String::from_utf8_lossy(&representation.identity.body).into_owned();
        return Ok(Answer::Document(FoundDocument { text, entries }));
    }
    let selection = door.selection(request).await?;
    let entries = selection.entries.iter().map(entry).collect();
    Ok(Answer::Found(Found { entries, has_more: selection.next.is_some() }))
}

fn entry(presented: &Presented) -> FoundEntry {
    let time = |at: Timestamp| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let mut sources: Vec<String> = Vec::new();
    for sighting in &presented.sightings {
        if !sources.iter().any(|source| source == sighting.source.as_str()) {
            sources.push(sighting.source.to_string());
        }
    }
    FoundEntry {
        id: presented.id.to_string(),
        title: presented.title.clone(),
        url: presented.url.as_ref().map(ToString::to_string),
        published: time(presented.published),
        first_seen: time(presented.first_seen),
        sources,
    }
}

fn refused(refusal: Refusal) -> Answer {
    match refusal {
        Refusal::NotFound(what) | Refusal::Gone(what) | Refusal::Bad(what) => Answer::Refused(what),
        Refusal::Busy => Answer::Failed("the store is busy; try again in a moment".to_owned()),
        Refusal::Failed => Answer::Failed("the store cannot be read; the daemon's log says why".to_owned()),
    }
}
