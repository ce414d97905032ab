//! A representation → the answer that suits the reader: 200 under a coding that it takes, or 304.

use std::borrow::Cow;

use axum::http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, LAST_MODIFIED, LINK};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use bytes::Bytes;

use crate::published::coding::Coding;
use crate::published::representation::Representation;
use crate::serve::{conditional, cors, negotiate};

/// Readers may keep an answer for a minute, and show an old one when we are away.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=60, stale-if-error=86400");

/// What the document of a feed's address depends on. Readers send no `Sec-Fetch-Dest`: a shared cache keeps one for all of them.
pub(super) const VARY: &str = "Accept-Encoding, Sec-Fetch-Dest";

/// Nothing in here is made for the answer alone: body, tag and date are shared with every other answer.
pub(super) fn represent(representation: &Representation, headers: &HeaderMap, vary: &'static str) -> Response<Bytes> {
    let liked = negotiate::coding(&joined(headers, &ACCEPT_ENCODING), |coding| representation.coded(coding).is_some());
    let (coding, coded) = match representation.coded(liked) {
        Some(coded) => (liked, coded),
        None => (Coding::Identity, &representation.identity),
    };
    let is_current = conditional::is_current(headers, representation);
    let mut response = Response::new(if is_current { Bytes::new() } else { coded.body.clone() });
    let mut fields = HeaderMap::with_capacity(12);
    fields.insert(ETAG, shared(&coded.etag));
    fields.insert(LAST_MODIFIED, shared(&representation.last_modified_date));
    fields.insert(CACHE_CONTROL, CACHE);
    fields.insert(header::VARY, HeaderValue::from_static(vary));
    cors::open(&mut fields);
    // Of what was sent with the whole, 304 repeats what may have changed and nothing else (RFC 9110 §15.4.5).
    if is_current {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        cors::tell(&mut fields);
        fields.insert(CONTENT_TYPE, HeaderValue::from_static(representation.media_type));
        if let Some(link) = &representation.link {
            fields.insert(LINK, shared(link));
        }
        if coding != Coding::Identity {
            fields.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        }
    }
    *response.headers_mut() = fields;
    response
}

/// All values of a header as one list.
pub(super) fn joined<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Cow<'h, str> {
    let mut values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let Some(first) = values.next() else { return Cow::Borrowed("") };
    values.fold(Cow::Borrowed(first), |list, value| Cow::Owned(format!("{list},{value}")))
}

pub(super) fn shared(text: &Bytes) -> HeaderValue {
    HeaderValue::from_maybe_shared(text.clone()).expect("tags, dates and addresses are visible letters")
}
