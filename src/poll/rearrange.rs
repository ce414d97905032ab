//! How stored entries follow when `[[merge]]` or `[[never_merge]]` change: in the background, in bounded steps between two groups of polls.
//!
//! The store remembers the rules that its entries follow. Of the difference to those that hold now, each rule speaks of some sightings:
//! what is to be one by its address is looked up, for all others the store is read through. The entry of each of them is decided again, together with those that
//! share a key with it (`merge::regroup`), and what hangs on the entries follows in one batch. The rules are remembered last, so that
//! whatever was interrupted is done again, and finds what is done already as it should be.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use url::Url;

use crate::merge::decide::{self, Facts};
use crate::merge::identify;
use crate::merge::regroup::{self, Group, Member};
use crate::merge::rules::{self, Kind, Of, Rule, Rules};
use crate::model::Timestamp;
use crate::model::entry::{Entry, Key, KeyKind, Placement, PublicId, Seq, Sighting, Texts};
use crate::model::feed::FeedId;
use crate::model::source::Scope;
use crate::poll::absorb;
use crate::poll::judging;
use crate::poll::topics::Topics;
use crate::query;
use crate::select::candidate::SourceFacts;
use crate::select::catalogue::Catalogue;
use crate::store::engine::StoreError;
use crate::store::entries::Store;
use crate::store::keys::Place;
use crate::store::rearrange::Rearrangement;
use crate::store::record::{Counters, RuleRecord, RulesRecord};

/// Entries that one step reads through for a query.
const STEP: usize = 500;
/// Sets of entries that one step decides again.
const SETS: usize = 50;
/// Sightings up to which entries that merely share a key are decided again, too. All of one set are written in one batch.
const SET_LIMIT: usize = 64;

/// Everything that deciding again looks at.
#[derive(Clone, Copy)]
pub struct Desk<'a> {
    pub store: &'a Store,
    pub topics: &'a Topics,
    pub catalogue: &'a Catalogue,
    pub now: Timestamp,
}

/// What was rearranged.
#[derive(Debug, Default)]
pub struct Rearranged {
    /// Feeds whose documents may differ now.
    pub feeds: HashSet<FeedId>,
    /// Sightings that another entry holds now, and which.
    pub moved: Vec<(Seq, Seq)>,
    pub has_written: bool,
}

enum Job {
    /// What lies under these keys, all together.
    Addresses(Vec<Key>),
    /// What of the store comes after this.
    Scan(Seq),
}

/// The work that changed rules make.
pub struct Rearranging {
    changed: Rules,
    jobs: VecDeque<Job>,
    wanted: Vec<RuleRecord>,
    /// Sightings that were moved so far.
    pub moved: usize,
}

impl Rearranging {
    /// Compares the rules that hold with those that stored entries follow; `None` when nothing has to follow.
    pub fn begin(store: &Store, catalogue: &Catalogue) -> Result<Option<Self>, StoreError> {
        let record = store.rules()?;
        let wanted: Vec<RuleRecord> = catalogue.rules.all().iter().map(as_record).collect();
        let applied = read(&record.applied);
        let has = |rules: &[Rule], rule: &Rule| rules.iter().any(|other| other.is_same(rule));
        let mut changed = read(&record.begun);
        let gone = applied.iter().filter(|rule| !has(catalogue.rules.all(), rule));
        let new = catalogue.rules.all().iter().filter(|rule| !has(&applied, rule));
        for rule in gone.chain(new) {
            if !has(&changed, rule) {
                changed.push(rule.clone());
            }
        }
        let done = RulesRecord { applied: wanted.clone(), begun: Vec::new() };
        if changed.is_empty() || store.counters()?.entries == 0 {
            if done != record {
                store.put_rules(&done)?;
            }
            return Ok(None);
        }
        let begun = changed.iter().map(as_record).collect();
        store.put_rules(&RulesRecord { applied: record.applied, begun })?;
        let mut jobs: VecDeque<Job> = changed
            .iter()
            .filter(|rule| rule.names_addresses())
            .map(|rule| Job::Addresses(rule.address_keys()))
            .collect();
        let changed = Rules::new(changed, catalogue.config.merging.window);
        // An address that several entries of a document share is no key; what is to be kept apart is found all the same.
        if changed.all().iter().any(|rule| rule.kind == Kind::Apart || !rule.names_addresses()) {
            jobs.push_back(Job::Scan(Seq(0)));
        }
        Ok(Some(Self { changed, jobs, wanted, moved: 0 }))
    }

