//! How long readers may keep a feed's document: until the next poll that may change it. Said beside a document and never in it, so
//! that time going by changes neither bytes nor tags.

use std::collections::HashMap;

use bytes::Bytes;

use crate::model::Timestamp;
use crate::model::feed::FeedName;
use crate::model::source::{SourceKey, TopicKey};
use crate::published::status::SourceStatus;

/// Shortest and longest time, in seconds. A source that is polled often is one that publishes often, and a change of the file, a
/// forced poll or a push can come at any time.
const SHORTEST: i64 = 60;
const LONGEST_OF_BUSY: i64 = 15 * 60;
const LONGEST: i64 = 60 * 60;
/// A feed is busy when one of its sources is polled at least so often, in seconds.
const BUSY: i64 = 2 * 60 * 60;
/// Times are cut to multiples of this, so that what is said does not change every second.
const STEP: i64 = 30;

/// For documents of which nothing is known: shown for a minute, and when we are away for a day.
const UNKNOWN: &str = "public, max-age=60, stale-while-revalidate=60, stale-if-error=86400";
/// For archive pages: their entries stay the same ones, but are corrected now and then.
const ARCHIVE: &str = "public, max-age=86400, stale-while-revalidate=86400, stale-if-error=604800";

/// `Cache-Control` (RFC 9111 §5.2.2, RFC 5861) of every feed's documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lifetimes {
    all: Option<Bytes>,
    topics: HashMap<TopicKey, Bytes>,
    sources: HashMap<SourceKey, Bytes>,
}

impl Lifetimes {
    /// By the plans as they stand. Of each topic it is told whether its query may find entries of any source.
    pub fn of(sources: &[SourceStatus], topics: &[(TopicKey, bool)], now: Timestamp) -> Self {
        let mut all = Rhythm::default();
        let mut named: HashMap<&TopicKey, Rhythm> = HashMap::new();
        let mut of_sources = HashMap::new();
        for source in sources {
            let rhythm = Rhythm::of(source, now);
            all = all.and(rhythm);
            for topic in &source.topics {
                let known = named.entry(topic).or_default();
                *known = known.and(rhythm);
            }
            of_sources.insert(source.key.clone(), rhythm.text());
        }
        let of_topic = |(key, finds_any): &(TopicKey, bool)| {
            let rhythm = if *finds_any { all } else { named.get(key).copied().unwrap_or_default() };
            (key.clone(), rhythm.text())
        };
        Self { all: Some(all.text()), topics: topics.iter().map(of_topic).collect(), sources: of_sources }
    }

    /// What a document of this feed says.
    pub fn feed(&self, feed: &FeedName) -> Bytes {
        let known = match feed {
            FeedName::All => self.all.as_ref(),
            FeedName::Topic(key) => self.topics.get(key),
            FeedName::Source(key) => self.sources.get(key),
        };
        known.cloned().unwrap_or(Bytes::from_static(UNKNOWN.as_bytes()))
    }

    /// What an archive page says.
    pub fn archive() -> Bytes {
        Bytes::from_static(ARCHIVE.as_bytes())
    }
}

/// When something of a feed is polled next, and how often at the most, in seconds. `None` for never.
#[derive(Debug, Clone, Copy, Default)]
struct Rhythm {
    next: Option<i64>,
    every: Option<i64>,
}

impl Rhythm {
    fn of(source: &SourceStatus, now: Timestamp) -> Self {
        let next = source.next_poll.map(|next| (next - now).num_seconds());
        let every = source.next_poll.zip(source.last_success).map(|(next, last)| (next - last).num_seconds());
        Self { next, every }
    }

    fn and(self, other: Self) -> Self {
        let least = |one: Option<i64>, other: Option<i64>| one.into_iter().chain(other).min();
        Self { next: least(self.next, other.next), every: least(self.every, other.every) }
    }

    fn text(self) -> Bytes {
        let longest = if self.every.is_some_and(|every| every <= BUSY) { LONGEST_OF_BUSY } else { LONGEST };
        let age = self.next.unwrap_or(longest).clamp(SHORTEST, longest) / STEP * STEP;
        format!("public, max-age={age}, stale-while-revalidate=60, stale-if-error=86400").into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::published::status::Health;

    fn source(key: &str, topics: &[&str], last: Option<i64>, next: Option<i64>) -> SourceStatus {
        let at = |seconds| Timestamp::from_timestamp(seconds, 0).unwrap();
        SourceStatus {
            key: SourceKey::new(key).unwrap(),
            title: String::new(),
            address: String::new(),
            feed_address: None,
            site: None,
            topics: topics.iter().map(|key| TopicKey::new(key).unwrap()).collect(),
            health: Health::Good,
            reason: None,
            last_success: last.map(at),
            next_poll: next.map(at),
            failures: 0,
            entries: 0,
            held: 0,
            notes: Vec::new(),
        }
    }

    fn age(lifetimes: &Lifetimes, feed: &FeedName) -> String {
        let text = String::from_utf8(lifetimes.feed(feed).to_vec()).unwrap();
        text.split("max-age=").nth(1).unwrap().split(',').next().unwrap().to_owned()
    }

    #[test]
    fn a_document_may_be_kept_until_the_next_poll_within_bounds() {
        for (last, next, expected) in [
            (Some(0), Some(1_000 + 300), "300"),
            (Some(0), Some(1_000 + 329), "300"),
            (Some(0), Some(1_000 + 7), "60"),
            (Some(0), Some(900), "60"),
            // Every hour: it is busy.
            (Some(400), Some(1_000 + 3_000), "900"),
            // Every day.
            (Some(0), Some(86_400), "3600"),
            (None, Some(1_000 + 4_000), "3600"),
            (Some(0), None, "3600"),
        ] {
            let lifetimes =
                Lifetimes::of(&[source("a", &[], last, next)], &[], Timestamp::from_timestamp(1_000, 0).unwrap());
            let feed = FeedName::Source(SourceKey::new("a").unwrap());
            assert_eq!(age(&lifetimes, &feed), expected, "{last:?} {next:?}");
            assert_eq!(age(&lifetimes, &FeedName::All), expected, "{last:?} {next:?}");
        }
    }

    #[test]
    fn a_topic_follows_its_own_sources_unless_its_query_finds_any() {
        let topic = |key: &str| TopicKey::new(key).unwrap();
        let sources = [source("a", &["slow"], Some(0), Some(86_400)), source("b", &[], Some(0), Some(600))];
        let topics = [(topic("slow"), false), (topic("any"), true), (topic("empty"), false)];
        let lifetimes = Lifetimes::of(&sources, &topics, Timestamp::from_timestamp(0, 0).unwrap());
        for (feed, expected) in [
            (FeedName::All, "600"),
            (FeedName::Topic(topic("slow")), "3600"),
            (FeedName::Topic(topic("any")), "600"),
            (FeedName::Topic(topic("empty")), "3600"),
            (FeedName::Topic(topic("unknown")), "60"),
        ] {
            assert_eq!(age(&lifetimes, &feed), expected, "{feed}");
        }
    }
}
