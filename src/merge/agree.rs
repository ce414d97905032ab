//! Do two copies tell the same thing? Sharing an address is not enough: a remark on an article is not the article.

use std::collections::HashSet;

use crate::text;

/// Least share of the shorter title's words that the other must hold.
const TITLE_OVERLAP: f32 = 0.8;
/// Titles with fewer words agree only when they are equal.
const TITLE_WORDS: usize = 4;
/// Least share of the shorter text's three-word runs that the other must hold.
const TEXT_CONTAINMENT: f32 = 0.5;
/// Texts with fewer words say too little.
const TEXT_WORDS: usize = 8;

/// What agreed, and how much (0 to 1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    pub of: &'static str,
    pub score: f32,
}

/// How much of two titles or texts is common, and how much has to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measure {
    pub of: &'static str,
    pub score: f32,
    /// The least score that agrees; `None` where both are too short to agree unless they are equal.
    pub needed: Option<f32>,
}

impl Measure {
    pub(super) fn agreement(self) -> Option<Agreement> {
        let agrees = self.needed.is_some_and(|needed| self.score >= needed);
        agrees.then_some(Agreement { of: self.of, score: self.score })
    }
}

/// Compares titles: equal words, or nearly all words of the shorter one.
pub fn titles(one: Option<&str>, other: Option<&str>) -> Option<Agreement> {
    measured_titles(one, other)?.agreement()
}

/// As [`titles`], also where they do not agree; `None` when one says nothing.
pub fn measured_titles(one: Option<&str>, other: Option<&str>) -> Option<Measure> {
    let (one, other) = (text::words(one?), text::words(other?));
    if one.is_empty() || other.is_empty() {
        return None;
    }
    if one == other {
        return Some(Measure { of: "title", score: 1.0, needed: Some(1.0) });
    }
    let one: HashSet<_> = one.into_iter().collect();
    let other: HashSet<_> = other.into_iter().collect();
    let shorter = one.len().min(other.len());
    let score = share(one.intersection(&other).count(), shorter);
    Some(Measure { of: "title", score, needed: (shorter >= TITLE_WORDS).then_some(TITLE_OVERLAP) })
}

/// Compares visible texts: a summary agrees with the full text that begins with it.
pub fn texts(one: &str, other: &str) -> Option<Agreement> {
    measured_texts(one, other)?.agreement()
}

/// As [`texts`], also where they do not agree; `None` when one says too little.
pub fn measured_texts(one: &str, other: &str) -> Option<Measure> {
    let (one, other) = (text::words(one), text::words(other));
    if one.len().min(other.len()) < TEXT_WORDS {
        return None;
    }
    let score = contained(&one, &other);
    Some(Measure { of: "text", score, needed: Some(TEXT_CONTAINMENT) })
}

/// The share of the shorter text's three-word runs that the longer one holds.
pub fn contained(one: &[String], other: &[String]) -> f32 {
    let one: HashSet<&[String]> = one.windows(3).collect();
    let other: HashSet<&[String]> = other.windows(3).collect();
    share(one.intersection(&other).count(), one.len().min(other.len()))
}

#[expect(clippy::cast_precision_loss, reason = "counts of words are far below 2^24")]
pub fn share(part: usize, whole: usize) -> f32 {
    part as f32 / whole.max(1) as f32
}
