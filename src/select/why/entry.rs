//! A stored entry, told: its sightings side by side, what was compared, what came near, where it is shown.

use std::collections::{HashMap, hash_map};

use crate::merge::decide::Facts;
use crate::merge::nearest::{self, Nearest};
use crate::merge::{identify, present};
use crate::model::entry::{Entry, Placement, Seq, Sighting, Texts};
use crate::model::feed::{FeedId, FeedName};
use crate::published::why::{
    EntryAccount, HeldBy, Moment, NearestAccount, SightingAccount, SourceAccount, TextDifference, TextPiece,
};
use crate::select::catalogue::Catalogue;
use crate::select::likeness;
use crate::select::why::{Known, OTHERS, feeds, other, page, read, source_name, source_of, sources};
use crate::store::engine::StoreError;
use crate::store::entries::Store;
use crate::text::difference::{self, Piece};

/// Most sightings that are told. More copies of one piece of news tell nothing new.
const SIGHTINGS: usize = 30;
/// Most texts that are compared word by word.
const COMPARED: usize = 12;
/// Most feeds and sources that are told.
const LISTED: usize = 100;

pub(super) fn account(known: &Known<'_>, entry: &Entry, feed: Option<&FeedName>) -> Result<EntryAccount, StoreError> {
    let Known { catalogue, .. } = known;
    let shown = present::shown(entry, &catalogue.standing);
    let face = shown.unwrap_or(&entry.sightings[0]);
    let feed = feed.map(|feed| feeds::verdict(known, entry, feed)).transpose()?;
    Ok(EntryAccount {
        id: entry.id.to_string(),
        page: page(catalogue, entry.id),
        title: face.title.clone(),
        url: face.url.as_ref().map(ToString::to_string),
        first_seen: Moment(entry.first_seen),
        published: shown.map(|shown| Moment(present::published(shown))),
        given_up: None,
        hidden: feeds::hidden(catalogue, entry),
        shown_because: present::shown_because(entry, &catalogue.standing),
        sightings: sightings(known, entry, shown.map(|shown| shown.seq))?,
        more_sightings: entry.sightings.len().saturating_sub(SIGHTINGS),
        nearest: nearest(known, entry)?,
        others: Vec::new(),
        feeds: held_by(catalogue, entry),
        feed,
        sources: own_sources(known, entry)?,
    })
}

fn sightings(known: &Known<'_>, entry: &Entry, shown: Option<Seq>) -> Result<Vec<SightingAccount>, StoreError> {
    let Known { store, catalogue, .. } = known;
    let mut texts: HashMap<Seq, String> = HashMap::new();
    let mut found = Vec::new();
    for (index, sighting) in entry.sightings.iter().take(SIGHTINGS).enumerate() {
        let standing = catalogue.standing.sources.get(&sighting.source);
        let difference =
            if index > 0 && index <= COMPARED { difference(known, entry, sighting, &mut texts)? } else { None };
        let name = source_name(catalogue, sighting);
        found.push(SightingAccount {
            source_title: standing.map_or_else(|| name.clone(), |source| source.title.clone()),
            source: name,
            is_declared: standing.is_some(),
            is_shown: shown == Some(sighting.seq),
            id: sighting.id.to_string(),
            guid: sighting.guid.as_ref().map(|guid| guid.value.clone()),
            url: sighting.url.as_ref().map(ToString::to_string),
            title: sighting.title.clone(),
            published: sighting.published.map(Moment),
            first_seen: Moment(sighting.first_seen),
            updated: sighting.changed.map(Moment),
            left: store.left_at(&sighting.source, entry.seq)?.map(Moment),
            ground: sighting.ground.name().to_owned(),
            score: sighting.score,
            evidence: sighting.evidence.clone(),
            matched: sighting.matched.and_then(|seq| source_of(catalogue, entry, seq)),
            difference,
        });
    }
    Ok(found)
}

/// The text of a sighting against that of the one it was compared with when it joined, else against the first.
fn difference(
    known: &Known<'_>,
    entry: &Entry,
    sighting: &Sighting,
    texts: &mut HashMap<Seq, String>,
) -> Result<Option<TextDifference>, StoreError> {
    let matched = sighting.matched.and_then(|seq| entry.sightings.iter().find(|other| other.seq == seq));
    // The one that it was compared with may have been removed since.
    let other = matched.unwrap_or(&entry.sightings[0]);
    for sighting in [other, sighting] {
        if let hash_map::Entry::Vacant(place) = texts.entry(sighting.seq) {
            place.insert(text_of(known.store, sighting)?);
        }
    }
    let (old, new) = (&texts[&other.seq], &texts[&sighting.seq]);
    if old.is_empty() && new.is_empty() {
        return Ok(None);
    }
    let found = difference::between(old, new);
    let is_equal = found.is_none() && !found.is_cut;
    let pieces = found.pieces.into_iter().map(|piece| match piece {
        Piece::Same(text) => TextPiece::Same(text),
        Piece::Removed(text) => TextPiece::Removed(text),
        Piece::Added(text) => TextPiece::Added(text),
        Piece::Skipped(words) => TextPiece::Skipped(words),
    });
    let with = source_name(known.catalogue, other);
    let pieces = if is_equal { Vec::new() } else { pieces.collect() };
    Ok(Some(TextDifference { with, is_equal, is_cut: found.is_cut, pieces }))
}

