//! What joined a feed, a hundred entries at a time, in the order of joining: the pages of its archive (RFC 5005 §4).
//!
//! A place is listed once: in a page that is closed, or in the open part that becomes the next one. Both are written in the batch that
//! makes the entry a member, so that neither is there without the other. A commit adds one record a feed to the open part; when the
//! open part has a hundred places, one record takes the place of all of them. What a page lists stays as it is: an entry that is
//! removed later is no member any more, and is skipped by whoever reads.
//!
//! Rearranged entries are no news, so they join the newest page that is closed. One that leaves a feed that way may come back to the
//! place that a page still lists; a small record remembers it.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::feed::FeedId;
use crate::store::engine::{Batch, Engine, Pairs, StoreError};
use crate::store::entries::{EntryWrite, Store};
use crate::store::keys::{self, Archived, Place};
use crate::store::rearrange::Rearrangement;
use crate::store::record;

/// Places of a page when it closes.
pub const PAGE: usize = 100;
/// Most places of a page to which rearranged entries were added; further ones make a page of their own.
const STRETCHED: usize = 2 * PAGE;
/// Most records of an open part. The next one takes the place of all of them, so that a batch that closes many pages stays bounded.
const PARTS: usize = 4;
/// Most writes that one feed costs in a batch beside its pages: the parts that end, and one that begins.
const WRITES_OF_ONE_FEED: usize = PARTS + 2;
/// Places that are looked at in one step when archives are made of what earlier versions stored.
const STEP: usize = 1_000;

/// What is known of feeds' open parts: at most a hundred places for each feed that something joined since the start.
#[derive(Default)]
pub(in crate::store) struct Archives {
    open: Mutex<HashMap<(FeedId, u32), Open>>,
}

/// What no closed page of a feed holds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Open {
    /// The number of the page that it becomes.
    page: u64,
    places: Vec<Place>,
    /// The numbers of its records, and that of the next one.
    parts: Vec<u64>,
    next: u64,
}

/// The joins of one batch, by feed.
#[derive(Default)]
pub(in crate::store) struct Joining<'c> {
    feeds: Vec<(&'c FeedId, u32, Vec<Place>)>,
    count: usize,
}

impl<'c> Joining<'c> {
    /// Adds what an entry joins. A topic that is worked out anew meets entries that joined it meanwhile: they stay where they are.
    pub(in crate::store) fn add(&mut self, engine: &dyn Engine, write: &'c EntryWrite) -> Result<(), StoreError> {
        for (feed, epoch, place) in &write.joins {
            // A sequence number is given once: a new entry cannot be a member.
            let is_member = !write.is_new && engine.get(&keys::membership(feed, *epoch, *place))?.is_some();
            if !is_member {
                self.join(feed, *epoch, *place);
            }
        }
        Ok(())
    }

    fn join(&mut self, feed: &'c FeedId, epoch: u32, place: Place) {
        let known = self.feeds.iter_mut().find(|(other, of, _)| *of == epoch && *other == feed);
        match known {
            Some((_, _, places)) if places.contains(&place) => return,
            Some((_, _, places)) => places.push(place),
            None => self.feeds.push((feed, epoch, vec![place])),
        }
        self.count += 1;
    }

    /// Most writes that the archives add to a batch that also holds this entry.
    pub(in crate::store) fn writes_with(&self, write: &EntryWrite) -> usize {
        (self.feeds.len() + write.joins.len()) * WRITES_OF_ONE_FEED + (self.count + write.joins.len()) / PAGE
    }
}

impl Archives {
    fn open(&self) -> MutexGuard<'_, HashMap<(FeedId, u32), Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was not applied or not synced may be gone: all is read again when it is needed.
    pub(in crate::store) fn forget(&self) {
        self.open().clear();
    }

    /// Adds the joins of a batch to it. Whoever does not apply the batch then has to [`Archives::forget`].
    pub(in crate::store) fn put(
        &self,
        engine: &dyn Engine,
        batch: &mut Batch,
        joining: Joining<'_>,
    ) -> Result<(), StoreError> {
        for (feed, epoch, places) in joining.feeds {
            self.with(engine, feed, epoch, |open| open.take(batch, feed, epoch, places))?;
        }
        Ok(())
    }

    fn with<T>(
        &self,
        engine: &dyn Engine,
        feed: &FeedId,
        epoch: u32,
        work: impl FnOnce(&mut Open) -> T,
    ) -> Result<T, StoreError> {
        let mut known = self.open();
        let name = (feed.clone(), epoch);
        if let Some(open) = known.get_mut(&name) {
            return Ok(work(open));
        }
        let open = known.entry(name).or_insert(Open::read(engine, feed, epoch)?);
        Ok(work(open))
    }

