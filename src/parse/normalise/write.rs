//! Fields as they stand in a document → the same in plain Atom. What is well-formed already is taken over as it is.

use std::borrow::Cow;

use crate::parse::mojibake;
use crate::parse::normalise::references;
use crate::parse::normalise::tokens::{Token, Tokens};
use crate::parse::normalise::tree::{Id, Tree};

/// How the text of a field is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// As one would read it; references in it that were written twice are kept for whoever shows it.
    Text,
    Html,
}

/// A field's text, as near to how it was written as can be.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Form<'a> {
    /// Escaped, and well-formed.
    Escaped(&'a str),
    Cdata(&'a str),
    Decoded(Cow<'a, str>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field<'a> {
    kind: Kind,
    form: Form<'a>,
}

/// What a field's own element says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// RSS does not say what it holds.
    Nothing,
    /// Text, with tags now and then.
    Title,
    Text,
    Html,
    /// A type that is no text. What is not encoded all the same is text.
    Base64,
}

/// The text of an element; `None` when there is none.
pub(super) fn field<'a>(tree: &Tree<'a>, id: Id, claim: Claim, is_double: bool) -> Option<Field<'a>> {
    let inside = tree.inside(id).trim();
    if inside.is_empty() {
        return None;
    }
    if tree.has_markup(id) {
        return Some(Field { kind: Kind::Html, form: Form::Decoded(Cow::Owned(markup(inside))) });
    }
    let binary = if claim == Claim::Base64 { tree.text(id).and_then(|text| from_base64(&text)) } else { None };
    let form = binary.map_or_else(|| form(tree, id, inside), |text| Form::Decoded(Cow::Owned(text)));
    let form = if is_double { undoubled(tree, form) } else { form };
    let field = match claim {
        Claim::Title => Field { kind: Kind::Text, form },
        Claim::Nothing | Claim::Base64 => Field { kind: guessed(&form), form },
        Claim::Html => Field { kind: Kind::Html, form },
        Claim::Text => literal(tree, form),
    };
    (!field.is_blank()).then_some(field)
}

fn form<'a>(tree: &Tree<'a>, id: Id, inside: &'a str) -> Form<'a> {
    if !inside.contains('<') {
        return if references::is_plain(inside) {
            Form::Escaped(inside)
        } else {
            Form::Decoded(tree.references.decoded(inside))
        };
    }
    let single = inside.strip_prefix("<![CDATA[").and_then(|inside| inside.strip_suffix("]]>"));
    match single.filter(|text| !text.contains("]]>")) {
        Some(text) => Form::Cdata(text),
        None => Form::Decoded(tree.text(id).unwrap_or_default()),
    }
}

/// RSS: where a tag can stand, HTML is meant.
fn guessed(form: &Form<'_>) -> Kind {
    let has_tag = match form {
        Form::Escaped(raw) => ["&lt;", "&#60;", "&#x3c;", "&#x3C;", "&#060;"].iter().any(|tag| raw.contains(tag)),
        Form::Cdata(text) => text.contains('<'),
        Form::Decoded(text) => text.contains('<'),
    };
    if has_tag { Kind::Html } else { Kind::Text }
}

/// Atom: text is text, unless it is plainly HTML whose writer forgot to say so.
fn literal<'a>(tree: &Tree<'a>, form: Form<'a>) -> Field<'a> {
    let text = match form {
        Form::Escaped(raw) if !raw.contains('&') => return Field { kind: Kind::Text, form },
        Form::Escaped(raw) => tree.references.decoded(raw),
        Form::Cdata(text) => Cow::Borrowed(text),
        Form::Decoded(text) => text,
    };
    if is_surely_html(&text) {
        return Field { kind: Kind::Html, form: Form::Decoded(text) };
    }
    if !text.contains(['&', '<']) {
        return Field { kind: Kind::Text, form: Form::Decoded(text) };
    }
    let shown = text.trim().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    Field { kind: Kind::Html, form: Form::Decoded(Cow::Owned(shown.replace('\n', "<br>\n"))) }
}

fn is_surely_html(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["</p>", "</a>", "</div>", "</li>", "</em>", "</strong>", "<br>", "<br/>", "<br />", "<p>", "<img src=", "<a href="]
        .iter()
        .any(|tag| lower.contains(tag))
}

