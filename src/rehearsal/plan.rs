//! Which entries would appear, vanish, merge or part in which feed if a configuration were loaded.
//!
//! What follows a changed configuration in the daemon follows it here, on an overlay: topics, then what is kept for long enough. Then
//! every entry is looked at once, as it is and as it would be.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::config::Config;
use crate::model::Timestamp;
use crate::model::entry::{Entry, Seq};
use crate::model::feed::FeedId;
use crate::model::source::Scope;
use crate::poll::rearrange::{Desk, Rearranging};
use crate::poll::retention::Pruning;
use crate::poll::topics::Topics;
use crate::rehearsal::report::{Changed, Differing, Fate, FeedChange, Group, GroupKind, Plan, Progress, Told};
use crate::rehearsal::view::View;
use crate::rehearsal::{Present, Stage, Work, settings};
use crate::select::catalogue::Catalogue;
use crate::store::engine::StoreError;
use crate::store::entries::Store;
use crate::store::keys;
use crate::store::record::Counters;

/// Entries that one step looks at.
const STEP: usize = 500;

/// Entries of each kind that are told of each feed, unless all are asked for.
pub const TOLD: u64 = 20;

/// A plan that is being made.
pub struct Planning {
    stage: Stage,
    catalogue: Arc<Catalogue>,
    before: View,
    after: View,
    now: Timestamp,
    all: bool,
    phase: Phase,
    topics: Topics,
    rearranging: Option<Rearranging>,
    counters: Counters,
    prunes: bool,
    steps: u64,
    moved: Moved,
    feeds: BTreeMap<FeedId, FeedChange>,
    plan: Plan,
}

/// What the next step does.
enum Phase {
    /// Topics, then rules over merging.
    Following,
    Pruning(Pruning),
    /// Looks for sightings that moved, in changed entries from this key on.
    Moves(Vec<u8>),
    /// Compares entries below this one.
    Entries(Seq),
    Done,
}

/// Where sightings lie that are not with the same others before and after.
#[derive(Default)]
struct Moved {
    before: BTreeMap<Seq, Seq>,
    after: BTreeMap<Seq, Seq>,
}

impl Planning {
    /// `present` is the configuration that is in effect, if somebody knows it; else the store is asked what it was last used for.
    /// `compared_with` names it for people.
    ///
    /// # Errors
    /// When the store fails, or another plan or replay is being made.
    pub fn new(
        store: &Arc<Store>,
        config: Config,
        present: Option<&Present>,
        compared_with: String,
        now: Timestamp,
        all: bool,
    ) -> Result<Self, StoreError> {
        let stage = Stage::new(store)?;
        let catalogue = Arc::new(stage.catalogue(Arc::new(config), present)?);
        let before = match present {
            Some(present) => View::of(&present.catalogue, now),
            None => View::remembered(&stage.before, &catalogue, now)?,
        };
        let mut plan = Plan { compared_with, ..Plan::default() };
        match present {
            Some(present) => compare(&present.catalogue.config, &catalogue.config, &mut plan),
            None => recall(&stage.before, &catalogue, &mut plan)?,
        }
        Ok(Self {
            topics: Topics::read(&catalogue, &stage.after)?,
            rearranging: Rearranging::begin(&stage.after, &catalogue)?,
            counters: stage.after.counters()?,
            prunes: present.is_none_or(|present| kept(&present.catalogue) != kept(&catalogue)),
            before,
            after: View::of(&catalogue, now),
            stage,
            catalogue,
            now,
            all,
            phase: Phase::Following,
            steps: 0,
            moved: Moved::default(),
            feeds: BTreeMap::new(),
            plan,
        })
    }

    /// What follows a changed configuration, in the committer's own order.
    fn follow(&mut self) -> Result<Phase, StoreError> {
        if self.topics.is_building() {
            self.topics.build(&self.stage.after, &self.catalogue, self.now)?;
            return Ok(Phase::Following);
        }
        if let Some(rearranging) = &mut self.rearranging {
            let (store, topics, catalogue) = (&self.stage.after, &self.topics, &*self.catalogue);
            let desk = Desk { store, topics, catalogue, now: self.now };
            if rearranging.step(desk, &mut self.counters)?.is_none() {
                self.rearranging = None;
            }
            return Ok(Phase::Following);
        }
        if self.prunes {
            return Ok(Phase::Pruning(Pruning::new(&self.stage.after, &self.catalogue, self.now)?));
        }
        Ok(Phase::Moves(vec![keys::ENTRY]))
    }

    fn prune(&mut self, mut pruning: Pruning) -> Result<Phase, StoreError> {
        match pruning.step(&self.stage.after, &self.topics, &mut self.counters)? {
            Some(pruned) => {
                self.plan.removed_sightings += pruned.sightings;
                Ok(Phase::Pruning(pruning))
            }
            None => Ok(Phase::Moves(vec![keys::ENTRY])),
        }
    }

