//! The only place that reads the time.

use chrono::SubsecRound;

use crate::model::Timestamp;

/// The present instant, cut to milliseconds so that it survives the store unchanged.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now() -> Timestamp {
    chrono::Utc::now().trunc_subsecs(3)
}
