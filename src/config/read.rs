//! Tables → values. One function a table.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use toml::de::{DeTable, DeValue};
use url::Url;

use crate::config::access::{self, Around, Said};
use crate::config::address;
use crate::config::check::{self, Declared};
use crate::config::hub;
use crate::config::merging::{self, Defaults};
use crate::config::problem::{Problems, Span};
use crate::config::table::{self, At, Reader, Value};
use crate::config::{
    Config, HostPace, PollSettings, Problem, SearchSettings, Server, StoreSettings, Surroundings, Topic,
};
use crate::extract;
use crate::model::feed::Media;
use crate::model::source::{Credentials, FullText, Secret, Source, SourceKey, TopicKey};
use crate::query;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);
const YEAR: Duration = Duration::from_secs(366 * 24 * 3600);
/// A year as `y` means it.
const ORDINARY_YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
/// How long entries may be kept.
const KEEP: std::ops::RangeInclusive<Duration> = DAY..=Duration::from_secs(100 * 365 * 24 * 3600);
/// Overrides for the parts that differ between machines.
const VARIABLES: &[&str] =
    &["FEEDMILL_SERVER_LISTEN", "FEEDMILL_SERVER_PUBLIC_URL", "FEEDMILL_STORE_PATH", "FEEDMILL_STORE_CACHE"];
/// Variables of ours that others read.
const OTHER_VARIABLES: &[&str] = &["FEEDMILL_LOG", "FEEDMILL_CONFIG"];

pub(super) fn read(text: &str, around: &Surroundings<'_>) -> Result<Config, Vec<Problem>> {
    let mut problems = Problems::new(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        problems.add(&error.span().unwrap_or(0..0), error.message().lines().collect::<Vec<_>>().join("; "), None);
    }
    if !errors.is_empty() {
        // What a broken text seems to say would only give problems that are not there.
        return problems.finish().map(|_| unreachable!("there are errors"));
    }
    let mut root = Reader::new("the file", root.into_inner());
    let mut said = Said::default();
    let mut server_table = root.table("server", "[server]", &mut problems);
    said.of_server(&mut server_table, &mut problems);
    let server = server(server_table, around, &mut problems);
    let store = store(root.table("store", "[store]", &mut problems), around, &mut problems);
    let search = search(root.table("search", "[search]", &mut problems), &mut problems);
    let (merging, defaults) = merging::merging(&mut root, &mut problems);
    let (poll, intervals) = poll(root.table("poll", "[poll]", &mut problems), &mut problems);
    let intervals = Intervals { keep: store.keep, ..intervals };
    let hub = hub::hub(root.table("hub", "[hub]", &mut problems), server.public_url.is_some(), &mut problems);
    let declared = sources(
        root.table("sources", "[sources]", &mut problems),
        (around, &mut said),
        &intervals,
        &defaults,
        &mut problems,
    );
    let mut topics = topics(root.table("topics", "[topics]", &mut problems), &mut said, &mut problems);
    let groups = access::groups(root.table("access", "[access]", &mut problems), around, &mut problems);
    root.finish(&mut problems);
    variables(around, &mut problems);

    check::check(&declared, &topics, &server, &poll, &mut problems);
    let others = Around { server: &server, declared: &declared, topics: &topics };
    let access = Arc::new(said.resolve(groups, &others, &mut problems));
    let sources: Vec<Arc<Source>> = declared.into_iter().map(|declared| Arc::new(declared.source)).collect();
    for key in sources.iter().flat_map(|source| &source.topics) {
        if !topics.iter().any(|topic| topic.value.key == *key) {
            let topic = Topic { key: key.clone(), title: None, matches: None, per_source: None, max_age: None };
            topics.push(At { span: 0..0, value: topic });
        }
    }
    let topics = topics.into_iter().map(|topic| topic.value).collect();
    let config = Config { server, store, poll, merging, hub, search, access, sources, topics, warnings: Vec::new() };
    problems.finish().map(|warnings| Config { warnings, ..config })
}

