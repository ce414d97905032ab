//! Pages for people. No scripts; nothing depends on the time of the request. Links are relative, so that the pages work below any
//! path of a web server before us. All of them are templates (`templates/`), which escape whatever is put into them. What they tell
//! comes from a [`Status`], a listing or an account, and from nowhere else.

mod account;
pub(super) mod asset;
mod feed;
mod front;
mod notice;
mod rows;
mod search;

use url::form_urlencoded;

use crate::model::feed::{FeedName, Format};
use crate::published::request::FeedRequest;
use crate::published::status::Status;

pub(super) use account::page as account;
pub(super) use feed::{Shown, page as feed};
pub(super) use front::page as front;
pub(super) use notice::{bad_query, page as notice};
pub(super) use search::page as search;

/// What a page may load and do: our own style and picture, and forms that lead to us. A page shows no publisher's pictures, whatever
/// `[server] media` lets into feeds, so that opening one asks nobody else.
pub(super) const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// What surrounds every page.
pub(super) struct Frame {
    /// Of the service.
    title: String,
    /// From the page to the front page: empty, or `../` for each folder.
    root: String,
    /// The version of the style.
    style: &'static str,
    /// Topics that may be asked about.
    topics: Vec<String>,
    search: SearchBox,
}

/// The one search box of a page.
struct SearchBox {
    action: String,
    label: String,
    /// What was typed.
    value: String,
    /// Conditions that stay, by their names.
    kept: Vec<(String, String)>,
}

impl Frame {
    /// The search box of the page looks at everything.
    pub(super) fn new(status: &Status, root: &str) -> Self {
        let topics = status.topics.iter().map(|topic| topic.key.to_string()).collect();
        let search = SearchBox {
            action: format!("{root}search"),
            label: "Search all entries".to_owned(),
            value: String::new(),
            kept: Vec::new(),
        };
        Self { title: status.title.clone(), root: root.to_owned(), style: asset::version(), topics, search }
    }

    /// The search box of the page looks at one feed, within the conditions of a request, and holds what was typed.
    pub(super) fn of(status: &Status, request: &FeedRequest) -> Self {
        let mut frame = Self::new(status, root(&request.feed));
        if request.feed != FeedName::All {
            frame.search.action = format!("{}{}", frame.root, request.feed);
            frame.search.label = format!("Search in {}", title(status, &request.feed));
        }
        frame.search.value = request.query.clone().unwrap_or_default();
        frame.search.kept = kept(request);
        frame
    }
}

/// From a feed's page to the front page.
pub(super) fn root(feed: &FeedName) -> &'static str {
    if *feed == FeedName::All { "" } else { "../" }
}

/// The feed's name for people; its path when there is no such feed.
fn title(status: &Status, feed: &FeedName) -> String {
    let found = match feed {
        FeedName::All => Some("All entries".to_owned()),
        FeedName::Topic(key) => status.topics.iter().find(|topic| topic.key == *key).map(|topic| topic.title.clone()),
        FeedName::Source(key) => {
            status.sources.iter().find(|source| source.key == *key).map(|source| source.title.clone())
        }
    };
    found.unwrap_or_else(|| feed.to_string())
}

/// A request's conditions but for the query and the place in the feed.
fn kept(request: &FeedRequest) -> Vec<(String, String)> {
    let parameters = request.to_query_string();
    let pairs = form_urlencoded::parse(parameters.as_bytes()).into_owned();
    pairs.filter(|(name, _)| name != "q" && name != "before").collect()
}

/// A path with the parameters of a request.
fn with_parameters(path: &str, request: &FeedRequest) -> String {
    let parameters = request.to_query_string();
    if parameters.is_empty() { path.to_owned() } else { format!("{path}?{parameters}") }
}

/// A feed in a format, as a link and for programs that look for feeds in a page.
struct FeedLink {
    label: &'static str,
    suffix: &'static str,
    media_type: &'static str,
    title: String,
    /// Relative to the page.
    href: String,
    /// Absolute; empty before the configuration was read.
    url: String,
}

/// A request's feed in every format; none where pages are not to name it.
fn links(status: &Status, request: &FeedRequest, title: &str, root: &str) -> Vec<FeedLink> {
    if !status.lists(&request.feed) {
        return Vec::new();
    }
    let link = |format: Format| {
        let path = with_parameters(&format!("{}.{}", request.feed, format.suffix()), request);
        let url = status.base.as_ref().and_then(|base| base.join(&path).ok());
        FeedLink {
            label: label(format),
            suffix: format.suffix(),
            media_type: format.media_type().split(';').next().unwrap_or_default(),
            title: format!("{title} ({})", format.suffix()),
            href: format!("{root}{path}"),
            url: url.map_or_else(String::new, String::from),
        }
    };
    Format::ALL.map(link).into()
}

fn label(format: Format) -> &'static str {
    match format {
        Format::Atom => "Atom",
        Format::Rss => "RSS",
        Format::Json => "JSON",
    }
}

/// A feed or a page that is named.
struct Named {
    title: String,
    href: String,
}

#[cfg(test)]
mod tests;
