//! The only place that knows feed-rs: a rewritten document → observations in our own words.
//!
//! feed-rs may panic, makes ids up, and keeps plain text and HTML apart only by media type. None of that leaves here.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use feed_rs::model::{Content, Entry, Feed, Link, Text};
use feed_rs::parser;
use url::Url;

use crate::model::document::{
    About, Dialect, Enclosure, Guid, Header, Observation, Parsed, Particulars, Person, RawHtml, Related, RelatedKind,
};
use crate::parse::normalise::{Beside, HeaderBeside, Normalised};
use crate::parse::{NotAFeed, dates};
use crate::text;

/// What a rewritten document ends with.
const END: &str = "</feed>\n";
/// Bytes of what is shown on one line; what is longer is no title.
const LINE: usize = 10_000;
/// Hubs of a feed that are kept.
const HUBS: usize = 5;
/// Related addresses of an entry that are kept.
const RELATED: usize = 20;

/// Reads a rewritten document. An entry that feed-rs cannot read costs that entry.
pub(super) fn read(normalised: Normalised) -> Result<Parsed, NotAFeed> {
    let Normalised { document, entries, beside, header, dialect, mut notes, is_complete } = normalised;
    let whole = parsed_by_feed_rs(&document);
    let (feed, read): (Feed, Vec<Option<Entry>>) = match whole {
        Some(mut feed) if feed.entries.len() == entries.len() => {
            let read = std::mem::take(&mut feed.entries).into_iter().map(Some).collect();
            (feed, read)
        }
        _ => singly(&document, &entries).ok_or_else(|| NotAFeed::new("the reader of feeds fails on this document"))?,
    };
    let lost = read.iter().filter(|entry| entry.is_none()).count();
    if lost > 0 {
        notes.push(format!("{lost} entries could not be read and were left out"));
    }
    let fallback: Vec<Person> = if dialect == Dialect::Atom { people(&feed.authors) } else { Vec::new() };
    let observations = read.into_iter().zip(beside).filter_map(|(entry, beside)| {
        let entry = entry?;
        Some(observation(entry, beside, &fallback))
    });
    let observations = observations.collect();
    Ok(Parsed { dialect, header: head(&feed, header), observations, notes, is_complete })
}

/// `None` when feed-rs cannot read it. It may panic: that is a bug of the reader on this document, and the next one is read by a new
/// parser.
fn parsed_by_feed_rs(document: &str) -> Option<Feed> {
    let parser = parser::Builder::new()
        // Its own ids follow the title or chance; "none" must stay none.
        .id_generator(|_, _, _| String::new())
        .timestamp_parser(dates::read_date)
        .sanitize_content(false)
        .build();
    catch_unwind(AssertUnwindSafe(|| parser.parse(document.as_bytes()))).ok()?.ok()
}

/// The head, and each entry by itself.
fn singly(document: &str, entries: &[Range<usize>]) -> Option<(Feed, Vec<Option<Entry>>)> {
    let head = &document[..entries.first().map_or_else(|| document.len() - END.len(), |first| first.start)];
    let with = |entry: &str| parsed_by_feed_rs(&[head, entry, END].concat());
    let bare = "<feed xmlns=\"http://www.w3.org/2005/Atom\">";
    let feed = with("").or_else(|| parsed_by_feed_rs(&[bare, END].concat()))?;
    let single = |range: &Range<usize>| {
        parsed_by_feed_rs(&[bare, &document[range.clone()], END].concat())?.entries.into_iter().next()
    };
    Some((feed, entries.iter().map(single).collect()))
}

fn head(feed: &Feed, beside: HeaderBeside) -> Header {
    let linked = |rel: &'static str| feed.links.iter().filter(move |link| link.rel.as_deref() == Some(rel));
    let first = |rel: &'static str| linked(rel).find_map(|link| web_address(&link.href, None));
    Header {
        title: feed.title.as_ref().and_then(plain),
        about: About {
            id: beside.id,
            description: feed.description.as_ref().and_then(plain),
            language: feed.language.clone(),
            image: feed.logo.as_ref().and_then(|logo| web_address(&logo.uri, None)),
            rights: beside.rights,
            authors: people(&feed.authors),
            categories: beside.categories,
        },
        url: first("alternate"),
        ttl_minutes: beside.ttl_minutes,
        period: beside.period,
        skip_hours: beside.skip_hours,
        skip_days: beside.skip_days,
        self_address: first("self"),
        hubs: linked("hub").filter_map(|link| web_address(&link.href, None)).take(HUBS).collect(),
        older: first("prev-archive").or_else(|| first("next")),
        moved: beside.moved.and_then(|moved| web_address(&moved, None)),
    }
}

