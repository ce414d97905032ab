//! Pages that say what is wrong, and where to go on.

use askama::Template;

use crate::published::request::FeedRequest;
use crate::published::status::Status;
use crate::query::QueryProblem;
use crate::serve::page::Frame;

#[derive(Template)]
#[template(path = "notice.html")]
struct NoticePage<'a> {
    frame: Frame,
    heading: &'a str,
    text: &'a str,
    marked: Option<Marked<'a>>,
    /// Links, with their texts.
    ways: Vec<(String, String)>,
}

/// A query in three pieces, of which the middle one is where it cannot be read.
struct Marked<'a> {
    before: &'a str,
    at: &'a str,
    after: &'a str,
}

/// A heading, a text, and links with their texts.
pub(in crate::serve) fn page(frame: Frame, heading: &str, text: &str, ways: Vec<(String, String)>) -> String {
    // Writing into memory cannot fail.
    NoticePage { frame, heading, text, marked: None, ways }.render().unwrap_or_default()
}

/// What is wrong with the query of a request, and where.
pub(in crate::serve) fn bad_query(status: &Status, request: &FeedRequest, problem: &QueryProblem) -> String {
    let query = request.query.as_deref().unwrap_or_default();
    let frame = Frame::of(status, request);
    let ways = vec![(format!("{}search", frame.root), "How to search".to_owned())];
    let text = problem.to_string();
    let marked = Some(marked(query, problem.position));
    NoticePage { frame, heading: "This search cannot be read", text: &text, marked, ways }.render().unwrap_or_default()
}

/// The text around a character, counted from 1. Behind the end a blank is marked.
fn marked(text: &str, position: usize) -> Marked<'_> {
    let start = text.char_indices().nth(position.saturating_sub(1)).map_or(text.len(), |(at, _)| at);
    let length = text[start..].chars().next().map_or(0, char::len_utf8);
    let at = if length == 0 { "\u{a0}" } else { &text[start..start + length] };
    Marked { before: &text[..start], at, after: &text[start + length..] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_problem_is_marked() {
        for (text, position, expected) in [
            ("a (b", 3, ("a ", "(", "b")),
            ("über ( x", 6, ("über ", "(", " x")),
            ("a", 1, ("", "a", "")),
            ("a OR", 5, ("a OR", "\u{a0}", "")),
            ("a", 99, ("a", "\u{a0}", "")),
            ("", 0, ("", "\u{a0}", "")),
        ] {
            let found = marked(text, position);
            assert_eq!((found.before, found.at, found.after), expected, "{text} {position}");
        }
    }
}
