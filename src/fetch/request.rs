//! One fetch over HTTP: hop by hop, each guarded, paced and timed.

use std::time::Duration;

use reqwest::header::{
    ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LOCATION,
};
use reqwest::{Response, StatusCode};
use tokio::time::Instant;
use url::Url;

use crate::fetch::answer::{Document, FailureKind, FetchFailure, Fetched};
use crate::fetch::guard::{self, Admission, Unresolved};
use crate::fetch::{Fetcher, Place, Request, body, failure, headers};
use crate::model::source::Validators;

/// Most redirects that are followed.
const HOPS: usize = 10;

/// Feed types first, so that a site which negotiates sends its feed.
const ACCEPTED: &str = "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, \
                        application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.1";

/// Follows redirects to an answer.
pub(super) async fn follow(fetcher: &Fetcher, request: Request<'_>, typed: &Url) -> (Fetched, Option<Place>) {
    let admission = match request.named.filter(|named| !is_same_origin(typed, named)) {
        Some(_) => Ok(Admission::PUBLIC),
        None => fetcher.admission(typed).await,
    };
    let admission = match admission {
        Ok(admission) => admission,
        Err(failure) => return (Fetched::Failed(failure), None),
    };
    let mut way = Way::begin(request.moved.or(request.named).unwrap_or(typed).clone(), fetcher.settings.timeout);
    loop {
        if let Err(failure) = admission.check(&way.url) {
            return (Fetched::Failed(failure), None);
        }
        let turn = fetcher.pacer.turn(way.url.host_str().unwrap_or_default(), Duration::ZERO).await;
        let started = Instant::now();
        let outcome = {
            // Kilobytes, which stay where they are.
            let hop = std::pin::pin!(hop(fetcher, request, typed, &way.url, admission, way.moved.as_ref()));
            tokio::time::timeout(way.left, hop).await
        };
        way.left = way.left.saturating_sub(started.elapsed()).max(Duration::from_millis(1));
        let next = match outcome {
            Err(_) => Err(failure(
                FailureKind::Timeout,
                format!("no whole answer within {} s", fetcher.settings.timeout.as_secs()),
            )),
            Ok(Hop::Ended(result)) => {
                return (result.unwrap_or_else(Fetched::Failed), Some(turn.into_place()));
            }
            Ok(Hop::Redirected(target, status)) => way.follow(target, status),
        };
        if let Err(failure) = next {
            return (Fetched::Failed(failure), None);
        }
    }
}

/// How far a fetch has come.
pub(super) struct Way {
    pub(super) url: Url,
    visited: Vec<Url>,
    /// As long as every redirect was permanent, the last one tells the new address.
    moved: Option<Url>,
    is_permanent: bool,
    pub(super) left: Duration,
}

impl Way {
    pub(super) fn begin(url: Url, left: Duration) -> Self {
        Self { url, visited: Vec::new(), moved: None, is_permanent: true, left }
    }

    pub(super) fn follow(&mut self, target: Url, status: StatusCode) -> Result<(), FetchFailure> {
        self.visited.push(std::mem::replace(&mut self.url, target));
        if self.visited.contains(&self.url) {
            return Err(failure(FailureKind::Redirect, "the redirects lead in a circle"));
        }
        if self.visited.len() > HOPS {
            return Err(failure(FailureKind::Redirect, format!("more than {HOPS} redirects")));
        }
        self.is_permanent &= matches!(status.as_u16(), 301 | 308);
        if self.is_permanent {
            self.moved = Some(self.url.clone());
        }
        Ok(())
    }
}

#[expect(clippy::large_enum_variant, reason = "nearly every hop ends; a box for each would cost more than the bytes")]
enum Hop {
    Redirected(Url, StatusCode),
    Ended(Result<Fetched, FetchFailure>),
}

async fn hop(
    fetcher: &Fetcher,
    request: Request<'_>,
    typed: &Url,
    url: &Url,
    admission: Admission,
    moved: Option<&Url>,
) -> Hop {
    let client = fetcher.clients.client(admission);
    let validators = Some(request.validators).filter(|validators| validators.url.as_ref() == Some(url));
    let mut asked = client.get(url.clone()).headers(request_headers(request, typed, url, validators));
    if let Some(credentials) = request.credentials.filter(|_| is_same_origin(typed, url)) {
        asked = asked.basic_auth(&credentials.username, Some(credentials.password.reveal()));
    }
    let response = match asked.send().await {
        Ok(response) => response,
        Err(error) => return Hop::Ended(Err(unsent(&error))),
    };
    let status = response.status();
    if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
        return match target(&response, url) {
            Ok(target) => Hop::Redirected(target, status),
            Err(failure) => Hop::Ended(Err(failure)),
        };
    }
    Hop::Ended(answer(fetcher, response, url, validators, moved.cloned()).await)
}

fn request_headers(request: Request<'_>, typed: &Url, url: &Url, validators: Option<&Validators>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static(ACCEPTED));
    let mut put = |name: HeaderName, value: &[u8], is_secret: bool| {
        if let Ok(mut value) = HeaderValue::from_bytes(value) {
            value.set_sensitive(is_secret);
            headers.insert(name, value);
        }
    };
    if let Some(etag) = validators.and_then(|validators| validators.etag.as_ref()) {
        put(IF_NONE_MATCH, etag, false);
    }
    if let Some(last_modified) = validators.and_then(|validators| validators.last_modified.as_ref()) {
        put(IF_MODIFIED_SINCE, last_modified, false);
    }
    if is_same_origin(typed, url) {
        for (name, value) in request.headers {
            if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
                put(name, value.reveal().as_bytes(), true);
            }
        }
    }
    headers
}

