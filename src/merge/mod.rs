//! Observations and what we know → changes: identity, sameness, and what of an entry is shown.
//!
//! ```text
//! [Observation] ─identify→ [Identified] ─decide (with what is known)→ [Change]          Entry ─present→ Presented
//! ```
//! Nothing here asks the store or the clock. The ladder of grounds: same guid, same URL, same content; near-duplicates
//! come as further candidates with a score. Above the ladder stand the user's own `rules`; `regroup` decides again on what is stored when they change.

pub mod agree;
pub mod alike;
pub mod canonical;
pub mod decide;
pub mod edits;
pub mod identify;
pub mod nearest;
pub mod pictures;
pub mod present;
pub mod regroup;
pub mod reissue;
pub mod rules;

#[cfg(test)]
mod tests;
