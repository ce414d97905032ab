//! Small things that a machine sees better.

use std::fs;
use std::path::{Path, PathBuf};

fn files(folder: &str, extension: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "nothing was found in {folder}");
    found
}

#[test]
fn every_module_says_what_it_is_for() {
    for (name, text) in files("src", "rs") {
        let is_test = name.ends_with("tests.rs");
        assert!(is_test || text.starts_with("//! "), "{name} does not begin with a sentence");
    }
}

#[test]
fn nothing_is_left_undone() {
    // Put together here, so that this file does not find itself.
    let words = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["#[ig", "nore"].concat(), ["fn te", "st_"].concat()];
    for folder in ["src", "tests"] {
        for (name, text) in files(folder, "rs") {
            for word in &words {
                assert!(!text.contains(word.as_str()), "{name} holds `{word}`");
            }
            assert!(!text.contains('\t'), "{name} holds a tab");
        }
    }
}

#[test]
fn names_say_what_things_are() {
    for (name, text) in files("src", "rs") {
        for vague in ["Manager", "Helper", "Util", "Impl "] {
            let declared = text.lines().any(|line| {
                ["struct ", "enum ", "trait ", "mod "].iter().any(|kind| line.contains(&format!("{kind}{vague}")))
            });
            assert!(!declared, "{name} names something `{vague}`");
        }
    }
}

#[test]
fn the_papers_are_there_and_short_enough_to_be_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for paper in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        assert!(root.join(paper).exists(), "{paper} is missing");
    }
    let architecture = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    assert!(architecture.lines().count() < 200, "ARCHITECTURE.md is too long to be read");
}
