use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use tower::ServiceExt as _;

use crate::model::Timestamp;
use crate::model::entry::PublicId;
use crate::model::feed::{FeedName, Format};
use crate::model::source::{SourceKey, TopicKey};
use crate::published::counters::Counters;
use crate::published::listing::{Listed, ListedSource, Listing};
use crate::published::representation::Representation;
use crate::published::request::Cursor;
use crate::published::request::{FeedRequest, Refusal};
use crate::published::status::{Headline, Health, SourceStatus, Status, TopicStatus};
use crate::published::why::{
    Account, Asked, DocumentAccount, EntryAccount, FeedVerdict, HeldBy, MissingAccount, Moment, NearestAccount,
    OtherEntry, PollAccount, QueryVerdict, Question, RemovedAccount, SightingAccount, SourceAccount, TermVerdict,
    TextDifference, TextPiece,
};
use crate::published::{Accounting, Door, Listings, Opening, Published, Writing};
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

    fn account(&self, question: Question, write: Writing) -> Accounting {
        Box::pin(async move {
            let account = match question.asked {
                Asked::Id(PublicId([1, ..])) => Account::Entry(Box::new(entry_account(None))),
                Asked::Id(PublicId([2, ..])) => Account::Entry(Box::new(entry_account(Some("urn:uuid:02")))),
                Asked::Id(PublicId([3, ..])) => Account::Removed(RemovedAccount {
                    id: "urn:uuid:03".to_owned(),
                    asked: "urn:uuid:03".to_owned(),
                    removed: Moment(Timestamp::UNIX_EPOCH),
                    text: "It was here <once>.".to_owned(),
                }),
                Asked::Id(PublicId([4, ..])) => return Err(Refusal::Busy),
                Asked::Id(_) | Asked::Address(_) => Account::NeverSeen(MissingAccount {
                    asked: "https://a.example/<1>".to_owned(),
                    text: "Never seen.".to_owned(),
                    sources: vec![source_account()],
                }),
            };
            let written = write(&account);
            Ok((account, written))
        })
    }

    fn listing(&self, request: FeedRequest) -> Listings {
        Box::pin(async move {
            match request.query.as_deref() {
                Some("busy") => Err(Refusal::Busy),
                _ if request.feed.to_string() == "topics/wrld" => Err(Refusal::NotFound("there is no feed".to_owned())),
                Some("nothing") => Ok(Arc::new(Listing { entries: Vec::new(), next: None, ..listing(&request) })),
                _ => Ok(Arc::new(listing(&request))),
            }
        })
    }
}

/// Two entries, of which a publisher has written everything that a page must not take over.
fn listing(request: &FeedRequest) -> Listing {
    let source = |key: &str| ListedSource { key: SourceKey::new(key).unwrap(), title: format!("<u>{key}</u>") };
    let entry = |number: u8, url: &str, language: &str| Listed {
        id: PublicId([number; 16]),
        title: "<b>Pact</b> \"now\"".to_owned(),
        url: url.parse().ok(),
        published: Timestamp::UNIX_EPOCH,
        language: Some(language.to_owned()),
        sources: vec![source("good"), source("bad")],
        copies: 2,
        summary: Some("</p><script>alert(1)</script>".to_owned()),
    };
    Listing {
        title: "<i>World</i>".to_owned(),
        feed: request.feed.clone(),
        entries: vec![entry(1, "https://a.example/1?a=1&b=2", "de-AT"), entry(2, "javascript:alert(1)", "\"><script>")],
        next: Some(Cursor { sort_at_ms: 5, seq: request.limit.unwrap_or_default() as u64 }),
    }
}

const AT: Moment = Moment(Timestamp::UNIX_EPOCH);

