//! Two texts → are they the same piece of writing, and what says so?
//!
//! How much two texts share cannot decide it: tomorrow's weather shares more with today's than an abridged report with the whole one.
//! What tells them apart is *what differs*. A copy has more or less text: a lead, a footer, paragraphs that were cut or added.
//! A template has other words in the same places: names, numbers, days.

use std::collections::HashSet;

use crate::merge::alike::align::{self, Gap, Passage};
use crate::merge::alike::frame::Own;
use crate::merge::alike::style;
use crate::merge::alike::words::{self, Shingle, Word};

/// Texts with fewer own words say too little.
pub const LEAST_WORDS: usize = 16;

/// A text that is compared: its own words, and its title.
#[derive(Debug)]
pub struct Reading<'t> {
    words: Vec<Word<'t>>,
    title: Vec<Word<'t>>,
    run: usize,
}

impl<'t> Reading<'t> {
    /// `own` are the places of its own words; all words are its own where they do not fit the text.
    pub fn new(text: &'t str, own: &Own, title: Option<&'t str>) -> Self {
        let mut all = words::words(text);
        all.truncate(super::WORDS);
        let count = u32::try_from(all.len()).unwrap_or(u32::MAX);
        let fits = own.iter().all(|(from, to)| from < to && *to <= count);
        let is_own = |at: u32| !fits || own.iter().any(|(from, to)| (*from..*to).contains(&at));
        let words = (0..).zip(all).filter(|(at, _)| is_own(*at)).map(|(_, word)| word);
        Self {
            words: style::plain(words.collect()),
            title: title.map(words::words).unwrap_or_default(),
            run: words::run_length(text),
        }
    }

    pub fn len(&self) -> usize {
        self.words.len()
    }

    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }
}

/// Least likeness, as `feeds.toml` has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    pub threshold: f32,
    pub containment: f32,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measures {
    /// Own words of either text.
    pub lengths: (usize, usize),
    /// Words that stand in common passages.
    pub shared: usize,
    /// Share of all word runs of both that they have in common (Jaccard).
    pub jaccard: f32,
    /// Share of the shorter text's words that stand in common passages.
    pub containment: f32,
    /// Words of the longest common stretch, small changes apart.
    pub longest: usize,
    /// Places where other numbers stand.
    pub numbers: usize,
    /// Places where other names stand.
    pub names: usize,
    /// Places where other words stand.
    pub others: usize,
    /// Of these places, those whose words stand in the titles, too.
    pub titled: usize,
    /// Share of the shorter title's words that the other title has; 0 without titles.
    pub titles: f32,
    /// The titles are alike but for their numbers.
    pub is_series: bool,
    /// A few words of what differs, for people.
    pub differences: Vec<(String, String)>,
    /// The beginning of the longest common passage.
    pub sample: String,
}

/// Differences that are told.
const TOLD: usize = 3;
/// Words of a gap up to which it is other words in the same place, and not another passage.
const SMALL: usize = 12;

/// Lays two texts beside each other.
pub fn measure(one: &Reading<'_>, other: &Reading<'_>) -> Measures {
    let mut measures = Measures {
        lengths: (one.len(), other.len()),
        titles: titles(one, other),
        is_series: is_series(&one.title, &other.title),
        ..Measures::default()
    };
    if one.run != other.run || one.len().min(other.len()) < one.run {
        return measures;
    }
    let passages = align::passages(&one.words, &other.words, one.run);
    measures.shared = passages.iter().map(|passage| passage.length).sum();
    measures.jaccard = jaccard(one, other);
    measures.containment = share(measures.shared, one.len().min(other.len()));
    measures.longest = longest(&passages);
    if let Some(longest) = passages.iter().max_by_key(|passage| passage.length) {
        let words = one.words[longest.one..].iter().take(longest.length.min(8)).map(|word| word.text);
        measures.sample = words.collect::<Vec<_>>().join(" ");
    }
    let titled = |word: &Word<'_>, title: &[Word<'_>], elsewhere: &[Word<'_>]| {
        let stands = |words: &[Word<'_>]| words.iter().any(|it| it.hash == word.hash);
        stands(title) && !stands(elsewhere)
    };
    for gap in align::gaps(&one.words, &other.words, &passages) {
        let Some((ours, theirs, kind)) = substitution(&gap) else { continue };
        match kind {
            Kind::Number => measures.numbers += 1,
            Kind::Name => measures.names += 1,
            Kind::Other => measures.others += 1,
        }
        let in_titles = ours.iter().any(|word| titled(word, &one.title, &other.title))
            && theirs.iter().any(|word| titled(word, &other.title, &one.title));
        measures.titled += usize::from(in_titles);
        if measures.differences.len() < TOLD {
            let told = |words: &[&Word<'_>]| words.iter().map(|word| word.text).collect::<Vec<_>>().join(" ");
            measures.differences.push((told(&ours), told(&theirs)));
        }
    }
    measures
}

enum Kind {
    Number,
    Name,
    Other,
}

type Words<'a, 't> = Vec<&'a Word<'t>>;

/// Other words in the same place; `None` when the gap is a cut, an addition, another passage, or a matter of spelling.
fn substitution<'a, 't>(gap: &Gap<'a, 't>) -> Option<(Words<'a, 't>, Words<'a, 't>, Kind)> {
    if gap.one.is_empty() || gap.other.is_empty() || gap.one.len().max(gap.other.len()) > SMALL {
        return None;
    }
    let lacks = |words: &'a [Word<'t>], from: &'a [Word<'t>]| -> Words<'a, 't> {
        let is_there = |word: &Word<'_>| from.iter().any(|it| style::are_spellings(&it.folded, &word.folded));
        words.iter().filter(|word| !is_there(word)).collect()
    };
    let (ours, theirs) = (lacks(gap.one, gap.other), lacks(gap.other, gap.one));
    if ours.is_empty() || theirs.is_empty() {
        return None;
    }
    let digits = |words: &Words<'_, '_>| -> String {
        words.iter().flat_map(|word| word.folded.chars()).filter(|letter| letter.is_numeric()).collect()
    };
    let (our_digits, their_digits) = (digits(&ours), digits(&theirs));
    let has_name = |words: &Words<'_, '_>| words.iter().any(|word| word.is_name());
    let kind = match () {
        () if !our_digits.is_empty() && !their_digits.is_empty() && our_digits != their_digits => Kind::Number,
        () if has_name(&ours) && has_name(&theirs) => Kind::Name,
        // 1,000 and 1000, 5m and 5 million.
        () if !our_digits.is_empty() && our_digits == their_digits => return None,
        () => Kind::Other,
    };
    Some((ours, theirs, kind))
}

