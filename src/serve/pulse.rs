//! Where a connection stands, and whether it has stood there for too long.
//!
//! Connection and watch run on one thread. The connection only notes what happens, without reading a clock or setting a timer: at
//! a hundred thousand answers a second both would show. The watch looks at all connections once a tick.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Waker};

/// A thread's time in ticks.
#[derive(Default)]
pub(super) struct Ticks(AtomicU32);

impl Ticks {
    pub(super) fn now(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn tick(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// How many ticks a connection may stand still.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// From the first byte of a request to the end of its head, and from the beginning to the first request.
    pub(super) head: u32,
    /// Between two requests.
    pub(super) idle: u32,
    /// Without taking a byte of an answer.
    pub(super) write: u32,
}

const HEAD: u8 = 0;
const ANSWER: u8 = 1;
const IDLE: u8 = 2;

/// See the module.
pub(super) struct Pulse {
    ticks: Arc<Ticks>,
    /// When the phase began, or the reader last took something.
    since: AtomicU32,
    phase: AtomicU8,
    /// The reader does not take what there is to send.
    is_blocked: AtomicBool,
    is_stopping: AtomicBool,
    /// Several requests may be under way at once (HTTP/2); then bytes that come need not be the beginning of one.
    is_shared: AtomicBool,
    /// Requests under way.
    open: AtomicU32,
    waker: OnceLock<Waker>,
}

impl Pulse {
    pub(super) fn new(ticks: Arc<Ticks>) -> Self {
        let since = AtomicU32::new(ticks.now());
        Self {
            ticks,
            since,
            phase: AtomicU8::new(HEAD),
            is_blocked: AtomicBool::new(false),
            is_stopping: AtomicBool::new(false),
            is_shared: AtomicBool::new(false),
            open: AtomicU32::new(0),
            waker: OnceLock::new(),
        }
    }

    pub(super) fn received(&self) {
        if self.phase.load(Ordering::Relaxed) == IDLE && !self.is_shared.load(Ordering::Relaxed) {
            self.enter(HEAD);
        }
    }

    /// The connection speaks HTTP/2.
    pub(super) fn shares(&self) {
        self.is_shared.store(true, Ordering::Relaxed);
    }

    // Everything of a connection is done on one thread, so no count is ever between the two steps.
    pub(super) fn asked(&self) {
        self.open.store(self.open.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.enter(ANSWER);
    }

    pub(super) fn answered(&self) {
        let open = self.open.load(Ordering::Relaxed).saturating_sub(1);
        self.open.store(open, Ordering::Relaxed);
        if open == 0 {
            self.enter(IDLE);
        }
    }

    pub(super) fn sent(&self) {
        self.is_blocked.store(false, Ordering::Relaxed);
        self.since.store(self.ticks.now(), Ordering::Relaxed);
    }

    pub(super) fn blocked(&self) {
        self.is_blocked.store(true, Ordering::Relaxed);
    }

    fn enter(&self, phase: u8) {
        self.phase.store(phase, Ordering::Relaxed);
        self.since.store(self.ticks.now(), Ordering::Relaxed);
    }

    pub(super) fn is_overdue(&self, patience: &Patience) -> bool {
        let limit = match self.phase.load(Ordering::Relaxed) {
            _ if self.is_blocked.load(Ordering::Relaxed) => patience.write,
            HEAD => patience.head,
            IDLE => patience.idle,
            // Now it is we who take our time; what a door does is bounded.
            _ => return false,
        };
        self.ticks.now().wrapping_sub(self.since.load(Ordering::Relaxed)) > limit
    }

    /// Remembers whom to wake. A connection is one task for all its life, so once is enough.
    pub(super) fn meet(&self, context: &Context<'_>) {
        self.waker.get_or_init(|| context.waker().clone());
    }

    /// Asks the connection to end after the answer that is under way.
    pub(super) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many ticks a connection may stand still after this happened to it.
    fn check(happened: &[fn(&Pulse)], expected: Option<u32>) {
        let patience = Patience { head: 10, idle: 75, write: 30 };
        let ticks = Arc::new(Ticks::default());
        let pulse = Pulse::new(Arc::clone(&ticks));
        for step in happened {
            ticks.tick();
            step(&pulse);
        }
        let overdue = (0..100).find(|_| {
            ticks.tick();
            pulse.is_overdue(&patience)
        });
        assert_eq!(overdue, expected);
    }

    #[test]
    fn every_phase_has_its_patience() {
        check(&[], Some(10));
        check(&[Pulse::asked], None);
        check(&[Pulse::asked, Pulse::answered], Some(75));
        check(&[Pulse::asked, Pulse::answered, Pulse::sent], Some(75));
        check(&[Pulse::asked, Pulse::answered, Pulse::blocked], Some(29));
        check(&[Pulse::asked, Pulse::answered, Pulse::blocked, Pulse::sent], Some(75));
        check(&[Pulse::asked, Pulse::answered, Pulse::received], Some(10));
    }

    #[test]
    fn where_requests_share_a_connection_it_is_idle_when_all_are_answered() {
        check(&[Pulse::shares, Pulse::asked, Pulse::asked, Pulse::answered], None);
        check(&[Pulse::shares, Pulse::asked, Pulse::asked, Pulse::answered, Pulse::answered], Some(75));
        // Windows and pings are no beginning of a request, and do not make the rest longer either.
        check(&[Pulse::shares, Pulse::asked, Pulse::answered, Pulse::received, Pulse::received], Some(73));
    }

    #[test]
    fn more_bytes_of_a_head_do_not_make_it_younger() {
        check(&[Pulse::asked, Pulse::answered, Pulse::received, Pulse::received, Pulse::received], Some(8));
    }
}
