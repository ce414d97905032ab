//! Did what a person reads change, or only how it is written?
//!
//! Publishers rewrite their documents all the time: blanks and quotation marks by a new template, a counter of comments at every
//! build, a slip of the pen. None of that makes an entry newer. A number, a name, a negation, or a sentence does. In doubt it is a change.

use crate::merge::identify::CONTENT_WORDS;
use crate::text;

/// Slips that may be corrected at once; more of them are a rewriting.
const SLIPS: usize = 2;
/// Shorter words are too often another word when a letter changes.
const SLIP_LETTERS: usize = 4;
/// Words of so many letters may have two letters wrong.
const LONG_WORD: usize = 7;
/// Most words after "updated at" that can be a date and a time.
const STAMP: usize = 12;

/// What stands beside a number that counts by itself: "3 comments", "Comments (3)".
const COUNTED: &[&str] = &[
    "comment",
    "comments",
    "reply",
    "replies",
    "view",
    "views",
    "like",
    "likes",
    "retweet",
    "retweets",
    "repost",
    "reposts",
    "reblog",
    "reblogs",
    "boost",
    "boosts",
    "clap",
    "claps",
    "upvote",
    "upvotes",
    "reaction",
    "reactions",
    "kommentar",
    "kommentare",
    "antworten",
    "aufrufe",
    "commentaire",
    "commentaires",
    "reponses",
    "vues",
    "comentario",
    "comentarios",
    "respuestas",
    "visitas",
    "commento",
    "commenti",
    "reacties",
];
/// The same where it stands before the number as a label ("Points: 3"); within a sentence these words have a meaning of their own.
const LABELS: &[&str] = &["points", "votes", "shares", "score", "downloads", "hits", "reads", "punkte"];
/// Units of "5 min ago". Not years: they change too seldom to be a counter.
const UNITS: &[&str] = &[
    "s", "sec", "secs", "second", "seconds", "m", "min", "mins", "minute", "minutes", "h", "hr", "hrs", "hour",
    "hours", "d", "day", "days", "w", "week", "weeks", "month", "months", "sekunde", "sekunden", "minuten", "stunde",
    "stunden", "tag", "tagen", "woche", "wochen", "seconde", "secondes", "heure", "heures", "jour", "jours", "semaine",
    "semaines", "segundos", "minuto", "minutos", "hora", "horas", "dia", "dias", "semana", "semanas", "minuti", "ora",
    "ore", "giorni",
];
/// What begins a note of when a page was made.
const STAMPS: &[[&str; 2]] = &[
    ["last", "updated"],
    ["last", "modified"],
    ["updated", "at"],
    ["updated", "on"],
    ["generated", "at"],
    ["generated", "on"],
];
/// Words of dates and times.
const DATES: &[&str] = &[
    "at",
    "on",
    "am",
    "pm",
    "utc",
    "gmt",
    "est",
    "edt",
    "cst",
    "cdt",
    "pst",
    "pdt",
    "cet",
    "cest",
    "bst",
    "jan",
    "january",
    "feb",
    "february",
    "mar",
    "march",
    "apr",
    "april",
    "may",
    "jun",
    "june",
    "jul",
    "july",
    "aug",
    "august",
    "sep",
    "sept",
    "september",
    "oct",
    "october",
    "nov",
    "november",
    "dec",
    "december",
    "mon",
    "monday",
    "tue",
    "tuesday",
    "wed",
    "wednesday",
    "thu",
    "thursday",
    "fri",
    "friday",
    "sat",
    "saturday",
    "sun",
    "sunday",
];
/// Words that carry more than their letters tell: numbers, and months that some languages write small.
const WEIGHTY: &[&str] = &[
    "four",
    "five",
    "seven",
    "eight",
    "nine",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
    "thirty",
    "forty",
    "fifty",
    "sixty",
    "seventy",
    "eighty",
    "ninety",
    "hundred",
    "thousand",
    "million",
    "millions",
    "billion",
    "billions",
    "trillion",
    "half",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "double",
    "triple",
    "dozen",
    "once",
    "twice",
    "junio",
    "julio",
    "juin",
    "juillet",
    "mars",
    "marzo",
    "mayo",
    "mai",
    "maggio",
    "giugno",
    "luglio",
];
const NEGATIONS: &[&str] = &[
    "no", "not", "none", "never", "nor", "neither", "nobody", "nothing", "without", "kein", "keine", "nicht", "nie",
    "pas", "jamais", "sans", "sin", "nunca", "non", "senza", "mai", "niet", "geen",
];
const ARTICLES: &[&str] = &["a", "an", "the"];
/// Signs that change what a number means.
const SIGNS: &str = "$€£¥₹₽₩%‰°";

