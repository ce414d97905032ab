//! The entries of a window of time, found by what they share: an inverted index over a sample of their word runs.
//!
//! A run is sampled by its own value, so that two texts sample the same of their common runs, however long either is: that is what
//! finds a summary beside the full text, where hashing whole texts into buckets (`MinHash`, `SimHash`) finds nothing. It proposes;
//! whoever asks compares the texts themselves.

use std::collections::{HashMap, VecDeque};

use chrono::TimeDelta;
use hashbrown::HashTable;

use crate::merge::alike::frame::Own;
use crate::merge::alike::words::Shingle;
use crate::model::Timestamp;
use crate::model::entry::Seq;
use crate::model::source::Scope;

/// One of so many runs is sampled: a summary of thirty words keeps three or four. More would find two in a hundred summaries more, for
/// a third more of memory.
const SAMPLED: u32 = 8;
/// Of so many runs at the beginning one in [`SAMPLED_EARLY`] is sampled: summaries are beginnings, and short.
const EARLY: usize = 40;
const SAMPLED_EARLY: u32 = 2;
/// Most runs that are kept of one text, the smallest ones of the sample: of a text of 500 words all of it.
const PRINTS: usize = 80;
/// A run that stands in more texts says nothing and is passed over.
const COMMON: usize = 40;
/// Most entries that are proposed, and so compared.
const PROPOSALS: usize = 4;
/// Least share of the smaller sample that two texts must have in common to be worth comparing.
const WORTH: f32 = 0.2;
/// Most texts at once, about 100 MB. Of a burst that brings more the oldest leave early.
const MOST: usize = 100_000;
/// Dead postings are swept out when they are more than this share of all.
const DEAD: usize = 4;

/// What is remembered of a text to find it and to read it again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sketch {
    /// Sampled runs of the own words, in order of their value.
    pub prints: Vec<Shingle>,
    pub own: Own,
}

impl Sketch {
    /// Samples the runs of a text's own words.
    pub fn of(shingles: impl Iterator<Item = Shingle>, own: Own) -> Self {
        let (mut prints, mut later) = (Vec::new(), Vec::new());
        for (at, shingle) in shingles.enumerate() {
            if at < EARLY && shingle % SAMPLED_EARLY == 0 {
                prints.push(shingle);
            } else if shingle % SAMPLED == 0 {
                later.push(shingle);
            }
        }
        // Of what is too much the larger ones go in every text, so that two texts keep the same.
        later.sort_unstable();
        later.dedup();
        later.truncate(PRINTS - prints.len());
        prints.extend(later);
        prints.sort_unstable();
        prints.dedup();
        Self { prints, own }
    }
}

/// A sighting in the window.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    pub entry: Seq,
    pub sighting: Seq,
    pub source: Scope,
    /// When it was published, as far as that is known.
    pub published: Timestamp,
    /// When it came; it stays for the window from then on.
    pub first_seen: Timestamp,
    pub own: Own,
}

/// A sighting that shares something.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    pub entry: Seq,
    pub sighting: Seq,
    pub own: Own,
    /// Runs of the sample that both have.
    pub shared: usize,
}

/// What came within the window.
#[derive(Debug)]
pub struct Index {
    window: TimeDelta,
    /// How many have been taken in, ever.
    taken: u64,
    postings: HashTable<(Shingle, u32)>,
    dead: usize,
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    of_sighting: HashMap<Seq, u32>,
    /// In the order of coming; what left early is passed over.
    arrivals: VecDeque<(Timestamp, Seq)>,
}

#[derive(Debug)]
struct Slot {
    member: Member,
    prints: u32,
    /// In the order of coming.
    number: u64,
}

impl Index {
    pub fn new(window: TimeDelta) -> Self {
        Self {
            window,
            taken: 0,
            postings: HashTable::new(),
            dead: 0,
            slots: Vec::new(),
            free: Vec::new(),
            of_sighting: HashMap::new(),
            arrivals: VecDeque::new(),
        }
    }

    /// An empty one that goes on counting where another one is.
    pub fn following(window: TimeDelta, other: &Self) -> Self {
        Self { taken: other.taken, ..Self::new(window) }
    }

