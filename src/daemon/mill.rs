//! Store, committer, poller and republisher, started in this order and stopped in the reverse one.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::clock;
use crate::config::Config;
use crate::fetch::{self, Fetcher};
use crate::hub::Hub;
use crate::index::Index;
use crate::indexing::{self, FOLLOWER, Follower};
use crate::model::Timestamp;
use crate::model::feed::FeedId;
use crate::model::source::{Scope, SourceKey};
use crate::poll::book::Book;
use crate::poll::committer::Committer;
use crate::poll::one::{Learning, Polling, ROOM};
use crate::poll::pages::{self, Pages};
use crate::poll::{self, Drive, Report, Wish};
use crate::published::Published;
use crate::published::counters::Counters;
use crate::republish::{self, Marks};
use crate::select::cache::Cache;
use crate::select::catalogue::{Catalogue, listening};
use crate::select::door::StoreDoor;
use crate::select::revisions::Revisions;
use crate::store::Handle;
use crate::store::engine::StoreError;
use crate::store::entries::Store;
use crate::store::open;

/// Store jobs of readers at once. More would only wait for the same disk.
const READERS: usize = 4;
/// Pages of entries that are taken apart at once: nobody waits for them.
const PAGES: usize = 1;
/// How long the end may take. A poll that is being committed is far quicker.
const LAST_COMMITS: Duration = Duration::from_secs(4);

/// Everything but the listener.
pub struct Mill {
    pub store: Arc<Store>,
    pub handle: Handle<Store>,
    pub polling: Arc<Polling>,
    pub published: Arc<Published>,
    pub marks: Arc<Marks>,
    /// How readers ask for what is not kept ready.
    pub door: Arc<Cache>,
    /// How commands ask for accounts of entries.
    pub reading: StoreDoor,
    /// Tells subscribers what is new.
    pub hub: Arc<Hub>,
    /// What searches run on; `None` where `[search]` says so, and for commands.
    pub search: Option<Search>,
    /// Why the edited configuration is not in effect.
    pub config_problem: Mutex<Option<String>>,
    wishes: mpsc::Sender<Wish>,
    address: SocketAddr,
    stop: CancellationToken,
    tasks: tokio::sync::Mutex<JoinSet<()>>,
}

impl Mill {
    /// Opens the store and starts all loops. `address` is where the daemon listens; links follow it where no `public_url` is set.
    /// `edited` is when the configuration was written.
    ///
    /// # Errors
    /// When the store cannot be opened or TLS cannot be set up.
    pub fn start(config: Config, edited: Timestamp, address: SocketAddr, drive: Drive) -> anyhow::Result<Self> {
        let store = Arc::new(open_store(&config, drive)?);
        let book = Book::default();
        let scopes = store.scopes(&named(&config))?;
        let (index, follower) = open_index(&store, &config, drive)?;
        book.follow(&config.sources, &scopes, &store)?;
        let fetcher = fetcher(&config)?;
        let catalogue = in_effect(config, address, scopes, &book, edited);
        let (catalogues, followed) = watch::channel(Arc::clone(&catalogue));

        let marks = Arc::new(Marks::default());
        let revisions = Arc::new(Revisions::default());
        let changed = changed(&marks, &revisions, followed.clone());
        let committer = start_committer(&store, &catalogue, Arc::clone(&changed))?;
        let handle = Handle::new(Arc::clone(&store), READERS);
        let (pages, queue) = Pages::new();
        let polling = Arc::new(Polling {
            book,
            fetcher: RwLock::new(Arc::new(fetcher)),
            workers: Handle::new(Arc::new(()), std::thread::available_parallelism().map_or(2, usize::from)),
            room: Semaphore::new(ROOM),
            committer,
            pages,
            catalogue: catalogues,
            counters: Arc::new(Counters::default()),
            // A title or a site that became known changes every document that names its source.
            relearnt: Box::new(move || changed(None)),
            learning: Mutex::new(Learning::default()),
        });
        let published = Arc::new(Published::default());
        published.set_access(Arc::clone(&catalogue.config.access));
        let rendering = StoreDoor::new(handle.clone(), followed.clone()).with_index(index.clone());
        let cache = Cache::new(Arc::new(rendering.clone()), followed.clone(), revisions, Arc::clone(&published));
        let stop = CancellationToken::new();
        let (wishes, wished) = mpsc::channel(16);
        republish::mark(&marks, &catalogue, None);
        let mut tasks = JoinSet::new();
        let polls = poll::run(Arc::clone(&polling), followed.clone(), wished, drive, stop.clone());
        let reads = pages::run(Arc::clone(&polling), Handle::new(Arc::clone(&store), PAGES), queue, stop.clone());
        tasks.spawn(on_own_thread("poller", beside(polls, reads))?);
        let search = start_indexer(&mut tasks, index, follower, &stop)?;
        let hub = open_hub(&store, &followed, address, &polling)?;
        if drive == Drive::Schedule {
            tasks.spawn(start_hub(&hub, &store, &rendering, &stop)?);
        }
        let reading = rendering.clone();
        tasks.spawn(republish::run(Arc::clone(&marks), rendering, Arc::clone(&published), followed, stop.clone()));
        Ok(Self {
            store,
            handle,
            polling,
            published,
            marks,
            door: Arc::new(cache),
            reading,
            hub,
            search,
            config_problem: Mutex::new(None),
            wishes,
            address,
            stop,
            tasks: tokio::sync::Mutex::new(tasks),
        })
    }