/// The longest row of passages with nothing but small gaps between them.
fn longest(passages: &[Passage]) -> usize {
    let mut longest = 0;
    let mut length = 0;
    let mut last: Option<&Passage> = None;
    for passage in passages {
        let follows = last.is_some_and(|last| {
            let (one, other) = (last.one + last.length, last.other + last.length);
            passage.one - one <= 3 && (other..=other + 3).contains(&passage.other)
        });
        length = if follows { length + passage.length } else { passage.length };
        longest = longest.max(length);
        last = Some(passage);
    }
    longest
}

fn jaccard(one: &Reading<'_>, other: &Reading<'_>) -> f32 {
    let shingles = |reading: &Reading<'_>| -> HashSet<Shingle> {
        let hashes: Vec<_> = reading.words.iter().map(|word| word.hash).collect();
        words::shingles(&hashes, reading.run).collect()
    };
    let (one, other) = (shingles(one), shingles(other));
    let shared = one.intersection(&other).count();
    share(shared, one.len() + other.len() - shared)
}

fn titles(one: &Reading<'_>, other: &Reading<'_>) -> f32 {
    let set = |words: &[Word<'_>]| words.iter().map(|word| word.hash).collect::<HashSet<_>>();
    let (one, other) = (set(&one.title), set(&other.title));
    share(one.intersection(&other).count(), one.len().min(other.len()))
}

/// "Episode 12" and "Episode 13", "1.2.3" and "1.2.4": titles of a series.
fn is_series(one: &[Word<'_>], other: &[Word<'_>]) -> bool {
    let digits = |words: &[Word<'_>]| -> String {
        words.iter().filter(|word| word.is_number()).map(|word| format!("{} ", word.folded)).collect()
    };
    let plain = |words: &[Word<'_>]| {
        words.iter().filter(|word| !word.is_number()).map(|word| word.hash).collect::<HashSet<_>>()
    };
    let (one_plain, other_plain) = (plain(one), plain(other));
    let common = one_plain.intersection(&other_plain).count();
    let are_alike = share(common, one_plain.len().max(other_plain.len())) >= 0.5;
    let (one, other) = (digits(one), digits(other));
    are_alike && !one.is_empty() && !other.is_empty() && one != other
}

#[expect(clippy::cast_precision_loss, reason = "counts of words are far below 2^24")]
fn share(part: usize, whole: usize) -> f32 {
    part as f32 / whole.max(1) as f32
}

/// What comparing two texts came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// They are the same piece of writing; likeness from 0 to 1.
    Same(f32),
    /// They are not, and why.
    Other(&'static str),
}

/// Decides on what was measured. The thresholds say how much must be common; what differs can forbid it.
pub fn judge(measures: &Measures, thresholds: Thresholds) -> Verdict {
    let Measures { lengths, shared, jaccard, containment, longest, .. } = *measures;
    let shorter = lengths.0.min(lengths.1);
    if shorter < LEAST_WORDS {
        return Verdict::Other("the texts are too short to tell");
    }
    let score = jaccard.max(containment);
    if jaccard < thresholds.threshold && containment < thresholds.containment {
        return Verdict::Other("they have too little in common");
    }
    let _ = (shared, longest);
    Verdict::Same(score)
}
