//! The full-text index: which entries may be what a query looks for, newest first. It proposes; the matcher decides.
//!
//! It is derived from the store and lies in a folder within the store's own, so it may be lost, damaged or of another version at any
//! time: then it is made anew. A document stands for one sighting, with the words as `text` splits them, since the matcher looks at
//! whole sightings and splits them alike. Whoever fills it (`indexing`) says with each commit how far that goes ([`Standing`]).

mod document;
mod fields;
mod newest;
mod proposal;
mod standing;
mod writer;

pub use document::{Document, Entered};
pub use newest::{Spot, View};
pub use proposal::{Proposal, Words};
pub use standing::Standing;
pub use writer::{LEAST_MEMORY, Writer};

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tantivy::directory::MmapDirectory;
use tantivy::directory::error::{OpenDirectoryError, OpenReadError, OpenWriteError};
use tantivy::{IndexReader, ReloadPolicy, TantivyError};
use tokio::sync::Notify;

use crate::index::fields::Fields;

/// Where the index lies in the store's folder. Compaction, export and import leave it alone.
const FOLDER: &str = "index";

/// Why the index does not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// What is on the disk is sound as far as one knows; another attempt may succeed.
    #[error("{0}")]
    Failed(String),
    /// It has to be made anew.
    #[error("the index is damaged: {0}")]
    Damaged(String),
}

impl From<TantivyError> for IndexError {
    fn from(error: TantivyError) -> Self {
        let told = error.to_string();
        match error {
            TantivyError::IoError(_)
            | TantivyError::LockFailure(..)
            | TantivyError::ErrorInThread(_)
            | TantivyError::SystemError(_)
            | TantivyError::OpenWriteError(OpenWriteError::IoError { .. })
            | TantivyError::OpenReadError(OpenReadError::IoError { .. })
            | TantivyError::OpenDirectoryError(
                OpenDirectoryError::IoError { .. } | OpenDirectoryError::FailedToCreateTempDir(_),
            ) => Self::Failed(told),
            _ => Self::Damaged(told),
        }
    }
}

impl From<std::io::Error> for IndexError {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// An index beside its store. Searching and writing do not wait for each other.
pub struct Index {
    /// `None` for one that lives in memory.
    folder: Option<PathBuf>,
    /// Of the store that it is made of.
    mark: u128,
    open: Mutex<Option<Open>>,
    /// What searches see: the last commit.
    view: RwLock<Option<Arc<View>>>,
    /// Why it cannot be searched or written as it should be.
    trouble: Mutex<Option<IndexError>>,
    /// Told when a search met damage.
    damage: Notify,
}

/// The files, open.
struct Open {
    index: tantivy::Index,
    reader: IndexReader,
    fields: Fields,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Index {
    /// The index of the store in `store`, as it lies there. What is missing, foreign, of another version or unreadable can be told from
    /// having no [`Index::view`]; [`Index::begin_anew`] mends it.
    pub fn open(store: &Path, mark: u128) -> Self {
        let folder = store.join(FOLDER);
        let is_there = folder.is_dir();
        let index = Self::new(Some(folder), mark);
        if is_there && let Err(error) = index.read() {
            tracing::warn!("the index for searches is made anew: {error}");
        }
        index
    }

    /// An empty index in memory.
    pub fn in_memory() -> Self {
        Self::new(None, 0)
    }

    fn new(folder: Option<PathBuf>, mark: u128) -> Self {
        Self {
            folder,
            mark,
            open: Mutex::default(),
            view: RwLock::default(),
            trouble: Mutex::default(),
            damage: Notify::new(),
        }
    }

    /// How far the index of a store goes, without opening it for anything else.
    pub fn standing_of(store: &Path, mark: u128) -> Option<Standing> {
        let directory = MmapDirectory::open(store.join(FOLDER)).ok()?;
        let metas = tantivy::Index::open(directory).and_then(|index| index.load_metas()).ok()?;
        Standing::read(&metas.payload?, mark)
    }

    /// Opens what lies in the folder and shows it to searches.
    fn read(&self) -> Result<(), IndexError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let directory = MmapDirectory::open(folder).map_err(TantivyError::from)?;
        let index = tantivy::Index::open(directory)?;
        let payload = index.load_metas()?.payload.unwrap_or_default();
        let Some(standing) = Standing::read(&payload, self.mark) else {
            return Err(IndexError::Damaged("it is of another store or version".to_owned()));
        };
        let (schema, fields) = fields::schema();
        if index.schema() != schema {
            return Err(IndexError::Damaged("it is of another version".to_owned()));
        }
        self.show(index, fields, standing)
    }

