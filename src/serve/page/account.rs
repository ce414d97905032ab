//! The page that says why an entry is as it is, or is not there.

use askama::Template;

use crate::model::feed::Format;
use crate::published::status::Status;
use crate::published::why::{Account, EntryAccount, FeedVerdict, SourceAccount, TermVerdict, TextPiece};
use crate::serve::page::Frame;

/// Steps by which branches of queries are set in; deeper ones stand under each other.
const STEPS: usize = 6;

#[derive(Template)]
#[template(path = "entry.html")]
struct EntryPage<'a> {
    frame: Frame,
    entry: &'a EntryAccount,
    feeds: Vec<(String, &'static str, String)>,
}

#[derive(Template)]
#[template(path = "missing.html")]
struct MissingPage<'a> {
    frame: Frame,
    asked: &'a str,
    text: &'a str,
    sources: &'a [SourceAccount],
}

/// The page; `root` leads from it to the front page.
pub(in crate::serve) fn page(account: &Account, status: &Status, root: &str) -> String {
    let frame = Frame::new(status, root);
    let written = match account {
        Account::Entry(entry) => EntryPage { frame, entry, feeds: feeds(entry) }.render(),
        Account::Removed(it) => MissingPage { frame, asked: &it.asked, text: &it.text, sources: &[] }.render(),
        Account::NeverSeen(it) => {
            MissingPage { frame, asked: &it.asked, text: &it.text, sources: &it.sources }.render()
        }
        Account::NoFeed(it) => MissingPage { frame, asked: "No such feed", text: &it.text, sources: &[] }.render(),
    };
    // Writing into memory cannot fail.
    written.unwrap_or_default()
}

/// The feeds that hold an entry, for readers who look for feeds in a page: title, type, path.
fn feeds(entry: &EntryAccount) -> Vec<(String, &'static str, String)> {
    let formats = entry.feeds.iter().flat_map(|held| Format::ALL.map(|format| (held, format)));
    let link = |(held, format): (&crate::published::why::HeldBy, Format)| {
        let media_type = format.media_type().split(';').next().unwrap_or_default();
        (format!("{} ({})", held.title, format.suffix()), media_type, format!("{}.{}", held.feed, format.suffix()))
    };
    formats.map(link).collect()
}

/// Only what a browser may safely follow is a link.
fn link(url: Option<&String>) -> Option<&str> {
    url.map(String::as_str).filter(|url| url.starts_with("https://") || url.starts_with("http://"))
}

/// One branch of a query, on a line of its own.
struct Branch<'a> {
    step: usize,
    text: &'a str,
    holds: bool,
}

fn branches(term: &TermVerdict) -> Vec<Branch<'_>> {
    let mut found = Vec::new();
    set_in(term, 0, &mut found);
    found
}

fn set_in<'a>(term: &'a TermVerdict, step: usize, found: &mut Vec<Branch<'a>>) {
    let text = match term.kind.as_str() {
        "all" => "all of these",
        "any" => "one of these",
        _ => &term.text,
    };
    found.push(Branch { step: step.min(STEPS), text, holds: term.holds });
    for branch in &term.branches {
        set_in(branch, step + 1, found);
    }
}

fn answer(verdict: &FeedVerdict) -> &'static str {
    match (verdict.belongs, verdict.is_in_document) {
        (_, true) => "It is there.",
        (true, false) => "It belongs to it, but is not in its current document.",
        (false, false) => "It is not there.",
    }
}
