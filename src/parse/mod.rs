//! Bytes → observations. Nothing is decided here, and one bad entry never costs the feed where the reader allows it.
//!
//! ```text
//! bytes ─decode→ text ─(JSON?) json::read
//!                     └(XML)  guard::check ─border::read (feed-rs)→ Parsed
//! ```
//! A tolerant normaliser will stand between `decode` and `border`; nothing else has to change for it.

mod border;
mod dates;
mod decode;
mod finish;
mod guard;
mod json;
mod mojibake;

#[cfg(test)]
mod tests;

pub use dates::read_date;

use url::Url;

use crate::model::Timestamp;
use crate::model::document::Parsed;

/// Why a document is not a feed, in one plain sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct NotAFeed {
    pub what: String,
}

impl NotAFeed {
    fn new(what: impl Into<String>) -> Self {
        Self { what: what.into() }
    }
}

/// Reads a document. `base` is its final address, against which relative links are resolved; `now` is the time of the fetch,
/// beyond which a claimed date is absurd.
///
/// # Errors
/// When it is not a feed. A feed without entries is one.
pub fn parse(bytes: &[u8], content_type: Option<&str>, base: Option<&Url>, now: Timestamp) -> Result<Parsed, NotAFeed> {
    let decoded = decode::decode(bytes, content_type);
    let text = decoded.text.trim_start();
    if text.is_empty() {
        return Err(NotAFeed::new("the document is empty"));
    }
    let mut parsed = if text.starts_with('{') {
        json::read(text, base)?
    } else {
        guard::check(text)?;
        border::read(text, base)?
    };
    parsed.notes.splice(0..0, decoded.notes);
    finish::finish(&mut parsed, now);
    Ok(parsed)
}
