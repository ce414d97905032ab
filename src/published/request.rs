//! What a reader asks of a feed: the parameters behind `?`, read and written in one place.

use chrono::{NaiveDate, NaiveTime};
use url::form_urlencoded;

use crate::model::Timestamp;
use crate::model::access::Audience;
use crate::model::feed::{FeedName, Format};
use crate::model::source::{Secret, SourceKey, TopicKey};

/// Most entries of one document.
pub const LIMIT: usize = 2_000;

/// Why a request is not answered with a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    NotFound(String),
    /// A plain sentence for whoever typed the address.
    Bad(String),
    Busy,
    Failed,
}

/// A place in a feed's order, as pages name it: `before=1795000000000-42`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cursor {
    pub sort_at_ms: i64,
    pub seq: u64,
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
    pub before: Option<Cursor>,
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
            before: None,
        }
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
                "limit" => request.limit = Some(limit(value)?),
                "before" => request.before = Some(cursor(value)?),
                _ => {}
            }
        }
        Ok(request)
    }

    /// The known parameters in the order of their names, so that equal requests have equal addresses. Without the `?`.
    pub fn to_query_string(&self) -> String {
        let instant = |at: Timestamp| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let parameters = [
            ("before", self.before.map(|before| format!("{}-{}", before.sort_at_ms, before.seq))),
            ("limit", self.limit.map(|limit| limit.to_string())),
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

fn limit(value: &str) -> Result<usize, Refusal> {
    let limit = value.parse().ok().filter(|limit| (1..=LIMIT).contains(limit));
    limit.ok_or_else(|| bad("limit", &format!("`{value}` is no number from 1 to {LIMIT}, such as limit=50")))
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
    }

    #[test]
    fn bad_values_are_told_with_an_example() {
        check("limit=0", Err("limit: `0` is no number from 1 to 2000, such as limit=50"));
        check("limit=many", Err("limit: `many` is no number from 1 to 2000, such as limit=50"));
        check("since=yesterday", Err("since: `yesterday` is no time; write 2026-11-01 or 2026-11-01T08:00:00Z"));
        check("before=9", Err("before: `9` is no place in a feed; follow the `next` link of a page"));
    }
}
