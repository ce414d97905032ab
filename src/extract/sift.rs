//! A page as it came → HTML that is safe to build a tree from: every element closed where it was opened, at most so deep, at most so
//! many, without scripts, styles, comments and foreign markup. Linear in its input.
//!
//! A tree builder recurses and repairs. On nesting that never ends it overflows the stack, which cannot be caught, and on elements
//! that are never closed it repeats them again and again. It is given nothing to repair.

use std::fmt::Write as _;

use crate::extract::NoArticle;

/// Deepest nesting; elements below are left out, their text stays.
const DEPTH: usize = 200;
/// Most elements of a page.
const ELEMENTS: usize = 100_000;
/// Most attributes of an element, and the longest value in bytes. Trees compare attributes with each other.
const ATTRIBUTES: usize = 40;
const VALUE: usize = 8_000;

/// Elements whose content is no HTML, or is never part of an article.
const DROPPED: &[&str] = &[
    "script", "style", "title", "textarea", "select", "svg", "math", "iframe", "object", "template", "xmp", "noembed",
    "noframes", "canvas", "applet", "frameset", "datalist",
];

/// Tags that change how what follows is read, and say nothing else.
const IGNORED: &[&str] = &["plaintext", "frame", "base", "link", "meta", "isindex", "keygen", "param"];

const VOID: &[&str] = &["area", "br", "col", "embed", "hr", "img", "input", "source", "track", "wbr"];

/// Elements that end an open paragraph (HTML §13.2.6.4.7).
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "center",
    "details",
    "dialog",
    "dir",
    "div",
    "dl",
    "dd",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hgroup",
    "hr",
    "li",
    "main",
    "menu",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "ul",
];

/// Elements that end an open one of the same family: themselves, whom they end, and within what.
const ENDING: &[(&[&str], &[&str])] = &[
    (&["li"], &["ul", "ol", "menu", "dir"]),
    (&["dt", "dd"], &["dl"]),
    (&["td", "th"], &["tr", "table"]),
    (&["tr"], &["table"]),
    (&["thead", "tbody", "tfoot", "caption", "colgroup"], &["table"]),
    (&["a"], &["table"]),
    (&["button"], &["table"]),
    (&["option", "optgroup"], &[]),
    (&["form"], &[]),
];

/// What is left of a page.
#[derive(Debug, Default)]
pub(super) struct Sifted {
    pub(super) html: String,
    /// The texts of its JSON-LD.
    pub(super) data: Vec<String>,
    /// What `<title>` says.
    pub(super) title: Option<String>,
    /// What `<base>` says.
    pub(super) base: Option<String>,
}

/// # Errors
/// When it has more elements than a page that somebody reads.
pub(super) fn sift(page: &str) -> Result<Sifted, NoArticle> {
    let mut sieve = Sieve { sifted: Sifted::default(), open: Vec::new(), elements: 0 };
    sieve.sifted.html.reserve(page.len());
    sieve.read(page, false)?;
    sieve.close_to(0);
    Ok(sieve.sifted)
}

struct Sieve<'p> {
    sifted: Sifted,
    /// Names of the elements that are open, from the outermost on.
    open: Vec<std::borrow::Cow<'p, str>>,
    elements: usize,
}

impl<'p> Sieve<'p> {
    fn read(&mut self, page: &'p str, is_spare: bool) -> Result<(), NoArticle> {
        let mut rest = page;
        while let Some(at) = rest.find('<') {
            self.sifted.html.push_str(&rest[..at]);
            let inside = &rest[at + 1..];
            rest = if let Some(comment) = inside.strip_prefix("!--") {
                comment.split_once("-->").map_or("", |(_, after)| after)
            } else if inside.starts_with(['!', '?']) {
                inside.split_once('>').map_or("", |(_, after)| after)
            } else if let Some(ended) = inside.strip_prefix('/').filter(|it| it.starts_with(is_letter)) {
                let (name, after) = name(ended);
                self.end(&lower(name));
                after_tag(after)
            } else if inside.starts_with(is_letter) {
                self.element(inside, is_spare)?
            } else {
                self.sifted.html.push_str("&lt;");
                inside
            };
        }
        self.sifted.html.push_str(rest);
        Ok(())
    }

