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

/// Compares titles: equal words, or nearly all words of the shorter one.
pub fn titles(one: Option<&str>, other: Option<&str>) -> Option<Agreement> {
    let (one, other) = (text::words(one?), text::words(other?));
    if one.is_empty() || other.is_empty() {
        return None;
    }
    if one == other {
        return Some(Agreement { of: "title", score: 1.0 });
    }
    let one: HashSet<_> = one.into_iter().collect();
    let other: HashSet<_> = other.into_iter().collect();
    let shorter = one.len().min(other.len());
    let score = share(one.intersection(&other).count(), shorter);
    (shorter >= TITLE_WORDS && score >= TITLE_OVERLAP).then_some(Agreement { of: "title", score })
}

/// Compares visible texts: a summary agrees with the full text that begins with it.
pub fn texts(one: &str, other: &str) -> Option<Agreement> {
    let (one, other) = (text::words(one), text::words(other));
    if one.len().min(other.len()) < TEXT_WORDS {
        return None;
    }
    let score = contained(&one, &other);
    (score >= TEXT_CONTAINMENT).then_some(Agreement { of: "text", score })
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
