//! The page of an entry: an address that a publisher named, and therefore never one in a private network unless
//! `allow_private_links` says so. No credentials, no headers of the source; `robots.txt` is obeyed at every hop.

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use reqwest::{Response, StatusCode};
use tokio::time::Instant;
use url::Url;

use crate::fetch::answer::{FailureKind, FetchFailure};
use crate::fetch::guard::Admission;
use crate::fetch::request::{self, Way};
use crate::fetch::{Fetcher, Place, body, failure, robots};

/// What a page may be.
const ACCEPTED: &str = "text/html, application/xhtml+xml";
/// Most of a `robots.txt` that is read, in bytes (RFC 9309 §2.5).
const RULES_LIMIT: u64 = 500_000;
/// Most redirects that lead to a `robots.txt` (§2.3.1.2).
const RULES_HOPS: usize = 5;

/// A page as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedPage {
    /// Decompressed.
    pub body: Vec<u8>,
    pub content_type: Option<String>,
    /// The final address.
    pub url: Url,
}

/// What one hop led to.
enum Hop {
    Redirected(Url, StatusCode),
    Answered(Response),
}

/// Fetches a page once, following redirects.
pub(super) async fn fetch(fetcher: &Fetcher, url: &Url) -> Result<(FetchedPage, Place), FetchFailure> {
    let mut way = Way::begin(url.clone(), fetcher.settings.timeout);
    loop {
        let rules = robots::of(fetcher, &way.url).await?;
        if !rules.allows(&path_and_query(&way.url)) {
            return Err(failure(FailureKind::Forbidden, "its site's robots.txt does not let us read it"));
        }
        let url = way.url.clone();
        let (hop, place) = hop(fetcher, &mut way, rules.delay.unwrap_or_default(), async |hop| match hop {
            Hop::Answered(response) => Ok(Ok(answer(fetcher, response, &url).await?)),
            Hop::Redirected(target, status) => Ok(Err((target, status))),
        })
        .await?;
        match hop {
            Ok(page) => return Ok((page, place)),
            Err((target, status)) => way.follow(target, status)?,
        }
    }
}

/// The bytes of a site's rules; empty where it has none, `None` where they cannot be had for now.
///
/// # Errors
/// When the address may not be asked at all.
pub(super) async fn rules(fetcher: &Fetcher, url: &Url) -> Result<Option<Vec<u8>>, FetchFailure> {
    let mut way = Way::begin(url.clone(), fetcher.settings.timeout);
    for _ in 0..=RULES_HOPS {
        let found = hop(fetcher, &mut way, Duration::ZERO, async |hop| match hop {
            Hop::Answered(response) => Ok(Ok(rules_of(response).await)),
            Hop::Redirected(target, status) => Ok(Err((target, status))),
        })
        .await;
        match found {
            Ok((Ok(rules), _)) => return Ok(rules),
            Ok((Err((target, status)), _)) => {
                if way.follow(target, status).is_err() {
                    return Ok(None);
                }
            }
            Err(failure) if failure.kind == FailureKind::Refused => return Err(failure),
            Err(_) => return Ok(None),
        }
    }
    // More redirects than that are as good as no file (§2.3.1.2).
    Ok(Some(Vec::new()))
}

/// One guarded, paced and timed request, with what is made of its answer.
async fn hop<T>(
    fetcher: &Fetcher,
    way: &mut Way,
    least_delay: Duration,
    read: impl AsyncFnOnce(Hop) -> Result<T, FetchFailure>,
) -> Result<(T, Place), FetchFailure> {
    if !matches!(way.url.scheme(), "http" | "https") {
        return Err(failure(FailureKind::Refused, format!("`{}:` is no address of the web", way.url.scheme())));
    }
    let admission = Admission::of_links(&fetcher.settings);
    admission.check(&way.url).map_err(refused)?;
    let turn = fetcher.pacer.turn(way.url.host_str().unwrap_or_default(), least_delay).await;
    let started = Instant::now();
    let asked = async {
        let client = fetcher.clients.client(admission);
        let sent = client.get(way.url.clone()).header(ACCEPT, HeaderValue::from_static(ACCEPTED)).send().await;
        let response = sent.map_err(|error| refused(request::unsent(&error)))?;
        let status = response.status();
        if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
            let target = request::target(&response, &way.url)?;
            return read(Hop::Redirected(target, status)).await;
        }
        read(Hop::Answered(response)).await
    };
    let outcome = tokio::time::timeout(way.left, asked).await;
    way.left = way.left.saturating_sub(started.elapsed()).max(Duration::from_millis(1));
    let seconds = fetcher.settings.timeout.as_secs();
    let late = |_| failure(FailureKind::Timeout, format!("no whole answer within {seconds} s"));
    Ok((outcome.map_err(late)??, turn.into_place()))
}

/// A refusal in the words of what would admit it.
fn refused(mut failure: FetchFailure) -> FetchFailure {
    if failure.kind == FailureKind::Refused {
        "the page lies at a private address; allow_private_links in [poll] does not admit such pages"
            .clone_into(&mut failure.detail);
    }
    failure
}

async fn answer(fetcher: &Fetcher, response: Response, url: &Url) -> Result<FetchedPage, FetchFailure> {
    let status = response.status();
    if status != StatusCode::OK {
        return Err(failure(FailureKind::Status(status.as_u16()), format!("the server answered {status}")));
    }
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let essence = content_type.as_deref().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !ACCEPTED.split(", ").any(|accepted| accepted.eq_ignore_ascii_case(essence)) {
        let what = if essence.is_empty() { "something without a media type" } else { essence };
        return Err(failure(FailureKind::Other, format!("it is no web page but {what}")));
    }
    let body = body::read(response, fetcher.settings.body_limit).await?;
    Ok(FetchedPage { body, content_type, url: url.clone() })
}

async fn rules_of(response: Response) -> Option<Vec<u8>> {
    match response.status().as_u16() {
        200..=299 => body::beginning(response, RULES_LIMIT).await,
        // A site that asks for fewer requests has not said that it has no rules.
        429 => None,
        400..=499 => Some(Vec::new()),
        _ => None,
    }
}

fn path_and_query(url: &Url) -> String {
    url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
}
