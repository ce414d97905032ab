//! `feedmill parse`

use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use serde_json::{Value, json};
use url::Url;

use crate::cli::discover::{self, Typed};
use crate::cli::line;
use crate::clock;
use crate::daemon::mill;
use crate::daemon::settings::{Fault, Settings};
use crate::fetch::Fetcher;
use crate::merge::identify::{self, Identified};
use crate::model::Timestamp;
use crate::model::document::{Parsed, RawHtml};
use crate::model::source::{Location, Scope};
use crate::parse::{self, NotAFeed};

/// How what was read is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Json,
    /// The document into which it was rewritten.
    Normalised,
}

/// What was understood.
struct Read {
    parsed: Parsed,
    /// Where the feed lies, if the address given is a page's.
    feed_of_page: Option<Url>,
}

pub(super) async fn run(
    settings: &Settings,
    document: &str,
    base: Option<&str>,
    form: Form,
) -> anyhow::Result<ExitCode> {
    let base = match base {
        Some(text) => Some(Url::parse(text).map_err(|error| Fault(format!("--base `{text}` is no address: {error}")))?),
        None => None,
    };
    if form == Form::Normalised {
        line(normalised(settings, document, base).await?.trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    let json = form == Form::Json;
    match read(settings, document, base).await? {
        Ok(Read { parsed, feed_of_page }) => {
            let identified =
                identify::identify(&Scope(Arc::from("parse")), parsed.header.url.as_ref(), parsed.observations.clone());
            if json {
                let mut shown = as_json(&parsed, &identified);
                shown["feed_of_page"] = json!(feed_of_page);
                line(&shown.to_string())?
            } else {
                if let Some(feed) = feed_of_page {
                    line(&format!("note: this is a web page; shown is its feed {feed}"))?;
                }
                show(&parsed)?
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(not_a_feed) => {
            if json {
                line(&json!({"error": not_a_feed.what}).to_string())?;
            }
            Err(not_a_feed.into())
        }
    }
}

async fn read(settings: &Settings, document: &str, base: Option<Url>) -> anyhow::Result<Result<Read, NotAFeed>> {
    if let Some(url) = address(document) {
        return from_the_web(settings, url, base).await;
    }
    let parsed = parse::parse(&from_here(document)?, None, base.as_ref(), clock::now());
    Ok(parsed.map(|parsed| Read { parsed, feed_of_page: None }))
}

async fn normalised(settings: &Settings, document: &str, base: Option<Url>) -> anyhow::Result<String> {
    let Some(url) = address(document) else {
        return Ok(parse::normalised(&from_here(document)?, None, base.as_ref())?);
    };
    let typed = Typed { location: Location::Http(url), credentials: None };
    let document = discover::ask(&fetcher(settings)?, &typed, None).await?;
    let base = base.unwrap_or(document.url);
    Ok(parse::normalised(&document.body, document.content_type.as_deref(), Some(&base))?)
}

fn address(document: &str) -> Option<Url> {
    Url::parse(document).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
}

/// A file, or standard input.
fn from_here(document: &str) -> anyhow::Result<Vec<u8>> {
    if document == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).context("standard input cannot be read")?;
        return Ok(bytes);
    }
    let path = PathBuf::from(document.strip_prefix("file:").unwrap_or(document));
    std::fs::read(&path).map_err(|error| Fault(format!("{} cannot be read: {error}", path.display())).into())
}

/// As sources of feeds.toml are fetched, if there is such a file.
fn fetcher(settings: &Settings) -> anyhow::Result<Fetcher> {
    let config = if settings.path.exists() {
        settings.read()
    } else {
        settings.check("").map_err(|problems| settings.told(&problems))
    }?;
    mill::fetcher(&config)
}

async fn from_the_web(settings: &Settings, url: Url, base: Option<Url>) -> anyhow::Result<Result<Read, NotAFeed>> {
    let fetcher = fetcher(settings)?;
    let typed = Typed { location: Location::Http(url), credentials: None };
    if let Some(base) = base {
        // Its links are of interest, not its feeds.
        let document = discover::ask(&fetcher, &typed, None).await?;
        let parsed = parse::parse(&document.body, document.content_type.as_deref(), Some(&base), clock::now());
        return Ok(parsed.map(|parsed| Read { parsed, feed_of_page: None }));
    }
    let discovered = discover::discover(&fetcher, &typed).await?;
    Ok(discovered.map(|found| Read { feed_of_page: found.page.is_some().then_some(found.url), parsed: found.parsed }))
}

fn time(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, |at| json!(at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)))
}

fn as_json(parsed: &Parsed, identified: &[Identified]) -> Value {
    let text = |html: &Option<RawHtml>| html.as_ref().map(|html| html.0.clone());
    // Every entry of the document is shown, also one that says the same as another and will not be kept.
    let entries = parsed.observations.iter().map(|entry| {
        let own = || identified.iter().find(|one| one.observation == *entry)?.ids.last().map(ToString::to_string);
        json!({
            "id": entry.guid.as_ref().map(|guid| guid.value.clone()).or_else(own),
            "id_generated": entry.guid.is_none(),
            "title": entry.title,
            "url": entry.url,
            "published": time(entry.published),
            "updated": time(entry.updated),
            "authors": entry.authors.iter().map(|author| &author.name).collect::<Vec<_>>(),
            "categories": entry.categories,
            "summary": text(&entry.summary),
            "content": text(&entry.content),
            "enclosures": entry.enclosures.iter().map(|it| json!({"url": it.url, "type": it.media_type, "length": it.length})).collect::<Vec<_>>(),
            "original_url": entry.original,
            "origin": entry.particulars.origin.as_ref().map(|it| json!({"title": it.title, "url": it.url, "feed": it.feed})),
            "related": entry.particulars.related.iter().map(|it| json!({"kind": it.kind.name(), "url": it.url, "type": it.media_type})).collect::<Vec<_>>(),
            "duration": entry.particulars.duration.map(|duration| duration.as_secs()),
            "episode": entry.particulars.episode,
            "season": entry.particulars.season,
            "explicit": entry.particulars.is_explicit,
            "language": entry.language,
        })
    });
    json!({
        "title": parsed.header.title,
        "url": parsed.header.url,
        "format": parsed.dialect.name(),
        "is_complete": parsed.is_complete,
        "notes": parsed.notes,
        "entries": entries.collect::<Vec<_>>(),
    })
}

fn show(parsed: &Parsed) -> anyhow::Result<()> {
    line(&format!("{} ({})", parsed.header.title.as_deref().unwrap_or("without a title"), parsed.dialect.name()))?;
    for note in &parsed.notes {
        line(&format!("note: {note}"))?;
    }
    line(&format!("{} entries", parsed.observations.len()))?;
    for entry in &parsed.observations {
        let date = entry
            .published
            .or(entry.updated)
            .map_or_else(|| "undated".to_owned(), |at| at.format("%Y-%m-%d %H:%M").to_string());
        line(&format!("  {date:<16}  {}", entry.title.as_deref().unwrap_or("without a title")))?;
        if let Some(url) = &entry.url {
            line(&format!("  {:<16}  {url}", ""))?;
        }
    }
    Ok(())
}
