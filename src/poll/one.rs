//! One poll of one source: ask, read, absorb, remember.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};
use url::Url;

use crate::clock;
use crate::fetch::answer::{Document, FailureKind, Fetched, RetryAfter};
use crate::fetch::{Fetcher, Request};
use crate::model::Timestamp;
use crate::model::source::{Location, SourceKey, Validators};
use crate::parse::NotAFeed;
use crate::poll::absorb::Absorbed;
use crate::poll::book::{Book, Checkout};
use crate::poll::committer::Committer;
use crate::poll::named;
use crate::poll::pages::Pages;
use crate::poll::prepare::{self, Fresh, Prepared};
use crate::published::counters::Counters;
use crate::published::status::SourceStatus;
use crate::schedule::Due;
use crate::select::catalogue::{Catalogue, Learnt};
use crate::store::Handle;
use crate::store::source::{PollOutcome, SourceState};
use crate::text::addresses;

/// Documents in [`Polling::room`] at once: enough to keep two groups of the committer and all workers busy.
pub const ROOM: usize = 16;
/// Longest wait that a publisher's caching headers or `ttl` can ask for.
const LONGEST_HINT: Duration = Duration::from_secs(7 * 24 * 3600);
/// How many times its cost taking over titles and sites rests. With few sources it costs nothing and is done at once; with
/// thousands of new ones they are taken over together.
const RELEARN_REST: u32 = 20;

/// How one poll ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Absorbed {
        new: usize,
        joined: usize,
        updated: usize,
        /// New ones that are held back.
        held: usize,
    },
    NotModified,
    Throttled(Option<Timestamp>),
    Gone,
    Failed(String),
    /// It was not asked: the next poll may be made at this time.
    NotDue(Timestamp),
    Unknown,
}

impl Outcome {
    /// Whether a command that asked for the poll has what it wanted.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Absorbed { .. } | Self::NotModified | Self::NotDue(_))
    }
}

/// Everything that a poll needs.
pub struct Polling {
    pub book: Book,
    pub fetcher: RwLock<Arc<Fetcher>>,
    /// Where documents are read: as many at once as there are cores, away from the threads that do I/O.
    pub workers: Handle<()>,
    /// For documents that are read or wait to be stored. Each takes several times its size then.
    pub room: Semaphore,
    pub committer: Committer,
    /// Pages of entries that are to be read when everything else is done.
    pub pages: Pages,
    pub catalogue: watch::Sender<Arc<Catalogue>>,
    pub counters: Arc<Counters>,
    /// Called when what documents say of their sources changed the catalogue.
    pub relearnt: Box<dyn Fn() + Send + Sync>,
    pub learning: Mutex<Learning>,
}

/// When the catalogue last followed what documents say, and whether it has to again.
#[derive(Default)]
pub struct Learning {
    rested: Option<Instant>,
    is_behind: bool,
}

impl Polling {
    pub fn due(&self, key: &SourceKey, now: Timestamp) -> Option<Due> {
        let catalogue = Arc::clone(&self.catalogue.borrow());
        self.book.due(catalogue.source(key)?, now)
    }

    pub fn declared(&self) -> Vec<SourceKey> {
        self.catalogue.borrow().config.sources.iter().map(|source| source.key.clone()).collect()
    }

