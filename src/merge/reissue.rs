//! Entries of a source's last document that it shows again under other names.
//!
//! What left the document in this very poll is compared with what came: by title, text, time, and place on the site. When most of the
//! old names left at once and most of what is behind them is there again word for word, the source has changed its names as a
//! whole, with a new host, a new program, or new dates. Then neither time nor address contradicts any more.

use std::collections::{HashMap, HashSet};

use crate::merge::agree;
use crate::merge::canonical;
use crate::merge::decide::{Arrival, Facts, Known};
use crate::merge::edits;
use crate::merge::identify::Identified;
use crate::model::entry::{Entry, Key, KeyKind, Seq, Sighting};
use crate::text;

/// Fewer names that change at once may be a template that tells the same every day.
const LEAST: usize = 5;
/// Candidates that are compared for one observation, and texts that are read for it.
const CANDIDATES: usize = 64;
const TEXTS: usize = 8;
/// Least share of the words of both texts that they have in common when one is the other, changed a little.
const OVERLAP: f32 = 0.6;
/// The same for the word runs of texts that are long enough to have content keys.
const CONTAINMENT: f32 = 0.8;

/// Where a sighting is found: its entry, and its index there.
type Found = (Seq, usize);

/// What left, by what can be seen of it.
#[derive(Default)]
pub struct Departed {
    by_reading: HashMap<[u8; 16], Vec<Found>>,
    by_title: HashMap<String, Vec<Found>>,
    by_place: HashMap<String, Vec<Found>>,
    is_mass: bool,
}

/// How the texts of two versions compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wording {
    Same,
    /// One is the other, changed a little.
    Near,
    Other,
}

impl Departed {
    /// Looks through what left, and whether it was a mass.
    pub fn of(arrival: &Arrival, seen: &[Identified], known: &Known, facts: &Facts<'_>) -> Self {
        let mut departed = Self::default();
        for seq in &known.departed {
            let Some(entry) = known.entries.get(seq) else { continue };
            for (index, sighting) in entry.sightings.iter().enumerate() {
                if is_free(arrival, sighting) {
                    departed.add((*seq, index), sighting);
                }
            }
        }
        departed.is_mass = departed.is_found_again(arrival, seen, known, facts);
        departed
    }

    fn add(&mut self, found: Found, sighting: &Sighting) {
        self.by_reading.entry(sighting.reading).or_default().push(found);
        if let Some(title) = sighting.title.as_deref().map(folded).filter(|title| !title.is_empty()) {
            self.by_title.entry(title).or_default().push(found);
        }
        for place in places(sighting.url.as_ref(), sighting.guid.as_ref().map(|guid| guid.value.as_str())) {
            let there = self.by_place.entry(place).or_default();
            // Address and guid may be the same.
            if there.last() != Some(&found) {
                there.push(found);
            }
        }
    }

    /// Whether most of the old names left at once, and most of what they named is there again.
    fn is_found_again(&self, arrival: &Arrival, seen: &[Identified], known: &Known, facts: &Facts<'_>) -> bool {
        let gone = self.by_reading.values().map(Vec::len).sum::<usize>() + known.renamed;
        if gone < LEAST || gone * 2 <= known.names_before {
            return false;
        }
        let fresh: Vec<&Identified> = seen.iter().filter(|one| !is_named(arrival, one.own, known)).collect();
        let enough = (gone.min(fresh.len() + known.renamed) / 2 + 1).max(LEAST);
        let assumed = Look { arrival, known, facts, is_mass: true };
        let mut taken = HashSet::new();
        let mut again = known.renamed;
        for one in fresh {
            if again >= enough {
                break;
            }
            if let Some(found) = self.look(&assumed, one, &taken) {
                taken.insert(found);
                again += 1;
            }
        }
        again >= enough
    }

    /// Whether the source has changed its names as a whole.
    pub fn is_mass(&self) -> bool {
        self.is_mass
    }

    /// The sighting that an observation under a new name is.
    pub fn find(&self, arrival: &Arrival, one: &Identified, known: &Known, facts: &Facts<'_>) -> Option<Found> {
        self.look(&Look { arrival, known, facts, is_mass: self.is_mass }, one, &HashSet::new())
    }

    fn look(&self, look: &Look<'_>, one: &Identified, taken: &HashSet<Found>) -> Option<Found> {
        let title = one.observation.title.as_deref().map(folded).filter(|title| !title.is_empty());
        let guid = one.observation.guid.as_ref().map(|guid| guid.value.as_str());
        let url = one.observation.url.as_ref().filter(|_| one.url.is_some());
        let places: Vec<String> = places(url, guid).collect();
        let alike = [self.by_reading.get(&one.reading), title.as_ref().and_then(|title| self.by_title.get(title))];
        // An address that several share names none of them.
        let there = places.iter().map(|place| self.by_place.get(place).filter(|found| found.len() == 1));
        let mut met = HashSet::new();
        let mut candidates: Vec<Candidate<'_>> = Vec::new();
        for found in alike.into_iter().chain(there).flatten() {
            let free = found.iter().filter(|found| !taken.contains(*found) && met.insert(**found));
            let free = free.filter_map(|found| {
                let is_there = |place: &String| self.by_place.get(place).is_some_and(|there| there == &[*found]);
                look.candidate(*found, one, title.as_deref(), places.iter().any(is_there))
            });
            candidates.extend(free.take(CANDIDATES));
        }
        // Texts are read for the likeliest alone.
        candidates.sort_by_key(|it| {
            (it.wording.is_none(), !it.same_title, it.same_time == Some(false), !it.same_place, it.found)
        });
        let mut texts = 0;
        candidates.iter().find(|candidate| look.admits(candidate, one, &mut texts)).map(|candidate| candidate.found)
    }
}

