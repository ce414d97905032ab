//! What an entry without words shows: its pictures and players, as far as they can be told apart.
//!
//! The address of a picture is volatile: it is signed anew at every build, comes from another host of a content network, or in
//! another size. What stays is the name of its file, and what is said of it.

use std::fmt::Write as _;

use crate::text::markup;

/// Elements that show something without words.
const SHOWING: &[&str] = &["img", "source", "video", "audio", "iframe", "embed", "object"];
/// Shortest run of letters and digits that is a token and not a word.
const TOKEN: usize = 16;
/// Digits of seconds since 1970.
const INSTANT: usize = 10;

/// Equal for markup that shows the same pictures, whatever their addresses do. Empty when it shows nothing.
pub fn pictures<'a>(fragments: impl IntoIterator<Item = &'a str>) -> String {
    let mut shown = String::new();
    let tags = fragments.into_iter().flat_map(markup::tags);
    for tag in tags.filter(|tag| !tag.is_end && SHOWING.iter().any(|name| tag.name.eq_ignore_ascii_case(name))) {
        let value =
            |names: &[&str]| names.iter().find_map(|name| tag.attribute(name).filter(|value| !value.is_empty()));
        let said = value(&["alt"]).unwrap_or_default();
        let title = value(&["title"]).unwrap_or_default();
        let address = value(&["src", "data-src", "data", "srcset"]).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ =
            writeln!(shown, "{}\u{1f}{said}\u{1f}{title}\u{1f}{}", tag.name.to_ascii_lowercase(), lasting(&address));
    }
    shown
}

/// The part of an address that lasts.
fn lasting(address: &str) -> String {
    if address.starts_with("data:") {
        return address.to_owned();
    }
    // Of several sizes the first.
    let first = address.split_ascii_whitespace().next().unwrap_or_default();
    let path = first.split(['?', '#', ';']).next().unwrap_or_default();
    let path = path.split_once("//").map_or(path, |(_, rest)| rest.split_once('/').map_or("", |(_, path)| path));
    let kept: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && !is_volatile(part)).collect();
    kept.join("/")
}

/// Tokens, instants and sizes.
fn is_volatile(part: &str) -> bool {
    let stem = part.rsplit_once('.').map_or(part, |(stem, _)| stem);
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_size = |text: &str| {
        text.split_once('x').is_some_and(|(width, height)| is_digits(width) && is_digits(height))
            || text.trim_start_matches(['w', 'h', '_', '-']).len() < text.len()
                && is_digits(text.trim_start_matches(['w', 'h', '_', '-']))
    };
    let is_token = |text: &str| {
        let has = |is: fn(&u8) -> bool| text.as_bytes().iter().any(is);
        text.len() >= TOKEN && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
    };
    (is_digits(stem) && stem.len() >= INSTANT)
        || is_size(part)
        || stem.split(['-', '_', '.', '~', '=', ',']).any(is_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_the_same_under_every_address_that_it_gets() {
        for (one, other) in [
            (
                "https://cdn1.example/comics/2026-11-23.png?sig=abc",
                "http://cdn2.example/comics/2026-11-23.png?sig=def&w=3",
            ),
            (
                "https://a.example/s/0123456789abcdef0123456789abcdef/a.jpg",
                "https://a.example/s/ffffffffffffffff0000000000000000/a.jpg",
            ),
            ("https://a.example/300x200/a.jpg", "https://a.example/w600/a.jpg"),
            ("https://a.example/1764032400/a.jpg", "https://a.example/1764036000/a.jpg"),
            ("//a.example/a.jpg;jsessionid=1", "/a.jpg"),
        ] {
            let [one, other] = [one, other].map(|address| format!("<p><img src=\"{address}\" alt=\"A cat\"></p>"));
            assert_eq!(pictures([one.as_str()]), pictures([other.as_str()]));
        }
    }

    #[test]
    fn another_picture_is_another_one() {
        let shown = |html: &str| pictures([html]);
        for (one, other) in [
            ("<img src='/comics/2026-11-23.png'>", "<img src='/comics/2026-11-24.png'>"),
            ("<img src='/a.png' alt='A cat'>", "<img src='/a.png' alt='A dog'>"),
            ("<img src='/a.png'>", "<img src='/a.png'><img src='/b.png'>"),
            ("<img src='/a.png'>", ""),
            ("<img src='data:image/png;base64,AAAA'>", "<img src='data:image/png;base64,BBBB'>"),
        ] {
            assert_ne!(shown(one), shown(other), "{one} {other}");
        }
        assert_eq!(shown("<p class='a'><br></p>"), "");
    }
}
