//! What we keep and republish: entries with all their sightings.

use std::fmt;

use url::Url;

use super::Timestamp;
use super::document::{Enclosure, Guid, Particulars, Person, RawHtml};
use super::feed::FeedId;
use super::source::Scope;

/// A number from the store's one sequence. Later means larger; never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seq(pub u64);

/// The id under which an entry is published, the same in all formats. Shown as `urn:uuid:…` (RFC 9562, version 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicId(pub [u8; 16]);

impl PublicId {
    /// Reads an id as it is published, with `urn:uuid:` or without; upper and lower case are the same (RFC 9562 §4).
    pub fn read(text: &str) -> Option<Self> {
        let has_name = text.get(..9).is_some_and(|name| name.eq_ignore_ascii_case("urn:uuid:"));
        let digits = if has_name { &text[9..] } else { text };
        let is_hyphen = |index: usize| matches!(index, 8 | 13 | 18 | 23);
        if digits.len() != 36 || !digits.bytes().enumerate().all(|(index, byte)| (byte == b'-') == is_hyphen(index)) {
            return None;
        }
        let digits = digits.replace('-', "");
        let mut id = [0; 16];
        for (index, byte) in id.iter_mut().enumerate() {
            let pair = digits.get(2 * index..2 * index + 2)?;
            *byte = u8::from_str_radix(pair, 16).ok().filter(|_| !pair.starts_with('+'))?;
        }
        Some(Self(id))
    }

    /// The id without `urn:uuid:`, as addresses have it.
    pub fn bare(self) -> String {
        let mut text = self.to_string();
        text.drain(..9);
        text
    }
}

impl fmt::Display for PublicId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("urn:uuid:")?;
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                formatter.write_str("-")?;
            }
            write!(formatter, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// What kind of evidence a [`Key`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// A guid, within its source or, if it is global, everywhere.
    Guid,
    /// A canonical URL.
    Url,
    /// A fingerprint of the text a person reads.
    Content,
    /// The folded title; only of what a `[[merge]]` by query speaks of.
    Title,
}

/// Something that two copies of the same news share. Opaque; built only by `merge::identify`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub kind: KeyKind,
    pub hash: [u8; 16],
}

/// Names the raw fragments of one version of one sighting. Names sort by sighting, so that texts lie in the order of their arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TextName(pub [u8; 16]);

impl TextName {
    /// `digest` tells the versions of one sighting apart.
    pub fn new(sighting: Seq, digest: TextDigest) -> Self {
        let mut name = [0; 16];
        name[..8].copy_from_slice(&sighting.0.to_be_bytes());
        name[8..].copy_from_slice(&digest.0);
        Self(name)
    }

    pub fn digest(self) -> TextDigest {
        let mut digest = [0; 8];
        digest.copy_from_slice(&self.0[8..]);
        TextDigest(digest)
    }

    /// The sighting that it names a text of.
    pub fn sighting(self) -> Seq {
        let mut number = [0; 8];
        number.copy_from_slice(&self.0[..8]);
        Seq(u64::from_be_bytes(number))
    }
}

/// Equal raw fragments under one own key have equal digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TextDigest(pub [u8; 8]);

/// The raw fragments of one sighting, as its feed gave them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Texts {
    pub summary: Option<RawHtml>,
    pub content: Option<RawHtml>,
}

impl Texts {
    /// Summary and content as they were written.
    pub fn parts(&self) -> [Option<&str>; 2] {
        [&self.summary, &self.content].map(|html| html.as_ref().map(|html| html.0.as_str()))
    }
}

/// Why a sighting belongs to its entry. Ordered from the strongest to the weakest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ground {
    /// It is the entry's first sighting.
    First,
    /// The user's own rule says so.
    Rule,
    SameGuid,
    SameUrl,
    SameContent,
    NearDuplicate,
}

impl Ground {
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Rule => "rule",
            Self::SameGuid => "same-guid",
            Self::SameUrl => "same-url",
            Self::SameContent => "same-content",
            Self::NearDuplicate => "near-duplicate",
        }
    }
}

/// One source's copy of an entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighting {
    pub seq: Seq,
    pub source: Scope,
    /// The id it would have if it stood alone.
    pub id: PublicId,
    pub first_seen: Timestamp,
    /// Its place in time: the claimed time clamped to the span between the source's previous poll and the one that found it.
    pub sort_at: Timestamp,
    /// When the text a person reads last changed; `None` while it is as first seen.
    pub changed: Option<Timestamp>,
    pub guid: Option<Guid>,
    pub url: Option<Url>,
    pub title: Option<String>,
    pub published: Option<Timestamp>,
    pub authors: Vec<Person>,
    pub categories: Vec<String>,
    pub enclosures: Vec<Enclosure>,
    pub language: Option<String>,
    pub particulars: Particulars,
    /// Where its raw fragments lie; `None` when the publisher sent neither summary nor content.
    pub text: Option<TextName>,
    pub ground: Ground,
    /// Likeness from 0 to 1 where the ground measures one, else 1.
    pub score: f32,
    /// One sentence for `why`: what was compared and found.
    pub evidence: String,
    /// The sighting that it was compared with; `None` for an entry's first one.
    pub matched: Option<Seq>,
    /// Every key it has ever had, so that later copies of an older version find it too. What its source calls it now stands first.
    pub keys: Vec<Key>,
    /// Equal as long as nothing that we keep has changed; blind to dates and to rotating addresses inside the text.
    pub fingerprint: [u8; 16],
    /// Equal as long as the title and text that a person reads are the same.
    pub reading: [u8; 16],
}

/// Where an entry stands in one feed. It never moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    pub feed: FeedId,
    pub sort_at: Timestamp,
}

/// One piece of news with all its sightings.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub seq: Seq,
    pub id: PublicId,
    pub first_seen: Timestamp,
    /// In the order of joining; never empty.
    pub sightings: Vec<Sighting>,
    /// Every feed that it belongs to, in the order of joining.
    pub placements: Vec<Placement>,
    /// Since when it is held back from every feed, as a part of what looks like a mass re-issue.
    pub held: Option<Timestamp>,
}
