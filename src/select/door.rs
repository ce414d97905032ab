//! Selections → representations, for whoever asks: the republishing loop for feeds that are kept ready, the cache for all others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use url::Url;

use crate::clock;
use crate::model::Timestamp;
use crate::model::feed::{FeedName, Format};
use crate::model::page::Page;
use crate::published::representation::Representation;
use crate::published::request::{Cursor, FeedRequest, Refusal};
use crate::published::why::{Account, Question};
use crate::published::{Accounting, Door, Opening, Writing};
use crate::render::{self, Place};
use crate::select::catalogue::Catalogue;
use crate::select::fragments::Memory;
use crate::select::page::{self, SelectError, Selection};
use crate::select::why::{self, Known};
use crate::store::Handle;
use crate::store::engine::StoreError;
use crate::store::entries::Store;

/// Reads and renders feeds; a few at a time, so that readers with large queries cannot take the store from the poller.
#[derive(Clone)]
pub struct StoreDoor {
    handle: Handle<Store>,
    catalogue: watch::Receiver<Arc<Catalogue>>,
    memory: Arc<Memory>,
    /// Work that nobody waits for: one at a time.
    aside: Handle<()>,
}

/// A feed that is kept ready, in every format.
pub struct Rendered {
    pub formats: Vec<(Format, Representation)>,
    /// How long the work itself took, without waiting for a turn.
    pub cost: Duration,
}

impl StoreDoor {
    pub fn new(handle: Handle<Store>, catalogue: watch::Receiver<Arc<Catalogue>>) -> Self {
        Self { handle, catalogue, memory: Arc::default(), aside: Handle::new(Arc::new(()), 1) }
    }

    /// Renders a feed that is kept ready. What is the same as in `before` is not coded again.
    pub async fn ready(
        &self,
        feed: FeedName,
        before: Vec<(Format, Arc<Representation>)>,
    ) -> Result<Rendered, SelectError> {
        let catalogue = Arc::clone(&self.catalogue.borrow());
        let memory = Arc::clone(&self.memory);
        let now = clock::now();
        let job = move |store: &Store| {
            let begun = Instant::now();
            let request = FeedRequest::plain(feed, Format::Atom);
            let prepared = match page::select(store, &catalogue, &request, now) {
                Ok(selection) => prepare(store, &catalogue, &memory, &request, selection)?,
                Err(error) => return Ok(Err(error)),
            };
            // Waiting for the disk is no work.
            let reading = begun.elapsed();
            store.wait_for_sync()?;
            let begun = Instant::now();
            let formats = Format::ALL.into_iter().map(|format| {
                let before = before.iter().find(|(known, _)| *known == format).map(|(_, before)| &**before);
                (format, prepared.render(&FeedRequest { format, ..request.clone() }, before))
            });
            let formats = formats.collect();
            Ok(Ok(Rendered { formats, cost: reading + begun.elapsed() }))
        };
        self.handle.run(job).await?
    }

    /// Answers a question, and makes something of the answer, on a thread that may block.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn explain<T: Send + 'static>(
        &self,
        question: Question,
        write: impl FnOnce(&Account) -> T + Send + 'static,
    ) -> Result<(Account, T), StoreError> {
        let catalogue = Arc::clone(&self.catalogue.borrow());
        let now = clock::now();
        let job = move |store: &Store| {
            let known = Known { store, catalogue: &catalogue, now, nearest: &why::by_keys };
            let account = why::explain(&known, &question)?;
            // What is told must not be lost either.
            store.wait_for_sync()?;
            let written = write(&account);
            Ok((account, written))
        };
        self.handle.run(job).await
    }

    /// Makes the codings that take longer, and tells how long they took. One document at a time, beside everything else.
    pub async fn condensed(
        &self,
        representation: Arc<Representation>,
    ) -> Result<(Representation, Duration), StoreError> {
        let job = move |(): &()| {
            let begun = Instant::now();
            Ok((representation.condensed(), begun.elapsed()))
        };
        self.aside.run(job).await
    }
}

impl Door for StoreDoor {
    fn feed(&self, request: FeedRequest) -> Opening {
        let catalogue = Arc::clone(&self.catalogue.borrow());
        let memory = Arc::clone(&self.memory);
        let handle = self.handle.clone();
        let now = clock::now();
        Box::pin(async move {
            let job = move |store: &Store| {
                let prepared = match page::select(store, &catalogue, &request, now) {
                    Ok(selection) => prepare(store, &catalogue, &memory, &request, selection)?,
                    Err(error) => return Ok(Err(error)),
                };
                store.wait_for_sync()?;
                Ok(Ok(prepared.render(&request, None)))
            };
            match handle.run(job).await {
                Ok(Ok(representation)) => Ok(Arc::new(representation)),
                Ok(Err(error)) => Err(error.into()),
                Err(error) => Err(refused(error)),
            }
        })
    }

    fn account(&self, question: Question, write: Writing) -> Accounting {
        let door = self.clone();
        Box::pin(async move { door.explain(question, write).await.map_err(refused) })
    }
}

fn refused(error: StoreError) -> Refusal {
    match error {
        StoreError::Stopped(_) => Refusal::Busy,
        error => SelectError::Store(error).into(),
    }
}

/// A selection with its fragments sanitised.
struct Prepared {
    page: render::Prepared,
    base: Url,
    last_change: Timestamp,
    next: Option<Cursor>,
}

fn prepare(
    store: &Store,
    catalogue: &Catalogue,
    memory: &Memory,
    request: &FeedRequest,
    selection: Selection,
) -> Result<Prepared, StoreError> {
    let title = match &request.query {
        Some(query) => format!("{}: {query}", catalogue.title(&request.feed)),
        None => catalogue.title(&request.feed),
    };
    let fragments = memory.of(store, &selection.entries, catalogue.config.server.media)?;
    let (home_url, about) = (catalogue.base.clone(), catalogue.about(&request.feed));
    let page = Page { title, home_url, about, entries: selection.entries };
    Ok(Prepared {
        page: render::prepare(page, fragments),
        base: catalogue.base.clone(),
        last_change: selection.last_change,
        next: selection.next,
    })
}

impl Prepared {
    fn render(&self, request: &FeedRequest, before: Option<&Representation>) -> Representation {
        let self_url = address(&self.base, request);
        let next_url = self.next.as_ref().map(|next| {
            let request = FeedRequest { before: Some(*next), ..request.clone() };
            address(&self.base, &request)
        });
        let body = render::feed(&self.page, request.format, &Place { self_url, next_url });
        Representation::after(before, request.format.media_type(), body, self.last_change)
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
