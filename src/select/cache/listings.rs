//! Listings of feeds for pages: kept like documents, until the feed has another revision.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

use crate::clock;
use crate::model::feed::Format;
use crate::published;
use crate::published::listing::Listing;
use crate::published::request::{FeedRequest, Refusal};
use crate::select::cache::{Cache, Stamp};
use crate::select::page::SelectError;
use crate::select::recent::Recent;

/// Most listings that are made or wait for it; people are patient for less time than readers.
pub(super) const AT_ONCE: usize = 16;

/// Most bytes of listings in memory: some sixty pages. It counts apart from `[server] cache`, of which it is a sixtieth.
const LIMIT: usize = 2_000_000;

type Kept = Recent<FeedRequest, (Stamp, Arc<Listing>)>;

/// See the module.
#[derive(Clone)]
pub(super) struct Listings {
    // Held for a look only, never over a selection.
    kept: Arc<Mutex<Kept>>,
    places: Arc<Semaphore>,
}

impl Default for Listings {
    fn default() -> Self {
        Self { kept: Arc::default(), places: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Listings {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The listing from memory, or through the door behind the cache.
pub(super) fn listing(cache: &Cache, request: FeedRequest) -> published::Listings {
    // A listing has no format.
    let request = FeedRequest { format: Format::Atom, ..request };
    let Some(stamp) = cache.stamp(&request, clock::now()) else {
        let unknown = SelectError::Unknown(request.feed);
        return Box::pin(async { Err(unknown.into()) });
    };
    if let Some((made, listing)) = cache.listings.lock().get(&request)
        && made == stamp
    {
        return Box::pin(async { Ok(listing) });
    }
    let Ok(place) = Arc::clone(&cache.listings.places).try_acquire_owned() else {
        return Box::pin(async { Err(Refusal::Busy) });
    };
    let (answer, listings) = (cache.door.listing(request.clone()), cache.listings.clone());
    // No reader who leaves cancels it: what was begun is kept for the next one.
    let flight = cache.runtime.spawn(async move {
        let answer = answer.await;
        drop(place);
        if let Ok(listing) = &answer {
            let size = listing.size() + size_of::<FeedRequest>() + request.query.as_ref().map_or(0, String::len);
            listings.lock().put(request, (stamp, Arc::clone(listing)), size, LIMIT);
        }
        answer
    });
    Box::pin(async move { flight.await.unwrap_or(Err(Refusal::Failed)) })
}
