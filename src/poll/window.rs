//! What came lately, held against what comes now: proposals of near-duplicates, each verified on the texts themselves.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use chrono::TimeDelta;

use crate::merge::alike;
use crate::merge::alike::compare::{self, Reading, Thresholds, Verdict};
use crate::merge::alike::frame::Own;
use crate::merge::alike::index::{Index, Member, Proposal};
use crate::merge::decide::{Arrival, Change, Known, Likeness};
use crate::merge::identify::Identified;
use crate::merge::present;
use crate::model::Timestamp;
use crate::model::entry::{Entry, Key, Seq, Sighting};
use crate::model::source::Grounds;
use crate::poll::absorb::grounds;
use crate::select::catalogue::Catalogue;
use crate::store::engine::StoreError;
use crate::store::entries::Store;
use crate::store::sketches::SketchWrite;

/// The sightings of the last days. The committer alone changes them; the pollers look at them while they prepare a document, so that
/// comparing texts costs the committer nothing but what came in between.
#[derive(Clone)]
pub struct Window {
    index: Arc<RwLock<Index>>,
}

/// What a poller found before its document reached the committer.
#[derive(Debug, Clone, Default)]
pub struct Looked {
    /// How much had come by then, in all.
    upto: u64,
    /// By own key.
    alike: HashMap<Key, Likeness>,
}

impl Window {
    /// Reads what came within the window that ends now.
    pub fn read(store: &Store, catalogue: &Catalogue, now: Timestamp) -> Result<Self, StoreError> {
        let window = Self { index: Arc::new(RwLock::new(Index::new(span(catalogue)))) };
        window.read_again(store, catalogue, now)?;
        Ok(window)
    }

    /// Follows another configuration, or a store that was opened anew. What was looked at before is looked at again.
    pub fn read_again(&self, store: &Store, catalogue: &Catalogue, now: Timestamp) -> Result<(), StoreError> {
        let span = span(catalogue);
        let mut index = Index::following(span, &self.index());
        for sketch in store.sketches_since(now.checked_sub_signed(span).unwrap_or(Timestamp::MIN_UTC))? {
            let SketchWrite { member, prints } = sketch;
            index.take(member, &prints);
        }
        *self.index_to_change() = index;
        Ok(())
    }

    fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn index_to_change(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many sightings it holds, and about how many bytes of memory that takes.
    pub fn size(&self) -> (usize, usize) {
        let index = self.index();
        (index.len(), index.bytes())
    }

    /// Removes from the store what the window has left behind.
    pub fn prune(&self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        let mut index = self.index_to_change();
        index.expire(now);
        let before = now.checked_sub_signed(index.window()).unwrap_or(Timestamp::MIN_UTC);
        drop(index);
        while store.drop_sketches(before)? {}
        Ok(())
    }

    /// Sightings belong to other entries now.
    pub fn moved(&self, store: &Store, moved: &[(Seq, Seq)]) -> Result<(), StoreError> {
        if moved.is_empty() {
            return Ok(());
        }
        let mut index = self.index_to_change();
        for (sighting, entry) in moved {
            index.moved(*sighting, *entry);
        }
        drop(index);
        store.redirect_sketches(&moved.iter().copied().collect())
    }

    /// Looks for what the observations of a document are nearly the same as.
    pub fn look(
        &self,
        store: &Store,
        catalogue: &Catalogue,
        arrival: &Arrival,
        seen: &[Identified],
    ) -> Result<Looked, StoreError> {
        let mut looked = Looked { upto: self.index().taken(), alike: HashMap::new() };
        for one in seen {
            if let Some((likeness, _)) = self.likeness(store, catalogue, arrival, one, 0)? {
                looked.alike.insert(one.own, likeness);
            }
        }
        Ok(looked)
    }

    /// Adds to what is known the entries that observations are nearly the same as: what a poller found, and what came since. Those that
    /// share a key are not looked for.
    pub fn propose(
        &self,
        store: &Store,
        catalogue: &Catalogue,
        arrival: &Arrival,
        seen: &[Identified],
        looked: &Looked,
        known: &mut Known,
    ) -> Result<(), StoreError> {
        for one in seen.iter().filter(|one| !one.keys().any(|key| known.by_key.contains_key(&key))) {
            let found = match looked.alike.get(&one.own) {
                Some(likeness) => store.entry(likeness.entry)?.map(|entry| (likeness.clone(), Arc::new(entry))),
                None => self.likeness(store, catalogue, arrival, one, looked.upto)?,
            };
            if let Some((likeness, entry)) = found {
                known.entries.entry(entry.seq).or_insert(entry);
                known.alike.entry(one.own).or_default().push(likeness);
            }
        }
        Ok(())
    }

    /// The likeliest entry, of those with a sighting that came after so many others, that is verified on the texts.
    fn likeness(
        &self,
        store: &Store,
        catalogue: &Catalogue,
        arrival: &Arrival,
        one: &Identified,
        after: u64,
    ) -> Result<Option<(Likeness, Arc<Entry>)>, StoreError> {
        let own = grounds(catalogue, &arrival.scope);
        let Some(sketch) = one.sketch.as_ref().filter(|_| own.near_duplicate) else { return Ok(None) };
        let proposals = self.index().propose(sketch, &arrival.scope, published(one, arrival.now), after);
        if proposals.is_empty() {
            return Ok(None);
        }
        let text = alike::own_text(&one.texts());
        let reading = Reading::new(&text, &sketch.own, one.observation.title.as_deref());
        for proposal in proposals {
            if let Some(found) = verify(store, catalogue, own, &reading, &proposal)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Takes in what a change brought; gives what is to be kept of it.
    pub fn take(&self, catalogue: &Catalogue, change: &Change, one: &Identified) -> Option<SketchWrite> {
        let sighting = &change.entry.sightings[change.sighting];
        let mut index = self.index_to_change();
        let is_sought = grounds(catalogue, &sighting.source).near_duplicate;
        let Some(sketch) = one.sketch.as_ref().filter(|_| is_sought) else {
            index.forget(sighting.seq);
            return None;
        };
        let member = Member {
            entry: change.entry.seq,
            sighting: sighting.seq,
            source: sighting.source.clone(),
            published: present::published(sighting),
            first_seen: sighting.first_seen,
            own: sketch.own.clone(),
        };
        index.take(member.clone(), &sketch.prints);
        Some(SketchWrite { member, prints: sketch.prints.clone() })
    }
}

fn span(catalogue: &Catalogue) -> TimeDelta {
    TimeDelta::from_std(catalogue.config.merging.window).unwrap_or(TimeDelta::MAX)
}

/// As [`present::published`] will say of the sighting.
fn published(one: &Identified, now: Timestamp) -> Timestamp {
    let claimed = one.observation.published.filter(|claimed| *claimed > Timestamp::UNIX_EPOCH);
    claimed.map_or(now, |claimed| claimed.min(now))
}

fn verify(
    store: &Store,
    catalogue: &Catalogue,
    own: Grounds,
    reading: &Reading<'_>,
    proposal: &Proposal,
) -> Result<Option<(Likeness, Arc<Entry>)>, StoreError> {
    let Some(entry) = store.entry(proposal.entry)? else { return Ok(None) };
    let Some(sighting) = entry.sightings.iter().find(|sighting| sighting.seq == proposal.sighting) else {
        return Ok(None);
    };
    let Compared::Same { score, evidence } = compared(store, catalogue, own, reading, sighting, &proposal.own)? else {
        return Ok(None);
    };
    let likeness = Likeness { entry: entry.seq, sighting: sighting.seq, score, evidence };
    Ok(Some((likeness, Arc::new(entry))))
}

/// What comparing a text with a stored sighting came to.
pub enum Compared {
    Same {
        score: f32,
        evidence: String,
    },
    /// With how much they have in common, and why they are two.
    Other {
        score: f32,
        reason: String,
    },
    /// Near-duplicates are not sought in the other's source, or it has no text.
    Not,
}

/// Lays a text beside that of a stored sighting, of which the own words are known. `grounds` are those of the text's source.
pub fn compared(
    store: &Store,
    catalogue: &Catalogue,
    own: Grounds,
    reading: &Reading<'_>,
    sighting: &Sighting,
    words: &Own,
) -> Result<Compared, StoreError> {
    let other = grounds(catalogue, &sighting.source);
    if !own.near_duplicate || !other.near_duplicate {
        return Ok(Compared::Not);
    }
    let Some(texts) = sighting.text.map(|name| store.texts(name)).transpose()?.flatten() else {
        return Ok(Compared::Not);
    };
    let text = alike::own_text(&texts);
    let measures = compare::measure(reading, &Reading::new(&text, words, sighting.title.as_deref()));
    let thresholds = Thresholds {
        threshold: own.threshold.max(other.threshold),
        containment: own.containment.max(other.containment),
    };
    Ok(match compare::judge(&measures, thresholds) {
        Verdict::Same(score) => Compared::Same { score, evidence: evidence(sighting, &measures) },
        Verdict::Other(reason) => Compared::Other {
            score: measures.containment,
            reason: format!("{reason}; {}", evidence(sighting, &measures)),
        },
    })
}

fn evidence(other: &Sighting, measures: &compare::Measures) -> String {
    let (one, theirs) = measures.lengths;
    format!(
        "{} of {one} words stand in {} too, which has {theirs} (runs in common {:.2}, of the shorter {:.2}), such as “{} …”",
        measures.shared,
        other.source.as_str(),
        measures.jaccard,
        measures.containment,
        measures.sample,
    )
}