/// Title and visible text of one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wording<'a> {
    pub title: Option<&'a str>,
    pub text: &'a str,
}

/// Whether whoever has read the one version learns nothing from the other.
pub fn is_trivial(before: Wording<'_>, after: Wording<'_>) -> bool {
    let [old, new] = [before, after].map(|version| without_counters(&tokens(version.title.unwrap_or_default())));
    same(&old, &new) && is_trivial_in_text(before.text, after.text)
}

/// As [`is_trivial`], for texts alone.
pub fn is_trivial_in_text(before: &str, after: &str) -> bool {
    if before == after {
        return true;
    }
    let (old, new) = (without_counters(&tokens(before)), without_counters(&tokens(after)));
    same(&old, &new) || (old.len().min(new.len()) >= CONTENT_WORDS && differ_by_slips(&old, &new, SLIPS))
}

/// A word, a number with its sign, or a sign.
#[derive(Debug, Clone)]
struct Token {
    /// Folded.
    word: String,
    /// Letters, all of them small: neither a name nor a number.
    is_small: bool,
    /// A colon or a bracket stands before it.
    is_introduced: bool,
}

impl Token {
    fn is(&self, words: &[&str]) -> bool {
        words.contains(&self.word.as_str())
    }

    fn is_number(&self) -> bool {
        self.word.bytes().any(|byte| byte.is_ascii_digit())
    }
}

fn same(one: &[Token], other: &[Token]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.word == other.word)
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut letters = text.char_indices().peekable();
    let (mut before, mut is_introduced) = (' ', false);
    while let Some((start, letter)) = letters.next() {
        let next = letters.peek().map_or(' ', |(_, next)| *next);
        let is_sign = matches!(letter, '-' | '−' | '+') && next.is_numeric() && !before.is_alphanumeric();
        if !letter.is_alphanumeric() && !is_sign {
            if SIGNS.contains(letter) {
                tokens.push(Token { word: letter.to_string(), is_small: false, is_introduced: false });
            }
            is_introduced = matches!(letter, ':' | '(' | '[') || (is_introduced && letter.is_whitespace());
            before = letter;
            continue;
        }
        let is_number = is_sign || letter.is_numeric();
        let mut end = start + letter.len_utf8();
        while let Some((at, letter)) = letters.peek().copied() {
            let after = at + letter.len_utf8();
            let follows = text[after..].chars().next().unwrap_or(' ');
            let joins =
                if is_number { matches!(letter, '.' | ',' | ':' | '/') } else { matches!(letter, '\'' | '’') };
            let belongs = if is_number { follows.is_numeric() } else { follows.is_alphanumeric() };
            if !(letter.is_alphanumeric() || is_mark(letter) || (joins && belongs)) {
                break;
            }
            end = after;
            letters.next();
        }
        let written = &text[start..end];
        let is_small =
            !is_number && written.chars().all(|letter| letter.is_lowercase() || matches!(letter, '\'' | '’'));
        let word = text::fold(written).replace(['\'', '’'], "");
        tokens.push(Token { word, is_small, is_introduced });
        is_introduced = false;
        before = 'x';
    }
    tokens
}

/// A mark that belongs to the letter before it.
fn is_mark(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36f}' | '\u{ad}' | '\u{200b}'..='\u{200d}')
}

/// What is left when counters, relative times and the time of the build are taken out.
fn without_counters(tokens: &[Token]) -> Vec<Token> {
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let counter = counter(&tokens[at..]);
        if counter > 0 {
            at += counter;
            continue;
        }
        kept.push(token.clone());
        at += 1;
        if let [one, other, ..] = &tokens[at - 1..]
            && STAMPS.iter().any(|[first, second]| one.word == *first && other.word == *second)
        {
            kept.push(other.clone());
            at += 1;
            let stamp = tokens[at..].iter().take(STAMP).take_while(|token| token.is_number() || token.is(DATES));
            at += stamp.count();
        }
    }
    kept
}

