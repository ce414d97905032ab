//! Two texts beside each other: the passages that they have in common, and what stands between these.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::BuildHasherDefault;

use crate::merge::alike::frame::AsIs;
use crate::merge::alike::words::{Shingle, Word, WordHash, shingles};

/// Places of a run in the other text that are tried.
const PLACES: usize = 8;

/// Where a run stands, up to so many places; mostly it is one, which needs no list.
struct Places {
    first: usize,
    more: Vec<usize>,
}

impl Places {
    fn iter(&self) -> impl Iterator<Item = usize> {
        std::iter::once(self.first).chain(self.more.iter().copied())
    }
}

/// The same words in both texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Passage {
    pub(super) one: usize,
    pub(super) other: usize,
    pub(super) length: usize,
}

/// What stands between two passages that follow each other in both texts.
#[derive(Debug)]
pub(super) struct Gap<'a, 't> {
    pub(super) one: &'a [Word<'t>],
    pub(super) other: &'a [Word<'t>],
}

/// The common passages, in the order of the first text. No word is in two of them.
pub(super) fn passages(one: &[Word<'_>], other: &[Word<'_>], run: usize) -> Vec<Passage> {
    let [ours, theirs] = [one, other].map(|words| words.iter().map(|word| word.hash).collect::<Vec<WordHash>>());
    let mut places: HashMap<Shingle, Places, BuildHasherDefault<AsIs>> = HashMap::default();
    for (at, shingle) in shingles(&theirs, run).enumerate() {
        match places.entry(shingle) {
            Entry::Vacant(free) => {
                free.insert(Places { first: at, more: Vec::new() });
            }
            Entry::Occupied(mut known) if known.get().more.len() + 1 < PLACES => known.get_mut().more.push(at),
            Entry::Occupied(_) => {}
        }
    }
    let mut taken = vec![false; theirs.len()];
    let mut found: Vec<Passage> = Vec::new();
    let mut at = 0;
    let ours_shingles: Vec<Shingle> = shingles(&ours, run).collect();
    while let Some(shingle) = ours_shingles.get(at) {
        let end = found.last().map_or(0, |last| last.other + last.length);
        let length_at = |place: usize| {
            let same = ours[at..].iter().zip(&theirs[place..]).zip(&taken[place..]);
            same.take_while(|((one, other), taken)| one == other && !**taken).count()
        };
        let candidates = places.get(shingle).into_iter().flat_map(Places::iter).map(|place| (place, length_at(place)));
        // The longest; of equal ones the next in order.
        let best = candidates.max_by_key(|(place, length)| (*length, *place >= end, std::cmp::Reverse(*place)));
        match best {
            Some((other, length)) if length >= run => {
                taken[other..other + length].fill(true);
                found.push(Passage { one: at, other, length });
                at += length;
            }
            _ => at += 1,
        }
    }
    found
}

/// The gaps between neighbouring passages that lie in the same order, and near each other, in both texts.
pub(super) fn gaps<'a, 't>(one: &'a [Word<'t>], other: &'a [Word<'t>], passages: &[Passage]) -> Vec<Gap<'a, 't>> {
    let between = |pair: &[Passage]| {
        let [before, after] = pair else { return None };
        let ours = one.get(before.one + before.length..after.one)?;
        let theirs = other.get(before.other + before.length..after.other)?;
        Some(Gap { one: ours, other: theirs })
    };
    passages.windows(2).filter_map(between).collect()
}

/// What stands before the first passage and behind the last, if these are the same ones in both texts.
pub(super) fn edges<'a, 't>(one: &'a [Word<'t>], other: &'a [Word<'t>], passages: &[Passage]) -> Vec<Gap<'a, 't>> {
    let (Some(first), Some(last)) = (passages.first(), passages.last()) else { return Vec::new() };
    let before = Gap { one: &one[..first.one], other: &other[..first.other] };
    let behind = Gap { one: &one[last.one + last.length..], other: &other[last.other + last.length..] };
    vec![before, behind]
}
