//! Why is it here, or why not? What is stored → an account that people can follow. Everything in it is bounded, since readers may ask.

mod entry;
mod feeds;
mod sources;
#[cfg(test)]
mod tests;

use crate::merge::canonical::canonical;
use crate::merge::identify;
use crate::merge::nearest::Nearest;
use crate::merge::present;
use crate::model::Timestamp;
use crate::model::access::Audience;
use crate::model::entry::{Entry, PublicId, Seq, Sighting};
use crate::published::why::{Account, Asked, MissingAccount, Moment, NoFeed, OtherEntry, Question, RemovedAccount};
use crate::select::catalogue::Catalogue;
use crate::select::visible::visible;
use crate::store::engine::StoreError;
use crate::store::entries::Store;
use crate::store::tombstone::Tombstone;

/// Most entries that share something and are looked at, or told.
const OTHERS: usize = 10;

/// What an account is made from.
pub struct Known<'a> {
    pub store: &'a Store,
    pub catalogue: &'a Catalogue,
    /// Matters to relative times only.
    pub now: Timestamp,
    /// The entry that comes nearest to a sighting without being joined with it, for whoever knows more than [`by_keys`].
    pub nearest: &'a FindNearest<'a>,
}

/// Looks for the entry that comes nearest to one of an entry's sightings, among all others.
pub type FindNearest<'a> = dyn Fn(&Known<'_>, &Entry, &Sighting) -> Result<Option<Nearest>, StoreError> + 'a;

pub use entry::by_keys;
pub use feeds::named;

/// Answers a question.
///
/// # Errors
/// When the store cannot be read.
pub fn explain(known: &Known<'_>, question: &Question) -> Result<Account, StoreError> {
    let catalogue = known.catalogue.of(question.audience);
    if question.audience == Audience::Full || catalogue.is_partial() {
        return answer(&Known { catalogue, ..*known }, question);
    }
    answer(&Known { catalogue: &catalogue.partial(), ..*known }, question)
}

fn answer(known: &Known<'_>, question: &Question) -> Result<Account, StoreError> {
    let feed = match question.feed.as_deref().map(|feed| named(known.catalogue, feed)) {
        None => None,
        Some(Ok(feed)) => Some(feed),
        Some(Err(text)) => return Ok(Account::NoFeed(NoFeed { text })),
    };
    let found = match &question.asked {
        Asked::Id(id) => with_id(known, *id)?,
        Asked::Address(url) => match own_page(known.catalogue, url) {
            Some(id) => with_id(known, id)?,
            None => at_address(known, url)?,
        },
    };
    Ok(match found {
        Found::Entry { entry, others, given_up } => {
            let mut account = entry::account(known, &entry, feed.as_ref())?;
            account.given_up = given_up.map(|id| id.to_string());
            account.others = others;
            Account::Entry(Box::new(account))
        }
        Found::Removed(id, tombstone) => Account::Removed(removed(&question.asked, id, tombstone)),
        Found::Nothing => match &question.asked {
            Asked::Id(id) => Account::NeverSeen(unknown_id(*id)),
            Asked::Address(url) => Account::NeverSeen(sources::missing(known, url)?),
        },
    })
}

enum Found {
    Entry {
        entry: Entry,
        others: Vec<OtherEntry>,
        given_up: Option<PublicId>,
    },
    /// The entry had this id.
    Removed(PublicId, Tombstone),
    Nothing,
}

/// An entry as it may be told.
fn read(known: &Known<'_>, seq: Seq) -> Result<Option<Entry>, StoreError> {
    let entry = known.store.entry(seq)?;
    Ok(match entry {
        Some(entry) if known.catalogue.is_partial() => visible(entry, known.catalogue).map(|seen| seen.entry),
        entry => entry,
    })
}

/// Whether it may be told that something was here: nobody knows any more which source it was of.
fn tells_removed(known: &Known<'_>) -> bool {
    !known.catalogue.is_partial() || known.catalogue.config.access.private.is_empty()
}

