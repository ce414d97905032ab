//! Observations + what is known → changes. One document at a time; the same facts give the same answer.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::merge::agree::{self, Agreement, Measure};
use crate::merge::alike::compare;
use crate::merge::canonical;
use crate::merge::edits::{self, Wording};
use crate::merge::identify::{self, Identified};
use crate::merge::reissue::Departed;
use crate::merge::rules::{Judge, Rule, Subject};
use crate::model::Timestamp;
use crate::model::entry::{Entry, Ground, Key, KeyKind, PublicId, Seq, Sighting, TextName};
use crate::model::source::{Grounds, Scope};

/// Most keys that one sighting keeps. A live blog has another text at every poll; the oldest fingerprints go first.
pub const KEYS_LIMIT: usize = 40;

/// The poll that brought the observations.
#[derive(Debug, Clone)]
pub struct Arrival {
    pub scope: Scope,
    /// When this source was last polled with success; `None` at its first poll.
    pub previous_poll: Option<Timestamp>,
    pub now: Timestamp,
    /// The own keys of everything in the document, also of what is unchanged and therefore not decided again.
    pub document: HashSet<Key>,
}

/// Entries that are like an observation although no key says so, as an index of likeness proposes them.
#[derive(Debug, Clone, PartialEq)]
pub struct Likeness {
    pub entry: Seq,
    /// Which of its sightings was compared.
    pub sighting: Seq,
    pub score: f32,
    pub evidence: String,
}

/// What is known about the observations of one document: every entry that shares a key with one of them.
#[derive(Debug, Default)]
pub struct Known {
    pub entries: HashMap<Seq, Arc<Entry>>,
    pub by_key: HashMap<Key, Vec<Seq>>,
    /// Proposals by own key; empty while nothing proposes any.
    pub alike: HashMap<Key, Vec<Likeness>>,
    /// Of `entries` those whose names left the source's document in this poll.
    pub departed: Vec<Seq>,
    /// How many of the names that left were given up for one that the document shows: by a poll that was interrupted.
    pub renamed: usize,
    /// How many names the source's last document had.
    pub names_before: usize,
}

/// Facts that are asked for only when they decide.
pub struct Facts<'a> {
    /// The visible text of a stored sighting.
    pub text: &'a dyn Fn(TextName) -> Option<String>,
    /// The grounds that a source admits.
    pub grounds: &'a dyn Fn(&Scope) -> Grounds,
    /// Whether a stored entry has a public id already.
    pub is_taken: &'a dyn Fn(PublicId) -> bool,
    /// The user's own rules; `None` while there are none.
    pub rules: Option<&'a Judge<'a>>,
}

/// One entry after the change, and which of its sightings brought it.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub kind: ChangeKind,
    pub entry: Arc<Entry>,
    /// Index into `entry.sightings`.
    pub sighting: usize,
    /// Keys that the sighting did not have before.
    pub new_keys: Vec<Key>,
    /// Keys that it no longer has; see [`KEYS_LIMIT`].
    pub dropped_keys: Vec<Key>,
    /// What the sighting's raw fragments are called, if they were called otherwise before or were none.
    pub new_text: Option<TextName>,
    /// What they were called before, if they are no more.
    pub dropped_text: Option<TextName>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    New,
    /// A further source's copy.
    Joined,
    Updated,
}

