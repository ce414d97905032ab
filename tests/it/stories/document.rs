//! The two docs of a pair → two RSS documents, each as its source would publish it, with further entries beside the one under test.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use feedmill::model::Timestamp;
use feedmill::model::document::{Observation, Parsed, RawHtml};
use feedmill::model::source::SourceKey;
use feedmill::{parse, text};

use super::edits::{Text, escaped};
use super::set::{Base, Doc, Frame, Pair};

/// When an entry was published that does not say so.
const PUBLISHED: &str = "2026-11-03T10:00:00Z";
/// Further entries of a source that puts a frame around them.
const FRAMED: usize = 5;
/// Further entries of a captured document that its source brings along.
const FURTHER: usize = 10;
/// Longer ones stay away, and with so much of them it is enough, in bytes: more of it says no more of what their source puts around
/// its entries, and takes time to read.
const LONGEST: usize = 10_000;
const ENOUGH: usize = 25_000;
/// The further entries are so much older, so that what is learnt of a source is learnt and nothing else is mistaken for the copy.
const OLDER: TimeDelta = TimeDelta::days(4);
const FILLERS: &str = include_str!("fillers.txt");
/// Elements that begin or end a paragraph.
const PARTING: &[&str] = &[
    "p",
    "div",
    "br",
    "li",
    "ul",
    "ol",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "blockquote",
    "pre",
    "tr",
    "td",
    "table",
    "section",
    "article",
    "figure",
    "figcaption",
    "dl",
    "dt",
    "dd",
    "hr",
];

/// One document to be polled.
pub(super) struct Document {
    pub(super) source: SourceKey,
    pub(super) published: Timestamp,
    pub(super) title: String,
    pub(super) body: String,
}

/// Where texts are read, and what was read already.
pub(super) struct Library {
    texts: PathBuf,
    fixtures: Option<PathBuf>,
    parsed: Mutex<HashMap<String, Arc<Parsed>>>,
}

/// An entry as its source publishes it. HTML.
struct Item {
    title: String,
    summary: Option<String>,
    content: Option<String>,
}

impl Library {
    /// `stories` is the folder of the set. The captured documents lie beside the project, or where `FEEDMILL_FIXTURES` says.
    pub(super) fn new(stories: &Path) -> Self {
        let named = std::env::var_os("FEEDMILL_FIXTURES").map(|feeds| PathBuf::from(feeds).join(".."));
        let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures");
        let fixtures = Some(named.unwrap_or_else(beside)).filter(|folder| folder.is_dir());
        Self { texts: stories.join("texts"), fixtures, parsed: Mutex::default() }
    }

    /// Whether there are captured documents at all.
    pub(super) fn has_fixtures(&self) -> bool {
        self.fixtures.is_some()
    }

    /// Both documents of a pair; nothing where a captured document is not at hand.
    ///
    /// # Errors
    /// What is wrong with the pair.
    pub(super) fn documents(&self, pair: &Pair) -> Result<Option<[Document; 2]>, String> {
        let [Some(left), Some(right)] = [self.document(pair, 0)?, self.document(pair, 1)?] else { return Ok(None) };
        Ok(Some([left, right]))
    }

    fn document(&self, pair: &Pair, side: usize) -> Result<Option<Document>, String> {
        let (doc, other) = if side == 0 { (&pair.left, &pair.right) } else { (&pair.right, &pair.left) };
        let (mut entry, mut further, published) = match &doc.base {
            Base::Fixture { fixture, entry } => {
                let Some(parsed) = self.parsed(fixture)? else { return Ok(None) };
                let all = &parsed.observations;
                let seen = all.get(*entry).ok_or(format!("{fixture} has no entry {entry}, only {}", all.len()))?;
                (of_fixture(seen, doc)?, beside(all, doc, other, side), seen.published.or(seen.updated))
            }
            base => {
                let (title, paragraphs) = self.own(base)?;
                (Item::of(title, Text::new(&paragraphs), doc)?, Vec::new(), None)
            }
        };
        if let Some(title) = &doc.title {
            entry.title.clone_from(title);
        }
        if !doc.frame.is_empty() {
            let missing = FRAMED.saturating_sub(further.len());
            further.extend(fillers(&pair.language, side).take(missing).map(|words| filler(words, doc)));
        }
        let claimed = doc.published.as_deref().map(time).transpose()?;
        let published = claimed.or(published).unwrap_or(time(PUBLISHED)?);
        let source = SourceKey::new(&doc.source).map_err(|problem| format!("{}: {problem}", doc.source))?;
        let body = rss(&source, &pair.language, side, published, &entry, &further);
        Ok(Some(Document { source, published, title: entry.title, body }))
    }