    pub fn catalogue(&self) -> Arc<Catalogue> {
        Arc::clone(&self.polling.catalogue.borrow())
    }

    /// Puts a checked configuration into effect. Sources that stay go on as they are.
    ///
    /// # Errors
    /// When the store or TLS fails; the old configuration stays then.
    pub async fn reconfigure(&self, config: Config) -> anyhow::Result<()> {
        let fetcher = fetcher(&config)?;
        let named = named(&config);
        let scopes = self.handle.run(move |store| store.scopes(&named)).await?;
        self.polling.book.follow(&config.sources, &scopes, &self.store)?;
        self.polling.replace_fetcher(fetcher);
        let catalogue = in_effect(config, self.address, scopes, &self.polling.book, clock::now());
        // First the catalogue: what the committer marks as changed is rendered by it.
        self.polling.catalogue.send_replace(Arc::clone(&catalogue));
        // What is kept was made for those who might read it before.
        self.published.set_access(Arc::clone(&catalogue.config.access));
        (self.polling.relearnt)();
        self.polling.committer.follow(Arc::clone(&catalogue)).await?;
        self.published.retain(&catalogue.ready_feeds());
        Ok(())
    }

    /// Asks for polls; reports come one for each source until all have ended.
    pub async fn poll(&self, sources: Vec<SourceKey>, force: bool) -> mpsc::UnboundedReceiver<Report> {
        let (reports, received) = mpsc::unbounded_channel();
        // A poller that has stopped drops the wish, and the reports end at once.
        let _ = self.wishes.send(Wish { sources, force, reports }).await;
        received
    }

    /// Waits until the pages of new entries are read: for commands that end afterwards.
    pub async fn settle_pages(&self) {
        self.polling.pages.settle().await;
    }

    /// Waits until everything that was committed is published.
    pub async fn settle(&self) {
        self.polling.catch_up();
        self.marks.settle().await;
    }

    /// Ends the loops and makes durable what is not yet, within a few seconds.
    pub async fn stop(&self) {
        self.stop.cancel();
        let mut tasks = self.tasks.lock().await;
        let ended = async {
            while tasks.join_next().await.is_some() {}
            self.polling.committer.settle().await
        };
        match tokio::time::timeout(LAST_COMMITS, ended).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the last facts could not be stored"),
            Err(_) => tracing::error!("the last commits took too long and were given up; nothing acknowledged is lost"),
        }
    }
}

/// The index, and how it is asked to be made anew.
pub struct Search {
    pub index: Arc<Index>,
    pub orders: mpsc::Sender<indexing::Order>,
}

/// The index of a daemon, and what brings it after the store. Before anything is written: what is not read yet must stay in the
/// journal. A command is too short for following, but sees to that, too.
fn open_index(
    store: &Arc<Store>,
    config: &Config,
    drive: Drive,
) -> Result<(Option<Arc<Index>>, Option<Follower>), StoreError> {
    let (path, mark) = (&config.store.path, store.mark()?);
    store.sync()?;
    match drive {
        _ if !config.search.enabled => Ok((None, None)),
        Drive::Schedule => {
            let index = Arc::new(Index::open(path, mark));
            let memory = usize::try_from(config.search.memory_bytes).unwrap_or(usize::MAX);
            let follower = Follower::new(Arc::clone(store), Arc::clone(&index), memory);
            Ok((Some(index), Some(follower)))
        }
        Drive::Wishes => {
            if let Some(standing) = Index::standing_of(path, mark) {
                store.followed(FOLLOWER, standing.number);
            }
            Ok((None, None))
        }
    }
}

/// A thread of its own: its steps block.
fn start_indexer(
    tasks: &mut JoinSet<()>,
    index: Option<Arc<Index>>,
    follower: Option<Follower>,
    stop: &CancellationToken,
) -> anyhow::Result<Option<Search>> {
    let Some((index, follower)) = index.zip(follower) else { return Ok(None) };
    let (orders, ordered) = mpsc::channel(4);
    tasks.spawn(on_own_thread("indexer", indexing::run(follower, ordered, stop.clone()))?);
    Ok(Some(Search { index, orders }))
}

