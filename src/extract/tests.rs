//! Whatever a page is, reading it ends soon and without a panic.

use proptest::prelude::*;
use url::Url;

use crate::extract::{WebPage, article, is_selector};
use crate::model::source::FullText;

fn read(body: &[u8]) -> Option<String> {
    let url = Url::parse("https://example.org/news/page").unwrap();
    article(WebPage { body, content_type: None, url: &url }, &FullText::default()).ok().map(|html| html.0)
}

#[test]
fn pages_built_to_hurt_are_read_like_any_other() {
    let text = "<p>A sentence that is long enough to be taken for prose by anybody who reads it.</p>";
    let n = 5_000;
    for hostile in [
        "<div>".repeat(n),
        "<p>".repeat(n),
        "<b><div>".repeat(n),
        "<table><tr><td>".repeat(n),
        "<svg><g>".repeat(n),
        "<script><!--<script>".repeat(n),
        "<!--".repeat(n),
        format!("<a {}", "x='".repeat(n)),
        "<a href=x>".repeat(n),
        "<ul><li>".repeat(n),
        "</p>".repeat(n),
        "<".repeat(n),
        "<noscript><img src=x>".repeat(n),
    ] {
        let _ = read(format!("<html><body><article>{text}{hostile}").as_bytes());
    }
}

#[test]
fn a_selector_is_checked() {
    for good in ["article", "article .body", "div > p:not(.x)", "[itemprop=articleBody]", "#a, .b"] {
        assert!(is_selector(good), "{good}");
    }
    for bad in ["", " ", "article >", "div[", ":::", "p:nonsense(", "#"] {
        assert!(!is_selector(bad), "{bad}");
    }
}

#[test]
fn selectors_of_the_user_decide() {
    let body = b"<body><div class=x><p>One <i class=y>two</i></p><div class=x>Three</div></div><p>Four</p>";
    let url = Url::parse("https://example.org/").unwrap();
    let check = |content: &str, remove: &[&str], expected: Option<&str>| {
        let wishes = FullText {
            content_selector: Some(content.to_owned()),
            remove_selectors: remove.iter().map(|selector| (*selector).to_owned()).collect(),
        };
        let found = article(WebPage { body, content_type: None, url: &url }, &wishes).ok();
        assert_eq!(found.as_ref().map(|html| html.0.as_str()), expected);
    };
    check(".x", &[".y"], Some("<p>One </p><div>Three</div>"));
    check("body > p", &[], Some("Four"));
    check(".z", &[], None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_stop_the_reader(bytes in any::<Vec<u8>>()) {
        let _ = read(&bytes);
    }

    #[test]
    fn no_soup_of_tags_stops_the_reader(
        soup in "((<|</)(p|div|b|a|table|tr|td|ul|li|h1|h2|article|figure|img|picture|source|noscript|span|body|html|head|form|br|section|template|select)( (class|id|href|src|data-src|srcset|style|alt)=('|\"|)(x|comment|related|ad|a b,c 2x|data:,|display:none)('|\"|))?(>|/>| )|[a-zé&;<>! ]{0,9}){0,60}"
    ) {
        let _ = read(soup.as_bytes());
    }
}
