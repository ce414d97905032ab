//! Which topics a sighting belongs to, and how their memberships follow a changed definition.

use std::collections::{HashMap, HashSet};

use crate::model::Timestamp;
use crate::model::entry::{Entry, Placement, Seq, Sighting, Texts};
use crate::model::feed::FeedId;
use crate::model::source::{Scope, TopicKey};
use crate::query::set::Set;
use crate::query::{Candidate, Query};
use crate::select::candidate::{SourceFacts, with_candidate};
use crate::select::catalogue::Catalogue;
use crate::store::engine::StoreError;
use crate::store::entries::{Commit, EntryWrite, Store};
use crate::store::keys::Place;
use crate::store::record::TopicRecord;

/// Entries that one step of a rebuilding looks at, between two groups of polls.
const STEP: usize = 500;

/// A topic's definition, and the epochs of its memberships.
struct Rule {
    key: TopicKey,
    query: Option<Query>,
    members: HashSet<Scope>,
    record: TopicRecord,
    /// The epoch that readers see.
    serving: u32,
    /// Set while memberships are worked out anew: the epoch to come, and the last entry that was looked at.
    building: Option<(u32, Seq)>,
}

/// All topics as the committer applies them.
#[derive(Default)]
pub struct Topics {
    rules: Vec<Rule>,
    /// The topics that a source is a member of, by their places among the rules.
    of_source: HashMap<Scope, Vec<usize>>,
    /// The queries of all topics, and the place of the topic of each.
    queries: Set,
    of_query: Vec<usize>,
}

impl Topics {
    /// Follows the configuration: definitions that are as they were go on, changed ones are rebuilt, forgotten ones are cleared.
    pub fn read(catalogue: &Catalogue, store: &Store) -> Result<Self, StoreError> {
        let mut rules = Vec::new();
        for topic in &catalogue.config.topics {
            let wanted = catalogue.definition(topic, 0);
            let members = wanted.sources.iter().map(|source| Scope(source.as_str().into())).collect();
            rules.push(rule(store, topic.key.clone(), topic.matches.clone(), members, wanted)?);
        }
        for key in store.topics()? {
            if !rules.iter().any(|rule| rule.key == key) {
                store.forget_topic(&key)?;
            }
        }
        Ok(Self::compiled(rules))
    }

    fn compiled(rules: Vec<Rule>) -> Self {
        let mut of_source: HashMap<Scope, Vec<usize>> = HashMap::new();
        let (mut queries, mut of_query) = (Vec::new(), Vec::new());
        for (place, rule) in rules.iter().enumerate() {
            for scope in &rule.members {
                of_source.entry(scope.clone()).or_default().push(place);
            }
            if let Some(query) = &rule.query {
                queries.push(query.clone());
                of_query.push(place);
            }
        }
        Self { rules, of_source, queries: Set::new(queries), of_query }
    }

    /// The feeds that a sighting belongs to besides `all` and its source, with every epoch to be written.
    pub fn of(
        &self,
        sighting: &Sighting,
        texts: [Option<&str>; 2],
        source: &SourceFacts<'_>,
        now: Timestamp,
    ) -> Vec<(TopicKey, Vec<u32>)> {
        let mut places = self.of_source.get(&sighting.source).cloned().unwrap_or_default();
        if !self.queries.is_empty() {
            let found = with_candidate(sighting, texts, source, |candidate| self.queries.matching(candidate, now));
            places.extend(found.into_iter().map(|number| self.of_query[number]));
            places.sort_unstable();
            places.dedup();
        }
        let named = |place: usize| {
            let rule = &self.rules[place];
            let epochs = std::iter::once(rule.serving).chain(rule.building.map(|(epoch, _)| epoch)).collect();
            (rule.key.clone(), epochs)
        };
        places.into_iter().map(named).collect()
    }

    /// The old memberships stay in effect until the topics are read again.
    pub fn give_up_building(&mut self) {
        for rule in &mut self.rules {
            rule.building = None;
        }
    }

    /// Every epoch in which a feed may hold a membership.
    pub fn epochs(&self, feed: &FeedId) -> Vec<u32> {
        let FeedId::Topic(key) = feed else { return vec![0] };
        let rules = self.rules.iter().filter(|rule| rule.key == *key);
        rules.flat_map(|rule| std::iter::once(rule.serving).chain(rule.building.map(|(epoch, _)| epoch))).collect()
    }

    pub fn is_building(&self) -> bool {
        self.rules.iter().any(|rule| rule.building.is_some())
    }

