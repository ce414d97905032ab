//! `order=published`: what matches among the newest places of a feed, by the time of publishing, newest first.
//!
//! A feed keeps its places by arrival, so there is no order by publishing to be read from the disk. What is sorted is therefore bounded:
//! the [`SCAN`] newest places of the feed as it is now. Of entries published in the same millisecond the one that came later stands first.
//! A page goes on below the time and number of the last entry shown, so that no entry is on two pages; one that joins between
//! two pages is on a later one if it was published earlier, and at the top of the feed otherwise. The last page has no next one: what lies
//! below the newest places is found in the feed's own order.

use std::collections::HashMap;

use crate::model::Timestamp;
use crate::model::entry::Seq;
use crate::published::request::Cursor;
use crate::select::page::{Asked, PAGE, SCAN, SelectError, Selection};
use crate::store::keys::Place;

/// An entry that matches: by time of publishing in milliseconds, as cursors have it, then by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    published_ms: i64,
    seq: Seq,
    place: Place,
}

pub(super) fn select(
    asked: &Asked<'_>,
    next: &mut dyn FnMut() -> Result<Option<Place>, SelectError>,
) -> Result<Selection, SelectError> {
    let limit = asked.request.limit.unwrap_or(PAGE);
    let (ranks, is_cut) = ranked(asked, next)?;
    let mut selection = Selection { entries: Vec::new(), last_change: Timestamp::UNIX_EPOCH, next: None, is_cut };
    let mut counts = HashMap::new();
    let mut last_shown = None;
    // Entries are read again for the page, so that what was only ranked need not be kept.
    for rank in ranks {
        let Some((touched, presented)) = asked.admit(rank.place)? else { continue };
        if asked.is_over_share(&presented, &mut counts) {
            continue;
        }
        if selection.entries.len() == limit {
            selection.next = last_shown;
            break;
        }
        last_shown = Some(Cursor { sort_at_ms: rank.published_ms, seq: rank.seq.0 });
        selection.last_change = selection.last_change.max(touched);
        selection.entries.push(presented);
    }
    Ok(selection)
}

/// What matches, newest published first, below the request's cursor, and whether there was more than may be looked at.
fn ranked(
    asked: &Asked<'_>,
    next: &mut dyn FnMut() -> Result<Option<Place>, SelectError>,
) -> Result<(Vec<Rank>, bool), SelectError> {
    let below = asked.request.before.map(|cursor| (cursor.sort_at_ms, cursor.seq));
    let (mut ranks, mut is_cut) = (Vec::new(), true);
    for _ in 0..SCAN {
        let Some(place) = next()? else {
            is_cut = false;
            break;
        };
        let Some((_, presented)) = asked.admit(place)? else { continue };
        let published_ms = presented.published.timestamp_millis();
        if below.is_none_or(|below| (published_ms, place.seq.0) < below) {
            ranks.push(Rank { published_ms, seq: place.seq, place });
        }
    }
    ranks.sort_unstable_by(|one, other| other.cmp(one));
    Ok((ranks, is_cut))
}
