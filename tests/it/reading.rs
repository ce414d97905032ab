//! Real feeds, where they are at hand: reading never panics, and most of them are read.

use std::fs;
use std::path::{Path, PathBuf};

/// The captured feeds beside the project, if they are there.
fn captured() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/feeds");
    let named = std::env::var_os("FEEDMILL_FIXTURES").map(PathBuf::from);
    named.or(Some(beside)).filter(|folder| folder.is_dir())
}

#[test]
fn captured_feeds_are_read_without_a_panic() {
    let Some(folder) = captured() else {
        println!("skipped: there are no captured feeds beside the project (name a folder with FEEDMILL_FIXTURES)");
        return;
    };
    let base = url::Url::parse("http://base.example/feed").unwrap();
    let now = feedmill::clock::now();
    let mut folders = vec![folder];
    let (mut read, mut all) = (0, 0);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            all += 1;
            let bytes = fs::read(&path).unwrap();
            read += usize::from(feedmill::parse::parse(&bytes, None, Some(&base), now).is_ok());
        }
    }
    println!("{read} of {all} documents are feeds");
    assert!(read * 100 >= all * 70, "{read} of {all}");
}
