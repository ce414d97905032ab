//! HTML as a publisher wrote it → HTML that can be shown anywhere, by an allow-list.

use std::collections::HashSet;

use ammonia::{Builder, UrlRelative};
use url::Url;

use crate::model::document::RawHtml;

/// Elements of which not even the text is kept.
const DROPPED: [&str; 11] =
    ["script", "style", "title", "template", "noscript", "iframe", "object", "embed", "form", "svg", "math"];

/// HTML without anything that runs, tracks or leaves the page. Made by [`Sanitiser`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafeHtml(String);

impl SafeHtml {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The rules. Setting them up costs as much as a short fragment, so one serves a whole page.
pub struct Sanitiser {
    rules: Builder<'static>,
}

impl Default for Sanitiser {
    fn default() -> Self {
        let mut rules = Builder::default();
        rules
            .link_rel(None)
            .url_schemes(HashSet::from(["http", "https", "mailto"]))
            .add_tags(["audio", "video", "source", "picture"])
            .clean_content_tags(HashSet::from(DROPPED))
            .add_tag_attributes("audio", ["src", "controls"])
            .add_tag_attributes("video", ["src", "controls", "poster", "width", "height"])
            .add_tag_attributes("source", ["src", "type"]);
        Self { rules }
    }
}

impl Sanitiser {
    /// Cleans a fragment. Relative addresses are resolved against `base`; without one they are left out.
    pub fn clean(&mut self, html: &RawHtml, base: Option<&Url>) -> SafeHtml {
        self.rules.url_relative(base.map_or(UrlRelative::Deny, |base| UrlRelative::RewriteWithBase(base.clone())));
        let clean = self.rules.clean(&html.0).to_string();
        // After cleaning: a reference (`&#1;`) stands for its character now.
        SafeHtml(without_pixels(super::legible(&clean)))
    }
}

/// Drops pictures of one pixel: they show nothing and tell the publisher who reads. The markup is ammonia's, so every tag ends.
fn without_pixels(html: String) -> String {
    if !html.contains("<img ") {
        return html;
    }
    let mut kept = String::with_capacity(html.len());
    let mut parts = html.split("<img ");
    kept.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let end = end_of_tag(part);
        let attributes = &part[..end];
        let is_tiny = ["width", "height"]
            .iter()
            .any(|side| ["0", "1"].iter().any(|size| attributes.contains(&format!("{side}=\"{size}\""))));
        if is_tiny {
            kept.push_str(part.get(end + 1..).unwrap_or_default());
        } else {
            kept.push_str("<img ");
            kept.push_str(part);
        }
    }
    kept
}

fn end_of_tag(part: &str) -> usize {
    let mut is_quoted = false;
    let end = part.find(|letter| {
        is_quoted ^= letter == '"';
        letter == '>' && !is_quoted
    });
    end.unwrap_or(part.len())
}
