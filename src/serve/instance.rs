//! Readers who ask for what is new alone: `A-IM: feed` (RFC 3229).

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LAST_MODIFIED, USER_AGENT, VARY};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use bytes::Bytes;

use crate::published::changes::Changes;
use crate::published::representation::Representation;
use crate::serve::conditional;
use crate::serve::represent::{joined, shared};

/// Which manipulations a reader takes, and which one was made.
pub(super) const A_IM: HeaderName = HeaderName::from_static("a-im");
const IM: HeaderName = HeaderName::from_static("im");

/// What an answer to such a request depends on.
const VARIES: HeaderValue = HeaderValue::from_static("A-IM, If-None-Match, Accept-Encoding");

/// The same of an address without a suffix.
const VARIES_BY_FORMAT: HeaderValue = HeaderValue::from_static("A-IM, If-None-Match, Accept, Accept-Encoding");

/// A shared cache that does not know 226 must not take a part for the whole; one that does may keep it (RFC 3229 §10.8).
const CACHE: HeaderValue = HeaderValue::from_static("no-store, im");

/// Libraries that ask for changes in the name of every program that uses them. Some of these programs (rss2email) take 226 for a failure,
/// and everything new would be lost to them. By the beginning of `User-Agent`.
const UNAWARE: &[&str] = &["feedparser", "UniversalFeedParser"];

/// What is new since a document that the reader names; `None` when the whole one is the answer, or none.
pub(super) fn changed(
    changes: &Changes,
    representation: &Representation,
    headers: &HeaderMap,
    vary: &'static str,
) -> Option<Response<Bytes>> {
    if !takes_feed(&joined(headers, &A_IM)) || is_unaware(headers) {
        return None;
    }
    let tags = conditional::tags(&joined(headers, &IF_NONE_MATCH));
    let is_current = conditional::is_current(headers, representation);
    // Also what is sent as a whole, or is held already, is what the next request may name.
    let body = changes.since(representation, &tags).filter(|_| !is_current)?;
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::IM_USED;
    let fields = response.headers_mut();
    fields.insert(IM, HeaderValue::from_static("feed"));
    fields.insert(ETAG, shared(&representation.identity.etag));
    fields.insert(LAST_MODIFIED, shared(&representation.last_modified_date));
    fields.insert(CONTENT_TYPE, HeaderValue::from_static(representation.media_type));
    fields.insert(CACHE_CONTROL, CACHE);
    fields.insert(VARY, HeaderValue::from_static(vary));
    mark(fields);
    Some(response)
}

fn is_unaware(headers: &HeaderMap) -> bool {
    let program = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    UNAWARE.iter().any(|name| program.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)))
}

/// Says of the whole document, or of 304, that a part could have been the answer.
pub(super) fn mark(headers: &mut HeaderMap) {
    let varies = match headers.get(VARY) {
        Some(vary) if vary.as_bytes().starts_with(b"Accept,") => VARIES_BY_FORMAT,
        _ => VARIES,
    };
    headers.insert(VARY, varies);
}

/// A list of names, each perhaps with a quality (RFC 3229 §10.5.3).
fn takes_feed(list: &str) -> bool {
    list.split(',').any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let is_feed = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("feed"));
        let quality = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        is_feed && quality.is_none_or(|quality| quality.parse::<f32>().is_ok_and(|quality| quality > 0.0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_ask_for_changes_without_knowing_it_get_the_whole() {
        for (program, expected) in [
            ("feedparser/6.0.11 +https://github.com/kurtmckee/feedparser/", true),
            ("UniversalFeedParser/5.2.1", true),
            ("feed", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(USER_AGENT, HeaderValue::from_static(program))]);
            assert_eq!(is_unaware(&headers), expected, "{program}");
        }
    }

    #[test]
    fn a_reader_says_whether_it_takes_changes() {
        for list in ["feed", "FEED", "vcdiff, feed", "feed;q=0.5", "feed ; q=1, gzip"] {
            assert!(takes_feed(list), "{list}");
        }
        for list in ["", "vcdiff", "feed;q=0", "feed;q=0.0, gzip", "feeds", "identity"] {
            assert!(!takes_feed(list), "{list}");
        }
    }
}
