//! Real sockets, on loopback: what a well-behaved reader never does.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio_util::sync::CancellationToken;

use crate::model::Timestamp;
use crate::model::feed::{FeedName, Format};
use crate::published::Published;
use crate::published::counters::Counters;
use crate::published::representation::Representation;
use crate::serve::connection::HEAD_LIMIT;
use crate::serve::pulse::Patience;
use crate::serve::tests::Echo;
use crate::serve::{Service, Serving, listen};

/// A hang still ends.
const LONGEST: Duration = Duration::from_secs(30);

struct Server {
    address: SocketAddr,
    counters: Arc<Counters>,
    published: Arc<Published>,
    serving: Serving,
    stop: CancellationToken,
}

/// Its ticks are a hundredth of a second.
fn server(connections: usize, patience: Patience) -> Server {
    let published = Arc::new(Published::default());
    let ready = Representation::new("text/plain", b"ready".to_vec(), Timestamp::UNIX_EPOCH);
    published.put(FeedName::All, Format::Atom, Arc::new(ready));
    let counters = Arc::new(Counters::default());
    let service =
        Service { published: Arc::clone(&published), door: Arc::new(Echo), counters: Arc::clone(&counters), hub: None };
    let stop = CancellationToken::new();
    let listeners = listen("127.0.0.1:0".parse().unwrap(), 1).unwrap();
    let address = listeners.address;
    let tick = Duration::from_millis(10);
    let serving = Serving::with_patience(listeners, service, connections, (tick, patience), stop.clone()).unwrap();
    Server { address, counters, published, serving, stop }
}

const FOR_EVER: u32 = u32::MAX;
const PATIENT: Patience = Patience { head: FOR_EVER, idle: FOR_EVER, write: FOR_EVER };

impl Server {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LONGEST)).unwrap();
        stream
    }

    /// All that comes until the server ends the connection.
    fn told(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        rest(&mut stream)
    }
}

fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error}"),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An answer's head, in lower case.
fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap().to_lowercase()
}

/// The answer's head, in lower case, and its body of known length.
fn answer(stream: &mut TcpStream) -> (String, String) {
    let head = head(stream);
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |it| it.parse().unwrap());
    let mut body = vec![0; if head.contains("304") { 0 } else { length }];
    stream.read_exact(&mut body).unwrap();
    (head, String::from_utf8(body).unwrap())
}

#[test]
fn what_is_ready_has_the_headers_of_a_routed_answer() {
    let server = server(9, PATIENT);
    let fields = |path: &str| {
        let head = server
            .told(&format!("GET {path} HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip\r\nconnection: close\r\n\r\n"));
        let head = head.split("\r\n\r\n").next().unwrap().to_lowercase();
        let mut fields: Vec<String> =
            head.lines().filter(|line| !line.starts_with("date:")).map(str::to_owned).collect();
        fields.sort();
        fields
    };
    // A parameter that says nothing sends the same document the router's way.
    assert_eq!(fields("/all.atom"), fields("/all.atom?utm_source=x"));
}