/// How many tokens a counter takes that begins here; 0 where none does.
fn counter(tokens: &[Token]) -> usize {
    let is = |at: usize, words: &[&str]| tokens.get(at).is_some_and(|token| token.is(words));
    let is_number = |at: usize| tokens.get(at).is_some_and(Token::is_number);
    let fresh = usize::from(is(1, &["new", "more", "neue", "nouveaux"]));
    if is_number(0) && is(1 + fresh, COUNTED) {
        return 2 + fresh;
    }
    // "No comment" is news, "no comments" is a counter.
    if is(0, &["no"]) && is(1, COUNTED) && tokens[1].word.ends_with('s') {
        return 2;
    }
    let is_label = is(0, COUNTED) || is(0, LABELS);
    if is_label && is_number(1) && tokens[1].is_introduced {
        return 2;
    }
    let count = |at: usize| is_number(at) || is(at, &["a", "an", "one", "ein", "einer", "une", "un", "una"]);
    let ends = |at: usize| is(at, &["ago", "fa"]);
    match () {
        () if count(0) && is(1, UNITS) && ends(2) => 3,
        // "5m ago".
        () if is_number(0) && ends(1) => 2,
        () if is(0, &["vor", "hace"]) && count(1) && is(2, UNITS) => 3,
        () if is(0, &["il"]) && is(1, &["y"]) && is(2, &["a"]) && count(3) && is(4, UNITS) => 5,
        () if is(0, &["just"]) && is(1, &["now"]) => 2,
        () => 0,
    }
}

/// Whether two texts are equal but for so many slips of the pen.
fn differ_by_slips(one: &[Token], other: &[Token], slips: usize) -> bool {
    let same = one.iter().zip(other).take_while(|(one, other)| one.word == other.word).count();
    if same == one.len() && same == other.len() {
        return true;
    }
    let before = same.checked_sub(1).map(|last| &one[last]);
    let (one, other) = (&one[same..], &other[same..]);
    let further = |of_one: usize, of_other: usize| differ_by_slips(&one[of_one..], &other[of_other..], slips - 1);
    slips > 0
        && ((is_slip(one, other) && further(1, 1))
            || (is_split(one, other) && further(1, 2))
            || (is_split(other, one) && further(2, 1))
            || (is_idle(before, one) && further(1, 0))
            || (is_idle(before, other) && further(0, 1)))
}

/// Whether the first words are one word, spelt right and wrong.
fn is_slip(one: &[Token], other: &[Token]) -> bool {
    let (Some(one), Some(other)) = (one.first(), other.first()) else { return false };
    if one.is(ARTICLES) && other.is(ARTICLES) {
        return true;
    }
    if [one, other].iter().any(|token| !token.is_small || token.is(WEIGHTY) || token.is(NEGATIONS)) {
        return false;
    }
    let (one, other) = (one.word.as_str(), other.word.as_str());
    let letters = one.chars().count().min(other.chars().count());
    // What is put before a word turns its meaning round (un-, dis-, in-), and so does "n't".
    let turns = |one: &str, other: &str| one.ends_with(other) || one.strip_suffix("nt") == Some(other);
    if letters < SLIP_LETTERS || one.chars().next() != other.chars().next() || turns(one, other) || turns(other, one) {
        return false;
    }
    strsim::osa_distance(one, other) <= if letters < LONG_WORD { 1 } else { 2 }
}

/// Whether a word is the next two of the other text together.
fn is_split(one: &[Token], other: &[Token]) -> bool {
    let (Some(whole), [first, second, ..]) = (one.first(), other) else { return false };
    let parts = [first, second];
    !whole.is_number()
        && parts.iter().all(|part| !part.is(NEGATIONS))
        && whole.word.strip_prefix(first.word.as_str()) == Some(second.word.as_str())
}

