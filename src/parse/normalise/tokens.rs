//! Text → tags and what stands between them, whatever the document looks like. Nothing here is an error: what is no tag is text.
//!
//! Linear in its input: something that never ends (a comment, a quote) is searched for once in a document, and not again from each
//! of its beginnings.

use memchr::memmem;

/// One piece of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Start {
        /// With its prefix, as written.
        name: &'a str,
        attributes: &'a str,
        is_empty: bool,
    },
    End {
        name: &'a str,
    },
    /// With its references.
    Text(&'a str),
    Cdata(&'a str),
    Doctype(&'a str),
    /// A comment, an instruction, or rubbish that looks like one.
    Other,
}

/// Ends that are searched for.
#[derive(Debug, Clone, Copy)]
enum End {
    Comment,
    Cdata,
    Instruction,
    DoubleQuote,
    SingleQuote,
    Bracket,
}

impl End {
    fn text(self) -> &'static str {
        match self {
            Self::Comment => "-->",
            Self::Cdata => "]]>",
            Self::Instruction => "?>",
            Self::DoubleQuote => "\"",
            Self::SingleQuote => "'",
            Self::Bracket => "]",
        }
    }
}

pub(super) struct Tokens<'a> {
    text: &'a str,
    at: usize,
    /// Which ends have turned out not to come any more.
    missing: [bool; 6],
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, missing: [false; 6] }
    }

    /// Where the next token begins.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Takes so many bytes.
    fn take(&mut self, length: usize) -> &'a str {
        let taken = &self.text[self.at..self.at + length];
        self.at += length;
        taken
    }

    /// Takes everything before `end`, and `end`; `None` when it does not come any more.
    fn take_until(&mut self, end: End) -> Option<&'a str> {
        let length = self.find(end, self.at)?;
        let taken = self.take(length);
        self.at += end.text().len();
        Some(taken)
    }

    /// How far from `from` an end is. Once it was searched for in vain it is not searched for again.
    fn find(&mut self, end: End, from: usize) -> Option<usize> {
        let missing = &mut self.missing[end as usize];
        if *missing {
            return None;
        }
        let found = memmem::find(&self.text.as_bytes()[from..], end.text().as_bytes());
        *missing = found.is_none();
        found
    }

    /// Text up to the next thing that begins like a tag.
    fn text(&mut self) -> Token<'a> {
        let bytes = self.rest().as_bytes();
        let mut length = 0;
        // The first byte is no tag, or this would not be asked.
        let mut from = 1.min(bytes.len());
        loop {
            match memchr::memchr(b'<', &bytes[from..]) {
                Some(at) if begins_tag(&bytes[from + at..]) => {
                    length += from + at;
                    break;
                }
                Some(at) => from += at + 1,
                None => {
                    length = bytes.len();
                    break;
                }
            }
        }
        Token::Text(self.take(length))
    }

    fn special(&mut self) -> Token<'a> {
        let rest = self.rest();
        if rest.starts_with("<!--") {
            self.at += 4;
            return match self.take_until(End::Comment) {
                Some(_) => Token::Other,
                None => self.bogus(),
            };
        }
        if rest.starts_with("<![CDATA[") {
            self.at += 9;
            return Token::Cdata(self.cdata());
        }
        if rest.starts_with("<?") {
            self.at += 2;
            return match self.take_until(End::Instruction) {
                Some(_) => Token::Other,
                None => self.bogus(),
            };
        }
        if rest.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("<!doctype")) {
            self.at += 9;
            return self.doctype();
        }
        self.bogus()
    }

    fn cdata(&mut self) -> &'a str {
        if let Some(text) = self.take_until(End::Cdata) {
            return text;
        }
        // It is cut off, or its end is misspelt: then the entry ends it.
        let rest = self.rest();
        let ends = ["</item>", "</entry>"].map(|end| memmem::find(rest.as_bytes(), end.as_bytes()));
        self.take(ends.into_iter().flatten().min().unwrap_or(rest.len()))
    }

    fn doctype(&mut self) -> Token<'a> {
        let bytes = self.rest().as_bytes();
        let has_entities = memchr::memchr2(b'[', b'>', bytes).is_some_and(|at| bytes[at] == b'[');
        if has_entities && let Some(inside) = self.take_until(End::Bracket) {
            self.bogus();
            return Token::Doctype(inside);
        }
        self.bogus()
    }

    /// Everything up to `>`, or to the next `<` if that comes first.
    fn bogus(&mut self) -> Token<'a> {
        let bytes = self.rest().as_bytes();
        match memchr::memchr2(b'>', b'<', bytes.get(1..).unwrap_or_default()) {
            Some(at) if bytes[at + 1] == b'>' => self.at += at + 2,
            Some(at) => self.at += at + 1,
            None => self.at = self.text.len(),
        }
        Token::Other
    }

    fn end_tag(&mut self) -> Token<'a> {
        self.at += 2;
        let length = name_length(self.rest());
        let name = self.take(length);
        let bytes = self.rest().as_bytes();
        match memchr::memchr2(b'>', b'<', bytes) {
            Some(at) if bytes[at] == b'>' => self.at += at + 1,
            Some(at) => self.at += at,
            None => self.at = self.text.len(),
        }
        Token::End { name }
    }

    fn start_tag(&mut self) -> Token<'a> {
        self.at += 1;
        let length = name_length(self.rest());
        let name = self.take(length);
        let begin = self.at;
        let end = self.tag_end();
        let attributes = self.text[begin..end].trim();
        let without_slash = attributes.strip_suffix('/');
        // In `<a href=/x/>` the slash belongs to the value.
        let is_empty = without_slash.is_some_and(|before| !is_unquoted_value(before));
        let attributes = if is_empty { without_slash.unwrap_or(attributes).trim_end() } else { attributes };
        Token::Start { name, attributes, is_empty }
    }

    /// Moves behind the tag, and gives where its attributes end.
    fn tag_end(&mut self) -> usize {
        let bytes = self.text.as_bytes();
        let mut follows_equals = false;
        let mut at = self.at;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'>' => {
                    self.at = at + 1;
                    return at;
                }
                // The tag was never ended.
                b'<' => {
                    self.at = at;
                    return at;
                }
                b'"' | b'\'' if follows_equals => match self.quoted(at, *byte) {
                    Ok(behind) => at = behind,
                    Err(end) => {
                        self.at = (end + 1).min(bytes.len());
                        return end;
                    }
                },
                _ => at += 1,
            }
            follows_equals = bytes[at - 1] == b'=' || (follows_equals && bytes[at - 1].is_ascii_whitespace());
        }
        self.at = bytes.len();
        bytes.len()
    }

    /// Behind the closing quote; or, when the quote is never closed, where the tag ends.
    fn quoted(&mut self, at: usize, quote: u8) -> Result<usize, usize> {
        let inside = &self.text.as_bytes()[at + 1..];
        let close = self.find(if quote == b'"' { End::DoubleQuote } else { End::SingleQuote }, at + 1);
        let value = close.map_or(inside, |close| &inside[..close]);
        let tag_ends = memchr::memchr2(b'<', b'>', value).filter(|end| value[*end] == b'>');
        match (close, tag_ends) {
            (Some(close), None) => Ok(at + 1 + close + 1),
            // A value with a whole tag in it, and a `>` before any `<`, has run over the end of its own tag.
            (Some(close), Some(_)) if memchr::memchr(b'<', value).is_none() => Ok(at + 1 + close + 1),
            (_, Some(end)) => Err(at + 1 + end),
            (None, None) => Err(at + 1 + memchr::memchr(b'<', value).unwrap_or(value.len())),
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let bytes = self.rest().as_bytes();
        if bytes.is_empty() {
            return None;
        }
        if !begins_tag(bytes) {
            return Some(self.text());
        }
        Some(match bytes[1] {
            b'/' => self.end_tag(),
            b'!' | b'?' => self.special(),
            _ => self.start_tag(),
        })
    }
}

