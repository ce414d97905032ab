//! The entry that comes nearest to a sighting without having been joined with it, and why not.

use crate::merge::agree::Measure;
use crate::merge::decide::{Apart, Facts, join};
use crate::merge::identify::Identified;
use crate::model::entry::{Entry, KeyKind, Seq};
use crate::model::source::Scope;

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub struct Nearest {
    pub entry: Seq,
    /// The sighting of it that came nearest.
    pub sighting: Seq,
    /// From 0 to 1.
    pub score: f32,
    /// Why they are two, in a sentence.
    pub verdict: String,
}

/// Of entries that share a key with a sighting, the nearest one. `one` is the sighting, recognised again.
pub fn by_keys<'a>(
    scope: &Scope,
    one: &Identified,
    others: impl Iterator<Item = &'a Entry>,
    facts: &Facts<'_>,
) -> Option<Nearest> {
    let found = others.filter_map(|entry| compared(scope, one, entry, facts));
    // The earlier entry of two that are as near.
    found.max_by(|left, right| left.score.total_cmp(&right.score).then(right.entry.cmp(&left.entry)))
}

fn compared(scope: &Scope, one: &Identified, entry: &Entry, facts: &Facts<'_>) -> Option<Nearest> {
    // The strongest key that both have.
    let (key, sharing) =
        one.keys().find_map(|key| Some((key, entry.sightings.iter().find(|it| it.keys.contains(&key))?)))?;
    let what = match key.kind {
        KeyKind::Guid => "guid",
        KeyKind::Url => "address",
        KeyKind::Content => "text",
    };
    let nearest = |sighting, score, why: String| Nearest {
        entry: entry.seq,
        sighting,
        score,
        verdict: format!("the same {what}, but {why}"),
    };
    Some(match join(scope, one, entry, key, facts) {
        Ok(join) => {
            let why = "both were published when this was found, and published entries are never made one";
            let verdict = format!("{}, but {why}", join.evidence);
            Nearest { entry: entry.seq, sighting: sharing.seq, score: join.score, verdict }
        }
        Err(Apart::SameSource) => {
            let why =
                format!("it holds another one of {}, and what one source tells apart stays apart", scope.as_str());
            nearest(sharing.seq, 0.0, why)
        }
        Err(Apart::LocalGuid) => {
            nearest(sharing.seq, 0.0, "a guid of this form means something within its own source only".to_owned())
        }
        Err(Apart::SwitchedOff) => {
            nearest(sharing.seq, 0.0, format!("merging by {what} is switched off for one of the two sources"))
        }
        Err(Apart::Unlike { with, measures }) => {
            let score = measures.iter().map(|measure| measure.score).fold(0.0, f32::max);
            nearest(with, score, unlike(&measures))
        }
    })
}

fn unlike(measures: &[Measure]) -> String {
    if measures.is_empty() {
        return "there is neither title nor text to compare".to_owned();
    }
    let told: Vec<String> = measures.iter().map(told).collect();
    format!("{}; a remark on a page is not the page", told.join(" and "))
}

fn told(measure: &Measure) -> String {
    let Measure { of, score, needed } = measure;
    match needed {
        Some(needed) => {
            format!("the {of}s have {score:.2} of the shorter one in common, of {needed:.2} that are needed")
        }
        None => format!("the {of}s differ, and are too short to be compared otherwise"),
    }
}
