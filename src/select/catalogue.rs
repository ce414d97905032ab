//! The configuration as it applies to what is stored: which scopes live, what is shown of them, which feeds there are.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use url::Url;

use crate::config::{Config, MergeRule, RuleKind, RuleScope, Topic};
use crate::merge::present::{Standing, StandingSource};
use crate::merge::rules::{Kind, Of, Rule, Rules};
use crate::model::Timestamp;
use crate::model::access::Audience;
use crate::model::document::About;
use crate::model::feed::{FeedId, FeedName};
use crate::model::source::{Grounds, Location, Scope, Source, SourceKey, TopicKey};
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
    /// Since when it is in effect. No document is older, since a source that went or a title that changed changes documents
    /// whose entries stay as they are; the Unix epoch where nobody asks.
    pub since: Timestamp,
    /// Where each source stands in the file's order.
    places: HashMap<SourceKey, usize>,
    /// The scopes of the sources that name each topic, sorted; those of private sources, too.
    naming: Arc<BTreeMap<TopicKey, Vec<String>>>,
    /// What everybody may know, where that is not all.
    public: Option<Arc<Self>>,
    /// Whether there is more than this.
    is_partial: bool,
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
        let rules = Arc::new(Rules::new(merge_rules(&config), config.merging.window));
        let naming = Arc::new(naming(&config, &scopes));
        let places = places(&config);
        let since = Timestamp::UNIX_EPOCH;
        let whole =
            Self { config, base, scopes, standing, rules, since, places, naming, public: None, is_partial: false };
        let public = whole.without_private().map(Arc::new);
        Self { public, ..whole }
    }

    /// What this audience may know: for everybody no private source, and no topic that is not public, is declared at all. So whatever
    /// is made from it tells nothing of them, also where nobody thought of it.
    pub fn of(&self, audience: Audience) -> &Self {
        match (audience, &self.public) {
            (Audience::Public, Some(public)) => public,
            _ => self,
        }
    }

    /// Whether entries may have sightings that this is to tell nothing of: see [`crate::select::visible`].
    pub fn is_partial(&self) -> bool {
        self.is_partial
    }

    /// The same, where entries are not to be told whole: a source that is not declared any more may have been a private one.
    #[must_use]
    pub fn partial(&self) -> Self {
        Self { is_partial: true, public: None, ..self.clone() }
    }

    /// Whether everybody may read a feed, and it is declared.
    pub fn is_public(&self, feed: &FeedName) -> bool {
        self.config.access.is_public(feed) && self.of(Audience::Public).feed_id(feed).is_some()
    }

    fn without_private(&self) -> Option<Self> {
        let access = &self.config.access;
        let is_public = |key: &TopicKey| access.is_public(&FeedName::Topic(key.clone()));
        let mut config = Config::clone(&self.config);
        config.sources.retain(|source| access.admits(&source.key, Audience::Public));
        config.topics.retain(|topic| is_public(&topic.key));
        for source in &mut config.sources {
            if !source.topics.iter().all(is_public) {
                let topics = source.topics.iter().filter(|key| is_public(key)).cloned().collect();
                *source = Arc::new(Source { topics, ..Source::clone(source) });
            }
        }
        let is_whole =
            config.sources.len() == self.config.sources.len() && config.topics.len() == self.config.topics.len();
        if is_whole {
            return None;
        }
        let scopes = self.scopes.iter().filter(|(key, _)| access.admits(key, Audience::Public));
        let sources = self.standing.sources.iter().filter(|(_, source)| access.admits(&source.key, Audience::Public));
        Some(Self {
            base: self.base.clone(),
            scopes: scopes.map(|(key, scope)| (key.clone(), scope.clone())).collect(),
            standing: Standing { sources: sources.map(|(scope, source)| (scope.clone(), source.clone())).collect() },
            rules: Arc::clone(&self.rules),
            since: self.since,
            places: places(&config),
            config: Arc::new(config),
            naming: Arc::clone(&self.naming),
            public: None,
            is_partial: true,
        })
    }

    /// The same, in effect since then.
    #[must_use]
    pub fn in_effect_since(self, since: Timestamp) -> Self {
        let public = self.public.map(|public| Arc::new(Self { since, ..Arc::unwrap_or_clone(public) }));
        Self { since, public, ..self }
    }

    /// The hub that our documents name: our own, else the first of those that are told of changes.
    pub fn hub_url(&self) -> Option<Url> {
        if self.config.hub.is_enabled {
            return self.base.join("hub").ok();
        }
        self.config.server.public_url.as_ref().and(self.config.hub.ping.first()).cloned()
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
        let sources = self.naming.get(&topic.key).cloned().unwrap_or_default();
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

fn places(config: &Config) -> HashMap<SourceKey, usize> {
    config.sources.iter().enumerate().map(|(place, source)| (source.key.clone(), place)).collect()
}

fn naming(config: &Config, scopes: &HashMap<SourceKey, Scope>) -> BTreeMap<TopicKey, Vec<String>> {
    let mut naming: BTreeMap<TopicKey, Vec<String>> = BTreeMap::new();
    for source in &config.sources {
        let Some(scope) = scopes.get(&source.key) else { continue };
        for topic in &source.topics {
            naming.entry(topic.clone()).or_default().push(scope.as_str().to_owned());
        }
    }
    for scopes in naming.values_mut() {
        scopes.sort();
        // A source may name a topic twice.
        scopes.dedup();
    }
    naming
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
