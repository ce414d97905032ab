//! What a reader asks of a feed: the parameters behind `?`, read and written in one place.

use std::fmt;

use chrono::{NaiveDate, NaiveTime};
use url::form_urlencoded;

use crate::model::Timestamp;
use crate::model::access::Audience;
use crate::model::feed::{FeedName, Format};
use crate::model::source::{Secret, SourceKey, TopicKey};
use crate::text::language;

/// Most entries of one document.
pub const LIMIT: usize = 2_000;

/// Why a request is not answered with a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    NotFound(String),
    /// A plain sentence for whoever typed the address.
    Bad(String),
    /// It was there once.
    Gone(String),
    Busy,
    Failed,
}

/// A place in a feed's order, as pages name it: `before=1795000000000-42`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cursor {
    pub sort_at_ms: i64,
    pub seq: u64,
}

/// In which order a document lists what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// The feed's own order, in which no entry ever moves: by the place that an entry took when it arrived.
    #[default]
    Seen,
    /// By the time of publishing, newest first, among the newest places of the feed.
    Published,
}

/// An archive page as its address names it: `EPOCH-NUMBER`. Its number is given once in an epoch, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ArchivePage {
    /// Counts how often the feed was defined anew.
    pub epoch: u32,
    pub number: u64,
}

impl ArchivePage {
    /// `None` for what is no name of a page. Each page has one spelling.
    pub fn read(name: &str) -> Option<Self> {
        let (epoch, number) = name.split_once('-')?;
        let page = Self { epoch: epoch.parse().ok()?, number: number.parse().ok()? };
        (page.number > 0 && page.to_string() == name).then_some(page)
    }
}

impl fmt::Display for ArchivePage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.epoch, self.number)
    }
}

/// One request for a feed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FeedRequest {
    pub feed: FeedName,
    pub format: Format,
    /// Whom the document is made for. No part of its address; who answers requests says so.
    pub audience: Audience,
    /// The token that the reader's address begins with, and that the document's links carry on.
    pub token: Option<Secret>,
    /// In the query language, not yet read.
    pub query: Option<String>,
    pub topic: Option<TopicKey>,
    pub source: Option<SourceKey>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// 1 to [`LIMIT`].
    pub limit: Option<usize>,
    /// Most entries of one shown source in the document; 1 to [`LIMIT`].
    pub per_source: Option<usize>,
    pub order: Order,
    /// A range of languages in small letters, as `lang:` in the query.
    pub language: Option<String>,
    /// Under [`Order::Published`] its time is that of publishing.
    pub before: Option<Cursor>,
    /// A page of the feed's archive, which has no parameters.
    pub archive: Option<ArchivePage>,
}

impl FeedRequest {
    /// Without any parameter.
    pub fn plain(feed: FeedName, format: Format) -> Self {
        Self {
            feed,
            format,
            audience: Audience::Public,
            token: None,
            query: None,
            topic: None,
            source: None,
            since: None,
            until: None,
            limit: None,
            per_source: None,
            order: Order::Seen,
            language: None,
            before: None,
            archive: None,
        }
    }

    /// A page of a feed's archive.
    pub fn archive(feed: FeedName, format: Format, page: ArchivePage) -> Self {
        Self { archive: Some(page), ..Self::plain(feed, format) }
    }

    /// Whether it is for the feed's usual document, of its audience.
    pub fn is_plain(&self) -> bool {
        *self == Self { audience: self.audience, ..Self::plain(self.feed.clone(), self.format) }
    }

    /// Every feed that it speaks of: a reader has to be admitted to each.
    pub fn named(&self) -> Vec<FeedName> {
        let topic = self.topic.clone().map(FeedName::Topic);
        let source = self.source.clone().map(FeedName::Source);
        std::iter::once(self.feed.clone()).chain(topic).chain(source).collect()
    }

    /// Reads the part of an address behind `?`. Unknown parameters are ignored, since readers and trackers append their own;
    /// empty ones count as absent.
    ///
    /// # Errors
    /// [`Refusal::Bad`] that names the parameter and gives an example.
    pub fn read(feed: FeedName, format: Format, parameters: &str) -> Result<Self, Refusal> {
        let mut request = Self::plain(feed, format);
        for (name, value) in form_urlencoded::parse(parameters.as_bytes()) {
            let value = value.trim();
            if value.is_empty() {
                continue;
            }
            match &*name {
                "q" => request.query = Some(value.to_owned()),
                "topic" => {
                    request.topic = Some(TopicKey::new(value).map_err(|problem| bad("topic", &problem.to_string()))?)
                }
                "source" => {
                    request.source = Some(SourceKey::new(value).map_err(|problem| bad("source", &problem.to_string()))?)
                }
                "since" => request.since = Some(instant("since", value)?),
                "until" => request.until = Some(instant("until", value)?),
                "limit" => request.limit = Some(number("limit", value, 50)?),
                "per_source" => request.per_source = Some(number("per_source", value, 5)?),
                "order" => request.order = order(value)?,
                "lang" => {
                    let what = || bad("lang", &format!("`{value}` is no language code; write lang=en or lang=pt-br"));
                    request.language = Some(language::range(value).ok_or_else(what)?)
                }
                "before" => request.before = Some(cursor(value)?),
                _ => {}
            }
        }
        Ok(request)
    }

