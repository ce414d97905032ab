//! The hub of the real binary, asked and obeyed as subscribers do it: what websub.rocks asks of hubs, and what a kill must not lose.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::origin::{Origin, Reply, rss};
use crate::program::{HEAD, Program, told};

/// Longest wait for a request; a hang still ends.
const PATIENCE: Duration = Duration::from_secs(60);
/// Looks at the metrics until something is counted; each takes a request.
const LOOKS: usize = 20_000;

/// What a callback was asked or told.
#[derive(Debug)]
enum Heard {
    /// With these parameters, decoded.
    Asked(HashMap<String, String>),
    Told {
        path: String,
        headers: HashMap<String, String>,
        body: Vec<u8>,
    },
}

/// How a callback answers a verification.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Confirms,
    /// Says something else than the challenge.
    Objects,
}

/// A subscriber that listens on loopback.
struct Subscriber {
    address: SocketAddr,
    mood: Arc<Mutex<Mood>>,
    /// Status lines for deliveries to come; 200 when there is none.
    replies: Arc<Mutex<VecDeque<&'static str>>>,
    heard: Receiver<Heard>,
}

impl Subscriber {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (sender, heard) = mpsc::channel();
        let mood = Arc::new(Mutex::new(Mood::Confirms));
        let replies: Arc<Mutex<VecDeque<&'static str>>> = Arc::default();
        let subscriber = Self {
            address: listener.local_addr().unwrap(),
            mood: Arc::clone(&mood),
            replies: Arc::clone(&replies),
            heard,
        };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (sender, mood, replies) = (sender.clone(), Arc::clone(&mood), Arc::clone(&replies));
                // A hub that was killed hangs up in the middle.
                std::thread::spawn(move || serve(stream, &sender, &mood, &replies));
            }
        });
        subscriber
    }

    fn callback(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn next(&self) -> Heard {
        self.heard.recv_timeout(PATIENCE).expect("the hub says something")
    }

    /// The parameters of the next request, which must be a verification.
    fn asked(&self) -> HashMap<String, String> {
        match self.next() {
            Heard::Asked(parameters) => parameters,
            told @ Heard::Told { .. } => panic!("a delivery instead of a verification: {told:?}"),
        }
    }

    fn delivery(&self) -> (String, HashMap<String, String>, String) {
        match self.next() {
            Heard::Told { path, headers, body } => (path, headers, String::from_utf8(body).unwrap()),
            asked @ Heard::Asked(_) => panic!("a verification instead of a delivery: {asked:?}"),
        }
    }
}

fn serve(
    mut stream: TcpStream,
    sender: &Sender<Heard>,
    mood: &Mutex<Mood>,
    replies: &Mutex<VecDeque<&'static str>>,
) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let (method, target) = (line.split(' ').next()?.to_owned(), line.split(' ').nth(1)?.to_owned());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let (status, answer) = if method == "GET" {
        let parameters: HashMap<String, String> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let challenge = parameters.get("hub.challenge").cloned().unwrap_or_default();
        let answer = if *mood.lock().unwrap() == Mood::Confirms { challenge } else { "no".to_owned() };
        sender.send(Heard::Asked(parameters)).ok()?;
        ("200 OK", answer)
    } else {
        let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let status = replies.lock().unwrap().pop_front().unwrap_or("200 OK");
        sender.send(Heard::Told { path: path.to_owned(), headers, body }).ok()?;
        (status, String::new())
    };
    let length = answer.len();
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{answer}").ok()
}

/// A daemon with one source, and a subscriber.
struct World {
    folder: tempfile::TempDir,
    origin: Origin,
    program: Program,
    subscriber: Subscriber,
    items: Vec<String>,
}

const TOPIC: &str = "http://news.example/all.atom";

impl World {
    fn new() -> Self {
        let (origin, folder) = (Origin::start("127.0.0.1"), tempfile::tempdir().unwrap());
        let url = origin.url("/desk");
        let hub =
            "[hub]\nallow_private = [\"127.0.0.0/8\"]\n[sources.secret]\nurl = \"file:none.xml\"\nprivate = true\n";
        fs::write(folder.path().join("feeds.toml"), format!("{HEAD}{hub}[sources.desk]\nurl = \"{url}\"\n")).unwrap();
        origin.serve("/desk", Reply::rss(&rss("Desk", "https://desk.example/", &[])));
        let program = Program::start(folder.path());
        let mut world = Self { folder, origin, program, subscriber: Subscriber::start(), items: Vec::new() };
        world.publish("first");
        world
    }

