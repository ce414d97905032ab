//! Addresses → handlers.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use url::Url;

use crate::model::feed::{FeedName, Format};
use crate::published::status::Status;
use crate::render::opml::{self, Outline};
use crate::serve::answer::BODY_LIMIT;
use crate::serve::browse::{self, Front};
use crate::serve::page::asset;
use crate::serve::{Service, entries, feeds, metrics, plain};

pub(super) fn router(service: Service) -> Router {
    let only_get = |route: MethodRouter<Service>| route.fallback(async || plain::wrong_method());
    let front = Front::default();
    Router::new()
        .route(
            "/",
            only_get(get(async move |service: State<Service>, headers: HeaderMap| front.answer(&service, &headers))),
        )
        .route("/style.css", only_get(get(asset::style)))
        .route("/favicon.svg", only_get(get(asset::sign)))
        .route("/favicon.ico", only_get(get(asset::sign)))
        .route("/robots.txt", only_get(get(asset::robots)))
        .route("/opml", only_get(get(our_feeds)))
        .route("/sources.opml", only_get(get(our_sources)))
        .route("/healthz", only_get(get(alive)))
        .route("/readyz", only_get(get(ready)))
        .route("/metrics", only_get(get(counts)))
        .route("/topics/{name}", only_get(get(feeds::topic)))
        .route("/sources/{name}", only_get(get(feeds::source)))
        .route("/entries", only_get(get(entries::address)))
        .route("/entries/{name}", only_get(get(entries::entry)))
        .route("/{name}", only_get(get(feeds::all)))
        .fallback(unknown)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn_with_state(service.clone(), finish))
        .with_state(service)
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

async fn our_feeds(State(service): State<Service>) -> Response {
    let status = service.published.status();
    let outlines = status.base.as_ref().map_or_else(Vec::new, |base| feed_outlines(&status, base));
    list(&format!("{}: feeds", status.title), &outlines)
}

fn feed_outlines(status: &Status, base: &Url) -> Vec<Outline> {
    let outline = |title: String, feed: FeedName, category: Option<&str>| {
        let path = format!("{feed}.{}", Format::Atom.suffix());
        Some(Outline {
            title,
            feed_url: base.join(&path).ok()?,
            site_url: Some(base.clone()),
            category: category.map(str::to_owned),
        })
    };
    let all = outline(format!("{}: all", status.title), FeedName::All, None);
    let topics = status
        .topics
        .iter()
        .map(|topic| outline(topic.title.clone(), FeedName::Topic(topic.key.clone()), Some("Topics")));
    let sources = status
        .sources
        .iter()
        .map(|source| outline(source.title.clone(), FeedName::Source(source.key.clone()), Some("Sources")));
    std::iter::once(all).chain(topics).chain(sources).flatten().collect()
}

async fn our_sources(State(service): State<Service>) -> Response {
    let status = service.published.status();
    list(&format!("{}: sources", status.title), &source_outlines(&status))
}

/// By topic; a file is nothing that others could subscribe to.
fn source_outlines(status: &Status) -> Vec<Outline> {
    let mut outlines = Vec::new();
    for source in &status.sources {
        let Some(feed_url) = &source.feed_address else { continue };
        let titles = source.topics.iter().filter_map(|key| status.topics.iter().find(|topic| topic.key == *key));
        let mut categories: Vec<Option<String>> = titles.map(|topic| Some(topic.title.clone())).collect();
        if categories.is_empty() {
            categories.push(None);
        }
        outlines.extend(categories.into_iter().map(|category| Outline {
            title: source.title.clone(),
            feed_url: feed_url.clone(),
            site_url: source.site.clone(),
            category,
        }));
    }
    outlines
}

fn list(title: &str, outlines: &[Outline]) -> Response {
    ([(CONTENT_TYPE, "text/x-opml; charset=utf-8")], opml::write(title, outlines)).into_response()
}
