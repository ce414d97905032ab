//! The status snapshot that pages and metrics show, made anew every second.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::config::Topic;
use crate::daemon::mill::Mill;
use crate::index::Index;
use crate::model::access::{Access, Audience};
use crate::model::feed::{FeedName, Format};
use crate::published::lifetimes::Lifetimes;
use crate::published::request::FeedRequest;
use crate::published::status::{Headline, SearchStatus, SourceStatus, Status, TopicStatus};
use crate::select::catalogue::{Catalogue, topic_title};
use crate::select::page;
use crate::store::engine::StoreError;
use crate::store::entries::Store;
use crate::text::addresses;

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
        let access = mill.published.access();
        let catalogue = mill.catalogue();
        let view = access.of_pages();
        // The store is asked again only when the combined feed differs.
        let current = mill.published.get(&FeedName::All, Format::Atom).map(|all| all.identity.etag.clone());
        let current = (current, Arc::clone(&access));
        if seen.as_ref() != Some(&current) {
            let followed = Arc::clone(&catalogue);
            match mill.handle.run(move |store| read(store, &followed)).await {
                Ok(read) => stored = read,
                Err(error) => tracing::error!(%error, "the status cannot be read from the store"),
            }
            seen = Some(current);
        }
        let status = status(&mill, catalogue.of(view), &stored);
        let topics = catalogue.config.topics.iter().map(|topic| (topic.key.clone(), topic.matches.is_some()));
        let topics: Vec<_> = topics.collect();
        mill.published.set_lifetimes(Lifetimes::of(&status.sources, &topics, clock::now()));
        mill.published.set_status_under(&access, Arc::new(status));
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
    let audience = catalogue.config.access.of_pages();
    let request = FeedRequest { limit: Some(LATEST), audience, ..FeedRequest::plain(FeedName::All, Format::Atom) };
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
    let problem = mill.config_problem.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let access = &catalogue.config.access;
    let topics = catalogue.config.topics.iter();
    let topics = topics.filter(|topic| access.is_listed(&FeedName::Topic(topic.key.clone())));
    let sources = catalogue.config.sources.iter().map(|source| FeedName::Source(source.key.clone()));
    Status {
        title: catalogue.config.server.title.clone(),
        base: Some(catalogue.base.clone()),
        not_ready: mill.polling.committer.trouble(),
        config_problem: problem.map(|problem| told(access, &problem)),
        sources: mill.polling.statuses(catalogue, clock::now()).into_iter().map(without_secrets).collect(),
        topics: topics.map(topic_status).collect(),
        unlisted: sources.filter(|feed| !access.is_listed(feed)).collect(),
        latest: stored.latest,
        entries: stored.entries,
        sightings: stored.sightings,
        store_bytes: stored.bytes,
        search: mill.search.as_ref().map(|it| search(&it.index, *mill.store.watch_journal().borrow())),
    }
}

/// `told` is the number of the journal's last record that is on the disk.
fn search(index: &Index, told: u64) -> SearchStatus {
    let trouble = index.trouble().map(|error| error.to_string());
    let Some(view) = index.view() else {
        let note = trouble.or_else(|| Some("the index is about to be made".to_owned()));
        return SearchStatus { note, ..SearchStatus::default() };
    };
    let standing = view.standing();
    let making = standing.filled.is_some().then(|| "the index is being made".to_owned());
    SearchStatus {
        documents: view.documents(),
        behind: told.saturating_sub(standing.number),
        bytes: view.bytes(),
        note: trouble.or(making),
    }
}

/// What is wrong with an edit may speak of what not everybody is to know; then the log and `feedmill check` tell it alone.
fn told(access: &Access, problem: &str) -> String {
    let has_secrets = !access.groups.is_empty() || !access.private.is_empty();
    if has_secrets && access.of_pages() == Audience::Public {
        return "The log and `feedmill check` tell why.".to_owned();
    }
    addresses::masked(problem).into_owned()
}

/// Publishers and their servers are quoted with the addresses that they were asked at.
fn without_secrets(mut source: SourceStatus) -> SourceStatus {
    let masked = |text: &String| addresses::masked(text).into_owned();
    source.reason = source.reason.as_ref().map(masked);
    source.notes = source.notes.iter().map(masked).collect();
    source
}

fn topic_status(topic: &Topic) -> TopicStatus {
    let query = topic.matches.as_ref().map(ToString::to_string);
    TopicStatus { key: topic.key.clone(), title: topic_title(topic), query }
}