    /// Reads a start tag; gives what follows it, or its element where nothing of that is wanted.
    fn element(&mut self, inside: &'p str, is_spare: bool) -> Result<&'p str, NoArticle> {
        let (name, after) = name(inside);
        let name = match lower(name) {
            // AMP has elements of its own for what HTML has.
            name if name == "amp-img" => "img".into(),
            name if name == "amp-video" => "video".into(),
            name => name,
        };
        let (attributes, after) = attributes(after);
        let value = |wanted: &str| attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
        if DROPPED.contains(&name.as_ref()) {
            let (content, after) = raw(after, &name);
            if name == "script" && value("type").is_some_and(|kind| kind.contains("ld+json")) {
                self.sifted.data.push(content.to_owned());
            }
            if name == "title" && self.sifted.title.is_none() {
                self.sifted.title = Some(crate::text::visible_title(content));
            }
            return Ok(after);
        }
        if name == "noscript" {
            let (content, after) = raw(after, &name);
            if !is_spare && content.contains("<img") && crate::text::visible(content).is_empty() {
                // What stands in for a picture that a script would load.
                self.start("span".into(), &[("data-spare".into(), "")])?;
                let depth = self.open.len();
                self.read(content, true)?;
                self.close_to(depth.saturating_sub(1));
            }
            return Ok(after);
        }
        if name == "base" && self.sifted.base.is_none() {
            self.sifted.base = value("href").map(|href| html_escape::decode_html_entities(href).into_owned());
        }
        // An anchor leads nowhere, and is often left open.
        let is_anchor = name == "a" && value("href").is_none();
        if !IGNORED.contains(&name.as_ref()) && !is_anchor {
            self.start(name, &attributes)?;
        }
        Ok(after)
    }

    fn start(&mut self, name: std::borrow::Cow<'p, str>, attributes: &[Attribute<'p>]) -> Result<(), NoArticle> {
        self.elements += 1;
        if self.elements > ELEMENTS {
            return Err(NoArticle::new(format!("the page has more than {ELEMENTS} elements")));
        }
        if BLOCKS.contains(&name.as_ref()) {
            self.end_within(&["p"], &["td", "th", "caption", "button", "table"]);
        }
        if let Some((family, within)) = ENDING.iter().find(|(family, _)| family.contains(&name.as_ref())) {
            self.end_within(family, within);
        }
        let is_void = VOID.contains(&name.as_ref());
        if !is_void && self.open.len() >= DEPTH {
            return Ok(());
        }
        let html = &mut self.sifted.html;
        html.push('<');
        html.push_str(&name);
        for (name, value) in attributes {
            // Writing into memory cannot fail.
            let _ = write!(html, " {name}=\"{}\"", value.replace('"', "&quot;"));
        }
        html.push('>');
        if !is_void {
            self.open.push(name);
        }
        Ok(())
    }

    /// Ends the nearest open element of these names, unless one of the others lies between.
    fn end_within(&mut self, names: &[&str], within: &[&str]) {
        let nearest =
            self.open.iter().rposition(|open| names.contains(&open.as_ref()) || within.contains(&open.as_ref()));
        if let Some(at) = nearest.filter(|at| names.contains(&self.open[*at].as_ref())) {
            self.close_to(at);
        }
    }

    fn end(&mut self, name: &str) {
        let at = self.open.iter().rposition(|open| open == name);
        // A cell is not ended from within a table that it holds, nor the page from anywhere.
        let table = self.open.iter().rposition(|open| open == "table");
        let is_kept = matches!(name, "html" | "body") || (table > at && name != "table");
        if let Some(at) = at.filter(|_| !is_kept) {
            self.close_to(at);
        } else if name == "br" {
            self.sifted.html.push_str("<br>");
        }
    }

    fn close_to(&mut self, depth: usize) {
        while self.open.len() > depth {
            if let Some(name) = self.open.pop() {
                let _ = write!(self.sifted.html, "</{name}>");
            }
        }
    }
}

fn is_letter(letter: char) -> bool {
    letter.is_ascii_alphabetic()
}

/// The name of a tag and what follows it.
fn name(inside: &str) -> (&str, &str) {
    let end = inside.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-').unwrap_or(inside.len());
    inside.split_at(end)
}

fn lower(name: &str) -> std::borrow::Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) { name.to_ascii_lowercase().into() } else { name.into() }
}

fn after_tag(inside: &str) -> &str {
    inside.split_once('>').map_or("", |(_, after)| after)
}

type Attribute<'p> = (String, &'p str);

