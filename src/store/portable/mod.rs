//! The whole store ↔ lines of JSON, in bounded memory: for backups, for moving to another machine or engine, and for other programs.
//!
//! The first line says what this is and how much is to be expected, the last one that nothing is missing. In between there is one
//! record a line, in the order of the store, so that the same store gives the same bytes. The format's own number
//! (`FORMAT`) is apart from that of the store: an export of an older version can always be read.

mod form;
mod line;
mod particulars;
mod value;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{BufRead, Read as _};

use serde::{Deserialize, Serialize};

use crate::store::engine::{Batch, StoreError, WRITES_LIMIT};
use crate::store::entries::Store;
use crate::store::filling::Filling;
use crate::store::keys;
use crate::store::portable::line::Line;
use crate::store::portable::value::hex;
use crate::store::record::{self, TextWriter};
use crate::store::snapshot::{END, Snapshot};

/// What the first line is called.
const HEADER: &str = "feedmill_export";
const FORMAT: u64 = 1;

/// Records of one step of an export.
const STEP: usize = 256;
/// Longest line. Bodies are limited to 500 MB, so a longer one is no line of ours.
const LINE_LIMIT: u64 = 1 << 30;

/// Records of META that belong to one copy of a store and not to what it holds.
const OWN: &[&[u8]] = &[keys::FORMAT, keys::IMPORTING, keys::COMPACTED, keys::HUB, keys::MARK];

/// Whether a record belongs to one copy of a store. So does the journal: followers of another copy have read nothing of it.
fn is_own(key: &[u8]) -> bool {
    OWN.contains(&key) || key.first() == Some(&keys::JOURNAL)
}

/// How many records there were, by kind.
pub type Counts = BTreeMap<String, u64>;

#[derive(Serialize, Deserialize)]
struct Header {
    kind: String,
    format: u64,
    /// The version of feedmill that wrote it, for people.
    program: String,
    entries: u64,
    sightings: u64,
}

#[derive(Serialize, Deserialize, PartialEq)]
struct End {
    kind: String,
    records: u64,
    kinds: Counts,
    /// Of everything before this line.
    blake3: String,
}

/// What every line has.
#[derive(Deserialize)]
struct Any {
    kind: String,
}

/// A store that is being written out as it was when this began. What is committed meanwhile is not in it, and waits for nothing.
pub struct Export {
    snapshot: Snapshot,
    digest: blake3::Hasher,
    counts: Counts,
    has_begun: bool,
    has_ended: bool,
}

impl Export {
    /// # Errors
    /// While another export is under way.
    pub fn begin(store: &Store) -> Result<Self, StoreError> {
        let snapshot = store.snapshot().ok_or_else(|| {
            StoreError::Stopped("another export is under way; try again when it has ended".to_owned())
        })?;
        Ok(Self { snapshot, digest: blake3::Hasher::new(), counts: Counts::new(), has_begun: false, has_ended: false })
    }

    /// Some more whole lines; `None` after the last one.
    pub fn step(&mut self, store: &Store) -> Result<Option<Vec<u8>>, StoreError> {
        let (pairs, is_more) = self.snapshot.read(store.engine(), STEP)?;
        let mut lines = Vec::new();
        if !self.has_begun {
            // Records of META come first of all, so the counters are among them.
            let counters = pairs.iter().find(|(key, _)| key == keys::COUNTERS);
            let counters = counters.map(|(_, value)| record::read_counters(value)).transpose()?.unwrap_or_default();
            let (entries, sightings) = (counters.entries, counters.sightings);
            let (kind, program) = (HEADER.to_owned(), env!("CARGO_PKG_VERSION").to_owned());
            push(&mut lines, &Header { kind, format: FORMAT, program, entries, sightings })?;
            self.has_begun = true;
        } else if self.has_ended {
            return Ok(None);
        }
        for (key, value) in &pairs {
            if !is_own(key) {
                let line = Line::of(key, value)?;
                *self.counts.entry(line.kind().to_owned()).or_default() += 1;
                push(&mut lines, &line)?;
            }
        }
        self.digest.update(&lines);
        if !is_more {
            self.has_ended = true;
            push(&mut lines, &end(&self.counts, &self.digest))?;
        }
        Ok(Some(lines))
    }
}

fn push(lines: &mut Vec<u8>, line: &impl Serialize) -> Result<(), StoreError> {
    serde_json::to_writer(&mut *lines, line).map_err(|error| StoreError::Failed(error.into()))?;
    lines.push(b'\n');
    Ok(())
}

fn end(counts: &Counts, digest: &blake3::Hasher) -> End {
    let blake3 = hex(digest.finalize().as_bytes());
    End { kind: "end".to_owned(), records: counts.values().sum(), kinds: counts.clone(), blake3 }
}

/// Whether a line is the last one of an export.
pub fn is_end(line: &[u8]) -> bool {
    line.ends_with(b"\n") && serde_json::from_slice::<End>(line).is_ok_and(|line| line.kind == "end")
}

/// Whether a line is an entry, for counting them as they go by.
pub fn is_entry(line: &[u8]) -> bool {
    line.starts_with(b"{\"kind\":\"entry\"")
}

