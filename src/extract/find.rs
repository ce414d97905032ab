//! Which element of a page holds its article: one that the page names as such, else the one that scores best by its prose.

use std::fmt::Write as _;

use dom_query::{Document, NodeRef};
use dom_smoothie::{Config, Readability};
use serde_json::Value;
use url::Url;

use crate::extract::chrome::{self, prose};
use crate::text;

/// Names that pages give to the element of their article, the surest first. One of them counts when it holds nearly all that is there.
const NAMED: &[&str] = &[
    "[itemprop~=articleBody]",
    ".e-content, .entry-content, .post-content, .article-content, .article-body, .article__body, .story-body, .post-body, \
     .mw-parser-output, .gh-content, .field--name-body, .markdown-body, .recipe-content, .content-body",
    "article",
    "main, [role=main]",
];
/// Least prose, in letters, of an element that is taken by its name.
const LEAST: usize = 80;
/// Shortest JSON-LD text that counts, in bytes.
const TOLD: usize = 250;

/// The article of a document from which its surroundings are gone.
pub(super) fn article(document: &Document, url: &Url) -> NodeHtml {
    let Some(body) = document.body() else { return NodeHtml(String::new()) };
    let all = prose(&body);
    for names in NAMED {
        let found = document.select(names);
        let best = found.nodes().iter().map(|node| (prose(node), node)).max_by_key(|(prose, _)| *prose);
        if let Some((_, node)) = best.filter(|(prose, _)| *prose >= LEAST && *prose * 10 >= all * 7) {
            return NodeHtml(node.inner_html().to_string());
        }
    }
    let found = by_score(document, url).filter(|found| letters(found) * 2 >= all);
    found.unwrap_or_else(|| NodeHtml(body.inner_html().to_string()))
}

/// Markup of one article that is not finished yet.
pub(super) struct NodeHtml(pub(super) String);

fn letters(html: &NodeHtml) -> usize {
    text::visible(&html.0).chars().filter(|letter| !letter.is_whitespace()).count()
}

fn by_score(document: &Document, url: &Url) -> Option<NodeHtml> {
    let document = document.clone();
    chrome::remove_menus(&document);
    let config = Config { disable_json_ld: true, char_threshold: 250, ..Config::default() };
    let mut readability = Readability::with_document(document, Some(url.as_str()), Some(config)).ok()?;
    Some(NodeHtml(readability.parse().ok()?.content.to_string()))
}

/// The outermost elements that a selector of the user matches.
pub(super) fn chosen(document: &Document, selector: &str) -> Vec<NodeHtml> {
    let Some(found) = document.try_select(selector) else { return Vec::new() };
    found.select("form, nav, button, input, dialog").remove();
    let found: Vec<NodeRef<'_>> = found.nodes().to_vec();
    let is_outermost =
        |node: &NodeRef<'_>| !node.ancestors_it(None).any(|above| found.iter().any(|it| it.id == above.id));
    found.iter().filter(|node| is_outermost(node)).map(|node| NodeHtml(node.inner_html().to_string())).collect()
}

/// The text that JSON-LD (`articleBody` of schema.org) tells, as HTML.
pub(super) fn told(data: &[String]) -> Option<String> {
    let bodies = data.iter().filter_map(|text| serde_json::from_str(text.trim()).ok()).filter_map(|value| body(&value));
    let longest = bodies.max_by_key(String::len).filter(|body| body.len() >= TOLD)?;
    let mut html = String::new();
    for line in longest.lines().map(text::visible).filter(|line| !line.is_empty()) {
        // Writing into memory cannot fail.
        let _ = write!(html, "<p>{}</p>", html_escape::encode_text(&line));
    }
    Some(html)
}

fn body(value: &Value) -> Option<String> {
    match value {
        Value::Object(members) => match members.get("articleBody") {
            Some(Value::String(body)) => Some(body.clone()),
            _ => members.values().find_map(body),
        },
        Value::Array(items) => items.iter().find_map(body),
        _ => None,
    }
}