fn observation(mut entry: Entry, beside: Beside, fallback: &[Person]) -> Observation {
    let guid = Some(entry.id.trim())
        .filter(|value| !value.is_empty())
        .map(|value| Guid { value: value.to_owned(), is_permalink: beside.is_permalink });
    let (summary, content) = texts(entry.summary.take(), entry.content.take());
    let authors = people(&entry.authors);
    let linked = |rel: &str| entry.links.iter().find(|link| link.rel.as_deref() == Some(rel));
    let first = |rel: &str| linked(rel).and_then(|link| web_address(&link.href, None));
    Observation {
        url: first("alternate"),
        original: first("canonical"),
        title: entry.title.as_ref().and_then(plain),
        published: entry.published,
        updated: entry.updated,
        authors: if authors.is_empty() { fallback.to_vec() } else { authors },
        categories: categories(&entry),
        enclosures: enclosures(&entry.links),
        language: beside.language,
        particulars: Particulars {
            related: related(&entry.links),
            origin: beside.origin,
            duration: beside.duration,
            episode: beside.episode,
            season: beside.season,
            is_explicit: beside.is_explicit,
        },
        guid,
        summary,
        content,
    }
}

/// Terms, and what they are called where that is something else.
fn categories(entry: &Entry) -> Vec<String> {
    let both = entry.categories.iter().flat_map(|category| [Some(category.term.clone()), category.label.clone()]);
    both.flatten().map(|category| text::visible_title(&category)).collect()
}

fn related(links: &[Link]) -> Vec<Related> {
    let kind = |rel: &str| {
        Some(match rel {
            "replies" => RelatedKind::Comments,
            "transcript" => RelatedKind::Transcript,
            "chapters" => RelatedKind::Chapters,
            "preview" => RelatedKind::Image,
            _ => return None,
        })
    };
    let related = |link: &Link| {
        let kind = kind(link.rel.as_deref()?)?;
        Some(Related { kind, url: web_address(&link.href, None)?, media_type: link.media_type.clone() })
    };
    links.iter().filter_map(related).take(RELATED).collect()
}

/// The text as plain text, on one line.
fn plain(text: &Text) -> Option<String> {
    let is_plain = text.content_type.as_str() == "text/plain";
    let end = (0..=LINE.min(text.content.len())).rev().find(|end| text.content.is_char_boundary(*end)).unwrap_or(0);
    let content = &text.content[..end];
    let shown = if is_plain { text::visible_title(content) } else { text::visible(content) };
    Some(shown).filter(|shown| !shown.is_empty())
}

fn texts(summary: Option<Text>, content: Option<Content>) -> (Option<RawHtml>, Option<RawHtml>) {
    let summary = summary.map(|text| html(text.content, text.content_type.as_str()));
    let content = content.and_then(|content| Some(html(content.body?, content.content_type.as_str())));
    let filled = |html: Option<RawHtml>| html.filter(|html| !html.0.trim().is_empty());
    match (filled(summary), filled(content)) {
        // A text that stands alone is the content.
        (Some(summary), None) => (None, Some(summary)),
        (Some(summary), Some(content)) if summary == content => (None, Some(content)),
        both => both,
    }
}

fn html(text: String, media_type: &str) -> RawHtml {
    if media_type == "text/plain" { RawHtml(as_html(&text)) } else { RawHtml(text) }
}

/// Plain text as HTML that shows the same; references that are there already are kept.
pub(super) fn as_html(text: &str) -> String {
    let text = text.trim();
    if !text.contains(['<', '>', '\n']) {
        return text.to_owned();
    }
    text.replace('<', "&lt;").replace('>', "&gt;").replace("\r\n", "\n").replace('\n', "<br>\n")
}

/// An absolute address of the web; anything else is none.
pub(super) fn web_address(text: &str, base: Option<&Url>) -> Option<Url> {
    let text = text.trim();
    let url = Url::parse(text).ok().or_else(|| base.and_then(|base| base.join(text).ok()))?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

fn people(people: &[feed_rs::model::Person]) -> Vec<Person> {
    let person = |person: &feed_rs::model::Person| {
        let name = person.name.clone().or_else(|| person.email.clone())?;
        Some(Person { name, url: person.uri.as_deref().and_then(|uri| web_address(uri, None)) })
    };
    people.iter().filter_map(person).collect()
}

fn enclosures(links: &[Link]) -> Vec<Enclosure> {
    let enclosure = |link: &Link| {
        Some(Enclosure {
            url: web_address(&link.href, None)?,
            media_type: link.media_type.clone(),
            length: link.length,
            title: link.title.clone(),
        })
    };
    links.iter().filter(|link| link.rel.as_deref() == Some("enclosure")).filter_map(enclosure).collect()
}
