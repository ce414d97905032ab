//! Against a publisher on loopback that answers byte for byte what the test says.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::{Barrier, mpsc};
use url::Url;

use crate::fetch::answer::{FailureKind, FetchFailure, Fetched};
use crate::fetch::page::FetchedPage;
use crate::fetch::{Fetcher, Request, Settings};
use crate::model::source::{Credentials, Location, Secret, Validators};

fn settings(allowed: &[&str]) -> Settings {
    Settings {
        user_agent: "feedmill/test".to_owned(),
        connect_timeout: Duration::from_secs(5),
        timeout: Duration::from_secs(5),
        body_limit: 1_000_000,
        allow_private: allowed.iter().map(|network| network.parse().unwrap()).collect(),
        allow_private_links: false,
        concurrency: 16,
        per_host: 16,
        host_delay: Duration::ZERO,
        hosts: BTreeMap::new(),
        idle_per_host: 2,
    }
}

fn fetcher() -> Fetcher {
    Fetcher::new(settings(&["127.0.0.0/8"])).unwrap()
}

/// What a request lends.
struct Asked {
    location: Location,
    named: Option<Url>,
    moved: Option<Url>,
    validators: Validators,
    credentials: Option<Credentials>,
    headers: Vec<(String, Secret)>,
}

impl Asked {
    fn lent(&self) -> Request<'_> {
        Request {
            location: &self.location,
            named: self.named.as_ref(),
            moved: self.moved.as_ref(),
            validators: &self.validators,
            credentials: self.credentials.as_ref(),
            headers: &self.headers,
        }
    }
}

fn request(url: &str) -> Asked {
    Asked {
        location: Location::Http(Url::parse(url).unwrap()),
        named: None,
        moved: None,
        validators: Validators::default(),
        credentials: None,
        headers: Vec::new(),
    }
}

/// Answers each connection with what `reply` makes of its path; tells every request.
async fn origin(
    host: &str,
    reply: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind((host, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, asked) = mpsc::unbounded_channel();
    let reply = Arc::new(reply);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (reply, sender) = (Arc::clone(&reply), sender.clone());
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else { return };
                    head.push(byte);
                }
                let head = String::from_utf8_lossy(&head).to_lowercase();
                let answer = reply(head.split(' ').nth(1).unwrap());
                let _ = sender.send(head);
                let _ = stream.write_all(&answer).await;
            });
        }
    });
    (address, asked)
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
        .into_bytes()
}

