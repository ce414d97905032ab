//! Feeds that have been quiet for a while → the same documents in codings that take longer and are smaller.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::model::feed::{FeedName, Format};
use crate::published::Published;
use crate::select::door::StoreDoor;

/// How long nothing must have changed: what changes again soon is not worth the work.
const QUIET: Duration = Duration::from_secs(10);
/// How many times its cost this work rests: a start with a thousand topics takes at most a tenth of a core for it.
const REST: u32 = 9;

/// Runs until `stop`. `changed` names what was published just now.
pub(super) async fn run(
    door: StoreDoor,
    published: Arc<Published>,
    mut changed: mpsc::UnboundedReceiver<FeedName>,
    stop: CancellationToken,
) {
    let mut since: HashMap<FeedName, Instant> = HashMap::new();
    loop {
        let next = since.iter().min_by_key(|(_, at)| **at).map(|(feed, at)| (feed.clone(), *at + QUIET));
        let Some((feed, at)) = next else {
            tokio::select! {
                () = stop.cancelled() => return,
                Some(feed) = changed.recv() => drop(since.insert(feed, Instant::now())),
                else => return,
            }
            continue;
        };
        tokio::select! {
            () = stop.cancelled() => return,
            Some(feed) = changed.recv() => drop(since.insert(feed, Instant::now())),
            () = tokio::time::sleep_until(at) => {
                since.remove(&feed);
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = condense(&door, &published, &feed) => {}
                }
            }
        }
    }
}

async fn condense(door: &StoreDoor, published: &Published, feed: &FeedName) {
    for format in Format::ALL {
        let Some(before) = published.get(feed, format).filter(|representation| !representation.is_condensed()) else {
            continue;
        };
        match door.condensed(Arc::clone(&before)).await {
            Ok((after, cost)) => {
                published.replace(feed, format, &before, Arc::new(after));
                tokio::time::sleep(cost * REST).await;
            }
            Err(error) => tracing::error!(%feed, %error, "the feed cannot be compressed further"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use tokio::sync::watch;

    use super::*;
    use crate::config::{self, Surroundings};
    use crate::model::Timestamp;
    use crate::published::representation::Representation;
    use crate::select::catalogue::Catalogue;
    use crate::store::Handle;
    use crate::store::entries::Store;
    use crate::store::memory::MemoryEngine;

    fn door() -> StoreDoor {
        let around = Surroundings {
            variables: &BTreeMap::new(),
            folder: Path::new("/"),
            read_file: &|_| Err(std::io::Error::other("none")),
        };
        let config = Arc::new(config::read("", &around).unwrap());
        let base = "http://mill.example/".parse().unwrap();
        let catalogue = Catalogue::new(config, base, HashMap::new(), &BTreeMap::new());
        let (_, followed) = watch::channel(Arc::new(catalogue));
        let store = Store::new(Box::new(MemoryEngine::default()));
        StoreDoor::new(Handle::new(Arc::new(store), 1), followed)
    }

    #[tokio::test(start_paused = true)]
    async fn a_feed_is_condensed_when_it_was_quiet_for_ten_seconds() {
        let published = Arc::new(Published::default());
        let document =
            |text: &str| Arc::new(Representation::new("text/plain", text.as_bytes().to_vec(), Timestamp::UNIX_EPOCH));
        let (changed, receiver) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let running = tokio::spawn(run(door(), Arc::clone(&published), receiver, stop.clone()));
        let is_condensed = |seconds| {
            let published = Arc::clone(&published);
            async move {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                published.get(&FeedName::All, Format::Rss).unwrap().is_condensed()
            }
        };
        for text in ["one", "two"] {
            published.put(FeedName::All, Format::Rss, document(text));
            changed.send(FeedName::All).unwrap();
            assert!(!is_condensed(9).await, "{text}");
        }
        assert!(is_condensed(9).await);
        stop.cancel();
        running.await.unwrap();
    }
}
