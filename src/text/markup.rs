//! HTML → its tags with their attributes. A reader of tags, not of HTML: it needs no tree, takes what publishers write, and never
//! looks at a byte twice. What it says decides nothing about safety.

use std::borrow::Cow;
use std::ops::Range;

/// Elements whose content holds no tags (HTML §13.2.5.2 to 13.2.5.4).
const OPAQUE: &[&str] = &["script", "style", "textarea", "title", "xmp"];

/// A start tag or an end tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag<'a> {
    /// As written.
    pub name: &'a str,
    pub is_end: bool,
    /// Where it stands, from `<` to behind `>`.
    pub place: Range<usize>,
    attributes: &'a str,
}

impl<'a> Tag<'a> {
    /// Whether it is the start of this element.
    pub fn begins(&self, name: &str) -> bool {
        !self.is_end && self.name.eq_ignore_ascii_case(name)
    }

    /// Whether it is the end of this element.
    pub fn ends(&self, name: &str) -> bool {
        self.is_end && self.name.eq_ignore_ascii_case(name)
    }

    /// Names as written, and values with their character references decoded; empty where there is none.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes { rest: self.attributes }
    }

    /// The value of an attribute; of several of one name the first, as in a browser.
    pub fn attribute(&self, name: &str) -> Option<Cow<'a, str>> {
        self.attributes().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// All tags, in their order. Comments, and what stands in scripts and the like, are no tags.
pub fn tags(html: &str) -> Tags<'_> {
    Tags { html, at: 0 }
}

pub struct Tags<'a> {
    html: &'a str,
    at: usize,
}

impl<'a> Iterator for Tags<'a> {
    type Item = Tag<'a>;

    fn next(&mut self) -> Option<Tag<'a>> {
        loop {
            let start = self.at + self.html.get(self.at..)?.find('<')?;
            let inside = &self.html[start + 1..];
            if let Some(comment) = inside.strip_prefix("!--") {
                self.at = comment.find("-->").map_or(self.html.len(), |end| start + 4 + end + 3);
            } else if inside.starts_with(['!', '?']) {
                self.at = inside.find('>').map_or(self.html.len(), |end| start + 1 + end + 1);
            } else if inside.strip_prefix('/').unwrap_or(inside).starts_with(|first: char| first.is_ascii_alphabetic())
            {
                return self.tag(start);
            } else {
                self.at = start + 1;
            }
        }
    }
}

impl<'a> Tags<'a> {
    fn tag(&mut self, start: usize) -> Option<Tag<'a>> {
        let inside = &self.html[start + 1..];
        let is_end = inside.starts_with('/');
        let named = inside.strip_prefix('/').unwrap_or(inside);
        let length = named.find(|letter: char| letter.is_ascii_whitespace() || matches!(letter, '>' | '/'));
        let (name, rest) = named.split_at(length.unwrap_or(named.len()));
        let Some(end) = end_of_tag(rest) else {
            self.at = self.html.len();
            return None;
        };
        let until = self.html.len() - rest.len() + end + 1;
        self.at = until;
        if !is_end && OPAQUE.iter().any(|opaque| name.eq_ignore_ascii_case(opaque)) {
            self.at = end_of_element(self.html, until, name);
        }
        Some(Tag { name, is_end, place: start..until, attributes: &rest[..end] })
    }
}

/// Where the `>` stands that ends a tag; one within a quoted value does not.
fn end_of_tag(rest: &str) -> Option<usize> {
    let (mut quote, mut is_value) = (None, false);
    for (at, byte) in rest.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (None, b'"' | b'\'') if is_value => quote = Some(byte),
            (None, b'>') => return Some(at),
            _ => {}
        }
        is_value = byte == b'=' || (is_value && byte.is_ascii_whitespace());
    }
    None
}

fn end_of_element(html: &str, from: usize, name: &str) -> usize {
    let ends = |at: &usize| {
        let behind = html.get(at + 2..at + 2 + name.len());
        behind.is_some_and(|found| found.eq_ignore_ascii_case(name))
    };
    html[from..].match_indices("</").map(|(at, _)| from + at).find(ends).unwrap_or(html.len())
}

pub struct Attributes<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        let is_blank = |letter: char| letter.is_ascii_whitespace() || letter == '/';
        let rest = self.rest.trim_start_matches(is_blank);
        if rest.is_empty() {
            self.rest = rest;
            return None;
        }
        // A name may begin with `=`, and does in broken markup (HTML §13.2.5.32).
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let end = rest[first..].find(|letter| is_blank(letter) || letter == '=').map_or(rest.len(), |end| first + end);
        let (name, after) = rest.split_at(end);
        let Some(value) = after.trim_start().strip_prefix('=').map(str::trim_start) else {
            self.rest = after;
            return Some((name, Cow::Borrowed("")));
        };
        let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''));
        let (value, rest) = match quote {
            Some(quote) => value[1..].split_once(quote).unwrap_or((&value[1..], "")),
            None => value.split_at(value.find(|letter: char| letter.is_ascii_whitespace()).unwrap_or(value.len())),
        };
        self.rest = rest;
        let decoded = if value.contains('&') { html_escape::decode_html_entities(value) } else { Cow::Borrowed(value) };
        Some((name, decoded))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(html: &str) -> Vec<String> {
        let shown = |tag: Tag<'_>| {
            let attributes: Vec<String> = tag.attributes().map(|(name, value)| format!(" {name}[{value}]")).collect();
            format!("{}{}{}", if tag.is_end { "/" } else { "" }, tag.name, attributes.concat())
        };
        tags(html).map(shown).collect()
    }

    #[test]
    fn tags_are_read_however_they_are_written() {
        for (html, expected) in [
            ("a<b>c</b>", vec!["b", "/b"]),
            ("<A HREF=/x?a=1&amp;b=2 >", vec!["A HREF[/x?a=1&b=2]"]),
            ("<img src = 'a>b' alt=\"\" hidden/>", vec!["img src[a>b] alt[] hidden[]"]),
            ("1 < 2 <b", vec![]),
            ("<!-- <a> --><i><!doctype x><?php <u> ?>", vec!["i"]),
            ("<script>'<b>'</SCRIPT><u>", vec!["script", "/SCRIPT", "u"]),
            ("<script><b>", vec!["script"]),
            ("<a\nx=1\ty>", vec!["a x[1] y[]"]),
            ("<a/x==\"é\">", vec!["a x[=\"é\"]"]),
        ] {
            assert_eq!(shown(html), expected, "{html}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn places_are_those_of_tags(html in "([<>/!='\" éa-c-]|<script|<a |</script>|<!--|-->|&amp;){0,40}") {
            let mut last = 0;
            for tag in tags(&html) {
                prop_assert!(tag.place.start >= last && html[tag.place.clone()].starts_with('<') && html[tag.place.clone()].ends_with('>'));
                tag.attributes().for_each(drop);
                last = tag.place.end;
            }
        }
    }
}
