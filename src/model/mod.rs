//! The words: what things are, and the invariants that hold wherever they appear.
//!
//! No behaviour beyond building and comparing; no clock, no I/O, no serialisation.

pub mod access;
pub mod document;
pub mod entry;
pub mod feed;
pub mod network;
pub mod page;
pub mod source;

/// An instant in UTC. Whatever the program makes itself is cut to milliseconds, so that it survives the store unchanged.
pub type Timestamp = chrono::DateTime<chrono::Utc>;
