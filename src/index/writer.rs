//! Documents → the index.

use tantivy::indexer::{IndexWriterOptions, LogMergePolicy};
use tantivy::{IndexWriter, TantivyDocument, Term};

use crate::index::fields::Fields;
use crate::index::{Entered, IndexError};
use crate::model::entry::{Entry, Seq};

/// Least memory of a writer, in bytes; the library takes no less.
pub const LEAST_MEMORY: usize = 15_000_000;

/// Parts of this many documents are left as they are: joining them again and again would cost more than it saves.
const LARGEST_MERGED: usize = 500_000;

/// A part of which more is replaced elsewhere is written anew.
const MOST_REPLACED: f32 = 0.3;

/// See the module. One thread puts documents into order, another one joins parts.
pub struct Writer {
    inner: IndexWriter<TantivyDocument>,
    fields: Fields,
    /// Written and not yet committed.
    pending: usize,
}

impl Writer {
    pub(super) fn open(index: &tantivy::Index, fields: Fields, memory: usize) -> Result<Self, IndexError> {
        let options = IndexWriterOptions::builder()
            .num_worker_threads(1)
            .num_merge_threads(1)
            .memory_budget_per_thread(memory.max(LEAST_MEMORY))
            .build();
        let inner: IndexWriter<TantivyDocument> = index.writer_with_options(options)?;
        let mut policy = LogMergePolicy::default();
        policy.set_max_docs_before_merge(LARGEST_MERGED);
        policy.set_del_docs_ratio_before_merge(MOST_REPLACED);
        inner.set_merge_policy(Box::new(policy));
        Ok(Self { inner, fields, pending: 0 })
    }

    /// An entry's documents, to be filled in.
    pub fn enter<'a>(&self, entry: &'a Entry) -> Entered<'a> {
        Entered::new(entry, self.fields)
    }

    /// Puts an entry into the place of what the index has of it.
    ///
    /// # Errors
    /// When the thread that writes has ended, as a rule for want of room on the disk.
    pub fn replace(&mut self, entry: Seq, entered: Option<Entered<'_>>) -> Result<(), IndexError> {
        self.inner.delete_term(Term::from_field_u64(self.fields.entry, entry.0));
        self.pending += 1;
        entered.map_or(Ok(()), |entered| self.add(entered))
    }

    /// Adds an entry that the index does not have.
    ///
    /// # Errors
    /// As [`Writer::replace`].
    pub fn add(&mut self, entered: Entered<'_>) -> Result<(), IndexError> {
        for document in entered.documents {
            self.inner.add_document(document.0)?;
            self.pending += 1;
        }
        Ok(())
    }

    /// What a commit would make durable.
    pub fn pending(&self) -> usize {
        self.pending
    }

    pub(super) fn commit(&mut self, payload: &str) -> Result<(), IndexError> {
        let mut commit = self.inner.prepare_commit()?;
        commit.set_payload(payload);
        commit.commit()?;
        self.pending = 0;
        Ok(())
    }
}
