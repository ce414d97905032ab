//! One prepared document → one commit. The screen on which an entry's way into the store can be read:
//! gather what is known, decide, place, write.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::merge::decide::{self, Arrival, Change, ChangeKind, Facts, Known};
use crate::merge::identify::Identified;
use crate::merge::rules::{Judge, Rules, Seen, Subject};
use crate::model::Timestamp;
use crate::model::entry::{Key, Placement, Seq, Sighting, TextDigest, TextName};
use crate::model::feed::FeedId;
use crate::model::source::{Grounds, Scope};
use crate::poll::judging;
use crate::poll::pages::Wanted;
use crate::poll::prepare::Prepared;
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
use crate::text;

/// What a poll brought.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Absorbed {
    pub new: usize,
    pub joined: usize,
    pub updated: usize,
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
    let Prepared { key, arrival, mut seen, texts, hashes, moves, mut state, looked, .. } = prepared;
    let subjects = judging::arriving(&catalogue.rules, catalogue, &arrival, &mut seen);
    let mut known = gather(store, &seen, &catalogue.rules, &subjects)?;
    retention::without_removed(store, &arrival.scope, &mut seen, &known)?;
    window.propose(store, catalogue, &arrival, &seen, &looked, &mut known)?;
    let names: Vec<Key> = seen.iter().map(|one| one.own).collect();
    let changes = decided(store, catalogue, &arrival, seen, known, &subjects, counters);

    let mut absorbed = Absorbed::default();
    let wants_pages = catalogue.source(&key).is_some_and(|source| source.full_text.is_some());
    let mut latest: HashMap<Seq, Vec<Placement>> = HashMap::new();
    let mut texts: HashMap<TextDigest, Vec<u8>> = texts.into_iter().collect();
    let mut commit = Commit { at: Some(arrival.now), ..Commit::default() };
    let mut edited = Vec::new();
    for (change, one) in changes {
        count(&change, &mut absorbed, counters, &mut state);
        if wants_pages {
            absorbed.pages.extend(Wanted::of(&key, &arrival.scope, &change));
        }
        let index = change.sighting;
        commit.sketches.extend(window.take(catalogue, &change, &one));
        if change.kind == ChangeKind::Updated
            && subjects.get(&one.own).is_some_and(|subject| catalogue.rules.speaks_of(subject))
        {
            edited.push((change.entry.seq, change.entry.sightings[index].seq));
        }
        let mut write = write(change, &one, &mut texts);
        if let Some(placements) = latest.get(&write.entry.seq) {
            write.entry.placements.clone_from(placements);
        }
        place(&mut write, index, &one, topics, catalogue, arrival.now);
        latest.insert(write.entry.seq, write.entry.placements.clone());
        absorbed.feeds.extend(write.entry.placements.iter().map(|placement| placement.feed.clone()));
        commit.entries.push(write);
    }
    let moved = retention::moved(store, &arrival, &names, &moves, &commit.entries)?;
    if !commit.entries.is_empty() {
        state.last_change = Some(arrival.now);
        commit.counters = Some(*counters);
    }
    if !commit.entries.is_empty() || !moved.is_empty() {
        commit.moved = Some((arrival.scope.clone(), moved));
        commit.last_document = Some((arrival.scope.clone(), hashes));
    }
    state.note_fresh(arrival.now, [absorbed.new, absorbed.joined, absorbed.updated]);
    commit.sources = vec![(arrival.scope.clone(), Arc::new(state.clone()))];
    store.commit(&commit)?;
    absorbed.state = state;
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
        text: &|name| visible(store, name),
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

/// Every stored entry that shares a key with one of the observations, or that a rule says may be one with it.
fn gather(
    store: &Store,
    seen: &[Identified],
    rules: &Rules,
    subjects: &HashMap<Key, Subject>,
) -> Result<Known, StoreError> {
    let mut known = Known::default();
    for one in seen {
        let by_rule = subjects.get(&one.own).map(|subject| rules.keys(subject)).unwrap_or_default();
        for key in one.keys().chain(by_rule) {
            if known.by_key.contains_key(&key) {
                continue;
            }
            let sharing = store.sharing(key)?;
            for seq in &sharing {
                if !known.entries.contains_key(seq)
                    && let Some(entry) = store.entry(*seq)?
                {
                    known.entries.insert(*seq, Arc::new(entry));
                }
            }
            if !sharing.is_empty() {
                known.by_key.insert(key, sharing);
            }
        }
    }
    Ok(known)
}

/// The grounds that a source admits.
pub fn grounds(catalogue: &Catalogue, scope: &Scope) -> Grounds {
    catalogue.standing.sources.get(scope).map(|source| source.grounds).unwrap_or_default()
}

/// The text of a stored sighting, as `identify` chose it. A text that cannot be read agrees with nothing.
pub fn visible(store: &Store, name: TextName) -> Option<String> {
    let texts = store.texts(name).ok().flatten()?;
    let texts = [texts.summary, texts.content].into_iter().flatten().map(|html| text::visible(&html.0));
    texts.max_by_key(String::len)
}

fn count(change: &Change, absorbed: &mut Absorbed, counters: &mut Counters, state: &mut SourceState) {
    match change.kind {
        ChangeKind::New => {
            absorbed.new += 1;
            counters.entries += 1;
        }
        ChangeKind::Joined => absorbed.joined += 1,
        ChangeKind::Updated => absorbed.updated += 1,
    }
    if change.kind != ChangeKind::Updated {
        counters.sightings += 1;
        state.entries += 1;
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

/// Puts the entry into every feed that its changed sighting belongs to and that does not hold it yet. A place once taken stays.
fn place(
    write: &mut EntryWrite,
    index: usize,
    one: &Identified,
    topics: &Topics,
    catalogue: &Catalogue,
    now: Timestamp,
) {
    let sighting = write.entry.sightings[index].clone();
    let mut feeds = vec![(FeedId::All, vec![0]), (FeedId::Source(sighting.source.clone()), vec![0])];
    if let Some(source) = SourceFacts::of(catalogue, &sighting.source) {
        let found = topics.of(&sighting, [one.summary(), one.content()], &source, now);
        feeds.extend(found.into_iter().map(|(topic, epochs)| (FeedId::Topic(topic), epochs)));
    }
    // A sighting that an edit brought into a topic arrives there now, not when it was first seen.
    let sort_at = if sighting.changed == Some(now) { now } else { sighting.sort_at };
    for (feed, epochs) in feeds {
        if write.entry.placements.iter().any(|placement| placement.feed == feed) {
            continue;
        }
        let place = Place { sort_at, seq: write.entry.seq };
        write.joins.extend(epochs.into_iter().map(|epoch| (feed.clone(), epoch, place)));
        write.entry.placements.push(Placement { feed, sort_at });
    }
}
