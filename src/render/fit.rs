//! What publishers claim → values that the formats admit: media types, language tags, addresses. What does not fit is put right where
//! its meaning is plain, else left out.

use std::borrow::Cow;
use std::fmt::Write as _;

use url::Url;

use crate::model::document::{Enclosure, Related, RelatedKind};

/// Media types of the files that feeds carry, by the end of their names.
const ENDINGS: &[(&str, &str)] = &[
    ("mp3", "audio/mpeg"),
    ("m4a", "audio/mp4"),
    ("aac", "audio/aac"),
    ("ogg", "audio/ogg"),
    ("oga", "audio/ogg"),
    ("opus", "audio/ogg"),
    ("flac", "audio/flac"),
    ("wav", "audio/wav"),
    ("mp4", "video/mp4"),
    ("m4v", "video/mp4"),
    ("mov", "video/quicktime"),
    ("webm", "video/webm"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("png", "image/png"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("avif", "image/avif"),
    ("svg", "image/svg+xml"),
    ("pdf", "application/pdf"),
    ("epub", "application/epub+zip"),
    ("zip", "application/zip"),
    ("torrent", "application/x-bittorrent"),
    ("vtt", "text/vtt"),
    ("srt", "application/srt"),
    ("json", "application/json"),
    ("html", "text/html"),
    ("txt", "text/plain"),
];

/// Where a format insists on a type and none is known.
pub(super) const ANY_TYPE: &str = "application/octet-stream";

/// The type of a file, as claimed if that is a type (RFC 6838 §4.2), else by its name.
pub(super) fn media_type(claimed: Option<&str>, url: &Url) -> Option<String> {
    let claimed = claimed.and_then(|claimed| claimed.split(';').next()).map(str::trim);
    let is_part = |part: &str| {
        part.starts_with(|letter: char| letter.is_ascii_alphanumeric())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    let is_type = |text: &&str| text.split_once('/').is_some_and(|(kind, part)| is_part(kind) && is_part(part));
    let known = claimed.filter(is_type).map(str::to_ascii_lowercase).filter(|known| known != ANY_TYPE);
    known.or_else(|| by_ending(url).map(str::to_owned))
}

fn by_ending(url: &Url) -> Option<&'static str> {
    let (_, ending) = url.path().rsplit_once('.')?;
    ENDINGS.iter().find(|(known, _)| ending.eq_ignore_ascii_case(known)).map(|(_, media_type)| *media_type)
}

/// The type of a transcript or of chapters, which the podcast namespace requires.
pub(super) fn podcast_type(related: &Related) -> String {
    let usual = if related.kind == RelatedKind::Chapters { "application/json+chapters" } else { "text/plain" };
    media_type(related.media_type.as_deref(), &related.url)
        .filter(|known| related.kind != RelatedKind::Chapters || known.contains("chapters"))
        .unwrap_or_else(|| usual.to_owned())
}

/// Sound or film.
pub(super) fn is_played(enclosure: &Enclosure) -> bool {
    enclosure.media_type.as_deref().is_some_and(|known| known.starts_with("audio/") || known.starts_with("video/"))
}

pub(super) fn is_picture(enclosure: &Enclosure) -> bool {
    enclosure.media_type.as_deref().is_some_and(|known| known.starts_with("image/"))
}

/// A language tag in the form of RFC 5646 §2.1; `en_US` is one in all but its stroke.
pub(super) fn language(claimed: &str) -> Option<String> {
    let tag = claimed.trim().replace('_', "-");
    let mut parts = tag.split('-');
    let first = parts.next()?;
    let is_language = matches!(first.len(), 2 | 3) && first.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_tag = |part: &str| matches!(part.len(), 1..=8) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_language && parts.all(is_tag)).then_some(tag)
}

/// An address in the letters of RFC 3986 §2: browsers leave some others as they are, and validators of feeds complain.
pub(super) fn address(url: &Url) -> Cow<'_, str> {
    let text = url.as_str();
    let start = text.find("://").map_or(0, |at| at + 3);
    let end_of_host = text[start..].find(['/', '?', '#']).map_or(text.len(), |at| start + at);
    let (host, rest) = text.split_at(end_of_host);
    if !rest.contains(is_odd) {
        return Cow::Borrowed(text);
    }
    let mut fit = host.to_owned();
    for letter in rest.chars() {
        if is_odd(letter) {
            let mut bytes = [0; 4];
            for byte in letter.encode_utf8(&mut bytes).bytes() {
                // Writing to a String cannot fail.
                let _ = write!(fit, "%{byte:02X}");
            }
        } else {
            fit.push(letter);
        }
    }
    Cow::Owned(fit)
}

