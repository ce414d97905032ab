//! `[[merge]]` and `[[never_merge]]`: what the user knows better than the ladder of grounds. Compiled once for each configuration.
//!
//! A rule speaks of sightings by their addresses or by a query. The other modules ask three things of a pair: does a rule forbid
//! that it is one entry, does a rule say that it is one, and which one. Forbidding wins.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::time::Duration;

use chrono::TimeDelta;
use url::Url;

use crate::merge::canonical;
use crate::merge::decide::{self, Arrival};
use crate::merge::identify::{self, Identified};
use crate::model::Timestamp;
use crate::model::entry::{Entry, Key, KeyKind, Sighting};
use crate::model::source::Scope;
use crate::query::Query;
use crate::text;

/// Whether a rule joins or parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `[[merge]]`
    Together,
    /// `[[never_merge]]`
    Apart,
}

/// Which sightings a rule speaks of.
#[derive(Debug, Clone, PartialEq)]
pub enum Of {
    /// Those at these addresses, among one another.
    Urls(Vec<Url>),
    /// Those that match.
    Query(Query),
}

/// One rule. Its `Display` is the line of `feeds.toml` that it stands for.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub kind: Kind,
    pub of: Of,
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.kind {
            Kind::Together => "[[merge]] ",
            Kind::Apart => "[[never_merge]] ",
        })?;
        match &self.of {
            Of::Urls(urls) => {
                let urls: Vec<String> = urls.iter().map(|url| format!("\"{url}\"")).collect();
                write!(formatter, "urls = [{}]", urls.join(", "))
            }
            Of::Query(query) => write!(formatter, "query = '{query}'"),
        }
    }
}

impl Rule {
    /// The keys of the addresses that it names, each once.
    pub fn address_keys(&self) -> Vec<Key> {
        let Of::Urls(urls) = &self.of else { return Vec::new() };
        let keys: BTreeSet<Key> = urls.iter().map(identify::address_key).collect();
        keys.into_iter().collect()
    }

    pub fn names_addresses(&self) -> bool {
        matches!(self.of, Of::Urls(_))
    }

    /// Whether the two say the same of the same sightings, however they are spelt.
    pub fn is_same(&self, other: &Self) -> bool {
        let is_alike = match (&self.of, &other.of) {
            (Of::Urls(_), Of::Urls(_)) => self.address_keys() == other.address_keys(),
            (Of::Query(one), Of::Query(other)) => one.to_string() == other.to_string(),
            _ => false,
        };
        self.kind == other.kind && is_alike
    }

    /// What it means, for people.
    pub fn sentence(&self, window: Duration) -> String {
        match (&self.of, self.kind) {
            (Of::Urls(urls), Kind::Together) => format!("what is at {} is one entry, whatever it says", listed(urls)),
            (Of::Urls(urls), Kind::Apart) => format!("what is at {} is never one entry", listed(urls)),
            (Of::Query(query), Kind::Together) => format!(
                "what matches {query} is one entry where titles are equal and times lie within {} hours",
                window.as_secs() / 3600
            ),
            (Of::Query(query), Kind::Apart) => {
                format!("what matches {query} is never one entry with what another source brings")
            }
        }
    }
}

fn listed(urls: &[Url]) -> String {
    let urls: Vec<&str> = urls.iter().map(Url::as_str).collect();
    match urls.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => urls.concat(),
    }
}

/// What of the rules cannot work, or works otherwise than it looks; a sentence each.
pub fn doubts(rules: &[Rule]) -> Vec<String> {
    let mut doubts = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        if rules[..index].iter().any(|earlier| earlier.is_same(rule)) {
            doubts.push(format!("{rule} is there twice"));
            continue;
        }
        if let Of::Urls(urls) = &rule.of {
            if rule.address_keys().len() < 2 {
                doubts.push(format!("{rule}: these are spellings of one address, so the rule says nothing"));
            }
            for url in urls.iter().filter(|url| canonical::is_front_page(url)) {
                doubts.push(format!("{rule}: {url} is a front page, which names no entry"));
            }
        }
    }
    let compiled = Rules::new(rules.to_vec(), Duration::ZERO);
    for rule in rules.iter().filter(|rule| rule.kind == Kind::Apart) {
        let keys = rule.address_keys();
        for (index, one) in keys.iter().enumerate() {
            let class = compiled.classes.get(one);
            if class.is_some() && keys[index + 1..].iter().any(|other| compiled.classes.get(other) == class) {
                doubts.push(format!("{rule}: [[merge]] says that two of these are one; [[never_merge]] wins"));
                break;
            }
        }
        let is_joined = |other: &&Rule| other.kind == Kind::Together && matches!(other.of, Of::Query(_));
        let mut joined = rules.iter().filter(is_joined);
        if joined.any(|other| rule.is_same(&Rule { kind: Kind::Apart, of: other.of.clone() })) {
            doubts.push(format!("{rule}: [[merge]] has the same query; [[never_merge]] wins"));
        }
    }
    doubts
}

