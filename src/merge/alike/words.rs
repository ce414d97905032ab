//! Text → the words that are compared, and the runs of words (shingles) by which texts are found to share something.
//!
//! The same words are counted in two ways: quickly, on the folded text of everything that arrives, and slowly, with their form, on the
//! few texts that are compared. Both see the same words in the same order.

use unicode_normalization::char::{decompose_compatible, is_combining_mark};

use crate::text;

/// Words of a run. Three words in a row are rarely the same by chance, and one changed word costs three runs.
const RUN: usize = 3;
/// The same for scripts that write a word in one or two letters and no blanks.
const UNSPACED_RUN: usize = 6;

/// A word's folded form as a number. Part of what lies on the disk: never to be changed.
pub type WordHash = u32;

/// A run of words as a number.
pub type Shingle = u32;

/// The words of a text that is folded already.
pub fn hashes(folded: &str) -> Vec<WordHash> {
    let mut hashes = Vec::with_capacity(folded.len() / 6);
    each(folded, |word| hashes.push(word_hash(word)));
    hashes
}

/// The runs of some words, one for each place where one begins.
pub fn shingles(words: &[WordHash], run: usize) -> impl Iterator<Item = Shingle> {
    words.windows(run).map(|run| {
        let mixed = run.iter().fold(0xcbf2_9ce4_8422_2325_u64, |all, word| {
            (all ^ u64::from(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
        });
        fine(mixed)
    })
}

/// How many words make a run in a text: more where a word is a single letter of an unspaced script.
pub fn run_length(text: &str) -> usize {
    // A few letters show the script; a text in two scripts counts as what it is mostly in.
    let letters = || text.chars().filter(|letter| letter.is_alphabetic()).take(400);
    let unspaced = letters().filter(|letter| is_unspaced(*letter)).count();
    if unspaced * 2 > letters().count() { UNSPACED_RUN } else { RUN }
}

/// One word of a text that is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word<'t> {
    /// As written.
    pub text: &'t str,
    pub folded: String,
    pub hash: WordHash,
    /// It begins a sentence or a block, so that a capital says nothing.
    pub begins: bool,
}

impl Word<'_> {
    /// Written with digits, at least in part: a number, a date, a version.
    pub fn is_number(&self) -> bool {
        self.folded.chars().any(char::is_numeric)
    }

    /// Probably a name: a capital within a sentence.
    pub fn is_name(&self) -> bool {
        !self.begins && self.text.chars().next().is_some_and(char::is_uppercase)
    }
}

/// The words of a text as it is written, line by line.
pub fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::with_capacity(text.len() / 6);
    let mut begins = true;
    let mut from = 0;
    each_place(text, |place| {
        begins |= text[from..place.start].contains(['.', '!', '?', '\n', ':', '…', '。', '！', '？', '।', '؟']);
        from = place.end;
        let written = &text[place];
        // Folding can part a word in two (½); each is a word then.
        each(&text::fold(written), |folded| {
            let (folded, hash) = (folded.to_owned(), word_hash(folded));
            words.push(Word { text: written, folded, hash, begins: std::mem::take(&mut begins) });
        });
    });
    words
}

fn each(text: &str, mut tell: impl FnMut(&str)) {
    each_place(text, |place| tell(&text[place]));
}

/// Every word's place: letters, digits and marks in a row, or one letter of an unspaced script.
fn each_place(text: &str, mut tell: impl FnMut(std::ops::Range<usize>)) {
    let mut start = None;
    for (at, letter) in text.char_indices() {
        let is_plain = letter.is_ascii_alphanumeric();
        let belongs = is_plain
            || (!letter.is_ascii()
                && (letter.is_alphanumeric()
                    || (start.is_some() && is_combining_mark(letter))
                    || folds_to_word(letter)));
        let alone = !letter.is_ascii() && belongs && is_unspaced(letter) && !is_combining_mark(letter);
        if (!belongs || alone)
            && let Some(from) = start.take()
        {
            tell(from..at);
        }
        if alone {
            tell(at..at + letter.len_utf8());
        } else if belongs && start.is_none() && !is_combining_mark(letter) {
            start = Some(at);
        }
    }
    if let Some(from) = start {
        tell(from..text.len());
    }
}

/// Signs that folding makes words of: ㈀, ℀.
fn folds_to_word(letter: char) -> bool {
    let mut has_word = false;
    decompose_compatible(letter, |part| has_word |= part.is_alphanumeric());
    has_word
}

/// Scripts without blanks between words: Han and kana, Thai, Lao, Burmese, Khmer.
fn is_unspaced(letter: char) -> bool {
    text::stands_alone(letter)
        || matches!(letter, '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}')
}

/// A word's hash from its folded form: FNV-1a over the bytes, then mixed, since neighbouring numbers must not give neighbouring hashes.
pub fn word_hash(word: &str) -> WordHash {
    fine(word.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)))
}

fn fine(hash: u64) -> u32 {
    let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    u32::try_from(mixed >> 32).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{hashes, run_length, words};
    use crate::text;

    fn check(text: &str, expected: &[&str]) {
        let found: Vec<String> = words(text).into_iter().map(|word| word.folded).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn words_are_runs_of_letters_or_single_letters_without_blanks() {
        check("Zürich, 3.5 % – don't", &["zurich", "3", "5", "don", "t"]);
        check("東京は晴れ。", &["東", "京", "は", "晴", "れ"]);
        check("iPhone 15を発売", &["iphone", "15", "を", "発", "売"]);
        check("½ cup", &["1", "2", "cup"]);
        check("हिन्दी समाचार", &["हिन्दी", "समाचार"]);
    }

    #[test]
    fn capitals_count_within_a_sentence_alone() {
        let names =
            |text| words(text).into_iter().filter(super::Word::is_name).map(|word| word.folded).collect::<Vec<_>>();
        assert_eq!(names("Leaders met in Oslo. Talks go on\nThe Hague was next"), ["oslo", "hague"]);
    }

    #[test]
    fn runs_are_longer_where_words_are_letters() {
        assert_eq!((run_length("Plain words"), run_length("東京は晴れ"), run_length("")), (3, 6, 3));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn both_ways_of_reading_give_the_same_words(text in "([a-zA-Z0-9éüßñø ,.'’“–½%\n]|[а-яا-ي東京はガ한국हिन्दीภา㈀]){0,60}") {
            let slow: Vec<u32> = words(&text).into_iter().map(|word| word.hash).collect();
            prop_assert_eq!(hashes(&text::fold(&text)), slow);
        }
    }
}
