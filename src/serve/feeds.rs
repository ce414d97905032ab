//! The feeds' addresses: which document, in which format and coding, or why not.

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::{ACCEPT, LOCATION, VARY};
use axum::response::{IntoResponse, Response};

use crate::model::feed::{FeedName, Format};
use crate::model::source::{KeyProblem, SourceKey, TopicKey};
use crate::published::request::{FeedRequest, Refusal};
use crate::published::status::Status;
use crate::serve::access::{self, Reader};
use crate::serve::negotiate::{self, Wanted};
use crate::serve::represent::{joined, represent};
use crate::serve::{Service, plain};

pub(super) async fn all(
    service: State<Service>,
    Path(suffix): Path<String>,
    query: RawQuery,
    reader: Reader,
) -> Response {
    // `all.atom` and `search.atom` arrive whole; everything else of one segment is unknown.
    match suffix.split_once('.') {
        Some(("all" | "search", suffix)) => with_suffix(&service, FeedName::All, suffix, query, &reader).await,
        None if matches!(suffix.as_str(), "all" | "search") => {
            negotiated(&service, FeedName::All, query, &reader).await
        }
        _ => plain::unknown(),
    }
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
    answer(service, feed, format, &query.unwrap_or_default(), reader, "Accept-Encoding").await
}

/// Without a suffix the Accept header decides.
async fn negotiated(service: &Service, feed: FeedName, RawQuery(query): RawQuery, reader: &Reader) -> Response {
    match negotiate::wanted(&joined(&reader.headers, &ACCEPT)) {
        Wanted::Feed(format) => {
            answer(service, feed, format, &query.unwrap_or_default(), reader, "Accept, Accept-Encoding").await
        }
        Wanted::Page => {
            // The path under which readers see us, which a web server before us may have lengthened.
            let base = service.published.status().base.as_ref().and_then(|base| reader.grant.carried(base));
            let front = base.map_or_else(|| "/".to_owned(), |base| base.path().to_owned());
            (StatusCode::SEE_OTHER, [(LOCATION, front), (VARY, "Accept".to_owned())]).into_response()
        }
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
    let permissions = service.published.access();
    let request = match FeedRequest::read(feed.clone(), format, query) {
        Ok(request) => match reader.grant.request(&permissions, request) {
            Some(request) => request,
            None => return access::unknown(),
        },
        Err(refusal) => return refused(&refusal, &feed, &service.published.status()),
    };
    let ready = if request.is_plain() { service.published.get_for(request.audience, &feed, format) } else { None };
    let found = match ready {
        Some(ready) => Ok(ready),
        None => service.door.feed(request).await,
    };
    match found {
        Ok(representation) => represent(&representation, &reader.headers, vary).map(Body::from),
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

/// The nearest name that there is.
fn proposal(feed: &FeedName, status: &Status) -> String {
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
    let near = names.iter().min_by_key(|name| strsim::damerau_levenshtein(name, &asked));
    near.map_or_else(String::new, |near| format!("; did you mean /{near}? All feeds are listed on the front page"))
}
