//! A fetched document → what the committer needs, made on the pollers' side: parsed, recognised, sifted, compressed.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::merge::alike;
use crate::merge::decide::Arrival;
use crate::merge::identify::{self, Identified};
use crate::model::Timestamp;
use crate::model::document::{Header, Observation, Parsed};
use crate::model::entry::TextDigest;
use crate::model::source::{Scope, SourceKey};
use crate::parse;
use crate::poll::retention::Moves;
use crate::poll::window::Looked;
use crate::schedule::Rhythm;
use crate::store::record;
use crate::store::source::{DocumentFacts, SourceState};

/// Publishing times remembered for learning a source's rate.
const TIMES: usize = 20;

/// Hashes of the document before it that a document which is cut off takes along.
const LAST_DOCUMENT: usize = 10_000;

/// One document, ready to be decided on.
#[derive(Clone)]
pub struct Prepared {
    pub key: SourceKey,
    pub arrival: Arrival,
    /// What is new or changed against the source's last document.
    pub seen: Vec<Identified>,
    /// Compressed raw fragments.
    pub texts: Vec<(TextDigest, Vec<u8>)>,
    /// Of everything in the document, for the next comparison: what it looks like, and what its source calls it.
    pub hashes: Arc<Vec<[u8; 16]>>,
    /// Against the source's last document.
    pub moves: Moves,
    /// How many names that document had.
    pub names_before: usize,
    /// The source as it will be remembered when this is committed.
    pub state: SourceState,
    /// The document is not cut off.
    pub is_complete: bool,
    /// What its observations are nearly the same as, as far as that was known when it was read.
    pub looked: Looked,
}

/// A document as bytes, and what the poll before it left.
pub struct Fresh<'a> {
    pub key: &'a SourceKey,
    pub scope: &'a Scope,
    pub body: &'a [u8],
    pub content_type: Option<&'a str>,
    /// Its final address.
    pub base: Option<&'a Url>,
    pub last_document: &'a [[u8; 16]],
    pub state: SourceState,
    pub now: Timestamp,
}

/// Reads a document and keeps what is not known yet.
///
/// # Errors
/// When it is not a feed.
pub fn prepare(fresh: Fresh<'_>) -> Result<Prepared, parse::NotAFeed> {
    let Fresh { key, scope, body, content_type, base, last_document, mut state, now } = fresh;
    let Parsed { header, mut observations, mut notes, is_complete, .. } = parse::parse(body, content_type, base, now)?;
    let all = observations.len();
    observations.retain(Observation::says_something);
    let empty = all - observations.len();
    if empty > 0 {
        notes.push(format!("{empty} entries without guid, link, title and text were skipped"));
    }
    let mut times: Vec<Timestamp> = observations.iter().filter_map(|seen| seen.published.or(seen.updated)).collect();
    times.sort_unstable_by(|left, right| right.cmp(left));
    state.document = Some(DocumentFacts {
        at: now,
        entries: u32::try_from(observations.len()).unwrap_or(u32::MAX),
        oldest: times.last().copied(),
    });
    times.truncate(TIMES);
    state.facts.published = times;
    state.facts.rhythm = rhythm(&header);
    let site = learn(&mut state, header, notes);

    let all = identify::identify(scope, site.as_ref(), observations);
    let known: HashSet<&[u8; 16]> = last_document.iter().collect();
    let hashes: Vec<[u8; 16]> = all.iter().map(Identified::version).chain(all.iter().map(|one| one.own.hash)).collect();
    let hashes = if is_complete { hashes } else { with_rest(hashes, last_document) };
    let moves = Moves::between(last_document, &hashes);
    let document = all.iter().map(|one| one.own).collect();
    let is_new: Vec<bool> = hashes.iter().take(all.len()).map(|version| !known.contains(version)).collect();
    let sketches = alike::sketches(&all, &is_new);
    let new = all.into_iter().zip(sketches).zip(is_new).filter(|(_, is_new)| *is_new);
    let seen: Vec<Identified> = new.map(|((one, sketch), _)| Identified { sketch, ..one }).collect();
    let mut writer = record::TextWriter::default();
    let texts = seen.iter().filter_map(|one| Some((one.digest?, writer.write(one.summary(), one.content())))).collect();
    let arrival = Arrival { scope: scope.clone(), previous_poll: state.facts.last_success, now, document };
    // A version and a name for each entry.
    let names_before = last_document.len() / 2;
    Ok(Prepared {
        key: key.clone(),
        arrival,
        seen,
        texts,
        hashes: Arc::new(hashes),
        moves,
        names_before,
        state,
        is_complete,
        looked: Looked::default(),
    })
}

/// A document that is cut off shows no less than the one before it.
fn with_rest(mut hashes: Vec<[u8; 16]>, last_document: &[[u8; 16]]) -> Vec<[u8; 16]> {
    let shown: HashSet<[u8; 16]> = hashes.iter().copied().collect();
    hashes.extend(last_document.iter().filter(|hash| !shown.contains(*hash)).take(LAST_DOCUMENT));
    hashes
}

fn rhythm(header: &Header) -> Rhythm {
    let ttl = header.ttl_minutes.map(|minutes| Duration::from_secs(u64::from(minutes) * 60));
    Rhythm {
        every: ttl.max(header.period),
        quiet_hours: header.skip_hours.iter().fold(0, |bits, hour| bits | 1 << (hour % 24)),
        quiet_days: header.skip_days.iter().fold(0, |bits, day| bits | 1 << day.num_days_from_monday()),
    }
}

fn learn(state: &mut SourceState, header: Header, notes: Vec<String>) -> Option<Url> {
    let Header { title, url, about, .. } = header;
    state.title = title.or_else(|| state.title.take());
    state.site = url.or_else(|| state.site.take());
    state.about = about;
    state.notes = notes;
    state.site.clone()
}
