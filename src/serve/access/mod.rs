//! Who may read this? Every request that has a route passes here, before any handler, and every answer on its way back.
//!
//! ```text
//! /t/TOKEN/topics/secret.atom → path without the token → feeds that it names → Permission of each → admitted? → handler (Grant) → seal
//! ```
//! A handler that knows nothing of this is as closed as the server is: what is not the address of a feed counts as a page. What is
//! ready and public is answered before (`answer`); nothing else lies there (`Published::at`).

mod caller;
mod guesses;
pub(super) mod secrets;

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{FromRequestParts, Request};
use axum::http::header::{CACHE_CONTROL, REFERRER_POLICY, RETRY_AFTER, VARY, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, request};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::Semaphore;
use tower::ServiceExt as _;
use url::Url;

use crate::clock;
use crate::model::access::{Access, Audience, Group, Permission};
use crate::model::feed::FeedName;
use crate::model::source::Secret;
use crate::published::Published;
use crate::published::request::FeedRequest;
use crate::serve::access::caller::Caller;
use crate::serve::access::guesses::Guesses;
use crate::serve::access::secrets::{Against, NoRandomness, Vault};
use crate::serve::{cors, plain};
use crate::store::Handle;

/// Passwords that are worked out at once: each takes a core for a tenth of a second or more.
const AT_ONCE: usize = 1;
/// Passwords that wait for that. More would wait longer than a reader does.
const WAITING: usize = 32;

/// What a request was let in with. Without one a handler shows what everybody may see.
#[derive(Debug, Clone, Default)]
pub(super) struct Grant {
    /// Whom the answer is to be made for.
    pub(super) audience: Audience,
    /// The token in its address, which links of a protected document carry on.
    pub(super) token: Option<Secret>,
    /// Protected feeds that it was let in to.
    feeds: Vec<FeedName>,
}

impl Grant {
    /// The request as this reader may ask it; `None` when it speaks of a feed that nobody let the reader in to.
    pub(super) fn request(&self, access: &Access, mut request: FeedRequest) -> Option<FeedRequest> {
        let is_admitted = |feed: &FeedName| match access.of(feed) {
            Permission::Public | Permission::Nobody => true,
            Permission::Group(_) => self.feeds.contains(feed),
        };
        if !request.named().iter().all(is_admitted) {
            return None;
        }
        request.audience = self.audience;
        request.token = self.token.clone().filter(|_| self.audience == Audience::Full);
        Some(request)
    }

    /// Where the reader's addresses begin: below its token, where it came with one.
    pub(super) fn carried(&self, base: &Url) -> Option<Url> {
        match &self.token {
            Some(token) => base.join(&format!("t/{}/", token.reveal())).ok(),
            None => Some(base.clone()),
        }
    }

    /// What every answer to this reader has, and what it must not have.
    fn seal(&self, mut response: Response) -> Response {
        if self.audience == Audience::Public {
            return response;
        }
        let is_kept = response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED;
        let fields = response.headers_mut();
        cors::close(fields);
        // Only the reader's own program may keep it, and it asks again with its password.
        let kept = if is_kept { "private, max-age=60" } else { "no-store" };
        fields.insert(CACHE_CONTROL, HeaderValue::from_static(kept));
        fields.append(VARY, HeaderValue::from_static("Authorization"));
        fields.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        fields.insert(ROBOTS, NO_ROBOTS);
        response
    }
}

/// What a handler has to know of who asks.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    pub(super) headers: HeaderMap,
    pub(super) grant: Grant,
}

impl<S: Sync> FromRequestParts<S> for Reader {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut request::Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self { headers: parts.headers.clone(), grant: parts.extensions.get().cloned().unwrap_or_default() })
    }
}

/// The answer to whoever may not read what is asked for.
pub(super) fn unknown() -> Response {
    Refused::Unknown.answer()
}

const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");
const NO_ROBOTS: HeaderValue = HeaderValue::from_static("noindex");

/// The address that a request came from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) IpAddr);

/// What a request was refused for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    /// Neither password nor token, or a wrong one.
    Unknown,
    /// Too many wrong ones.
    Later(Duration),
    Busy,
}

impl Refused {
    fn answer(self) -> Response {
        let mut response = match self {
            Self::Unknown => {
                let text = "this is not for everybody: give your name and password, or use the address with your token";
                let challenge = [(WWW_AUTHENTICATE, "Basic realm=\"feedmill\", charset=\"UTF-8\"")];
                (challenge, plain::answer(StatusCode::UNAUTHORIZED, text)).into_response()
            }
            Self::Later(wait) => {
                let text = "too many wrong passwords came from your address; try again later";
                let later = [(RETRY_AFTER, wait.as_secs().to_string())];
                (later, plain::answer(StatusCode::TOO_MANY_REQUESTS, text)).into_response()
            }
            Self::Busy => plain::busy(),
        };
        let fields = response.headers_mut();
        fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        fields.insert(ROBOTS, NO_ROBOTS);
        response
    }
}

