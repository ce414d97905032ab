//! What must be kept from the reader: nesting on which it would overflow the stack (that cannot be caught), and pages that are not
//! feeds, so that the message says so.

use crate::parse::NotAFeed;

/// Deepest nesting of elements. Feeds need about ten; content is escaped text and does not count.
const DEPTH: usize = 150;

pub(super) fn check(text: &str) -> Result<(), NotAFeed> {
    let start: String = text.chars().take(2_000).collect::<String>().to_lowercase();
    let is_feed = ["<rss", "<feed", "<rdf", ":rdf", "<channel", ":feed"].iter().any(|root| start.contains(root));
    if !is_feed && (start.contains("<!doctype html") || start.contains("<html")) {
        return Err(NotAFeed::new("this is a web page, not a feed; look for the feed's own address on the page"));
    }
    if !start.contains('<') {
        return Err(NotAFeed::new("this is neither XML nor JSON"));
    }
    if depth(text) > DEPTH {
        return Err(NotAFeed::new(format!("its elements are nested more than {DEPTH} deep")));
    }
    Ok(())
}

/// The deepest nesting of tags, counted without looking at names.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let skipped = [("![CDATA[", "]]>"), ("!--", "-->"), ("?", "?>"), ("!", ">")];
        if let Some((open, close)) = skipped.iter().find(|(open, _)| rest.starts_with(open)) {
            rest = rest[open.len()..].split_once(close).map_or("", |(_, after)| after);
            continue;
        }
        let Some(end) = rest.find('>') else { break };
        let tag = &rest[..end];
        if tag.starts_with('/') {
            depth = depth.saturating_sub(1);
        } else if !tag.ends_with('/') {
            depth += 1;
            deepest = deepest.max(depth);
        }
        rest = &rest[end..];
    }
    deepest
}
