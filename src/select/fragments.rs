//! Cleaned fragments, kept for the next rendering: of a feed in which one entry changed, one entry is cleaned.

use std::sync::{Arc, Mutex, PoisonError};

use url::Url;

use crate::model::entry::{TextName, Texts};
use crate::model::feed::Media;
use crate::model::page::Presented;
use crate::render::Fragments;
use crate::render::sanitise::Sanitiser;
use crate::select::recent::Recent;
use crate::store::engine::StoreError;
use crate::store::entries::Store;

/// Most bytes of cleaned fragments in memory. A part of `[server] cache`.
pub(super) const LIMIT: usize = 8_000_000;

/// The raw fragments of an entry. What its page gave stands in place of the feed's content, which is a summary then.
fn texts(store: &Store, entry: &Presented) -> Result<Texts, StoreError> {
    let own = match entry.text {
        Some(name) => store.texts(name)?.unwrap_or_default(),
        None => Texts::default(),
    };
    let page = match entry.page {
        Some(name) => store.page(name.sighting())?,
        None => None,
    };
    Ok(match page {
        Some(page) => {
            let teaser = own.content.filter(|content| content.0.len() * 2 < page.html.0.len());
            Texts { summary: own.summary.or(teaser), content: Some(page.html) }
        }
        None => own,
    })
}

/// Shared by everything that renders. A name stands for one version of one sighting's text, so nothing in here ever gets old.
#[derive(Default)]
pub(super) struct Memory {
    // Held for a look only, never while something is read or cleaned.
    recent: Mutex<Kept>,
}

/// By names, base and the media that stay.
type Kept = Recent<(Option<TextName>, Option<TextName>, Option<Url>, Media), Arc<Fragments>>;

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
            if entry.text.is_none() && entry.page.is_none() {
                found.push(Arc::clone(&nothing));
                continue;
            }
            let key = (entry.text, entry.page, entry.fragments_base().cloned(), media);
            if let Some(fragments) = self.lock().get(&key) {
                found.push(fragments);
                continue;
            }
            let texts = texts(store, entry)?;
            let sanitiser = sanitiser.get_or_insert_with(|| Sanitiser::new(media));
            let fragments = Arc::new(Fragments::clean(sanitiser, &texts, key.2.as_ref()));
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