    /// The desk shows one more entry, and is polled.
    fn publish(&mut self, title: &str) {
        self.items.push(title.to_owned());
        let texts: Vec<[String; 2]> = self
            .items
            .iter()
            .map(|title| [format!("https://desk.example/{title}"), format!("What {title} is about.")])
            .collect();
        let items: Vec<(&str, &str, &str, &str)> =
            self.items.iter().zip(&texts).map(|(title, [link, text])| (&**title, &**link, &**title, &**text)).collect();
        self.origin.serve("/desk", Reply::rss(&rss("Desk", "https://desk.example/", &items)));
        let (code, text) = told(self.folder.path(), &["poll", "--force", "desk"]);
        assert_eq!(code, Some(0), "{text}");
    }

    fn ask(&self, parameters: &[(&str, &str)]) -> (u16, String) {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        let answer = self.program.post("/hub", &form);
        (answer.status, answer.text())
    }

    /// Subscribes a callback, and waits until it counts.
    fn subscribe(&self, path: &str, topic: &str, more: &[(&str, &str)]) -> HashMap<String, String> {
        let before = self.counted("feedmill_hub_verifications_total{outcome=\"confirmed\"}");
        let callback = self.subscriber.callback(path);
        let parameters = [("hub.mode", "subscribe"), ("hub.callback", &*callback), ("hub.topic", topic)];
        let (status, text) = self.ask(&[&parameters, more].concat());
        assert_eq!(status, 202, "{text}");
        let asked = self.subscriber.asked();
        self.wait_until(|world| world.counted("feedmill_hub_verifications_total{outcome=\"confirmed\"}") > before);
        asked
    }

    fn counted(&self, metric: &str) -> u64 {
        let text = self.program.get("/metrics").text();
        let line = text.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' ').map(str::to_owned));
        line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("there is no {metric} in {text}"))
    }

    fn wait_until(&self, is_so: impl Fn(&Self) -> bool) {
        assert!((0..LOOKS).any(|_| is_so(self)), "it does not come");
    }
}

#[test]
fn who_subscribes_is_asked_first_and_then_told_what_is_new_and_nothing_else() {
    let mut world = World::new();
    // What a hub does not know it ignores.
    let asked = world.subscribe(
        "/callback?own=1",
        TOPIC,
        &[("hub.lease_seconds", "86400"), ("hub.verify", "sync"), ("x", "y")],
    );
    assert_eq!(asked["hub.mode"], "subscribe");
    assert_eq!(asked["hub.topic"], TOPIC);
    assert_eq!(asked["hub.lease_seconds"], "86400");
    assert_eq!(asked["own"], "1", "the callback's own parameters stay");
    world.publish("second");
    let (path, headers, body) = world.subscriber.delivery();
    assert_eq!(path, "/callback");
    assert_eq!(headers["content-type"], "application/atom+xml; charset=utf-8");
    assert!(headers["link"].contains(&format!("<{TOPIC}>; rel=\"self\"")), "{headers:?}");
    assert!(headers["link"].contains("<http://news.example/hub>; rel=\"hub\""), "{headers:?}");
    assert!(!headers.contains_key("x-hub-signature"));
    assert!(body.contains("<title>second</title>") && !body.contains("<title>first</title>"), "{body}");
    // Feeds say where the hub is, in their documents and beside them.
    for (path, mark) in [("/all.atom", "rel=\"hub\""), ("/all.rss", "rel=\"hub\""), ("/all.json", "\"WebSub\"")] {
        let answer = world.program.get(path);
        assert!(answer.text().contains(mark), "{path}");
        assert!(answer.headers["link"].contains("rel=\"hub\"") && answer.headers["link"].contains("rel=\"self\""));
    }
}

#[test]
fn deliveries_are_signed_for_who_gave_a_secret_and_the_last_subscription_counts() {
    let mut world = World::new();
    world.subscribe("/callback", TOPIC, &[("hub.secret", "first secret")]);
    world.subscribe("/callback", TOPIC, &[("hub.secret", "a secret")]);
    world.wait_until(|world| world.counted("feedmill_hub_subscriptions") == 1);
    // One that the callback does not confirm changes nothing.
    *world.subscriber.mood.lock().unwrap() = Mood::Objects;
    let callback = world.subscriber.callback("/callback");
    let parameters = [
        ("hub.mode", "subscribe"),
        ("hub.callback", &*callback),
        ("hub.topic", TOPIC),
        ("hub.secret", "of a stranger"),
    ];
    assert_eq!(world.ask(&parameters).0, 202);
    world.subscriber.asked();
    world.wait_until(|world| world.counted("feedmill_hub_verifications_total{outcome=\"refused\"}") == 1);
    world.publish("second");
    let (_, headers, body) = world.subscriber.delivery();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"a secret");
    let signature = ring::hmac::sign(&key, body.as_bytes());
    let digits: Vec<String> = signature.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(headers["x-hub-signature"], format!("sha256={}", digits.concat()));
}