fn server(mut table: Reader<'_>, around: &Surroundings<'_>, problems: &mut Problems<'_>) -> Server {
    let default = SocketAddr::from(([127, 0, 0, 1], 8470));
    let written = table.text("listen", problems).and_then(|At { span, value }| {
        let read = value.parse().ok();
        if read.is_none() {
            problems.add(
                &span,
                format!("`{value}` is no address to listen on"),
                Some("write \"127.0.0.1:8470\"".to_owned()),
            );
        }
        read
    });
    let listen = overridden(around, "FEEDMILL_SERVER_LISTEN", "127.0.0.1:8470", |text| text.parse().ok(), problems);
    let public = table.text("public_url", problems).and_then(|At { span, value }| {
        let read = public_url(&value);
        if read.is_none() {
            problems.add(
                &span,
                format!("`{value}` is no public address"),
                Some("write \"https://news.example.org\"".to_owned()),
            );
        }
        read
    });
    let public_url =
        overridden(around, "FEEDMILL_SERVER_PUBLIC_URL", "https://news.example.org", public_url, problems).or(public);
    let title = table.text("title", problems).map_or_else(|| "feedmill".to_owned(), |title| title.value);
    let cache_bytes = table.size("cache", 16_000_000..=64_000_000_000, problems).unwrap_or(128_000_000);
    let connections = table.number("connections", 1..=1_000_000, problems).map_or(10_000, whole);
    let threads = table.number("threads", 1..=64, problems).map(whole);
    let media = media(&mut table, problems);
    table.finish(problems);
    let listen = listen.or(written).unwrap_or(default);
    if listen.ip().is_unspecified() && public_url.is_none() {
        problems.warn_outside(format!(
            "listening on {listen} without a `public_url`: links in our feeds will say http://localhost:{}/",
            listen.port()
        ));
    }
    Server { listen, public_url, title, cache_bytes, connections, media, threads }
}

fn media(table: &mut Reader<'_>, problems: &mut Problems<'_>) -> Media {
    let Some(At { span, value }) = table.text("media", problems) else { return Media::default() };
    match value.as_str() {
        "all" => Media::All,
        "images" => Media::Images,
        "none" => Media::None,
        _ => {
            let help = "write \"all\", \"images\" or \"none\"".to_owned();
            problems.add(&span, format!("`media` cannot be `{value}`"), Some(help));
            Media::default()
        }
    }
}

fn public_url(text: &str) -> Option<Url> {
    let mut url =
        Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.query().is_none())?;
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Some(url)
}

fn store(mut table: Reader<'_>, around: &Surroundings<'_>, problems: &mut Problems<'_>) -> StoreSettings {
    let bounds = 8_000_000..=4_000_000_000;
    let path = table.text("path", problems).map_or_else(|| "feedmill-data".to_owned(), |path| path.value);
    let path = overridden(around, "FEEDMILL_STORE_PATH", "/var/lib/feedmill", |text| Some(text.to_owned()), problems)
        .unwrap_or(path);
    let cache = table.size("cache", bounds.clone(), problems);
    let read = |text: &str| super::units::size(text).filter(|size| bounds.contains(size));
    let keep = table.duration("keep", KEEP, problems).map_or(2 * ORDINARY_YEAR, |keep| keep.value);
    let cache = overridden(around, "FEEDMILL_STORE_CACHE", "16MB, from 8MB to 4000MB", read, problems).or(cache);
    table.finish(problems);
    StoreSettings { path: around.folder.join(path), cache_bytes: cache.unwrap_or(16_000_000), keep }
}

fn search(mut table: Reader<'_>, problems: &mut Problems<'_>) -> SearchSettings {
    let enabled = table.boolean("enabled", problems).unwrap_or(true);
    let memory = table.size("memory", 15_000_000..=1_000_000_000, problems);
    table.finish(problems);
    SearchSettings { enabled, memory_bytes: memory.unwrap_or(20_000_000) }
}

/// The value of an environment variable, which wins over the file.
fn overridden<T>(
    around: &Surroundings<'_>,
    name: &str,
    example: &str,
    read: impl Fn(&str) -> Option<T>,
    problems: &mut Problems<'_>,
) -> Option<T> {
    let text = around.variables.get(name).filter(|text| !text.is_empty())?;
    let value = read(text);
    if value.is_none() {
        problems.add_outside(format!("the environment variable {name} cannot be `{text}` (an example: {example})"));
    }
    value
}

