//! What browsers are answered with: pages in place of documents, and of refusals in plain text.
//!
//! Each address of a feed has one document (WebSub §4). A browser alone, which says `Sec-Fetch-Mode: navigate` and `Sec-Fetch-Dest:
//! document` when somebody opens an address, is shown a page about it instead; readers, hubs and scripts never say so.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, IF_MODIFIED_SINCE, LAST_MODIFIED, REFERRER_POLICY,
    RETRY_AFTER, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use url::form_urlencoded;

use crate::model::Timestamp;
use crate::model::access::Audience;
use crate::model::feed::{FeedName, Format};
use crate::published::representation::Representation;
use crate::published::request::{FeedRequest, Refusal};
use crate::published::status::Status;
use crate::query;
use crate::serve::access::{self, Reader};
use crate::serve::negotiate::{self, Wanted};
use crate::serve::page::{self, Frame, Shown};
use crate::serve::represent::{joined, represent};
use crate::serve::{Service, cors, feeds, plain};

/// Of pages.
pub(super) const MEDIA_TYPE: &str = "text/html; charset=utf-8";

/// Only browsers send it, with every request.
pub(super) const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Entries of a page unless the reader asks otherwise: fewer than in a document, since a person reads them.
const ENTRIES: usize = 50;

/// How a page came to be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By an address without a suffix.
    Accept,
    /// A browser opened the address of a document.
    Preview(Format),
}

impl Way {
    /// What the answer depends on.
    fn vary(self) -> &'static str {
        match self {
            Self::Accept => "Accept, Accept-Encoding",
            Self::Preview(_) => "Sec-Fetch-Dest, Sec-Fetch-Mode, Accept, Accept-Encoding",
        }
    }
}

/// Whether a page is liked best.
pub(super) fn wants_page(headers: &HeaderMap) -> bool {
    negotiate::wanted(&joined(headers, &ACCEPT)) == Wanted::Page
}

/// Whether somebody opened the address in a browser, and did not ask for the document itself (`raw`).
pub(super) fn is_opened(headers: &HeaderMap, query: Option<&str>) -> bool {
    let says =
        |name: &HeaderName, value: &str| headers.get(name).is_some_and(|found| found.as_bytes() == value.as_bytes());
    says(&SEC_FETCH_DEST, "document")
        && says(&SEC_FETCH_MODE, "navigate")
        && wants_page(headers)
        && !form_urlencoded::parse(query.unwrap_or_default().as_bytes()).any(|(name, _)| name == "raw")
}

/// The page of a feed.
pub(super) async fn feed(
    service: &Service,
    feed: FeedName,
    way: Way,
    query: Option<&str>,
    reader: &Reader,
) -> Response {
    let (format, preview) = match way {
        Way::Accept => (Format::Atom, None),
        Way::Preview(format) => (format, Some(format)),
    };
    let status = status_for(service, reader, Some(&feed));
    let request = match FeedRequest::read(feed.clone(), format, query.unwrap_or_default()) {
        Ok(request) => match reader.grant.request(&service.published.access(), request) {
            Some(request) => request,
            None => return access::unknown(),
        },
        Err(refusal) => return varying(refused(&status, &feed, &refusal), way),
    };
    if let Some(Err(problem)) = request.query.as_deref().map(query::parse) {
        let body = page::bad_query(&status, &request, &problem);
        return varying(told(StatusCode::BAD_REQUEST, body), way);
    }
    let asked = FeedRequest { limit: request.limit.or(Some(ENTRIES)), ..request.clone() };
    match service.door.listing(asked).await {
        Ok(listing) => {
            let body = page::feed(&Shown { status: &status, request: &request, listing: &listing, preview });
            found(body, &reader.headers, way.vary())
        }
        Err(refusal) => varying(refused(&status, &feed, &refusal), way),
    }
}

/// How to search.
pub(super) fn search(service: &Service, reader: &Reader) -> Response {
    found(page::search(&status_for(service, reader, None)), &reader.headers, Way::Accept.vary())
}

/// The state as this reader's pages tell it: with the feed that it was let in to. Its token is on no page; relative links carry it on.
fn status_for(service: &Service, reader: &Reader, feed: Option<&FeedName>) -> Arc<Status> {
    let status = service.published.status();
    if reader.grant.audience == Audience::Public {
        return status;
    }
    let mut own = Status::clone(&status);
    if let Some(feed) = feed {
        own.unlisted.remove(feed);
    }
    Arc::new(own)
}

