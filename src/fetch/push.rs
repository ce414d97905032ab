//! Requests to addresses that strangers gave us: callbacks of our hub. They pass the guard, follow no redirect, carry nothing of ours, and
//! what comes back is bounded in time and bytes.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use ipnet::IpNet;
use reqwest::{Method, Response};
use url::Url;

use crate::fetch::answer::{FailureKind, FetchFailure};
use crate::fetch::guard::Clients;
use crate::fetch::{Settings, body, failure, request};

/// For a whole request. Subscribers answer first and work afterwards (WebSub §7).
const TIMEOUT: Duration = Duration::from_secs(10);
/// Of an answer whose words matter.
const ANSWER_LIMIT: u64 = 4_000;
/// Of an answer that is not read; a shorter one lets the connection be used again.
const IGNORED_LIMIT: u64 = 16_000;

/// What a callback said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub status: u16,
    /// Its first bytes.
    pub body: Vec<u8>,
}

impl Said {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Makes these requests.
pub struct Pusher {
    clients: Clients,
}

impl Pusher {
    /// `idle_per_host` connections to one host are kept for some seconds.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(user_agent: String, allow_private: Vec<IpNet>, idle_per_host: usize) -> Result<Self, reqwest::Error> {
        let clients = Clients::new(&Settings {
            user_agent,
            connect_timeout: TIMEOUT / 2,
            timeout: TIMEOUT,
            body_limit: ANSWER_LIMIT,
            allow_private,
            allow_private_links: false,
            concurrency: 1,
            per_host: 1,
            host_delay: Duration::ZERO,
            hosts: BTreeMap::new(),
            idle_per_host,
        })?;
        Ok(Self { clients })
    }

    /// Asks, and reads the beginning of the answer.
    pub async fn get(&self, url: &Url) -> Result<Said, FetchFailure> {
        self.send(Method::GET, url, &[], Bytes::new(), ANSWER_LIMIT).await
    }

    /// Sends a body; of the answer the status alone means something.
    pub async fn post(&self, url: &Url, headers: &[(&str, &str)], body: Bytes) -> Result<Said, FetchFailure> {
        self.send(Method::POST, url, headers, body, IGNORED_LIMIT).await
    }

    async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: &[(&str, &str)],
        body: Bytes,
        limit: u64,
    ) -> Result<Said, FetchFailure> {
        let asked = async {
            let admission = self.clients.admission(url).await?;
            admission.check(url).map_err(refused)?;
            let client = self.clients.client(admission);
            let mut request = client.request(method, url.clone()).body(body);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let response = request.send().await.map_err(|error| refused(request::unsent(&error)))?;
            Ok(said(response, limit).await)
        };
        let late = |_| failure(FailureKind::Timeout, format!("no answer within {} s", TIMEOUT.as_secs()));
        tokio::time::timeout(TIMEOUT, asked).await.map_err(late)?
    }
}

async fn said(response: Response, limit: u64) -> Said {
    let status = response.status().as_u16();
    Said { status, body: body::beginning(response, limit).await.unwrap_or_default() }
}

/// A refusal in the words of what would admit it.
fn refused(mut failure: FetchFailure) -> FetchFailure {
    if failure.kind == FailureKind::Refused {
        "the callback lies at a private address; allow_private in [hub] does not admit it"
            .clone_into(&mut failure.detail);
    }
    failure
}