    fn moves(&mut self, from: &[u8], told: &mut Vec<Told>) -> Result<Phase, StoreError> {
        let changed = self.stage.overlay.changed(from, &[keys::ENTRY + 1], STEP);
        for seq in changed.iter().filter_map(|key| keys::seq(key)) {
            let (before, after) = (self.stage.before.entry(seq)?, self.stage.after.entry(seq)?);
            if sightings(before.as_ref()) != sightings(after.as_ref()) {
                self.moved.before.extend(sightings(before.as_ref()).into_iter().map(|sighting| (sighting, seq)));
                self.moved.after.extend(sightings(after.as_ref()).into_iter().map(|sighting| (sighting, seq)));
            }
        }
        if let Some(last) = changed.last() {
            return Ok(Phase::Moves([last.as_slice(), &[0]].concat()));
        }
        self.groups(told)?;
        let is_same = self.before == self.after && self.stage.overlay.changed(&[0], &[0x70], 1).is_empty();
        Ok(if is_same { Phase::Done } else { Phase::Entries(Seq(u64::MAX)) })
    }

    fn groups(&mut self, told: &mut Vec<Told>) -> Result<(), StoreError> {
        let Moved { before, after } = std::mem::take(&mut self.moved);
        let (stage, all) = (&self.stage, self.all);
        for (whole, parts) in gathered(&after, &before) {
            self.plan.merge += 1;
            if all || self.plan.merge <= TOLD {
                let entry = stage.after.entry(whole)?;
                let parts = entries(&stage.before, &parts)?;
                told.extend(entry.map(|entry| group(GroupKind::Merge, &entry, &parts, &self.after)));
            }
        }
        for (whole, parts) in gathered(&before, &after) {
            self.plan.part += 1;
            if all || self.plan.part <= TOLD {
                let entry = stage.before.entry(whole)?;
                let parts = entries(&stage.after, &parts)?;
                told.extend(entry.map(|entry| group(GroupKind::Part, &entry, &parts, &self.before)));
            }
        }
        Ok(())
    }

    fn entries(&mut self, below: Seq, told: &mut Vec<Told>) -> Result<Phase, StoreError> {
        let found = self.stage.after.entries_before(below, STEP)?;
        let lowest = found.last().map_or(Seq(0), |entry| entry.seq);
        let changed = self.stage.overlay.changed(&keys::entry(lowest), &keys::entry(below), usize::MAX);
        let mut changed: BTreeSet<Seq> = changed.iter().filter_map(|key| keys::seq(key)).collect();
        for after in &found {
            if changed.remove(&after.seq) {
                let before = self.stage.before.entry(after.seq)?;
                self.compare(before.as_ref(), Some(after), told);
            } else {
                self.compare(Some(after), Some(after), told);
            }
        }
        for gone in changed.into_iter().rev() {
            let before = self.stage.before.entry(gone)?;
            self.compare(before.as_ref(), None, told);
        }
        Ok(if found.is_empty() { Phase::Done } else { Phase::Entries(lowest) })
    }

    fn compare(&mut self, before: Option<&Entry>, after: Option<&Entry>, told: &mut Vec<Told>) {
        self.plan.entries += 1;
        let old = before.and_then(|entry| self.before.of_entry(entry));
        let new = after.and_then(|entry| self.after.of_entry(entry));
        let shown_differently = match (&old, &new) {
            (Some((old, _)), Some((new, _))) => old.seq != new.seq,
            _ => false,
        };
        let (old, new) = (old.map(|(_, feeds)| feeds), new.map(|(_, feeds)| feeds));
        let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
        for feed in old.iter().filter(|feed| !new.contains(feed)) {
            self.tell(feed, Fate::Vanishes, before, told);
        }
        for feed in &new {
            if !old.contains(feed) {
                self.tell(feed, Fate::Appears, after, told);
            } else if shown_differently {
                self.tell(feed, Fate::ShownDifferently, after, told);
            }
        }
    }

    fn tell(&mut self, feed: &FeedId, fate: Fate, entry: Option<&Entry>, told: &mut Vec<Told>) {
        let name = self.after.name(feed).or_else(|| self.before.name(feed));
        let name = name.map_or_else(String::new, |name| name.to_string());
        let change =
            self.feeds.entry(feed.clone()).or_insert_with(|| FeedChange { feed: name, ..FeedChange::default() });
        let count = match fate {
            Fate::Appears => &mut change.appears,
            Fate::Vanishes => &mut change.vanishes,
            Fate::ShownDifferently => &mut change.shown_differently,
        };
        *count += 1;
        if !self.all && *count > TOLD {
            return;
        }
        let feed = change.feed.clone();
        let view = if fate == Fate::Vanishes { &self.before } else { &self.after };
        if let Some(entry) = entry
            && let Some((shown, _)) = view.of_entry(entry)
        {
            told.push(Told::Entry(Box::new(Differing {
                feed,
                fate,
                id: entry.id.to_string(),
                title: shown.title.clone(),
                url: shown.url.as_ref().map(ToString::to_string),
                sources: view.sources(entry),
            })));
        }
    }

