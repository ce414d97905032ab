//! What a document is that is no feed.

use crate::parse::NotAFeed;

pub(super) fn no_feed(text: &str) -> NotAFeed {
    let start: String = text.chars().take(2_000).collect::<String>().to_lowercase();
    if start.contains("<!doctype html") || start.contains("<html") {
        return NotAFeed::new("this is a web page, not a feed; look for the feed's own address on the page");
    }
    if !start.contains('<') {
        return NotAFeed::new("this is neither XML nor JSON");
    }
    NotAFeed::new("the XML is no feed that can be read (no known root element)")
}
