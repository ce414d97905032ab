//! Pairs → what merging makes of them, counted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use chrono::TimeDelta;
use feedmill::model::Timestamp;
use feedmill::model::entry::{Entry, Ground, Seq};
use feedmill::poll::prepare::Prepared;
use feedmill::store::source::SourceState;

use super::document::{Document, Library, under_test};
use super::set::Pair;
use crate::laws::{self, World};

/// A pair with the two documents that are polled.
pub(super) struct Ready {
    pub(super) pair: Pair,
    pub(super) documents: [Document; 2],
    /// As they are read; once for all orders and settings, since reading takes longer than all else.
    prepared: OnceLock<[Prepared; 2]>,
}

impl Ready {
    /// When the pair is polled: both are out.
    fn start(&self) -> Timestamp {
        self.documents[0].published.max(self.documents[1].published) + TimeDelta::minutes(30)
    }

    fn prepared(&self) -> &[Prepared; 2] {
        self.prepared.get_or_init(|| {
            self.documents.each_ref().map(|document| {
                let body = document.body.as_bytes();
                laws::prepared(&document.source, body, SourceState::default(), &[], self.start())
            })
        })
    }
}

/// The pairs whose texts are at hand, and how many are not.
pub(super) fn ready(library: &Library, pairs: Vec<Pair>) -> Result<(Vec<Ready>, usize), String> {
    let (mut all, mut absent) = (Vec::new(), 0);
    for pair in pairs {
        match library.documents(&pair).map_err(|problem| format!("{}: {problem}", pair.id))? {
            Some(documents) => all.push(Ready { pair, documents, prepared: OnceLock::new() }),
            None => absent += 1,
        }
    }
    Ok((all, absent))
}

/// Why two entries are one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Join {
    pub(super) ground: Ground,
    pub(super) score: f32,
    pub(super) evidence: String,
}

/// What one order of polling made of a pair.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Outcome {
    /// How the two became one entry, if they did.
    pub(super) join: Option<Join>,
    /// Joins of anything else that the two documents hold.
    pub(super) strays: Vec<String>,
}

/// The left document polled first, and the right one first.
pub(super) type Outcomes = [Outcome; 2];

/// Whether merging takes the pair for one piece of writing. Where the orders disagree it is wrong in any case.
pub(super) fn is_found(pair: &Pair, outcomes: &Outcomes) -> bool {
    let found = outcomes.iter().filter(|outcome| outcome.join.is_some()).count();
    if pair.same { found == 2 } else { found > 0 }
}

/// Judges all pairs, on all cores. `settings` are lines of `[merging]`.
pub(super) fn judge(pairs: &[Ready], settings: &str) -> Vec<Outcomes> {
    let next = AtomicUsize::new(0);
    let judged = Mutex::new(BTreeMap::new());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some(ready) = pairs.get(next.load(Ordering::Relaxed)) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(_) = pairs.get(number) else { break };
                    let outcomes = [false, true].map(|is_turned| polled(ready, is_turned, settings));
                    judged.lock().unwrap().insert(number, outcomes);
                }
            });
        }
    });
    judged.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}

/// Polls both documents into an empty store.
fn polled(ready: &Ready, is_turned: bool, settings: &str) -> Outcome {
    let mut sources: Vec<_> = ready.documents.iter().map(|document| &document.source).collect();
    sources.dedup();
    let is_one_source = sources.len() == 1;
    let sources = sources.iter().map(|key| format!("[sources.{key}]\nurl = \"http://{key}.example/feed\"\n"));
    let mut world = World::of(&format!("[merging]\n{settings}\n{}", sources.collect::<String>()));
    let later = ready.start() + TimeDelta::minutes(5);
    let order: [usize; 2] = if is_turned { [1, 0] } else { [0, 1] };
    for (now, number) in [ready.start(), later].into_iter().zip(order) {
        if is_one_source {
            // How the second document is read depends on the first.
            let document = &ready.documents[number];
            world.poll_body(&document.source, document.body.as_bytes(), now);
        } else {
            world.absorb(ready.prepared()[number].clone(), now);
        }
    }
    let entries = world.store.entries_after(Seq(0), usize::MAX).unwrap();
    outcome(&entries)
}

