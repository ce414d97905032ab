//! Whether what a page gave is better than what the feed gave.

use std::collections::HashSet;

use crate::model::entry::Texts;
use crate::text;

/// Least words of a page's text that are worth showing.
const LEAST: usize = 25;
/// So many words of the feed's text, from its beginning, are looked for in that of the page.
const SAMPLE: usize = 60;
/// Fewer words than these tell nothing: "Read on", "Comments".
const TELLING: usize = 8;

/// Whether the text of a page is shown in place of what the feed gave. In doubt it is not.
pub fn is_better(own: &Texts, page: &str) -> bool {
    let page = text::words(&text::visible(page));
    if page.len() < LEAST {
        return false;
    }
    let own = own.parts().into_iter().flatten().map(text::visible).max_by_key(String::len).unwrap_or_default();
    let own = text::words(&own);
    if own.len() < TELLING {
        return true;
    }
    if page.len() <= own.len() {
        return false;
    }
    // A consent notice or another article does not hold the feed's words.
    let held: HashSet<&String> = page.iter().collect();
    let sample: HashSet<&String> = own.iter().take(SAMPLE).collect();
    sample.iter().filter(|word| held.contains(*word)).count() * 10 >= sample.len() * 6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::document::RawHtml;

    const LONG: &str = "<p>The harbour of Lindau was closed on Tuesday after a barge lost its load of gravel in the fairway, and \
                        ferries to Bregenz will not sail before Thursday at noon, the port authority said. Divers have begun to \
                        look at the hull.</p>";

    fn check(own: Option<&str>, page: &str, expected: bool) {
        let texts = Texts { summary: None, content: own.map(|html| RawHtml(html.to_owned())) };
        assert_eq!(is_better(&texts, page), expected, "{own:?}");
    }

    #[test]
    fn the_text_of_the_page_is_shown_when_it_holds_more_of_the_same() {
        check(None, LONG, true);
        check(Some("<a href='x'>Comments</a>"), LONG, true);
        check(Some("The harbour of Lindau was closed on Tuesday after a barge lost its load of gravel …"), LONG, true);
    }

    #[test]
    fn the_feeds_own_is_shown_when_the_page_is_worse() {
        check(Some(LONG), LONG, false);
        check(Some(&format!("{LONG}<p>And a further paragraph that only the feed has.</p>")), LONG, false);
        check(None, "<p>Please accept all cookies.</p>", false);
        check(
            Some("Prices of copper fell for a third week while stocks in Asian warehouses rose sharply"),
            LONG,
            false,
        );
        check(Some("湖南省の港は火曜日に閉鎖されたと当局が発表した"), LONG, false);
    }
}
