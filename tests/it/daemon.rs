//! The whole program, end to end, against publishers on loopback.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::origin::{Origin, Reply, rss};
use crate::program::{HEAD, Program, run, told};

const PACT: &str = "Leaders of both countries signed a comprehensive agreement on trade investment culture and security on Thursday after two days of \
                    talks in the capital that were watched closely by all of their neighbours";

fn folder(feeds: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("feeds.toml"), format!("{HEAD}{feeds}")).unwrap();
    folder
}

fn source(key: &str, url: &str, topics: &str) -> String {
    format!("[sources.{key}]\nurl = \"{url}\"\ntopics = [{topics}]\n")
}

/// Polls everything whatever its interval says; published when it returns.
fn poll(folder: &Path) {
    let (code, text) = told(folder, &["poll", "--force"]);
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn the_shipped_sample_is_published_on_a_first_start_without_internet() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shipped = fs::read_to_string(root.join("feeds.toml")).unwrap();
    // Everything but the sources that lie on the internet.
    let topics = &shipped[shipped.find("[topics.").unwrap()..shipped.find("[sources.").unwrap()];
    let sample = &shipped[shipped.find("[sources.sample]").unwrap()..];
    let folder = folder(&format!("{topics}{sample}"));
    fs::create_dir(folder.path().join("sample")).unwrap();
    fs::copy(root.join("sample/news.atom"), folder.path().join("sample/news.atom")).unwrap();
    let program = Program::start(folder.path());
    poll(folder.path());
    assert_eq!(program.items("/all.json").len(), 6);
    assert_eq!(program.items("/topics/world-news.json").len(), 6);
    assert_eq!(program.items("/all.json?q=title:welcome").len(), 1);
    assert_eq!(program.get("/readyz").text(), "ready\n");
    assert_eq!(program.stop(), Some(0));
}

