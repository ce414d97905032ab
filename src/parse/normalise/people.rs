//! Who wrote it: elements with parts, and texts in which a name and an address stand in every order.

use std::borrow::Cow;

use crate::parse::normalise::names::Element;
use crate::parse::normalise::tree::Id;
use crate::parse::normalise::write;
use crate::parse::normalise::{Document, href};

/// People of one entry that are kept.
const PEOPLE: usize = 50;

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Person {
    name: Option<String>,
    email: Option<String>,
    uri: Option<String>,
}

impl Person {
    pub(super) fn write(&self, out: &mut String) {
        out.push_str("<author>");
        for (tag, value) in [("name", &self.name), ("email", &self.email), ("uri", &self.uri)] {
            if let Some(value) = value {
                write::element(out, tag, value);
            }
        }
        out.push_str("</author>\n");
    }
}

/// The people that elements of one kind name.
pub(super) fn of(document: &Document<'_>, holder: Id, element: Element) -> Vec<Person> {
    let tree = &document.tree;
    let person = |id: Id| {
        let part = |part: Element| tree.all(id, part).find_map(|id| document.text(id));
        let (name, email) = (part(Element::Name), part(Element::Email));
        if name.is_some() || email.is_some() {
            let uri = part(Element::Uri).and_then(|uri| href(&uri, document.base(id).as_deref()));
            let read = name.as_deref().map(read).unwrap_or_default();
            return Some(Person { uri, email: email.map(Cow::into_owned).or(read.email), ..read });
        }
        let shown = crate::text::visible_title(&document.text(id)?);
        Some(read(&shown)).filter(|person| *person != Person::default())
    };
    tree.all(holder, element).filter_map(person).take(PEOPLE).collect()
}

/// `a@b.example (Name)`, `Name <a@b.example>`, `Name`, `a@b.example`.
fn read(text: &str) -> Person {
    let text = text.trim().trim_start_matches("mailto:");
    let parts = [('(', ')'), ('<', '>')].into_iter().find_map(|(open, close)| {
        let (before, inside) = text.split_once(open)?;
        Some((before.trim(), inside.trim_end().strip_suffix(close)?.trim()))
    });
    let named = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let (name, email) = match parts {
        Some((before, inside)) if is_email(before) => (named(inside), named(before)),
        Some((before, inside)) if is_email(inside) => (named(before), named(inside)),
        _ if is_email(text) => (None, named(text)),
        _ => (named(text), None),
    };
    Person { name, email, uri: None }
}

fn is_email(text: &str) -> bool {
    text.contains('@') && !text.contains(char::is_whitespace) && text.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_told_apart() {
        for (text, name, email) in [
            ("a@b.example (Ann Ä.)", Some("Ann Ä."), Some("a@b.example")),
            ("Ann <a@b.example>", Some("Ann"), Some("a@b.example")),
            ("Ann (reporter)", Some("Ann (reporter)"), None),
            ("a@b.example", None, Some("a@b.example")),
            ("loic@b.example\u{2014}Loïc", Some("loic@b.example\u{2014}Loïc"), None),
            (" Ann ", Some("Ann"), None),
            ("", None, None),
            ("(", Some("("), None),
        ] {
            let person = read(text);
            assert_eq!((person.name.as_deref(), person.email.as_deref()), (name, email), "{text}");
        }
    }
}
