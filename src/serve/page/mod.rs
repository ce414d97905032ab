//! Pages for people. No scripts; nothing depends on the time of the request. Links are relative, so that the pages work below any
//! path of a web server before us. New ones are templates (`templates/`), which escape whatever is put into them.

mod account;
mod front;

use crate::published::status::Status;

pub(super) use account::page as account;
pub(super) use front::front;

/// `/style.css`
pub(super) const STYLE: &str = include_str!("style.css");

/// What a page may load and do: our own style, and forms that lead to us.
pub(super) const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// What surrounds every page that is a template.
struct Frame {
    /// Of the service.
    title: String,
    /// From the page to the front page: empty, or `../`.
    root: &'static str,
    /// Topics that may be asked about.
    topics: Vec<String>,
}

impl Frame {
    fn new(status: &Status, root: &'static str) -> Self {
        let topics = status.topics.iter().map(|topic| topic.key.to_string()).collect();
        Self { title: status.title.clone(), root, topics }
    }
}