    /// One bounded step; `None` when everything follows the rules that hold.
    pub fn step(&mut self, desk: Desk<'_>, counters: &mut Counters) -> Result<Option<Rearranged>, StoreError> {
        let Some(job) = self.jobs.pop_front() else {
            desk.store.put_rules(&RulesRecord { applied: self.wanted.clone(), begun: Vec::new() })?;
            return Ok(None);
        };
        let mut rearranged = Rearranged::default();
        match job {
            Job::Addresses(keys) => {
                let mut seqs = Vec::new();
                for key in keys {
                    seqs.extend(desk.store.sharing(key)?);
                }
                settle(desk, counters, &seqs, &|sighting| self.speaks_of(desk, sighting), &mut rearranged)?;
            }
            Job::Scan(after) => {
                let rest = self.scan(desk, counters, after, &mut rearranged)?;
                if let Some(last) = rest {
                    self.jobs.push_front(Job::Scan(last));
                }
            }
        }
        self.moved += rearranged.moved.len();
        Ok(Some(rearranged))
    }

    /// Gives the last entry that was looked at, if there may be more.
    fn scan(
        &self,
        desk: Desk<'_>,
        counters: &mut Counters,
        after: Seq,
        rearranged: &mut Rearranged,
    ) -> Result<Option<Seq>, StoreError> {
        let entries = desk.store.entries_after(after, STEP)?;
        let mut sets = 0;
        let mut last = None;
        for entry in entries {
            last = Some(entry.seq);
            let mut is_spoken_of = false;
            for sighting in &entry.sightings {
                is_spoken_of |= self.speaks_of(desk, sighting)?;
            }
            if is_spoken_of {
                settle(desk, counters, &[entry.seq], &|sighting| self.speaks_of(desk, sighting), rearranged)?;
                sets += 1;
            }
            if sets == SETS {
                break;
            }
        }
        Ok(last)
    }

    fn speaks_of(&self, desk: Desk<'_>, sighting: &Sighting) -> Result<bool, StoreError> {
        let subject = judging::stored(&self.changed, desk.store, desk.catalogue, sighting)?;
        Ok(self.changed.speaks_of(&subject))
    }
}

fn as_record(rule: &Rule) -> RuleRecord {
    let (urls, query) = match &rule.of {
        Of::Urls(urls) => (urls.iter().map(ToString::to_string).collect(), None),
        Of::Query(query) => (Vec::new(), Some(query.to_string())),
    };
    RuleRecord { is_apart: rule.kind == Kind::Apart, urls, query }
}

/// A rule that this version cannot read any more speaks of nothing.
fn read(records: &[RuleRecord]) -> Vec<Rule> {
    let rule = |record: &RuleRecord| {
        let kind = if record.is_apart { Kind::Apart } else { Kind::Together };
        let of = match &record.query {
            Some(query) => Of::Query(query::parse_for_topic(query).ok()?),
            None => Of::Urls(record.urls.iter().filter_map(|url| Url::parse(url).ok()).collect()),
        };
        Some(Rule { kind, of })
    };
    records.iter().filter_map(rule).collect()
}

