//! A request that the index can narrow → the same page that looking through the feed would give, found sooner.
//!
//! The index names entries, newest first in the feed's own order; the store says whether they stand there, and the matcher decides. What
//! has changed since the index's last commit comes from the journal and is looked at as well, so that nothing that is in the
//! store is missed. Where the index has nothing to say, is being made, or fails, the feed is looked through.

#[cfg(test)]
mod tests;

use std::collections::{HashSet, VecDeque};

use chrono::DateTime;

use crate::index::{Index, IndexError, Proposal, Spot, View, Words};
use crate::model::Timestamp;
use crate::model::entry::Seq;
use crate::model::feed::FeedId;
use crate::model::source::{Scope, TopicKey};
use crate::published::request::FeedRequest;
use crate::query::{Field, Needs};
use crate::select::catalogue::Catalogue;
use crate::select::page::{self, Filter, PAGE, STRIDE, SelectError, Selection};
use crate::store::engine::StoreError;
use crate::store::entries::Store;
use crate::store::keys::Place;
use crate::store::record::TopicRecord;

/// Most records of the journal, and entries in them, that the index may be behind; beyond that, looking through the feed is no slower.
const RECORDS_BEHIND: usize = 2_000;
const ENTRIES_BEHIND: usize = 3_000;
/// Most places that the index is asked for at once.
const STRIDE_LIMIT: usize = 4_000;

/// As [`page::select`], with the help of an index.
pub fn select(
    store: &Store,
    index: Option<&Index>,
    catalogue: &Catalogue,
    request: &FeedRequest,
    now: Timestamp,
) -> Result<Selection, SelectError> {
    let Some((index, view)) = index.and_then(|index| Some((index, index.view()?))) else {
        return page::select(store, catalogue, request, now);
    };
    let mut candidates = None;
    let mut is_tried = false;
    page::select_from(store, catalogue, request, now, &mut |filter, feed, epoch, before| {
        if !std::mem::replace(&mut is_tried, true) {
            let asked = Asked { store, catalogue, view: &view, feed: feed.clone(), epoch };
            candidates = Candidates::of(asked, filter, before)?;
        }
        if let Some(candidates) = &mut candidates {
            match candidates.next(STRIDE)? {
                Ok(places) => return Ok(places),
                Err(failure) => {
                    tracing::warn!("a search looks through the feed from here on: {failure}");
                    index.note(failure);
                }
            }
        }
        // Both ways lead down the same order, so one goes on where the other ended.
        candidates = None;
        store.newest(feed, epoch, before, STRIDE)
    })
}

/// What is looked for, and where.
struct Asked<'a> {
    store: &'a Store,
    catalogue: &'a Catalogue,
    view: &'a View,
    feed: FeedId,
    /// The generation of the feed's memberships that is served.
    epoch: u32,
}

impl Asked<'_> {
    /// Whether the index has the places of a feed as they are served.
    fn is_current(&self, feed: &FeedId) -> Result<bool, StoreError> {
        let FeedId::Topic(key) = feed else { return Ok(true) };
        let Some(known) = self.view.standing().topics.get(key) else { return Ok(false) };
        Ok(self.store.topic(key)?.is_some_and(|record| definition(&record) == *known))
    }

    /// What every entry that passes has.
    fn proposal(&self, filter: &Filter<'_>) -> Result<Proposal, StoreError> {
        let mut parts = Vec::new();
        if let Some(query) = &filter.query {
            parts.push(translated(&query.needs(), self.catalogue));
        }
        if let Some(key) = &filter.request.source {
            parts.push(Proposal::Sources(self.catalogue.scopes.get(key).cloned().into_iter().collect()));
        }
        if let Some(key) = &filter.request.topic {
            let feed = FeedId::Topic(key.clone());
            if self.is_current(&feed)? {
                parts.push(Proposal::Feed(feed));
            }
        }
        Ok(Proposal::All(parts))
    }
}

