//! How often each feed has changed. A document that was made at a feed's revision is right as long as it has this revision.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use crate::model::feed::FeedId;

/// Marked by whoever changes feeds, after the change can be read.
#[derive(Default)]
pub struct Revisions {
    // Held for a look only.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last: u64,
    /// When the last change came that may have touched any feed.
    everything: u64,
    feeds: HashMap<FeedId, u64>,
}

impl Revisions {
    /// Notes that these feeds differ now; `None` stands for all.
    pub fn change(&self, feeds: Option<&HashSet<FeedId>>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.last += 1;
        let last = state.last;
        if let Some(feeds) = feeds {
            state.feeds.extend(feeds.iter().map(|feed| (feed.clone(), last)));
        } else {
            state.everything = last;
            state.feeds.clear();
        }
    }

    /// To be asked for *before* anything is read that depends on it; then a change that comes meanwhile is not missed.
    pub(super) fn of(&self, feed: &FeedId) -> u64 {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.feeds.get(feed).copied().unwrap_or_default().max(state.everything)
    }

    /// The revision of all feeds taken together.
    pub(super) fn of_any(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::source::Scope;

    #[test]
    fn a_feed_has_a_new_revision_when_it_changed_and_only_then() {
        let revisions = Revisions::default();
        let one = FeedId::Source(Scope("one".into()));
        let (all, source) = (revisions.of(&FeedId::All), revisions.of(&one));
        revisions.change(Some(&HashSet::from([FeedId::All])));
        assert_ne!(revisions.of(&FeedId::All), all);
        assert_eq!(revisions.of(&one), source);
        let (all, any) = (revisions.of(&FeedId::All), revisions.of_any());
        revisions.change(None);
        assert_ne!(revisions.of(&FeedId::All), all);
        assert_ne!(revisions.of(&one), source);
        assert_ne!(revisions.of_any(), any);
    }
}
