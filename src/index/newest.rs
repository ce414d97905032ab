//! The newest entries of a feed that a proposal names.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tantivy::columnar::Column;
use tantivy::postings::Postings as _;
use tantivy::query::{AllQuery, EnableScoring, Scorer};
use tantivy::schema::IndexRecordOption;
use tantivy::{COLLECT_BLOCK_BUFFER_LEN, DocId, DocSet as _, Searcher, SegmentReader, TERMINATED, Term};

use crate::index::IndexError;
use crate::index::fields::{self, Fields};
use crate::index::proposal::{Proposal, Translator};
use crate::index::standing::Standing;
use crate::model::entry::Seq;
use crate::model::feed::FeedId;

/// An entry's place in a feed: sort time in milliseconds, then number. Larger ones are newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    pub at: i64,
    pub entry: Seq,
}

/// The index as of one commit.
pub struct View {
    searcher: Searcher,
    fields: Fields,
    standing: Standing,
    bytes: u64,
}

impl View {
    pub(super) fn new(searcher: Searcher, fields: Fields, standing: Standing, bytes: u64) -> Self {
        Self { searcher, fields, standing, bytes }
    }

    /// On the disk, after its commit.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Sightings in it.
    pub fn documents(&self) -> u64 {
        self.searcher.num_docs()
    }

    /// The newest entries of a feed below a place, newest first, that may be what is proposed: all of them if fewer than `limit` come back.
    ///
    /// # Errors
    /// When files cannot be read or are not what they should be. What the index's library panics over counts as damage.
    pub fn newest(
        &self,
        proposal: &Proposal,
        feed: &FeedId,
        before: Option<Spot>,
        limit: usize,
    ) -> Result<Vec<Spot>, IndexError> {
        guarded(|| self.look(proposal, feed, before, limit))
    }

    fn look(
        &self,
        proposal: &Proposal,
        feed: &FeedId,
        before: Option<Spot>,
        limit: usize,
    ) -> Result<Vec<Spot>, IndexError> {
        let translator = Translator { searcher: &self.searcher, fields: self.fields };
        let within = Proposal::All(vec![proposal.clone(), Proposal::Feed(feed.clone())]);
        let query = translator.query(&within)?.unwrap_or_else(|| Box::new(AllQuery));
        let weight = query.weight(EnableScoring::disabled_from_searcher(&self.searcher))?;
        let mut segments = Vec::new();
        for reader in self.searcher.segment_readers() {
            segments.push((reader, Places::of(reader, feed)?));
        }
        // The segment that may have the newest first; then of others often nothing need be looked at.
        segments.sort_by_key(|(_, places)| std::cmp::Reverse(places.latest()));
        let mut newest = Newest { found: Vec::new(), limit, before, least: None };
        for (reader, places) in &segments {
            if newest.least.is_some_and(|least| places.latest() < least.at) {
                continue;
            }
            match &places.order {
                Order::All(times) => {
                    let mut found = weight.scorer(reader, 1.0)?;
                    let start = before.map_or(0, |before| first_not_after(times, before.at));
                    if found.doc() < start {
                        found.seek(start);
                    }
                    take_first(&mut newest, reader, places, found.as_mut());
                }
                Order::Other(..) => {
                    weight.for_each_no_score(reader, &mut |documents| newest.take(reader, places, documents))?;
                }
            }
        }
        Ok(newest.end())
    }

    /// The sort time of an entry in a feed, as the index has it.
    ///
    /// # Errors
    /// As [`View::newest`].
    pub fn place(&self, entry: Seq, feed: &FeedId) -> Result<Option<i64>, IndexError> {
        guarded(|| {
            let term = Term::from_field_u64(self.fields.entry, entry.0);
            for reader in self.searcher.segment_readers() {
                let index = reader.inverted_index(self.fields.entry)?;
                let Some(mut postings) = index.read_postings(&term, IndexRecordOption::Basic)? else { continue };
                debug_assert!(postings.term_freq() > 0);
                while postings.doc() != TERMINATED {
                    if !reader.is_deleted(postings.doc()) {
                        return Ok(Places::of(reader, feed)?.at(postings.doc()));
                    }
                    postings.advance();
                }
            }
            Ok(None)
        })
    }
}

/// A damaged file may lead the library anywhere; nothing but the search may suffer.
fn guarded<T>(job: impl FnOnce() -> Result<T, IndexError>) -> Result<T, IndexError> {
    catch_unwind(AssertUnwindSafe(job))
        .unwrap_or_else(|_| Err(IndexError::Damaged("its files contradict each other".to_owned())))
}

