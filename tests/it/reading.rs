//! Real feeds, where they are at hand: nearly all of them are read, and reading never panics.

use std::fs;
use std::path::{Path, PathBuf};

/// The captured feeds beside the project, if they are there.
pub(crate) fn captured() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/feeds");
    let named = std::env::var_os("FEEDMILL_FIXTURES").map(PathBuf::from);
    named.or(Some(beside)).filter(|folder| folder.is_dir())
}

/// Every captured document.
pub(crate) fn documents(folder: PathBuf) -> Vec<Vec<u8>> {
    let (mut folders, mut documents) = (vec![folder], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                documents.push(fs::read(&path).unwrap());
            }
        }
    }
    documents
}

#[test]
fn captured_feeds_are_read_also_when_they_are_damaged() {
    let Some(folder) = captured() else {
        println!("skipped: there are no captured feeds beside the project (name a folder with FEEDMILL_FIXTURES)");
        return;
    };
    let base = url::Url::parse("http://base.example/feed").unwrap();
    let now = feedmill::clock::now();
    let documents = documents(folder);
    let read = |bytes: &[u8]| feedmill::parse::parse(bytes, None, Some(&base), now).is_ok();
    let (mut sound, mut random) = (0, 0x9e37_79b9_7f4a_7c15_u64);
    for bytes in &documents {
        sound += usize::from(read(bytes));
        if bytes.is_empty() || bytes.len() > 100_000 {
            continue;
        }
        // Read or refused, but never a panic; where, is the same in every run.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from(random >> 33).unwrap() % bytes.len();
        read(&bytes[..at]);
        let mut flipped = bytes.clone();
        flipped[at] ^= u8::try_from(random & 0xff).unwrap() | 1;
        read(&flipped);
    }
    println!("{sound} of {} documents are feeds", documents.len());
    assert!(sound * 100 >= documents.len() * 90, "{sound} of {}", documents.len());
}
