//! An entry → what of it a public output may know, where private sources have brought copies of it, too.

use std::collections::HashSet;

use crate::model::entry::{Entry, Seq};
use crate::model::feed::{FeedId, FeedName};
use crate::select::catalogue::Catalogue;

/// What stands in the place of evidence that speaks of a copy which is not told.
const EVIDENCE: &str = "it was joined with a copy that is not told here";

/// What is left of an entry.
pub struct Visible {
    pub entry: Entry,
    /// Whether there is more than that.
    pub is_partial: bool,
}

/// The entry as if only the declared sources of this catalogue had brought it, under its own id; `None` when none of them did. A
/// source that is not declared any more may have been a private one.
pub fn visible(mut entry: Entry, catalogue: &Catalogue) -> Option<Visible> {
    let all = entry.sightings.len();
    entry.sightings.retain(|sighting| catalogue.standing.sources.contains_key(&sighting.source));
    entry.first_seen = entry.sightings.iter().map(|sighting| sighting.first_seen).min()?;
    entry.placements.retain(|placement| match &placement.feed {
        FeedId::All => true,
        FeedId::Topic(key) => catalogue.feed_id(&FeedName::Topic(key.clone())).is_some(),
        FeedId::Source(scope) => catalogue.standing.sources.contains_key(scope),
    });
    let is_partial = entry.sightings.len() < all;
    if is_partial {
        let told: HashSet<Seq> = entry.sightings.iter().map(|sighting| sighting.seq).collect();
        for sighting in &mut entry.sightings {
            if !sighting.matched.is_some_and(|matched| told.contains(&matched)) && !sighting.evidence.is_empty() {
                sighting.matched = None;
                EVIDENCE.clone_into(&mut sighting.evidence);
            }
        }
    }
    Some(Visible { entry, is_partial })
}