fn variables(around: &Surroundings<'_>, problems: &mut Problems<'_>) {
    let known = || VARIABLES.iter().chain(OTHER_VARIABLES).copied();
    for name in around.variables.keys().filter(|name| name.starts_with("FEEDMILL_")) {
        if !known().any(|known| known == name) {
            let near = known().min_by_key(|known| strsim::damerau_levenshtein(known, name)).unwrap_or_default();
            problems.warn_outside(format!("nothing reads the environment variable {name}; did you mean {near}?"));
        }
    }
}

/// Defaults for every source.
struct Intervals {
    min: Duration,
    max: Duration,
    min_at: Option<Span>,
    keep: Duration,
}

fn poll(mut table: Reader<'_>, problems: &mut Problems<'_>) -> (PollSettings, Intervals) {
    let second = Duration::from_secs(1);
    let min = table.duration("min_interval", second..=YEAR, problems);
    let max = table.duration("max_interval", MINUTE..=YEAR, problems);
    let intervals = Intervals {
        min_at: min.as_ref().map(|min| min.span.clone()),
        min: min.map_or(15 * MINUTE, |min| min.value),
        max: max.map_or(24 * 60 * MINUTE, |max| max.value),
        // Said under [store].
        keep: 2 * ORDINARY_YEAR,
    };
    let pace = pace(&mut table, HostPace { per_host: 2, host_delay: second }, problems);
    let concurrency = table.number("concurrency", 1..=1024, problems);
    let settings = PollSettings {
        concurrency: concurrency.map_or(64, whole),
        per_host: pace.per_host,
        host_delay: pace.host_delay,
        connect_timeout: table
            .duration("connect_timeout", second..=2 * MINUTE, problems)
            .map_or(10 * second, |it| it.value),
        timeout: table.duration("timeout", second..=10 * MINUTE, problems).map_or(MINUTE, |it| it.value),
        body_limit: table.size("body_limit", 1_000_000..=500_000_000, problems).unwrap_or(20_000_000),
        allow_private: table
            .texts("allow_private", problems)
            .into_iter()
            .filter_map(|it| network(it, problems))
            .collect(),
        allow_private_links: table.boolean("allow_private_links", problems).unwrap_or(false),
        contact: table.text("contact", problems).map(|it| it.value),
        hosts: hosts(table.table("hosts", "[poll.hosts]", problems), pace, problems),
    };
    table.finish(problems);
    (settings, intervals)
}

pub(super) fn whole(number: i64) -> usize {
    usize::try_from(number).expect("bounds keep it positive")
}

fn pace(table: &mut Reader<'_>, default: HostPace, problems: &mut Problems<'_>) -> HostPace {
    let per_host = table.number("per_host", 1..=64, problems);
    let host_delay = table.duration("host_delay", Duration::ZERO..=60 * MINUTE, problems);
    HostPace {
        per_host: per_host.map_or(default.per_host, whole),
        host_delay: host_delay.map_or(default.host_delay, |delay| delay.value),
    }
}

fn hosts(mut table: Reader<'_>, default: HostPace, problems: &mut Problems<'_>) -> BTreeMap<String, HostPace> {
    let mut hosts = BTreeMap::new();
    for (host, value) in table.take_rest() {
        let name = format!("[poll.hosts.\"{}\"]", host.value);
        let Some(mut inner) = table::table(&name, value, problems) else { continue };
        hosts.insert(host.value.to_lowercase(), pace(&mut inner, default, problems));
        inner.finish(problems);
    }
    hosts
}

pub(super) fn network(text: At<String>, problems: &mut Problems<'_>) -> Option<IpNet> {
    let At { span, value } = text;
    let read = value.parse().ok().or_else(|| value.parse::<std::net::IpAddr>().ok().map(IpNet::from));
    if read.is_none() {
        problems.add(&span, format!("`{value}` is no network"), Some("write \"192.168.1.0/24\"".to_owned()));
    }
    read
}

