//! What `plan` and `replay` share: a daemon does the work if one runs, else it is done here on the store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::talk::Talk;
use crate::config::Config;
use crate::daemon::control::{Answer, Question, REQUEST_LIMIT};
use crate::daemon::settings::{Fault, Settings};
use crate::rehearsal::Work;
use crate::rehearsal::report::{Asked, Told};
use crate::store::entries::Store;
use crate::store::open;

/// Longest title on a line.
const TITLE: usize = 100;

/// What is asked of whoever does the work.
pub(super) fn asked(settings: &Settings, text: String, all: bool) -> Result<Asked, Fault> {
    let path = std::path::absolute(&settings.path).unwrap_or_else(|_| settings.path.clone());
    let folder = path.parent().map_or_else(|| PathBuf::from("/"), Path::to_owned);
    let asked = Asked::new(text, folder, &settings.variables, all);
    // Escapes make it longer on its way.
    if asked.text.len() as u64 > REQUEST_LIMIT / 2 {
        return Err(Fault(format!("{} is longer than {} MB", settings.path.display(), REQUEST_LIMIT >> 21)));
    }
    Ok(asked)
}

/// Has the daemon of a store do the work; false when none runs.
pub(super) async fn by_daemon(
    store: &Path,
    question: &Question,
    each: &mut impl FnMut(Told) -> anyhow::Result<()>,
) -> anyhow::Result<bool> {
    let Some(mut talk) = Talk::open(store, question).await? else { return Ok(false) };
    while let Some(answer) = talk.next().await? {
        if let Answer::Told(told) = answer {
            each(told)?;
        }
    }
    Ok(true)
}

/// Does the work here.
pub(super) fn here(mut work: impl Work, each: &mut impl FnMut(Told) -> anyhow::Result<()>) -> anyhow::Result<()> {
    while let Some(told) = work.step()? {
        told.into_iter().try_for_each(&mut *each)?;
    }
    Ok(())
}

/// The store of a configuration, if there is one.
pub(super) fn store(config: &Config) -> anyhow::Result<Option<Arc<Store>>> {
    if !config.store.path.exists() {
        return Ok(None);
    }
    Ok(Some(Arc::new(open::open(&config.store.path, config.store.cache_bytes)?)))
}

/// On a terminal only; indicatif draws nothing in a pipe.
pub(super) fn bar(what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(&format!("{{bar:30}} {{pos}}/{{len}} {what}"))
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}

/// A title for a line of a terminal: publishers write into it what they like.
pub(super) fn title(title: Option<&str>) -> String {
    let title = title.unwrap_or("(without a title)");
    let shown: String = title.chars().filter(|letter| !letter.is_control()).take(TITLE).collect();
    if title.chars().count() > TITLE { format!("{shown}…") } else { shown }
}