/// Decides some entries again, together with those that share a key with them.
pub fn settle(
    desk: Desk<'_>,
    counters: &mut Counters,
    seqs: &[Seq],
    speaks_of: &dyn Fn(&Sighting) -> Result<bool, StoreError>,
    rearranged: &mut Rearranged,
) -> Result<(), StoreError> {
    let before = gather(desk, seqs)?;
    if before.is_empty() {
        return Ok(());
    }
    let mut members = Vec::new();
    for entry in before.values() {
        for (index, sighting) in entry.sightings.iter().enumerate() {
            let is_spoken_of = speaks_of(sighting)?;
            members.push(Member { is_spoken_of, is_first: index == 0, ..member(desk, entry.seq, sighting)? });
        }
    }
    let facts = Facts {
        text: &|name| absorb::told(desk.store, name),
        grounds: &|scope| absorb::grounds(desk.catalogue, scope),
        is_taken: &|_| true,
        rules: None,
    };
    let groups = regroup::regroup(members, &desk.catalogue.rules, &facts);
    let set = Set::new(desk, before)?;
    let change = set.change(desk, groups)?;
    if change.before.is_empty() {
        return Ok(());
    }
    let mut after = *counters;
    after.entries = (after.entries + change.after.len() as u64).saturating_sub(change.before.len() as u64);
    match desk.store.rearrange(&change, &after) {
        Ok(()) => *counters = after,
        Err(error @ StoreError::Stopped(_)) => {
            tracing::warn!(%error, "entries that a rule over merging speaks of stay as they are");
            return Ok(());
        }
        Err(error) => return Err(error),
    }
    rearranged.has_written = true;
    let placements = change.before.iter().chain(&change.after).flat_map(|entry| &entry.placements);
    rearranged.feeds.extend(placements.map(|placement| placement.feed.clone()));
    let holder: HashMap<Seq, Seq> = holders(&change.before);
    rearranged.moved.extend(holders(&change.after).into_iter().filter(|(sighting, entry)| holder[sighting] != *entry));
    Ok(())
}

fn holders(entries: &[Entry]) -> HashMap<Seq, Seq> {
    entries.iter().flat_map(|entry| entry.sightings.iter().map(|sighting| (sighting.seq, entry.seq))).collect()
}

/// The entries, and what shares a key with them as far as the limit reaches.
fn gather(desk: Desk<'_>, seqs: &[Seq]) -> Result<BTreeMap<Seq, Entry>, StoreError> {
    let mut entries = BTreeMap::new();
    for seq in seqs {
        if let Some(entry) = desk.store.entry(*seq)? {
            entries.insert(*seq, entry);
        }
    }
    let mut keys = Vec::new();
    for sighting in entries.values().flat_map(|entry| &entry.sightings) {
        let subject = judging::stored(&desk.catalogue.rules, desk.store, desk.catalogue, sighting)?;
        keys.extend(desk.catalogue.rules.keys(&subject));
        keys.extend(&sighting.keys);
    }
    let mut count: usize = entries.values().map(|entry| entry.sightings.len()).sum();
    let mut met = HashSet::new();
    for key in keys.into_iter().filter(|key| met.insert(*key)) {
        for seq in desk.store.sharing(key)? {
            if entries.contains_key(&seq) {
                continue;
            }
            let Some(entry) = desk.store.entry(seq)? else { continue };
            count += entry.sightings.len();
            if count > SET_LIMIT {
                return Ok(entries);
            }
            entries.insert(seq, entry);
        }
    }
    Ok(entries)
}

/// A stored sighting as deciding again needs it, with the key of its title where a rule asks for one.
fn member(desk: Desk<'_>, entry: Seq, sighting: &Sighting) -> Result<Member, StoreError> {
    let subject = judging::stored(&desk.catalogue.rules, desk.store, desk.catalogue, sighting)?;
    let mut sighting = sighting.clone();
    let title = rules::title_key(&subject);
    if sighting.keys.iter().find(|key| key.kind == KeyKind::Title) != title.as_ref() {
        sighting.keys.retain(|key| key.kind != KeyKind::Title);
        sighting.keys.extend(title);
    }
    let again = identify::again(&sighting, texts(desk.store, &sighting)?);
    Ok(Member { sighting, again, subject, is_spoken_of: false, entry, is_first: false })
}

fn texts(store: &Store, sighting: &Sighting) -> Result<Texts, StoreError> {
    Ok(match sighting.text {
        Some(name) => store.texts(name)?.unwrap_or_default(),
        None => Texts::default(),
    })
}

/// The entries that are decided again, with what hangs on them.
struct Set {
    before: BTreeMap<Seq, Entry>,
    /// The feeds that a sighting belongs to as things are.
    feeds: HashMap<Seq, Vec<FeedId>>,
    left: HashMap<Seq, Option<Timestamp>>,
}

