//! Names as documents write them → what they mean. Addresses of namespaces are compared without what publishers get wrong in them:
//! scheme, `www.`, case, and the last stroke. Prefixes that nobody declared mean what everybody means by them.

use std::borrow::Cow;

use crate::parse::normalise::tokens::attributes;

/// Whose word it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Space {
    /// RSS of any version, or Atom in a document of Atom.
    Core,
    /// Atom in a document of another kind.
    Atom,
    Content,
    Dc,
    DcTerms,
    Media,
    Itunes,
    Podcast,
    Syndication,
    FeedBurner,
    WellFormed,
    Xhtml,
    Youtube,
    /// `FeedSync`, which keeps losing copies of an item within it.
    Sharing,
    Foreign,
}

/// The words that are understood. Whatever is missing here is left out of the rewritten document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Element {
    Root,
    Channel,
    Items,
    Item,
    Conflicts,
    Title,
    OtherTitle,
    Link,
    AtomLink,
    OriginalLink,
    Guid,
    VideoId,
    Description,
    Summary,
    OtherSummary,
    Content,
    Published,
    Updated,
    Created,
    DublinDate,
    Author,
    OtherAuthor,
    Name,
    Uri,
    Email,
    /// A list that some put around categories.
    Categories,
    Category,
    Subject,
    Keywords,
    Enclosure,
    Comments,
    Source,
    Group,
    MediaContent,
    Thumbnail,
    Image,
    Icon,
    Duration,
    Episode,
    Season,
    Explicit,
    Transcript,
    Chapters,
    Language,
    Rights,
    Ttl,
    SkipHours,
    Hour,
    SkipDays,
    Day,
    UpdatePeriod,
    UpdateFrequency,
    NewAddress,
    Unknown,
}

/// What the prefixes mean from here on inwards.
#[derive(Debug, Default)]
pub(super) struct Spaces<'a> {
    /// Prefix (none for the default), space, and the depth at which it was declared.
    bindings: Vec<(&'a str, Space, usize)>,
    /// Prefix of the root element: it means the core, whatever its address says.
    root: Option<&'a str>,
    is_atom: bool,
}

/// Declarations that are in effect at once, at the most.
const BINDINGS: usize = 200;

impl<'a> Spaces<'a> {
    /// Takes the root: what its prefix or its default stands for is the core of the document.
    pub(super) fn begin(&mut self, name: &'a str, is_atom: bool) {
        let (prefix, _) = split(name);
        self.root = Some(prefix);
        self.is_atom = is_atom;
    }

    pub(super) fn declare(&mut self, raw: &'a str, depth: usize) {
        if !raw.contains("xmlns") {
            return;
        }
        for (name, address) in attributes(raw) {
            let prefix = match name.split_once(':') {
                None if name == "xmlns" => "",
                Some(("xmlns", prefix)) => prefix,
                _ => continue,
            };
            if self.bindings.len() < BINDINGS {
                self.bindings.push((prefix, space_of(address), depth));
            }
        }
    }

    pub(super) fn leave(&mut self, depth: usize) {
        while self.bindings.last().is_some_and(|(_, _, declared)| *declared > depth) {
            self.bindings.pop();
        }
    }

    /// What an element's name means.
    pub(super) fn element(&self, name: &str) -> Element {
        let (prefix, local) = split(name);
        let local: Cow<'_, str> = if local.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(local.to_ascii_lowercase())
        } else {
            Cow::Borrowed(local)
        };
        element(self.space(prefix), &local)
    }

    fn space(&self, prefix: &str) -> Space {
        let bound = self.bindings.iter().rev().find(|(bound, _, _)| *bound == prefix);
        let is_roots = self.root == Some(prefix);
        let space = match bound {
            // The root's own is the core, whatever address it has; declared anew further in, it is what it says.
            Some((_, _, 1)) if is_roots => Space::Core,
            Some((_, space, _)) => *space,
            None if prefix.is_empty() || is_roots => Space::Core,
            None => usual(prefix),
        };
        if space == Space::Atom && self.is_atom { Space::Core } else { space }
    }
}