    /// Requests from now on are made by this one; those under way end as they began.
    pub fn replace_fetcher(&self, fetcher: Fetcher) {
        *self.fetcher.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fetcher);
    }

    /// How every source fares, in the order of the file.
    pub fn statuses(&self, catalogue: &Catalogue, now: Timestamp) -> Vec<SourceStatus> {
        self.committer.holding().tell(self.book.statuses(catalogue, now), catalogue)
    }

    pub fn revive(&self, key: &SourceKey) {
        self.book.revive(key);
    }

    pub fn release(&self, key: &SourceKey) {
        self.book.release(key);
    }

    /// While nothing can be stored there is no use in asking publishers.
    pub fn is_paused(&self) -> bool {
        self.committer.trouble().is_some()
    }

    /// Whether a source may be polled on demand; else how the wish ends.
    pub fn permitted(&self, key: &SourceKey, force: bool, now: Timestamp) -> Result<(), Outcome> {
        if let Some(trouble) = self.committer.trouble() {
            return Err(Outcome::Failed(format!("nothing can be stored: {trouble}")));
        }
        let Some(standing) = self.book.standing(key) else { return Err(Outcome::Unknown) };
        if let Some(until) = standing.throttled_until.filter(|until| *until > now) {
            return Err(Outcome::Throttled(Some(until)));
        }
        if force {
            // Nobody asks when it would be due.
            return if standing.is_gone { Err(Outcome::Gone) } else { Ok(()) };
        }
        match self.due(key, now) {
            None => Err(Outcome::Unknown),
            Some(Due::At(at)) => Err(Outcome::NotDue(at)),
            Some(Due::Never) => Err(Outcome::Gone),
            Some(_) => Ok(()),
        }
    }

    /// Writes what need not be durable at once.
    pub async fn remember(&self) {
        let states = self.book.take_dirty(self.committer.uncounted());
        if !states.is_empty() {
            self.committer.remember(states).await;
        }
    }

    /// Takes over titles and sites that documents told, if there is news and enough rest since the last time.
    pub fn relearn(&self) {
        let rested = self.learning().rested;
        if rested.is_none_or(|rested| rested <= Instant::now()) {
            self.catch_up();
        }
    }

    fn learning(&self) -> MutexGuard<'_, Learning> {
        self.learning.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`Polling::relearn`], at once: for commands that return when everything is published.
    pub fn catch_up(&self) {
        if !std::mem::take(&mut self.learning().is_behind) {
            return;
        }
        let began = Instant::now();
        let learnt = self.book.learnt();
        self.catalogue.send_if_modified(|catalogue| {
            let (config, scopes) = (Arc::clone(&catalogue.config), catalogue.scopes.clone());
            *catalogue =
                Arc::new(Catalogue::new(config, catalogue.base.clone(), scopes, &learnt).in_effect_since(clock::now()));
            // Nobody has to schedule anew because a title became known.
            false
        });
        (self.relearnt)();
        self.learning().rested = Some(Instant::now() + began.elapsed() * RELEARN_REST);
    }

    /// Polls one source, whatever its schedule says.
    pub async fn poll(&self, key: &SourceKey) -> Outcome {
        let catalogue = Arc::clone(&self.catalogue.borrow());
        let Some(checkout) = catalogue.source(key).and_then(|source| self.book.check_out(source)) else {
            return Outcome::Unknown;
        };
        let named = checkout.state.named.clone();
        let outcome = match self.ask(Asking { checkout, named }).await {
            Ok(outcome) => outcome,
            // Once: what a page named is taken for no page. A rare way, so it takes no room in every poll.
            Err(page) => match Box::pin(self.ask(*page)).await {
                Ok(outcome) => outcome,
                Err(page) => self.fail(key, page.checkout.state, Failure::plain("a page leads to a page".to_owned())),
            },
        };
        self.note(key, &outcome);
        outcome
    }

    /// Asks once; what to ask next when the answer is a page that names its feed.
    async fn ask(&self, asking: Asking) -> Result<Outcome, Box<Asking>> {
        let fetcher = Arc::clone(&self.fetcher.read().unwrap_or_else(PoisonError::into_inner));
        // The place is kept to the end: while documents wait here, no further ones are asked for.
        let (fetched, _place) = fetcher.fetch(request(&asking)).await;
        let now = clock::now();
        match fetched {
            Fetched::Fresh(document) => {
                let _room = self.room.acquire().await;
                self.absorb(asking, document, now).await
            }
            other => Ok(self.without_document(asking, other, now)),
        }
    }

    async fn absorb(&self, asking: Asking, document: Document, now: Timestamp) -> Result<Outcome, Box<Asking>> {
        let key = asking.checkout.source.key.clone();
        let before = Arc::clone(&asking.checkout.state);
        let job = {
            let (key, committer, catalogue) = (key.clone(), self.committer.clone(), self.catalogue.borrow().clone());
            move |(): &()| {
                let read = read(&key, &asking, &document, now).map(|mut prepared| {
                    committer.look(&catalogue, &mut prepared);
                    prepared
                });
                Ok(read.map_err(|error| unread(asking, &document, &error, &catalogue.base)))
            }
        };
        let prepared = match self.workers.run(job).await {
            Ok(Ok(prepared)) => prepared,
            Ok(Err(Unread::Page(page))) => return Err(page),
            Ok(Err(Unread::NotAFeed(failure))) => return Ok(self.fail(&key, before, failure)),
            Err(error) => {
                let what = format!("reading the document ended in a bug: {error}");
                return Ok(self.fail(&key, before, Failure::plain(what)));
            }
        };
        Ok(self.keep(&key, before, prepared).await)
    }

    /// Has the committer store what is new, and remembers the source as it is then.
    async fn keep(&self, key: &SourceKey, before: Arc<SourceState>, mut prepared: Prepared) -> Outcome {
        self.learn(key, &prepared.state);
        let hashes = Arc::clone(&prepared.hashes);
        if prepared.seen.is_empty() && prepared.moves.gone.is_empty() {
            prepared.state.note_fresh(prepared.arrival.now, [0; 3]);
            self.book.check_in(key, prepared.state, Some(hashes), false);
            return Outcome::Absorbed { new: 0, joined: 0, updated: 0, held: 0 };
        }
        match self.committer.absorb(prepared).await {
            Ok(absorbed) => {
                let Absorbed { new, joined, updated, held, .. } = absorbed;
                self.counters.absorbed(new, joined, updated);
                // Pages of what may never be shown are asked for as sparingly as those of what was there already.
                let refused = self.pages.want(absorbed.pages, before.facts.last_success.is_none() || held > 0);
                if refused > 0 {
                    tracing::debug!(source = %key, refused, "so many pages of new entries are not read");
                }
                self.book.check_in(key, absorbed.state, Some(hashes), true);
                Outcome::Absorbed { new, joined, updated, held }
            }
            // It is no fault of the source, and it is polled as soon as the store has recovered.
            Err(error) if self.is_paused() => {
                self.book.release(key);
                Outcome::Failed(format!("nothing can be stored: {error}"))
            }
            Err(error) => self.fail(key, before, Failure::plain(format!("the store does not take it: {error}"))),
        }
    }

    fn learn(&self, key: &SourceKey, state: &SourceState) {
        let learnt = Learnt::of(state);
        if self.book.learn(key, &learnt) {
            self.learning().is_behind = true;
            self.relearn();
        }
    }

    fn fail(&self, key: &SourceKey, before: Arc<SourceState>, failure: Failure) -> Outcome {
        let Failure { what, is_lost } = failure;
        let now = clock::now();
        self.book.amend(key, before, |state| {
            // A remembered move that leads nowhere is forgotten: the next poll begins at the address that was typed in.
            state.moved = None;
            if is_lost {
                state.named = None;
            }
            state.facts.last_attempt = Some(now);
            state.facts.failures = state.facts.failures.saturating_add(1);
            state.note(now, PollOutcome::Failed, Some(&what));
            state.problem = Some(what.clone());
        });
        Outcome::Failed(what)
    }

    fn without_document(&self, asking: Asking, fetched: Fetched, now: Timestamp) -> Outcome {
        let Asking { checkout: Checkout { source, state, .. }, named } = asking;
        let key = &source.key;
        let mut outcome = Outcome::NotModified;
        match fetched {
            Fetched::Fresh(_) => unreachable!("a document is absorbed"),
            Fetched::NotModified { validators, hints, moved } => self.book.amend(key, state, |state| {
                state.facts.last_attempt = Some(now);
                state.facts.hint_until = hint(hints.max_age, state.facts.rhythm.every, now);
                state.note(now, PollOutcome::NotModified, None);
                succeeded(state, validators, moved, named, now);
            }),
            // The page is not gone, and may name another feed by now.
            Fetched::Gone if named.is_some() => {
                return self.fail(key, state, Failure::of("it is gone for good (410)", named.as_ref(), true));
            }
            Fetched::Gone => {
                outcome = Outcome::Gone;
                self.book.amend(key, state, |state| gone(key, state, now));
            }
            Fetched::Throttled { status, retry_after } => {
                let until = retry_after.and_then(|retry_after| match retry_after {
                    RetryAfter::After(wait) => now.checked_add_signed(chrono::TimeDelta::from_std(wait).ok()?),
                    RetryAfter::At(at) => Some(at),
                });
                outcome = Outcome::Throttled(until);
                self.book.amend(key, state, |state| throttled(state, status, until, now));
            }
            Fetched::Failed(failure) => {
                let is_lost = matches!(failure.kind, FailureKind::Status(404) | FailureKind::Refused);
                return self.fail(key, state, Failure::of(&failure.detail, named.as_ref(), is_lost));
            }
        }
        outcome
    }

    /// One line for each poll, where it ended; a success that brought nothing is not worth one.
    fn note(&self, source: &SourceKey, outcome: &Outcome) {
        self.counters.polled(match outcome {
            Outcome::Absorbed { .. } => "fresh",
            Outcome::NotModified => "not_modified",
            Outcome::Throttled(_) => "throttled",
            Outcome::Gone => "gone",
            Outcome::Failed(_) => "failed",
            Outcome::NotDue(_) | Outcome::Unknown => return,
        });
        match outcome {
            Outcome::Absorbed { new: 0, joined: 0, updated: 0, held: 0 } | Outcome::NotModified => {
                tracing::debug!(%source, "nothing new")
            }
            Outcome::Absorbed { new, joined, updated, held } => {
                tracing::info!(%source, new, joined, updated, "polled {source}");
                if *held > 0 {
                    tracing::warn!(%source, held, "{held} new entries of {source} are held back: so many at once look like a mass re-issue; `feedmill release {source}` lets them out");
                }
            }
            Outcome::Failed(reason) => {
                tracing::warn!(%source, reason = &*addresses::masked(reason), "cannot poll {source}")
            }
            Outcome::Throttled(until) => tracing::warn!(%source, ?until, "{source} asks for fewer requests"),
            Outcome::Gone => {
                tracing::warn!(%source, "{source} is gone for good (410) and is not asked again until it is named")
            }
            Outcome::NotDue(_) | Outcome::Unknown => {}
        }
    }
}

