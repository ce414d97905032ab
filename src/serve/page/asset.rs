//! What pages load, from the program itself: the style and the sign. And what robots may read.

use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::RawQuery;
use axum::http::header::{CACHE_CONTROL, IF_MODIFIED_SINCE, LAST_MODIFIED};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse as _, Response};

use crate::model::Timestamp;
use crate::published::representation::Representation;
use crate::serve::represent::represent;

static STYLE: LazyLock<Representation> = LazyLock::new(|| asset("text/css; charset=utf-8", include_str!("style.css")));
static SIGN: LazyLock<Representation> = LazyLock::new(|| asset("image/svg+xml", include_str!("favicon.svg")));
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let tag = String::from_utf8_lossy(&STYLE.identity.etag);
    tag.trim_matches('"').chars().take(12).collect()
});

/// Feeds and their pages are for everybody. Searches are endless, and the page of an entry is work for the store that leads no robot to
/// anything new. Feeds of searches (`/search.atom`) stay allowed, since services that read feeds ask this file, too.
const ROBOTS: &str = "User-agent: *\nDisallow: /search?\nDisallow: /entries\nDisallow: /metrics\n";

fn asset(media_type: &'static str, text: &str) -> Representation {
    Representation::new(media_type, text.as_bytes().to_vec(), Timestamp::UNIX_EPOCH).condensed()
}

/// Of the style; it stands in the address by which pages load it.
pub(super) fn version() -> &'static str {
    &VERSION
}

/// `/style.css`
pub(in crate::serve) async fn style(RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let is_current = query.as_deref().and_then(|query| query.strip_prefix("v=")) == Some(version());
    // What names its version never changes; anything else is asked for again.
    let lasting = if is_current { "public, max-age=31536000, immutable" } else { "public, no-cache" };
    sent(&STYLE, &headers, lasting)
}

/// `/favicon.svg`, and `/favicon.ico` for browsers that look there unasked.
pub(in crate::serve) async fn sign(headers: HeaderMap) -> Response {
    sent(&SIGN, &headers, "public, max-age=86400")
}

/// `/robots.txt`
pub(in crate::serve) async fn robots() -> Response {
    ([("content-type", "text/plain; charset=utf-8"), ("cache-control", "public, max-age=86400")], ROBOTS)
        .into_response()
}

fn sent(asset: &Representation, headers: &HeaderMap, lasting: &'static str) -> Response {
    // A program has no date that could be compared.
    let mut headers = headers.clone();
    headers.remove(IF_MODIFIED_SINCE);
    let mut response = represent(asset, &headers, "Accept-Encoding").map(Body::from);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(lasting));
    response.headers_mut().remove(LAST_MODIFIED);
    response
}
