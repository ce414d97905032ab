//! What came lately, held against what comes now: proposals of near-duplicates, each verified on the texts themselves.

use std::sync::Arc;

use chrono::TimeDelta;

use crate::merge::alike::compare::{self, Reading, Thresholds, Verdict};
use crate::merge::alike::index::{Index, Member, Proposal};
use crate::merge::alike::{self};
use crate::merge::decide::{Arrival, Change, Known, Likeness};
use crate::merge::identify::Identified;
use crate::merge::present;
use crate::model::Timestamp;
use crate::model::entry::{Entry, Seq, Sighting};
use crate::model::source::Grounds;
use crate::poll::absorb::grounds;
use crate::select::catalogue::Catalogue;
use crate::store::engine::StoreError;
use crate::store::entries::Store;
use crate::store::sketches::SketchWrite;

/// The sightings of the last days, as the committer knows them.
pub struct Window {
    index: Index,
}

impl Window {
    /// Reads what came within the window that ends now.
    pub fn read(store: &Store, catalogue: &Catalogue, now: Timestamp) -> Result<Self, StoreError> {
        let span = TimeDelta::from_std(catalogue.config.merging.window).unwrap_or(TimeDelta::MAX);
        let mut index = Index::new(span);
        for sketch in store.sketches_since(now - span)? {
            let SketchWrite { member, prints } = sketch;
            index.take(member, &prints);
        }
        Ok(Self { index })
    }

    /// How many sightings it holds, and about how many bytes of memory that takes.
    pub fn size(&self) -> (usize, usize) {
        (self.index.len(), self.index.bytes())
    }

    /// Removes from the store what the window has left behind.
    pub fn prune(&mut self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        self.index.expire(now);
        while store.drop_sketches(now - self.index.window())? {}
        Ok(())
    }

    /// Sightings belong to other entries now.
    pub fn moved(&mut self, store: &Store, moved: &[(Seq, Seq)]) -> Result<(), StoreError> {
        if moved.is_empty() {
            return Ok(());
        }
        for (sighting, entry) in moved {
            self.index.moved(*sighting, *entry);
        }
        store.redirect_sketches(&moved.iter().copied().collect())
    }

    /// Adds to what is known the entries that observations are nearly the same as. Those that share a key are not looked for.
    pub fn propose(
        &self,
        store: &Store,
        catalogue: &Catalogue,
        arrival: &Arrival,
        seen: &[Identified],
        known: &mut Known,
    ) -> Result<(), StoreError> {
        let own = grounds(catalogue, &arrival.scope);
        if !own.near_duplicate {
            return Ok(());
        }
        for one in seen.iter().filter(|one| !one.keys().any(|key| known.by_key.contains_key(&key))) {
            let Some(sketch) = &one.sketch else { continue };
            let published = published(one, arrival.now);
            let proposals = self.index.propose(sketch, &arrival.scope, published);
            if proposals.is_empty() {
                continue;
            }
            let text = alike::own_text(&one.texts());
            let reading = Reading::new(&text, &sketch.own, one.observation.title.as_deref());
            for proposal in proposals {
                if let Some((likeness, entry)) = verify(store, catalogue, own, &reading, &proposal)? {
                    known.entries.entry(entry.seq).or_insert(entry);
                    known.alike.entry(one.own).or_default().push(likeness);
                }
            }
        }
        Ok(())
    }

    /// Takes in what a change brought; gives what is to be kept of it.
    pub fn take(&mut self, change: &Change, one: &Identified) -> Option<SketchWrite> {
        let sighting = &change.entry.sightings[change.sighting];
        let Some(sketch) = &one.sketch else {
            self.index.forget(sighting.seq);
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
        self.index.take(member.clone(), &sketch.prints);
        Some(SketchWrite { member, prints: sketch.prints.clone() })
    }
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
    let other = grounds(catalogue, &sighting.source);
    if !other.near_duplicate {
        return Ok(None);
    }
    let Some(texts) = sighting.text.map(|name| store.texts(name)).transpose()?.flatten() else { return Ok(None) };
    let text = alike::own_text(&texts);
    let theirs = Reading::new(&text, &proposal.own, sighting.title.as_deref());
    let measures = compare::measure(reading, &theirs);
    let thresholds = Thresholds {
        threshold: own.threshold.max(other.threshold),
        containment: own.containment.max(other.containment),
    };
    let Verdict::Same(score) = compare::judge(&measures, thresholds) else { return Ok(None) };
    let evidence = evidence(sighting, &measures);
    let likeness = Likeness { entry: entry.seq, sighting: sighting.seq, score, evidence };
    Ok(Some((likeness, Arc::new(entry))))
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
