//! What tells one copy of a store from every other. An index kept beside a store holds the mark of the store that it was made of.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use crate::store::engine::{Batch, StoreError};
use crate::store::entries::Store;
use crate::store::keys;

impl Store {
    /// The mark of this copy; given when it is first asked for, and durable after the next [`Store::sync`]. Exports do not carry it, and
    /// an import takes it away, since what was derived before knows nothing of what was imported.
    pub fn mark(&self) -> Result<u128, StoreError> {
        if let Some(bytes) = self.engine().get(keys::MARK)?
            && let Ok(bytes) = bytes.try_into()
        {
            return Ok(u128::from_be_bytes(bytes));
        }
        // The keys of the standard tables are random; that is enough to tell copies apart.
        let half = || u128::from(RandomState::new().hash_one(keys::MARK));
        let mark = half() << 64 | half();
        let mut batch = Batch::default();
        batch.put(keys::MARK.to_vec(), mark.to_be_bytes().to_vec());
        self.begin_commit();
        self.apply(&batch)?;
        Ok(mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryEngine;

    #[test]
    fn a_store_keeps_its_mark_and_shares_it_with_no_other() {
        let store = || Store::new(Box::new(MemoryEngine::default()));
        let (one, other) = (store(), store());
        let mark = one.mark().unwrap();
        assert_eq!(one.mark().unwrap(), mark);
        assert_ne!(other.mark().unwrap(), mark);
    }
}
