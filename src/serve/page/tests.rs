use axum::http::StatusCode;

use crate::serve::page::POLICY;
use crate::serve::tests::{ask, entry_path};

/// What a browser sends with every address that is opened.
const BROWSER: [(&str, &str); 3] = [
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-dest", "document"),
];

const PAGES: [&str; 10] = [
    "/",
    "/all",
    "/search",
    "/search?q=a+%3Cb%3E",
    "/topics/world?q=nothing",
    "/topics/world?since=2026-11-01&before=5-1",
    "/sources/bad",
    "/all.atom",
    "/topics/world.json?q=a",
    "/search?q=%3Cscript%3E(",
];

async fn page(path: &str) -> (StatusCode, axum::http::HeaderMap, String) {
    ask(path, &BROWSER).await
}

async fn check(path: &str, status: StatusCode, parts: &[&str]) {
    let (found, headers, body) = page(path).await;
    assert_eq!(found, status, "{path}");
    assert_eq!(headers["content-type"], "text/html; charset=utf-8", "{path}");
    for part in parts {
        assert!(body.contains(part), "{path}: {part} in\n{body}");
    }
}

#[tokio::test]
async fn no_page_takes_over_what_publishers_say_or_asks_another_host() {
    for path in PAGES.into_iter().map(str::to_owned).chain([entry_path(1, ""), "/nothing/here".to_owned()]) {
        let (_, headers, body) = page(&path).await;
        assert_eq!(headers["content-security-policy"], POLICY, "{path}");
        assert_eq!(headers["cache-control"], "private, no-cache", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        for foreign in
            ["<script", "<b>", "<i>", "<u>", "<summit>", "href=\"javascript:", " style=", "<style", " onclick"]
        {
            assert!(!body.contains(foreign), "{path}: {foreign} in\n{body}");
        }
        // Links lead elsewhere, but what a page loads and where its forms go is ours.
        for loads in ["src=\"http", "action=\"http", "src=\"//", "rel=\"stylesheet\" href=\"http", "url("] {
            assert!(!body.contains(loads), "{path}: {loads}");
        }
        // Below any path of a web server before us.
        for absolute in ["href=\"/", "src=\"/", "action=\"/"] {
            assert!(!body.contains(absolute), "{path}: {absolute}");
        }
        for part in
            ["<html lang=\"en\">", "<main id=\"content\"", "<h1", "<label for=\"q\">", "class=\"skip\"", "rel=\"icon\""]
        {
            assert!(body.contains(part), "{path}: {part}");
        }
        assert_eq!(body.matches("<h1").count(), 1, "{path}");
    }
}

#[tokio::test]
async fn the_page_of_a_feed_tells_what_it_is_and_how_to_subscribe() {
    check(
        "/topics/world",
        StatusCode::OK,
        &[
            "<h1 dir=\"auto\">World</h1>",
            "value=\"http://mill.example/topics/world.atom\"",
            "value=\"http://mill.example/topics/world.rss\"",
            "value=\"http://mill.example/topics/world.json\"",
            "<link rel=\"alternate\" type=\"application/feed+json\" title=\"World (json)\" href=\"../topics/world.json\">",
            "<a href=\"../sources/good\"><bdi>&#60;script&#62;good&#60;/script&#62;</bdi></a>",
            "and whatever matches <code>title:&#34;&#60;summit&#62;&#34;</code>",
            "action=\"../topics/world\"",
            "Search in World",
            "<h3 dir=\"auto\" lang=\"de-AT\"><a href=\"https://a.example/1?a=1&#38;b=2\" rel=\"noreferrer\">",
            "<a href=\"../entries/01010101-0101-0101-0101-010101010101\" aria-label=\"2 copies of:",
            // An address that is none of the web leads to the entry's own page.
            "<h3 dir=\"auto\"><a href=\"../entries/02020202-0202-0202-0202-020202020202\">",
            "href=\"../topics/world?before=5-50\" rel=\"next\"",
        ],
    )
    .await;
    check(
        "/sources/bad",
        StatusCode::OK,
        &[
            "<span class=\"health failing\">failing</span>",
            "2 times in a row",
            "odd &#38; even",
            "<a href=\"../topics/world\">World</a>",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_search_keeps_its_conditions_and_is_a_feed() {
    check(
        "/topics/world?q=%22a+%26+b%22&since=2026-11-01&limit=5&before=9-9",
        StatusCode::OK,
        &[
            "<h1 dir=\"auto\">&#34;a &#38; b&#34;</h1>",
            "name=\"q\" value=\"&#34;a &#38; b&#34;\"",
            "<input type=\"hidden\" name=\"since\" value=\"2026-11-01T00:00:00Z\">",
            "<input type=\"hidden\" name=\"limit\" value=\"5\">",
            // What is subscribed to has no place.
            "value=\"http://mill.example/topics/world.atom?limit=5&#38;q=%22a+%26+b%22&#38;since=2026-11-01T00%3A00%3A00Z\"",
            "href=\"../topics/world?before=5-5&#38;limit=5&#38;q=%22a+%26+b%22&#38;since=2026-11-01T00%3A00%3A00Z\" rel=\"next\"",
            "Older entries",
            "Newest entries",
        ],
    )
    .await;
    check("/search?q=a", StatusCode::OK, &["action=\"search\"", "href=\"search?before=5-50&#38;q=a\""]).await;
    check("/search?q=nothing", StatusCode::OK, &["Nothing matches so far."]).await;
    check(
        "/search",
        StatusCode::OK,
        &["How to search", "href=\"search?q=%22north+korea%22\"", "title:election newer:24h"],
    )
    .await;
}

#[tokio::test]
async fn refusals_are_pages_for_browsers() {
    check(
        "/search?q=a+%28b",
        StatusCode::BAD_REQUEST,
        &["This search cannot be read", "value=\"a (b\"", "<mark>", "How to search"],
    )
    .await;
    check("/all?limit=0", StatusCode::BAD_REQUEST, &["limit: `0` is no number"]).await;
    check("/topics/wrld", StatusCode::NOT_FOUND, &["There is no feed topics/wrld.", "<a href=\"../topics/world\">"])
        .await;
    check("/topics/UPPER", StatusCode::NOT_FOUND, &["`UPPER` is not a key"]).await;
    check("/a/b/c", StatusCode::NOT_FOUND, &["href=\"../../style.css", "<a href=\"../.././\">All feeds"]).await;
    check("/all?q=busy", StatusCode::SERVICE_UNAVAILABLE, &["Too busy"]).await;
    assert_eq!(page("/all?q=busy").await.1["retry-after"], "5");
}

#[tokio::test]
async fn only_a_browser_that_opens_a_feed_is_shown_a_page_about_it() {
    let [accept, mode, document] = BROWSER;
    let other = ("sec-fetch-dest", "empty");
    let cross = ("sec-fetch-mode", "cors");
    let feed = ("accept", "application/atom+xml, */*;q=0.1");
    for (headers, is_page) in [
        (&[accept, mode, document][..], true),
        (&[accept], false),
        (&[accept, mode], false),
        (&[accept, document], false),
        (&[accept, mode, other], false),
        (&[accept, cross, document], false),
        (&[mode, document], false),
        (&[feed, mode, document], false),
        (&[], false),
    ] {
        for path in ["/all.atom", "/all.atom?utm_source=x"] {
            let (_, found, body) = ask(path, headers).await;
            assert_eq!(body != "ready", is_page, "{headers:?}");
            let vary = found["vary"].to_str().unwrap();
            assert!(vary.contains("Sec-Fetch-Dest"), "{vary}");
            assert_eq!(found["cache-control"].to_str().unwrap().contains("private"), is_page);
        }
        assert_eq!(ask("/all.atom?raw", headers).await.2, "ready", "{headers:?}");
    }
    check(
        "/topics/world.rss?q=a&before=9-9",
        StatusCode::OK,
        &[
            "This address is a feed",
            "value=\"http://mill.example/topics/world.rss?before=9-9&#38;q=a\"",
            "href=\"../topics/world.rss?before=9-9&#38;q=a&#38;raw\"",
            "href=\"../topics/world?before=9-9&#38;q=a\"",
        ],
    )
    .await;
    check("/all.json", StatusCode::OK, &["href=\"all.json?raw\"", "Readers get JSON from it"]).await;
}

#[tokio::test]
async fn pages_and_what_they_load_have_tags() {
    for path in ["/", "/all", "/search", "/all.atom", "/style.css", "/favicon.svg", "/favicon.ico"] {
        let (status, headers, _) = page(path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(!headers.contains_key("last-modified"), "{path}");
        let tag = headers["etag"].to_str().unwrap();
        let again = [&BROWSER[..], &[("if-none-match", tag)]].concat();
        assert_eq!(ask(path, &again).await.0, StatusCode::NOT_MODIFIED, "{path}");
        let date = [&BROWSER[..], &[("if-modified-since", "Sun, 01 Nov 2026 10:00:00 GMT")]].concat();
        assert_eq!(ask(path, &date).await.0, StatusCode::OK, "{path}");
    }
    // The address that pages name lasts.
    let body = page("/").await.2;
    let from = body.find("style.css?v=").unwrap();
    let style = body[from..].split('"').next().unwrap();
    let lasting = |headers: &axum::http::HeaderMap| headers["cache-control"].to_str().unwrap().contains("immutable");
    assert!(lasting(&ask(&format!("/{style}"), &[]).await.1));
    assert!(!lasting(&ask("/style.css?v=old", &[]).await.1));
    let (status, _, robots) = ask("/robots.txt", &[]).await;
    assert!(status == StatusCode::OK && robots.contains("Disallow: /search?\n"), "{robots}");
}
