//! One document in one format, ready to be sent in either coding.

use std::io::Write as _;

use bytes::Bytes;
use flate2::{Compression, GzBuilder};

use crate::model::Timestamp;

/// A body under one content coding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coded {
    pub body: Bytes,
    /// Strong and quoted; another one for each coding, since the bytes differ (RFC 9110 §8.8.3.3).
    pub etag: String,
}

/// See the module. The same document always has the same tags, over restarts and machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Representation {
    pub media_type: &'static str,
    pub last_modified: Timestamp,
    pub identity: Coded,
    pub gzip: Coded,
}

impl Representation {
    pub fn new(media_type: &'static str, body: Vec<u8>, last_modified: Timestamp) -> Self {
        let digest = blake3::hash(&body).to_hex();
        let name = &digest.as_str()[..32];
        let gzip = Coded { body: compress(&body).into(), etag: format!("\"{name}-gz\"") };
        Self { media_type, last_modified, identity: Coded { etag: format!("\"{name}\""), body: body.into() }, gzip }
    }
}

/// Without a time or a name in the header, so that equal bodies stay equal.
fn compress(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::with_capacity(body.len() / 3), Compression::new(6));
    encoder.write_all(body).expect("writing to memory cannot fail");
    encoder.finish().expect("writing to memory cannot fail")
}
