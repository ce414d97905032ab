//! A page → its article: the text that a publisher put below the headline, without what surrounds it.
//!
//! ```text
//! bytes ─decode→ text ─sift→ closed HTML ─chrome→ without navigation, comments, teasers
//!       ─find→ the element that holds the article ─finish→ links absolute, pictures real, no attributes
//! ```
//! The rules are those of no single site: they look at elements, roles, and at the words that sites build their class names from.
//! What comes out is raw: it is sanitised like any other text before it is published.

mod chrome;
mod decode;
mod find;
mod finish;
pub mod judge;
pub mod robots;
mod sift;

#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};

use dom_query::{Document, Matcher};
use url::Url;

use crate::model::document::RawHtml;
use crate::model::source::FullText;
use crate::text;

/// Why a page gives no article, in one plain sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct NoArticle {
    pub what: String,
}

impl NoArticle {
    fn new(what: impl Into<String>) -> Self {
        Self { what: what.into() }
    }
}

/// A page as it came.
#[derive(Debug, Clone, Copy)]
pub struct WebPage<'a> {
    pub body: &'a [u8],
    pub content_type: Option<&'a str>,
    /// Its final address; relative links start there unless the page says otherwise.
    pub url: &'a Url,
}

/// Finds the article of a page. Never panics, and needs time in proportion to the page.
///
/// # Errors
/// When there is none, or what `wishes` select is not there.
pub fn article(page: WebPage<'_>, wishes: &FullText) -> Result<RawHtml, NoArticle> {
    // A panic is a bug of the tree on this page; the next page grows a new one.
    catch_unwind(AssertUnwindSafe(|| read(page, wishes)))
        .unwrap_or_else(|_| Err(NoArticle::new("the reader of pages fails on this page")))
}

fn read(page: WebPage<'_>, wishes: &FullText) -> Result<RawHtml, NoArticle> {
    let sifted = sift::sift(&decode::decode(page.body, page.content_type))?;
    let base = sifted.base.as_deref().and_then(|base| page.url.join(base).ok());
    let base = base.as_ref().unwrap_or(page.url);
    let document = Document::from(sifted.html);
    for selector in &wishes.remove_selectors {
        document.try_select(selector).into_iter().for_each(|found| found.remove());
    }
    let mut headlines = sifted.title.as_deref().map(text::words).into_iter().collect::<Vec<_>>();
    headlines.extend(document.select("h1").nodes().iter().map(|headline| text::words(&headline.text())));
    let frame = finish::Frame { base, headlines };
    let html = if let Some(selector) = &wishes.content_selector {
        let chosen = find::chosen(&document, selector);
        if chosen.is_empty() {
            return Err(NoArticle::new(format!("nothing on the page matches content_selector (`{selector}`)")));
        }
        chosen.iter().map(|root| finish::finish(root, &frame)).collect()
    } else {
        chrome::remove(&document);
        finish::finish(&find::article(&document, page.url), &frame)
    };
    let html = match find::told(&sifted.data) {
        // A page that builds itself in the browser may tell its text to search engines all the same.
        Some(told) if wishes.content_selector.is_none() && is_half(&html, &told) => told,
        _ => html,
    };
    if text::visible(&html).is_empty() {
        return Err(NoArticle::new("the page holds no article"));
    }
    Ok(RawHtml(html))
}

fn is_half(html: &str, told: &str) -> bool {
    text::visible(html).len() * 2 < text::visible(told).len()
}

/// Whether a text is a CSS selector that can be used on pages.
pub fn is_selector(selector: &str) -> bool {
    Matcher::new(selector).is_ok()
}