/// Tags within a field, as HTML: without prefixes, without marks of CDATA, and with an end for each element.
fn markup(inside: &str) -> String {
    let mut html = String::with_capacity(inside.len());
    for token in Tokens::new(inside) {
        match token {
            Token::Start { name, attributes, is_empty } => {
                let name = local(name);
                html.push('<');
                html.push_str(name);
                if !attributes.is_empty() {
                    html.push(' ');
                    html.push_str(attributes);
                }
                html.push('>');
                if is_empty && !is_void(name) {
                    html.extend(["</", name, ">"]);
                }
            }
            Token::End { name } => html.extend(["</", local(name), ">"]),
            Token::Text(text) | Token::Cdata(text) => html.push_str(text),
            Token::Doctype(_) | Token::Other => {}
        }
    }
    let html = html.trim();
    without_wrapper(html).unwrap_or(html).to_owned()
}

/// The inside of the one `div` that XHTML content stands in (RFC 4287 §3.1.1.3).
fn without_wrapper(html: &str) -> Option<&str> {
    let inside = html.strip_prefix("<div")?;
    let (attributes, inside) = inside.split_once('>')?;
    let is_bare = attributes.trim().is_empty() || attributes.trim_start().starts_with("xmlns");
    let inside = inside.strip_suffix("</div>")?;
    let is_single = !inside.contains("<div") && !inside.contains("</div");
    let is_balanced = is_single || is_balanced(inside);
    (is_bare && is_balanced).then(|| inside.trim())
}

fn is_balanced(html: &str) -> bool {
    let mut depth = 0_i64;
    for token in Tokens::new(html) {
        match token {
            Token::Start { name: "div", .. } => depth += 1,
            Token::End { name: "div" } => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return false;
        }
    }
    depth == 0
}

fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

fn is_void(name: &str) -> bool {
    ["br", "hr", "img", "input", "meta", "wbr", "link", "source", "area", "col", "embed", "track"].contains(&name)
}

fn undoubled<'a>(tree: &Tree<'a>, form: Form<'a>) -> Form<'a> {
    let text = match &form {
        Form::Escaped(raw) => tree.references.decoded(raw),
        Form::Cdata(text) => Cow::Borrowed(*text),
        Form::Decoded(text) => Cow::Borrowed(text.as_ref()),
    };
    match mojibake::undone(&text) {
        Some(text) => Form::Decoded(Cow::Owned(text)),
        None => form,
    }
}

/// Base64 that is text.
fn from_base64(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for letter in text.bytes().filter(|letter| !letter.is_ascii_whitespace()) {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => break,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

impl Field<'_> {
    fn is_blank(&self) -> bool {
        match &self.form {
            Form::Escaped(raw) => raw.trim().is_empty(),
            Form::Cdata(text) => text.trim().is_empty(),
            Form::Decoded(text) => text.trim().is_empty(),
        }
    }

    pub(super) fn write(&self, out: &mut String, tag: &str) {
        let kind = match self.kind {
            Kind::Text => "text",
            Kind::Html => "html",
        };
        out.extend(["<", tag, " type=\"", kind, "\">"]);
        match &self.form {
            Form::Escaped(raw) => out.push_str(raw),
            Form::Cdata(text) => out.extend(["<![CDATA[", text, "]]>"]),
            Form::Decoded(text) if text.contains("]]>") => escape(out, text),
            Form::Decoded(text) => out.extend(["<![CDATA[", text, "]]>"]),
        }
        out.extend(["</", tag, ">\n"]);
    }
}

/// Writes text, so that it stands for itself in an element and in an attribute.
pub(super) fn escape(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'&' | b'<' | b'>' | b'"')) {
        out.push_str(&rest[..at]);
        out.push_str(match rest.as_bytes()[at] {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            _ => "&quot;",
        });
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

/// An element that holds text alone.
pub(super) fn element(out: &mut String, tag: &str, text: &str) {
    out.extend(["<", tag, ">"]);
    escape(out, text);
    out.extend(["</", tag, ">"]);
}

/// An empty element; attributes without a value are left out.
pub(super) fn empty(out: &mut String, tag: &str, attributes: &[(&str, Option<&str>)]) {
    out.extend(["<", tag]);
    for (name, value) in attributes {
        if let Some(value) = value {
            out.extend([" ", name, "=\""]);
            escape(out, value);
            out.push('"');
        }
    }
    out.push_str("/>\n");
}