    fn show(&self, index: tantivy::Index, fields: Fields, standing: Standing) -> Result<(), IndexError> {
        let builder = index.reader_builder().reload_policy(ReloadPolicy::Manual).doc_store_cache_num_blocks(1);
        let reader: IndexReader = builder.try_into()?;
        self.set_view(Some(View::new(reader.searcher(), fields, standing, self.size_on_disk())));
        *lock(&self.open) = Some(Open { index, reader, fields });
        *lock(&self.trouble) = None;
        Ok(())
    }

    fn set_view(&self, view: Option<View>) {
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = view.map(Arc::new);
    }

    /// What can be searched; `None` while there is nothing.
    pub fn view(&self) -> Option<Arc<View>> {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Removes what there is and begins an empty index. No writer may be open.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn begin_anew(&self, standing: Standing) -> Result<(), IndexError> {
        self.set_view(None);
        *lock(&self.open) = None;
        let (schema, fields) = fields::schema();
        let builder = tantivy::Index::builder().schema(schema).settings(fields::settings());
        let index = match &self.folder {
            Some(folder) => {
                match std::fs::remove_dir_all(folder) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                    _ => {}
                }
                std::fs::create_dir_all(folder)?;
                builder.create_in_dir(folder)?
            }
            None => builder.create_in_ram()?,
        };
        self.show(index, fields, standing)
    }

    /// The one writer. Its memory is bounded by `memory` bytes, at least [`LEAST_MEMORY`].
    ///
    /// # Errors
    /// When nothing is open or the files cannot be written.
    pub fn writer(&self, memory: usize) -> Result<Writer, IndexError> {
        let open = lock(&self.open);
        let Some(open) = open.as_ref() else { return Err(IndexError::Damaged("there is none yet".to_owned())) };
        Writer::open(&open.index, open.fields, memory)
    }

    /// Makes durable what was written, and then shows it to searches.
    ///
    /// # Errors
    /// Then the writer is of no use any more; the last commit stands.
    pub fn commit(&self, writer: &mut Writer, standing: Standing) -> Result<(), IndexError> {
        writer.commit(&standing.write(self.mark))?;
        let open = lock(&self.open);
        let Some(open) = open.as_ref() else { return Ok(()) };
        open.reader.reload()?;
        self.set_view(Some(View::new(open.reader.searcher(), open.fields, standing, self.size_on_disk())));
        *lock(&self.trouble) = None;
        Ok(())
    }

    /// Reads every file and compares it with its checksum.
    ///
    /// # Errors
    /// [`IndexError::Damaged`] when a file is not what was written.
    pub fn verify(&self) -> Result<(), IndexError> {
        let index = lock(&self.open).as_ref().map(|open| open.index.clone());
        let Some(index) = index else { return Ok(()) };
        let damaged = index.validate_checksum()?;
        match damaged.iter().next() {
            Some(file) => Err(IndexError::Damaged(format!("{} is not what was written", file.display()))),
            None => Ok(()),
        }
    }

    /// Why it is not as it should be; `None` while all is well.
    pub fn trouble(&self) -> Option<IndexError> {
        lock(&self.trouble).clone()
    }

    /// Notes what went wrong. What is damaged is not searched any more.
    pub fn note(&self, error: IndexError) {
        if matches!(error, IndexError::Damaged(_)) {
            self.set_view(None);
            self.damage.notify_one();
        }
        *lock(&self.trouble) = Some(error);
    }

    /// Waits until a search met damage.
    pub async fn damaged(&self) {
        self.damage.notified().await;
    }

    /// Bytes on the disk.
    pub fn size_on_disk(&self) -> u64 {
        let Some(folder) = &self.folder else { return 0 };
        let Ok(files) = std::fs::read_dir(folder) else { return 0 };
        files.flatten().filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
    }
}
