//! `feedmill why`

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;

use crate::cli::line;
use crate::cli::talk::Talk;
use crate::clock;
use crate::config::Config;
use crate::daemon::control::{Answer, Question};
use crate::daemon::settings::{Fault, Settings};
use crate::model::access::Audience;
use crate::published::why::{
    self, Account, Asked, EntryAccount, FeedVerdict, Moment, SightingAccount, SourceAccount, TermVerdict,
    TextDifference, TextPiece,
};
use crate::select::catalogue::Catalogue;
use crate::select::why::{Known, by_keys, explain};
use crate::store::open;

/// What the command line gave.
#[derive(Debug, clap::Args)]
pub(super) struct Wanted {
    /// An entry's address, in any spelling, or its id (urn:uuid:…).
    #[arg(value_name = "URL|ID")]
    asked: String,
    /// Why it is, or is not, in this feed: `all`, a topic or a source.
    #[arg(long = "in", value_name = "TOPIC")]
    feed: Option<String>,
    /// For programs.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(settings: &Settings, wanted: Wanted) -> anyhow::Result<ExitCode> {
    let asked = Asked::read(&wanted.asked).map_err(Fault)?;
    let config = settings.read()?;
    let Wanted { asked: typed, feed, json } = wanted;
    let question = Question::Why { asked: typed, feed: feed.clone() };
    let account = match Talk::open(&config.store.path, &question).await? {
        Some(talk) => from_daemon(talk).await?,
        None => from_store(config, &why::Question { asked, feed, audience: Audience::Full })?,
    };
    if let Account::NoFeed(no) = account {
        return Err(Fault(no.text).into());
    }
    if json {
        line(&serde_json::to_string(&account)?)?;
    } else {
        Shown::new(settings).account(&account)?;
    }
    Ok(if matches!(account, Account::Entry(_)) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn from_daemon(mut talk: Talk) -> anyhow::Result<Account> {
    let mut account = None;
    while let Some(answer) = talk.next().await? {
        if let Answer::Account(told) = answer {
            account = Some(*told);
        }
    }
    account.ok_or_else(|| anyhow::anyhow!("the daemon gave no answer"))
}

/// Without a daemon: what the store remembers.
fn from_store(config: Config, question: &why::Question) -> anyhow::Result<Account> {
    let store = open::open(&config.store.path, config.store.cache_bytes)?;
    let catalogue = Catalogue::of_store(Arc::new(config), &store)?;
    let known = Known { store: &store, catalogue: &catalogue, now: clock::now(), nearest: &by_keys };
    Ok(explain(&known, question)?)
}

/// Writes for people, in colours on a terminal only.
struct Shown {
    has_colours: bool,
}

impl Shown {
    fn new(settings: &Settings) -> Self {
        // https://no-color.org
        let is_refused = settings.variables.get("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { has_colours: std::io::stdout().is_terminal() && !is_refused }
    }

    fn account(&self, account: &Account) -> anyhow::Result<()> {
        match account {
            Account::Entry(entry) => self.entry(entry),
            Account::Removed(removed) => {
                self.title(&removed.asked)?;
                line(&removed.text)?;
                line(&format!("Its id was {}.", removed.id))
            }
            Account::NeverSeen(missing) => {
                self.title(&missing.asked)?;
                line(&missing.text)?;
                self.sources(&missing.sources)
            }
            Account::NoFeed(no) => line(&no.text),
        }
    }

    fn painted(&self, text: &str, code: &str) -> String {
        let text = plain(text);
        if self.has_colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text }
    }

    fn title(&self, text: &str) -> anyhow::Result<()> {
        line(&self.painted(text, "1"))
    }

    fn heading(&self, text: &str) -> anyhow::Result<()> {
        line("")?;
        self.title(text)
    }

    fn entry(&self, entry: &EntryAccount) -> anyhow::Result<()> {
        self.title(entry.title.as_deref().unwrap_or("(no title)"))?;
        line(&format!("  {}", entry.id))?;
        line(&format!("  {}", entry.page))?;
        if let Some(given_up) = &entry.given_up {
            line(&format!("  {given_up} was given up: it is the id that one of its sightings would have alone"))?;
        }
        line(&format!("  first seen {}{}", time(entry.first_seen), also("published", entry.published)))?;
        if let Some(sentence) = &entry.hidden {
            line(&format!("  {}", plain(sentence)))?;
        }
        if let Some(verdict) = &entry.feed {
            self.verdict(verdict)?;
        }
        let count = entry.sightings.len() + entry.more_sightings;
        self.heading(&if count == 1 { "One sighting".to_owned() } else { format!("{count} sightings of one entry") })?;
        for sighting in &entry.sightings {
            self.sighting(sighting, entry.shown_because.as_deref())?;
        }
        if entry.more_sightings > 0 {
            line(&format!("  and {} more", entry.more_sightings))?;
        }
        self.beside(entry)?;
        self.heading("Feeds that hold it")?;
        for held in &entry.feeds {
            line(&format!("  {} ({}), since {}", held.feed, plain(&held.title), time(held.since)))?;
        }
        self.sources(&entry.sources)
    }

    /// Other entries.
    fn beside(&self, entry: &EntryAccount) -> anyhow::Result<()> {
        if let Some(nearest) = &entry.nearest {
            self.heading("Nearest other entry, not joined")?;
            line(&format!("  {}", plain(nearest.entry.title.as_deref().unwrap_or("(no title)"))))?;
            line(&format!("  {} ({})", nearest.entry.id, nearest.entry.sources.join(", ")))?;
            line(&format!("  {} ({:.2}, seen from {})", plain(&nearest.verdict), nearest.score, nearest.source))?;
        }
        if !entry.others.is_empty() {
            self.heading("Also at this address")?;
        }
        for other in &entry.others {
            line(&format!("  {} {}", other.id, plain(other.title.as_deref().unwrap_or("(no title)"))))?;
        }
        Ok(())
    }

    fn sighting(&self, sighting: &SightingAccount, shown_because: Option<&str>) -> anyhow::Result<()> {
        let SightingAccount { source, source_title, ground, score, evidence, matched, .. } = sighting;
        let mark = match (sighting.is_shown, sighting.is_declared, shown_because) {
            (true, _, Some(because)) => format!(" (shown: {because})"),
            (true, _, None) => " (shown)".to_owned(),
            (false, false, _) => " (no longer declared)".to_owned(),
            _ => String::new(),
        };
        line(&format!("  {}  {}{mark}", self.painted(source, "1"), plain(source_title)))?;
        let facts = [
            ("title", sighting.title.clone()),
            ("address", sighting.url.clone()),
            ("guid", sighting.guid.clone()),
            ("own id", Some(sighting.id.clone())),
            ("times", Some(times(sighting))),
        ];
        for (name, value) in facts {
            if let Some(value) = value {
                line(&format!("    {name:<8} {}", plain(&value)))?;
            }
        }
        if matched.is_some() || !evidence.is_empty() {
            let with = matched.as_ref().map_or_else(String::new, |matched| format!("; compared with {matched}"));
            line(&format!("    {:<8} {ground} ({score:.2}): {}{with}", "joined", plain(evidence)))?;
        }
        sighting.difference.as_ref().map_or(Ok(()), |difference| self.difference(difference))
    }

    fn difference(&self, difference: &TextDifference) -> anyhow::Result<()> {
        let with = &difference.with;
        if difference.is_equal {
            return line(&format!("    {:<8} word for word that of {with}", "text"));
        }
        let legend = if self.has_colours { "" } else { " [-there only-] {+here only+}" };
        line(&format!("    {:<8} against that of {with}:{legend}", "text"))?;
        let pieces = difference.pieces.iter().map(|piece| match piece {
            TextPiece::Same(text) => plain(text),
            TextPiece::Skipped(words) => format!("(… {words} words the same …)"),
            TextPiece::Removed(text) if self.has_colours => self.painted(text, "9;31"),
            TextPiece::Added(text) if self.has_colours => self.painted(text, "32"),
            TextPiece::Removed(text) => format!("[-{}-]", plain(text)),
            TextPiece::Added(text) => format!("{{+{}+}}", plain(text)),
        });
        line(&format!("             {}", pieces.collect::<Vec<_>>().join(" ")))?;
        if difference.is_cut {
            line("             (only the beginning of these long texts was compared)")?;
        }
        Ok(())
    }

    fn verdict(&self, verdict: &FeedVerdict) -> anyhow::Result<()> {
        let answer = match (verdict.belongs, verdict.is_in_document) {
            (_, true) => "it is there",
            (true, false) => "it belongs to it, but is not in its current document",
            (false, false) => "it is not there",
        };
        self.heading(&format!("In {} ({}): {answer}", verdict.feed, verdict.title))?;
        for reason in &verdict.reasons {
            line(&format!("  {}", plain(reason)))?;
        }
        for query in &verdict.queries {
            line(&format!("  `match` on the copy of {}:", query.source))?;
            self.term(&query.query, 4)?;
        }
        Ok(())
    }

    fn term(&self, term: &TermVerdict, depth: usize) -> anyhow::Result<()> {
        let answer = if term.holds { self.painted("yes", "32") } else { self.painted("no", "31") };
        let indent = " ".repeat(depth);
        match term.kind.as_str() {
            "all" => line(&format!("{indent}all of these: {answer}"))?,
            "any" => line(&format!("{indent}one of these: {answer}"))?,
            _ => line(&format!("{indent}`{}`: {answer}", plain(&term.text)))?,
        }
        term.branches.iter().try_for_each(|branch| self.term(branch, depth + 2))
    }

    fn sources(&self, sources: &[SourceAccount]) -> anyhow::Result<()> {
        if !sources.is_empty() {
            self.heading("Sources")?;
        }
        for source in sources {
            line(&format!("  {}  {} ({})", self.painted(&source.source, "1"), plain(&source.title), source.why))?;
            line(&format!("    {}", plain(&source.address)))?;
            match &source.document {
                Some(document) => line(&format!(
                    "    its last document, of {}, had {}{}",
                    time(document.at),
                    why::entries(document.entries),
                    also("the oldest of", document.oldest)
                ))?,
                None => line("    no document of it was read yet")?,
            }
            if let Some(problem) = &source.problem {
                line(&format!("    {}", plain(problem)))?;
            }
            for poll in &source.polls {
                line(&format!("    {}  {}", time(poll.at), plain(&poll.text())))?;
            }
        }
        Ok(())
    }
}

/// What publishers write must not move the cursor or change the colours of a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

fn time(at: Moment) -> String {
    at.0.format("%Y-%m-%d %H:%M UTC").to_string()
}

fn also(what: &str, at: Option<Moment>) -> String {
    at.map_or_else(String::new, |at| format!(", {what} {}", time(at)))
}

fn times(sighting: &SightingAccount) -> String {
    let claimed = sighting.published.map_or_else(|| "no claimed time".to_owned(), |at| format!("claimed {}", time(at)));
    let updated = also("updated", sighting.updated);
    let left = also("no longer in its document since", sighting.left);
    format!("{claimed}, first seen {}{updated}{left}", time(sighting.first_seen))
}