impl Set {
    fn new(desk: Desk<'_>, before: BTreeMap<Seq, Entry>) -> Result<Self, StoreError> {
        let (mut feeds, mut left) = (HashMap::new(), HashMap::new());
        for entry in before.values() {
            for sighting in &entry.sightings {
                feeds.insert(sighting.seq, feeds_of(desk, sighting)?);
                left.insert(sighting.seq, left_at(desk, entry, sighting)?);
            }
        }
        Ok(Self { before, feeds, left })
    }

    /// What has to be written for the entries to be these groups; nothing of what stays as it is.
    fn change(&self, desk: Desk<'_>, groups: Vec<Group>) -> Result<Rearrangement, StoreError> {
        let mut change = Rearrangement::default();
        let after = self.after(desk, groups, &mut change.lost_ids)?;
        change.after = after.into_iter().filter(|entry| self.before.get(&entry.seq) != Some(entry)).collect();
        let moving: HashSet<Seq> =
            change.after.iter().flat_map(|entry| &entry.sightings).map(|sighting| sighting.seq).collect();
        let is_moving = |entry: &&Entry| entry.sightings.iter().any(|sighting| moving.contains(&sighting.seq));
        change.before = self.before.values().filter(is_moving).cloned().collect();
        let places = |entries: &[Entry]| -> Vec<(FeedId, u32, Place)> {
            let place = |entry: &Entry, Placement { feed, sort_at }: &Placement| {
                let place = Place { sort_at: *sort_at, seq: entry.seq };
                desk.topics.epochs(feed).into_iter().map(|epoch| (feed.clone(), epoch, place)).collect::<Vec<_>>()
            };
            entries.iter().flat_map(|entry| entry.placements.iter().flat_map(move |it| place(entry, it))).collect()
        };
        let (old, new) = (places(&change.before), places(&change.after));
        change.parts = without(&old, &new);
        change.joins = without(&new, &old);
        let (old, new) = (self.left(&change.before), self.left(&change.after));
        change.left_before = without(&old, &new);
        change.left_after = without(&new, &old);
        Ok(change)
    }

    fn after(
        &self,
        desk: Desk<'_>,
        groups: Vec<Group>,
        lost_ids: &mut Vec<PublicId>,
    ) -> Result<Vec<Entry>, StoreError> {
        let bearers: HashMap<Seq, &Entry> = self.before.values().map(|entry| (entry.sightings[0].seq, entry)).collect();
        let mut taken: HashSet<PublicId> = self.before.values().map(|entry| entry.id).collect();
        let mut after = Vec::new();
        for group in groups {
            let mut sightings = Vec::new();
            for (index, (mut sighting, _)) in group.into_iter().enumerate() {
                match bearers.get(&sighting.seq) {
                    // It stands first as before, or takes along the id under which it was published.
                    Some(_) if index == 0 => {}
                    Some(old) if sighting.id != old.id => {
                        lost_ids.push(std::mem::replace(&mut sighting.id, old.id));
                    }
                    Some(_) => {}
                    None => sighting.id = self.free_id(desk, &sighting, &mut taken)?,
                }
                sightings.push(sighting);
            }
            after.push(self.entry(sightings, &bearers));
        }
        Ok(after)
    }

    /// Its own id, unless something else has that: stores of earlier versions did not see to it.
    fn free_id(
        &self,
        desk: Desk<'_>,
        sighting: &Sighting,
        taken: &mut HashSet<PublicId>,
    ) -> Result<PublicId, StoreError> {
        let own = sighting.id;
        let is_elsewhere = desk.store.entry_with_id(own)?.is_some_and(|seq| !self.before.contains_key(&seq));
        let id = if is_elsewhere || taken.contains(&own) { decide::numbered_id(own, sighting.seq) } else { own };
        taken.insert(id);
        Ok(id)
    }

