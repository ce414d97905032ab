//! Stores that earlier versions wrote. Each of them opens, and shows what it showed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::program::{Program, told};

fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A copy of the whole folder; what is compressed there is whole here.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else if let Some(name) = name.strip_suffix(".gz") {
            let mut whole = fs::File::create(to.join(name)).unwrap();
            std::io::copy(&mut flate2::read::GzDecoder::new(fs::File::open(&path).unwrap()), &mut whole).unwrap();
        } else {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

/// A line for each entry of each feed: id, times, sources and title, without what a later version may add.
fn shown(program: &Program) -> String {
    let mut lines = String::new();
    for feed in
        ["/all.json", "/topics/town.json", "/topics/bridges.json", "/sources/gazette.json", "/sources/harbour.json"]
    {
        lines.push_str(feed);
        lines.push('\n');
        for item in program.items(feed) {
            let sightings = item["_feedmill"]["sightings"].as_array().unwrap();
            let sources: Vec<&str> = sightings.iter().map(|sighting| sighting["source"].as_str().unwrap()).collect();
            let text = |name: &str| item[name].as_str().unwrap_or("-").to_owned();
            let first_seen = item["_feedmill"]["first_seen"].as_str().unwrap();
            let line = [
                text("id"),
                text("date_published"),
                text("date_modified"),
                first_seen.to_owned(),
                sources.join("+"),
                text("title"),
            ];
            lines.push_str(&line.join(" "));
            lines.push('\n');
        }
    }
    lines
}

#[test]
fn a_store_of_format_1_shows_what_it_showed_and_knows_its_sources_documents() {
    let folder = tempfile::tempdir().unwrap();
    copy(&kept("store-1"), folder.path());
    fs::create_dir_all(folder.path().join("store/sled/blobs")).unwrap();
    let expected = fs::read_to_string(folder.path().join("shown.txt")).unwrap();
    let program = Program::start(folder.path());
    // The same documents at other places: read again, and nothing in them is new, not even what was pruned.
    let (code, text) = told(folder.path(), &["poll", "--force"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(shown(&program), expected);
    assert_eq!(program.stop(), Some(0));
    let (code, text) = told(folder.path(), &["export"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("\"kind\":\"tombstone\""), "{text}");
}