fn with_id(known: &Known<'_>, id: PublicId) -> Result<Found, StoreError> {
    let stored = |id| match known.store.entry_with_id(id)? {
        Some(seq) => read(known, seq),
        None => Ok(None),
    };
    let found = |entry: Entry| {
        let given_up = Some(id).filter(|id| *id != entry.id);
        Found::Entry { entry, others: Vec::new(), given_up }
    };
    if let Some(entry) = stored(id)? {
        return Ok(found(entry));
    }
    let Some(tombstone) = known.store.removed_id(id)? else { return Ok(Found::Nothing) };
    // Its sighting went, and the entry may have others.
    Ok(match stored(tombstone.id)? {
        Some(entry) => found(entry),
        None if tells_removed(known) => Found::Removed(tombstone.id, tombstone),
        None => Found::Nothing,
    })
}

/// The id in the address of an entry's page, if it is one of ours.
fn own_page(catalogue: &Catalogue, url: &url::Url) -> Option<PublicId> {
    if url.origin() != catalogue.base.origin() {
        return None;
    }
    let name = url.path().strip_prefix(catalogue.base.path())?.strip_prefix("entries/")?;
    PublicId::read(name.strip_suffix(".json").unwrap_or(name))
}

fn at_address(known: &Known<'_>, url: &url::Url) -> Result<Found, StoreError> {
    let keys = identify::keys_of(url);
    let mut entries: Vec<Entry> = Vec::new();
    for key in &keys {
        for seq in known.store.sharing(*key)? {
            if !entries.iter().any(|entry| entry.seq == seq)
                && let Some(entry) = read(known, seq)?
                && entry.sightings.iter().any(|sighting| sighting.keys.contains(key) || !known.catalogue.is_partial())
            {
                entries.push(entry);
            }
        }
    }
    // First those that are at this address now, not only once.
    let wanted = canonical(url);
    let is_at = |sighting: &Sighting| sighting.url.as_ref().is_some_and(|url| canonical(url) == wanted);
    entries.sort_by_key(|entry| (!entry.sightings.iter().any(is_at), entry.seq));
    let mut entries = entries.into_iter();
    if let Some(entry) = entries.next() {
        let others = entries.take(OTHERS).map(|entry| other(known.catalogue, &entry)).collect();
        return Ok(Found::Entry { entry, others, given_up: None });
    }
    for key in keys.into_iter().filter(|_| tells_removed(known)) {
        if let Some(tombstone) = known.store.removed_key(key)? {
            return Ok(Found::Removed(tombstone.id, tombstone));
        }
    }
    Ok(Found::Nothing)
}

fn removed(asked: &Asked, id: PublicId, tombstone: Tombstone) -> RemovedAccount {
    let asked = match asked {
        Asked::Id(id) => id.to_string(),
        Asked::Address(url) => url.to_string(),
    };
    let text = format!(
        "It was here, and was removed on {}: the documents of its sources no longer showed it for as long as `keep` says, or a source \
         had more than `keep_entries`. It does not return as new.",
        tombstone.since.format("%Y-%m-%d")
    );
    RemovedAccount { id: id.to_string(), asked, removed: Moment(tombstone.since), text }
}

fn unknown_id(id: PublicId) -> MissingAccount {
    let text =
        "No entry has or had this id. It may be of another feedmill, or its entry was removed more than 400 days ago; \
                `feedmill why` with the entry's address tells which sources could have brought it."
            .to_owned();
    MissingAccount { asked: id.to_string(), text, sources: Vec::new() }
}

fn other(catalogue: &Catalogue, entry: &Entry) -> OtherEntry {
    let shown = present::shown(entry, &catalogue.standing).unwrap_or(&entry.sightings[0]);
    OtherEntry {
        id: entry.id.to_string(),
        page: page(catalogue, entry.id),
        title: shown.title.clone(),
        sources: entry.sightings.iter().take(OTHERS).map(|it| source_name(catalogue, it)).collect(),
    }
}

/// The address of an entry's page.
fn page(catalogue: &Catalogue, id: PublicId) -> String {
    format!("{}entries/{}", catalogue.base, id.bare())
}

/// The key of a sighting's source; its scope, when it is no longer declared.
fn source_name(catalogue: &Catalogue, sighting: &Sighting) -> String {
    let standing = catalogue.standing.sources.get(&sighting.source);
    standing.map_or_else(|| sighting.source.as_str().to_owned(), |source| source.key.to_string())
}

/// The source of one of an entry's sightings.
fn source_of(catalogue: &Catalogue, entry: &Entry, seq: Seq) -> Option<String> {
    entry.sightings.iter().find(|sighting| sighting.seq == seq).map(|sighting| source_name(catalogue, sighting))
}
