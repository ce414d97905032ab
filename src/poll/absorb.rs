//! One prepared document → one commit. The screen on which an entry's way into the store can be read:
//! gather what is known, decide, place, write.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::merge::decide::{self, Arrival, Change, ChangeKind, Facts, Known};
use crate::merge::identify::{self, Identified};
use crate::merge::rules::{Judge, Rules, Seen, Subject};
use crate::model::Timestamp;
use crate::model::entry::{Entry, Key, KeyKind, Placement, Seq, Sighting, TextDigest, TextName};
use crate::model::feed::FeedId;
use crate::model::source::{Grounds, Scope, SourceKey};
use crate::poll::judging;
use crate::poll::pages::Wanted;
use crate::poll::prepare::Prepared;
use crate::poll::quarantine::{self, Quarantine};
use crate::poll::rearrange::{self, Desk, Rearranged};
use crate::poll::retention;
use crate::poll::topics::Topics;
use crate::poll::window::Window;
use crate::select::candidate::SourceFacts;
use crate::select::catalogue::Catalogue;
use crate::store::engine::StoreError;
use crate::store::entries::{Commit, EntryWrite, Store};
use crate::store::keys::Place;
use crate::store::record::Counters;
use crate::store::source::SourceState;

/// What a poll brought.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Absorbed {
    pub new: usize,
    pub joined: usize,
    pub updated: usize,
    /// New ones that are held back, and not among `new`.
    pub held: usize,
    /// Sources of which more or less is held back now.
    pub holding: HashSet<Scope>,
    /// Feeds whose documents differ now.
    pub feeds: HashSet<FeedId>,
    /// Whose full text is wanted, in the order of joining.
    pub pages: Vec<Wanted>,
    pub state: SourceState,
}

/// A document's whole way from observations to stored entries. Applied, not yet synced, when it returns.
pub fn absorb(
    store: &Store,
    topics: &Topics,
    catalogue: &Catalogue,
    prepared: Prepared,
    counters: &mut Counters,
    window: &Window,
) -> Result<Absorbed, StoreError> {
    let Prepared { key, arrival, mut seen, texts, hashes, moves, state, looked, names_before, .. } = prepared;
    let subjects = judging::arriving(&catalogue.rules, catalogue, &arrival, &mut seen);
    let gone = retention::named(store, &moves.gone)?;
    let mut known = gather(store, &arrival, &seen, &catalogue.rules, &subjects)?;
    known.names_before = names_before;
    depart(&mut known, &arrival, &gone);
    retention::without_removed(store, &arrival.scope, &mut seen, &known)?;
    window.propose(store, catalogue, &arrival, &seen, &looked, &mut known)?;
    let names: Vec<Key> = seen.iter().map(|one| one.own).collect();
    let mut quarantine = Quarantine::of(&arrival, &seen, &known);
    let changes = decided(store, catalogue, &arrival, seen, known, &subjects, counters);
    let limit = catalogue.source(&key).map_or(usize::MAX, |source| source.reissue_limit);
    quarantine.judge(&changes, limit);

    let absorbed = Absorbed { state, ..Absorbed::default() };
    let wants_pages = catalogue.source(&key).is_some_and(|source| source.full_text.is_some());
    let mut writing = Writing {
        store,
        topics,
        catalogue,
        arrival: &arrival,
        quarantine,
        wants_pages: wants_pages.then_some(&key),
        texts: texts.into_iter().collect(),
        latest: HashMap::new(),
        commit: Commit { at: Some(arrival.now), ..Commit::default() },
        window,
        subjects: &subjects,
        edited: Vec::new(),
        absorbed,
    };
    for (change, one) in changes {
        writing.take(change, &one, counters)?;
    }
    let Writing { mut commit, mut absorbed, edited, .. } = writing;
    let moved = retention::moved(store, &arrival, &names, (&moves, &gone), &commit.entries)?;
    if !commit.entries.is_empty() {
        absorbed.state.last_change = Some(arrival.now);
        commit.counters = Some(*counters);
    }
    if !commit.entries.is_empty() || !moved.is_empty() {
        commit.moved = Some((arrival.scope.clone(), moved));
        commit.last_document = Some((arrival.scope.clone(), hashes));
    }
    let changes = [absorbed.new + absorbed.held, absorbed.joined, absorbed.updated];
    absorbed.state.note_fresh(arrival.now, changes);
    commit.sources = vec![(arrival.scope.clone(), Arc::new(absorbed.state.clone()))];
    store.commit(&commit)?;
    let desk = Desk { store, topics, catalogue, now: arrival.now };
    let rearranged = rearrange_edited(desk, counters, &edited)?;
    window.moved(store, &rearranged.moved)?;
    absorbed.feeds.extend(rearranged.feeds);
    Ok(absorbed)
}

