//! The committer over an engine that fails when it is told to: what is acknowledged, and what is in effect after a recovery.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use feedmill::config::{self, Surroundings};
use feedmill::model::source::{Scope, SourceKey, TopicKey};
use feedmill::poll::committer::Committer;
use feedmill::select::catalogue::Catalogue;
use feedmill::store::entries::Store;
use feedmill::store::memory::MemoryEngine;
use feedmill::store::source::SourceState;

struct World {
    engine: MemoryEngine,
    store: Arc<Store>,
    committer: Committer,
    /// How often everything was marked as changed.
    marked: Arc<AtomicUsize>,
}

fn catalogue(text: &str) -> Arc<Catalogue> {
    let around = Surroundings {
        variables: &BTreeMap::new(),
        folder: Path::new("."),
        read_file: &|_| Err(std::io::Error::other("none")),
    };
    let config = config::read(text, &around).unwrap();
    let base = url::Url::parse("http://feedmill.example/").unwrap();
    let scopes = config.sources.iter().map(|source| (source.key.clone(), Scope::from(&source.key))).collect();
    Arc::new(Catalogue::new(Arc::new(config), base, scopes, &BTreeMap::new()))
}

fn world() -> World {
    let engine = MemoryEngine::default();
    let store = Arc::new(Store::new(Box::new(engine.clone())));
    let marked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&marked);
    let changed = Box::new(move |feeds: Option<&_>| {
        counter.fetch_add(usize::from(feeds.is_none()), Ordering::Relaxed);
    });
    let committer = Committer::start(Arc::clone(&store), catalogue(""), changed).unwrap();
    World { engine, store, committer, marked }
}

fn scope() -> Scope {
    Scope::from(&SourceKey::new("bbc").unwrap())
}

fn titled(title: &str) -> Vec<(Scope, Arc<SourceState>)> {
    vec![(scope(), Arc::new(SourceState { title: Some(title.to_owned()), ..SourceState::default() }))]
}

impl World {
    async fn recovered(&self) {
        let recovered = tokio::time::timeout(Duration::from_secs(20), self.committer.recovered());
        recovered.await.expect("it recovers");
    }

    fn title(&self) -> Option<String> {
        self.engine.forget_unsynced();
        self.store.source(&scope()).unwrap().and_then(|state| state.title)
    }
}

#[tokio::test]
async fn nothing_is_acknowledged_while_the_store_fails_and_all_is_well_again_by_itself() {
    let world = world();
    world.committer.settle().await.unwrap();
    world.engine.fail(true);
    assert!(world.committer.settle().await.is_err());
    assert!(world.committer.trouble().unwrap().contains("told to fail"));
    assert!(world.committer.settle().await.is_err());
    world.engine.fail(false);
    world.recovered().await;
    world.committer.settle().await.unwrap();
    assert_eq!(world.marked.load(Ordering::Relaxed), 1, "everything is published anew");
}

#[tokio::test]
async fn facts_that_could_not_be_stored_are_stored_after_the_recovery() {
    let world = world();
    world.committer.remember(titled("before")).await;
    world.committer.settle().await.unwrap();
    world.engine.fail(true);
    world.committer.remember(titled("first")).await;
    assert!(world.committer.settle().await.is_err());
    world.committer.remember(titled("last")).await;
    assert!(world.committer.settle().await.is_err());
    world.engine.fail(false);
    world.recovered().await;
    assert_eq!(world.title().as_deref(), Some("last"));
}

#[tokio::test]
async fn the_newest_configuration_is_in_effect_after_the_recovery() {
    let world = world();
    world.engine.fail(true);
    assert!(world.committer.settle().await.is_err());
    let edited = catalogue("[topics.edited]\ntitle = \"Edited\"\nmatch = \"news\"\n");
    assert!(world.committer.follow(edited).await.is_err());
    world.engine.fail(false);
    world.recovered().await;
    world.engine.forget_unsynced();
    assert!(world.store.topic(&TopicKey::new("edited").unwrap()).unwrap().is_some());
}
