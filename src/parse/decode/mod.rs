//! Bytes → text, by the order of precedence that real documents need: a byte order mark, zero bytes, the HTTP charset, the XML
//! declaration, UTF-8, and at last what the bytes look like. (RFC 7303 §3; XML 1.0 appendix F.)
//!
//! A claim that the bytes contradict loses: text in a single-byte charset practically never is valid UTF-8 by accident, and what could
//! be read as ASCII is not UTF-16. UTF-7 and its like are never guessed: they hide markup.

mod claim;
mod clean;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use claim::Claim;

/// Text without byte order mark, XML declaration and characters that XML forbids, and what had to be done to it. Plain UTF-8 is
/// borrowed.
pub(super) struct Decoded<'b> {
    pub(super) text: Cow<'b, str>,
    /// A short sentence for each oddity.
    pub(super) notes: Vec<String>,
}

/// How much of a text is looked at to guess its encoding, from its first letter beyond ASCII: guessing costs far more than decoding.
const SAMPLE: usize = 512 * 1024;

/// Never fails: bytes that mean nothing are replaced, and the notes say how many.
pub(super) fn decode<'b>(bytes: &'b [u8], content_type: Option<&str>) -> Decoded<'b> {
    let mut notes = Vec::new();
    let text = text(bytes, content_type, &mut notes);
    Decoded { text: clean::clean(text, &mut notes), notes }
}

/// What windows-1252 means by a byte from 0x80; WHATWG gives the five unused ones to the controls of the same number.
pub(super) fn windows_1252(byte: u8) -> char {
    match byte {
        0x80..=0x9f => HIGH[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

/// Where windows-1252 differs from the first 256 characters of Unicode.
pub(super) const HIGH: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

fn text<'b>(bytes: &'b [u8], content_type: Option<&str>, notes: &mut Vec<String>) -> Cow<'b, str> {
    if let Some(text) = wide(bytes, notes) {
        return text;
    }
    if let Some(bytes) = bytes.strip_prefix(b"\xef\xbb\xbf") {
        return utf8(bytes, notes);
    }
    let claim = claim::find(bytes, content_type, notes);
    let valid = std::str::from_utf8(bytes).ok();
    match (claim, valid) {
        (Some(claim), _) if claim.encoding == UTF_16LE || claim.encoding == UTF_16BE => {
            notes.push(format!("{claim}, but this is not UTF-16"));
            valid.map_or_else(|| unclaimed(bytes, notes), Cow::Borrowed)
        }
        (None, Some(text)) => Cow::Borrowed(text),
        (None, None) => unclaimed(bytes, notes),
        (Some(claim), _) if claim.encoding == UTF_8 => utf8(bytes, notes),
        (Some(claim), Some(text)) if claim.encoding.is_single_byte() => {
            if !text.is_ascii() {
                notes.push(format!("{claim}, but the text is UTF-8"));
            }
            Cow::Borrowed(text)
        }
        (Some(claim), valid) => claimed(bytes, &claim, valid, notes),
    }
}

/// UTF-16 and UTF-32, which show themselves by their mark or by the zero bytes of their first characters.
fn wide<'b>(bytes: &'b [u8], notes: &mut Vec<String>) -> Option<Cow<'b, str>> {
    // UTF-32 comes first: its mark begins with that of UTF-16.
    let unmarked = match bytes {
        [0, 0, 0xfe, 0xff, bytes @ ..] => return Some(utf32(bytes, u32::from_be_bytes, notes)),
        [0xff, 0xfe, 0, 0, bytes @ ..] => return Some(utf32(bytes, u32::from_le_bytes, notes)),
        [0xfe, 0xff, bytes @ ..] => return Some(legacy(bytes, UTF_16BE, notes)),
        [0xff, 0xfe, bytes @ ..] => return Some(legacy(bytes, UTF_16LE, notes)),
        [0, 0, 0, 1..=0x7f, ..] => ("UTF-32BE", utf32(bytes, u32::from_be_bytes, notes)),
        [1..=0x7f, 0, 0, 0, ..] => ("UTF-32LE", utf32(bytes, u32::from_le_bytes, notes)),
        [0, 1..=0x7f, 0, _, ..] => ("UTF-16BE", legacy(bytes, UTF_16BE, notes)),
        [1..=0x7f, 0, _, 0, ..] => ("UTF-16LE", legacy(bytes, UTF_16LE, notes)),
        _ => return None,
    };
    let (name, text) = unmarked;
    notes.push(format!("it is {name}, by its zero bytes, without a byte order mark"));
    Some(text)
}