    fn entry(&self, sightings: Vec<Sighting>, bearers: &HashMap<Seq, &Entry>) -> Entry {
        let first = &sightings[0];
        let old = bearers.get(&first.seq).copied();
        let (seq, id, first_seen) =
            old.map_or((first.seq, first.id, first.first_seen), |old| (old.seq, old.id, old.first_seen));
        let of: Vec<&Entry> = self.before.values().filter(|entry| shares(entry, &sightings)).collect();
        // What readers see of it already cannot be held back any more.
        let held = of.iter().map(|entry| entry.held).collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().min());
        let placements = if held.is_some() { Vec::new() } else { self.placements(&sightings, old, &of) };
        Entry { seq, id, first_seen, sightings, placements, held }
    }

    /// Every feed that one of the sightings belongs to, at the place of the first of them. A place stays as long as the sighting that it
    /// came with does, also one that nothing explains: membership is decided at arrival.
    fn placements(&self, sightings: &[Sighting], old: Option<&Entry>, of: &[&Entry]) -> Vec<Placement> {
        let explaining = |sightings: &[Sighting], feed: &FeedId| {
            sightings.iter().find(|sighting| self.feeds[&sighting.seq].contains(feed)).map(|it| (it.seq, it.sort_at))
        };
        let mut placements: Vec<Placement> = Vec::new();
        for placement in old.iter().flat_map(|old| &old.placements) {
            let feed = &placement.feed;
            let was = old.and_then(|old| explaining(&old.sightings, feed));
            match explaining(sightings, feed) {
                Some((_, sort_at)) if was != explaining(sightings, feed) => {
                    placements.push(Placement { feed: feed.clone(), sort_at });
                }
                None if was.is_some() => {}
                _ => placements.push(placement.clone()),
            }
        }
        for sighting in sightings {
            for feed in &self.feeds[&sighting.seq] {
                if !placements.iter().any(|placement| placement.feed == *feed) {
                    placements.push(Placement { feed: feed.clone(), sort_at: sighting.sort_at });
                }
            }
        }
        let whole =
            |entry: &&&Entry| entry.sightings.iter().all(|it| sightings.iter().any(|other| other.seq == it.seq));
        for placement in of.iter().filter(whole).flat_map(|entry| &entry.placements) {
            if !placements.iter().any(|it| it.feed == placement.feed) {
                placements.push(placement.clone());
            }
        }
        placements
    }

    /// A source's sightings have left an entry when the last of them has.
    fn left(&self, entries: &[Entry]) -> Vec<(Scope, Seq, Timestamp)> {
        let mut left = Vec::new();
        for entry in entries {
            let scopes: HashSet<&Scope> = entry.sightings.iter().map(|sighting| &sighting.source).collect();
            for scope in scopes {
                let own = entry.sightings.iter().filter(|sighting| sighting.source == *scope);
                let times: Option<Vec<Timestamp>> = own.map(|sighting| self.left[&sighting.seq]).collect();
                if let Some(at) = times.and_then(|times| times.into_iter().max()) {
                    left.push((scope.clone(), entry.seq, at));
                }
            }
        }
        left
    }
}

fn shares(entry: &Entry, sightings: &[Sighting]) -> bool {
    entry.sightings.iter().any(|it| sightings.iter().any(|other| other.seq == it.seq))
}

fn without<T: Clone + PartialEq>(all: &[T], others: &[T]) -> Vec<T> {
    all.iter().filter(|one| !others.contains(one)).cloned().collect()
}

fn feeds_of(desk: Desk<'_>, sighting: &Sighting) -> Result<Vec<FeedId>, StoreError> {
    let mut feeds = vec![FeedId::All, FeedId::Source(sighting.source.clone())];
    if let Some(source) = SourceFacts::of(desk.catalogue, &sighting.source) {
        let texts = texts(desk.store, sighting)?;
        let found = desk.topics.of(sighting, texts.parts(), &source, desk.now);
        feeds.extend(found.into_iter().map(|(topic, _)| FeedId::Topic(topic)));
    }
    Ok(feeds)
}

/// Since when the source's document no longer shows a sighting. Of several in one entry only the last one's time is known.
fn left_at(desk: Desk<'_>, entry: &Entry, sighting: &Sighting) -> Result<Option<Timestamp>, StoreError> {
    let at = desk.store.left_at(&sighting.source, entry.seq)?;
    if entry.sightings.iter().filter(|it| it.source == sighting.source).count() == 1 {
        return Ok(at);
    }
    let names = desk.store.last_document(&sighting.source)?;
    let is_shown = sighting.keys.first().is_some_and(|name| names.contains(&name.hash));
    Ok(if is_shown { None } else { at.or(Some(desk.now)) })
}
