//! Archive pages (RFC 5005 §4), and what a feed's current document owes to them: together they hold everything that ever joined the
//! feed and is still stored, however long a reader was away.
//!
//! A page holds what joined the feed, whatever limits its current document has (`per_source`, `max_age`): what such a limit left out
//! of that document while it was new can still be found. So a page does not depend on the time.

use std::collections::HashMap;

use crate::model::source::SourceKey;
use crate::published::request::ArchivePage;
use crate::select::page::{self, SelectError, Selection, Within};
use crate::store::engine::StoreError;
use crate::store::keys::Place;

/// Most pages that are looked at for one that still has entries. Retention removes the oldest first, so beyond so many empty ones
/// there is nothing.
const LOOKED_AT: u64 = 32;

/// The archive pages beside a document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beside {
    /// The next older one that still has entries.
    pub previous: Option<ArchivePage>,
    /// The next newer one; `None` for the newest, which the current document follows.
    pub next: Option<ArchivePage>,
}

/// Adds to a feed's newest entries what no closed page holds, and where its archive begins.
pub(super) fn complete(
    within: &Within<'_>,
    selection: &mut Selection,
    counts: &mut HashMap<SourceKey, usize>,
) -> Result<(), SelectError> {
    // First the open part: a page that closes meanwhile is then named below.
    let mut open = within.store.open_part(within.feed, within.epoch)?;
    if let Some(shown) = selection.next.as_ref().map(page::place).transpose()? {
        // What was dated back stands below what is shown. Everything above has been looked at.
        open.retain(|place| *place < shown);
        open.sort_unstable_by(|one, other| other.cmp(one));
        for place in open {
            if let Some((touched, presented)) = within.still(place)?
                && !within.filter.is_over_share(&presented, counts)
            {
                selection.add(touched, presented);
            }
        }
    }
    selection.archives.previous = older(within, None)?;
    Ok(())
}

/// An archive page, in the feed's own order.
pub(super) fn select(within: &Within<'_>, page: ArchivePage) -> Result<Selection, SelectError> {
    let feed = &within.filter.feed();
    if page.epoch < within.epoch {
        let text = format!(
            "the feed {feed} was defined anew, and this page is of its archive before that; its current document is /{feed}.atom"
        );
        return Err(SelectError::Gone(text));
    }
    let places = within.store.archive_page(within.feed, page.epoch, page.number)?;
    let Some(mut places) = places.filter(|_| page.epoch == within.epoch) else {
        let text = format!(
            "the archive of the feed {feed} has no page {page}; it begins in /{feed}.atom, with the link `prev-archive`"
        );
        return Err(SelectError::Missing(text));
    };
    places.sort_unstable_by(|one, other| other.cmp(one));
    let mut selection = Selection::default();
    for place in places {
        if let Some((touched, presented)) = within.still(place)? {
            selection.add(touched, presented);
        }
    }
    if selection.entries.is_empty() {
        let text = format!(
            "nothing is left of what this archive page listed; the current document of the feed is /{feed}.atom"
        );
        return Err(SelectError::Gone(text));
    }
    selection.archives = Beside { previous: older(within, Some(page.number))?, next: newer(within, page.number)? };
    Ok(selection)
}

fn older(within: &Within<'_>, mut before: Option<u64>) -> Result<Option<ArchivePage>, StoreError> {
    for _ in 0..LOOKED_AT {
        let pages = within.store.archive_pages(within.feed, within.epoch, before, 1)?;
        let Some((number, places)) = pages.into_iter().next() else { return Ok(None) };
        if has_entries(within, &places)? {
            return Ok(Some(ArchivePage { epoch: within.epoch, number }));
        }
        before = Some(number);
    }
    Ok(None)
}

fn newer(within: &Within<'_>, after: u64) -> Result<Option<ArchivePage>, StoreError> {
    for number in after + 1..=after + LOOKED_AT {
        let Some(places) = within.store.archive_page(within.feed, within.epoch, number)? else { return Ok(None) };
        if has_entries(within, &places)? {
            return Ok(Some(ArchivePage { epoch: within.epoch, number }));
        }
    }
    Ok(None)
}

/// Whether at least one place still shows an entry, whatever limits the current document has.
fn has_entries(within: &Within<'_>, places: &[Place]) -> Result<bool, StoreError> {
    for place in places {
        if within.is_shown(*place)? {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
