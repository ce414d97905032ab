//! Two texts → are they the same piece of writing, and what says so?
//!
//! How much two texts share cannot decide it: tomorrow's weather shares more with today's than an abridged report with the whole one.
//! What tells them apart is *what differs*. A copy has more or less text: a lead, a footer, paragraphs that were cut or added.
//! A template has other words in the same places: names, numbers, days.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;

use crate::merge::alike::align::{self, Gap, Passage};
use crate::merge::alike::frame::{AsIs, Own};
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
    /// `own` are the places of its own words; all words are its own where none are given, or they do not fit the text.
    pub fn new(text: &'t str, own: &Own, title: Option<&'t str>) -> Self {
        let mut all = words::words(text);
        all.truncate(super::WORDS);
        let count = u32::try_from(all.len()).unwrap_or(u32::MAX);
        let fits = !own.is_empty() && own.iter().all(|(from, to)| from < to && *to <= count);
        let is_own = |at: u32| !fits || own.iter().any(|(from, to)| (*from..*to).contains(&at));
        let words = (0..).zip(all).filter(|(at, _)| is_own(*at)).map(|(_, word)| word);
        Self {
            words: style::plain(words.collect()),
            title: style::plain(title.map(words::words).unwrap_or_default()),
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
    /// Words of the longest place, in the text that has less there, where either text has something of its own.
    pub apart: usize,
    /// The same within what is common, without leads and footers.
    pub apart_within: usize,
    /// Other words, a few, before or behind all that is common.
    pub edges: usize,
    /// Share of the shorter title's words that the other title has; 1 where one has none, since that tells nothing apart.
    pub titles: f32,
    /// The texts are in a script that has capitals, so that names can be told.
    pub has_capitals: bool,
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
/// Words from which on the beginning of a text may be its headline.
const HEADLINE: usize = 4;
/// The same before and behind all that is common.
const EDGE: usize = 8;

/// Lays two texts beside each other.
pub fn measure(one: &Reading<'_>, other: &Reading<'_>) -> Measures {
    let mut measures = Measures {
        lengths: (one.len(), other.len()),
        titles: titles(one, other),
        is_series: is_series(&one.title, &other.title),
        has_capitals: one.words.iter().any(|word| word.text.chars().any(char::is_uppercase)),
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
    let gaps = align::gaps(&one.words, &other.words, &passages);
    let edges = align::edges(&one.words, &other.words, &passages);
    let longest =
        |gaps: &[Gap<'_, '_>]| gaps.iter().map(|gap| gap.one.len().min(gap.other.len())).max().unwrap_or_default();
    measures.apart_within = longest(&gaps);
    measures.apart = measures.apart_within.max(longest(&edges));
    for gap in gaps {
        let Some(substitution) = substitution(&gap) else { continue };
        match substitution.kind {
            Kind::Number => measures.numbers += 1,
            Kind::Name => measures.names += 1,
            Kind::Other => measures.others += 1,
        }
        measures.titled += usize::from(substitution.is_titled(one, other));
        if measures.differences.len() < TOLD {
            let told = |words: &[&Word<'_>]| words.iter().map(|word| word.text).collect::<Vec<_>>().join(" ");
            measures.differences.push((told(&substitution.ours), told(&substitution.theirs)));
        }
    }
    // Leads and footers may differ as they like, unless the titles differ in the same.
    let is_headline = |words: &[Word<'_>], title: &[Word<'_>]| {
        let in_title = words.iter().filter(|word| title.iter().any(|it| it.hash == word.hash)).count();
        words.len() >= HEADLINE && share(in_title, words.len()) >= NEARLY_ALL
    };
    // A text may begin with its own headline.
    let told = edges.iter().filter(|gap| !is_headline(gap.one, &one.title) && !is_headline(gap.other, &other.title));
    measures.titled += told.filter_map(substitution).filter(|it| it.is_titled(one, other)).count();
    let small = edges.iter().filter(|gap| gap.one.len().max(gap.other.len()) <= EDGE);
    measures.edges = small.filter_map(substitution).count();
    measures
}

enum Kind {
    Number,
    Name,
    Other,
}

type Words<'a, 't> = Vec<&'a Word<'t>>;

/// Other words in the same place.
struct Substitution<'a, 't> {
    ours: Words<'a, 't>,
    theirs: Words<'a, 't>,
    kind: Kind,
}

impl Substitution<'_, '_> {
    /// Whether the titles differ in the same words.
    fn is_titled(&self, one: &Reading<'_>, other: &Reading<'_>) -> bool {
        let stands = |word: &Word<'_>, title: &[Word<'_>]| title.iter().any(|it| it.hash == word.hash);
        self.ours.iter().any(|word| stands(word, &one.title) && !stands(word, &other.title))
            && self.theirs.iter().any(|word| stands(word, &other.title) && !stands(word, &one.title))
    }
}

/// `None` when the gap is a cut, an addition, another passage, or a matter of spelling.
fn substitution<'a, 't>(gap: &Gap<'a, 't>) -> Option<Substitution<'a, 't>> {
    if gap.one.is_empty() || gap.other.is_empty() || gap.one.len().max(gap.other.len()) > SMALL {
        return None;
    }
    // First what is there letter by letter, then what is only spelt otherwise.
    let lacks = |words: &'a [Word<'t>], from: &'a [Word<'t>]| -> Words<'a, 't> {
        words.iter().filter(|word| !from.iter().any(|it| it.hash == word.hash)).collect()
    };
    let (ours, theirs) = (lacks(gap.one, gap.other), lacks(gap.other, gap.one));
    let unlike = |words: &Words<'a, 't>, from: &Words<'a, 't>| -> Words<'a, 't> {
        let is_there = |word: &Word<'_>| from.iter().any(|it| style::are_spellings(&it.folded, &word.folded));
        words.iter().copied().filter(|word| !is_there(word)).collect()
    };
    let (ours, theirs) = (unlike(&ours, &theirs), unlike(&theirs, &ours));
    if ours.is_empty() || theirs.is_empty() {
        return None;
    }
    let (our_digits, their_digits) = (style::digits(&ours), style::digits(&theirs));
    let has_name = |words: &Words<'_, '_>| words.iter().any(|word| word.is_name());
    let kind = match () {
        () if !our_digits.is_empty() && !their_digits.is_empty() && our_digits != their_digits => Kind::Number,
        () if has_name(&ours) && has_name(&theirs) => Kind::Name,
        // 1,000 and 1000, 5m and 5 million.
        () if !our_digits.is_empty() && our_digits == their_digits => return None,
        () => Kind::Other,
    };
    Some(Substitution { ours, theirs, kind })
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
    let shingles = |reading: &Reading<'_>| -> HashSet<Shingle, BuildHasherDefault<AsIs>> {
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
    if one.is_empty() || other.is_empty() {
        return 1.0;
    }
    share(one.intersection(&other).count(), one.len().min(other.len()))
}

/// Share of the other words from which on titles with different numbers are titles of a series.
const SERIES: f32 = 0.75;

/// "Episode 12" and "Episode 13", "1.2.3" and "1.2.4": titles of a series. The numbers stand beside the same word, or all the rest is
/// the same.
pub(super) fn is_series(one: &[Word<'_>], other: &[Word<'_>]) -> bool {
    let numbers = |words: &[Word<'_>]| -> Vec<String> {
        words.iter().filter(|word| word.is_number()).map(|word| word.folded.clone()).collect()
    };
    let (ours, theirs) = (numbers(one), numbers(other));
    if ours.is_empty() || theirs.is_empty() || ours == theirs {
        return false;
    }
    let plain = |words: &[Word<'_>]| {
        words.iter().filter(|word| !word.is_number()).map(|word| word.hash).collect::<HashSet<_>>()
    };
    let (our_plain, their_plain) = (plain(one), plain(other));
    let common = our_plain.intersection(&their_plain).count();
    if share(common, our_plain.len().max(their_plain.len())) >= SERIES {
        return true;
    }
    // The first numbers in a row, and the word before them; none at the beginning.
    let first = |words: &[Word<'_>]| {
        let at = words.iter().position(Word::is_number)?;
        let row: Vec<_> = words[at..].iter().take_while(|word| word.is_number()).map(|word| word.hash).collect();
        Some((words.get(at.wrapping_sub(1)).map(|before| before.hash), row))
    };
    let are_alone = our_plain.is_empty() && their_plain.is_empty();
    first(one)
        .zip(first(other))
        .is_some_and(|(ours, theirs)| (are_alone || ours.0.is_some()) && ours.0 == theirs.0 && ours.1 != theirs.1)
}

#[expect(clippy::cast_precision_loss, reason = "counts of words are far below 2^24")]
fn share(part: usize, whole: usize) -> f32 {
    part as f32 / whole.max(1) as f32
}

/// What comparing two texts came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// They are the same piece of writing; likeness from 0 to 1.
    Same(f32),
    /// They are not, and why.
    Other(&'static str),
}

/// Texts of fewer words must be alike in nearly all of them.
const SHORT: usize = 40;
/// Least share of the shorter text's words that it must have in common where other words stand in the same places, or it is short.
const NEARLY_ALL: f32 = 0.9;
/// One text is about as long as the other up to this ratio: then both must have much in common, and not only the shorter one.
const LIKE_LENGTH: f32 = 1.5;
/// Up to this ratio nothing was cut or added: what differs is all there is, as in a template.
const SAME_LENGTH: f32 = 1.05;
/// Up to this ratio little was cut or added, and under titles that are alike other words in the same places are what the entry says.
const NEAR_LENGTH: f32 = 1.2;
/// Common words for each other number that an edited version may have, and for each other number or word that a text may have which is
/// the same in all else.
const WORDS_A_NUMBER: (usize, usize) = (60, 100);
/// Common words for each other word that a house style may choose, and where nothing else tells against a copy.
const WORDS_A_CHOICE: (usize, usize) = (25, 10);
/// Common words from which on a text under another headline may be written in another style throughout.
const RESTYLED: usize = 80;
/// Of the threshold so much is enough then, since each other word costs three runs.
const RESTYLED_THRESHOLD: f32 = 0.75;
/// Words of the longest place where either text may have its own then.
const PHRASE: usize = 6;
/// Share of the shorter title's words from which on titles look as if one were filled in where the other was.
const ALIKE_TITLES: f32 = 0.5;
/// Share of the common words that stand in one stretch, from which on it may be a lead, a footer or a quotation that two texts share.
const ONE_STRETCH: f32 = 0.8;
/// Words from which on each text has a passage of its own in the same place.
const OWN_PASSAGE: usize = 8;

/// Decides on what was measured. The thresholds say how much must be common; what differs can forbid it.
pub fn judge(measures: &Measures, thresholds: Thresholds) -> Verdict {
    match objection(measures, thresholds) {
        None => Verdict::Same(measures.containment.max(measures.jaccard)),
        Some(reason) => Verdict::Other(reason),
    }
}

fn objection(measures: &Measures, thresholds: Thresholds) -> Option<&'static str> {
    let Measures { lengths: (one, other), shared, jaccard, containment, numbers, names, others, .. } = *measures;
    let (shorter, longer) = (one.min(other), one.max(other));
    let ratio = share(longer, shorter);
    let has_alike_titles = measures.titles >= ALIKE_TITLES;
    let is_filled_in = has_alike_titles && measures.titles < 1.0;
    let allowed_numbers = if ratio <= SAME_LENGTH { shared / WORDS_A_NUMBER.1 } else { 1 + shared / WORDS_A_NUMBER.0 };
    // Beijing and Peking, a spokeswoman and Dr Berg; but the headlines must be two as well.
    let allowed_names = if has_alike_titles { 0 } else { shared / WORDS_A_NUMBER.1 };
    let is_restyled = !has_alike_titles && shared >= RESTYLED && numbers <= 1 && measures.apart_within <= PHRASE;
    let threshold = if is_restyled { thresholds.threshold * RESTYLED_THRESHOLD } else { thresholds.threshold };
    let (others, allowed_others) = match () {
        () if has_alike_titles && ratio <= NEAR_LENGTH => (others + measures.edges, shared / WORDS_A_NUMBER.1),
        () if is_restyled => (others, 2 + shared / WORDS_A_CHOICE.1),
        () if measures.has_capitals => (others, 2 + shared / WORDS_A_CHOICE.0),
        // Names and figures may be among them.
        () => (others, 1 + shared / WORDS_A_NUMBER.0),
    };
    let has_substitutions = numbers + names + others > 0;
    let is_short_and_filled_in = shared < WORDS_A_NUMBER.1 && ratio <= SAME_LENGTH && others > 0;
    let is_one_stretch = share(measures.longest, shared) >= ONE_STRETCH && measures.apart >= OWN_PASSAGE;
    let objections = [
        (shorter < LEAST_WORDS, "the texts are too short to tell"),
        (containment < thresholds.containment, "too little of the shorter text stands in the other"),
        (ratio < LIKE_LENGTH && jaccard < threshold, "the texts have too little in common"),
        (
            shorter < SHORT && ratio < LIKE_LENGTH && containment < NEARLY_ALL,
            "the texts are short and not nearly the same",
        ),
        (
            ratio < LIKE_LENGTH && containment < NEARLY_ALL && is_one_stretch,
            "they share one passage, and each has its own besides",
        ),
        (measures.is_series, "the titles name different numbers of one series"),
        (names > allowed_names, "other names stand in the same places"),
        (numbers > allowed_numbers, "other numbers stand in the same places"),
        (numbers > 0 && is_filled_in, "titles and texts look like one template with other numbers"),
        (measures.titled > 0, "what differs in the texts differs in the titles as well"),
        (has_substitutions && containment < NEARLY_ALL && !is_restyled, "other words stand in the same places"),
        (is_short_and_filled_in, "of so short a text each word that is another one counts"),
        (others > allowed_others, "too many other words stand in the same places"),
    ];
    objections.into_iter().find_map(|(holds, reason)| holds.then_some(reason))
}

