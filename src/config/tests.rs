use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use crate::config::{self, Config, Problem, RuleKind, Surroundings};
use crate::model::source::{Location, SourceKey};

fn read_with(text: &str, variables: &[(&str, &str)]) -> Result<Config, Vec<Problem>> {
    let variables: BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let read_file = |path: &Path| match path.to_str() {
        Some("/home/secret") => Ok("s3cret\n".to_owned()),
        _ => Err(std::io::Error::other("no such file")),
    };
    config::read(text, &Surroundings { variables: &variables, folder: Path::new("/home"), read_file: &read_file })
}

fn read(text: &str) -> Config {
    read_with(text, &[]).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// All problems of a text, a line each.
fn check(text: &str, expected: &[&str]) {
    let told: Vec<String> = read_with(text, &[]).err().unwrap_or_default().iter().map(ToString::to_string).collect();
    assert_eq!(told, expected, "{text}");
}

const URL: &str = "url = \"https://example.org/feed\"";

#[test]
fn searches_have_an_index_unless_the_file_says_so() {
    let search = |text: &str| read(text).search;
    assert_eq!((search("").enabled, search("").memory_bytes), (true, 20_000_000));
    let other = search("[search]\nenabled = false\nmemory = \"40MB\"");
    assert_eq!((other.enabled, other.memory_bytes), (false, 40_000_000));
    check(
        "[search]\nmemory = \"1MB\"\nenable = true",
        &[
            "line 2, column 10: `memory` must be from 15MB to 1000MB",
            "line 3, column 1: [search] has no key `enable` (did you mean `enabled`?)",
        ],
    );
}

#[test]
fn an_empty_file_is_a_configuration() {
    let config = read("");
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8470");
    assert_eq!(config.store.path, Path::new("/home/feedmill-data"));
    let server = &config.server;
    assert_eq!((server.cache_bytes, server.connections, server.threads), (128_000_000, 10_000, None));
    assert_eq!((config.poll.concurrency, config.poll.per_host, config.poll.body_limit), (64, 2, 20_000_000));
}

const EVERY_KEY: &str = r#"
        [server]
        listen = "[::1]:80"
        public_url = "https://news.example.org/mill"
        title = "Mill"
        cache = "1GB"
        connections = 500
        threads = 2
        media = "images"
        [store]
        path = "/var/lib/mill"
        cache = "128MB"
        keep = "3y"
        [search]
        enabled = false
        memory = "40MB"
        [merging]
        same_content = false
        threshold = 0.7
        containment = 1
        window = "48h"
        reissue_limit = 200
        release_after = "7d"
        [[merge]]
        urls = ["https://a.example/1", "https://b.example/2"]
        [[never_merge]]
        query = 'title:"weekly thread"'
        [poll]
        min_interval = "30m"
        max_interval = "2d"
        concurrency = 8
        per_host = 1
        host_delay = "1m30s"
        connect_timeout = "5s"
        timeout = "30s"
        body_limit = "5MB"
        allow_private = ["192.168.1.0/24", "10.0.0.7"]
        allow_private_links = true
        contact = "me@example.org"
        [poll.hosts."Slow.example"]
        host_delay = "10s"
        [topics.world]
        title = "World"
        match = 'category:world'
        per_source = 5
        max_age = "7d"
        [sources.one]
        url = "https://us%65r:p%40ss@example.org/feed?x=1"
        title = "One"
        topics = ["world", "other"]
        priority = -3
        was = ["eins"]
        keep = "90d"
        keep_entries = 500
        full_text = true
        content_selector = "article .body"
        remove_selectors = [".related", "aside"]
        min_interval = "1h"
        max_interval = "3h"
        merge = { same_url = false, near_duplicate = false }
        headers = { "X-Key" = "plain", "X-File" = { file = "secret" } }
        [sources.two]
        url = "file:news.xml"
        username = "u"
        password = "p"
        min_interval = "5s"
        [sources.three]
        url = "http://192.168.1.9/feed"
        min_interval = "2s"
        "#;

#[test]
fn every_key_is_understood() {
    let config = read(EVERY_KEY);
    let one = &config.sources[0];
    assert_eq!(one.location, Location::Http("https://example.org/feed?x=1".parse().unwrap()));
    let credentials = one.credentials.as_ref().unwrap();
    assert_eq!((credentials.username.as_str(), credentials.password.reveal()), ("user", "p@ss"));
    assert_eq!(
        (one.min_interval, one.max_interval, one.priority),
        (Duration::from_secs(3600), Duration::from_secs(10_800), -3)
    );
    assert_eq!((one.grounds.same_guid, one.grounds.same_url, one.grounds.same_content), (true, false, false));
    assert!(!one.grounds.near_duplicate && config.sources[1].grounds.near_duplicate);
    assert_eq!((one.grounds.threshold, one.grounds.containment, one.reissue_limit), (0.7, 1.0, 200));
    assert_eq!(
        one.headers.iter().map(|(name, value)| format!("{name}={}", value.reveal())).collect::<Vec<_>>(),
        ["X-Key=plain", "X-File=s3cret"]
    );
    let kinds: Vec<RuleKind> = config.merging.rules.iter().map(|rule| rule.kind).collect();
    assert_eq!(kinds, [RuleKind::Together, RuleKind::Apart]);
    assert_eq!(config.merging.window, Duration::from_secs(48 * 3600));
    let days = |days: u64| Duration::from_secs(days * 24 * 3600);
    assert_eq!((one.keep, one.keep_entries), (days(90), Some(500)));
    assert_eq!((config.sources[1].keep, config.sources[1].keep_entries), (days(3 * 365), None));
    assert_eq!((config.store.keep, read("").store.keep), (days(3 * 365), days(2 * 365)));
    let full_text = one.full_text.as_ref().unwrap();
    assert_eq!(full_text.content_selector.as_deref(), Some("article .body"));
    assert_eq!(full_text.remove_selectors, [".related", "aside"]);
    assert!(config.sources[1].full_text.is_none());
    assert!(config.poll.allow_private_links && !read("").poll.allow_private_links);
    assert_eq!(one.was, [SourceKey::new("eins").unwrap()]);
    assert_eq!(config.sources[1].location, Location::File("/home/news.xml".into()));
    let server = &config.server;
    assert_eq!((server.cache_bytes, server.connections, server.threads), (1_000_000_000, 500, Some(2)));
    assert_eq!(server.media, crate::model::feed::Media::Images);
    assert_eq!(config.server.public_url.unwrap().as_str(), "https://news.example.org/mill/");
    assert_eq!(config.poll.hosts["slow.example"].host_delay, Duration::from_secs(10));
    assert_eq!(config.poll.hosts["slow.example"].per_host, 1);
    assert_eq!(config.topics.iter().map(|topic| topic.key.as_str()).collect::<Vec<_>>(), ["world", "other"]);
    assert_eq!(config.warnings, []);
}

#[test]
fn all_problems_are_told_at_once_with_their_places() {
    check(
        "[sevrer]\nlisten = \"x\"\n[server]\nlisten = \"nowhere\"\ntitel = \"x\"\n[sources.Bad]\nurl = \"https://example.org\"\n[sources.a]\n",
        &[
            "line 1, column 2: the file has no key `sevrer` (did you mean `server`?)",
            "line 4, column 10: `nowhere` is no address to listen on (write \"127.0.0.1:8470\")",
            "line 5, column 1: [server] has no key `titel` (did you mean `title`?)",
            "line 6, column 10: `Bad` is not a key: use 1 to 64 lower-case letters, digits and hyphens, beginning with a letter or digit",
            "line 8, column 10: [sources.a] has no `url` (write url = \"https://example.org/feed.xml\")",
        ],
    );
}

#[test]
fn wrong_values_say_what_is_right() {
    check(
        "[poll]\nmin_interval = 15",
        &[
            "line 2, column 16: `min_interval` must be a duration such as \"15m\", not an integer (write \"15s\" or \"15m\")",
        ],
    );
    check(
        "[poll]\nmin_interval = \"15\"",
        &["line 2, column 16: `15` is no duration (write \"90s\", \"15m\", \"24h\", \"7d\" or \"2y\")"],
    );
    check("[store]\nkeep = \"1h\"", &["line 2, column 8: `keep` must be from 1d to 100y"]);
    check(
        "[store]\nkeep = 2",
        &["line 2, column 8: `keep` must be a duration such as \"15m\", not an integer (write \"2s\" or \"15m\")"],
    );
    check(
        &format!("[sources.a]\n{URL}\nkeep_entries = 0"),
        &["line 3, column 16: `keep_entries` must be from 1 to 10000000"],
    );
    check("[poll]\nconcurrency = 0", &["line 2, column 15: `concurrency` must be from 1 to 1024"]);
    check("[poll]\nbody_limit = \"5\"", &["line 2, column 14: `5` is no size (write \"500kB\", \"20MB\" or \"1GB\")"]);
    check(
        "[poll]\nallow_private = [\"home\"]",
        &["line 2, column 18: `home` is no network (write \"192.168.1.0/24\")"],
    );
    check("sources = 3", &["line 1, column 11: [sources] must be a table, not an integer"]);
    check("[topics.all]", &["line 1, column 9: `all` is the feed of everything and cannot be a topic"]);
    check(
        "[topics.t]\nmatch = 'titel:x'",
        &[
            "line 2, column 9: the query in `match` cannot be read: character 1: there is no field `titel:` (did you mean `title:`?)",
        ],
    );
    check(
        "[topics.t]\nmatch = 'a newer:1d'",
        &[
            "line 2, column 9: the query in `match` cannot be read: character 3: `newer:` cannot decide who belongs to a topic (use the topic's max_age)",
        ],
    );
}

#[test]
fn selectors_are_checked_where_they_stand() {
    check(
        &format!(
            "[sources.a]\n{URL}\nfull_text = true\ncontent_selector = \"div[\"\nremove_selectors = [\".x\", \"p >\"]"
        ),
        &[
            "line 4, column 20: `div[` is no CSS selector (write \"article .body\" or \"#story\")",
            "line 5, column 27: `p >` is no CSS selector (write \"article .body\" or \"#story\")",
        ],
    );
    check(
        &format!("[sources.a]\n{URL}\nfull_text = \"yes\""),
        &["line 3, column 13: `full_text` must be true or false, not a string"],
    );
    let told = read(&format!("[sources.a]\n{URL}\ncontent_selector = \"p\"")).warnings;
    assert_eq!(told[0].to_string(), "line 3, column 20: nothing uses this selector without `full_text = true`");
}

#[test]
fn rules_of_merging_are_checked_where_they_stand() {
    let help = "(write urls = [\"https://a.example/1\", \"https://b.example/2\"] or query = '…')";
    check("[[merge]]", &[&format!("line 1, column 1: [[merge]] names nothing {help}")]);
    check(
        "[[never_merge]]\nurls = [\"https://a.example/1\"]",
        &[&format!("line 1, column 1: [[never_merge]] must name at least two addresses {help}")],
    );
    check(
        "[[merge]]\nurls = [\"a\", \"https://a.example/1\"]",
        &["line 2, column 9: `a` is no address of an entry (write \"https://example.org/news/1\")"],
    );
    check(
        "[[never_merge]]\nquery = 'titel:x'",
        &["line 2, column 9: `query`: character 1: there is no field `titel:` (did you mean `title:`?)"],
    );
    check(
        "[[never_merge]]\nquery = 'x'\nurls = []",
        &["line 1, column 1: [[never_merge]] has both `urls` and `query` (make two rules of it)"],
    );
    check(
        "[merging]\nthreshold = 2",
        &["line 2, column 13: `threshold` must be a number from 0 to 1 (write threshold = 0.7)"],
    );
    check("[merge]\nwindow = \"1s\"", &["line 2, column 10: `window` must be from 1h to 30d"]);
    check(
        "[merge]\n[merging]\nwindow = \"2h\"",
        &["line 1, column 1: [merge] and [merging] are the same settings (keep [merging])"],
    );
}

#[test]
fn addresses_that_cannot_be_sources_are_told() {
    let url = |url: &str| format!("[sources.a]\nurl = \"{url}\"");
    check(
        &url("ftp://example.org/"),
        &["line 2, column 7: `ftp:` is no scheme that a source can have (did you mean `http:`?)"],
    );
    check(
        &url("example.org/feed"),
        &["line 2, column 7: this is no address (write it with its scheme, such as \"https://example.org/feed.xml\")"],
    );
    check(
        &url("http://127.0.0.1/feed"),
        &[
            "line 2, column 7: [sources.a] lies at the private address 127.0.0.1 (add allow_private = [\"127.0.0.1/32\"] to [poll] if you mean it)",
        ],
    );
    check(
        &url("http://0x7f.1/feed"),
        &[
            "line 2, column 7: [sources.a] lies at the private address 127.0.0.1 (add allow_private = [\"127.0.0.1/32\"] to [poll] if you mean it)",
        ],
    );
    check(
        &format!("[server]\npublic_url = \"https://news.example.org\"\n{}", url("https://news.example.org/all.atom")),
        &["line 4, column 7: [sources.a] would read our own output (declare a topic instead)"],
    );
}

#[test]
fn names_and_headers_are_checked_together() {
    check(
        &format!("[sources.a]\n{URL}\nwas = [\"b\"]\n[sources.b]\nurl = \"https://example.org/b\""),
        &["line 3, column 8: `was` names `b`, which is a source of its own"],
    );
    check(
        &format!("[sources.a]\n{URL}\nheaders = {{ Cookie = \"x\" }}"),
        &["line 3, column 13: `Cookie` cannot be sent as a header"],
    );
    check(
        &format!("[sources.a]\n{URL}\nheaders = {{ X = \"a\\nb\" }}"),
        &["line 3, column 17: the value of `X` holds a line break or control character"],
    );
    check(
        &format!("[sources.a]\n{URL}\npassword = {{ env = \"GONE\" }}"),
        &["line 3, column 20: the environment variable GONE is not set"],
    );
    check(
        &format!("[sources.a]\n{URL}\nmin_interval = \"10s\""),
        &["line 3, column 16: [sources.a]: `min_interval` must be at least 1m for a public source"],
    );
}

#[test]
fn broken_toml_says_where() {
    for text in ["[server", "a = ", "[a]\n[a]", "x = 1\nx = 2"] {
        let problems = read_with(text, &[]).unwrap_err();
        assert!(problems.iter().all(|problem| problem.line > 0), "{problems:?}");
    }
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    let config = read(&format!(
        "[topics.lonely]\n[sources.a]\n{URL}\ntopics = [\"t\", \"t\"]\n[sources.b]\nurl = \"http://EXAMPLE.org/feed/\""
    ));
    let told: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "line 1, column 9: nothing feeds [topics.lonely]: no source names it and it has no `match`",
            "line 4, column 16: [sources.a] names the topic `t` twice",
            "line 6, column 7: [sources.b] reads the same address as [sources.a]",
        ]
    );
}

