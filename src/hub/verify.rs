//! Which callbacks are asked next whether they want what was asked for in their name. Strangers name callbacks, so how often a host is
//! asked has a limit: we must be no means to flood it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::config::hub::Hub as Limits;
use crate::hub::state::{State, Wish};
use crate::model::Timestamp;
use crate::published::hub::Refused;
use crate::store::subscriptions::SubscriptionName;

/// Most wishes that wait.
const WAITING: usize = 1_000;
/// Callbacks asked at once, and of these on one host.
const AT_ONCE: usize = 16;
const AT_ONCE_PER_HOST: usize = 4;
/// Hosts whose rate is remembered; more are refused until some are at rest.
const HOSTS: usize = 10_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Verifying {
    waiting: VecDeque<Wish>,
    /// By name, with the host.
    under_way: HashMap<SubscriptionName, Arc<str>>,
    rates: HashMap<Arc<str>, Rate>,
}

/// What a host may still be asked: as much as a minute brings, and no more than that at once.
#[derive(Debug, Clone, Copy)]
struct Rate {
    /// In thousandths of a question.
    left: i64,
    at: Timestamp,
}

impl Rate {
    fn now(self, a_minute: i64, now: Timestamp) -> Self {
        let passed = (now - self.at).num_milliseconds().clamp(0, 60_000);
        Self { left: (self.left + passed * a_minute / 60).min(a_minute * 1_000), at: now }
    }
}

impl State {
    /// Takes a wish; a later one of the same name takes the place of one that still waits.
    pub(super) fn ask(&mut self, wish: Wish, now: Timestamp, limits: &Limits) -> Result<(), Refused> {
        self.has_room(&wish, limits)?;
        let verifying = &mut self.verifying;
        let a_minute = i64::from(limits.verifications);
        let full = || Err(Refused::Busy("too many requests wait here; try again in a minute".to_owned()));
        if verifying.rates.len() >= HOSTS {
            verifying.rates.retain(|_, rate| rate.now(a_minute, now).left < a_minute * 1_000);
        }
        let is_known = verifying.rates.contains_key(&wish.host);
        let replaced = verifying.waiting.iter().position(|other| other.name() == wish.name());
        if (verifying.rates.len() >= HOSTS && !is_known) || (verifying.waiting.len() >= WAITING && replaced.is_none()) {
            return full();
        }
        let fresh = Rate { left: a_minute * 1_000, at: now };
        let rate = verifying.rates.entry(Arc::clone(&wish.host)).or_insert(fresh);
        *rate = rate.now(a_minute, now);
        if rate.left < 1_000 {
            return Err(Refused::Busy(format!(
                "hub.callback: {} is asked often enough; try again in a minute",
                wish.host
            )));
        }
        rate.left -= 1_000;
        if let Some(index) = replaced {
            verifying.waiting.remove(index);
        }
        verifying.waiting.push_back(wish);
        Ok(())
    }

    /// The next wish whose callback may be asked now. It is under way until [`State::verified`].
    pub(super) fn next_verification(&mut self) -> Option<Wish> {
        let verifying = &mut self.verifying;
        if verifying.under_way.len() >= AT_ONCE {
            return None;
        }
        let is_free = |wish: &Wish| {
            let of_host = verifying.under_way.values().filter(|host| **host == wish.host).count();
            of_host < AT_ONCE_PER_HOST && !verifying.under_way.contains_key(&wish.name())
        };
        let index = verifying.waiting.iter().position(is_free)?;
        let wish = verifying.waiting.remove(index)?;
        verifying.under_way.insert(wish.name(), Arc::clone(&wish.host));
        Some(wish)
    }

    /// A callback has answered, or failed to. Only a confirmed wish changes anything.
    pub(super) fn verified(&mut self, wish: Wish, is_confirmed: bool, now: Timestamp, limits: &Limits) {
        self.verifying.under_way.remove(&wish.name());
        if !is_confirmed {
            return;
        }
        if let Err(denial) = self.confirmed(wish, now, limits) {
            self.denials.push_back(denial);
        }
    }
}
