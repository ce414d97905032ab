//! Loop two: changed feeds → representations in memory.
//!
//! The first change is published at once; when further ones follow is decided in `rhythm`.

mod quiet;
mod rhythm;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::model::feed::{FeedId, FeedName, Format};
use crate::published::Published;
use crate::republish::rhythm::{Next, Rhythm};
use crate::select::catalogue::Catalogue;
use crate::select::door::StoreDoor;
use crate::select::page::SelectError;

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
    /// The last mark that each of those who wait is waiting for.
    awaited: Vec<u64>,
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
        let waiting = Waiting::begin(self);
        loop {
            let published = self.published.notified();
            if self.lock().oldest().is_none_or(|oldest| oldest > waiting.target) {
                return;
            }
            published.await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one of the marked feeds, if one may be rendered.
    fn take(&self, rhythm: &mut Rhythm, now: Instant) -> Next {
        let mut state = self.lock();
        let awaited = state.awaited.iter().max().copied();
        let next = rhythm.next(&state.dirty, awaited, now);
        if let Next::Render(feed) = &next
            && let Some(number) = state.dirty.remove(feed)
        {
            state.rendering.insert(feed.clone(), number);
        }
        next
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

/// Somebody who waits, also while it is cancelled.
struct Waiting<'m> {
    marks: &'m Marks,
    target: u64,
}

impl<'m> Waiting<'m> {
    fn begin(marks: &'m Marks) -> Self {
        let mut state = marks.lock();
        let target = state.last;
        state.awaited.push(target);
        drop(state);
        // The loop may be waiting for its budget.
        marks.marked.notify_one();
        Self { marks, target }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.marks.lock();
        if let Some(index) = state.awaited.iter().position(|target| *target == self.target) {
            state.awaited.swap_remove(index);
        }
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
    let (changed, quiet) = mpsc::unbounded_channel();
    let condensing = quiet::run(door.clone(), Arc::clone(&published), quiet, stop.clone());
    let work = Work { door, published, catalogue, changed };
    tokio::join!(work.run(&marks, &stop), condensing);
}

struct Work {
    door: StoreDoor,
    published: Arc<Published>,
    catalogue: watch::Receiver<Arc<Catalogue>>,
    /// Tells what was published just now.
    changed: mpsc::UnboundedSender<FeedName>,
}

impl Work {
    async fn run(self, marks: &Marks, stop: &CancellationToken) {
        let mut rhythm = Rhythm::default();
        let mut minute = tokio::time::interval(MINUTE);
        while !stop.is_cancelled() {
            let now = Instant::now();
            let wake = match marks.take(&mut rhythm, now) {
                Next::Render(feed) => {
                    if let Some((cost, is_new)) = self.publish(&feed).await {
                        rhythm.rendered(feed.clone(), cost, is_new, now);
                    }
                    marks.done(&feed);
                    continue;
                }
                Next::At(at) => at,
                Next::Nothing => now + MINUTE,
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = marks.marked.notified() => {}
                () = tokio::time::sleep_until(wake) => {}
                _ = minute.tick() => marks.mark(ageing(&self.catalogue.borrow())),
            }
        }
    }

    /// Gives what it cost, and whether anything differs from what was published before. A feed's first document differs from
    /// nothing: what a start finds in the store must not hold up what the first polls bring.
    async fn publish(&self, feed: &FeedName) -> Option<(Duration, bool)> {
        let before = Format::ALL.into_iter().filter_map(|format| Some((format, self.published.get(feed, format)?)));
        let before: Vec<_> = before.collect();
        let rendered = match self.door.ready(feed.clone(), before.clone()).await {
            Ok(rendered) => rendered,
            Err(SelectError::Unknown(_)) => {
                self.published.retain(&self.catalogue.borrow().ready_feeds());
                return None;
            }
            Err(error) => {
                tracing::error!(%feed, %error, "the feed cannot be rendered; readers keep the last version");
                return None;
            }
        };
        let mut is_new = false;
        for (format, representation) in rendered.formats {
            let before = before.iter().find(|(known, _)| *known == format).map(|(_, before)| before);
            is_new |= before.is_some_and(|before| before.identity.etag != representation.identity.etag);
            if before.is_none_or(|before| **before != representation) {
                self.published.put_for(rendered.audience, feed.clone(), format, Arc::new(representation));
            }
        }
        // Nobody listens any more when the daemon stops.
        let _ = self.changed.send(feed.clone());
        Some((rendered.cost, is_new))
    }
}

/// Topics that lose entries/// Topics that lose entries as time passes.
fn ageing(catalogue: &Catalogue) -> Vec<FeedName> {
    let topics = catalogue.config.topics.iter().filter(|topic| topic.max_age.is_some());
    topics.map(|topic| FeedName::Topic(topic.key.clone())).collect()
}
