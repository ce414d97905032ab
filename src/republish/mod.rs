//! Loop two: changed feeds → representations in memory.
//!
//! The first change is published at once, further ones at most every max(1 s, 20 × what rendering cost): a busy feed costs at most
//! a twentieth of a core.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::model::feed::{FeedId, FeedName};
use crate::published::Published;
use crate::select::catalogue::Catalogue;
use crate::select::door::StoreDoor;
use crate::select::page::SelectError;

/// Shortest time between two renderings of one feed.
const SHORTEST: Duration = Duration::from_secs(1);
/// How many times its cost a feed rests after a rendering.
const REST: u32 = 20;
/// How often feeds whose content depends on the time are looked at again.
const MINUTE: Duration = Duration::from_secs(60);

/// Feeds that differ from what is published. Shared by the committer, which marks, and the loop, which takes.
#[derive(Default)]
pub struct Marks {
    state: Mutex<State>,
    marked: Notify,
    published: Notify,
}

#[derive(Default)]
struct State {
    /// Each with the number of its oldest mark that is not published yet.
    dirty: HashMap<FeedName, u64>,
    /// What is being rendered right now.
    rendering: HashMap<FeedName, u64>,
    last: u64,
}

impl Marks {
    pub fn mark(&self, feeds: impl IntoIterator<Item = FeedName>) {
        let mut state = self.lock();
        state.last += 1;
        let number = state.last;
        for feed in feeds {
            state.dirty.entry(feed).or_insert(number);
        }
        drop(state);
        self.marked.notify_one();
    }

    /// Waits until everything that is marked now has been published.
    pub async fn settle(&self) {
        let target = self.lock().last;
        loop {
            let published = self.published.notified();
            if self.lock().oldest().is_none_or(|oldest| oldest > target) {
                return;
            }
            published.await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one of the marked feeds that may be rendered; else says when the next one may.
    fn take(&self, allowed: &HashMap<FeedName, Instant>, now: Instant) -> Result<FeedName, Option<Instant>> {
        let mut state = self.lock();
        let due = |feed: &FeedName| allowed.get(feed).copied().filter(|at| *at > now);
        let free = state.dirty.iter().filter(|(feed, _)| due(feed).is_none()).min_by_key(|(_, number)| **number);
        let Some((feed, number)) = free.map(|(feed, number)| (feed.clone(), *number)) else {
            return Err(state.dirty.keys().filter_map(due).min());
        };
        state.dirty.remove(&feed);
        state.rendering.insert(feed.clone(), number);
        Ok(feed)
    }

    fn done(&self, feed: &FeedName) {
        self.lock().rendering.remove(feed);
        self.published.notify_waiters();
    }
}

impl State {
    fn oldest(&self) -> Option<u64> {
        self.dirty.values().chain(self.rendering.values()).copied().min()
    }
}

/// Marks what a commit changed; `None` stands for everything, as after a changed configuration.
pub fn mark(marks: &Marks, catalogue: &Catalogue, feeds: Option<&HashSet<FeedId>>) {
    let ready = catalogue.ready_feeds().into_iter();
    let changed =
        |name: &FeedName| feeds.is_none_or(|feeds| catalogue.feed_id(name).is_some_and(|id| feeds.contains(&id)));
    marks.mark(ready.filter(changed));
}

/// Runs until `stop`.
pub async fn run(
    marks: Arc<Marks>,
    door: StoreDoor,
    published: Arc<Published>,
    catalogue: watch::Receiver<Arc<Catalogue>>,
    stop: CancellationToken,
) {
    let mut allowed: HashMap<FeedName, Instant> = HashMap::new();
    let mut minute = tokio::time::interval(MINUTE);
    loop {
        let now = Instant::now();
        match marks.take(&allowed, now) {
            Ok(feed) => {
                let is_new = publish(&door, &published, &catalogue, &feed).await;
                let cost = now.elapsed();
                // What turned out to be the same bytes was no publication: the next change goes out at once.
                let shortest = if is_new { SHORTEST } else { Duration::ZERO };
                allowed.insert(feed.clone(), now + cost + (cost * REST).max(shortest));
                marks.done(&feed);
            }
            Err(next) => {
                allowed.retain(|_, at| *at > now);
                let wake = next.unwrap_or_else(|| now + MINUTE);
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = marks.marked.notified() => {}
                    () = tokio::time::sleep_until(wake) => {}
                    _ = minute.tick() => marks.mark(ageing(&catalogue.borrow())),
                }
            }
        }
        if stop.is_cancelled() {
            return;
        }
    }
}

/// Topics that lose entries as time passes.
fn ageing(catalogue: &Catalogue) -> Vec<FeedName> {
    let topics = catalogue.config.topics.iter().filter(|topic| topic.max_age.is_some());
    topics.map(|topic| FeedName::Topic(topic.key.clone())).collect()
}

/// Whether anything differs from what was published before. A feed's first document differs from nothing: what a start finds in the
/// store must not hold up what the first polls bring.
async fn publish(
    door: &StoreDoor,
    published: &Published,
    catalogue: &watch::Receiver<Arc<Catalogue>>,
    feed: &FeedName,
) -> bool {
    let mut is_new = false;
    match door.ready(feed.clone()).await {
        Ok(representations) => {
            for (format, representation) in representations {
                let before = published.get(feed, format);
                is_new |= before.is_some_and(|before| before.identity.etag != representation.identity.etag);
                published.put(feed.clone(), format, Arc::new(representation));
            }
        }
        Err(SelectError::Unknown(_)) => published.retain(&catalogue.borrow().ready_feeds()),
        Err(error) => tracing::error!(%feed, %error, "the feed cannot be rendered; readers keep the last version"),
    }
    is_new
}
