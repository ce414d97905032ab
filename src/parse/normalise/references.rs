//! Character references → characters. What is no reference is text; an entity of the document expands once, and all together not
//! beyond a bound, so that a bomb stays a heap of short words.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;

use crate::parse::decode;

/// Entities that a document may declare, and the length of each.
const ENTITIES: usize = 300;
const ENTITY: usize = 500;
/// What all of them may add to a document, in bytes.
const EXPANSION: usize = 1 << 20;
/// The longest name of an entity that is looked for.
const NAME: usize = 40;

/// The references of one document.
#[derive(Default)]
pub(super) struct References {
    own: HashMap<String, String>,
    left: Cell<usize>,
    repaired: Cell<usize>,
}

impl References {
    /// Takes the internal entities from a document type declaration. External ones are never fetched.
    pub(super) fn declare(&mut self, doctype: &str) {
        self.left.set(EXPANSION);
        for declaration in doctype.split("<!ENTITY").skip(1).take(ENTITIES) {
            let declaration = declaration.trim_start();
            let Some((name, value)) = declaration.split_once(|letter: char| letter.is_ascii_whitespace()) else {
                continue;
            };
            let value = value.trim_start();
            let Some(quote) = value.chars().next().filter(|quote| matches!(quote, '"' | '\'')) else { continue };
            let Some((value, _)) = value[1..].split_once(quote) else { continue };
            if value.len() <= ENTITY && !name.is_empty() && name.len() <= NAME && name != "%" {
                // Its references are those of every document: an entity within an entity stays text.
                let value = Self::default().decoded(value).into_owned();
                self.own.entry(name.to_owned()).or_insert(value);
            }
        }
    }

    /// How many references had to be read as text or as something else than they say.
    pub(super) fn repaired(&self) -> usize {
        self.repaired.get()
    }

    /// The text that raw text means.
    pub(super) fn decoded<'a>(&self, raw: &'a str) -> Cow<'a, str> {
        let Some(first) = memchr::memchr(b'&', raw.as_bytes()) else { return Cow::Borrowed(raw) };
        let mut text = String::with_capacity(raw.len());
        text.push_str(&raw[..first]);
        let mut rest = &raw[first..];
        while let Some(inside) = rest.strip_prefix('&') {
            if inside.as_bytes().first().is_none_or(|next| !next.is_ascii_alphanumeric() && *next != b'#') {
                // What cannot be a reference is none.
                self.repaired.set(self.repaired.get() + 1);
                let next = memchr::memchr(b'&', inside.as_bytes()).unwrap_or(inside.len());
                text.push('&');
                text.push_str(&inside[..next]);
                rest = &inside[next..];
                continue;
            }
            let behind = self.expand(inside, &mut text).unwrap_or_else(|| {
                self.repaired.set(self.repaired.get() + 1);
                text.push('&');
                inside
            });
            let next = memchr::memchr(b'&', behind.as_bytes()).unwrap_or(behind.len());
            text.push_str(&behind[..next]);
            rest = &behind[next..];
        }
        Cow::Owned(text)
    }

    /// Writes what the reference that begins here means, and gives what follows it; `None` when it is none.
    fn expand<'a>(&self, inside: &'a str, text: &mut String) -> Option<&'a str> {
        if let Some(number) = inside.strip_prefix('#') {
            let (code, behind) = number_of(number)?;
            match character(code) {
                Some(letter) => text.push(letter),
                None => self.repaired.set(self.repaired.get() + 1),
            }
            return Some(behind);
        }
        let end = inside.bytes().take(NAME).position(|byte| !byte.is_ascii_alphanumeric() && byte != b'_')?;
        let behind = inside[end..].strip_prefix(';')?;
        let name = &inside[..end];
        if let Some(letter) = plain(name) {
            text.push(letter);
            return Some(behind);
        }
        if let Some(value) = self.own.get(name) {
            self.left.set(self.left.get().checked_sub(value.len())?);
            text.push_str(value);
            return Some(behind);
        }
        let reference = format!("&{name};");
        let decoded = html_escape::decode_html_entities(&reference);
        (decoded != reference).then(|| {
            text.push_str(&decoded);
            behind
        })
    }
}

