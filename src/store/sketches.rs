//! Sketches of what came lately: kept so that the window of candidates is there again after a start without reading a text.
//!
//! Some sketches make a record, since a record for each would double the writes of an entry. A later record replaces what an earlier
//! one says of the same sighting. They can be lost without harm: near-duplicates of what they stood for are not found any more.

use std::collections::HashMap;

use crate::merge::alike::index::Member;
use crate::model::Timestamp;
use crate::model::entry::Seq;
use crate::store::engine::{Batch, StoreError, WRITES_LIMIT};
use crate::store::entries::Store;
use crate::store::{keys, record};

/// Sketches in a record: about four kilobytes.
const TOGETHER: usize = 16;
/// Records read at once.
const STRIDE: usize = 500;

/// A sketch to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct SketchWrite {
    pub member: Member,
    pub prints: Vec<u32>,
}

pub(in crate::store) fn put(batch: &mut Batch, now: Option<Timestamp>, sketches: &[SketchWrite]) {
    let Some(now) = now else { return };
    for some in sketches.chunks(TOGETHER) {
        batch.put(keys::sketch(now, some[0].member.sighting), record::write_sketches(some));
    }
}

impl Store {
    /// What came since, in the order of coming.
    pub fn sketches_since(&self, since: Timestamp) -> Result<Vec<SketchWrite>, StoreError> {
        let (mut from, to) = (keys::sketches_from(since), [keys::SKETCH + 1]);
        let mut sketches = Vec::new();
        loop {
            let found = self.engine().scan(&from, &to, STRIDE)?;
            let Some((last, _)) = found.last() else { return Ok(sketches) };
            from = [last.as_slice(), &[0]].concat();
            for (_, bytes) in &found {
                sketches.extend(record::read_sketches(bytes)?);
            }
        }
    }

    /// Notes that sightings belong to other entries now. Reads all sketches; the rules that move sightings change rarely.
    pub fn redirect_sketches(&self, moved: &HashMap<Seq, Seq>) -> Result<(), StoreError> {
        let (mut from, to) = (vec![keys::SKETCH], [keys::SKETCH + 1]);
        loop {
            let found = self.engine().scan(&from, &to, STRIDE)?;
            let Some((last, _)) = found.last() else { return Ok(()) };
            from = [last.as_slice(), &[0]].concat();
            let mut batch = Batch::default();
            for (key, bytes) in &found {
                let mut sketches = record::read_sketches(bytes)?;
                let before = sketches.clone();
                for SketchWrite { member, .. } in &mut sketches {
                    member.entry = moved.get(&member.sighting).copied().unwrap_or(member.entry);
                }
                if sketches != before {
                    batch.put(key.clone(), record::write_sketches(&sketches));
                }
            }
            if !batch.is_empty() {
                self.begin_commit();
                self.apply(&batch)?;
            }
        }
    }

    /// Removes what came before; true when there may be more.
    pub fn drop_sketches(&self, before: Timestamp) -> Result<bool, StoreError> {
        let found = self.engine().scan(&[keys::SKETCH], &keys::sketches_from(before), WRITES_LIMIT)?;
        if found.is_empty() {
            return Ok(false);
        }
        self.begin_commit();
        let mut batch = Batch::default();
        for (key, _) in &found {
            batch.delete(key.clone());
        }
        self.apply(&batch)?;
        Ok(found.len() == WRITES_LIMIT)
    }
}