#[test]
fn who_unsubscribes_is_told_nothing_more() {
    let mut world = World::new();
    world.subscribe("/leaves", TOPIC, &[]);
    world.subscribe("/stays", TOPIC, &[]);
    let callback = world.subscriber.callback("/leaves");
    let parameters = [("hub.mode", "unsubscribe"), ("hub.callback", &*callback), ("hub.topic", TOPIC)];
    assert_eq!(world.ask(&parameters).0, 202);
    assert_eq!(world.subscriber.asked()["hub.mode"], "unsubscribe");
    world.wait_until(|world| world.counted("feedmill_hub_subscriptions") == 1);
    for title in ["second", "third"] {
        world.publish(title);
        assert_eq!(world.subscriber.delivery().0, "/stays");
    }
}

#[test]
fn a_query_is_a_topic_and_is_told_what_matches() {
    let mut world = World::new();
    let topic = "http://news.example/search.rss?q=third";
    assert_eq!(world.subscribe("/callback", topic, &[])["hub.topic"], topic);
    for title in ["second", "third"] {
        world.publish(title);
    }
    let (_, headers, body) = world.subscriber.delivery();
    assert_eq!(headers["content-type"], "application/rss+xml; charset=utf-8");
    assert!(headers["link"].contains("<http://news.example/all.rss?q=third>; rel=\"self\""), "{headers:?}");
    assert!(body.contains("<title>third</title>") && !body.contains("<title>second</title>"), "{body}");
}

#[test]
fn what_cannot_be_is_refused_in_words() {
    let world = World::new();
    let callback = world.subscriber.callback("/callback");
    for (mode, callback, topic, expected) in [
        ("subscribe", &*callback, "http://elsewhere.example/all.atom", "this hub tells of its own feeds alone"),
        ("subscribe", &*callback, "http://news.example/topics/nothing.atom", "there is no feed topics/nothing"),
        ("subscribe", &*callback, "http://news.example/sources/secret.atom", "there is no feed sources/secret"),
        ("subscribe", &*callback, "http://news.example/all.atom?source=secret", "there is no feed sources/secret"),
        ("subscribe", &*callback, "http://news.example/all.atom?q=(", "hub.topic: q: character"),
        ("subscribe", "http://169.254.1.1/x", TOPIC, "hub.callback"),
        ("subscribe", "ftp://reader.example/x", TOPIC, "hub.callback"),
        ("subscribe", "", TOPIC, "hub.callback is missing"),
        ("publish", &*callback, TOPIC, "knows by itself"),
    ] {
        let (status, text) = world.ask(&[("hub.mode", mode), ("hub.callback", callback), ("hub.topic", topic)]);
        assert_eq!(status, 400, "{topic} {callback}: {text}");
        assert!(text.contains(expected), "{topic} {callback}: {text}");
    }
    let long = "x".repeat(200);
    let parameters =
        [("hub.mode", "subscribe"), ("hub.callback", &*callback), ("hub.topic", TOPIC), ("hub.secret", &*long)];
    assert_eq!(world.ask(&parameters).0, 400);
    assert_eq!(world.counted("feedmill_hub_subscriptions"), 0);
}

#[test]
fn subscriptions_outlive_a_kill_and_who_was_not_told_is_told_afterwards() {
    let mut world = World::new();
    world.subscribe("/callback", TOPIC, &[]);
    world.program.signal("TERM");
    world.program.wait_for("stopped");
    world.program = Program::start(world.folder.path());
    world.wait_until(|world| world.counted("feedmill_hub_subscriptions") == 1);
    // It does not take what it is told, and then the hub is killed.
    world.subscriber.replies.lock().unwrap().push_back("503 Service Unavailable");
    world.publish("second");
    assert!(world.subscriber.delivery().2.contains("<title>second</title>"));
    world.program.kill();
    world.program = Program::start(world.folder.path());
    assert!(world.subscriber.delivery().2.contains("<title>second</title>"));
    world.wait_until(|world| world.counted("feedmill_hub_waiting") == 0);
    // Gone is gone.
    world.subscriber.replies.lock().unwrap().push_back("410 Gone");
    world.publish("third");
    assert!(world.subscriber.delivery().2.contains("<title>third</title>"));
    world.wait_until(|world| world.counted("feedmill_hub_subscriptions") == 0);
}
