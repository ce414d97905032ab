//! Which addresses may be connected to. Checked on the literal at every hop, and on every answer of the resolver in the resolver
//! itself: the address that was checked is the address that is connected to, so that no second answer can slip in between.

use std::collections::HashMap;
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, redirect};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use url::{Host, Url};

use crate::fetch::answer::{FailureKind, FetchFailure};
use crate::fetch::{Settings, failure};
use crate::model::network;

/// How long an answer of the resolver is used again. Records say longer; a moved host is found again soon.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Most hosts remembered.
const HOSTS: usize = 10_000;
/// Lookups under way at once: each blocks a thread.
const LOOKUPS: usize = 16;

/// Where requests may go: public addresses, and for a source one entry of `allow_private` if that is where it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Admission {
    private: Option<IpNet>,
    /// Everywhere: for pages, where the file says so.
    is_open: bool,
}

impl Admission {
    pub(super) const PUBLIC: Self = Self { private: None, is_open: false };
    const OPEN: Self = Self { private: None, is_open: true };

    /// For pages that publishers name. What `allow_private` admits, it admits for addresses that were typed in.
    pub(super) fn of_links(settings: &Settings) -> Self {
        if settings.allow_private_links { Self::OPEN } else { Self::PUBLIC }
    }

    fn admits(self, address: IpAddr) -> bool {
        self.is_open
            || network::is_public(address)
            || self.private.is_some_and(|network| network.contains(&address.to_canonical()))
    }

    /// Checks an address whose host is a literal; names are checked by the resolver.
    pub(super) fn check(self, url: &Url) -> Result<(), FetchFailure> {
        match literal(url) {
            Some(address) if !self.admits(address) => Err(refused(address)),
            _ => Ok(()),
        }
    }
}

fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

fn refused(address: IpAddr) -> FetchFailure {
    failure(
        FailureKind::Refused,
        format!("{address} is a private address; allow_private in [poll] does not admit it for this source"),
    )
}

/// One client for sources of the public internet, and one for each entry of `allow_private`. Each refuses by itself whatever its
/// sources may not reach, and keeps no connection that another one could use.
pub(super) struct Clients {
    public: Client,
    private: Vec<(IpNet, Client)>,
    /// There only where pages may lie anywhere.
    open: Option<Client>,
    lookup: Arc<Lookup>,
}

impl Clients {
    pub(super) fn new(settings: &Settings) -> Result<Self, reqwest::Error> {
        // Fails when it is installed already, which is as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let lookup = Arc::new(Lookup::new());
        let public = client(settings, &lookup, Admission::PUBLIC)?;
        let private = settings.allow_private.iter().map(|network| {
            let admission = Admission { private: Some(*network), ..Admission::PUBLIC };
            Ok((*network, client(settings, &lookup, admission)?))
        });
        let private = private.collect::<Result<_, reqwest::Error>>()?;
        let open = settings.allow_private_links.then(|| client(settings, &lookup, Admission::OPEN)).transpose()?;
        Ok(Self { public, private, open, lookup })
    }

    pub(super) fn client(&self, admission: Admission) -> &Client {
        if let Some(open) = self.open.as_ref().filter(|_| admission.is_open) {
            return open;
        }
        let own = self.private.iter().find(|(network, _)| Some(*network) == admission.private);
        own.map_or(&self.public, |(_, client)| client)
    }

    /// What the address that was typed in admits. The resolver's answer only chooses the client; the client checks again.
    pub(super) async fn admission(&self, url: &Url) -> Result<Admission, FetchFailure> {
        if self.private.is_empty() {
            return Ok(Admission::PUBLIC);
        }
        let addresses = match (literal(url), url.host_str()) {
            (Some(address), _) => vec![address],
            (None, Some(host)) => self.lookup.find(host).await.map_err(|error| failure(FailureKind::Dns, error))?,
            (None, None) => Vec::new(),
        };
        let private = self.private.iter().map(|(network, _)| *network);
        let own = private
            .into_iter()
            .find(|network| addresses.iter().any(|address| network.contains(&address.to_canonical())));
        Ok(Admission { private: own, ..Admission::PUBLIC })
    }
}

fn client(settings: &Settings, lookup: &Arc<Lookup>, admission: Admission) -> Result<Client, reqwest::Error> {
    let builder = || {
        Client::builder()
            .user_agent(settings.user_agent.clone())
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .connect_timeout(settings.connect_timeout)
            .pool_max_idle_per_host(settings.idle_per_host)
            .pool_idle_timeout(Duration::from_secs(15))
            .tcp_nodelay(true)
            .dns_resolver(GuardedResolver { lookup: Arc::clone(lookup), admission })
    };
    builder().build().or_else(|error| {
        tracing::warn!(%error, "this machine has no usable certificate store: https sources will fail until ca-certificates is installed");
        builder().tls_certs_only([]).build()
    })
}

/// An address that the guard refused, told through reqwest's chain of errors.
#[derive(Debug, thiserror::Error)]
#[error("{0} is a private address")]
pub(super) struct Refused(IpAddr);

/// The failure, if the guard is behind an error.
pub(super) fn refusal(error: &(dyn Error + 'static)) -> Option<FetchFailure> {
    chain(error).find_map(|error| error.downcast_ref::<Refused>()).map(|refusal| refused(refusal.0))
}

/// An error and what lies behind it.
pub(super) fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// A name that does not resolve, told through reqwest's chain of errors.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unresolved(pub(super) String);

struct GuardedResolver {
    lookup: Arc<Lookup>,
    admission: Admission,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, admission) = (Arc::clone(&self.lookup), self.admission);
        Box::pin(async move {
            let addresses = lookup.find(name.as_str()).await.map_err(Unresolved)?;
            // One private address among public ones is refused as a whole: nobody needs such an answer.
            if let Some(private) = addresses.iter().find(|address| !admission.admits(**address)) {
                return Err(Refused(*private).into());
            }
            let sockets: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(sockets)
        })
    }
}

/// The system's resolver, with a short memory.
struct Lookup {
    found: Mutex<HashMap<String, (Instant, Vec<IpAddr>)>>,
    permits: Semaphore,
}

impl Lookup {
    fn new() -> Self {
        Self { found: Mutex::new(HashMap::new()), permits: Semaphore::new(LOOKUPS) }
    }

    async fn find(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        if let Some(addresses) = self.remembered(host) {
            return Ok(addresses);
        }
        let _permit = self.permits.acquire().await.map_err(|error| error.to_string())?;
        if let Some(addresses) = self.remembered(host) {
            return Ok(addresses);
        }
        let answer = tokio::net::lookup_host((host, 0)).await;
        let addresses: Vec<IpAddr> =
            answer.map_err(|error| format!("{host} cannot be found: {error}"))?.map(|socket| socket.ip()).collect();
        if addresses.is_empty() {
            return Err(format!("{host} has no address"));
        }
        self.remember(host, addresses.clone());
        Ok(addresses)
    }

    fn remembered(&self, host: &str) -> Option<Vec<IpAddr>> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.get(host).filter(|(at, _)| at.elapsed() < REMEMBERED).map(|(_, addresses)| addresses.clone())
    }

    fn remember(&self, host: &str, addresses: Vec<IpAddr>) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if found.len() >= HOSTS {
            found.retain(|_, (at, _)| at.elapsed() < REMEMBERED);
        }
        if found.len() < HOSTS {
            found.insert(host.to_owned(), (Instant::now(), addresses));
        }
    }
}
