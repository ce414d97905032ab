//! The pages of new entries, read beside the polls: an entry is shown with its feed's text at once, and with that of its page when it
//! has come. What was not read when the daemon stops is not asked for again; the feed's own text is shown then.
//!
//! ```text
//! Absorbed ─Pages::want→ a queue for each host ─Fetcher::page→ extract ─judge→ Committer::put_page
//! ```
//! One page of a host at a time, so that a poll of the same host waits for one page at the most.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, PoisonError};

use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::clock;
use crate::extract::{self, WebPage, judge};
use crate::fetch::answer::{FailureKind, FetchFailure};
use crate::fetch::page::FetchedPage;
use crate::merge::decide::{Change, ChangeKind};
use crate::model::Timestamp;
use crate::model::entry::{Seq, TextName};
use crate::model::source::{FullText, Scope, SourceKey};
use crate::poll::one::Polling;
use crate::store::Handle;
use crate::store::engine::StoreError;
use crate::store::entries::Store;
use crate::store::pages::PageText;
use crate::store::record;

/// Pages that may wait altogether. What comes beyond it keeps its feed's text.
const WAITING: usize = 1_000;
/// Pages of a source's first poll, and of any later one.
const FIRST: usize = 20;
const LATER: usize = 100;
/// Hosts that are asked at once.
const HOSTS: usize = 16;
/// Longest text of a page that is kept, in bytes.
const LONGEST: usize = 2_000_000;

/// A sighting whose page is worth reading: a new one, or one of which the feed gives another text now.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    pub source: SourceKey,
    pub scope: Scope,
    pub entry: Seq,
    pub sighting: Seq,
    pub url: Url,
    /// What the feed itself gave.
    pub text: Option<TextName>,
}

impl Wanted {
    pub fn of(source: &SourceKey, scope: &Scope, change: &Change) -> Option<Self> {
        let sighting = change.entry.sightings.get(change.sighting)?;
        let is_news = change.kind != ChangeKind::Updated || change.new_text.is_some();
        let url = sighting.url.clone().filter(|_| is_news)?;
        let (source, scope) = (source.clone(), scope.clone());
        Some(Self { source, scope, entry: change.entry.seq, sighting: sighting.seq, url, text: sighting.text })
    }
}

/// The text of a page on its way to the store.
#[derive(Debug)]
pub struct PageWrite {
    pub scope: Scope,
    pub entry: Seq,
    pub sighting: Seq,
    /// As [`record::write_page`] made it.
    pub page: Vec<u8>,
}

/// How reading one page ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageOutcome {
    Shown,
    /// It gave no better text than the feed.
    Kept,
    /// In a sentence.
    Failed(String),
    /// Its host asks for fewer requests.
    Throttled(String),
}

/// Where pages wait to be read.
pub struct Pages {
    queue: mpsc::UnboundedSender<Queued>,
    /// How many wait or are being read.
    open: Arc<watch::Sender<usize>>,
}

/// The other end of [`Pages`].
pub struct Queue(mpsc::UnboundedReceiver<Queued>);

struct Queued {
    wanted: Wanted,
    _open: Open,
}

/// One of those that are open; whatever becomes of it, it is counted once.
struct Open(Arc<watch::Sender<usize>>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

impl Pages {
    pub fn new() -> (Self, Queue) {
        let (queue, waiting) = mpsc::unbounded_channel();
        (Self { queue, open: Arc::new(watch::Sender::new(0)) }, Queue(waiting))
    }

    /// Asks for the pages of one poll, the newest first; gives how many found no place.
    pub fn want(&self, wanted: Vec<Wanted>, is_first_poll: bool) -> usize {
        let most = if is_first_poll { FIRST } else { LATER };
        let mut refused = wanted.len().saturating_sub(most);
        // The entries of one document joined oldest first.
        for wanted in wanted.into_iter().rev().take(most) {
            if *self.open.borrow() >= WAITING {
                refused += 1;
                continue;
            }
            self.open.send_modify(|open| *open += 1);
            // A reader that has stopped drops it.
            let _ = self.queue.send(Queued { wanted, _open: Open(Arc::clone(&self.open)) });
        }
        refused
    }

    /// Waits until every page that was asked for has been read, or could not be.
    pub async fn settle(&self) {
        let _ = self.open.subscribe().wait_for(|open| *open == 0).await;
    }
}

/// Reads pages until `stop`.
pub async fn run(polling: Arc<Polling>, store: Handle<Store>, mut queue: Queue, stop: CancellationToken) {
    let mut table = Table::default();
    loop {
        table.start(&polling, &store);
        tokio::select! {
            () = stop.cancelled() => break,
            Some(queued) = queue.0.recv() => table.take(queued),
            Some(ended) = table.tasks.join_next_with_id() => table.ended(ended),
            else => break,
        }
    }
    table.tasks.shutdown().await;
}

#[derive(Default)]
struct Table {
    waiting: HashMap<String, VecDeque<Queued>>,
    /// Hosts that could be asked now, in their turn.
    ready: VecDeque<String>,
    busy: HashSet<String>,
    hosts: HashMap<Id, String>,
    tasks: JoinSet<PageOutcome>,
    told: Told,
}

/// What is told when nothing waits any more.
#[derive(Default)]
struct Told {
    shown: usize,
    kept: usize,
    failed: usize,
}

impl Table {
    fn take(&mut self, queued: Queued) {
        let host = queued.wanted.url.host_str().unwrap_or_default().to_owned();
        let queue = self.waiting.entry(host.clone()).or_default();
        queue.push_back(queued);
        if queue.len() == 1 && !self.busy.contains(&host) {
            self.ready.push_back(host);
        }
    }

    fn start(&mut self, polling: &Arc<Polling>, store: &Handle<Store>) {
        while self.tasks.len() < HOSTS
            && let Some(host) = self.ready.pop_front()
        {
            let Some(queue) = self.waiting.get_mut(&host) else { continue };
            let Some(queued) = queue.pop_front() else { continue };
            if queue.is_empty() {
                self.waiting.remove(&host);
            }
            let (polling, store) = (Arc::clone(polling), store.clone());
            let task = self.tasks.spawn(Box::pin(async move {
                // Both, so that it counts as open to the end.
                let Queued { wanted, _open } = queued;
                let outcome = one(&polling, &store, &wanted).await;
                tracing::debug!(source = %wanted.source, url = %wanted.url, ?outcome, "a page");
                polling.book.page_ended(&wanted.source, &outcome);
                outcome
            }));
            self.hosts.insert(task.id(), host.clone());
            self.busy.insert(host);
        }
    }

    fn ended(&mut self, ended: Result<(Id, PageOutcome), JoinError>) {
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, outcome),
            Err(error) => (error.id(), PageOutcome::Failed(format!("reading the page ended in a bug: {error}"))),
        };
        match &outcome {
            PageOutcome::Shown => self.told.shown += 1,
            PageOutcome::Kept => self.told.kept += 1,
            PageOutcome::Failed(_) | PageOutcome::Throttled(_) => self.told.failed += 1,
        }
        if let Some(host) = self.hosts.remove(&id) {
            self.busy.remove(&host);
            if matches!(outcome, PageOutcome::Throttled(_)) {
                // What waits for it keeps its feed's text.
                self.told.failed += self.waiting.remove(&host).map_or(0, |queue| queue.len());
            }
            if self.waiting.contains_key(&host) {
                self.ready.push_back(host);
            }
        }
        if self.tasks.is_empty() && self.waiting.is_empty() {
            let Told { shown, kept, failed } = std::mem::take(&mut self.told);
            tracing::info!(
                shown,
                kept,
                failed,
                "pages of entries are read: {shown} shown, {kept} no better, {failed} failed"
            );
        }
    }
}