#[test]
fn the_shipped_configuration_is_good() {
    let (code, text) = told(Path::new(env!("CARGO_MANIFEST_DIR")), &["check"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(!text.contains("warning"), "{text}");
}

/// Three desks: two carry one item under different guids and tracking queries, one an item of its own.
fn three_desks() -> (tempfile::TempDir, [Origin; 3]) {
    let origins = [Origin::start("127.0.0.1"), Origin::start("127.0.0.2"), Origin::start("127.0.0.3")];
    let page = origins[0].url("/news/pact/");
    let title = "Leaders sign a mutual defense pact after talks";
    let first = rss(
        "Desk A",
        &origins[0].url("/"),
        &[("http://a/?p=1", &format!("{page}?utm_source=rss&amp;utm_medium=feed"), title, PACT)],
    );
    let second = rss(
        "Outlet B",
        &origins[1].url("/"),
        &[("b-1", &origins[1].url("/flood"), "Rescue teams reach the last village", "Help came.")],
    );
    let third =
        rss("Copy C", &origins[2].url("/"), &[("c-77", &format!("{page}?utm_campaign=c&amp;fbclid=9"), title, PACT)]);
    for (origin, body) in origins.iter().zip([&first, &second, &third]) {
        origin.serve("/feed", Reply::rss(body));
    }
    let feeds = [
        source("desk-a", &origins[0].url("/feed"), "\"world\""),
        source("outlet-b", &origins[1].url("/feed"), "\"world\""),
        source("copy-c", &origins[2].url("/feed"), "\"copies\""),
    ];
    (folder(&feeds.concat()), origins)
}

#[test]
fn copies_are_one_entry_that_survives_another_round_and_a_kill() {
    let (folder, origins) = three_desks();
    let program = Program::start(folder.path());
    poll(folder.path());
    let items = program.items("/all.json");
    assert_eq!(items.len(), 2);
    let merged = items.iter().find(|item| item["title"].as_str().unwrap().contains("pact")).unwrap();
    let sources: HashSet<&str> =
        merged["_feedmill"]["sightings"].as_array().unwrap().iter().map(|it| it["source"].as_str().unwrap()).collect();
    assert_eq!(sources, HashSet::from(["desk-a", "copy-c"]));
    // Merged once, present everywhere.
    for feed in ["/topics/world.json", "/topics/copies.json", "/sources/desk-a.json", "/sources/copy-c.json"] {
        assert!(program.items(feed).iter().any(|item| item["id"] == merged["id"]), "{feed}");
    }
    let before = program.get("/all.atom");
    poll(folder.path());
    assert_eq!(program.get("/all.atom").text(), before.text());
    for origin in &origins {
        let asked = origin.asked("/feed");
        assert!(asked.len() >= 2);
        assert!(!asked[0].headers.contains_key("if-none-match"));
        assert!(asked[1..].iter().all(|asked| asked.headers.contains_key("if-none-match")), "{asked:?}");
    }
    program.kill();
    let program = Program::start(folder.path());
    poll(folder.path());
    let after = program.get("/all.atom");
    assert_eq!(after.text(), before.text());
    assert_eq!(after.headers["etag"], before.headers["etag"]);
    let last = origins[0].asked("/feed").pop().unwrap();
    assert!(last.headers.contains_key("if-none-match"), "validators survive: {last:?}");
}

#[test]
fn requests_are_polite() {
    let origin = Origin::start("127.0.0.1");
    origin.serve("/feed", Reply::status("302 Found", "location: /moved\r\nset-cookie: a=b\r\n"));
    origin.serve(
        "/moved",
        Reply::rss(&rss("Moved", "http://moved.example/", &[("1", "http://moved.example/1", "News", "Text")])),
    );
    let folder = folder(&source("one", &origin.url("/feed"), ""));
    let program = Program::start(folder.path());
    poll(folder.path());
    poll(folder.path());
    assert_eq!(program.items("/all.json").len(), 1);
    for asked in [origin.asked("/feed"), origin.asked("/moved")].concat() {
        assert!(asked.headers["user-agent"].starts_with("feedmill/"), "{asked:?}");
        assert!(asked.headers["accept-encoding"].contains("gzip"), "{asked:?}");
        for absent in ["cookie", "referer", "cache-control", "pragma"] {
            assert!(!asked.headers.contains_key(absent), "{absent}: {asked:?}");
        }
    }
    // Validators belong to the address that they came from.
    assert!(origin.asked("/feed").iter().all(|asked| !asked.headers.contains_key("if-none-match")));
    assert!(origin.asked("/moved")[1].headers.contains_key("if-none-match"));
}

#[test]
fn a_permanent_redirect_is_remembered_once_its_target_is_a_feed() {
    let origin = Origin::start("127.0.0.1");
    origin.serve("/old", Reply::status("301 Moved Permanently", "location: /new\r\n"));
    origin.serve(
        "/new",
        Reply::rss(&rss("New", "http://new.example/", &[("1", "http://new.example/1", "News", "Text")])),
    );
    let folder = folder(&source("one", &origin.url("/old"), ""));
    let program = Program::start(folder.path());
    poll(folder.path());
    poll(folder.path());
    assert!(origin.asked("/old").len() <= 2);
    let asked = origin.asked("/old").len();
    program.kill();
    let _program = Program::start(folder.path());
    poll(folder.path());
    assert_eq!(origin.asked("/old").len(), asked, "the new address is used from the next poll on");
}

#[test]
fn bad_publishers_are_marked_with_the_reason_and_harm_nobody_else() {
    let origin = Origin::start("127.0.0.1");
    let good = rss("Good", "http://good.example/", &[("1", "http://good.example/1", "News", "Text")]);
    let bomb = {
        let mut bytes =
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-type: application/xml\r\nconnection: close\r\n\r\n"
                .to_vec();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut encoder, &vec![b' '; 50 << 20]).unwrap();
        bytes.extend(encoder.finish().unwrap());
        bytes
    };
    let script: [(&str, Reply, &str); 9] = [
        ("silent", Reply::Silence, "within 2 s"),
        ("garbage", Reply::Raw(b"\x00\xff\x13garbage\r\n\r\n".to_vec()), "not HTTP"),
        ("endless", Reply::Endless, "larger than body_limit"),
        ("bomb", Reply::Raw(bomb), "larger than body_limit"),
        ("circle", Reply::status("302 Found", "location: /circle\r\n"), "circle"),
        ("broken", Reply::status("500 Internal Server Error", ""), "500"),
        ("page", Reply::rss("<!DOCTYPE html><html><body>No feed</body></html>"), "web page"),
        ("empty", Reply::rss("  "), "empty"),
        ("inward", Reply::status("302 Found", "location: http://10.0.0.1/feed\r\n"), "private address"),
    ];
    origin.serve("/good", Reply::rss(&good));
    let mut feeds = source("good", &origin.url("/good"), "");
    for (key, reply, _) in &script {
        origin.serve(&format!("/{key}"), reply.clone());
        feeds.push_str(&source(key, &origin.url(&format!("/{key}")), ""));
    }
    let folder = folder(&feeds);
    let mut program = Program::start(folder.path());
    // What is under way is waited for; what failed already waits for its turn.
    let (_, text) = told(folder.path(), &["poll", "--force"]);
    let listed: Vec<serde_json::Value> =
        serde_json::from_slice(&run(folder.path(), &["list", "--json"]).stdout).unwrap();
    let listed: HashMap<&str, &serde_json::Value> =
        listed.iter().map(|it| (it["source"].as_str().unwrap(), it)).collect();
    for (key, _, reason) in &script {
        assert_eq!(listed[key]["health"], "failing", "{key}: {text}");
        assert!(listed[key]["reason"].as_str().unwrap().contains(reason), "{key}: {}", listed[key]["reason"]);
    }
    assert_eq!(listed["good"]["health"], "good");
    assert_eq!(program.items("/all.json").len(), 1);
    program.signal("HUP");
    program.wait_for("is in effect");
    assert!(program.get("/metrics").text().contains("feedmill_source_problem"));
    assert!(program.get("/").text().contains("the redirects lead in a circle"));
}

#[test]
fn a_publisher_who_asks_for_a_pause_gets_it() {
    let origin = Origin::start("127.0.0.1");
    origin.serve("/later", Reply::status("429 Too Many Requests", "retry-after: 86400\r\n"));
    origin.serve("/gone", Reply::status("410 Gone", ""));
    let folder =
        folder(&[source("later", &origin.url("/later"), ""), source("gone", &origin.url("/gone"), "")].concat());
    let program = Program::start(folder.path());
    let (code, _) = told(folder.path(), &["poll", "--force"]);
    assert_eq!(code, Some(1));
    let (_, text) = told(folder.path(), &["poll", "--force"]);
    assert!(text.contains("later: the publisher forbids requests until"), "{text}");
    assert_eq!((origin.asked("/later").len(), origin.asked("/gone").len()), (1, 1));
    // Over a restart as well.
    assert_eq!(program.stop(), Some(0));
    let program = Program::start(folder.path());
    let _ = told(folder.path(), &["poll", "--force"]);
    assert_eq!(origin.asked("/later").len(), 1);
    // What is gone is asked again when it is named.
    let _ = told(folder.path(), &["poll", "gone"]);
    assert_eq!(origin.asked("/gone").len(), 2);
    drop(program);
}

#[test]
fn an_edit_is_live_and_a_bad_edit_changes_nothing() {
    let origin = Origin::start("127.0.0.1");
    origin.serve(
        "/one",
        Reply::rss(&rss("One", "http://one.example/", &[("1", "http://one.example/1", "First news", "Text")])),
    );
    origin.serve(
        "/two",
        Reply::rss(&rss("Two", "http://two.example/", &[("1", "http://two.example/1", "Second news", "Text")])),
    );
    let one = source("one", &origin.url("/one"), "\"world\"");
    let two = source("two", &origin.url("/two"), "\"world\"");
    let folder = folder(&one);
    let file = folder.path().join("feeds.toml");
    let mut program = Program::start(folder.path());
    poll(folder.path());
    let first = program.items("/all.json");

    fs::write(&file, format!("{HEAD}{one}{two}")).unwrap();
    program.wait_for("the edited configuration is in effect");
    program.wait_for("polled two");
    poll(folder.path());
    let both = program.items("/all.json");
    assert_eq!(both.len(), 2);
    assert!(both.contains(&first[0]));

    fs::write(&file, format!("{HEAD}{one}{two}[sources.three\n")).unwrap();
    let line = program.wait_for("feeds.toml: line");
    assert!(line.contains(&format!("line {}", HEAD.lines().count() + 7)), "{line}");
    assert_eq!(program.items("/all.json"), both);

    // A removed source is gone from outputs, and back when it is declared again.
    fs::write(&file, format!("{HEAD}{two}")).unwrap();
    program.wait_for("the edited configuration is in effect");
    poll(folder.path());
    let left = program.items("/all.json");
    assert_eq!(left, both.iter().filter(|item| item["title"] == "Second news").cloned().collect::<Vec<_>>());
    assert_eq!(program.get("/sources/one.atom").status, 404);
    fs::write(&file, format!("{HEAD}{one}{two}")).unwrap();
    program.wait_for("the edited configuration is in effect");
    poll(folder.path());
    assert_eq!(program.items("/all.json"), both);
}

#[test]
fn a_topic_follows_its_definition_without_polling_anything_again() {
    let origin = Origin::start("127.0.0.1");
    let items =
        [("1", "http://one.example/1", "Summit ends", "Text"), ("2", "http://one.example/2", "Flood rises", "Text")];
    origin.serve("/one", Reply::rss(&rss("One", "http://one.example/", &items)));
    let one = source("one", &origin.url("/one"), "");
    let folder = folder(&format!("{one}[topics.chosen]\nmatch = \"summit\"\n"));
    let mut program = Program::start(folder.path());
    poll(folder.path());
    let titles = |program: &Program| {
        program
            .items("/topics/chosen.json")
            .iter()
            .map(|item| item["title"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(titles(&program), ["Summit ends"]);
    let asked = origin.asked("/one").len();
    fs::write(folder.path().join("feeds.toml"), format!("{HEAD}{one}[topics.chosen]\nmatch = \"flood OR rises\"\n"))
        .unwrap();
    program.wait_for("the memberships of chosen follow its new definition");
    // Published when a command that waits for it returns.
    let _ = told(folder.path(), &["poll"]);
    assert_eq!(titles(&program), ["Flood rises"]);
    assert_eq!(origin.asked("/one").len(), asked);
}

#[test]
fn a_renamed_source_keeps_its_entries_and_ids() {
    let origin = Origin::start("127.0.0.1");
    origin.serve(
        "/one",
        Reply::rss(&rss("One", "http://one.example/", &[("1", "http://one.example/1", "News", "Text")])),
    );
    let folder = folder(&source("old", &origin.url("/one"), ""));
    let mut program = Program::start(folder.path());
    poll(folder.path());
    let before = program.items("/sources/old.json");
    fs::write(
        folder.path().join("feeds.toml"),
        format!("{HEAD}{}was = [\"old\"]\n", source("new", &origin.url("/one"), "")),
    )
    .unwrap();
    program.wait_for("the edited configuration is in effect");
    poll(folder.path());
    let after = program.items("/sources/new.json");
    assert_eq!((after.len(), &after[0]["id"]), (1, &before[0]["id"]));
    assert_eq!(program.items("/all.json").len(), 1);
}

#[test]
fn http_answers_keep_the_rules() {
    let (folder, _origins) = three_desks();
    let program = Program::start(folder.path());
    poll(folder.path());
    let plain = program.get("/all.atom");
    let zipped = program.ask("GET", "/all.atom", &[("accept-encoding", "gzip")]);
    assert_ne!(plain.headers["etag"], zipped.headers["etag"]);
    let mut inflated = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&zipped.body[..]), &mut inflated).unwrap();
    assert_eq!(inflated.into_bytes(), plain.body);
    for tag in [&plain.headers["etag"], &zipped.headers["etag"]] {
        let again = program.ask("GET", "/all.atom", &[("if-none-match", &format!("\"x\", W/{tag}"))]);
        assert_eq!(
            (again.status, again.body.len(), again.headers["vary"].as_str()),
            (304, 0, "Accept-Encoding, Sec-Fetch-Dest")
        );
    }
    let since = program.ask("GET", "/all.atom", &[("if-modified-since", &plain.headers["last-modified"])]);
    assert_eq!(since.status, 304);
    let head = program.ask("HEAD", "/all.atom", &[]);
    assert_eq!((head.body.len(), &head.headers["content-length"]), (0, &plain.body.len().to_string()));
    assert!(plain.text().contains("http://news.example/all.atom"), "links never follow the request's host");
    assert!(!plain.text().contains("elsewhere.example"));
    for (path, status, text) in [
        ("/all.atom?limit=0", 400, "limit: `0` is no number from 1 to 2000"),
        ("/all.atom?q=titel:x", 400, "did you mean `title:`?"),
        ("/topics/wrld.atom", 404, "did you mean /topics/world?"),
        ("/all.xml", 404, "there is no format `.xml`"),
        ("/nowhere/at/all", 404, "there is nothing at this address"),
    ] {
        let answer = program.get(path);
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.text().contains(text), "{path}: {}", answer.text());
    }
    assert_eq!(program.ask("POST", "/all.atom", &[]).status, 405);
    let page = program.items("/all.json?limit=1");
    let feed: serde_json::Value = serde_json::from_slice(&program.get("/all.json?limit=1").body).unwrap();
    let next = feed["next_url"].as_str().unwrap().strip_prefix("http://news.example").unwrap().to_owned();
    assert_eq!([page, program.items(&next)].concat(), program.items("/all.json"));
    assert!(program.get("/opml").text().contains("http://news.example/topics/world.atom"));
    assert!(program.get("/sources.opml").text().contains("/feed"));
}

#[test]
fn mistakes_are_told_and_nothing_is_half_written() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let cases: [(&str, &str); 6] = [
        (&format!("[server]\nlisten = \"{address}\"\n"), "is in use"),
        ("[server]\nlisten = \"127.0.0.1:0\"\n[store]\npath = \"feeds.toml\"\n", "is not a feedmill store"),
        ("[server]\nlisten = \"127.0.0.1:0\"\n[store]\npath = \".\"\n", "holds `feeds.toml`"),
        ("[sevrer]\n", "did you mean `server`?"),
        ("[server\n", "line 1, column"),
        ("[sources.a]\nurl = \"http://10.0.0.1/feed\"\n", "private address 10.0.0.1"),
    ];
    for (text, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("feeds.toml"), text).unwrap();
        let (code, told) = told(folder.path(), &[]);
        assert_eq!(code, Some(2), "{text}: {told}");
        assert!(told.contains(expected), "{text}: {told}");
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["feeds.toml"], "{text}");
    }
    let (code, text) = told(tempfile::tempdir().unwrap().path(), &["check"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("feeds.toml cannot be read"), "{text}");
}

