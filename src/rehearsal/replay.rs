//! What merging would make of the own store if it all arrived once more: every sighting in the order in which it came, decided on as
//! it is decided on when it is polled, with everything that is known kept in memory.
//!
//! Documents are not stored, so only joins across sources are replayed: what is one sighting of its source stays one. Titles and texts
//! are what they are now.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::TimeDelta;

use crate::config::Config;
use crate::merge::alike;
use crate::merge::alike::compare::Reading;
use crate::merge::alike::index::{Index, Member, Sketch};
use crate::merge::decide::{Arrival, ChangeKind, Known, Likeness};
use crate::merge::identify::{self, Identified};
use crate::model::Timestamp;
use crate::model::entry::{Entry, Ground, Key, KeyKind, Seq, Sighting};
use crate::model::source::Scope;
use crate::poll::window::{self, Compared};
use crate::poll::{absorb, judging};
use crate::rehearsal::report::{Pair, PairKind, PairSighting, Progress, Replay, Told};
use crate::rehearsal::{Stage, Work};
use crate::select::catalogue::Catalogue;
use crate::store::engine::StoreError;
use crate::store::record::Counters;
use crate::store::sketches::SketchWrite;

/// Sightings that one step decides on, and entries that it gathers.
const STEP: usize = 200;

/// Most sightings that are replayed, the newest ones. Each takes some 150 bytes.
pub const LIMIT: usize = 1_000_000;

/// Most entries that one key is looked up for, as in the store.
const SHARING_LIMIT: usize = 64;

/// Decoded entries that are kept; sightings of one time lie together.
const CACHE: usize = 4_000;

/// Pairs of each kind that are told unless all are asked for.
pub const TOLD: u64 = 20;

/// A replay that is under way.
pub struct Replaying {
    stage: Stage,
    catalogue: Catalogue,
    all: bool,
    phase: Phase,
    groups: Groups,
    cache: HashMap<Seq, Arc<Entry>>,
    /// Sketches of what came within the window, by sighting; likeness is looked for among these.
    sketches: HashMap<Seq, SketchWrite>,
    index: Index,
    replay: Replay,
}

enum Phase {
    /// Collects the sightings of entries below this one.
    Gathering(Seq),
    /// Decides on the sighting with this index.
    Deciding(usize),
    Done,
}

impl Replaying {
    /// # Errors
    /// When the store fails, or another plan or replay is being made.
    pub fn new(store: &Arc<crate::store::entries::Store>, config: Config, all: bool) -> Result<Self, StoreError> {
        let stage = Stage::new(store)?;
        let catalogue = stage.catalogue(Arc::new(config), None)?;
        let sketches = stage.before.sketches_since(Timestamp::MIN_UTC)?;
        let window = TimeDelta::from_std(catalogue.config.merging.window).unwrap_or(TimeDelta::MAX);
        Ok(Self {
            stage,
            catalogue,
            all,
            phase: Phase::Gathering(Seq(u64::MAX)),
            groups: Groups::default(),
            cache: HashMap::new(),
            sketches: sketches.into_iter().map(|sketch| (sketch.member.sighting, sketch)).collect(),
            index: Index::new(window),
            replay: Replay::default(),
        })
    }

    fn gather(&mut self, below: Seq, told: &mut Vec<Told>) -> Result<Phase, StoreError> {
        let sightings = self.stage.before.counters()?.sightings;
        for entry in self.stage.before.entries_before(below, STEP)? {
            if self.groups.order.len() + entry.sightings.len() > LIMIT {
                self.replay.left_out = sightings.saturating_sub(self.groups.order.len() as u64);
                return Ok(self.gathered());
            }
            self.replay.entries_now += 1;
            self.groups.order.extend(entry.sightings.iter().map(|sighting| (sighting.seq, entry.seq)));
            self.phase = Phase::Gathering(entry.seq);
        }
        told.push(progress(0, sightings));
        Ok(match self.phase {
            Phase::Gathering(next) if next != below => Phase::Gathering(next),
            _ => self.gathered(),
        })
    }

    fn gathered(&mut self) -> Phase {
        self.groups.order.sort_unstable();
        Phase::Deciding(0)
    }

    fn decide_some(&mut self, from: usize, told: &mut Vec<Told>) -> Result<Phase, StoreError> {
        let all = self.groups.order.len();
        let to = (from + STEP).min(all);
        for index in from..to {
            self.one(index, told)?;
        }
        told.push(progress(to as u64, all as u64));
        Ok(if to < all { Phase::Deciding(to) } else { Phase::Done })
    }

