//! `feedmill query` and the parameters of feeds, with the real binary: the same answers from the store, from the daemon and over HTTP.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::origin::{Origin, Reply};
use crate::program::{HEAD, Program, run, told};

const LATE: (&str, &str, &str) = ("late", "01 Mar 2025", "A late note about the pact");

/// A document of items: name, day of publishing, title. All texts have the same long sentence, in the feed's language.
fn document(source: &str, sentence: &str, items: &[(&str, &str, &str)]) -> String {
    let item = |(name, day, title): &(&str, &str, &str)| {
        format!(
            "<item><guid isPermaLink=\"false\">{name}</guid><link>http://{source}.example/{name}</link><title>{title}</title>\
             <pubDate>{day} 08:00:00 +0000</pubDate><category>{source}</category><description>{title}. {sentence}</description></item>"
        )
    };
    format!(
        "<rss version=\"2.0\"><channel><title>{source}</title><link>http://{source}.example/</link>{}</channel></rss>",
        items.iter().map(item).collect::<Vec<_>>().concat()
    )
}

fn wire(items: &[(&str, &str, &str)]) -> Reply {
    let sentence = "The ministers of all the countries around the lake met again on Thursday and talked through the night about \
                    water, fish and the price of the old ferry.";
    Reply::rss(&document("wire", sentence, items))
}

/// Two sources in two languages; one of them shows an old entry late.
fn newsroom() -> (tempfile::TempDir, Origin) {
    let origin = Origin::start("127.0.0.1");
    let items = [
        ("w-3", "13 Mar 2025", "Zürich signs a pact"),
        ("w-2", "12 Mar 2025", "Sheep leave the meadow"),
        ("w-1", "11 Mar 2025", "A first pact is near"),
    ];
    origin.serve("/wire", wire(&items));
    let sentence = "Les ministres de tous les pays autour du lac se sont retrouvés jeudi et ont parlé toute la nuit de l’eau, des \
                    poissons et du prix du vieux ferry.";
    let french = [("p-1", "12 Mar 2025", "Le pacte des moutons")];
    origin.serve("/presse", Reply::rss(&document("presse", sentence, &french)));
    let folder = tempfile::tempdir().unwrap();
    let feeds = format!(
        "{HEAD}[sources.wire]\nurl = \"{}\"\n[sources.presse]\nurl = \"{}\"\n[topics.pacts]\nmatch = 'pact* regex:/pacte?\\b/'\n",
        origin.url("/wire"),
        origin.url("/presse")
    );
    fs::write(folder.path().join("feeds.toml"), feeds).unwrap();
    assert_eq!(told(folder.path(), &["poll"]).0, Some(0));
    origin.serve("/wire", wire(&[&[LATE][..], &items].concat()));
    assert_eq!(told(folder.path(), &["poll", "wire", "--force"]).0, Some(0));
    (folder, origin)
}

fn query(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    told(folder, &[&["query"], arguments].concat())
}

/// What is asked of the command, and the addresses of what it finds, without their hosts.
fn check(folder: &Path, cases: &[(&[&str], &[&str])]) {
    for (arguments, expected) in cases {
        let (code, text) = query(folder, arguments);
        let found: Vec<&str> = text.lines().map(|line| line.rsplit('/').next().unwrap()).collect();
        assert_eq!(&found, expected, "{arguments:?}: {text}");
        assert_eq!(code, Some(i32::from(expected.is_empty())), "{arguments:?}: {text}");
    }
}

const CASES: &[(&[&str], &[&str])] = &[
    (&["pact"], &["late", "w-3", "w-1"]),
    (&["pact", "--order", "published"], &["w-3", "w-1", "late"]),
    (&["pact*", "--limit", "2"], &["late", "w-3"]),
    (&["zurich"], &["w-3"]),
    (&["category:presse"], &["p-1"]),
    (&["lang:fr"], &["p-1"]),
    (&["pact*", "--lang", "fr"], &["p-1"]),
    (&["pact*", "--in", "pacts", "--per-source", "1"], &["late", "p-1"]),
    (&["pact", "--in", "presse"], &[]),
    (&["pact", "--since", "2025-03-12", "--until", "2025-03-14"], &["w-3"]),
    (&["source:wire regex:/^zürich/"], &["w-3"]),
    (&["-pact*"], &["w-2"]),
    (&["football"], &[]),
];

