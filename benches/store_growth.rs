//! How much room a store takes: `cargo bench --bench store_growth [-- ENTRIES]`.
//!
//! Fills a store with entries as polls bring them, rewrites a fifth of them twenty times, as edits do, and compacts it. Prints what the
//! store holds (counted, and as the sample tells) and what it takes on the disk after each step.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has nothing to say")]
#![expect(clippy::print_stdout, reason = "this is what it is for")]

use std::path::Path;
use std::time::Instant;

use feedmill::model::Timestamp;
use feedmill::model::document::{Guid, Particulars};
use feedmill::model::entry::{Entry, Ground, Key, KeyKind, Placement, PublicId, Seq, Sighting, TextDigest, TextName};
use feedmill::model::feed::FeedId;
use feedmill::model::source::Scope;
use feedmill::store::compact;
use feedmill::store::entries::{Commit, EntryWrite, Store};
use feedmill::store::keys::Place;
use feedmill::store::open;
use feedmill::store::portable::Export;
use feedmill::store::record::{Counters, TextWriter};

const CACHE: u64 = 64 << 20;
/// Entries of one document.
const POLL: u64 = 35;
const REWRITES: u64 = 20;

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

fn hash(kind: &str, number: u64) -> [u8; 16] {
    let digest = blake3::hash(format!("{kind} {number}").as_bytes());
    *digest.as_bytes().first_chunk().unwrap()
}

/// About 2.5 kB of text, half of which zstd takes away.
fn text(dice: &mut Dice) -> String {
    let word = |dice: &mut Dice| format!("{:x}", dice.roll(1 << 20));
    (0..420).map(|_| word(dice)).collect::<Vec<_>>().join(" ")
}

fn write(number: u64, version: u64, dice: &mut Dice) -> EntryWrite {
    let (seq, at) =
        (Seq(number * 2 + 1), Timestamp::from_timestamp(1_790_000_000 + i64::try_from(number).unwrap(), 0).unwrap());
    let scope = Scope(format!("source-{}", number % 1_000).into());
    let keys: Vec<Key> = [KeyKind::Guid, KeyKind::Url, KeyKind::Content]
        .into_iter()
        .map(|kind| Key { kind, hash: hash(&format!("{kind:?}"), number) })
        .collect();
    let digest = |version| TextDigest(*hash("text", number * 1_000 + version).first_chunk().unwrap());
    let name = |version| TextName::new(Seq(seq.0 + 1), digest(version));
    let texts = TextWriter::default().write(None, Some(&text(dice)));
    let feeds = [FeedId::All, FeedId::Source(scope.clone())];
    let sighting = Sighting {
        seq: Seq(seq.0 + 1),
        source: scope,
        id: PublicId(hash("id", number)),
        first_seen: at,
        sort_at: at,
        changed: (version > 0).then_some(at),
        guid: Some(Guid { value: format!("https://example.org/?p={number}"), is_permalink: Some(true) }),
        url: Some(format!("https://example.org/news/{number}/a-headline-in-words").parse().unwrap()),
        title: Some(format!("Headline {number} in version {version} of some length")),
        published: Some(at),
        authors: Vec::new(),
        categories: vec!["world".to_owned()],
        enclosures: Vec::new(),
        language: None,
        particulars: Particulars::default(),
        text: Some(name(version)),
        ground: Ground::First,
        score: 1.0,
        evidence: String::new(),
        matched: None,
        keys: keys.clone(),
        fingerprint: hash("fingerprint", number + version),
        reading: hash("reading", number + version),
    };
    let is_new = version == 0;
    EntryWrite {
        is_new,
        new_id: None,
        new_keys: if is_new { keys } else { Vec::new() },
        dropped_keys: Vec::new(),
        text: Some((name(version), texts)),
        dropped_text: (!is_new).then(|| name(version - 1)),
        joins: if is_new {
            feeds.iter().map(|feed| (feed.clone(), 0, Place { sort_at: at, seq })).collect()
        } else {
            Vec::new()
        },
        entry: Entry {
            seq,
            id: sighting.id,
            first_seen: at,
            placements: feeds.into_iter().map(|feed| Placement { feed, sort_at: at }).collect(),
            held: None,
            sightings: vec![sighting],
        },
    }
}

fn commit(store: &Store, writes: Vec<EntryWrite>, count: u64) {
    // As the way into the store does, a few lookups go with each entry; sled's memory needs them.
    for write in &writes {
        for key in &write.entry.sightings[0].keys {
            store.sharing(*key).unwrap();
        }
    }
    let counters = Counters { next: count * 2 + 1, entries: count, sightings: count };
    store.commit(&Commit { entries: writes, counters: Some(counters), ..Commit::default() }).unwrap();
    store.sync().unwrap();
}

fn main() {
    let count: u64 = std::env::args().filter_map(|argument| argument.parse().ok()).next_back().unwrap_or(20_000);
    let folder = tempfile::tempdir_in(".").unwrap();
    let path = folder.path().join("store");
    let mut dice = Dice(1);
    let store = open::open(&path, CACHE).unwrap();
    let mut versions = vec![0_u64; usize::try_from(count).unwrap()];
    let mut number = 0;
    while number < count {
        let until = (number + POLL).min(count);
        commit(&store, (number..until).map(|number| write(number, 0, &mut dice)).collect(), until);
        number = until;
    }
    told("filled", &store, &path);
    for round in 1..=REWRITES {
        for _ in 0..count / 5 / POLL {
            let mut chosen: Vec<u64> = (0..POLL).map(|_| dice.roll(count)).collect();
            chosen.sort_unstable();
            chosen.dedup();
            let writes = chosen.into_iter().map(|number| {
                let version = &mut versions[usize::try_from(number).unwrap()];
                *version += 1;
                write(number, *version, &mut dice)
            });
            commit(&store, writes.collect(), count);
        }
        if [1, 5, REWRITES].contains(&round) {
            told(&format!("after {round} rewrites of a fifth"), &store, &path);
        }
    }
    println!("is it worth a compaction: {}", compact::is_worth_it(&store).unwrap());
    let began = Instant::now();
    let (store, _) = compact::compact(store, &path, CACHE, &mut |_| {}).unwrap();
    println!("compacted in {:.1} s", began.elapsed().as_secs_f32());
    told("compacted", &store, &path);
    let began = Instant::now();
    let (mut export, mut bytes) = (Export::begin(&store).unwrap(), 0);
    while let Some(lines) = export.step(&store).unwrap() {
        bytes += lines.len();
    }
    println!("exported in {:.1} s, {} kB", began.elapsed().as_secs_f32(), bytes / 1_000);
}

fn told(what: &str, store: &Store, path: &Path) {
    // The files as they are; sled counts its own.
    let size = store.size_on_disk().unwrap().max(files(path));
    let (estimated, exact) = (compact::logical_bytes(store).unwrap(), compact::exact_bytes(store).unwrap());
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let ratio = size as f64 / exact as f64;
    println!(
        "{what}: holds {} kB (sample: {} kB), takes {} kB: {ratio:.2}",
        exact / 1_000,
        estimated / 1_000,
        size / 1_000
    );
}

fn files(path: &Path) -> u64 {
    let entries = std::fs::read_dir(path).unwrap().map(Result::unwrap);
    entries
        .map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { entry.metadata().unwrap().len() })
        .sum()
}
