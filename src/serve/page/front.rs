//! The front page: what this is, how to subscribe, what is new, how the sources fare.

use askama::Template;

use crate::model::feed::{FeedName, Format};
use crate::published::request::FeedRequest;
use crate::published::status::{SourceStatus, Status};
use crate::serve::page::rows::{Row, SourceRow};
use crate::serve::page::{FeedLink, Frame, links};

#[derive(Template)]
#[template(path = "front.html")]
struct FrontPage<'a> {
    frame: Frame,
    links: Vec<FeedLink>,
    counted: String,
    config_problem: Option<&'a str>,
    not_ready: Option<&'a str>,
    /// Why searches do less than they could.
    search_note: Option<&'a str>,
    cards: Vec<Card>,
    rows: Vec<Row<'a>>,
    sources: Vec<SourceRow<'a>>,
    /// A topic that there is, for the example.
    example: &'a str,
}

/// A feed to subscribe to.
struct Card {
    title: String,
    href: String,
    address: String,
    formats: Vec<FeedLink>,
}

pub(in crate::serve) fn page(status: &Status) -> String {
    let written = FrontPage {
        frame: Frame::new(status, ""),
        links: feeds(status).flat_map(|(title, feed)| formats(status, &title, feed)).collect(),
        counted: match status.sources.len() {
            1 => "one source".to_owned(),
            count => format!("{count} sources"),
        },
        config_problem: status.config_problem.as_deref(),
        not_ready: status.not_ready.as_deref(),
        search_note: status.search.as_ref().and_then(|search| search.note.as_deref()),
        cards: feeds(status).map(|(title, feed)| card(status, title, feed)).collect(),
        rows: status.latest.iter().map(Row::of_headline).collect(),
        sources: sources(status),
        example: status.topics.first().map_or("world-news", |topic| topic.key.as_str()),
    };
    // Writing into memory cannot fail.
    written.render().unwrap_or_default()
}

fn feeds(status: &Status) -> impl Iterator<Item = (String, FeedName)> {
    let topics = status.topics.iter().map(|topic| (topic.title.clone(), FeedName::Topic(topic.key.clone())));
    let feeds = std::iter::once(("Everything".to_owned(), FeedName::All)).chain(topics);
    feeds.filter(|(_, feed)| status.lists(feed))
}

fn formats(status: &Status, title: &str, feed: FeedName) -> Vec<FeedLink> {
    links(status, &FeedRequest::plain(feed, Format::Atom), title, "")
}

fn card(status: &Status, title: String, feed: FeedName) -> Card {
    let href = feed.to_string();
    let formats = formats(status, &title, feed);
    Card { address: formats.first().map(|atom| atom.url.clone()).unwrap_or_default(), title, href, formats }
}

/// Those in trouble first.
fn sources(status: &Status) -> Vec<SourceRow<'_>> {
    let mut ordered: Vec<&SourceStatus> = status.sources.iter().collect();
    ordered.sort_by_key(|source| source.health);
    ordered.into_iter().map(|source| SourceRow::new(source, status, "")).collect()
}
