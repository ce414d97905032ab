//! A source whose address answers with a web page is read at the feed that the page names. Decisions and words; the asking is
//! `poll::one`'s.

use url::Url;

use crate::model::source::{Location, SourceKey};
use crate::parse::page::{Found, Sureness};
use crate::select::catalogue::without_secrets;

/// The feed to follow: the first that the page names as its own and that a redirect could have led to as well. `page` is the page's
/// final address, `own` where our feeds are published.
pub(super) fn to_follow(feeds: &[Found], page: &Url, own: &Url) -> Option<Url> {
    let is_good = |found: &&Found| {
        let is_downgrade = page.scheme() == "https" && found.url.scheme() == "http";
        found.sureness == Sureness::Named && !is_downgrade && !found.url.as_str().starts_with(own.as_str())
    };
    feeds.iter().find(is_good).map(|found| found.url.clone())
}

/// What the user is told as long as a page's feed is polled instead of the page.
pub(super) fn note(key: &SourceKey, location: &Location, named: &Url) -> String {
    let page = match location {
        Location::Http(url) => without_secrets(url).to_string(),
        Location::File(_) => location.to_string(),
    };
    let shown = without_secrets(named);
    let line = if shown == *named { format!("`url = \"{shown}\"`") } else { "its whole address as `url`".to_owned() };
    format!("{page} is a web page; its feed {shown} is polled instead: put {line} under [sources.{key}]")
}

/// Why the feed that a page named is not read.
pub(super) fn failed(named: &Url, why: &str) -> String {
    format!("the address is a web page's, and its feed {} is not read: {why}", without_secrets(named))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::page::feeds_of;

    #[test]
    fn the_first_good_feed_is_followed() {
        let named = |href: &str| format!("<link rel=alternate type=application/rss+xml href=\"{href}\">");
        let own = Url::parse("https://news.example/").unwrap();
        for (page, html, expected) in [
            ("https://x.example/", named("/a") + &named("/b"), Some("https://x.example/a")),
            ("https://x.example/", named("http://y.example/a") + &named("/b"), Some("https://x.example/b")),
            ("http://x.example/", named("http://y.example/a"), Some("http://y.example/a")),
            ("https://x.example/", named("https://news.example/all.atom"), None),
            ("https://x.example/", "<a href=/feed>a</a>".to_owned(), None),
            ("https://x.example/", String::new(), None),
        ] {
            let page = Url::parse(page).unwrap();
            let followed = to_follow(&feeds_of(&html, Some(&page)), &page, &own);
            assert_eq!(followed.as_ref().map(Url::as_str), expected, "{html}");
        }
    }

    #[test]
    fn notes_say_what_to_do_and_no_secret() {
        let key = SourceKey::new("x").unwrap();
        let location = Location::Http(Url::parse("https://x.example/").unwrap());
        let told = |url: &str| note(&key, &location, &Url::parse(url).unwrap());
        assert_eq!(
            told("https://x.example/feed.xml"),
            "https://x.example/ is a web page; its feed https://x.example/feed.xml is polled instead: \
             put `url = \"https://x.example/feed.xml\"` under [sources.x]"
        );
        assert!(!told("https://x.example/feed?token=hunter2").contains("hunter2"));
    }
}
