//! Selections → representations, for whoever asks: the republishing loop for feeds that are kept ready, readers for all others.

use std::sync::Arc;

use tokio::sync::watch;
use url::Url;

use crate::clock;
use crate::model::Timestamp;
use crate::model::feed::{FeedName, Format};
use crate::model::page::Page;
use crate::published::representation::Representation;
use crate::published::request::{Cursor, FeedRequest, Refusal};
use crate::published::{Door, Opening};
use crate::render;
use crate::select::catalogue::Catalogue;
use crate::select::page::{self, SelectError, Selection};
use crate::store::Handle;
use crate::store::engine::StoreError;
use crate::store::entries::Store;

/// Reads and renders feeds; a few at a time, so that readers with large queries cannot take the store from the poller.
#[derive(Clone)]
pub struct StoreDoor {
    handle: Handle<Store>,
    catalogue: watch::Receiver<Arc<Catalogue>>,
}

impl StoreDoor {
    pub fn new(handle: Handle<Store>, catalogue: watch::Receiver<Arc<Catalogue>>) -> Self {
        Self { handle, catalogue }
    }

    /// A feed that is kept ready, in every format. The fragments are sanitised once for all of them.
    pub async fn ready(&self, feed: FeedName) -> Result<Vec<(Format, Representation)>, SelectError> {
        let catalogue = Arc::clone(&self.catalogue.borrow());
        let now = clock::now();
        let job = move |store: &Store| {
            let request = FeedRequest::plain(feed, Format::Atom);
            let selection = page::select(store, &catalogue, &request, now);
            store.wait_for_sync()?;
            Ok(selection.map(|selection| {
                let prepared = prepare(&catalogue, &request, selection);
                let formats = Format::ALL.into_iter();
                formats.map(|format| (format, prepared.render(&FeedRequest { format, ..request.clone() }))).collect()
            }))
        };
        self.handle.run(job).await?
    }
}

impl Door for StoreDoor {
    fn feed(&self, request: FeedRequest) -> Opening {
        let catalogue = Arc::clone(&self.catalogue.borrow());
        let handle = self.handle.clone();
        let now = clock::now();
        Box::pin(async move {
            let job = move |store: &Store| {
                let selection = page::select(store, &catalogue, &request, now);
                store.wait_for_sync()?;
                Ok(selection.map(|selection| prepare(&catalogue, &request, selection).render(&request)))
            };
            match handle.run(job).await {
                Ok(Ok(representation)) => Ok(Arc::new(representation)),
                Ok(Err(error)) => Err(error.into()),
                Err(StoreError::Stopped(_)) => Err(Refusal::Busy),
                Err(error) => Err(SelectError::Store(error).into()),
            }
        })
    }
}

/// A selection with its fragments sanitised.
struct Prepared {
    page: render::Prepared,
    base: Url,
    last_change: Timestamp,
    next: Option<Cursor>,
}

fn prepare(catalogue: &Catalogue, request: &FeedRequest, selection: Selection) -> Prepared {
    let title = match &request.query {
        Some(query) => format!("{}: {query}", catalogue.title(&request.feed)),
        None => catalogue.title(&request.feed),
    };
    let page = Page { title, home_url: catalogue.base.clone(), entries: selection.entries };
    Prepared {
        page: render::prepare(page),
        base: catalogue.base.clone(),
        last_change: selection.last_change,
        next: selection.next,
    }
}

impl Prepared {
    fn render(&self, request: &FeedRequest) -> Representation {
        let self_url = address(&self.base, request);
        let next_url = self.next.as_ref().map(|next| {
            let request = FeedRequest { before: Some(*next), ..request.clone() };
            address(&self.base, &request)
        });
        let body = render::feed(&self.page, request.format, &self_url, next_url.as_ref());
        Representation::new(request.format.media_type(), body, self.last_change)
    }
}

/// The address of a request's document, with its parameters in canonical order.
pub fn address(base: &Url, request: &FeedRequest) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{}.{}", base.path(), request.feed, request.format.suffix()));
    let query = request.to_query_string();
    url.set_query(Some(query.as_str()).filter(|query| !query.is_empty()));
    url
}