/// Everything that checks who asks.
struct Guard {
    vault: Vault,
    // Held for a look only.
    guesses: Mutex<Guesses>,
    slow: Handle<()>,
    waiting: Semaphore,
}

impl Guard {
    fn new() -> Result<Self, NoRandomness> {
        Ok(Self {
            vault: Vault::new()?,
            guesses: Mutex::default(),
            slow: Handle::new(Arc::new(()), AT_ONCE),
            waiting: Semaphore::new(WAITING),
        })
    }

    /// Lets a caller in to all that is asked for, or says why not.
    async fn admit(&self, access: &Access, feeds: Vec<FeedName>, caller: &Caller) -> Result<Grant, Refused> {
        let is_protected = |feed: &FeedName| matches!(access.of(feed), Permission::Group(_));
        let mut feeds = feeds;
        feeds.retain(is_protected);
        if feeds.is_empty() {
            // An address with a token that has been withdrawn leads nowhere, whatever stands behind it.
            return match &caller.path_token {
                Some(token) if !access.groups.values().any(|group| self.vault.has_token(group, token.reveal())) => {
                    self.guess(caller)?;
                    Err(Refused::Unknown)
                }
                _ => Ok(Grant::default()),
            };
        }
        for feed in &feeds {
            let Permission::Group(name) = access.of(feed) else { continue };
            let Some(group) = access.groups.get(name) else { return Err(Refused::Unknown) };
            self.is_member(group, caller).await?;
        }
        Ok(Grant { audience: Audience::Full, token: caller.path_token.clone(), feeds })
    }

    async fn is_member(&self, group: &Group, caller: &Caller) -> Result<(), Refused> {
        if caller.tokens().any(|token| self.vault.has_token(group, token.reveal())) {
            return Ok(());
        }
        let Some((user, password)) = &caller.basic else {
            if caller.tokens().next().is_some() {
                self.guess(caller)?;
            }
            return Err(Refused::Unknown);
        };
        let against = Vault::against(group, user);
        let name = match &against {
            Against::Hash { hash, is_real: true } => Some(self.vault.name(hash, user, password.reveal())),
            _ => None,
        };
        if name.as_ref().is_some_and(|name| self.vault.remembers(name)) {
            return Ok(());
        }
        // Counted before it is looked at, so that many guesses at once are no way around it.
        self.guess(caller)?;
        if !self.is_right(against, password).await? {
            return Err(Refused::Unknown);
        }
        if let Some(name) = name {
            self.vault.remember(name);
        }
        if let Some(peer) = caller.peer {
            self.lock().give_back(peer, clock::now());
        }
        Ok(())
    }

    async fn is_right(&self, against: Against, password: &Secret) -> Result<bool, Refused> {
        match against {
            Against::Nothing => Ok(false),
            Against::Plain { password: known } => Ok(self.vault.is_plain(&known, password.reveal())),
            Against::Hash { hash, is_real } => {
                let _place = self.waiting.try_acquire().map_err(|_| Refused::Busy)?;
                let password = password.clone();
                let job = move |(): &()| Ok(secrets::is_password(&hash, password.reveal()));
                let is_right = self.slow.run(job).await.map_err(|_| Refused::Busy)?;
                Ok(is_right && is_real)
            }
        }
    }

    fn guess(&self, caller: &Caller) -> Result<(), Refused> {
        let Some(peer) = caller.peer else { return Ok(()) };
        self.lock().take(peer, clock::now()).map_err(|wait| {
            tracing::debug!(%peer, "too many wrong passwords");
            Refused::Later(wait)
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Guesses> {
        self.guesses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts the check before all routes.
pub(super) fn guarded(published: Arc<Published>, routes: Router) -> Router {
    // Without random bytes nobody can be told from anybody: then what is protected stays closed.
    let guard = Guard::new().map(Arc::new);
    if let Err(error) = &guard {
        tracing::error!(%error, "nobody is let in to what is protected");
    }
    let guard = guard.ok();
    Router::new().fallback(async move |mut request: Request| {
        let Some(caller) = Caller::read(&mut request) else { return plain::unknown() };
        let feeds = caller::named(&request);
        let access = published.access();
        let is_open = feeds.iter().all(|feed| !matches!(access.of(feed), Permission::Group(_)));
        if *request.method() == Method::OPTIONS {
            return cors::preflight(is_open && caller.path_token.is_none());
        }
        let admitted = match &guard {
            _ if is_open && caller.path_token.is_none() => Ok(Grant::default()),
            Some(guard) => guard.admit(&access, feeds, &caller).await,
            None => Err(Refused::Busy),
        };
        match admitted {
            Ok(grant) => {
                request.extensions_mut().insert(grant.clone());
                let Ok(response) = routes.oneshot(request).await;
                grant.seal(response)
            }
            Err(refused) => refused.answer(),
        }
    })
}
