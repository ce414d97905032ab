//! Entries → plain text, for the pages for people.

use crate::model::page::Presented;
use crate::render::{Prepared, beginning, legible};
use crate::text;

/// Longest summary, in characters: three lines of a page.
const SUMMARY: usize = 280;

/// So many bytes of a text are looked at for its summary. Markup takes most of some texts, but hardly all of so much.
const LOOKED_AT: usize = 16_000;

/// One entry in plain text.
pub struct Plain<'p> {
    pub entry: &'p Presented,
    /// Never empty.
    pub title: &'p str,
    /// The beginning of its text; `None` where there is none, or where it says no more than the title.
    pub summary: Option<String>,
}

/// The entries of a page, in its order.
pub fn entries(prepared: &Prepared) -> impl Iterator<Item = Plain<'_>> {
    prepared.entries.iter().map(|clean| {
        let text = match (clean.summary(), clean.content()) {
            (Some(summary), _) => beginning(summary, SUMMARY),
            (None, Some(html)) => beginning(&legible(&text::visible(whole_tags(html))), SUMMARY),
            (None, None) => None,
        };
        // A title that was made from the text is its beginning.
        let says_more =
            |text: &String| !text.starts_with(clean.title.trim_end_matches('…')) || text.len() > clean.title.len() + 20;
        Plain { entry: &clean.entry, title: &clean.title, summary: text.filter(says_more) }
    })
}

/// The beginning of a long text, without a tag in pieces.
fn whole_tags(html: &str) -> &str {
    let cut = text::beginning(html, LOOKED_AT);
    match (cut.rfind('<'), cut.rfind('>')) {
        (Some(opened), closed) if cut.len() < html.len() && closed.is_none_or(|closed| closed < opened) => {
            &cut[..opened]
        }
        _ => cut,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_text_has_no_tag_in_pieces() {
        let long = format!("{}<img src=\"{}\">", "a".repeat(LOOKED_AT - 10), "b".repeat(50));
        assert_eq!(whole_tags(&long), "a".repeat(LOOKED_AT - 10));
        for short in ["", "<p>one</p>", "1 < 2"] {
            assert_eq!(whole_tags(short), short);
        }
    }
}
