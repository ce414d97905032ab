//! Texts that were read from the pages of entries, apart from what feeds said: a sighting has one at the most, under its own number.
//! Nothing that identifies or merges is ever made from them.

use url::Url;

use crate::model::Timestamp;
use crate::model::document::RawHtml;
use crate::model::entry::{Seq, TextDigest, TextName};
use crate::store::engine::{Batch, StoreError};
use crate::store::entries::Store;
use crate::store::{keys, record};

/// The article of a page, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageText {
    /// Where it was found in the end.
    pub url: Url,
    /// When it was stored.
    pub at: Timestamp,
    /// Raw; sanitised only on the way out.
    pub html: RawHtml,
}

/// What there is to know of a stored text without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageMark {
    /// Names this version of the text.
    pub name: TextName,
    pub at: Timestamp,
}

impl Store {
    /// Which text of a page there is for a sighting; `None` while there is none.
    pub fn page_mark(&self, sighting: Seq) -> Result<Option<PageMark>, StoreError> {
        let Some(bytes) = self.engine().get(&keys::page(sighting))? else { return Ok(None) };
        let mut digest = [0; 8];
        digest.copy_from_slice(&blake3::hash(&bytes).as_bytes()[..8]);
        Ok(Some(PageMark { name: TextName::new(sighting, TextDigest(digest)), at: record::read_page_time(&bytes)? }))
    }

    pub fn page(&self, sighting: Seq) -> Result<Option<PageText>, StoreError> {
        self.engine().get(&keys::page(sighting))?.map(|bytes| record::read_page(&bytes)).transpose()
    }

    /// Puts a text, as [`record::write_page`] made it, in place of the one that there may be. Visible at once, durable after
    /// [`Store::sync`].
    pub fn put_page(&self, sighting: Seq, page: Vec<u8>) -> Result<(), StoreError> {
        self.begin_commit();
        let mut batch = Batch::default();
        batch.put(keys::page(sighting), page);
        self.apply(&batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::document::Particulars;
    use crate::model::entry::{Entry, Ground, PublicId, Sighting};
    use crate::model::source::Scope;
    use crate::store::memory::MemoryEngine;
    use crate::store::record::Counters;
    use crate::store::tombstone::Removal;

    fn entry() -> Entry {
        let sighting = Sighting {
            seq: Seq(2),
            source: Scope("one".into()),
            id: PublicId([1; 16]),
            first_seen: Timestamp::UNIX_EPOCH,
            sort_at: Timestamp::UNIX_EPOCH,
            changed: None,
            guid: None,
            url: None,
            title: None,
            published: None,
            authors: Vec::new(),
            categories: Vec::new(),
            enclosures: Vec::new(),
            language: None,
            particulars: Particulars::default(),
            text: None,
            ground: Ground::First,
            score: 1.0,
            evidence: String::new(),
            matched: None,
            keys: Vec::new(),
            fingerprint: [0; 16],
            reading: [0; 16],
        };
        let (seq, id, first_seen) = (Seq(1), PublicId([1; 16]), Timestamp::UNIX_EPOCH);
        Entry { seq, id, first_seen, sightings: vec![sighting], placements: Vec::new(), held: None }
    }

    #[test]
    fn a_page_is_named_by_its_version_and_goes_with_its_sighting() {
        let store = Store::new(Box::<MemoryEngine>::default());
        let put = |html: &str| {
            let page = PageText {
                url: Url::parse("https://one.example/").unwrap(),
                at: Timestamp::UNIX_EPOCH,
                html: RawHtml(html.to_owned()),
            };
            store.put_page(Seq(2), record::write_page(&page)).unwrap();
            store.page_mark(Seq(2)).unwrap().unwrap().name
        };
        let (first, second) = (put("<p>a</p>"), put("<p>b</p>"));
        assert_ne!(first, second);
        assert_eq!((first, first.sighting()), (put("<p>a</p>"), Seq(2)));
        assert_eq!(store.page(Seq(2)).unwrap().unwrap().html.0, "<p>a</p>");
        assert_eq!(store.page_mark(Seq(1)).unwrap(), None);
        let removal = Removal {
            scope: Scope("one".into()),
            before: entry(),
            after: None,
            parts: Vec::new(),
            left_at: None,
            at: Timestamp::UNIX_EPOCH,
        };
        store.remove(&Scope("one".into()), &[removal], &mut Counters::default()).unwrap();
        assert_eq!(store.page(Seq(2)).unwrap(), None);
    }
}
