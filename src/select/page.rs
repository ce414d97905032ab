//! A feed request → the page that answers it, in the feed's own order, by a bounded scan.

use std::collections::HashMap;

use chrono::DurationRound;

use crate::config::Topic;
use crate::merge::present;
use crate::model::Timestamp;
use crate::model::entry::{Entry, Seq, Texts};
use crate::model::feed::{FeedId, FeedName};
use crate::model::page::Presented;
use crate::model::source::SourceKey;
use crate::published::request::{Cursor, FeedRequest, Order, Refusal};
use crate::query::{self, Query};
use crate::select::archive::{self, Beside};
use crate::select::candidate::{SourceFacts, with_candidate};
use crate::select::catalogue::Catalogue;
use crate::select::visible::visible;
use crate::select::{by_published, parameters};
use crate::store::engine::StoreError;
use crate::store::entries::Store;
use crate::store::keys::Place;

/// Entries of a document unless the reader asks otherwise.
pub const PAGE: usize = 100;
/// Most entries that one request looks at. A rare word in a large store is the index's task, not that of a scan.
pub const SCAN: usize = 10_000;
/// Places read at once.
pub(super) const STRIDE: usize = 200;

/// The selected entries, newest first in the feed's order.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    pub entries: Vec<Presented>,
    /// By our own clock; the Unix epoch for an empty selection.
    pub last_change: Timestamp,
    /// Where older entries go on; `None` at the end of the feed.
    pub next: Option<Cursor>,
    /// The archive pages beside a feed's current document, or beside an archive page.
    pub archives: Beside,
}