/// Whether an element declares one of the namespaces of RSS.
pub(super) fn declares_rss(raw: &str) -> bool {
    attributes(raw).any(|(name, address)| name.starts_with("xmlns") && space_of(address) == Space::Core)
}

/// Prefix and local name.
pub(super) fn split(name: &str) -> (&str, &str) {
    name.split_once(':').unwrap_or(("", name))
}

fn space_of(address: &str) -> Space {
    let lower = address.trim().to_ascii_lowercase();
    let bare = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://")).unwrap_or(&lower);
    let bare = bare.strip_prefix("www.").unwrap_or(bare).trim_end_matches(['/', '#']);
    match bare {
        "w3.org/2005/atom" | "purl.org/atom/ns" => Space::Atom,
        "purl.org/rss/1.0" | "purl.org/net/rss1.1" | "backend.userland.com/rss2" | "blogs.law.harvard.edu/tech/rss" => {
            Space::Core
        }
        "purl.org/rss/1.0/modules/content" => Space::Content,
        "purl.org/dc/elements/1.1" | "purl.org/dc/elements/1.0" => Space::Dc,
        "purl.org/dc/terms" => Space::DcTerms,
        "search.yahoo.com/mrss" | "tools.search.yahoo.com/mrss" => Space::Media,
        "purl.org/rss/1.0/modules/syndication" => Space::Syndication,
        "rssnamespace.org/feedburner/ext/1.0" => Space::FeedBurner,
        "wellformedweb.org/commentapi" => Space::WellFormed,
        "w3.org/1999/xhtml" => Space::Xhtml,
        "youtube.com/xml/schemas/2015" => Space::Youtube,
        _ if bare.contains("itunes") && bare.contains("podcast") => Space::Itunes,
        _ if bare.contains("podcastindex") || bare.contains("podcast-namespace") => Space::Podcast,
        _ if bare.contains("rss/simple") || bare.contains("rdf/simple") || bare.contains("channel.netscape.com") => {
            Space::Core
        }
        _ if bare.contains("feedsync") || bare.contains("schemas/rss/sse") => Space::Sharing,
        _ => Space::Foreign,
    }
}

/// What an undeclared prefix means to everybody.
fn usual(prefix: &str) -> Space {
    match prefix {
        "atom" | "atom10" | "a10" => Space::Atom,
        "rss" | "rdf" => Space::Core,
        "content" => Space::Content,
        "dc" => Space::Dc,
        "dcterms" | "dct" => Space::DcTerms,
        "media" => Space::Media,
        "itunes" => Space::Itunes,
        "podcast" => Space::Podcast,
        "sy" => Space::Syndication,
        "feedburner" => Space::FeedBurner,
        "wfw" => Space::WellFormed,
        "xhtml" => Space::Xhtml,
        "yt" => Space::Youtube,
        "sx" => Space::Sharing,
        _ => Space::Foreign,
    }
}

fn element(space: Space, local: &str) -> Element {
    match space {
        Space::Core => core(local),
        Space::Atom => atom(local),
        Space::Content if local == "encoded" => Element::Content,
        Space::Dc => dublin(local),
        Space::DcTerms => match local {
            "issued" | "date" => Element::Published,
            "modified" => Element::Updated,
            "created" => Element::Created,
            other => dublin(other),
        },
        Space::Media => media(local),
        Space::Itunes => itunes(local),
        Space::Podcast => match local {
            "transcript" => Element::Transcript,
            "chapters" => Element::Chapters,
            "season" => Element::Season,
            "episode" => Element::Episode,
            _ => Element::Unknown,
        },
        Space::Syndication => match local {
            "updateperiod" => Element::UpdatePeriod,
            "updatefrequency" => Element::UpdateFrequency,
            _ => Element::Unknown,
        },
        Space::FeedBurner if local == "origlink" => Element::OriginalLink,
        Space::Xhtml if local == "body" => Element::Content,
        Space::Youtube if local == "videoid" => Element::VideoId,
        Space::Sharing if local == "conflicts" => Element::Conflicts,
        _ => Element::Unknown,
    }
}

