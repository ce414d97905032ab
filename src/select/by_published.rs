//! `order=published`: what matches among the newest places of a feed, by the time of publishing, newest first.
//!
//! A feed keeps its places by arrival, so there is no order by publishing to be read from the disk. What is sorted is therefore bounded:
//! the [`SCAN`] newest places of the feed as it is now. Of entries published in the same millisecond the one that came later stands first.
//! A page goes on below the time and number of the last entry shown, so that no entry is on two pages; one that joins between
//! two pages is on a later one if it was published earlier, and at the top of the feed otherwise. The last page has no next one: what lies
//! below the newest places is found in the feed's own order.

use std::collections::HashMap;

use crate::model::entry::Seq;
use crate::model::feed::FeedId;
use crate::published::request::Cursor;
use crate::select::catalogue::Catalogue;
use crate::select::page::{Filter, Further, PAGE, SCAN, SelectError, Selection};
use crate::store::engine::StoreError;
use crate::store::entries::Store;
use crate::store::keys::Place;

/// An entry that matches: by time of publishing in milliseconds, as cursors have it, then by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    published_ms: i64,
    seq: Seq,
    place: Place,
}

pub(super) fn select(
    store: &Store,
    catalogue: &Catalogue,
    filter: &Filter<'_>,
    (feed, epoch): (&FeedId, u32),
    further: &mut Further<'_>,
) -> Result<Selection, SelectError> {
    let limit = filter.request.limit.unwrap_or(PAGE);
    let mut selection = Selection::default();
    let mut counts = HashMap::new();
    let mut last_shown = None;
    // Entries are read again for the page, so that what was only ranked need not be kept.
    for rank in ranked(store, catalogue, filter, (feed, epoch), further)? {
        let Some((touched, presented)) = filter.admit(store, catalogue, rank.place)? else { continue };
        if filter.is_over_share(&presented, &mut counts) {
            continue;
        }
        if selection.entries.len() == limit {
            selection.next = last_shown;
            break;
        }
        last_shown = Some(Cursor { sort_at_ms: rank.published_ms, seq: rank.seq.0 });
        selection.add(touched, presented);
    }
    Ok(selection)
}

/// What matches, newest published first, below the request's cursor.
fn ranked(
    store: &Store,
    catalogue: &Catalogue,
    filter: &Filter<'_>,
    (feed, epoch): (&FeedId, u32),
    further: &mut Further<'_>,
) -> Result<Vec<Rank>, StoreError> {
    let below = filter.request.before.map(|cursor| (cursor.sort_at_ms, cursor.seq));
    let (mut ranks, mut looked_at, mut before) = (Vec::new(), 0, None);
    while looked_at < SCAN {
        let places = further(filter, feed, epoch, before)?;
        let Some(last) = places.last().copied() else { break };
        for place in places {
            looked_at += 1;
            let Some((_, presented)) = filter.admit(store, catalogue, place)? else { continue };
            let published_ms = presented.published.timestamp_millis();
            if below.is_none_or(|below| (published_ms, place.seq.0) < below) {
                ranks.push(Rank { published_ms, seq: place.seq, place });
            }
        }
        before = Some(last);
    }
    ranks.sort_unstable_by(|one, other| other.cmp(one));
    Ok(ranks)
}
