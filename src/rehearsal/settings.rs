//! What differs between two configurations, in the words of the file.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::config::{Config, Topic};
use crate::model::source::{Source, SourceKey};
use crate::rehearsal::report::{Changed, Changes};
use crate::select::catalogue::without_secrets;

/// Sources that come, go, and are declared otherwise. A source under a new name (`was`) is the same source.
pub(super) fn sources(before: &[Arc<Source>], after: &[Arc<Source>]) -> Changes {
    let find = |key: &SourceKey| before.iter().find(|source| source.key == *key);
    let earlier = |source: &Source| find(&source.key).or_else(|| source.was.iter().find_map(find));
    let mut changes = Changes::default();
    let mut met: BTreeSet<&SourceKey> = BTreeSet::new();
    for source in after {
        let Some(old) = earlier(source) else {
            changes.added.push(source.key.to_string());
            continue;
        };
        met.insert(&old.key);
        let what = of_source(old, source);
        if !what.is_empty() {
            changes.changed.push(Changed { key: source.key.to_string(), what });
        }
    }
    let gone = before.iter().filter(|source| !met.contains(&source.key));
    changes.removed.extend(gone.map(|source| source.key.to_string()));
    changes
}

/// Values that cannot be secrets are told, of all others only the name.
fn of_source(before: &Source, after: &Source) -> Vec<String> {
    let mut what = Vec::new();
    let mut name = |name: &str, differs: bool| {
        if differs {
            what.push(name.to_owned());
        }
    };
    let header_names = |source: &Source| source.headers.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let username = |source: &Source| source.credentials.as_ref().map(|it| it.username.clone());
    name(&format!("was {}", before.key), before.key != after.key);
    name("url", before.location != after.location);
    name("title", before.title != after.title);
    name("topics", before.topics != after.topics);
    name(&format!("priority {} → {}", before.priority, after.priority), before.priority != after.priority);
    name("merge", before.grounds != after.grounds || before.reissue_limit != after.reissue_limit);
    name("min_interval", before.min_interval != after.min_interval);
    name("max_interval", before.max_interval != after.max_interval);
    name("keep", before.keep != after.keep);
    name("keep_entries", before.keep_entries != after.keep_entries);
    name("full_text", before.full_text != after.full_text);
    name("username", username(before) != username(after));
    name("headers", header_names(before) != header_names(after));
    what
}

/// Topics that come, go, and are declared otherwise.
pub(super) fn topics(before: &[Topic], after: &[Topic]) -> Changes {
    let mut changes = Changes::default();
    for topic in after {
        let Some(old) = before.iter().find(|old| old.key == topic.key) else {
            changes.added.push(topic.key.to_string());
            continue;
        };
        let what = of_topic(old, topic);
        if !what.is_empty() {
            changes.changed.push(Changed { key: topic.key.to_string(), what });
        }
    }
    let gone = before.iter().filter(|old| !after.iter().any(|topic| topic.key == old.key));
    changes.removed.extend(gone.map(|topic| topic.key.to_string()));
    changes
}

fn of_topic(before: &Topic, after: &Topic) -> Vec<String> {
    let query = |topic: &Topic| topic.matches.as_ref().map(ToString::to_string);
    let mut what = Vec::new();
    if before.title != after.title {
        what.push("title".to_owned());
    }
    if query(before) != query(after) {
        what.push(query_change(query(before).as_deref(), query(after).as_deref()));
    }
    if before.per_source != after.per_source {
        what.push("per_source".to_owned());
    }
    if before.max_age != after.max_age {
        what.push("max_age".to_owned());
    }
    what
}

/// Queries are told as they are understood.
pub(super) fn query_change(before: Option<&str>, after: Option<&str>) -> String {
    let told = |query: Option<&str>| query.map_or_else(|| "none".to_owned(), |query| format!("'{query}'"));
    format!("match {} → {}", told(before), told(after))
}

/// What no list of entries shows.
pub(super) fn notes(before: &Config, after: &Config) -> Vec<String> {
    let mut notes = Vec::new();
    if before.store.path != after.store.path {
        let (old, new) = (before.store.path.display(), after.store.path.display());
        notes.push(format!(
            "[store] path would be {new} instead of {old}; that takes effect at the next start, which then begins with what is in {new}"
        ));
    }
    for (name, differs) in [
        ("[server] listen", before.server.listen != after.server.listen),
        ("[store] cache", before.store.cache_bytes != after.store.cache_bytes),
    ] {
        if differs {
            notes.push(format!("{name} takes effect at the next start"));
        }
    }
    for (name, differs) in [
        ("[server] public_url", before.server.public_url != after.server.public_url),
        ("[server] title", before.server.title != after.server.title),
        ("[server] media", before.server.media != after.server.media),
        ("[poll]", before.poll != after.poll),
    ] {
        if differs {
            notes.push(format!("{name} differs"));
        }
    }
    let differs = |old: &Arc<Source>| after.sources.iter().any(|new| new.key == old.key && new.grounds != old.grounds);
    if before.merging.window != after.merging.window || before.sources.iter().any(differs) {
        notes.push(
            "settings of merging hold for what comes from now on; `feedmill replay` shows what they would have done"
                .to_owned(),
        );
    }
    let rules = |one: &Config, other: &Config| {
        one.merging.rules.iter().filter(|rule| !other.merging.rules.contains(rule)).count()
    };
    let (come, go) = (rules(after, before), rules(before, after));
    if come + go > 0 {
        notes.push(format!("of [[merge]] and [[never_merge]] {come} rules come and {go} go"));
    }
    notes.extend(addresses(before, after));
    notes
}

/// Another address may be another feed.
fn addresses(before: &Config, after: &Config) -> Vec<String> {
    use crate::model::source::Location;
    let told = |location: &Location| match location {
        Location::Http(url) => without_secrets(url).to_string(),
        Location::File(path) => format!("file:{}", path.display()),
    };
    let mut notes = Vec::new();
    for source in &after.sources {
        let old = before.sources.iter().find(|old| old.key == source.key);
        if let Some(old) = old.filter(|old| old.location != source.location) {
            notes.push(format!(
                "{} is asked anew, at {} instead of {}",
                source.key,
                told(&source.location),
                told(&old.location)
            ));
        }
    }
    notes
}