/// Why a request has no page.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    #[error("{0}")]
    Refused(String),
    #[error("there is no feed {0}")]
    Unknown(FeedName),
    #[error("{0}")]
    Missing(String),
    #[error("{0}")]
    Gone(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<SelectError> for Refusal {
    fn from(error: SelectError) -> Self {
        match error {
            SelectError::Refused(what) => Self::Bad(what),
            SelectError::Unknown(_) | SelectError::Missing(_) => Self::NotFound(error.to_string()),
            SelectError::Gone(what) => Self::Gone(what),
            // The committer has told why, and tries again.
            SelectError::Store(StoreError::Stuck(_)) => Self::Busy,
            SelectError::Store(error) => {
                tracing::error!(%error, "a feed cannot be read from the store");
                Self::Failed
            }
        }
    }
}

/// Reads the page. `now` matters only to relative times (`newer:24h`, a topic's `max_age`), which are cut to the minute.
pub fn select(
    store: &Store,
    catalogue: &Catalogue,
    request: &FeedRequest,
    now: Timestamp,
) -> Result<Selection, SelectError> {
    let further = &mut |_: &Filter<'_>, feed: &FeedId, epoch, before| store.newest(feed, epoch, before, STRIDE);
    select_from(store, catalogue, request, now, further)
}

/// Gives the places that may be what a filter lets through, of a feed under its epoch, newest first and older than a place: some of
/// them; none when there are no more.
pub(super) type Further<'f> =
    dyn FnMut(&Filter<'_>, &FeedId, u32, Option<Place>) -> Result<Vec<Place>, StoreError> + 'f;

/// As [`select`], by places that somebody else knows.
pub(super) fn select_from(
    store: &Store,
    catalogue: &Catalogue,
    request: &FeedRequest,
    now: Timestamp,
    further: &mut Further<'_>,
) -> Result<Selection, SelectError> {
    let catalogue = catalogue.of(request.audience);
    let feed = catalogue.feed_id(&request.feed).ok_or_else(|| SelectError::Unknown(request.feed.clone()))?;
    parameters::check(catalogue, request)?;
    let epoch = epoch(store, &feed)?;
    if let Some(page) = request.archive {
        let filter = Filter::everything(request);
        return archive::select(&Within { store, catalogue, filter: &filter, feed: &feed, epoch }, page);
    }
    let filter = Filter::read(catalogue, request, minute(now))?;
    if request.order == Order::Published {
        return by_published::select(store, catalogue, &filter, (&feed, epoch), further);
    }
    let within = Within { store, catalogue, filter: &filter, feed: &feed, epoch };
    let limit = request.limit.unwrap_or(PAGE);
    let mut before = request.before.as_ref().map(place).transpose()?;
    let mut selection = Selection::default();
    let mut counts: HashMap<SourceKey, usize> = HashMap::new();
    let mut looked_at = 0;
    let mut last_shown: Option<Place> = before;
    'scan: while looked_at < SCAN {
        let places = further(&filter, &feed, epoch, before)?;
        let Some(last) = places.last().copied() else { break };
        for place in places {
            looked_at += 1;
            let Some((touched, presented)) = filter.admit(store, catalogue, place)? else { continue };
            if filter.is_over_share(&presented, &mut counts) {
                continue;
            }
            if selection.entries.len() == limit {
                selection.next = last_shown.map(cursor);
                break 'scan;
            }
            last_shown = Some(place);
            selection.add(touched, presented);
        }
        before = Some(last);
    }
    if looked_at >= SCAN && selection.next.is_none() {
        // The scan ended before the feed did: the next page goes on below what was looked at.
        selection.next = before.map(cursor);
    }
    if request.is_plain() {
        archive::complete(&within, &mut selection, &mut counts)?;
    }
    Ok(selection)
}

/// Which of some entries the request asks for, each list in the order of the entries. What they belong to was decided when they
/// came, so nothing else is read.
pub(super) fn asked_for(
    store: &Store,
    catalogue: &Catalogue,
    requests: &[FeedRequest],
    entries: &[Seq],
    now: Timestamp,
) -> Result<Vec<Vec<Seq>>, StoreError> {
    let mut found = vec![Vec::new(); requests.len()];
    let mut filters = Vec::new();
    for (index, request) in requests.iter().enumerate() {
        let catalogue = catalogue.of(request.audience);
        let Some(feed) = catalogue.feed_id(&request.feed) else { continue };
        match Filter::read(catalogue, request, minute(now)) {
            Ok(filter) => filters.push((index, feed, catalogue, filter)),
            Err(SelectError::Store(error)) => return Err(error),
            // A query of another version of the language finds nothing.
            Err(_) => {}
        }
    }
    for seq in entries {
        let Some(entry) = store.entry(*seq)? else { continue };
        for (index, feed, catalogue, filter) in &filters {
            let is_in = entry.placements.iter().any(|placement| placement.feed == *feed);
            if is_in && filter.admit_entry(store, catalogue, entry.clone())?.is_some() {
                found[*index].push(*seq);
            }
        }
    }
    Ok(found)
}

/// A page of these entries alone, as far as the request asks for them: the newest, in the feed's order.
pub(super) fn select_among(
    store: &Store,
    catalogue: &Catalogue,
    request: &FeedRequest,
    entries: &[Seq],
    now: Timestamp,
) -> Result<Selection, SelectError> {
    let catalogue = catalogue.of(request.audience);
    let feed = catalogue.feed_id(&request.feed).ok_or_else(|| SelectError::Unknown(request.feed.clone()))?;
    let filter = Filter::read(catalogue, request, minute(now))?;
    let mut found = Vec::new();
    for seq in entries {
        let Some(entry) = store.entry(*seq)? else { continue };
        let sort_at =
            entry.placements.iter().find(|placement| placement.feed == feed).map(|placement| placement.sort_at);
        if let Some(sort_at) = sort_at
            && let Some((touched, presented)) = filter.admit_entry(store, catalogue, entry)?
        {
            found.push(((sort_at, *seq), touched, presented));
        }
    }
    found.sort_by_key(|(place, ..)| std::cmp::Reverse(*place));
    let mut counts: HashMap<SourceKey, usize> = HashMap::new();
    found.retain(|(_, _, presented)| !filter.is_over_share(presented, &mut counts));
    found.truncate(request.limit.unwrap_or(PAGE));
    let last_change = found.iter().map(|(_, touched, _)| *touched).max().unwrap_or(Timestamp::UNIX_EPOCH);
    let entries = found.into_iter().map(|(.., presented)| presented).collect();
    Ok(Selection { entries, last_change, ..Selection::default() })
}

fn minute(now: Timestamp) -> Timestamp {
    now.duration_trunc(chrono::TimeDelta::minutes(1)).unwrap_or(now)
}

/// What a topic's `max_age` leaves out was published before this.
pub fn not_before(topic: &Topic, now: Timestamp) -> Option<Timestamp> {
    minute(now).checked_sub_signed(chrono::TimeDelta::from_std(topic.max_age?).ok()?)
}

/// The generation of a feed's memberships that readers see.
pub fn epoch(store: &Store, feed: &FeedId) -> Result<u32, StoreError> {
    match feed {
        FeedId::Topic(key) => Ok(store.topic(key)?.map_or(0, |record| record.epoch)),
        FeedId::All | FeedId::Source(_) => Ok(0),
    }
}

pub(super) fn place(cursor: &Cursor) -> Result<Place, SelectError> {
    let sort_at = Timestamp::from_timestamp_millis(cursor.sort_at_ms).ok_or_else(|| {
        SelectError::Refused("`before` is no place in this feed; follow a page's `next` link".to_owned())
    })?;
    Ok(Place { sort_at, seq: Seq(cursor.seq) })
}

fn cursor(place: Place) -> Cursor {
    Cursor { sort_at_ms: place.sort_at.timestamp_millis(), seq: place.seq.0 }
}

/// What the request's parameters and the topic's own limits let through.
pub(super) struct Filter<'a> {
    pub(super) request: &'a FeedRequest,
    pub(super) query: Option<Query>,
    not_before: Option<Timestamp>,
    per_source: Option<usize>,
    now: Timestamp,
}