/// Decides one document's observations, oldest first, taking sequence numbers from `next`.
///
/// Each change holds the entry as it is after all earlier ones, so that they are applied in order.
pub fn decide(
    arrival: &Arrival,
    mut seen: Vec<Identified>,
    mut known: Known,
    facts: &Facts<'_>,
    next: &mut Seq,
) -> Vec<(Change, Identified)> {
    // Documents are newest first by habit, so what has no date joins in reverse order.
    seen.reverse();
    seen.sort_by_key(|one| sort_at(one, arrival));
    let mut changes = Vec::new();
    let mut given = HashSet::new();
    let departed = Departed::of(arrival, &seen, &known, facts);
    for one in seen {
        let is_taken = |id: &PublicId| given.contains(id) || (facts.is_taken)(*id);
        let change = match choose(arrival, &one, &known, &departed, facts) {
            Choice::Update(seq, index) => update(arrival, &one, &known.entries[&seq], index, facts),
            Choice::Join(seq, join) => Some(joined(arrival, &one, &known.entries[&seq], join, is_taken, next)),
            Choice::New => Some(new(arrival, &one, is_taken, next)),
        };
        let Some(change) = change else { continue };
        given.insert(change.entry.id);
        given.insert(change.entry.sightings[change.sighting].id);
        for key in &change.new_keys {
            known.by_key.entry(*key).or_default().push(change.entry.seq);
        }
        known.entries.insert(change.entry.seq, Arc::clone(&change.entry));
        changes.push((change, one));
    }
    changes
}

enum Choice {
    /// The entry's sighting with this index is the same item.
    Update(Seq, usize),
    Join(Seq, Join),
    New,
}

pub(super) struct Join {
    pub(super) ground: Ground,
    pub(super) score: f32,
    pub(super) evidence: String,
    /// The sighting that was compared; `None` for an entry's first one.
    pub(super) with: Option<Seq>,
}

impl Join {
    pub(super) fn by_rule(rule: &Rule, other: &Sighting) -> Self {
        let evidence = format!("{rule} joins it with what {} brought", other.source.as_str());
        Self { ground: Ground::Rule, score: 1.0, evidence, with: Some(other.seq) }
    }
}

/// Why a key that an observation shares with an entry does not join them.
pub(super) enum Apart {
    /// The entry has another sighting of the same source, which tells the two apart.
    SameSource,
    /// The form of the guid does not promise that nobody else uses it.
    LocalGuid,
    /// The ground is switched off for the observation's source, or for every source of the entry that shares the key.
    SwitchedOff,
    /// The titles name different parts of one series.
    OtherPart { with: Seq },
    /// Neither titles nor texts agree with the sighting that came nearest.
    Unlike { with: Seq, measures: Vec<Measure> },
}

fn choose(arrival: &Arrival, one: &Identified, known: &Known, departed: &Departed, facts: &Facts<'_>) -> Choice {
    let judged = Judged::of(one, facts);
    let sharing = |key: Key| entries_with(known, &[key]);
    if let Some((seq, index)) = known_again(arrival, one, known, departed, facts, &judged) {
        return Choice::Update(seq, index);
    }
    for entry in entries_with(known, &judged.keys()) {
        if let Some(join) = judged.join(entry) {
            return Choice::Join(entry.seq, join);
        }
    }
    for key in one.keys() {
        for entry in sharing(key) {
            if let Ok(join) = join(&arrival.scope, one, entry, key, facts)
                && !judged.is_apart_from(entry)
            {
                return Choice::Join(entry.seq, join);
            }
        }
    }
    let mut alike: Vec<&Likeness> = known.alike.get(&one.own).into_iter().flatten().collect();
    alike.sort_by(|left, right| right.score.total_cmp(&left.score).then(left.entry.cmp(&right.entry)));
    for likeness in alike {
        let entry = known.entries.get(&likeness.entry);
        if entry.is_some_and(|entry| !holds(entry, &arrival.scope) && !judged.is_apart_from(entry)) {
            let join = Join {
                ground: Ground::NearDuplicate,
                score: likeness.score,
                evidence: likeness.evidence.clone(),
                with: Some(likeness.sighting),
            };
            return Choice::Join(likeness.entry, join);
        }
    }
    Choice::New
}

/// The entries that have one of these keys, oldest first.
fn entries_with<'k>(known: &'k Known, keys: &[Key]) -> impl Iterator<Item = &'k Entry> + use<'k> {
    let mut seqs: Vec<Seq> = keys.iter().filter_map(|key| known.by_key.get(key)).flatten().copied().collect();
    seqs.sort_unstable();
    seqs.dedup();
    seqs.into_iter().filter_map(|seq| known.entries.get(&seq).map(|entry| &**entry))
}

