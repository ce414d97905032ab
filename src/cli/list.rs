//! `feedmill list`

use std::process::ExitCode;

use crate::cli::line;
use crate::cli::talk::Talk;
use crate::clock;
use crate::daemon::control::{Answer, Listed, Question};
use crate::daemon::settings::Settings;
use crate::poll::book::Book;
use crate::poll::quarantine::Holding;
use crate::published::status::Health;
use crate::select::catalogue::Catalogue;
use crate::store::open;

pub(super) async fn run(settings: &Settings, json: bool) -> anyhow::Result<ExitCode> {
    let config = settings.read()?;
    let mut listed = Vec::new();
    match Talk::open(&config.store.path, &Question::List).await? {
        Some(mut talk) => {
            while let Some(answer) = talk.next().await? {
                if let Answer::Source(source) = answer {
                    listed.push(source);
                }
            }
        }
        None => listed = from_store(config)?,
    }
    if json {
        line(&serde_json::to_string(&listed)?)?;
    } else {
        listed.iter().try_for_each(show)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Without a daemon: what the store remembers. Nothing is polled.
fn from_store(config: crate::config::Config) -> anyhow::Result<Vec<Listed>> {
    let store = open::open(&config.store.path, config.store.cache_bytes)?;
    let named: Vec<_> = config.sources.iter().map(|source| (source.key.clone(), source.was.clone())).collect();
    let scopes = store.scopes(&named)?;
    let book = Book::default();
    book.follow(&config.sources, &scopes, &store)?;
    let base = url::Url::parse("http://localhost/")?;
    let catalogue = Catalogue::new(std::sync::Arc::new(config), base, scopes, &book.learnt());
    let statuses = Holding::read(&store)?.tell(book.statuses(&catalogue, clock::now()), &catalogue);
    Ok(statuses.into_iter().map(Into::into).collect())
}

fn show(listed: &Listed) -> anyhow::Result<()> {
    let Listed { source, title, health, entries, .. } = listed;
    line(&format!("{source:<24} {:<9} {entries:>6} entries  {title}", health.name()))?;
    line(&format!("{:<24} {}", "", listed.address))?;
    if let Some(reason) = &listed.reason {
        let times = if listed.health == Health::Failing && listed.failures > 1 {
            format!(" ({} times in a row)", listed.failures)
        } else {
            String::new()
        };
        line(&format!("{:<24} {reason}{times}", ""))?;
    }
    if listed.held > 0 {
        let held = listed.held;
        line(&format!("{:<24} {held} entries are held back: `feedmill release {source}` lets them out", ""))?;
    }
    for note in &listed.notes {
        line(&format!("{:<24} note: {note}", ""))?;
    }
    let shown = |time: &Option<String>| time.clone().unwrap_or_else(|| "never".to_owned());
    line(&format!("{:<24} last success {}, next poll {}", "", shown(&listed.last_success), shown(&listed.next_poll)))
}