#[test]
fn head_and_not_modified_have_no_body() {
    let server = server(9, PATIENT);
    let mut stream = server.connect();
    stream.write_all(b"HEAD /all.atom HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let head = head(&mut stream);
    assert!(head.starts_with("http/1.1 200") && head.contains("content-length: 5\r\n"), "{head}");
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned();
    // Nothing of a body came: what comes next is the next answer.
    stream.write_all(format!("GET /all.atom HTTP/1.1\r\nhost: x\r\nif-none-match: {tag}\r\n\r\n").as_bytes()).unwrap();
    let (head, _) = answer(&mut stream);
    assert!(head.starts_with("http/1.1 304") && head.contains(&format!("etag: {tag}\r\n")), "{head}");
    stream.write_all(b"GET /all.atom HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert_eq!(answer(&mut stream).1, "ready");
    assert_eq!(server.counters.read().answers, [0, 2, 1, 0, 0]);
}

#[test]
fn requests_sent_ahead_are_answered_in_order() {
    let server = server(9, PATIENT);
    let ask = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    let mut stream = server.connect();
    let paths = ["/all.atom", "/all.rss", "/nothing/here", "/all.atom", "/healthz"];
    stream.write_all(paths.map(ask).concat().as_bytes()).unwrap();
    let answers: Vec<String> = paths.iter().map(|_| answer(&mut stream).1).collect();
    assert_eq!(answers[..2], ["ready", "all.rss?"]);
    assert!(answers[2].starts_with("there is nothing"));
    assert_eq!(answers[3..], ["ready", "ok\n"]);
    assert_eq!(server.counters.read().answers, [0, 4, 0, 1, 0]);
}

#[test]
fn a_head_that_never_ends_is_cut() {
    let server = server(9, Patience { head: 10, ..PATIENT });
    // Byte by byte, so that the connection is never silent for long.
    let mut stream = server.connect();
    let cut = (0..100_000).any(|_| {
        std::thread::yield_now();
        stream.write_all(b"x").is_err() || stream.peek(&mut [0]).is_ok_and(|count| count == 0)
    });
    assert!(cut || rest(&mut stream).is_empty());
    // One that never begins is, too.
    assert_eq!(rest(&mut server.connect()), "");
}

#[test]
fn an_idle_connection_is_closed() {
    let server = server(9, Patience { idle: 10, ..PATIENT });
    let text = server.told("GET /all.atom HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(text.ends_with("\r\n\r\nready"), "{text}");
}

#[test]
fn a_reader_that_takes_nothing_is_cut() {
    let server = server(1, Patience { write: 10, ..PATIENT });
    let large = Representation::new("text/plain", vec![b'x'; 1_000_000], Timestamp::UNIX_EPOCH);
    server.published.put(FeedName::All, Format::Json, Arc::new(large));
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.connect(&server.address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(LONGEST)).unwrap();
    // More than any system buffers.
    stream.write_all("GET /all.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100).as_bytes()).unwrap();
    // Its place is free again although it never left.
    let is_free = (0..10_000).any(|_| {
        let text = server.told("GET /all.atom HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        text.ends_with("ready")
    });
    assert!(is_free);
    assert!(rest(&mut stream).len() < 100_000_000);
}

#[test]
fn a_head_that_is_too_long_is_told_so() {
    let server = server(9, PATIENT);
    // No byte more than is read: a connection that is closed with unread bytes is reset, and with it the answer.
    let mut long = "GET /all.atom HTTP/1.1\r\nhost: x\r\nx-long: ".to_owned();
    long.extend(std::iter::repeat_n('x', HEAD_LIMIT - long.len()));
    let text = server.told(&long);
    assert!(text.starts_with("HTTP/1.1 431 "), "{text}");
    let many = "x-many: 1\r\n".repeat(101);
    let text = server.told(&format!("GET /all.atom HTTP/1.1\r\nhost: x\r\n{many}\r\n"));
    assert!(text.starts_with("HTTP/1.1 431 "), "{text}");
}

#[test]
fn bodies_are_not_taken() {
    let server = server(9, PATIENT);
    let text = server.told("POST /all.atom HTTP/1.1\r\nhost: x\r\ncontent-length: 70000\r\n\r\n");
    assert!(text.starts_with("HTTP/1.1 413 ") && text.contains("connection: close\r\n"), "{text}");
    let text = server.told("POST /all.atom HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi");
    assert!(text.starts_with("HTTP/1.1 405 ") && text.contains("allow: GET, HEAD\r\n"), "{text}");
}

#[test]
fn one_connection_too_many_is_told_to_come_later() {
    let server = server(2, PATIENT);
    let mut held = [server.connect(), server.connect()];
    for stream in &mut held {
        stream.write_all(b"GET /all.atom HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        assert_eq!(answer(stream).1, "ready");
    }
    let text = rest(&mut server.connect());
    assert!(text.starts_with("HTTP/1.1 503 ") && text.contains("retry-after: 5\r\n"), "{text}");
    assert_eq!(server.counters.read().answers, [0, 2, 0, 0, 1]);
    // Those who are connected are answered on.
    held[0].write_all(b"GET /all.atom HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert_eq!(answer(&mut held[0]).1, "ready");
}

#[tokio::test]
async fn a_stop_ends_idle_connections_and_all_threads() {
    let server = server(9, PATIENT);
    let mut stream = server.connect();
    stream.write_all(b"GET /all.atom HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert_eq!(answer(&mut stream).1, "ready");
    server.stop.cancel();
    server.serving.ended().await;
    assert_eq!(rest(&mut stream), "");
    assert!(TcpStream::connect(server.address).is_err());
}

#[test]
fn the_best_coding_that_is_made_is_sent() {
    let server = server(9, PATIENT);
    let coded = |accepted: &str| {
        let text = server.told(&format!(
            "HEAD /all.atom HTTP/1.1\r\nhost: x\r\naccept-encoding: {accepted}\r\nconnection: close\r\n\r\n"
        ));
        let text = text.to_lowercase();
        assert!(text.contains("vary: accept-encoding, sec-fetch-dest\r\n"), "{text}");
        text.lines().find_map(|line| line.strip_prefix("content-encoding: ")).map(str::to_owned)
    };
    assert_eq!(coded("br, zstd, gzip").as_deref(), Some("gzip"));
    assert_eq!(coded("br"), None);
    let before = server.published.get(&FeedName::All, Format::Atom).unwrap();
    let after = Arc::new(before.condensed());
    server.published.replace(&FeedName::All, Format::Atom, &before, after);
    assert_eq!(coded("br, zstd, gzip").as_deref(), Some("br"));
    assert_eq!(coded("zstd, gzip;q=0.5").as_deref(), Some("zstd"));
    assert_eq!(coded("gzip, br;q=0.5").as_deref(), Some("gzip"));
    assert_eq!(coded("identity"), None);
}

#[test]
fn a_browser_that_opens_a_feed_is_shown_a_page_and_nobody_else_is() {
    let server = server(9, PATIENT);
    let ask = |more: &str| {
        let text = server.told(&format!(
            "GET /all.atom HTTP/1.1\r\nhost: x\r\naccept: text/html\r\n{more}connection: close\r\n\r\n"
        ));
        (text.contains("This address is a feed"), text.ends_with("ready"))
    };
    assert_eq!(ask(""), (false, true));
    assert_eq!(ask("sec-fetch-mode: cors\r\nsec-fetch-dest: empty\r\n"), (false, true));
    assert_eq!(ask("sec-fetch-mode: navigate\r\nsec-fetch-dest: document\r\n"), (true, false));
}

/// A frame of HTTP/2 (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// The head of a GET (RFC 7541 §6), which is the whole request.
fn get(stream: u8, path: &str) -> Vec<u8> {
    let length = u8::try_from(path.len()).unwrap();
    frame(1, 0x5, stream, &[&[0x82, 0x86, 0x04, length], path.as_bytes(), &[0x01, 1, b'x']].concat())
}

#[test]
fn readers_who_begin_with_http_2_are_answered_in_it_several_requests_at_once() {
    let server = server(9, PATIENT);
    let mut stream = server.connect();
    let settings = frame(4, 0, 0, &[]);
    let begun = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &*settings, &get(1, "/all.atom"), &get(3, "/healthz")].concat();
    stream.write_all(&begun).unwrap();
    let (mut bodies, mut ended) = ([Vec::new(), Vec::new()], 0);
    while ended < 2 {
        let mut head = [0; 9];
        stream.read_exact(&mut head).unwrap();
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload).unwrap();
        let number = usize::from(head[8] / 2);
        match head[3] {
            0 => bodies[number].extend(payload),
            1 => assert_eq!(payload[0], 0x88, "the status is 200"),
            _ => continue,
        }
        ended += u32::from(head[4] & 1);
    }
    let expected = server.published.get(&FeedName::All, Format::Atom).unwrap();
    assert_eq!(bodies[0], expected.identity.body);
    assert_eq!(bodies[1], b"ok\n");
}

#[test]
fn what_begins_like_http_2_and_is_not_harms_nobody() {
    let server = server(9, PATIENT);
    for text in ["P", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", "PRI / HTTP/1.1\r\nhost: x\r\n\r\n"] {
        let mut stream = server.connect();
        stream.write_all(text.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let told = rest(&mut stream);
        assert!(!told.contains("200 OK"), "{text}: {told}");
    }
    let told = server.told("POST /all.atom HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    assert!(told.starts_with("HTTP/1.1 405"), "{told}");
}