    /// Decides on one sighting, and compares with how it was decided on.
    fn one(&mut self, index: usize, told: &mut Vec<Told>) -> Result<(), StoreError> {
        self.replay.sightings += 1;
        let (entry, sighting) = self.sighting(index)?;
        let now = self.joined_now(index, &entry, &sighting)?;
        // What one source itself took for one stays one; so does what was nearly the same before the window, whose sketch is gone.
        let is_past = self.is_past_likeness(&sighting);
        if let Some((with, is_own)) = now
            && (is_own || is_past)
        {
            let group = self.groups.home[with] as usize;
            self.groups.add(index, Some(group), &sighting.keys);
            self.take_in(index, &sighting);
            return Ok(());
        }
        let mut title = None;
        let found = self.join(&sighting, &mut title)?;
        let new_title = title.filter(|title| !sighting.keys.contains(title));
        let keys: Vec<Key> = sighting.keys.iter().copied().chain(new_title).collect();
        self.groups.add(index, found.as_ref().map(|found| found.group), &keys);
        self.take_in(index, &sighting);
        if let Some(found) = &found
            && let Some(with) = self.groups.index(found.with)
            && self.groups.order[with].1 != entry.seq
        {
            let Found { ground, score, evidence, .. } = found;
            self.tell(PairKind::WouldJoin, [with, index], (*ground, *score, evidence.as_str()), told)?;
        }
        if let Some((with, _)) = now
            && self.groups.home[with] != self.groups.home[index]
        {
            let why = (sighting.ground, sighting.score, sighting.evidence.as_str());
            self.tell(PairKind::WouldPart, [with, index], why, told)?;
        }
        Ok(())
    }

    /// With which earlier sighting one is joined now, and whether that is its own source's.
    fn joined_now(
        &mut self,
        index: usize,
        entry: &Entry,
        sighting: &Sighting,
    ) -> Result<Option<(usize, bool)>, StoreError> {
        if sighting.ground == Ground::First {
            return Ok(None);
        }
        let first = entry.sightings.first().map(|first| first.seq);
        let with = sighting.matched.or(first).and_then(|with| self.groups.index(with));
        let Some(with) = with.filter(|with| *with < index) else { return Ok(None) };
        Ok(Some((with, self.sighting(with)?.1.source == sighting.source)))
    }

    /// What a sighting would join; `None` when it would be an entry of its own. `title` becomes the key of its title, where a rule asks
    /// for one.
    fn join(&mut self, sighting: &Sighting, title: &mut Option<Key>) -> Result<Option<Found>, StoreError> {
        let rules = Arc::clone(&self.catalogue.rules);
        let is_sketched = self.sketches.contains_key(&sighting.seq);
        if !is_sketched && rules.is_empty() && !sighting.keys.iter().any(|key| self.groups.knows(key)) {
            return Ok(None);
        }
        let texts = sighting.text.map(|name| self.stage.before.texts(name)).transpose()?.flatten();
        for one in versions(sighting, identify::again(sighting, texts.unwrap_or_default())) {
            let arrival = Arrival {
                scope: sighting.source.clone(),
                previous_poll: None,
                now: sighting.first_seen,
                document: HashSet::from([one.own]),
            };
            let mut seen = vec![one];
            let subjects = judging::arriving(&rules, &self.catalogue, &arrival, &mut seen);
            let by_rule: Vec<Key> = subjects.values().flat_map(|subject| rules.keys(subject)).collect();
            *title = title.or(seen[0].title);
            let known = self.known(sighting, &seen[0], &by_rule)?;
            if known.entries.is_empty() {
                continue;
            }
            let (store, catalogue) = (&self.stage.before, &self.catalogue);
            let changes = absorb::decided(store, catalogue, &arrival, seen, known, &subjects, &mut Counters::default());
            if let Some((change, _)) = changes.into_iter().find(|(change, _)| change.kind == ChangeKind::Joined) {
                let joined = &change.entry.sightings[change.sighting];
                let (ground, score, evidence) = (joined.ground, joined.score, joined.evidence.clone());
                let with = joined.matched.unwrap_or(change.entry.sightings[0].seq);
                return Ok(Some(Found { group: group_of(change.entry.seq), with, ground, score, evidence }));
            }
        }
        Ok(None)
    }

    /// The entries, as they are so far, that an observation may join: those that share a key with it, or are like it.
    /// One that its source is in already is none of them, since what a source itself took for two stays two.
    fn known(&mut self, sighting: &Sighting, one: &Identified, by_rule: &[Key]) -> Result<Known, StoreError> {
        let scope = &sighting.source;
        let mut known = Known::default();
        for key in one.keys().chain(by_rule.iter().copied()) {
            let groups = self.groups.sharing(&key);
            let open = self.open(scope, &groups, &mut known)?;
            known.by_key.insert(key, open);
        }
        let shares_a_key = known.by_key.values().any(|open| !open.is_empty());
        let alike = if shares_a_key { Vec::new() } else { self.alike(sighting, one)? };
        let groups: Vec<usize> = alike.iter().map(|likeness| group_of(likeness.entry)).collect();
        self.open(scope, &groups, &mut known)?;
        known.alike.insert(one.own, alike);
        Ok(known)
    }

