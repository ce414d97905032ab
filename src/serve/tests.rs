use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use tower::ServiceExt as _;

use crate::model::Timestamp;
use crate::model::feed::{FeedName, Format};
use crate::model::source::{SourceKey, TopicKey};
use crate::published::counters::Counters;
use crate::published::representation::Representation;
use crate::published::request::{FeedRequest, Refusal};
use crate::published::status::{Headline, Health, SourceStatus, Status, TopicStatus};
use crate::published::{Door, Opening, Published};
use crate::serve::{Service, router};

/// A door that tells what it was asked.
pub(super) struct Echo;

impl Door for Echo {
    fn feed(&self, request: FeedRequest) -> Opening {
        Box::pin(async move {
            match request.query.as_deref() {
                Some("busy") => Err(Refusal::Busy),
                Some("bad") => Err(Refusal::Bad("q: bad".to_owned())),
                _ => {
                    let text = format!("{}.{}?{}", request.feed, request.format.suffix(), request.to_query_string());
                    Ok(Arc::new(Representation::new(
                        request.format.media_type(),
                        text.into_bytes(),
                        Timestamp::UNIX_EPOCH,
                    )))
                }
            }
        })
    }
}

fn status() -> Status {
    let source = |key: &str, health, reason: Option<&str>| SourceStatus {
        key: SourceKey::new(key).unwrap(),
        title: format!("<script>{key}</script>"),
        address: "https://example.org/feed".to_owned(),
        feed_address: "https://example.org/feed".parse().ok(),
        site: None,
        topics: vec![TopicKey::new("world").unwrap()],
        health,
        reason: reason.map(str::to_owned),
        last_success: Some(Timestamp::UNIX_EPOCH),
        held: 0,
        next_poll: None,
        failures: 2,
        entries: 7,
        notes: vec!["odd & even".to_owned()],
    };
    Status {
        title: "The \"mill\"".to_owned(),
        base: "http://mill.example/".parse().ok(),
        sources: vec![source("good", Health::Good, None), source("bad", Health::Failing, Some("says \"no\"\nloudly"))],
        topics: vec![TopicStatus { key: TopicKey::new("world").unwrap(), title: "World".to_owned() }],
        latest: vec![Headline {
            title: "<b>News</b>".to_owned(),
            url: "https://example.org/1?a=1&b=2".parse().ok(),
            published: Timestamp::UNIX_EPOCH,
            sources: vec!["A & B".to_owned()],
        }],
        ..Status::default()
    }
}

async fn ask(path: &str, headers: &[(&str, &str)]) -> (StatusCode, axum::http::HeaderMap, String) {
    let published = Arc::new(Published::default());
    published.set_status(Arc::new(status()));
    let ready = Representation::new(Format::Atom.media_type(), b"ready".to_vec(), Timestamp::UNIX_EPOCH);
    published.put(FeedName::All, Format::Atom, Arc::new(ready));
    let service = Service { published, door: Arc::new(Echo), counters: Arc::new(Counters::default()) };
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router(service).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    (parts.status, parts.headers, String::from_utf8_lossy(&bytes).into_owned())
}

#[tokio::test]
async fn feeds_come_from_memory_when_they_are_ready_and_through_the_door_otherwise() {
    for (path, expected) in [
        ("/all.atom", "ready"),
        ("/all.atom?utm_source=x", "ready"),
        ("/all.rss", "all.rss?"),
        ("/all.json?limit=5&q=a", "all.json?limit=5&q=a"),
        ("/search.atom?q=a+b", "all.atom?q=a+b"),
        ("/topics/world.json", "topics/world.json?"),
        ("/sources/good.atom?since=2026-11-01", "sources/good.atom?since=2026-11-01T00%3A00%3A00Z"),
    ] {
        assert_eq!(ask(path, &[]).await.2, expected, "{path}");
    }
}

#[tokio::test]
async fn without_a_suffix_accept_decides() {
    let (_, headers, body) = ask("/topics/world", &[("accept", "application/feed+json")]).await;
    assert_eq!(body, "topics/world.json?");
    assert_eq!(headers["vary"], "Accept, Accept-Encoding");
    let (status, headers, _) = ask("/all", &[("accept", "text/html")]).await;
    assert_eq!((status, headers["location"].to_str().unwrap()), (StatusCode::SEE_OTHER, "/"));
}

#[tokio::test]
async fn refusals_are_told_in_plain_text() {
    for (path, status, expected) in [
        ("/all.atom?q=bad", StatusCode::BAD_REQUEST, "q: bad\n"),
        (
            "/all.atom?q=busy",
            StatusCode::SERVICE_UNAVAILABLE,
            "too busy for this question; ask again in a few seconds\n",
        ),
        (
            "/topics/UPPER.atom",
            StatusCode::NOT_FOUND,
            "`UPPER` is not a key: use 1 to 64 lower-case letters, digits and hyphens, beginning with a letter or digit\n",
        ),
    ] {
        let (found, headers, body) = ask(path, &[]).await;
        assert_eq!((found, body.as_str()), (status, expected), "{path}");
        assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
    }
    assert_eq!(ask("/all.atom?q=busy", &[]).await.1["retry-after"], "5");
}

#[tokio::test]
async fn the_page_escapes_what_publishers_say() {
    let (status, headers, body) = ask("/", &[]).await;
    assert_eq!(status, StatusCode::OK);
    assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    assert!(!body.contains("<script>") && !body.contains("<b>News"), "{body}");
    for part in [
        "&lt;b&gt;News&lt;/b&gt;",
        "A &amp; B",
        "odd &amp; even",
        "http://mill.example/topics/world.atom",
        "rel=\"alternate\"",
        "2 times in a row",
    ] {
        assert!(body.contains(part), "{part}");
    }
    // Those in trouble come first.
    assert!(body.find("health failing").unwrap() < body.find("health good").unwrap());
}

#[tokio::test]
async fn metrics_and_lists_escape_too() {
    let (_, _, metrics) = ask("/metrics", &[]).await;
    assert!(
        metrics.contains(
            "feedmill_source_problem{source=\"bad\",health=\"failing\",reason=\"says \\\"no\\\"\\nloudly\"} 1"
        ),
        "{metrics}"
    );
    assert!(metrics.contains("feedmill_source_up{source=\"good\"} 1"));
    let (_, _, opml) = ask("/opml", &[]).await;
    assert!(
        opml.contains("xmlUrl=\"http://mill.example/sources/bad.atom\"") && opml.contains("&lt;script&gt;"),
        "{opml}"
    );
    assert!(ask("/sources.opml", &[]).await.2.contains("<outline text=\"World\""));
}
