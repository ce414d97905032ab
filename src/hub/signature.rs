//! What subscribers can check: that a delivery is ours (WebSub §8), and that a verification was meant for them (§5.3).

use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::config::hub::Signature;

/// The value of `X-Hub-Signature` for a body under a subscriber's secret.
pub(super) fn sign(method: Signature, secret: &str, body: &[u8]) -> String {
    let algorithm = match method {
        Signature::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        Signature::Sha256 => hmac::HMAC_SHA256,
        Signature::Sha384 => hmac::HMAC_SHA384,
        Signature::Sha512 => hmac::HMAC_SHA512,
    };
    let tag = hmac::sign(&hmac::Key::new(algorithm, secret.as_bytes()), body);
    format!("{}={}", method.name(), hex(tag.as_ref()))
}

/// Letters that nobody can guess; `None` when the system has no randomness to give.
pub(super) fn challenge() -> Option<String> {
    let mut bytes = [0; 24];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(hex(&bytes))
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2202 §3 and RFC 4231 §4.3: the second test case of each.
    #[test]
    fn signatures_are_those_of_the_known_vectors() {
        for (method, expected) in [
            (Signature::Sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (Signature::Sha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (
                Signature::Sha384,
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
            ),
            (
                Signature::Sha512,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
        ] {
            let signed = sign(method, "Jefe", b"what do ya want for nothing?");
            assert_eq!(signed, format!("{}={expected}", method.name()));
        }
    }

    #[test]
    fn no_two_challenges_are_equal() {
        let (one, other) = (challenge().unwrap(), challenge().unwrap());
        assert_eq!(one.len(), 48);
        assert_ne!(one, other);
    }
}