/// An observation before the user's rules. Without rules it costs nothing.
struct Judged<'a>(Option<(&'a Judge<'a>, Subject)>);

impl<'a> Judged<'a> {
    fn of(one: &Identified, facts: &Facts<'a>) -> Self {
        Self(facts.rules.map(|judge| (judge, (judge.arriving)(one))))
    }

    fn keys(&self) -> Vec<Key> {
        self.0.as_ref().map(|(judge, subject)| judge.rules.keys(subject)).unwrap_or_default()
    }

    fn is_apart(&self, sighting: &Sighting) -> bool {
        let forbids = |(judge, subject): &(&Judge<'_>, Subject)| {
            judge.rules.forbids(subject, &(judge.stored)(sighting)).is_some()
        };
        self.0.as_ref().is_some_and(forbids)
    }

    fn is_apart_from(&self, entry: &Entry) -> bool {
        self.0.as_ref().is_some_and(|(judge, subject)| judge.forbids(subject, entry).is_some())
    }

    fn join(&self, entry: &Entry) -> Option<Join> {
        let (judge, subject) = self.0.as_ref()?;
        let (rule, other) = judge.joins(subject, entry)?;
        (!self.is_apart_from(entry)).then(|| Join::by_rule(rule, other))
    }
}

/// The source's own sighting that an observation is, and its entry.
fn known_again(
    arrival: &Arrival,
    one: &Identified,
    known: &Known,
    departed: &Departed,
    facts: &Facts<'_>,
    judged: &Judged<'_>,
) -> Option<(Seq, usize)> {
    let is_mass = departed.is_mass();
    let spellings = || arrival.previous_poll.map(|_| identify::spellings(&arrival.scope, one)).unwrap_or_default();
    for key in one.keys().chain(std::iter::once_with(spellings).flatten()) {
        let same = |sighting: &Sighting| {
            sighting.source == arrival.scope
                && is_same_item(arrival, one, sighting, key, is_mass)
                && (key == one.own || !judged.is_apart(sighting))
        };
        let found = entries_with(known, &[key]).flat_map(|entry| {
            let indices = entry.sightings.iter().enumerate().filter(|(_, sighting)| same(sighting));
            indices.map(move |(index, _)| (entry, index))
        });
        // Two entries may know the same name, if it wandered between two items; the one that has it now is meant. Of several with
        // one text it is the one of the same time.
        let rank = |(entry, index): &(&Entry, usize)| {
            let sighting = &entry.sightings[*index];
            (sighting.keys.first() != Some(&one.own), sighting.published != one.observation.published)
        };
        if let Some((entry, index)) = found.min_by_key(rank) {
            return Some((entry.seq, index));
        }
    }
    let (seq, index) = departed.find(arrival, one, known, facts)?;
    let is_apart = known.entries.get(&seq).is_some_and(|entry| judged.is_apart(&entry.sightings[index]));
    (!is_apart).then_some((seq, index))
}

pub(super) fn holds(entry: &Entry, scope: &Scope) -> bool {
    entry.sightings.iter().any(|sighting| sighting.source == *scope)
}

