//! Whose delivery is next: each host has a queue of its own and so many places, so that a slow one holds up itself alone; each callback
//! is told one thing at a time.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// One thing to be done for a callback.
#[derive(Debug)]
pub(super) struct Job<T> {
    pub(super) host: Arc<str>,
    pub(super) callback: Arc<str>,
    pub(super) what: T,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    hosts: HashMap<Arc<str>, Lane<T>>,
    /// Hosts that may have something to be begun, each once.
    turns: VecDeque<Arc<str>>,
    busy: HashSet<Arc<str>>,
}

#[derive(Debug)]
struct Lane<T> {
    waiting: VecDeque<Job<T>>,
    running: usize,
    has_turn: bool,
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self { hosts: HashMap::new(), turns: VecDeque::new(), busy: HashSet::new() }
    }
}

impl<T> Lanes<T> {
    pub(super) fn push(&mut self, job: Job<T>) {
        let host = Arc::clone(&job.host);
        let lane = self.hosts.entry(Arc::clone(&host)).or_insert_with(|| Lane {
            waiting: VecDeque::new(),
            running: 0,
            has_turn: false,
        });
        lane.waiting.push_back(job);
        if !std::mem::replace(&mut lane.has_turn, true) {
            self.turns.push_back(host);
        }
    }

    /// The next job whose host has a free place among `per_host`, and whose callback is not busy. It is under way until
    /// [`Lanes::ended`].
    pub(super) fn next(&mut self, per_host: usize) -> Option<Job<T>> {
        while let Some(host) = self.turns.pop_front() {
            let Some(lane) = self.hosts.get_mut(&host) else { continue };
            lane.has_turn = false;
            if lane.running >= per_host {
                continue;
            }
            let free = lane.waiting.iter().position(|job| !self.busy.contains(&job.callback));
            let Some(job) = free.and_then(|index| lane.waiting.remove(index)) else { continue };
            lane.running += 1;
            lane.has_turn = !lane.waiting.is_empty();
            if lane.has_turn {
                self.turns.push_back(host);
            }
            self.busy.insert(Arc::clone(&job.callback));
            return Some(job);
        }
        None
    }

    /// What was begun has ended.
    pub(super) fn ended(&mut self, host: &Arc<str>, callback: &Arc<str>) {
        self.busy.remove(callback);
        let Some(lane) = self.hosts.get_mut(host) else { return };
        lane.running -= 1;
        if lane.waiting.is_empty() {
            if lane.running == 0 {
                self.hosts.remove(host);
            }
        } else if !std::mem::replace(&mut lane.has_turn, true) {
            self.turns.push_back(Arc::clone(host));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(lanes: &mut Lanes<u32>, host: &str, callback: &str, what: u32) {
        lanes.push(Job { host: host.into(), callback: callback.into(), what });
    }

    fn begun(lanes: &mut Lanes<u32>) -> Vec<u32> {
        std::iter::from_fn(|| lanes.next(2)).map(|job| job.what).collect()
    }

    #[test]
    fn a_host_takes_its_places_and_no_more() {
        let mut lanes = Lanes::default();
        for number in 0..4 {
            push(&mut lanes, "slow", &number.to_string(), number);
        }
        push(&mut lanes, "quick", "x", 9);
        assert_eq!(begun(&mut lanes), [0, 9, 1]);
        lanes.ended(&"slow".into(), &"1".into());
        assert_eq!(begun(&mut lanes), [2]);
        lanes.ended(&"quick".into(), &"x".into());
        assert_eq!(begun(&mut lanes), [0; 0]);
        lanes.ended(&"slow".into(), &"0".into());
        assert_eq!(begun(&mut lanes), [3]);
        lanes.ended(&"slow".into(), &"2".into());
        lanes.ended(&"slow".into(), &"3".into());
        assert!(lanes.hosts.is_empty() && lanes.busy.is_empty());
    }

    #[test]
    fn a_callback_is_told_one_thing_at_a_time() {
        let mut lanes = Lanes::default();
        push(&mut lanes, "host", "a", 1);
        push(&mut lanes, "host", "a", 2);
        push(&mut lanes, "host", "b", 3);
        assert_eq!(begun(&mut lanes), [1, 3]);
        lanes.ended(&"host".into(), &"b".into());
        assert_eq!(begun(&mut lanes), [0; 0]);
        lanes.ended(&"host".into(), &"a".into());
        assert_eq!(begun(&mut lanes), [2]);
    }
}
