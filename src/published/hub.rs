//! How subscribers ask our hub for news (WebSub §5.1), and what it counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a subscriber wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Subscribe,
    Unsubscribe,
}

impl Mode {
    /// As `hub.mode` spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Unsubscribe => "unsubscribe",
        }
    }
}

/// A request as it came. What is unknown in it was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    pub mode: Mode,
    pub callback: String,
    pub topic: String,
    pub secret: Option<String>,
    pub lease_seconds: Option<String>,
}

/// Why a request is refused, in a sentence for whoever made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// There is no hub here.
    Off,
    Bad(String),
    /// Too many requests; later ones may be taken.
    Busy(String),
}

/// The hub, as serving sees it.
pub trait Subscribing: Send + Sync {
    /// Takes a request. Whether the callback wants it too is asked afterwards (§5.3); never waits.
    ///
    /// # Errors
    /// What is wrong with the request, or that there is no room for it.
    fn ask(&self, ask: Ask) -> Result<(), Refused>;
}

/// Counts of the hub. Adding never waits.
#[derive(Debug, Default)]
pub struct HubCounters {
    subscriptions: AtomicU64,
    waiting: AtomicU64,
    delivered: AtomicU64,
    failed: AtomicU64,
    verified: AtomicU64,
    unverified: AtomicU64,
}

/// The counts at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HubCounts {
    /// There are now.
    pub subscriptions: u64,
    /// Of these so many have not been told everything.
    pub waiting: u64,
    /// The rest since the start.
    pub delivered: u64,
    pub failed: u64,
    pub verified: u64,
    pub unverified: u64,
}

impl HubCounters {
    pub fn stands(&self, subscriptions: usize, waiting: usize) {
        self.subscriptions.store(subscriptions as u64, Ordering::Relaxed);
        self.waiting.store(waiting as u64, Ordering::Relaxed);
    }

    pub fn delivered(&self, is_taken: bool) {
        let counter = if is_taken { &self.delivered } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub fn verified(&self, is_confirmed: bool) {
        let counter = if is_confirmed { &self.verified } else { &self.unverified };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub fn read(&self) -> HubCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        HubCounts {
            subscriptions: read(&self.subscriptions),
            waiting: read(&self.waiting),
            delivered: read(&self.delivered),
            failed: read(&self.failed),
            verified: read(&self.verified),
            unverified: read(&self.unverified),
        }
    }
}
