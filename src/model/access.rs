//! Who may read what: groups of readers, what each output admits, and which sources are private.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::sync::Arc;

use super::feed::FeedName;
use super::source::{KeyProblem, Secret, SourceKey, TopicKey};

/// The name of a group of readers. Has the form of a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupName(Arc<str>);

impl GroupName {
    /// What `access` says of an output that everybody may read, so no group can have this name.
    pub const PUBLIC: &'static str = "public";

    /// # Errors
    /// When the text is not a key.
    pub fn new(text: &str) -> Result<Self, KeyProblem> {
        TopicKey::new(text).map(|key| Self(key.as_str().into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Whom an output admits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Permission {
    #[default]
    Public,
    Group(GroupName),
    /// The feed of a private source for which nobody is named: there is no such feed.
    Nobody,
}

/// Whom a document is made for. It decides what is in it, so it is a part of what names a document in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Audience {
    /// Everybody: nothing of private sources.
    #[default]
    Public,
    /// Readers who are admitted to a protected output: everything.
    Full,
}

/// A password as it is kept: derived slowly, so that whoever reads the file does not have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordHash {
    pub rounds: u32,
    pub salt: Vec<u8>,
    pub hash: [u8; 32],
}

impl PasswordHash {
    /// What a hash in this form begins with.
    pub const SCHEME: &'static str = "pbkdf2-sha256$";
    /// Fewer rounds are no protection (OWASP's advice for this function), more would hold up every reader.
    pub const ROUNDS: std::ops::RangeInclusive<u32> = 600_000..=10_000_000;
    /// In bytes.
    pub const SALT: std::ops::RangeInclusive<usize> = 16..=64;

    /// Reads `pbkdf2-sha256$ROUNDS$SALT$HASH`, with salt and hash in hexadecimal digits.
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(Self::SCHEME)?.split('$');
        let (rounds, salt, hash) = (parts.next()?.parse().ok()?, bytes(parts.next()?)?, bytes(parts.next()?)?);
        let is_sound = parts.next().is_none() && Self::ROUNDS.contains(&rounds) && Self::SALT.contains(&salt.len());
        Some(Self { rounds, salt, hash: hash.try_into().ok()? }).filter(|_| is_sound)
    }
}

impl fmt::Display for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}${}${}", Self::SCHEME, self.rounds, digits(&self.salt), digits(&self.hash))
    }
}

/// A token as it is kept. A token is 256 random bits, which nobody can try out, so a quick hash protects it as well as a slow one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    /// What a hash in this form begins with.
    pub const SCHEME: &'static str = "sha256$";

    /// Reads `sha256$HASH`, in hexadecimal digits.
    pub fn read(text: &str) -> Option<Self> {
        bytes(text.strip_prefix(Self::SCHEME)?)?.try_into().ok().map(Self)
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", Self::SCHEME, digits(&self.0))
    }
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()).collect()
}

/// What proves that somebody is a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Password {
    Hash(PasswordHash),
    /// From a file or the environment.
    Plain(Secret),
}

/// `[access.NAME]`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// For HTTP Basic (RFC 7617), by name.
    pub users: BTreeMap<String, Password>,
    /// By name.
    pub tokens: BTreeMap<String, TokenHash>,
}

/// See the module. The default admits everybody to everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    pub groups: BTreeMap<GroupName, Group>,
    /// Of everything that says nothing else: the combined feed, pages, lists, metrics.
    pub server: Permission,
    pub topics: BTreeMap<TopicKey, Permission>,
    /// Of the sources' own feeds.
    pub sources: BTreeMap<SourceKey, Permission>,
    /// What comes only from these appears in no public output.
    pub private: BTreeSet<SourceKey>,
}

impl Access {
    /// Whom a feed admits; of a feed that is not declared as the server does.
    pub fn of(&self, feed: &FeedName) -> &Permission {
        match feed {
            FeedName::All => &self.server,
            FeedName::Topic(key) => self.topics.get(key).unwrap_or(&self.server),
            FeedName::Source(key) => match self.sources.get(key).unwrap_or(&self.server) {
                Permission::Public if self.private.contains(key) => &Permission::Nobody,
                permission => permission,
            },
        }
    }

    pub fn is_public(&self, feed: &FeedName) -> bool {
        *self.of(feed) == Permission::Public
    }

