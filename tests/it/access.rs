//! Who may read what, with the real binary: passwords, tokens, and no byte of a private source where everybody may read.

use std::fs;
use std::path::Path;

use crate::origin::{Origin, Reply, rss};
use crate::program::{Answer, HEAD, Program, told};

const PACT: &str = "Leaders of both countries signed a comprehensive agreement on trade investment culture and security on \
                    Thursday after two days of talks in the capital that were watched closely by all of their neighbours";
const TITLE: &str = "Leaders sign a mutual defense pact after talks";
const PAGE: &str = "http://desk.example/news/pact";
/// Stands in whatever a private source says, in its name, and in the name of a topic that is not public.
const MARKER: &str = "zxqmarker";
/// Stands in addresses of sources, where tokens do.
const SECRET: &str = "hunter2hunter2";

struct House {
    folder: tempfile::TempDir,
    program: Program,
    /// `Basic …`
    ana: String,
    ben: String,
    token: String,
    _origin: Origin,
}

/// What follows a text in what a command printed, to the end of the line.
fn after(text: &str, before: &str) -> String {
    let at = text.find(before).unwrap_or_else(|| panic!("{before} in {text}")) + before.len();
    text[at..].lines().next().unwrap().trim().to_owned()
}

/// RFC 4648 §4.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().chain(&[0, 0]).take(3).fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place)) as usize & 63] as char;
            text.push(if place <= chunk.len() { letter } else { '=' });
        }
    }
    text
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", base64(format!("{user}:{password}").as_bytes()))
}

/// A desk for everybody, and a source of ours whose copy of the desk's news says more, with news of its own.
fn publishers() -> Origin {
    let origin = Origin::start("127.0.0.1");
    let marked = |text: &str| format!("{text} {MARKER}");
    let desk = [
        ("d-1", PAGE, TITLE, PACT),
        ("d-2", "http://desk.example/flood", "Rescue teams reach the last village", "Help came."),
    ];
    let copied = marked(&format!("{PACT} and sanctions were spoken of"));
    let (guid, own, title) = (format!("{MARKER}-1"), format!("http://{MARKER}.example/own"), marked("Our own news"));
    let work = [
        (&*guid, &*format!("{PAGE}?utm_source={MARKER}"), TITLE, &*copied),
        (&*own, &*own, &*title, "Nobody else has it, and sanctions stand in it."),
    ];
    origin.serve("/desk", Reply::rss(&rss("The Desk", "http://desk.example/", &desk)));
    let diary = [("1", "http://diary.example/1", &*title, "Dear diary")];
    origin.serve("/work?a", Reply::rss(&rss(&marked("Diary"), "http://diary.example/", &diary)));
    origin.serve("/work", Reply::rss(&rss(&marked("Work"), &format!("http://{MARKER}.example/"), &work)));
    origin
}

fn feeds(origin: &Origin, server: &str, access: &str) -> String {
    let url = |path: &str| origin.url(path);
    format!(
        "{}[access.family]\n{access}\
         [sources.desk]\nurl = \"{}\"\ntopics = [\"world\", \"{MARKER}-topic\"]\n\
         [sources.{MARKER}]\nurl = \"{}\"\ntopics = [\"world\", \"{MARKER}-topic\"]\nprivate = true\naccess = \"family\"\n\
         [sources.diary-{MARKER}]\nurl = \"{}?a\"\nprivate = true\n\
         [sources.broken]\nurl = \"{}?token={SECRET}\"\n\
         [topics.world]\n[topics.{MARKER}-topic]\naccess = \"family\"\n[topics.trade]\nmatch = 'sanctions'\n",
        HEAD.replace("[poll]", &format!("{server}[poll]")),
        url("/desk"),
        url("/work"),
        url("/work"),
        url("/broken"),
    )
}

fn house(server: &str) -> House {
    let origin = publishers();
    let folder = tempfile::tempdir().unwrap();
    let (_, password) = told(folder.path(), &["access", "password", "ana"]);
    let (_, token) = told(folder.path(), &["access", "token", "phone"]);
    let lines = [after(&password, "under [access.NAME]:\n"), after(&token, "remove the line:\n")];
    fs::write(folder.path().join("ben.txt"), "ben has chosen this\n").unwrap();
    let access = format!("{}\nusers.ben = {{ file = \"ben.txt\" }}\n", lines.join("\n"));
    fs::write(folder.path().join("feeds.toml"), feeds(&origin, server, &access)).unwrap();
    let program = Program::start(folder.path());
    // The broken one fails.
    assert_eq!(told(folder.path(), &["poll", "--force"]).0, Some(1));
    House {
        ana: basic("ana", &after(&password, "(it is shown only now): ")),
        ben: basic("ben", "ben has chosen this"),
        token: after(&token, "(it is shown only now): "),
        folder,
        program,
        _origin: origin,
    }
}

