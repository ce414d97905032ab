//! Why an entry is in a feed, or is not.

use crate::config::Topic;
use crate::merge::present;
use crate::model::entry::{Entry, Sighting, Texts};
use crate::model::feed::{FeedName, Format};
use crate::model::source::{SourceKey, TopicKey};
use crate::published::request::FeedRequest;
use crate::published::why::{FeedVerdict, QueryVerdict, TermVerdict};
use crate::query::{Branching, Explained, Query};
use crate::select::candidate::{SourceFacts, with_candidate};
use crate::select::catalogue::Catalogue;
use crate::select::page::{self, PAGE, SCAN, SelectError};
use crate::select::visible::visible;
use crate::select::why::{Known, OTHERS, source_name};
use crate::store::engine::StoreError;
use crate::store::keys::Place;

/// The feed that a person means: a path, or the key of a topic or else of a source.
///
/// # Errors
/// A sentence with the nearest name.
pub fn named(catalogue: &Catalogue, name: &str) -> Result<FeedName, String> {
    let topic = |key: &str| TopicKey::new(key).ok().map(FeedName::Topic);
    let source = |key: &str| SourceKey::new(key).ok().map(FeedName::Source);
    let read = match name.split_once('/') {
        Some(("topics", key)) => vec![topic(key)],
        Some(("sources", key)) => vec![source(key)],
        _ if name == "all" => vec![Some(FeedName::All)],
        _ => vec![topic(name), source(name)],
    };
    let found = read.into_iter().flatten().find(|feed| catalogue.feed_id(feed).is_some());
    found.ok_or_else(|| {
        let topics = catalogue.config.topics.iter().map(|topic| topic.key.as_str());
        let sources = catalogue.config.sources.iter().map(|source| source.key.as_str());
        let near = std::iter::once("all").chain(topics).chain(sources);
        let near = near.min_by_key(|known| strsim::damerau_levenshtein(known, name)).unwrap_or("all");
        format!("there is no feed `{name}`; did you mean `{near}`? It is `all`, a topic's key or a source's")
    })
}

/// Why nobody is shown an entry, whatever the feed.
pub(super) fn hidden(catalogue: &Catalogue, entry: &Entry) -> Option<String> {
    if let Some(since) = entry.held {
        let source = source_name(catalogue, &entry.sightings[0]);
        return Some(format!(
            "It is held back since {}, with everything that {source} showed as new then: so much at once looks like old entries under \
             new names.",
            since.format("%Y-%m-%d %H:%M UTC")
        ));
    }
    if present::shown(entry, &catalogue.standing).is_none() {
        let scopes: Vec<&str> = entry.sightings.iter().take(OTHERS).map(|it| it.source.as_str()).collect();
        return Some(format!(
            "None of its sources is declared any more ({}): it is kept, but not shown.",
            scopes.join(", ")
        ));
    }
    None
}

pub(super) fn verdict(known: &Known<'_>, entry: &Entry, feed: &FeedName) -> Result<FeedVerdict, StoreError> {
    let Known { store, catalogue, .. } = known;
    let mut verdict = FeedVerdict {
        feed: feed.to_string(),
        title: catalogue.title(feed),
        belongs: false,
        is_in_document: false,
        page: None,
        reasons: hidden(catalogue, entry).into_iter().collect(),
        queries: Vec::new(),
    };
    let topic = catalogue.topic(feed);
    if let Some(topic) = topic {
        let is_declared =
            store.topic(&topic.key)?.is_some_and(|record| record == catalogue.definition(topic, record.epoch));
        if !is_declared {
            let text = "Its definition has changed: who belongs to it is worked out anew, while the daemon runs.";
            verdict.reasons.push(text.to_owned());
        }
        of_topic(known, entry, topic, &mut verdict)?;
    }
    let place = catalogue.feed_id(feed).and_then(|id| {
        let placement = entry.placements.iter().find(|placement| placement.feed == id)?;
        Some(Place { sort_at: placement.sort_at, seq: entry.seq })
    });
    verdict.belongs = place.is_some();
    match (place, feed) {
        (Some(place), _) if verdict.reasons.is_empty() || topic.is_some() => {
            in_document(known, entry, feed, place, &mut verdict)?
        }
        (None, FeedName::Source(key)) => verdict.reasons.push(format!("{key} has no copy of it.")),
        _ => {}
    }
    Ok(verdict)
}