fn text_of(store: &Store, sighting: &Sighting) -> Result<String, StoreError> {
    Ok(texts_of(store, sighting)?.as_ref().map(identify::shown_text).unwrap_or_default())
}

fn texts_of(store: &Store, sighting: &Sighting) -> Result<Option<Texts>, StoreError> {
    sighting.text.map_or(Ok(None), |name| store.texts(name))
}

/// Of all sightings that which some other entry comes nearest to.
fn nearest(known: &Known<'_>, entry: &Entry) -> Result<Option<NearestAccount>, StoreError> {
    let mut nearest: Option<(&Sighting, Nearest)> = None;
    for sighting in entry.sightings.iter().take(SIGHTINGS) {
        let Some(found) = (known.nearest)(known, entry, sighting)? else { continue };
        if nearest.as_ref().is_none_or(|(_, before)| found.score > before.score) {
            nearest = Some((sighting, found));
        }
    }
    // What shares no key may still share words.
    let by_words = match (&nearest, entry.sightings.first()) {
        (None, Some(first)) => likeness::nearest(known.store, known.catalogue, entry)?.map(|found| (first, found)),
        _ => None,
    };
    let Some((sighting, nearest)) = nearest.or(by_words) else { return Ok(None) };
    let Some(found) = read(known, nearest.entry)? else { return Ok(None) };
    // The verdict quotes its text.
    if !found.sightings.iter().any(|other| other.seq == nearest.sighting) {
        return Ok(None);
    }
    Ok(Some(NearestAccount {
        entry: other(known.catalogue, &found),
        source: source_name(known.catalogue, sighting),
        score: nearest.score,
        verdict: nearest.verdict,
    }))
}

/// The nearest of those entries that share one of a sighting's keys: its guid, its address, or its words.
///
/// # Errors
/// When the store cannot be read.
pub fn by_keys(known: &Known<'_>, entry: &Entry, sighting: &Sighting) -> Result<Option<Nearest>, StoreError> {
    let one = identify::again(sighting, texts_of(known.store, sighting)?.unwrap_or_default());
    let mut others: Vec<Entry> = Vec::new();
    for key in one.keys() {
        for seq in known.store.sharing(key)? {
            let is_other = seq != entry.seq && !others.iter().any(|other| other.seq == seq);
            if is_other && others.len() < OTHERS {
                others.extend(read(known, seq)?);
            }
        }
    }
    let sources = &known.catalogue.standing.sources;
    let facts = Facts {
        // A text that cannot be read agrees with nothing.
        text: &|name| known.store.texts(name).ok().flatten().as_ref().map(identify::shown_text),
        grounds: &|scope| sources.get(scope).map(|source| source.grounds).unwrap_or_default(),
        is_taken: &|_| false,
        rules: None,
    };
    Ok(nearest::by_keys(&sighting.source, &one, others.iter(), &facts))
}

fn held_by(catalogue: &Catalogue, entry: &Entry) -> Vec<HeldBy> {
    let mut named: Vec<(FeedName, Moment)> = Vec::new();
    for Placement { feed, sort_at } in &entry.placements {
        let name = match feed {
            FeedId::All => Some(FeedName::All),
            FeedId::Topic(key) => Some(FeedName::Topic(key.clone())),
            FeedId::Source(scope) => {
                catalogue.standing.sources.get(scope).map(|source| FeedName::Source(source.key.clone()))
            }
        };
        // What is no longer declared is no feed.
        let name = name.filter(|name| catalogue.feed_id(name).is_some());
        named.extend(name.map(|name| (name, Moment(*sort_at))));
    }
    named.sort();
    let held =
        |(name, since): (FeedName, Moment)| HeldBy { feed: name.to_string(), title: catalogue.title(&name), since };
    named.into_iter().take(LISTED).map(held).collect()
}

fn own_sources(known: &Known<'_>, entry: &Entry) -> Result<Vec<SourceAccount>, StoreError> {
    let mut found = Vec::new();
    for sighting in entry.sightings.iter().take(SIGHTINGS) {
        if let Some(standing) = known.catalogue.standing.sources.get(&sighting.source)
            && !found.iter().any(|other: &SourceAccount| other.source == standing.key.as_str())
        {
            found.extend(sources::account(known, &standing.key, "has a copy of it")?);
        }
    }
    Ok(found)
}
