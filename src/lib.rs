//! feedmill: polls sources, merges their entries, republishes feeds.
//!
//! The modules stand in the order in which an entry meets them; ARCHITECTURE.md draws the layers.

pub mod model;
pub mod text;

pub mod extract;

pub mod query;

pub mod config;
pub mod schedule;

pub mod fetch;

pub mod parse;

pub mod merge;

pub mod store;

pub mod index;

pub mod render;

pub mod published;

pub mod select;

pub mod hub;

pub mod poll;

pub mod indexing;

pub mod republish;

pub mod serve;

pub mod rehearsal;

pub mod clock;

pub mod telemetry;

pub mod daemon;

pub mod cli;
