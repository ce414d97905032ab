//! What surrounds an article: navigation, forms, comments, teasers, notices. Told by elements, roles, and the words in classes and ids.

use dom_query::{Document, NodeRef, Selection};

/// Elements that hold no text of an article, whatever they are called.
const NEVER: &str = "nav, form, footer:not(blockquote footer), aside, dialog, button, input, label, menu, amp-ad, amp-embed, \
                     amp-consent, amp-sidebar, amp-analytics, embed, fieldset, [hidden], [aria-hidden=true], \
                     [role=search], [role=navigation], [role=banner], [role=contentinfo], [role=complementary], \
                     [role=dialog], [role=alertdialog], [role=menu], [role=menubar], [role=toolbar], [role=tablist], \
                     [aria-modal=true], [rel~=author], [itemprop~=author]";

/// Words of classes and ids that name something beside the article.
const BESIDE: &[&str] = &[
    "ad",
    "ads",
    "adslot",
    "adunit",
    "advert",
    "advertisement",
    "advertising",
    "author",
    "backlink",
    "banner",
    "bio",
    "breadcrumb",
    "breadcrumbs",
    "byline",
    "catlinks",
    "consent",
    "copyright",
    "cookie",
    "cookies",
    "crumbs",
    "cta",
    "dfp",
    "donate",
    "donation",
    "editsection",
    "footer",
    "gdpr",
    "masthead",
    "menu",
    "meta",
    "metadata",
    "modal",
    "mostread",
    "nav",
    "navbar",
    "navbox",
    "navigation",
    "newsletter",
    "noprint",
    "onetrust",
    "outbrain",
    "overlay",
    "pager",
    "pagination",
    "paywall",
    "popular",
    "popup",
    "postmeta",
    "print",
    "printfooter",
    "promo",
    "promotion",
    "rating",
    "recirc",
    "recirculation",
    "recommendation",
    "recommendations",
    "recommended",
    "related",
    "relatedposts",
    "relatedarticles",
    "relatedcontent",
    "sharebar",
    "sharebuttons",
    "screenreader",
    "search",
    "searchbox",
    "searchform",
    "share",
    "sharedaddy",
    "sharing",
    "shariff",
    "sidebar",
    "signup",
    "siteheader",
    "skip",
    "social",
    "sponsor",
    "sponsored",
    "sr",
    "subscribe",
    "subscription",
    "taboola",
    "tagcloud",
    "tags",
    "taxonomy",
    "teaser",
    "teasers",
    "timestamp",
    "toc",
    "toolbar",
    "topbar",
    "trending",
    "widget",
    "widgets",
];

/// Words that name what readers wrote.
const READERS: &[&str] =
    &["comment", "comments", "commentlist", "disqus", "livefyre", "reactions", "replies", "reply", "respond"];

/// Words with which a class tells a state or a layout and names nothing.
const STATES: &[&str] = &[
    "has", "no", "not", "with", "without", "is", "hide", "show", "open", "closed", "enabled", "disabled", "active",
    "single", "page", "template", "layout", "theme", "js", "count", "allowed", "wp", "left", "right", "none",
];

/// Most letters of a line that is no paragraph.
const LINE: usize = 60;

pub(super) fn remove(document: &Document) {
    document.select(NEVER).remove();
    headers(document);
    unseen(document);
    let Some(body) = document.body() else { return };
    let named = document.select("[class], [id]");
    for node in named.nodes().iter().filter(|node| is_by_readers(node)) {
        node.remove_from_parent();
    }
    let all = prose(&body);
    for node in named.nodes().iter().filter(|node| is_beside(node, all)) {
        node.remove_from_parent();
    }
    labels(document);
    for headline in document.select("h1").nodes() {
        below_headline(headline);
    }
}

/// Between headline and text stand short lines of the page: author, date, how long it takes to read.
fn below_headline(headline: &NodeRef<'_>) {
    let mut next = headline.next_element_sibling();
    while let Some(line) = next {
        next = line.next_element_sibling();
        let is_line = ["div", "span", "time", "ul", "address", "small"].iter().any(|name| line.has_name(name));
        if !is_line && !line.has_name("h2") && !line.has_name("h3") {
            return;
        }
        if is_line && letters(&line) > LINE || !Selection::from(line).select("p, img, video, audio, pre").is_empty() {
            return;
        }
        if is_line {
            line.remove_from_parent();
        }
    }
}

/// Takes out what consists of links: menus that no element or name calls so.
pub(super) fn remove_menus(document: &Document) {
    for node in document.select("td, div, p, ul, ol, center, table, section").nodes() {
        let links = Selection::from(*node).select("a").length();
        let is_picture = !Selection::from(*node).select("img").is_empty() && letters(node) == 0;
        if links > 1 && !is_picture && prose(node) * 5 <= letters(node) {
            node.remove_from_parent();
        }
    }
}