/// The attributes of a start tag, and what follows the tag.
fn attributes(mut rest: &str) -> (Vec<Attribute<'_>>, &str) {
    let mut found: Vec<Attribute<'_>> = Vec::new();
    loop {
        rest = rest.trim_start_matches(|letter: char| letter.is_ascii_whitespace() || letter == '/');
        if rest.is_empty() {
            return (found, "");
        }
        if let Some(after) = rest.strip_prefix('>') {
            return (found, after);
        }
        // A name may begin with `=`, and ends before the next one.
        let first = rest.chars().next().map_or(1, char::len_utf8);
        let ends = |letter: char| letter.is_ascii_whitespace() || matches!(letter, '/' | '>' | '=');
        let end = rest[first..].find(ends).map_or(rest.len(), |at| at + first);
        let (name, after) = rest.split_at(end);
        let (value, after) = value(after);
        rest = after;
        let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if is_plain && found.len() < ATTRIBUTES && value.len() <= VALUE && !name.starts_with("on") {
            let name = name.to_ascii_lowercase();
            if !found.iter().any(|(known, _)| *known == name) {
                found.push((name, value));
            }
        }
    }
}

/// The value of an attribute, empty where there is none, and what follows it.
fn value(rest: &str) -> (&str, &str) {
    let Some(value) = rest.trim_ascii_start().strip_prefix('=') else { return ("", rest) };
    let value = value.trim_ascii_start();
    for quote in ['"', '\''] {
        if let Some(quoted) = value.strip_prefix(quote) {
            return quoted.split_once(quote).unwrap_or((quoted, ""));
        }
    }
    let end = value.find(|letter: char| letter.is_ascii_whitespace() || letter == '>').unwrap_or(value.len());
    value.split_at(end)
}

/// What lies before the end tag of an element that is not read, and what follows it.
fn raw<'p>(rest: &'p str, name: &str) -> (&'p str, &'p str) {
    for (at, _) in rest.match_indices("</") {
        if rest[at + 2..].get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name)) {
            return (&rest[..at], after_tag(&rest[at + 2 + name.len()..]));
        }
    }
    (rest, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(page: &str, expected: &str) {
        assert_eq!(sift(page).unwrap().html, expected, "{page}");
    }

    #[test]
    fn every_element_is_closed_where_it_was_opened() {
        check("<p>a<p>b", "<p>a</p><p>b</p>");
        check("<ul><li>a<li>b<ul><li>c</ul></ul>", "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>");
        check("<b><i>a</b>b</i>", "<b><i>a</i></b>b");
        check("<p><b>a<div>b</div>", "<p><b>a</b></p><div>b</div>");
        check(
            "<TABLE><TR><TD>a<TD>b<TR><TD>c</TABLE>",
            "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>",
        );
        check("</div>a</p>b</br>", "ab<br>");
        check("<td>a<table><tr></td>b</table>c</td>", "<td>a<table><tr>b</tr></table>c</td>");
    }

    #[test]
    fn what_is_no_text_is_left_out() {
        check("<script>if (a<b) '<p>'</script>a<!-- b -->c<!doctype x>", "ac");
        check("<svg><script><g></script></svg>a<style>p{}", "a");
        check("<a name=top>a<a href=x>b</a>", "a<a href=\"x\">b</a>");
        check("a < b &lt; c", "a &lt; b &lt; c");
        check("<img src='a\"b' onerror=x ALT=c/><br/>", "<img src=\"a&quot;b\" alt=\"c/\"><br>");
        check("<noscript>Switch it on<img src=a></noscript>", "");
        check("<noscript><img src=a></noscript>", "<span data-spare=\"\"><img src=\"a\"></span>");
    }

    #[test]
    fn depth_and_number_are_bounded() {
        let deep = sift(&"<div>".repeat(90_000)).unwrap().html;
        assert_eq!(deep.matches("<div>").count(), DEPTH);
        let fooled = sift(&"<b><div></b></x>".repeat(40_000)).unwrap().html;
        assert!(fooled.len() < 40_000 * 30);
        assert!(sift(&"<br>".repeat(ELEMENTS + 1)).is_err());
        let attributes = sift(&format!("<a href=x {}>", "a1 b2 c3 d=4 ".repeat(25_000)));
        assert!(attributes.unwrap().html.len() < 1_000);
    }

    #[test]
    fn data_and_base_are_remembered() {
        let sifted =
            sift("<base href='/a/?b&amp;c'><script type=\"application/ld+json\">{\"a\":\"</p>\"}</script>").unwrap();
        assert_eq!(sifted.base.as_deref(), Some("/a/?b&c"));
        assert_eq!(sifted.data, ["{\"a\":\"</p>\"}"]);
    }
}