/// Whether an observation is the same source's sighting again, under whatever name. When the source changed its names as a whole
/// (`is_mass`), another time contradicts nothing.
fn is_same_item(arrival: &Arrival, one: &Identified, sighting: &Sighting, key: Key, is_mass: bool) -> bool {
    if !sighting.keys.contains(&key) {
        return false;
    }
    if key == one.own {
        // The name may be an old one of an item that the document shows under another name now.
        let current = sighting.keys.first();
        return current == Some(&key) || current.is_none_or(|current| !arrival.document.contains(current));
    }
    // Another name within one source: the old one must be gone, or these are two items.
    let still_there = sighting.keys.iter().any(|key| key.kind == KeyKind::Guid && arrival.document.contains(key));
    if still_there {
        return false;
    }
    let observation = &one.observation;
    let differs = |one: Option<String>, other: Option<String>| one.is_some() && other.is_some() && one != other;
    let other_time =
        observation.published.is_some() && sighting.published.is_some() && observation.published != sighting.published;
    let other_title = differs(observation.title.as_deref().map(folded), sighting.title.as_deref().map(folded));
    match key.kind {
        KeyKind::Guid => true,
        KeyKind::Url => {
            let fragment =
                |url: &Option<url::Url>| url.as_ref().and_then(canonical::telling_fragment).map(str::to_owned);
            let other_text = one.content.is_none_or(|content| !sighting.keys.contains(&content));
            fragment(&observation.url) == fragment(&sighting.url) && !(other_time && other_title && other_text)
        }
        KeyKind::Content => {
            let enclosure =
                |list: &[crate::model::document::Enclosure]| list.first().map(|it| it.url.path().to_owned());
            (is_mass || !other_time)
                && !other_title
                && !differs(enclosure(&observation.enclosures), enclosure(&sighting.enclosures))
        }
        KeyKind::Title => false,
    }
}

fn folded(title: &str) -> String {
    crate::text::words(title).join(" ")
}

/// Whether an observation is another source's copy of an entry, on the ground that `key` stands for; if not, why.
pub(super) fn join(scope: &Scope, one: &Identified, entry: &Entry, key: Key, facts: &Facts<'_>) -> Result<Join, Apart> {
    if holds(entry, scope) {
        return Err(Apart::SameSource);
    }
    if key.kind == KeyKind::Guid && !one.is_global {
        return Err(Apart::LocalGuid);
    }
    let admitted = |grounds: Grounds| match key.kind {
        KeyKind::Guid => grounds.same_guid,
        KeyKind::Url => grounds.same_url,
        KeyKind::Content => grounds.same_content,
        KeyKind::Title => false,
    };
    if !admitted((facts.grounds)(scope)) {
        return Err(Apart::SwitchedOff);
    }
    let sharing = entry.sightings.iter().filter(|sighting| sighting.keys.contains(&key));
    let sharing = sharing.filter(|sighting| admitted((facts.grounds)(&sighting.source)));
    if key.kind == KeyKind::Content {
        let mut sharing = sharing.peekable();
        let first = sharing.peek().ok_or(Apart::SwitchedOff)?.seq;
        // A podcast's notes may be the same each week.
        let is_other_part = |copy: &&Sighting| is_other_part(one.observation.title.as_deref(), copy.title.as_deref());
        let copy = sharing.find(|copy| !is_other_part(copy)).ok_or(Apart::OtherPart { with: first })?;
        let evidence = format!("the same text as in {}", copy.source.as_str());
        return Ok(Join { ground: Ground::SameContent, score: 1.0, evidence, with: Some(copy.seq) });
    }
    let mut agreeing = None;
    let mut nearest = Apart::SwitchedOff;
    for copy in sharing {
        match agreement(one, copy, facts) {
            Ok(agreement) => {
                agreeing = Some((copy, agreement));
                break;
            }
            Err(measures) => nearest = nearer(nearest, copy.seq, measures),
        }
    }
    let Some((copy, agreement)) = agreeing else { return Err(nearest) };
    let (ground, what) = match key.kind {
        KeyKind::Guid => (Ground::SameGuid, "guid"),
        _ => (Ground::SameUrl, "address"),
    };
    let evidence = format!(
        "the same {what} as in {}, and the {} agrees ({:.2})",
        copy.source.as_str(),
        agreement.of,
        agreement.score
    );
    Ok(Join { ground, score: 1.0, evidence, with: Some(copy.seq) })
}

fn is_other_part(one: Option<&str>, other: Option<&str>) -> bool {
    one.zip(other).is_some_and(|(one, other)| compare::are_of_a_series(one, other))
}

/// The one that came nearer to agreeing.
fn nearer(before: Apart, with: Seq, measures: Vec<Measure>) -> Apart {
    let best = |measures: &[Measure]| measures.iter().map(|measure| measure.score).fold(0.0, f32::max);
    match &before {
        Apart::Unlike { measures: known, .. } if best(known) >= best(&measures) => before,
        _ => Apart::Unlike { with, measures },
    }
}

