//! Which addresses are public. The guard of `fetch` and the check of `feeds.toml` ask the same question.

use std::net::IpAddr;

/// Whether an address belongs to the public internet.
pub fn is_public(address: IpAddr) -> bool {
    !address.is_loopback()
}