fn sources(
    mut table: Reader<'_>,
    (around, said): (&Surroundings<'_>, &mut Said),
    intervals: &Intervals,
    merging: &Defaults,
    problems: &mut Problems<'_>,
) -> Vec<Declared> {
    let mut found = Vec::new();
    for (key, value) in table.take_rest() {
        let name = format!("[sources.{}]", key.value);
        let Some(mut inner) = table::table(&name, value, problems) else { continue };
        match SourceKey::new(&key.value) {
            Ok(source_key) => {
                said.of_source(&source_key, &mut inner, problems);
                found.extend(source(source_key, key.span, inner, around, intervals, merging, problems))
            }
            Err(problem) => problems.add(&key.span, problem.to_string(), None),
        }
    }
    found
}

fn source(
    key: SourceKey,
    span: Span,
    mut table: Reader<'_>,
    around: &Surroundings<'_>,
    intervals: &Intervals,
    merging: &Defaults,
    problems: &mut Problems<'_>,
) -> Option<Declared> {
    let address = table.text("url", problems);
    let title = table.text("title", problems).map(|title| title.value);
    let topics: Vec<At<TopicKey>> =
        table.texts("topics", problems).into_iter().filter_map(|it| topic_key(it, problems)).collect();
    let was: Vec<At<SourceKey>> =
        table.texts("was", problems).into_iter().filter_map(|it| source_key(it, problems)).collect();
    let priority = table.number("priority", -1_000_000..=1_000_000, problems);
    let name = format!("[sources.{key}.merge]");
    let merging = merging::of_source(table.table("merge", &name, problems), merging, problems);
    let min = table.duration("min_interval", Duration::from_secs(1)..=YEAR, problems);
    let max = table.duration("max_interval", Duration::from_secs(1)..=YEAR, problems);
    let keep = table.duration("keep", KEEP, problems).map_or(intervals.keep, |keep| keep.value);
    let keep_entries = table.number("keep_entries", 1..=10_000_000, problems).map(whole);
    let full_text = full_text(&mut table, problems);
    let username = table.text("username", problems);
    let password = table.take("password").and_then(|value| secret("password", value, around, problems));
    let headers = headers(&key, &mut table, around, problems);
    table.finish(problems);

    let Some(address) = address else {
        problems.add(
            &span,
            format!("[sources.{key}] has no `url`"),
            Some("write url = \"https://example.org/feed.xml\"".to_owned()),
        );
        return None;
    };
    let (location, userinfo) = address::location(&address, around.folder, problems)?;
    let given = username.map(|name| Credentials {
        username: name.value,
        password: password.unwrap_or_else(|| Secret::new(String::new())),
    });
    let min_at = min.as_ref().map(|min| min.span.clone()).or_else(|| intervals.min_at.clone());
    let min_interval = min.map_or(intervals.min, |min| min.value);
    let max_interval = max.map_or(intervals.max, |max| max.value);
    if min_interval > max_interval {
        let place = min_at.clone().unwrap_or_else(|| span.clone());
        problems.add(&place, format!("[sources.{key}]: `min_interval` is longer than `max_interval`"), None);
    }
    let source = Source {
        key,
        was: was.iter().map(|was| was.value.clone()).collect(),
        location,
        title,
        topics: topics.iter().map(|topic| topic.value.clone()).collect(),
        priority: priority.and_then(|priority| i32::try_from(priority).ok()).unwrap_or(0),
        grounds: merging.grounds,
        reissue_limit: merging.reissue_limit,
        min_interval,
        max_interval,
        keep,
        keep_entries,
        full_text,
        credentials: given.or(userinfo),
        headers,
    };
    Some(Declared { source, key_at: span, url_at: address.span, topics, was, min_at })
}

/// Selectors are checked also where they are not used, so that switching `full_text` on brings no surprise.
fn full_text(table: &mut Reader<'_>, problems: &mut Problems<'_>) -> Option<FullText> {
    let is_wanted = table.boolean("full_text", problems).unwrap_or(false);
    let content = table.text("content_selector", problems);
    let remove = table.texts("remove_selectors", problems);
    for At { span, value } in content.iter().chain(&remove) {
        if !extract::is_selector(value) {
            let help = "write \"article .body\" or \"#story\"".to_owned();
            problems.add(span, format!("`{value}` is no CSS selector"), Some(help));
        } else if !is_wanted {
            problems.warn(span, "nothing uses this selector without `full_text = true`");
        }
    }
    is_wanted.then(|| FullText {
        content_selector: content.map(|it| it.value),
        remove_selectors: remove.into_iter().map(|it| it.value).collect(),
    })
}

fn topic_key(text: At<String>, problems: &mut Problems<'_>) -> Option<At<TopicKey>> {
    match TopicKey::new(&text.value) {
        Ok(value) => Some(At { span: text.span, value }),
        Err(problem) => {
            problems.add(&text.span, problem.to_string(), None);
            None
        }
    }
}

fn source_key(text: At<String>, problems: &mut Problems<'_>) -> Option<At<SourceKey>> {
    match SourceKey::new(&text.value) {
        Ok(value) => Some(At { span: text.span, value }),
        Err(problem) => {
            problems.add(&text.span, problem.to_string(), None);
            None
        }
    }
}

/// `"text"`, `{ env = "NAME" }` or `{ file = "path" }`.
pub(super) fn secret(
    key: &str,
    value: Value<'_>,
    around: &Surroundings<'_>,
    problems: &mut Problems<'_>,
) -> Option<Secret> {
    let span = value.span();
    let table = match value.into_inner() {
        DeValue::String(text) => return Some(Secret::new(text.into_owned())),
        DeValue::Table(table) => table,
        _ => {
            let help = "write \"…\", { env = \"NAME\" } or { file = \"path\" }";
            problems.add(&span, format!("`{key}` must be a secret"), Some(help.to_owned()));
            return None;
        }
    };
    let mut table = Reader::new(format!("`{key}`"), table);
    let (variable, file) = (table.text("env", problems), table.text("file", problems));
    table.finish(problems);
    match (variable, file) {
        (Some(At { span, value: name }), None) => {
            let found = around.variables.get(&name).cloned().map(Secret::new);
            if found.is_none() {
                problems.add(&span, format!("the environment variable {name} is not set"), None);
            }
            found
        }
        (None, Some(At { span, value: path })) => match (around.read_file)(&around.folder.join(&path)) {
            Ok(text) => Some(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned())),
            Err(error) => {
                problems.add(&span, format!("the file {path} cannot be read: {error}"), None);
                None
            }
        },
        _ => {
            problems.add(&span, format!("`{key}` needs exactly one of `env` and `file`"), None);
            None
        }
    }
}

