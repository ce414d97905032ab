//! What a feed holds: request → places → entries → page → representation. The one bounded door from serving to the store.

pub mod archive;
mod by_published;
pub mod cache;
pub mod candidate;
pub mod catalogue;
pub mod door;
mod fragments;
pub mod likeness;
mod listing;
pub mod page;
mod parameters;
pub mod push;
mod recent;
pub mod revisions;
pub mod search;
pub mod visible;
pub mod why;