/// Secrets go to the origin they were typed in for, and to the same host over https.
fn is_same_origin(typed: &Url, url: &Url) -> bool {
    if typed == url {
        return true;
    }
    let is_upgrade = typed.host_str() == url.host_str() && typed.scheme() == "http" && url.scheme() == "https";
    typed.origin() == url.origin() || (is_upgrade && typed.port().is_none() && url.port().is_none())
}

pub(super) fn target(response: &Response, url: &Url) -> Result<Url, FetchFailure> {
    let status = response.status().as_u16();
    let Some(location) = response.headers().get(LOCATION) else {
        return Err(failure(FailureKind::Redirect, format!("a redirect ({status}) without a target")));
    };
    let location = String::from_utf8_lossy(location.as_bytes());
    let mut target =
        url.join(location.trim()).map_err(|_| failure(FailureKind::Redirect, "a redirect to what is no address"))?;
    if !matches!(target.scheme(), "http" | "https") {
        return Err(failure(
            FailureKind::Redirect,
            format!("a redirect to `{}:`, which is not followed", target.scheme()),
        ));
    }
    if url.scheme() == "https" && target.scheme() == "http" {
        return Err(failure(FailureKind::Redirect, "a redirect from https to http, which is not followed"));
    }
    let _ = target.set_username("");
    let _ = target.set_password(None);
    target.set_fragment(None);
    Ok(target)
}

async fn answer(
    fetcher: &Fetcher,
    response: Response,
    url: &Url,
    sent: Option<&Validators>,
    moved: Option<Url>,
) -> Result<Fetched, FetchFailure> {
    let status = response.status();
    let hints = headers::hints(response.headers());
    let mut validators = headers::validators(response.headers(), url);
    if response.headers().get("cf-mitigated").is_some_and(|value| value == "challenge") {
        return Err(failure(
            FailureKind::BotCheck,
            "the site asks for a proof that we are no robot; ask its owner to let feed readers through",
        ));
    }
    match status.as_u16() {
        200 | 203 | 226 => {
            let content_type =
                response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
            let body = body::read(response, fetcher.settings.body_limit).await?;
            Ok(Fetched::Fresh(Document { body, url: url.clone(), content_type, validators, hints, moved }))
        }
        304 => {
            let Some(sent) = sent.filter(|sent| sent.etag.is_some() || sent.last_modified.is_some()) else {
                return Err(failure(
                    FailureKind::Status(304),
                    "the server says that nothing changed, but we have nothing yet",
                ));
            };
            validators.etag = validators.etag.or_else(|| sent.etag.clone());
            validators.last_modified = validators.last_modified.or_else(|| sent.last_modified.clone());
            Ok(Fetched::NotModified { validators, hints, moved })
        }
        410 => Ok(Fetched::Gone),
        429 | 503 => {
            Ok(Fetched::Throttled { status: status.as_u16(), retry_after: headers::retry_after(response.headers()) })
        }
        other => Err(failure(FailureKind::Status(other), meaning(status))),
    }
}

fn meaning(status: StatusCode) -> String {
    let number = status.as_u16();
    match number {
        401 | 403 => {
            format!("the server does not let us in ({number}); if it wants a password, set `username` and `password`")
        }
        404 => "there is nothing at this address (404); look for the feed's new address on its site".to_owned(),
        202 | 204 | 205 | 206 => format!("the server answered without a document ({number})"),
        500..=599 => format!("the server has a problem of its own ({number})"),
        _ => format!("the server answered {status}"),
    }
}

pub(super) fn unsent(error: &reqwest::Error) -> FetchFailure {
    if let Some(refusal) = guard::refusal(error) {
        return refusal;
    }
    if let Some(unresolved) = guard::chain(error).find_map(|error| error.downcast_ref::<Unresolved>()) {
        return failure(FailureKind::Dns, unresolved.to_string());
    }
    let root = guard::chain(error).last().map(ToString::to_string).unwrap_or_default();
    let lower = root.to_lowercase();
    if error.is_timeout() {
        failure(FailureKind::Timeout, "the host did not answer in time")
    } else if lower.contains("certificate") || lower.contains("tls") || lower.contains("handshake") {
        failure(FailureKind::Tls, format!("no secure connection: {root}"))
    } else if error.is_connect() {
        failure(FailureKind::Connect, format!("no connection: {root}"))
    } else {
        failure(FailureKind::Other, format!("the answer is not HTTP as it should be: {root}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_with_their_origin() {
        let same = |typed: &str, url: &str| is_same_origin(&Url::parse(typed).unwrap(), &Url::parse(url).unwrap());
        assert!(same("https://a.example/x", "https://a.example/y"));
        assert!(same("http://a.example/x", "https://a.example/x"));
        assert!(!same("https://a.example/x", "http://a.example/x"));
        assert!(!same("https://a.example/x", "https://b.example/x"));
        assert!(!same("http://a.example:8080/x", "https://a.example/x"));
    }
}
