//! A reader that was away for long gets everything all the same: it follows the archive pages that the current document names.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::Path;

use crate::origin::{Origin, Reply, rss};
use crate::program::{HEAD, Program, told};

/// Where links lead, by the head of every test's configuration.
const BASE: &str = "http://news.example";
const DESKS: [&str; 4] = ["north", "east", "south", "west"];

/// Publishers that each bring something new whenever they are asked.
struct World {
    folder: tempfile::TempDir,
    origin: Origin,
    /// Titles of everything that was ever shown.
    told: BTreeSet<String>,
    rounds: usize,
}

impl World {
    fn new() -> Self {
        let (origin, folder) = (Origin::start("127.0.0.1"), tempfile::tempdir().unwrap());
        let mut world = Self { folder, origin, told: BTreeSet::new(), rounds: 0 };
        world.configure("match = \"title:even\"\n");
        world
    }

    fn configure(&mut self, topic: &str) {
        let source = |desk: &str| {
            let url = self.origin.url(&format!("/{desk}"));
            format!("[sources.{desk}]\nurl = \"{url}\"\ntopics = [\"half\"]\nmerge = {{ reissue_limit = 100000 }}\n")
        };
        let sources: String = DESKS[..2].iter().map(|desk| source(desk)).collect();
        let others: String = DESKS[2..].iter().map(|desk| source(desk).replace("topics = [\"half\"]\n", "")).collect();
        let text = format!("{HEAD}[topics.half]\n{topic}{sources}{others}");
        fs::write(self.folder.path().join("feeds.toml"), text).unwrap();
    }

    /// Every desk shows so many new entries, and they are polled; published when it returns.
    fn poll(&mut self, count: usize) {
        self.rounds += 1;
        for desk in DESKS {
            let items: Vec<[String; 4]> = (0..count)
                .map(|number| {
                    let name = format!("{desk}-{}-{number}", self.rounds);
                    let parity = if number % 2 == 0 { "even" } else { "odd" };
                    let link = format!("https://{desk}.example/{name}");
                    [name.clone(), link, format!("{parity} {name}"), format!("Dispatch {name}.")]
                })
                .collect();
            self.told.extend(items.iter().map(|item| item[2].clone()));
            let items: Vec<(&str, &str, &str, &str)> =
                items.iter().map(|[guid, link, title, text]| (&**guid, &**link, &**title, &**text)).collect();
            let body = rss(desk, &format!("https://{desk}.example/"), &items);
            self.origin.serve(&format!("/{desk}"), Reply::rss(&body));
        }
        let (code, text) = told(self.folder.path(), &["poll", "--force"]);
        assert_eq!(code, Some(0), "{text}");
    }
}

/// Titles of a document's entries by their ids.
fn entries(text: &str) -> BTreeMap<String, String> {
    let part = |entry: &str, name: &str| {
        let rest = entry.split(&format!("<{name}>")).nth(1).unwrap();
        rest.split(&format!("</{name}>")).next().unwrap().to_owned()
    };
    let entries = text.split("<entry>").skip(1).map(|entry| (part(entry, "id"), part(entry, "title")));
    entries.collect()
}

/// Where a link of a document's head leads, as a path.
fn link(text: &str, rel: &str) -> Option<String> {
    let head = text.split(['\n']).collect::<String>();
    let head = head.split("<entry>").next().unwrap().split("<item>").next().unwrap().to_owned();
    let link = head.split('<').find(|tag| tag.contains("link ") && tag.contains(&format!("rel=\"{rel}\"")))?;
    let address = link.split("href=\"").nth(1)?.split('"').next()?;
    Some(address.strip_prefix(BASE).unwrap().replace("&amp;", "&"))
}