fn source_account() -> SourceAccount {
    SourceAccount {
        source: "desk".to_owned(),
        title: "<i>Desk</i>".to_owned(),
        address: "https://a.example/feed".to_owned(),
        why: "its site has the host".to_owned(),
        last_attempt: Some(AT),
        last_success: None,
        problem: Some("says <no>".to_owned()),
        document: Some(DocumentAccount { at: AT, entries: 1, oldest: Some(AT) }),
        polls: vec![PollAccount {
            at: AT,
            outcome: "failed".to_owned(),
            reason: Some("<refused>".to_owned()),
            entries: None,
            new: 0,
            joined: 0,
            updated: 0,
        }],
    }
}

fn sighting_account(source: &str, url: &str, difference: Option<TextDifference>) -> SightingAccount {
    SightingAccount {
        source: source.to_owned(),
        source_title: format!("<u>{source}</u>"),
        is_declared: true,
        is_shown: difference.is_none(),
        id: "urn:uuid:01".to_owned(),
        guid: Some("\"><script>".to_owned()),
        url: Some(url.to_owned()),
        title: Some("<b>Pact</b>".to_owned()),
        published: Some(AT),
        first_seen: AT,
        updated: Some(AT),
        left: Some(AT),
        ground: if difference.is_some() { "same-url" } else { "first" }.to_owned(),
        score: 0.5,
        evidence: "the same <address>".to_owned(),
        matched: difference.as_ref().map(|it| it.with.clone()),
        difference,
    }
}

/// An account in which a publisher has written everything that a page must not take over.
fn entry_account(given_up: Option<&str>) -> EntryAccount {
    let other = OtherEntry {
        id: "urn:uuid:05".to_owned(),
        page: "http://mill.example/entries/05".to_owned(),
        title: Some("<s>Remark</s>".to_owned()),
        sources: vec!["agg".to_owned()],
    };
    let term = |text: &str, kind: &str, holds, branches| TermVerdict {
        text: text.to_owned(),
        kind: kind.to_owned(),
        holds,
        branches,
    };
    let query = term("…", "any", false, vec![term("title:\"<summit>\"", "term", false, Vec::new())]);
    let pieces = vec![
        TextPiece::Skipped(12),
        TextPiece::Same("talks in".to_owned()),
        TextPiece::Removed("<Rome>".to_owned()),
        TextPiece::Added("Paris & Nice".to_owned()),
    ];
    let difference = TextDifference { with: "desk".to_owned(), is_equal: false, is_cut: true, pieces };
    EntryAccount {
        id: "urn:uuid:01010101-0101-0101-0101-010101010101".to_owned(),
        page: "http://mill.example/entries/01010101-0101-0101-0101-010101010101".to_owned(),
        title: Some("<b>Pact</b>".to_owned()),
        url: Some("https://a.example/1?a=1&b=2".to_owned()),
        first_seen: AT,
        published: Some(AT),
        given_up: given_up.map(str::to_owned),
        hidden: Some("held <back>".to_owned()),
        shown_because: Some("it claims the earliest time".to_owned()),
        sightings: vec![
            sighting_account("desk", "https://a.example/1", None),
            sighting_account("copy", "javascript:alert(1)", Some(difference)),
        ],
        more_sightings: 3,
        nearest: Some(NearestAccount {
            entry: other.clone(),
            source: "desk".to_owned(),
            score: 0.25,
            verdict: "the same <address>, but the titles differ".to_owned(),
        }),
        others: vec![other],
        feeds: vec![HeldBy { feed: "topics/world".to_owned(), title: "<World>".to_owned(), since: AT }],
        feed: Some(FeedVerdict {
            feed: "topics/world".to_owned(),
            title: "<World>".to_owned(),
            belongs: true,
            is_in_document: false,
            page: Some(2),
            reasons: vec!["It is on <page> 2.".to_owned()],
            queries: vec![QueryVerdict { source: "desk".to_owned(), query }],
        }),
        sources: vec![source_account()],
    }
}

