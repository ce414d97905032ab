//! Pictures and players of a fragment: brought where a reader without scripts finds them before it is cleaned, and those that only
//! watch readers taken out afterwards. Nothing here makes a fragment safe; `render::sanitise` does.

use std::borrow::Cow;
use std::ops::Range;

use url::Url;

use crate::model::feed::Media;
use crate::text::markup::{self, Tag};

/// Where scripts keep the address of a picture until it comes into sight.
const LAZY: &[&str] = &["data-src", "data-lazy-src", "data-original", "data-orig-src", "data-lazy"];
const LAZY_SETS: &[&str] = &["data-srcset", "data-lazy-srcset", "srcset"];
/// Pictures that only keep a place.
const SPACERS: &[&str] =
    &["blank.gif", "spacer.gif", "pixel.gif", "1x1.gif", "clear.gif", "transparent.gif", "trans.gif"];
/// Hosts that serve nothing but pictures that count readers, with all hosts below them.
const TRACKERS: &[&str] = &[
    "pixel.wp.com",
    "stats.wordpress.com",
    "doubleclick.net",
    "feedsportal.com",
    "google-analytics.com",
    "scorecardresearch.com",
];
/// Beginnings of paths of FeedBurner's, which publishers serve from hosts of their own.
const TRACKING_PATHS: &[&str] = &["/~r/", "/~4/"];
/// Hosts whose players are embedded; those of others become links.
const PLAYERS: &[&str] =
    &["www.youtube-nocookie.com", "www.youtube.com", "youtube.com", "youtube-nocookie.com", "player.vimeo.com"];
/// What a link to a player shows.
const PLAY: &str = "▶ ";
/// Widest picture of several that is taken, in pixels.
const WIDEST: u32 = 1_600;

/// A text of which some places are replaced.
struct Edited<'a> {
    text: &'a str,
    new: String,
    taken: usize,
}

impl<'a> Edited<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, new: String::new(), taken: 0 }
    }

    fn replace(&mut self, place: Range<usize>, with: &str) {
        if let Some(between) = self.text.get(self.taken..place.start) {
            self.new.push_str(between);
            self.new.push_str(with);
            self.taken = place.end;
        }
    }

    fn done(mut self) -> Cow<'a, str> {
        if self.taken == 0 {
            return Cow::Borrowed(self.text);
        }
        self.new.push_str(&self.text[self.taken..]);
        Cow::Owned(self.new)
    }
}

/// What is to become of a picture.
enum Picture {
    AsItIs,
    At(String),
    /// It only kept a place; the picture may stand in a `noscript` behind it.
    Hollow,
    Pixel,
}

/// The fragment with the pictures that scripts would load, and with links where players may not stay.
pub(super) fn resolve<'a>(html: &'a str, base: Option<&Url>, media: Media) -> Cow<'a, str> {
    let mut edited = Edited::new(html);
    // Behind a picture that only kept its place; at a `noscript`, and what it gives.
    let mut behind_hollow = None;
    let mut without_script: Option<(usize, bool, String)> = None;
    for tag in markup::tags(html) {
        if let Some((start, is_wanted, found)) = &mut without_script {
            if tag.begins("img") && found.is_empty() && *is_wanted {
                *found = match picture(&tag) {
                    Picture::AsItIs => html[tag.place.clone()].to_owned(),
                    Picture::At(new) => new,
                    Picture::Hollow | Picture::Pixel => String::new(),
                };
            } else if tag.ends("noscript") {
                edited.replace(*start..tag.place.end, found);
                without_script = None;
            }
        } else if tag.begins("noscript") {
            let is_near = |end: usize| html[end..tag.place.start].trim().is_empty();
            without_script = Some((tag.place.start, behind_hollow.take().is_some_and(is_near), String::new()));
        } else if tag.begins("img") {
            behind_hollow = None;
            match picture(&tag) {
                Picture::AsItIs => {}
                Picture::At(new) => edited.replace(tag.place, &new),
                Picture::Hollow => {
                    behind_hollow = Some(tag.place.end);
                    edited.replace(tag.place, "");
                }
                Picture::Pixel => edited.replace(tag.place, ""),
            }
        } else if tag.begins("iframe") {
            // What follows is for browsers that know no frames; the cleaner drops it with the bare tag.
            edited.replace(tag.place.clone(), &format!("{}<iframe>", link(&tag, base, PLAY)));
        } else if media != Media::All && ["video", "audio", "source"].iter().any(|name| tag.begins(name)) {
            edited.replace(tag.place.clone(), &link(&tag, base, ""));
        }
    }
    edited.done()
}

