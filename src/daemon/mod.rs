//! Wiring: what is started, in which order, and how it stops.
//!
//! The mill is everything but the listener: store, committer, poller, republisher. The daemon adds HTTP, the control socket, the
//! watch over `feeds.toml` and the signals.

pub mod control;
pub mod mill;
pub mod query;
pub mod settings;
mod status;
mod trial;
mod watch;

use std::sync::Arc;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::daemon::mill::Mill;
use crate::daemon::settings::Settings;
use crate::model::source::Location;
use crate::poll::Drive;
use crate::published::Door;
use crate::published::hub::Subscribing;
use crate::serve::{self, Service, Serving};

/// Runs the daemon until SIGINT or SIGTERM.
///
/// # Errors
/// When it cannot start: a bad configuration, a store that cannot be opened, an address in use.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let config = settings.read()?;
    let listen = config.server.listen;
    // The address first: two daemons on one machine are told apart before anything is written.
    let threads = config.server.threads.unwrap_or_else(serve::usual_threads);
    let listeners = serve::listen(listen, threads).map_err(|error| settings::Fault::listen(listen, &error))?;
    let address = listeners.address;
    let connections = config.server.connections;
    let store_path = config.store.path.clone();
    tell(&settings, &config);
    let mill = Arc::new(Mill::start(config, settings.edited(), address, Drive::Schedule)?);
    let stop = CancellationToken::new();
    let control = control::listen(&store_path, Arc::clone(&mill), stop.clone())?;
    tracing::info!(%address, "feedmill listens on http://{address}/");

    let service = Service {
        published: Arc::clone(&mill.published),
        door: Arc::clone(&mill.door) as Arc<dyn Door>,
        counters: Arc::clone(&mill.polling.counters),
        hub: Some(Arc::clone(&mill.hub) as Arc<dyn Subscribing>),
    };
    let serving = Serving::start(listeners, service, connections, stop.clone()).context("no thread can be started")?;
    let watching = tokio::spawn(watch::run(settings, Arc::clone(&mill), stop.clone()));
    let telling = tokio::spawn(status::run(Arc::clone(&mill), stop.clone()));
    until_told().await?;
    tracing::info!("stopping: what is under way is finished");
    stop.cancel();
    let _ = tokio::join!(mill.stop(), serving.ended(), watching, telling, control);
    tracing::info!("stopped");
    Ok(())
}

/// What was loaded, so that nobody has to guess which file is in effect.
fn tell(settings: &Settings, config: &crate::config::Config) {
    let files = config.sources.iter().filter(|source| matches!(source.location, Location::File(_))).count();
    tracing::info!(
        config = %settings.path.display(),
        store = %config.store.path.display(),
        "{} sources ({files} of them files), {} topics",
        config.sources.len(),
        config.topics.len(),
    );
    for warning in &config.warnings {
        tracing::warn!("{}: {warning}", settings.path.display());
    }
}

async fn until_told() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be caught")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be caught")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
