//! `feedmill add`

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use url::Url;

use crate::cli::discover::{self, Discovered, Typed};
use crate::cli::line;
use crate::config::Config;
use crate::config::edit::{self, Addition};
use crate::daemon::mill;
use crate::daemon::settings::{Fault, Settings};
use crate::merge::canonical::canonical;
use crate::model::Timestamp;
use crate::model::source::{Location, Source};

/// What `feedmill add` takes.
#[derive(Debug, Args)]
pub(super) struct Wanted {
    /// The address of a feed, or of a page that has one.
    url: String,
    /// The source's key; made of the feed's title or host unless given.
    #[arg(long)]
    key: Option<String>,
    /// A topic that it belongs to; may be given several times.
    #[arg(long, value_name = "TOPIC")]
    topic: Vec<String>,
    /// Prints the lines and writes nothing.
    #[arg(long)]
    dry_run: bool,
    /// For programs.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(settings: &Settings, wanted: &Wanted) -> anyhow::Result<ExitCode> {
    let text = if settings.path.exists() { settings.text()? } else { String::new() };
    let config = settings.check(&text).map_err(|problems| settings.told(&problems))?;
    let address = with_scheme(&wanted.url)?;
    // Added as it was typed it shows at once what is wrong with key, address or topics, before anybody is asked.
    let first = addition(wanted, &config, None, &address, address.to_string())?;
    let typed = typed(settings, &text, &first)?;
    refuse_double(&config, &typed.location)?;
    let found = match discover::discover(&mill::fetcher(&config)?, &typed).await? {
        Ok(found) => found,
        Err(not_a_feed) => {
            if wanted.json {
                line(&json!({"error": not_a_feed.what}).to_string())?;
            }
            return Err(not_a_feed.into());
        }
    };
    refuse_double(&config, &Location::Http(found.url.clone()))?;
    // Somebody may have edited the file while publishers were asked.
    let text = if settings.path.exists() { settings.text()? } else { text };
    let config = settings.check(&text).map_err(|problems| settings.told(&problems))?;
    let url = with_userinfo(&found.url, &address);
    let addition = addition(wanted, &config, found.parsed.header.title.as_deref(), &found.url, url)?;
    let edited = added(settings, &text, &addition)?;
    if !wanted.dry_run {
        replace(&settings.path, &edited)
            .map_err(|error| Fault(format!("{} cannot be written: {error}", settings.path.display())))?;
    }
    report(settings, wanted, &found, &addition)?;
    Ok(ExitCode::SUCCESS)
}

/// People leave the scheme out.
fn with_scheme(text: &str) -> Result<Url, Fault> {
    let text = text.trim();
    let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    // Not printed: it may hold a password.
    let fault = || Fault("this is no address of a feed; write it as \"https://example.org/feed.xml\"".to_owned());
    Url::parse(&whole).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()).ok_or_else(fault)
}

fn addition(
    wanted: &Wanted,
    config: &Config,
    title: Option<&str>,
    found: &Url,
    url: String,
) -> Result<Addition, Fault> {
    let is_taken = |key: &str| {
        let names = |source: &Source| source.key.as_str() == key || source.was.iter().any(|was| was.as_str() == key);
        config.sources.iter().any(|source| names(source))
    };
    let key = match &wanted.key {
        Some(key) if is_taken(key) => {
            return Err(Fault(format!("[sources.{key}] is there already; give another --key, or none")));
        }
        Some(key) => key.clone(),
        None => edit::key_for(title, found, is_taken),
    };
    Ok(Addition { key, url, topics: wanted.topic.clone() })
}

/// The whole text with the source, checked.
fn added(settings: &Settings, text: &str, addition: &Addition) -> Result<String, Fault> {
    let edited = addition.added_to(text).map_err(|what| Fault(format!("{}: {what}", settings.path.display())))?;
    settings.check(&edited).map_err(|problems| settings.told(&problems))?;
    Ok(edited)
}

