//! HTML and titles → the text that a person reads, and text → words that compare as people expect.

pub mod addresses;
pub mod difference;
pub mod language;
pub mod markup;
mod tags;

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{canonical_combining_class, is_combining_mark};

use crate::text::tags::Piece;

/// The text that a person reads in a piece of HTML: without tags, comments and scripts, character references decoded, white space
/// folded to single blanks. Linear in its input, whatever the markup looks like.
pub fn visible(html: &str) -> String {
    let mut text = Folded::with_capacity(html.len() / 2);
    for piece in tags::pieces(html) {
        match piece {
            Piece::Text(run) => text.push(&decoded(run)),
            Piece::Break | Piece::Quote | Piece::Unquote => text.blank(),
            Piece::Inline => {}
        }
    }
    text.text
}

/// Whether somebody else is quoted.
pub fn has_quotes(html: &str) -> bool {
    html.contains("<blockquote") || html.contains("<BLOCKQUOTE")
}

/// As [`visible`], without what is quoted from others (`blockquote`), and with a line for each block of text.
pub fn own_lines(html: &str) -> String {
    let mut lines = String::with_capacity(html.len() / 2);
    let mut line = Folded::with_capacity(200);
    let mut quotes = 0_usize;
    for piece in tags::pieces(html) {
        match piece {
            Piece::Text(run) if quotes == 0 => line.push(&decoded(run)),
            Piece::Text(_) | Piece::Inline => {}
            Piece::Break => line.end_into(&mut lines),
            Piece::Quote => {
                line.end_into(&mut lines);
                quotes += 1;
            }
            // One that nobody opened ends nothing.
            Piece::Unquote => quotes = quotes.saturating_sub(1),
        }
    }
    line.end_into(&mut lines);
    lines
}

/// As [`visible`], for values that may be plain text as well: `<` begins a tag only where a tag of HTML stands.
pub fn visible_title(title: &str) -> String {
    let mut text = Folded::with_capacity(title.len());
    for piece in tags::known_pieces(title) {
        match piece {
            Piece::Text(run) => text.push(&decoded(run)),
            Piece::Break | Piece::Quote | Piece::Unquote => text.blank(),
            Piece::Inline => {}
        }
    }
    text.text
}

/// The text up to a length in bytes, and no character in pieces.
pub fn beginning(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}

fn decoded(run: &str) -> Cow<'_, str> {
    if run.contains('&') { html_escape::decode_html_entities(run) } else { Cow::Borrowed(run) }
}

/// Text whose white space is folded as it grows.
struct Folded {
    text: String,
    needs_blank: bool,
}

impl Folded {
    fn with_capacity(capacity: usize) -> Self {
        Self { text: String::with_capacity(capacity), needs_blank: false }
    }

    /// What has grown so far, as a line.
    fn end_into(&mut self, lines: &mut String) {
        if !self.text.is_empty() {
            lines.push_str(&self.text);
            lines.push('\n');
            self.text.clear();
        }
        self.needs_blank = false;
    }

    fn blank(&mut self) {
        self.needs_blank = !self.text.is_empty();
    }

    fn push(&mut self, run: &str) {
        let bytes = run.as_bytes();
        let end_of = |from: usize, belongs: fn(u8) -> bool| {
            bytes[from..].iter().position(|byte| !belongs(*byte)).map_or(bytes.len(), |length| from + length)
        };
        let mut at = 0;
        while at < bytes.len() {
            // Most of a text is words of plain ASCII, which are taken over as they are.
            let end = end_of(at, is_plain);
            if end > at {
                if std::mem::take(&mut self.needs_blank) {
                    self.text.push(' ');
                }
                self.text.push_str(&run[at..end]);
            }
            at = end_of(end, is_blank);
            if at > end {
                self.blank();
            }
            let end = end_of(at, |byte| !is_plain(byte) && !is_blank(byte));
            self.push_slowly(&run[at..end]);
            at = end;
        }
    }

    fn push_slowly(&mut self, run: &str) {
        for letter in run.chars() {
            if letter.is_whitespace() {
                self.blank();
            } else if !is_invisible(letter) {
                if std::mem::take(&mut self.needs_blank) {
                    self.text.push(' ');
                }
                self.text.push(letter);
            }
        }
    }
}

fn is_plain(byte: u8) -> bool {
    (b'!'..=b'~').contains(&byte)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Control characters, soft hyphens, zero-width spaces: nobody sees them, and they would part equal words.
fn is_invisible(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}')
}

/// Case, width and diacritics folded: zurich = Zürich = ＺÜＲＩＣＨ, strasse = straße. Folding twice changes nothing more.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let plain = rest.bytes().position(|byte| !byte.is_ascii()).unwrap_or(rest.len());
        folded.push_str(&rest[..plain]);
        let other = rest[plain..].bytes().position(|byte| byte.is_ascii()).map_or(rest.len(), |other| plain + other);
        let once = fold_once(&rest[plain..other]);
        // Compatibility decomposition can give capitals again (a squared letter); a second pass settles it.
        folded.push_str(&fold_once(&once));
        rest = &rest[other..];
    }
    folded.make_ascii_lowercase();
    folded
}

/// Never changes ASCII but for its case, and no mark that it keeps composes with a letter of ASCII; so runs of ASCII can go past it.
fn fold_once(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let plain: String = text.nfkd().filter(|letter| !is_diacritic(*letter)).collect();
    let folded = caseless::default_case_fold_str(&plain);
    folded.nfkd().filter(|letter| !is_diacritic(*letter)).nfc().collect()
}

/// Marks above and below letters. Marks that make another letter (the voicing of kana, vowel signs of Indic scripts) are none.
fn is_diacritic(letter: char) -> bool {
    let class = canonical_combining_class(letter) as u8;
    class == 1 || class >= 200
}

/// The folded words of a text, in order: runs of letters and digits; an apostrophe within a word is dropped (don't → dont).
/// Scripts that are written without blanks give a word for each character.
pub fn words(text: &str) -> Vec<String> {
    let folded = fold(text);
    let mut words = Vec::new();
    let mut word = String::new();
    let mut letters = folded.chars().peekable();
    while let Some(letter) = letters.next() {
        if stands_alone(letter) {
            end(&mut word, &mut words);
            words.push(letter.to_string());
        } else if letter.is_alphanumeric() || (is_combining_mark(letter) && !word.is_empty()) {
            word.push(letter);
        } else if matches!(letter, '\'' | '’')
            && !word.is_empty()
            && letters.peek().is_some_and(|next| next.is_alphanumeric())
        {
            // Stays within the word.
        } else {
            end(&mut word, &mut words);
        }
    }
    end(&mut word, &mut words);
    words
}

fn end(word: &mut String, words: &mut Vec<String>) {
    if !word.is_empty() {
        words.push(std::mem::take(word));
    }
}

/// Han and kana: no blanks between words.
pub fn stands_alone(letter: char) -> bool {
    matches!(letter, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
        && letter.is_alphanumeric()
}

#[cfg(test)]
mod tests;