    /// Whom the feed's documents are made for.
    pub fn audience(&self, feed: &FeedName) -> Audience {
        if self.is_public(feed) { Audience::Public } else { Audience::Full }
    }

    /// Whom pages, lists and metrics are made for.
    pub fn of_pages(&self) -> Audience {
        if self.server == Permission::Public { Audience::Public } else { Audience::Full }
    }

    /// Whether pages and lists name the feed: those who may read them may read it, too.
    pub fn is_listed(&self, feed: &FeedName) -> bool {
        self.is_public(feed) || (*self.of(feed) != Permission::Nobody && *self.of(feed) == self.server)
    }

    /// Whether a source, and what comes from it, may be told to this audience.
    pub fn admits(&self, source: &SourceKey, audience: Audience) -> bool {
        audience == Audience::Full || !self.private.contains(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str) -> Permission {
        Permission::Group(GroupName::new(name).unwrap())
    }

    fn topic(key: &str) -> FeedName {
        FeedName::Topic(TopicKey::new(key).unwrap())
    }

    fn source(key: &str) -> FeedName {
        FeedName::Source(SourceKey::new(key).unwrap())
    }

    fn access(server: Permission) -> Access {
        let key = |key: &str| SourceKey::new(key).unwrap();
        Access {
            server,
            topics: [("open", Permission::Public), ("closed", group("family"))]
                .map(|(key, of)| (TopicKey::new(key).unwrap(), of))
                .into(),
            sources: [(key("work"), group("colleagues"))].into(),
            private: [key("work"), key("diary")].into(),
            ..Access::default()
        }
    }

    #[test]
    fn what_says_nothing_is_as_the_server_and_a_private_source_is_never_public() {
        for (server, feed, expected) in [
            (Permission::Public, FeedName::All, Permission::Public),
            (Permission::Public, topic("any"), Permission::Public),
            (Permission::Public, topic("closed"), group("family")),
            (Permission::Public, source("any"), Permission::Public),
            (Permission::Public, source("work"), group("colleagues")),
            (Permission::Public, source("diary"), Permission::Nobody),
            (group("house"), FeedName::All, group("house")),
            (group("house"), topic("open"), Permission::Public),
            (group("house"), topic("any"), group("house")),
            (group("house"), source("diary"), group("house")),
            (group("house"), source("work"), group("colleagues")),
        ] {
            let access = access(server.clone());
            assert_eq!(*access.of(&feed), expected, "{server:?} {feed}");
            let audience = if expected == Permission::Public { Audience::Public } else { Audience::Full };
            assert_eq!(access.audience(&feed), audience, "{server:?} {feed}");
        }
    }

    #[test]
    fn lists_name_what_their_readers_may_read() {
        for (server, feed, expected) in [
            (Permission::Public, topic("open"), true),
            (Permission::Public, topic("closed"), false),
            (Permission::Public, source("work"), false),
            (Permission::Public, source("diary"), false),
            (group("family"), topic("open"), true),
            (group("family"), topic("closed"), true),
            (group("family"), source("diary"), true),
            (group("family"), source("work"), false),
        ] {
            assert_eq!(access(server.clone()).is_listed(&feed), expected, "{server:?} {feed}");
        }
    }

    #[test]
    fn hashes_are_written_as_they_are_read_and_weak_ones_are_not_read() {
        let (salt, hash) = ("00ff".repeat(8), "a1".repeat(32));
        let sound = format!("pbkdf2-sha256$600000${salt}${hash}");
        assert_eq!(PasswordHash::read(&sound).unwrap().to_string(), sound);
        for weak in [
            format!("pbkdf2-sha256$599999${salt}${hash}"),
            format!("pbkdf2-sha256$99999999999${salt}${hash}"),
            format!("pbkdf2-sha256$600000$00ff${hash}"),
            format!("pbkdf2-sha256$600000${salt}$a1"),
            format!("pbkdf2-sha256$600000${salt}${hash}$"),
            format!("pbkdf2-sha256$600000${salt}"),
            format!("pbkdf2-sha256$600000${salt}${}", "é".repeat(32)),
            String::new(),
        ] {
            assert_eq!(PasswordHash::read(&weak), None, "{weak}");
        }
        let token = format!("sha256${hash}");
        assert_eq!(TokenHash::read(&token).unwrap().to_string(), token);
        assert_eq!(TokenHash::read(&hash), None);
    }
}
