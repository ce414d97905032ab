//! `feedmill plan`

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use crate::cli::{check, line, trial};
use crate::clock;
use crate::config::Config;
use crate::daemon::control::Question;
use crate::daemon::settings::{Fault, Settings};
use crate::rehearsal::plan::Planning;
use crate::rehearsal::report::{Asked, Changes, Differing, Fate, FeedChange, Group, GroupKind, Plan, Told};
use crate::rehearsal::{self, Present};

/// What is to be planned.
pub(super) struct Wanted<'a> {
    /// The changed file; the one that `--config` names without it.
    pub(super) file: Option<&'a Path>,
    pub(super) json: bool,
    pub(super) all: bool,
}

pub(super) async fn run(settings: &Settings, wanted: &Wanted<'_>) -> anyhow::Result<ExitCode> {
    // A changed copy is read as if it stood in the place of the file, so that relative paths mean the same.
    let named =
        Settings { path: wanted.file.unwrap_or(&settings.path).to_owned(), variables: settings.variables.clone() };
    let text = named.text()?;
    let config = match settings.check(&text) {
        Ok(config) => config,
        Err(problems) if wanted.json => {
            line(&check::as_json(&Err(problems)).to_string())?;
            return Ok(ExitCode::from(2));
        }
        Err(problems) => return Err(named.told(&problems).into()),
    };
    let present = wanted.file.map(|_| settings.read());
    let store = match &present {
        Some(Ok(present)) => present.store.clone(),
        _ => config.store.clone(),
    };
    let asked = trial::asked(settings, text, wanted.all)?;
    let bar = trial::bar("entries");
    let mut found = Found::default();
    let mut each = |told| {
        match told {
            Told::Progress(progress) => {
                bar.set_length(progress.of);
                bar.set_position(progress.done);
            }
            Told::Entry(entry) => found.entries.push(*entry),
            Told::Group(group) => found.groups.push(*group),
            Told::Plan(plan) => found.plan = *plan,
            Told::Pair(_) | Told::Replay(_) => {}
        }
        Ok(())
    };
    if !trial::by_daemon(&store.path, &Question::Plan(asked.clone()), &mut each).await? {
        let store_of = Config { store, ..config };
        trial::here(planning(settings, &store_of, present, &asked)?, &mut each)?;
    }
    bar.finish_and_clear();
    if wanted.json {
        line(&found.as_json()?)?
    } else {
        found.show()?
    }
    Ok(ExitCode::SUCCESS)
}

/// The work without a daemon. `store_of` names the store.
fn planning(
    settings: &Settings,
    store_of: &Config,
    present: Option<Result<Config, Fault>>,
    asked: &Asked,
) -> anyhow::Result<Planning> {
    let store = trial::store(store_of)?;
    let path = store_of.store.path.display();
    let mut compared_with = match (&store, &present) {
        (None, _) => format!("nothing, since there is no store in {path} yet"),
        (Some(_), None) => format!(
            "what the store in {path} was last used for, since no daemon runs; to compare two files: feedmill plan CHANGED --config PRESENT"
        ),
        (Some(_), Some(_)) => settings.path.display().to_string(),
    };
    let store = store.unwrap_or_else(rehearsal::nothing);
    let present: Option<Present> = match present {
        Some(present) => Some(rehearsal::present(&store, present?)?),
        None => None,
    };
    if present.is_some() && !store_of.store.path.exists() {
        compared_with = format!("{}; there is no store in {path} yet", settings.path.display());
    }
    // What the daemon would have read of it: without secrets.
    let config = asked.config().map_err(|problems| settings.told(&problems))?;
    Ok(Planning::new(&store, config, present.as_ref(), compared_with, clock::now(), asked.all)?)
}

/// What was told.
#[derive(Default)]
struct Found {
    entries: Vec<Differing>,
    groups: Vec<Group>,
    plan: Plan,
}

