//! What an answer's headers mean for the next request.

use std::time::Duration;

use reqwest::header::{AGE, CACHE_CONTROL, DATE, ETAG, EXPIRES, HeaderMap, HeaderName, LAST_MODIFIED, RETRY_AFTER};
use url::Url;

use crate::fetch::answer::{Hints, RetryAfter};
use crate::model::source::Validators;

/// Longest that a header can ask for. More is a mistake, and arithmetic stays safe.
const LONGEST: u64 = 366 * 24 * 3600;

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

pub(super) fn validators(headers: &HeaderMap, url: &Url) -> Validators {
    let bytes = |name: HeaderName| headers.get(name).map(|value| value.as_bytes().to_vec());
    Validators { url: Some(url.clone()), etag: bytes(ETAG), last_modified: bytes(LAST_MODIFIED) }
}

/// max-age less Age (RFC 9111 §4.2.3), else Expires less Date, so that a wrong clock here does not matter.
pub(super) fn hints(headers: &HeaderMap) -> Hints {
    let directives = headers
        .get_all(CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let max_age = directives.filter_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        let is_max_age = name.trim().eq_ignore_ascii_case("max-age");
        is_max_age.then(|| value.trim().trim_matches('"').parse::<u64>().ok()).flatten()
    });
    let seconds = match max_age.min() {
        Some(max_age) => max_age.saturating_sub(text(headers, AGE).and_then(|age| age.parse().ok()).unwrap_or(0)),
        None => expires(headers).unwrap_or(0),
    };
    Hints { max_age: (seconds > 0).then(|| Duration::from_secs(seconds.min(LONGEST))) }
}

fn expires(headers: &HeaderMap) -> Option<u64> {
    let at = |name| httpdate::parse_http_date(text(headers, name)?).ok();
    at(EXPIRES)?.duration_since(at(DATE)?).ok().map(|span| span.as_secs())
}

/// Seconds, or a date in any of the three forms; anything else is none.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<RetryAfter> {
    read_retry_after(text(headers, RETRY_AFTER)?)
}

fn read_retry_after(text: &str) -> Option<RetryAfter> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number that does not fit means "for ever".
        let seconds = text.parse::<u64>().unwrap_or(LONGEST).min(LONGEST);
        return Some(RetryAfter::After(Duration::from_secs(seconds)));
    }
    httpdate::parse_http_date(text).ok().map(|at| RetryAfter::At(at.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn max_age(pairs: &[(&'static str, &'static str)]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        hints(&headers).max_age.map(|age| age.as_secs())
    }

    #[test]
    fn freshness_is_read_in_every_spelling() {
        assert_eq!(max_age(&[]), None);
        assert_eq!(max_age(&[("cache-control", "max-age=600")]), Some(600));
        assert_eq!(max_age(&[("cache-control", "public, MAX-AGE=\"600\"")]), Some(600));
        assert_eq!(max_age(&[("cache-control", "max-age=900"), ("cache-control", "max-age=600")]), Some(600));
        assert_eq!(max_age(&[("cache-control", "s-maxage=600")]), None);
        assert_eq!(max_age(&[("cache-control", "max-age=3600"), ("age", "3000")]), Some(600));
        assert_eq!(max_age(&[("cache-control", "max-age=60"), ("age", "3000")]), None);
        assert_eq!(max_age(&[("cache-control", "no-store, max-age=0")]), None);
        assert_eq!(max_age(&[("cache-control", "max-age=99999999999")]), Some(LONGEST));
        let (date, expires) = (("date", "Sun, 01 Nov 2026 10:00:00 GMT"), ("expires", "Sun, 01 Nov 2026 11:00:00 GMT"));
        assert_eq!(max_age(&[date, expires]), Some(3600));
        assert_eq!(max_age(&[date, expires, ("cache-control", "max-age=60")]), Some(60));
        assert_eq!(max_age(&[date, ("expires", "0")]), None);
    }

    #[test]
    fn retry_after_is_read_in_every_form() {
        let after = |seconds| Some(RetryAfter::After(Duration::from_secs(seconds)));
        let at = |text: &str| chrono::DateTime::parse_from_rfc3339(text).ok().map(|at| RetryAfter::At(at.to_utc()));
        for (text, expected) in [
            ("120", after(120)),
            ("0", after(0)),
            ("86400", after(86_400)),
            ("1000000000000000000000000000000", after(LONGEST)),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
            ("Sun, 06 Nov 1994 08:49:37 GMT", at("1994-11-06T08:49:37Z")),
            ("Sunday, 06-Nov-94 08:49:37 GMT", at("1994-11-06T08:49:37Z")),
            ("Sun Nov  6 08:49:37 1994", at("1994-11-06T08:49:37Z")),
        ] {
            assert_eq!(read_retry_after(text), expected, "{text}");
        }
    }
}
