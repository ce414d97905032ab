//! XML as a strict reader takes it: well-formed (XML 1.0), with every prefix declared and every reference known.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// An element. Names are those of the name space, a colon, and the local name: `http://www.w3.org/2005/Atom:entry`.
#[derive(Debug, Clone, Default)]
pub struct Element {
    pub space: String,
    pub name: String,
    /// Without declarations of name spaces; a prefix is kept as it is written (`xml:lang`).
    pub attributes: Vec<(String, String)>,
    pub text: String,
    pub children: Vec<Element>,
}

impl Element {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn all<'a>(&'a self, space: &'a str, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.space == space && child.name == name)
    }

    pub fn first<'a>(&'a self, space: &'a str, name: &'a str) -> Option<&'a Self> {
        self.all(space, name).next()
    }
}

/// Declarations that hold, the innermost last.
type Spaces = Vec<(String, String)>;

fn is_allowed(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn checked(text: String) -> Result<String, String> {
    match text.chars().find(|letter| !is_allowed(*letter)) {
        Some(letter) => Err(format!("the character U+{:04X} is no character of XML", u32::from(letter))),
        None => Ok(text),
    }
}

fn begun(start: &BytesStart<'_>, spaces: &mut Spaces) -> Result<Element, String> {
    let mut element = Element::default();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let name = attribute.key.as_ref().to_owned();
        let raw: &str = &attribute.value;
        if raw.contains('<') {
            return Err(format!("`<` in the attribute {name}"));
        }
        let value = checked(quick_xml::escape::unescape(raw).map_err(|error| error.to_string())?.into_owned())?;
        match name.strip_prefix("xmlns") {
            Some(prefix) => spaces.push((prefix.trim_start_matches(':').to_owned(), value)),
            None => element.attributes.push((name, value)),
        }
    }
    let space = |prefix: &str| spaces.iter().rev().find(|(known, _)| known == prefix).map(|(_, space)| space.clone());
    for (name, _) in &element.attributes {
        if let Some((prefix, _)) = name.split_once(':')
            && prefix != "xml"
            && space(prefix).is_none()
        {
            return Err(format!("the prefix of {name} is not declared"));
        }
    }
    let name = start.name().as_ref().to_owned();
    let (prefix, local) = name.split_once(':').unwrap_or(("", &name));
    let found = space(prefix);
    if found.is_none() && !prefix.is_empty() {
        return Err(format!("the prefix of {name} is not declared"));
    }
    (element.space, element.name) = (found.unwrap_or_default(), local.to_owned());
    Ok(element)
}

/// The root of a document, or what is wrong with it.
pub fn read(document: &str) -> Result<Element, String> {
    if let Some(letter) = document.chars().find(|letter| !is_allowed(*letter)) {
        return Err(format!("the character U+{:04X} is no character of XML", u32::from(letter)));
    }
    let mut reader = Reader::from_str(document);
    let mut open: Vec<(Element, usize)> = Vec::new();
    let mut spaces: Spaces = Vec::new();
    let mut root = None;
    loop {
        let event = reader.read_event().map_err(|error| format!("{error} at {}", reader.error_position()))?;
        let text = match event {
            Event::Start(start) => {
                let before = spaces.len();
                let element = begun(&start, &mut spaces)?;
                open.push((element, before));
                continue;
            }
            Event::Empty(start) => {
                let before = spaces.len();
                let element = begun(&start, &mut spaces)?;
                spaces.truncate(before);
                put(&mut open, &mut root, element)?;
                continue;
            }
            Event::End(_) => {
                let (element, before) = open.pop().ok_or("an end without a start")?;
                spaces.truncate(before);
                put(&mut open, &mut root, element)?;
                continue;
            }
            Event::Text(text) if text.contains("]]>") => return Err("`]]>` in a text".to_owned()),
            Event::Text(text) => text.to_string(),
            Event::CData(text) => text.to_string(),
            Event::GeneralRef(reference) => checked(
                quick_xml::escape::unescape(&format!("&{};", &*reference)).map_err(|it| it.to_string())?.into_owned(),
            )?,
            Event::Eof => break,
            Event::DocType(_) => return Err("a document type".to_owned()),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => continue,
        };
        match open.last_mut() {
            Some((element, _)) => element.text.push_str(&text),
            None if text.trim().is_empty() => {}
            None => return Err("text outside of the root".to_owned()),
        }
    }
    if open.is_empty() { root.ok_or("no element".to_owned()) } else { Err("it is cut off".to_owned()) }
}

fn put(open: &mut [(Element, usize)], root: &mut Option<Element>, element: Element) -> Result<(), String> {
    match open.last_mut() {
        Some((parent, _)) => parent.children.push(element),
        None if root.is_some() => return Err("two roots".to_owned()),
        None => *root = Some(element),
    }
    Ok(())
}