/// One feed, and what of it is asked for.
#[derive(Clone, Copy)]
pub(super) struct Within<'a> {
    pub(super) store: &'a Store,
    pub(super) catalogue: &'a Catalogue,
    pub(super) filter: &'a Filter<'a>,
    pub(super) feed: &'a FeedId,
    pub(super) epoch: u32,
}

impl Within<'_> {
    /// The entry at a place that was noted earlier, as it is shown, and when it last changed. `None` when it has left the feed.
    pub(super) fn still(&self, place: Place) -> Result<Option<(Timestamp, Presented)>, StoreError> {
        if !self.store.is_member(self.feed, self.epoch, place)? {
            return Ok(None);
        }
        self.filter.admit(self.store, self.catalogue, place)
    }

    /// Whether there is still something to be shown at a place, with or without the limits of this request.
    pub(super) fn is_shown(&self, place: Place) -> Result<bool, StoreError> {
        if !self.store.is_member(self.feed, self.epoch, place)? {
            return Ok(false);
        }
        let entry = self.store.entry(place.seq)?;
        Ok(entry.is_some_and(|entry| present::shown(&entry, &self.catalogue.standing).is_some()))
    }
}

impl Selection {
    pub(super) fn add(&mut self, touched: Timestamp, presented: Presented) {
        self.last_change = self.last_change.max(touched);
        self.entries.push(presented);
    }
}

impl Default for Selection {
    fn default() -> Self {
        Self { entries: Vec::new(), last_change: Timestamp::UNIX_EPOCH, next: None, archives: Beside::default() }
    }
}

impl<'a> Filter<'a> {
    fn read(catalogue: &Catalogue, request: &'a FeedRequest, now: Timestamp) -> Result<Self, SelectError> {
        let query = match request.query.as_deref().filter(|text| !text.trim().is_empty()) {
            Some(text) => Some(query::parse(text).map_err(|problem| SelectError::Refused(format!("q: {problem}")))?),
            None => None,
        };
        let spoken = request.language.clone().map(Query::of_language);
        let query = match (query, spoken) {
            (Some(query), Some(spoken)) => Some(query.and(spoken)),
            (query, spoken) => query.or(spoken),
        };
        let topic = catalogue.topic(&request.feed);
        let not_before = topic.and_then(|topic| not_before(topic, now));
        // Whoever asks for less gets less; the topic's own share is part of what it is.
        let per_source = topic.and_then(|topic| topic.per_source).into_iter().chain(request.per_source).min();
        Ok(Self { request, query, not_before, per_source, now })
    }

    pub(super) fn feed(&self) -> &FeedName {
        &self.request.feed
    }

