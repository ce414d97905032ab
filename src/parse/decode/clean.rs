//! What no reader of XML may see: declarations that speak of bytes that are no more, and characters that XML forbids.

use std::borrow::Cow;

use memchr::memmem;

use crate::parse::decode::claim::{declaration_length, is_declaration};

/// A text without oddities is borrowed on.
pub(super) fn clean<'b>(text: Cow<'b, str>, notes: &mut Vec<String>) -> Cow<'b, str> {
    let body = text.trim_start_matches(|letter: char| letter.is_whitespace() || letter == '\u{feff}');
    let is_json = body.starts_with('{');
    let first = if is_declaration(body.as_bytes()) { declaration_length(body.as_bytes()) } else { 0 };
    let body = &body[first..];
    let has_more = !is_json && body.match_indices("<?xml").any(|(at, _)| is_declaration(&body.as_bytes()[at..]));
    let has_forbidden = has_forbidden(body.as_bytes());
    if !has_more && !has_forbidden {
        let start = text.len() - body.len();
        return match text {
            Cow::Borrowed(text) => Cow::Borrowed(&text[start..]),
            Cow::Owned(mut text) => {
                text.drain(..start);
                Cow::Owned(text)
            }
        };
    }
    let mut clean = if has_more { without_declarations(body) } else { body.to_owned() };
    if has_forbidden {
        let before = clean.len();
        clean.retain(|letter| !is_forbidden(letter));
        let removed = before - clean.len();
        notes.push(format!("{removed} bytes of control characters were removed"));
    }
    Cow::Owned(clean)
}

/// Comments and CDATA keep what looks like a declaration: there it is text.
fn without_declarations(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        clean.push_str(before);
        if is_declaration(tag.as_bytes()) {
            rest = &tag[declaration_length(tag.as_bytes())..];
            continue;
        }
        let close = [("<!--", "-->"), ("<![CDATA[", "]]>")].into_iter().find(|(open, _)| tag.starts_with(open));
        let length = match close {
            Some((_, close)) => tag.find(close).unwrap_or(tag.len()),
            None => 1,
        };
        clean.push_str(&tag[..length]);
        rest = &tag[length..];
    }
    clean.push_str(rest);
    clean
}

/// XML 1.0 §2.2, for what UTF-8 can hold.
fn is_forbidden(letter: char) -> bool {
    matches!(letter, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// As [`is_forbidden`], on bytes: nearly every document has none, and so many bytes are looked at together.
fn has_forbidden(bytes: &[u8]) -> bool {
    let is_control = |byte: u8| byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r');
    let has_control = |chunk: &[u8]| chunk.iter().fold(false, |found, byte| found | is_control(*byte));
    // U+FFFE and U+FFFF are EF BF BE and EF BF BF.
    let is_noncharacter = |at: usize| bytes.get(at + 2).is_some_and(|third| *third >= 0xbe);
    bytes.chunks(4_096).any(has_control) || memmem::find_iter(bytes, b"\xef\xbf").any(is_noncharacter)
}
