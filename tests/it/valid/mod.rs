//! What we publish is valid: every document of a sample, and of captured feeds where they are at hand, becomes a source, and what is
//! made of it is held against the rules of validators of feeds. `FEEDMILL_DOCUMENTS` names a folder for the documents.

#![expect(clippy::print_stdout, reason = "figures are told, and what scripts/validate-corpus asks for")]

mod planted;
mod rules;
mod xml;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use feedmill::clock;
use feedmill::model::feed::{FeedName, Format};
use feedmill::model::source::{Scope, SourceKey};
use feedmill::parse;
use feedmill::poll::prepare::{self, Fresh};
use feedmill::published::Door;
use feedmill::published::request::{Cursor, FeedRequest, LIMIT};
use feedmill::select::catalogue::{Catalogue, Learnt};
use feedmill::select::door::{StoreDoor, address};
use feedmill::select::page;
use feedmill::store::Handle;
use feedmill::store::entries::Store;
use feedmill::store::source::SourceState;

use crate::laws::World;
use crate::reading;

/// A document as it came, and where from.
struct Origin {
    name: String,
    body: Vec<u8>,
}

fn files(folder: &Path) -> Vec<Origin> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    paths.iter().map(|path| Origin { name: name(path), body: std::fs::read(path).unwrap() }).collect()
}

/// The store that comes of polling each document once, as a source of its own, and the catalogue of those that are feeds.
fn polled(origins: &[Origin]) -> (Arc<Store>, Catalogue) {
    let key = |number: usize| SourceKey::new(&format!("s{number}")).unwrap();
    let place = |number: usize| format!("http://s{number}.example/feed");
    let source = |number: usize| format!("[sources.s{number}]\nurl = \"{}\"\n", place(number));
    let mut world = World::of(&(0..origins.len()).map(source).collect::<String>());
    let now = clock::now();
    let mut learnt = BTreeMap::new();
    for (number, origin) in origins.iter().enumerate() {
        let (key, base) = (key(number), url::Url::parse(&place(number)).unwrap());
        let scope = Scope::from(&key);
        let (body, content_type, state) = (origin.body.as_slice(), None, SourceState::default());
        let fresh =
            Fresh { key: &key, scope: &scope, body, content_type, base: Some(&base), last_document: &[], state, now };
        let Ok(prepared) = prepare::prepare(fresh) else { continue };
        learnt.insert(scope, Learnt::of(&prepared.state));
        world.absorb(prepared, now);
    }
    world.store.sync().unwrap();
    let Catalogue { config, base, scopes, .. } = world.catalogue;
    (Arc::new(world.store), Catalogue::new(config, base, scopes, &learnt))
}

