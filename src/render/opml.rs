//! Subscription lists (OPML 2.0). Without a date, so that equal lists are equal bytes.

use std::fmt::Write as _;

use url::Url;

/// One line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    pub title: String,
    pub feed_url: Url,
    pub site_url: Option<Url>,
    /// The folder it stands in.
    pub category: Option<String>,
}

/// Lines without a category first, then a folder for each category in the order of their first lines.
pub fn write(title: &str, outlines: &[Outline]) -> Vec<u8> {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<opml version=\"2.0\">\n<head><title>");
    text.push_str(&escaped(title));
    text.push_str("</title></head>\n<body>\n");
    for outline in outlines.iter().filter(|outline| outline.category.is_none()) {
        line(&mut text, outline);
    }
    let mut categories: Vec<&str> = Vec::new();
    for category in outlines.iter().filter_map(|outline| outline.category.as_deref()) {
        if !categories.contains(&category) {
            categories.push(category);
        }
    }
    for category in categories {
        let name = escaped(category);
        let _ = writeln!(text, "<outline text=\"{name}\" title=\"{name}\">");
        for outline in outlines.iter().filter(|outline| outline.category.as_deref() == Some(category)) {
            line(&mut text, outline);
        }
        text.push_str("</outline>\n");
    }
    text.push_str("</body>\n</opml>\n");
    text.into_bytes()
}

fn line(text: &mut String, outline: &Outline) {
    let title = escaped(&outline.title);
    let site =
        outline.site_url.as_ref().map_or_else(String::new, |site| format!(" htmlUrl=\"{}\"", escaped(site.as_str())));
    let feed = escaped(outline.feed_url.as_str());
    // Writing to a String cannot fail.
    let _ = writeln!(text, "<outline type=\"rss\" text=\"{title}\" title=\"{title}\" xmlUrl=\"{feed}\"{site}/>");
}

fn escaped(text: &str) -> String {
    super::legible(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
