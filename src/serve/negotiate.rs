//! Which coding and which format does the reader want? RFC 9110 §12.5.

use crate::model::feed::Format;
use crate::published::coding::Coding;

/// What an address without a suffix answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Feed(Format),
    /// A browser gets the page.
    Page,
}

/// The best liked coding of those that are there; among equals the first of [`Coding::ALL`].
///
/// `*` stands for gzip alone: who does not name br or zstd has perhaps never heard of them. No coding at all is liked least where
/// the header does not name it, and sent when nothing else is left.
pub(super) fn coding(accept_encoding: &str, is_there: impl Fn(Coding) -> bool) -> Coding {
    let mut qualities = Coding::ALL.map(|coding| (coding, None));
    let mut any = None;
    for (name, quality) in weighted(accept_encoding) {
        let name = if name.eq_ignore_ascii_case("x-gzip") { "gzip" } else { name };
        if name == "*" {
            any = Some(quality);
        }
        if let Some(known) = qualities.iter_mut().find(|(coding, _)| coding.name().eq_ignore_ascii_case(name)) {
            known.1 = Some(quality);
        }
    }
    let mut best = (0, Coding::Identity);
    for (coding, quality) in qualities {
        let quality = quality.or(if coding == Coding::Gzip { any } else { None }).unwrap_or(0);
        if quality > best.0 && is_there(coding) {
            best = (quality, coding);
        }
    }
    best.1
}

/// The best liked of what there is; Atom when the reader does not care.
pub(super) fn wanted(accept: &str) -> Wanted {
    let kinds = [
        (Wanted::Feed(Format::Atom), &["application/atom+xml", "application/xml", "text/xml"][..]),
        (Wanted::Feed(Format::Rss), &["application/rss+xml"]),
        (Wanted::Feed(Format::Json), &["application/feed+json", "application/json"]),
        (Wanted::Page, &["text/html", "application/xhtml+xml"]),
    ];
    let mut best = (0, Wanted::Feed(Format::Atom));
    for (name, quality) in weighted(accept) {
        let kind = kinds.iter().find(|(_, names)| names.iter().any(|known| name.eq_ignore_ascii_case(known)));
        if let Some((kind, _)) = kind
            && quality > best.0
        {
            best = (quality, *kind);
        }
    }
    best.1
}

/// Names with their quality in thousandths. What cannot be read counts as 1.
fn weighted(header: &str) -> impl Iterator<Item = (&str, u32)> {
    header.split(',').map(|part| {
        let mut pieces = part.split(';').map(str::trim);
        let name = pieces.next().unwrap_or_default();
        let quality = pieces.find_map(|piece| piece.strip_prefix("q=").or_else(|| piece.strip_prefix("Q=")));
        (name, quality.map_or(1_000, thousandths))
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0 to 1")]
fn thousandths(quality: &str) -> u32 {
    quality.trim().parse::<f32>().map_or(1_000, |quality| (quality.clamp(0.0, 1.0) * 1_000.0) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_liked_coding_is_sent() {
        let everything = [Coding::Brotli, Coding::Zstd, Coding::Gzip, Coding::Identity];
        let at_once = [Coding::Gzip, Coding::Identity];
        for (header, condensed, at_first) in [
            ("gzip", Coding::Gzip, Coding::Gzip),
            ("gzip, deflate, br, zstd", Coding::Brotli, Coding::Gzip),
            ("zstd, gzip", Coding::Zstd, Coding::Gzip),
            ("br;q=0.5, GZIP;q=0.8", Coding::Gzip, Coding::Gzip),
            ("br;q=0.9, gzip;q=0.8", Coding::Brotli, Coding::Gzip),
            ("x-gzip", Coding::Gzip, Coding::Gzip),
            ("*", Coding::Gzip, Coding::Gzip),
            ("gzip;q=0.5, identity;q=0.1", Coding::Gzip, Coding::Gzip),
            ("", Coding::Identity, Coding::Identity),
            ("identity", Coding::Identity, Coding::Identity),
            ("br", Coding::Brotli, Coding::Identity),
            ("deflate", Coding::Identity, Coding::Identity),
            ("gzip;q=0", Coding::Identity, Coding::Identity),
            ("gzip; q=0.0, *", Coding::Identity, Coding::Identity),
            ("*;q=0", Coding::Identity, Coding::Identity),
            ("identity;q=0", Coding::Identity, Coding::Identity),
            ("gzip;q=0.1, identity", Coding::Identity, Coding::Identity),
        ] {
            assert_eq!(coding(header, |coding| everything.contains(&coding)), condensed, "{header}");
            assert_eq!(coding(header, |coding| at_once.contains(&coding)), at_first, "{header}");
        }
    }

    #[test]
    fn the_format_follows_accept() {
        let feed = Wanted::Feed;
        for (header, expected) in [
            ("", feed(Format::Atom)),
            ("*/*", feed(Format::Atom)),
            ("application/rss+xml", feed(Format::Rss)),
            ("application/feed+json, */*;q=0.1", feed(Format::Json)),
            ("application/rss+xml;q=0.5, application/atom+xml;q=0.9", feed(Format::Atom)),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Wanted::Page),
        ] {
            assert_eq!(wanted(header), expected, "{header}");
        }
    }
}
