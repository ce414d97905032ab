//! Who is told of news by our hub, and how far each has been told.
//!
//! These records are the hub's own: nothing else writes them, so it writes beside the committer and syncs by itself. Of a round in
//! which all subscribers were reached a single number is written; a subscription's record changes when it is behind.

use std::sync::Arc;

use crate::model::Timestamp;
use crate::model::source::Secret;
use crate::store::engine::{Batch, StoreError, WRITES_LIMIT};
use crate::store::entries::Store;
use crate::store::{keys, record};

/// Records read at once.
const STRIDE: usize = 500;

/// What a subscription is called: a hash of topic and callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionName(pub [u8; 16]);

impl SubscriptionName {
    pub fn new(topic: &str, callback: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(topic.len() as u64).to_be_bytes());
        hasher.update(topic.as_bytes());
        hasher.update(callback.as_bytes());
        let mut name = [0; 16];
        name.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(name)
    }
}

/// One subscription, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The feed's address below our own, so that another `public_url` ends no subscription: `topics/world-news.atom?q=x`.
    pub topic: Arc<str>,
    /// The topic as the subscriber spelt it.
    pub asked: String,
    pub callback: Arc<str>,
    /// At most 199 bytes.
    pub secret: Option<Secret>,
    pub until: Timestamp,
    /// The number of the journal through which it has been told everything, at least.
    pub through: u64,
    /// Failed deliveries in a row.
    pub failures: u32,
    /// When what came after `through` is tried again; `None` while it is not behind.
    pub retry_at: Option<Timestamp>,
}

/// What of the hub's records changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HubWrite {
    /// `None` removes.
    pub subscriptions: Vec<(SubscriptionName, Option<Subscription>)>,
    /// See [`Store::hub_through`].
    pub through: Option<u64>,
}

impl Store {
    /// Every subscription there is.
    pub fn subscriptions(&self) -> Result<Vec<(SubscriptionName, Subscription)>, StoreError> {
        let (mut from, to) = (vec![keys::SUBSCRIPTION], [keys::SUBSCRIPTION + 1]);
        let mut found = Vec::new();
        loop {
            let pairs = self.engine().scan(&from, &to, STRIDE)?;
            let Some((last, _)) = pairs.last() else { return Ok(found) };
            from = [last.as_slice(), &[0]].concat();
            for (key, value) in &pairs {
                let Some(name) = key.get(1..).and_then(|name| name.try_into().ok()) else { continue };
                found.push((SubscriptionName(name), record::read_subscription(value)?));
            }
        }
    }

    /// The number of the journal through which everybody has been told everything who is not known to be behind.
    pub fn hub_through(&self) -> Result<u64, StoreError> {
        Ok(self.engine().get(keys::HUB)?.map(|bytes| record::read_hub(&bytes)).transpose()?.unwrap_or_default())
    }

    /// Writes, and returns when it is on the disk. The number comes last, so that it never promises more than the records.
    pub fn write_hub(&self, write: &HubWrite) -> Result<(), StoreError> {
        for some in write.subscriptions.chunks(WRITES_LIMIT) {
            let mut batch = Batch::default();
            for (name, subscription) in some {
                match subscription {
                    Some(subscription) => {
                        batch.put(keys::subscription(name.0), record::write_subscription(subscription));
                    }
                    None => batch.delete(keys::subscription(name.0)),
                }
            }
            self.apply(&batch)?;
        }
        if let Some(through) = write.through {
            let mut batch = Batch::default();
            batch.put(keys::HUB.to_vec(), record::write_hub(through));
            self.apply(&batch)?;
        }
        // Not `Store::sync`: that would promise readers what the committer is just about to apply.
        self.engine().sync()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryEngine;

    #[test]
    fn what_is_written_is_read_again() {
        let store = Store::new(Box::new(MemoryEngine::default()));
        let subscription = |topic: &str, retry_at: Option<Timestamp>| Subscription {
            topic: topic.into(),
            asked: format!("http://mill.example/{topic}"),
            callback: "http://reader.example/push".into(),
            secret: Some(Secret::new("s".to_owned())),
            until: Timestamp::UNIX_EPOCH,
            through: 7,
            failures: 2,
            retry_at,
        };
        let name = |number: u16| SubscriptionName::new(&number.to_string(), "http://reader.example/push");
        let many: Vec<_> = (0..1_300).map(|number| (name(number), Some(subscription("all.atom", None)))).collect();
        store.write_hub(&HubWrite { subscriptions: many, through: Some(9) }).unwrap();
        let behind = subscription("all.rss", Some(Timestamp::UNIX_EPOCH));
        let gone: Vec<_> = (1..1_300).map(|number| (name(number), None)).collect();
        store.write_hub(&HubWrite { subscriptions: gone, through: None }).unwrap();
        let changed = vec![(name(0), Some(behind.clone()))];
        store.write_hub(&HubWrite { subscriptions: changed, through: None }).unwrap();
        assert_eq!(store.subscriptions().unwrap(), [(name(0), behind)]);
        assert_eq!(store.hub_through().unwrap(), 9);
    }
}
