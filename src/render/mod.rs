//! Entries → feed documents. Never reads the clock: the same entries give the same bytes, over restarts and machines.
//!
//! Sanitising happens here, once for all formats, and its result is a type of its own: nothing else can be written as HTML.

mod atom;
mod json;
pub mod opml;
mod rss;
pub mod sanitise;

#[cfg(test)]
mod tests;

use url::Url;

use crate::model::feed::Format;
use crate::model::page::{Page, Presented};
use crate::render::sanitise::{SafeHtml, Sanitiser};
use crate::text;

/// The program's page, named as generator. Without a version, so that an upgrade changes no byte.
const GENERATOR: &str = env!("CARGO_PKG_REPOSITORY");

/// Longest title that is made from an entry's text, in characters.
const MADE_TITLE: usize = 80;

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
    content: Option<SafeHtml>,
    /// Plain text.
    summary: Option<String>,
}

/// Cleans a page.
pub fn prepare(mut page: Page) -> Prepared {
    let entries = std::mem::take(&mut page.entries);
    let mut sanitiser = Sanitiser::default();
    Prepared { page, entries: entries.into_iter().map(|entry| clean(&mut sanitiser, entry)).collect() }
}

/// Writes a page in one format, under the address of that format.
pub fn feed(prepared: &Prepared, format: Format, self_url: &Url, next_url: Option<&Url>) -> Vec<u8> {
    let place = Place { self_url, next_url };
    match format {
        Format::Atom => atom::write(prepared, &place),
        Format::Rss => rss::write(prepared, &place),
        Format::Json => json::write(prepared, &place),
    }
}

/// Where a document is.
struct Place<'a> {
    self_url: &'a Url,
    next_url: Option<&'a Url>,
}

impl Prepared {
    /// The newest `updated` of its entries; the Unix epoch for a page without entries, so that no clock is read.
    fn updated(&self) -> crate::model::Timestamp {
        self.entries.iter().map(|clean| clean.entry.updated).max().unwrap_or(crate::model::Timestamp::UNIX_EPOCH)
    }
}

fn clean(sanitiser: &mut Sanitiser, mut entry: Presented) -> Clean {
    let texts = std::mem::take(&mut entry.texts);
    let base = entry.url.clone().or_else(|| entry.sightings[0].site.clone());
    let content = texts.content.as_ref().map(|html| sanitiser.clean(html, base.as_ref()));
    let summary = texts.summary.as_ref().map(|html| legible(&text::visible(&html.0))).filter(|text| !text.is_empty());
    let shown = content.as_ref().map(|html| text::visible(html.as_str()));
    let title = entry.title.as_deref().map(legible).filter(|title| !title.is_empty());
    let title = title.unwrap_or_else(|| made_title(&entry, summary.as_deref().or(shown.as_deref())));
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
    Clean { entry, title, content, summary }
}

/// The beginning of the text, to the end of a word; else the name of the source.
fn made_title(entry: &Presented, shown: Option<&str>) -> String {
    let Some(shown) = shown.map(legible).filter(|shown| !shown.is_empty()) else {
        return legible(&entry.sightings[0].source_title);
    };
    if shown.chars().count() <= MADE_TITLE {
        return shown;
    }
    let cut: String = shown.chars().take(MADE_TITLE).collect();
    let end = cut.rfind(' ').unwrap_or(cut.len());
    format!("{}…", &cut[..end])
}

/// Without the characters that XML 1.0 §2.2 forbids.
fn legible(text: &str) -> String {
    text.replace(is_forbidden, "")
}

fn is_forbidden(letter: char) -> bool {
    matches!(letter, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}
