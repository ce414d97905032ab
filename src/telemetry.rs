//! Logs for people and machines, on standard error. `FEEDMILL_LOG` filters them (`debug`, `feedmill::poll=debug`).

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// Starts logging. `filter` is the value of `FEEDMILL_LOG`; what cannot be read in it is left out, and `level` is the default.
pub fn start(format: LogFormat, filter: Option<&str>, level: &str) {
    let filter = EnvFilter::builder().parse_lossy(filter.filter(|filter| !filter.is_empty()).unwrap_or(level));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // A second start keeps the first one's settings; only tests do that.
    let _ = match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}