fn kind(fetched: &Fetched) -> FailureKind {
    match fetched {
        Fetched::Failed(failure) => failure.kind,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn validators_come_back_byte_for_byte() {
    for etag in ["\"a\"", "W/\"a\"", "unquoted", "\"é\"", "\"-gzip\""] {
        let sent = etag.to_owned();
        let (address, mut asked) = origin("127.0.0.1", move |_| {
            answer("200 OK", &format!("etag: {sent}\r\nlast-modified: yesterday-ish\r\n"), "<rss/>")
        })
        .await;
        let fetcher = fetcher();
        let mut request = request(&format!("http://{address}/feed"));
        let Fetched::Fresh(document) = fetcher.fetch(request.lent()).await.0 else { panic!("{etag}") };
        assert_eq!(document.validators.etag.as_deref(), Some(etag.as_bytes()));
        let first = asked.recv().await.unwrap();
        assert!(!first.contains("if-none-match") && !first.contains("if-modified-since"), "{first}");
        request.validators = document.validators;
        fetcher.fetch(request.lent()).await;
        let second = asked.recv().await.unwrap();
        assert!(
            second.contains(&format!("if-none-match: {}", etag.to_lowercase()))
                && second.contains("if-modified-since: yesterday-ish"),
            "{second}"
        );
    }
}

#[tokio::test]
async fn a_304_keeps_what_it_does_not_replace_and_is_refused_where_nothing_was_asked() {
    let (address, _asked) = origin("127.0.0.1", |_| {
        b"HTTP/1.1 304 Not Modified\r\netag: \"new\"\r\ncache-control: max-age=60\r\n\r\n".to_vec()
    })
    .await;
    let mut request = request(&format!("http://{address}/feed"));
    assert_eq!(kind(&fetcher().fetch(request.lent()).await.0), FailureKind::Status(304));
    request.validators = Validators {
        url: Url::parse(&format!("http://{address}/feed")).ok(),
        etag: Some(b"\"old\"".to_vec()),
        last_modified: Some(b"then".to_vec()),
    };
    let Fetched::NotModified { validators, hints, .. } = fetcher().fetch(request.lent()).await.0 else { panic!() };
    assert_eq!((validators.etag.unwrap(), validators.last_modified.unwrap()), (b"\"new\"".to_vec(), b"then".to_vec()));
    assert_eq!(hints.max_age, Some(Duration::from_secs(60)));
}

#[tokio::test]
async fn private_addresses_are_reached_only_where_the_file_admits_them() {
    let (address, _asked) = origin("127.0.0.1", |_| answer("200 OK", "", "<rss/>")).await;
    let port = address.port();
    let strict = Fetcher::new(settings(&[])).unwrap();
    for url in [
        format!("http://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://0x7f.1:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://0:{port}/"),
    ] {
        assert_eq!(kind(&strict.fetch(request(&url).lent()).await.0), FailureKind::Refused, "{url}");
    }
    let open = fetcher();
    for url in [format!("http://127.0.0.1:{port}/"), format!("http://localhost:{port}/")] {
        assert!(matches!(open.fetch(request(&url).lent()).await.0, Fetched::Fresh(_)), "{url}");
    }
}

#[tokio::test]
async fn a_redirect_stays_within_the_network_that_admitted_the_source() {
    let (inner, _asked) = origin("127.0.0.2", |_| answer("200 OK", "", "<rss/>")).await;
    let (outer, _asked) = origin("127.0.0.1", move |path| match path {
        "/address" => answer("302 Found", &format!("location: http://{inner}/\r\n"), ""),
        _ => answer("302 Found", "location: file:///etc/passwd\r\n", ""),
    })
    .await;
    let fetcher = Fetcher::new(settings(&["127.0.0.1/32", "127.0.0.2/32"])).unwrap();
    assert_eq!(kind(&fetcher.fetch(request(&format!("http://{outer}/address")).lent()).await.0), FailureKind::Refused);
    assert_eq!(kind(&fetcher.fetch(request(&format!("http://{outer}/file")).lent()).await.0), FailureKind::Redirect);
    let wide = Fetcher::new(settings(&["127.0.0.0/8"])).unwrap();
    assert!(matches!(wide.fetch(request(&format!("http://{outer}/address")).lent()).await.0, Fetched::Fresh(_)));
}

#[tokio::test]
async fn credentials_and_headers_never_leave_their_origin() {
    let (other, mut elsewhere) = origin("127.0.0.1", |_| answer("200 OK", "", "<rss/>")).await;
    let (own, mut asked) = origin("127.0.0.1", move |_| {
        answer("302 Found", &format!("set-cookie: a=b\r\nlocation: http://{other}/next\r\n"), "")
    })
    .await;
    let mut request = request(&format!("http://{own}/feed?token=1"));
    request.credentials = Some(Credentials { username: "u".to_owned(), password: Secret::new("p".to_owned()) });
    request.headers = vec![("x-key".to_owned(), Secret::new("k".to_owned()))];
    assert!(matches!(fetcher().fetch(request.lent()).await.0, Fetched::Fresh(_)));
    let first = asked.recv().await.unwrap();
    assert!(first.contains("authorization: basic dtpw") && first.contains("x-key: k"), "{first}");
    let second = elsewhere.recv().await.unwrap();
    for absent in ["authorization", "x-key", "cookie", "referer", "token"] {
        assert!(!second.contains(absent), "{absent}: {second}");
    }
}

#[tokio::test]
async fn only_the_leading_permanent_redirects_are_a_move() {
    let (address, _asked) = origin("127.0.0.1", |path| match path {
        "/a" => answer("301 Moved Permanently", "location: /b\r\n", ""),
        "/b" => answer("308 Permanent Redirect", "location: /c\r\n", ""),
        "/c" => answer("302 Found", "location: /d\r\n", ""),
        "/d" => answer("301 Moved Permanently", "location: /e\r\n", ""),
        _ => answer("200 OK", "", "<rss/>"),
    })
    .await;
    for (from, expected) in [("/a", Some("/c")), ("/b", Some("/c")), ("/c", None), ("/d", Some("/e")), ("/e", None)] {
        let Fetched::Fresh(document) = fetcher().fetch(request(&format!("http://{address}{from}")).lent()).await.0
        else {
            panic!("{from}")
        };
        assert_eq!(document.moved.as_ref().map(Url::path), expected, "{from}");
    }
}

#[tokio::test]
async fn broken_answers_are_told_apart() {
    let (address, _asked) = origin("127.0.0.1", |path| match path {
        "/cut" => b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n<rss>".to_vec(),
        "/zip" => b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nplain".to_vec(),
        "/empty" => answer("200 OK", "", " \n"),
        "/nothing" => answer("204 No Content", "", ""),
        "/part" => answer("206 Partial Content", "", "<rss/>"),
        "/bot" => answer("403 Forbidden", "cf-mitigated: challenge\r\n", ""),
        "/lost" => answer("302 Found", "", ""),
        _ => answer("404 Not Found", "", ""),
    })
    .await;
    for (path, expected) in [
        ("/cut", FailureKind::Truncated),
        ("/zip", FailureKind::Decoding),
        ("/empty", FailureKind::EmptyBody),
        ("/nothing", FailureKind::Status(204)),
        ("/part", FailureKind::Status(206)),
        ("/bot", FailureKind::BotCheck),
        ("/lost", FailureKind::Redirect),
        ("/missing", FailureKind::Status(404)),
    ] {
        assert_eq!(
            kind(&fetcher().fetch(request(&format!("http://{address}{path}")).lent()).await.0),
            expected,
            "{path}"
        );
    }
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(kind(&fetcher().fetch(request(&format!("http://{free}/")).lent()).await.0), FailureKind::Connect);
}

/// Fetches that wait for each other end only if they are under way at once.
#[tokio::test]
async fn fetches_overlap() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let barrier = Arc::new(Barrier::new(8));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let barrier = Arc::clone(&barrier);
            tokio::spawn(async move {
                barrier.wait().await;
                let _ = stream.write_all(&answer("200 OK", "", "<rss/>")).await;
                // Read what was asked, so that closing does not reset the connection.
                let _ = stream.read(&mut [0; 2048]).await;
            });
        }
    });
    let fetcher = Arc::new(fetcher());
    let mut fetches = tokio::task::JoinSet::new();
    for number in 0..8 {
        let fetcher = Arc::clone(&fetcher);
        fetches.spawn(async move { fetcher.fetch(request(&format!("http://{address}/{number}")).lent()).await.0 });
    }
    while let Some(fetched) = fetches.join_next().await {
        assert!(matches!(fetched.unwrap(), Fetched::Fresh(_)));
    }
}