/// How much a person reads in an element: the letters of its paragraphs, without those of links.
pub(super) fn prose(node: &NodeRef<'_>) -> usize {
    let linked: usize = Selection::from(*node).select("a").nodes().iter().map(letters).sum();
    letters(node).saturating_sub(linked)
}

pub(super) fn letters(node: &NodeRef<'_>) -> usize {
    node.text().chars().filter(|letter| !letter.is_whitespace()).count()
}

/// The header of a page goes altogether; that of an article may hold its first paragraph.
fn headers(document: &Document) {
    for header in document.select("header").nodes() {
        let is_of_article = header.ancestors_it(None).any(|above| above.has_name("article") || above.has_name("main"));
        if !is_of_article || Selection::from(*header).select("p").is_empty() {
            header.remove_from_parent();
        }
    }
}

/// What a browser does not show, or only reads aloud.
fn unseen(document: &Document) {
    for node in document.select("[style]").nodes() {
        let style: String = node.attr_or("style", "").chars().filter(|letter| !letter.is_whitespace()).collect();
        if style.to_ascii_lowercase().contains("display:none") {
            node.remove_from_parent();
        }
    }
    document
        .select(".visually-hidden, .visuallyhidden, .sr-only, .screen-reader-text, .visually-hidden-focusable")
        .remove();
}

/// Elements that are no part of a page, whatever they are called.
fn is_whole(node: &NodeRef<'_>) -> bool {
    let name = node.node_name().unwrap_or_default();
    matches!(name.as_ref(), "html" | "body" | "main" | "h1" | "img" | "source" | "code" | "pre")
}

/// What readers wrote may be longer than the article, but it does not hold one.
fn is_by_readers(node: &NodeRef<'_>) -> bool {
    let within = Selection::from(*node);
    let is_paragraph = || node.has_name("p") && letters(node) > LINE;
    !is_whole(node)
        && names(node, READERS)
        && !is_paragraph()
        && within.select("h1, main, [itemprop~=articleBody]").is_empty()
        && !holds_other_article(&within)
}

fn is_beside(node: &NodeRef<'_>, all: usize) -> bool {
    // A paragraph may be called what it speaks of; a line may not.
    let is_paragraph = || node.has_name("p") && letters(node) > LINE;
    !is_whole(node)
        && !node.has_name("article")
        && names(node, BESIDE)
        && !is_paragraph()
        && Selection::from(*node).select("h1, main, article, [itemprop~=articleBody]").is_empty()
        && prose(node) * 2 <= all
}

fn holds_other_article(within: &Selection<'_>) -> bool {
    within.select("article").nodes().iter().any(|article| !names(article, READERS))
}

/// Whether a class or the id of an element is made of one of these words. A class that tells a state (`has-sidebar`) names nothing.
fn names(node: &NodeRef<'_>, wanted: &[&str]) -> bool {
    let (class, id) = (node.attr_or("class", ""), node.attr_or("id", ""));
    let mut names = class.split_ascii_whitespace().chain(id.split_ascii_whitespace());
    names.any(|name| {
        let words = words(name);
        let is_state = words.len() > 1 && words.iter().any(|word| STATES.contains(&word.as_str()));
        !is_state && words.iter().any(|word| wanted.contains(&word.as_str()))
    })
}

/// `postAuthor-box__inner` → post, author, box, inner.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for letter in name.chars() {
        if !letter.is_alphanumeric() || (letter.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        if letter.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
        was_lower = letter.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Lines that only lead elsewhere: those whose links are marked as tags, and a label with a link ("Read also: …").
fn labels(document: &Document) {
    for link in document.select("a[rel~=tag], a[rel~=category]").nodes() {
        let Some(line) = link.parent() else { continue };
        if prose(&line) < 15 {
            line.remove_from_parent();
        }
    }
    for line in document.select("p, div, li").nodes() {
        let links = Selection::from(*line).select("a");
        if links.length() != 1
            || line.element_children().len() > 2
            || !Selection::from(*line).select("img, p").is_empty()
        {
            continue;
        }
        let (text, link) = (line.text(), links.text());
        let (text, link) = (text.trim(), link.trim());
        let label = text.strip_suffix(link).map(str::trim).unwrap_or_default();
        if label.ends_with([':', '：'])
            && label.chars().count() <= 30
            && link.chars().count() >= 15
            && line.has_name("p")
        {
            line.remove_from_parent();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_names_are_read_word_by_word() {
        let check = |class: &str, expected: bool| {
            let document = Document::from(format!("<div class=\"{class}\">x</div>"));
            assert_eq!(names(&document.select("div").nodes()[0], BESIDE), expected, "{class}");
        };
        for class in ["related", "post-related", "relatedPosts", "box share_bar", "ad-slot", "c-newsletter__form"] {
            check(class, true);
        }
        for class in ["has-sidebar", "no-ads", "header", "shared", "additional", "adventure", "page-template-sidebar"] {
            check(class, false);
        }
    }
}
