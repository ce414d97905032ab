//! What a request says of who asks, and which feeds its address names.

use axum::extract::Request;
use axum::http::Uri;
use axum::http::header::AUTHORIZATION;
use std::net::IpAddr;

use url::form_urlencoded;

use crate::model::feed::FeedName;
use crate::model::source::{Secret, SourceKey, TopicKey};
use crate::serve::access::Peer;
use crate::serve::access::secrets::{self, LONGEST};

/// Before the token in an address.
const PREFIX: &str = "/t/";
/// What everybody may ask, also where the server is closed: it tells nothing of what is read. The hub
/// tells of nothing that is not public, wherever it is asked.
const OPEN: &[&str] = &["/healthz", "/readyz", "/style.css", "/favicon.ico", "/favicon.svg", "/robots.txt", "/hub"];

/// Who asks.
pub(super) struct Caller {
    pub(super) peer: Option<IpAddr>,
    /// From the address.
    pub(super) path_token: Option<Secret>,
    bearer: Option<Secret>,
    pub(super) basic: Option<(String, Secret)>,
}

impl Caller {
    /// Takes the token out of the request's address, so that nothing behind it sees or tells it. `None` when there is no such address.
    pub(super) fn read(request: &mut Request) -> Option<Self> {
        let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
        let mut caller = Self { peer, path_token: None, bearer: None, basic: None };
        let credentials = request.headers_mut().remove(AUTHORIZATION);
        let credentials = credentials.as_ref().and_then(|value| value.to_str().ok());
        match credentials.filter(|text| text.len() <= 2 * LONGEST).and_then(|text| text.split_once(' ')) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("basic") => {
                caller.basic = secrets::basic(rest).map(|(user, password)| (user, Secret::new(password)));
            }
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => {
                caller.bearer = Some(Secret::new(rest.trim().to_owned()));
            }
            _ => {}
        }
        if let Some(rest) = request.uri().path().strip_prefix(PREFIX) {
            let (token, path) = rest.split_once('/')?;
            caller.path_token = Some(Secret::new(token.to_owned())).filter(|_| (1..=LONGEST).contains(&token.len()));
            caller.path_token.as_ref()?;
            let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
            *request.uri_mut() = format!("/{path}{query}").parse::<Uri>().ok()?;
        }
        Some(caller)
    }

    pub(super) fn tokens(&self) -> impl Iterator<Item = &Secret> {
        self.path_token.iter().chain(&self.bearer)
    }
}

/// The feeds that a request speaks of: that of its path, and those of its parameters. A page counts as the combined feed, whose
/// permission is the server's. Empty for what everybody may ask.
pub(super) fn named(request: &Request) -> Vec<FeedName> {
    let path = request.uri().path();
    if OPEN.contains(&path) {
        return Vec::new();
    }
    let mut feeds = vec![of_path(path).unwrap_or(FeedName::All)];
    for (name, value) in form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()) {
        let values = value.split([',', ' ']).filter(|value| !value.is_empty());
        match &*name {
            "topic" => feeds.extend(values.filter_map(|key| TopicKey::new(key).ok()).map(FeedName::Topic)),
            "source" => feeds.extend(values.filter_map(|key| SourceKey::new(key).ok()).map(FeedName::Source)),
            _ => {}
        }
    }
    feeds
}

/// As the routes read it: the name is decoded, what stands before it is not.
fn of_path(path: &str) -> Option<FeedName> {
    let (home, rest) = path.strip_prefix('/')?.split_once('/')?;
    let name = decoded(rest.split('/').next()?)?;
    let key = name.split('.').next()?;
    match home {
        "topics" => TopicKey::new(key).ok().map(FeedName::Topic),
        "sources" => SourceKey::new(key).ok().map(FeedName::Source),
        _ => None,
    }
}

/// RFC 3986 §2.1. `None` for what is no text.
fn decoded(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| *first == b'%' && digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn names(address: &str) -> String {
        let request = Request::builder().uri(address).body(Body::empty()).unwrap();
        named(&request).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn an_address_names_its_feeds_in_every_spelling_that_routes_understand() {
        for (address, expected) in [
            ("/all.atom", "all"),
            ("/", "all"),
            ("/opml", "all"),
            ("/entries/1", "all"),
            ("/anything/else", "all"),
            ("/healthz", ""),
            ("/topics/secret.atom", "topics/secret"),
            ("/topics/secret", "topics/secret"),
            ("/topics/secret.atom.rss", "topics/secret"),
            ("/topics/secr%65t%2Eatom", "topics/secret"),
            ("/topics/%E9", "all"),
            ("/topics/secret/archive/1-2.atom", "topics/secret"),
            ("/sources/work.json?limit=5", "sources/work"),
            ("/all.atom?topic=secret&q=a", "all topics/secret"),
            (
                "/all.atom?topic=a,secret&source=work+b&topic=%73ecret",
                "all topics/a topics/secret sources/work sources/b topics/secret",
            ),
            ("/topics/world.atom?source=work", "topics/world sources/work"),
        ] {
            assert_eq!(names(address), expected, "{address}");
        }
    }

    #[test]
    fn a_token_is_taken_out_of_the_address_and_a_password_out_of_the_head() {
        let mut request = Request::builder()
            .uri("/t/abc/topics/secret.atom?limit=2")
            .header("authorization", "Basic YTpiOmM=")
            .body(Body::empty())
            .unwrap();
        let caller = Caller::read(&mut request).unwrap();
        assert_eq!(request.uri(), "/topics/secret.atom?limit=2");
        assert!(request.headers().is_empty());
        assert_eq!(caller.path_token.unwrap().reveal(), "abc");
        let (user, password) = caller.basic.unwrap();
        assert_eq!((user.as_str(), password.reveal()), ("a", "b:c"));
        for nowhere in ["/t/", "/t/abc", "/t//all.atom"] {
            let mut request = Request::builder().uri(nowhere).body(Body::empty()).unwrap();
            assert!(Caller::read(&mut request).is_none(), "{nowhere}");
        }
    }
}
