//! `/opml`: subscription lists of our feeds and of our sources, as readers import them (OPML 2.0).

use std::collections::BTreeSet;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{IF_MODIFIED_SINCE, LAST_MODIFIED};
use axum::response::{IntoResponse as _, Response};
use url::Url;

use crate::model::Timestamp;
use crate::model::feed::{FeedName, Format};
use crate::published::representation::Representation;
use crate::published::status::Status;
use crate::render::opml::{self, Outline};
use crate::serve::Service;
use crate::serve::access::Reader;
use crate::serve::represent::represent;

/// The type that readers expect; none is registered.
const MEDIA_TYPE: &str = "text/x-opml; charset=utf-8";

/// `/opml`
pub(super) async fn our_feeds(State(service): State<Service>, reader: Reader) -> Response {
    let status = service.published.status();
    let base = status.base.as_ref().and_then(|base| reader.grant.carried(base));
    let outlines = base.map_or_else(Vec::new, |base| feed_outlines(&status, &base));
    list(&format!("{}: feeds", status.title), &outlines, reader)
}

/// `/sources.opml`
pub(super) async fn our_sources(State(service): State<Service>, reader: Reader) -> Response {
    let status = service.published.status();
    list(&format!("{}: sources", status.title), &source_outlines(&status), reader)
}

/// Each of our feeds once, so that a reader who imports the list reads nothing from two of them by accident of the list.
fn feed_outlines(status: &Status, base: &Url) -> Vec<Outline> {
    let outline = |title: String, feed: FeedName, category: Option<&str>| {
        let path = format!("{feed}.{}", Format::Atom.suffix());
        let feed_url = base.join(&path).ok().filter(|_| status.lists(&feed))?;
        Some(Outline { title, feed_url, site_url: Some(base.clone()), category: category.map(str::to_owned) })
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

/// By topic; a file is nothing that others could subscribe to.
fn source_outlines(status: &Status) -> Vec<Outline> {
    let mut outlines = Vec::new();
    for source in &status.sources {
        let Some(feed_url) = &source.feed_address else { continue };
        let mut met = BTreeSet::new();
        let keys = source.topics.iter().filter(|key| met.insert(*key));
        let titles = keys.filter_map(|key| status.topics.iter().find(|topic| topic.key == *key));
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

fn list(title: &str, outlines: &[Outline], reader: Reader) -> Response {
    let mut headers = reader.headers;
    // It follows the file and not a time: only its tag says whether it is the same.
    headers.remove(IF_MODIFIED_SINCE);
    let written = Representation::new(MEDIA_TYPE, opml::write(title, outlines), Timestamp::UNIX_EPOCH);
    let mut response = represent(&written, &headers, "Accept-Encoding").map(Body::from);
    response.headers_mut().remove(LAST_MODIFIED);
    response.into_response()
}
