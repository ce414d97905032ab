//! `[hub]`: whom we tell of news at once (WebSub).

use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use crate::config::problem::Problems;
use crate::config::read;
use crate::config::table::{At, Reader};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// How long subscriptions may last. Shorter ones would be renewed all day, longer ones outlive those who made them.
pub const LEASES: RangeInclusive<Duration> = Duration::from_secs(300)..=Duration::from_secs(30 * 24 * 3600);

/// How deliveries are signed for subscribers who gave a secret (WebSub §8.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// Only for subscribers who know nothing else.
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Signature {
    pub const ALL: [Self; 4] = [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    /// As the header and the file spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }
}

/// `[hub]`
#[derive(Debug, Clone, PartialEq)]
pub struct Hub {
    /// Whether `/hub` takes subscriptions, and documents name it.
    pub is_enabled: bool,
    /// Networks in which callbacks may live besides the public internet.
    pub allow_private: Vec<IpNet>,
    /// Of subscribers who ask for none; within [`LEASES`].
    pub lease: Duration,
    /// Most subscriptions, all together.
    pub subscriptions: usize,
    /// Of these with callbacks on one host.
    pub subscriptions_per_host: usize,
    /// Most different feeds with a query that are subscribed to: every new entry is held against each of them.
    pub query_topics: usize,
    /// Requests a minute that lead to a callback on one host.
    pub verifications: u32,
    /// Deliveries under way at once.
    pub concurrency: usize,
    /// Of these to one host.
    pub per_host: usize,
    pub signature: Signature,
    /// Other hubs that are told which of our feeds changed.
    pub ping: Vec<Url>,
}

pub(super) fn hub(mut table: Reader<'_>, has_public_url: bool, problems: &mut Problems<'_>) -> Hub {
    let whole = |number: Option<i64>, usual: usize| number.map_or(usual, read::whole);
    let allowed = table.texts("allow_private", problems).into_iter();
    let hub = Hub {
        is_enabled: table.boolean("enabled", problems).unwrap_or(true),
        allow_private: allowed.filter_map(|it| read::network(it, problems)).collect(),
        lease: table.duration("lease", LEASES, problems).map_or(10 * DAY, |lease| lease.value),
        subscriptions: whole(table.number("subscriptions", 1..=1_000_000, problems), 20_000),
        subscriptions_per_host: whole(table.number("subscriptions_per_host", 1..=1_000_000, problems), 2_000),
        query_topics: whole(table.number("query_topics", 0..=10_000, problems), 200),
        verifications: table
            .number("verifications", 1..=1_000_000, problems)
            .and_then(|number| u32::try_from(number).ok())
            .unwrap_or(120),
        concurrency: whole(table.number("concurrency", 1..=1_024, problems), 64),
        per_host: whole(table.number("per_host", 1..=1_024, problems), 8),
        signature: signature(&mut table, problems),
        ping: ping(&mut table, has_public_url, problems),
    };
    table.finish(problems);
    hub
}

fn signature(table: &mut Reader<'_>, problems: &mut Problems<'_>) -> Signature {
    let Some(At { span, value }) = table.text("signature", problems) else { return Signature::Sha256 };
    let known = Signature::ALL.into_iter().find(|known| known.name() == value);
    known.unwrap_or_else(|| {
        let help = "write \"sha1\", \"sha256\", \"sha384\" or \"sha512\"".to_owned();
        problems.add(&span, format!("`signature` cannot be `{value}`"), Some(help));
        Signature::Sha256
    })
}

fn ping(table: &mut Reader<'_>, has_public_url: bool, problems: &mut Problems<'_>) -> Vec<Url> {
    let mut hubs = Vec::new();
    for At { span, value } in table.texts("ping", problems) {
        if let Some(url) = Url::parse(&value).ok().filter(|url| matches!(url.scheme(), "http" | "https")) {
            hubs.push(url);
        } else {
            let help = "write \"https://hub.example.org/\"".to_owned();
            problems.add(&span, format!("`{value}` is no address of a hub"), Some(help));
        }
        if !has_public_url {
            problems.warn(&span, "`ping` does nothing without a `public_url`: a hub must be able to read our feeds");
        }
    }
    hubs
}
