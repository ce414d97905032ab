//! Addresses → handlers.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};

use crate::model::feed::{FeedName, Format};
use crate::serve::access::Reader;
use crate::serve::answer::BODY_LIMIT;
use crate::serve::browse::{self, Front};
use crate::serve::page::asset;
use crate::serve::{Service, access, entries, feeds, hub, lists, metrics, plain};

pub(super) fn router(service: Service) -> Router {
    let only_get = |route: MethodRouter<Service>| route.fallback(async || plain::wrong_method());
    let front = Front::default();
    let routes = Router::new()
        .route("/", only_get(get(async move |service: State<Service>, reader: Reader| front.answer(&service, &reader))))
        .route("/style.css", only_get(get(asset::style)))
        .route("/favicon.svg", only_get(get(asset::sign)))
        .route("/favicon.ico", only_get(get(asset::sign)))
        .route("/robots.txt", only_get(get(asset::robots)))
        .route("/opml", only_get(get(lists::our_feeds)))
        .route("/sources.opml", only_get(get(lists::our_sources)))
        .route("/healthz", only_get(get(alive)))
        .route("/readyz", only_get(get(ready)))
        .route("/metrics", only_get(get(counts)))
        .route("/hub", get(hub::about).post(hub::ask).fallback(async || plain::wrong_method()))
        .route("/topics/{name}", only_get(get(feeds::topic)))
        .route("/sources/{name}", only_get(get(feeds::source)))
        .route("/all/archive/{name}", only_get(get(feeds::archive_of_all)))
        .route("/topics/{key}/archive/{name}", only_get(get(feeds::archive_of_topic)))
        .route("/sources/{key}/archive/{name}", only_get(get(feeds::archive_of_source)))
        .route("/entries", only_get(get(entries::address)))
        .route("/entries/{name}", only_get(get(entries::entry)))
        .route("/{name}", only_get(get(feeds::all)))
        .fallback(unknown)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(service.clone());
    access::guarded(Arc::clone(&service.published), routes).layer(middleware::from_fn_with_state(service, finish))
}

/// What every answer has.
async fn finish(State(service): State<Service>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    service.counters.answered(response.status().as_u16());
    response
}

async fn unknown(service: State<Service>, address: Uri, headers: HeaderMap) -> Response {
    browse::unknown(&service, address.path(), &headers)
}

async fn alive() -> Response {
    plain::answer(StatusCode::OK, "ok")
}

async fn ready(State(service): State<Service>) -> Response {
    let is_published = service.published.get(&FeedName::All, Format::Atom).is_some();
    match &service.published.status().not_ready {
        Some(reason) => plain::answer(StatusCode::SERVICE_UNAVAILABLE, reason),
        None if !is_published => plain::answer(StatusCode::SERVICE_UNAVAILABLE, "the first feeds are being made"),
        None => plain::answer(StatusCode::OK, "ready"),
    }
}

async fn counts(State(service): State<Service>) -> Response {
    let text = metrics::write(&service.published.status(), &service.counters.read());
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
