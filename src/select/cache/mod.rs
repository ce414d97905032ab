//! Requests → representations, from memory as long as nothing changed. Equal requests at the same time are answered together.
//!
//! Written here and not taken from a cache crate: an answer is outdated by a revision and not by its age, the bound is shared with
//! what is kept ready, and a flight must outlive the reader who began it.

mod listings;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, watch};

use crate::clock;
use crate::model::Timestamp;
use crate::published;
use crate::published::representation::Representation;
use crate::published::request::{FeedRequest, Refusal};
use crate::published::why::Question;
use crate::published::{Accounting, Door, Opening, Published, Writing};
use crate::select::cache::listings::Listings;
use crate::select::catalogue::Catalogue;
use crate::select::fragments;
use crate::select::page::SelectError;
use crate::select::recent::Recent;
use crate::select::revisions::Revisions;

/// Most different requests that are rendered or wait for it. More would wait longer than a reader does.
const WAITING: usize = 64;

/// Most accounts of entries that are made or wait for it, for the same reason. They are not kept: hardly one is asked for twice.
const ACCOUNTS: usize = 16;

/// The door as readers see it.
#[derive(Clone)]
pub struct Cache {
    door: Arc<dyn Door>,
    catalogue: watch::Receiver<Arc<Catalogue>>,
    revisions: Arc<Revisions>,
    /// What is kept ready counts within the bound, but is never given up.
    published: Arc<Published>,
    // Held for a look only, never over a rendering.
    state: Arc<Mutex<State>>,
    accounts: Arc<Semaphore>,
    listings: Listings,
    /// Where flights run: apart from the runtimes that serve, and independent of the readers who wait for them.
    runtime: tokio::runtime::Handle,
}

#[derive(Default)]
struct State {
    kept: Recent<FeedRequest, (Stamp, Arc<Representation>)>,
    flights: HashMap<(FeedRequest, Stamp), Flight>,
}

/// What an answer was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Stamp {
    revision: u64,
    /// The minute, where the answer depends on the time; else 0.
    minute: i64,
}

type Answer = Result<Arc<Representation>, Refusal>;
type Flight = watch::Receiver<Option<Answer>>;

impl Cache {
    /// To be called within the runtime on which feeds are to be rendered.
    pub fn new(
        door: Arc<dyn Door>,
        catalogue: watch::Receiver<Arc<Catalogue>>,
        revisions: Arc<Revisions>,
        published: Arc<Published>,
    ) -> Self {
        let runtime = tokio::runtime::Handle::current();
        let accounts = Arc::new(Semaphore::new(ACCOUNTS));
        let listings = Listings::default();
        Self { door, catalogue, revisions, published, state: Arc::default(), accounts, listings, runtime }
    }

    /// `None` for a feed that there is not.
    fn stamp(&self, request: &FeedRequest, now: Timestamp) -> Option<Stamp> {
        let catalogue = Arc::clone(&self.catalogue.borrow());
        let feed = catalogue.of(request.audience).feed_id(&request.feed)?;
        // A topic that is worked out anew changes what is found by it, also in feeds that do not change themselves.
        let asks_for_topics = request.topic.is_some() || request.query.is_some();
        let revision = if asks_for_topics { self.revisions.of_any() } else { self.revisions.of(&feed) };
        let is_relative = request.query.as_ref().is_some_and(|query| query.to_lowercase().contains("newer"))
            || request.archive.is_none() && catalogue.topic(&request.feed).is_some_and(|topic| topic.max_age.is_some());
        Some(Stamp { revision, minute: if is_relative { now.timestamp().div_euclid(60) } else { 0 } })
    }

    fn begin(&self, state: &mut State, request: FeedRequest, stamp: Stamp) -> Flight {
        let (arrived, flight) = watch::channel(None);
        state.flights.insert((request.clone(), stamp), flight.clone());
        let cache = self.clone();
        // Ends by itself: what a door does for one request is bounded.
        self.runtime.spawn(async move {
            // Whatever becomes of it, the place is free again.
            let _landed = Landing { cache: &cache, key: (request.clone(), stamp) };
            let answer = cache.door.feed(request.clone()).await;
            if let Ok(representation) = &answer {
                cache.keep(request, stamp, representation);
            }
            arrived.send_replace(Some(answer));
        });
        flight
    }

    fn keep(&self, request: FeedRequest, stamp: Stamp, representation: &Arc<Representation>) {
        let bound = usize::try_from(self.catalogue.borrow().config.server.cache_bytes).unwrap_or(usize::MAX);
        let limit = bound.saturating_sub(self.published.size() + fragments::LIMIT);
        let size = representation.size() + size_of::<FeedRequest>() + request.query.as_ref().map_or(0, String::len);
        self.lock().kept.put(request, (stamp, Arc::clone(representation)), size, limit);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Landing<'c> {
    cache: &'c Cache,
    key: (FeedRequest, Stamp),
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        self.cache.lock().flights.remove(&self.key);
    }
}

impl Door for Cache {
    fn feed(&self, request: FeedRequest) -> Opening {
        let Some(stamp) = self.stamp(&request, clock::now()) else {
            let unknown = SelectError::Unknown(request.feed);
            return Box::pin(async { Err(unknown.into()) });
        };
        let mut state = self.lock();
        if let Some((made, representation)) = state.kept.get(&request)
            && made == stamp
        {
            return Box::pin(async { Ok(representation) });
        }
        let key = (request, stamp);
        let mut flight = match state.flights.get(&key) {
            Some(flight) => flight.clone(),
            None if state.flights.len() >= WAITING => return Box::pin(async { Err(Refusal::Busy) }),
            None => self.begin(&mut state, key.0, stamp),
        };
        Box::pin(async move {
            match flight.wait_for(Option::is_some).await {
                Ok(answer) => answer.clone().unwrap_or(Err(Refusal::Failed)),
                // The flight ended in a bug; the log has its panic.
                Err(_) => Err(Refusal::Failed),
            }
        })
    }

    fn account(&self, question: Question, write: Writing) -> Accounting {
        let Ok(place) = Arc::clone(&self.accounts).try_acquire_owned() else {
            return Box::pin(async { Err(Refusal::Busy) });
        };
        let answer = self.door.account(question, write);
        let flight = self.runtime.spawn(async move {
            let answer = answer.await;
            drop(place);
            answer
        });
        Box::pin(async move { flight.await.unwrap_or(Err(Refusal::Failed)) })
    }

    fn listing(&self, request: FeedRequest) -> published::Listings {
        listings::listing(self, request)
    }
}

#[cfg(test)]
mod tests;
