//! What a source puts around its entries, or makes them of: leads, footers, templates. Nobody's news, and no evidence.
//!
//! Learnt from one document, which holds several entries of the source: a run of words that stands in three of them or more. So
//! what counts as a frame follows from the document alone, in whatever order sources are polled.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::merge::alike::words::Shingle;

/// A run that stands in so many entries of one document belongs to none of them.
const COMMON: u8 = 3;
/// Ranges of own words that are kept of one text. What is cut into more pieces is a filled-in template.
pub const PIECES: usize = 24;
/// Own words between two parts of the frame that say nothing by themselves.
const SHORTEST: u32 = 3;

/// Own words of a text: places of words, from and to (exclusive), in order.
pub type Own = Vec<(u32, u32)>;

/// The frame of a document, from the runs of each of its entries.
#[derive(Debug, Default)]
pub struct Frame {
    counts: HashMap<Shingle, Count, BuildHasherDefault<AsIs>>,
}

/// In how many entries a run stands, and in which one it was met last.
#[derive(Debug, Clone, Copy)]
struct Count {
    entries: u8,
    last: u16,
}

/// Runs are hashes already.
#[derive(Debug, Default)]
pub struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u32(&mut self, number: u32) {
        // The map looks at the highest bits as well as at the lowest.
        self.0 = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Frame {
    /// Takes the runs of one more entry. `number` tells the entries apart.
    pub fn take(&mut self, number: u16, shingles: impl Iterator<Item = Shingle>) {
        for shingle in shingles {
            let count = self.counts.entry(shingle).or_insert(Count { entries: 1, last: number });
            if count.last != number {
                *count = Count { entries: count.entries.saturating_add(1), last: number };
            }
        }
    }

    /// The words of a text that no run of the frame covers; `None` when it is a template with pieces filled in.
    pub fn own(&self, words: usize, run: usize, shingles: impl Iterator<Item = Shingle>) -> Option<Own> {
        let words = u32::try_from(words).ok()?;
        let run = u32::try_from(run).ok()?;
        let mut own = Own::new();
        let mut from = 0;
        for (at, shingle) in (0..).zip(shingles) {
            if self.counts.get(&shingle).is_some_and(|count| count.entries >= COMMON) {
                if at > from {
                    own.push((from, at));
                }
                from = from.max(at + run);
            }
        }
        if words > from {
            own.push((from, words));
        }
        own.retain(|(from, to)| to - from >= SHORTEST);
        (own.len() <= PIECES).then_some(own)
    }
}

#[cfg(test)]
mod tests {
    use super::Frame;
    use crate::merge::alike::words::{hashes, shingles};

    fn own_of(texts: &[&str]) -> Vec<Vec<(u32, u32)>> {
        let all: Vec<Vec<u32>> = texts.iter().map(|text| hashes(text)).collect();
        let mut frame = Frame::default();
        for (number, words) in (0..).zip(&all) {
            frame.take(number, shingles(words, 3));
        }
        all.iter().map(|words| frame.own(words.len(), 3, shingles(words, 3)).unwrap_or_default()).collect()
    }

    #[test]
    fn what_stands_in_three_entries_belongs_to_none() {
        let lead = "from our own desk";
        let foot = "sign up for the letter";
        let texts: Vec<String> = ["one two three four", "five six seven eight", "nine ten eleven twelve"]
            .map(|text| format!("{lead} {text} {foot}"))
            .into();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        assert_eq!(own_of(&texts), [vec![(4, 8)], vec![(4, 8)], vec![(4, 8)]]);
        assert_eq!(own_of(&texts[..2]), [vec![(0, 13)], vec![(0, 13)]]);
    }

    #[test]
    fn a_run_that_an_entry_repeats_counts_once() {
        assert_eq!(own_of(&["go on and on and on and on"; 2]), [vec![(0, 8)], vec![(0, 8)]]);
    }
}
