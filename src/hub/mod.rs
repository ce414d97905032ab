//! A hub for every feed that we publish (WebSub): who subscribed is told what came, at once.
//!
//! ```text
//! POST /hub ─ask→ Wish ─verify→ subscription          journal ─read→ what concerns whom ─round→ document ─lanes→ callbacks
//! ```
//! What is decided is pure (`ask`, `state`, `verify`, `round`, `lanes`); `work` asks, sends and writes. At least once: the number of the
//! journal that is on the disk never passes what a subscriber lacks, unless his record says that he lacks it.

mod ask;
mod lanes;
mod round;
mod send;
mod signature;
mod state;
mod verify;
mod work;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::clock;
use crate::hub::state::State;
use crate::published::counters::Counters;
use crate::published::hub::{Ask, Refused, Subscribing};
use crate::select::catalogue::Catalogue;
use crate::select::door::StoreDoor;
use crate::select::push;
use crate::store::Handle;
use crate::store::engine::StoreError;
use crate::store::entries::Store;

/// The name under which we follow the journal.
const FOLLOWER: &str = "hub";

/// See the module. One for the whole program.
pub struct Hub {
    // Held for a look or a change only, never over a request or a write.
    state: Mutex<State>,
    woken: Notify,
    catalogue: watch::Receiver<Arc<Catalogue>>,
    /// Where we listen, as an address.
    listening: Url,
    counters: Arc<Counters>,
    /// The last number of the journal when we started: what is before it is on the disk.
    end: u64,
}

impl Hub {
    /// Reads who subscribed, and announces that the journal is followed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open(
        store: &Store,
        catalogue: watch::Receiver<Arc<Catalogue>>,
        listening: Url,
        counters: Arc<Counters>,
    ) -> Result<Self, StoreError> {
        let known = Arc::clone(&catalogue.borrow());
        let (end, through) = (store.journal_end()?, store.hub_through()?);
        let state = State::load(store.subscriptions()?, through, end, |topic| push::remembered(&known, topic));
        if known.config.hub.is_enabled {
            store.followed(FOLLOWER, if state.held.is_empty() { end } else { through.min(end) });
        }
        Ok(Self { state: Mutex::new(state), woken: Notify::new(), catalogue, listening, counters, end })
    }

    /// Asks, tells and remembers until `stop`; then ends what is under way, within two seconds.
    ///
    /// # Errors
    /// When requests cannot be made because TLS cannot be set up.
    pub async fn run(
        self: Arc<Self>,
        store: Arc<Store>,
        door: StoreDoor,
        stop: CancellationToken,
    ) -> Result<(), String> {
        work::run(self, Handle::new(store, 1), door, stop).await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscribing for Hub {
    fn ask(&self, ask: Ask) -> Result<(), Refused> {
        let catalogue = Arc::clone(&self.catalogue.borrow());
        if !catalogue.config.hub.is_enabled {
            return Err(Refused::Off);
        }
        let wish = ask::read(ask, &catalogue, &self.listening)?;
        self.state().ask(wish, clock::now(), &catalogue.config.hub)?;
        self.woken.notify_one();
        Ok(())
    }
}
