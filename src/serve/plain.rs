//! Answers in plain text, for whoever typed an address.

use axum::http::StatusCode;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};

pub(super) fn answer(status: StatusCode, text: &str) -> Response {
    (status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{text}\n")).into_response()
}

pub(super) fn wrong_method() -> Response {
    ([(ALLOW, "GET, HEAD")], answer(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here"))
        .into_response()
}

pub(super) fn busy() -> Response {
    let text = "too busy for this question; ask again in a few seconds";
    ([(RETRY_AFTER, "5")], answer(StatusCode::SERVICE_UNAVAILABLE, text)).into_response()
}

pub(super) fn failed() -> Response {
    answer(StatusCode::INTERNAL_SERVER_ERROR, "the store cannot be read; the log says why")
}

pub(super) fn unknown() -> Response {
    let text = "there is nothing at this address; there are /, /all.atom, /topics/TOPIC.atom, /sources/SOURCE.atom \
                (also .rss and .json, with ?q=…), /entries/ID, /entries?url=…, /opml, /sources.opml, /healthz, /readyz and /metrics";
    answer(StatusCode::NOT_FOUND, text)
}