/// Headers that would break what we promise about requests.
const REFUSED_HEADERS: &[&str] = &["connection", "content-length", "cookie", "host", "referer", "transfer-encoding"];

fn headers(
    key: &SourceKey,
    table: &mut Reader<'_>,
    around: &Surroundings<'_>,
    problems: &mut Problems<'_>,
) -> Vec<(String, Secret)> {
    let mut inner = table.table("headers", &format!("[sources.{key}.headers]"), problems);
    let mut found = Vec::new();
    for (name, value) in inner.take_rest() {
        let is_token = !name.value.is_empty()
            && name.value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
        if !is_token || REFUSED_HEADERS.contains(&name.value.to_lowercase().as_str()) {
            problems.add(&name.span, format!("`{}` cannot be sent as a header", name.value), None);
            continue;
        }
        let span = value.span();
        let Some(value) = secret(&name.value, value, around, problems) else { continue };
        if value.reveal().bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            problems.add(&span, format!("the value of `{}` holds a line break or control character", name.value), None);
            continue;
        }
        found.push((name.value, value));
    }
    found
}

fn topics(mut table: Reader<'_>, said: &mut Said, problems: &mut Problems<'_>) -> Vec<At<Topic>> {
    let mut found = Vec::new();
    for (key, value) in table.take_rest() {
        let Some(mut inner) = table::table(&format!("[topics.{}]", key.value), value, problems) else { continue };
        match TopicKey::new(&key.value) {
            Ok(topic_key) if topic_key.as_str() != "all" => {
                said.of_topic(&topic_key, &mut inner, problems);
                found.push(At { span: key.span, value: topic(topic_key, inner, problems) })
            }
            Ok(_) => problems.add(&key.span, "`all` is the feed of everything and cannot be a topic", None),
            Err(problem) => problems.add(&key.span, problem.to_string(), None),
        }
    }
    found
}

fn topic(key: TopicKey, mut table: Reader<'_>, problems: &mut Problems<'_>) -> Topic {
    let title = table.text("title", problems).map(|title| title.value);
    let matches = table.text("match", problems).and_then(|At { span, value }| match query::parse_for_topic(&value) {
        Ok(query) => Some(query),
        Err(problem) => {
            problems.add(&span, format!("the query in `match` cannot be read: {problem}"), None);
            None
        }
    });
    let per_source = table.number("per_source", 1..=2_000, problems).map(whole);
    let max_age = table.duration("max_age", MINUTE..=100 * YEAR, problems).map(|age| age.value);
    table.finish(problems);
    Topic { key, title, matches, per_source, max_age }
}