/// Why a file cannot be imported, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("this is no export of feedmill (line 1: {0}); give the file that `feedmill export` wrote")]
    Foreign(String),
    #[error(
        "this export has format {0}, this feedmill knows formats up to {FORMAT}; use the newer feedmill that wrote it"
    )]
    Newer(u64),
    #[error("the store holds entries or sources already; name a new folder as `path` under [store] and import into it")]
    NotEmpty,
    #[error("line {line}: {what}; the store is incomplete: remove its folder and import a whole file")]
    Line { line: u64, what: String },
    #[error("the file cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A file whose first line is that of an export.
pub struct Import<R> {
    lines: R,
    line: Vec<u8>,
    number: u64,
    digest: blake3::Hasher,
    entries: u64,
}

impl<R: BufRead> Import<R> {
    /// Reads the first line. Nothing has been written yet, wherever it ends.
    pub fn open(lines: R) -> Result<Self, ImportError> {
        let mut import = Self { lines, line: Vec::new(), number: 0, digest: blake3::Hasher::new(), entries: 0 };
        import.next_line()?;
        let foreign = |error: serde_json::Error| ImportError::Foreign(error.to_string());
        let any: Any = serde_json::from_slice(&import.line).map_err(foreign)?;
        if any.kind != HEADER {
            return Err(ImportError::Foreign(format!("it is of the kind `{}`", any.kind)));
        }
        let header: Header = serde_json::from_slice(&import.line).map_err(foreign)?;
        if header.format > FORMAT {
            return Err(ImportError::Newer(header.format));
        }
        import.entries = header.entries;
        import.digest.update(&import.line);
        Ok(import)
    }

    /// Entries that the file says it holds.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Fills an empty store. `progress` is told the bytes of each line.
    ///
    /// # Errors
    /// After the first record was written, the store stays marked as incomplete, and is refused by everything that opens it.
    pub fn run(mut self, store: &Store, progress: &mut dyn FnMut(usize)) -> Result<Counts, ImportError> {
        for kind in [keys::ENTRY, keys::SOURCE] {
            if !store.engine().scan(&[kind], &[kind + 1], 1)?.is_empty() {
                return Err(ImportError::NotEmpty);
            }
        }
        mark(store)?;
        clear(store)?;
        let mut counts = Counts::new();
        let (mut filling, mut texts) = (Filling::new(store), TextWriter::default());
        loop {
            self.next_line()?;
            progress(self.line.len());
            if !self.line.ends_with(b"\n") {
                return Err(self.wrong("the file ends here, in the middle: it was cut off"));
            }
            let any: Any = serde_json::from_slice(&self.line).map_err(|error| self.wrong(&error.to_string()))?;
            if any.kind == "end" {
                self.check_end(&counts)?;
                break;
            }
            let line: Line = serde_json::from_slice(&self.line).map_err(|error| self.wrong(&error.to_string()))?;
            self.digest.update(&self.line);
            *counts.entry(any.kind).or_default() += 1;
            let (key, value) =
                line.record(&mut |summary, content| texts.write(summary, content)).map_err(|what| self.wrong(&what))?;
            if key.first().is_none_or(|kind| *kind == 0 || *kind >= END[0]) || is_own(&key) {
                return Err(self.wrong("this record cannot come from outside"));
            }
            filling.put(key, value)?;
        }
        filling.flush()?;
        store.sync()?;
        // Last of all: from here on it is a store like any other.
        let mut batch = Batch::default();
        batch.delete(keys::IMPORTING.to_vec());
        store.apply(&batch)?;
        store.sync()?;
        Ok(counts)
    }

    fn check_end(&mut self, counts: &Counts) -> Result<(), ImportError> {
        let found: End = serde_json::from_slice(&self.line).map_err(|error| self.wrong(&error.to_string()))?;
        let expected = end(counts, &self.digest);
        if found.kinds != expected.kinds {
            let what = format!("lines are missing: {} of {} records are there", expected.records, found.records);
            return Err(self.wrong(&what));
        }
        if found.blake3 != expected.blake3 {
            return Err(self.wrong("the file was changed after it was written: its digest is another"));
        }
        self.next_line()?;
        if !self.line.is_empty() {
            return Err(self.wrong("the file goes on after its end"));
        }
        Ok(())
    }

    /// Reads the next line with its end; empty at the end of the file.
    fn next_line(&mut self) -> Result<(), std::io::Error> {
        self.line.clear();
        self.number += 1;
        self.lines.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut self.line)?;
        Ok(())
    }

    fn wrong(&self, what: &str) -> ImportError {
        ImportError::Line { line: self.number, what: what.to_owned() }
    }
}

/// Says that the store is incomplete until it is whole. What was derived from it before is not of the store that it becomes.
fn mark(store: &Store) -> Result<(), StoreError> {
    let mut batch = Batch::default();
    batch.put(keys::IMPORTING.to_vec(), Vec::new());
    batch.delete(keys::MARK.to_vec());
    store.apply(&batch)?;
    store.sync()
}

/// Removes names and definitions that a store without entries may hold.
fn clear(store: &Store) -> Result<(), StoreError> {
    let mut from = vec![0];
    loop {
        let found = store.engine().scan(&from, END, WRITES_LIMIT)?;
        let Some((last, _)) = found.last() else { return Ok(()) };
        from = [last.as_slice(), &[0]].concat();
        let mut batch = Batch::default();
        for (key, _) in found.into_iter().filter(|(key, _)| !OWN.contains(&key.as_slice())) {
            batch.delete(key);
        }
        store.apply(&batch)?;
    }
}