fn utf32<'b>(bytes: &[u8], unit: fn([u8; 4]) -> u32, notes: &mut Vec<String>) -> Cow<'b, str> {
    let (units, rest) = bytes.as_chunks();
    let mut text = String::with_capacity(units.len());
    let mut bad = usize::from(!rest.is_empty());
    for bytes in units {
        let letter = char::from_u32(unit(*bytes));
        bad += usize::from(letter.is_none());
        text.push(letter.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    replaced(bad, "UTF-32", notes);
    Cow::Owned(text)
}

fn legacy<'b>(bytes: &'b [u8], encoding: &'static Encoding, notes: &mut Vec<String>) -> Cow<'b, str> {
    let (text, had_errors) = encoding.decode_without_bom_handling(bytes);
    if had_errors {
        replaced(text.matches(char::REPLACEMENT_CHARACTER).count(), encoding.name(), notes);
    }
    text
}

fn replaced(places: usize, encoding: &str, notes: &mut Vec<String>) {
    if places > 0 {
        notes.push(format!("{places} places are not {encoding} and were replaced by \u{fffd}"));
    }
}

/// A claim of an encoding with letters of several bytes holds if the bytes agree; else UTF-8 does, if they are.
fn claimed<'b>(bytes: &'b [u8], claim: &Claim, valid: Option<&'b str>, notes: &mut Vec<String>) -> Cow<'b, str> {
    let Some(valid) = valid else { return legacy(bytes, claim.encoding, notes) };
    claim.encoding.decode_without_bom_handling_and_without_replacement(bytes).unwrap_or_else(|| {
        notes.push(format!("{claim}, but the text is UTF-8"));
        Cow::Borrowed(valid)
    })
}

/// Only the bad bytes are read as windows-1252: one from a pasted advert must not spoil the whole feed.
fn utf8<'b>(bytes: &'b [u8], notes: &mut Vec<String>) -> Cow<'b, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 16);
    let mut bad = 0_usize;
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().copied().map(windows_1252));
        bad += chunk.invalid().len();
    }
    notes.push(format!("{bad} bytes are not UTF-8 and were read as windows-1252"));
    Cow::Owned(text)
}

/// Bytes that are not UTF-8 and do not say what they are.
fn unclaimed<'b>(bytes: &'b [u8], notes: &mut Vec<String>) -> Cow<'b, str> {
    if is_mostly_utf8(bytes) {
        return utf8(bytes, notes);
    }
    let start = Encoding::ascii_valid_up_to(bytes);
    let end = bytes.len().min(start + SAMPLE);
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(&bytes[start..end], end == bytes.len());
    let encoding = detector.guess(None, Utf8Detection::Deny);
    notes.push(format!("it is not UTF-8 and does not say what it is; it was read as {}", encoding.name()));
    legacy(bytes, encoding, notes)
}

/// UTF-8 with accidents has more letters of several bytes than bad bytes. In other encodings such letters are chance: about one to
/// three bad bytes at most, in Thai.
fn is_mostly_utf8(bytes: &[u8]) -> bool {
    let (mut letters, mut bad) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        letters += chunk.valid().bytes().filter(|byte| *byte >= 0xc0).count();
        bad += chunk.invalid().len();
    }
    letters >= bad
}
