//! What of the store readers are shown under one configuration.

use std::collections::HashMap;

use crate::config::Topic;
use crate::merge::present::{self, Standing, StandingSource};
use crate::model::Timestamp;
use crate::model::entry::{Entry, Sighting};
use crate::model::feed::{FeedId, FeedName};
use crate::model::source::{Scope, SourceKey, TopicKey};
use crate::select::catalogue::Catalogue;
use crate::store::engine::StoreError;
use crate::store::entries::Store;

/// Sources and topics as far as they decide what is shown.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct View {
    standing: Standing,
    /// With the time from which entries are in the topic's document, where it has a `max_age`.
    topics: HashMap<TopicKey, Option<Timestamp>>,
}

impl View {
    pub(super) fn of(catalogue: &Catalogue, now: Timestamp) -> Self {
        let topics = catalogue.config.topics.iter();
        Self {
            standing: catalogue.standing.clone(),
            topics: topics.map(|topic| (topic.key.clone(), not_before(topic, now))).collect(),
        }
    }

    /// What a store was last used for, as far as it knows: every source that it ever had, and its topics. What it does not remember
    /// is taken to be as in the file.
    pub(super) fn remembered(store: &Store, file: &Catalogue, now: Timestamp) -> Result<Self, StoreError> {
        let mut standing = Standing::default();
        for (key, scope) in store.names()? {
            let source = match file.standing.sources.get(&scope) {
                Some(source) => StandingSource { key, ..source.clone() },
                None => undeclared(store, key, &scope)?,
            };
            standing.sources.insert(scope, source);
        }
        let age = |key: &TopicKey| file.config.topics.iter().find(|topic| topic.key == *key);
        let topics = store.topics()?.into_iter();
        let topics = topics.map(|key| (key.clone(), age(&key).and_then(|topic| not_before(topic, now)))).collect();
        Ok(Self { standing, topics })
    }

    /// The sighting that is shown of an entry, and every feed that shows it; `None` when none does.
    pub(super) fn of_entry<'e>(&self, entry: &'e Entry) -> Option<(&'e Sighting, Vec<FeedId>)> {
        if entry.held.is_some() {
            return None;
        }
        let shown = present::shown(entry, &self.standing)?;
        let published = present::published(shown);
        let holds = |feed: &FeedId| match feed {
            FeedId::All => true,
            FeedId::Source(scope) => self.standing.sources.contains_key(scope),
            FeedId::Topic(key) => {
                self.topics.get(key).is_some_and(|from| from.is_none_or(|not_before| published >= not_before))
            }
        };
        let feeds = entry.placements.iter().map(|placement| &placement.feed).filter(|feed| holds(feed));
        Some((shown, feeds.cloned().collect()))
    }

    /// The keys of the sources that show it, the one that is shown first.
    pub(super) fn sources(&self, entry: &Entry) -> Vec<String> {
        let shown = present::shown(entry, &self.standing);
        let others = entry.sightings.iter().filter(|sighting| shown.is_none_or(|shown| shown.seq != sighting.seq));
        let all = shown.into_iter().chain(others);
        all.filter_map(|sighting| self.standing.sources.get(&sighting.source)).map(|it| it.key.to_string()).collect()
    }

    /// What a feed is called; `None` when there is none of it.
    pub(super) fn name(&self, feed: &FeedId) -> Option<FeedName> {
        match feed {
            FeedId::All => Some(FeedName::All),
            FeedId::Topic(key) => self.topics.contains_key(key).then(|| FeedName::Topic(key.clone())),
            FeedId::Source(scope) => {
                self.standing.sources.get(scope).map(|source| FeedName::Source(source.key.clone()))
            }
        }
    }
}

/// As `select::page` counts it.
fn not_before(topic: &Topic, now: Timestamp) -> Option<Timestamp> {
    now.checked_sub_signed(chrono::TimeDelta::from_std(topic.max_age?).ok()?)
}

fn undeclared(store: &Store, key: SourceKey, scope: &Scope) -> Result<StandingSource, StoreError> {
    let state = store.source(scope)?.unwrap_or_default();
    Ok(StandingSource {
        title: state.title.unwrap_or_else(|| key.to_string()),
        key,
        address: None,
        site: state.site,
        about: std::sync::Arc::new(state.about),
        priority: 0,
        grounds: crate::model::source::Grounds::default(),
        shows_pages: false,
    })
}