#[tokio::test]
async fn a_file_is_read_and_unchanged_it_is_not_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("news.xml");
    std::fs::write(&path, "<rss/>").unwrap();
    let mut request = request("http://unused.example/");
    request.location = Location::File(path.clone());
    let Fetched::Fresh(document) = fetcher().fetch(request.lent()).await.0 else { panic!() };
    request.validators = document.validators;
    assert!(matches!(fetcher().fetch(request.lent()).await.0, Fetched::NotModified { .. }));
    std::fs::write(&path, "<rss></rss>").unwrap();
    assert!(matches!(fetcher().fetch(request.lent()).await.0, Fetched::Fresh(_)));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(kind(&fetcher().fetch(request.lent()).await.0), FailureKind::File);
}

/// Fetches a page with private networks open to links or not.
async fn page(url: &str, is_open: bool) -> Result<FetchedPage, FetchFailure> {
    let settings = Settings { allow_private_links: is_open, ..settings(&["127.0.0.0/8"]) };
    Fetcher::new(settings).unwrap().page(&Url::parse(url).unwrap()).await.map(|(page, _)| page)
}

#[tokio::test]
async fn pages_lie_in_private_networks_only_where_links_may() {
    let html = |path: &str| match path {
        "/robots.txt" => answer("404 Not Found", "", ""),
        _ => answer("200 OK", "content-type: text/html; charset=utf-8\r\n", "<p>"),
    };
    let (address, mut asked) = origin("127.0.0.1", html).await;
    for url in [format!("http://{address}/a"), format!("http://localhost:{}/a", address.port())] {
        assert_eq!(page(&url, false).await.unwrap_err().kind, FailureKind::Refused, "{url}");
        assert_eq!(page(&url, true).await.unwrap().body, b"<p>", "{url}");
    }
    assert!(asked.recv().await.unwrap().starts_with("get /robots.txt"));
    let head = asked.recv().await.unwrap();
    assert!(head.contains("accept: text/html, application/xhtml+xml\r\n") && head.contains("feedmill/test"), "{head}");
    for url in ["file:///etc/passwd", "data:text/html,x", "ftp://example.org/"] {
        assert_eq!(page(url, true).await.unwrap_err().kind, FailureKind::Refused, "{url}");
    }
}