/// RSS of every version, and Atom 0.3 and 1.0 in their own documents.
fn core(local: &str) -> Element {
    match local {
        "rss" | "rdf" | "feed" => Element::Root,
        "channel" => Element::Channel,
        "items" => Element::Items,
        "item" | "entry" => Element::Item,
        "guid" => Element::Guid,
        "description" => Element::Description,
        "pubdate" => Element::Published,
        "enclosure" => Element::Enclosure,
        "comments" => Element::Comments,
        "source" => Element::Source,
        "image" => Element::Image,
        "language" => Element::Language,
        "ttl" => Element::Ttl,
        "skiphours" => Element::SkipHours,
        "hour" => Element::Hour,
        "skipdays" => Element::SkipDays,
        "day" => Element::Day,
        "url" => Element::Uri,
        "managingeditor" => Element::Author,
        "copyright" => Element::Rights,
        "body" | "fullitem" => Element::Content,
        "keywords" => Element::Keywords,
        "categories" => Element::Categories,
        "link" => Element::Link,
        other => atom(other),
    }
}

fn atom(local: &str) -> Element {
    match local {
        "entry" => Element::Item,
        "id" => Element::Guid,
        "title" => Element::Title,
        "link" => Element::AtomLink,
        "summary" => Element::Summary,
        "subtitle" | "tagline" => Element::Description,
        "content" => Element::Content,
        "published" | "issued" => Element::Published,
        "updated" | "modified" => Element::Updated,
        "created" => Element::Created,
        "author" => Element::Author,
        "rights" => Element::Rights,
        "category" => Element::Category,
        "source" => Element::Source,
        "name" => Element::Name,
        "uri" | "url" | "homepage" => Element::Uri,
        "email" => Element::Email,
        "logo" => Element::Image,
        "icon" => Element::Icon,
        _ => Element::Unknown,
    }
}

fn dublin(local: &str) -> Element {
    match local {
        "title" => Element::OtherTitle,
        "creator" | "author" => Element::OtherAuthor,
        "subject" => Element::Subject,
        "description" => Element::OtherSummary,
        "date" => Element::DublinDate,
        "language" => Element::Language,
        "rights" => Element::Rights,
        _ => Element::Unknown,
    }
}

fn media(local: &str) -> Element {
    match local {
        "group" => Element::Group,
        "content" => Element::MediaContent,
        "thumbnail" => Element::Thumbnail,
        "title" => Element::OtherTitle,
        "description" => Element::OtherSummary,
        "category" => Element::Subject,
        "keywords" => Element::Keywords,
        _ => Element::Unknown,
    }
}

fn itunes(local: &str) -> Element {
    match local {
        "author" => Element::OtherAuthor,
        "title" => Element::OtherTitle,
        "summary" | "subtitle" => Element::OtherSummary,
        "keywords" => Element::Keywords,
        "image" => Element::Thumbnail,
        "duration" => Element::Duration,
        "episode" => Element::Episode,
        "season" => Element::Season,
        "explicit" => Element::Explicit,
        "new-feed-url" => Element::NewAddress,
        _ => Element::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(declarations: &str, name: &str, expected: Element) {
        let mut spaces = Spaces::default();
        spaces.begin("rss", false);
        spaces.declare(declarations, 1);
        assert_eq!(spaces.element(name), expected, "{declarations} {name}");
    }

    #[test]
    fn names_mean_what_their_writers_meant() {
        check("", "Title", Element::Title);
        check("", "media:title", Element::OtherTitle);
        check("xmlns:m='https://search.yahoo.com/mrss'", "m:title", Element::OtherTitle);
        check("xmlns:i='http://www.itunes.com/DTDs/PodCast-1.0.dtd'", "i:duration", Element::Duration);
        check("xmlns='http://backend.example/anything'", "item", Element::Item);
        check("xmlns:atom='http://www.w3.org/2005/Atom/'", "atom:link", Element::AtomLink);
        check("", "foo:title", Element::Unknown);
        check("xmlns:dc='http://foreign.example/'", "dc:creator", Element::Unknown);
    }
}
