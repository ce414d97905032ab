//! Changes ↔ disk. Engines keep ordered bytes; records give them a version; `entries` speaks the program's words.

pub mod archives;
pub mod compact;
pub mod engine;
pub mod entries;
mod filling;
pub mod held;
pub mod journal;
pub mod keys;
mod mark;
pub mod memory;
pub mod moment;
pub mod open;
pub mod overlay;
pub mod pages;
pub mod portable;
pub mod rearrange;
pub mod record;
pub mod sketches;
pub mod sled;
mod snapshot;
pub mod source;
pub mod subscriptions;
pub mod tombstone;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::store::engine::StoreError;

/// The one door from asynchronous code to blocking work, with at most so many jobs at once.
pub struct Handle<S> {
    inner: Arc<S>,
    permits: Arc<Semaphore>,
}

impl<S> Clone for Handle<S> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), permits: Arc::clone(&self.permits) }
    }
}

impl<S: Send + Sync + 'static> Handle<S> {
    pub fn new(inner: Arc<S>, permits: usize) -> Self {
        Self { inner, permits: Arc::new(Semaphore::new(permits)) }
    }

    /// Runs a job on a thread that may block.
    ///
    /// # Errors
    /// What the job gives; [`StoreError::Stopped`] when it panicked.
    pub async fn run<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        F: FnOnce(&S) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed");
        let inner = Arc::clone(&self.inner);
        #[expect(clippy::disallowed_methods, reason = "this is the one door")]
        let job = tokio::task::spawn_blocking(move || {
            let result = job(&inner);
            drop(permit);
            result
        });
        job.await.unwrap_or_else(|error| Err(StoreError::Stopped(error.to_string())))
    }
}