/// Whether a publisher's name for its feed is one in the letters of RFC 3986, and of RFC 4151 §2.1 if it is a tag.
pub(super) fn is_name(id: &str) -> bool {
    let is_tag = |rest: &str| {
        let (authority, date) = rest.split_once(':').unwrap_or_default().0.split_once(',').unwrap_or_default();
        let is_authority = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._@".contains(&byte);
        let is_number = |part: (usize, &str)| {
            part.1.len() == if part.0 == 0 { 4 } else { 2 } && part.1.bytes().all(|byte| byte.is_ascii_digit())
        };
        !authority.is_empty() && authority.bytes().all(is_authority) && date.split('-').enumerate().all(is_number)
    };
    !id.contains(is_odd) && Url::parse(id).is_ok() && id.strip_prefix("tag:").is_none_or(is_tag)
}

fn is_odd(letter: char) -> bool {
    !letter.is_ascii() || letter.is_ascii_control() || " \"<>\\^`{|}[]".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claimed_types_are_kept_and_missing_ones_follow_from_the_name() {
        for (claimed, address, expected) in [
            (Some("audio/mpeg"), "http://x.example/a", Some("audio/mpeg")),
            (Some(" Audio/MPEG; charset=x"), "http://x.example/a", Some("audio/mpeg")),
            (Some("mp3"), "http://x.example/a.MP3?b=c.png", Some("audio/mpeg")),
            (Some("image/"), "http://x.example/a", None),
            (Some("application/octet-stream"), "http://x.example/a.m4a", Some("audio/mp4")),
            (None, "http://x.example/a.b/c", None),
            (None, "http://x.example/a.jpeg", Some("image/jpeg")),
        ] {
            let url = Url::parse(address).unwrap();
            assert_eq!(media_type(claimed, &url).as_deref(), expected, "{claimed:?} {address}");
        }
    }

    #[test]
    fn language_tags_have_the_form_of_language_tags() {
        for (claimed, expected) in [
            ("en", Some("en")),
            ("en_US", Some("en-US")),
            ("zh-Hant-TW", Some("zh-Hant-TW")),
            ("English", None),
            ("", None),
            ("en-", None),
            ("de, en", None),
        ] {
            assert_eq!(language(claimed).as_deref(), expected, "{claimed}");
        }
    }

    #[test]
    fn names_of_feeds_are_names_everywhere() {
        for (id, expected) in [
            ("tag:x.example,2026:feed", true),
            ("tag:x.example,2026-01-02:feed/1", true),
            ("tag:X.example,2026:feed", false),
            ("tag:x.example:feed", false),
            ("urn:uuid:6f0f3f39-6a0c-5d1e-9c55-0c1f6d7f3b52", true),
            ("http://x.example/feed", true),
            ("http://x.example/a b", false),
            ("feed", false),
            ("", false),
        ] {
            assert_eq!(is_name(id), expected, "{id}");
        }
    }

    #[test]
    fn addresses_hold_no_letter_that_addresses_may_not_hold() {
        for (typed, expected) in [
            ("http://x.example/a?b=c", "http://x.example/a?b=c"),
            ("http://[::1]/a|b?c={d}[]#e f", "http://[::1]/a%7Cb?c=%7Bd%7D%5B%5D#e%20f"),
            ("http://x.example/ä%zz", "http://x.example/%C3%A4%zz"),
        ] {
            assert_eq!(address(&Url::parse(typed).unwrap()), expected, "{typed}");
        }
    }
}