/// Whether the first word can go without loss: an article, or one that stands there twice.
fn is_idle(before: Option<&Token>, rest: &[Token]) -> bool {
    let Some(first) = rest.first() else { return false };
    let is_double = before.is_some_and(|before| before.word == first.word) && !first.is_number();
    first.is(ARTICLES) || (is_double && !first.is(NEGATIONS))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "Leaders of both countries signed a comprehensive agreement on trade investment culture and security on \
                        Thursday after two days of talks in the capital that were watched closely by all of their neighbours";

    fn check(before: &str, after: &str, expected: bool) {
        for (one, other) in [(before, after), (after, before)] {
            let [one, other] = [one, other].map(|text| Wording { title: Some("A pact"), text });
            assert_eq!(is_trivial(one, other), expected, "{one:?}\n{other:?}");
        }
    }

    /// In a long text, with what is replaced in it.
    fn check_long(part: &str, by: &str, expected: bool) {
        assert!(LONG.contains(part), "{part}");
        check(LONG, &LONG.replace(part, by), expected);
    }

    #[test]
    fn how_it_is_written_is_no_news() {
        for (before, after) in [
            ("", ""),
            ("One two.", "one  two"),
            ("\"Quoted\" — and so on…", "“quoted” - and so on ..."),
            ("It's over", "It’s over"),
            ("Zurich at night", "Zürich at night"),
        ] {
            check(before, after, true);
        }
    }

    #[test]
    fn counters_that_count_by_themselves_are_no_news() {
        for (before, after) in [
            ("A pact. 3 comments", "A pact. 14 comments"),
            ("A pact. No comments", "A pact. 1 comment"),
            ("A pact. Comments (3)", "A pact. Comments (1,204)"),
            ("A pact. Points: 12 # Comments: 3", "A pact. Points: 90 # Comments: 41"),
            ("A pact. Posted 5 min ago", "A pact. Posted 2 hours ago"),
            ("A pact. just now", "A pact. an hour ago"),
            ("Ein Pakt. vor 5 Minuten, 3 Kommentare", "Ein Pakt. vor 2 Stunden, 7 Kommentare"),
            ("Un pacte, il y a 5 minutes", "Un pacte, il y a 3 heures"),
            ("A pact. 5m ago", "A pact. 12h ago"),
            ("A pact. Last updated: 25 Nov 2026, 10:15 UTC", "A pact. Last updated: 26 Nov 2026, 08:00 UTC"),
        ] {
            check(before, after, true);
        }
        for (before, after) in [
            ("The index lost 300 points", "The index lost 500 points"),
            ("They won by 12 votes", "They won by 2 votes"),
            ("Last updated at noon: 3 dead", "Last updated at noon: 5 dead"),
            ("The ministry had a comment", "The ministry had no comment"),
        ] {
            check(before, after, false);
        }
    }

    #[test]
    fn a_corrected_slip_in_a_long_text_is_no_news() {
        for (part, by) in [
            ("comprehensive", "comprehensve"),
            ("neighbours", "neigbhours"),
            ("watched closely", "watchd closley"),
            ("the capital", "the the capital"),
            ("the capital", "capital"),
            ("agreement", "agree ment"),
        ] {
            check_long(part, by, true);
        }
        check("Leaders signed an agreement", "Leaders signed an agreemnt", false);
    }

    #[test]
    fn what_changes_the_meaning_is_news() {
        for (part, by) in [
            ("two days", "ten days"),
            ("signed", "not signed"),
            ("Thursday", "Tuesday"),
            ("Leaders", "Readers"),
            ("closely", "coldly"),
            ("comprehensive agreement", "incomprehensive agreement"),
            ("trade", "trade talks"),
            ("neighbours", "neighbours. Markets rose after the news."),
            ("comprehensive agreement on trade", "comprehensiv agrement on trde"),
        ] {
            check_long(part, by, false);
        }
        for (before, after) in [
            ("Wind 5 km/h", "Wind 7 km/h"),
            ("It is -5 degrees", "It is 5 degrees"),
            ("It cost $5", "It cost €5"),
            ("Version 1.2.3", "Version 1.2.4"),
            ("It is legal", "It is illegal"),
            ("", "A text that was missing"),
        ] {
            check(before, after, false);
        }
        for (word, by) in [
            ("million", "billion"),
            ("should", "shouldn't"),
            ("likely", "unlikely"),
            ("increase", "decrease"),
            ("Iran", "Iraq"),
            ("Smith", "Smyth"),
            ("seven", "eleven"),
            ("notable", "not able"),
            ("15", "50"),
        ] {
            check(&format!("{LONG} {word} and more"), &format!("{LONG} {by} and more"), false);
        }
    }

    #[test]
    fn another_title_is_news_but_not_another_way_to_write_it() {
        for (before, after, expected) in [
            ("A pact is signed", "A Pact Is Signed!", true),
            ("A pact is signed (3 comments)", "A pact is signed (4 comments)", true),
            ("A pact is signed", "A pact is broken", false),
            ("Storm kills 3", "Storm kills 5", false),
        ] {
            let [one, other] = [before, after].map(|title| Wording { title: Some(title), text: LONG });
            assert_eq!(is_trivial(one, other), expected, "{before} {after}");
        }
    }
}