impl House {
    fn get(&self, path: &str, authorization: &str) -> Answer {
        let headers = [("authorization", authorization)];
        self.program.ask("GET", path, if authorization.is_empty() { &[] } else { &headers })
    }

    /// The ids of the entry that both have and of that which only the private source has, as addresses have them.
    fn ids(&self) -> [String; 2] {
        let json: serde_json::Value =
            serde_json::from_slice(&self.get(&format!("/topics/{MARKER}-topic.json"), &self.ana).body).unwrap();
        let id = |title: &str| {
            let items = json["items"].as_array().unwrap().iter();
            let item = items.clone().find(|item| item["title"].as_str().unwrap().starts_with(title));
            item.unwrap()["id"].as_str().unwrap().strip_prefix("urn:uuid:").unwrap().to_owned()
        };
        [id("Leaders"), id("Our own")]
    }
}

fn formats(feed: &str) -> [String; 3] {
    ["atom", "rss", "json"].map(|suffix| format!("{feed}.{suffix}"))
}

#[test]
fn no_byte_of_a_private_source_is_in_a_public_output() {
    let house = house("");
    let [mixed, own] = house.ids();
    let feeds = ["/all", "/search", "/topics/world", "/topics/trade", "/sources/desk"].map(formats);
    let queries = ["all.json?q=sanctions", "all.json?q=title:own", "all.json?limit=1", "search.atom?q=pact"];
    let pages =
        ["", "opml", "sources.opml", "metrics", "nowhere", "topics/nowhere.atom", "sources/nowhere.atom", "all"];
    let entries = [
        format!("entries/{mixed}"),
        format!("entries/{mixed}.json"),
        format!("entries/{mixed}?in=world"),
        format!("entries/{own}"),
        format!("entries/{own}.json"),
        format!("entries?url={PAGE}"),
        "entries?url=http://desk.example/flood".to_owned(),
        "entries?url=http://unknown.example/".to_owned(),
    ];
    let others = queries.into_iter().chain(pages).map(str::to_owned).chain(entries).map(|path| format!("/{path}"));
    let closed = [format!("/topics/{MARKER}-topic"), format!("/sources/{MARKER}"), format!("/sources/diary-{MARKER}")];
    let closed = closed.iter().flat_map(|feed| formats(feed));
    for path in feeds.into_iter().flatten().chain(others).chain(closed) {
        let answer = house.program.get(&path);
        let text = answer.text();
        // What was asked for may be repeated.
        let told = if path.contains(MARKER) { text.replace(&path[1..path.len() - 5], "") } else { text };
        assert!(!told.contains(MARKER) && !told.contains("sanctions were"), "{path}: {told}");
        assert!(!told.contains(SECRET), "{path}: {told}");
        assert!(!format!("{:?}", answer.headers).contains(MARKER) || path.contains(MARKER), "{path}");
    }
    // The entry that both have is there, as the desk alone would have it.
    let items = house.program.items("/all.json");
    let item = items.iter().find(|item| item["id"].as_str().unwrap().ends_with(&mixed)).unwrap();
    assert_eq!(item["_feedmill"]["sightings"].as_array().unwrap().len(), 1);
    assert_eq!(house.program.get(&format!("/entries/{mixed}")).status, 200);
    assert_eq!(house.program.get(&format!("/entries/{own}")).status, 404);
    // What it belongs to by its private copy alone it does not belong to.
    assert_eq!(house.program.items("/topics/trade.json").len(), 0);
    assert_eq!(house.program.items("/topics/world.json").len(), 2);
    assert_eq!(house.program.get(&format!("/sources/diary-{MARKER}.atom")).status, 404);
    // The failing one is told, without its token.
    assert!(house.program.get("/").text().contains("broken"));
}