/// Decides with the rules over merging, as far as there are any. `subjects` are what these know of `seen`.
pub fn decided(
    store: &Store,
    catalogue: &Catalogue,
    arrival: &Arrival,
    seen: Vec<Identified>,
    known: Known,
    subjects: &HashMap<Key, Subject>,
    counters: &mut Counters,
) -> Vec<(Change, Identified)> {
    let rules = &*catalogue.rules;
    let judge = Judge {
        rules,
        // Of what cannot be read no query is known to match.
        stored: &|sighting| {
            let known = judging::stored(rules, store, catalogue, sighting);
            known.unwrap_or_else(|_| rules.subject(Seen::stored(sighting), &|_| false))
        },
        arriving: &|one| subjects[&one.own].clone(),
    };
    let facts = Facts {
        text: &|name| told(store, name),
        grounds: &|scope| catalogue.grounds(scope),
        // An id of which nothing can be learnt is not given a second time.
        is_taken: &|id| store.entry_with_id(id).map_or(true, |entry| entry.is_some()),
        rules: Some(&judge).filter(|_| !rules.is_empty()),
    };
    let mut next = Seq(counters.next.max(1));
    let changes = decide::decide(arrival, seen, known, &facts, &mut next);
    counters.next = next.0;
    changes
}

/// An edit may bring a sighting under a rule that did not speak of it before.
fn rearrange_edited(desk: Desk<'_>, counters: &mut Counters, edited: &[(Seq, Seq)]) -> Result<Rearranged, StoreError> {
    let mut rearranged = Rearranged::default();
    for (entry, sighting) in edited {
        rearrange::settle(desk, counters, &[*entry], &|it| Ok(it.seq == *sighting), &mut rearranged)?;
    }
    Ok(rearranged)
}

/// What one document writes, change by change.
struct Writing<'a> {
    store: &'a Store,
    topics: &'a Topics,
    catalogue: &'a Catalogue,
    arrival: &'a Arrival,
    quarantine: Quarantine,
    /// The source, if it wants the pages of its entries.
    wants_pages: Option<&'a SourceKey>,
    texts: HashMap<TextDigest, Vec<u8>>,
    /// Places that earlier changes gave.
    latest: HashMap<Seq, Vec<Placement>>,
    window: &'a Window,
    /// What the user's rules know of the observations.
    subjects: &'a HashMap<Key, Subject>,
    /// Entries and sightings that an edit may have brought under a rule.
    edited: Vec<(Seq, Seq)>,
    commit: Commit,
    absorbed: Absorbed,
}

impl Writing<'_> {
    fn take(&mut self, change: Change, one: &Identified, counters: &mut Counters) -> Result<(), StoreError> {
        let seq = change.entry.seq;
        let is_held = self.quarantine.holds(seq);
        count(&change, is_held, &mut self.absorbed, counters);
        if let Some(key) = self.wants_pages {
            self.absorbed.pages.extend(Wanted::of(key, &self.arrival.scope, &change));
        }
        let index = change.sighting;
        // Under another name its text is stored anew without being another one.
        let is_renamed = change.new_keys.iter().any(|key| key.kind == KeyKind::Guid);
        let is_edited = change.kind == ChangeKind::Updated && change.new_text.is_some() && !is_renamed;
        let let_out = self.quarantine.lets_out(&change);
        self.commit.sketches.extend(self.window.take(self.catalogue, &change, one));
        if change.kind == ChangeKind::Updated
            && self.subjects.get(&one.own).is_some_and(|subject| self.catalogue.rules.speaks_of(subject))
        {
            self.edited.push((seq, change.entry.sightings[index].seq));
        }
        let mut write = write(change, one, &mut self.texts);
        if let Some(placements) = self.latest.get(&seq) {
            write.entry.placements.clone_from(placements);
        }
        if is_held {
            write.entry.held = Some(self.arrival.now);
            self.absorbed.holding.insert(self.arrival.scope.clone());
        }
        if write.entry.held.is_none() {
            let sighting = &write.entry.sightings[index];
            // A sighting that an edit brought into a topic arrives there now, not when it was first seen.
            let is_edited = is_edited || sighting.changed == Some(self.arrival.now);
            let sort_at = if is_edited { self.arrival.now } else { sighting.sort_at };
            let parts = [one.summary(), one.content()];
            place(&mut write, index, parts, sort_at, (self.topics, self.catalogue), self.arrival.now);
        }
        if let Some(held) = let_out {
            self.absorbed.holding.insert(held.0.clone());
            self.commit.let_out.insert(seq, held);
            quarantine::place_all(self.store, &mut write, (self.topics, self.catalogue), self.arrival.now)?;
        }
        self.latest.insert(seq, write.entry.placements.clone());
        self.absorbed.feeds.extend(write.entry.placements.iter().map(|placement| placement.feed.clone()));
        self.commit.entries.push(write);
        Ok(())
    }
}

/// Every stored entry that shares a key with one of the observations, or that a rule says may be one with it.
fn gather(
    store: &Store,
    arrival: &Arrival,
    seen: &[Identified],
    rules: &Rules,
    subjects: &HashMap<Key, Subject>,
) -> Result<Known, StoreError> {
    let mut known = Known::default();
    for one in seen {
        let by_rule = subjects.get(&one.own).map(|subject| rules.keys(subject)).unwrap_or_default();
        let mut is_new = false;
        for key in one.keys().chain(by_rule) {
            let found = look_up(store, &mut known, key)?;
            is_new |= key == one.own && !found;
        }
        // At its first poll a source has no names from before.
        if is_new && arrival.previous_poll.is_some() {
            for key in identify::spellings(&arrival.scope, one) {
                look_up(store, &mut known, key)?;
            }
        }
    }
    Ok(known)
}

