use proptest::prelude::*;

use crate::text::{fold, visible, visible_title, words};

#[test]
fn only_what_a_person_reads_is_visible() {
    for (html, expected) in [
        ("", ""),
        ("plain  text\n here", "plain text here"),
        ("<p>One</p><p>two<br>three</p>", "One two three"),
        ("un<b>bro</b>ken <a href='x>y'>link</a>", "unbroken link"),
        ("a<script>var x = '<p>no</p>';</script>b<style>p{}</style>c", "a b c"),
        ("a<!-- <p>no</p> -->b", "ab"),
        ("a<!-- never closed <p>no", "a"),
        ("a<script>never closed", "a"),
        ("AT&amp;T &eacute;t&#233; &#x20AC; &nbsp;x", "AT&T été € x"),
        ("1 < 2 and <3", "1 < 2 and <3"),
        ("soft\u{ad}hyphen", "softhyphen"),
        ("<img src='a.png' alt='not text'>", ""),
        ("<a href=\"unclosed>x", ""),
    ] {
        assert_eq!(visible(html), expected, "{html}");
    }
}

#[test]
fn titles_keep_what_only_looks_like_markup() {
    for (title, expected) in [
        ("AT&T <3 Rust", "AT&T <3 Rust"),
        ("Vec<String> explained", "Vec<String> explained"),
        ("<b>Bold</b> &amp; plain", "Bold & plain"),
        ("if a<b then", "if a<b then"),
        ("  two \n lines ", "two lines"),
    ] {
        assert_eq!(visible_title(title), expected, "{title}");
    }
}

#[test]
fn words_compare_as_people_expect() {
    for (text, expected) in [
        ("Zürich straße ＺÜＲＩＣＨ", vec!["zurich", "strasse", "zurich"]),
        ("Don’t e-mail, 3.5%", vec!["dont", "e", "mail", "3", "5"]),
        ("日本語 がき", vec!["日", "本", "語", "が", "き"]),
        ("'quoted' rock 'n' roll", vec!["quoted", "rock", "n", "roll"]),
        ("Ελλάδα", vec!["ελλαδα"]),
        ("…—!", vec![]),
    ] {
        assert_eq!(words(text), expected, "{text}");
    }
}

#[test]
fn hostile_markup_is_read_in_linear_time() {
    // Quadratic reading of these would take hours.
    for piece in ["<", "&", "<!--", "<a b='", "<script>", "</", "<p "] {
        let html = piece.repeat(4_000_000 / piece.len());
        assert!(visible(&html).len() <= html.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn folding_twice_changes_nothing(text in any::<String>()) {
        let once = fold(&text);
        prop_assert_eq!(fold(&once), once);
    }

    #[test]
    fn ascii_is_folded_apart_from_the_rest_and_the_whole_is_the_same(parts in prop::collection::vec("[ -~]{0,2}\\PC{0,2}[\u{300}-\u{36f}]{0,2}", 0..5)) {
        let text = parts.concat();
        prop_assert_eq!(fold(&text), super::fold_once(&super::fold_once(&text)));
    }

    #[test]
    fn nothing_panics(text in "(<|>|&|;|a|script|/|!|-|'|\"| |é|=){0,40}") {
        visible(&text);
        visible_title(&text);
        words(&text);
    }
}
