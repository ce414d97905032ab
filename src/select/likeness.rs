//! A text beside that of a stored sighting: near-duplicates as the settings have them, for whoever decides and whoever explains.

use crate::merge::alike;
use crate::merge::alike::compare::{self, Reading, Thresholds, Verdict};
use crate::merge::alike::frame::Own;
use crate::merge::nearest::Nearest;
use crate::model::entry::{Entry, Sighting};
use crate::model::source::Grounds;
use crate::select::catalogue::Catalogue;
use crate::store::engine::StoreError;
use crate::store::entries::Store;
use crate::store::sketches::SketchWrite;

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
    let other = catalogue.grounds(&sighting.source);
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

/// The sighting of another entry that has most in common with an entry's first one, among all that came within the window, and why it
/// is not a copy. `None` when there is none, or the entry itself came before the window.
///
/// Reads all sketches twice, so it is for questions that are asked one by one.
///
/// # Errors
/// When the store cannot be read.
pub fn nearest(store: &Store, catalogue: &Catalogue, entry: &Entry) -> Result<Option<Nearest>, StoreError> {
    let Some(sighting) = entry.sightings.first() else { return Ok(None) };
    let mut own: Option<SketchWrite> = None;
    store.visit_sketches(&mut |sketch| {
        if sketch.member.sighting == sighting.seq {
            own = Some(sketch);
        }
    })?;
    let Some(own) = own else { return Ok(None) };
    let mut best: Option<(usize, SketchWrite)> = None;
    store.visit_sketches(&mut |sketch| {
        let shared = sketch.prints.iter().filter(|print| own.prints.binary_search(print).is_ok()).count();
        let is_other = sketch.member.entry != entry.seq && sketch.member.source != sighting.source;
        if is_other && shared > best.as_ref().map_or(0, |(most, _)| *most) {
            best = Some((shared, sketch));
        }
    })?;
    let Some((_, SketchWrite { member, .. })) = best else { return Ok(None) };
    let Some(other) = store.entry(member.entry)? else { return Ok(None) };
    let Some(other) = other.sightings.iter().find(|other| other.seq == member.sighting) else { return Ok(None) };
    let texts = sighting.text.map(|name| store.texts(name)).transpose()?.flatten().unwrap_or_default();
    let text = alike::own_text(&texts);
    let reading = Reading::new(&text, &own.member.own, sighting.title.as_deref());
    let grounds = catalogue.grounds(&sighting.source);
    let (score, verdict) = match compared(store, catalogue, grounds, &reading, other, &member.own)? {
        Compared::Same { score, evidence } => {
            (score, format!("{evidence}; but both were published when this was found"))
        }
        Compared::Other { score, reason } => (score, reason),
        Compared::Not => return Ok(None),
    };
    Ok(Some(Nearest { entry: member.entry, sighting: member.sighting, score, verdict }))
}