#[test]
fn the_environment_wins_over_the_file() {
    let variables = [
        ("FEEDMILL_SERVER_LISTEN", "127.0.0.9:1"),
        ("FEEDMILL_STORE_PATH", "/data"),
        ("FEEDMILL_SERVR_LISTEN", "x"),
        ("FEEDMILL_LOG", "debug"),
    ];
    let config = read_with("[server]\nlisten = \"127.0.0.1:2\"", &variables).unwrap();
    assert_eq!(
        (config.server.listen.to_string(), config.store.path.as_path()),
        ("127.0.0.9:1".to_owned(), Path::new("/data"))
    );
    assert_eq!(config.warnings.len(), 1);
    let problems = read_with("", &[("FEEDMILL_SERVER_LISTEN", "here")]).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "the environment variable FEEDMILL_SERVER_LISTEN cannot be `here` (an example: 127.0.0.1:8470)"
    );
}

#[test]
fn listening_everywhere_without_a_public_address_is_a_warning() {
    let told = |text: &str| read(text).warnings.len();
    assert_eq!(told("[server]\nlisten = \"0.0.0.0:8470\""), 1);
    assert_eq!(told("[server]\nlisten = \"[::]:8470\"\npublic_url = \"https://news.example.org\""), 0);
}

#[test]
fn no_secret_is_printed() {
    let text = "[sources.a]\nurl = \"https://user:hunter2@example.org/feed\"\nheaders = { X = \"hunter2\" }";
    assert!(!format!("{:?}", read(text)).contains("hunter2"));
    let broken = read_with(&text.replace("https:", "htps:"), &[]).unwrap_err();
    assert!(!format!("{broken:?}").contains("hunter2"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reading_never_panics(text in any::<String>()) {
        let _ = read_with(&text, &[]);
    }

    #[test]
    fn reading_something_like_a_configuration_never_panics(
        text in "((\\[(server|sources\\.a|topics\\.b|poll)\\]\n)|((url|topics|match|min_interval|headers) = (\"[a-z:/ é]{0,9}\"|3|true|\\[\\]|\\{\\}|\\[\"x\"\\])\n)){0,9}"
    ) {
        let _ = read_with(&text, &[]);
    }
}