/// Takes in the entries that share a key; whether there are any.
fn look_up(store: &Store, known: &mut Known, key: Key) -> Result<bool, StoreError> {
    if known.by_key.contains_key(&key) {
        return Ok(true);
    }
    let sharing = store.sharing(key)?;
    for seq in &sharing {
        if !known.entries.contains_key(seq)
            && let Some(entry) = store.entry(*seq)?
        {
            known.entries.insert(*seq, Arc::new(entry));
        }
    }
    let found = !sharing.is_empty();
    if found {
        known.by_key.insert(key, sharing);
    }
    Ok(found)
}

/// Takes in the entries whose names left the source's document.
fn depart(known: &mut Known, arrival: &Arrival, gone: &HashMap<[u8; 16], Vec<Arc<Entry>>>) {
    for (hash, entries) in gone {
        let key = Key { kind: KeyKind::Guid, hash: *hash };
        for entry in entries {
            let own = entry.sightings.iter().filter(|sighting| sighting.source == arrival.scope);
            let names = own.filter(|sighting| sighting.keys.contains(&key)).filter_map(|it| it.keys.first());
            for name in names {
                if *name == key {
                    known.departed.push(entry.seq);
                    known.entries.entry(entry.seq).or_insert_with(|| Arc::clone(entry));
                } else if arrival.document.contains(name) {
                    known.renamed += 1;
                }
            }
        }
    }
    known.departed.sort_unstable();
    known.departed.dedup();
}

/// The grounds that a source admits.
pub fn grounds(catalogue: &Catalogue, scope: &Scope) -> Grounds {
    catalogue.standing.sources.get(scope).map(|source| source.grounds).unwrap_or_default()
}

/// What is shown of a stored sighting. A text that cannot be read agrees with nothing.
pub fn told(store: &Store, name: TextName) -> Option<String> {
    store.texts(name).ok().flatten().map(|texts| identify::told(&texts))
}

fn count(change: &Change, is_held: bool, absorbed: &mut Absorbed, counters: &mut Counters) {
    match change.kind {
        ChangeKind::New => {
            absorbed.new += usize::from(!is_held);
            absorbed.held += usize::from(is_held);
            counters.entries += 1;
        }
        ChangeKind::Joined => absorbed.joined += 1,
        ChangeKind::Updated => absorbed.updated += 1,
    }
    if change.kind != ChangeKind::Updated {
        counters.sightings += 1;
        absorbed.state.entries += 1;
    }
}

fn write(change: Change, one: &Identified, texts: &mut HashMap<TextDigest, Vec<u8>>) -> EntryWrite {
    let Change { kind, entry, sighting, mut new_keys, mut dropped_keys, new_text, dropped_text } = change;
    let other_holds = |key: &Key| {
        let others = entry.sightings.iter().enumerate().filter(|(index, _)| *index != sighting);
        others.into_iter().any(|(_, other): (_, &Sighting)| other.keys.contains(key))
    };
    new_keys.retain(|key| !other_holds(key));
    dropped_keys.retain(|key| !other_holds(key));
    let text = new_text.zip(one.digest).and_then(|(name, digest)| Some((name, texts.remove(&digest)?)));
    EntryWrite {
        new_id: (kind == ChangeKind::Joined).then(|| entry.sightings[sighting].id),
        entry: Arc::unwrap_or_clone(entry),
        is_new: kind == ChangeKind::New,
        new_keys,
        dropped_keys,
        text,
        dropped_text,
        joins: Vec::new(),
    }
}

/// Puts the entry into every feed that one of its sightings belongs to and that does not hold it yet. A place once taken stays.
/// `parts` are the sighting's summary and content.
pub(super) fn place(
    write: &mut EntryWrite,
    index: usize,
    parts: [Option<&str>; 2],
    sort_at: Timestamp,
    (topics, catalogue): (&Topics, &Catalogue),
    now: Timestamp,
) {
    let sighting = &write.entry.sightings[index];
    let mut feeds = vec![(FeedId::All, vec![0]), (FeedId::Source(sighting.source.clone()), vec![0])];
    if let Some(source) = SourceFacts::of(catalogue, &sighting.source) {
        let found = topics.of(sighting, parts, &source, now);
        feeds.extend(found.into_iter().map(|(topic, epochs)| (FeedId::Topic(topic), epochs)));
    }
    for (feed, epochs) in feeds {
        if write.entry.placements.iter().any(|placement| placement.feed == feed) {
            continue;
        }
        let place = Place { sort_at, seq: write.entry.seq };
        write.joins.extend(epochs.into_iter().map(|epoch| (feed.clone(), epoch, place)));
        write.entry.placements.push(Placement { feed, sort_at });
    }
}
