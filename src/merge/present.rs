//! An entry → what a reader is shown of it. Derived at each rendering from what is stored, so that a changed priority or a
//! removed source takes effect at once and nothing on disk has to follow.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use url::Url;

use crate::merge::canonical::{site_host, within};
use crate::model::Timestamp;
use crate::model::document::{About, Particulars};
use crate::model::entry::{Entry, Sighting};
use crate::model::page::{Presented, Provenance};
use crate::model::source::{Grounds, Scope, SourceKey};

/// The sources as they are declared now. Sightings of any other source are kept, but not shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Standing {
    pub sources: HashMap<Scope, StandingSource>,
}

/// What showing a sighting needs to know of its source.
#[derive(Debug, Clone, PartialEq)]
pub struct StandingSource {
    pub key: SourceKey,
    pub title: String,
    /// The feed's own address; `None` for a file.
    pub address: Option<Url>,
    /// The page of the site, as the source's document names it.
    pub site: Option<Url>,
    /// What its document says about itself.
    pub about: Arc<About>,
    pub priority: i32,
    pub grounds: Grounds,
    /// Whether the texts of its entries' pages are shown.
    pub shows_pages: bool,
}

/// The sighting whose title, text and link are shown: of the highest priority, then one whose link lives on its source's own
/// site, then the earliest claimed, then by key. Never by the order of arrival. `None` when no source of it is declared any more.
pub fn shown<'a>(entry: &'a Entry, standing: &Standing) -> Option<&'a Sighting> {
    let living =
        entry.sightings.iter().filter_map(|sighting| Some((sighting, standing.sources.get(&sighting.source)?)));
    let ranked = living.min_by_key(|(sighting, source)| {
        let claimed = claimed(sighting);
        (
            Reverse(source.priority),
            !is_at_home(sighting, source),
            claimed.is_none(),
            claimed,
            source.key.clone(),
            sighting.seq,
        )
    });
    ranked.map(|(sighting, _)| sighting)
}

/// Why the sighting that is shown is the one, in a sentence; `None` when there is no other one to show.
pub fn shown_because(entry: &Entry, standing: &Standing) -> Option<String> {
    let shown = shown(entry, standing)?;
    let source = standing.sources.get(&shown.source)?;
    let living = entry.sightings.iter().filter_map(|it| Some((it, standing.sources.get(&it.source)?)));
    let others: Vec<_> = living.filter(|(sighting, _)| sighting.seq != shown.seq).collect();
    if others.is_empty() {
        return None;
    }
    let others: Vec<_> = others.into_iter().filter(|(_, other)| other.priority == source.priority).collect();
    if others.is_empty() {
        return Some(format!("its source has the highest priority ({})", source.priority));
    }
    let is_home = is_at_home(shown, source);
    let others: Vec<_> = others.into_iter().filter(|(it, other)| is_at_home(it, other) == is_home).collect();
    if others.is_empty() {
        return Some("its link lives on its source's own site".to_owned());
    }
    if others.iter().all(|(it, _)| claimed(it) != claimed(shown)) {
        return Some("it claims the earliest time".to_owned());
    }
    Some("all else being equal, the key of its source comes first".to_owned())
}

/// The entry as it is shown.
pub fn present(entry: &Entry, standing: &Standing) -> Option<Presented> {
    let shown = shown(entry, standing)?;
    let mut others: Vec<&Sighting> = entry
        .sightings
        .iter()
        .filter(|sighting| sighting.seq != shown.seq && standing.sources.contains_key(&sighting.source))
        .collect();
    others.sort_by_key(|sighting| (standing.sources[&sighting.source].key.clone(), sighting.seq));
    let published = published(shown);
    let sightings: Vec<&Sighting> = std::iter::once(shown).chain(others).collect();
    Some(Presented {
        id: entry.id,
        first_seen: entry.first_seen,
        published,
        updated: shown.changed.unwrap_or(published).max(published),
        title: shown.title.clone(),
        url: shown.url.clone(),
        authors: shown.authors.clone(),
        categories: categories(&sightings),
        enclosures: shown.enclosures.clone(),
        language: shown.language.clone(),
        particulars: particulars(shown, &standing.sources[&shown.source]),
        text: shown.text,
        // Known to the store alone.
        page: None,
        sightings: sightings.iter().map(|sighting| provenance(sighting, &standing.sources[&sighting.source])).collect(),
    })
}

/// When anything about the entry last changed, by our own clock. Bounds `Last-Modified` of every feed that holds it.
pub fn touched(entry: &Entry) -> Timestamp {
    let changes =
        entry.sightings.iter().map(|sighting| sighting.changed.unwrap_or(sighting.first_seen).max(sighting.first_seen));
    // What was held back comes into its feeds later than it was seen.
    let places = entry.placements.iter().map(|placement| placement.sort_at);
    changes.chain(places).max().unwrap_or(entry.first_seen)
}

/// The claimed time of publishing where it can be true: not later than first seen, not before the epoch of Unix.
fn claimed(sighting: &Sighting) -> Option<Timestamp> {
    clamped(sighting.published, sighting.first_seen)
}

fn clamped(claimed: Option<Timestamp>, first_seen: Timestamp) -> Option<Timestamp> {
    claimed.filter(|claimed| *claimed > Timestamp::UNIX_EPOCH).map(|claimed| claimed.min(first_seen))
}

/// The time of publishing that is shown and that queries mean: as claimed, else first seen.
pub fn published(sighting: &Sighting) -> Timestamp {
    claimed(sighting).unwrap_or(sighting.first_seen)
}

/// As [`published`], of what is first seen now.
pub fn published_at(claimed: Option<Timestamp>, first_seen: Timestamp) -> Timestamp {
    clamped(claimed, first_seen).unwrap_or(first_seen)
}

fn is_at_home(sighting: &Sighting, source: &StandingSource) -> bool {
    let Some(host) = sighting.url.as_ref().and_then(site_host) else { return false };
    let homes = [source.site.as_ref(), source.address.as_ref()];
    homes.into_iter().flatten().filter_map(site_host).any(|home| within(host, home) || within(home, host))
}

fn categories(sightings: &[&Sighting]) -> Vec<String> {
    let mut met = std::collections::HashSet::new();
    let all = sightings.iter().flat_map(|sighting| &sighting.categories);
    all.filter(|category| met.insert(crate::text::fold(category))).cloned().collect()
}

/// What the shown sighting carries. An origin that is its own source says nothing more, and an address of it could hold a secret.
fn particulars(shown: &Sighting, source: &StandingSource) -> Particulars {
    let mut particulars = shown.particulars.clone();
    let place = |url: &Url| (url.host_str().map(str::to_owned), url.path().trim_end_matches('/').to_owned());
    let own = source.address.as_ref().map(place);
    particulars.origin = particulars.origin.filter(|origin| {
        let is_own_feed = origin.feed.as_ref().map(place).is_some_and(|feed| Some(feed) == own);
        let is_own_id = origin.id.is_some() && origin.id == source.about.id;
        !is_own_feed && !is_own_id
    });
    particulars
}

fn provenance(sighting: &Sighting, source: &StandingSource) -> Provenance {
    Provenance {
        source: source.key.clone(),
        source_title: source.title.clone(),
        source_address: source.address.clone(),
        site: source.site.clone(),
        source_updated: Some(sighting.changed.unwrap_or_else(|| published(sighting))),
        about: Arc::clone(&source.about),
        guid: sighting.guid.clone(),
        url: sighting.url.clone(),
        title: sighting.title.clone(),
        published: sighting.published,
        ground: sighting.ground,
        score: sighting.score,
    }
}