/// The front page as it was made last.
type Kept = Mutex<Option<(Arc<Status>, Arc<Representation>)>>;

/// Made once for every state of the service.
#[derive(Clone, Default)]
pub(super) struct Front(Arc<Kept>);

impl Front {
    pub(super) fn answer(&self, service: &Service, reader: &Reader) -> Response {
        let status = status_for(service, reader, None);
        if reader.grant.audience == Audience::Full {
            return found(page::front(&status), &reader.headers, "Accept-Encoding");
        }
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let representation = match kept {
            Some((before, representation)) if *before == *status => representation,
            _ => {
                let made = Arc::new(representation(page::front(&status)));
                *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((status, Arc::clone(&made)));
                made
            }
        };
        sent(&representation, &reader.headers, "Accept-Encoding")
    }
}

/// Nothing is at this address.
pub(super) fn unknown(service: &Service, path: &str, headers: &HeaderMap) -> Response {
    if !wants_page(headers) {
        return plain::unknown();
    }
    let root = "../".repeat(path.matches('/').count().saturating_sub(1));
    let text = "There is no page and no feed at this address.";
    missing(&service.published.status(), &root, text, None)
}

/// A word of an address that is no name.
pub(super) fn no_name(service: &Service, root: &str, text: &str) -> Response {
    missing(&service.published.status(), root, text, None)
}

fn missing(status: &Status, root: &str, text: &str, near: Option<String>) -> Response {
    let mut ways: Vec<_> =
        near.map(|near| (format!("{root}{near}"), format!("Did you mean {near}?"))).into_iter().collect();
    ways.push((format!("{root}./"), "All feeds".to_owned()));
    told(StatusCode::NOT_FOUND, page::notice(Frame::new(status, root), "Not here", text, ways))
}

/// What is refused to a feed's page.
fn refused(status: &Status, feed: &FeedName, refusal: &Refusal) -> Response {
    let root = page::root(feed);
    let notice = |code, heading: &str, text: &str| {
        let ways = vec![(format!("{root}./"), "All feeds".to_owned())];
        told(code, page::notice(Frame::new(status, root), heading, text, ways))
    };
    match refusal {
        Refusal::Gone(what) => notice(StatusCode::GONE, "Gone", what),
        Refusal::NotFound(_) => {
            missing(status, root, &format!("There is no feed {feed}."), feeds::nearest(feed, status))
        }
        Refusal::Bad(what) => notice(StatusCode::BAD_REQUEST, "This address cannot be read", what),
        Refusal::Busy => {
            let text = "Too many people ask at once. Try again in a few seconds.";
            let mut response = notice(StatusCode::SERVICE_UNAVAILABLE, "Too busy", text);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
            response
        }
        Refusal::Failed => {
            let text = "What is stored cannot be read. The log of feedmill says why.";
            notice(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong", text)
        }
    }
}

fn representation(body: String) -> Representation {
    // A page tells of many things that have no one time: only its tag says whether it is the same.
    Representation::new(MEDIA_TYPE, body.into_bytes(), Timestamp::UNIX_EPOCH)
}

/// A page that is there.
fn found(body: String, headers: &HeaderMap, vary: &'static str) -> Response {
    sent(&representation(body), headers, vary)
}

fn sent(representation: &Representation, headers: &HeaderMap, vary: &'static str) -> Response {
    let mut headers = headers.clone();
    headers.remove(IF_MODIFIED_SINCE);
    let mut response = represent(representation, &headers, vary).map(Body::from);
    let fields = response.headers_mut();
    fields.remove(LAST_MODIFIED);
    cors::close(fields);
    guarded(response)
}

/// A page that says that something is not there.
pub(super) fn told(status: StatusCode, body: String) -> Response {
    guarded((status, [(CONTENT_TYPE, MEDIA_TYPE)], body).into_response())
}

fn varying(mut response: Response, way: Way) -> Response {
    response.headers_mut().insert(VARY, HeaderValue::from_static(way.vary()));
    response
}

/// With what every page is sent: its policy, and that nobody else keeps it.
pub(super) fn guarded(mut response: Response) -> Response {
    let fields = response.headers_mut();
    fields.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(page::POLICY));
    fields.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // A shared cache that looks at nothing but the address must never give it to a reader of feeds.
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    response
}
