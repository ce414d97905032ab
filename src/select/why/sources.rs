//! Sources and how their polls went; and which of them would be likely to bring what nobody has seen.

use url::Url;

use crate::merge::canonical::{is_same_site, site_host};
use crate::model::source::{Location, SourceKey};
use crate::published::why::{DocumentAccount, MissingAccount, Moment, PollAccount, SourceAccount};
use crate::select::catalogue::without_secrets;
use crate::select::why::Known;
use crate::store::engine::StoreError;
use crate::store::source::{PastPoll, SourceState};
use crate::text::addresses;

/// Most sources that are proposed.
const LIKELY: usize = 10;

/// A declared source; `None` when there is none of this name.
pub(super) fn account(known: &Known<'_>, key: &SourceKey, why: &str) -> Result<Option<SourceAccount>, StoreError> {
    let Known { store, catalogue, .. } = known;
    let Some((source, scope)) = catalogue.source(key).zip(catalogue.scopes.get(key)) else { return Ok(None) };
    let state = store.source(scope)?.unwrap_or_default();
    let title = catalogue.standing.sources.get(scope).map_or_else(|| key.to_string(), |it| it.title.clone());
    let address = match &source.location {
        Location::Http(url) => without_secrets(url).to_string(),
        Location::File(path) => format!("file:{}", path.display()),
    };
    // What is remembered of another address is none of this one's.
    let state = if state.location == source.location.to_string() { state } else { SourceState::default() };
    Ok(Some(SourceAccount {
        source: key.to_string(),
        title,
        address,
        why: why.to_owned(),
        last_attempt: state.facts.last_attempt.map(Moment),
        last_success: state.facts.last_success.map(Moment),
        problem: state.problem.map(|problem| addresses::masked(&problem).into_owned()),
        document: state.document.map(|document| DocumentAccount {
            at: Moment(document.at),
            entries: document.entries,
            oldest: document.oldest.map(Moment),
        }),
        polls: state.polls.iter().rev().map(poll).collect(),
    }))
}

fn poll(poll: &PastPoll) -> PollAccount {
    let PastPoll { at, outcome, reason, entries, new, joined, updated } = poll;
    PollAccount {
        at: Moment(*at),
        outcome: outcome.name().to_owned(),
        reason: reason.as_deref().map(|reason| addresses::masked(reason).into_owned()),
        entries: *entries,
        new: *new,
        joined: *joined,
        updated: *updated,
    }
}

/// An address that no entry has, as far as the store remembers.
pub(super) fn missing(known: &Known<'_>, url: &Url) -> Result<MissingAccount, StoreError> {
    let mut likely: Vec<(usize, &SourceKey, &str)> = Vec::new();
    for source in known.catalogue.standing.sources.values() {
        let homes =
            [(source.site.as_ref(), "its site has the host"), (source.address.as_ref(), "it is polled at the host")];
        let same_host = |home: &&Url| site_host(home) == site_host(url) && site_host(url).is_some();
        let host = homes.iter().find(|(home, _)| home.as_ref().is_some_and(same_host));
        let site = || homes.iter().any(|(home, _)| home.is_some_and(|home| is_same_site(home, url)));
        match host {
            Some((_, why)) => likely.push((0, &source.key, *why)),
            None if site() => likely.push((1, &source.key, "it belongs to the same site")),
            None => {}
        }
    }
    likely.sort_unstable();
    let mut sources = Vec::new();
    for (_, key, why) in likely.into_iter().take(LIKELY) {
        sources.extend(account(known, key, why)?);
    }
    Ok(MissingAccount { asked: url.to_string(), text: text(url, &sources), sources })
}

fn text(url: &Url, sources: &[SourceAccount]) -> String {
    let host = site_host(url).unwrap_or_default();
    let seen = "No source has shown an entry at this address, in any spelling of it";
    if sources.is_empty() {
        return format!(
            "{seen}, and no declared source belongs to {host}. `feedmill add {host}` looks for a feed there. (An address that several \
             entries of one document share names none of them; then ask with an entry's id.)"
        );
    }
    format!(
        "{seen}. These sources could have brought it. An entry that came and went between two polls, or that is older than a source's \
         first document, was never in a document that we have read."
    )
}
