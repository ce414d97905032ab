//! The element of an article → HTML that stands alone: absolute links, real pictures, no headline, nothing empty.

use dom_query::{Document, NodeRef, Selection};
use url::Url;

use crate::extract::find::NodeHtml;
use crate::text;

/// Attributes that mean something away from the page.
const KEPT: &[&str] = &[
    "href", "src", "alt", "title", "width", "height", "colspan", "rowspan", "datetime", "cite", "lang", "dir", "start",
    "controls", "poster", "type",
];
/// Where pages keep a picture's address until somebody scrolls to it.
const LATE: &[&str] =
    &["data-src", "data-original", "data-lazy-src", "data-lazy", "data-orig-file", "data-image", "data-url"];
const LATE_SETS: &[&str] = &["data-srcset", "data-lazy-srcset", "srcset"];
/// Words in the address of a picture that only keeps a place.
const PLACEHOLDERS: &[&str] =
    &["placeholder", "blank.gif", "spacer", "1x1", "transparent", "lazy-load", "grey.gif", "pixel.gif"];
/// Elements that are something without a text.
const FULL: &[&str] =
    &["img", "video", "audio", "source", "picture", "br", "hr", "td", "th", "tr", "col", "wbr", "track"];

/// What a page tells of an article beside it.
pub(super) struct Frame<'a> {
    /// Where relative links start.
    pub(super) base: &'a Url,
    /// The words of its headlines.
    pub(super) headlines: Vec<Vec<String>>,
}

pub(super) fn finish(article: &NodeHtml, frame: &Frame<'_>) -> String {
    let document = Document::from(article.0.as_str());
    let Some(root) = document.body() else { return String::new() };
    spares(&document);
    for image in document.select("img").nodes() {
        picture(image);
    }
    document.select("picture source").remove();
    captions(&document);
    headline(&root, &frame.headlines);
    addresses(&document, frame.base);
    for node in root.descendants() {
        node.retain_attrs(KEPT);
    }
    empty(&root);
    root.inner_html().trim().to_owned()
}

/// A picture within `noscript` is the real one; what stands before it keeps its place.
fn spares(document: &Document) {
    for spare in document.select("span[data-spare]").nodes() {
        let before = spare.prev_element_sibling();
        let image = before.filter(|before| before.has_name("img"));
        if let Some(image) = image.or_else(|| before.and_then(|before| only_image(&before))) {
            image.remove_from_parent();
        }
    }
}

/// The picture in an element that holds nothing else.
fn only_image<'a>(node: &NodeRef<'a>) -> Option<NodeRef<'a>> {
    let images = Selection::from(*node).select("img").nodes().to_vec();
    if node.text().trim().is_empty() && images.len() == 1 { images.first().copied() } else { None }
}

/// Gives a picture its real address.
fn picture(image: &NodeRef<'_>) {
    let late = LATE.iter().filter_map(|name| image.attr(name)).map(|value| value.trim().to_owned());
    let late = late.into_iter().find(|value| is_address(value));
    let sources = image.parent().filter(|parent| parent.has_name("picture"));
    let sources = sources.map(|parent| Selection::from(parent).select("source").nodes().to_vec()).unwrap_or_default();
    let own = image.attr("src").map(|src| src.trim().to_owned()).filter(|src| is_address(src));
    let set = std::iter::once(image)
        .chain(&sources)
        .find_map(|node| LATE_SETS.iter().filter_map(|name| node.attr(name)).find_map(|set| largest(&set)));
    match late.or(own).or(set) {
        Some(address) => image.set_attr("src", &address),
        None => image.remove_from_parent(),
    }
}

fn is_address(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    !lower.is_empty()
        && !lower.starts_with("data:")
        && !lower.starts_with(['{', '['])
        && !PLACEHOLDERS.iter().any(|word| lower.contains(word))
}

/// The candidate of a `srcset` with the greatest width or density.
fn largest(set: &str) -> Option<String> {
    let candidates = set.split(", ").flat_map(|part| part.split(",http").enumerate());
    let candidates = candidates.filter_map(|(index, part)| {
        let part = if index == 0 { part.trim().to_owned() } else { format!("http{part}") };
        let (address, size) = part.trim_end_matches(',').split_once(char::is_whitespace).unwrap_or((&part, "1x"));
        let size: f64 = size.trim().trim_end_matches(['w', 'x']).parse().unwrap_or(1.0);
        is_address(address).then(|| (size, address.to_owned()))
    });
    candidates.max_by(|(left, _), (right, _)| left.total_cmp(right)).map(|(_, address)| address)
}

/// A caption that repeats what the picture says for those who cannot see it is no text of its own.
fn captions(document: &Document) {
    for figure in document.select("figure").nodes() {
        let within = Selection::from(*figure);
        let alts: Vec<String> =
            within.select("img").nodes().iter().map(|image| text::visible(&image.attr_or("alt", ""))).collect();
        for caption in within.select("figcaption").nodes() {
            let caption_text = text::visible(&caption.inner_html());
            if alts.contains(&caption_text) {
                caption.remove_from_parent();
            }
        }
    }
}