    /// Adds those of some entries that the source is not in, and names them.
    fn open(&mut self, scope: &Scope, groups: &[usize], known: &mut Known) -> Result<Vec<Seq>, StoreError> {
        let mut open = Vec::new();
        for group in groups {
            let seq = entry_of(*group);
            if known.entries.contains_key(&seq) {
                open.push(seq);
                continue;
            }
            let entry = self.entry(*group)?;
            if entry.sightings.iter().all(|it| it.source != *scope) {
                known.entries.insert(seq, Arc::new(entry));
                open.push(seq);
            }
        }
        Ok(open)
    }

    /// Whether it is joined by a likeness that cannot be looked for any more, and that nothing has switched off.
    fn is_past_likeness(&self, sighting: &Sighting) -> bool {
        let is_sought = absorb::grounds(&self.catalogue, &sighting.source).near_duplicate;
        sighting.ground == Ground::NearDuplicate && is_sought && !self.sketches.contains_key(&sighting.seq)
    }

    /// Has the index of likeness know a sighting that was decided on.
    fn take_in(&mut self, index: usize, sighting: &Sighting) {
        if let Some(SketchWrite { member, prints }) = self.sketches.get(&sighting.seq) {
            let entry = entry_of(self.groups.home[index] as usize);
            self.index.take(Member { entry, ..member.clone() }, prints);
        }
    }

    /// Entries, called as [`entry_of`] has it, that are like a sighting although no key says so.
    fn alike(&mut self, sighting: &Sighting, one: &Identified) -> Result<Vec<Likeness>, StoreError> {
        let own = absorb::grounds(&self.catalogue, &sighting.source);
        let Some(SketchWrite { member, prints }) = self.sketches.get(&sighting.seq) else { return Ok(Vec::new()) };
        let sketch = Sketch { prints: prints.clone(), own: member.own.clone() };
        let proposals = self.index.propose(&sketch, &sighting.source, member.published, 0);
        let text = alike::own_text(&one.texts());
        let reading = Reading::new(&text, &sketch.own, sighting.title.as_deref());
        for proposal in proposals {
            let Some(index) = self.groups.index(proposal.sighting) else { continue };
            let (_, other) = self.sighting(index)?;
            let found = window::compared(&self.stage.before, &self.catalogue, own, &reading, &other, &proposal.own)?;
            if let Compared::Same { score, evidence } = found {
                return Ok(vec![Likeness { entry: proposal.entry, sighting: proposal.sighting, score, evidence }]);
            }
        }
        Ok(Vec::new())
    }

    /// An entry as the replay has it so far.
    fn entry(&mut self, group: usize) -> Result<Entry, StoreError> {
        let mut sightings = Vec::new();
        for index in self.groups.members(group) {
            sightings.push(self.sighting(index)?.1);
        }
        let first = &sightings[0];
        let (id, first_seen) = (first.id, first.first_seen);
        Ok(Entry { seq: entry_of(group), id, first_seen, sightings, placements: Vec::new(), held: None })
    }

    /// A sighting with the entry that holds it now.
    fn sighting(&mut self, index: usize) -> Result<(Arc<Entry>, Sighting), StoreError> {
        let (seq, entry) = self.groups.order[index];
        let lost = || StoreError::Damaged(format!("the sighting {} is not in its entry", seq.0));
        if !self.cache.contains_key(&entry) {
            if self.cache.len() >= CACHE {
                self.cache.clear();
            }
            self.cache.insert(entry, Arc::new(self.stage.before.entry(entry)?.ok_or_else(lost)?));
        }
        let entry = Arc::clone(&self.cache[&entry]);
        let sighting = entry.sightings.iter().find(|sighting| sighting.seq == seq).cloned().ok_or_else(lost)?;
        Ok((entry, sighting))
    }

    fn tell(
        &mut self,
        kind: PairKind,
        pair: [usize; 2],
        (ground, score, evidence): (Ground, f32, &str),
        told: &mut Vec<Told>,
    ) -> Result<(), StoreError> {
        let count = match kind {
            PairKind::WouldPart => &mut self.replay.would_part,
            PairKind::WouldJoin => &mut self.replay.would_join,
        };
        *count += 1;
        if !self.all && *count > TOLD {
            return Ok(());
        }
        let sightings = [self.shown(pair[0])?, self.shown(pair[1])?];
        let (ground, evidence) = (ground.name().to_owned(), evidence.to_owned());
        told.push(Told::Pair(Box::new(Pair { kind, sightings, ground, score, evidence })));
        Ok(())
    }