/// The five that XML knows.
fn plain(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => return None,
    })
}

/// The number, with and without its semicolon, and what follows.
fn number_of(text: &str) -> Option<(u32, &str)> {
    let (digits, radix) = text.strip_prefix(['x', 'X']).map_or((text, 10), |digits| (digits, 16));
    let length = digits.bytes().take_while(|byte| char::from(*byte).is_digit(radix)).count();
    if length == 0 {
        return None;
    }
    let (number, behind) = digits.split_at(length);
    // Too large a number is no character, like many smaller ones.
    let code = u32::from_str_radix(number, radix).unwrap_or(u32::MAX);
    Some((code, behind.strip_prefix(';').unwrap_or(behind)))
}

/// The character of a number; 128 to 159 mean windows-1252 to those who write them. `None` for what XML forbids.
fn character(code: u32) -> Option<char> {
    if let (128..=159, Ok(byte)) = (code, u8::try_from(code)) {
        return Some(decode::windows_1252(byte));
    }
    char::from_u32(code).filter(|letter| is_allowed(*letter))
}

fn is_allowed(letter: char) -> bool {
    !matches!(letter, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// Whether raw text without markup says to any reader of XML what it says to [`References::decoded`].
pub(super) fn is_plain(raw: &str) -> bool {
    let bytes = raw.as_bytes();
    let is_known = |at: usize| {
        let end = bytes.len().min(at + 12);
        let Some(length) = memchr::memchr(b';', &bytes[at..end]) else { return false };
        let name = &raw[at + 1..at + length];
        match name.strip_prefix('#') {
            Some(number) if !number.starts_with('X') => number_of(number).is_some_and(|(code, behind)| {
                behind.is_empty() && !(128..=159).contains(&code) && character(code).is_some()
            }),
            _ => plain(name).is_some(),
        }
    };
    !raw.contains("]]>") && memchr::memchr_iter(b'&', bytes).all(is_known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_as_their_writers_meant_them() {
        let mut references = References::default();
        references.declare(
            " rss [ <!ENTITY writer \"Ann &amp; Bob\"> <!ENTITY loop '&writer;&loop;'> <!ENTITY out SYSTEM 'x'> ",
        );
        for (raw, expected) in [
            ("AT&T", "AT&T"),
            ("a=1&b=2", "a=1&b=2"),
            ("&amp;&lt;&gt;&quot;&apos;", "&<>\"'"),
            ("caf&eacute;&nbsp;&hellip;", "café\u{a0}…"),
            ("&#146;&#x92;&#X26;", "’’&"),
            ("&#0;&#x1F;&#55555555555;.", "."),
            ("&#8217 no", "’ no"),
            ("&copy no", "&copy no"),
            ("&#xZZ;", "&#xZZ;"),
            ("&amp;lt;", "&lt;"),
            ("&writer; &loop; &out;", "Ann & Bob &writer;&loop; &out;"),
            ("&", "&"),
            ("é & é", "é & é"),
        ] {
            assert_eq!(references.decoded(raw), expected, "{raw}");
        }
    }

    #[test]
    fn entities_add_no_more_than_their_share() {
        let mut references = References::default();
        references.declare(&format!("<!ENTITY a \"{}\">", "x".repeat(ENTITY)));
        assert!(references.decoded(&"&a;".repeat(100_000)).len() <= EXPANSION + 300_000);
    }

    #[test]
    fn what_every_reader_understands_is_known() {
        for (raw, expected) in
            [("a &amp; b &#233;", true), ("&nbsp;", false), ("&#146;", false), ("a & b", false), ("]]>", false)]
        {
            assert_eq!(is_plain(raw), expected, "{raw}");
        }
    }
}