/// Takes out the headline: every `h1`, and a first heading that says it again. An entry has its title apart.
fn headline(root: &NodeRef<'_>, headlines: &[Vec<String>]) {
    Selection::from(*root).select("h1").remove();
    for node in root.descendants() {
        if node.has_name("h2") || node.has_name("h3") {
            let words = text::words(&node.text());
            let repeats =
                |headline: &Vec<String>| words.iter().filter(|word| headline.contains(word)).count() * 2 >= words.len();
            if headlines.iter().any(repeats) {
                node.remove_from_parent();
            }
            return;
        }
        let is_in_picture = || node.ancestors_it(None).any(|above| above.has_name("figure"));
        if node.is_nonempty_text() && !is_in_picture() {
            return;
        }
    }
}

/// Links and pictures are found from everywhere; what is no address of the web leads nowhere.
fn addresses(document: &Document, base: &Url) {
    for (elements, name) in [("a[href]", "href"), ("[src]", "src"), ("[poster]", "poster"), ("[cite]", "cite")] {
        for node in document.select(elements).nodes() {
            let found = base.join(node.attr_or(name, "").trim()).ok();
            match found.filter(|url| matches!(url.scheme(), "http" | "https" | "mailto" | "tel")) {
                Some(url) => node.set_attr(name, url.as_str()),
                None => node.remove_attr(name),
            }
        }
    }
}

/// Takes out elements in which nothing is left, from the innermost outwards.
fn empty(root: &NodeRef<'_>) {
    for node in root.descendants().iter().rev() {
        let is_full = node.node_name().is_some_and(|name| FULL.contains(&name.as_ref()));
        if node.is_element() && !is_full && node.element_children().is_empty() && node.text().trim().is_empty() {
            // A blank between two words may be all that it held.
            if !node.text().is_empty() {
                node.insert_before(&node.tree.new_text(" "));
            }
            node.remove_from_parent();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(html: &str) -> String {
        let base = Url::parse("https://example.org/a/page.html").unwrap();
        finish(&NodeHtml(html.to_owned()), &Frame { base: &base, headlines: vec![text::words("The bridge is open")] })
    }

    fn check(html: &str, expected: &str) {
        assert_eq!(finished(html), expected, "{html}");
    }

    #[test]
    fn pictures_get_their_real_address() {
        let real = "<p>x<img src=\"https://example.org/a/real.jpg\"></p>";
        for html in [
            "<p>x<img src=real.jpg></p>",
            "<p>x<img src='data:image/gif;base64,R0' data-src=real.jpg></p>",
            "<p>x<img src=/img/placeholder.png data-original='real.jpg'></p>",
            "<p>x<img loading=lazy data-srcset='small.jpg 320w, real.jpg 1280w'></p>",
            "<p>x<img src='data:,' srcset='small.jpg 1x, real.jpg 2x'></p>",
            "<p>x<img class=lazy src=spacer.gif><span data-spare><img src=real.jpg></span></p>",
        ] {
            let found = finished(html).replace("<span>", "").replace("</span>", "");
            assert_eq!(found, real, "{html}");
        }
        check("<p>x<img src='data:image/png;base64,AAAA'></p>", "<p>x</p>");
        check(
            "<picture><source srcset='https://c.example/a,b.webp 1x,https://c.example/2.webp 2x'><img></picture>",
            "<picture><img src=\"https://c.example/2.webp\"></picture>",
        );
    }

    #[test]
    fn links_are_absolute_and_attributes_go() {
        check(
            "<p class=a onclick=b id=c><a href='../x?y' target=_blank>l</a><a href='javascript:void(0)'>m</a></p>",
            "<p><a href=\"https://example.org/x?y\">l</a><a>m</a></p>",
        );
    }

    #[test]
    fn the_headline_goes_and_other_headings_stay() {
        check("<h1>T</h1><h2>S</h2><p>x</p>", "<h2>S</h2><p>x</p>");
        check("<h2>Bridge open again</h2><p>x</p>", "<p>x</p>");
        check("<p>x</p><h2>The bridge is open</h2><p>y</p>", "<p>x</p><h2>The bridge is open</h2><p>y</p>");
    }

    #[test]
    fn captions_that_repeat_their_picture_go() {
        check(
            "<p>x</p><figure><img src=/a.jpg alt='A  b'><figcaption>A b</figcaption></figure>",
            "<p>x</p><figure><img src=\"https://example.org/a.jpg\" alt=\"A  b\"></figure>",
        );
        check(
            "<p>x</p><figure><img src=/a.jpg alt=A><figcaption>B</figcaption></figure>",
            "<p>x</p><figure><img src=\"https://example.org/a.jpg\" alt=\"A\"><figcaption>B</figcaption></figure>",
        );
    }

    #[test]
    fn nothing_empty_is_left() {
        check("<div><p> </p><div><span></span></div></div><p>x<b> </b>y</p>", " <p>x y</p>".trim());
    }
}
