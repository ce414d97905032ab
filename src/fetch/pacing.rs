//! Whose turn it is: so many requests at once altogether, so many to one host, and so long between two of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{self, Instant};

/// Hosts remembered before those at rest are forgotten.
const HOSTS: usize = 1_024;

pub(super) struct Pacer {
    all: Arc<Semaphore>,
    default: (usize, Duration),
    exceptions: BTreeMap<String, (usize, Duration)>,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
}

struct Host {
    slots: Arc<Semaphore>,
    delay: Duration,
    /// The earliest beginning of the next request.
    next: Mutex<Instant>,
}

/// The right to make one request; held until its answer is read.
pub(super) struct Turn {
    _host: OwnedSemaphorePermit,
    all: OwnedSemaphorePermit,
}

impl Turn {
    /// Lets the host's next request begin.
    pub(super) fn into_place(self) -> Place {
        Place { _all: self.all }
    }
}

/// A place among the requests that may be under way at once. Kept until what was fetched is dealt with, so that documents cannot
/// pile up in memory when they come quicker than they are read and stored.
pub struct Place {
    _all: OwnedSemaphorePermit,
}

impl Pacer {
    pub(super) fn new(
        concurrency: usize,
        per_host: usize,
        delay: Duration,
        exceptions: BTreeMap<String, (usize, Duration)>,
    ) -> Self {
        Self {
            all: Arc::new(Semaphore::new(concurrency)),
            default: (per_host, delay),
            exceptions,
            hosts: Mutex::default(),
        }
    }

    /// Waits for a turn at a host; after it, the host is left alone for its delay, and for `least` if that is longer. While it waits
    /// for the host it keeps nobody else from theirs.
    pub(super) async fn turn(&self, host: &str, least: Duration) -> Turn {
        let host = self.host(host);
        let slot = Arc::clone(&host.slots).acquire_owned().await.expect("the semaphore is never closed");
        if let Some(begin) = host.begin(least) {
            time::sleep_until(begin).await;
        }
        let all = Arc::clone(&self.all).acquire_owned().await.expect("the semaphore is never closed");
        Turn { _host: slot, all }
    }

    fn host(&self, name: &str) -> Arc<Host> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get(name) {
            return Arc::clone(host);
        }
        if hosts.len() >= HOSTS {
            hosts.retain(|_, host| !host.is_at_rest());
        }
        let (slots, delay) = self.exceptions.get(name).copied().unwrap_or(self.default);
        let host = hosts.entry(name.to_owned()).or_insert_with(|| {
            Arc::new(Host { slots: Arc::new(Semaphore::new(slots)), delay, next: Mutex::new(Instant::now()) })
        });
        Arc::clone(host)
    }
}

impl Host {
    /// Books the next beginning; `None` when that is now.
    fn begin(&self, least: Duration) -> Option<Instant> {
        let now = Instant::now();
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = (*next).max(now);
        *next = begin + self.delay.max(least);
        (begin > now).then_some(begin)
    }

    fn is_at_rest(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) == 1
            && Arc::strong_count(&self.slots) == 1
            && *self.next.lock().unwrap_or_else(PoisonError::into_inner) <= Instant::now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn requests_to_one_host_begin_apart_and_others_do_not_wait() {
        let pacer =
            Pacer::new(64, 2, Duration::from_secs(10), BTreeMap::from([("quick".to_owned(), (8, Duration::ZERO))]));
        let start = Instant::now();
        let mut times = Vec::new();
        for host in ["one", "one", "two", "quick", "quick", "one"] {
            drop(pacer.turn(host, Duration::ZERO).await);
            times.push(start.elapsed().as_secs());
        }
        assert_eq!(times, [0, 10, 10, 10, 10, 20]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_site_that_asks_for_a_longer_delay_gets_it() {
        let pacer = Pacer::new(64, 2, Duration::from_secs(1), BTreeMap::new());
        let start = Instant::now();
        let mut times = Vec::new();
        for least in [30, 0, 0, 0] {
            drop(pacer.turn("one", Duration::from_secs(least)).await);
            times.push(start.elapsed().as_secs());
        }
        assert_eq!(times, [0, 30, 31, 32]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_has_so_many_slots_and_no_more() {
        let pacer = Pacer::new(64, 2, Duration::ZERO, BTreeMap::new());
        let turn = || pacer.turn("one", Duration::ZERO);
        let held = [turn().await, turn().await];
        assert!(time::timeout(Duration::from_secs(5), turn()).await.is_err());
        drop(held);
        assert!(time::timeout(Duration::from_secs(5), turn()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_a_host_takes_no_slot_from_others() {
        let pacer = Arc::new(Pacer::new(1, 1, Duration::from_secs(3600), BTreeMap::new()));
        drop(pacer.turn("slow", Duration::ZERO).await);
        let waiting = tokio::spawn({
            let pacer = Arc::clone(&pacer);
            async move { drop(pacer.turn("slow", Duration::ZERO).await) }
        });
        tokio::task::yield_now().await;
        assert!(time::timeout(Duration::from_secs(1), pacer.turn("other", Duration::ZERO)).await.is_ok());
        waiting.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn hosts_at_rest_are_forgotten() {
        let pacer = Pacer::new(64, 1, Duration::ZERO, BTreeMap::new());
        for number in 0..HOSTS * 3 {
            drop(pacer.turn(&number.to_string(), Duration::ZERO).await);
        }
        assert!(pacer.hosts.lock().unwrap().len() <= HOSTS);
    }
}
