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
        KeyKind::Title => "title",
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
        Err(Apart::OtherPart { with }) => {
            nearest(with, 0.9, "the titles name different parts of one series".to_owned())
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
    format!("{}; a remark on a page is not the page", told.join("; "))
}

fn told(measure: &Measure) -> String {
    let Measure { of, score, needed } = measure;
    let words = if *of == "title" { "words" } else { "runs of three words" };
    match needed {
        Some(needed) => format!(
            "the {of}s share {:.0} % of the shorter one's {words}, and {:.0} % are needed",
            score * 100.0,
            needed * 100.0
        ),
        None => format!("the {of}s differ, and are too short to be compared by their words"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::identify::identify;
    use crate::model::Timestamp;
    use crate::model::document::{Guid, Observation, Particulars, RawHtml};
    use crate::model::entry::{Ground, PublicId, Sighting, TextName};
    use crate::model::source::Grounds;

    const TITLE: &str = "Leaders sign a mutual defense pact";
    const TEXT: &str = "Rescue teams reached the last village in the valley after five days of heavy rain";

    fn observation(guid: &str, title: &str, text: &str) -> Observation {
        Observation {
            guid: Some(Guid { value: guid.to_owned(), is_permalink: Some(false) }),
            url: "https://news.example/pact".parse().ok(),
            title: Some(title.to_owned()),
            content: Some(RawHtml(text.to_owned())),
            ..Observation::default()
        }
    }

    fn recognised(scope: &str, observation: Observation) -> Identified {
        identify(&Scope(scope.into()), None, vec![observation]).remove(0)
    }

    /// An entry with one sighting.
    fn stored(scope: &str, one: &Identified) -> Entry {
        let observation = &one.observation;
        let at = Timestamp::UNIX_EPOCH;
        let sighting = Sighting {
            seq: Seq(8),
            source: Scope(scope.into()),
            id: PublicId([7; 16]),
            first_seen: at,
            sort_at: at,
            changed: None,
            guid: observation.guid.clone(),
            url: observation.url.clone(),
            title: observation.title.clone(),
            published: None,
            authors: Vec::new(),
            categories: Vec::new(),
            enclosures: Vec::new(),
            language: None,
            particulars: Particulars::default(),
            text: one.digest.map(|digest| TextName::new(Seq(8), digest)),
            ground: Ground::First,
            score: 1.0,
            evidence: String::new(),
            matched: None,
            keys: one.keys().collect(),
            fingerprint: one.fingerprint,
            reading: one.reading,
        };
        let sightings = vec![sighting];
        Entry { seq: Seq(7), id: PublicId([7; 16]), first_seen: at, sightings, placements: Vec::new(), held: None }
    }

    /// What is said of a copy of `one` and another one that are two entries.
    fn verdict(one: (&str, Observation), other: (&str, Observation), grounds: Grounds) -> Option<(f32, String)> {
        let text = other.1.content.clone().map(|html| html.0);
        let stored = stored(other.0, &recognised(other.0, other.1));
        let facts = Facts { text: &|_| text.clone(), grounds: &|_| grounds, is_taken: &|_| false, rules: None };
        let found = by_keys(&Scope(one.0.into()), &recognised(one.0, one.1), [&stored].into_iter(), &facts)?;
        assert_eq!((found.entry, found.sighting), (Seq(7), Seq(8)));
        Some((found.score, found.verdict))
    }

    #[test]
    fn what_kept_two_apart_is_said() {
        let pact = || observation("1", TITLE, TEXT);
        let remark = observation(
            "2",
            "Is the pact of the leaders any good at all?",
            "Everybody should read this piece, and be it only for its length",
        );
        let no_address = Grounds { same_url: false, ..Grounds::default() };
        let all = Grounds::default();
        for (one, other, grounds, expected) in [
            (
                ("b", remark),
                ("a", pact()),
                all,
                "the same address, but the titles share 33 % of the shorter one's words, and 80 % are needed; the texts share 0 % of the shorter one's runs of three words, and 50 % are needed; a remark on a page is not the page",
            ),
            (
                ("b", observation("2", "Why?", "No.")),
                ("a", pact()),
                all,
                "the same address, but the titles differ, and are too short to be compared by their words; a remark on a page is not the page",
            ),
            (
                ("b", pact()),
                ("a", pact()),
                no_address,
                "the same address, but merging by address is switched off for one of the two sources",
            ),
            (
                ("a", observation("2", TITLE, TEXT)),
                ("a", pact()),
                all,
                "the same address, but it holds another one of a, and what one source tells apart stays apart",
            ),
            (
                ("b", pact()),
                ("a", pact()),
                all,
                "the same address as in a, and the title agrees (1.00), but both were published when this was found, and published entries are never made one",
            ),
        ] {
            let told = verdict(one, other, grounds).map(|(_, verdict)| verdict);
            assert_eq!(told.as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_shares_nothing_is_not_near() {
        let elsewhere = Observation { url: "https://other.example/".parse().ok(), ..observation("1", TITLE, TEXT) };
        assert_eq!(verdict(("b", elsewhere), ("a", observation("1", TITLE, TEXT)), Grounds::default()), None);
    }
}