fn picture(tag: &Tag<'_>) -> Picture {
    let value = |name: &str| tag.attribute(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    let lazy = LAZY.iter().find_map(|name| value(name)).filter(|address| !address.starts_with("data:"));
    let source = value("src").filter(|address| !is_hollow(address));
    if lazy.is_none() && (is_tiny(tag) || is_hidden(tag)) {
        return Picture::Pixel;
    }
    let is_given = lazy.is_none() && source.is_some();
    let of_set = || LAZY_SETS.iter().find_map(|name| sensible(&value(name)?));
    match lazy.or(source).or_else(of_set) {
        _ if is_given => Picture::AsItIs,
        None => Picture::Hollow,
        Some(address) => {
            let kept = ["alt", "title", "width", "height"].iter();
            let kept = kept.filter_map(|name| Some(format!(" {name}=\"{}\"", escaped(&tag.attribute(name)?))));
            Picture::At(format!("<img src=\"{}\"{}>", escaped(&address), kept.collect::<String>()))
        }
    }
}

fn is_hollow(address: &str) -> bool {
    let path = address.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    path.starts_with("data:") || SPACERS.contains(&path.rsplit('/').next().unwrap_or_default())
}

/// Of pictures of several sizes the widest that is not huge (HTML §4.8.4.2.1).
fn sensible(set: &str) -> Option<String> {
    let mut found: Vec<(u32, &str)> = Vec::new();
    let mut rest = set.trim_start_matches(|letter: char| letter.is_whitespace() || letter == ',');
    while !rest.is_empty() {
        let (address, after) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
        let (words, behind) =
            if address.ends_with(',') { ("", after) } else { after.split_once(',').unwrap_or((after, "")) };
        let words = words.trim();
        let number = |unit: char| words.strip_suffix(unit).and_then(|number| number.parse::<u32>().ok());
        let width = number('w').or_else(|| Some(number('x')?.saturating_mul(WIDEST / 2))).unwrap_or(WIDEST / 2);
        found.push((width, address.trim_end_matches(',')));
        rest = behind.trim_start_matches(|letter: char| letter.is_whitespace() || letter == ',');
    }
    let found = found.into_iter().filter(|(_, address)| !address.is_empty() && !is_hollow(address));
    // Those that fit come first, the widest before all; then the rest, the narrowest before all.
    let best = found.min_by_key(|(width, _)| (*width > WIDEST, if *width > WIDEST { *width } else { WIDEST - width }));
    best.map(|(_, address)| address.to_owned())
}

fn is_tiny(tag: &Tag<'_>) -> bool {
    let is_tiny = |value: &str| matches!(value.trim().trim_end_matches("px"), "0" | "1");
    ["width", "height"].iter().any(|side| tag.attribute(side).is_some_and(|value| is_tiny(&value)))
}

fn is_hidden(tag: &Tag<'_>) -> bool {
    let Some(style) = tag.attribute("style") else { return false };
    let style = style.to_ascii_lowercase();
    style.split(';').filter_map(|rule| rule.split_once(':')).any(|(name, value)| {
        let value = value.trim().trim_end_matches("!important").trim();
        match name.trim() {
            "width" | "height" | "max-width" | "max-height" => matches!(value, "0" | "1" | "0px" | "1px"),
            "display" => value == "none",
            "visibility" => value == "hidden",
            _ => false,
        }
    })
}

/// A link to what a frame or player would show; nothing where that has no address of the web.
fn link(tag: &Tag<'_>, base: Option<&Url>, before: &str) -> String {
    let source = tag.attribute("src").or_else(|| tag.attribute("data-src"));
    let Some(source) = source.filter(|source| !source.trim().is_empty()) else { return String::new() };
    let url = match base {
        Some(base) => base.join(source.trim()).ok(),
        None if source.trim().starts_with("//") => Url::parse(&format!("https:{}", source.trim())).ok(),
        None => Url::parse(source.trim()).ok(),
    };
    let Some(url) = url.filter(|url| matches!(url.scheme(), "http" | "https") && !is_tracker(url)) else {
        return String::new();
    };
    format!("<a href=\"{}\">{before}{}</a>", escaped(url.as_str()), escaped(url.host_str().unwrap_or_default()))
}

fn is_tracker(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let is_below = |known: &str| host.strip_suffix(known).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    TRACKERS.iter().any(|known| is_below(known)) || TRACKING_PATHS.iter().any(|start| url.path().starts_with(start))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A clean fragment without pictures that show nothing and only count readers; links to players of known hosts are the players
/// again where players may stay. The markup is the cleaner's, so a tag is what it says.
pub(super) fn finish(html: &str, media: Media) -> Cow<'_, str> {
    let mut edited = Edited::new(html);
    for tag in markup::tags(html) {
        if tag.begins("img") {
            let source = tag.attribute("src").and_then(|source| Url::parse(&source).ok());
            if is_tiny(&tag) || source.is_none_or(|source| is_tracker(&source)) {
                edited.replace(tag.place, "");
            }
        } else if media == Media::All && tag.begins("a") {
            let source = tag.attribute("href").and_then(|href| Url::parse(&href).ok());
            let Some(source) = source.filter(|url| url.scheme() == "https") else { continue };
            let host = source.host_str().unwrap_or_default();
            let shown = format!("{PLAY}{host}</a>");
            if PLAYERS.contains(&host) && html[tag.place.end..].starts_with(&shown) {
                let frame = format!("<iframe src=\"{}\" allowfullscreen=\"\"></iframe>", escaped(source.as_str()));
                edited.replace(tag.place.start..tag.place.end + shown.len(), &frame);
            }
        }
    }
    edited.done()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sensible_picture_of_a_set_is_taken() {
        for (set, expected) in [
            ("a.jpg 300w, b.jpg 1200w, c.jpg 4000w", Some("b.jpg")),
            ("c.jpg 4000w, d.jpg 3000w", Some("d.jpg")),
            ("a.jpg, b.jpg 2x", Some("b.jpg")),
            ("/x,y/a.jpg 1x", Some("/x,y/a.jpg")),
            ("data:image/gif;base64,AA 1w, a.jpg 2w", Some("a.jpg")),
            (" , ", None),
            ("", None),
        ] {
            assert_eq!(sensible(set).as_deref(), expected, "{set}");
        }
    }
}
