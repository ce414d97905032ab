//! Entries → feed documents. Never reads the clock: the same entries give the same bytes, over restarts and machines.
//!
//! Sanitising happens here, once for all formats, and its result is a type of its own: nothing else can be written as HTML.

mod atom;
mod json;
mod media;
pub mod opml;
pub mod plain;
mod rss;
pub mod sanitise;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use url::Url;

use crate::model::entry::Texts;
use crate::model::feed::Format;
use crate::model::page::{Page, Presented};
use crate::render::sanitise::{SafeHtml, Sanitiser};
use crate::text;

/// The program's page, named as generator. Without a version, so that an upgrade changes no byte.
const GENERATOR: &str = env!("CARGO_PKG_REPOSITORY");

/// What marks a page of an archive (RFC 5005 §4): prefix, namespace, and the element.
const HISTORY: (&str, &str, &str) = ("fh", "http://purl.org/syndication/history/1.0", "archive");

/// Longest title that is made from an entry's text, in characters.
const MADE_TITLE: usize = 80;

/// What is shown of one sighting's fragments. It depends on them, their base and the media that stay alone, so it can be kept.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fragments {
    content: Option<SafeHtml>,
    /// Plain text.
    summary: Option<String>,
    /// The beginning of the text, for an entry without a title.
    title: Option<String>,
}

impl Fragments {
    /// Cleans raw fragments. Relative addresses are resolved against `base`.
    pub fn clean(sanitiser: &mut Sanitiser, texts: &Texts, base: Option<&Url>) -> Self {
        let content = texts.content.as_ref().map(|html| sanitiser.clean(html, base));
        let summary = texts.summary.as_ref().map(|html| legible(&text::visible(&html.0)));
        let summary = summary.filter(|text| !text.is_empty());
        let title = match (&summary, &content) {
            (Some(summary), _) => beginning(summary, MADE_TITLE),
            (None, Some(html)) => beginning(&legible(&text::visible(html.as_str())), MADE_TITLE),
            (None, None) => None,
        };
        Self { content, summary, title }
    }

    /// How much memory they take, in bytes.
    pub fn size(&self) -> usize {
        let texts = [self.content.as_ref().map(SafeHtml::as_str), self.summary.as_deref(), self.title.as_deref()];
        size_of::<Self>() + texts.into_iter().flatten().map(str::len).sum::<usize>()
    }
}

/// A page whose fragments are clean, ready to be written in every format.
pub struct Prepared {
    page: Page,
    entries: Vec<Clean>,
}

/// One entry with what all formats share.
struct Clean {
    entry: Presented,
    /// Never empty.
    title: String,
    fragments: Arc<Fragments>,
}

impl Clean {
    fn content(&self) -> Option<&str> {
        self.fragments.content.as_ref().map(SafeHtml::as_str)
    }

    fn summary(&self) -> Option<&str> {
        self.fragments.summary.as_deref()
    }
}

/// Joins a page with the fragments of its entries, which come in the same order.
pub fn prepare(mut page: Page, fragments: Vec<Arc<Fragments>>) -> Prepared {
    let entries = std::mem::take(&mut page.entries);
    Prepared {
        page,
        entries: entries.into_iter().zip(fragments).map(|(entry, fragments)| clean(entry, fragments)).collect(),
    }
}

/// Writes a page in one format, under the address of that format.
pub fn feed(prepared: &Prepared, format: Format, place: &Place) -> Vec<u8> {
    match format {
        Format::Atom => atom::write(prepared, place),
        Format::Rss => rss::write(prepared, place),
        Format::Json => json::write(prepared, place),
    }
}

/// Where a document is, and what stands around it.
#[derive(Debug, Clone)]
pub struct Place {
    pub self_url: Url,
    /// The feed's next page: what is older.
    pub next_url: Option<Url>,
    /// The first of the pages that follow each other by `next` (RFC 5005 §3).
    pub first_url: Option<Url>,
    /// Of an archive page, and of nothing else: the feed's current document (RFC 5005 §4).
    pub current_url: Option<Url>,
    /// The archive page that closed before everything in here joined the feed.
    pub previous_archive_url: Option<Url>,
    /// Of an archive page: the one that closed after it.
    pub next_archive_url: Option<Url>,
}

impl Place {
    /// A document that stands alone.
    pub fn at(self_url: Url) -> Self {
        Self {
            self_url,
            next_url: None,
            first_url: None,
            current_url: None,
            previous_archive_url: None,
            next_archive_url: None,
        }
    }

    fn is_archive(&self) -> bool {
        self.current_url.is_some()
    }

    /// The names of RFC 5005, with where they lead.
    fn links(&self) -> impl Iterator<Item = (&'static str, &Url)> {
        let links = [
            ("next", &self.next_url),
            ("first", &self.first_url),
            ("current", &self.current_url),
            ("prev-archive", &self.previous_archive_url),
            ("next-archive", &self.next_archive_url),
        ];
        links.into_iter().filter_map(|(name, url)| Some((name, url.as_ref()?)))
    }
}

impl Prepared {
    /// The newest `updated` of its entries; the Unix epoch for a page without entries, so that no clock is read.
    fn updated(&self) -> crate::model::Timestamp {
        self.entries.iter().map(|clean| clean.entry.updated).max().unwrap_or(crate::model::Timestamp::UNIX_EPOCH)
    }
}

fn clean(mut entry: Presented, fragments: Arc<Fragments>) -> Clean {
    let title = entry.title.as_deref().map(legible).filter(|title| !title.is_empty());
    let title = title.or_else(|| fragments.title.clone());
    let title = title.unwrap_or_else(|| legible(&entry.sightings[0].source_title));
    for category in &mut entry.categories {
        *category = legible(category);
    }
    for author in &mut entry.authors {
        author.name = legible(&author.name);
    }
    for sighting in &mut entry.sightings {
        sighting.source_title = legible(&sighting.source_title);
        sighting.title = sighting.title.as_deref().map(legible);
    }
    Clean { entry, title, fragments }
}

/// The beginning of a text, in so many characters at the most, to the end of a word; `None` for an empty one.
fn beginning(shown: &str, most: usize) -> Option<String> {
    if shown.is_empty() {
        return None;
    }
    if shown.chars().count() <= most {
        return Some(shown.to_owned());
    }
    let cut: String = shown.chars().take(most).collect();
    let end = cut.rfind(' ').unwrap_or(cut.len());
    Some(format!("{}…", &cut[..end]))
}

/// Without the characters that XML 1.0 §2.2 forbids.
fn legible(text: &str) -> String {
    text.replace(is_forbidden, "")
}

fn is_forbidden(letter: char) -> bool {
    matches!(letter, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}
