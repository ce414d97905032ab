//! What a document is said to be: by the server, or by its own XML declaration.

use std::fmt;

use encoding_rs::{Encoding, X_USER_DEFINED};

/// No label of an encoding is longer.
const LABEL: usize = 40;

pub(super) struct Claim {
    pub(super) encoding: &'static Encoding,
    label: String,
    is_by_server: bool,
}

/// The beginning of a sentence.
impl fmt::Display for Claim {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (by, label) = (if self.is_by_server { "the server says" } else { "declared" }, &self.label);
        write!(formatter, "{by} {label}")
    }
}

/// RFC 7303 §3: the server's word goes before the declaration, and says nothing without a charset. A label that is not in WHATWG's
/// table is no claim.
pub(super) fn find(bytes: &[u8], content_type: Option<&str>, notes: &mut Vec<String>) -> Option<Claim> {
    let by_server = content_type.and_then(charset).map(|label| (label, true));
    let own = || declared(bytes).map(|label| (label, false));
    let mut labels = by_server.into_iter().chain(std::iter::from_fn(own).take(1));
    labels.find_map(|(label, is_by_server)| {
        let encoding = Encoding::for_label_no_replacement(label.as_bytes()).filter(|known| *known != X_USER_DEFINED);
        if encoding.is_none() {
            notes.push(format!("there is no encoding `{label}`"));
        }
        Some(Claim { encoding: encoding?, label: label.to_owned(), is_by_server })
    })
}

fn charset(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("charset") { label(value.as_bytes()) } else { None }
    })
}

/// A label in quotes of any kind, or in none.
fn label(value: &[u8]) -> Option<&str> {
    let is_quote = |byte: &u8| matches!(byte, b'"' | b'\'');
    let value = value.trim_ascii();
    let quoted = value.split_first().filter(|(first, _)| is_quote(first)).map(|(_, quoted)| quoted);
    let inner = quoted.map_or(value, |quoted| quoted.split(is_quote).next().unwrap_or(quoted));
    let start = inner.iter().position(u8::is_ascii_alphanumeric)?;
    let label =
        inner[start..].iter().take(LABEL).take_while(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte));
    std::str::from_utf8(&inner[start..start + label.count()]).ok()
}

/// The label in the XML declaration, which stands at the start or behind blanks, junk, comments and instructions: before the root.
fn declared(bytes: &[u8]) -> Option<&str> {
    if bytes.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let mut rest = bytes;
    loop {
        rest = &rest[rest.iter().position(|byte| *byte == b'<')?..];
        if is_declaration(rest) {
            let name = b"encoding";
            let declaration = &rest[..declaration_length(rest)];
            let at = declaration.windows(name.len()).position(|bytes| bytes.eq_ignore_ascii_case(name))?;
            return label(declaration[at + name.len()..].trim_ascii_start().strip_prefix(b"=")?);
        }
        let close: &[u8] = match rest {
            [b'<', b'!', b'-', b'-', ..] => b"-->",
            [b'<', b'?' | b'!', ..] => b">",
            _ => return None,
        };
        rest = &rest[rest.windows(close.len()).position(|bytes| bytes == close)?..];
    }
}

/// Whether an XML declaration begins here, and not another instruction as `<?xml-stylesheet`.
pub(super) fn is_declaration(rest: &[u8]) -> bool {
    let (name, behind) = rest.split_at(rest.len().min(5));
    name.eq_ignore_ascii_case(b"<?xml") && behind.first().is_none_or(|byte| byte.is_ascii_whitespace() || *byte == b'?')
}

/// A declaration ends at its first `>`, whether there is a `?` before it or not, or before the next tag.
pub(super) fn declaration_length(rest: &[u8]) -> usize {
    let end = rest.iter().skip(1).position(|byte| matches!(byte, b'<' | b'>')).map_or(rest.len(), |at| at + 1);
    if rest.get(end) == Some(&b'>') { end + 1 } else { end }
}
