//! A web page → the feeds that it names.

use std::collections::HashSet;

use url::Url;

use crate::parse::border::web_address;
use crate::text;
use crate::text::markup::{self, Tag};

/// So much of a page is looked at. Its head comes first.
const LOOKED_AT: usize = 1 << 20;
/// Most feeds of one page.
const MOST: usize = 20;

/// Media types of feeds.
const FEED_TYPES: &[&str] = &[
    "application/rss+xml",
    "application/atom+xml",
    "application/feed+json",
    "application/rdf+xml",
    "application/x.atom+xml",
    "application/x-atom+xml",
    "application/x-rss+xml",
    "text/rss+xml",
    "text/atom+xml",
];
/// Media types of feeds and of much else.
const WIDE_TYPES: &[&str] = &["application/json", "application/xml", "text/xml", "text/rss"];
/// Last parts of a path that are a feed's by habit.
const FEED_NAMES: &[&str] = &[
    "feed",
    "feeds",
    "rss",
    "atom",
    "rss2",
    "feed.xml",
    "rss.xml",
    "atom.xml",
    "index.xml",
    "feed.json",
    "index.rdf",
    "rss.php",
];
const FEED_ENDINGS: &[&str] = &[".rss", ".atom", ".rdf"];
/// Words for comments, which are another feed than the news.
const COMMENT_WORDS: &[&str] = &["comment", "kommentar", "comentario"];
/// Where a feed lies when its site does not say so.
const COMMON: &[&str] = &["/feed", "/rss", "/feed.xml", "/rss.xml", "/atom.xml", "/index.xml", "/feed.json"];

/// How sure it is that an address is the feed of its page, the surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sureness {
    /// The page says so.
    Named,
    /// The page says that it is another form of itself, of a type that need not be a feed.
    Hinted,
    /// A link whose path looks like a feed's.
    Linked,
    /// A feed of comments.
    Comments,
}

/// What may be a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Absolute, `http:` or `https:`, without a fragment.
    pub url: Url,
    /// What the page calls it.
    pub title: Option<String>,
    /// As the page gives it.
    pub media_type: Option<String>,
    pub sureness: Sureness,
}

/// The feeds that a page names, the likeliest first, each once, 20 at the most: those of `<link rel=alternate>` and `rel=feed`, then
/// links that look like one, then feeds of comments. `address` is the page's own.
pub fn feeds_of(html: &str, address: Option<&Url>) -> Vec<Found> {
    let html = text::beginning(html, LOOKED_AT);
    let mut base = address.cloned();
    let mut has_base = false;
    let mut written = Vec::new();
    for tag in markup::tags(html) {
        if tag.begins("base") && !has_base {
            if let Some(href) = tag.attribute("href").and_then(|href| web_address(&href, address)) {
                (base, has_base) = (Some(href), true);
            }
        } else if tag.begins("link") || tag.begins("a") {
            written.extend(sureness(&tag).zip(tag.attribute("href").map(|href| (href, tag))));
        }
    }
    let mut met: HashSet<Url> = address.map(bare).into_iter().collect();
    let mut found: Vec<Found> = written
        .into_iter()
        .filter_map(|(sureness, (href, tag))| found(sureness, &href, &tag, base.as_ref(), address))
        .collect();
    found.sort_by_key(|found| found.sureness);
    found.retain(|found| met.insert(found.url.clone()));
    found.truncate(MOST);
    found
}

/// Where the feed of a site lies by habit, when its page names none. Never asked for in an ordinary poll: publishers do not like
/// to be asked for what they have not named.
pub fn common_places(page: &Url) -> Vec<Url> {
    COMMON.iter().filter_map(|path| page.join(path).ok()).filter(|url| url != page).collect()
}

