//! What a document is that was not read as a feed, and what to do about it. Asked only after the readers of feeds have given up, so
//! that a feed is never taken for something else; what begins as a feed keeps the reader's own message.

use serde_json::Value;
use url::Url;

use crate::parse::NotAFeed;
use crate::parse::page::{self, Found, Sureness};
use crate::text;
use crate::text::markup;

/// So much of a text is looked at.
const LOOKED_AT: usize = 1 << 20;
/// Most characters of a publisher's own words in a message.
const QUOTED: usize = 100;
/// Pages that only stand in the way say little, in characters of visible text.
const TERSE: usize = 1_500;

/// First bytes of what is no text.
const BINARY: &[(&[u8], &str)] = &[
    (
        b"\x1f\x8b",
        "gzip bytes that the server did not announce as such; tell its owner to send `Content-Encoding: gzip`",
    ),
    (b"%PDF-", "a PDF document, not a feed; look for the feed's address on the site"),
    (b"\x89PNG", "an image, not a feed; look for the feed's address on the site"),
    (b"GIF8", "an image, not a feed; look for the feed's address on the site"),
    (b"\xff\xd8\xff", "an image, not a feed; look for the feed's address on the site"),
    (b"RIFF", "an image or a sound, not a feed; look for the feed's address on the site"),
    (b"PK\x03\x04", "a ZIP archive, not a feed; look for the feed's address on the site"),
    (b"ID3", "a sound, not a feed; give the address of the podcast's feed instead of one episode's"),
    (b"OggS", "a sound, not a feed; give the address of the podcast's feed instead of one episode's"),
];

/// Names of first elements that are a feed's, without their prefix.
const FEED_ROOTS: &[&str] = &["rss", "feed", "rdf", "channel"];

/// First elements of other things, without their prefix.
const ROOTS: &[(&str, &str)] = &[
    ("opml", "a list of feeds (OPML), not a feed; put the address of each feed of the list into feeds.toml"),
    ("urlset", "a sitemap, not a feed; look for the feed's address on the site"),
    ("sitemapindex", "a list of sitemaps, not a feed; look for the feed's address on the site"),
    ("stylesheet", "a style sheet for feeds (XSLT), not a feed; give the address of the feed that it belongs to"),
    ("opensearchdescription", "the description of a search, not a feed; look for the feed's address on the site"),
    ("svg", "an image, not a feed; look for the feed's address on the site"),
];

/// First elements of web pages whose publishers leave `<html>` out.
const PAGE_ROOTS: &[&str] = &["html", "head", "body", "title", "meta", "link", "script", "div", "center", "noscript"];

/// Traces of pages that ask whether a robot reads them, in lower case, and whose they are. Some sites carry them on ordinary pages.
const CHALLENGES: &[(&str, &str)] = &[
    ("<title>just a moment", "Cloudflare"),
    ("<title>attention required! | cloudflare", "Cloudflare"),
    ("_cf_chl_opt", "Cloudflare"),
    ("cf-chl", "Cloudflare"),
    ("<title>ddos-guard", "DDoS-Guard"),
    ("ddos-guard/js-challenge", "DDoS-Guard"),
    ("within.website/x/cmd/anubis", "Anubis"),
    ("making sure you're not a bot", "Anubis"),
    ("making sure you&#39;re not a bot", "Anubis"),
    ("sucuri_cloudproxy", "Sucuri"),
    ("sucuri website firewall", "Sucuri"),
    ("_incapsula_resource", "Imperva"),
    ("incapsula incident id", "Imperva"),
    ("captcha-delivery.com", "DataDome"),
    ("px-captcha", "HUMAN"),
    ("awswafintegration", "AWS"),
    ("enable javascript and cookies to continue", "its host"),
    ("captcha", "its host"),
];

const LOGIN_PATHS: &[&str] = &["login", "log-in", "signin", "sign-in", "wp-login.php", "login.php", "sso", "oauth"];
const CONSENT_HOSTS: &[&str] = &["consent.", "guce.", "privacy-gate.", "cmp-consent-tool."];
const CONSENT_TITLES: &[&str] = &["before you continue", "bevor sie fortfahren", "avant de continuer", "privacy gate"];

