//! Checks that look at more than one value.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use url::Host;

use crate::config::problem::{Problems, Span};
use crate::config::table::At;
use crate::config::{PollSettings, Server, Topic};
use crate::model::network;
use crate::model::source::{Location, Source, SourceKey, TopicKey};

/// A source with the places of what may be wrong about it.
pub(super) struct Declared {
    pub(super) source: Source,
    pub(super) key_at: Span,
    pub(super) url_at: Span,
    pub(super) topics: Vec<At<TopicKey>>,
    pub(super) was: Vec<At<SourceKey>>,
    pub(super) min_at: Option<Span>,
}

pub(super) fn check(
    declared: &[Declared],
    topics: &[At<Topic>],
    server: &Server,
    poll: &PollSettings,
    problems: &mut Problems<'_>,
) {
    old_keys(declared, problems);
    doubles(declared, problems);
    for one in declared {
        own_output(one, server, problems);
        private(one, poll, problems);
        pace(one, poll, problems);
        repeated_topics(one, problems);
    }
    for topic in topics {
        let is_fed = declared.iter().any(|one| one.source.topics.contains(&topic.value.key));
        if !is_fed && topic.value.matches.is_none() {
            problems.warn(
                &topic.span,
                format!("nothing feeds [topics.{}]: no source names it and it has no `match`", topic.value.key),
            );
        }
    }
}

fn old_keys(declared: &[Declared], problems: &mut Problems<'_>) {
    let living: HashSet<&SourceKey> = declared.iter().map(|one| &one.source.key).collect();
    let mut claimed = BTreeMap::new();
    for one in declared {
        for was in &one.was {
            if living.contains(&was.value) {
                problems.add(&was.span, format!("`was` names `{}`, which is a source of its own", was.value), None);
            } else if let Some(other) = claimed.insert(was.value.clone(), &one.source.key) {
                problems.add(&was.span, format!("`{}` was already claimed by [sources.{other}]", was.value), None);
            }
        }
    }
}

/// What two spellings of one address have in common.
fn spelt_alike(location: &Location) -> String {
    match location {
        Location::Http(url) => {
            let rest = url.as_str().split_once("://").map_or(url.as_str(), |(_, rest)| rest);
            rest.trim_end_matches('/').to_owned()
        }
        Location::File(path) => path.display().to_string(),
    }
}

fn doubles(declared: &[Declared], problems: &mut Problems<'_>) {
    let mut met: HashMap<String, &SourceKey> = HashMap::new();
    for one in declared {
        if let Some(other) = met.insert(spelt_alike(&one.source.location), &one.source.key) {
            problems
                .warn(&one.url_at, format!("[sources.{}] reads the same address as [sources.{other}]", one.source.key));
        }
    }
}

fn own_output(one: &Declared, server: &Server, problems: &mut Problems<'_>) {
    let Location::Http(url) = &one.source.location else { return };
    let is_listening = url.port_or_known_default() == Some(server.listen.port())
        && match url.host() {
            Some(Host::Ipv4(ip)) => {
                IpAddr::V4(ip) == server.listen.ip() || (ip.is_loopback() && server.listen.ip().is_unspecified())
            }
            Some(Host::Ipv6(ip)) => {
                IpAddr::V6(ip) == server.listen.ip() || (ip.is_loopback() && server.listen.ip().is_unspecified())
            }
            Some(Host::Domain(name)) => {
                name == "localhost" && (server.listen.ip().is_loopback() || server.listen.ip().is_unspecified())
            }
            None => false,
        };
    let is_public = server.public_url.as_ref().is_some_and(|public| {
        url.host() == public.host()
            && url.port_or_known_default() == public.port_or_known_default()
            && url.path().starts_with(public.path())
    });
    if is_listening || is_public {
        let what = format!("[sources.{}] would read our own output", one.source.key);
        problems.add(&one.url_at, what, Some("declare a topic instead".to_owned()));
    }
}

/// An address that is known to be private needs no resolver to be refused.
fn private(one: &Declared, poll: &PollSettings, problems: &mut Problems<'_>) {
    let Some(address) = literal(&one.source.location) else { return };
    if !network::is_public(address) && !poll.allow_private.iter().any(|network| network.contains(&address)) {
        let what = format!("[sources.{}] lies at the private address {address}", one.source.key);
        let help = format!("add allow_private = [\"{}\"] to [poll] if you mean it", ipnet::IpNet::from(address));
        problems.add(&one.url_at, what, Some(help));
    }
}

fn literal(location: &Location) -> Option<IpAddr> {
    let Location::Http(url) = location else { return None };
    match url.host()? {
        Host::Ipv4(ip) => Some(ip.into()),
        Host::Ipv6(ip) => Some(ip.into()),
        Host::Domain(_) => None,
    }
}

/// Publishers are asked once a minute at the most; one's own machines may be asked more often.
fn pace(one: &Declared, poll: &PollSettings, problems: &mut Problems<'_>) {
    let is_own = match literal(&one.source.location) {
        Some(address) => poll.allow_private.iter().any(|network| network.contains(&address)),
        None => matches!(one.source.location, Location::File(_)),
    };
    if !is_own && one.source.min_interval < Duration::from_secs(60) {
        let place = one.min_at.clone().unwrap_or_else(|| one.key_at.clone());
        problems.add(
            &place,
            format!("[sources.{}]: `min_interval` must be at least 1m for a public source", one.source.key),
            None,
        );
    }
}

fn repeated_topics(one: &Declared, problems: &mut Problems<'_>) {
    let mut met = HashSet::new();
    for topic in &one.topics {
        if !met.insert(&topic.value) {
            problems.warn(&topic.span, format!("[sources.{}] names the topic `{}` twice", one.source.key, topic.value));
        }
    }
}