/// Takes what is found in the order in which it lies, newest first, until what follows is older than what is wanted.
fn take_first(newest: &mut Newest, reader: &SegmentReader, places: &Places, found: &mut dyn Scorer) {
    let mut block = [0; COLLECT_BLOCK_BUFFER_LEN];
    loop {
        let count = found.fill_buffer(&mut block);
        let documents = &block[..count];
        newest.take(reader, places, documents);
        let last = documents.last().and_then(|document| places.at(*document));
        let is_past = newest.least.zip(last).is_some_and(|(least, last)| last < least.at);
        if count < block.len() || is_past {
            return;
        }
    }
}

/// The first document that stands no later than a time, where they lie newest first.
fn first_not_after(times: &Column<i64>, at: i64) -> DocId {
    let (mut from, mut to) = (0, times.num_docs());
    while from < to {
        let middle = from + (to - from) / 2;
        if times.first(middle).unwrap_or_default() > at {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    from
}

/// Where the documents of a segment stand in one feed.
struct Places {
    entries: Column<u64>,
    order: Order,
}

enum Order {
    /// In the feed of all.
    All(Column<i64>),
    /// In another one: its number, the numbers of each document's feeds, and the sort times in them.
    Other(u64, Column<u64>, Column<i64>),
}

impl Places {
    fn of(reader: &SegmentReader, feed: &FeedId) -> Result<Self, IndexError> {
        let columns = reader.fast_fields();
        let order = match feed {
            FeedId::All => Order::All(columns.i64("all_at")?),
            other => Order::Other(fields::number(other), columns.u64("feed")?, columns.i64("feed_at")?),
        };
        Ok(Self { entries: columns.u64("entry")?, order })
    }

    /// No document stands later.
    fn latest(&self) -> i64 {
        let (Order::All(times) | Order::Other(_, _, times)) = &self.order;
        times.max_value()
    }

    fn at(&self, document: DocId) -> Option<i64> {
        match &self.order {
            Order::All(times) => times.first(document),
            Order::Other(number, feeds, times) => {
                let mut places = feeds.values_for_doc(document).zip(times.values_for_doc(document));
                places.find(|(feed, _)| feed == number).map(|(_, at)| at)
            }
        }
    }

    /// The sort times of a block of documents.
    fn fill(&self, documents: &[DocId], times: &mut [Option<i64>]) {
        match &self.order {
            Order::All(column) => {
                times.fill(None);
                column.first_vals(documents, times);
            }
            Order::Other(..) => {
                for (document, at) in documents.iter().zip(times) {
                    *at = self.at(*document);
                }
            }
        }
    }
}

/// The newest spots that were met, each once, with room for more than `limit` so that they are put in order rarely.
struct Newest {
    found: Vec<Spot>,
    limit: usize,
    before: Option<Spot>,
    /// What is older is not among the newest.
    least: Option<Spot>,
}

impl Newest {
    fn take(&mut self, reader: &SegmentReader, places: &Places, documents: &[DocId]) {
        let alive = reader.alive_bitset();
        let is_alive = |document: &DocId| alive.is_none_or(|alive| alive.is_alive(*document));
        let mut times = [None; COLLECT_BLOCK_BUFFER_LEN];
        for documents in documents.chunks(COLLECT_BLOCK_BUFFER_LEN) {
            let times = &mut times[..documents.len()];
            places.fill(documents, times);
            for (document, at) in documents.iter().zip(times) {
                let Some(at) = *at else { continue };
                let is_out = self.least.is_some_and(|least| at < least.at)
                    || self.before.is_some_and(|before| at > before.at)
                    || !is_alive(document);
                if !is_out && let Some(entry) = places.entries.first(*document) {
                    self.put(Spot { at, entry: Seq(entry) });
                }
            }
        }
    }

    fn put(&mut self, spot: Spot) {
        if self.before.is_some_and(|before| spot >= before) || self.least.is_some_and(|least| spot <= least) {
            return;
        }
        self.found.push(spot);
        if self.found.len() >= 4 * self.limit.max(64) {
            self.settle();
        }
    }

    fn settle(&mut self) {
        self.found.sort_unstable_by(|one, other| other.cmp(one));
        // Several sightings of an entry stand at its one place.
        self.found.dedup();
        self.found.truncate(self.limit);
        if self.found.len() == self.limit {
            self.least = self.found.last().copied();
        }
    }

    fn end(mut self) -> Vec<Spot> {
        self.settle();
        self.found
    }
}
