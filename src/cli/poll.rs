//! `feedmill poll`

use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::line;
use crate::cli::talk::{Talk, own_mill};
use crate::daemon::control::{self, Answer, Polled, Question};
use crate::daemon::settings::{Fault, Settings};

pub(super) async fn run(
    settings: &Settings,
    sources: Vec<String>,
    force: bool,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let config = settings.read()?;
    let question = Question::Poll { sources: sources.clone(), force };
    let mut shown = Shown { json, all_succeeded: true, bar: bar() };
    if let Some(mut talk) = Talk::open(&config.store.path, &question).await? {
        while let Some(answer) = talk.next().await? {
            match answer {
                Answer::Total(total) => shown.bar.set_length(total as u64),
                Answer::Polled(polled) => shown.one(&polled)?,
                _ => {}
            }
        }
        return Ok(shown.end());
    }
    let mill = own_mill(config)?;
    let keys = control::keys(&mill, &sources).map_err(Fault)?;
    shown.bar.set_length(if keys.is_empty() { mill.polling.declared().len() } else { keys.len() } as u64);
    let mut reports = mill.poll(keys, force).await;
    while let Some(report) = reports.recv().await {
        shown.one(&report.into())?;
    }
    mill.settle_pages().await;
    mill.stop().await;
    Ok(shown.end())
}

/// On a terminal only; indicatif draws nothing in a pipe.
fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} sources {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}

struct Shown {
    json: bool,
    all_succeeded: bool,
    bar: ProgressBar,
}

impl Shown {
    fn one(&mut self, polled: &Polled) -> anyhow::Result<()> {
        self.all_succeeded &= polled.is_success;
        self.bar.inc(1);
        self.bar.set_message(polled.source.clone());
        let text =
            if self.json { serde_json::to_string(polled)? } else { format!("{}: {}", polled.source, polled.text) };
        self.bar.suspend(|| line(&text))
    }

    fn end(self) -> ExitCode {
        self.bar.finish_and_clear();
        if self.all_succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