    fn progress(&self) -> Told {
        let step = STEP as u64;
        // What topics take is not known beforehand; every step moves the bar a little.
        let ahead = if self.topics.is_building() { 2 } else { 1 };
        let done = self.steps * step;
        Told::Progress(Progress { done, of: done.max(self.counters.entries * ahead) })
    }
}

impl Work for Planning {
    fn step(&mut self) -> Result<Option<Vec<Told>>, StoreError> {
        let mut told = Vec::new();
        self.phase = match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Following => self.follow()?,
            Phase::Pruning(pruning) => self.prune(pruning)?,
            Phase::Moves(from) => self.moves(&from, &mut told)?,
            Phase::Entries(below) => self.entries(below, &mut told)?,
            Phase::Done => return Ok(None),
        };
        self.steps += 1;
        told.push(self.progress());
        if matches!(self.phase, Phase::Done) {
            self.plan.feeds = std::mem::take(&mut self.feeds).into_values().collect();
            told.push(Told::Plan(Box::new(std::mem::take(&mut self.plan))));
        }
        Ok(Some(told))
    }
}

/// What differs in the files themselves.
fn compare(before: &Config, after: &Config, plan: &mut Plan) {
    plan.sources = settings::sources(&before.sources, &after.sources);
    plan.topics = settings::topics(&before.topics, &after.topics);
    plan.notes = settings::notes(before, after);
}

/// What differs from what the store remembers of sources and topics.
fn recall(store: &Store, after: &Catalogue, plan: &mut Plan) -> Result<(), StoreError> {
    let names = store.names()?;
    for source in &after.config.sources {
        let old = names.iter().find(|(key, _)| *key == source.key);
        let was = source.was.iter().find(|was| names.iter().any(|(key, _)| key == *was));
        match (old, was) {
            (Some(_), _) => {}
            (None, Some(was)) => {
                let what = vec![format!("was {was}")];
                plan.sources.changed.push(Changed { key: source.key.to_string(), what });
            }
            (None, None) => plan.sources.added.push(source.key.to_string()),
        }
    }
    let is_gone = |scope: &Scope| !after.standing.sources.contains_key(scope);
    plan.sources.removed.extend(names.iter().filter(|(_, scope)| is_gone(scope)).map(|(key, _)| key.to_string()));
    let topics = store.topics()?;
    for topic in &after.config.topics {
        let Some(old) = store.topic(&topic.key)? else {
            plan.topics.added.push(topic.key.to_string());
            continue;
        };
        let query = topic.matches.as_ref().map(ToString::to_string);
        if old.query != query {
            let what = vec![settings::query_change(old.query.as_deref(), query.as_deref())];
            plan.topics.changed.push(Changed { key: topic.key.to_string(), what });
        }
    }
    let gone = topics.iter().filter(|key| !after.config.topics.iter().any(|topic| topic.key == **key));
    plan.topics.removed.extend(gone.map(ToString::to_string));
    Ok(())
}

/// How long, and how many at the most, of each source is kept.
fn kept(catalogue: &Catalogue) -> (std::time::Duration, HashMap<Scope, (std::time::Duration, Option<usize>)>) {
    let sources = catalogue.config.sources.iter();
    let of_source = |source: &Arc<crate::model::source::Source>| {
        Some((catalogue.scopes.get(&source.key)?.clone(), (source.keep, source.keep_entries)))
    };
    (catalogue.config.store.keep, sources.filter_map(of_source).collect())
}

fn sightings(entry: Option<&Entry>) -> BTreeSet<Seq> {
    entry.into_iter().flat_map(|entry| &entry.sightings).map(|sighting| sighting.seq).collect()
}

/// The entries of one side whose sightings lie in several entries of the other, with these.
fn gathered(here: &BTreeMap<Seq, Seq>, there: &BTreeMap<Seq, Seq>) -> Vec<(Seq, BTreeSet<Seq>)> {
    let mut found: BTreeMap<Seq, BTreeSet<Seq>> = BTreeMap::new();
    for (sighting, entry) in here {
        found.entry(*entry).or_default().extend(there.get(sighting));
    }
    found.into_iter().filter(|(_, others)| others.len() > 1).collect()
}

fn entries(store: &Store, seqs: &BTreeSet<Seq>) -> Result<Vec<Entry>, StoreError> {
    seqs.iter().filter_map(|seq| store.entry(*seq).transpose()).collect()
}

fn group(kind: GroupKind, whole: &Entry, parts: &[Entry], view: &View) -> Told {
    let feeds = view.of_entry(whole).map(|(_, feeds)| feeds).unwrap_or_default();
    let title = |entry: &Entry| entry.sightings.first().and_then(|sighting| sighting.title.clone());
    Told::Group(Box::new(Group {
        kind,
        ids: parts.iter().map(|entry| entry.id.to_string()).collect(),
        titles: parts.iter().map(title).collect(),
        sources: view.sources(whole),
        feeds: feeds.iter().filter_map(|feed| view.name(feed)).map(|name| name.to_string()).collect(),
    }))
}