#[tokio::test]
async fn rules_of_sites_are_obeyed_at_every_hop_and_asked_for_once() {
    let (closed, _asked) = origin("127.0.0.1", |path| match path {
        "/robots.txt" => answer("503 Service Unavailable", "", ""),
        _ => answer("200 OK", "content-type: text/html\r\n", "<p>"),
    })
    .await;
    let (address, mut asked) = origin("127.0.0.1", move |path| match path {
        "/robots.txt" => answer("301 Moved Permanently", "location: /rules\r\n", ""),
        "/rules" => answer("200 OK", "", "User-agent: *\nDisallow: /private\n"),
        "/inward" => answer("302 Found", "location: /private/a\r\n", ""),
        "/away" => answer("302 Found", &format!("location: http://{closed}/\r\n"), ""),
        _ => answer("200 OK", "content-type: text/html\r\n", "<p>"),
    })
    .await;
    let settings = Settings { allow_private_links: true, ..settings(&[]) };
    let fetcher = Fetcher::new(settings).unwrap();
    let check = async |path: &str, expected: Option<FailureKind>| {
        let found = fetcher.page(&Url::parse(&format!("http://{address}{path}")).unwrap()).await;
        assert_eq!(found.err().map(|failure| failure.kind), expected, "{path}");
    };
    check("/private/a", Some(FailureKind::Forbidden)).await;
    check("/open", None).await;
    check("/inward", Some(FailureKind::Forbidden)).await;
    check("/away", Some(FailureKind::Forbidden)).await;
    let mut paths = Vec::new();
    while let Ok(head) = asked.try_recv() {
        paths.push(head.split(' ').nth(1).unwrap().to_owned());
    }
    assert_eq!(paths, ["/robots.txt", "/rules", "/open", "/inward", "/away"]);
}

#[tokio::test]
async fn only_web_pages_are_taken() {
    let (address, _asked) = origin("127.0.0.1", |path| match path {
        "/robots.txt" => answer("403 Forbidden", "", ""),
        "/picture" => answer("200 OK", "content-type: image/png\r\n", "x"),
        "/bare" => answer("200 OK", "", "<p>"),
        "/large" => answer("200 OK", "content-type: text/html\r\n", &"x".repeat(1_000_001)),
        "/xhtml" => answer("200 OK", "content-type: Application/XHTML+xml;charset=utf-8\r\n", "<p>"),
        _ => answer("404 Not Found", "content-type: text/html\r\n", "<p>"),
    })
    .await;
    let kind =
        async |path: &str| page(&format!("http://{address}{path}"), true).await.err().map(|failure| failure.kind);
    assert_eq!(kind("/picture").await, Some(FailureKind::Other));
    assert_eq!(kind("/bare").await, Some(FailureKind::Other));
    assert_eq!(kind("/large").await, Some(FailureKind::TooLarge));
    assert_eq!(kind("/missing").await, Some(FailureKind::Status(404)));
    assert_eq!(kind("/xhtml").await, None);
}
