//! One document in one format, ready to be sent: bodies, tags and what else an answer says of them are made once, when the feed
//! changes. Clones are reference counts.

use bytes::Bytes;

use crate::model::Timestamp;
use crate::published::coding::{self, Coding};

/// Letters of a document's name: half of a hash.
const NAME: usize = 32;

/// A body under one content coding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coded {
    pub body: Bytes,
    /// Strong and quoted; another one for each coding, since the bytes differ (RFC 9110 §8.8.3.3).
    pub etag: Bytes,
}

/// See the module. The same document always has the same tags, over restarts and machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Representation {
    pub media_type: &'static str,
    pub last_modified: Timestamp,
    /// As HTTP writes it.
    pub last_modified_date: Bytes,
    pub identity: Coded,
    pub gzip: Coded,
    /// The value of `Link` (RFC 8288): its own address, and its hub (WebSub §4).
    pub link: Option<Bytes>,
    /// Made when the feed has been quiet for a while: see [`Representation::condensed`].
    brotli: Option<Coded>,
    zstd: Option<Coded>,
    /// What the tags of all codings begin with.
    name: String,
}

impl Representation {
    pub fn new(media_type: &'static str, body: Vec<u8>, last_modified: Timestamp) -> Self {
        Self::after(None, media_type, body, last_modified)
    }

    /// As [`Representation::new`], without coding again what has not changed since `before`.
    pub fn after(before: Option<&Self>, media_type: &'static str, body: Vec<u8>, last_modified: Timestamp) -> Self {
        let name = blake3::hash(&body).to_hex().as_str()[..NAME].to_owned();
        let last_modified_date = Bytes::from(httpdate::fmt_http_date(last_modified.into()));
        if let Some(before) = before.filter(|before| before.name == name && before.media_type == media_type) {
            return Self { last_modified, last_modified_date, link: None, ..before.clone() };
        }
        let gzip = coded(&name, Coding::Gzip, coding::gzip(&body));
        let identity = coded(&name, Coding::Identity, body);
        Self {
            media_type,
            last_modified,
            last_modified_date,
            identity,
            gzip,
            link: None,
            brotli: None,
            zstd: None,
            name,
        }
    }

    /// With what the answer's `Link` says. Not a part of the document: the tags stay as they are.
    #[must_use]
    pub fn with_link(self, link: String) -> Self {
        Self { link: Some(link.into()), ..self }
    }

    /// The same document with the codings that cost more and are smaller.
    #[must_use]
    pub fn condensed(&self) -> Self {
        let brotli = coded(&self.name, Coding::Brotli, coding::brotli(&self.identity.body));
        let zstd = coded(&self.name, Coding::Zstd, coding::zstd(&self.identity.body));
        Self { brotli: Some(brotli), zstd: Some(zstd), ..self.clone() }
    }

    pub fn is_condensed(&self) -> bool {
        self.brotli.is_some() && self.zstd.is_some()
    }

    /// The body under a coding; `None` while it is not made.
    pub fn coded(&self, coding: Coding) -> Option<&Coded> {
        match coding {
            Coding::Brotli => self.brotli.as_ref(),
            Coding::Zstd => self.zstd.as_ref(),
            Coding::Gzip => Some(&self.gzip),
            Coding::Identity => Some(&self.identity),
        }
    }

    /// Whether a tag, without its quotes, names this document under any coding, also under one that is not made here (yet).
    pub fn has_tag(&self, tag: &str) -> bool {
        let mark = tag.strip_prefix(&self.name);
        mark.is_some_and(|mark| Coding::ALL.iter().any(|coding| coding.mark() == mark))
    }

    /// What the tags of all codings begin with, and nothing else.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name in a tag without its quotes; `None` for a tag that is none of ours.
    pub fn name_in(tag: &str) -> Option<&str> {
        let (name, mark) = tag.split_at_checked(NAME)?;
        Coding::ALL.iter().any(|coding| coding.mark() == mark).then_some(name)
    }

    /// How much memory it takes, in bytes.
    pub fn size(&self) -> usize {
        let codings = Coding::ALL.iter().filter_map(|coding| self.coded(*coding));
        size_of::<Self>() + codings.map(|coded| coded.body.len() + coded.etag.len()).sum::<usize>()
    }
}

fn coded(name: &str, coding: Coding, body: Vec<u8>) -> Coded {
    // What a body could still have grown by is memory that nobody uses, for as long as it is kept.
    Coded { body: body.into_boxed_slice().into(), etag: format!("\"{name}{}\"", coding.mark()).into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(body: &str) -> Representation {
        Representation::new("text/plain", body.as_bytes().to_vec(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn every_coding_has_a_tag_of_its_own_and_all_name_the_document() {
        let document = document(&"All the news. ".repeat(100)).condensed();
        let tags: Vec<&str> = Coding::ALL
            .iter()
            .map(|coding| std::str::from_utf8(&document.coded(*coding).unwrap().etag).unwrap().trim_matches('"'))
            .collect();
        for (index, tag) in tags.iter().enumerate() {
            assert!(document.has_tag(tag), "{tag}");
            assert!(!tags[..index].contains(tag), "{tag}");
        }
        for tag in ["", "x", &format!("{}-xz", tags[3]), &tags[3][1..]] {
            assert!(!document.has_tag(tag), "{tag}");
        }
    }

    #[test]
    fn the_same_document_gives_the_same_bytes_in_every_coding() {
        let text = "Leaders signed a pact. ".repeat(500);
        assert_eq!(document(&text).condensed(), document(&text).condensed());
        assert!(document(&text).condensed().size() > text.len());
    }

    #[test]
    fn what_has_not_changed_keeps_its_codings() {
        let condensed = document("one").condensed();
        let again = Representation::after(Some(&condensed), "text/plain", b"one".to_vec(), Timestamp::UNIX_EPOCH);
        assert!(again.is_condensed());
        let changed = Representation::after(Some(&condensed), "text/plain", b"two".to_vec(), Timestamp::UNIX_EPOCH);
        assert!(!changed.is_condensed());
    }
}