/// What a document is; `None` when nothing better can be said than the reader of feeds did. `text` is what `bytes` were decoded to.
pub(super) fn name(bytes: &[u8], text: &str, content_type: Option<&str>, address: Option<&Url>) -> Option<NotAFeed> {
    if let Some((_, what)) = BINARY.iter().find(|(first, _)| bytes.starts_with(first)) {
        return Some(this_is(what));
    }
    let text = text::beginning(text, LOOKED_AT).trim();
    let is_typed =
        |media_type: &str| content_type.is_some_and(|given| given.trim().to_ascii_lowercase().starts_with(media_type));
    if text.is_empty() {
        return Some(NotAFeed::new("the document is empty; ask the site's owner for the feed's right address"));
    }
    if text.starts_with(['{', '[']) {
        return json(text);
    }
    let Some(first) = markup::tags(text).next().filter(|_| text.starts_with('<') || is_typed("text/html")) else {
        return (!text.contains('<') || is_typed("text/plain")).then(|| plain(bytes, text));
    };
    let root = first.name.rsplit(':').next().unwrap_or_default().to_ascii_lowercase();
    if FEED_ROOTS.contains(&root.as_str()) {
        return None;
    }
    if let Some((_, what)) = ROOTS.iter().find(|(name, _)| *name == root) {
        return Some(this_is(what));
    }
    let is_declared = text.get(..14).is_some_and(|start| start.eq_ignore_ascii_case("<!doctype html"));
    let is_page = is_declared || PAGE_ROOTS.contains(&root.as_str()) || is_typed("text/html");
    is_page.then(|| web_page(text, address))
}

fn this_is(what: &str) -> NotAFeed {
    NotAFeed::new(format!("this is {what}"))
}

/// The beginning of a publisher's own words, on one line.
fn quoted(words: &str) -> String {
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = words.char_indices().nth(QUOTED).map_or(words.len(), |(at, _)| at);
    format!("{}{}", &words[..end], if end < words.len() { "…" } else { "" })
}

/// Text without markup, or bytes that only look like it.
fn plain(bytes: &[u8], text: &str) -> NotAFeed {
    let start = &bytes[..bytes.len().min(1_000)];
    if start.contains(&0) {
        return this_is("binary data, neither XML nor JSON; look for the feed's address on the site");
    }
    NotAFeed::new(format!(
        "this is plain text, neither XML nor JSON: \"{}\"; look for the feed's address on the site",
        quoted(text)
    ))
}

/// JSON that is no feed: an API says in words of its own what it did not like. Broken JSON keeps its own message.
fn json(text: &str) -> Option<NotAFeed> {
    let value: Value = serde_json::from_str(text).ok()?;
    let told = complaint(&value).filter(|told| !told.trim().is_empty());
    told.map(|told| {
        NotAFeed::new(format!("this is an error of the site in JSON, not a JSON Feed: \"{}\"", quoted(told)))
    })
    .or_else(|| {
        value
            .is_array()
            .then(|| NotAFeed::new("this JSON is a list and not a JSON Feed; look for the feed's address on the site"))
    })
}

/// The words in which an API complains; two steps down and no further.
fn complaint(value: &Value) -> Option<&str> {
    let value = value.as_array().map_or(Some(value), |values| values.first())?;
    let found = |word: &str| match value.get(word)? {
        Value::String(text) => Some(text.as_str()),
        Value::Object(inner) => inner.get("message").and_then(Value::as_str),
        Value::Array(inner) => {
            inner.first().and_then(|first| first.as_str().or_else(|| first.get("message")?.as_str()))
        }
        _ => None,
    };
    ["message", "error_description", "detail", "error", "errors", "reason"].into_iter().find_map(found)
}

