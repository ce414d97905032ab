//! What comes back from a fetch.

use std::time::Duration;

use url::Url;

use crate::model::Timestamp;
use crate::model::source::Validators;

/// What the answer's caching headers say about the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hints {
    /// How much longer the answer is fresh: max-age less Age, else Expires less Date. At most 366 days.
    pub max_age: Option<Duration>,
}

/// When to come back (RFC 9110 §10.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    After(Duration),
    At(Timestamp),
}

/// A document as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Decompressed.
    pub body: Vec<u8>,
    /// The final address.
    pub url: Url,
    pub content_type: Option<String>,
    pub validators: Validators,
    pub hints: Hints,
    /// Where the leading permanent redirects (301, 308) led.
    pub moved: Option<Url>,
}

/// How a fetch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    Fresh(Document),
    NotModified {
        /// With what the 304 itself brought (RFC 9111 §3.2).
        validators: Validators,
        hints: Hints,
        moved: Option<Url>,
    },
    /// 410.
    Gone,
    /// 429 or 503.
    Throttled {
        status: u16,
        retry_after: Option<RetryAfter>,
    },
    Failed(FetchFailure),
}

/// Why nothing came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchFailure {
    pub kind: FailureKind,
    /// One plain sentence for people. Holds no secret.
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    Dns,
    /// A private address.
    Refused,
    Connect,
    Tls,
    Timeout,
    TooLarge,
    Decoding,
    Truncated,
    Redirect,
    /// By `robots.txt`.
    Forbidden,
    Status(u16),
    BotCheck,
    File,
    EmptyBody,
    Other,
}
