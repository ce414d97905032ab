//! What a document says about itself → the head of an Atom feed.

use std::borrow::Cow;
use std::time::Duration;

use crate::parse::normalise::names::Element;
use crate::parse::normalise::tree::Id;
use crate::parse::normalise::write::{self, Claim};
use crate::parse::normalise::{Document, HeaderBeside, href};
use crate::text::visible_title;

/// Categories of a feed that are kept.
const CATEGORIES: usize = 20;
/// Links of a feed that lead on.
const LINKS: &[&str] = &["self", "hub", "next", "prev-archive", "current"];

/// Writes the head, without the end of the feed, and gives what Atom has no element for.
pub(super) fn write(document: &Document<'_>, out: &mut String) -> HeaderBeside {
    let holders = document.holders();
    let language = language(document, &holders);
    out.push_str("<feed xmlns=\"http://www.w3.org/2005/Atom\"");
    if let Some(language) = &language {
        out.push_str(" xml:lang=\"");
        write::escape(out, language);
        out.push('"');
    }
    out.push_str(">\n");
    let all = |element: Element| {
        let tree = &document.tree;
        holders.iter().flat_map(move |holder| tree.all(*holder, element)).collect::<Vec<Id>>()
    };
    let other = || all(Element::OtherTitle).into_iter().find_map(|id| document.field(id, Claim::Title));
    if let Some(title) = all(Element::Title).into_iter().find_map(|id| document.title(id)).or_else(other) {
        title.write(out, "title");
    }
    let described = all(Element::Description).into_iter().chain(all(Element::OtherSummary));
    if let Some(subtitle) = described.into_iter().find_map(|id| document.text_field(id)) {
        subtitle.write(out, "subtitle");
    }
    links(document, &all(Element::Link), &all(Element::AtomLink), out);
    for image in all(Element::Image).into_iter().chain(all(Element::Thumbnail)).take(1) {
        if let Some(address) = image_address(document, image) {
            write::element(out, "logo", &address);
        }
    }
    let people = |element| holders.iter().flat_map(|holder| document.people(*holder, element)).collect::<Vec<_>>();
    let authors = Some(people(Element::Author)).filter(|people| !people.is_empty());
    for person in authors.unwrap_or_else(|| people(Element::OtherAuthor)) {
        person.write(out);
    }
    beside(document, &all)
}

fn language(document: &Document<'_>, holders: &[Id]) -> Option<String> {
    let tree = &document.tree;
    let written = holders.iter().flat_map(|holder| tree.all(*holder, Element::Language)).find_map(|id| tree.text(id));
    let declared = || holders.iter().rev().find_map(|holder| tree.attribute(*holder, "xml:lang"));
    written.or_else(declared).map(Cow::into_owned)
}

fn links(document: &Document<'_>, own: &[Id], atom: &[Id], out: &mut String) {
    let tree = &document.tree;
    let address = |id: Id| {
        let text = tree.attribute(id, "href").or_else(|| tree.text(id))?;
        href(&text, document.base(id).as_deref())
    };
    let rel = |id: Id| tree.attribute(id, "rel").map_or_else(|| "alternate".to_owned(), |rel| rel.to_ascii_lowercase());
    let mut has_page = false;
    for id in own.iter().chain(atom) {
        let rel = rel(*id);
        let is_page = rel == "alternate";
        if (is_page && has_page) || !(is_page || LINKS.contains(&rel.as_str())) {
            continue;
        }
        if let Some(address) = address(*id) {
            has_page |= is_page;
            let media_type = tree.attribute(*id, "type");
            write::empty(
                out,
                "link",
                &[("rel", Some(&rel)), ("href", Some(&address)), ("type", media_type.as_deref())],
            );
        }
    }
}

fn image_address(document: &Document<'_>, image: Id) -> Option<String> {
    let tree = &document.tree;
    let written = tree.all(image, Element::Uri).find_map(|url| tree.text(url));
    let named = || tree.attribute(image, "href").or_else(|| tree.local_attribute(image, "resource"));
    let plain = || tree.text(image).filter(|_| tree.children(image).next().is_none());
    href(&written.or_else(named).or_else(plain)?, document.base(image).as_deref())
}

fn beside(document: &Document<'_>, all: &impl Fn(Element) -> Vec<Id>) -> HeaderBeside {
    let tree = &document.tree;
    let text = |element| all(element).into_iter().find_map(|id| tree.text(id));
    let base = || document.base(document.tree.root?);
    HeaderBeside {
        id: text(Element::Guid).filter(|_| document.is_atom).map(Cow::into_owned),
        rights: text(Element::Rights).map(|text| visible_title(&text)).filter(|text| !text.is_empty()),
        categories: categories(document, &all(Element::Category)),
        ttl_minutes: text(Element::Ttl).and_then(|text| text.split('.').next()?.parse().ok()),
        period: period(text(Element::UpdatePeriod).as_deref(), text(Element::UpdateFrequency).as_deref()),
        moved: text(Element::NewAddress).and_then(|text| href(&text, base().as_deref())),
        skip_hours: within(document, &all(Element::SkipHours), Element::Hour)
            .iter()
            .filter_map(|hour| hour.parse().ok().map(|hour: u8| if hour == 24 { 0 } else { hour }))
            .filter(|hour| *hour < 24)
            .collect(),
        skip_days: within(document, &all(Element::SkipDays), Element::Day)
            .iter()
            .filter_map(|day| day.parse().ok())
            .collect(),
    }
}

/// What the whole feed is filed under.
fn categories(document: &Document<'_>, found: &[Id]) -> Vec<String> {
    let tree = &document.tree;
    let named = |id: &Id| tree.attribute(*id, "term").or_else(|| document.text(*id));
    found.iter().filter_map(named).map(|text| visible_title(&text)).take(CATEGORIES).collect()
}

fn within(document: &Document<'_>, holders: &[Id], element: Element) -> Vec<String> {
    let tree = &document.tree;
    let found = holders.iter().flat_map(|holder| tree.all(*holder, element)).filter_map(|id| tree.text(id));
    found.take(24).map(Cow::into_owned).collect()
}

/// `sy:updatePeriod` and `sy:updateFrequency`: so many times in a period.
fn period(period: Option<&str>, frequency: Option<&str>) -> Option<Duration> {
    let hours = match period?.to_ascii_lowercase().as_str() {
        "hourly" => 1,
        "daily" => 24,
        "weekly" => 7 * 24,
        "monthly" => 30 * 24,
        "yearly" => 365 * 24,
        _ => return None,
    };
    let times = frequency.and_then(|times| times.parse::<u32>().ok()).filter(|times| *times > 0).unwrap_or(1);
    Some(Duration::from_secs(hours * 3600) / times)
}
