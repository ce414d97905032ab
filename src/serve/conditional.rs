//! Has the reader got this already? RFC 9110 §13.

use axum::http::HeaderMap;
use axum::http::header::{IF_MODIFIED_SINCE, IF_NONE_MATCH};

use crate::model::Timestamp;
use crate::published::representation::Representation;

/// Whether 304 is the answer. If-None-Match wins over If-Modified-Since (§13.2.2). A tag of any coding names the document.
pub(super) fn is_current(headers: &HeaderMap, representation: &Representation) -> bool {
    if headers.contains_key(IF_NONE_MATCH) {
        let held = headers.get_all(IF_NONE_MATCH).iter();
        return held
            .filter_map(|value| value.to_str().ok())
            .any(|value| names(value, |tag| representation.has_tag(tag)));
    }
    let since = headers.get(IF_MODIFIED_SINCE).and_then(|value| value.to_str().ok());
    since.is_some_and(|since| is_unmodified(since, representation.last_modified))
}

/// Weak comparison (§8.8.3.2) with a list of tags. A tag never holds a quote, so a list can be split at them; unquoted tags, which
/// some readers send, are taken as they are.
fn names(list: &str, mut is_ours: impl FnMut(&str) -> bool) -> bool {
    if list.trim() == "*" {
        return true;
    }
    let mut rest = list;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        rest = rest.strip_prefix("W/").unwrap_or(rest);
        if rest.is_empty() {
            return false;
        }
        let (tag, after) = match rest.strip_prefix('"') {
            Some(inside) => inside.split_once('"').unwrap_or((inside, "")),
            None => rest.split_once(',').unwrap_or((rest, "")),
        };
        if is_ours(tag.trim()) {
            return true;
        }
        rest = after;
    }
}

/// The tags of a list, without quotes.
pub(super) fn tags(list: &str) -> Vec<String> {
    let mut tags = Vec::new();
    names(list, |tag| {
        tags.push(tag.to_owned());
        false
    });
    tags
}

/// Dates of HTTP know no fractions of seconds.
fn is_unmodified(since: &str, last_modified: Timestamp) -> bool {
    let Ok(since) = httpdate::parse_http_date(since.trim()) else { return false };
    last_modified.timestamp() <= Timestamp::from(since).timestamp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_tag_is_recognised() {
        let is_ours = |tag: &str| ["abc", "abc-gz"].contains(&tag);
        for list in [
            "\"abc\"",
            "W/\"abc\"",
            "\"abc-gz\"",
            "*",
            " * ",
            "\"x\", \"abc\"",
            "\"x\",W/\"abc-gz\" ",
            "abc",
            "x, abc",
            "\"a,b\", \"abc\"",
            "\"abc",
        ] {
            assert!(names(list, is_ours), "{list}");
        }
        for list in ["", "\"\"", "\"ab\"", "\"abcd\"", "w/\"x\"", ",,,", "\"x\" \"y\"", "**"] {
            assert!(!names(list, is_ours), "{list}");
        }
    }

    #[test]
    fn dates_are_compared_by_the_second() {
        let changed = chrono::DateTime::parse_from_rfc3339("2026-11-01T10:00:00.900Z").unwrap().to_utc();
        for (since, expected) in [
            ("Sun, 01 Nov 2026 10:00:00 GMT", true),
            ("Sunday, 01-Nov-26 10:00:00 GMT", true),
            ("Sun Nov  1 10:00:00 2026", true),
            ("Sun, 01 Nov 2026 10:00:01 GMT", true),
            ("Sun, 01 Nov 2026 09:59:59 GMT", false),
            ("yesterday", false),
        ] {
            assert_eq!(is_unmodified(since, changed), expected, "{since}");
        }
    }
}