fn text(program: &Program, path: &str) -> String {
    let answer = program.get(path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.text()
}

/// What a reader has after it has followed `prev-archive` up to the pages that it knows. Gives the titles by id, and the pages.
fn follow(
    program: &Program,
    feed: &str,
    known: &HashSet<String>,
    mut between: impl FnMut(usize),
) -> (BTreeMap<String, String>, Vec<String>) {
    let current = text(program, feed);
    let mut in_pages = BTreeMap::new();
    let mut pages = Vec::new();
    let mut next = link(&current, "prev-archive");
    while let Some(page) = next.filter(|page| !known.contains(page)) {
        between(pages.len());
        let document = text(program, &page);
        assert!(document.contains("archive xmlns") || document.contains("<fh:archive"), "{document}");
        assert_eq!(link(&document, "self").as_deref(), Some(&*page));
        assert_eq!(link(&document, "current").as_deref(), Some(feed));
        for (id, title) in entries(&document) {
            assert_eq!(in_pages.insert(id, title.clone()), None, "{title} is in two pages");
        }
        next = link(&document, "prev-archive");
        pages.push(page);
    }
    in_pages.extend(entries(&current));
    (in_pages, pages)
}

#[test]
fn a_reader_that_was_away_gets_everything_once_over_a_kill_and_while_polling_goes_on() {
    let mut world = World::new();
    let program = Program::start(world.folder.path());
    world.poll(30);
    let (first, known) = follow(&program, "/all.atom", &HashSet::new(), |_| {});
    assert_eq!(first.len(), 120);
    // Forty days and five thousand entries later, with a power switch in between.
    for _ in 0..3 {
        world.poll(250);
    }
    program.kill();
    let program = Program::start(world.folder.path());
    for _ in 0..2 {
        world.poll(250);
    }
    let expected = world.told.clone();
    let folder = world.folder.path().to_owned();
    let mut polled = 0;
    let (back, pages) = follow(&program, "/all.atom", &known.into_iter().collect(), |page| {
        // New ones arrive while it reads.
        if page % 20 == 10 {
            world.poll(30);
            polled += 1;
        }
    });
    assert!(polled >= 2 && pages.len() >= 49, "{polled} {}", pages.len());
    let mut has: BTreeSet<String> = first.into_values().collect();
    has.extend(back.into_values());
    let missing: Vec<&String> = expected.difference(&has).collect();
    assert!(missing.is_empty(), "{} of {} are missing: {:?}", missing.len(), expected.len(), missing.first());

    // Its next visit brings what came while it read, and no page that it has.
    let (next, _) = follow(&program, "/all.atom", &pages.into_iter().collect(), |_| {});
    has.extend(next.into_values());
    assert_eq!(has, world.told);
    check_other_feeds(&program, &world.told);
    program.kill();
    check_over_a_compaction(&folder, &world.told);
}

/// Every feed has an archive of its own, in every format.
fn check_other_feeds(program: &Program, told: &BTreeSet<String>) {
    let (topic, _) = follow(program, "/topics/half.atom", &HashSet::new(), |_| {});
    let of_topic = |title: &&String| {
        title.starts_with("even") || DESKS[..2].iter().any(|desk| title.contains(&format!(" {desk}-")))
    };
    assert_eq!(topic.into_values().collect::<BTreeSet<_>>(), told.iter().filter(of_topic).cloned().collect());
    let (source, pages) = follow(program, "/sources/west.atom", &HashSet::new(), |_| {});
    let of_source = |title: &&String| title.contains(" west-");
    assert_eq!(source.into_values().collect::<BTreeSet<_>>(), told.iter().filter(of_source).cloned().collect());

    let page = pages[0].trim_end_matches(".atom").to_owned();
    let rss = text(program, &format!("{page}.rss"));
    assert!(rss.contains("<fh:archive") && rss.contains("xmlns:fh=\"http://purl.org/syndication/history/1.0\""));
    assert_eq!(link(&rss, "prev-archive"), Some(format!("{}.rss", pages[1].trim_end_matches(".atom"))));
    assert_eq!(link(&rss, "current").as_deref(), Some("/sources/west.rss"));
    assert_eq!(link(&text(program, &pages[1]), "next-archive").as_deref(), Some(&*pages[0]));
    assert_eq!(link(&text(program, &pages[0]), "next-archive"), None);
    let json: serde_json::Value = serde_json::from_str(&text(program, &format!("{page}.json"))).unwrap();
    assert_eq!(json["next_url"], format!("{BASE}{}.json", pages[1].trim_end_matches(".atom")));
}

fn check_over_a_compaction(folder: &Path, expected: &BTreeSet<String>) {
    let (code, text) = told(folder, &["compact"]);
    assert_eq!(code, Some(0), "{text}");
    let program = Program::start(folder);
    let (source, pages) = follow(&program, "/sources/west.atom", &HashSet::new(), |_| {});
    assert!(pages.len() >= 12, "{}", pages.len());
    let expected = expected.iter().filter(|title| title.contains(" west-"));
    assert_eq!(source.into_values().collect::<BTreeSet<_>>(), expected.cloned().collect());
}

#[test]
fn archive_pages_say_how_long_they_last_and_what_is_not_there() {
    let mut world = World::new();
    let mut program = Program::start(world.folder.path());
    world.poll(60);
    let page = program.get("/topics/half/archive/0-1.atom");
    assert_eq!(page.status, 200, "{}", page.text());
    assert!(page.headers["cache-control"].starts_with("public, max-age=86400, stale-while-revalidate="));
    let again = program.ask("GET", "/topics/half/archive/0-1.atom", &[("if-none-match", &page.headers["etag"])]);
    assert_eq!((again.status, &again.headers["etag"]), (304, &page.headers["etag"]));
    for path in
        ["/all/archive/0-9.atom", "/all/archive/1-1.rss", "/topics/half/archive/0-0.json", "/all/archive/x.atom"]
    {
        assert_eq!(program.get(path).status, 404, "{path}");
    }
    assert_eq!(program.get("/topics/none/archive/0-1.atom").status, 404);
    // A topic that is defined anew has another archive.
    world.configure("match = \"title:odd\"\n");
    program.wait_for("follow its new definition");
    let gone = program.get("/topics/half/archive/0-1.atom");
    assert_eq!(gone.status, 410, "{}", gone.text());
    assert!(gone.text().contains("/topics/half.atom"), "{}", gone.text());
    assert_eq!(program.get("/topics/half/archive/1-1.atom").status, 200);
}

#[test]
fn a_reader_may_ask_for_what_is_new_alone() {
    let mut world = World::new();
    let program = Program::start(world.folder.path());
    world.poll(40);
    for path in ["/all.atom", "/sources/east.rss", "/topics/half.rss?limit=50"] {
        let first = program.ask("GET", path, &[("a-im", "feed")]);
        assert_eq!((first.status, first.headers["vary"].as_str()), (200, "A-IM, If-None-Match, Accept-Encoding"));
        let tag = first.headers["etag"].clone();
        let same = program.ask("GET", path, &[("a-im", "feed"), ("if-none-match", &tag)]);
        assert_eq!((same.status, same.body.len()), (304, 0), "{path}");
        world.poll(2);
        let new = program.ask("GET", path, &[("a-im", "feed"), ("if-none-match", &tag)]);
        assert_eq!((new.status, new.headers["im"].as_str()), (226, "feed"), "{path}");
        assert_eq!(new.headers["cache-control"], "no-store, im");
        let titles = new.text().matches(&format!("-{}-", world.rounds)).count();
        assert!(titles > 0 && !new.text().contains("-1-5<"), "{}", new.text());
        let whole = program.get(path);
        assert_eq!((whole.status, &whole.headers["etag"]), (200, &new.headers["etag"]), "{path}");
        assert!(new.body.len() * 2 < whole.body.len(), "{path}");
        let unknown = program.ask("GET", path, &[("a-im", "feed"), ("if-none-match", "\"unknown\"")]);
        assert_eq!((unknown.status, &unknown.body), (200, &whole.body), "{path}");
        let plain = program.ask("GET", path, &[("if-none-match", &tag)]);
        assert_eq!((plain.status, &plain.body), (200, &whole.body), "{path}");
    }
}

#[test]
fn following_next_gives_each_entry_once_while_new_ones_arrive() {
    let mut world = World::new();
    let program = Program::start(world.folder.path());
    world.poll(60);
    let expected: BTreeSet<String> = world.told.iter().filter(|title| title.starts_with("even")).cloned().collect();
    let first = "/all.atom?limit=25&q=title%3Aeven".to_owned();
    let (mut next, mut has) = (Some(first.clone()), BTreeSet::new());
    while let Some(path) = next {
        let document = text(&program, &path);
        for title in entries(&document).into_values() {
            assert!(has.insert(title.clone()), "{title} comes twice");
        }
        assert_eq!(link(&document, "first"), Some(first.clone()).filter(|first| *first != path));
        next = link(&document, "next");
        world.poll(3);
    }
    assert_eq!(has, expected);
}

#[test]
fn feeds_say_how_long_they_last() {
    let mut world = World::new();
    let program = Program::start(world.folder.path());
    world.poll(2);
    for path in ["/all.atom", "/sources/east.atom", "/all.json?q=even"] {
        let whole = program.get(path);
        let said = &whole.headers["cache-control"];
        let age: u64 = said.strip_prefix("public, max-age=").unwrap().split(',').next().unwrap().parse().unwrap();
        assert!((60..=3_600).contains(&age), "{path}: {said}");
        assert!(said.ends_with("stale-while-revalidate=60, stale-if-error=86400"), "{path}: {said}");
        let same = program.ask("GET", path, &[("if-none-match", &whole.headers["etag"])]);
        assert_eq!(same.status, 304);
        for name in ["etag", "cache-control", "vary", "date", "last-modified"] {
            assert!(same.headers.contains_key(name), "{path} {name}");
        }
        assert!(!same.headers.contains_key("content-length") || same.body.is_empty());
        let head = program.ask("HEAD", path, &[]);
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(head.headers["content-length"], whole.body.len().to_string());
        let part = program.ask("GET", path, &[("range", "bytes=0-10")]);
        assert_eq!((part.status, &part.body), (200, &whole.body));
    }
}
