//! Pages as they stand on the web, and the text of their articles: nothing of what surrounds it, and no paragraph lost.

use std::fs;
use std::path::{Path, PathBuf};

use feedmill::extract::{self, WebPage};
use feedmill::model::source::FullText;
use feedmill::text;
use url::Url;

/// Elements that begin or end a paragraph.
const PARTING: &[&str] = &[
    "p",
    "div",
    "li",
    "ul",
    "ol",
    "h2",
    "h3",
    "h4",
    "blockquote",
    "pre",
    "tr",
    "table",
    "section",
    "figure",
    "figcaption",
    "footer",
    "article",
    "header",
    "hr",
    "time",
    "center",
    "dl",
    "dt",
    "dd",
];

/// The paragraphs that a person reads in HTML. Two line breaks part them too.
fn paragraphs(html: &str) -> Vec<String> {
    let mut found = Vec::new();
    let html = html.replace("<br><br>", "<hr>").replace("<br>\n<br>", "<hr>");
    let mut parts = html.split('<');
    let mut paragraph = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let name: String = part.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
        if PARTING.contains(&name.as_str()) {
            found.push(text::visible(&std::mem::take(&mut paragraph)));
        }
        paragraph.push('<');
        paragraph.push_str(part);
    }
    found.push(text::visible(&paragraph));
    found.retain(|paragraph| !paragraph.is_empty());
    found
}

fn article(page: &[u8]) -> String {
    let url = Url::parse("https://pages.example/2026/11/page.html").unwrap();
    extract::article(WebPage { body: page, content_type: None, url: &url }, &FullText::default()).unwrap().0
}

/// How what was found differs from what a person reads; `None` when it does not.
fn check(page: &Path) -> Option<String> {
    let html = article(&fs::read(page).unwrap());
    let expected = fs::read_to_string(page.with_extension("txt")).unwrap();
    let expected: Vec<String> =
        expected.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let found = paragraphs(&html);
    let lost = expected.iter().filter(|paragraph| !found.contains(paragraph)).map(|it| format!("lost: {it}"));
    let beside = found.iter().filter(|paragraph| !expected.contains(paragraph)).map(|it| format!("beside: {it}"));
    let told: Vec<String> = lost.chain(beside).collect();
    (found != expected).then(|| format!("{}\n{}\n{html}\n", page.display(), told.join("\n")))
}

#[test]
fn every_article_is_found_whole_and_without_what_surrounds_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pages");
    let mut pages: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "html"));
    pages.sort();
    assert!(pages.len() >= 20);
    let wrong: Vec<String> = pages.iter().filter_map(|page| check(page)).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), pages.len(), wrong.join("\n"));
}

#[test]
fn the_article_of_the_shared_fixture_is_its_text() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/world-news/article.html");
    if !page.exists() {
        eprintln!("skipped: {} is not there", page.display());
        return;
    }
    assert_eq!(check(&page), None);
}

#[test]
fn pictures_of_pages_are_the_real_ones_under_absolute_addresses() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pages");
    for (name, picture) in [
        ("wordpress", "https://pages.example/wp-content/uploads/train.jpg"),
        ("recipe", "https://pages.example/img/soup.jpg"),
        ("medium", "https://miro.example/1400/a.jpeg"),
        ("amp", "https://pages.example/foto/pontile.jpg"),
        ("captions", "https://pages.example/f/1938-grande.jpg"),
        ("noscript", "https://pages.example/foto/kopule.jpg"),
    ] {
        let html = article(&fs::read(folder.join(name).with_extension("html")).unwrap());
        assert!(html.contains(&format!("src=\"{picture}\"")), "{name}: {html}");
        assert!(!html.contains("data:"), "{name}: {html}");
    }
}
