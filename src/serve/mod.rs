//! Documents → HTTP answers. What is ready is answered from memory; all else asks the door. HTTP's own words stay in here.

mod conditional;
mod feeds;
mod metrics;
mod negotiate;
mod page;
mod plain;
mod represent;
mod routes;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::published::counters::Counters;
use crate::published::{Door, Published};

/// How long answers that are under way may take after the stop.
const LAST_ANSWERS: Duration = Duration::from_secs(3);

/// What answers are made from.
#[derive(Clone)]
pub struct Service {
    pub published: Arc<Published>,
    pub door: Arc<dyn Door>,
    pub counters: Arc<Counters>,
}

/// All addresses of the service.
pub fn router(service: Service) -> Router {
    routes::router(service)
}

/// Answers until `stop`, then finishes what is under way, for three seconds at the most.
pub async fn run(listener: TcpListener, router: Router, stop: CancellationToken) -> std::io::Result<()> {
    let stopped = stop.clone();
    let serving = axum::serve(listener, router).with_graceful_shutdown(stopped.cancelled_owned());
    let last = async {
        stop.cancelled().await;
        tokio::time::sleep(LAST_ANSWERS).await;
    };
    tokio::select! {
        result = serving => result,
        () = last => Ok(()),
    }
}
