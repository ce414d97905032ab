//! The topics of our hub: an address ↔ the request whose document it is. One spelling stands for all, that of the document's self link.

use std::net::IpAddr;

use url::{Host, Url};

use crate::model::feed::{FeedName, Format};
use crate::model::source::{SourceKey, TopicKey};
use crate::published::request::{FeedRequest, Refusal};
use crate::query;
use crate::select::catalogue::Catalogue;

/// What the `Link` header of a document says (RFC 8288, WebSub §4).
pub fn link(hub: Option<&Url>, own: &Url) -> String {
    let hub = hub.map_or_else(String::new, |hub| format!("<{hub}>; rel=\"hub\", "));
    format!("{hub}<{own}>; rel=\"self\"")
}

/// Whether a request's document is one that the hub tells of: what everybody may read, and no page of the past.
pub fn is_topic(catalogue: &Catalogue, request: &FeedRequest) -> bool {
    let is_present = request.before.is_none() && request.archive.is_none() && request.token.is_none();
    is_present && request.named().iter().all(|feed| may_subscribe(catalogue, feed))
}

/// Whether strangers may be told what a feed holds: whoever may read it may be told.
pub fn may_subscribe(catalogue: &Catalogue, feed: &FeedName) -> bool {
    catalogue.is_public(feed)
}

/// A request as the hub remembers it, whatever our own address: `topics/world-news.atom?q=x`.
pub fn spelt(request: &FeedRequest) -> String {
    let query = request.to_query_string();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{}.{}{mark}{query}", request.feed, request.format.suffix())
}

/// The request of a remembered topic; `None` when there is no such feed any more, or not for everybody.
pub fn remembered(catalogue: &Catalogue, topic: &str) -> Option<FeedRequest> {
    let (path, query) = topic.split_once('?').unwrap_or((topic, ""));
    read(catalogue, path, query).ok()
}

/// The request that a topic's address asks for. `listening` is where we listen, which works as well as `public_url`.
///
/// # Errors
/// A sentence for whoever asked.
pub fn topic(catalogue: &Catalogue, listening: &Url, address: &str) -> Result<FeedRequest, String> {
    let url = Url::parse(address).map_err(|_| {
        format!("hub.topic: `{}` is no address; give the self link of one of our feeds", shortened(address))
    })?;
    let path = below(&url, &catalogue.base).or_else(|| below(&url, listening)).or_else(|| nearby(&url, listening));
    let path = path.ok_or_else(|| {
        format!("hub.topic: this hub tells of its own feeds alone, such as {}all.atom", catalogue.base)
    })?;
    read(catalogue, path, url.query().unwrap_or_default())
}

fn read(catalogue: &Catalogue, path: &str, query: &str) -> Result<FeedRequest, String> {
    let (feed, format) = feed(path).ok_or_else(|| {
        format!(
            "hub.topic: there is no feed at /{}; give an address with a suffix: /all.atom, /topics/TOPIC.rss, /sources/SOURCE.json",
            shortened(path)
        )
    })?;
    if !may_subscribe(catalogue, &feed) {
        return Err(format!("hub.topic: there is no feed {feed}; {}opml lists all", catalogue.base));
    }
    let request = FeedRequest::read(feed, format, query).map_err(|refusal| match refusal {
        Refusal::Bad(what) | Refusal::NotFound(what) | Refusal::Gone(what) => format!("hub.topic: {what}"),
        Refusal::Busy | Refusal::Failed => "hub.topic: it cannot be read now".to_owned(),
    })?;
    if request.before.is_some() {
        return Err("hub.topic: `before` names a page of the past; subscribe to the feed itself".to_owned());
    }
    if let Some(feed) = request.named().iter().find(|feed| !may_subscribe(catalogue, feed)) {
        return Err(format!("hub.topic: there is no feed {feed}; {}opml lists all", catalogue.base));
    }
    if let Some(Err(problem)) = request.query.as_deref().map(query::parse) {
        return Err(format!("hub.topic: q: {problem}"));
    }
    Ok(request)
}

/// The path of an address below another one.
fn below<'u>(url: &'u Url, base: &Url) -> Option<&'u str> {
    if url.origin() != base.origin() {
        return None;
    }
    url.path().strip_prefix(base.path())
}

/// The same where we listen under several names: `localhost` and the addresses of loopback.
fn nearby<'u>(url: &'u Url, listening: &Url) -> Option<&'u str> {
    let is_own = |host: Option<Host<&str>>| match host {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    };
    let is_here = url.scheme() == "http"
        && is_own(url.host())
        && is_own(listening.host())
        && url.port_or_known_default() == listening.port_or_known_default();
    url.path().strip_prefix('/').filter(|_| is_here)
}

fn feed(path: &str) -> Option<(FeedName, Format)> {
    let (path, suffix) = path.split_once('.')?;
    let format = Format::ALL.into_iter().find(|format| format.suffix() == suffix)?;
    let feed = match path.split_once('/') {
        None if matches!(path, "all" | "search") => FeedName::All,
        Some(("topics", key)) => FeedName::Topic(TopicKey::new(key).ok()?),
        Some(("sources", key)) => FeedName::Source(SourceKey::new(key).ok()?),
        _ => return None,
    };
    Some((feed, format))
}

fn shortened(text: &str) -> String {
    text.chars().take(100).collect()
}
