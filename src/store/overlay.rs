//! Writes that never reach the disk: an engine whose reads fall through to another one, and whose writes stay in memory.
//!
//! The very code that follows a changed configuration runs on it, and what it wrote is what would change. A write that says what
//! the base says already is not kept, so that looking at every entry costs nothing where nothing changes.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::store::engine::{Batch, Engine, Pairs, StoreError, WRITES_LIMIT, Write};

/// Most bytes of keys and values that one overlay keeps. A store of a quarter of a million entries can be placed anew within it.
pub const LIMIT: usize = 256 << 20;

/// What a key and its value cost beside their bytes.
const OVERHEAD: usize = 80;

/// Values above another engine's; `None` hides what lies below.
pub(super) type Layer = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// See the module. Clones are the same overlay. Its base does not change.
#[derive(Clone)]
pub struct Overlay {
    base: Arc<dyn Engine>,
    limit: usize,
    kept: Arc<RwLock<Kept>>,
}

#[derive(Default)]
struct Kept {
    layer: Layer,
    bytes: usize,
    is_stuck: bool,
    /// From a key on, up to which one everything is hidden: what is cleared in batches is asked for from its beginning each time, and
    /// would be walked through as often.
    hidden: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// Most stretches that are known to be hidden.
const HIDDEN: usize = 64;

impl Overlay {
    /// An overlay that keeps so many bytes at the most; a batch beyond them fails, and leaves it as it was.
    pub fn new(base: Arc<dyn Engine>, limit: usize) -> Self {
        Self { base, limit, kept: Arc::default() }
    }

    /// The keys in `from..to`, ascending, whose value is not the base's; at most `limit`.
    pub fn changed(&self, from: &[u8], to: &[u8], limit: usize) -> Vec<Vec<u8>> {
        if from >= to {
            return Vec::new();
        }
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        kept.layer.range(from.to_vec()..to.to_vec()).map(|(key, _)| key.clone()).take(limit).collect()
    }

    fn read(&self) -> Result<RwLockReadGuard<'_, Kept>, StoreError> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        if kept.is_stuck { Err(self.full()) } else { Ok(kept) }
    }

    fn write(&self) -> RwLockWriteGuard<'_, Kept> {
        self.kept.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn too_much(&self) -> String {
        format!("more would change than the {} MB that are kept for trying it out", self.limit >> 20)
    }

    fn full(&self) -> StoreError {
        StoreError::Stuck(self.too_much())
    }

    fn walk(&self, from: &[u8], to: &[u8], limit: usize, way: Way) -> Result<Pairs, StoreError> {
        let known = self.read()?.hidden.get(from).filter(|_| way == Way::Up).cloned();
        let start = known.as_deref().unwrap_or(from);
        let mut hidden = None;
        let found = through(self.base.as_ref(), start, to, limit, way, |found, below, from, to| {
            let is_hiding = !below.is_empty();
            join(found, below, &self.read()?.layer, (from, to), limit, way);
            if found.is_empty() && is_hiding {
                hidden = Some(to.to_vec());
            }
            Ok(())
        })?;
        if let Some(hidden) = hidden.filter(|_| way == Way::Up) {
            self.write().hide(from, hidden);
        }
        Ok(found)
    }
}

impl Kept {
    fn hide(&mut self, from: &[u8], to: Vec<u8>) {
        if self.hidden.len() >= HIDDEN {
            self.hidden.clear();
        }
        self.hidden.insert(from.to_vec(), to);
    }

    fn show(&mut self, key: &[u8]) {
        self.hidden.retain(|from, to| key < from.as_slice() || key >= to.as_slice());
    }

    fn put(&mut self, key: &[u8], value: Option<&[u8]>) {
        let cost = |value: Option<&[u8]>| key.len() + OVERHEAD + value.map_or(0, <[u8]>::len);
        let new = cost(value);
        if let Some(old) = self.layer.insert(key.to_vec(), value.map(<[u8]>::to_vec)) {
            self.bytes = self.bytes.saturating_sub(cost(old.as_deref()));
        }
        self.bytes += new;
    }

    fn forget(&mut self, key: &[u8]) {
        if let Some(old) = self.layer.remove(key) {
            let cost = key.len() + OVERHEAD + old.map_or(0, |value| value.len());
            self.bytes = self.bytes.saturating_sub(cost);
        }
    }
}

