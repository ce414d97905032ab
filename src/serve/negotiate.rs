//! Which coding and which format does the reader want? RFC 9110 §12.5.

use crate::model::feed::Format;

/// What an address without a suffix answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Feed(Format),
    /// A browser gets the page.
    Page,
}

/// Whether gzip may be sent and is liked at least as well as no coding.
pub(super) fn takes_gzip(accept_encoding: &str) -> bool {
    let (mut gzip, mut any, mut identity) = (None, None, None);
    for (name, quality) in weighted(accept_encoding) {
        match name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => gzip = Some(quality),
            "*" => any = Some(quality),
            "identity" => identity = Some(quality),
            _ => {}
        }
    }
    let gzip = gzip.or(any).unwrap_or(0);
    gzip > 0 && gzip >= identity.unwrap_or(0)
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
    fn gzip_is_sent_to_those_who_take_it() {
        for (header, expected) in [
            ("gzip", true),
            ("gzip, deflate, br", true),
            ("br, GZIP;q=0.8", true),
            ("*", true),
            ("gzip;q=0.5, identity;q=0.1", true),
            ("", false),
            ("identity", false),
            ("br", false),
            ("gzip;q=0", false),
            ("gzip; q=0.0, *", false),
            ("*;q=0", false),
            ("gzip;q=0.1, identity", false),
        ] {
            assert_eq!(takes_gzip(header), expected, "{header}");
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
