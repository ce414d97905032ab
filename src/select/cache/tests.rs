use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use super::*;
use crate::config::{self, Surroundings};
use crate::model::access::Audience;
use crate::model::feed::{FeedId, FeedName, Format};
use crate::model::source::{Scope, SourceKey, TopicKey};
use crate::published::listing::Listing;
use crate::published::why::{Account, Asked, NoFeed};

/// A door that counts, and opens once for each permit.
struct Counting {
    opened: AtomicUsize,
    permits: Semaphore,
    size: usize,
}

struct Counter(Arc<Counting>);

impl Door for Counter {
    fn feed(&self, request: FeedRequest) -> Opening {
        let counting = Arc::clone(&self.0);
        Box::pin(async move {
            counting.permits.acquire().await.unwrap().forget();
            counting.opened.fetch_add(1, Ordering::Relaxed);
            if request.query.as_deref() == Some("bad") {
                return Err(Refusal::Bad("q: bad".to_owned()));
            }
            let body = vec![b'x'; counting.size];
            Ok(Arc::new(Representation::new("text/plain", body, Timestamp::UNIX_EPOCH)))
        })
    }

    fn account(&self, question: Question, write: Writing) -> Accounting {
        let counting = Arc::clone(&self.0);
        Box::pin(async move {
            counting.permits.acquire().await.unwrap().forget();
            let account = Account::NoFeed(NoFeed { text: question.feed.unwrap_or_default() });
            let written = write(&account);
            Ok((account, written))
        })
    }

    fn listing(&self, request: FeedRequest) -> published::Listings {
        let counting = Arc::clone(&self.0);
        Box::pin(async move {
            counting.permits.acquire().await.unwrap().forget();
            counting.opened.fetch_add(1, Ordering::Relaxed);
            let (title, feed) = ("x".repeat(counting.size), request.feed);
            Ok(Arc::new(Listing { title, feed, entries: Vec::new(), next: None }))
        })
    }
}

struct Setup {
    cache: Cache,
    counting: Arc<Counting>,
    revisions: Arc<Revisions>,
    published: Arc<Published>,
    _catalogue: watch::Sender<Arc<Catalogue>>,
}

fn setup(permits: usize, size: usize) -> Setup {
    let text = "[server]\ncache = \"16MB\"\n[topics.late]\nmax_age = \"7d\"\n[sources.a]\nurl = \"https://a.example/\"\n\
                [sources.b]\nurl = \"https://b.example/\"\n";
    let around = Surroundings {
        variables: &BTreeMap::new(),
        folder: Path::new("/"),
        read_file: &|_| Err(std::io::Error::other("none")),
    };
    let config = Arc::new(config::read(text, &around).unwrap());
    let scopes: HashMap<SourceKey, Scope> =
        config.sources.iter().map(|source| (source.key.clone(), Scope::from(&source.key))).collect();
    let base = "http://mill.example/".parse().unwrap();
    let catalogue = Arc::new(Catalogue::new(config, base, scopes, &BTreeMap::new()));
    let (sender, followed) = watch::channel(catalogue);
    let counting = Arc::new(Counting { opened: AtomicUsize::new(0), permits: Semaphore::new(permits), size });
    let revisions = Arc::new(Revisions::default());
    let published = Arc::new(Published::default());
    let door = Arc::new(Counter(Arc::clone(&counting)));
    let cache = Cache::new(door, followed, Arc::clone(&revisions), Arc::clone(&published));
    Setup { cache, counting, revisions, published, _catalogue: sender }
}

fn source(key: &str) -> FeedRequest {
    FeedRequest::plain(FeedName::Source(SourceKey::new(key).unwrap()), Format::Atom)
}

fn query(text: &str) -> FeedRequest {
    FeedRequest { query: Some(text.to_owned()), ..FeedRequest::plain(FeedName::All, Format::Atom) }
}

impl Setup {
    /// How often the door was opened for these requests, one after the other.
    async fn opened_for(&self, requests: &[FeedRequest]) -> usize {
        let before = self.counting.opened.load(Ordering::Relaxed);
        for request in requests {
            let _ = self.cache.feed(request.clone()).await;
        }
        self.counting.opened.load(Ordering::Relaxed) - before
    }
}

#[tokio::test]
async fn a_feed_is_rendered_once_until_it_changes() {
    let setup = setup(usize::MAX >> 4, 10);
    let requests = [source("a"), source("b"), query("x")];
    assert_eq!(setup.opened_for(&requests).await, 3);
    assert_eq!(setup.opened_for(&requests).await, 0);
    let a = FeedId::Source(Scope::from(&SourceKey::new("a").unwrap()));
    setup.revisions.change(Some(&HashSet::from([a, FeedId::All])));
    assert_eq!(setup.opened_for(&[source("b")]).await, 0);
    assert_eq!(setup.opened_for(&requests).await, 2);
    setup.revisions.change(None);
    assert_eq!(setup.opened_for(&requests).await, 3);
}

#[tokio::test]
async fn refusals_are_not_kept_and_unknown_feeds_open_no_door() {
    let setup = setup(usize::MAX >> 4, 10);
    assert_eq!(setup.opened_for(&[query("bad"), query("bad")]).await, 2);
    assert_eq!(setup.opened_for(&[source("nobody")]).await, 0);
    assert!(matches!(setup.cache.feed(source("nobody")).await, Err(Refusal::NotFound(_))));
}

