//! Searches run on an index that follows, survives a kill, and can be made anew.

use std::fs;

use crate::origin::{Origin, Reply, rss};
use crate::program::{HEAD, Program, told};

fn news(origin: &Origin, count: usize) -> String {
    let items: Vec<_> = (1..=count)
        .map(|number| {
            let title = format!("Bulletin {number} from the harbour");
            (format!("g-{number}"), origin.url(&format!("/{number}")), title, format!("Ship number{number} came in."))
        })
        .collect();
    let items: Vec<_> = items.iter().map(|(guid, url, title, text)| (&**guid, &**url, &**title, &**text)).collect();
    rss("Harbour", &origin.url("/"), &items)
}

#[test]
fn the_index_follows_survives_and_is_made_anew() {
    let origin = Origin::start("127.0.0.1");
    origin.serve("/feed", Reply::rss(&news(&origin, 3)));
    let folder = tempfile::tempdir().unwrap();
    let source = format!("[sources.harbour]\nurl = \"{}\"\n", origin.url("/feed"));
    fs::write(folder.path().join("feeds.toml"), format!("{HEAD}{source}")).unwrap();
    let run = |arguments: &[&str]| {
        let (code, text) = told(folder.path(), arguments);
        assert_eq!(code, Some(0), "{text}");
        text
    };

    let program = Program::start(folder.path());
    run(&["poll", "--force"]);
    assert_eq!(run(&["reindex"]), "3 entries are in the index\n");
    assert_eq!(program.items("/all.json?q=number2").len(), 1);
    assert_eq!(program.items("/all.json?q=harb*+-number2").len(), 2);
    origin.serve("/feed", Reply::rss(&news(&origin, 5)));
    run(&["poll", "--force"]);
    assert_eq!(program.items("/all.json?q=title:harbour").len(), 5);
    program.kill();

    let program = Program::start(folder.path());
    assert_eq!(program.items("/search.json?q=%22number5+came%22").len(), 1);
    assert_eq!(program.stop(), Some(0));
    assert_eq!(run(&["reindex"]), "5 entries are in the index\n");

    let index = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path().join("index"));
    let index = index.into_iter().find(|path| path.is_dir()).unwrap();
    fs::write(index.join("meta.json"), b"{}").unwrap();
    let program = Program::start(folder.path());
    assert_eq!(program.items("/all.json?q=bulletin").len(), 5);
    run(&["reindex"]);
    // Its values are those of the last second.
    assert!(program.get("/metrics").text().contains("# TYPE feedmill_search_ready gauge\n"));
    assert_eq!(program.items("/all.json?q=bulletin").len(), 5);
    assert_eq!(program.stop(), Some(0));
}

#[test]
fn without_an_index_searches_look_through_the_feed() {
    let origin = Origin::start("127.0.0.1");
    origin.serve("/feed", Reply::rss(&news(&origin, 3)));
    let folder = tempfile::tempdir().unwrap();
    let source = format!("[search]\nenabled = false\n[sources.harbour]\nurl = \"{}\"\n", origin.url("/feed"));
    fs::write(folder.path().join("feeds.toml"), format!("{HEAD}{source}")).unwrap();
    let program = Program::start(folder.path());
    assert_eq!(told(folder.path(), &["poll", "--force"]).0, Some(0));
    assert_eq!(program.items("/all.json?q=number2").len(), 1);
    let (code, text) = told(folder.path(), &["reindex"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("[search]"), "{text}");
    assert_eq!(program.stop(), Some(0));
}
