//! The current documents and the state of the service, in memory: what republishing writes and serving reads.

pub mod counters;
pub mod representation;
pub mod request;
pub mod status;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use crate::model::feed::{FeedName, Format};
use crate::published::representation::Representation;
use crate::published::request::{FeedRequest, Refusal};
use crate::published::status::Status;

/// The answer to a request that memory does not hold.
pub type Opening = Pin<Box<dyn Future<Output = Result<Arc<Representation>, Refusal>> + Send>>;

/// How serving asks for a feed that is not kept ready. There is one such door, and it admits a few at a time.
pub trait Door: Send + Sync {
    fn feed(&self, request: FeedRequest) -> Opening;
}

/// What is ready to be sent.
#[derive(Default)]
pub struct Published {
    // Readers hold these locks only to clone a pointer.
    current: RwLock<HashMap<(FeedName, Format), Arc<Representation>>>,
    status: RwLock<Arc<Status>>,
}

impl Published {
    pub fn put(&self, feed: FeedName, format: Format, representation: Arc<Representation>) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.insert((feed, format), representation);
    }

    pub fn get(&self, feed: &FeedName, format: Format) -> Option<Arc<Representation>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.get(&(feed.clone(), format)).cloned()
    }

    /// Drops every feed that is not named.
    pub fn retain(&self, feeds: &[FeedName]) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.retain(|(feed, _), _| feeds.contains(feed));
    }

    pub fn status(&self) -> Arc<Status> {
        Arc::clone(&self.status.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn set_status(&self, status: Arc<Status>) {
        *self.status.write().unwrap_or_else(PoisonError::into_inner) = status;
    }
}