    /// One bounded step of the first rebuilding that is under way. Gives the topic when its new memberships took effect.
    pub fn build(
        &mut self,
        store: &Store,
        catalogue: &Catalogue,
        now: Timestamp,
    ) -> Result<Option<TopicKey>, StoreError> {
        let Some(rule) = self.rules.iter_mut().find(|rule| rule.building.is_some()) else { return Ok(None) };
        let Some((epoch, after)) = rule.building else { return Ok(None) };
        let entries = store.entries_after(after, STEP)?;
        let Some(last) = entries.last().map(|entry| entry.seq) else {
            rule.record.epoch = epoch;
            store.define_topic(&rule.key, &rule.record)?;
            store.clear_epoch(&FeedId::Topic(rule.key.clone()), rule.serving)?;
            rule.serving = epoch;
            rule.building = None;
            return Ok(Some(rule.key.clone()));
        };
        let mut commit = Commit { is_silent: true, ..Commit::default() };
        // What is held back belongs to no feed until it is released, and is placed then.
        for entry in entries.into_iter().filter(|entry| entry.held.is_none()) {
            if let Some(write) = rule.placed(store, catalogue, entry, epoch, now)? {
                commit.entries.push(write);
            }
        }
        store.commit(&commit)?;
        rule.building = Some((epoch, last));
        Ok(None)
    }
}

fn rule(
    store: &Store,
    key: TopicKey,
    query: Option<Query>,
    members: HashSet<Scope>,
    wanted: TopicRecord,
) -> Result<Rule, StoreError> {
    let feed = FeedId::Topic(key.clone());
    let stored = store.topic(&key)?;
    let serving = stored.as_ref().map_or(0, |record| record.epoch);
    let record = TopicRecord { epoch: serving, ..wanted };
    let unchanged = match &stored {
        Some(stored) => stored == &record || only_new_sources_joined(store, stored, &record)?,
        None => store.counters()?.entries == 0,
    };
    let building = if unchanged {
        if stored.as_ref() != Some(&record) {
            store.define_topic(&key, &record)?;
        }
        None
    } else {
        // What an interrupted rebuilding left is incomplete.
        store.clear_epoch(&feed, serving + 1)?;
        Some((serving + 1, Seq(0)))
    };
    Ok(Rule { key, query, members, record, serving, building })
}

/// A source of which nothing is stored changes no membership by joining; rebuilding would find what is there already.
fn only_new_sources_joined(store: &Store, stored: &TopicRecord, wanted: &TopicRecord) -> Result<bool, StoreError> {
    if stored.query != wanted.query || !stored.sources.iter().all(|source| wanted.sources.contains(source)) {
        return Ok(false);
    }
    for source in wanted.sources.iter().filter(|source| !stored.sources.contains(source)) {
        if store.count(&FeedId::Source(Scope(source.as_str().into())), 0, 1)? > 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Rule {
    fn holds(&self, sighting: &Sighting, candidate: &Candidate<'_>, now: Timestamp) -> bool {
        self.members.contains(&sighting.source)
            || self.query.as_ref().is_some_and(|query| query.matches(candidate, now))
    }

    /// The entry with its place in the new epoch, or without one. A place that it has had stays its place.
    fn placed(
        &self,
        store: &Store,
        catalogue: &Catalogue,
        mut entry: Entry,
        epoch: u32,
        now: Timestamp,
    ) -> Result<Option<EntryWrite>, StoreError> {
        let feed = FeedId::Topic(self.key.clone());
        let before = entry.placements.iter().position(|placement| placement.feed == feed);
        let mut found = None;
        for sighting in &entry.sightings {
            let Some(source) = SourceFacts::of(catalogue, &sighting.source) else { continue };
            let texts = match (sighting.text, &self.query) {
                (Some(hash), Some(_)) => store.texts(hash)?.unwrap_or_default(),
                _ => Texts::default(),
            };
            let holds =
                with_candidate(sighting, texts.parts(), &source, |candidate| self.holds(sighting, candidate, now));
            if holds {
                found = Some(sighting.sort_at);
                break;
            }
        }
        let sort_at = match (before, found) {
            (None, None) => return Ok(None),
            (Some(index), None) => {
                entry.placements.remove(index);
                None
            }
            (Some(index), Some(_)) => Some(entry.placements[index].sort_at),
            (None, Some(sort_at)) => {
                entry.placements.push(Placement { feed: feed.clone(), sort_at });
                Some(sort_at)
            }
        };
        let joins = sort_at.map(|sort_at| (feed, epoch, Place { sort_at, seq: entry.seq })).into_iter().collect();
        Ok(Some(EntryWrite {
            entry,
            is_new: false,
            new_id: None,
            new_keys: Vec::new(),
            dropped_keys: Vec::new(),
            text: None,
            dropped_text: None,
            joins,
        }))
    }
}
