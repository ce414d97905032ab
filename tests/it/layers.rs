//! The picture of ARCHITECTURE.md, held against the source: which module may name which, where the outside world is allowed, and
//! behind which border each foreign crate stays.

use std::fs;
use std::path::{Path, PathBuf};

/// From low to high. A module names only modules on lower lines.
const LAYERS: &[&[&str]] = &[
    &["model"],
    &["text"],
    &["extract", "query"],
    &["config", "merge", "parse", "render", "schedule"],
    &["clock", "fetch", "index", "published", "store", "telemetry"],
    &["select"],
    &["hub", "indexing", "poll", "republish", "serve"],
    &["rehearsal"],
    &["daemon"],
    &["cli"],
    &["main"],
];

/// Modules that think: everything they need is an argument.
const PURE: &[&str] = &["model", "text", "extract", "query", "config", "merge", "parse", "render", "schedule"];

/// What thought must not name.
const IMPURE: &[&str] = &[
    "async fn",
    ".await",
    "tokio::",
    "::now(",
    "std::fs",
    "std::env",
    "Mutex",
    "RwLock",
    "std::time::Instant",
    "SystemTime",
];

/// The only places that may name each of these.
const BORDERS: &[(&str, &[&str])] = &[
    ("ammonia::", &["src/render/sanitise.rs"]),
    ("anyhow::", &["src/cli", "src/daemon"]),
    ("askama::", &["src/serve/page/"]),
    ("atom_syndication::", &["src/render/atom.rs"]),
    ("axum::", &["src/serve"]),
    ("base64::", &["src/serve/access/secrets.rs"]),
    ("brotli::", &["src/published/coding.rs"]),
    ("chardetng::", &["src/parse/decode/mod.rs"]),
    ("clap::", &["src/cli"]),
    ("dom_query::", &["src/extract"]),
    ("dom_smoothie::", &["src/extract/find.rs"]),
    ("encoding_rs::", &["src/extract/decode.rs", "src/parse/decode"]),
    ("feed_rs::", &["src/parse/border.rs"]),
    ("flate2::", &["src/published/coding.rs"]),
    ("hyper::", &["src/serve"]),
    ("hyper_util::", &["src/serve/connection.rs"]),
    ("indicatif::", &["src/cli"]),
    ("memchr::", &["src/parse/"]),
    ("minicbor::", &["src/store/record.rs"]),
    ("regex::", &["src/query/pattern.rs"]),
    ("reqwest::", &["src/fetch"]),
    ("ring::", &["src/hub/signature.rs", "src/serve/access/secrets.rs"]),
    ("rss::", &["src/render/rss.rs", "src/render/mod.rs"]),
    ("rustix::", &["src/serve/room.rs"]),
    ("rustls::", &["src/fetch/guard.rs"]),
    (
        "serde::",
        &[
            "src/parse/json.rs",
            "src/published/status.rs",
            "src/published/why.rs",
            "src/render/json.rs",
            "src/daemon/control.rs",
            "src/daemon/query.rs",
            "src/rehearsal/report.rs",
            "src/store/portable/",
        ],
    ),
    ("similar::", &["src/text/difference.rs"]),
    ("sled::", &["src/store/sled.rs", "src/store/tests.rs"]),
    ("socket2::", &["src/serve/listen.rs", "src/serve/thread/tests.rs"]),
    ("spawn_blocking", &["src/store/mod.rs"]),
    ("tantivy::", &["src/index/"]),
    ("toml::", &["src/config"]),
    ("toml_edit::", &["src/config/edit.rs"]),
    ("tower::", &["src/serve"]),
    ("tracing_subscriber::", &["src/telemetry.rs"]),
    ("Utc::now", &["src/clock.rs"]),
    ("whatlang::", &["src/text/language.rs"]),
    ("zstd::", &["src/store/record.rs", "src/published/coding.rs"]),
];

/// One file of the source, without comments.
struct Source {
    /// As `src/poll/one.rs`.
    path: String,
    code: Vec<(usize, String)>,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        let code = text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line.split("//").next().unwrap_or_default().to_owned()));
        Self { path: path.to_owned(), code: code.collect() }
    }

    fn module(&self) -> &str {
        let below = self.path.strip_prefix("src/").unwrap_or(&self.path);
        below.split(['/', '.']).next().unwrap_or(below)
    }

    /// Lines before the tests that stand at the end of a file; none for a file of tests.
    fn program(&self) -> impl Iterator<Item = &(usize, String)> {
        let is_test = self.path.ends_with("/tests.rs");
        self.code.iter().take_while(move |(_, line)| !is_test && !line.contains("#[cfg(test)]"))
    }
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

