//! The watch over `feeds.toml`: a good edit is live within a second, a bad one changes nothing and is told.
//!
//! The file is looked at twice a second rather than watched by notification: that also sees edits on network folders, mounted
//! secrets and editors that replace the file.

use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::daemon::mill::Mill;
use crate::daemon::settings::Settings;
use crate::store::engine::StoreError;

const LOOK: Duration = Duration::from_millis(400);

/// What changes when a file is written or replaced.
type Mark = Option<(u64, u64, i64, i64)>;

/// Runs until `stop`.
pub(super) async fn run(settings: Settings, mill: Arc<Mill>, stop: CancellationToken) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else {
        tracing::error!("SIGHUP cannot be caught; feeds.toml is not watched");
        return;
    };
    let mut text = settings.text().ok();
    let mut mark = look(&settings).await;
    // A good edit that the store could not take is put into effect when it can.
    let mut is_waiting = false;
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let is_told = tokio::select! {
            () = stop.cancelled() => return,
            _ = hangup.recv() => true,
            _ = ticks.tick() => false,
        };
        let is_told = is_told || (is_waiting && !mill.polling.is_paused());
        let now = look(&settings).await;
        if now == mark && !is_told {
            continue;
        }
        mark = now;
        let read = settings.text();
        if let Ok(new) = &read
            && text.as_ref() == Some(new)
            && !is_told
        {
            continue;
        }
        text = read.as_ref().ok().cloned();
        let problem = match read {
            Ok(new) => apply(&settings, &mill, &new).await.err(),
            Err(fault) => Some(Problem { text: fault.0, will_pass: false }),
        };
        is_waiting = problem.as_ref().is_some_and(|problem| problem.will_pass);
        if is_waiting {
            // Whoever hit upon it first: the committer mends the store, and has to know.
            let _ = mill.polling.committer.settle().await;
        }
        let problem = problem.map(|problem| problem.text);
        if let Some(problem) = &problem {
            tracing::error!("the edited configuration is not in effect, the last good one is:\n{problem}");
        }
        *mill.config_problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }
}

async fn look(settings: &Settings) -> Mark {
    let metadata = tokio::fs::metadata(&settings.path).await.ok()?;
    Some((metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec()))
}

/// Why an edit is not in effect.
struct Problem {
    /// In lines for the log and the status page.
    text: String,
    /// It is the store's, not the file's.
    will_pass: bool,
}

async fn apply(settings: &Settings, mill: &Mill, text: &str) -> Result<(), Problem> {
    let wrong = |problems: Vec<_>| Problem { text: settings.told(&problems).0, will_pass: false };
    let config = settings.check(text).map_err(wrong)?;
    let before = Arc::clone(&mill.catalogue().config);
    for (name, differs) in [
        ("[server] listen", config.server.listen != before.server.listen),
        ("[store] path", config.store.path != before.store.path),
        ("[store] cache", config.store.cache_bytes != before.store.cache_bytes),
    ] {
        if differs {
            tracing::warn!("{name} takes effect at the next start");
        }
    }
    for warning in &config.warnings {
        tracing::warn!("{}: {warning}", settings.path.display());
    }
    let (sources, topics) = (config.sources.len(), config.topics.len());
    mill.reconfigure(config).await.map_err(|error| Problem {
        text: format!("{error:#}"),
        will_pass: error.is::<StoreError>() || error.is::<Arc<StoreError>>(),
    })?;
    tracing::info!("the edited configuration is in effect: {sources} sources, {topics} topics");
    Ok(())
}
