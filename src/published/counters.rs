//! Counts since the start, for metrics. Adding never waits.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::published::hub::{HubCounters, HubCounts};

/// The outcomes of a poll, in the order of the counters.
pub const OUTCOMES: [&str; 5] = ["fresh", "not_modified", "failed", "throttled", "gone"];

/// See the module.
#[derive(Debug, Default)]
pub struct Counters {
    polls: [AtomicU64; OUTCOMES.len()],
    new: AtomicU64,
    joined: AtomicU64,
    updated: AtomicU64,
    /// Answers by the first digit of their status, from 1 to 5.
    answers: [AtomicU64; 5],
    pub hub: HubCounters,
}

/// The counts at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    pub polls: [u64; OUTCOMES.len()],
    pub new: u64,
    pub joined: u64,
    pub updated: u64,
    pub answers: [u64; 5],
    pub hub: HubCounts,
}

impl Counters {
    /// Counts a poll under one of [`OUTCOMES`]; other words count nothing.
    pub fn polled(&self, outcome: &str) {
        if let Some(index) = OUTCOMES.iter().position(|known| *known == outcome) {
            add(&self.polls[index], 1);
        }
    }

    pub fn absorbed(&self, new: usize, joined: usize, updated: usize) {
        add(&self.new, new);
        add(&self.joined, joined);
        add(&self.updated, updated);
    }

    pub fn answered(&self, status: u16) {
        if let Some(counter) = self.answers.get(usize::from(status / 100).wrapping_sub(1)) {
            add(counter, 1);
        }
    }

    pub fn read(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            polls: self.polls.each_ref().map(read),
            new: read(&self.new),
            joined: read(&self.joined),
            updated: read(&self.updated),
            answers: self.answers.each_ref().map(read),
            hub: self.hub.read(),
        }
    }
}

fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(count as u64, Ordering::Relaxed);
}