/// Whether two titles name different parts of one series, so that even the same text does not make one of them.
pub fn are_of_a_series(one: &str, other: &str) -> bool {
    let words = |title| style::plain(words::words(title));
    is_series(&words(one), &words(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "The harbour bridge was closed on Thursday after engineers found cracks in two of its eleven cables. \
        Traffic is being sent over the old bridge, where queues reached four kilometres in the morning. The council said that \
        the repair would take at least three weeks and cost 2.5 million crowns. Buses to the islands start from the market \
        square until then, and cyclists may use the ferry free of charge.";

    fn verdict(one: (&str, &str), other: (&str, &str)) -> Verdict {
        let all = Own::new();
        let [one, other] = [one, other].map(|(title, text)| (title.to_owned(), text.to_owned()));
        let thresholds = Thresholds { threshold: 0.45, containment: 0.7 };
        let reading = |(title, text): &'_ (String, String)| -> Measures {
            measure(&Reading::new(&one.1, &all, Some(&one.0)), &Reading::new(text, &all, Some(title)))
        };
        judge(&reading(&other), thresholds)
    }

    fn is_same(one: (&str, &str), other: (&str, &str)) -> bool {
        let found = [verdict(one, other), verdict(other, one)].map(|verdict| matches!(verdict, Verdict::Same(_)));
        assert_eq!(found[0], found[1], "it does not matter which is which: {one:?} {other:?}");
        found[0]
    }

    #[test]
    fn copies_differ_in_lead_footer_order_style_and_length() {
        let sentences: Vec<&str> = REPORT.split_inclusive(". ").collect();
        let turned = [sentences[1], sentences[0], sentences[3], " ", sentences[2]].concat();
        let styled = REPORT.replace("eleven", "11").replace("four kilometres", "4 km").replace("2.5", "2,5");
        let led = format!("Commuters face long delays. {REPORT} More on our website.");
        let half = [sentences[0], sentences[2]].concat();
        for copy in [&turned, &styled, &led, &half] {
            let titles = ["Bridge closed", "Cracks found in cables of bridge"];
            assert!(
                is_same((titles[0], REPORT), (titles[1], copy)),
                "{copy} {:?}",
                verdict((titles[0], REPORT), (titles[1], copy))
            );
        }
    }

    #[test]
    fn what_fills_a_template_is_another_story() {
        let tomorrow = REPORT
            .replace("Thursday", "Friday")
            .replace("eleven", "nine")
            .replace("four", "seven")
            .replace("2.5", "3.1");
        assert!(!is_same(("Bridge report, Thursday", REPORT), ("Bridge report, Friday", &tomorrow)));
        let elsewhere =
            REPORT.replace("harbour", "Castle").replace("old bridge", "Mill Bridge").replace("islands", "Airport");
        assert!(!is_same(("Harbour bridge closed", REPORT), ("Castle bridge closed", &elsewhere)));
    }

    #[test]
    fn titles_of_a_series_part_even_the_same_text() {
        for (one, other, expected) in [
            ("Episode 12: The harbour", "Episode 13: Salt", true),
            ("v1.2.3", "v1.2.4", true),
            ("Quiz 7", "Quiz seven", false),
            ("Daily links, 12 November", "Daily links, 13 November", true),
            ("Quake in the night: 37 hurt", "Magnitude 6.1 quake, dozens hurt", false),
            ("Bridge closed", "Bridge closed for 3 weeks", false),
        ] {
            assert_eq!(are_of_a_series(one, other), expected, "{one} | {other}");
            assert_eq!(is_same((one, REPORT), (other, REPORT)), !expected, "{one} | {other}");
        }
    }

    #[test]
    fn a_few_words_prove_nothing() {
        assert!(!is_same(("Water", "No water in the old town tonight"), ("Water", "No water in the old town tonight")));
    }
}
