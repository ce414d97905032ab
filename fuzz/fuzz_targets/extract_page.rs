//! Any page has an article or none; what was found is found again in the same page.
#![no_main]

use feedmill::extract::{self, WebPage};
use feedmill::model::source::FullText;
use libfuzzer_sys::fuzz_target;
use url::Url;

fuzz_target!(|body: &[u8]| {
    let url = Url::parse("https://site.example/2026/article").expect("an address");
    let page = WebPage { body, content_type: Some("text/html"), url: &url };
    let wishes = FullText { content_selector: None, remove_selectors: Vec::new() };
    let first = extract::article(page, &wishes);
    if let Err(error) = &first {
        assert!(!error.what.contains("the reader of pages fails"), "{error}");
    }
    assert_eq!(first, extract::article(page, &wishes));
});
