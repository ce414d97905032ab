//! The configuration as it applies to what is stored: which scopes live, what is shown of them, which feeds there are.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use url::Url;

use crate::config::{Config, MergeRule, RuleKind, RuleScope, Topic};
use crate::merge::present::{Standing, StandingSource};
use crate::merge::rules::{Kind, Of, Rule, Rules};
use crate::model::document::About;
use crate::model::feed::{FeedId, FeedName};
use crate::model::source::{Grounds, Location, Scope, Source, SourceKey};
use crate::store::engine::StoreError;
use crate::store::entries::Store;
use crate::store::record::TopicRecord;
use crate::store::source::SourceState;

/// What a source's document says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Learnt {
    pub title: Option<String>,
    pub site: Option<Url>,
    pub about: Arc<About>,
}

impl Learnt {
    pub fn of(state: &SourceState) -> Self {
        let (title, site) = (state.title.clone(), state.site.clone());
        Self { title, site, about: Arc::new(state.about.clone()) }
    }
}

/// One consistent view of configuration and scopes. Replaced as a whole, never changed.
#[derive(Debug, Clone)]
pub struct Catalogue {
    pub config: Arc<Config>,
    /// Where our feeds live: `public_url`, else the listening address. Ends with a slash.
    pub base: Url,
    pub scopes: HashMap<SourceKey, Scope>,
    pub standing: Standing,
    /// `[[merge]]` and `[[never_merge]]`.
    pub rules: Arc<Rules>,
    /// Where each source stands in the file's order.
    places: HashMap<SourceKey, usize>,
}

impl Catalogue {
    /// Sources without a scope are left out; the store gives one to each.
    pub fn new(
        config: Arc<Config>,
        base: Url,
        scopes: HashMap<SourceKey, Scope>,
        learnt: &BTreeMap<Scope, Learnt>,
    ) -> Self {
        let mut standing = Standing::default();
        for source in &config.sources {
            if let Some(scope) = scopes.get(&source.key) {
                standing.sources.insert(scope.clone(), standing_source(source, learnt.get(scope)));
            }
        }
        let places = config.sources.iter().enumerate().map(|(place, source)| (source.key.clone(), place)).collect();
        let rules = Arc::new(Rules::new(merge_rules(&config), config.merging.window));
        Self { config, base, scopes, standing, rules, places }
    }

    /// For commands without a daemon: what the store knows of the sources' titles and sites.
    ///
    /// # Errors
    /// When the store cannot be read, or takes no name of a new source.
    pub fn of_store(config: Arc<Config>, store: &Store) -> Result<Self, StoreError> {
        let named: Vec<_> = config.sources.iter().map(|source| (source.key.clone(), source.was.clone())).collect();
        let scopes = store.scopes(&named)?;
        let mut learnt = BTreeMap::new();
        for scope in scopes.values() {
            if let Some(state) = store.source(scope)? {
                learnt.insert(scope.clone(), Learnt::of(&state));
            }
        }
        let base = config.server.public_url.clone().unwrap_or_else(|| listening(config.server.listen));
        Ok(Self::new(config, base, scopes, &learnt))
    }

    /// The grounds that a source admits; those of a source that is not declared any more are the usual ones.
    pub fn grounds(&self, scope: &Scope) -> Grounds {
        self.standing.sources.get(scope).map(|source| source.grounds).unwrap_or_default()
    }

    pub fn source(&self, key: &SourceKey) -> Option<&Arc<Source>> {
        self.places.get(key).map(|place| &self.config.sources[*place])
    }

    pub fn topic(&self, feed: &FeedName) -> Option<&Topic> {
        let FeedName::Topic(key) = feed else { return None };
        self.config.topics.iter().find(|topic| topic.key == *key)
    }

    /// The feed as the store knows it; `None` when nothing of this name is declared.
    pub fn feed_id(&self, name: &FeedName) -> Option<FeedId> {
        match name {
            FeedName::All => Some(FeedId::All),
            FeedName::Topic(key) => self.topic(name).map(|_| FeedId::Topic(key.clone())),
            FeedName::Source(key) => {
                self.scopes.get(key).filter(|_| self.source(key).is_some()).cloned().map(FeedId::Source)
            }
        }
    }