fn web_page(text: &str, address: Option<&Url>) -> NotAFeed {
    let feeds = page::feeds_of(text, address);
    if feeds.iter().any(|found| found.sureness == Sureness::Named) {
        return with_feeds(feeds);
    }
    let lower = text.to_ascii_lowercase();
    let is_terse = text::visible(text).chars().count() < TERSE;
    let title = lower.split_once("<title").and_then(|(_, rest)| rest.split("</title").next()).unwrap_or_default();
    let host = address.and_then(Url::host_str).unwrap_or_default();
    let is_consent = CONSENT_HOSTS.iter().any(|start| host.starts_with(start))
        || CONSENT_TITLES.iter().any(|words| title.contains(words));
    let challenge = CHALLENGES.iter().find(|(trace, _)| lower.contains(trace)).filter(|_| is_terse);
    let last = address.map(|address| address.path().trim_end_matches('/').to_ascii_lowercase()).unwrap_or_default();
    let is_login =
        LOGIN_PATHS.contains(&last.rsplit('/').next().unwrap_or_default()) || (is_terse && asks_for_a_password(text));
    if let Some((_, whose)) = challenge {
        return NotAFeed::new(format!(
            "this is a page on which {whose} asks for a proof that we are no robot; ask the site's owner to let feed readers through"
        ));
    }
    if is_consent {
        return this_is("a page that asks for consent, not a feed; look for an address of the feed that needs none");
    }
    if is_login {
        return this_is(
            "a login page, not a feed; set `username` and `password`, or use the feed's address with its token",
        );
    }
    with_feeds(feeds)
}

fn asks_for_a_password(text: &str) -> bool {
    let is_password = |kind: &str| kind.eq_ignore_ascii_case("password");
    markup::tags(text).any(|tag| tag.begins("input") && tag.attribute("type").is_some_and(|kind| is_password(&kind)))
}