/// What tells one state of a topic's memberships from another.
pub fn definition(record: &TopicRecord) -> u64 {
    let TopicRecord { epoch, query, sources } = record;
    let mut digest = blake3::Hasher::new();
    digest.update(&epoch.to_be_bytes());
    for part in std::iter::once(query.as_deref().unwrap_or_default()).chain(sources.iter().map(String::as_str)) {
        digest.update(part.as_bytes());
        digest.update(&[0]);
    }
    digest.finalize().as_bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

fn translated(needs: &Needs, catalogue: &Catalogue) -> Proposal {
    let parts = |parts: &[Needs]| parts.iter().map(|part| translated(part, catalogue)).collect();
    match needs {
        Needs::Words { field, words, is_prefix } => Proposal::Words {
            within: match field {
                Field::Any => Words::Any,
                Field::Title => Words::Title,
                Field::Author => Words::Author,
            },
            words: words.clone(),
            is_prefix: *is_prefix,
        },
        Needs::Category(name) => Proposal::Category(name.clone()),
        Needs::Source(key) => Proposal::Sources(scopes(catalogue, |source, _| source == key)),
        Needs::Topic(key) => {
            Proposal::Sources(scopes(catalogue, |_, topics| topics.iter().any(|topic| topic.as_str() == key)))
        }
        Needs::Language(tag) => Proposal::Language(tag.clone()),
        Needs::HasEnclosure => Proposal::HasEnclosure,
        Needs::After(at) => Proposal::After(*at),
        Needs::Before(at) => Proposal::Before(*at),
        Needs::All(needs) => Proposal::All(parts(needs)),
        Needs::Any(needs) => Proposal::Any(parts(needs)),
        Needs::Anything => Proposal::Anything,
    }
}

fn scopes(catalogue: &Catalogue, is_meant: impl Fn(&str, &[TopicKey]) -> bool) -> Vec<Scope> {
    let sources = catalogue.config.sources.iter();
    let meant = sources.filter(|source| is_meant(source.key.as_str(), &source.topics));
    meant.filter_map(|source| catalogue.scopes.get(&source.key).cloned()).collect()
}

/// Entries that have changed since the index's last commit: it knows them as they were.
struct Fresh {
    entries: HashSet<Seq>,
    /// Where they stand in the feed, the newest last.
    places: Vec<Place>,
}

impl Fresh {
    /// `None` when the index is too far behind.
    fn read(asked: &Asked<'_>, before: Option<Place>) -> Result<Option<Self>, StoreError> {
        let number = asked.view.standing().number;
        let Some(records) = asked.store.changed_after(number, RECORDS_BEHIND)? else { return Ok(None) };
        let is_all = records.len() < RECORDS_BEHIND;
        let entries: HashSet<Seq> = records.into_iter().flat_map(|record| record.entries).collect();
        if !is_all || entries.len() > ENTRIES_BEHIND {
            return Ok(None);
        }
        let mut places = Vec::new();
        for seq in &entries {
            let Some(entry) = asked.store.entry(*seq)? else { continue };
            let in_feed = entry.placements.iter().find(|placement| placement.feed == asked.feed);
            let place = in_feed.map(|placement| Place { sort_at: placement.sort_at, seq: *seq });
            places.extend(place.filter(|place| before.is_none_or(|before| *place < before)));
        }
        places.sort_unstable();
        Ok(Some(Self { entries, places }))
    }
}

/// The places that the index and the journal name, newest first.
struct Candidates<'a> {
    asked: Asked<'a>,
    proposal: Proposal,
    fresh: Fresh,
    read: VecDeque<Place>,
    below: Option<Spot>,
    stride: usize,
    is_end: bool,
}

impl<'a> Candidates<'a> {
    /// `None` when the index cannot help.
    fn of(asked: Asked<'a>, filter: &Filter<'_>, before: Option<Place>) -> Result<Option<Self>, StoreError> {
        if asked.view.standing().filled.is_some() || !asked.is_current(&asked.feed)? {
            return Ok(None);
        }
        let proposal = asked.proposal(filter)?;
        if !proposal.is_narrow() {
            return Ok(None);
        }
        let Some(fresh) = Fresh::read(&asked, before)? else { return Ok(None) };
        Ok(Some(Self {
            asked,
            proposal,
            fresh,
            read: VecDeque::new(),
            below: before.map(spot),
            // One more tells whether there is a next page.
            stride: filter.request.limit.unwrap_or(PAGE) + 1,
            is_end: false,
        }))
    }

    /// Up to so many further places; none at the end.
    fn next(&mut self, most: usize) -> Result<Result<Vec<Place>, IndexError>, StoreError> {
        let mut places = Vec::new();
        while places.len() < most {
            if self.read.is_empty() && !self.is_end {
                // What there is may be enough.
                if !places.is_empty() {
                    break;
                }
                if let Err(failure) = self.read_on() {
                    return Ok(Err(failure));
                }
            }
            let is_fresh = match (self.fresh.places.last(), self.read.front()) {
                (Some(fresh), Some(read)) => fresh > read,
                (fresh, _) => fresh.is_some(),
            };
            let place = if is_fresh { self.fresh.places.pop() } else { self.read.pop_front() };
            let Some(place) = place else { break };
            if self.asked.store.holds(&self.asked.feed, self.asked.epoch, place)? {
                places.push(place);
            }
        }
        Ok(Ok(places))
    }

    /// Asks the index for more, each time for twice as much, since what it names is then mostly not what is looked for.
    fn read_on(&mut self) -> Result<(), IndexError> {
        while self.read.is_empty() && !self.is_end {
            let found = self.asked.view.newest(&self.proposal, &self.asked.feed, self.below, self.stride)?;
            self.is_end = found.len() < self.stride;
            self.below = found.last().copied().or(self.below);
            let known = found.into_iter().filter(|spot| !self.fresh.entries.contains(&spot.entry));
            self.read.extend(known.filter_map(place));
            self.stride = (self.stride * 2).min(STRIDE_LIMIT);
        }
        Ok(())
    }
}

fn spot(place: Place) -> Spot {
    Spot { at: place.sort_at.timestamp_millis(), entry: place.seq }
}

fn place(spot: Spot) -> Option<Place> {
    Some(Place { sort_at: DateTime::from_timestamp_millis(spot.at)?, seq: spot.entry })
}