/// Whether a topic's sources or its query have it.
fn of_topic(known: &Known<'_>, entry: &Entry, topic: &Topic, verdict: &mut FeedVerdict) -> Result<(), StoreError> {
    let Known { store, catalogue, now, .. } = known;
    let mut naming = Vec::new();
    for sighting in entry.sightings.iter().take(OTHERS) {
        let Some(source) = SourceFacts::of(catalogue, &sighting.source) else {
            let scope = sighting.source.as_str();
            verdict.reasons.push(format!("Its copy of {scope} does not count: {scope} is no longer declared."));
            continue;
        };
        if source.topics.contains(&topic.key) {
            naming.push(source.key.to_string());
        }
        let Some(query) = &topic.matches else { continue };
        let texts = match sighting.text {
            Some(name) => store.texts(name)?.unwrap_or_default(),
            None => Texts::default(),
        };
        let explained = with_candidate(sighting, texts.parts(), &source, |candidate| query.explain(candidate, *now));
        verdict.queries.push(QueryVerdict { source: source.key.to_string(), query: term(explained) });
    }
    let matching: Vec<&str> = verdict.queries.iter().filter(|it| it.query.holds).map(|it| it.source.as_str()).collect();
    let text = match (naming.is_empty(), &topic.matches) {
        (false, _) => format!("{} {} this topic.", naming.join(", "), if naming.len() == 1 { "names" } else { "name" }),
        (true, Some(_)) if !matching.is_empty() => {
            format!("The topic's `match` holds for the copy of {}.", matching.join(", "))
        }
        (true, query) => not_of(entry, catalogue, query.as_ref()),
    };
    verdict.reasons.push(text);
    Ok(())
}

fn not_of(entry: &Entry, catalogue: &Catalogue, query: Option<&Query>) -> String {
    let sources: Vec<String> = entry.sightings.iter().take(OTHERS).map(|it| source_name(catalogue, it)).collect();
    let none = format!("None of its sources ({}) names this topic", sources.join(", "));
    match query {
        Some(query) => format!("{none}, and the topic's `match` (`{query}`) holds for none of its copies."),
        None => format!("{none}, and the topic has no `match`."),
    }
}

fn term(explained: Explained) -> TermVerdict {
    let Explained { text, branching, holds, branches } = explained;
    let kind = match branching {
        Branching::Term => "term",
        Branching::All => "all",
        Branching::Any => "any",
        Branching::Not => "not",
    };
    TermVerdict { text, kind: kind.to_owned(), holds, branches: branches.into_iter().map(term).collect() }
}

/// On which page it is, or what keeps it off. Pages are read as a reader reads them, one behind the other.
fn in_document(
    known: &Known<'_>,
    entry: &Entry,
    feed: &FeedName,
    place: Place,
    verdict: &mut FeedVerdict,
) -> Result<(), StoreError> {
    let Known { store, catalogue, now, .. } = known;
    let topic = catalogue.topic(feed);
    let Some(shown) = present::shown(entry, &catalogue.standing) else { return Ok(()) };
    let published = present::published(shown);
    if topic.and_then(|topic| page::not_before(topic, *now)).is_some_and(|limit| published < limit) {
        let published = published.format("%Y-%m-%d %H:%M UTC");
        verdict.reasons.insert(0, format!("It is too old for the topic's `max_age`: it was published on {published}."));
        return Ok(());
    }
    let audience = catalogue.config.access.audience(feed);
    let seen_by = catalogue.of(audience);
    if seen_by.is_partial() && visible(entry.clone(), seen_by).is_none() {
        verdict.reasons.insert(0, "It came from private sources only, and the feed is public.".to_owned());
        return Ok(());
    }
    let mut request = FeedRequest { audience, ..FeedRequest::plain(feed.clone(), Format::Atom) };
    for number in 1..=SCAN / PAGE {
        let selection = match page::select(store, catalogue, &request, *now) {
            Ok(selection) => selection,
            Err(SelectError::Store(error)) => return Err(error),
            Err(_) => return Ok(()),
        };
        if selection.entries.iter().any(|presented| presented.id == entry.id) {
            on_page(number, verdict);
            return Ok(());
        }
        let ends_above = selection
            .next
            .is_some_and(|next| (next.sort_at_ms, next.seq) > (place.sort_at.timestamp_millis(), place.seq.0));
        if !ends_above {
            verdict.reasons.insert(0, over_share(catalogue, topic, shown));
            return Ok(());
        }
        request.before = selection.next;
    }
    verdict.reasons.insert(0, format!("So many entries are newer that it is not among the newest {SCAN} of the feed."));
    Ok(())
}

fn on_page(number: usize, verdict: &mut FeedVerdict) {
    verdict.page = Some(number);
    verdict.is_in_document = number == 1;
    if number > 1 {
        let text = format!(
            "It is on page {number} of the feed: the current document holds the newest {PAGE}, older ones follow by its `next` link, or by `limit`."
        );
        verdict.reasons.insert(0, text);
    }
}

fn over_share(catalogue: &Catalogue, topic: Option<&Topic>, shown: &Sighting) -> String {
    let source = source_name(catalogue, shown);
    match topic.and_then(|topic| topic.per_source) {
        Some(share) => format!(
            "It is over the topic's `per_source`: newer entries of {source} have taken its {share} places in the document."
        ),
        None => "Its membership is not in effect yet.".to_owned(),
    }
}