/// How surely a tag names a feed, as far as its own words go; a link's address is looked at later.
fn sureness(tag: &Tag<'_>) -> Option<Sureness> {
    if tag.begins("a") {
        return Some(Sureness::Linked);
    }
    let rel = tag.attribute("rel")?.to_ascii_lowercase();
    let is = |word: &str| rel.split_ascii_whitespace().any(|found| found == word);
    let media_type = media_type(tag).unwrap_or_default();
    if is("stylesheet") {
        None
    } else if is("feed") || (is("alternate") && FEED_TYPES.contains(&media_type.as_str())) {
        Some(Sureness::Named)
    } else {
        (is("alternate") && WIDE_TYPES.contains(&media_type.as_str())).then_some(Sureness::Hinted)
    }
}

fn media_type(tag: &Tag<'_>) -> Option<String> {
    let written = tag.attribute("type")?;
    let essence = written.split(';').next()?.trim().to_ascii_lowercase();
    (!essence.is_empty()).then_some(essence)
}

fn found(sureness: Sureness, href: &str, tag: &Tag<'_>, base: Option<&Url>, page: Option<&Url>) -> Option<Found> {
    let href = href.trim();
    // `feed:https://…` and `feed://…` ask a browser for its feed reader.
    let href = match href.strip_prefix("feed:") {
        Some(rest) if rest.starts_with("//") => format!("http:{rest}"),
        Some(rest) => rest.to_owned(),
        None => href.to_owned(),
    };
    let url = bare(&web_address(&href, base)?);
    let url = page.map_or_else(|| url.clone(), |page| as_safe_as(page, &url));
    if sureness == Sureness::Linked && !looks_like_a_feed(&url) {
        return None;
    }
    // WordPress names its API that way.
    if sureness == Sureness::Hinted && url.as_str().contains("wp-json") {
        return None;
    }
    let title = tag.attribute("title").map(|title| text::visible_title(&title)).filter(|title| !title.is_empty());
    let is_of_comments = {
        let told = format!("{} {}", title.as_deref().unwrap_or_default(), url.path()).to_lowercase();
        COMMENT_WORDS.iter().any(|word| told.contains(word))
    };
    let sureness = if is_of_comments { Sureness::Comments } else { sureness };
    Some(Found { url, title, media_type: media_type(tag), sureness })
}

/// A page that was read over https means its own host's feed to be read so too, whatever scheme an old template writes.
fn as_safe_as(page: &Url, url: &Url) -> Url {
    let mut safe = url.clone();
    if page.scheme() == "https" && url.scheme() == "http" && page.host() == url.host() && url.port().is_none() {
        // Both are schemes of the web, so it succeeds.
        let _ = safe.set_scheme("https");
    }
    safe
}

fn looks_like_a_feed(url: &Url) -> bool {
    let path = url.path().trim_end_matches('/').to_ascii_lowercase();
    let last = path.rsplit('/').next().unwrap_or_default();
    FEED_NAMES.contains(&last) || FEED_ENDINGS.iter().any(|ending| last.ends_with(ending))
}

