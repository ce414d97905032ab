//! Markup → pieces of text between tags. A reader of tags, not of HTML: it needs no tree, and never looks at a byte twice.

/// Elements whose content nobody reads as text.
const HIDDEN: &[&str] =
    &["script", "style", "head", "template", "noscript", "iframe", "object", "svg", "math", "textarea", "select"];

/// Elements within a line of text; every other one parts words.
const INLINE: &[&str] = &[
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "ins",
    "kbd", "label", "mark", "nobr", "q", "rp", "rt", "ruby", "s", "samp", "small", "span", "strike", "strong", "sub",
    "sup", "time", "tt", "u", "var", "wbr",
];

/// Other elements that publishers put into titles.
const IN_TITLES: &[&str] =
    &["br", "p", "div", "img", "h1", "h2", "h3", "h4", "h5", "h6", "li", "ul", "ol", "blockquote", "center", "hr"];

/// What stands between two tags, or a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Text(&'a str),
    /// A tag that parts words.
    Break,
    /// A tag within a word or line.
    Inline,
    /// The words of somebody else begin; they part words.
    Quote,
    /// They end.
    Unquote,
}

/// Pieces of HTML.
pub(super) fn pieces(html: &str) -> Pieces<'_> {
    Pieces { rest: html, only_known: false }
}

/// Pieces of what may be HTML: tags that HTML does not know are text.
pub(super) fn known_pieces(text: &str) -> Pieces<'_> {
    Pieces { rest: text, only_known: true }
}

pub(super) struct Pieces<'a> {
    rest: &'a str,
    only_known: bool,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        if !self.begins_tag(0) {
            return Some(Piece::Text(self.text()));
        }
        Some(self.tag())
    }
}

impl<'a> Pieces<'a> {
    /// Everything up to the next tag.
    fn text(&mut self) -> &'a str {
        let mut end = self.rest.len();
        for (at, _) in self.rest.match_indices('<') {
            if self.begins_tag(at) {
                end = at;
                break;
            }
        }
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        text
    }

    fn begins_tag(&self, at: usize) -> bool {
        let Some(inside) = self.rest[at..].strip_prefix('<') else { return false };
        if self.only_known {
            let name = name_of(inside.strip_prefix('/').unwrap_or(inside));
            let known = [INLINE, IN_TITLES].into_iter().flatten().any(|known| name.eq_ignore_ascii_case(known));
            // A title is short, so looking ahead for the end is not worth remembering.
            return known && inside.len() < 2_000 && inside.contains('>');
        }
        inside.starts_with(|first: char| first.is_ascii_alphabetic() || matches!(first, '/' | '!' | '?'))
    }

    fn tag(&mut self) -> Piece<'a> {
        let inside = &self.rest[1..];
        if let Some(comment) = inside.strip_prefix("!--") {
            self.rest = comment.split_once("-->").map_or("", |(_, after)| after);
            return Piece::Inline;
        }
        let closes = inside.starts_with('/');
        let name = name_of(inside.strip_prefix('/').unwrap_or(inside));
        self.rest = after_tag(inside);
        let is = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
        if !closes && is(HIDDEN) {
            self.rest = after_element(self.rest, name);
        }
        match () {
            () if is(INLINE) => Piece::Inline,
            () if !name.eq_ignore_ascii_case("blockquote") => Piece::Break,
            () if closes => Piece::Unquote,
            () => Piece::Quote,
        }
    }
}

fn name_of(inside: &str) -> &str {
    let end = inside.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(inside.len());
    &inside[..end]
}

/// What follows the `>` that ends a tag; a `>` within quotes does not. Nothing when it never ends.
fn after_tag(inside: &str) -> &str {
    let mut quote = None;
    let mut after_equals = false;
    for (at, byte) in inside.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (None, b'"' | b'\'') if after_equals => quote = Some(byte),
            (None, b'>') => return &inside[at + 1..],
            _ => {}
        }
        after_equals = byte == b'=' || (after_equals && byte.is_ascii_whitespace());
    }
    ""
}

/// What follows the end tag of a hidden element; nothing when it never ends.
fn after_element<'a>(rest: &'a str, name: &str) -> &'a str {
    for (at, _) in rest.match_indices("</") {
        if rest[at + 2..].get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name)) {
            return after_tag(&rest[at + 1..]);
        }
    }
    ""
}
