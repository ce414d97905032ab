//! `feedmill query`

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use clap::ValueEnum;
use tokio::sync::watch;
use url::form_urlencoded::Serializer;

use crate::cli::line;
use crate::cli::talk::Talk;
use crate::config::Config;
use crate::daemon::control::{Answer, Question};
use crate::daemon::query::{Asked, Found, FoundEntry, answer};
use crate::daemon::settings::{Fault, Settings};
use crate::query::{self, QueryProblem};
use crate::select::catalogue::Catalogue;
use crate::select::door::StoreDoor;
use crate::store::{Handle, open};
use crate::text;

/// Characters of a long query that are shown before and behind a mistake.
const AROUND: usize = 40;

/// What the command line gave.
#[derive(Debug, clap::Args)]
pub(super) struct Wanted {
    /// As in topics and addresses; docs/query.md has all of it. Behind `--` it may begin with `-`.
    #[arg(value_name = "QUERY", allow_hyphen_values = true)]
    query: String,
    /// In this feed: `all`, a topic or a source.
    #[arg(long = "in", value_name = "FEED")]
    feed: Option<String>,
    /// Most entries; 100 unless you say so.
    #[arg(long, value_name = "N")]
    limit: Option<String>,
    /// Most entries of one source.
    #[arg(long, value_name = "N")]
    per_source: Option<String>,
    /// Published from this day or moment on.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Published before it.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// `seen`, as the feed has them, or `published`, newest first.
    #[arg(long, value_name = "ORDER")]
    order: Option<String>,
    /// In this language (`en`, `pt-br`).
    #[arg(long, value_name = "CODE")]
    lang: Option<String>,
    /// Lines for people, or a whole feed.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// For programs.
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Atom,
    Rss,
    Json,
}

