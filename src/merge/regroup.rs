//! Stored sightings → entries, decided again because a rule came or went.
//!
//! In the order of arrival each goes down the ladder again, except that two that no changed rule speaks of do not come together now. What the
//! ladder does not find any more, because titles or texts were edited since, stays beside the sighting with which it was once compared.

use crate::merge::decide::{self, Facts, Join};
use crate::merge::identify::Identified;
use crate::merge::rules::{Rules, Subject};
use crate::model::entry::{Entry, Ground, Key, KeyKind, Seq, Sighting};

/// A stored sighting, and what deciding on it again needs.
#[derive(Debug, Clone)]
pub struct Member {
    pub sighting: Sighting,
    pub again: Identified,
    /// What the rules that hold now know of it.
    pub subject: Subject,
    /// Whether one of the rules that came or went speaks of it.
    pub is_spoken_of: bool,
    /// The entry that holds it until now.
    pub entry: Seq,
    /// Whether it is the first one there.
    pub is_first: bool,
}

/// Sightings that are one entry, in the order of joining, each with the entry that held it until now.
pub type Group = Vec<(Sighting, Seq)>;

/// An entry in the making. Only its sightings count.
struct Making {
    entry: Entry,
    members: Vec<Member>,
}

/// Divides sightings into entries. The answer follows from the facts alone.
pub fn regroup(mut members: Vec<Member>, rules: &Rules, facts: &Facts<'_>) -> Vec<Group> {
    members.sort_by_key(|member| member.sighting.seq);
    let mut all: Vec<Making> = Vec::new();
    for mut member in members {
        if let Some((index, join)) = place(&member, &all, rules, facts) {
            if let Some(join) = join {
                put(&mut member.sighting, join);
            }
            all[index].push(member);
            continue;
        }
        // What stood first before, if only because its elder was removed, is as it was.
        if !member.is_first {
            put(&mut member.sighting, Join { ground: Ground::First, score: 1.0, evidence: String::new(), with: None });
        }
        all.push(Making::new(member));
    }
    let group = |making: Making| making.members.into_iter().map(|member| (member.sighting, member.entry)).collect();
    all.into_iter().map(group).collect()
}

fn put(sighting: &mut Sighting, join: Join) {
    sighting.ground = join.ground;
    sighting.score = join.score;
    sighting.evidence = join.evidence;
    sighting.matched = join.with;
}

impl Making {
    fn new(member: Member) -> Self {
        let Sighting { seq, id, first_seen, .. } = member.sighting;
        let sightings = vec![member.sighting.clone()];
        let entry = Entry { seq, id, first_seen, sightings, placements: Vec::new(), held: None };
        Self { entry, members: vec![member] }
    }

    fn push(&mut self, member: Member) {
        self.entry.sightings.push(member.sighting.clone());
        self.members.push(member);
    }

    fn is_apart(&self, subject: &Subject, rules: &Rules) -> bool {
        self.members.iter().any(|other| rules.forbids(subject, &other.subject).is_some())
    }

    /// As [`crate::merge::rules::Judge::joins`].
    fn rule(&self, one: &Member, rules: &Rules) -> Option<Join> {
        let is_held = decide::holds(&self.entry, &one.sighting.source);
        self.members.iter().find_map(|other| {
            let rule = rules.joins(&one.subject, &other.subject)?;
            let is_free = !is_held || rule.names_addresses();
            is_free.then(|| Join::by_rule(rule, &other.sighting))
        })
    }
}

/// Where a sighting belongs: among which others, and why if that is another reason than before. `None` for an entry of its own.
fn place(one: &Member, all: &[Making], rules: &Rules, facts: &Facts<'_>) -> Option<(usize, Option<Join>)> {
    let free: Vec<(usize, &Making)> =
        all.iter().enumerate().filter(|(_, making)| !making.is_apart(&one.subject, rules)).collect();
    if let Some((index, join)) = free.iter().find_map(|(index, making)| Some((*index, making.rule(one, rules)?))) {
        let is_as_before = one.sighting.ground == Ground::Rule
            && one.sighting.matched == join.with
            && one.sighting.evidence == join.evidence;
        return Some((index, (!is_as_before).then_some(join)));
    }
    let free: Vec<(usize, &Making)> =
        free.into_iter().filter(|(_, making)| !decide::holds(&making.entry, &one.sighting.source)).collect();
    let was_joined = !one.is_first && one.sighting.ground != Ground::Rule;
    let matched = one.sighting.matched.filter(|_| was_joined);
    let has = |making: &Making| making.entry.sightings.iter().any(|it| Some(it.seq) == matched);
    if let Some((index, join)) = ladder(one, &free, facts) {
        return Some((index, (!has(&all[index])).then_some(join)));
    }
    // Texts and titles that agreed then may have been edited since.
    if let Some((index, _)) = free.iter().find(|(_, making)| has(making)) {
        return Some((*index, None));
    }
    // What it was compared with is not known, or gone: it stays with the first of those with whom it was.
    let stays = |(_, making): &&(usize, &Making)| making.members.iter().any(|other| other.entry == one.entry);
    let found = free.iter().find(stays).filter(|_| was_joined && !all.iter().any(has));
    found.map(|(index, _)| (*index, None))
}

fn ladder(one: &Member, free: &[(usize, &Making)], facts: &Facts<'_>) -> Option<(usize, Join)> {
    // Two that no changed rule speaks of are not joined now if they were apart until now.
    let may_join =
        |other: &&Member| one.is_spoken_of || other.is_spoken_of || (other.entry == one.entry && !one.is_first);
    let candidates = free.iter().map(|(index, making)| {
        let sightings = making.members.iter().filter(may_join).map(|other| other.sighting.clone()).collect();
        (*index, Entry { sightings, ..making.entry.clone() })
    });
    let candidates: Vec<(usize, Entry)> = candidates.collect();
    for key in keys(one) {
        for (index, entry) in &candidates {
            if let Ok(join) = decide::join(&one.sighting.source, &one.again, entry, key, facts) {
                return Some((*index, join));
            }
        }
    }
    None
}

/// The keys of a sighting as the ladder asks for them; of earlier versions too, as they were known to what came after it.
fn keys(one: &Member) -> Vec<Key> {
    let mut keys: Vec<Key> = one.again.keys().collect();
    for kind in [KeyKind::Url, KeyKind::Content] {
        let earlier: Vec<Key> = one.sighting.keys.iter().rev().filter(|key| key.kind == kind).copied().collect();
        keys.extend(earlier.into_iter().filter(|key| !one.again.keys().any(|it| it == *key)));
    }
    keys.sort_by_key(|key| key.kind);
    keys
}