#[test]
fn readers_of_a_group_are_let_in_by_password_and_by_token() {
    let house = house("");
    let feed = format!("/topics/{MARKER}-topic.atom");
    for path in [&feed, &format!("/sources/{MARKER}.json"), &format!("/all.atom?topic={MARKER}-topic")] {
        let refused = house.program.get(path);
        assert_eq!(refused.status, 401, "{path}");
        assert!(refused.headers["www-authenticate"].starts_with("Basic realm="), "{refused:?}");
        assert_eq!(refused.headers["cache-control"], "no-store");
        for authorization in [&house.ana, &house.ben, &format!("Bearer {}", house.token)] {
            let answer = house.get(path, authorization);
            assert_eq!(answer.status, 200, "{path} {authorization}");
            assert!(answer.text().contains(MARKER) && !answer.text().contains(&house.token), "{path}");
            assert_eq!(answer.headers["cache-control"], "private, max-age=60");
            assert_eq!(answer.headers["x-robots-tag"], "noindex");
            assert!(!answer.headers.contains_key("access-control-allow-origin"));
            let again = [("authorization", &**authorization), ("if-none-match", &*answer.headers["etag"])];
            assert_eq!(house.program.ask("GET", path, &again).status, 304, "{path}");
        }
    }
    for path in [&feed] {
        for wrong in [basic("ana", "wrong"), basic("nobody", "wrong"), "Bearer wrong".to_owned(), "Basic %".to_owned()]
        {
            assert_eq!(house.get(path, &wrong).status, 401, "{path} {wrong}");
        }
    }
    // The links of a document that came with a token lead on with it, and it has a tag of its own.
    let prefix = format!("/t/{}", house.token);
    let answer = house.program.get(&format!("{prefix}{feed}?limit=1"));
    assert_eq!(answer.status, 200);
    let link = format!("rel=\"next\" href=\"http://news.example{prefix}{feed}?before=");
    let links = answer.text().matches(&format!("http://news.example{prefix}{feed}")).count();
    assert!(links >= 2, "{link}: {}", answer.text());
    assert_ne!(answer.headers["etag"], house.get(&format!("{feed}?limit=1"), &house.ana).headers["etag"]);
    let again = [("if-none-match", &*answer.headers["etag"])];
    assert_eq!(house.program.ask("GET", &format!("{prefix}{feed}?limit=1"), &again).status, 304);
    // What is public stays as it is, also below a token; a wrong one leads nowhere.
    assert_eq!(house.program.get(&format!("{prefix}/all.atom")).text(), house.program.get("/all.atom").text());
    for path in ["/all.atom", "/", "/opml", &*feed] {
        assert_eq!(house.program.get(&format!("/t/wrong{path}")).status, 401, "{path}");
    }
}

#[test]
fn removing_a_line_withdraws_it() {
    let house = house("");
    let path = format!("/t/{}/sources/{MARKER}.atom", house.token);
    assert_eq!(house.program.get(&path).status, 200);
    let file = house.folder.path().join("feeds.toml");
    let text = fs::read_to_string(&file).unwrap();
    let without: String = text.split_inclusive('\n').filter(|line| !line.starts_with("tokens.")).collect();
    fs::write(&file, without).unwrap();
    house.program.signal("HUP");
    while house.program.get(&path).status == 200 {}
    assert_eq!(house.program.get(&path).status, 401);
    assert_eq!(house.get(&format!("/sources/{MARKER}.atom"), &house.ana).status, 200);
}

#[test]
fn a_closed_server_lets_nobody_see_anything_but_that_it_runs() {
    let house = house("access = \"family\"\n");
    for path in [
        "/",
        "/all.atom",
        "/all",
        "/topics/world.json",
        "/sources/desk.rss",
        "/opml",
        "/sources.opml",
        "/metrics",
        "/entries/1",
        "/x/y",
    ] {
        assert_eq!(house.program.get(path).status, 401, "{path}");
    }
    for path in ["/healthz", "/readyz", "/style.css"] {
        assert_eq!(house.program.get(path).status, 200, "{path}");
    }
    let prefix = format!("/t/{}", house.token);
    for path in ["/", "/all.atom", "/opml", "/metrics", &*format!("/sources/diary-{MARKER}.json")] {
        let answer = house.program.get(&format!("{prefix}{path}"));
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.text().contains(MARKER), "{path}: {}", answer.text());
    }
    // Pages lead on by relative links; a list that is imported has to carry the token.
    assert!(!house.program.get(&format!("{prefix}/")).text().contains(&house.token));
    let list = house.program.get(&format!("{prefix}/opml")).text();
    assert!(list.contains(&format!("xmlUrl=\"http://news.example{prefix}/all.atom\"")), "{list}");
}