/// Where the source would be read from as it was typed, and with which credentials.
fn typed(settings: &Settings, text: &str, addition: &Addition) -> anyhow::Result<Typed> {
    let edited = addition.added_to(text).map_err(Fault)?;
    let config = settings.check(&edited).map_err(|problems| settings.told(&problems))?;
    let source = config.sources.iter().find(|source| source.key.as_str() == addition.key);
    let source = source.ok_or_else(|| Fault(format!("[sources.{}] cannot be added", addition.key)))?;
    Ok(Typed { location: source.location.clone(), credentials: source.credentials.clone() })
}

fn refuse_double(config: &Config, location: &Location) -> Result<(), Fault> {
    let Location::Http(url) = location else { return Ok(()) };
    let is_same =
        |source: &Source| matches!(&source.location, Location::Http(other) if canonical(other) == canonical(url));
    match config.sources.iter().find(|source| is_same(source)) {
        Some(source) => {
            Err(Fault(format!("this feed is there already: [sources.{}] reads {}", source.key, source.location)))
        }
        None => Ok(()),
    }
}

/// The address to write: a password that was typed in goes along to its own origin only.
fn with_userinfo(found: &Url, typed: &Url) -> String {
    let mut url = found.clone();
    if found.origin() == typed.origin() {
        // Both succeed for every address that has a host.
        let _ = url.set_username(typed.username());
        let _ = url.set_password(typed.password());
    }
    url.into()
}

/// The address with a word in the place of its password.
fn without_password(url: &str) -> String {
    let shown = Url::parse(url).ok().filter(|url| url.password().is_some()).and_then(|mut url| {
        url.set_password(Some("PASSWORD")).ok()?;
        Some(url.into())
    });
    shown.unwrap_or_else(|| url.to_owned())
}

/// Puts a text in the file's place as a whole: a reader sees the old one or the new one. Links, permissions and owner stay.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let path = if path.exists() { fs::canonicalize(path)? } else { std::path::absolute(path)? };
    let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside: PathBuf = folder.join(format!(".{name}.{}.new", std::process::id()));
    let written = write(&beside, &path, text).and_then(|()| fs::rename(&beside, &path));
    if written.is_err() {
        // What is left of a failure is only in the way.
        let _ = fs::remove_file(&beside);
    }
    written?;
    fs::File::open(folder)?.sync_all()
}

fn write(beside: &Path, path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(beside)?;
    if let Ok(old) = fs::metadata(path) {
        // Only root may give a file away; anybody else owns it already, or may not read what it would hide.
        let _ = std::os::unix::fs::fchown(&file, Some(old.uid()), Some(old.gid()));
        file.set_permissions(old.permissions())?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn report(settings: &Settings, wanted: &Wanted, found: &Discovered, addition: &Addition) -> anyhow::Result<()> {
    // Shown, logged and pasted, a password would be anybody's.
    let lines = Addition { url: without_password(&addition.url), ..addition.clone() }.lines();
    let newest = newest(found);
    if wanted.json {
        let others = found.others.iter().map(|other| json!({"url": other.url, "title": other.title}));
        let told = json!({
            "key": addition.key,
            "url": found.url,
            "page": found.page,
            "title": found.parsed.header.title,
            "format": found.parsed.dialect.name(),
            "entries": found.parsed.observations.len(),
            "newest": newest.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)),
            "others": others.collect::<Vec<_>>(),
            "file": settings.path,
            "lines": lines,
            "is_written": !wanted.dry_run,
        });
        return line(&told.to_string());
    }
    if wanted.dry_run {
        return line(lines.trim_end());
    }
    let title = found.parsed.header.title.as_deref().unwrap_or("without a title");
    let newest = newest.map_or_else(String::new, |at| format!(", newest of {}", at.format("%Y-%m-%d %H:%M")));
    let entries = found.parsed.observations.len();
    line(&format!("{title} ({}), {entries} entries{newest}", found.parsed.dialect.name()))?;
    if let Some(page) = &found.page {
        line(&format!("{page} is a web page; its feed is {}", found.url))?;
    }
    for other in &found.others {
        let title = other.title.as_ref().map_or_else(String::new, |title| format!(" ({title})"));
        line(&format!("another one there: {}{title}", other.url))?;
    }
    line(&format!("added [sources.{}] to {}", addition.key, settings.path.display()))
}

fn newest(found: &Discovered) -> Option<Timestamp> {
    found.parsed.observations.iter().filter_map(|entry| entry.published.or(entry.updated)).max()
}