#[test]
fn a_command_finds_the_same_with_a_daemon_and_without() {
    let (folder, _origin) = newsroom();
    check(folder.path(), CASES);
    let (_, lines) = query(folder.path(), &["zurich"]);
    assert_eq!(lines, "2025-03-13T08:00:00Z\twire\tZürich signs a pact\thttp://wire.example/w-3\n");
    let told_alone = run(folder.path(), &["query", "--json", "pact"]).stdout;

    let program = Program::start(folder.path());
    check(folder.path(), CASES);
    let told: Value = serde_json::from_slice(&run(folder.path(), &["query", "--json", "pact"]).stdout).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&told_alone).unwrap(), told);
    assert_eq!((&told["entries"][1]["title"], &told["has_more"]), (&"Zürich signs a pact".into(), &false.into()));
    for format in ["atom", "rss", "json"] {
        let document = run(folder.path(), &["query", "pact", "--limit", "1", "--format", format]);
        assert_eq!(document.status.code(), Some(0));
        assert_eq!(document.stdout, program.get(&format!("/search.{format}?limit=1&q=pact&lang=")).body, "{format}");
    }
}

#[test]
fn mistakes_are_marked_under_the_text() {
    let (folder, _origin) = newsroom();
    for (arguments, expected) in [
        (
            &["é titel:pact"][..],
            "feedmill: character 3: there is no field `titel:` (did you mean `title:`?)\n  é titel:pact\n    ^\n",
        ),
        (&["pact", "--limit", "0"], "feedmill: limit: `0` is no number from 1 to 2000, such as limit=50\n"),
        (&["pact", "--order", "up"], "feedmill: order: `up` is not known; write order=published or order=seen\n"),
        (
            &["pact", "--in", "wir"],
            "feedmill: there is no feed `wir`; did you mean `wire`? It is `all`, a topic's key or a source's\n",
        ),
    ] {
        assert_eq!(query(folder.path(), arguments), (Some(2), expected.to_owned()), "{arguments:?}");
    }
}

/// The names of a document's items, and where it goes on.
fn items(program: &Program, path: &str) -> (Vec<String>, Option<String>) {
    let answer = program.get(path);
    let feed: Value = serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{path}: {}", answer.text()));
    let name = |item: &Value| item["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let next = feed["next_url"].as_str().map(|next| next.strip_prefix("http://news.example").unwrap().to_owned());
    (feed["items"].as_array().unwrap().iter().map(name).collect(), next)
}

#[test]
fn every_feed_takes_the_parameters() {
    let (folder, _origin) = newsroom();
    let program = Program::start(folder.path());
    for (path, expected) in [
        ("/all.json?order=published", &["w-3", "w-2", "p-1", "w-1", "late"][..]),
        ("/all.json?order=seen", &["late", "w-3", "w-2", "p-1", "w-1"]),
        ("/all.json?per_source=1", &["late", "p-1"]),
        ("/all.json?per_source=2&order=published", &["w-3", "w-2", "p-1"]),
        ("/topics/pacts.json?lang=fr", &["p-1"]),
        ("/sources/wire.json?order=published&limit=1", &["w-3"]),
        ("/sources/wire.json?q=&lang=&per_source=&order=&until=2025-03-02", &["late"]),
        ("/search.json?q=pact+-z%C3%BCrich", &["late", "w-1"]),
        ("/all.json?source=presse&q=mouton*", &["p-1"]),
    ] {
        let (mut found, _) = items(&program, path);
        let mut expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
        // Two of the same moment: whichever source was read first.
        for names in [&mut found, &mut expected] {
            if let Some(at) = names.windows(2).position(|pair| pair == ["p-1", "w-2"]) {
                names.swap(at, at + 1);
            }
        }
        assert_eq!(found, expected, "{path}");
    }
    for (path, expected) in [
        ("/all.json?per_source=many", "per_source: `many` is no number from 1 to 2000, such as per_source=5\n"),
        ("/all.json?q=regex:/a/", "q: character 1: `regex:` needs another term beside it"),
        ("/all.json?q=%C3%A9+titel:a", "q: character 3: there is no field `titel:` (did you mean `title:`?)\n"),
        ("/all.json?topic=pact", "topic: there is no topic `pact`; the front page lists them\n"),
        ("/topics/pacts.json?source=wires", "source: there is no source `wires`; the front page lists them\n"),
        ("/all.json?lang=french", "lang: `french` is no language code; write lang=en or lang=pt-br\n"),
    ] {
        let answer = program.get(path);
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.text().starts_with(expected), "{path}: {}", answer.text());
    }
}

#[test]
fn pages_by_publishing_show_every_entry_once() {
    let (folder, _origin) = newsroom();
    let program = Program::start(folder.path());
    let whole = items(&program, "/all.json?order=published").0;
    for limit in 1..=5 {
        let mut path = Some(format!("/all.json?order=published&limit={limit}"));
        let mut found = Vec::new();
        while let Some(next) = path {
            let (names, further) = items(&program, &next);
            assert!(names.len() <= limit && !names.is_empty(), "{next}");
            found.extend(names);
            path = further;
        }
        assert_eq!(found, whole, "{limit}");
    }
}
