//! `regex:/…/`: a pattern over folded text. The one place that knows the crate behind it.
//!
//! Matching takes time in proportion to text × pattern, whatever is written: there is no going back over the text.

use regex::{Regex, RegexBuilder};

use crate::text;

/// Longest pattern, in characters.
pub(super) const LENGTH_LIMIT: usize = 200;
/// Most memory of a compiled pattern, in bytes: room for some hundred characters, not for `(\w{100}){100}`. What matching keeps beside
/// it has the same bound.
const SIZE_LIMIT: usize = 256 << 10;
/// Deepest nesting of groups; bounds the stack.
const NEST_LIMIT: u32 = 20;
/// Of longer texts a pattern sees the beginning, in bytes. Twice the length of a long article.
const TEXT_LIMIT: usize = 100_000;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    /// What stands between the slashes.
    pub(super) written: String,
    program: Regex,
}

/// Two patterns are equal when they are written equally.
impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for Pattern {}

/// Why a pattern cannot be read.
pub(super) struct PatternProblem {
    /// In characters within the pattern, from 0.
    pub(super) offset: usize,
    pub(super) what: String,
}

impl Pattern {
    pub(super) fn read(written: &str) -> Result<Self, PatternProblem> {
        if written.chars().count() > LENGTH_LIMIT {
            let what = format!("the pattern is longer than {LENGTH_LIMIT} characters");
            return Err(PatternProblem { offset: LENGTH_LIMIT, what });
        }
        // As it is written first, so that a mistake is told where it stands.
        compiled(written)?;
        let program = compiled(&folded(written)).map_err(|problem| PatternProblem { offset: 0, ..problem })?;
        Ok(Self { written: written.to_owned(), program })
    }

    /// Whether it is found in a text that is folded.
    pub(super) fn is_in(&self, folded: &str) -> bool {
        self.program.is_match(text::beginning(folded, TEXT_LIMIT))
    }
}

fn compiled(pattern: &str) -> Result<Regex, PatternProblem> {
    let mut builder = RegexBuilder::new(pattern);
    builder.case_insensitive(true).size_limit(SIZE_LIMIT).dfa_size_limit(SIZE_LIMIT).nest_limit(NEST_LIMIT);
    builder.build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => {
            PatternProblem { offset: 0, what: "the pattern is too large: it repeats too much".to_owned() }
        }
        error => problem(pattern, &error.to_string()),
    })
}

/// The crate draws the pattern, carets below the place, and a last line with what is wrong. Of several lines it draws numbers, too.
fn problem(pattern: &str, drawn: &str) -> PatternProblem {
    let is_of_carets = |line: &&str| line.contains('^') && line.chars().all(|letter| matches!(letter, '^' | ' '));
    let carets = drawn.lines().rev().find(is_of_carets).filter(|_| !pattern.contains('\n'));
    let offset = carets.and_then(|line| line.find('^')).map_or(0, |column| column.saturating_sub(4));
    let said = drawn.lines().rev().find_map(|line| line.strip_prefix("error: ")).unwrap_or("it cannot be read");
    PatternProblem { offset, what: format!("the pattern has a mistake: {said}") }
}

/// The pattern for folded text: its letters are folded as the text's are. What stands for itself stays so, and what is escaped
/// stays as it is.
fn folded(written: &str) -> String {
    let mut pattern = String::with_capacity(written.len());
    let mut class = 0_usize;
    let mut letters = written.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                pattern.push(letter);
                pattern.extend(letters.next());
                continue;
            }
            '[' => class += 1,
            ']' => class = class.saturating_sub(1),
            _ => {}
        }
        if letter.is_ascii() {
            pattern.push(letter);
            continue;
        }
        // With its marks, which may be letters of their own.
        let mut run = String::from(letter);
        while let Some(mark) = letters.next_if(|next| is_mark(*next)) {
            run.push(mark);
        }
        let plain = text::fold(&run);
        let escaped = regex::escape(&plain);
        // What becomes several letters stays one thing for what follows: `ß+`.
        if class == 0 && plain.chars().nth(1).is_some() {
            pattern.extend(["(?:", &escaped, ")"]);
        } else {
            pattern.push_str(&escaped);
        }
    }
    pattern
}

/// Also the voicing marks of narrow kana, which are letters by themselves.
fn is_mark(letter: char) -> bool {
    unicode_normalization::char::is_combining_mark(letter) || matches!(letter, '\u{ff9e}' | '\u{ff9f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_folded_as_texts_are() {
        for (pattern, text, expected) in [
            ("zürich", "Zurich", true),
            ("Zurich", "ZÜRICH", true),
            ("stra(ß|ss)e", "Straße", true),
            ("gro?ß+e", "GROSSSSE", true),
            ("[éà]t", "ete", true),
            ("ﾊﾟﾝ", "パン", true),
            ("か\u{3099}", "が", true),
            ("（x）", "(x)", true),
            ("（x）", "x", false),
            (r"\bcve-\d{4}-\d+\b", "Patch for CVE-2026-1234.", true),
            (r"^the", "The end", true),
            (r"^end", "The end", false),
            (r"\p{Greek}+", "Ελλάδα", true),
            (r"\p{Greek}+", "Hellas", false),
            ("(?-i)abc", "ABC", true),
            ("a\\/b", "A/B", true),
        ] {
            let read = Pattern::read(pattern).unwrap_or_else(|problem| panic!("{pattern}: {}", problem.what));
            assert_eq!(read.is_in(&text::fold(text)), expected, "{pattern} in {text}");
        }
    }

    #[test]
    fn mistakes_are_told_where_they_stand() {
        for (pattern, offset, what) in [
            ("é(b", 1, "the pattern has a mistake: unclosed group"),
            ("a{2,1}", 1, "the pattern has a mistake: invalid repetition count range, the start must be <= the end"),
            ("[z-a]", 1, "the pattern has a mistake: invalid character class range, the start must be <= the end"),
            ("^a(b", 2, "the pattern has a mistake: unclosed group"),
            ("a\n(b", 0, "the pattern has a mistake: unclosed group"),
            (r"(a)\1", 3, "the pattern has a mistake: backreferences are not supported"),
            (r"(\w{100}){100}", 0, "the pattern is too large: it repeats too much"),
            (&"a".repeat(201), 200, "the pattern is longer than 200 characters"),
        ] {
            let problem = Pattern::read(pattern).err().unwrap_or_else(|| panic!("{pattern} is read"));
            assert_eq!((problem.offset, problem.what.as_str()), (offset, what), "{pattern}");
        }
    }

    #[test]
    fn groups_are_not_nested_without_end() {
        assert!(Pattern::read(&format!("{}a{}", "(".repeat(60), ")".repeat(60))).is_err());
    }

    #[test]
    fn hostile_patterns_end() {
        // A backtracking engine would not.
        let pattern = Pattern::read("(a*)*(a|aa)+$").unwrap_or_else(|problem| panic!("{}", problem.what));
        assert!(!pattern.is_in(&format!("{}b", "a".repeat(90_000))));
    }
}