fn agreement(one: &Identified, copy: &Sighting, facts: &Facts<'_>) -> Result<Agreement, Vec<Measure>> {
    if one.content.is_some_and(|content| copy.keys.contains(&content)) {
        return Ok(Agreement { of: "text", score: 1.0 });
    }
    let titles = agree::measured_titles(one.observation.title.as_deref(), copy.title.as_deref());
    if let Some(agreement) = titles.and_then(Measure::agreement) {
        return Ok(agreement);
    }
    let texts = copy.text.and_then(|name| agree::measured_texts(&one.text, &(facts.text)(name)?));
    texts.and_then(Measure::agreement).ok_or_else(|| titles.into_iter().chain(texts).collect())
}

/// The claimed time within the span in which the entry can have appeared. A late or back-dated arrival cannot hide
/// below what a reader has seen, and a date in the future cannot sit on top.
pub(super) fn sort_at(one: &Identified, arrival: &Arrival) -> Timestamp {
    let claimed = one.observation.published.or(one.observation.updated).unwrap_or(arrival.now);
    let not_before = arrival.previous_poll.unwrap_or(Timestamp::UNIX_EPOCH).min(arrival.now);
    claimed.clamp(not_before, arrival.now)
}

fn sighting(arrival: &Arrival, one: &Identified, seq: Seq, id: PublicId, join: Join) -> Sighting {
    let observation = &one.observation;
    Sighting {
        seq,
        source: arrival.scope.clone(),
        id,
        first_seen: arrival.now,
        sort_at: sort_at(one, arrival),
        changed: None,
        guid: observation.guid.clone(),
        url: observation.url.clone(),
        title: observation.title.clone(),
        published: observation.published,
        authors: observation.authors.clone(),
        categories: observation.categories.clone(),
        enclosures: observation.enclosures.clone(),
        language: observation.language.clone(),
        particulars: observation.particulars.clone(),
        text: one.digest.map(|digest| TextName::new(seq, digest)),
        ground: join.ground,
        score: join.score,
        evidence: join.evidence,
        matched: join.with,
        keys: one.keys().collect(),
        fingerprint: one.fingerprint,
        reading: one.reading,
    }
}

fn take(next: &mut Seq) -> Seq {
    let taken = *next;
    next.0 += 1;
    taken
}

fn new(arrival: &Arrival, one: &Identified, is_taken: impl Fn(&PublicId) -> bool, next: &mut Seq) -> Change {
    let seq = take(next);
    let id = free_id(one, is_taken, seq);
    let join = Join { ground: Ground::First, score: 1.0, evidence: String::new(), with: None };
    let sighting = sighting(arrival, one, take(next), id, join);
    let new_keys = sighting.keys.clone();
    let entry =
        Entry { seq, id, first_seen: arrival.now, sightings: vec![sighting], placements: Vec::new(), held: None };
    Change {
        kind: ChangeKind::New,
        new_text: entry.sightings[0].text,
        entry: Arc::new(entry),
        sighting: 0,
        new_keys,
        dropped_keys: Vec::new(),
        dropped_text: None,
    }
}

/// The strongest id that nothing has yet: what an observation is called, or would be called if it stood alone.
fn free_id(one: &Identified, is_taken: impl Fn(&PublicId) -> bool, seq: Seq) -> PublicId {
    let free = one.ids.iter().find(|id| !is_taken(id)).copied();
    free.unwrap_or_else(|| {
        // All taken: the same source once had an entry of this name that was parted from it or whose name moved on.
        let alone = one.ids.last().expect("identify gives at least one id");
        numbered_id(*alone, seq)
    })
}

/// An id that nothing else has, for what cannot have its own.
pub fn numbered_id(own: PublicId, seq: Seq) -> PublicId {
    let name_space = uuid::Uuid::from_bytes(own.0);
    PublicId(uuid::Uuid::new_v5(&name_space, &seq.0.to_be_bytes()).into_bytes())
}

