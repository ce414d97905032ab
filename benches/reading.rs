//! Bytes to observations, beside bare feed-rs over the same documents in the same run: `cargo bench --bench reading`.
//!
//! The documents are the largest of a folder of captured feeds that feed-rs reads without an error (by default the fixtures beside the
//! project; FIXTURES names another folder), the same with a fault in the middle, and hostile ones of 8 MB. Prints
//! throughput in MB/s; not a test.

#![expect(clippy::print_stdout, reason = "figures are what it is for")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::DateTime;
use feedmill::parse;
use url::Url;

/// Documents of the comparison.
const DOCUMENTS: usize = 50;
/// Rounds; the quickest of each document counts, which foreign load disturbs least.
const ROUNDS: usize = 15;
/// Size of hostile documents.
const HOSTILE: usize = 8 << 20;

fn main() {
    let folder = std::env::var("FIXTURES").unwrap_or_else(|_| "../shared/fixtures/feeds".to_owned());
    let mut documents = Vec::new();
    collect(Path::new(&folder), &mut documents);
    documents.retain(|bytes| bytes.len() < 3 << 20 && is_sound(bytes));
    documents.sort_by_key(|bytes| std::cmp::Reverse(bytes.len()));
    documents.truncate(DOCUMENTS);
    if documents.is_empty() {
        println!("no documents in {folder}: name a folder of feeds with FIXTURES");
        return;
    }
    if std::env::args().any(|argument| argument == "ours") {
        // For a profiler.
        for _ in 0..10 {
            throughput("feedmill, sound", &documents, read);
        }
        return;
    }
    let bare = throughput("feed-rs, sound", &documents, |bytes| drop(black_box(feed_rs::parser::parse(bytes))));
    let ours = throughput("feedmill, sound", &documents, read);
    let damaged: Vec<Vec<u8>> = documents.iter().map(|bytes| damaged(bytes)).collect();
    let repaired = throughput("feedmill, damaged", &damaged, read);
    println!("sound: {:.2} of feed-rs; damaged: {:.2} of feed-rs", ours / bare, repaired / bare);
    for (name, piece) in [("<", "<"), ("&", "&"), ("<!--", "<!--"), ("<item>", "<item>"), ("attributes", "")] {
        let document = if piece.is_empty() { attributes() } else { hostile(piece) };
        let rate = throughput(name, &[document], read);
        println!("{name}: {:.2} times the time a byte of a sound feed", ours / rate);
    }
}

fn collect(folder: &Path, documents: &mut Vec<Vec<u8>>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, documents);
        } else if let Ok(bytes) = std::fs::read(&path) {
            documents.push(bytes);
        }
    }
}

/// feed-rs may panic on what it is given.
fn is_sound(bytes: &[u8]) -> bool {
    bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<')
        && std::panic::catch_unwind(|| feed_rs::parser::parse(bytes))
            .is_ok_and(|read| read.is_ok_and(|feed| !feed.entries.is_empty()))
}

fn read(bytes: &[u8]) {
    let base = Url::parse("https://base.example/feed").expect("an address");
    let now = DateTime::from_timestamp(1_795_000_000, 0).expect("a time of this century");
    let _ = black_box(parse::parse(bytes, None, Some(&base), now));
}

/// A bare ampersand, a tag that nobody closes, and a byte that is not UTF-8 in the middle.
fn damaged(bytes: &[u8]) -> Vec<u8> {
    let middle = bytes
        .windows(7)
        .enumerate()
        .skip(bytes.len() / 2)
        .find(|(_, part)| part.starts_with(b"</item") || part.starts_with(b"</entry"));
    let at = middle.map_or(bytes.len() / 2, |(at, _)| at);
    [&bytes[..at], b"<x>a & b <p>\xe9</x>", &bytes[at..]].concat()
}

fn hostile(piece: &str) -> Vec<u8> {
    let body = piece.repeat(HOSTILE / piece.len());
    format!("<rss version=\"2.0\"><channel><item><title>{body}").into_bytes()
}

fn attributes() -> Vec<u8> {
    let list = (0..400_000).map(|number| format!(" a{number}=\"x\"")).collect::<Vec<_>>().concat();
    format!("<rss version=\"2.0\"><channel><item{list}><title>T</title></item></channel></rss>").into_bytes()
}

/// MB of documents in a second.
#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
fn throughput(name: &str, documents: &[Vec<u8>], read: impl Fn(&[u8])) -> f64 {
    let rounds = if documents.len() == 1 { 3 } else { ROUNDS };
    let mut seconds = Duration::ZERO;
    for document in documents {
        let quickest = (0..rounds).map(|_| {
            let began = Instant::now();
            read(document);
            began.elapsed()
        });
        seconds += quickest.min().unwrap_or_default();
    }
    let bytes: usize = documents.iter().map(Vec::len).sum();
    let rate = bytes as f64 / 1e6 / seconds.as_secs_f64();
    println!("{name}: {} documents, {bytes} bytes, {rate:.0} MB/s", documents.len());
    rate
}
