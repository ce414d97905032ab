//! Documents → HTTP answers. What is ready is answered from memory; all else asks the door. HTTP's own words stay in here.
//!
//! ```text
//! Listeners ─a socket each→ thread ─accept→ Connection ─request→ answer ─ready→ represent
//!                             └ once a tick: who stands still?      └ all else → routes
//! ```
//! Threads answer apart from the runtime that polls, each with a socket of its own, so that neither waits for the other.

mod access;
mod answer;
mod browse;
mod conditional;
mod connection;
mod cors;
mod entries;
mod feeds;
mod hub;
mod instance;
mod listen;
mod lists;
mod metrics;
mod negotiate;
mod page;
mod plain;
mod pulse;
mod represent;
mod room;
mod routes;
mod thread;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use crate::published::counters::Counters;
use crate::published::hub::Subscribing;
use crate::published::{Door, Published};
use crate::serve::pulse::Patience;
use crate::serve::thread::Shared;

pub use crate::serve::access::secrets::{NoRandomness, new_password, new_token, password_hash};
pub use crate::serve::listen::{Listeners, listen};

/// Most threads unless the configuration says otherwise. Four cores answer more readers than anybody has.
const THREADS: usize = 4;
/// How often connections are looked at.
const TICK: Duration = Duration::from_secs(1);
/// In ticks.
const PATIENCE: Patience = Patience { head: 10, idle: 75, write: 30 };

/// What answers are made from.
#[derive(Clone)]
pub struct Service {
    pub published: Arc<Published>,
    pub door: Arc<dyn Door>,
    pub counters: Arc<Counters>,
    /// Takes subscriptions (WebSub).
    pub hub: Option<Arc<dyn Subscribing>>,
}

/// All addresses of the service.
pub fn router(service: Service) -> Router {
    routes::router(service)
}

/// One thread a core, up to four.
pub fn usual_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(THREADS)
}

/// Threads that answer until `stop`; then they finish what is under way, for three seconds at the most.
pub struct Serving {
    ends: Vec<oneshot::Receiver<()>>,
}

impl Serving {
    /// Starts a thread for each socket. No more than so many `connections` are open at once, and no more than the system allows; who
    /// comes then gets 503.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(
        listeners: Listeners,
        service: Service,
        connections: usize,
        stop: CancellationToken,
    ) -> io::Result<Self> {
        Self::with_patience(listeners, service, connections, (TICK, PATIENCE), stop)
    }

    fn with_patience(
        listeners: Listeners,
        service: Service,
        connections: usize,
        (tick, patience): (Duration, Patience),
        stop: CancellationToken,
    ) -> io::Result<Self> {
        let router = router(service.clone());
        let places = Arc::new(Semaphore::new(room::room(connections)));
        let shared = Shared { service, router, places, tick, patience, stop };
        let sockets = listeners.sockets.into_iter().enumerate();
        let ends = sockets.map(|(number, socket)| thread::start(number, socket, shared.clone()));
        Ok(Self { ends: ends.collect::<io::Result<_>>()? })
    }

    /// Waits until every thread has ended.
    pub async fn ended(self) {
        for end in self.ends {
            // A thread that ended in a bug has ended, too.
            let _ = end.await;
        }
    }
}
