//! One thread that answers: a socket of its own, a runtime of its own, and the watch over its connections.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::serve::Service;
use crate::serve::answer::Answering;
use crate::serve::connection::Connection;
use crate::serve::pulse::{Patience, Pulse, Ticks};

/// How long answers that are under way may take after the stop.
const LAST_ANSWERS: Duration = Duration::from_secs(3);
/// What a reader is told who is one too many. It ends the connection, so nothing of it is waited for.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// What all threads of a service share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) service: Service,
    pub(super) router: Router,
    /// One for each connection that may be open.
    pub(super) places: Arc<Semaphore>,
    pub(super) tick: Duration,
    pub(super) patience: Patience,
    pub(super) stop: CancellationToken,
}

/// Starts a thread; the receiver tells when it has ended.
pub(super) fn start(number: usize, listener: TcpListener, shared: Shared) -> io::Result<oneshot::Receiver<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (ended, end) = oneshot::channel();
    std::thread::Builder::new().name(format!("serve-{number}")).spawn(move || {
        if let Err(error) = runtime.block_on(Thread::new(shared).run(listener)) {
            tracing::error!(%error, "a thread cannot answer readers");
        }
        // Nobody waits when the daemon is being dropped.
        let _ = ended.send(());
    })?;
    Ok(end)
}

struct Thread {
    shared: Shared,
    ticks: Arc<Ticks>,
    tasks: JoinSet<()>,
    connections: HashMap<Id, (AbortHandle, Arc<Pulse>)>,
}

impl Thread {
    fn new(shared: Shared) -> Self {
        Self { shared, ticks: Arc::default(), tasks: JoinSet::new(), connections: HashMap::new() }
    }

    async fn run(mut self, listener: TcpListener) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let stop = self.shared.stop.clone();
        let mut ticks = tokio::time::interval(self.shared.tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => self.connect(stream, peer.ip()),
                    Err(error) if is_of_one_connection(&error) => {}
                    // Out of file descriptors: those who are connected are answered on, and their leaving makes room.
                    Err(error) => {
                        tracing::warn!(%error, "a connection cannot be accepted");
                        self.pause(&mut ticks).await;
                    }
                },
                Some(ended) = self.tasks.join_next_with_id() => self.forget(ended),
                _ = ticks.tick() => self.look(),
            }
        }
        drop(listener);
        for (_, pulse) in self.connections.values() {
            pulse.stop();
        }
        let last = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST_ANSWERS, last).await.is_err() {
            tracing::warn!("some readers did not take their last answers in time");
        }
        Ok(())
    }

    fn connect(&mut self, stream: TcpStream, peer: IpAddr) {
        let Ok(place) = Arc::clone(&self.shared.places).try_acquire_owned() else {
            // As much as the socket takes at once, which is all of it.
            let _ = stream.try_write(FULL);
            self.shared.service.counters.answered(503);
            return;
        };
        // A small answer must not wait for the acknowledgement of the one before. A socket that cannot do this works all the same.
        let _ = stream.set_nodelay(true);
        let pulse = Arc::new(Pulse::new(Arc::clone(&self.ticks)));
        let answering = Answering {
            service: self.shared.service.clone(),
            router: self.shared.router.clone(),
            pulse: Arc::clone(&pulse),
            peer: Some(peer),
        };
        let connection = Connection::new(stream, answering, Arc::clone(&pulse));
        let task = self.tasks.spawn(async move {
            connection.await;
            drop(place);
        });
        self.connections.insert(task.id(), (task, pulse));
    }

    fn forget(&mut self, ended: Result<(Id, ()), tokio::task::JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                if error.is_panic() {
                    tracing::error!(%error, "an answer ended in a bug");
                }
                error.id()
            }
        };
        self.connections.remove(&id);
    }

    /// Cuts those who stand still.
    fn look(&mut self) {
        self.ticks.tick();
        for (task, pulse) in self.connections.values() {
            if pulse.is_overdue(&self.shared.patience) {
                task.abort();
            }
        }
    }

    async fn pause(&mut self, ticks: &mut tokio::time::Interval) {
        ticks.tick().await;
        self.look();
    }
}

/// A reader who left before being accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

#[cfg(test)]
mod tests;