/// What one request of a poll starts from.
struct Asking {
    checkout: Checkout,
    /// The feed that the page at the source's address named.
    named: Option<Url>,
}

/// A document that was not read.
enum Unread {
    NotAFeed(Failure),
    /// A web page, and where its feed is.
    Page(Box<Asking>),
}

/// Why a poll brought nothing.
struct Failure {
    what: String,
    /// The feed that a page named is none any more; the page is asked anew.
    is_lost: bool,
}

impl Failure {
    fn plain(what: String) -> Self {
        Self { what, is_lost: false }
    }

    fn of(what: &str, named: Option<&Url>, is_lost: bool) -> Self {
        Self { what: named.map_or_else(|| what.to_owned(), |named| named::failed(named, what)), is_lost }
    }
}

fn request(asking: &Asking) -> Request<'_> {
    let Asking { checkout: Checkout { source, state, .. }, named } = asking;
    Request {
        location: &source.location,
        named: named.as_ref(),
        // A move is one of what was polled then.
        moved: state.moved.as_ref().filter(|_| state.named == *named),
        validators: &state.validators,
        credentials: source.credentials.as_ref(),
        headers: &source.headers,
    }
}

/// Runs on a worker's thread.
fn read(key: &SourceKey, asking: &Asking, document: &Document, now: Timestamp) -> Result<Prepared, NotAFeed> {
    let Asking { checkout, named } = asking;
    let base = match checkout.source.location {
        Location::Http(_) => Some(&document.url),
        Location::File(_) => None,
    };
    let mut prepared = prepare::prepare(Fresh {
        key,
        scope: &checkout.scope,
        body: &document.body,
        content_type: document.content_type.as_deref(),
        base,
        last_document: &checkout.last_document,
        state: SourceState::clone(&checkout.state),
        now,
    })?;
    let state = &mut prepared.state;
    state.facts.last_attempt = Some(now);
    state.facts.hint_until = hint(document.hints.max_age, state.facts.rhythm.every, now);
    // The rest of a document that was cut off must come with the next poll; one that is always cut off brings nothing new then.
    let is_settled = prepared.is_complete || prepared.seen.is_empty();
    let validators = if is_settled { document.validators.clone() } else { Validators::default() };
    if let Some(named) = named.as_ref().filter(|named| state.named.as_ref() != Some(*named)) {
        tracing::warn!(source = %key, "{}", named::note(key, &checkout.source.location, named));
    }
    succeeded(state, validators, document.moved.clone(), named.clone(), now);
    Ok(prepared)
}

