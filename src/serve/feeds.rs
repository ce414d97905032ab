//! The feeds' addresses: which document, in which format and coding, or why not.

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;

use crate::model::feed::{FeedName, Format};
use crate::model::source::{KeyProblem, SourceKey, TopicKey};
use crate::published::lifetimes::Lifetimes;
use crate::published::representation::Representation;
use crate::published::request::{ArchivePage, FeedRequest, Refusal};
use crate::published::status::Status;
use crate::serve::access::{self, Reader};
use crate::serve::browse::Way;
use crate::serve::instance::{self, A_IM};
use crate::serve::negotiate::{self, Wanted};
use crate::serve::represent::{VARY, joined, represent, shared};
use crate::serve::{Service, browse, plain};

pub(super) async fn all(
    service: State<Service>,
    Path(suffix): Path<String>,
    query: RawQuery,
    reader: Reader,
) -> Response {
    // `all.atom` and `search.atom` arrive whole; everything else of one segment is unknown.
    match suffix.split_once('.') {
        Some(("all" | "search", suffix)) => with_suffix(&service, FeedName::All, suffix, query, &reader).await,
        None if suffix == "search" && browse::wants_page(&reader.headers) && is_without_query(query.0.as_deref()) => {
            browse::search(&service, &reader)
        }
        None if matches!(suffix.as_str(), "all" | "search") => {
            negotiated(&service, FeedName::All, query, &reader).await
        }
        _ => browse::unknown(&service, "/", &reader.headers),
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
    reader: Reader,
) -> Response {
    keyed(&service, &name, |key| TopicKey::new(key).map(FeedName::Topic), query, &reader).await
}

pub(super) async fn source(
    service: State<Service>,
    Path(name): Path<String>,
    query: RawQuery,
    reader: Reader,
) -> Response {
    keyed(&service, &name, |key| SourceKey::new(key).map(FeedName::Source), query, &reader).await
}

pub(super) async fn archive_of_all(service: State<Service>, Path(name): Path<String>, reader: Reader) -> Response {
    archive(&service, FeedName::All, &name, &reader).await
}

pub(super) async fn archive_of_topic(
    service: State<Service>,
    Path((key, name)): Path<(String, String)>,
    reader: Reader,
) -> Response {
    match TopicKey::new(&key) {
        Ok(key) => archive(&service, FeedName::Topic(key), &name, &reader).await,
        Err(problem) => plain::answer(StatusCode::NOT_FOUND, &problem.to_string()),
    }
}

pub(super) async fn archive_of_source(
    service: State<Service>,
    Path((key, name)): Path<(String, String)>,
    reader: Reader,
) -> Response {
    match SourceKey::new(&key) {
        Ok(key) => archive(&service, FeedName::Source(key), &name, &reader).await,
        Err(problem) => plain::answer(StatusCode::NOT_FOUND, &problem.to_string()),
    }
}

async fn archive(service: &Service, feed: FeedName, name: &str, reader: &Reader) -> Response {
    let (page, suffix) = name.split_once('.').unwrap_or((name, ""));
    let format = Format::ALL.into_iter().find(|format| format.suffix() == suffix);
    if let (Some(page), Some(format)) = (ArchivePage::read(page), format) {
        return deliver(service, FeedRequest::archive(feed, format, page), reader, "Accept-Encoding").await;
    }
    let text = format!(
        "there is no archive page `{name}`; follow the `prev-archive` links that begin in /{feed}.atom and /{feed}.rss"
    );
    plain::answer(StatusCode::NOT_FOUND, &text)
}

async fn keyed(
    service: &Service,
    name: &str,
    read: impl Fn(&str) -> Result<FeedName, KeyProblem>,
    query: RawQuery,
    reader: &Reader,
) -> Response {
    let (key, suffix) = name.split_once('.').map_or((name, None), |(key, suffix)| (key, Some(suffix)));
    match (read(key), suffix) {
        (Ok(feed), Some(suffix)) => with_suffix(service, feed, suffix, query, reader).await,
        (Ok(feed), None) => negotiated(service, feed, query, reader).await,
        (Err(problem), _) if browse::wants_page(&reader.headers) => {
            browse::no_name(service, "../", &problem.to_string())
        }
        (Err(problem), _) => plain::answer(StatusCode::NOT_FOUND, &problem.to_string()),
    }
}

async fn with_suffix(
    service: &Service,
    feed: FeedName,
    suffix: &str,
    RawQuery(query): RawQuery,
    reader: &Reader,
) -> Response {
    let Some(format) = Format::ALL.into_iter().find(|format| format.suffix() == suffix) else {
        return plain::answer(
            StatusCode::NOT_FOUND,
            &format!("there is no format `.{suffix}`; there are .atom, .rss and .json"),
        );
    };
    if browse::is_opened(&reader.headers, query.as_deref()) {
        return browse::feed(service, feed, Way::Preview(format), query.as_deref(), reader).await;
    }
    answer(service, feed, format, &query.unwrap_or_default(), reader, VARY).await
}

/// Without a suffix the Accept header decides.
async fn negotiated(service: &Service, feed: FeedName, RawQuery(query): RawQuery, reader: &Reader) -> Response {
    match negotiate::wanted(&joined(&reader.headers, &ACCEPT)) {
        Wanted::Feed(format) => {
            answer(service, feed, format, &query.unwrap_or_default(), reader, "Accept, Accept-Encoding").await
        }
        Wanted::Page => browse::feed(service, feed, Way::Accept, query.as_deref(), reader).await,
    }
}

async fn answer(
    service: &Service,
    feed: FeedName,
    format: Format,
    query: &str,
    reader: &Reader,
    vary: &'static str,
) -> Response {
    let request = FeedRequest::read(feed.clone(), format, query);
    match request {
        Ok(request) => deliver(service, request, reader, vary).await,
        Err(refusal) => refused(&refusal, &feed, &service.published.status()),
    }
}

async fn deliver(service: &Service, request: FeedRequest, reader: &Reader, vary: &'static str) -> Response {
    let Some(request) = reader.grant.request(&service.published.access(), request) else { return access::unknown() };
    let FeedRequest { feed, format, archive, audience, .. } = request.clone();
    let ready = if request.is_plain() { service.published.get_for(audience, &feed, format) } else { None };
    let found = match ready {
        Some(ready) => Ok(ready),
        None => service.door.feed(request).await,
    };
    match found {
        Ok(representation) => {
            let lifetime = archive.map_or_else(|| service.published.lifetime(&feed), |_| Lifetimes::archive());
            whole_or_changed(service, &representation, &reader.headers, vary, &lifetime)
        }
        Err(refusal) => refused(&refusal, &feed, &service.published.status()),
    }
}

fn whole_or_changed(
    service: &Service,
    representation: &Representation,
    headers: &HeaderMap,
    vary: &'static str,
    lifetime: &Bytes,
) -> Response {
    if let Some(response) = instance::changed(service.published.changes(), representation, headers, vary) {
        return response.map(Body::from);
    }
    let mut response = represent(representation, headers, vary);
    response.headers_mut().insert(CACHE_CONTROL, shared(lifetime));
    if headers.contains_key(A_IM) {
        instance::mark(response.headers_mut());
    }
    response.map(Body::from)
}

fn refused(refusal: &Refusal, feed: &FeedName, status: &Status) -> Response {
    match refusal {
        Refusal::NotFound(what) => plain::answer(StatusCode::NOT_FOUND, &format!("{what}{}", proposal(feed, status))),
        Refusal::Gone(what) => plain::answer(StatusCode::GONE, what),
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