    fn parsed(&self, fixture: &str) -> Result<Option<Arc<Parsed>>, String> {
        let Some(folder) = &self.fixtures else { return Ok(None) };
        if let Some(parsed) = self.parsed.lock().unwrap().get(fixture) {
            return Ok(Some(Arc::clone(parsed)));
        }
        let Ok(bytes) = fs::read(folder.join(fixture)) else { return Ok(None) };
        let base = url::Url::parse("http://base.example/feed").unwrap();
        let parsed = parse::parse(&bytes, None, Some(&base), feedmill::clock::now())
            .map_err(|error| format!("{fixture}: {error}"))?;
        let parsed = Arc::new(parsed);
        self.parsed.lock().unwrap().insert(fixture.to_owned(), Arc::clone(&parsed));
        Ok(Some(parsed))
    }

    /// Title and paragraphs of what was written for the set.
    fn own(&self, base: &Base) -> Result<(String, Vec<String>), String> {
        match base {
            Base::Paragraphs { paragraphs } => Ok((String::new(), paragraphs.clone())),
            Base::Text { text } => {
                let path = self.texts.join(text).with_extension("txt");
                let whole = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
                let mut lines = whole.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned);
                let (Some(title), Some(_language)) = (lines.next(), lines.next()) else {
                    return Err(format!("{} has no title and language", path.display()));
                };
                Ok((title, lines.collect()))
            }
            Base::Fixture { fixture, .. } => Err(format!("{fixture} was not written for the set")),
        }
    }
}

impl Item {
    fn of(title: String, mut text: Text, doc: &Doc) -> Result<Self, String> {
        for edit in &doc.edits {
            text.apply(edit)?;
        }
        let (html, is_summary) = (text.clone().framed(&doc.frame).html(), text.is_summary);
        let (summary, content) = if is_summary { (Some(html), None) } else { (None, Some(html)) };
        Ok(Self { title, summary, content })
    }

    fn length(&self) -> usize {
        [&self.summary, &self.content].into_iter().flatten().map(String::len).sum()
    }
}

/// An entry of a captured document: as it stands there, if nobody edits it.
fn of_fixture(seen: &Observation, doc: &Doc) -> Result<Item, String> {
    let title = seen.title.clone().unwrap_or_default();
    if !doc.edits.is_empty() {
        let texts = [&seen.content, &seen.summary].map(|html| raw(html.as_ref()).map(|html| paragraphs(&html)));
        let found = texts.into_iter().flatten().find(|found| !found.is_empty()).unwrap_or_default();
        return Item::of(title, Text::new(&found), doc);
    }
    let (summary, content) = (raw(seen.summary.as_ref()), raw(seen.content.as_ref()));
    let framed = |html: Option<String>| html.map(|html| around(&html, &doc.frame));
    Ok(match content {
        Some(_) => Item { title, summary, content: framed(content) },
        None => Item { title, summary: framed(summary), content },
    })
}

fn raw(html: Option<&RawHtml>) -> Option<String> {
    html.map(|html| html.0.clone())
}

fn around(html: &str, frame: &Frame) -> String {
    let put =
        |words: &Option<String>| words.as_ref().map_or_else(String::new, |words| format!("<p>{}</p>", escaped(words)));
    put(&frame.lead) + html + &put(&frame.footer)
}