    /// The known parameters in the order of their names, without what is so anyway, so that equal requests have equal addresses.
    /// Without the `?`.
    pub fn to_query_string(&self) -> String {
        let instant = |at: Timestamp| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let parameters = [
            ("before", self.before.map(|before| format!("{}-{}", before.sort_at_ms, before.seq))),
            ("lang", self.language.clone()),
            ("limit", self.limit.map(|limit| limit.to_string())),
            ("order", Some("published".to_owned()).filter(|_| self.order == Order::Published)),
            ("per_source", self.per_source.map(|share| share.to_string())),
            ("q", self.query.clone()),
            ("since", self.since.map(instant)),
            ("source", self.source.as_ref().map(ToString::to_string)),
            ("topic", self.topic.as_ref().map(ToString::to_string)),
            ("until", self.until.map(instant)),
        ];
        let mut text = form_urlencoded::Serializer::new(String::new());
        for (name, value) in parameters {
            if let Some(value) = value {
                text.append_pair(name, &value);
            }
        }
        text.finish()
    }
}

fn bad(name: &str, what: &str) -> Refusal {
    Refusal::Bad(format!("{name}: {what}"))
}

/// An instant of RFC 3339, or a day, which begins at midnight UTC.
fn instant(name: &str, value: &str) -> Result<Timestamp, Refusal> {
    // An unencoded `+` of a zone arrives as a blank.
    if let Ok(at) = chrono::DateTime::parse_from_rfc3339(&value.replace(' ', "+")) {
        return Ok(at.to_utc());
    }
    let day = NaiveDate::parse_from_str(value, "%Y-%m-%d");
    day.map(|day| day.and_time(NaiveTime::MIN).and_utc())
        .map_err(|_| bad(name, &format!("`{value}` is no time; write 2026-11-01 or 2026-11-01T08:00:00Z")))
}

fn number(name: &str, value: &str, example: usize) -> Result<usize, Refusal> {
    let number = value.parse().ok().filter(|number| (1..=LIMIT).contains(number));
    number.ok_or_else(|| bad(name, &format!("`{value}` is no number from 1 to {LIMIT}, such as {name}={example}")))
}

fn order(value: &str) -> Result<Order, Refusal> {
    match value {
        "seen" => Ok(Order::Seen),
        "published" => Ok(Order::Published),
        _ => Err(bad("order", &format!("`{value}` is not known; write order=published or order=seen"))),
    }
}

fn cursor(value: &str) -> Result<Cursor, Refusal> {
    let parts = value.rsplit_once('-');
    let read = parts.and_then(|(at, seq)| Some(Cursor { sort_at_ms: at.parse().ok()?, seq: seq.parse().ok()? }));
    read.ok_or_else(|| bad("before", &format!("`{value}` is no place in a feed; follow the `next` link of a page")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(parameters: &str, expected: Result<&str, &str>) {
        let read = FeedRequest::read(FeedName::All, Format::Atom, parameters);
        let shown = read.map(|request| request.to_query_string());
        let expected = expected.map(str::to_owned).map_err(|what| Refusal::Bad(what.to_owned()));
        assert_eq!(shown, expected, "{parameters}");
    }

    #[test]
    fn parameters_are_read_and_written_in_one_order() {
        check("", Ok(""));
        check("utm_source=x&fbclid=1", Ok(""));
        check("q=&limit=", Ok(""));
        check("q=north+korea&limit=5", Ok("limit=5&q=north+korea"));
        check("since=2026-11-01", Ok("since=2026-11-01T00%3A00%3A00Z"));
        check("since=2026-11-01T08:00:00+02:00", Ok("since=2026-11-01T06%3A00%3A00Z"));
        check("before=-5000-42", Ok("before=-5000-42"));
        check("topic=world-news&source=bbc", Ok("source=bbc&topic=world-news"));
        check("per_source=3&order=published&lang=EN_gb", Ok("lang=en-gb&order=published&per_source=3"));
        check("order=seen&per_source=&lang=&order=", Ok(""));
        check(
            "until=2026-12-01&topic=t&since=2026-11-01&source=s&q=a&per_source=2000&order=published&limit=1&lang=de&before=1-2",
            Ok(
                "before=1-2&lang=de&limit=1&order=published&per_source=2000&q=a&since=2026-11-01T00%3A00%3A00Z&source=s&topic=t\
                &until=2026-12-01T00%3A00%3A00Z",
            ),
        );
    }

    #[test]
    fn an_archive_page_has_one_name() {
        assert_eq!(ArchivePage::read("0-12"), Some(ArchivePage { epoch: 0, number: 12 }));
        for name in ["", "12", "0-0", "0-01", "00-1", "+0-1", "0-+1", "0-1-1", "-1", "0-1 ", "4294967296-1"] {
            assert_eq!(ArchivePage::read(name), None, "{name}");
        }
    }

    #[test]
    fn bad_values_are_told_with_an_example() {
        check("limit=0", Err("limit: `0` is no number from 1 to 2000, such as limit=50"));
        check("limit=many", Err("limit: `many` is no number from 1 to 2000, such as limit=50"));
        check("since=yesterday", Err("since: `yesterday` is no time; write 2026-11-01 or 2026-11-01T08:00:00Z"));
        check("per_source=0", Err("per_source: `0` is no number from 1 to 2000, such as per_source=5"));
        check("per_source=2001", Err("per_source: `2001` is no number from 1 to 2000, such as per_source=5"));
        check("order=newest", Err("order: `newest` is not known; write order=published or order=seen"));
        check("lang=english", Err("lang: `english` is no language code; write lang=en or lang=pt-br"));
        check("before=9", Err("before: `9` is no place in a feed; follow the `next` link of a page"));
    }
}
