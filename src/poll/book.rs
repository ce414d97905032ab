//! What is known of every source between polls, in memory: loaded at the start, written back with commits or once a minute.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::Timestamp;
use crate::model::source::{Location, Scope, Source, SourceKey, Validators};
use crate::poll::named;
use crate::poll::pages::PageOutcome;
use crate::poll::retention::Uncounted;
use crate::published::status::{Health, SourceStatus};
use crate::schedule::{self, Due, Policy};
use crate::select::catalogue::{Catalogue, Learnt, without_secrets};
use crate::store::engine::StoreError;
use crate::store::entries::Store;
use crate::store::source::SourceState;

/// One source as the poller sees it.
#[derive(Clone)]
struct Slot {
    scope: Scope,
    state: Arc<SourceState>,
    last_document: Arc<Vec<[u8; 16]>>,
    /// The state differs from what the store holds.
    is_dirty: bool,
    in_flight: bool,
    pages: PageTally,
}

/// How the pages of a source's entries fared since the start.
#[derive(Debug, Clone, Default)]
struct PageTally {
    shown: u64,
    kept: u64,
    failed: u64,
    last_failure: String,
}

impl PageTally {
    /// For people; `None` while every page was read.
    fn note(&self) -> Option<String> {
        let Self { shown, kept, failed, last_failure } = self;
        let read = shown + kept;
        (*failed > 0).then(|| {
            format!("{failed} pages of entries could not be read, {read} could; the last time: {last_failure}")
        })
    }
}

/// What a poll starts from.
pub struct Checkout {
    pub source: Arc<Source>,
    pub scope: Scope,
    pub state: Arc<SourceState>,
    pub last_document: Arc<Vec<[u8; 16]>>,
}

/// What a publisher has forbidden.
pub struct Standing {
    /// Retry-After.
    pub throttled_until: Option<Timestamp>,
    /// 410.
    pub is_gone: bool,
}

/// All sources that are declared.
#[derive(Default)]
pub struct Book {
    slots: Mutex<HashMap<SourceKey, Slot>>,
}

impl Book {
    fn lock(&self) -> MutexGuard<'_, HashMap<SourceKey, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in the declared sources and lets go of all others. Facts of a source whose address changed are kept only as far as
    /// they belong to the source and not to the address.
    pub fn follow(
        &self,
        sources: &[Arc<Source>],
        scopes: &HashMap<SourceKey, Scope>,
        store: &Store,
    ) -> Result<(), StoreError> {
        let mut slots = self.lock();
        let mut kept = HashMap::new();
        for source in sources {
            let Some(scope) = scopes.get(&source.key) else { continue };
            let old = slots.remove(&source.key).filter(|slot| slot.scope == *scope);
            let mut slot = match old {
                Some(slot) => slot,
                None => Slot {
                    scope: scope.clone(),
                    state: Arc::new(store.source(scope)?.unwrap_or_default()),
                    last_document: Arc::new(store.last_document(scope)?),
                    is_dirty: false,
                    in_flight: false,
                    pages: PageTally::default(),
                },
            };
            at_address(Arc::make_mut(&mut slot.state), &source.location);
            kept.insert(source.key.clone(), slot);
        }
        *slots = kept;
        Ok(())
    }

    /// When a source is to be polled; `None` while it is being polled or is not declared.
    pub fn due(&self, source: &Source, now: Timestamp) -> Option<Due> {
        let slots = self.lock();
        let slot = slots.get(&source.key).filter(|slot| !slot.in_flight)?;
        Some(schedule::due(source.key.as_str(), &slot.state.facts, &policy(source), now))
    }

    /// What the publisher forbids; `None` while the source is being polled or is not declared.
    pub fn standing(&self, key: &SourceKey) -> Option<Standing> {
        let slots = self.lock();
        let facts = &slots.get(key).filter(|slot| !slot.in_flight)?.state.facts;
        Some(Standing { throttled_until: facts.throttled_until, is_gone: facts.gone_since.is_some() })
    }

    /// Takes a source for a poll; `None` when it is being polled already.
    pub fn check_out(&self, source: &Arc<Source>) -> Option<Checkout> {
        let mut slots = self.lock();
        let slot = slots.get_mut(&source.key).filter(|slot| !slot.in_flight)?;
        slot.in_flight = true;
        Some(Checkout {
            source: Arc::clone(source),
            scope: slot.scope.clone(),
            state: Arc::clone(&slot.state),
            last_document: Arc::clone(&slot.last_document),
        })
    }

    /// Brings a source back; `is_durable` when the state was committed with the poll.
    pub fn check_in(&self, key: &SourceKey, state: SourceState, hashes: Option<Arc<Vec<[u8; 16]>>>, is_durable: bool) {
        if let Some(slot) = self.lock().get_mut(key) {
            // The address may have been edited while the poll was under way; then its facts are another address's.
            if slot.state.location == state.location {
                slot.state = Arc::new(state);
                slot.is_dirty = !is_durable;
            }
            if let Some(hashes) = hashes {
                slot.last_document = hashes;
            }
            slot.in_flight = false;
        }
    }

    /// Brings a source back whose document is as it was. `before` is what it was checked out with.
    pub fn amend(&self, key: &SourceKey, before: Arc<SourceState>, change: impl FnOnce(&mut SourceState)) {
        let mut slots = self.lock();
        if let Some(slot) = slots.get_mut(key) {
            if slot.state.location == before.location {
                // Given up first, so that the state is changed where it lies and not copied.
                drop(before);
                change(Arc::make_mut(&mut slot.state));
                slot.is_dirty = true;
            }
            slot.in_flight = false;
        }
    }