    fn shown(&mut self, index: usize) -> Result<PairSighting, StoreError> {
        let (entry, sighting) = self.sighting(index)?;
        let source = self.catalogue.standing.sources.get(&sighting.source);
        Ok(PairSighting {
            source: source.map_or_else(|| sighting.source.as_str().to_owned(), |source| source.key.to_string()),
            title: sighting.title,
            url: sighting.url.map(|url| url.to_string()),
            entry: entry.id.to_string(),
        })
    }
}

impl Work for Replaying {
    fn step(&mut self) -> Result<Option<Vec<Told>>, StoreError> {
        let mut told = Vec::new();
        self.phase = match self.phase {
            Phase::Gathering(below) => self.gather(below, &mut told)?,
            Phase::Deciding(from) => self.decide_some(from, &mut told)?,
            Phase::Done => return Ok(None),
        };
        if matches!(self.phase, Phase::Done) {
            self.replay.entries_then = self.groups.count;
            told.push(Told::Replay(Box::new(std::mem::take(&mut self.replay))));
        }
        Ok(Some(told))
    }
}

/// What a sighting would join, and why.
struct Found {
    group: usize,
    /// The sighting that was compared.
    with: Seq,
    ground: Ground,
    score: f32,
    evidence: String,
}

/// The number under which `decide` knows a group, which is called after the index of its first sighting.
fn entry_of(group: usize) -> Seq {
    Seq(group as u64 + 1)
}

fn group_of(entry: Seq) -> usize {
    usize::try_from(entry.0.saturating_sub(1)).unwrap_or(usize::MAX)
}

/// A sighting as it is now, and then under each address and each text that it had before: a copy of an older version may have
/// joined by one of these.
fn versions(sighting: &Sighting, now: Identified) -> impl Iterator<Item = Identified> {
    let earlier = sighting.keys.iter().rev().copied();
    let earlier: Vec<Key> = earlier.filter(|key| Some(*key) != now.url && Some(*key) != now.content).collect();
    let earlier_ones = earlier.into_iter().filter_map({
        let now = now.clone();
        move |key| match key.kind {
            KeyKind::Guid | KeyKind::Title => None,
            KeyKind::Url => Some(Identified { url: Some(key), content: None, ..now.clone() }),
            KeyKind::Content => Some(Identified { url: None, content: Some(key), ..now.clone() }),
        }
    });
    std::iter::once(now).chain(earlier_ones)
}

/// Who belongs together so far. Sightings are known by their index in the order of arrival.
#[derive(Default)]
struct Groups {
    /// Each sighting, and the entry that holds it now.
    order: Vec<(Seq, Seq)>,
    /// The first sighting of its group.
    home: Vec<u32>,
    /// The next one of its group; itself for the last.
    next: Vec<u32>,
    /// The first group of each key, and the others where there are several.
    by_key: HashMap<Key, u32>,
    more_by_key: HashMap<Key, Vec<u32>>,
    count: u64,
}

impl Groups {
    /// Takes in the next sighting, as the first of a group or as a further one.
    fn add(&mut self, index: usize, group: Option<usize>, keys: &[Key]) {
        let own = u32::try_from(index).unwrap_or(u32::MAX);
        let home = group.and_then(|group| u32::try_from(group).ok()).unwrap_or(own);
        self.home.push(home);
        self.next.push(own);
        match group.and_then(|group| self.members(group).last()) {
            Some(last) => self.next[last] = own,
            None => self.count += 1,
        }
        for key in keys {
            let first = *self.by_key.entry(*key).or_insert(home);
            if first != home {
                let more = self.more_by_key.entry(*key).or_default();
                if more.len() < SHARING_LIMIT && !more.contains(&home) {
                    more.push(home);
                }
            }
        }
    }

    fn members(&self, group: usize) -> impl Iterator<Item = usize> + use<> {
        let mut members = vec![group];
        let mut last = group;
        while self.next[last] as usize != last {
            last = self.next[last] as usize;
            members.push(last);
        }
        members.into_iter()
    }

    fn knows(&self, key: &Key) -> bool {
        self.by_key.contains_key(key)
    }

    fn sharing(&self, key: &Key) -> Vec<usize> {
        let more = self.more_by_key.get(key).into_iter().flatten();
        self.by_key.get(key).into_iter().chain(more).take(SHARING_LIMIT).map(|group| *group as usize).collect()
    }

    /// Where a sighting stands in the order, if it is replayed.
    fn index(&self, sighting: Seq) -> Option<usize> {
        self.order.binary_search_by_key(&sighting, |(seq, _)| *seq).ok()
    }
}

fn progress(done: u64, of: u64) -> Told {
    Told::Progress(Progress { done, of })
}