/// What was found, by format and name: how often, and once where.
type Found = BTreeMap<(&'static str, String), (usize, String)>;

struct Press {
    store: Arc<Store>,
    catalogue: Arc<Catalogue>,
    door: StoreDoor,
    found: Found,
    documents: usize,
    entries: usize,
    folder: Option<PathBuf>,
}

impl Press {
    fn new(store: Arc<Store>, catalogue: Catalogue) -> Self {
        let catalogue = Arc::new(catalogue);
        let (_, receiver) = tokio::sync::watch::channel(Arc::clone(&catalogue));
        let door = StoreDoor::new(Handle::new(Arc::clone(&store), 1), receiver);
        let folder = std::env::var_os("FEEDMILL_DOCUMENTS").map(PathBuf::from);
        Self { store, catalogue, door, found: Found::new(), documents: 0, entries: 0, folder }
    }

    fn find(&mut self, format: Format, name: &str, detail: String) {
        let found = self.found.entry((format.suffix(), name.to_owned())).or_insert((0, detail));
        found.0 += 1;
    }

    /// Makes a page of a feed in every format, and looks at all of them; gives where the next page begins.
    async fn page(&mut self, feed: &FeedName, before: Option<Cursor>) -> Option<Cursor> {
        let mut ids = Vec::new();
        let request = FeedRequest { limit: Some(LIMIT), before, ..FeedRequest::plain(feed.clone(), Format::Atom) };
        for format in Format::ALL {
            let request = FeedRequest { format, ..request.clone() };
            let place = address(&self.catalogue.base, &request);
            let made = self.door.feed(request).await.unwrap();
            assert_eq!(made.media_type, format.media_type());
            let body = made.identity.body.clone();
            self.documents += 1;
            if let Some(folder) = &self.folder {
                let (feed, sources) = (feed.to_string().replace('/', "-"), self.catalogue.config.sources.len());
                let name = format!("{feed}-{}-of-{sources}.{}", self.documents, format.suffix());
                std::fs::write(folder.join(name), &body).unwrap();
            }
            for (name, detail) in rules::look(&body, format, place.as_str()).0 {
                self.find(format, name, format!("{place}: {detail}"));
            }
            ids.push(self.read_again(&body, format, place.as_str()));
        }
        self.entries += ids[0].len();
        for (other, format) in ids.iter().zip(Format::ALL) {
            if *other != ids[0] {
                self.find(format, "other entries than Atom", format!("{feed}"));
            }
        }
        page::select(&self.store, &self.catalogue, &request, clock::now()).unwrap().next
    }

    /// The ids of a document's entries, as feed-rs and our own reader read them.
    fn read_again(&mut self, body: &[u8], format: Format, place: &str) -> Vec<String> {
        let ids: Vec<String> = match feed_rs::parser::parse(body) {
            Ok(feed) => feed.entries.into_iter().map(|entry| entry.id).collect(),
            Err(error) => {
                self.find(format, "feed-rs", format!("{place}: {error}"));
                Vec::new()
            }
        };
        let parsed = parse::parse(body, Some(format.media_type()), None, clock::now()).unwrap();
        let own: Vec<String> =
            parsed.observations.into_iter().map(|seen| seen.guid.map(|it| it.value).unwrap_or_default()).collect();
        if own != ids {
            self.find(format, "readers disagree", format!("{place}: {} and {}", ids.len(), own.len()));
        }
        let distinct: BTreeSet<&String> = ids.iter().collect();
        if distinct.len() != ids.len() {
            self.find(format, "ids repeat", place.to_owned());
        }
        ids
    }

    async fn all(&mut self) {
        let sources = self.catalogue.config.sources.iter().map(|source| FeedName::Source(source.key.clone()));
        let feeds: Vec<FeedName> = std::iter::once(FeedName::All).chain(sources).collect();
        for feed in feeds {
            let mut before = None;
            loop {
                before = self.page(&feed, before).await;
                if before.is_none() {
                    break;
                }
            }
        }
    }
}

/// Publishes what comes of the documents, and expects that nothing is found.
fn check(origins: &[Origin], least: usize) {
    let (store, catalogue) = polled(origins);
    let mut press = Press::new(store, catalogue);
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(press.all());
    println!("{} documents with {} entries, made of {} sources", press.documents, press.entries, origins.len());
    for ((format, name), (count, detail)) in &press.found {
        println!("{format} {name} {count}: {detail}");
    }
    assert!(press.found.is_empty(), "{:?}", press.found);
    assert!(press.entries >= least, "{} entries", press.entries);
}

#[test]
fn what_is_made_of_a_sample_of_documents_is_valid() {
    let origins = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/documents"));
    assert!(origins.iter().any(|origin| Path::new(&origin.name).extension().is_some_and(|suffix| suffix == "json")));
    check(&origins, 12);
}

#[test]
fn what_is_made_of_captured_feeds_is_valid() {
    let Some(folder) = reading::captured() else {
        println!("skipped: there are no captured feeds beside the project (name a folder with FEEDMILL_FIXTURES)");
        return;
    };
    let documents = reading::documents(folder).into_iter().enumerate();
    let mut origins: Vec<Origin> = documents.map(|(number, body)| Origin { name: number.to_string(), body }).collect();
    // The order of a folder is the file system's.
    origins.sort_by(|one, other| one.body.cmp(&other.body));
    // All of them take two minutes; whoever wants to have the documents waits for that.
    if std::env::var_os("FEEDMILL_DOCUMENTS").is_none() {
        origins = origins.into_iter().step_by(4).collect();
    }
    check(&origins, 100);
}
