//! Commands: what they take, what they print, how they exit.
//!
//! 0: done. 1: something failed. 2: the user's mistake, told on standard error.

mod access;
mod add;
mod check;
mod compact;
mod discover;
mod export;
mod import;
mod list;
mod parse;
mod plan;
mod poll;
mod query;
mod reindex;
mod release;
mod replay;
mod sparing;
mod talk;
mod trial;
mod why;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::daemon::settings::{Fault, Settings};
use crate::daemon::{self};
use crate::store::engine::StoreError;
use crate::telemetry::{self, LogFormat};

/// Polls feeds, merges what they carry, and publishes it again as Atom, RSS and JSON Feed.
#[derive(Debug, Parser)]
#[command(name = "feedmill", version, about, after_help = "Without a command the daemon is started (`serve`).")]
struct Command {
    #[command(subcommand)]
    command: Option<Task>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Common {
    /// The configuration.
    #[arg(long, global = true, value_name = "FILE", env = "FEEDMILL_CONFIG", default_value = "feeds.toml")]
    config: PathBuf,
    /// How log lines look; `FEEDMILL_LOG` filters them.
    #[arg(long, global = true, value_enum, default_value = "text")]
    log_format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Runs the daemon until it is told to stop.
    Serve,
    /// Checks feeds.toml and says what would run.
    Check {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Says which entries would appear, vanish, merge or part if a changed feeds.toml were loaded. Nothing is written.
    ///
    /// A daemon that runs on the store compares with what it has loaded. Values of secrets are not compared.
    Plan {
        /// The changed file, in the place of the one that --config names; without it the latter is the changed one.
        file: Option<PathBuf>,
        /// Every entry, not only the first 20 of each feed.
        #[arg(long)]
        all: bool,
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Polls once: everything that is due, or the sources that are named.
    Poll {
        sources: Vec<String>,
        /// Does not wait for the interval. What a publisher forbids stays forbidden.
        #[arg(long)]
        force: bool,
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Finds the feed of an address and adds it to feeds.toml; a daemon that runs takes it up by itself.
    Add(add::Wanted),
    /// Reads one document and shows what is understood of it.
    Parse {
        /// A file, an address, or - for standard input.
        document: String,
        /// The address that relative links start from.
        #[arg(long, value_name = "URL")]
        base: Option<String>,
        /// For programs.
        #[arg(long)]
        json: bool,
        /// Shows the plain Atom into which it is rewritten before it is read: good for a report to its publisher.
        #[arg(long, conflicts_with = "json")]
        normalised: bool,
    },
    /// Shows every source and how it fares.
    List {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Lets out the entries of a source that are held back, as what looks like a mass re-issue.
    Release { source: String },
    /// Merges everything in the store once more, in memory, and shows which copies would be joined otherwise. Nothing is written.
    ///
    /// Documents are not stored, so only joins across sources are replayed: what one source itself took for one entry, or for two, stays
    /// so. Titles and texts are as they are now. Without --set the file is replayed as it is.
    Replay {
        /// A setting to try: merging.KEY or sources.KEY.merge.KEY; may be given several times.
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
        /// Every pair, not only the first 20 of each kind.
        #[arg(long)]
        all: bool,
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Finds entries by a query, as feeds of an address with `?q=` do.
    ///
    /// Exit code 0: found; 1: nothing found; 2: a mistake in the query. Into a pipe it writes a line for each entry: time, sources, title
    /// and address, with tabs between.
    Query(query::Wanted),
    /// Says why an entry is as it is: what was merged and on what ground, where it is shown, why it is not there.
    Why(why::Wanted),
    /// Makes a password or a token for readers of what is not public, and the line for feeds.toml.
    Access {
        #[command(subcommand)]
        wanted: access::Wanted,
    },
    /// Writes everything in the store as lines of JSON, also while the daemon runs.
    Export {
        /// A file, or - for standard output.
        #[arg(default_value = "-")]
        file: String,
    },
    /// Fills an empty store from an export.
    Import {
        /// A file, or - for standard input.
        file: String,
    },
    /// Copies the store so that it takes as little room as it can. The daemon does so by itself at its start.
    Compact,
    /// Makes the index for searches anew from the store, also while the daemon runs.
    Reindex,
}

/// Runs the command line. The caller exits with what it gives.
pub fn run(arguments: impl Iterator<Item = std::ffi::OsString>, variables: BTreeMap<String, String>) -> ExitCode {
    let command = match Command::try_parse_from(arguments) {
        Ok(command) => command,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let task = command.command.unwrap_or(Task::Serve);
    if matches!(task, Task::Serve) {
        sparing::begin_again(&variables);
    }
    let format = match command.common.log_format {
        Format::Text => LogFormat::Text,
        Format::Json => LogFormat::Json,
    };
    // A daemon tells what it does; a command prints results, and logs only what goes wrong.
    let level = if matches!(task, Task::Serve) { "info" } else { "error" };
    telemetry::start(format, variables.get("FEEDMILL_LOG").map(String::as_str), level);
    let settings = Settings { path: command.common.config, variables };
    match execute(task, settings) {
        Ok(code) => code,
        Err(error) => tell(&error),
    }
}

fn execute(task: Task, settings: Settings) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        match task {
            Task::Serve => daemon::run(settings).await.map(|()| ExitCode::SUCCESS),
            Task::Check { json } => check::run(&settings, json),
            Task::Plan { file, all, json } => {
                plan::run(&settings, &plan::Wanted { file: file.as_deref(), json, all }).await
            }
            Task::Replay { set, all, json } => replay::run(&settings, &set, json, all).await,
            Task::Poll { sources, force, json } => poll::run(&settings, sources, force, json).await,
            Task::Parse { document, base, json, normalised } => {
                let form = match () {
                    () if normalised => parse::Form::Normalised,
                    () if json => parse::Form::Json,
                    () => parse::Form::Text,
                };
                parse::run(&settings, &document, base.as_deref(), form).await
            }
            Task::Add(wanted) => add::run(&settings, &wanted).await,
            Task::List { json } => list::run(&settings, json).await,
            Task::Release { source } => release::run(&settings, &source).await,
            Task::Query(wanted) => query::run(&settings, wanted).await,
            Task::Why(wanted) => why::run(&settings, wanted).await,
            Task::Access { wanted } => access::run(&wanted),
            Task::Export { file } => export::run(&settings, &file).await,
            Task::Import { file } => import::run(&settings, &file),
            Task::Compact => compact::run(&settings),
            Task::Reindex => reindex::run(&settings).await,
        }
    });
    // Lookups of names and reads of files cannot be interrupted; nobody waits for them.
    runtime.shutdown_background();
    result
}

/// Prints an error with its causes, and says whose it is.
fn tell(error: &anyhow::Error) -> ExitCode {
    if let Some(pipe) = error.downcast_ref::<std::io::Error>()
        && pipe.kind() == std::io::ErrorKind::BrokenPipe
    {
        // `feedmill list | head` is no failure.
        return ExitCode::SUCCESS;
    }
    let _ = writeln!(std::io::stderr(), "feedmill: {error:#}");
    let store = error.downcast_ref::<StoreError>();
    let is_store_mistake = matches!(
        store,
        Some(
            StoreError::InUse(_)
                | StoreError::Foreign { .. }
                | StoreError::Emptied(_)
                | StoreError::Incomplete(_)
                | StoreError::Newer { .. }
                | StoreError::Unwritable { .. }
        )
    );
    if error.downcast_ref::<Fault>().is_some() || is_store_mistake { ExitCode::from(2) } else { ExitCode::FAILURE }
}

/// Prints one line of results.
fn line(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}
