//! Selections → representations, for whoever asks: the republishing loop for feeds that are kept ready, the cache for all others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use url::Url;

use crate::clock;
use crate::index::Index;
use crate::model::Timestamp;
use crate::model::access::Audience;
use crate::model::entry::Seq;
use crate::model::feed::{FeedName, Format};
use crate::model::page::Page;
use crate::published::representation::Representation;
use crate::published::request::{ArchivePage, Cursor, FeedRequest, Refusal};
use crate::published::why::{Account, Question};
use crate::published::{Accounting, Door, Listings, Opening, Writing};
use crate::render::{self, Place};
use crate::select::archive::Beside;
use crate::select::catalogue::Catalogue;
use crate::select::fragments::Memory;
use crate::select::listing;
use crate::select::page::{self, SelectError, Selection};
use crate::select::why::{self, Known};
use crate::select::{push, search};
use crate::store::Handle;
use crate::store::engine::StoreError;
use crate::store::entries::Store;

/// Reads and renders feeds; a few at a time, so that readers with large queries cannot take the store from the poller.
#[derive(Clone)]
pub struct StoreDoor {
    handle: Handle<Store>,
    catalogue: watch::Receiver<Arc<Catalogue>>,
    memory: Arc<Memory>,
    /// What searches run on.
    index: Option<Arc<Index>>,
    /// Work that nobody waits for: one at a time.
    aside: Handle<()>,
}

/// A feed that is kept ready, in every format.
pub struct Rendered {
    /// Whom it is for.
    pub audience: Audience,
    pub formats: Vec<(Format, Representation)>,
    /// How long the work itself took, without waiting for a turn.
    pub cost: Duration,
}

impl StoreDoor {
    pub fn new(handle: Handle<Store>, catalogue: watch::Receiver<Arc<Catalogue>>) -> Self {
        Self { handle, catalogue, memory: Arc::default(), index: None, aside: Handle::new(Arc::new(()), 1) }
    }

    /// With an index for what is searched. Without one searches look through the feed.
    #[must_use]
    pub fn with_index(self, index: Option<Arc<Index>>) -> Self {
        Self { index, ..self }
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
            let audience = catalogue.config.access.audience(&feed);
            let request = FeedRequest { audience, ..FeedRequest::plain(feed, Format::Atom) };
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
            Ok(Ok(Rendered { audience, formats, cost: reading + begun.elapsed() }))
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
            let known = Known { store, catalogue: catalogue.of(question.audience), now, nearest: &why::by_keys };
            let account = why::explain(&known, &question)?;
            // What is told must not be lost either.
            store.wait_for_sync()?;
            let written = write(&account);
            Ok((account, written))
        };
        self.handle.run(job).await
    }

    /// Which of the changed entries each of some requests asks for.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn asked_for(&self, requests: Vec<FeedRequest>, changed: Vec<Seq>) -> Result<Vec<Vec<Seq>>, StoreError> {
        let catalogue = Arc::clone(&self.catalogue.borrow());
        let now = clock::now();
        self.handle.run(move |store| page::asked_for(store, &catalogue, &requests, &changed, now)).await
    }

    /// A document of some entries alone, under the address of the whole one; `None` when the request asks for none of them (any more).
    ///
    /// # Errors
    /// As for the whole document.
    pub async fn news(&self, request: FeedRequest, entries: Vec<Seq>) -> Result<Option<Representation>, SelectError> {
        let catalogue = Arc::clone(&self.catalogue.borrow());
        let memory = Arc::clone(&self.memory);
        let now = clock::now();
        let job = move |store: &Store| {
            let prepared = match page::select_among(store, &catalogue, &request, &entries, now) {
                Ok(selection) if selection.entries.is_empty() => return Ok(Ok(None)),
                Ok(selection) => prepare(store, &catalogue, &memory, &request, selection)?,
                Err(error) => return Ok(Err(error)),
            };
            store.wait_for_sync()?;
            Ok(Ok(Some(prepared.render(&request, None))))
        };
        self.handle.run(job).await?
    }

    /// Renders a feed, and counts its entries.
    ///
    /// # Errors
    /// When the request is a mistake, or the store cannot be read.
    pub async fn document(&self, request: FeedRequest) -> Result<(usize, Representation), Refusal> {
        let memory = Arc::clone(&self.memory);
        self.selected(request, move |store, catalogue, request, selection| {
            let entries = selection.entries.len();
            let prepared = prepare(store, catalogue, &memory, request, selection)?;
            store.wait_for_sync()?;
            Ok((entries, prepared.render(request, None)))
        })
        .await
    }

    /// What a feed holds, unrendered.
    ///
    /// # Errors
    /// As [`StoreDoor::document`].
    pub async fn selection(&self, request: FeedRequest) -> Result<Selection, Refusal> {
        self.selected(request, |store, _, _, selection| store.wait_for_sync().map(|()| selection)).await
    }

    /// Reads what a request selects, and makes something of it, on a thread that may block.
    async fn selected<T: Send + 'static>(
        &self,
        request: FeedRequest,
        make: impl FnOnce(&Store, &Catalogue, &FeedRequest, Selection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let catalogue = Arc::clone(&self.catalogue.borrow());
        let index = self.index.clone();
        let now = clock::now();
        let job = move |store: &Store| match search::select(store, index.as_deref(), &catalogue, &request, now) {
            Ok(selection) => make(store, &catalogue, &request, selection).map(Ok),
            Err(error) => Ok(Err(error)),
        };
        match self.handle.run(job).await {
            Ok(made) => made.map_err(Into::into),
            Err(error) => Err(refused(error)),
        }
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
        let door = self.clone();
        Box::pin(async move { door.document(request).await.map(|(_, representation)| Arc::new(representation)) })
    }

    fn account(&self, question: Question, write: Writing) -> Accounting {
        let door = self.clone();
        Box::pin(async move { door.explain(question, write).await.map_err(refused) })
    }

    fn listing(&self, request: FeedRequest) -> Listings {
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
                let title = catalogue.title(&request.feed);
                Ok(Ok(listing::listing(title, request.feed, &prepared.page, prepared.next)))
            };
            match handle.run(job).await {
                Ok(Ok(listing)) => Ok(Arc::new(listing)),
                Ok(Err(error)) => Err(error.into()),
                Err(error) => Err(refused(error)),
            }
        })
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
    hub_url: Option<Url>,
    last_change: Timestamp,
    next: Option<Cursor>,
    archives: Beside,
}

