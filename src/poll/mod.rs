//! Loop one: what is due is fetched, prepared, absorbed. One timer structure for all sources; a task only for what is being polled.
//!
//! ```text
//! Book ─schedule::due→ Fetcher ─Document→ prepare ─Prepared→ Committer ─Absorbed→ Book
//! ```

pub mod absorb;
pub mod book;
pub mod committer;
pub mod judging;
mod named;
pub mod one;
pub mod pages;
pub mod prepare;
pub mod quarantine;
pub mod rearrange;
pub mod retention;
pub mod topics;
pub mod window;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::model::Timestamp;
use crate::model::source::SourceKey;
use crate::poll::one::{Outcome, Polling};
use crate::schedule::Due;
use crate::select::catalogue::Catalogue;

/// Facts that nothing depends on at once are written this often, all together.
const REMEMBER: Duration = Duration::from_secs(60);
/// What is old enough is removed at the start and then this often.
const PRUNE: Duration = Duration::from_secs(3600);
/// Longest sleep. The wall clock may jump while we sleep; then what is due is found at the latest by this.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// How soon the poller looks whether things can be stored again.
const PAUSE: Duration = Duration::from_millis(250);
/// Tasks for each slot of `concurrency`: some wait for their host while others fetch.
const TASKS_PER_SLOT: usize = 4;

/// Who says what is polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drive {
    /// The schedule, and wishes.
    Schedule,
    /// Wishes alone: for a command that polls once.
    Wishes,
}

/// A wish to poll now.
pub struct Wish {
    /// What to poll; all sources when empty.
    pub sources: Vec<SourceKey>,
    /// Not to wait for the interval or our own cool-down. The publisher's Retry-After holds all the same.
    pub force: bool,
    /// Receives one report for each source, then closes.
    pub reports: mpsc::UnboundedSender<Report>,
}

/// How the poll of one source ended.
#[derive(Debug, Clone)]
pub struct Report {
    pub source: SourceKey,
    pub outcome: Outcome,
}

/// Runs until `stop`; then polls under way are given up, except that what the committer has begun is waited for.
pub async fn run(
    polling: Arc<Polling>,
    mut catalogues: watch::Receiver<Arc<Catalogue>>,
    mut wishes: mpsc::Receiver<Wish>,
    drive: Drive,
    stop: CancellationToken,
) {
    let mut table = Table::new(drive);
    table.follow(&polling, &catalogues.borrow_and_update());
    let mut remember = tokio::time::interval(REMEMBER);
    remember.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut prune = tokio::time::interval(PRUNE);
    prune.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut relearn = tokio::time::interval(Duration::from_secs(1));
    relearn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let sleep = table.start_due(&polling);
        tokio::select! {
            () = stop.cancelled() => break,
            changed = catalogues.changed() => {
                if changed.is_err() {
                    break;
                }
                let catalogue = catalogues.borrow_and_update().clone();
                table.follow(&polling, &catalogue);
            }
            Some(wish) = wishes.recv() => table.wish(&polling, wish),
            Some(ended) = table.tasks.join_next_with_id() => {
                table.ended(&polling, ended);
                while let Some(ended) = table.tasks.try_join_next_with_id() {
                    table.ended(&polling, ended);
                }
            }
            _ = remember.tick() => polling.remember().await,
            _ = prune.tick() => polling.committer.prune().await,
            _ = relearn.tick() => polling.relearn(),
            () = tokio::time::sleep(sleep) => {}
        }
    }
    table.tasks.shutdown().await;
    for key in table.running.values() {
        polling.release(key);
    }
    polling.remember().await;
}

/// When what is polled next, and what is under way.
struct Table {
    drive: Drive,
    queue: BTreeSet<(Timestamp, SourceKey)>,
    times: HashMap<SourceKey, Timestamp>,
    tasks: JoinSet<Outcome>,
    running: HashMap<tokio::task::Id, SourceKey>,
    under_way: HashSet<SourceKey>,
    waiting: HashMap<SourceKey, Vec<mpsc::UnboundedSender<Report>>>,
    limit: usize,
}