    /// What decides who belongs to a topic, as the store remembers it.
    pub fn definition(&self, topic: &Topic, epoch: u32) -> TopicRecord {
        let naming = self.config.sources.iter().filter(|source| source.topics.contains(&topic.key));
        let scopes = naming.filter_map(|source| self.scopes.get(&source.key));
        let mut sources: Vec<String> = scopes.map(|scope| scope.as_str().to_owned()).collect();
        sources.sort();
        TopicRecord { epoch, query: topic.matches.as_ref().map(ToString::to_string), sources }
    }

    /// The feed's title for readers; the name itself for a feed that is not declared.
    pub fn title(&self, name: &FeedName) -> String {
        let title = match name {
            FeedName::All => Some(format!("{}: all", self.config.server.title)),
            FeedName::Topic(_) => self.topic(name).map(topic_title),
            FeedName::Source(key) => self
                .scopes
                .get(key)
                .and_then(|scope| self.standing.sources.get(scope))
                .map(|source| source.title.clone()),
        };
        title.unwrap_or_else(|| name.to_string())
    }

    /// What a feed says about itself: of a source's feed what the source's document says.
    pub fn about(&self, name: &FeedName) -> Arc<About> {
        let FeedName::Source(key) = name else { return Arc::default() };
        let source = self.scopes.get(key).and_then(|scope| self.standing.sources.get(scope));
        source.map(|source| Arc::clone(&source.about)).unwrap_or_default()
    }

    /// The feeds that are kept ready in memory.
    pub fn ready_feeds(&self) -> Vec<FeedName> {
        let topics = self.config.topics.iter().map(|topic| FeedName::Topic(topic.key.clone()));
        std::iter::once(FeedName::All).chain(topics).collect()
    }
}

/// The address that readers use where none is configured: "all addresses" is none that they could ask.
pub fn listening(address: SocketAddr) -> Url {
    let host = if address.ip().is_unspecified() { "localhost".to_owned() } else { address.ip().to_string() };
    let host = if address.is_ipv6() && !address.ip().is_unspecified() { format!("[{host}]") } else { host };
    let mut url = Url::parse("http://localhost/").expect("it is an address");
    let _ = url.set_host(Some(&host));
    let _ = url.set_port(Some(address.port()));
    url
}

/// The rules over merging, as merging knows them.
pub fn merge_rules(config: &Config) -> Vec<Rule> {
    let rule = |MergeRule { kind, of }: &MergeRule| Rule {
        kind: match kind {
            RuleKind::Together => Kind::Together,
            RuleKind::Apart => Kind::Apart,
        },
        of: match of {
            RuleScope::Urls(urls) => Of::Urls(urls.clone()),
            RuleScope::Query(query) => Of::Query(query.clone()),
        },
    };
    config.merging.rules.iter().map(rule).collect()
}

/// The user's title for a topic, else its key in words.
pub fn topic_title(topic: &Topic) -> String {
    topic.title.clone().unwrap_or_else(|| {
        let words = topic.key.as_str().replace('-', " ");
        let mut letters = words.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    })
}

fn standing_source(source: &Source, learnt: Option<&Learnt>) -> StandingSource {
    let said = learnt.and_then(|learnt| learnt.title.clone());
    StandingSource {
        key: source.key.clone(),
        title: source.title.clone().or(said).unwrap_or_else(|| source.key.to_string()),
        address: match &source.location {
            Location::Http(url) => Some(without_secrets(url)),
            Location::File(_) => None,
        },
        site: learnt.and_then(|learnt| learnt.site.clone()),
        about: learnt.map(|learnt| Arc::clone(&learnt.about)).unwrap_or_default(),
        priority: source.priority,
        grounds: source.grounds,
        shows_pages: source.full_text.is_some(),
    }
}

/// An address as it may be shown: query values may be tokens, so only an address without a query is shown whole.
pub fn without_secrets(url: &Url) -> Url {
    let mut shown = url.clone();
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    let looks_secret = |name: &str| {
        let name = name.to_ascii_lowercase();
        ["key", "token", "secret", "auth", "pass", "sig", "user"].iter().any(|word| name.contains(word))
    };
    if shown.query_pairs().any(|(name, value)| looks_secret(&name) || value.len() >= 24) {
        shown.set_query(None);
    }
    shown
}