fn wrong_names(source: &Source) -> Vec<String> {
    let Some(own) = layer(source.module()) else {
        return vec![format!("{}: the module `{}` has no layer; give it one in LAYERS", source.path, source.module())];
    };
    let mut found = Vec::new();
    // Tests may look upwards: reading back what was written is no dependency of the program.
    for (number, line) in source.program() {
        let place = format!("{}:{number}", source.path);
        for evasion in ["use crate::{", "super::super::"] {
            if line.contains(evasion) {
                found.push(format!("{place}: `{evasion}` hides which module is named; write each name out"));
            }
        }
        for root in ["crate::", "feedmill::"] {
            for named in line.split(root).skip(1) {
                let named =
                    named.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().unwrap_or_default();
                let is_lower = layer(named).is_some_and(|other| other < own);
                if !is_lower && named != source.module() && layer(named).is_some() {
                    found
                        .push(format!("{place}: `{}` names `{named}`, which is not on a lower layer", source.module()));
                }
            }
        }
    }
    found
}

fn impurities(source: &Source) -> Vec<String> {
    if !PURE.contains(&source.module()) {
        return Vec::new();
    }
    let lines = source.program().flat_map(|(number, line)| {
        let named = IMPURE.iter().filter(|word| line.contains(**word));
        named.map(move |word| {
            format!("{}:{number}: `{word}` in a module that only thinks; take it as an argument", source.path)
        })
    });
    lines.collect()
}

fn crossings(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in &source.code {
        for (foreign, places) in BORDERS {
            let is_allowed = places.iter().any(|place| source.path.starts_with(place));
            if !is_allowed && names(line, foreign) {
                found.push(format!("{}:{number}: `{foreign}` belongs behind {}", source.path, places.join(", ")));
            }
        }
    }
    found
}

/// Whether a line names a crate, and not a module of ours that ends like it.
fn names(line: &str, foreign: &str) -> bool {
    line.match_indices(foreign).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let is_path = line[..at].ends_with("::");
        !is_path && !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
    })
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("src"), &mut files);
    let read = |file: &PathBuf| {
        let path = file.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
        Source::new(&path, &fs::read_to_string(file).unwrap())
    };
    files.iter().map(read).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") && path.file_name().unwrap() != "lib.rs" {
            files.push(path);
        }
    }
}

fn check(rule: fn(&Source) -> Vec<String>) {
    let sources = sources();
    assert!(sources.len() > 40, "the source was not found");
    let found: Vec<String> = sources.iter().flat_map(rule).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn modules_name_only_lower_layers() {
    check(wrong_names);
}

#[test]
fn thought_is_pure() {
    check(impurities);
}

#[test]
fn foreign_crates_stay_behind_their_borders() {
    check(crossings);
}

/// How many violations a rule finds in one line of a file.
fn bites(rule: fn(&Source) -> Vec<String>, path: &str, line: &str) -> usize {
    rule(&Source::new(path, line)).len()
}

#[test]
fn planted_violations_are_found() {
    assert_eq!(bites(wrong_names, "src/merge/decide.rs", "use crate::store::Handle;"), 1);
    assert_eq!(bites(wrong_names, "src/poll/mod.rs", "use crate::serve::Service;"), 1);
    assert_eq!(bites(wrong_names, "src/poll/mod.rs", "use crate::{store, serve};"), 1);
    assert_eq!(bites(wrong_names, "src/newcomer.rs", "fn new() {}"), 1);
    assert_eq!(bites(impurities, "src/schedule.rs", "let now = chrono::Utc::now();"), 1);
    assert_eq!(bites(impurities, "src/config/read.rs", "let text = std::fs::read(path);"), 1);
    assert_eq!(bites(crossings, "src/poll/mod.rs", "fn open(db: sled::Db) {}"), 1);
    assert_eq!(bites(crossings, "src/serve/feeds.rs", "feed_rs::parser::parse(body)"), 1);
}

#[test]
fn what_is_allowed_is_not_reported() {
    assert_eq!(bites(wrong_names, "src/poll/mod.rs", "use crate::store::Handle; // not crate::serve"), 0);
    assert_eq!(bites(impurities, "src/fetch/mod.rs", "pub async fn fetch() {}"), 0);
    assert_eq!(bites(impurities, "src/schedule.rs", "#[cfg(test)]\nlet now = Utc::now();"), 0);
    assert_eq!(bites(crossings, "src/daemon/mill.rs", "use crate::store::sled::SledEngine;"), 0);
}
