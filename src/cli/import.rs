//! `feedmill import`

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::line;
use crate::daemon::settings::{Fault, Settings};
use crate::store::open;
use crate::store::portable::{Import, ImportError};

pub(super) fn run(settings: &Settings, file: &str) -> anyhow::Result<ExitCode> {
    let config = settings.read()?;
    let (reader, length): (Box<dyn BufRead>, u64) = if file == "-" {
        (Box::new(std::io::stdin().lock()), 0)
    } else {
        let opened = File::open(file).map_err(|error| Fault(format!("{file} cannot be read: {error}")))?;
        let length = opened.metadata().map_or(0, |metadata| metadata.len());
        (Box::new(BufReader::with_capacity(1 << 18, opened)), length)
    };
    let bar = bar(length);
    // The first line before the store: a file of another kind makes no folder.
    let import = Import::open(reader).map_err(told)?;
    let store = open::open(&config.store.path, config.store.cache_bytes)?;
    let counts = import.run(&store, &mut |bytes| bar.inc(bytes as u64)).map_err(told)?;
    bar.finish_and_clear();
    let entries = counts.get("entry").copied().unwrap_or_default();
    let records: u64 = counts.values().sum();
    line(&format!("{entries} entries ({records} records) are in {}", config.store.path.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// On a terminal only; indicatif draws nothing in a pipe.
fn bar(length: u64) -> ProgressBar {
    let template = if length == 0 { "{spinner} {bytes}" } else { "{bar:30} {bytes}/{total_bytes} {eta}" };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style)
}

fn told(error: ImportError) -> anyhow::Error {
    match error {
        ImportError::Store(error) => error.into(),
        ImportError::Unreadable(error) => error.into(),
        mistake => Fault(mistake.to_string()).into(),
    }
}
