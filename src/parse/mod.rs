//! Bytes → observations. Nothing is decided here, and one bad entry never costs the feed where the reader allows it.
//!
//! ```text
//! bytes ─decode→ text ─(JSON?) json::read → Parsed
//!                     └(XML)  normalise → plain Atom ─border::read (feed-rs)→ Parsed
//! ```

mod border;
mod dates;
mod decode;
mod finish;
mod json;
mod mojibake;
mod normalise;
mod not_a_feed;
pub mod page;

#[cfg(test)]
mod tests;

pub use dates::read_date;

use url::Url;

use crate::model::Timestamp;
use crate::model::document::Parsed;
use crate::parse::normalise::Normalised;

/// Why a document is not a feed, in one plain sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct NotAFeed {
    pub what: String,
    /// Of a web page: the feeds that it names, the likeliest first.
    pub feeds: Vec<page::Found>,
    /// It is a web page, and none that only stands in the way.
    pub is_page: bool,
}

impl NotAFeed {
    fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), feeds: Vec::new(), is_page: false }
    }
}

/// Reads a document. `base` is its final address, against which relative links are resolved; `now` is the time of the fetch,
/// beyond which a claimed date is absurd.
///
/// # Errors
/// When it is not a feed. A feed without entries is one.
pub fn parse(bytes: &[u8], content_type: Option<&str>, base: Option<&Url>, now: Timestamp) -> Result<Parsed, NotAFeed> {
    let decoded = decode::decode(bytes, content_type);
    let mut parsed = read(decoded.text.trim_start(), base)
        .map_err(|error| not_a_feed::name(bytes, &decoded.text, content_type, base).unwrap_or(error))?;
    parsed.notes.splice(0..0, decoded.notes);
    finish::finish(&mut parsed, now);
    Ok(parsed)
}

fn read(text: &str, base: Option<&Url>) -> Result<Parsed, NotAFeed> {
    if text.is_empty() {
        return Err(NotAFeed::new("the document is empty"));
    }
    if text.starts_with('{') {
        return json::read(text, base);
    }
    border::read(normalise(text, base)?)
}

fn normalise(text: &str, base: Option<&Url>) -> Result<Normalised, NotAFeed> {
    normalise::normalise(text, base).ok_or_else(|| {
        NotAFeed::new(if text.starts_with('<') {
            "the XML is no feed that can be read (no known root element)"
        } else {
            "this is neither XML nor JSON"
        })
    })
}

/// The plain Atom into which a document is rewritten before it is read: for looking at what was understood of it.
///
/// # Errors
/// When it is not a feed of XML.
pub fn normalised(bytes: &[u8], content_type: Option<&str>, base: Option<&Url>) -> Result<String, NotAFeed> {
    let decoded = decode::decode(bytes, content_type);
    let text = decoded.text.trim_start();
    if text.starts_with('{') {
        return Err(NotAFeed::new("JSON is read as it is; only XML is rewritten"));
    }
    let normalised = normalise(text, base)
        .map_err(|error| not_a_feed::name(bytes, &decoded.text, content_type, base).unwrap_or(error))?;
    Ok(normalised.document)
}
