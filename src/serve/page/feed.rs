//! The page of a feed or of a search; and what a browser shows that opened the address of a feed.

use askama::Template;

use crate::model::feed::{FeedName, Format};
use crate::model::source::TopicKey;
use crate::published::listing::Listing;
use crate::published::request::FeedRequest;
use crate::published::status::Status;
use crate::serve::page::rows::{Row, SourceRow};
use crate::serve::page::{FeedLink, Frame, Named, kept, label, links, root, title, with_parameters};

/// What a page is made from.
pub(in crate::serve) struct Shown<'a> {
    pub(in crate::serve) status: &'a Status,
    /// As it was asked for, whatever the listing was limited to.
    pub(in crate::serve) request: &'a FeedRequest,
    pub(in crate::serve) listing: &'a Listing,
    /// The format whose address a browser has opened.
    pub(in crate::serve) preview: Option<Format>,
}

#[derive(Template)]
#[template(path = "feed.html")]
struct FeedPage<'a> {
    frame: Frame,
    links: Vec<FeedLink>,
    preview: Option<Preview>,
    kind: &'static str,
    heading: String,
    /// Of the feed without any query.
    title: String,
    kept: Vec<(String, String)>,
    /// To the feed without conditions; `None` where there are none.
    without: Option<String>,
    topic: Option<TopicPart>,
    source: Option<SourceRow<'a>>,
    invitation: &'static str,
    addresses: Vec<FeedLink>,
    rows: Vec<Row<'a>>,
    nothing: &'static str,
    is_older: bool,
    newest: String,
    older: Option<String>,
}

/// What stands above the page of a feed's own address.
struct Preview {
    label: &'static str,
    address: String,
    raw: String,
    page: String,
}

/// What makes a topic.
struct TopicPart {
    sources: Vec<Named>,
    query: Option<String>,
}

pub(in crate::serve) fn page(shown: &Shown) -> String {
    let Shown { status, request, listing, .. } = *shown;
    let root = root(&request.feed);
    // Who subscribes wants what is new, from whichever page.
    let newest = FeedRequest { before: None, ..request.clone() };
    let title = title(status, &request.feed);
    let heading = request.query.clone().unwrap_or_else(|| title.clone());
    let path = page_path(request);
    let older = listing.next.map(|next| {
        let request = FeedRequest { before: Some(next), ..request.clone() };
        format!("{root}{}", with_parameters(&path, &request))
    });
    let is_plain = newest.is_plain();
    let written = FeedPage {
        frame: Frame::of(status, request),
        links: links(status, &newest, &heading, root),
        preview: shown.preview.map(|format| preview(status, request, format)),
        kind: kind(request),
        kept: kept(request),
        without: (!is_plain).then(|| format!("{root}{}", request.feed)),
        topic: match &request.feed {
            FeedName::Topic(key) => Some(topic_part(status, key, root)),
            FeedName::All | FeedName::Source(_) => None,
        },
        source: status
            .sources
            .iter()
            .find(|source| request.feed == FeedName::Source(source.key.clone()))
            .map(|source| SourceRow::new(source, status, root)),
        invitation: if is_plain {
            "Copy one of these addresses into your feed reader. If you do not know which, take the first."
        } else {
            "This search is a feed, too. Copy one of these addresses into your feed reader."
        },
        addresses: links(status, &newest, &heading, root),
        rows: listing.entries.iter().map(|entry| Row::of_listed(entry, root)).collect(),
        nothing: nothing(request, listing),
        is_older: request.before.is_some(),
        newest: format!("{root}{}", with_parameters(&path, &newest)),
        heading,
        title,
        older,
    };
    // Writing into memory cannot fail.
    written.render().unwrap_or_default()
}

/// The path of the feed's page from the front page; a search over everything has one of its own.
fn page_path(request: &FeedRequest) -> String {
    match (&request.feed, &request.query) {
        (FeedName::All, Some(_)) => "search".to_owned(),
        (feed, _) => feed.to_string(),
    }
}

fn kind(request: &FeedRequest) -> &'static str {
    match (&request.query, &request.feed) {
        (Some(_), FeedName::All) => "Search in all entries",
        (Some(_), FeedName::Topic(_)) => "Search in a topic",
        (Some(_), FeedName::Source(_)) => "Search in a source",
        (None, FeedName::All) => "Everything",
        (None, FeedName::Topic(_)) => "Topic",
        (None, FeedName::Source(_)) => "Source",
    }
}

fn preview(status: &Status, request: &FeedRequest, format: Format) -> Preview {
    let root = root(&request.feed);
    let path = with_parameters(&format!("{}.{}", request.feed, format.suffix()), request);
    let address = status.base.as_ref().and_then(|base| base.join(&path).ok());
    let joint = if path.contains('?') { '&' } else { '?' };
    Preview {
        label: label(format),
        address: address.map_or_else(String::new, String::from),
        raw: format!("{root}{path}{joint}raw"),
        page: format!("{root}{}", with_parameters(&page_path(request), request)),
    }
}

fn topic_part(status: &Status, key: &TopicKey, root: &str) -> TopicPart {
    let sources = status.sources.iter().filter(|source| source.topics.contains(key)).map(|source| Named {
        title: source.title.clone(),
        href: format!("{root}{}", FeedName::Source(source.key.clone())),
    });
    let query = status.topics.iter().find(|topic| topic.key == *key).and_then(|topic| topic.query.clone());
    TopicPart { sources: sources.collect(), query }
}

fn nothing(request: &FeedRequest, listing: &Listing) -> &'static str {
    let is_narrowed = !FeedRequest { before: None, limit: None, ..request.clone() }.is_plain();
    match (listing.next, request.before) {
        (Some(_), _) => "Nothing among the entries that were looked at. There are older ones.",
        (None, Some(_)) => "There are no older ones.",
        (None, None) if is_narrowed => {
            "Nothing matches so far. Try fewer words, or subscribe: the feed brings what comes."
        }
        (None, None) => "Nothing yet. Entries appear here as soon as a poll brings some.",
    }
}
