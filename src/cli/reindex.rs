//! `feedmill reindex`

use std::process::ExitCode;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::line;
use crate::cli::talk::Talk;
use crate::config::Config;
use crate::daemon::control::{Answer, Question};
use crate::daemon::settings::{Fault, Settings};
use crate::index::Index;
use crate::indexing::{Follower, Progress};
use crate::store::open;

pub(super) async fn run(settings: &Settings) -> anyhow::Result<ExitCode> {
    let config = settings.read()?;
    let bar = bar();
    let mut done = 0;
    let mut tell = |Progress { done: entries, whole }| {
        done = entries;
        bar.set_length(whole.max(entries));
        bar.set_position(entries);
    };
    if let Some(mut talk) = Talk::open(&config.store.path, &Question::Reindex).await? {
        while let Some(answer) = talk.next().await? {
            if let Answer::Indexed(done, whole) = answer {
                tell(Progress { done, whole });
            }
        }
    } else {
        by_ourselves(&config, &mut tell)?;
    }
    bar.finish_and_clear();
    line(&format!("{done} entries are in the index"))?;
    Ok(ExitCode::SUCCESS)
}

fn by_ourselves(config: &Config, tell: &mut dyn FnMut(Progress)) -> anyhow::Result<()> {
    let path = &config.store.path;
    if !path.exists() {
        return Err(Fault(format!("there is no store in {} yet", path.display())).into());
    }
    if !config.search.enabled {
        return Err(Fault("searches use no index: `enabled = false` stands under [search]".to_owned()).into());
    }
    let store = Arc::new(open::open(path, config.store.cache_bytes)?);
    let mark = store.mark()?;
    store.sync()?;
    let index = Arc::new(Index::open(path, mark));
    let memory = usize::try_from(config.search.memory_bytes).unwrap_or(usize::MAX);
    let mut follower = Follower::new(store, index, memory);
    follower.begin_anew()?;
    follower.catch_up(tell)?;
    Ok(())
}

/// On a terminal only; indicatif draws nothing in a pipe.
fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} entries {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}