    /// Adds to a batch what a rearrangement changes, before the batch is applied. Whoever does not apply it then has to
    /// [`Archives::forget`].
    pub(in crate::store) fn rearrange(
        &self,
        engine: &dyn Engine,
        batch: &mut Batch,
        change: &Rearrangement,
    ) -> Result<(), StoreError> {
        for (feed, epoch, place) in &change.parts {
            if engine.get(&keys::membership(feed, *epoch, *place))?.is_some() {
                batch.insert(keys::archive_parted(feed, *epoch, *place), Vec::new());
            }
        }
        let mut joining = Joining::default();
        for (feed, epoch, place) in &change.joins {
            let parted = keys::archive_parted(feed, *epoch, *place);
            if engine.get(&parted)?.is_some() {
                batch.delete(parted);
            } else if engine.get(&keys::membership(feed, *epoch, *place))?.is_none() {
                joining.join(feed, *epoch, *place);
            }
        }
        for (feed, epoch, places) in joining.feeds {
            let last = last_page(engine, feed, epoch)?;
            self.with(engine, feed, epoch, |open| match last {
                Some((number, last)) => open.stretch(batch, (feed, epoch), (number, last), places),
                None => open.take(batch, feed, epoch, places),
            })?;
        }
        Ok(())
    }
}

/// Most writes that the archives add to a rearrangement's batch.
pub(in crate::store) fn writes_of(change: &Rearrangement) -> usize {
    let feeds: HashSet<(&FeedId, u32)> = change.joins.iter().map(|(feed, epoch, _)| (feed, *epoch)).collect();
    change.parts.len() + change.joins.len() + feeds.len() * WRITES_OF_ONE_FEED
}

impl Open {
    fn read(engine: &dyn Engine, feed: &FeedId, epoch: u32) -> Result<Self, StoreError> {
        let page = last_page(engine, feed, epoch)?.map_or(1, |(number, _)| number + 1);
        let mut open = Self { page, ..Self::default() };
        let (from, to) = keys::archive_range(feed, epoch, Archived::Part, None);
        for (key, value) in engine.scan(&from, &to, usize::MAX)? {
            let Some(number) = keys::archive_number(&key) else { continue };
            open.places.extend(record::read_places(&value)?);
            open.parts.push(number);
            open.next = number + 1;
        }
        Ok(open)
    }

    /// Takes in places that joined, and closes a page whenever there are enough.
    fn take(&mut self, batch: &mut Batch, feed: &FeedId, epoch: u32, places: Vec<Place>) {
        let mut added = Vec::new();
        for place in places {
            self.places.push(place);
            added.push(place);
            if self.places.len() >= PAGE {
                batch.put(keys::archive(feed, epoch, Archived::Page, self.page), record::write_places(&self.places));
                self.page += 1;
                self.end_parts(batch, feed, epoch);
                self.places.clear();
                added.clear();
            }
        }
        if added.is_empty() {
            return;
        }
        if self.parts.len() >= PARTS {
            self.end_parts(batch, feed, epoch);
            added.clone_from(&self.places);
        }
        batch.insert(keys::archive(feed, epoch, Archived::Part, self.next), record::write_places(&added));
        self.parts.push(self.next);
        self.next += 1;
    }

    fn end_parts(&mut self, batch: &mut Batch, feed: &FeedId, epoch: u32) {
        for part in self.parts.drain(..) {
            batch.delete(keys::archive(feed, epoch, Archived::Part, part));
        }
    }

    /// Takes in places that are no news.
    fn stretch(
        &mut self,
        batch: &mut Batch,
        (feed, epoch): (&FeedId, u32),
        (mut number, mut last): (u64, Vec<Place>),
        places: Vec<Place>,
    ) {
        for place in places {
            if last.len() >= STRETCHED {
                batch.put(keys::archive(feed, epoch, Archived::Page, number), record::write_places(&last));
                number = self.page;
                last.clear();
                self.page += 1;
            }
            last.push(place);
        }
        batch.put(keys::archive(feed, epoch, Archived::Page, number), record::write_places(&last));
    }
}

fn last_page(engine: &dyn Engine, feed: &FeedId, epoch: u32) -> Result<Option<(u64, Vec<Place>)>, StoreError> {
    let (from, to) = keys::archive_range(feed, epoch, Archived::Page, None);
    read_pages(&engine.scan_back(&from, &to, 1)?).map(|pages| pages.into_iter().next())
}