fn outcome(entries: &[Entry]) -> Outcome {
    let place = |side| {
        entries.iter().find(|entry| entry.sightings.iter().any(|it| is_called(it.guid.as_ref(), &under_test(side))))
    };
    let join_of = |entry: &Entry| {
        let joined = entry.sightings.iter().find(|sighting| sighting.ground != Ground::First);
        let update = Join { ground: Ground::First, score: 1.0, evidence: "the same source's own entry".to_owned() };
        joined.map_or(update, |it| Join { ground: it.ground, score: it.score, evidence: it.evidence.clone() })
    };
    let join = match (place(0), place(1)) {
        (Some(left), Some(right)) => (left.seq == right.seq).then(|| join_of(left)),
        // Within one source the later one has taken the earlier one's place.
        (Some(entry), None) | (None, Some(entry)) => Some(join_of(entry)),
        (None, None) => panic!("neither entry is in the store"),
    };
    let is_pair = |entry: &Entry| {
        let tested = [under_test(0), under_test(1)];
        entry.sightings.iter().all(|it| tested.iter().any(|name| is_called(it.guid.as_ref(), name)))
    };
    let strays = entries.iter().filter(|entry| entry.sightings.len() > 1 && !is_pair(entry)).map(|entry| {
        let titles: Vec<&str> = entry.sightings.iter().map(|it| it.title.as_deref().unwrap_or("-")).collect();
        let Join { ground, score, evidence } = join_of(entry);
        format!("{} {score:.2}: {} ({evidence})", ground.name(), titles.join(" | "))
    });
    Outcome { join, strays: strays.collect() }
}

fn is_called(guid: Option<&feedmill::model::document::Guid>, name: &str) -> bool {
    guid.is_some_and(|guid| guid.value == name)
}

/// Pairs of one class, by what they are and what they were taken for.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Tally {
    pub(super) true_positives: u32,
    pub(super) false_positives: u32,
    pub(super) true_negatives: u32,
    pub(super) false_negatives: u32,
}

impl Tally {
    pub(super) fn add(&mut self, is_same: bool, is_found: bool) {
        let count = match (is_same, is_found) {
            (true, true) => &mut self.true_positives,
            (false, true) => &mut self.false_positives,
            (false, false) => &mut self.true_negatives,
            (true, false) => &mut self.false_negatives,
        };
        *count += 1;
    }

    pub(super) fn pairs(&self) -> u32 {
        self.true_positives + self.false_positives + self.true_negatives + self.false_negatives
    }

    /// Of the joined pairs those that are the same.
    pub(super) fn precision(&self) -> Share {
        Share { part: self.true_positives, whole: self.true_positives + self.false_positives }
    }

    /// Of the same pairs those that were joined.
    pub(super) fn recall(&self) -> Share {
        Share { part: self.true_positives, whole: self.true_positives + self.false_negatives }
    }

    /// The harmonic mean of both; `None` where there is nothing to find.
    pub(super) fn f1(&self) -> Option<f64> {
        let whole = 2 * self.true_positives + self.false_positives + self.false_negatives;
        (whole > 0).then(|| f64::from(2 * self.true_positives) / f64::from(whole))
    }
}

/// So many of so many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Share {
    pub(super) part: u32,
    pub(super) whole: u32,
}

impl Share {
    pub(super) fn value(self) -> Option<f64> {
        (self.whole > 0).then(|| f64::from(self.part) / f64::from(self.whole))
    }

    /// The 95 % interval of Wilson: sensible also for few pairs and for shares near 0 and 1.
    pub(super) fn interval(self) -> Option<(f64, f64)> {
        const Z: f64 = 1.959_963_985;
        let (share, whole) = (self.value()?, f64::from(self.whole));
        let scale = 1.0 + Z * Z / whole;
        let center = (share + Z * Z / (2.0 * whole)) / scale;
        let reach = Z * (share * (1.0 - share) / whole + Z * Z / (4.0 * whole * whole)).sqrt() / scale;
        Some(((center - reach).max(0.0), (center + reach).min(1.0)))
    }
}

/// By class, and of all.
pub(super) fn tallies(pairs: &[Ready], outcomes: &[Outcomes]) -> (BTreeMap<String, Tally>, Tally) {
    let (mut classes, mut total) = (BTreeMap::<String, Tally>::new(), Tally::default());
    for (Ready { pair, .. }, outcomes) in pairs.iter().zip(outcomes) {
        let is_found = is_found(pair, outcomes);
        classes.entry(pair.class.clone()).or_default().add(pair.same, is_found);
        total.add(pair.same, is_found);
    }
    (classes, total)
}
