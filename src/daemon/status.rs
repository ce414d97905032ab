//! The status snapshot that pages and metrics show, made anew every second.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::config::Topic;
use crate::daemon::mill::Mill;
use crate::model::feed::{FeedName, Format};
use crate::published::request::FeedRequest;
use crate::published::status::{Headline, Status, TopicStatus};
use crate::select::catalogue::{Catalogue, topic_title};
use crate::select::page;
use crate::store::engine::StoreError;
use crate::store::entries::Store;

const EVERY: Duration = Duration::from_secs(1);
/// Entries on the front page.
const LATEST: usize = 30;

/// Runs until `stop`.
pub(super) async fn run(mill: Arc<Mill>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut seen = None;
    let mut stored = Stored::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let catalogue = mill.catalogue();
        // The store is asked again only when the combined feed differs.
        let current = mill.published.get(&FeedName::All, Format::Atom).map(|all| all.identity.etag.clone());
        if current != seen || seen.is_none() {
            let followed = Arc::clone(&catalogue);
            match mill.handle.run(move |store| read(store, &followed)).await {
                Ok(read) => stored = read,
                Err(error) => tracing::error!(%error, "the status cannot be read from the store"),
            }
            seen.clone_from(&current);
        }
        mill.published.set_status(Arc::new(status(&mill, &catalogue, &stored)));
    }
}

/// What only the store knows.
#[derive(Default, Clone)]
struct Stored {
    latest: Vec<Headline>,
    entries: u64,
    sightings: u64,
    bytes: u64,
}

fn read(store: &Store, catalogue: &Catalogue) -> Result<Stored, StoreError> {
    let request = FeedRequest { limit: Some(LATEST), ..FeedRequest::plain(FeedName::All, Format::Atom) };
    let entries = match page::select(store, catalogue, &request, clock::now()) {
        Ok(selection) => selection.entries,
        Err(page::SelectError::Store(error)) => return Err(error),
        Err(_) => Vec::new(),
    };
    let latest = entries.into_iter().map(|entry| Headline {
        id: entry.id,
        title: entry.title.unwrap_or_else(|| entry.sightings[0].source_title.clone()),
        url: entry.url,
        published: entry.published,
        sources: entry.sightings.iter().map(|sighting| sighting.source_title.clone()).collect(),
    });
    let counters = store.counters()?;
    Ok(Stored {
        latest: latest.collect(),
        entries: counters.entries,
        sightings: counters.sightings,
        bytes: store.size_on_disk()?,
    })
}

fn status(mill: &Mill, catalogue: &Catalogue, stored: &Stored) -> Status {
    let stored = stored.clone();
    let topics = catalogue.config.topics.iter();
    Status {
        title: catalogue.config.server.title.clone(),
        base: Some(catalogue.base.clone()),
        not_ready: mill.polling.committer.trouble(),
        config_problem: mill.config_problem.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        sources: mill.polling.statuses(catalogue, clock::now()),
        topics: topics.map(topic_status).collect(),
        latest: stored.latest,
        entries: stored.entries,
        sightings: stored.sightings,
        store_bytes: stored.bytes,
    }
}

fn topic_status(topic: &Topic) -> TopicStatus {
    let query = topic.matches.as_ref().map(ToString::to_string);
    TopicStatus { key: topic.key.clone(), title: topic_title(topic), query }
}