fn bare(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_fragment(None);
    url
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(html: &str, expected: &[&str]) {
        let page = Url::parse("https://blog.example/posts/").unwrap();
        let found: Vec<String> = feeds_of(html, Some(&page)).into_iter().map(|found| found.url.into()).collect();
        assert_eq!(found, expected, "{html}");
    }

    #[test]
    fn feeds_that_a_page_names_are_found() {
        let feed = &["https://blog.example/feed.xml"][..];
        for (html, expected) in [
            ("<link rel=\"alternate\" type=\"application/rss+xml\" href=\"/feed.xml\">", feed),
            ("<LINK HREF='/feed.xml' TYPE='Application/RSS+XML; charset=utf-8' REL='Alternate'/>", feed),
            ("<link href=/feed.xml rel=alternate type=application/atom+xml>", feed),
            ("<link rel=\"feed\" href=\"/feed.xml\">", feed),
            ("<link rel=\"alternate home\" type=\"application/feed+json\" href=\"../feed.xml#x\">", feed),
            ("<link rel=alternate type=application/rss+xml href=http://blog.example/feed.xml>", feed),
            ("<link rel=alternate type=application/rss+xml href=feed:https://blog.example/feed.xml>", feed),
            ("<link rel=alternate type=application/json href=/feed.xml>", feed),
            (
                "<base href=\"https://other.example/a/\"><link rel=alternate type=text/xml href=f>",
                &["https://other.example/a/f"],
            ),
            (
                "<link rel=alternate type=text/xml href=f><base href=https://other.example/a/>",
                &["https://other.example/a/f"],
            ),
            (
                "<link rel=alternate type=application/rss+xml href='/f?a=1&amp;b=2'>",
                &["https://blog.example/f?a=1&b=2"],
            ),
            (
                "<a href=\"/rss\">RSS</a><a href='feed.atom'>x</a>",
                &["https://blog.example/rss", "https://blog.example/posts/feed.atom"],
            ),
            (
                "<a class=x href=/feed/>Feed</a><link rel=alternate type=application/atom+xml href=/a>",
                &["https://blog.example/a", "https://blog.example/feed/"],
            ),
        ] {
            check(html, expected);
        }
    }

    #[test]
    fn what_is_no_feed_is_not_found() {
        for html in [
            "<link rel=stylesheet href=/feed.xml><link rel=\"alternate stylesheet\" type=text/xml href=/s.xml>",
            "<link rel=alternate hreflang=de href=/de><link rel=alternate type=text/html href=/m>",
            "<link rel=alternate type=application/json href=/wp-json/wp/v2/pages/2>",
            "<link rel=alternate type=application/json+oembed href=/oembed>",
            "<!-- <link rel=alternate type=application/rss+xml href=/feed.xml> -->",
            "<script>'<link rel=alternate type=application/rss+xml href=/feed.xml>'</script>",
            "<link rel=alternate type=application/rss+xml href=javascript:alert(1)>",
            "<link rel=alternate type=application/rss+xml href=/posts/#top>",
            "<link rel=alternate type=application/rss+xml>",
            "<a href=/feedback>x</a><a href=/rss-explained>x</a><a>x</a><a href=mailto:a@b.example>x</a>",
        ] {
            check(html, &[]);
        }
    }

    #[test]
    fn comments_come_last_and_each_feed_once() {
        check(
            "<link rel=alternate type=application/rss+xml title='Blog &raquo; Comments Feed' href=/c/feed/>\
             <link rel=alternate type=application/rss+xml title='Blog &raquo; Feed' href=/feed/>\
             <link rel=alternate type=application/rss+xml href=/comments/feed/>\
             <a href=/feed/>again</a><a href=/feed/#x>again</a>",
            &["https://blog.example/feed/", "https://blog.example/c/feed/", "https://blog.example/comments/feed/"],
        );
    }

    #[test]
    fn titles_and_types_are_told() {
        let html = "<link rel=alternate type=application/rss+xml title='A &amp; B' href=https://x.example/f>";
        let found = feeds_of(html, None).remove(0);
        assert_eq!((found.title.as_deref(), found.media_type.as_deref()), (Some("A & B"), Some("application/rss+xml")));
    }

    #[test]
    fn pages_are_looked_at_within_bounds() {
        let link = |number: usize| format!("<link rel=feed href=/{number}>");
        let many: String = (0..100).map(link).collect();
        let page = Url::parse("https://blog.example/").unwrap();
        assert_eq!(feeds_of(&many, Some(&page)).len(), 20);
        let late = format!("{}{}", "é".repeat(LOOKED_AT), link(1));
        assert_eq!(feeds_of(&late, Some(&page)), []);
    }

    #[test]
    fn common_places_lie_at_the_root() {
        let places = common_places(&Url::parse("https://x.example/a/b?c").unwrap());
        assert_eq!((places.len(), places[2].as_str()), (7, "https://x.example/feed.xml"));
        assert_eq!(common_places(&Url::parse("https://x.example/feed").unwrap()).len(), 6);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_page_is_survived(html in "(<link |<a |rel=|alternate|feed|type=|text/xml|href=|/rss|>|['\" é&#;/:]){0,40}") {
            feeds_of(&html, None);
            feeds_of(&html, Some(&Url::parse("https://x.example/").unwrap()));
        }
    }
}