#[test]
fn commands_work_without_a_daemon_too() {
    let (folder, origins) = three_desks();
    let (code, text) = told(folder.path(), &["poll", "desk-a"]);
    assert_eq!((code, text.as_str()), (Some(0), "desk-a: 1 new, 0 joined, 0 updated\n"));
    assert_eq!(origins[1].asked("/feed").len(), 0, "only what was named is polled");
    let (code, text) = told(folder.path(), &["poll"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("copy-c: 0 new, 1 joined, 0 updated"), "{text}");
    let (code, text) = told(folder.path(), &["poll"]);
    assert_eq!(code, Some(0));
    assert!(text.contains("not due before"), "{text}");
    let (_, text) = told(folder.path(), &["list"]);
    assert!(text.contains("Desk A"), "{text}");
    let (code, text) = told(folder.path(), &["poll", "desk-b"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("did you mean `desk-a`?"), "{text}");
}

/// Kills of the whole program in the middle of its work; more of them with `FEEDMILL_KILL_ROUNDS`.
#[test]
fn nothing_that_was_acknowledged_is_lost_by_a_kill() {
    let rounds: u32 = std::env::var("FEEDMILL_KILL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(6);
    let origin = Origin::start("127.0.0.1");
    let keys = ["a", "b", "c", "d", "e", "f"];
    let feeds: String = keys.iter().map(|key| source(key, &origin.url(&format!("/{key}")), "\"all-of-it\"")).collect();
    let folder = folder(&feeds);
    // What was acknowledged: ids by guid, as a reader saw them, and how many entries a command was told of.
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut grown = 0_usize;
    for round in 0..rounds {
        let program = Program::start(folder.path());
        compare(&program, &mut ids, &counts, round);
        let path = folder.path().to_owned();
        let (done, polled) = std::sync::mpsc::channel();
        grown += 3;
        for key in keys {
            origin.serve(&format!("/{key}"), Reply::rss(&growing(key, grown)));
        }
        let polling = std::thread::spawn(move || {
            let output = run(&path, &["poll", "--force", "--json"]);
            let _ = done.send(());
            String::from_utf8_lossy(&output.stdout).into_owned()
        });
        // Somewhere between "nothing has happened yet" and "all of it is stored".
        let moment = Duration::from_millis(u64::from(round * 7919 % 60));
        let _ = polled.recv_timeout(moment);
        note(&program, &mut ids);
        program.kill();
        for line in polling.join().unwrap().lines() {
            let told: serde_json::Value = serde_json::from_str(line).unwrap();
            let new = usize::try_from(told["new"].as_u64().unwrap()).unwrap();
            *counts.entry(told["source"].as_str().unwrap().to_owned()).or_default() += new;
        }
    }
    let program = Program::start(folder.path());
    compare(&program, &mut ids, &counts, rounds);
    poll(folder.path());
    assert_eq!(program.items("/all.json?limit=2000").len(), (keys.len() * grown).min(2000));
    println!("{rounds} kills, {} ids compared", ids.len());
}

fn growing(key: &str, count: usize) -> String {
    let items: Vec<[String; 4]> = (0..count)
        .rev()
        .map(|number| {
            let text = format!("Report {number} of {key}: {}", "many words about it ".repeat(20 + number % 7));
            [
                format!("{key}-{number}"),
                format!("http://{key}.example/{number}"),
                format!("News {number} of {key}"),
                text,
            ]
        })
        .collect();
    let items: Vec<(&str, &str, &str, &str)> = items
        .iter()
        .map(|[guid, link, title, text]| (guid.as_str(), link.as_str(), title.as_str(), text.as_str()))
        .collect();
    rss(key, &format!("http://{key}.example/"), &items)
}

fn note(program: &Program, ids: &mut BTreeMap<String, String>) {
    for item in program.items("/all.json?limit=2000") {
        let guid = item["_feedmill"]["sightings"][0]["guid"].as_str().unwrap().to_owned();
        ids.insert(guid, item["id"].as_str().unwrap().to_owned());
    }
}

fn compare(program: &Program, ids: &mut BTreeMap<String, String>, counts: &HashMap<String, usize>, round: u32) {
    let items = program.items("/all.json?limit=2000");
    let mut now: BTreeMap<String, String> = BTreeMap::new();
    for item in &items {
        let guid = item["_feedmill"]["sightings"][0]["guid"].as_str().unwrap().to_owned();
        let twice = now.insert(guid.clone(), item["id"].as_str().unwrap().to_owned());
        assert!(twice.is_none(), "round {round}: {guid} is there twice");
    }
    if items.len() < 2000 {
        for (guid, id) in ids.iter() {
            assert_eq!(now.get(guid), Some(id), "round {round}: {guid}");
        }
    }
    for (key, count) in counts {
        let found = program.items(&format!("/sources/{key}.json?limit=2000")).len();
        assert!(found >= (*count).min(2000), "round {round}: {key} has {found} of {count} acknowledged entries");
    }
    ids.extend(now);
}

#[test]
fn another_choice_of_media_is_seen_at_once() {
    let origin = Origin::start("127.0.0.1");
    let text = "&lt;img src=\"/p.png\"&gt;&lt;img src=\"data:,\" data-src=\"/q.png\"&gt;words";
    origin.serve("/feed", Reply::rss(&rss("A", "http://a.example/", &[("1", "http://a.example/1", "One", text)])));
    let folder = folder(&source("a", &origin.url("/feed"), ""));
    let mut program = Program::start(folder.path());
    poll(folder.path());
    let shown = |program: &Program| program.items("/all.json")[0]["content_html"].as_str().unwrap().to_owned();
    let before = shown(&program);
    assert!(before.contains("http://a.example/p.png") && before.contains("http://a.example/q.png"), "{before}");
    let path = folder.path().join("feeds.toml");
    let edited = fs::read_to_string(&path).unwrap().replace("[server]", "[server]\nmedia = \"none\"");
    fs::write(&path, edited).unwrap();
    program.wait_for("the edited configuration is in effect");
    poll(folder.path());
    assert!(!shown(&program).contains("img"), "{}", shown(&program));
}
