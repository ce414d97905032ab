//! What holds for every dialect: bounds, no empty values, no absurd dates, nothing twice within an entry.

use std::collections::HashSet;

use chrono::TimeDelta;

use crate::model::Timestamp;
use crate::model::document::{About, Observation, Parsed, Particulars};
use crate::text;

/// Most entries of one document.
const ENTRIES: usize = 5_000;
/// Most categories, authors and enclosures of one entry.
const LIST: usize = 50;
/// Longest text of one line that is kept of what a feed says of itself or of another, in bytes.
const LINE: usize = 500;
/// Longest description of a feed, in bytes.
const DESCRIPTION: usize = 2_000;
/// Most notes that are kept.
const NOTES: usize = 50;

pub(super) fn finish(parsed: &mut Parsed, now: Timestamp) {
    let before = parsed.observations.len();
    if before > ENTRIES {
        parsed.notes.push(format!("of {before} entries only the first {ENTRIES} were read"));
        parsed.observations.truncate(ENTRIES);
    }
    describe(&mut parsed.header.about);
    let mut absurd = 0_usize;
    let language = parsed.header.about.language.as_deref().map(str::trim).filter(|tag| !tag.is_empty());
    for observation in &mut parsed.observations {
        absurd += bounded(observation, now);
        // What a feed says of itself holds for its entries.
        if observation.language.is_none() {
            observation.language = language.map(str::to_owned);
        }
    }
    if absurd > 0 {
        parsed.notes.push(format!("{absurd} dates before 1970 or more than a day ahead were left out"));
    }
    if parsed.notes.len() > NOTES {
        let more = parsed.notes.len() - NOTES;
        parsed.notes.truncate(NOTES);
        parsed.notes.push(format!("and {more} more oddities"));
    }
}

fn describe(about: &mut About) {
    for (text, longest) in
        [(&mut about.description, DESCRIPTION), (&mut about.rights, LINE), (&mut about.language, LINE)]
    {
        shorten(text, longest);
    }
    // A part of a name is another name.
    about.id = about.id.take().filter(|id| id.len() <= LINE);
    distinct(&mut about.authors, |author| {
        author.name = author.name.trim().to_owned();
        (!author.name.is_empty()).then(|| author.name.clone())
    });
    distinct(&mut about.categories, |category| (!category.is_empty()).then(|| category.clone()));
}

fn shorten(text: &mut Option<String>, longest: usize) {
    if let Some(long) = text.as_mut().filter(|text| text.len() > longest) {
        *long = text::beginning(long, longest).to_owned();
    }
}

fn particular(particulars: &mut Particulars) {
    distinct(&mut particulars.related, |related| Some(format!("{} {}", related.kind.name(), related.url)));
    if let Some(origin) = &mut particulars.origin {
        shorten(&mut origin.title, LINE);
        origin.id = origin.id.take().filter(|id| id.len() <= LINE);
        origin.updated = origin.updated.filter(|date| *date > Timestamp::UNIX_EPOCH);
    }
}

/// How many dates had to go.
fn bounded(observation: &mut Observation, now: Timestamp) -> usize {
    let latest = now + TimeDelta::days(1);
    let mut dropped = 0;
    for date in [&mut observation.published, &mut observation.updated] {
        if date.is_some_and(|date| date <= Timestamp::UNIX_EPOCH || date > latest) {
            *date = None;
            dropped += 1;
        }
    }
    distinct(&mut observation.categories, |category| {
        *category = category.trim().to_owned();
        (!category.is_empty()).then(|| category.clone())
    });
    distinct(&mut observation.authors, |author| {
        author.name = author.name.trim().to_owned();
        (!author.name.is_empty()).then(|| author.name.clone())
    });
    distinct(&mut observation.enclosures, |enclosure| {
        enclosure.length = enclosure.length.filter(|length| *length > 0);
        Some(enclosure.url.to_string())
    });
    particular(&mut observation.particulars);
    observation.language = observation.language.take().map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty());
    dropped
}

/// Keeps the first of what has the same name, and nothing without one.
fn distinct<T>(list: &mut Vec<T>, name: impl Fn(&mut T) -> Option<String>) {
    let mut met = HashSet::new();
    let mut kept = Vec::new();
    for mut item in list.drain(..) {
        if name(&mut item).is_some_and(|name| met.insert(name)) && kept.len() < LIST {
            kept.push(item);
        }
    }
    *list = kept;
}