/// All rules, ready to be asked.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    all: Vec<Rule>,
    /// Which rules name an address.
    named: HashMap<Key, Vec<usize>>,
    /// Addresses that are one entry have one class, also over several rules.
    classes: HashMap<Key, usize>,
    window: TimeDelta,
}

/// What the rules know of a sighting.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    source: Scope,
    /// Only if a rule names it.
    address: Option<Key>,
    /// The rules whose query it matches.
    matches: Vec<usize>,
    /// Its folded words; only if a `[[merge]]` by query may ask for them.
    title: Option<String>,
    at: Timestamp,
}

/// What of a sighting rules look at.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    pub source: &'a Scope,
    /// Its link, and the address behind it where the link only counts readers. The first that a rule names counts.
    pub addresses: [Option<Key>; 2],
    pub title: Option<&'a str>,
    /// Its place in time.
    pub at: Timestamp,
}

impl<'a> Seen<'a> {
    pub fn stored(sighting: &'a Sighting) -> Self {
        Self {
            source: &sighting.source,
            addresses: addresses(sighting),
            title: sighting.title.as_deref(),
            at: sighting.sort_at,
        }
    }

    pub fn arriving(one: &'a Identified, arrival: &'a Arrival) -> Self {
        Self {
            source: &arrival.scope,
            addresses: [one.observation.url.as_ref(), one.observation.address()]
                .map(|url| url.map(identify::address_key)),
            title: one.observation.title.as_deref(),
            at: decide::sort_at(one, arrival),
        }
    }
}

/// An address behind the link is known by its key alone; of a sighting that moved the link says where it is.
fn addresses(sighting: &Sighting) -> [Option<Key>; 2] {
    let link = sighting.url.as_ref().map(identify::address_key);
    let behind = sighting.keys.iter().rev().find(|key| key.kind == KeyKind::Url).copied();
    [link, behind.filter(|_| !link.is_some_and(|link| sighting.keys.contains(&link)))]
}