fn with_feeds(feeds: Vec<Found>) -> NotAFeed {
    let lines: Vec<String> = feeds.iter().take(3).map(|found| format!("url = \"{}\"", found.url)).collect();
    let lines = lines.join(" or ");
    let what = match feeds.first().map(|found| found.sureness) {
        None => "this is a web page that names no feed; look for the feed's own address on the site".to_owned(),
        Some(Sureness::Named) => format!("this is a web page, not a feed; it names its feed: {lines}"),
        Some(_) => format!("this is a web page that names no feed, but this may be one: {lines}"),
    };
    NotAFeed { feeds, is_page: true, ..NotAFeed::new(what) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;
    use crate::parse;

    fn told(bytes: &[u8], content_type: Option<&str>, address: &str) -> Option<String> {
        let address = Url::parse(address).unwrap();
        parse::parse(bytes, content_type, Some(&address), Timestamp::UNIX_EPOCH).err().map(|error| error.what)
    }

    fn check(document: &[u8], expected: &str) {
        let told = told(document, None, "https://x.example/feed").expect("no feed");
        assert!(told.contains(expected), "{}: {told}", String::from_utf8_lossy(document));
    }

    #[test]
    fn documents_are_called_what_they_are() {
        for (document, expected) in [
            (&b""[..], "is empty"),
            (b"\x1f\x8b\x08\0\0\0\0\0\0\x03", "gzip bytes"),
            (b"%PDF-1.7 x", "a PDF document"),
            (b"\x89PNG\r\n\x1a\n\0\0<", "an image"),
            (b"PK\x03\x04\0\0", "a ZIP archive"),
            (b"ab\0\0cd", "binary data"),
            (b"Not\n found", "plain text, neither XML nor JSON: \"Not found\""),
            (b"<?xml version=\"1.0\"?><opml version=\"2.0\"><body/></opml>", "a list of feeds (OPML)"),
            (b"<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\"><url/></urlset>", "a sitemap"),
            (b"<sitemapindex><sitemap/></sitemapindex>", "a list of sitemaps"),
            (b"<xsl:stylesheet version=\"1.0\" xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\"/>", "a style sheet"),
            (b"<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"/>", "an image"),
            (
                b"{\"error\": {\"code\": 403, \"message\": \"Key\\nmissing\"}}",
                "in JSON, not a JSON Feed: \"Key missing\"",
            ),
            (b"{\"message\":\"no\", \"errors\": []}", "\"no\""),
            (b"{\"errors\": [{\"message\":\"gone\"}]}", "\"gone\""),
            (b"{\"a\": 1}", "not a JSON Feed"),
            (b"[1, 2]", "a list and not a JSON Feed"),
            (b"{", "the JSON is broken"),
        ] {
            check(document, expected);
        }
    }

    #[test]
    fn pages_in_the_way_are_called_what_they_are() {
        for (page, expected) in [
            ("<!DOCTYPE html><title>Just a moment...</title>", "which Cloudflare asks"),
            ("<html><head><title>Attention Required! | Cloudflare</title>", "which Cloudflare asks"),
            ("<html><script>window._cf_chl_opt={}</script>", "which Cloudflare asks"),
            ("<html><title>DDoS-Guard</title>", "DDoS-Guard asks"),
            ("<!doctype html><script src=\"/.within.website/x/cmd/anubis/static/js/main.mjs\">", "Anubis asks"),
            ("<html><title>Sucuri WebSite Firewall - Access Denied</title>", "Sucuri asks"),
            ("<html><iframe src=\"/_Incapsula_Resource?x\">", "Imperva asks"),
            ("<html><p>Enable JavaScript and cookies to continue", "no robot"),
            ("<html><div class=\"g-recaptcha\">", "no robot"),
            ("<html><form><input name=p type='Password'>", "a login page"),
            ("<html><title>Before you continue to Example</title>", "asks for consent"),
            ("<html><p>hello", "a web page that names no feed; look"),
            ("<div>hello</div>", "a web page that names no feed; look"),
            ("<html><a href=/rss.xml>RSS</a>", "may be one: url = \"https://x.example/rss.xml\""),
            (
                "<html><link rel=alternate type=application/rss+xml href=/a><p>captcha",
                "its feed: url = \"https://x.example/a\"",
            ),
        ] {
            check(page.as_bytes(), expected);
        }
    }

    #[test]
    fn addresses_and_types_say_what_pages_are() {
        for (address, content_type, page, expected) in [
            ("https://x.example/login", None, "<html><p>Welcome", "a login page"),
            ("https://consent.example.org/x", None, "<html><p>Welcome", "asks for consent"),
            ("https://x.example/", Some("text/html; charset=utf-8"), "Oops <b>no</b>", "a web page"),
            ("https://x.example/", Some("text/plain"), "1 < 2", "plain text"),
        ] {
            let told = told(page.as_bytes(), content_type, address).expect("no feed");
            assert!(told.contains(expected), "{page}: {told}");
        }
    }

    #[test]
    fn a_long_page_that_mentions_captchas_is_no_bot_check() {
        let page = format!("<html><p>captcha, cf-chl<input type=password>{}", "words ".repeat(1_000));
        check(page.as_bytes(), "names no feed");
    }

    #[test]
    fn quotations_are_short_and_on_one_line() {
        let told = told("é\n".repeat(500).as_bytes(), None, "https://x.example/").unwrap();
        assert!(told.chars().count() < 220 && !told.contains('\n'), "{told}");
    }

    #[test]
    fn feeds_are_never_taken_for_something_else() {
        let words = "captcha opml &lt;html&gt; Just a moment cf-chl &lt;input type=password&gt;";
        for feed in [
            format!("<rss version=\"2.0\"><channel><title>{words}</title></channel></rss>"),
            format!(
                "<?xml version=\"1.0\"?><?xml-stylesheet href=\"a.xsl\"?><!-- <html> --><feed xmlns=\"http://www.w3.org/2005/Atom\"><title>{words}</title></feed>"
            ),
            format!("{{\"version\": \"https://jsonfeed.org/version/1.1\", \"error\": \"{words}\", \"items\": []}}"),
        ] {
            for content_type in [None, Some("text/html"), Some("text/plain"), Some("image/png")] {
                assert_eq!(told(feed.as_bytes(), content_type, "https://consent.example/login"), None, "{feed}");
            }
        }
        // So is one that is broken.
        assert_eq!(
            told(b"<rss version=\"2.0\"><channel><title>captcha", Some("text/html"), "https://x.example/login"),
            None
        );
    }
}
