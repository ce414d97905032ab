//! What of a feed's document is new to a reader who has an earlier one: the manipulation `feed` of RFC 3229.
//!
//! A document is its head, its entries and its end, so what a reader lacks is cut out of the bytes that are there: nothing is rendered
//! again. What an earlier document held is remembered as a number for each entry, of those documents only that went to readers who
//! ask for changes.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::model::feed::Format;
use crate::published::representation::Representation;

/// Most bytes that are remembered: about eight thousand documents of a hundred entries.
const LIMIT: usize = 8 << 20;

/// One number for each entry, of its bytes.
type Marks = Arc<[u64]>;

/// Documents that readers have.
#[derive(Default)]
pub struct Changes {
    remembered: Mutex<Remembered>,
}

#[derive(Default)]
struct Remembered {
    /// By their names; what was used last stands last.
    documents: VecDeque<(String, Marks)>,
    size: usize,
}

impl Changes {
    /// The document with those entries alone that none of the tagged ones held as they are; and remembers it as a whole. `None` when no
    /// tag is known, when more than half of it is new, and for a document that has no such form.
    pub fn since(&self, document: &Representation, tags: &[String]) -> Option<Bytes> {
        let body = std::str::from_utf8(&document.identity.body).ok()?;
        let entries = entries(document.media_type, body)?;
        let mut remembered = self.lock();
        let known = tags.iter().filter_map(|tag| Representation::name_in(tag)).find_map(|name| remembered.find(name));
        let marks = remembered.find(document.name()).unwrap_or_else(|| {
            let marks: Marks = entries.iter().map(|entry| mark(&body[entry.clone()])).collect();
            remembered.put(document.name(), &marks);
            marks
        });
        drop(remembered);
        let known = known?;
        let new: Vec<&Range<usize>> =
            entries.iter().zip(&*marks).filter(|(_, mark)| !known.contains(mark)).map(|(entry, _)| entry).collect();
        if new.len() * 2 > entries.len() {
            return None;
        }
        let (first, last) = (entries.first()?, entries.last()?);
        let parts = std::iter::once(&body[..first.start]).chain(new.into_iter().map(|entry| &body[entry.clone()]));
        Some(Bytes::from(parts.chain([&body[last.end..]]).collect::<String>()))
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remembered {
    fn find(&mut self, name: &str) -> Option<Marks> {
        let index = self.documents.iter().position(|(known, _)| known == name)?;
        let found = self.documents.remove(index)?;
        let marks = Arc::clone(&found.1);
        self.documents.push_back(found);
        Some(marks)
    }

    fn put(&mut self, name: &str, marks: &Marks) {
        self.size += size(name, marks);
        self.documents.push_back((name.to_owned(), Arc::clone(marks)));
        while self.size > LIMIT
            && let Some((name, marks)) = self.documents.pop_front()
        {
            self.size -= size(&name, &marks);
        }
    }
}

fn size(name: &str, marks: &Marks) -> usize {
    size_of::<(String, Marks)>() + name.len() + size_of_val::<[u64]>(marks)
}

fn mark(entry: &str) -> u64 {
    let hash = blake3::hash(entry.as_bytes());
    hash.as_bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// Where the entries of one of our own documents stand; `None` for another format.
fn entries(media_type: &str, body: &str) -> Option<Vec<Range<usize>>> {
    let (start, end) = match media_type {
        media_type if media_type == Format::Atom.media_type() => ("<entry>", "</entry>"),
        media_type if media_type == Format::Rss.media_type() => ("<item>", "</item>"),
        _ => return None,
    };
    let mut found = Vec::new();
    let (mut at, mut begun) = (0, None);
    while let Some(next) = body[at..].find('<') {
        at += next;
        let rest = &body[at..];
        // What stands in there is text, whatever it looks like.
        if rest.starts_with("<![CDATA[") {
            at += rest.find("]]>")?;
        } else if rest.starts_with(start) {
            begun = Some(at);
        } else if rest.starts_with(end) {
            found.push(begun.take()?..at + end.len());
        }
        at += 1;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn document(format: Format, entries: &[&str]) -> Representation {
        let entries: Vec<String> = entries
            .iter()
            .map(|text| match format {
                Format::Atom => format!("<entry><title>{text}</title></entry>"),
                _ => format!("<item><description><![CDATA[{text}]]></description></item>"),
            })
            .collect();
        let body = format!("<head>{}</head>{}<end/>", entries.len(), entries.concat());
        Representation::new(format.media_type(), body.into_bytes(), Timestamp::UNIX_EPOCH)
    }

    fn tag(document: &Representation) -> String {
        String::from_utf8(document.gzip.etag.to_vec()).unwrap().trim_matches('"').to_owned()
    }

    #[test]
    fn what_is_new_or_changed_is_cut_out() {
        let changes = Changes::default();
        let first = document(Format::Atom, &["c", "b", "a"]);
        assert_eq!(changes.since(&first, &[]), None);
        let second = document(Format::Atom, &["d", "c", "b2", "a"]);
        let expected = "<head>4</head><entry><title>d</title></entry><entry><title>b2</title></entry><end/>".to_owned();
        assert_eq!(changes.since(&second, &["unknown".to_owned(), tag(&first)]), Some(Bytes::from(expected)));
        let third = document(Format::Atom, &["c", "b2", "a"]);
        assert_eq!(changes.since(&third, &[tag(&second)]).unwrap(), "<head>3</head><end/>");
    }

    #[test]
    fn text_that_looks_like_an_entry_is_none() {
        let changes = Changes::default();
        let first = document(Format::Rss, &["</item><item>", "<item>", "a"]);
        assert_eq!(changes.since(&first, &[]), None);
        let second = document(Format::Rss, &["new </item>", "</item><item>", "<item>", "a"]);
        let expected = "<head>4</head><item><description><![CDATA[new </item>]]></description></item><end/>";
        assert_eq!(changes.since(&second, &[tag(&first)]).unwrap(), expected);
    }

    #[test]
    fn the_whole_document_is_sent_when_most_of_it_is_new_or_nothing_is_known() {
        let changes = Changes::default();
        let first = document(Format::Atom, &["b", "a"]);
        let second = document(Format::Atom, &["d", "c", "b"]);
        assert_eq!(changes.since(&first, &[tag(&second)]), None);
        assert_eq!(changes.since(&second, &[tag(&first)]), None);
        assert!(changes.since(&first, &[tag(&second)]).is_some(), "both were sent by now");
        assert_eq!(changes.since(&document(Format::Atom, &[]), &[tag(&second)]), None);
        let json = Representation::new(Format::Json.media_type(), b"{}".to_vec(), Timestamp::UNIX_EPOCH);
        assert_eq!(changes.since(&json, &[tag(&json)]), None);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_what_is_used_stays() {
        let mut remembered = Remembered::default();
        let marks: Marks = vec![7; 10_000].into();
        for number in 0..200 {
            remembered.put(&number.to_string(), &marks);
            remembered.find("0");
        }
        assert!(remembered.size <= LIMIT);
        assert!(remembered.documents.len() < 200);
        assert!(remembered.find("0").is_some());
        assert!(remembered.find("1").is_none());
        assert_eq!(remembered.size, remembered.documents.iter().map(|(name, marks)| size(name, marks)).sum::<usize>());
    }
}