/// A sighting that an observation may be.
struct Candidate<'a> {
    found: Found,
    sighting: &'a Sighting,
    same_title: bool,
    /// `None` where one of them claims no time.
    same_time: Option<bool>,
    same_place: bool,
    /// As far as hashes tell; `None` when the texts have to be read.
    wording: Option<Wording>,
}

/// One look at what left.
struct Look<'a> {
    arrival: &'a Arrival,
    known: &'a Known,
    facts: &'a Facts<'a>,
    is_mass: bool,
}

impl<'a> Look<'a> {
    fn candidate(
        &self,
        found: Found,
        one: &Identified,
        title: Option<&str>,
        same_place: bool,
    ) -> Option<Candidate<'a>> {
        let entry: &'a Entry = self.known.entries.get(&found.0)?;
        let sighting = entry.sightings.get(found.1).filter(|sighting| is_free(self.arrival, sighting))?;
        if is_another_file(one, sighting) {
            return None;
        }
        let own = sighting.title.as_deref().map(folded).filter(|title| !title.is_empty());
        let is_same =
            sighting.reading == one.reading || one.content.is_some_and(|content| sighting.keys.contains(&content));
        let times = one.observation.published.zip(sighting.published);
        Some(Candidate {
            found,
            sighting,
            same_title: own.as_deref() == title,
            same_time: times.map(|(one, other)| one == other),
            same_place,
            wording: is_same.then_some(Wording::Same),
        })
    }

    fn admits(&self, candidate: &Candidate<'_>, one: &Identified, texts: &mut usize) -> bool {
        let Candidate { same_title, same_time, same_place, .. } = *candidate;
        let is_backed = same_time == Some(true) || self.is_mass;
        // Nothing that the texts may say would be enough.
        if !(is_backed || (same_title && same_place)) || !(same_title || same_place) {
            return false;
        }
        let wording = candidate.wording.unwrap_or_else(|| {
            *texts += 1;
            if *texts > TEXTS { Wording::Other } else { wording(one, candidate.sighting, self.facts) }
        });
        let says = !one.told().is_empty();
        match wording {
            // Two that say nothing are told apart by where they lie alone.
            Wording::Same if same_title => says || one.observation.title.is_some() || (is_backed && same_place),
            Wording::Same => says && is_backed,
            Wording::Near => is_backed && (self.is_mass || same_place),
            Wording::Other => false,
        }
    }
}

fn is_another_file(one: &Identified, sighting: &Sighting) -> bool {
    let file = |list: &[crate::model::document::Enclosure]| list.first().map(|it| it.url.path().to_owned());
    file(&one.observation.enclosures).zip(file(&sighting.enclosures)).is_some_and(|(one, other)| one != other)
}

/// Whether a sighting of the source has no name any more in the document.
fn is_free(arrival: &Arrival, sighting: &Sighting) -> bool {
    sighting.source == arrival.scope
        && !sighting.keys.iter().any(|key| key.kind == KeyKind::Guid && arrival.document.contains(key))
}

/// Whether a sighting of the source is called so.
fn is_named(arrival: &Arrival, own: Key, known: &Known) -> bool {
    let entries = known.by_key.get(&own).into_iter().flatten().filter_map(|seq| known.entries.get(seq));
    entries.flat_map(|entry| &entry.sightings).any(|it| it.source == arrival.scope && it.keys.first() == Some(&own))
}

fn folded(title: &str) -> String {
    text::words(title).join(" ")
}

/// Where an observation lies on its site, by its address and by a guid that is one.
fn places(url: Option<&url::Url>, guid: Option<&str>) -> impl Iterator<Item = String> {
    let guid = guid.filter(|guid| guid.contains("://")).and_then(|guid| url::Url::parse(guid).ok());
    [url.and_then(canonical::place), guid.as_ref().and_then(canonical::place)].into_iter().flatten()
}

fn wording(one: &Identified, sighting: &Sighting, facts: &Facts<'_>) -> Wording {
    let (new, old) = (one.told(), sighting.text.and_then(|name| (facts.text)(name)).unwrap_or_default());
    if edits::is_trivial_in_text(&old, &new) {
        return Wording::Same;
    }
    if is_near(&text::words(&old), &text::words(&new)) { Wording::Near } else { Wording::Other }
}

fn is_near(old: &[String], new: &[String]) -> bool {
    if old.len().min(new.len()) >= crate::merge::identify::CONTENT_WORDS {
        return agree::contained(old, new) >= CONTAINMENT;
    }
    let numbers = |words: &[String]| -> Vec<String> {
        words.iter().filter(|word| word.bytes().any(|byte| byte.is_ascii_digit())).cloned().collect()
    };
    // Short texts of one template differ in nothing but their numbers.
    if numbers(old) != numbers(new) {
        return false;
    }
    let (old, new): (HashSet<&String>, HashSet<&String>) = (old.iter().collect(), new.iter().collect());
    let (both, all) = (old.intersection(&new).count(), old.union(&new).count());
    all > 0 && agree::share(both, all) >= OVERLAP
}
