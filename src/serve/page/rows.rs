//! Entries and sources as the rows of a page.

use url::Url;

use crate::model::feed::FeedName;
use crate::published::listing::Listed;
use crate::published::request::FeedRequest;
use crate::published::status::{Headline, Health, SourceStatus, Status};
use crate::published::why::Moment;
use crate::serve::page::{FeedLink, Named, links};

/// Most sources that are named of one entry; its own page has them all.
const SOURCES: usize = 5;

/// One entry.
pub(super) struct Row<'a> {
    pub(super) title: &'a str,
    /// Of the article; only what a browser may safely follow.
    pub(super) url: Option<&'a str>,
    pub(super) host: Option<&'a str>,
    /// Of the entry's own page.
    pub(super) entry: String,
    pub(super) published: Moment,
    pub(super) language: Option<&'a str>,
    pub(super) sources: Vec<RowSource<'a>>,
    /// Sources that are not named here.
    pub(super) more: usize,
    count: usize,
    pub(super) summary: Option<&'a str>,
}

/// Who carries an entry.
pub(super) struct RowSource<'a> {
    pub(super) title: &'a str,
    pub(super) href: Option<String>,
}

impl<'a> Row<'a> {
    pub(super) fn of_listed(entry: &'a Listed, root: &str) -> Self {
        let named = entry.sources.iter().take(SOURCES).map(|source| RowSource {
            title: &source.title,
            href: Some(format!("{root}{}", FeedName::Source(source.key.clone()))),
        });
        Self {
            title: &entry.title,
            url: link(entry.url.as_ref()),
            host: host(entry.url.as_ref()),
            entry: format!("{root}entries/{}", entry.id.bare()),
            published: Moment(entry.published),
            language: entry.language.as_deref().filter(|tag| is_language(tag)),
            sources: named.collect(),
            more: entry.sources.len().saturating_sub(SOURCES),
            count: entry.copies,
            summary: entry.summary.as_deref(),
        }
    }

    /// On the front page.
    pub(super) fn of_headline(entry: &'a Headline) -> Self {
        let named = entry.sources.iter().take(SOURCES).map(|title| RowSource { title, href: None });
        Self {
            title: &entry.title,
            url: link(entry.url.as_ref()),
            host: host(entry.url.as_ref()),
            entry: format!("entries/{}", entry.id.bare()),
            published: Moment(entry.published),
            language: None,
            sources: named.collect(),
            more: entry.sources.len().saturating_sub(SOURCES),
            count: entry.sources.len(),
            summary: None,
        }
    }

    pub(super) fn copies(&self) -> String {
        if self.count == 1 { "1 copy".to_owned() } else { format!("{} copies", self.count) }
    }
}

fn link(url: Option<&Url>) -> Option<&str> {
    url.filter(|url| matches!(url.scheme(), "http" | "https")).map(Url::as_str)
}

fn host(url: Option<&Url>) -> Option<&str> {
    let host = url?.host_str()?;
    Some(host.strip_prefix("www.").unwrap_or(host))
}

/// Whether it is a tag as RFC 5646 writes it, as far as a browser looks: a wrong one makes a screen reader speak nonsense.
fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let first = parts.next().unwrap_or_default();
    (2..=3).contains(&first.len())
        && first.bytes().all(|letter| letter.is_ascii_alphabetic())
        && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|letter| letter.is_ascii_alphanumeric()))
}

/// One source.
pub(super) struct SourceRow<'a> {
    pub(super) key: &'a str,
    pub(super) title: &'a str,
    /// Of its page.
    pub(super) href: String,
    pub(super) address: &'a str,
    pub(super) site: Option<&'a str>,
    pub(super) topics: Vec<Named>,
    pub(super) health: &'static str,
    pub(super) reason: Option<&'a str>,
    /// How often in a row; 0 for a source that is not failing.
    pub(super) failures: u32,
    pub(super) held: u64,
    pub(super) notes: &'a [String],
    pub(super) last: Option<Moment>,
    pub(super) next: Option<Moment>,
    pub(super) entries: u64,
    pub(super) formats: Vec<FeedLink>,
}

impl<'a> SourceRow<'a> {
    pub(super) fn new(source: &'a SourceStatus, status: &Status, root: &str) -> Self {
        let feed = FeedName::Source(source.key.clone());
        let topics = status.topics.iter().filter(|topic| source.topics.contains(&topic.key)).map(|topic| Named {
            title: topic.title.clone(),
            href: format!("{root}{}", FeedName::Topic(topic.key.clone())),
        });
        Self {
            key: source.key.as_str(),
            title: &source.title,
            href: format!("{root}{feed}"),
            address: &source.address,
            site: link(source.site.as_ref()),
            topics: topics.collect(),
            health: source.health.name(),
            reason: source.reason.as_deref(),
            failures: if source.health == Health::Failing { source.failures } else { 0 },
            held: source.held,
            notes: &source.notes,
            last: source.last_success.map(Moment),
            next: source.next_poll.map(Moment),
            entries: source.entries,
            formats: links(status, &FeedRequest::plain(feed, crate::model::feed::Format::Atom), &source.title, root),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tags_of_languages_count() {
        for (tag, expected) in [
            ("en", true),
            ("de-AT", true),
            ("zh-Hant-TW", true),
            ("", false),
            ("english", false),
            ("en_US", false),
            ("e\"><b", false),
            ("en-", false),
        ] {
            assert_eq!(is_language(tag), expected, "{tag}");
        }
    }
}
