//! `feedmill compact`

use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::line;
use crate::daemon::settings::{Fault, Settings};
use crate::store::compact::{self, Compacted};
use crate::store::engine::StoreError;
use crate::store::open;

pub(super) fn run(settings: &Settings) -> anyhow::Result<ExitCode> {
    let config = settings.read()?;
    let path = &config.store.path;
    if !path.exists() {
        return Err(Fault(format!("there is no store in {} yet", path.display())).into());
    }
    let store = open::open(path, config.store.cache_bytes).map_err(told)?;
    let bar = bar(compact::logical_bytes(&store)?);
    let progress = &mut |bytes| bar.inc(bytes as u64);
    let (_store, Compacted { before, after }) = compact::compact(store, path, config.store.cache_bytes, progress)?;
    bar.finish_and_clear();
    line(&format!("{} kB became {} kB in {}", before / 1_000, after / 1_000, path.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Readers and pollers hold on to the store, so a daemon cannot exchange it under them.
fn told(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::InUse(path) => Fault(format!(
            "a daemon uses the store in {}; it compacts by itself when it starts, if that is worth it: stop it first to compact now",
            path.display()
        ))
        .into(),
        other => other.into(),
    }
}

/// On a terminal only; indicatif draws nothing in a pipe. The length is an estimate.
fn bar(length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {bytes} of about {total_bytes}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style)
}