fn open_store(config: &Config, drive: Drive) -> anyhow::Result<Store> {
    let open = match drive {
        Drive::Schedule => open::open_compact,
        // A command is short.
        Drive::Wishes => open::open,
    };
    Ok(open(&config.store.path, config.store.cache_bytes)?)
}

fn named(config: &Config) -> Vec<(SourceKey, Vec<SourceKey>)> {
    config.sources.iter().map(|source| (source.key.clone(), source.was.clone())).collect()
}

fn in_effect(
    config: Config,
    address: SocketAddr,
    scopes: HashMap<SourceKey, Scope>,
    book: &Book,
    since: Timestamp,
) -> Arc<Catalogue> {
    let base = base(&config, address);
    Arc::new(Catalogue::new(Arc::new(config), base, scopes, &book.learnt()).in_effect_since(since))
}

fn base(config: &Config, address: SocketAddr) -> Url {
    config.server.public_url.clone().unwrap_or_else(|| listening(address))
}

/// A fetcher as the configuration wants it.
pub fn fetcher(config: &Config) -> anyhow::Result<Fetcher> {
    Fetcher::new(fetching(config)).context("requests cannot be set up")
}

/// How the configuration wants requests to be made.
pub fn fetching(config: &Config) -> fetch::Settings {
    let poll = &config.poll;
    let hosts = poll.hosts.iter().map(|(host, pace)| (host.clone(), (pace.per_host, pace.host_delay)));
    fetch::Settings {
        user_agent: fetch::user_agent(poll.contact.as_deref()),
        connect_timeout: poll.connect_timeout,
        timeout: poll.timeout,
        body_limit: poll.body_limit,
        allow_private: poll.allow_private.clone(),
        allow_private_links: poll.allow_private_links,
        concurrency: poll.concurrency,
        per_host: poll.per_host,
        host_delay: poll.host_delay,
        hosts: hosts.collect(),
        // As many as may be at work: polls of one host are minutes apart, and what is not used is closed after seconds.
        idle_per_host: poll.per_host,
    }
}

/// Runs a loop with another one as a task beside it.
async fn beside(first: impl Future<Output = ()>, second: impl Future<Output = ()> + Send + 'static) {
    let second = tokio::spawn(second);
    first.await;
    let _ = second.await;
}

/// Runs a loop on a thread of its own, with a runtime of its own: polling is one long conversation between many sockets and one
/// timer, which no lock and no other thread's work should hold up. Gives what waits for its end.
fn on_own_thread(
    name: &str,
    work: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (ended, end) = oneshot::channel();
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        runtime.block_on(work);
        // A lookup of a name cannot be interrupted; nobody waits for it.
        runtime.shutdown_background();
        let _ = ended.send(());
    })?;
    Ok(async move { drop(end.await) })
}

fn open_hub(
    store: &Arc<Store>,
    followed: &watch::Receiver<Arc<Catalogue>>,
    address: SocketAddr,
    polling: &Polling,
) -> anyhow::Result<Arc<Hub>> {
    Ok(Arc::new(Hub::open(store, followed.clone(), listening(address), Arc::clone(&polling.counters))?))
}

/// On a thread of its own, as polling: thousands of subscribers must not hold up anybody else.
fn start_hub(
    hub: &Arc<Hub>,
    store: &Arc<Store>,
    door: &StoreDoor,
    stop: &CancellationToken,
) -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let running = Arc::clone(hub).run(Arc::clone(store), door.clone(), stop.clone());
    on_own_thread("hub", async move {
        if let Err(error) = running.await {
            tracing::error!("the hub tells nobody anything: {error}");
        }
    })
}

/// Tells whoever makes or keeps documents which feeds differ now; `None` stands for all.
type Changed = Arc<dyn Fn(Option<&HashSet<FeedId>>) + Send + Sync>;

fn changed(marks: &Arc<Marks>, revisions: &Arc<Revisions>, followed: watch::Receiver<Arc<Catalogue>>) -> Changed {
    let (marks, revisions) = (Arc::clone(marks), Arc::clone(revisions));
    Arc::new(move |feeds| {
        revisions.change(feeds);
        republish::mark(&marks, &followed.borrow(), feeds);
    })
}

fn start_committer(store: &Arc<Store>, catalogue: &Arc<Catalogue>, changed: Changed) -> anyhow::Result<Committer> {
    let changed = Box::new(move |feeds: Option<&_>| changed(feeds));
    Ok(Committer::start(Arc::clone(store), Arc::clone(catalogue), changed)?)
}