fn prepare(
    store: &Store,
    catalogue: &Catalogue,
    memory: &Memory,
    request: &FeedRequest,
    selection: Selection,
) -> Result<Prepared, StoreError> {
    let catalogue = catalogue.of(request.audience);
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
        hub_url: catalogue.hub_url().filter(|_| push::is_topic(catalogue, request)),
        last_change: selection.last_change.max(catalogue.since),
        next: selection.next,
        archives: selection.archives,
    })
}

impl Prepared {
    fn render(&self, request: &FeedRequest, before: Option<&Representation>) -> Representation {
        let place = self.place(request);
        let link = push::link(place.hub_url.as_ref(), &place.self_url);
        let body = render::feed(&self.page, request.format, &place);
        Representation::after(before, request.format.media_type(), body, self.last_change).with_link(link)
    }
}

impl Prepared {
    fn place(&self, request: &FeedRequest) -> Place {
        let at = |request: FeedRequest| address(&self.base, &request);
        let next = self.next.map(|next| at(FeedRequest { before: Some(next), ..request.clone() }));
        let first = request.before.map(|_| at(FeedRequest { before: None, ..request.clone() }));
        let archive = |page: ArchivePage| at(FeedRequest::archive(request.feed.clone(), request.format, page));
        Place {
            next_url: next,
            hub_url: self.hub_url.clone(),
            first_url: first,
            current_url: request.archive.map(|_| at(FeedRequest::plain(request.feed.clone(), request.format))),
            previous_archive_url: self.archives.previous.map(archive),
            next_archive_url: self.archives.next.map(archive),
            ..Place::at(address(&self.base, request))
        }
    }
}

/// The address of a request's document, with its parameters in canonical order.
pub fn address(base: &Url, request: &FeedRequest) -> Url {
    let mut url = base.clone();
    let token = request.token.as_ref().map_or_else(String::new, |token| format!("t/{}/", token.reveal()));
    let archive = request.archive.map_or_else(String::new, |page| format!("/archive/{page}"));
    url.set_path(&format!("{}{token}{}{archive}.{}", base.path(), request.feed, request.format.suffix()));
    let query = request.to_query_string();
    url.set_query(Some(query.as_str()).filter(|query| !query.is_empty()));
    url
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};
    use std::path::Path;

    use super::*;
    use crate::config::{self, Surroundings};
    use crate::store::memory::MemoryEngine;

    #[tokio::test]
    async fn no_document_is_older_than_the_configuration_that_it_follows() {
        let around = Surroundings {
            variables: &BTreeMap::new(),
            folder: Path::new("/"),
            read_file: &|_| Err(std::io::Error::other("none")),
        };
        let config = Arc::new(config::read("", &around).unwrap());
        let base = "http://mill.example/".parse().unwrap();
        let edited = Timestamp::from_timestamp(1_790_000_000, 0).unwrap();
        let catalogue = Catalogue::new(config, base, HashMap::new(), &BTreeMap::new()).in_effect_since(edited);
        let (_sender, followed) = watch::channel(Arc::new(catalogue));
        let store = Store::new(Box::new(MemoryEngine::default()));
        let door = StoreDoor::new(Handle::new(Arc::new(store), 1), followed);
        let plain = FeedRequest::plain(FeedName::All, Format::Rss);
        for request in [plain.clone(), FeedRequest { query: Some("ferry".to_owned()), ..plain }] {
            assert_eq!(door.feed(request.clone()).await.unwrap().last_modified, edited, "{request:?}");
        }
        let rendered = door.ready(FeedName::All, Vec::new()).await.unwrap();
        assert!(rendered.formats.iter().all(|(_, document)| document.last_modified == edited));
    }
}