impl Engine for Overlay {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let kept = self.read()?.layer.get(key).cloned();
        kept.map_or_else(|| self.base.get(key), Ok)
    }

    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Pairs, StoreError> {
        self.walk(from, to, limit, Way::Up)
    }

    fn scan_back(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Pairs, StoreError> {
        self.walk(from, to, limit, Way::Down)
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        debug_assert!(batch.len() <= WRITES_LIMIT, "a batch is bounded");
        let mut kept = self.write();
        if kept.is_stuck {
            return Err(self.full());
        }
        let size: usize = batch.writes().iter().map(Write::size).sum();
        if kept.bytes + size > self.limit {
            kept.is_stuck = true;
            return Err(StoreError::Failed(self.too_much().into()));
        }
        for write in batch.writes() {
            let (key, value) = match write {
                Write::Put(key, value) | Write::Insert(key, value) => (key, Some(value.as_slice())),
                Write::Delete(key) => (key, None),
            };
            if value.is_some() {
                kept.show(key);
            }
            if self.base.get(key)?.as_deref() == value {
                kept.forget(key);
            } else {
                kept.put(key, value);
            }
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.read().map(drop)
    }

    /// Nothing that was taken is ever lost; what was refused is forgotten.
    fn recover(&self) -> Result<(), StoreError> {
        self.write().is_stuck = false;
        Ok(())
    }

    fn size_on_disk(&self) -> Result<u64, StoreError> {
        self.sync()?;
        self.base.size_on_disk()
    }
}

/// The direction of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Up,
    Down,
}

/// Scans a base in stretches, each of which `join` adds to what was found together with what lies above it: the base's pairs and
/// the bounds of the stretch. The base is read first, so that a layer that keeps what is overwritten below misses nothing.
pub(super) fn through(
    base: &dyn Engine,
    from: &[u8],
    to: &[u8],
    limit: usize,
    way: Way,
    mut join: impl FnMut(&mut Pairs, Pairs, &[u8], &[u8]) -> Result<(), StoreError>,
) -> Result<Pairs, StoreError> {
    let mut found = Pairs::new();
    let (mut from, mut to) = (from.to_vec(), to.to_vec());
    while found.len() < limit && from < to {
        let wanted = limit - found.len();
        let below = match way {
            Way::Up => base.scan(&from, &to, wanted)?,
            Way::Down => base.scan_back(&from, &to, wanted)?,
        };
        // A base that gave all that was wanted may hold more beyond its last pair.
        let last = below.last().filter(|_| below.len() == wanted).map(|(key, _)| key.clone());
        match (way, last) {
            (Way::Up, Some(last)) => {
                let end = [last.as_slice(), &[0]].concat();
                join(&mut found, below, &from, &end)?;
                from = end;
            }
            (Way::Down, Some(start)) => {
                join(&mut found, below, &start, &to)?;
                to = start;
            }
            (_, None) => {
                join(&mut found, below, &from, &to)?;
                break;
            }
        }
    }
    Ok(found)
}

/// Adds one stretch: the layer's pairs and those of the base that it does not hide, in order, up to `limit` in all.
pub(super) fn join(found: &mut Pairs, below: Pairs, layer: &Layer, (from, to): (&[u8], &[u8]), limit: usize, way: Way) {
    let mut range = layer.range(from.to_vec()..to.to_vec());
    let next = || if way == Way::Up { range.next() } else { range.next_back() };
    let is_first = |one: &[u8], other: &[u8]| if way == Way::Up { one < other } else { one > other };
    let mut above = std::iter::from_fn(next).peekable();
    let mut below = below.into_iter().peekable();
    while found.len() < limit {
        match (above.peek(), below.peek()) {
            (None, None) => return,
            (Some((upper, _)), Some((lower, _))) if is_first(lower, upper) => found.extend(below.next()),
            (None, Some(_)) => found.extend(below.next()),
            (Some((upper, value)), lower) => {
                let is_hidden = lower.is_some_and(|(lower, _)| lower == *upper);
                found.extend(value.as_ref().map(|value| ((*upper).clone(), value.clone())));
                above.next();
                if is_hidden {
                    below.next();
                }
            }
        }
    }
}
