//! A date as runs of digits, runs of letters and marks. Comments and blanks are left out.

/// A piece of a date, and whether it touches the piece before it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind<'t>,
    pub(super) is_glued: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind<'t> {
    /// ASCII digits only, at least one.
    Digits(&'t str),
    Word(&'t str),
    Mark(char),
}

/// Walks over the pieces; a clone looks ahead.
#[derive(Clone)]
pub(super) struct Tokens<'t> {
    rest: &'t str,
}

impl<'t> Tokens<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self { rest: text }
    }

    pub(super) fn peek(&self) -> Option<Kind<'t>> {
        self.clone().next().map(|token| token.kind)
    }

    /// The digits behind a mark, as the minutes behind a colon.
    pub(super) fn digits_behind(&mut self, marks: &[char]) -> Option<&'t str> {
        let mut ahead = self.clone();
        let is_mark = matches!(ahead.next()?.kind, Kind::Mark(mark) if marks.contains(&mark));
        let Token { kind: Kind::Digits(digits), is_glued } = ahead.next()? else { return None };
        // A colon joins over blanks as well (`8 : 05`); a comma or full stop before a blank ends the time.
        if !is_mark || !(is_glued || marks == [':']) {
            return None;
        }
        *self = ahead;
        Some(digits)
    }

    fn skip_between(&mut self) {
        loop {
            let start = self.rest.trim_start_matches(is_blank);
            let is_comment = start.starts_with('(');
            self.rest = if is_comment { behind_comment(start) } else { start };
            if !is_comment {
                return;
            }
        }
    }
}

impl<'t> Iterator for Tokens<'t> {
    type Item = Token<'t>;

    fn next(&mut self) -> Option<Token<'t>> {
        let before = self.rest.len();
        self.skip_between();
        let is_glued = self.rest.len() == before;
        let first = self.rest.chars().next()?;
        let is_digits = first.is_ascii_digit();
        let length = match first {
            _ if is_digits => self.rest.find(|letter: char| !letter.is_ascii_digit()),
            _ if is_letter(first) => self.rest.find(|letter: char| !is_letter(letter)),
            _ => Some(first.len_utf8()),
        };
        let (piece, rest) = self.rest.split_at(length.unwrap_or(self.rest.len()));
        self.rest = rest;
        let kind = match first {
            _ if is_digits => Kind::Digits(piece),
            _ if is_letter(first) => Kind::Word(piece),
            mark => Kind::Mark(mark),
        };
        Some(Token { kind, is_glued })
    }
}

/// Letters with the accents that may stand behind them as characters of their own.
fn is_letter(letter: char) -> bool {
    letter.is_alphabetic() || matches!(letter, '\u{300}'..='\u{36f}' | 'º' | 'ª')
}

/// White space, and the invisible marks that some programs write around the parts of a date.
fn is_blank(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{feff}')
}

/// RFC 5322 §3.2.2: comments nest, and a backslash takes the meaning of the next character. An open one reaches to the end.
fn behind_comment(text: &str) -> &str {
    let mut depth = 0_usize;
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => {
                letters.next();
            }
            '(' => depth += 1,
            ')' if depth == 1 => return &text[at + 1..],
            ')' => depth -= 1,
            _ => {}
        }
    }
    ""
}
