//! What pages of other sites may read (the Fetch standard, §3.3): whatever everybody may read, and nothing else.

use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

/// Beside those that are always told (Last-Modified, Content-Type and the like).
const TOLD: HeaderValue = HeaderValue::from_static("ETag, Link, Content-Location, Retry-After");

/// Lets pages of other sites read the answer. Their users' passwords are never part of it.
pub(super) fn open(fields: &mut HeaderMap) {
    fields.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
}

/// Lets them read its headers, too.
pub(super) fn tell(fields: &mut HeaderMap) {
    fields.insert(ACCESS_CONTROL_EXPOSE_HEADERS, TOLD);
}

pub(super) fn close(fields: &mut HeaderMap) {
    fields.remove(ACCESS_CONTROL_ALLOW_ORIGIN);
    fields.remove(ACCESS_CONTROL_EXPOSE_HEADERS);
}

/// The answer to OPTIONS: a browser asks before it sends If-None-Match for a page of another site.
pub(super) fn preflight(is_open: bool) -> Response {
    let mut response = (StatusCode::NO_CONTENT, [(ALLOW, "GET, HEAD, OPTIONS")]).into_response();
    if is_open {
        let fields = response.headers_mut();
        fields.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        fields.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD"));
        let asked = "If-None-Match, If-Modified-Since, Cache-Control, Pragma, A-IM, User-Agent";
        fields.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(asked));
        fields.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    }
    response
}
