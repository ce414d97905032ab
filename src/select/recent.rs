//! What was used lately, bounded by bytes: when it grows too large, what has not been used for the longest time goes first.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// See the module. Keys are small and count nothing.
pub(super) struct Recent<K, V> {
    held: HashMap<K, Held<V>>,
    /// By the time of the last use.
    order: BTreeMap<u64, K>,
    uses: u64,
    size: usize,
}

struct Held<V> {
    value: V,
    size: usize,
    used: u64,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self { held: HashMap::new(), order: BTreeMap::new(), uses: 0, size: 0 }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Recent<K, V> {
    pub(super) fn get(&mut self, key: &K) -> Option<V> {
        let held = self.held.get_mut(key)?;
        self.uses += 1;
        self.order.remove(&held.used);
        self.order.insert(self.uses, key.clone());
        held.used = self.uses;
        Some(held.value.clone())
    }

    /// Keeps a value of this size in the place of an older one, and lets go of others until `limit` holds. What is larger than the
    /// limit by itself is not kept.
    pub(super) fn put(&mut self, key: K, value: V, size: usize, limit: usize) {
        self.remove(&key);
        if size <= limit {
            self.uses += 1;
            self.size += size;
            self.order.insert(self.uses, key.clone());
            self.held.insert(key, Held { value, size, used: self.uses });
        }
        self.shrink(limit);
    }

    pub(super) fn shrink(&mut self, limit: usize) {
        while self.size > limit
            && let Some((_, key)) = self.order.pop_first()
        {
            self.remove(&key);
        }
    }

    pub(super) fn remove(&mut self, key: &K) {
        if let Some(held) = self.held.remove(key) {
            self.order.remove(&held.used);
            self.size -= held.size;
        }
    }

    #[cfg(test)]
    pub(super) fn keys(&self) -> Vec<K> {
        self.order.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_the_longest_time_goes_first() {
        let mut recent = Recent::default();
        for (key, size) in [("a", 4), ("b", 3), ("c", 3)] {
            recent.put(key, key, size, 10);
        }
        assert_eq!(recent.get(&"a"), Some("a"));
        recent.put("d", "d", 1, 10);
        assert_eq!(recent.keys(), ["c", "a", "d"]);
        recent.put("a", "new", 8, 10);
        assert_eq!(recent.keys(), ["d", "a"]);
        recent.put("e", "too large", 11, 10);
        assert_eq!((recent.keys(), recent.size), (vec!["d", "a"], 9));
        recent.shrink(8);
        assert_eq!((recent.keys(), recent.size), (vec!["a"], 8));
    }
}
