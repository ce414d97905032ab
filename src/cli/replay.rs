//! `feedmill replay`

use std::process::ExitCode;

use crate::cli::{line, trial};
use crate::config::overrides;
use crate::daemon::control::Question;
use crate::daemon::settings::{Fault, Settings};
use crate::rehearsal::replay::{LIMIT, Replaying};
use crate::rehearsal::report::{Pair, PairKind, Replay, Told};

pub(super) async fn run(settings: &Settings, set: &[String], json: bool, all: bool) -> anyhow::Result<ExitCode> {
    let text = settings.text()?;
    settings.check(&text).map_err(|problems| settings.told(&problems))?;
    let text = overrides::with_settings(&text, set).map_err(Fault)?;
    // The file is good, so what is wrong now is what was set.
    let config = settings.check(&text).map_err(|problems| {
        let told = |problem: &crate::config::Problem| {
            let help = problem.help.as_ref().map_or_else(String::new, |help| format!(" ({help})"));
            format!("--set: {}{help}", problem.what)
        };
        Fault(problems.iter().map(told).collect::<Vec<_>>().join("\n"))
    })?;
    let asked = trial::asked(settings, text, all)?;
    let bar = trial::bar("sightings");
    let (mut pairs, mut replay) = (Vec::new(), Replay::default());
    let mut each = |told| {
        match told {
            Told::Progress(progress) => {
                bar.set_length(progress.of);
                bar.set_position(progress.done);
            }
            Told::Pair(pair) => pairs.push(*pair),
            Told::Replay(end) => replay = *end,
            Told::Entry(_) | Told::Group(_) | Told::Plan(_) => {}
        }
        Ok(())
    };
    if !trial::by_daemon(&config.store.path, &Question::Replay(asked.clone()), &mut each).await? {
        let Some(store) = trial::store(&config)? else {
            return Err(Fault(format!("there is no store in {} yet", config.store.path.display())).into());
        };
        let config = asked.config().map_err(|problems| settings.told(&problems))?;
        trial::here(Replaying::new(&store, config, all)?, &mut each)?;
    }
    bar.finish_and_clear();
    if json {
        as_json(&replay, &pairs)?
    } else {
        show(&replay, &pairs)?
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(replay: &Replay, pairs: &[Pair]) -> anyhow::Result<()> {
    let mut value = serde_json::to_value(replay)?;
    value["pairs"] = serde_json::to_value(pairs)?;
    line(&value.to_string())
}

fn show(replay: &Replay, pairs: &[Pair]) -> anyhow::Result<()> {
    let Replay { sightings, left_out, entries_now, entries_then, would_part, would_join } = replay;
    line(&format!("{sightings} copies replayed: {entries_now} entries now, {entries_then} then"))?;
    line(&format!("joins that would not be made: {would_part}; that would be made besides: {would_join}"))?;
    if *left_out > 0 {
        line(&format!("{left_out} older copies were left out: a replay holds {LIMIT}"))?;
    }
    for (kind, count, what) in [
        (PairKind::WouldPart, *would_part, "one entry now, and would be two"),
        (PairKind::WouldJoin, *would_join, "two entries now, and would be one"),
    ] {
        if count == 0 {
            continue;
        }
        line(&format!("{what}:"))?;
        let of_kind: Vec<&Pair> = pairs.iter().filter(|pair| pair.kind == kind).collect();
        of_kind.iter().try_for_each(|pair| show_pair(pair))?;
        let left = count.saturating_sub(of_kind.len() as u64);
        if left > 0 {
            line(&format!("  and {left} more (--all shows them)"))?;
        }
    }
    Ok(())
}

fn show_pair(pair: &Pair) -> anyhow::Result<()> {
    for (sign, sighting) in ["  *", "   "].into_iter().zip(&pair.sightings) {
        let url = sighting.url.as_deref().unwrap_or("no address");
        line(&format!("{sign} {:<20} {}  {url}", sighting.source, trial::title(sighting.title.as_deref())))?;
    }
    line(&format!("    {} ({:.2}): {}", pair.ground, pair.score, pair.evidence))
}
