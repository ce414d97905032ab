//! Passwords and tokens: making them, keeping their hashes, and checking what somebody brings. The one place that knows how.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SecureRandom as _;
use ring::{digest, hmac, pbkdf2, rand};

use crate::model::access::{Group, Password, PasswordHash, TokenHash};

/// Rounds of new hashes: a tenth of a second of one core.
const ROUNDS: u32 = 600_000;
/// In bytes.
const SALT: usize = 16;
/// Most passwords that are remembered as right; beyond that all are worked out again. Each takes 32 bytes.
const REMEMBERED: usize = 10_000;
/// Longest password or token that is looked at, in bytes: a head of a request holds no more anyway.
pub(super) const LONGEST: usize = 1_024;

/// The system gives no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoRandomness;

/// A new token, to be shown once, and what is kept of it: 256 random bits.
///
/// # Errors
/// When the system gives no random bytes.
pub fn new_token() -> Result<(String, TokenHash), NoRandomness> {
    let bits: [u8; 32] = random()?;
    let token = URL_SAFE_NO_PAD.encode(bits);
    let hash = token_hash(&token);
    Ok((token, hash))
}

/// A new password, to be shown once: 120 random bits, more than anybody can try.
///
/// # Errors
/// When the system gives no random bytes.
pub fn new_password() -> Result<String, NoRandomness> {
    random::<15>().map(|bits| URL_SAFE_NO_PAD.encode(bits))
}

/// What is kept of a password, with a salt of its own.
///
/// # Errors
/// When the system gives no random bytes.
pub fn password_hash(password: &str) -> Result<PasswordHash, NoRandomness> {
    let salt = random::<SALT>()?.to_vec();
    let mut hash = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds(ROUNDS), &salt, password.as_bytes(), &mut hash);
    Ok(PasswordHash { rounds: ROUNDS, salt, hash })
}

/// Whether the password is the one that was hashed. Takes a tenth of a second or more.
pub(super) fn is_password(hash: &PasswordHash, password: &str) -> bool {
    let rounds = rounds(hash.rounds);
    pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &hash.salt, password.as_bytes(), &hash.hash).is_ok()
}

fn token_hash(token: &str) -> TokenHash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    TokenHash(hash)
}

fn rounds(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    rand::SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// Name and password of `Basic …` (RFC 7617 §2, in UTF-8).
pub(super) fn basic(credentials: &str) -> Option<(String, String)> {
    let decoded = STANDARD.decode(credentials.trim()).ok()?;
    let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// What a password has to be held against. A user who is not there costs as much time as one who is.
pub(super) enum Against {
    Hash { hash: PasswordHash, is_real: bool },
    Plain { password: String },
    Nothing,
}

/// See the module.
pub(super) struct Vault {
    /// Of this run of the program: what it signs means nothing to anybody else.
    key: hmac::Key,
    // Held for a look only.
    remembered: Mutex<HashSet<[u8; 32]>>,
}

impl Vault {
    pub(super) fn new() -> Result<Self, NoRandomness> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &rand::SystemRandom::new()).map_err(|_| NoRandomness)?;
        Ok(Self { key, remembered: Mutex::default() })
    }

    /// In a time that does not tell where they differ.
    fn are_equal(&self, one: &[u8], other: &[u8]) -> bool {
        hmac::verify(&self.key, other, hmac::sign(&self.key, one).as_ref()).is_ok()
    }

    /// Whether the token is one of the group's. Every token of it is looked at, so that time tells nothing.
    pub(super) fn has_token(&self, group: &Group, token: &str) -> bool {
        let hash = token_hash(token);
        group.tokens.values().fold(false, |found, known| self.are_equal(&known.0, &hash.0) | found)
    }

    pub(super) fn is_plain(&self, known: &str, password: &str) -> bool {
        self.are_equal(known.as_bytes(), password.as_bytes())
    }

    pub(super) fn against(group: &Group, user: &str) -> Against {
        match group.users.get(user) {
            Some(Password::Hash(hash)) => Against::Hash { hash: hash.clone(), is_real: true },
            Some(Password::Plain(password)) => Against::Plain { password: password.reveal().to_owned() },
            None => {
                let hash = group.users.values().find_map(|password| match password {
                    Password::Hash(hash) => Some(hash.clone()),
                    Password::Plain(_) => None,
                });
                hash.map_or(Against::Nothing, |hash| Against::Hash { hash, is_real: false })
            }
        }
    }

    /// What a right password is remembered under. The hash is a part of it, so a changed one is worked out anew.
    pub(super) fn name(&self, hash: &PasswordHash, user: &str, password: &str) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [hash.to_string().as_str(), user, password] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut name = [0; 32];
        name.copy_from_slice(context.sign().as_ref());
        name
    }

    pub(super) fn remembers(&self, name: &[u8; 32]) -> bool {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    pub(super) fn remember(&self, name: [u8; 32]) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED {
            remembered.clear();
        }
        remembered.insert(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_token_is_known_by_its_hash_and_no_other_is() {
        let vault = Vault::new().unwrap();
        let (token, hash) = new_token().unwrap();
        let group = Group { tokens: [("phone".to_owned(), hash)].into(), ..Group::default() };
        assert_eq!(token.len(), 43);
        assert!(vault.has_token(&group, &token));
        for wrong in ["", &token[1..], &token.to_lowercase(), &new_token().unwrap().0] {
            assert!(!vault.has_token(&group, wrong), "{wrong}");
        }
        assert!(!vault.has_token(&Group::default(), &token));
    }

    #[test]
    fn a_password_is_known_by_its_hash_as_it_is_written() {
        let hash = PasswordHash::read(&password_hash("a secret").unwrap().to_string()).unwrap();
        assert!(is_password(&hash, "a secret"));
        assert!(!is_password(&hash, "A secret"));
        let vault = Vault::new().unwrap();
        let name = vault.name(&hash, "ana", "a secret");
        assert!(!vault.remembers(&name));
        vault.remember(name);
        assert!(vault.remembers(&name));
        assert!(!vault.remembers(&vault.name(&hash, "anaa", " secret")));
    }

    #[test]
    fn credentials_are_read_as_the_standard_has_them() {
        for (written, expected) in [
            ("QWxhZGRpbjpvcGVuIHNlc2FtZQ==", Some(("Aladdin", "open sesame"))),
            ("dGVzdDoxMjPCow==", Some(("test", "123£"))),
            ("YTpiOmM=", Some(("a", "b:c"))),
            ("OmI=", Some(("", "b"))),
            ("YWI=", None),
            ("%", None),
            ("", None),
        ] {
            let expected = expected.map(|(user, password)| (user.to_owned(), password.to_owned()));
            assert_eq!(basic(written), expected, "{written}");
        }
    }
}
