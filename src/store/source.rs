//! What is remembered of a source between polls.

use url::Url;

use crate::model::Timestamp;
use crate::model::document::About;
use crate::model::source::Validators;
use crate::schedule;
use crate::text;

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
    /// What else the document says about itself.
    pub about: About,
    /// What went wrong at the last poll, in a sentence; `None` when nothing did.
    pub problem: Option<String>,
    /// Oddities of the last document that were tolerated.
    pub notes: Vec<String>,
    /// Sightings stored.
    pub entries: u64,
    /// When a poll last brought something new or changed.
    pub last_change: Option<Timestamp>,
    /// What the last document that was read held.
    pub document: Option<DocumentFacts>,
    /// The last polls of this address, oldest first; at most [`POLLS`].
    pub polls: Vec<PastPoll>,
}

/// Polls that are remembered. People ask what happened today; the log knows the rest.
pub const POLLS: usize = 8;
/// Longest reason that is remembered, in bytes.
const REASON: usize = 200;

/// What a document held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentFacts {
    pub at: Timestamp,
    pub entries: u32,
    /// The earliest time that one of its entries claimed.
    pub oldest: Option<Timestamp>,
}

/// How one poll went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastPoll {
    pub at: Timestamp,
    pub outcome: PollOutcome,
    /// What went wrong.
    pub reason: Option<Box<str>>,
    /// Of the document, where one came and was read.
    pub entries: Option<u32>,
    pub new: u32,
    pub joined: u32,
    pub updated: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollOutcome {
    Fresh,
    NotModified,
    Throttled,
    Gone,
    Failed,
}

impl PollOutcome {
    pub const ALL: [Self; 5] = [Self::Fresh, Self::NotModified, Self::Throttled, Self::Gone, Self::Failed];

    pub fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::NotModified => "not_modified",
            Self::Throttled => "throttled",
            Self::Gone => "gone",
            Self::Failed => "failed",
        }
    }
}

impl SourceState {
    /// Remembers a poll that brought no document. The reason is what went wrong at this poll; it is cut where it is long.
    pub fn note(&mut self, at: Timestamp, outcome: PollOutcome, reason: Option<&str>) {
        let reason = reason.map(|reason| text::beginning(reason, REASON).into());
        self.remember(PastPoll { at, outcome, reason, entries: None, new: 0, joined: 0, updated: 0 });
    }

    /// Remembers a poll whose document was read; so many of its entries were new, joined and updated.
    pub fn note_fresh(&mut self, at: Timestamp, [new, joined, updated]: [usize; 3]) {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        self.remember(PastPoll {
            at,
            outcome: PollOutcome::Fresh,
            reason: None,
            entries: self.document.map(|document| document.entries),
            new: count(new),
            joined: count(joined),
            updated: count(updated),
        });
    }

    fn remember(&mut self, poll: PastPoll) {
        if self.polls.len() >= POLLS {
            self.polls.drain(..=self.polls.len() - POLLS);
        }
        self.polls.push(poll);
    }
}
