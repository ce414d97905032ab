//! An address → bytes, by one polite and guarded request. A source that says no has answered: only trouble is a failure.
//!
//! reqwest's own redirects, Referer, cookies and proxies are off: each breaks a promise. Redirects are followed by hand, so that
//! every hop passes the guard and validators and credentials go only where they belong.

pub mod answer;
mod body;
mod guard;
mod headers;
mod pacing;
pub mod page;
pub mod push;
mod request;
mod robots;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use crate::fetch::answer::{FailureKind, FetchFailure, Fetched};
use crate::fetch::guard::{Admission, Clients};
pub use crate::fetch::pacing::Place;
use crate::fetch::page::FetchedPage;

use crate::fetch::pacing::Pacer;
use crate::model::source::{Credentials, Location, Secret, Validators};

/// How requests are made.
#[derive(Debug, Clone)]
pub struct Settings {
    pub user_agent: String,
    pub connect_timeout: Duration,
    /// For all hops of a fetch together, waiting for one's turn aside.
    pub timeout: Duration,
    /// In bytes, after decompression.
    pub body_limit: u64,
    /// Networks in which a source whose address was typed in may live.
    pub allow_private: Vec<IpNet>,
    /// Whether pages that publishers name may lie in private networks.
    pub allow_private_links: bool,
    pub concurrency: usize,
    pub per_host: usize,
    pub host_delay: Duration,
    /// Exceptions by host name.
    pub hosts: BTreeMap<String, (usize, Duration)>,
    /// Connections to one host that are kept for its next request, for some seconds: they serve redirects and bursts.
    pub idle_per_host: usize,
}

/// What to fetch.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub location: &'a Location,
    /// The feed that the web page at the location named. It is fetched instead; unless it shares the location's origin it may only
    /// live at public addresses, since a publisher chose it and not the user.
    pub named: Option<&'a Url>,
    /// Where a permanent redirect of what is fetched led earlier.
    pub moved: Option<&'a Url>,
    pub validators: &'a Validators,
    pub credentials: Option<&'a Credentials>,
    pub headers: &'a [(String, Secret)],
}

/// Name, version, a page about the program, and whom to turn to.
pub fn user_agent(contact: Option<&str>) -> String {
    let name = concat!("feedmill/", env!("CARGO_PKG_VERSION"), " (+", env!("CARGO_PKG_REPOSITORY"));
    let contact: String = contact.unwrap_or_default().chars().filter(|letter| (' '..='~').contains(letter)).collect();
    if contact.is_empty() { format!("{name})") } else { format!("{name}; {contact})") }
}

/// Makes requests. One for the whole program; a new one when settings change.
pub struct Fetcher {
    settings: Settings,
    clients: Clients,
    pacer: Pacer,
    robots: robots::Memory,
}

impl Fetcher {
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(settings: Settings) -> Result<Self, reqwest::Error> {
        let clients = Clients::new(&settings)?;
        let pacer = Pacer::new(settings.concurrency, settings.per_host, settings.host_delay, settings.hosts.clone());
        Ok(Self { settings, clients, pacer, robots: robots::Memory::default() })
    }

    /// Fetches once, following redirects. Never takes longer than the timeout, waiting for its turn aside. With what came over the
    /// network comes its place among the requests under way.
    pub async fn fetch(&self, request: Request<'_>) -> (Fetched, Option<Place>) {
        match request.location {
            Location::File(path) => (body::file(path, request.validators, self.settings.body_limit).await, None),
            Location::Http(url) => request::follow(self, request, url).await,
        }
    }

    /// Fetches the page of an entry, as far as its site's `robots.txt` allows. Never takes longer than the timeout, waiting for its
    /// turn and for the rules of the site aside.
    pub async fn page(&self, url: &Url) -> Result<(FetchedPage, Place), FetchFailure> {
        page::fetch(self, url).await
    }

    /// Which networks a source may reach, from the address that was typed in.
    async fn admission(&self, url: &Url) -> Result<Admission, FetchFailure> {
        self.clients.admission(url).await
    }
}

fn failure(kind: FailureKind, detail: impl Into<String>) -> FetchFailure {
    FetchFailure { kind, detail: detail.into() }
}