impl Table {
    fn new(drive: Drive) -> Self {
        Self {
            drive,
            queue: BTreeSet::new(),
            times: HashMap::new(),
            tasks: JoinSet::new(),
            running: HashMap::new(),
            under_way: HashSet::new(),
            waiting: HashMap::new(),
            limit: TASKS_PER_SLOT,
        }
    }

    fn follow(&mut self, polling: &Polling, catalogue: &Catalogue) {
        self.limit = catalogue.config.poll.concurrency * TASKS_PER_SLOT;
        self.queue.clear();
        self.times.clear();
        for source in &catalogue.config.sources {
            self.schedule(polling, &source.key);
        }
    }

    fn schedule(&mut self, polling: &Polling, key: &SourceKey) {
        if self.drive == Drive::Wishes {
            return;
        }
        let now = clock::now();
        let Some(due) = polling.due(key, now) else { return };
        match due {
            Due::Now => self.at(key, now),
            Due::At(at) => self.at(key, at),
            Due::Never => {}
        }
    }

    fn at(&mut self, key: &SourceKey, at: Timestamp) {
        if let Some(old) = self.times.insert(key.clone(), at) {
            self.queue.remove(&(old, key.clone()));
        }
        self.queue.insert((at, key.clone()));
    }

    /// Starts what is due, as far as there is room; gives the time to the next.
    fn start_due(&mut self, polling: &Arc<Polling>) -> Duration {
        if polling.is_paused() {
            self.refuse_waiting(polling);
            return PAUSE;
        }
        let now = clock::now();
        while let Some((at, key)) = self.queue.first().cloned() {
            if at > now {
                return (at - now).to_std().unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP);
            }
            if self.tasks.len() >= self.limit {
                return LONGEST_SLEEP;
            }
            self.queue.pop_first();
            self.times.remove(&key);
            let polling = Arc::clone(polling);
            let source = key.clone();
            // Kilobytes, which are moved once and not from hand to hand.
            let task = self.tasks.spawn(Box::pin(async move { polling.poll(&source).await }));
            self.running.insert(task.id(), key.clone());
            self.under_way.insert(key);
        }
        LONGEST_SLEEP
    }

    fn wish(&mut self, polling: &Arc<Polling>, wish: Wish) {
        let now = clock::now();
        let is_named = !wish.sources.is_empty();
        let sources = if is_named { wish.sources } else { polling.declared() };
        for key in sources {
            if is_named {
                polling.revive(&key);
            }
            if self.under_way.contains(&key) {
                self.waiting.entry(key).or_default().push(wish.reports.clone());
                continue;
            }
            match polling.permitted(&key, wish.force, now) {
                Ok(()) => {
                    self.at(&key, now);
                    self.waiting.entry(key).or_default().push(wish.reports.clone());
                }
                Err(outcome) => drop(wish.reports.send(Report { source: key, outcome })),
            }
        }
    }

    /// Whoever waits for a poll that cannot begin is told so.
    fn refuse_waiting(&mut self, polling: &Polling) {
        let now = clock::now();
        let running: Vec<&SourceKey> = self.running.values().collect();
        self.waiting.retain(|key, waiting| {
            if running.contains(&key) {
                return true;
            }
            let Err(outcome) = polling.permitted(key, true, now) else { return true };
            for reports in waiting {
                let _ = reports.send(Report { source: key.clone(), outcome: outcome.clone() });
            }
            false
        });
    }

    fn ended(&mut self, polling: &Polling, ended: Result<(tokio::task::Id, Outcome), tokio::task::JoinError>) {
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, outcome),
            Err(error) => (error.id(), Outcome::Failed(format!("polling ended in a bug: {error}"))),
        };
        let Some(key) = self.running.remove(&id) else { return };
        self.under_way.remove(&key);
        polling.release(&key);
        self.schedule(polling, &key);
        for reports in self.waiting.remove(&key).unwrap_or_default() {
            let _ = reports.send(Report { source: key.clone(), outcome: outcome.clone() });
        }
    }
}
