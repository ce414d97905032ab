//! A document of any dialect and any state → one plain, well-formed Atom document that feed-rs is known to read well.
//!
//! ```text
//! text ─tokens→ tags ─tree (names, references)→ what is understood ─header, entry (write)→ Atom, and what Atom has no element for
//! ```
//! Every document goes this way, sound ones too: most of what readers lose they lose silently. Nothing is decided about entries here; a
//! fall-back for a missing field is a rewrite. Linear in the input, and bounded in depth, entries, attributes and entities.

mod entry;
mod header;
mod names;
mod origin;
mod people;
mod references;
mod tokens;
mod tree;
mod write;

use std::borrow::Cow;
use std::cell::Cell;
use std::ops::Range;
use std::time::Duration;

use chrono::Weekday;
use url::Url;

use crate::model::document::{Dialect, Origin};
use crate::parse::mojibake;
use crate::parse::normalise::names::Element;
use crate::parse::normalise::tree::{Id, Tree};
use crate::parse::normalise::write::{Claim, Field};

/// A rewritten document.
pub(super) struct Normalised {
    /// Well-formed Atom.
    pub(super) document: String,
    /// Where each entry stands in it.
    pub(super) entries: Vec<Range<usize>>,
    /// For each entry, what Atom has no element for.
    pub(super) beside: Vec<Beside>,
    pub(super) header: HeaderBeside,
    /// What it was written in.
    pub(super) dialect: Dialect,
    pub(super) notes: Vec<String>,
    /// It is not cut off.
    pub(super) is_complete: bool,
}

/// What an entry carries besides Atom's own.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// RSS `isPermaLink`.
    pub(super) is_permalink: Option<bool>,
    pub(super) origin: Option<Origin>,
    pub(super) duration: Option<Duration>,
    pub(super) episode: Option<u32>,
    pub(super) season: Option<u32>,
    pub(super) is_explicit: Option<bool>,
    pub(super) language: Option<String>,
}

/// What a feed carries besides Atom's own.
#[derive(Debug, Default)]
pub(super) struct HeaderBeside {
    /// `atom:id`.
    pub(super) id: Option<String>,
    /// Plain text.
    pub(super) rights: Option<String>,
    pub(super) categories: Vec<String>,
    pub(super) ttl_minutes: Option<u32>,
    /// `sy:updatePeriod` by `sy:updateFrequency`.
    pub(super) period: Option<Duration>,
    /// `itunes:new-feed-url`.
    pub(super) moved: Option<String>,
    /// Hours of the day, in UTC, in which nothing new comes.
    pub(super) skip_hours: Vec<u8>,
    pub(super) skip_days: Vec<Weekday>,
}

/// Rewrites a document; `None` when there is no feed in it.
pub(super) fn normalise(text: &str, base: Option<&Url>) -> Option<Normalised> {
    let document = Document::read(text, base)?;
    let mut out = String::with_capacity(text.len() + text.len() / 8 + 500);
    let header = header::write(&document, &mut out);
    let (mut entries, mut beside) = (Vec::new(), Vec::new());
    for item in &document.tree.items {
        if !document.tree.is_whole(*item) && !document.says_enough(*item) {
            continue;
        }
        let begin = out.len();
        beside.push(entry::write(&document, *item, &mut out));
        entries.push(begin..out.len());
    }
    out.push_str("</feed>\n");
    Some(Normalised {
        document: out,
        entries,
        beside,
        header,
        dialect: document.dialect,
        notes: document.notes(),
        is_complete: !document.tree.oddities.is_cut_off,
    })
}

/// A document whose structure is understood.
struct Document<'a> {
    tree: Tree<'a>,
    dialect: Dialect,
    is_atom: bool,
    base: Option<&'a Url>,
    has_bases: bool,
    /// Its text was encoded twice.
    is_double: bool,
    unread_dates: Cell<usize>,
}

impl<'a> Document<'a> {
    fn read(text: &'a str, base: Option<&'a Url>) -> Option<Self> {
        let tree = Tree::read(text);
        let root = tree.root?;
        let (_, name) = names::split(tree.node(root).name);
        let is_rdf = name.eq_ignore_ascii_case("rdf");
        let is_atom = name.eq_ignore_ascii_case("feed") || name.eq_ignore_ascii_case("entry");
        let is_old = tree.attribute(root, "version").is_some_and(|version| version.starts_with("0.9"));
        let dialect = match () {
            () if is_atom => Dialect::Atom,
            () if is_rdf => Dialect::Rss1,
            () if is_old => Dialect::Rss0,
            () => Dialect::Rss2,
        };
        let has_channel = tree.children(root).any(|child| tree.node(child).element == Element::Channel);
        if tree.oddities.is_page && tree.items.is_empty() {
            // A page that has a word in common with feeds.
            return None;
        }
        if is_rdf && !has_channel && tree.items.is_empty() && !names::declares_rss(tree.node(root).attributes) {
            // RDF of some other kind.
            return None;
        }
        let mut document = Self {
            dialect,
            is_atom,
            base,
            has_bases: text.contains("xml:base"),
            is_double: false,
            unread_dates: Cell::new(0),
            tree,
        };
        document.is_double = mojibake::may_be_double(text) && document.is_encoded_twice();
        Some(document)
    }

    fn is_encoded_twice(&self) -> bool {
        let mut judge = mojibake::Judge::default();
        let fields = [Element::Title, Element::Description, Element::Summary, Element::Content];
        for item in self.holders().iter().chain(&self.tree.items) {
            for id in fields.into_iter().flat_map(|field| self.tree.all(*item, field)) {
                if let Some(text) = self.tree.text(id) {
                    judge.see(&text);
                }
            }
        }
        judge.is_double()
    }