fn read_pages(found: &Pairs) -> Result<Vec<(u64, Vec<Place>)>, StoreError> {
    let numbered = found.iter().filter_map(|(key, value)| Some((keys::archive_number(key)?, value)));
    numbered.map(|(number, value)| Ok((number, record::read_places(value)?))).collect()
}

/// What making archives of a store of an earlier version did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Made {
    pub feeds: usize,
    pub places: usize,
}

impl Store {
    /// The places of an archive page, in the order of joining; `None` for a page that is not closed. Some may have left the feed.
    pub fn archive_page(&self, feed: &FeedId, epoch: u32, number: u64) -> Result<Option<Vec<Place>>, StoreError> {
        let found = self.engine().get(&keys::archive(feed, epoch, Archived::Page, number))?;
        found.map(|bytes| record::read_places(&bytes)).transpose()
    }

    /// The closed pages before a number, the newest first, at most `limit`.
    pub fn archive_pages(
        &self,
        feed: &FeedId,
        epoch: u32,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, Vec<Place>)>, StoreError> {
        let (from, to) = keys::archive_range(feed, epoch, Archived::Page, before);
        read_pages(&self.engine().scan_back(&from, &to, limit)?)
    }

    /// What no closed page holds, in the order of joining: fewer than a hundred places. To be read before the pages, or a page that
    /// closes meanwhile is in neither.
    pub fn open_part(&self, feed: &FeedId, epoch: u32) -> Result<Vec<Place>, StoreError> {
        let (from, to) = keys::archive_range(feed, epoch, Archived::Part, None);
        let found = self.engine().scan(&from, &to, usize::MAX)?;
        let places: Result<Vec<Vec<Place>>, StoreError> =
            found.iter().map(|(_, value)| record::read_places(value)).collect();
        Ok(places?.concat())
    }

    /// Whether a feed holds an entry at this place.
    pub fn is_member(&self, feed: &FeedId, epoch: u32, place: Place) -> Result<bool, StoreError> {
        Ok(self.engine().get(&keys::membership(feed, epoch, place))?.is_some())
    }

    /// Makes the archives of a store that an earlier version wrote, the oldest places first; `None` when there is nothing to do. In
    /// bounded batches; what was interrupted goes on where it was.
    pub fn make_archives(&self) -> Result<Option<Made>, StoreError> {
        if self.engine().get(keys::ARCHIVED)?.is_some() {
            return Ok(None);
        }
        let mut made = Made::default();
        let mut from = vec![keys::MEMBERSHIP];
        // From one feed to the next, however many places lie between.
        while let Some((key, _)) = self.engine().scan(&from, &[keys::MEMBERSHIP + 1], 1)?.first() {
            let Some((feed, epoch)) = keys::membership_feed(key) else {
                from = [key.as_slice(), &[0]].concat();
                continue;
            };
            let places = self.make_archive(&feed, epoch)?;
            made.feeds += usize::from(places > 0);
            made.places += places;
            from = keys::membership_range(&feed, epoch, None).1;
        }
        let mut batch = Batch::default();
        batch.put(keys::ARCHIVED.to_vec(), Vec::new());
        self.apply(&batch)?;
        self.sync()?;
        Ok(Some(made).filter(|made| made.places > 0))
    }

    fn make_archive(&self, feed: &FeedId, epoch: u32) -> Result<usize, StoreError> {
        // What an interrupted run, or a commit before this, has listed already.
        let mut listed: HashSet<(i64, u64)> = HashSet::new();
        let name = |place: &Place| (place.sort_at.timestamp_millis(), place.seq.0);
        listed.extend(self.open_part(feed, epoch)?.iter().map(name));
        for (_, places) in self.archive_pages(feed, epoch, None, usize::MAX)? {
            listed.extend(places.iter().map(name));
        }
        let (mut from, to) = keys::membership_range(feed, epoch, None);
        let mut made = 0;
        loop {
            let found = self.engine().scan(&from, &to, STEP)?;
            let Some((last, _)) = found.last() else { return Ok(made) };
            from = [last.as_slice(), &[0]].concat();
            let places = found.iter().filter_map(|(key, _)| keys::place(key));
            let places: Vec<Place> = places.filter(|place| !listed.contains(&name(place))).collect();
            made += places.len();
            self.begin_commit();
            let mut batch = Batch::default();
            let joining = Joining { count: places.len(), feeds: vec![(feed, epoch, places)] };
            let put = self.archives().put(self.engine(), &mut batch, joining).and_then(|()| self.apply(&batch));
            put.inspect_err(|_| self.archives().forget())?;
        }
    }
}

#[cfg(test)]
mod tests;
