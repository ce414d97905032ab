//! Publishers whose feeds grow, polls as fast as they are answered, and the memory of all that was promised.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::origin::{Origin, Reply, rss};
use crate::program::Program;

pub const SOURCES: [&str; 4] = ["a", "b", "c", "d"];
/// Entries in one document. A poll brings less news than that, so each entry stays for a few polls.
const WINDOW: usize = 12;

/// What readers and commands were told of.
#[derive(Default)]
pub struct Promises {
    /// Guids that a successful poll found in a document.
    pub stored: BTreeSet<String>,
    /// Ids that were shown, by guid.
    pub ids: BTreeMap<String, String>,
}

/// See the module.
pub struct Load {
    pub origin: Origin,
    /// How many entries each source has published so far.
    grown: Mutex<BTreeMap<&'static str, usize>>,
    pub promises: Mutex<Promises>,
}

impl Load {
    pub fn new() -> Self {
        let grown = SOURCES.into_iter().map(|key| (key, 0)).collect();
        Self { origin: Origin::start("127.0.0.1"), grown: Mutex::new(grown), promises: Mutex::default() }
    }

    pub fn sources(&self) -> String {
        let source = |key: &&str| {
            format!("[sources.{key}]\nurl = \"{}\"\ntopics = [\"everything\"]\n", self.origin.url(&format!("/{key}")))
        };
        SOURCES.iter().map(source).collect()
    }

    /// Most entries that any source has published.
    pub fn largest(&self) -> usize {
        self.grown.lock().unwrap().values().copied().max().unwrap()
    }

    /// Forgets everything: a new store begins.
    pub fn begin_anew(&self) {
        *self.promises.lock().unwrap() = Promises::default();
        self.grown.lock().unwrap().values_mut().for_each(|grown| *grown = 0);
    }

    /// Lets one source publish more, and polls it over the control socket. True when the daemon said that it is stored.
    pub fn poll(&self, socket: &Path, key: &'static str, more: usize) -> bool {
        let numbers = {
            let mut grown = self.grown.lock().unwrap();
            let grown = grown.get_mut(key).unwrap();
            *grown += more;
            grown.saturating_sub(WINDOW)..*grown
        };
        let path = format!("/{key}");
        self.origin.serve(&path, Reply::rss(&document(key, numbers.clone())));
        // The answer may be that of a poll which had already read the document before this one.
        let asked = self.origin.asked(&path).len();
        let is_stored = ask(socket, key)
            .is_some_and(|told| told["outcome"] == "fresh" || told["outcome"] == "not_modified")
            && self.origin.asked(&path).len() > asked;
        if is_stored {
            self.promises.lock().unwrap().stored.extend(numbers.map(|number| guid(key, number)));
        }
        is_stored
    }

    /// As [`Load::poll`], again if the answer was that of another poll. False when it is refused every time.
    pub fn poll_again(&self, socket: &Path, key: &'static str, more: usize) -> bool {
        self.poll(socket, key, more) || (0..5).any(|_| self.poll(socket, key, 0))
    }

    /// Polls one source after another until told to stop, and counts what was acknowledged.
    pub fn keep_polling(
        &self,
        socket: &Path,
        keys: &[&'static str],
        more: usize,
        stop: &AtomicBool,
        stored: &AtomicUsize,
    ) {
        for key in keys.iter().cycle() {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            stored.fetch_add(usize::from(self.poll(socket, key, more)), Ordering::Relaxed);
        }
    }

    /// Notes what readers are shown right now, from memory and from the store.
    pub fn look(&self, program: &Program) {
        for path in ["/all.json", "/all.json?limit=40"] {
            self.look_at(program, path);
        }
    }

    fn look_at(&self, program: &Program, path: &str) {
        let Some(answer) = program.try_get(path).filter(|answer| answer.status == 200) else { return };
        let Ok(feed) = serde_json::from_slice::<serde_json::Value>(&answer.body) else { return };
        let mut promises = self.promises.lock().unwrap();
        for (guid, id) in feed["items"].as_array().into_iter().flatten().map(named) {
            promises.ids.insert(guid, id);
        }
    }

    /// Holds what the daemon has against all promises; says what was broken.
    pub fn broken(&self, program: &Program) -> Vec<String> {
        let mut broken = Vec::new();
        let mut found: BTreeMap<String, String> = BTreeMap::new();
        for key in SOURCES {
            for item in program.items(&format!("/sources/{key}.json?limit=2000")) {
                let (guid, id) = named(&item);
                if found.insert(guid.clone(), id).is_some() {
                    broken.push(format!("{guid} is there twice"));
                }
            }
        }
        let ids: BTreeSet<&String> = found.values().collect();
        if ids.len() < found.len() {
            broken.push("two entries share an id".to_owned());
        }
        let mut promises = self.promises.lock().unwrap();
        broken.extend(
            promises.stored.iter().filter(|guid| !found.contains_key(*guid)).map(|guid| format!("{guid} is lost")),
        );
        for (guid, id) in &promises.ids {
            if found.get(guid) != Some(id) {
                broken.push(format!("{guid} was shown as {id} and is now {:?}", found.get(guid)));
            }
        }
        promises.ids.extend(found);
        broken
    }
}

fn guid(key: &str, number: usize) -> String {
    format!("{key}-{number}")
}

fn document(key: &str, numbers: std::ops::Range<usize>) -> String {
    let items: Vec<[String; 4]> = numbers
        .rev()
        .map(|number| {
            let text = format!("Report {number} of {key}: {}", "many words about it ".repeat(20 + number % 70));
            [guid(key, number), format!("http://{key}.example/{number}"), format!("News {number} of {key}"), text]
        })
        .collect();
    let items: Vec<(&str, &str, &str, &str)> =
        items.iter().map(|[guid, link, title, text]| (&**guid, &**link, &**title, &**text)).collect();
    rss(key, &format!("http://{key}.example/"), &items)
}

fn named(item: &serde_json::Value) -> (String, String) {
    let guid = item["_feedmill"]["sightings"][0]["guid"].as_str().unwrap();
    (guid.to_owned(), item["id"].as_str().unwrap().to_owned())
}

/// Asks a daemon to poll one source; its report, if it lived to give one. It is durable then, although not shown yet.
fn ask(socket: &Path, key: &str) -> Option<serde_json::Value> {
    let mut stream = UnixStream::connect(socket).ok()?;
    writeln!(stream, "{{\"command\":\"poll\",\"sources\":[\"{key}\"],\"force\":true}}").ok()?;
    let mut answers = BufReader::new(stream).lines().map_while(Result::ok);
    answers.find_map(|line| {
        let answer: serde_json::Value = serde_json::from_str(&line).ok()?;
        answer.get("polled").cloned()
    })
}
