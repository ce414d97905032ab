//! Quarantine of what looks like a mass re-issue: many new entries at once in a document that had others before.
//!
//! They are stored and known from then on, but held back from every feed ([`crate::store::held`]), until another source carries them too,
//! somebody releases them, or the time set in the file has passed. Then they arrive as if they came that moment.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::merge::decide::{Arrival, Change, ChangeKind, Known};
use crate::merge::identify::Identified;
use crate::model::Timestamp;
use crate::model::entry::{Seq, Texts};
use crate::model::feed::FeedId;
use crate::model::source::Scope;
use crate::poll::absorb;
use crate::poll::topics::Topics;
use crate::published::status::SourceStatus;
use crate::select::catalogue::Catalogue;
use crate::store::engine::StoreError;
use crate::store::entries::{Commit, EntryWrite, Store};

/// Entries that one step releases, between two groups of polls.
const STEP: usize = 200;

/// Whether so many new entries in a document look like a mass re-issue.
fn is_mass(new: usize, document: usize, limit: usize) -> bool {
    new > limit && new * 2 > document
}

/// What of one document is held back, and what was before.
pub(super) struct Quarantine {
    /// How many entries the document has; `None` at a source's first poll, of which all is taken.
    document: Option<usize>,
    /// What a poll held back that was interrupted before its end, and that the document shows still.
    interrupted: usize,
    before: HashMap<Seq, (Scope, Timestamp)>,
    holds: HashSet<Seq>,
}

impl Quarantine {
    pub(super) fn of(arrival: &Arrival, seen: &[Identified], known: &Known) -> Self {
        let held = known.entries.values().filter_map(|entry| Some((entry, entry.held?)));
        let before: HashMap<Seq, (Scope, Timestamp)> =
            held.map(|(entry, since)| (entry.seq, (entry.sightings[0].source.clone(), since))).collect();
        let is_interrupted = |one: &&Identified| {
            let seqs = known.by_key.get(&one.own).into_iter().flatten();
            let mut held = seqs.filter_map(|seq| before.get(seq)).filter(|(scope, _)| *scope == arrival.scope);
            held.any(|(_, since)| arrival.previous_poll.is_some_and(|previous| *since > previous))
        };
        Self {
            document: arrival.previous_poll.map(|_| arrival.document.len()),
            interrupted: seen.iter().filter(is_interrupted).count(),
            before,
            holds: HashSet::new(),
        }
    }

    pub(super) fn judge(&mut self, changes: &[(Change, Identified)], limit: usize) {
        let new: HashSet<Seq> =
            changes.iter().filter(|(change, _)| change.kind == ChangeKind::New).map(|(it, _)| it.entry.seq).collect();
        if self.document.is_some_and(|document| is_mass(new.len() + self.interrupted, document, limit)) {
            self.holds = new;
        }
    }

    /// Whether the entry came with this document and is held back.
    pub(super) fn holds(&self, seq: Seq) -> bool {
        self.holds.contains(&seq)
    }

    /// Whose the entry was and since when it was held back, if another source's copy lets it out.
    pub(super) fn lets_out(&mut self, change: &Change) -> Option<(Scope, Timestamp)> {
        let is_joined = change.kind == ChangeKind::Joined;
        self.before.remove(&change.entry.seq).filter(|_| is_joined)
    }
}

/// Puts an entry into every feed that any of its sightings belongs to, as arriving now.
pub(super) fn place_all(
    store: &Store,
    write: &mut EntryWrite,
    feeds: (&Topics, &Catalogue),
    now: Timestamp,
) -> Result<(), StoreError> {
    for index in 0..write.entry.sightings.len() {
        let texts = match write.entry.sightings[index].text {
            Some(name) => store.texts(name)?.unwrap_or_default(),
            None => Texts::default(),
        };
        absorb::place(write, index, texts.parts(), now, feeds, now);
    }
    Ok(())
}

/// A release that is under way: what of one source was held back up to a time.
pub struct Release {
    pub scope: Scope,
    /// The places of what is released.
    at: Timestamp,
    until: Timestamp,
    /// Entries released so far.
    pub released: u64,
}