/// One page, from its address to the disk.
async fn one(polling: &Polling, store: &Handle<Store>, wanted: &Wanted) -> PageOutcome {
    let catalogue = Arc::clone(&polling.catalogue.borrow());
    let wishes = catalogue.source(&wanted.source).and_then(|source| source.full_text.clone());
    // The file was edited meanwhile.
    let Some(wishes) = wishes else { return PageOutcome::Kept };
    let fetcher = Arc::clone(&polling.fetcher.read().unwrap_or_else(PoisonError::into_inner));
    let (page, _place) = match fetcher.page(&wanted.url).await {
        Ok(found) => found,
        Err(FetchFailure { kind: FailureKind::Status(429 | 503), detail }) => return PageOutcome::Throttled(detail),
        Err(failure) => return PageOutcome::Failed(failure.detail),
    };
    let (text, now) = (wanted.text, clock::now());
    let write = match store.run(move |store| read(store, text, &page, &wishes, now)).await {
        Ok(Ok(Some(write))) => write,
        Ok(Ok(None)) => return PageOutcome::Kept,
        Ok(Err(what)) => return PageOutcome::Failed(what),
        Err(error) => return PageOutcome::Failed(error.to_string()),
    };
    let Wanted { scope, entry, sighting, .. } = wanted.clone();
    match polling.committer.put_page(PageWrite { scope, entry, sighting, page: write }).await {
        Ok(()) => PageOutcome::Shown,
        Err(error) => PageOutcome::Failed(format!("the store does not take it: {error}")),
    }
}

/// Runs on a thread that may block. `None` when the feed's own text is as good.
fn read(
    store: &Store,
    text: Option<TextName>,
    page: &FetchedPage,
    wishes: &FullText,
    now: Timestamp,
) -> Result<Result<Option<Vec<u8>>, String>, StoreError> {
    let own = text.map(|name| store.texts(name)).transpose()?.flatten().unwrap_or_default();
    let found = WebPage { body: &page.body, content_type: page.content_type.as_deref(), url: &page.url };
    let html = match extract::article(found, wishes) {
        Ok(html) if html.0.len() <= LONGEST => html,
        Ok(_) => return Ok(Err("the text of the page is too long".to_owned())),
        Err(none) => return Ok(Err(none.what)),
    };
    let is_better = judge::is_better(&own, &html.0);
    let write = is_better.then(|| record::write_page(&PageText { url: page.url.clone(), at: now, html }));
    Ok(Ok(write))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(count: u64) -> Vec<Wanted> {
        let one = |number| Wanted {
            source: SourceKey::new("one").unwrap(),
            scope: Scope("one".into()),
            entry: Seq(number),
            sighting: Seq(number),
            url: Url::parse("https://one.example/").unwrap(),
            text: None,
        };
        (0..count).map(one).collect()
    }

    #[tokio::test]
    async fn a_first_poll_asks_for_its_newest_pages_and_the_queue_is_bounded() {
        let (pages, mut queue) = Pages::new();
        assert_eq!(pages.want(wanted(30), true), 10);
        assert_eq!(queue.0.recv().await.unwrap().wanted.entry, Seq(29));
        let mut refused = 0;
        for _ in 0..11 {
            refused += pages.want(wanted(100), false);
        }
        assert_eq!(refused, 11 * 100 + 19 - WAITING);
        drop(queue);
        pages.settle().await;
    }

    #[test]
    fn one_page_of_a_host_is_read_at_a_time() {
        let mut table = Table::default();
        let (pages, mut queue) = Pages::new();
        pages.want(wanted(3), false);
        while let Ok(queued) = queue.0.try_recv() {
            table.take(queued);
        }
        assert_eq!((table.ready.len(), table.waiting["one.example"].len()), (1, 3));
    }
}
