//! An address that a user gave → the feed there: itself, one that its page names, or one at a usual place.

use url::Url;

use crate::clock;
use crate::fetch::answer::{Document, Fetched};
use crate::fetch::{Fetcher, Request};
use crate::model::document::Parsed;
use crate::model::source::{Credentials, Location, Validators};
use crate::parse::page::{self, Found};
use crate::parse::{self, NotAFeed};

/// Most feeds of a page that are tried. The first is nearly always good.
const TRIED: usize = 3;

/// What the user gave.
pub(super) struct Typed {
    pub(super) location: Location,
    pub(super) credentials: Option<Credentials>,
}

/// A feed that was found and read.
pub(super) struct Discovered {
    /// Where to poll it from now on.
    pub(super) url: Url,
    pub(super) parsed: Parsed,
    /// The page that led to it.
    pub(super) page: Option<Url>,
    /// What else the page names.
    pub(super) others: Vec<Found>,
}

/// Looks for the feed of an address; what is there instead when there is none.
pub(super) async fn discover(fetcher: &Fetcher, typed: &Typed) -> anyhow::Result<Result<Discovered, NotAFeed>> {
    let document = ask(fetcher, typed, None).await?;
    let lies_at = |location: &Location| match location {
        Location::Http(url) => url.clone(),
        Location::File(_) => document.url.clone(),
    };
    let not_a_feed = match read(&document) {
        Ok(parsed) => {
            let url = document.moved.clone().unwrap_or_else(|| lies_at(&typed.location));
            return Ok(Ok(Discovered { url, parsed, page: None, others: Vec::new() }));
        }
        Err(not_a_feed) => not_a_feed,
    };
    let usual =
        if not_a_feed.is_page && not_a_feed.feeds.is_empty() { page::common_places(&document.url) } else { Vec::new() };
    let named = not_a_feed.feeds.iter().map(|found| found.url.clone()).take(TRIED);
    for candidate in named.chain(usual) {
        let Ok(answer) = ask(fetcher, typed, Some(&candidate)).await else { continue };
        let Ok(parsed) = read(&answer) else { continue };
        let url = answer.moved.unwrap_or_else(|| candidate.clone());
        let others = not_a_feed.feeds.into_iter().filter(|found| found.url != candidate).collect();
        return Ok(Ok(Discovered { url, parsed, page: Some(document.url), others }));
    }
    Ok(Err(not_a_feed))
}

fn read(document: &Document) -> Result<Parsed, NotAFeed> {
    parse::parse(&document.body, document.content_type.as_deref(), Some(&document.url), clock::now())
}

/// Fetches what was given, or what its page named, within the same guard as a poll.
pub(super) async fn ask(fetcher: &Fetcher, typed: &Typed, named: Option<&Url>) -> anyhow::Result<Document> {
    let validators = Validators::default();
    let request = Request {
        location: &typed.location,
        named,
        moved: None,
        validators: &validators,
        credentials: typed.credentials.as_ref(),
        headers: &[],
    };
    match fetcher.fetch(request).await.0 {
        Fetched::Fresh(document) => Ok(document),
        Fetched::Failed(failure) => anyhow::bail!("{}", failure.detail),
        Fetched::Gone => anyhow::bail!("the publisher says it is gone for good (410)"),
        Fetched::Throttled { status, .. } => {
            anyhow::bail!("the publisher asks for fewer requests ({status}); try again later")
        }
        Fetched::NotModified { .. } => {
            anyhow::bail!("the server says that nothing changed, but we asked for the first time")
        }
    }
}