/// What else a captured document holds, without the two entries under test. If both come from one document, its others
/// are shared out between them.
fn beside(all: &[Observation], doc: &Doc, other: &Doc, side: usize) -> Vec<Item> {
    let place = |doc: &Doc| match &doc.base {
        Base::Fixture { fixture, entry } => Some((fixture.clone(), *entry)),
        _ => None,
    };
    let (own, other) = (place(doc), place(other));
    let is_shared = own.as_ref().map(|it| &it.0) == other.as_ref().map(|it| &it.0);
    let other = other.filter(|_| is_shared);
    let tested: Vec<usize> = [own, other].into_iter().flatten().map(|it| it.1).collect();
    let further = all.iter().enumerate().filter(|(number, _)| !tested.contains(number)).map(|(_, seen)| seen);
    let mine = further.enumerate().filter(|(number, _)| !is_shared || number % 2 == side).map(|(_, seen)| seen);
    let bare = Doc { edits: Vec::new(), ..doc.clone() };
    let items = mine.filter_map(|seen| of_fixture(seen, &bare).ok());
    let mut together = 0;
    let is_wanted = |item: &Item| {
        let is_wanted = together < ENOUGH;
        together += item.length();
        is_wanted
    };
    items.filter(|item| item.length() <= LONGEST).take(FURTHER).take_while(is_wanted).collect()
}

/// The paragraphs that a person reads in HTML.
pub(super) fn paragraphs(html: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut parts = html.split('<');
    let mut paragraph = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let name = part.trim_start_matches('/');
        let name = name[..name.bytes().take_while(u8::is_ascii_alphanumeric).count()].to_ascii_lowercase();
        if PARTING.contains(&name.as_str()) {
            found.push(text::visible(&std::mem::take(&mut paragraph)));
        }
        paragraph.push('<');
        paragraph.push_str(part);
    }
    found.push(text::visible(&paragraph));
    found.retain(|paragraph| !paragraph.is_empty());
    found
}

/// Texts of our own that fill a source up, other ones for either side.
fn fillers(language: &str, side: usize) -> impl Iterator<Item = &'static str> {
    let of = |language: &str| {
        let heading = format!("== {}", language.split('-').next().unwrap_or_default());
        FILLERS.lines().position(|line| line == heading)
    };
    let start = of(language).or_else(|| of("en")).unwrap_or_default();
    FILLERS.lines().skip(start + 1).take_while(|line| !line.starts_with("==")).skip(side * FRAMED)
}

fn filler(words: &str, doc: &Doc) -> Item {
    let mut text = Text::new(&[words]);
    // What is a matter of the source and not of one entry.
    let habits = doc.edits.iter().filter(|edit| edit.is_habit());
    habits.for_each(|edit| text.apply(edit).expect("a habit fits every text"));
    let html = text.clone().framed(&doc.frame).html();
    let title = words.split(['.', ',']).next().unwrap_or_default().to_owned();
    let (summary, content) = if text.is_summary { (Some(html), None) } else { (None, Some(html)) };
    Item { title, summary, content }
}

pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    chrono::DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).map_err(|error| format!("`{text}`: {error}"))
}

/// The document of a source. Guids and addresses are its own, so that nothing but the texts can tell that two entries are one.
fn rss(
    source: &SourceKey,
    language: &str,
    side: usize,
    published: Timestamp,
    entry: &Item,
    further: &[Item],
) -> String {
    let mut xml = format!(
        "<rss version=\"2.0\" xmlns:content=\"http://purl.org/rss/1.0/modules/content/\"><channel><title>{source}</title>\
         <link>http://{source}.example/</link><language>{}</language>",
        escaped(language)
    );
    item(&mut xml, source, &under_test(side), published, entry);
    for (number, it) in (1..).zip(further) {
        let published = published - OLDER - TimeDelta::hours(6 * i64::from(number));
        item(&mut xml, source, &format!("{}-{number}", under_test(side)), published, it);
    }
    xml + "</channel></rss>"
}

/// The guid of the entry under test.
pub(super) fn under_test(side: usize) -> String {
    ["left", "right"][side].to_owned()
}

fn item(xml: &mut String, source: &SourceKey, guid: &str, published: Timestamp, item: &Item) {
    // A title is HTML, and HTML stands in XML as text.
    let (title, date) = (escaped(&escaped(&item.title)), published.to_rfc2822());
    write!(
        xml,
        "<item><guid isPermaLink=\"false\">{guid}</guid><link>http://{source}.example/news/{guid}</link>\
         <title>{title}</title><pubDate>{date}</pubDate>"
    )
    .expect("a string takes everything");
    for (name, html) in [("description", &item.summary), ("content:encoded", &item.content)] {
        if let Some(html) = html {
            write!(xml, "<{name}>{}</{name}>", escaped(html)).expect("a string takes everything");
        }
    }
    xml.push_str("</item>");
}