/// What follows from a document that is not a feed. `own` is where our own feeds are published.
fn unread(asking: Asking, document: &Document, error: &NotAFeed, own: &Url) -> Unread {
    let is_page = asking.named.is_none() && matches!(asking.checkout.source.location, Location::Http(_));
    match named::to_follow(&error.feeds, &document.url, own).filter(|_| is_page) {
        Some(feed) => Unread::Page(Box::new(Asking { named: Some(feed), ..asking })),
        None => Unread::NotAFeed(Failure::of(&error.what, asking.named.as_ref(), true)),
    }
}

fn gone(key: &SourceKey, state: &mut SourceState, now: Timestamp) {
    state.facts.last_attempt = Some(now);
    state.facts.gone_since = Some(now);
    state.problem = Some(format!("the publisher says it is gone for good (410); `feedmill poll {key}` asks again"));
    state.note(now, PollOutcome::Gone, Some("gone for good (410)"));
}

fn throttled(state: &mut SourceState, status: u16, until: Option<Timestamp>, now: Timestamp) {
    state.facts.last_attempt = Some(now);
    state.facts.throttled_until = until;
    state.facts.failures = state.facts.failures.saturating_add(1);
    let problem = format!("the publisher asks for fewer requests ({status})");
    state.note(now, PollOutcome::Throttled, Some(&problem));
    state.problem = Some(problem);
}

fn succeeded(state: &mut SourceState, validators: Validators, moved: Option<Url>, named: Option<Url>, now: Timestamp) {
    state.validators = validators;
    // An earlier move was one of what was polled then.
    state.moved = moved.or_else(|| state.moved.take().filter(|_| state.named == named));
    state.named = named;
    state.facts.last_success = Some(now);
    state.facts.failures = 0;
    state.facts.throttled_until = None;
    state.problem = None;
}

/// The longest of what the publisher hints at, capped.
fn hint(max_age: Option<Duration>, ttl: Option<Duration>, now: Timestamp) -> Option<Timestamp> {
    let longest = max_age.max(ttl)?.min(LONGEST_HINT);
    now.checked_add_signed(chrono::TimeDelta::from_std(longest).ok()?)
}
