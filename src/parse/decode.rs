//! Bytes → text, by the order of precedence that real documents need: BOM, UTF-16 without one, the HTTP charset, the XML
//! declaration, UTF-8, windows-1252. (RFC 7303 §3; XML 1.0 appendix F.)

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// Text without XML declaration and without characters that XML forbids, and what had to be done to it.
pub(super) struct Decoded {
    pub(super) text: String,
    pub(super) notes: Vec<String>,
}

pub(super) fn decode(bytes: &[u8], content_type: Option<&str>) -> Decoded {
    let mut notes = Vec::new();
    let (encoding, skip) = encoding(bytes, content_type);
    let bytes = &bytes[skip..];
    let text = if encoding == UTF_8 {
        utf8(bytes, &mut notes)
    } else {
        let (text, had_errors) = encoding.decode_without_bom_handling(bytes);
        if had_errors {
            notes.push(format!("some bytes are not {} and were replaced", encoding.name()));
        }
        text.into_owned()
    };
    Decoded { text: without_forbidden(without_declarations(text), &mut notes), notes }
}

fn encoding(bytes: &[u8], content_type: Option<&str>) -> (&'static Encoding, usize) {
    if let Some((encoding, length)) = Encoding::for_bom(bytes) {
        return (encoding, length);
    }
    match bytes {
        [0, b'<', 0, _, ..] => return (UTF_16BE, 0),
        [b'<', 0, _, 0, ..] => return (UTF_16LE, 0),
        _ => {}
    }
    let claimed = content_type
        .and_then(charset)
        .or_else(|| declared(bytes))
        .and_then(|label| Encoding::for_label(label.as_bytes()));
    let is_utf8 = std::str::from_utf8(bytes).is_ok();
    let encoding = match claimed {
        // A declaration that could be read as ASCII cannot mean UTF-16.
        Some(claimed) if claimed == UTF_16LE || claimed == UTF_16BE => UTF_8,
        // Text of a single-byte charset is practically never valid UTF-8 by accident.
        Some(claimed) if claimed.is_single_byte() && is_utf8 => UTF_8,
        Some(claimed) => claimed,
        None => UTF_8,
    };
    (encoding, 0)
}

fn charset(content_type: &str) -> Option<&str> {
    let parameters = content_type.split(';').skip(1);
    let mut charsets = parameters.filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches(['"', '\'']))
    });
    charsets.next()
}

fn declared(bytes: &[u8]) -> Option<&str> {
    let start = std::str::from_utf8(bytes.get(..bytes.len().min(400))?.split(|byte| *byte == b'>').next()?).ok()?;
    let value = start
        .trim_start()
        .strip_prefix("<?xml")?
        .split_once("encoding")?
        .1
        .trim_start()
        .strip_prefix('=')?
        .trim_start();
    value.get(1..)?.split(['"', '\'']).next()
}

/// Only the bad bytes are read as windows-1252: one from a pasted advert must not spoil the whole feed.
fn utf8(bytes: &[u8], notes: &mut Vec<String>) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut bad = 0_usize;
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        bad += chunk.invalid().len();
        text.push_str(&WINDOWS_1252.decode_without_bom_handling(chunk.invalid()).0);
    }
    if bad > 0 {
        notes.push(format!("{bad} bytes are not UTF-8 and were read as windows-1252"));
    }
    text
}

/// The declaration speaks of bytes that are no more; a second one would stop any reader.
fn without_declarations(text: String) -> String {
    if !text.contains("<?xml ") {
        return text;
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("<?xml ") {
        clean.push_str(before);
        let Some((_, behind)) = after.split_once("?>") else {
            rest = after;
            break;
        };
        rest = behind;
    }
    clean.push_str(rest);
    clean
}

fn without_forbidden(text: String, notes: &mut Vec<String>) -> String {
    let is_forbidden = |letter: char| matches!(letter, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    // Bytes are quicker to look at than characters, and nearly every document has none of these.
    let is_control = |byte: u8| byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r');
    let noncharacters = ["\u{fffe}", "\u{ffff}"];
    if !text.bytes().any(is_control) && !noncharacters.iter().any(|letter| text.contains(letter)) {
        return text;
    }
    notes.push("control characters were removed".to_owned());
    text.replace(is_forbidden, "")
}
