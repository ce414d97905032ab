//! What a browser is shown by the real binary, from what is really stored.

use std::fs;

use crate::origin::{Origin, Reply, rss};
use crate::program::{HEAD, Program, told};

const TEXT: &str = "<![CDATA[<p>Leaders of both countries <script>alert(1)</script> signed a comprehensive agreement on trade investment culture \
                    and security on Thursday after two days of talks in the capital that were watched closely by all of their neighbours and by \
                    many more people elsewhere, who waited for the news until late in the evening of that day.</p>]]>";

const BROWSER: [(&str, &str); 3] =
    [("accept", "text/html,*/*;q=0.8"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];

#[test]
fn a_topic_has_a_page_with_entries_and_older_ones_behind_it() {
    let origin = Origin::start("127.0.0.1");
    let pages: Vec<String> = (0..60).map(|number| origin.url(&format!("/news/{number}"))).collect();
    let titles: Vec<String> = (0..60).map(|number| format!("Report {number} of the harbour")).collect();
    let mut entries = vec![("pact", pages[0].as_str(), "Leaders sign a &lt;pact&gt;", TEXT)];
    for (page, title) in pages.iter().zip(&titles).skip(1) {
        entries.push((page, page, title, title));
    }
    origin.serve("/feed", Reply::rss(&rss("Desk", &origin.url("/"), &entries)));
    let folder = tempfile::tempdir().unwrap();
    let feeds = format!("[topics.world]\n[sources.desk]\nurl = \"{}\"\ntopics = [\"world\"]\n", origin.url("/feed"));
    fs::write(folder.path().join("feeds.toml"), format!("{HEAD}{feeds}")).unwrap();
    let program = Program::start(folder.path());
    let (code, text) = told(folder.path(), &["poll", "--force"]);
    assert_eq!(code, Some(0), "{text}");

    let page = program.ask("GET", "/topics/world?q=pact", &BROWSER).text();
    for part in [
        "http://news.example/topics/world.atom?q=pact",
        "<a href=\"../sources/desk\"><bdi>Desk</bdi></a>",
        "<p class=\"summary\" dir=\"auto\">Leaders of both countries signed",
        "1 copy",
    ] {
        assert!(page.contains(part), "{part} in\n{page}");
    }
    assert!(!page.contains("alert(1)") && !page.contains("<pact>"), "{page}");

    let mut path = "/topics/world".to_owned();
    let mut counts = Vec::new();
    loop {
        let page = program.ask("GET", &path, &BROWSER).text();
        counts.push(page.matches("<li><article>").count());
        let Some((before, _)) = page.split_once("\" rel=\"next\"") else { break };
        let (_, older) = before.rsplit_once("href=\"../").unwrap();
        path = format!("/{}", older.replace("&#38;", "&"));
    }
    assert_eq!(counts, [50, 10]);

    let preview = program.ask("GET", "/topics/world.atom", &BROWSER);
    assert!(preview.text().contains("This address is a feed"));
    let document = program.get("/topics/world.atom");
    assert_eq!(program.ask("GET", "/topics/world.atom?raw", &BROWSER).body, document.body);
    assert_eq!(program.stop(), Some(0));
}