#[test]
fn whoever_guesses_has_to_wait_and_whoever_is_known_has_not() {
    let house = house("");
    let path = format!("/sources/{MARKER}.atom");
    assert_eq!(house.get(&path, &house.ana).status, 200);
    let tries = (0..40).map(|_| house.get(&path, &basic("ben", "wrong")));
    let limited = tries.into_iter().find(|answer| answer.status == 429).expect("guessing is limited");
    assert!(limited.headers["retry-after"].parse::<u32>().unwrap() >= 1);
    assert_eq!(house.get(&path, &house.ana).status, 200);
    assert_eq!(house.program.get(&format!("/t/{}{path}", house.token)).status, 200);
}

#[test]
fn pages_of_other_sites_may_read_what_is_public() {
    let house = house("");
    let answer = house.program.get("/all.atom");
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    assert!(answer.headers["access-control-expose-headers"].contains("ETag"));
    let link = "<http://news.example/hub>; rel=\"hub\", <http://news.example/all.atom>; rel=\"self\"";
    assert_eq!(answer.headers["link"], link);
    let again = house.program.ask("GET", "/all.atom", &[("if-none-match", &answer.headers["etag"])]);
    assert_eq!((again.status, &*again.headers["access-control-allow-origin"]), (304, "*"));
    let asks = [("origin", "http://reader.example"), ("access-control-request-headers", "if-none-match")];
    for (path, is_open) in [("/all.atom".to_owned(), true), (format!("/sources/{MARKER}.atom"), false)] {
        let answer = house.program.ask("OPTIONS", &path, &asks);
        assert_eq!(
            (answer.status, answer.headers.contains_key("access-control-allow-headers")),
            (204, is_open),
            "{path}"
        );
    }
    for path in ["/all.atom", "/nowhere", "/", "/metrics"] {
        assert_eq!(house.program.get(path).headers["x-content-type-options"], "nosniff", "{path}");
    }
}

#[test]
fn mistakes_about_access_are_told_with_their_place_and_without_secrets() {
    for (text, expected) in [
        (
            "[access.family]\nusers.ana = \"my password\"\n",
            "line 2, column 13: what stands here for `ana` is no hash of a password",
        ),
        (
            "[access.family]\ntokens.phone = \"my password\"\n",
            "line 2, column 16: what stands here for `phone` is no hash of a token",
        ),
        ("[access.family]\nuser.ana = \"x\"\n", "did you mean `users`?"),
        ("[access.public]\n", "`public` means everybody and cannot be a group"),
        ("[server]\naccess = \"famly\"\n[access.family]\n", "there is no group `famly` (did you mean \"family\"?)"),
        (
            "[sources.a]\nurl = \"https://a.example/\"\nprivate = true\naccess = \"public\"\n",
            "[sources.a] is private, so its own feed cannot be public",
        ),
        (
            "[access.family]\nusers.ana = { file = \"none.txt\" }\n",
            "line 2, column 22: the file none.txt cannot be read",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("feeds.toml"), text).unwrap();
        let (code, told) = told(folder.path(), &["check"]);
        assert_eq!(code, Some(2), "{text}: {told}");
        assert!(told.contains(expected), "{text}: {told}");
        assert!(!told.contains("my password"), "{told}");
    }
}

#[test]
fn check_says_who_may_read_what_and_what_is_probably_not_meant() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[server]\nlisten = \"0.0.0.0:8470\"\npublic_url = \"http://news.example/\"\n[access.family]\n\
                [sources.a]\nurl = \"https://a.example/\"\nprivate = true\naccess = \"family\"\ntopics = [\"t\"]\n[topics.t]\n";
    let checked = |path: &Path| told(path, &["check"]);
    fs::write(folder.path().join("feeds.toml"), text).unwrap();
    let (code, told) = checked(folder.path());
    assert_eq!(code, Some(0), "{told}");
    for part in [
        "nobody is in [access.family]",
        "would travel unencrypted",
        "[topics.t] is public and all of its sources are private: it shows nothing",
        "what says nothing else, pages and metrics: everybody",
        "sources/a: family",
        "what comes only from a is in no public output",
    ] {
        assert!(told.contains(part), "{part} in\n{told}");
    }
}