impl Rules {
    /// `window` is how far apart in time what a `[[merge]]` by query joins may lie.
    pub fn new(rules: Vec<Rule>, window: Duration) -> Self {
        let mut named: HashMap<Key, Vec<usize>> = HashMap::new();
        let mut classes: HashMap<Key, usize> = HashMap::new();
        for (index, rule) in rules.iter().enumerate() {
            let keys = rule.address_keys();
            for key in &keys {
                named.entry(*key).or_default().push(index);
            }
            if rule.kind == Kind::Together {
                let met: Vec<usize> = keys.iter().filter_map(|key| classes.get(key).copied()).collect();
                for class in classes.values_mut().filter(|class| met.contains(class)) {
                    *class = index;
                }
                classes.extend(keys.into_iter().map(|key| (key, index)));
            }
        }
        Self { all: rules, named, classes, window: TimeDelta::from_std(window).unwrap_or(TimeDelta::MAX) }
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub fn all(&self) -> &[Rule] {
        &self.all
    }

    /// Whether a sighting's text may matter.
    pub fn has_queries(&self) -> bool {
        self.all.iter().any(|rule| matches!(rule.of, Of::Query(_)))
    }

    /// What the rules know of a sighting; `matches` answers for it.
    pub fn subject(&self, seen: Seen<'_>, matches: &dyn Fn(&Query) -> bool) -> Subject {
        let rules = self.all.iter().enumerate();
        let matched = rules.filter(|(_, rule)| matches!(&rule.of, Of::Query(query) if matches(query)));
        let matches: Vec<usize> = matched.map(|(index, _)| index).collect();
        let is_titled = matches.iter().any(|index| self.all[*index].kind == Kind::Together);
        Subject {
            source: seen.source.clone(),
            address: seen.addresses.into_iter().flatten().find(|key| self.named.contains_key(key)),
            title: seen.title.filter(|_| is_titled).map(folded).filter(|title| !title.is_empty()),
            matches,
            at: seen.at,
        }
    }

    /// Whether any rule speaks of it.
    pub fn speaks_of(&self, subject: &Subject) -> bool {
        subject.address.is_some() || !subject.matches.is_empty()
    }

    /// The rule that forbids two sightings to be one entry.
    pub fn forbids(&self, one: &Subject, other: &Subject) -> Option<&Rule> {
        let at_address = |subject: &Subject, index: &usize| {
            subject.address.is_some_and(|key| self.named.get(&key).is_some_and(|rules| rules.contains(index)))
        };
        let mut rules = self.all.iter().enumerate().filter(|(_, rule)| rule.kind == Kind::Apart);
        let found = rules.find(|(index, rule)| match rule.of {
            Of::Urls(_) => at_address(one, index) && at_address(other, index) && one.address != other.address,
            Of::Query(_) => {
                one.source != other.source && (one.matches.contains(index) || other.matches.contains(index))
            }
        });
        found.map(|(_, rule)| rule)
    }

    /// The rule by which two sightings are one entry, unless another forbids it.
    pub fn joins(&self, one: &Subject, other: &Subject) -> Option<&Rule> {
        let class = |subject: &Subject| subject.address.and_then(|key| self.classes.get(&key));
        if class(one).is_some() && class(one) == class(other) {
            let names = |rule: &Rule, subject: &Subject| {
                subject.address.is_some_and(|address| rule.address_keys().contains(&address))
            };
            let together = || self.all.iter().filter(|rule| rule.kind == Kind::Together);
            let both = together().find(|rule| names(rule, one) && names(rule, other));
            return both.or_else(|| together().find(|rule| names(rule, one)));
        }
        let is_near = (one.at - other.at).abs() <= self.window;
        if one.source == other.source || one.title.is_none() || one.title != other.title || !is_near {
            return None;
        }
        let shared = one.matches.iter().filter(|index| other.matches.contains(index));
        shared.map(|index| &self.all[*index]).find(|rule| rule.kind == Kind::Together)
    }

    /// The keys under which sightings lie that may be one with this one by a rule, whatever keys it has itself.
    pub fn keys(&self, subject: &Subject) -> Vec<Key> {
        let class = subject.address.and_then(|key| self.classes.get(&key));
        let mut keys: Vec<Key> = match class {
            Some(class) => self.classes.iter().filter(|(_, other)| *other == class).map(|(key, _)| *key).collect(),
            None => Vec::new(),
        };
        keys.sort_unstable();
        keys.extend(title_key(subject));
        keys
    }
}

/// The key by which sightings of one title find each other; `None` where no rule asks for it.
pub fn title_key(subject: &Subject) -> Option<Key> {
    subject.title.as_deref().map(identify::title_key)
}

fn folded(title: &str) -> String {
    text::words(title).join(" ")
}

/// The rules, and how they come to know what they are asked about.
pub struct Judge<'a> {
    pub rules: &'a Rules,
    pub stored: &'a dyn Fn(&Sighting) -> Subject,
    pub arriving: &'a dyn Fn(&Identified) -> Subject,
}

impl Judge<'_> {
    /// The rule that keeps a sighting out of an entry.
    pub fn forbids(&self, one: &Subject, entry: &Entry) -> Option<&Rule> {
        entry.sightings.iter().find_map(|other| self.rules.forbids(one, &(self.stored)(other)))
    }

    /// The rule by which a sighting belongs to an entry, and the sighting there that it names.
    pub fn joins<'e>(&self, one: &Subject, entry: &'e Entry) -> Option<(&Rule, &'e Sighting)> {
        entry.sightings.iter().find_map(|other| {
            let rule = self.rules.joins(one, &(self.stored)(other))?;
            let is_free = rule.names_addresses() || !entry.sightings.iter().any(|it| it.source == one.source);
            is_free.then_some((rule, other))
        })
    }
}
