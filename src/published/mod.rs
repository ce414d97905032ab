//! The current documents and the state of the service, in memory: what republishing writes and serving reads.

pub mod changes;
pub mod coding;
pub mod counters;
pub mod hub;
pub mod lifetimes;
pub mod listing;
pub mod representation;
pub mod request;
pub mod status;
pub mod why;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;

use crate::model::access::{Access, Audience};
use crate::model::feed::{FeedName, Format};
use crate::published::changes::Changes;
use crate::published::lifetimes::Lifetimes;
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
    // Readers hold these locks only to clone a pointer.
    current: RwLock<Current>,
    status: RwLock<Arc<Status>>,
    lifetimes: RwLock<Arc<Lifetimes>>,
    changes: Changes,
}

#[derive(Default)]
struct Current {
    /// By the path, without the leading slash, so that an answer needs no more than a look at it.
    ready: HashMap<String, Ready>,
    access: Arc<Access>,
}

struct Ready {
    feed: FeedName,
    /// Whom it was made for.
    audience: Audience,
    representation: Arc<Representation>,
    /// `Cache-Control`, as [`Lifetimes`] has it.
    lifetime: Bytes,
}

impl Published {
    /// Puts a document that everybody may read.
    pub fn put(&self, feed: FeedName, format: Format, representation: Arc<Representation>) {
        self.put_for(Audience::Public, feed, format, representation);
    }

    /// Puts a document, unless it was made for others than the feed is for by now.
    pub fn put_for(&self, audience: Audience, feed: FeedName, format: Format, representation: Arc<Representation>) {
        let path = path(&feed, format);
        let lifetime = self.lifetime(&feed);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.access.audience(&feed) == audience {
            current.ready.insert(path, Ready { feed, audience, representation, lifetime });
        }
    }

    /// Puts `after` in the place of `before`, unless something newer stands there.
    pub fn replace(&self, feed: &FeedName, format: Format, before: &Arc<Representation>, after: Arc<Representation>) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(ready) = current.ready.get_mut(&path(feed, format))
            && Arc::ptr_eq(&ready.representation, before)
        {
            ready.representation = after;
        }
    }

    /// What is ready of a feed, whoever may read it.
    pub fn get(&self, feed: &FeedName, format: Format) -> Option<Arc<Representation>> {
        self.look(&path(feed, format), None)
    }

    /// What is ready of a feed for this audience.
    pub fn get_for(&self, audience: Audience, feed: &FeedName, format: Format) -> Option<Arc<Representation>> {
        self.look(&path(feed, format), Some(audience))
    }

    /// What everybody may read under a path without its leading slash: `all.atom`, `topics/world-news.rss`.
    pub fn at(&self, path: &str) -> Option<Arc<Representation>> {
        self.look(path, Some(Audience::Public))
    }

    fn look(&self, path: &str, audience: Option<Audience>) -> Option<Arc<Representation>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let ready = current.ready.get(path).filter(|ready| audience.is_none_or(|audience| ready.audience == audience));
        ready.map(|ready| Arc::clone(&ready.representation))
    }

    /// As [`Published::at`], with its `Cache-Control`.
    pub fn lasting_at(&self, path: &str) -> Option<(Arc<Representation>, Bytes)> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let ready = current.ready.get(path).filter(|ready| ready.audience == Audience::Public);
        ready.map(|ready| (Arc::clone(&ready.representation), ready.lifetime.clone()))
    }

    /// The `Cache-Control` of a feed's documents.
    pub fn lifetime(&self, feed: &FeedName) -> Bytes {
        self.lifetimes.read().unwrap_or_else(PoisonError::into_inner).feed(feed)
    }

    pub fn set_lifetimes(&self, lifetimes: Lifetimes) {
        let mut known = self.lifetimes.write().unwrap_or_else(PoisonError::into_inner);
        if **known == lifetimes {
            return;
        }
        *known = Arc::new(lifetimes);
        let lifetimes = Arc::clone(&known);
        drop(known);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        for ready in current.ready.values_mut() {
            ready.lifetime = lifetimes.feed(&ready.feed);
        }
    }

    /// What readers who ask for changes have.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Drops every feed that is not named.
    pub fn retain(&self, feeds: &[FeedName]) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.ready.retain(|_, ready| feeds.contains(&ready.feed));
    }

    /// Who may read what.
    pub fn access(&self) -> Arc<Access> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).access)
    }

    /// Holds from now on. What was made for others is dropped, and so is everything when other sources are private.
    pub fn set_access(&self, access: Arc<Access>) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let is_same = current.access == access;
        if current.access.private == access.private {
            current.ready.retain(|_, ready| access.audience(&ready.feed) == ready.audience);
        } else {
            current.ready.clear();
        }
        current.access = access;
        drop(current);
        if !is_same {
            // It is told anew within a second.
            *self.status.write().unwrap_or_else(PoisonError::into_inner) = Arc::default();
        }
    }

    /// How much memory everything ready takes, in bytes.
    pub fn size(&self) -> usize {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.ready.values().map(|ready| ready.representation.size()).sum()
    }

    pub fn status(&self) -> Arc<Status> {
        Arc::clone(&self.status.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn set_status(&self, status: Arc<Status>) {
        *self.status.write().unwrap_or_else(PoisonError::into_inner) = status;
    }

    /// As [`Published::set_status`], unless something else holds by now than what the status was made under.
    pub fn set_status_under(&self, access: &Arc<Access>, status: Arc<Status>) {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&current.access, access) {
            *self.status.write().unwrap_or_else(PoisonError::into_inner) = status;
        }
    }
}

fn path(feed: &FeedName, format: Format) -> String {
    format!("{feed}.{}", format.suffix())
}