fn joined(
    arrival: &Arrival,
    one: &Identified,
    entry: &Entry,
    join: Join,
    is_taken: impl Fn(&PublicId) -> bool,
    next: &mut Seq,
) -> Change {
    let seq = take(next);
    let sighting = sighting(arrival, one, seq, free_id(one, is_taken, seq), join);
    let new_keys = sighting.keys.clone();
    let new_text = sighting.text;
    let mut entry = entry.clone();
    entry.sightings.push(sighting);
    // What others carry as well is no re-issue.
    entry.held = None;
    Change {
        kind: ChangeKind::Joined,
        sighting: entry.sightings.len() - 1,
        entry: Arc::new(entry),
        new_keys,
        dropped_keys: Vec::new(),
        new_text,
        dropped_text: None,
    }
}

/// The sighting as the document shows it now; `None` when nothing that we keep has changed.
fn update(arrival: &Arrival, one: &Identified, entry: &Entry, index: usize, facts: &Facts<'_>) -> Option<Change> {
    let mut entry = entry.clone();
    let sighting = &mut entry.sightings[index];
    let new_keys: Vec<Key> = one.keys().filter(|key| !sighting.keys.contains(key)).collect();
    let is_named_alike = sighting.keys.first() == Some(&one.own);
    if sighting.fingerprint == one.fingerprint && new_keys.is_empty() && is_named_alike {
        return None;
    }
    if sighting.reading != one.reading && is_news(one, sighting, facts) {
        sighting.changed = Some(arrival.now);
    }
    let observation = &one.observation;
    sighting.guid.clone_from(&observation.guid);
    sighting.url.clone_from(&observation.url);
    sighting.title.clone_from(&observation.title);
    sighting.authors.clone_from(&observation.authors);
    sighting.categories.clone_from(&observation.categories);
    sighting.enclosures.clone_from(&observation.enclosures);
    sighting.language.clone_from(&observation.language);
    sighting.particulars.clone_from(&observation.particulars);
    // The first date that was claimed stays: publishers bump it with every edit.
    sighting.published = sighting.published.or(observation.published);
    let text = one.digest.map(|digest| TextName::new(sighting.seq, digest));
    let old_text = std::mem::replace(&mut sighting.text, text);
    sighting.fingerprint = one.fingerprint;
    sighting.reading = one.reading;
    sighting.keys.extend(&new_keys);
    // Its present name stands first.
    sighting.keys.retain(|key| *key != one.own);
    sighting.keys.insert(0, one.own);
    let mut dropped_keys = drop_oldest(&mut sighting.keys, one);
    // Only the title that it has now finds what has the same one.
    dropped_keys.extend(sighting.keys.extract_if(.., |key| key.kind == KeyKind::Title && Some(*key) != one.title));
    let entry = Arc::new(entry);
    let (new_text, dropped_text) = if old_text == text { (None, None) } else { (text, old_text) };
    Some(Change { kind: ChangeKind::Updated, entry, sighting: index, new_keys, dropped_keys, new_text, dropped_text })
}

/// Whether a person who has read the sighting learns something from what the document shows now.
fn is_news(one: &Identified, sighting: &Sighting, facts: &Facts<'_>) -> bool {
    let Some(old) = sighting.text.map_or_else(|| Some(String::new()), |name| (facts.text)(name)) else { return true };
    let before = Wording { title: sighting.title.as_deref(), text: &old };
    !edits::is_trivial(before, Wording { title: one.observation.title.as_deref(), text: &one.told() })
}

fn drop_oldest(keys: &mut Vec<Key>, one: &Identified) -> Vec<Key> {
    let mut dropped = Vec::new();
    while keys.len() > KEYS_LIMIT {
        let oldest = keys.iter().position(|key| key.kind == KeyKind::Content && Some(*key) != one.content).unwrap_or(1);
        dropped.push(keys.remove(oldest));
    }
    dropped
}
