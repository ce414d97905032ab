//! An item of any dialect → an Atom entry. Each field is the first of its fall-backs that says something; which they are is the whole
//! content of this file.

use std::borrow::Cow;
use std::time::Duration;

use url::Url;

use crate::parse::dates;
use crate::parse::normalise::names::Element;
use crate::parse::normalise::tree::Id;
use crate::parse::normalise::write::{self, Claim, Field};
use crate::parse::normalise::{Beside, Document, href, is_web, origin};

/// Categories written in one element are parted at commas.
const CATEGORIES: usize = 100;

/// What one entry is written from.
struct Entry<'d, 'a> {
    document: &'d Document<'a>,
    item: Id,
    base: Option<Cow<'d, Url>>,
    out: &'d mut String,
}

/// Writes one entry, and gives what Atom has no element for.
pub(super) fn write(document: &Document<'_>, item: Id, out: &mut String) -> Beside {
    let base = document.base(item);
    let mut entry = Entry { document, item, base, out };
    let beside = entry.beside();
    entry.out.push_str("<entry>\n");
    entry.id();
    entry.title();
    entry.links();
    entry.enclosures();
    entry.dates();
    entry.people();
    entry.categories();
    entry.texts();
    entry.out.push_str("</entry>\n");
    beside
}

impl<'a> Entry<'_, 'a> {
    /// The first of the elements that has text.
    fn text(&self, elements: &[Element]) -> Option<Cow<'a, str>> {
        let tree = &self.document.tree;
        elements.iter().find_map(|element| tree.all(self.item, *element).find_map(|id| tree.text(id)))
    }

    fn all(&self, element: Element) -> Vec<Id> {
        self.document.tree.all(self.item, element).collect()
    }

    fn beside(&self) -> Beside {
        let tree = &self.document.tree;
        let says_no = |id: Id| tree.attribute(id, "isPermaLink").is_some_and(|says| says.eq_ignore_ascii_case("false"));
        let guid = tree.all(self.item, Element::Guid).find(|id| tree.text(*id).is_some());
        let number = |element| self.text(&[element]).and_then(|text| text.parse().ok());
        Beside {
            is_permalink: guid.filter(|_| !self.document.is_atom).map(|guid| !says_no(guid)),
            origin: self.all(Element::Source).into_iter().find_map(|source| origin::of(self.document, source)),
            duration: self.text(&[Element::Duration]).and_then(|text| duration(&text)),
            episode: number(Element::Episode),
            season: number(Element::Season),
            is_explicit: self.text(&[Element::Explicit]).and_then(|text| explicit(&text)),
            language: self
                .text(&[Element::Language])
                .or_else(|| tree.attribute(self.item, "xml:lang"))
                .or_else(|| tree.all(self.item, Element::Content).find_map(|id| tree.attribute(id, "xml:lang")))
                .map(Cow::into_owned),
        }
    }

    fn guid(&self) -> Option<Cow<'a, str>> {
        let tree = &self.document.tree;
        let video = || self.text(&[Element::VideoId]).map(|id| Cow::Owned(format!("yt:video:{id}")));
        let about = || if self.document.is_atom { None } else { tree.local_attribute(self.item, "about") };
        self.text(&[Element::Guid]).or_else(about).or_else(video)
    }

    fn id(&mut self) {
        if let Some(guid) = self.guid() {
            write::element(self.out, "id", &guid);
            self.out.push('\n');
        }
    }

    fn title(&mut self) {
        let tree = &self.document.tree;
        let own = tree.all(self.item, Element::Title).find_map(|id| self.document.title(id));
        let title = own.or_else(|| {
            tree.all(self.item, Element::OtherTitle)
                .chain(self.grouped(Element::OtherTitle))
                .find_map(|id| self.document.field(id, Claim::Title))
        });
        if let Some(title) = title {
            title.write(self.out, "title");
        }
    }

    /// Elements within `media:group` and `media:content`.
    fn grouped(&self, element: Element) -> impl Iterator<Item = Id> {
        let tree = &self.document.tree;
        let holders = tree.all(self.item, Element::Group).chain(tree.all(self.item, Element::MediaContent));
        let direct: Vec<Id> = holders.flat_map(|holder| tree.all(holder, element)).collect();
        let within = tree.all(self.item, Element::Group).flat_map(|group| tree.all(group, Element::MediaContent));
        let deep: Vec<Id> = within.flat_map(|holder| tree.all(holder, element)).collect();
        direct.into_iter().chain(deep)
    }

    fn href(&self, text: &str) -> Option<String> {
        href(text, self.base.as_deref())
    }

    /// The address that an element names in an attribute.
    fn address(&self, id: Id, attribute: &str) -> Option<String> {
        let base = self.document.base(id);
        href(&self.document.tree.attribute(id, attribute)?, base.as_deref())
    }

    /// The page of the entry: its link, the link of Atom, the guid or `rdf:about` if it is an address.
    fn page(&self) -> Option<String> {
        let tree = &self.document.tree;
        let written = |id: Id| tree.text(id).and_then(|text| href(&text, self.document.base(id).as_deref()));
        let is_page = |id: &Id| tree.attribute(*id, "rel").is_none_or(|rel| rel.eq_ignore_ascii_case("alternate"));
        let linked = || tree.all(self.item, Element::Link).chain(tree.all(self.item, Element::AtomLink));
        let is_html = |id: &Id| tree.attribute(*id, "type").is_none_or(|kind| kind.contains("html"));
        let pages: Vec<Id> = linked().filter(is_page).collect();
        let by_guid = || {
            let is_page = self.all(Element::Guid).first().is_none_or(|guid| {
                tree.attribute(*guid, "isPermaLink").is_none_or(|says| !says.eq_ignore_ascii_case("false"))
            });
            self.guid().filter(|guid| is_page && is_web(guid)).map(Cow::into_owned)
        };
        let of = |id: &Id| self.address(*id, "href").or_else(|| written(*id));
        pages
            .iter()
            .filter(|id| is_html(id))
            .find_map(of)
            .or_else(|| pages.iter().find_map(of))
            .or_else(by_guid)
            .or_else(
                || if self.document.is_atom { None } else { self.href(&tree.local_attribute(self.item, "about")?) },
            )
            .or_else(|| self.all(Element::Content).into_iter().find_map(|id| self.address(id, "src")))
    }

    fn links(&mut self) {
        if let Some(page) = self.page() {
            self.link("alternate", &page, None, None, None);
        }
        let original = self.text(&[Element::OriginalLink]).and_then(|text| self.href(&text));
        if let Some(original) = original {
            self.link("canonical", &original, None, None, None);
        }
        let comments = self.text(&[Element::Comments]).and_then(|text| self.href(&text));
        if let Some(comments) = comments {
            self.link("replies", &comments, Some("text/html"), None, None);
        }
        for (element, rel) in [(Element::Transcript, "transcript"), (Element::Chapters, "chapters")] {
            for id in self.all(element) {
                let media_type = self.document.tree.attribute(id, "type");
                if let Some(address) = self.address(id, "url") {
                    self.link(rel, &address, media_type.as_deref(), None, None);
                }
            }
        }
        self.images();
    }

    /// Pictures that stand for the entry.
    fn images(&mut self) {
        let found: Vec<Id> = self.all(Element::Thumbnail).into_iter().chain(self.grouped(Element::Thumbnail)).collect();
        for id in found {
            if let Some(address) = self.address(id, "url").or_else(|| self.address(id, "href")) {
                self.link("preview", &address, None, None, None);
            }
        }
        for id in self.all(Element::Image) {
            let tree = &self.document.tree;
            let written = tree.all(id, Element::Uri).find_map(|url| tree.text(url));
            let address = written.and_then(|text| self.href(&text)).or_else(|| self.address(id, "href"));
            if let Some(address) = address {
                self.link("preview", &address, None, None, None);
            }
        }
    }

    fn link(&mut self, rel: &str, href: &str, media_type: Option<&str>, length: Option<&str>, title: Option<&str>) {
        let attributes =
            [("rel", Some(rel)), ("href", Some(href)), ("type", media_type), ("length", length), ("title", title)];
        write::empty(self.out, "link", &attributes);
    }

    fn enclosures(&mut self) {
        let tree = &self.document.tree;
        let is_enclosure =
            |id: &Id| tree.attribute(*id, "rel").is_some_and(|rel| rel.eq_ignore_ascii_case("enclosure"));
        let linked =
            tree.all(self.item, Element::Link).chain(tree.all(self.item, Element::AtomLink)).filter(is_enclosure);
        let media = tree.all(self.item, Element::MediaContent).chain(self.grouped(Element::MediaContent));
        let found: Vec<Id> = tree.all(self.item, Element::Enclosure).chain(linked).chain(media).collect();
        for id in found {
            let written = || tree.text(id).and_then(|text| self.href(&text));
            let holds_parts = tree.node(id).element == Element::MediaContent;
            let address = self.address(id, "url").or_else(|| self.address(id, "href"));
            let Some(address) = address.or_else(|| written().filter(|_| !holds_parts)) else { continue };
            let media_type = tree.attribute(id, "type");
            let length = tree.attribute(id, "length").or_else(|| tree.attribute(id, "fileSize"));
            let length =
                length.filter(|length| length.bytes().all(|digit| digit.is_ascii_digit()) && length.len() < 19);
            let title = tree.attribute(id, "title");
            self.link("enclosure", &address, media_type.as_deref(), length.as_deref(), title.as_deref());
        }
    }

    /// The first date that can be read, not the first that is there.
    fn date(&self, elements: &[Element]) -> Option<crate::model::Timestamp> {
        let tree = &self.document.tree;
        let read = |id: Id| {
            let text = tree.text(id)?;
            let date = dates::read_date(&text);
            self.document.count_date(date.is_some());
            date
        };
        elements.iter().find_map(|element| tree.all(self.item, *element).find_map(read))
    }

    fn dates(&mut self) {
        let mut published = self.date(&[Element::Published]);
        let mut updated = self.date(&[Element::Updated, Element::DublinDate, Element::Created]);
        if !self.document.is_atom && published.is_none() {
            // What is RSS has one date.
            published = updated.take();
        }
        for (tag, date) in [("published", published), ("updated", updated)] {
            if let Some(date) = date {
                write::element(self.out, tag, &date.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
                self.out.push('\n');
            }
        }
    }

    fn people(&mut self) {
        let found = [Element::Author, Element::OtherAuthor]
            .into_iter()
            .map(|element| self.document.people(self.item, element))
            .find(|people| !people.is_empty());
        for person in found.unwrap_or_default() {
            person.write(self.out);
        }
    }

    fn categories(&mut self) {
        let tree = &self.document.tree;
        let mut categories: Vec<(Cow<'a, str>, Option<Cow<'a, str>>)> = Vec::new();
        let lists = tree.all(self.item, Element::Categories).flat_map(|list| tree.all(list, Element::Category));
        for id in tree.all(self.item, Element::Category).chain(lists) {
            let (term, label) = (tree.attribute(id, "term"), tree.attribute(id, "label"));
            let text = || self.document.text(id).or_else(|| tree.attribute(id, "text"));
            if let Some(term) = term.or_else(text).or_else(|| label.clone()) {
                categories.push((term, label));
            }
        }
        let subjects = tree.all(self.item, Element::Subject).chain(self.grouped(Element::Subject));
        categories.extend(subjects.filter_map(|id| Some((self.document.text(id)?, None))));
        let keywords = tree.all(self.item, Element::Keywords).chain(self.grouped(Element::Keywords));
        for text in keywords.filter_map(|id| self.document.text(id)) {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            categories.extend(parts.map(|part| (Cow::Owned(part.to_owned()), None)));
        }
        for (term, label) in categories.into_iter().take(CATEGORIES) {
            write::empty(self.out, "category", &[("term", Some(&term)), ("label", label.as_deref())]);
        }
    }

    /// The whole text, and a shorter one before it if there is one.
    fn texts(&mut self) {
        let content = self.best(Element::Content);
        let description = self.best(Element::Description);
        let summary = self.best(Element::Summary).or_else(|| {
            let tree = &self.document.tree;
            let own = tree.all(self.item, Element::OtherSummary);
            own.chain(self.grouped(Element::OtherSummary)).find_map(|id| self.document.field(id, Claim::Nothing))
        });
        let is_rss = !self.document.is_atom;
        let (content, summary) = match (content, description) {
            (Some(content), Some(description)) => (Some(content), Some(description)),
            // A description that stands alone is the text.
            (None, Some(description)) if is_rss => (Some(description), None),
            (None, description) => (None, description.or(summary)),
            (content, None) => (content, summary),
        };
        if let Some(summary) = summary {
            summary.write(self.out, "summary");
        }
        if let Some(content) = content {
            content.write(self.out, "content");
        }
    }

    /// The first of equal elements that has text; `content:encoded` goes before Atom's.
    fn best(&self, element: Element) -> Option<Field<'a>> {
        self.document.tree.all(self.item, element).find_map(|id| self.document.text_field(id))
    }
}

/// `1:02:03`, `62:03`, or seconds. A play time of more than four days is none.
fn duration(text: &str) -> Option<Duration> {
    let mut seconds = 0_u64;
    for part in text.split(':') {
        let part = part.split('.').next().unwrap_or_default().trim();
        seconds = seconds.checked_mul(60)?.checked_add(part.parse().ok()?)?;
    }
    (0 < seconds && seconds < 4 * 86_400).then(|| Duration::from_secs(seconds))
}

/// `itunes:explicit` in all its spellings.
fn explicit(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "explicit" => Some(true),
        "no" | "false" | "clean" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn play_times_are_read() {
        for (text, expected) in [
            ("90", Some(90)),
            ("1:30", Some(90)),
            ("01:02:03", Some(3723)),
            ("12.5", Some(12)),
            ("0", None),
            ("99999999999999999999", None),
            ("soon", None),
        ] {
            assert_eq!(duration(text).map(|duration| duration.as_secs()), expected, "{text}");
        }
    }
}
