//! What a configuration would do, tried out on the store of one moment. Nothing is written.
//!
//! ```text
//! Store ─Moment→ before ─Overlay→ after        plan: what follows a changed file runs on `after`; both are compared
//!                                              replay: every sighting is decided on again, in memory
//! ```
//! Both work in short steps, so that a daemon can answer them beside its readers, and say what they find as they find it.

pub mod plan;
pub mod replay;
pub mod report;
mod settings;
mod view;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use url::Url;

use crate::config::{self, Config, Problem, Surroundings};
use crate::model::source::Scope;
use crate::rehearsal::report::{Asked, Told};
use crate::select::catalogue::{Catalogue, Learnt};
use crate::store::engine::{Engine, StoreError};
use crate::store::entries::Store;
use crate::store::memory::MemoryEngine;
use crate::store::moment::Moment;
use crate::store::overlay::{LIMIT, Overlay};

/// Something that is done in steps, each of which says what it found; `None` when all is done.
pub trait Work: Send {
    fn step(&mut self) -> Result<Option<Vec<Told>>, StoreError>;
}

/// The configuration that is in effect, and what its sources' documents say of themselves.
#[derive(Debug, Clone)]
pub struct Present {
    pub catalogue: Arc<Catalogue>,
    pub learnt: BTreeMap<Scope, Learnt>,
}

impl Asked {
    /// A text as whoever loads it would find it. Secrets stay where they are: the text was checked with them, and trying it out needs
    /// none. Of the environment go along our own variables, and the names of others that the text mentions.
    pub fn new(text: String, folder: PathBuf, variables: &BTreeMap<String, String>, all: bool) -> Self {
        let is_ours = |name: &str| name.starts_with("FEEDMILL_");
        let kept = variables.iter().filter(|(name, _)| is_ours(name) || text.contains(name.as_str()));
        let shown = |(name, value): (&String, &String)| {
            (name.clone(), if is_ours(name) { value.clone() } else { String::new() })
        };
        let variables = kept.map(shown).collect();
        Self { text, folder, variables, all }
    }

    /// # Errors
    /// What is wrong with the text.
    pub fn config(&self) -> Result<Config, Vec<Problem>> {
        let around =
            Surroundings { variables: &self.variables, folder: &self.folder, read_file: &|_: &Path| Ok(String::new()) };
        config::read(&self.text, &around)
    }
}

/// A store of one moment, and what a configuration makes of it.
struct Stage {
    before: Arc<Store>,
    overlay: Overlay,
    after: Store,
}

impl Stage {
    /// Shows only what cannot be lost any more.
    fn new(store: &Arc<Store>) -> Result<Self, StoreError> {
        let busy = || StoreError::Stopped("another plan or replay is under way; wait until it has ended".to_owned());
        let moment: Arc<dyn Engine> = Arc::new(Moment::of(store).ok_or_else(busy)?);
        store.wait_for_sync()?;
        let overlay = Overlay::new(Arc::clone(&moment), LIMIT);
        let after = Store::new(Box::new(overlay.clone()));
        Ok(Self { before: Arc::new(Store::new(Box::new(moment))), overlay, after })
    }

    /// The configuration as it would apply to what is stored.
    fn catalogue(&self, config: Arc<Config>, present: Option<&Present>) -> Result<Catalogue, StoreError> {
        let named: Vec<_> = config.sources.iter().map(|source| (source.key.clone(), source.was.clone())).collect();
        let scopes = self.after.scopes(&named)?;
        let mut learnt = BTreeMap::new();
        for scope in scopes.values() {
            learnt.insert(scope.clone(), learnt_of(&self.after, scope)?);
        }
        // The daemon knows a title before it is on the disk.
        learnt.extend(present.into_iter().flat_map(|present| present.learnt.clone()));
        Ok(Catalogue::new(config, nowhere(), scopes, &learnt))
    }
}

fn learnt_of(store: &Store, scope: &Scope) -> Result<Learnt, StoreError> {
    let state = store.source(scope)?.unwrap_or_default();
    Ok(Learnt::of(&state))
}

/// No link is made of what is tried out.
fn nowhere() -> Url {
    Url::parse("http://localhost/").expect("it is an address")
}

/// A store for when there is none yet.
pub fn nothing() -> Arc<Store> {
    Arc::new(Store::new(Box::new(MemoryEngine::default())))
}

/// The configuration that was in effect according to its own file, for when no daemon runs.
///
/// # Errors
/// When the store cannot be read.
pub fn present(store: &Arc<Store>, config: Config) -> Result<Present, StoreError> {
    let catalogue = Stage::new(store)?.catalogue(Arc::new(config), None)?;
    let mut learnt = BTreeMap::new();
    for scope in catalogue.scopes.values() {
        learnt.insert(scope.clone(), learnt_of(store, scope)?);
    }
    Ok(Present { catalogue: Arc::new(catalogue), learnt })
}
