//! The program from outside: its shape, its laws, and the real binary.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod access;
mod away;
mod browser;
mod classes;
mod daemon;
mod finding;
mod fixtures;
mod fulltext;
mod hub;
mod laws;
mod layers;
mod lifetime;
mod origin;
mod pages;
mod power;
mod program;
mod query;
mod reading;
mod recovery;
mod rehearsal;
mod reissue;
mod rules;
mod searching;
mod stories;
mod tidy;
mod valid;
mod why;