pub(super) fn status() -> Status {
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
        topics: vec![TopicStatus {
            key: TopicKey::new("world").unwrap(),
            title: "World".to_owned(),
            query: Some("title:\"<summit>\"".to_owned()),
        }],
        latest: vec![Headline {
            id: PublicId([1; 16]),
            title: "<b>News</b>".to_owned(),
            url: "https://example.org/1?a=1&b=2".parse().ok(),
            published: Timestamp::UNIX_EPOCH,
            sources: vec!["A & B".to_owned()],
        }],
        ..Status::default()
    }
}

pub(super) async fn ask(path: &str, headers: &[(&str, &str)]) -> (StatusCode, axum::http::HeaderMap, String) {
    let published = Arc::new(Published::default());
    published.set_status(Arc::new(status()));
    let ready = Representation::new(Format::Atom.media_type(), b"ready".to_vec(), Timestamp::UNIX_EPOCH);
    published.put(FeedName::All, Format::Atom, Arc::new(ready));
    let service = Service { published, door: Arc::new(Echo), counters: Arc::new(Counters::default()), hub: None };
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

/// One answer, by any method.
async fn asked(method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, axum::http::HeaderMap, String) {
    let published = Arc::new(Published::default());
    let at = Timestamp::from_timestamp(1_793_527_200, 900_000_000).unwrap();
    for format in Format::ALL {
        let ready = Representation::new(format.media_type(), b"ready".to_vec(), at);
        published.put(FeedName::All, format, Arc::new(ready));
    }
    let service = Service { published, door: Arc::new(Echo), counters: Arc::new(Counters::default()), hub: None };
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router(service).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    (parts.status.as_u16(), parts.headers, String::from_utf8_lossy(&bytes).into_owned())
}

/// RFC 9110 §13 and §12.5, RFC 9111 §5.2, as readers of feeds meet them.
#[tokio::test]
async fn every_request_for_a_feed_is_answered_as_http_says() {
    let (_, fresh, _) = asked("GET", "/all.atom", &[]).await;
    let tag = fresh["etag"].to_str().unwrap().trim_matches('"').to_owned();
    let changed = fresh["last-modified"].to_str().unwrap().to_owned();
    let (quoted, weak, gzip) = (format!("\"{tag}\""), format!("W/\"{tag}\""), format!("\"{tag}-gz\""));
    let (list, bare) = (format!("\"x\", W/\"y\" , {quoted}"), tag.clone());
    let other = ("if-none-match", "\"x\"");
    let since = ("if-modified-since", changed.as_str());
    let earlier = ("if-modified-since", "Sun, 01 Nov 2020 10:00:00 GMT");
    let later = ("if-modified-since", "Fri, 01 Jan 2100 10:00:00 GMT");
    let table: &[(&[(&str, &str)], u16)] = &[
        (&[], 200),
        (&[("if-none-match", &quoted)], 304),
        (&[("if-none-match", &weak)], 304),
        (&[("if-none-match", &gzip)], 304),
        (&[("if-none-match", &list)], 304),
        (&[("if-none-match", &bare)], 304),
        (&[("if-none-match", "*")], 304),
        (&[("if-none-match", &gzip), ("accept-encoding", "gzip")], 304),
        (&[("if-none-match", &quoted), earlier], 304),
        (&[other], 200),
        (&[other, since], 200),
        (&[other, later], 200),
        (&[since], 304),
        (&[later], 304),
        (&[earlier], 200),
        (&[("if-modified-since", "yesterday")], 200),
        (&[("accept-encoding", "gzip")], 200),
        (&[("accept-encoding", "identity;q=0, gzip")], 200),
        (&[("range", "bytes=0-1")], 200),
        (&[("range", "bytes=0-1"), ("if-range", &quoted)], 200),
        (&[("cache-control", "no-cache"), ("pragma", "no-cache")], 200),
        (&[("a-im", "vcdiff")], 200),
    ];
    for method in ["GET", "HEAD"] {
        for (headers, expected) in table {
            let case = format!("{method} {headers:?}");
            let (status, fields, body) = asked(method, "/all.atom", headers).await;
            assert_eq!(status, *expected, "{case}");
            let is_gzip = headers.iter().any(|(name, value)| *name == "accept-encoding" && value.contains("gzip"));
            let etag = if is_gzip { &gzip } else { &quoted };
            assert_eq!(fields["etag"].to_str().unwrap(), etag, "{case}");
            assert_eq!(fields["last-modified"].to_str().unwrap(), changed, "{case}");
            assert_eq!(fields["cache-control"], fresh["cache-control"], "{case}");
            assert_eq!(fields.get_all("vary").iter().count(), 1, "{case}");
            assert!(fields["vary"].to_str().unwrap().contains("Accept-Encoding"), "{case}");
            assert_eq!(fields.contains_key("content-type"), status == 200, "{case}");
            assert_eq!(fields.contains_key("content-encoding"), status == 200 && is_gzip, "{case}");
            assert!(!fields.contains_key("content-range"), "{case}");
            let is_empty = method == "HEAD" || status == 304;
            assert_eq!(body.is_empty(), is_empty, "{case}");
        }
    }
}

#[tokio::test]
async fn every_format_has_its_own_media_type() {
    for (suffix, expected) in [
        ("atom", "application/atom+xml; charset=utf-8"),
        ("rss", "application/rss+xml; charset=utf-8"),
        ("json", "application/feed+json; charset=utf-8"),
    ] {
        let (_, fields, _) = asked("GET", &format!("/all.{suffix}"), &[]).await;
        assert_eq!(fields["content-type"], expected);
        assert!(fields["cache-control"].to_str().unwrap().starts_with("public, max-age=60, "));
    }
}

#[tokio::test]
async fn archive_pages_are_asked_for_behind_the_door() {
    for (path, expected) in [
        ("/all/archive/0-1.atom", "all.atom?"),
        ("/topics/world/archive/2-17.rss", "topics/world.rss?"),
        ("/sources/good/archive/0-3.json", "sources/good.json?"),
    ] {
        let (status, fields, body) = asked("GET", path, &[]).await;
        assert_eq!((status, body.as_str()), (200, expected), "{path}");
        assert!(fields["cache-control"].to_str().unwrap().starts_with("public, max-age=86400, "), "{path}");
    }
    for path in ["/all/archive/0-1", "/all/archive/0-1.xml", "/topics/UPPER/archive/0-1.atom", "/sources/good/archive/"]
    {
        assert_eq!(asked("GET", path, &[]).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn without_a_suffix_accept_decides() {
    let (_, headers, body) = ask("/topics/world", &[("accept", "application/feed+json")]).await;
    assert_eq!(body, "topics/world.json?");
    assert_eq!(headers["vary"], "Accept, Accept-Encoding");
    let (status, headers, _) = ask("/all", &[("accept", "text/html")]).await;
    assert_eq!((status, headers["vary"].to_str().unwrap()), (StatusCode::OK, "Accept, Accept-Encoding"));
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
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
        "&#60;b&#62;News&#60;/b&#62;",
        "A &#38; B",
        "odd &#38; even",
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

pub(super) fn entry_path(number: u8, suffix: &str) -> String {
    format!("/entries/{}{suffix}", PublicId([number; 16]).bare())
}

#[tokio::test]
async fn the_page_of_an_entry_escapes_what_publishers_say() {
    let (status, headers, body) = ask(&entry_path(1, ""), &[]).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["content-security-policy"], super::page::POLICY);
    // What a page must not take over, it shows. No page says the shape of its own tags, so these can only be a publisher's.
    for foreign in
        ["<b>", "<i>", "<u>", "<s>", "<script", "<Rome>", "<summit>", "<World>", "<refused>", "<back>", "<address>"]
    {
        assert!(!body.contains(foreign), "{foreign}");
    }
    assert!(!body.contains("href=\"javascript:"), "only http(s) is a link");
    assert!(!body.contains(" style="), "the policy lets no style of a page's own");
    // Askama writes references as numbers.
    for part in [
        "<del>&#60;Rome&#62;</del>",
        "<ins>Paris &#38; Nice</ins>",
        "… 12 words the same …",
        "<del>only in desk</del> <ins>only here</ins>",
        "<link rel=\"alternate\" type=\"application/atom+xml\" title=\"&#60;World&#62; (atom)\" href=\"../topics/world.atom\">",
        "href=\"../style.css?v=",
        "It belongs to it, but is not in its current document.",
        "<li class=\"step-1\"><code>title:&#34;&#60;summit&#62;&#34;</code>: <span class=\"health failing\">no</span></li>",
        "5 sightings of one entry",
        "Readers see this one: it claims the earliest time.",
        "same-url (0.50): the same &#60;address&#62;",
        "Likeness 0.25, seen from desk",
        "Only the beginning of these long texts was compared.",
        "<time datetime=\"1970-01-01T00:00:00Z\"> 1 Jan 1970, 00:00 UTC</time>",
        "<option value=\"world\">",
    ] {
        assert!(body.contains(part), "{part} in\n{body}");
    }
}

#[tokio::test]
async fn accounts_are_answered_by_what_they_say() {
    let entry = PublicId([1; 16]).bare();
    let json = entry_path(1, ".json");
    let (status, headers, body) = ask(&json, &[]).await;
    assert_eq!((status, headers["content-type"].to_str().unwrap()), (StatusCode::OK, "application/json"));
    let read: Account = serde_json::from_str(&body).unwrap();
    assert_eq!(read, Account::Entry(Box::new(entry_account(None))));
    // A tag, and nothing that a date could say.
    let etag = headers["etag"].to_str().unwrap().to_owned();
    assert!(!headers.contains_key("last-modified"));
    assert_eq!(ask(&json, &[("if-none-match", &etag)]).await.0, StatusCode::NOT_MODIFIED);
    let date = [("if-modified-since", "Sun, 01 Nov 2026 10:00:00 GMT")];
    assert_eq!(ask(&json, &date).await.0, StatusCode::OK);

    for (suffix, expected) in [("", entry.clone()), (".json?in=a+b", format!("{entry}.json?in=a+b"))] {
        let (status, headers, _) = ask(&entry_path(2, suffix), &[]).await;
        assert_eq!((status, headers["location"].to_str().unwrap()), (StatusCode::MOVED_PERMANENTLY, &*expected));
    }
    for (path, expected, part) in [
        (entry_path(3, ""), StatusCode::GONE, "It was here &#60;once&#62;."),
        (entry_path(3, ".json"), StatusCode::GONE, "\"answer\":\"removed\""),
        (entry_path(4, ""), StatusCode::SERVICE_UNAVAILABLE, "too busy"),
        (entry_path(9, ""), StatusCode::NOT_FOUND, "Never seen."),
        (entry_path(9, ".json"), StatusCode::NOT_FOUND, "\"answer\":\"never_seen\""),
        ("/entries/1".to_owned(), StatusCode::NOT_FOUND, "`1` is no entry's id: one looks like"),
        ("/entries".to_owned(), StatusCode::BAD_REQUEST, "/entries?url=https://"),
        ("/entries?url=1".to_owned(), StatusCode::BAD_REQUEST, "neither"),
        ("/entries?url=https://a.example/1".to_owned(), StatusCode::NOT_FOUND, "&#60;refused&#62;"),
    ] {
        let (status, headers, body) = ask(&path, &[]).await;
        assert_eq!(status, expected, "{path}");
        assert!(body.contains(part), "{path}: {body}");
        assert!(!headers.contains_key("etag"), "{path}");
    }
}
