//! The current documents and the state of the service, in memory: what republishing writes and serving reads.

pub mod coding;
pub mod counters;
pub mod listing;
pub mod representation;
pub mod request;
pub mod status;
pub mod why;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use crate::model::feed::{FeedName, Format};
use crate::published::listing::Listing;
use crate::published::representation::Representation;
use crate::published::request::{FeedRequest, Refusal};
use crate::published::status::Status;
use crate::published::why::{Account, Question};

/// The answer to a request that memory does not hold.
pub type Opening = Pin<Box<dyn Future<Output = Result<Arc<Representation>, Refusal>> + Send>>;

/// How an account is written for a reader.
pub type Writing = Box<dyn FnOnce(&Account) -> Representation + Send>;

/// An account, and what was written of it.
pub type Accounting = Pin<Box<dyn Future<Output = Result<(Account, Representation), Refusal>> + Send>>;

/// The page of a feed that was asked for, as plain data.
pub type Listings = Pin<Box<dyn Future<Output = Result<Arc<Listing>, Refusal>> + Send>>;

/// How serving asks for a feed that is not kept ready. There is one such door, and it admits a few at a time.
pub trait Door: Send + Sync {
    fn feed(&self, request: FeedRequest) -> Opening;

    /// Why an entry is as it is, or is not there. It is written behind the door, too.
    fn account(&self, question: Question, write: Writing) -> Accounting;

    /// The entries that the document of this request would hold, for a page. Its format counts for nothing.
    fn listing(&self, request: FeedRequest) -> Listings;
}

/// What is ready to be sent.
#[derive(Default)]
pub struct Published {
    // Readers hold these locks only to clone a pointer. By the path, without the leading slash, so that an answer needs no more
    // than a look at it.
    current: RwLock<HashMap<String, Ready>>,
    status: RwLock<Arc<Status>>,
}

struct Ready {
    feed: FeedName,
    representation: Arc<Representation>,
}

impl Published {
    pub fn put(&self, feed: FeedName, format: Format, representation: Arc<Representation>) {
        let path = path(&feed, format);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.insert(path, Ready { feed, representation });
    }

    /// Puts `after` in the place of `before`, unless something newer stands there.
    pub fn replace(&self, feed: &FeedName, format: Format, before: &Arc<Representation>, after: Arc<Representation>) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(ready) = current.get_mut(&path(feed, format))
            && Arc::ptr_eq(&ready.representation, before)
        {
            ready.representation = after;
        }
    }

    pub fn get(&self, feed: &FeedName, format: Format) -> Option<Arc<Representation>> {
        self.at(&path(feed, format))
    }

    /// What is ready under a path without its leading slash: `all.atom`, `topics/world-news.rss`.
    pub fn at(&self, path: &str) -> Option<Arc<Representation>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.get(path).map(|ready| Arc::clone(&ready.representation))
    }

    /// Drops every feed that is not named.
    pub fn retain(&self, feeds: &[FeedName]) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.retain(|_, ready| feeds.contains(&ready.feed));
    }

    /// How much memory everything ready takes, in bytes.
    pub fn size(&self) -> usize {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.values().map(|ready| ready.representation.size()).sum()
    }

    pub fn status(&self) -> Arc<Status> {
        Arc::clone(&self.status.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn set_status(&self, status: Arc<Status>) {
        *self.status.write().unwrap_or_else(PoisonError::into_inner) = status;
    }
}

fn path(feed: &FeedName, format: Format) -> String {
    format!("{feed}.{}", format.suffix())
}