impl Found {
    fn as_json(&self) -> anyhow::Result<String> {
        let mut value = serde_json::to_value(&self.plan)?;
        value["good"] = json!(true);
        value["entries_that_differ"] = serde_json::to_value(&self.entries)?;
        value["groups"] = serde_json::to_value(&self.groups)?;
        Ok(value.to_string())
    }

    fn show(&self) -> anyhow::Result<()> {
        let Plan { compared_with, notes, sources, topics, feeds, .. } = &self.plan;
        line(&format!("compared with {compared_with}:"))?;
        changes("source", sources, ": what it brought is kept for its time, and not shown")?;
        changes("topic", topics, "")?;
        notes.iter().try_for_each(|note| line(&format!("  note: {note}")))?;
        if self.plan.removed_sightings > 0 {
            line(&format!("  {} copies would be removed for good (keep, keep_entries)", self.plan.removed_sightings))?;
        }
        if self.plan.is_empty() {
            return line("  no feed would change");
        }
        self.groups()?;
        let mut by_feed: BTreeMap<&str, Vec<&Differing>> = BTreeMap::new();
        for entry in &self.entries {
            by_feed.entry(&entry.feed).or_default().push(entry);
        }
        if feeds.is_empty() {
            line("  no entry would appear or vanish")?;
        }
        for change in feeds {
            feed(change, by_feed.get(change.feed.as_str()).map_or(&[], Vec::as_slice))?;
        }
        line("nothing was changed")
    }

    fn groups(&self) -> anyhow::Result<()> {
        let Plan { merge, part, .. } = self.plan;
        for (kind, count, what) in [
            (GroupKind::Merge, merge, "would each be one of several that are now"),
            (GroupKind::Part, part, "would each be several"),
        ] {
            if count == 0 {
                continue;
            }
            line(&format!("  {count} entries {what}:"))?;
            let of_kind: Vec<&Group> = self.groups.iter().filter(|group| group.kind == kind).collect();
            for group in &of_kind {
                line(&format!("    [{}] in {}", group.sources.join(", "), group.feeds.join(", ")))?;
                for (id, title) in group.ids.iter().zip(&group.titles) {
                    line(&format!("      {}  {id}", trial::title(title.as_deref())))?;
                }
            }
            more(count, of_kind.len())?;
        }
        Ok(())
    }
}

fn changes(what: &str, changes: &Changes, when_removed: &str) -> anyhow::Result<()> {
    changes.added.iter().try_for_each(|key| line(&format!("  + {what} {key}")))?;
    changes.removed.iter().try_for_each(|key| line(&format!("  - {what} {key}{when_removed}")))?;
    changes.changed.iter().try_for_each(|it| line(&format!("  ~ {what} {}: {}", it.key, it.what.join(", "))))
}

fn feed(change: &FeedChange, entries: &[&Differing]) -> anyhow::Result<()> {
    let FeedChange { feed, appears, vanishes, shown_differently } = change;
    line(&format!("  {feed}: {appears} would appear, {vanishes} vanish, {shown_differently} be shown differently"))?;
    for (fate, sign, count) in [
        (Fate::Appears, '+', *appears),
        (Fate::Vanishes, '-', *vanishes),
        (Fate::ShownDifferently, '~', *shown_differently),
    ] {
        let of_fate: Vec<&&Differing> = entries.iter().filter(|entry| entry.fate == fate).collect();
        for entry in &of_fate {
            let (title, sources) = (trial::title(entry.title.as_deref()), entry.sources.join(", "));
            line(&format!("    {sign} {title}  [{sources}]  {}", entry.id))?;
        }
        more(count, of_fate.len())?;
    }
    Ok(())
}

fn more(count: u64, told: usize) -> anyhow::Result<()> {
    let left = count.saturating_sub(told as u64);
    if left > 0 { line(&format!("      and {left} more (--all shows them)")) } else { Ok(()) }
}