#[tokio::test]
async fn equal_requests_are_rendered_once_also_when_the_first_reader_leaves() {
    let setup = setup(0, 10);
    let mut readers: Vec<_> = (0..10).map(|_| tokio::spawn(setup.cache.feed(source("a")))).collect();
    tokio::task::yield_now().await;
    let first = readers.remove(0);
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    setup.counting.permits.add_permits(1);
    for reader in readers {
        assert!(reader.await.unwrap().is_ok());
    }
    assert_eq!(setup.counting.opened.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn too_many_different_requests_are_sent_away_and_equal_ones_are_not() {
    let setup = setup(0, 10);
    let waiting: Vec<_> = (0..WAITING).map(|number| setup.cache.feed(query(&format!("q{number}")))).collect();
    assert_eq!(setup.cache.feed(query("one more")).await.unwrap_err(), Refusal::Busy);
    let equal = setup.cache.feed(query("q0"));
    setup.counting.permits.add_permits(WAITING);
    for opening in waiting {
        assert!(opening.await.is_ok());
    }
    assert!(equal.await.is_ok());
    setup.counting.permits.add_permits(1);
    assert!(setup.cache.feed(query("one more")).await.is_ok());
}

#[tokio::test]
async fn too_many_accounts_are_not_made_at_once() {
    let setup = setup(0, 10);
    let ask = || {
        let asked = Asked::Address("https://a.example/1".parse().unwrap());
        let write = Box::new(|_: &Account| Representation::new("text/plain", Vec::new(), Timestamp::UNIX_EPOCH));
        setup.cache.account(Question { asked, feed: None, audience: Audience::Public }, write)
    };
    let waiting: Vec<_> = (0..ACCOUNTS).map(|_| ask()).collect();
    assert_eq!(ask().await.unwrap_err(), Refusal::Busy);
    setup.counting.permits.add_permits(ACCOUNTS + 1);
    for account in waiting {
        assert!(account.await.is_ok());
    }
    assert!(ask().await.is_ok());
}

#[tokio::test]
async fn the_bound_holds_for_what_is_kept_and_what_is_ready_together() {
    // 16 MB, of which 8 are for fragments: room for seven of about a megabyte.
    let setup = setup(usize::MAX >> 4, 1_000_000);
    let requests: Vec<FeedRequest> = (0..9).map(|number| query(&number.to_string())).collect();
    setup.opened_for(&requests).await;
    assert_eq!(setup.cache.lock().kept.keys(), requests[2..]);
    let ready = Representation::new("text/plain", vec![b'y'; 4_000_000], Timestamp::UNIX_EPOCH);
    setup.published.put(FeedName::All, Format::Atom, Arc::new(ready));
    setup.opened_for(&[query("9")]).await;
    assert_eq!(setup.cache.lock().kept.keys().len(), 3);
    assert!(setup.published.get(&FeedName::All, Format::Atom).is_some());
}

#[tokio::test]
async fn what_depends_on_the_time_is_made_anew_every_minute() {
    let setup = setup(0, 10);
    let at = |seconds: i64| Timestamp::from_timestamp(seconds, 0).unwrap();
    let late = FeedRequest::plain(FeedName::Topic(TopicKey::new("late").unwrap()), Format::Atom);
    for (request, is_relative) in
        [(source("a"), false), (query("x"), false), (query("x NEWER:24h"), true), (late, true)]
    {
        let stamps = [0, 59, 60].map(|seconds| setup.cache.stamp(&request, at(seconds)).unwrap());
        assert_eq!(stamps[0], stamps[1], "{request:?}");
        assert_eq!(stamps[0] != stamps[2], is_relative, "{request:?}");
    }
}

#[tokio::test]
async fn a_listing_is_made_once_until_its_feed_changes() {
    let setup = setup(usize::MAX >> 4, 10);
    let rss = FeedRequest { format: Format::Rss, ..source("a") };
    for (request, expected) in [(source("a"), 1), (rss, 1), (query("x"), 2), (query("x"), 2)] {
        assert!(setup.cache.listing(request.clone()).await.is_ok());
        assert_eq!(setup.counting.opened.load(Ordering::Relaxed), expected, "{request:?}");
    }
    setup.revisions.change(None);
    assert!(setup.cache.listing(source("a")).await.is_ok());
    assert_eq!(setup.counting.opened.load(Ordering::Relaxed), 3);
    assert!(matches!(setup.cache.listing(source("nobody")).await, Err(Refusal::NotFound(_))));
}

#[tokio::test]
async fn too_many_listings_are_not_made_at_once() {
    let setup = setup(0, 10);
    let waiting: Vec<_> =
        (0..listings::AT_ONCE).map(|number| setup.cache.listing(query(&format!("q{number}")))).collect();
    assert_eq!(setup.cache.listing(query("one more")).await.unwrap_err(), Refusal::Busy);
    setup.counting.permits.add_permits(listings::AT_ONCE);
    for listing in waiting {
        assert!(listing.await.is_ok());
    }
}
