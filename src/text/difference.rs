//! What differs between two texts, word by word.

use similar::{Algorithm, DiffOp};

/// Most words of each text that are compared: unlike texts cost the square of their length, and nobody reads further.
pub const WORDS: usize = 2_000;
/// Words that are shown before and after a change.
const AROUND: usize = 8;

/// A run of words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Same(String),
    /// In the old text only.
    Removed(String),
    /// In the new text only.
    Added(String),
    /// So many words that are the same and far from any change.
    Skipped(usize),
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub pieces: Vec<Piece>,
    /// Whether words beyond [`WORDS`] were left out of account.
    pub is_cut: bool,
}

impl Difference {
    /// Whether nothing that was compared differs.
    pub fn is_none(&self) -> bool {
        !self.pieces.iter().any(|piece| matches!(piece, Piece::Removed(_) | Piece::Added(_)))
    }
}

/// Compares two visible texts. Equal texts give equal differences, whatever the machine.
pub fn between(old: &str, new: &str) -> Difference {
    let (old, old_is_cut) = words(old);
    let (new, new_is_cut) = words(new);
    // No deadline: what is compared is bounded already, and a deadline would make the answer depend on the machine.
    let operations = similar::capture_diff_slices(Algorithm::Myers, &old, &new);
    let last = operations.len().saturating_sub(1);
    let mut pieces = Vec::new();
    for (index, operation) in operations.into_iter().enumerate() {
        match operation {
            DiffOp::Equal { old_index, len, .. } => {
                same(&old[old_index..old_index + len], index == 0, index == last, &mut pieces);
            }
            DiffOp::Delete { old_index, old_len, .. } => removed(&old[old_index..old_index + old_len], &mut pieces),
            DiffOp::Insert { new_index, new_len, .. } => added(&new[new_index..new_index + new_len], &mut pieces),
            DiffOp::Replace { old_index, old_len, new_index, new_len } => {
                removed(&old[old_index..old_index + old_len], &mut pieces);
                added(&new[new_index..new_index + new_len], &mut pieces);
            }
        }
    }
    Difference { pieces, is_cut: old_is_cut || new_is_cut }
}

fn words(text: &str) -> (Vec<&str>, bool) {
    let mut words = text.split_whitespace();
    let first: Vec<&str> = words.by_ref().take(WORDS).collect();
    (first, words.next().is_some())
}

fn removed(words: &[&str], pieces: &mut Vec<Piece>) {
    pieces.push(Piece::Removed(words.join(" ")));
}

fn added(words: &[&str], pieces: &mut Vec<Piece>) {
    pieces.push(Piece::Added(words.join(" ")));
}

/// What lies far from every change is counted only.
fn same(words: &[&str], is_first: bool, is_last: bool, pieces: &mut Vec<Piece>) {
    let before = if is_first { 0 } else { AROUND };
    let after = if is_last { 0 } else { AROUND };
    // To leave out a word or two saves nothing.
    if words.len() <= before + after + 4 {
        pieces.push(Piece::Same(words.join(" ")));
        return;
    }
    if before > 0 {
        pieces.push(Piece::Same(words[..before].join(" ")));
    }
    pieces.push(Piece::Skipped(words.len() - before - after));
    if after > 0 {
        pieces.push(Piece::Same(words[words.len() - after..].join(" ")));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(old: &str, new: &str) -> String {
        let pieces = between(old, new).pieces.into_iter().map(|piece| match piece {
            Piece::Same(text) => text,
            Piece::Removed(text) => format!("[-{text}-]"),
            Piece::Added(text) => format!("{{+{text}+}}"),
            Piece::Skipped(words) => format!("({words})"),
        });
        pieces.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn words_that_differ_are_told_apart() {
        let long = "w ".repeat(30);
        for (old, new, expected) in [
            ("", "", String::new()),
            ("one  two", "one\ntwo", "one two".to_owned()),
            ("talks in Rome", "talks in Paris", "talks in [-Rome-] {+Paris+}".to_owned()),
            ("one two", "zero one two", "{+zero+} one two".to_owned()),
            ("", "news", "{+news+}".to_owned()),
            (&*long, &*long, "(30)".to_owned()),
            (&*format!("{long}a {long}"), &*format!("{long}b {long}"), {
                format!("(22) {} [-a-] {{+b+}} {} (22)", ["w"; 8].join(" "), ["w"; 8].join(" "))
            }),
        ] {
            assert_eq!(told(old, new), expected, "{old} | {new}");
        }
    }

    #[test]
    fn long_texts_are_cut_and_that_is_said() {
        let words = |count: usize| (0..count).map(|number| number.to_string()).collect::<Vec<_>>().join(" ");
        assert!(!between(&words(WORDS), &words(WORDS)).is_cut);
        let cut = between(&words(WORDS + 1), &words(WORDS));
        assert!(cut.is_cut && cut.is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn both_texts_can_be_read_off_it(old in "([abc] ){0,12}", new in "([abc] ){0,12}") {
            let read = |is_old: bool| {
                let pieces = between(&old, &new).pieces.into_iter().filter_map(|piece| match piece {
                    Piece::Same(text) => Some(text),
                    Piece::Removed(text) => is_old.then_some(text),
                    Piece::Added(text) => (!is_old).then_some(text),
                    Piece::Skipped(_) => None,
                });
                pieces.collect::<Vec<_>>().join(" ")
            };
            // A text so short is never skipped where something changed.
            if !between(&old, &new).is_none() {
                prop_assert_eq!(read(true), old.trim());
                prop_assert_eq!(read(false), new.trim());
            }
        }
    }
}
