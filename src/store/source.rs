//! What is remembered of a source between polls.

use url::Url;

use crate::model::Timestamp;
use crate::model::source::Validators;
use crate::schedule;

/// Facts about a source, as durable as it needs: validators are written with the entries of the same poll, the rest at most once a minute.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceState {
    pub facts: schedule::Facts,
    /// The address as configured when this was learnt; validators and moves mean nothing for another one.
    pub location: String,
    pub validators: Validators,
    /// Where a permanent redirect led, once its target was read as a feed.
    pub moved: Option<Url>,
    /// The feed that the web page at `location` named, once it was read as one; it is polled instead, and `moved` is its own.
    pub named: Option<Url>,
    /// The document's own title and site.
    pub title: Option<String>,
    pub site: Option<Url>,
    /// What went wrong at the last poll, in a sentence; `None` when nothing did.
    pub problem: Option<String>,
    /// Oddities of the last document that were tolerated.
    pub notes: Vec<String>,
    /// Sightings stored.
    pub entries: u64,
    /// When a poll last brought something new or changed.
    pub last_change: Option<Timestamp>,
}