    /// The elements that say something about the whole: the channel, and the root around it.
    fn holders(&self) -> Vec<Id> {
        let Some(root) = self.tree.root.filter(|root| self.tree.node(*root).element != Element::Item) else {
            return Vec::new();
        };
        self.tree.all(root, Element::Channel).take(1).chain([root]).collect()
    }

    /// The address against which an element's own are resolved (XML Base; then the document's).
    fn base(&self, id: Id) -> Option<Cow<'_, Url>> {
        if !self.has_bases {
            return self.base.map(Cow::Borrowed);
        }
        let mut declared = Vec::new();
        let mut at = Some(id);
        while let Some(id) = at {
            declared.extend(self.tree.attribute(id, "xml:base"));
            at = self.tree.node(id).parent;
        }
        declared.into_iter().rev().fold(self.base.map(Cow::Borrowed), |base, next| {
            let joined = match &base {
                Some(base) => base.join(&next),
                None => Url::parse(&next),
            };
            joined.ok().map(Cow::Owned).or(base)
        })
    }

    /// The text of an element without its tags; never empty.
    fn text(&self, id: Id) -> Option<Cow<'a, str>> {
        let text = self.tree.text(id)?;
        let once = if self.is_double { mojibake::undone(&text) } else { None };
        Some(once.map_or(text, Cow::Owned))
    }

    fn field(&self, id: Id, claim: Claim) -> Option<Field<'a>> {
        write::field(&self.tree, id, claim, self.is_double)
    }

    /// Titles that claim to be text hold tags and references often enough.
    fn title(&self, id: Id) -> Option<Field<'a>> {
        let claim = self.claim(id).filter(|claim| *claim != Claim::Text).unwrap_or(Claim::Title);
        self.field(id, claim)
    }

    fn text_field(&self, id: Id) -> Option<Field<'a>> {
        let claim = self.claim(id).unwrap_or(if self.is_atom { Claim::Text } else { Claim::Nothing });
        self.field(id, claim)
    }

    /// What the element says about its text (RFC 4287 §3.1.1, §4.1.3; Atom 0.3 `mode`).
    fn claim(&self, id: Id) -> Option<Claim> {
        let mode = self.tree.attribute(id, "mode").map(|mode| mode.to_ascii_lowercase());
        match mode.as_deref() {
            Some("base64") => return Some(Claim::Base64),
            Some("escaped") => return Some(Claim::Html),
            _ => {}
        }
        let kind = self.tree.attribute(id, "type")?.to_ascii_lowercase();
        Some(match kind.as_str() {
            "text" | "plain" | "text/plain" => Claim::Text,
            kind if kind.contains("html") || kind.starts_with("text/") || kind.ends_with("xml") => Claim::Html,
            kind if kind.contains('/') => Claim::Base64,
            _ => return None,
        })
    }

    fn people(&self, holder: Id, element: Element) -> Vec<people::Person> {
        people::of(self, holder, element)
    }

    fn count_date(&self, is_read: bool) {
        self.unread_dates.set(self.unread_dates.get() + usize::from(!is_read));
    }

    /// Of an entry that is cut off: whether what there is of it can be shown.
    fn says_enough(&self, item: Id) -> bool {
        let has = |element| self.tree.all(item, element).next().is_some();
        let has_title = self.tree.all(item, Element::Title).any(|id| self.tree.text(id).is_some());
        has_title || has(Element::Link) || has(Element::AtomLink)
    }

    fn notes(&self) -> Vec<String> {
        let oddities = &self.tree.oddities;
        let mut notes = Vec::new();
        let mut note = |condition: bool, text: String| {
            if condition {
                notes.push(text);
            }
        };
        note(oddities.before, "what stands before the feed was passed over".to_owned());
        note(oddities.is_cut_off, "the document is cut off; what is whole of it was read".to_owned());
        let tags = oddities.stray + oddities.unclosed;
        note(tags > 0 && !oddities.is_cut_off, format!("{tags} tags had no counterpart"));
        note(oddities.too_deep > 0, "elements nested too deeply were passed over".to_owned());
        let references = self.tree.references.repaired();
        note(references > 0, format!("{references} character references were not valid and were read as text"));
        note(self.is_double, "the text was encoded twice and was decoded once more".to_owned());
        let dates = self.unread_dates.get();
        note(dates > 0, format!("{dates} dates could not be read"));
        let all = self.tree.items.len() + oddities.more_items;
        note(oddities.more_items > 0, format!("of {all} entries only the first {} were read", self.tree.items.len()));
        notes
    }
}

/// An absolute address; `None` for what cannot be made one, and for other schemes than those of the web.
fn href(text: &str, base: Option<&Url>) -> Option<String> {
    let text: Cow<'_, str> =
        if text.contains(['\n', '\r', '\t']) { text.replace(['\n', '\r', '\t'], "").into() } else { text.into() };
    let text = text.trim();
    if is_web(text) {
        return Some(text.to_owned());
    }
    if text.is_empty() {
        return None;
    }
    if let Some(rest) = text.strip_prefix("//").filter(|_| base.is_none()) {
        return Some(format!("https://{rest}"));
    }
    let joined = base?.join(text).ok()?;
    matches!(joined.scheme(), "http" | "https").then(|| joined.to_string())
}

fn is_web(text: &str) -> bool {
    let starts = |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    starts("http://") || starts("https://")
}