impl Release {
    pub fn new(scope: Scope, at: Timestamp, until: Timestamp) -> Self {
        Self { scope, at, until, released: 0 }
    }

    /// One bounded step, the oldest first; gives the feeds that differ then, or `None` when all is released. Applied, not yet synced.
    pub fn step(
        &mut self,
        store: &Store,
        topics: &Topics,
        catalogue: &Catalogue,
    ) -> Result<Option<HashSet<FeedId>>, StoreError> {
        let mut held = store.held(&self.scope, STEP)?;
        held.retain(|(since, _)| *since <= self.until);
        if held.is_empty() {
            return Ok(None);
        }
        let (mut commit, mut stale, mut feeds) = (Commit::default(), Vec::new(), HashSet::new());
        for (since, seq) in held {
            let Some(mut entry) = store.entry(seq)?.filter(|entry| entry.held == Some(since)) else {
                stale.push((since, seq));
                continue;
            };
            entry.held = None;
            let mut write = EntryWrite {
                entry,
                is_new: false,
                new_id: None,
                new_keys: Vec::new(),
                dropped_keys: Vec::new(),
                text: None,
                dropped_text: None,
                joins: Vec::new(),
            };
            place_all(store, &mut write, (topics, catalogue), self.at)?;
            feeds.extend(write.entry.placements.iter().map(|placement| placement.feed.clone()));
            commit.let_out.insert(seq, (self.scope.clone(), since));
            commit.entries.push(write);
        }
        self.released += commit.entries.len() as u64;
        store.forget_held(&self.scope, &stale)?;
        store.commit(&commit)?;
        Ok(Some(feeds))
    }
}

/// How much is held back of one source, and since when the first of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    pub entries: u64,
    pub since: Timestamp,
}

/// How much is held back of each source: the committer says so, and whoever tells it asks.
#[derive(Debug, Default)]
pub struct Holding(Mutex<HashMap<Scope, Held>>);

impl Holding {
    /// Counts what a store holds back.
    pub fn read(store: &Store) -> Result<Self, StoreError> {
        let holding = Self::default();
        holding.recount(store)?;
        Ok(holding)
    }

    /// Counts everything anew.
    pub fn recount(&self, store: &Store) -> Result<(), StoreError> {
        let holding = store.holding()?;
        self.lock().retain(|scope, _| holding.contains(scope));
        holding.iter().try_for_each(|scope| self.count(store, scope))
    }

    /// Counts one source anew.
    pub fn count(&self, store: &Store, scope: &Scope) -> Result<(), StoreError> {
        let held = store.held(scope, usize::MAX)?;
        match held.first() {
            Some((since, _)) => {
                self.lock().insert(scope.clone(), Held { entries: held.len() as u64, since: *since });
            }
            None => drop(self.lock().remove(scope)),
        }
        Ok(())
    }

    pub fn of(&self, scope: &Scope) -> Option<Held> {
        self.lock().get(scope).copied()
    }

    /// The sources of which something is held back since a time or longer.
    pub fn since(&self, time: Timestamp) -> Vec<Scope> {
        let holding = self.lock();
        let mut found: Vec<Scope> =
            holding.iter().filter(|(_, held)| held.since <= time).map(|(scope, _)| scope.clone()).collect();
        found.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        found
    }

    /// Fills in what is held back of each source.
    pub fn tell(&self, mut statuses: Vec<SourceStatus>, catalogue: &Catalogue) -> Vec<SourceStatus> {
        for status in &mut statuses {
            let held = catalogue.scopes.get(&status.key).and_then(|scope| self.of(scope));
            status.held = held.map_or(0, |held| held.entries);
        }
        statuses
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Scope, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_new_ones_that_are_most_of_a_document_are_a_mass() {
        for (new, document, limit, expected) in
            [(51, 100, 50, true), (50, 60, 50, false), (51, 102, 50, false), (500, 500, 50, true), (2, 2, 1, true)]
        {
            assert_eq!(is_mass(new, document, limit), expected, "{new} of {document}");
        }
    }
}
