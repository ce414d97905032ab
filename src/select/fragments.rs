//! Cleaned fragments, kept for the next rendering: of a feed in which one entry changed, one entry is cleaned.

use std::sync::{Arc, Mutex, PoisonError};

use url::Url;

use crate::model::entry::TextName;
use crate::model::feed::Media;
use crate::model::page::Presented;
use crate::render::Fragments;
use crate::render::sanitise::Sanitiser;
use crate::select::recent::Recent;
use crate::store::engine::StoreError;
use crate::store::entries::Store;

/// Most bytes of cleaned fragments in memory. A part of `[server] cache`.
pub(super) const LIMIT: usize = 8_000_000;

/// Shared by everything that renders. A name stands for one version of one sighting's text, so nothing in here ever gets old.
#[derive(Default)]
pub(super) struct Memory {
    // Held for a look only, never while something is read or cleaned.
    recent: Mutex<Kept>,
}

/// By name, base and the media that stay.
type Kept = Recent<(TextName, Option<Url>, Media), Arc<Fragments>>;

impl Memory {
    /// The clean fragments of each entry, in the same order; what is not remembered is read and cleaned.
    pub(super) fn of(
        &self,
        store: &Store,
        entries: &[Presented],
        media: Media,
    ) -> Result<Vec<Arc<Fragments>>, StoreError> {
        let mut sanitiser = None;
        let nothing = Arc::new(Fragments::default());
        let mut found = Vec::with_capacity(entries.len());
        for entry in entries {
            let Some(name) = entry.text else {
                found.push(Arc::clone(&nothing));
                continue;
            };
            let key = (name, entry.fragments_base().cloned(), media);
            if let Some(fragments) = self.lock().get(&key) {
                found.push(fragments);
                continue;
            }
            let texts = store.texts(name)?.unwrap_or_default();
            let sanitiser = sanitiser.get_or_insert_with(|| Sanitiser::new(media));
            let fragments = Arc::new(Fragments::clean(sanitiser, &texts, key.1.as_ref()));
            found.push(Arc::clone(&fragments));
            let size = fragments.size();
            self.lock().put(key, fragments, size, LIMIT);
        }
        Ok(found)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