    /// How many have been taken in, ever.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    pub fn window(&self) -> TimeDelta {
        self.window
    }

    /// How many sightings it holds.
    pub fn len(&self) -> usize {
        self.of_sighting.len()
    }

    pub fn is_empty(&self) -> bool {
        self.of_sighting.is_empty()
    }

    /// About how many bytes of memory it takes.
    pub fn bytes(&self) -> usize {
        self.postings.allocation_size() + self.slots.len() * (size_of::<Slot>() + 64)
    }

    /// Takes a sighting in, in the place of what was known of it, and lets go of what is too old by then.
    pub fn take(&mut self, member: Member, prints: &[Shingle]) {
        self.forget(member.sighting);
        self.expire(member.first_seen);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        for print in prints {
            self.postings.insert_unique(spread(*print), (*print, slot), |(print, _)| spread(*print));
        }
        self.of_sighting.insert(member.sighting, slot);
        self.arrivals.push_back((member.first_seen, member.sighting));
        self.taken += 1;
        let prints = u32::try_from(prints.len()).unwrap_or(u32::MAX);
        self.slots[slot as usize] = Some(Slot { member, prints, number: self.taken });
    }

    /// A sighting belongs to another entry now.
    pub fn moved(&mut self, sighting: Seq, entry: Seq) {
        if let Some(slot) = self.of_sighting.get(&sighting)
            && let Some(slot) = self.slots[*slot as usize].as_mut()
        {
            slot.member.entry = entry;
        }
    }

    /// Lets a sighting go.
    pub fn forget(&mut self, sighting: Seq) {
        let Some(slot) = self.of_sighting.remove(&sighting) else { return };
        if let Some(gone) = self.slots[slot as usize].take() {
            self.dead += gone.prints as usize;
        }
        if self.dead * DEAD > self.postings.len() {
            self.sweep();
        }
    }

    /// What came before the window that ends now, or is too much, goes.
    pub fn expire(&mut self, now: Timestamp) {
        while let Some((came, sighting)) = self.arrivals.front().copied() {
            let is_known = self.member(sighting).is_some_and(|member| member.first_seen == came);
            if is_known && came + self.window >= now && self.of_sighting.len() < MOST {
                return;
            }
            self.arrivals.pop_front();
            if is_known {
                self.forget(sighting);
            }
        }
    }

    fn member(&self, sighting: Seq) -> Option<&Member> {
        let slot = *self.of_sighting.get(&sighting)?;
        self.slots[slot as usize].as_ref().map(|slot| &slot.member)
    }

    fn sweep(&mut self) {
        let slots = &self.slots;
        self.postings.retain(|(_, slot)| slots[*slot as usize].is_some());
        self.dead = 0;
        self.free = (0..).zip(slots).filter(|(_, slot)| slot.is_none()).map(|(number, _)| number).collect();
    }

    /// The sightings of other sources that share most with a text published at a time, the likeliest first; only of those that were taken
    /// in after the first so many.
    pub fn propose(&self, sketch: &Sketch, source: &Scope, published: Timestamp, after: u64) -> Vec<Proposal> {
        if after >= self.taken {
            return Vec::new();
        }
        let mut having: Vec<u32> = Vec::new();
        for print in &sketch.prints {
            let before = having.len();
            let found = self.postings.iter_hash(spread(*print)).filter(|(other, _)| other == print);
            having.extend(found.map(|(_, slot)| *slot).take(COMMON + 1));
            if having.len() - before > COMMON {
                having.truncate(before);
            }
        }
        having.sort_unstable();
        let sharing = having.chunk_by(|one, other| one == other).map(|same| (same[0], same.len()));
        let mut proposals: Vec<Proposal> = sharing
            .filter_map(|(slot, shared)| {
                let slot = self.slots[slot as usize].as_ref().filter(|slot| slot.number > after)?;
                self.proposal(slot, shared, sketch, source, published)
            })
            .collect();
        proposals.sort_by_key(|proposal| (std::cmp::Reverse(proposal.shared), proposal.sighting));
        proposals.truncate(PROPOSALS);
        proposals
    }

    fn proposal(
        &self,
        Slot { member, prints, .. }: &Slot,
        shared: usize,
        sketch: &Sketch,
        source: &Scope,
        published: Timestamp,
    ) -> Option<Proposal> {
        let smaller = sketch.prints.len().min(*prints as usize);
        let apart = (member.published - published).abs();
        let is_worth_it = share(shared, smaller) >= WORTH && apart <= self.window && member.source != *source;
        let Member { entry, sighting, own, .. } = member;
        is_worth_it.then(|| Proposal { entry: *entry, sighting: *sighting, own: own.clone(), shared })
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of prints are far below 2^24")]
fn share(part: usize, whole: usize) -> f32 {
    part as f32 / whole.max(1) as f32
}

/// The table takes its place from the low bits and its tag from the high ones.
fn spread(print: Shingle) -> u64 {
    (u64::from(print) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_timestamp(1_790_000_000, 0).unwrap() + TimeDelta::hours(hours)
    }

    fn member(sighting: u64, source: &str, hours: i64) -> Member {
        let (published, first_seen) = (at(hours), at(hours));
        Member {
            entry: Seq(sighting),
            sighting: Seq(sighting),
            source: Scope(source.into()),
            published,
            first_seen,
            own: Own::new(),
        }
    }

    fn sketch(runs: std::ops::Range<u32>) -> Sketch {
        Sketch::of(runs.map(|run| run * SAMPLED), Own::new())
    }

    fn proposed(index: &Index, runs: std::ops::Range<u32>, source: &str, hours: i64) -> Vec<u64> {
        index.propose(&sketch(runs), &Scope(source.into()), at(hours), 0).iter().map(|it| it.sighting.0).collect()
    }

    fn filled(all: &[(u64, &str, i64, std::ops::Range<u32>)]) -> Index {
        let mut index = Index::new(TimeDelta::hours(72));
        for (sighting, source, hours, runs) in all {
            index.take(member(*sighting, source, *hours), &sketch(runs.clone()).prints);
        }
        index
    }

    #[test]
    fn what_shares_most_is_proposed_first_and_only_of_other_sources() {
        let index = filled(&[(1, "a", 0, 0..40), (2, "b", 0, 20..60), (3, "c", 0, 100..140)]);
        assert_eq!(proposed(&index, 0..40, "z", 1), [1, 2]);
        assert_eq!(proposed(&index, 0..40, "a", 1), [2]);
        assert_eq!(proposed(&index, 200..240, "z", 1), [] as [u64; 0]);
    }

    #[test]
    fn a_summary_finds_the_long_text() {
        let index = filled(&[(1, "a", 0, 0..80)]);
        assert_eq!(proposed(&index, 3..7, "z", 0), [1]);
    }

    #[test]
    fn the_window_is_a_bound_both_ways_and_what_left_it_is_gone() {
        let mut index = filled(&[(1, "a", 0, 0..40), (2, "b", 50, 0..40)]);
        assert_eq!(proposed(&index, 0..40, "z", 72), [1, 2]);
        assert_eq!(proposed(&index, 0..40, "z", 73), [2]);
        assert_eq!(proposed(&index, 0..40, "z", -30), [1]);
        index.expire(at(73));
        assert_eq!((index.len(), proposed(&index, 0..40, "z", 60)), (1, vec![2]));
    }

    #[test]
    fn what_stands_everywhere_proposes_nothing() {
        let all: Vec<_> = (0..60).map(|number| (number, "a", 0, 0..10)).collect();
        assert_eq!(proposed(&filled(&all), 0..10, "z", 0), [] as [u64; 0]);
    }

    #[test]
    fn a_sighting_that_changed_is_found_by_its_new_text_alone() {
        let mut index = filled(&[(1, "a", 0, 0..40)]);
        index.take(member(1, "a", 0), &sketch(100..140).prints);
        assert_eq!((index.len(), proposed(&index, 0..40, "z", 0)), (1, vec![]));
        assert_eq!(proposed(&index, 100..140, "z", 0), [1]);
        index.moved(Seq(1), Seq(9));
        assert_eq!(index.propose(&sketch(100..140), &Scope("z".into()), at(0), 0)[0].entry, Seq(9));
        index.forget(Seq(1));
        assert_eq!((index.is_empty(), proposed(&index, 100..140, "z", 0)), (true, vec![]));
    }

    #[test]
    fn memory_does_not_grow_with_what_has_left() {
        let mut index = Index::new(TimeDelta::hours(72));
        let mut most = 0;
        for number in 0..4_000_u32 {
            let runs = number * 50..number * 50 + 40;
            index.take(member(number.into(), "a", i64::from(number)), &sketch(runs).prints);
            most = most.max(index.len());
        }
        assert!(most <= 74, "{most}");
        assert!(index.slots.len() < 200 && index.postings.len() < 73 * 40 * 2, "{}", index.slots.len());
    }
}
