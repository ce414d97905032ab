//! A request as it came → a wish that may be put to its callback, or what is wrong with it. Pure.

use std::net::IpAddr;

use chrono::TimeDelta;
use ipnet::IpNet;
use url::{Host, Url};

use crate::config::hub::{Hub as Limits, LEASES};
use crate::hub::state::{Wish, host};
use crate::model::network;
use crate::model::source::Secret;
use crate::published::hub::{Ask, Mode, Refused};
use crate::select::catalogue::Catalogue;
use crate::select::push;

/// Longest callback, in bytes.
const CALLBACK_LIMIT: usize = 2_000;
/// A secret is shorter (WebSub §5.1).
const SECRET_LIMIT: usize = 200;

/// Reads a request. `listening` is where we listen.
pub(super) fn read(ask: Ask, catalogue: &Catalogue, listening: &Url) -> Result<Wish, Refused> {
    let limits = &catalogue.config.hub;
    let request = push::topic(catalogue, listening, &ask.topic).map_err(Refused::Bad)?;
    check_callback(&ask.callback, &limits.allow_private)?;
    if ask.secret.as_ref().is_some_and(|secret| secret.len() >= SECRET_LIMIT) {
        return Err(Refused::Bad(format!("hub.secret: it must be shorter than {SECRET_LIMIT} bytes")));
    }
    let lease = match &ask.lease_seconds {
        Some(seconds) if ask.mode == Mode::Subscribe => lease(seconds)?,
        _ => usual(limits),
    };
    Ok(Wish {
        mode: ask.mode,
        topic: push::spelt(&request).into(),
        request,
        asked: ask.topic,
        host: host(&ask.callback).into(),
        callback: ask.callback.into(),
        secret: ask.secret.map(Secret::new),
        lease,
    })
}

fn usual(limits: &Limits) -> TimeDelta {
    TimeDelta::from_std(limits.lease).unwrap_or(TimeDelta::days(10))
}

/// What a subscriber asks for is a wish; it gets what we allow (§5.1).
fn lease(seconds: &str) -> Result<TimeDelta, Refused> {
    let wished: u64 = seconds.trim().parse().map_err(|_| {
        Refused::Bad("hub.lease_seconds: it must be a whole number of seconds, such as 864000".to_owned())
    })?;
    let allowed = wished.clamp(LEASES.start().as_secs(), LEASES.end().as_secs());
    Ok(TimeDelta::seconds(i64::try_from(allowed).unwrap_or_default()))
}

/// What is known to be refused needs no resolver; the rest the guard sees when it is asked.
fn check_callback(callback: &str, allow_private: &[IpNet]) -> Result<(), Refused> {
    let bad = |what: &str| Err(Refused::Bad(format!("hub.callback: {what}")));
    if callback.len() > CALLBACK_LIMIT {
        return bad("it is too long; give one of up to 2000 bytes");
    }
    let Some(url) = Url::parse(callback).ok().filter(|url| matches!(url.scheme(), "http" | "https")) else {
        return bad("it is no address; give one that begins with https:// or http://");
    };
    if url.fragment().is_some() {
        return bad("it has a fragment, which no request can carry; leave out the part behind #");
    }
    if url.port_or_known_default().is_some_and(|port| port < 1_024 && port != 80 && port != 443) {
        return bad("its port belongs to another protocol; use 80, 443, or one from 1024 on");
    }
    let address: Option<IpAddr> = match url.host() {
        Some(Host::Ipv4(address)) => Some(address.into()),
        Some(Host::Ipv6(address)) => Some(address.into()),
        _ => None,
    };
    let is_admitted = |address: &IpAddr| {
        network::is_public(*address) || allow_private.iter().any(|network| network.contains(&address.to_canonical()))
    };
    if address.is_some_and(|address| !is_admitted(&address)) {
        return bad("it lies at a private address, which this hub does not call");
    }
    Ok(())
}

/// The address at which a callback is asked or told something: its own query stays, ours follows (§5.3).
pub(super) fn with_query(callback: &str, parameters: &[(&str, &str)]) -> Option<Url> {
    let mut url = Url::parse(callback).ok()?;
    let mut ours = url::form_urlencoded::Serializer::new(String::new());
    ours.extend_pairs(parameters);
    let query = match url.query().filter(|query| !query.is_empty()) {
        Some(own) => format!("{own}&{}", ours.finish()),
        None => ours.finish(),
    };
    url.set_query(Some(&query));
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callbacks_that_are_no_public_address_of_the_web_are_refused() {
        let lab: Vec<IpNet> = vec!["127.0.0.0/8".parse().unwrap()];
        for (callback, expected) in [
            ("https://reader.example/cb?x=1", None),
            ("http://reader.example:8080/", None),
            ("http://127.0.0.1:9000/cb", None),
            ("http://[::ffff:127.0.0.1]/cb", None),
            ("http://93.184.216.34/", None),
            ("http://169.254.169.254/latest/meta-data", Some("private")),
            ("http://10.0.0.1/", Some("private")),
            ("http://0xa000001/", Some("private")),
            ("http://[::1]/", Some("private")),
            ("http://[64:ff9b::a00:1]/", Some("private")),
            ("ftp://reader.example/", Some("no address")),
            ("reader.example", Some("no address")),
            ("http://reader.example:25/", Some("port")),
            ("http://reader.example/#a", Some("fragment")),
        ] {
            let found = check_callback(callback, &lab).err();
            let is_expected = match (&found, expected) {
                (None, None) => true,
                (Some(Refused::Bad(what)), Some(word)) => what.contains(word),
                _ => false,
            };
            assert!(is_expected, "{callback}: {found:?}");
        }
        assert!(check_callback("http://127.0.0.1/", &[]).is_err());
    }

    #[test]
    fn the_callbacks_own_query_stays() {
        for (callback, expected) in [
            (
                "http://r.example/cb",
                "http://r.example/cb?hub.mode=subscribe&hub.topic=http%3A%2F%2Fm%2Fall.atom%3Fq%3Dx",
            ),
            (
                "http://r.example/cb?id=a%2Fb&c",
                "http://r.example/cb?id=a%2Fb&c&hub.mode=subscribe&hub.topic=http%3A%2F%2Fm%2Fall.atom%3Fq%3Dx",
            ),
        ] {
            let url =
                with_query(callback, &[("hub.mode", "subscribe"), ("hub.topic", "http://m/all.atom?q=x")]).unwrap();
            assert_eq!(url.as_str(), expected);
        }
    }

    #[test]
    fn leases_are_finite() {
        for (asked, seconds) in [("1", 300), ("86400", 86_400), ("99999999999", 30 * 86_400)] {
            assert_eq!(lease(asked), Ok(TimeDelta::seconds(seconds)), "{asked}");
        }
        assert!(lease("forever").is_err() && lease("-1").is_err());
    }
}