fn begins_tag(bytes: &[u8]) -> bool {
    match bytes {
        [b'<', b'!' | b'?', ..] => true,
        [b'<', b'/', next, ..] | [b'<', next, ..] => next.is_ascii_alphabetic() || *next == b'_' || !next.is_ascii(),
        _ => false,
    }
}

fn name_length(rest: &str) -> usize {
    let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>' | b'<' | b'=' | b'"' | b'\'');
    rest.as_bytes().iter().position(ends).unwrap_or(rest.len())
}

fn is_unquoted_value(before_slash: &str) -> bool {
    let last = before_slash.rsplit(|letter: char| letter.is_ascii_whitespace()).next().unwrap_or_default();
    last.contains('=') && !last.ends_with(['"', '\''])
}

/// Attributes that are looked at; an element with more has no sense that would be lost.
const ATTRIBUTES: usize = 200;

/// Names and raw values, in order: unquoted values and names without a value too.
pub(super) fn attributes(raw: &str) -> impl Iterator<Item = (&str, &str)> {
    Attributes { rest: raw }.take(ATTRIBUTES)
}

/// The raw value of the first attribute of that name.
pub(super) fn attribute<'a>(raw: &'a str, name: &str) -> Option<&'a str> {
    attributes(raw).find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

struct Attributes<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let is_noise = |letter: char| letter.is_ascii_whitespace() || matches!(letter, '"' | '\'' | '=' | '/');
        let rest = self.rest.trim_start_matches(is_noise);
        if rest.is_empty() {
            return None;
        }
        let end = rest.find(|letter: char| letter.is_ascii_whitespace() || letter == '=').unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let Some(value) = after.trim_start().strip_prefix('=') else {
            self.rest = after;
            return Some((name, ""));
        };
        let value = value.trim_start();
        let (value, rest) = match value.as_bytes().first() {
            Some(quote @ (b'"' | b'\'')) => {
                let inside = &value[1..];
                inside.split_once(char::from(*quote)).unwrap_or((inside, ""))
            }
            _ => value.split_at(value.find(|letter: char| letter.is_ascii_whitespace()).unwrap_or(value.len())),
        };
        self.rest = rest;
        Some((name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let pieces = Tokens::new(text).map(|token| match token {
            Token::Start { name, attributes, is_empty } => {
                let list: Vec<String> =
                    super::attributes(attributes).map(|(name, value)| format!(" {name}={value}")).collect();
                format!("<{name}{}{}>", list.concat(), if is_empty { "/" } else { "" })
            }
            Token::End { name } => format!("</{name}>"),
            Token::Text(text) => format!("[{text}]"),
            Token::Cdata(text) => format!("C[{text}]"),
            Token::Doctype(text) => format!("D[{text}]"),
            Token::Other => "-".to_owned(),
        });
        pieces.collect()
    }

    #[test]
    fn every_document_has_tokens() {
        for (text, expected) in [
            ("<a b='1' c=\"2\">x</a>", "<a b=1 c=2>[x]</a>"),
            ("<a b=1 c d = 'e'/>", "<a b=1 c= d=e/>"),
            ("<a href=/x/>", "<a href=/x/>"),
            ("1 < 2, a<3 and <- so", "[1 < 2, a<3 and <- so]"),
            ("a<b", "[a]<b>"),
            ("<!-- a > b -->x<!-- never", "-[x]-"),
            ("<![CDATA[a ]] > b]]>c", "C[a ]] > b][c]"),
            ("<![CDATA[cut</item><b>", "C[cut]</item><b>"),
            ("<!DOCTYPE rss [<!ENTITY a \"b\">]><rss>", "D[ rss [<!ENTITY a \"b\">]<rss>"),
            ("<?xml version='1.0'?>x<?php", "-[x]-"),
            // A quote that is never closed ends with its tag.
            ("<a b=\"1>x</a><c d=\"2\">", "<a b=1>[x]</a><c d=2>"),
            ("<a b=\"1 > 0\">x", "<a b=1 > 0>[x]"),
            ("<a b=\"<i>\">x", "<a b=<i>>[x]"),
            ("<a <b>x", "<a><b>[x]"),
            ("</a", "</a>"),
            ("<", "[<]"),
            ("", ""),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }
}
