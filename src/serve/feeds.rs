//! The feeds' addresses: which document, in which format and coding, or why not.

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use crate::model::feed::{FeedName, Format};
use crate::model::source::{KeyProblem, SourceKey, TopicKey};
use crate::published::request::{FeedRequest, Refusal};
use crate::published::status::Status;
use crate::serve::browse::Way;
use crate::serve::negotiate::{self, Wanted};
use crate::serve::represent::{VARY, joined, represent};
use crate::serve::{Service, browse, plain};

pub(super) async fn all(
    service: State<Service>,
    Path(suffix): Path<String>,
    query: RawQuery,
    headers: HeaderMap,
) -> Response {
    // `all.atom` and `search.atom` arrive whole; everything else of one segment is unknown.
    match suffix.split_once('.') {
        Some(("all" | "search", suffix)) => with_suffix(&service, FeedName::All, suffix, query, &headers).await,
        None if suffix == "search" && browse::wants_page(&headers) && is_without_query(query.0.as_deref()) => {
            browse::search(&service, &headers)
        }
        None if matches!(suffix.as_str(), "all" | "search") => {
            negotiated(&service, FeedName::All, query, &headers).await
        }
        _ => browse::unknown(&service, "/", &headers),
    }
}

fn is_without_query(parameters: Option<&str>) -> bool {
    FeedRequest::read(FeedName::All, Format::Atom, parameters.unwrap_or_default())
        .is_ok_and(|request| request.query.is_none() && request.before.is_none())
}

pub(super) async fn topic(
    service: State<Service>,
    Path(name): Path<String>,
    query: RawQuery,
    headers: HeaderMap,
) -> Response {
    keyed(&service, &name, |key| TopicKey::new(key).map(FeedName::Topic), query, &headers).await
}

pub(super) async fn source(
    service: State<Service>,
    Path(name): Path<String>,
    query: RawQuery,
    headers: HeaderMap,
) -> Response {
    keyed(&service, &name, |key| SourceKey::new(key).map(FeedName::Source), query, &headers).await
}

async fn keyed(
    service: &Service,
    name: &str,
    read: impl Fn(&str) -> Result<FeedName, KeyProblem>,
    query: RawQuery,
    headers: &HeaderMap,
) -> Response {
    let (key, suffix) = name.split_once('.').map_or((name, None), |(key, suffix)| (key, Some(suffix)));
    match (read(key), suffix) {
        (Ok(feed), Some(suffix)) => with_suffix(service, feed, suffix, query, headers).await,
        (Ok(feed), None) => negotiated(service, feed, query, headers).await,
        (Err(problem), _) if browse::wants_page(headers) => browse::no_name(service, "../", &problem.to_string()),
        (Err(problem), _) => plain::answer(StatusCode::NOT_FOUND, &problem.to_string()),
    }
}

async fn with_suffix(
    service: &Service,
    feed: FeedName,
    suffix: &str,
    RawQuery(query): RawQuery,
    headers: &HeaderMap,
) -> Response {
    let Some(format) = Format::ALL.into_iter().find(|format| format.suffix() == suffix) else {
        return plain::answer(
            StatusCode::NOT_FOUND,
            &format!("there is no format `.{suffix}`; there are .atom, .rss and .json"),
        );
    };
    if browse::is_opened(headers, query.as_deref()) {
        return browse::feed(service, feed, Way::Preview(format), query.as_deref(), headers).await;
    }
    answer(service, feed, format, &query.unwrap_or_default(), headers, VARY).await
}

/// Without a suffix the Accept header decides.
async fn negotiated(service: &Service, feed: FeedName, RawQuery(query): RawQuery, headers: &HeaderMap) -> Response {
    match negotiate::wanted(&joined(headers, &ACCEPT)) {
        Wanted::Feed(format) => {
            answer(service, feed, format, &query.unwrap_or_default(), headers, "Accept, Accept-Encoding").await
        }
        Wanted::Page => browse::feed(service, feed, Way::Accept, query.as_deref(), headers).await,
    }
}

async fn answer(
    service: &Service,
    feed: FeedName,
    format: Format,
    query: &str,
    headers: &HeaderMap,
    vary: &'static str,
) -> Response {
    let request = match FeedRequest::read(feed.clone(), format, query) {
        Ok(request) => request,
        Err(refusal) => return refused(&refusal, &feed, &service.published.status()),
    };
    let ready = if request.is_plain() { service.published.get(&feed, format) } else { None };
    let found = match ready {
        Some(ready) => Ok(ready),
        None => service.door.feed(request).await,
    };
    match found {
        Ok(representation) => represent(&representation, headers, vary).map(Body::from),
        Err(refusal) => refused(&refusal, &feed, &service.published.status()),
    }
}

fn refused(refusal: &Refusal, feed: &FeedName, status: &Status) -> Response {
    match refusal {
        Refusal::NotFound(what) => plain::answer(StatusCode::NOT_FOUND, &format!("{what}{}", proposal(feed, status))),
        Refusal::Bad(what) => plain::answer(StatusCode::BAD_REQUEST, what),
        Refusal::Busy => plain::busy(),
        Refusal::Failed => plain::failed(),
    }
}

fn proposal(feed: &FeedName, status: &Status) -> String {
    nearest(feed, status)
        .map_or_else(String::new, |near| format!("; did you mean /{near}? All feeds are listed on the front page"))
}

/// The nearest path that there is.
pub(super) fn nearest(feed: &FeedName, status: &Status) -> Option<String> {
    let names: Vec<String> = match feed {
        FeedName::All => Vec::new(),
        FeedName::Topic(_) => {
            status.topics.iter().map(|topic| FeedName::Topic(topic.key.clone()).to_string()).collect()
        }
        FeedName::Source(_) => {
            status.sources.iter().map(|source| FeedName::Source(source.key.clone()).to_string()).collect()
        }
    };
    let asked = feed.to_string();
    names.into_iter().min_by_key(|name| strsim::damerau_levenshtein(name, &asked))
}