pub(super) async fn run(settings: &Settings, wanted: Wanted) -> anyhow::Result<ExitCode> {
    query::parse(&wanted.query).map_err(|problem| Fault(marked(&wanted.query, &problem)))?;
    let asked = asked(&wanted);
    let config = settings.read()?;
    let answer = match Talk::open(&config.store.path, &Question::Query(asked.clone())).await? {
        Some(talk) => from_daemon(talk).await?,
        None => from_store(config, &asked).await?,
    };
    let count = match answer {
        Answer::Found(found) => {
            if wanted.json {
                line(&serde_json::to_string(&found)?)?;
            } else {
                Shown::new(settings).found(&found)?;
            }
            found.entries.len()
        }
        Answer::Document(document) => {
            std::io::stdout().lock().write_all(document.text.as_bytes())?;
            document.entries
        }
        Answer::Refused(what) => return Err(Fault(what).into()),
        Answer::Failed(what) => anyhow::bail!(what),
        _ => anyhow::bail!("the daemon gave no answer"),
    };
    Ok(if count > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn asked(wanted: &Wanted) -> Asked {
    let parameters = [
        ("q", Some(&wanted.query)),
        ("limit", wanted.limit.as_ref()),
        ("per_source", wanted.per_source.as_ref()),
        ("since", wanted.since.as_ref()),
        ("until", wanted.until.as_ref()),
        ("order", wanted.order.as_ref()),
        ("lang", wanted.lang.as_ref()),
    ];
    let mut text = Serializer::new(String::new());
    for (name, value) in parameters {
        if let Some(value) = value {
            text.append_pair(name, value);
        }
    }
    let format = match wanted.format {
        Format::Text => None,
        Format::Atom => Some("atom"),
        Format::Rss => Some("rss"),
        Format::Json => Some("json"),
    };
    Asked { feed: wanted.feed.clone(), parameters: text.finish(), format: format.map(str::to_owned) }
}

async fn from_daemon(mut talk: Talk) -> anyhow::Result<Answer> {
    let mut told = Answer::Done;
    while let Some(answer) = talk.next().await? {
        told = answer;
    }
    Ok(told)
}

/// Without a daemon: what is stored.
async fn from_store(config: Config, asked: &Asked) -> anyhow::Result<Answer> {
    let store = open::open(&config.store.path, config.store.cache_bytes)?;
    let catalogue = Arc::new(Catalogue::of_store(Arc::new(config), &store)?);
    // Names that it may have given to new sources.
    store.sync()?;
    let (_current, followed) = watch::channel(Arc::clone(&catalogue));
    let door = StoreDoor::new(Handle::new(Arc::new(store), 1), followed);
    Ok(answer(&door, &catalogue, asked).await)
}

/// The problem, and the query with a mark under the place.
fn marked(query: &str, problem: &QueryProblem) -> String {
    let letters: Vec<char> = query.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let at = problem.position.saturating_sub(1).min(letters.len());
    let start = at.saturating_sub(AROUND);
    let end = (at + AROUND).min(letters.len());
    let cut = |is_cut: bool| if is_cut { "…" } else { "" };
    let shown: String = letters[start..end].iter().collect();
    let before: usize = letters[start..at].iter().map(|letter| width(*letter)).sum();
    let blanks = " ".repeat(before + usize::from(start > 0));
    format!("{problem}\n  {}{shown}{}\n  {blanks}^", cut(start > 0), cut(end < letters.len()))
}

/// Columns on a terminal.
fn width(letter: char) -> usize {
    let is_wide =
        text::stands_alone(letter) || matches!(letter, '\u{ac00}'..='\u{d7a3}' | '\u{ff01}'..='\u{ff60}' | '\u{3000}');
    match letter {
        letter if unicode_normalization::char::is_combining_mark(letter) => 0,
        _ if is_wide => 2,
        _ => 1,
    }
}

/// Writes for people on a terminal, and a line for each entry, with tabs, for other programs.
struct Shown {
    is_terminal: bool,
    has_colours: bool,
}

impl Shown {
    fn new(settings: &Settings) -> Self {
        // https://no-color.org
        let is_refused = settings.variables.get("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_terminal = std::io::stdout().is_terminal();
        Self { is_terminal, has_colours: is_terminal && !is_refused }
    }

    fn found(&self, found: &Found) -> anyhow::Result<()> {
        for entry in &found.entries {
            self.entry(entry)?;
        }
        if self.is_terminal {
            let count = found.entries.len();
            let what = match count {
                0 => "nothing is found".to_owned(),
                1 => "one entry".to_owned(),
                count => format!("{count} entries"),
            };
            let more = if found.has_more { "; there may be older ones: --limit 2000, or --until" } else { "" };
            line(&format!("{what}{more}"))?;
        }
        Ok(())
    }

    fn entry(&self, entry: &FoundEntry) -> anyhow::Result<()> {
        let title = plain(entry.title.as_deref().unwrap_or("(no title)"));
        let address = plain(entry.url.as_deref().unwrap_or(&entry.id));
        let sources = entry.sources.join(", ");
        if !self.is_terminal {
            return line(&format!("{}\t{sources}\t{title}\t{address}", entry.published));
        }
        let painted = |text: &str, code: &str| {
            if self.has_colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
        };
        let time = entry.published.get(..16).unwrap_or(&entry.published).replace('T', " ");
        line(&format!("{time}  {}", painted(&sources, "36")))?;
        line(&format!("  {}", painted(&title, "1")))?;
        line(&format!("  {address}"))
    }
}

/// What publishers write must neither move the cursor of a terminal nor part a line.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_marked_where_it_stands() {
        let long = format!("{} titel:x {}", "a".repeat(100), "b ".repeat(50));
        for (query, expected) in [
            (
                "pact titel:x",
                "character 6: there is no field `titel:` (did you mean `title:`?)\n  pact titel:x\n       ^",
            ),
            ("é (b", "character 3: this bracket is not closed (add a `)`)\n  é (b\n    ^"),
            ("日本 (b", "character 4: this bracket is not closed (add a `)`)\n  日本 (b\n       ^"),
            ("a\nOR", "character 5: something is missing here (write a word)\n  a OR\n      ^"),
            (
                &long,
                "character 102: there is no field `titel:` (did you mean `title:`?)\n  \
                 …aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa titel:x b b b b b b b b b b b b b b b b …\n                                           ^",
            ),
        ] {
            let problem = query::parse(query).unwrap_err();
            assert_eq!(marked(query, &problem), expected, "{query}");
        }
    }
}