    /// Everything that is a member, now and later.
    pub(super) fn everything(request: &'a FeedRequest) -> Self {
        Self { request, query: None, not_before: None, per_source: None, now: Timestamp::UNIX_EPOCH }
    }

    /// The entry at a place as it is shown, if it passes, and when it last changed.
    pub(super) fn admit(
        &self,
        store: &Store,
        catalogue: &Catalogue,
        place: Place,
    ) -> Result<Option<(Timestamp, Presented)>, StoreError> {
        let Some(entry) = store.entry(place.seq)? else { return Ok(None) };
        self.admit_entry(store, catalogue, entry)
    }

    fn admit_entry(
        &self,
        store: &Store,
        catalogue: &Catalogue,
        entry: Entry,
    ) -> Result<Option<(Timestamp, Presented)>, StoreError> {
        let entry = if catalogue.is_partial() {
            let Some(seen) = visible(entry, catalogue) else { return Ok(None) };
            if seen.is_partial && !self.is_own(store, catalogue, &seen.entry)? {
                return Ok(None);
            }
            seen.entry
        } else {
            entry
        };
        let Some(shown) = present::shown(&entry, &catalogue.standing) else { return Ok(None) };
        let published = present::published(shown);
        let too_old = self.not_before.is_some_and(|limit| published < limit)
            || self.request.since.is_some_and(|since| published < since);
        if too_old
            || self.request.until.is_some_and(|until| published >= until)
            || !self.has_match(store, catalogue, &entry)?
        {
            return Ok(None);
        }
        let Some(mut presented) = present::present(&entry, &catalogue.standing) else { return Ok(None) };
        let mut touched = present::touched(&entry);
        if catalogue.standing.sources.get(&shown.source).is_some_and(|source| source.shows_pages)
            && let Some(page) = store.page_mark(shown.seq)?
        {
            presented.page = Some(page.name);
            touched = touched.max(page.at);
        }
        Ok(Some((touched, presented)))
    }

    /// Whether what is visible of an entry belongs to the topic by itself, and not only by what is not.
    fn is_own(&self, store: &Store, catalogue: &Catalogue, entry: &Entry) -> Result<bool, StoreError> {
        let Some(topic) = catalogue.topic(&self.request.feed) else { return Ok(true) };
        for sighting in &entry.sightings {
            let Some(source) = SourceFacts::of(catalogue, &sighting.source) else { continue };
            if source.topics.contains(&topic.key) {
                return Ok(true);
            }
            let Some(query) = &topic.matches else { continue };
            let texts = match sighting.text {
                Some(name) => store.texts(name)?.unwrap_or_default(),
                None => Texts::default(),
            };
            if with_candidate(sighting, texts.parts(), &source, |candidate| query.matches(candidate, self.now)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether one of the entry's sightings, as a whole, is what was asked for.
    fn has_match(&self, store: &Store, catalogue: &Catalogue, entry: &Entry) -> Result<bool, StoreError> {
        if self.query.is_none() && self.request.source.is_none() && self.request.topic.is_none() {
            return Ok(true);
        }
        if let Some(topic) = &self.request.topic
            && !entry.placements.iter().any(|placement| placement.feed == FeedId::Topic(topic.clone()))
        {
            return Ok(false);
        }
        for sighting in &entry.sightings {
            let Some(source) = SourceFacts::of(catalogue, &sighting.source) else { continue };
            if self.request.source.as_ref().is_some_and(|wanted| wanted != source.key) {
                continue;
            }
            let Some(query) = &self.query else { return Ok(true) };
            let texts = match sighting.text {
                Some(hash) => store.texts(hash)?.unwrap_or_default(),
                None => Texts::default(),
            };
            if with_candidate(sighting, texts.parts(), &source, |candidate| query.matches(candidate, self.now)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Counts the entry for its shown source; true when that one has had its share of this document.
    pub(super) fn is_over_share(&self, presented: &Presented, counts: &mut HashMap<SourceKey, usize>) -> bool {
        let Some(share) = self.per_source else { return false };
        let count = counts.entry(presented.sightings[0].source.clone()).or_default();
        *count += 1;
        *count > share
    }
}
