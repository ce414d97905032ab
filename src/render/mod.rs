//! Entries → feed documents. Never reads the clock: the same entries give the same bytes, over restarts and machines.
//!
//! Sanitising happens here, once for all formats, and its result is a type of its own: nothing else can be written as HTML.

mod atom;
mod fit;
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

use crate::model::Timestamp;
use crate::model::document::{About, Enclosure, Person, Related, RelatedKind};
use crate::model::entry::Texts;
use crate::model::feed::Format;
use crate::model::page::{Page, Presented};
use crate::render::sanitise::{SafeHtml, Sanitiser};
use crate::text;

/// The program's page, named as generator. Without a version, so that an upgrade changes no byte.
const GENERATOR: &str = env!("CARGO_PKG_REPOSITORY");

/// What marks a page of an archive (RFC 5005 §4): prefix, namespace, and the element.
const HISTORY: (&str, &str, &str) = ("fh", "http://purl.org/syndication/history/1.0", "archive");
/// The name space of Media RSS, by the address that readers know it under.
const MEDIA: &str = "http://search.yahoo.com/mrss/";

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

/// The feed that an entry is from: the one that its publisher names, else its source.
struct Home<'a> {
    /// An address of the web or another name that is one everywhere.
    id: String,
    title: String,
    updated: Timestamp,
    /// The page of its site.
    site: Option<&'a Url>,
    feed: Option<&'a Url>,
    /// What it says about itself, where that is known.
    about: Option<&'a About>,
}

impl Clean {
    fn home(&self) -> Home<'_> {
        let shown = &self.entry.sightings[0];
        let is_id = |id: &&str| fit::is_name(id);
        let named = self.entry.particulars.origin.as_ref().and_then(|origin| {
            let id = origin.id.as_deref().filter(is_id).map(str::to_owned);
            let address = origin.feed.as_ref().or(origin.url.as_ref());
            let id = id.or_else(|| address.map(|address| fit::address(address).into_owned()))?;
            let host = || address.and_then(Url::host_str).map(str::to_owned);
            let title = origin.title.clone().or_else(host).unwrap_or_else(|| id.clone());
            let updated = origin.updated.unwrap_or(self.entry.updated);
            Some(Home { id, title, updated, site: origin.url.as_ref(), feed: origin.feed.as_ref(), about: None })
        });
        named.unwrap_or_else(|| {
            // A source of RSS has no id of its own; its address is one.
            let id = shown.about.id.as_deref().filter(is_id).map(str::to_owned);
            let address = shown.source_address.as_ref();
            let id = id.or_else(|| address.map(|address| fit::address(address).into_owned()));
            Home {
                id: id.unwrap_or_else(|| format!("urn:feedmill:source:{}", shown.source)),
                title: shown.source_title.clone(),
                updated: shown.source_updated.unwrap_or(Timestamp::UNIX_EPOCH),
                site: shown.site.as_ref(),
                feed: address,
                about: Some(&shown.about),
            }
        })
    }

    /// Its authors, else those of its feed; none where neither names any.
    fn authors(&self) -> Vec<Person> {
        if self.entry.authors.is_empty() {
            let of_feed = self.home().about.map(|about| legible_about(about).authors);
            return of_feed.unwrap_or_default();
        }
        self.entry.authors.clone()
    }

    fn related(&self, kind: RelatedKind) -> Option<&Related> {
        self.entry.particulars.of(kind).next()
    }

    /// The picture that stands for it.
    fn image(&self) -> Option<&Url> {
        let pictures = self.entry.enclosures.iter().filter(|enclosure| fit::is_picture(enclosure));
        let named = self.related(RelatedKind::Image).map(|related| &related.url);
        named.or_else(|| pictures.map(|enclosure| &enclosure.url).next())
    }

    /// What a player plays, else the first of its enclosures.
    fn main_enclosure(&self) -> Option<&Enclosure> {
        let enclosures = &self.entry.enclosures;
        enclosures.iter().find(|enclosure| fit::is_played(enclosure)).or_else(|| enclosures.first())
    }
}

/// Joins a page with the fragments of its entries, which come in the same order.
pub fn prepare(mut page: Page, fragments: Vec<Arc<Fragments>>) -> Prepared {
    let entries = std::mem::take(&mut page.entries);
    page.title =
        Some(legible(&page.title)).filter(|title| !title.trim().is_empty()).unwrap_or_else(|| "feed".to_owned());
    page.about = Arc::new(legible_about(&page.about));
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
    /// The hub that tells of news (WebSub §4).
    pub hub_url: Option<Url>,
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
            hub_url: None,
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
    /// The feed's language: as it says, else that of all its entries.
    fn language(&self) -> Option<&str> {
        let mut languages = self.entries.iter().map(|clean| clean.entry.language.as_deref());
        let first = languages.next().flatten().filter(|first| languages.all(|other| other == Some(first)));
        self.page.about.language.as_deref().or(first)
    }

    /// The newest `updated` of its entries; the Unix epoch for a page without entries, so that no clock is read.
    fn updated(&self) -> Timestamp {
        self.entries.iter().map(|clean| clean.entry.updated).max().unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

fn clean(mut entry: Presented, fragments: Arc<Fragments>) -> Clean {
    let title = entry.title.as_deref().map(legible).filter(|title| !title.is_empty());
    let title = title.or_else(|| fragments.title.clone());
    let title = title.unwrap_or_else(|| legible(&entry.sightings[0].source_title));
    legible_names(&mut entry.categories, &mut entry.authors);
    entry.language = entry.language.as_deref().and_then(fit::language);
    for enclosure in &mut entry.enclosures {
        enclosure.media_type = fit::media_type(enclosure.media_type.as_deref(), &enclosure.url);
        enclosure.title = enclosure.title.as_deref().map(legible).filter(|title| !title.trim().is_empty());
    }
    if let Some(origin) = &mut entry.particulars.origin {
        origin.title = origin.title.as_deref().map(legible).filter(|title| !title.trim().is_empty());
    }
    for sighting in &mut entry.sightings {
        sighting.source_title = legible(&sighting.source_title);
        sighting.title = sighting.title.as_deref().map(legible);
    }
    Clean { entry, title, fragments }
}

/// What a feed says about itself, in letters and words that every format admits.
fn legible_about(about: &About) -> About {
    let text = |text: &Option<String>| text.as_deref().map(legible).filter(|text| !text.trim().is_empty());
    let mut about = About {
        description: text(&about.description),
        rights: text(&about.rights),
        language: about.language.as_deref().and_then(fit::language),
        ..about.clone()
    };
    legible_names(&mut about.categories, &mut about.authors);
    about
}

/// Names that nothing legible is left of are none.
fn legible_names(categories: &mut Vec<String>, authors: &mut Vec<Person>) {
    for category in &mut *categories {
        *category = legible(category);
    }
    categories.retain(|category| !category.trim().is_empty());
    for author in &mut *authors {
        author.name = legible(&author.name);
    }
    authors.retain(|author| !author.name.trim().is_empty());
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