    /// Lets a source be polled again whose poll ended without a result.
    pub fn release(&self, key: &SourceKey) {
        if let Some(slot) = self.lock().get_mut(key) {
            slot.in_flight = false;
        }
    }

    /// Counts a page of one of the source's entries. It is no matter of the source's own health.
    pub fn page_ended(&self, key: &SourceKey, outcome: &PageOutcome) {
        let mut slots = self.lock();
        let Some(slot) = slots.get_mut(key) else { return };
        match outcome {
            PageOutcome::Shown => slot.pages.shown += 1,
            PageOutcome::Kept => slot.pages.kept += 1,
            PageOutcome::Failed(what) | PageOutcome::Throttled(what) => {
                slot.pages.failed += 1;
                slot.pages.last_failure.clone_from(what);
            }
        }
    }

    /// A 410 is asked again when the source is named.
    pub fn revive(&self, key: &SourceKey) {
        if let Some(slot) = self.lock().get_mut(key)
            && slot.state.facts.gone_since.is_some()
        {
            let facts = &mut Arc::make_mut(&mut slot.state).facts;
            facts.gone_since = None;
            facts.last_attempt = None;
        }
    }

    /// States that the store does not hold yet; from now on it is expected to.
    pub fn take_dirty(&self, uncounted: &Uncounted) -> Vec<(Scope, Arc<SourceState>)> {
        let mut slots = self.lock();
        // A poll that is under way brings its state back from the committer, which takes the number off itself.
        for slot in slots.values_mut().filter(|slot| !slot.in_flight) {
            let count = uncounted.take(&slot.scope);
            if count > 0 {
                let state = Arc::make_mut(&mut slot.state);
                state.entries = state.entries.saturating_sub(count);
                slot.is_dirty = true;
            }
        }
        let dirty = slots.values_mut().filter(|slot| slot.is_dirty && !slot.in_flight);
        dirty
            .map(|slot| {
                slot.is_dirty = false;
                (slot.scope.clone(), Arc::clone(&slot.state))
            })
            .collect()
    }

    /// Remembers what a source's document says of itself; true when that is news.
    pub fn learn(&self, key: &SourceKey, learnt: &Learnt) -> bool {
        let mut slots = self.lock();
        let Some(slot) = slots.get_mut(key) else { return false };
        let news =
            slot.state.title != learnt.title || slot.state.site != learnt.site || slot.state.about != *learnt.about;
        if news {
            let state = Arc::make_mut(&mut slot.state);
            state.title.clone_from(&learnt.title);
            state.site.clone_from(&learnt.site);
            state.about.clone_from(&learnt.about);
        }
        news
    }

    pub fn learnt(&self) -> BTreeMap<Scope, Learnt> {
        let slots = self.lock();
        let learnt = |slot: &Slot| Learnt::of(&slot.state);
        slots.values().map(|slot| (slot.scope.clone(), learnt(slot))).collect()
    }

    /// The status of every source, in the order of the file.
    pub fn statuses(&self, catalogue: &Catalogue, now: Timestamp) -> Vec<SourceStatus> {
        let slots = self.lock();
        let sources = catalogue.config.sources.iter();
        sources.filter_map(|source| Some(status(source, slots.get(&source.key)?, catalogue, now))).collect()
    }
}

fn at_address(state: &mut SourceState, location: &Location) {
    let location = location.to_string();
    if state.location == location {
        return;
    }
    let is_known = !state.location.is_empty();
    state.location = location;
    if is_known {
        let last_success = state.facts.last_success;
        // The time of the last success bounds the places of new entries, wherever they come from; all else is the old address's.
        state.facts = schedule::Facts { last_success, ..schedule::Facts::default() };
        state.validators = Validators::default();
        state.moved = None;
        state.named = None;
        state.problem = None;
        state.document = None;
        state.polls = Vec::new();
    }
}

/// A file costs nothing to look at; it is looked at every minute.
pub fn policy(source: &Source) -> Policy {
    let minute = std::time::Duration::from_secs(60);
    match source.location {
        Location::Http(_) => Policy { min: source.min_interval, max: source.max_interval },
        Location::File(_) => Policy { min: source.min_interval.min(minute), max: source.min_interval.min(minute) },
    }
}

fn status(source: &Source, slot: &Slot, catalogue: &Catalogue, now: Timestamp) -> SourceStatus {
    let facts = &slot.state.facts;
    let standing = catalogue.standing.sources.get(&slot.scope);
    let address = match &source.location {
        Location::Http(url) => without_secrets(url).to_string(),
        Location::File(path) => format!("file:{}", path.display()),
    };
    let note = |feed: &url::Url| named::note(&source.key, &source.location, feed);
    let health = match () {
        () if facts.gone_since.is_some() => Health::Gone,
        () if facts.throttled_until.is_some_and(|until| until > now) => Health::Throttled,
        () if facts.failures > 0 => Health::Failing,
        () if facts.last_attempt.is_none() => Health::New,
        () => Health::Good,
    };
    SourceStatus {
        key: source.key.clone(),
        title: standing.map_or_else(|| source.key.to_string(), |standing| standing.title.clone()),
        address,
        feed_address: standing.and_then(|standing| standing.address.clone()),
        site: slot.state.site.clone(),
        topics: source.topics.clone(),
        health,
        reason: slot.state.problem.clone(),
        last_success: facts.last_success,
        next_poll: match schedule::due(source.key.as_str(), facts, &policy(source), now) {
            Due::Now => Some(now),
            Due::At(at) => Some(at),
            Due::Never => None,
        },
        failures: facts.failures,
        entries: slot.state.entries,
        // The committer knows.
        held: 0,
        notes: slot
            .state
            .named
            .iter()
            .map(note)
            .chain(slot.state.notes.iter().cloned())
            .chain(slot.pages.note())
            .collect(),
    }
}
