//! The control socket: how commands talk to a running daemon, which alone may open the store.
//!
//! One request as a line of JSON, then answers as lines of JSON. The socket lies in the store's folder and belongs to its user.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::WriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::daemon::mill::Mill;
use crate::daemon::query::{self, Found, FoundDocument};
use crate::daemon::trial;
use crate::indexing::Progress;
use crate::model::access::Audience;
use crate::model::source::SourceKey;
use crate::poll::Report;
use crate::poll::one::Outcome;
use crate::published::status::{Health, SourceStatus};
use crate::published::why::{self, Account};
use crate::rehearsal::Work;
use crate::rehearsal::report::{Asked, Told};
use crate::store::engine::StoreError;
use crate::store::entries::Store;
use crate::store::portable::Export;
use crate::store::record::Counters;

/// Longest request: a whole `feeds.toml` to be tried out, of tens of thousands of sources.
pub const REQUEST_LIMIT: u64 = 16 << 20;

/// What a command asks.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase", deny_unknown_fields)]
pub enum Question {
    List,
    Poll {
        sources: Vec<String>,
        force: bool,
    },
    /// Answered with `Released`.
    Release {
        source: String,
    },
    /// Answered with `Exporting` and then with the export itself, to the end of the talk.
    Export,
    /// Answered with `Indexed`, again and again.
    Reindex,
    /// Why an entry is as it is; see [`crate::published::why`].
    Why {
        asked: String,
        feed: Option<String>,
    },
    /// Answered with `Found` or `Document`.
    Query(query::Asked),
    /// Answered with what is told, as it is found.
    Plan(Asked),
    /// The same.
    Replay(Asked),
}

/// What the daemon answers, a line each.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// How many sources will be reported.
    Total(usize),
    Polled(Polled),
    Source(Listed),
    /// How many entries were held back and are not any more.
    Released(u64),
    /// How many entries there are.
    Exporting(u64),
    /// How many entries of how many are in the new index.
    Indexed(u64, u64),
    Account(Box<Account>),
    Found(Found),
    Document(FoundDocument),
    Told(Told),
    /// The question is a mistake.
    Refused(String),
    /// The question is good, but cannot be answered; it is nobody's mistake.
    Failed(String),
    Done,
}

/// How the poll of one source ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Polled {
    pub source: String,
    /// `fresh`, `not_modified`, `not_due`, `throttled`, `gone`, `failed`, `unknown`.
    pub outcome: String,
    pub new: usize,
    pub joined: usize,
    pub updated: usize,
    /// For people.
    pub text: String,
    pub is_success: bool,
}

impl From<Report> for Polled {
    fn from(report: Report) -> Self {
        let is_success = report.outcome.is_success();
        let time = |at: &crate::model::Timestamp| at.format("%Y-%m-%d %H:%M:%S UTC").to_string();
        let (outcome, text, counts) = match &report.outcome {
            Outcome::Absorbed { new, joined, updated, held } => {
                let held = match held {
                    0 => String::new(),
                    held => format!(", {held} held back (`feedmill release {}` lets them out)", report.source),
                };
                ("fresh", format!("{new} new, {joined} joined, {updated} updated{held}"), (*new, *joined, *updated))
            }
            Outcome::NotModified => ("not_modified", "nothing new".to_owned(), (0, 0, 0)),
            Outcome::NotDue(at) => {
                ("not_due", format!("not due before {} (--force asks all the same)", time(at)), (0, 0, 0))
            }
            Outcome::Throttled(Some(until)) => {
                ("throttled", format!("the publisher forbids requests until {}", time(until)), (0, 0, 0))
            }
            Outcome::Throttled(None) => ("throttled", "the publisher asks for fewer requests".to_owned(), (0, 0, 0)),
            Outcome::Gone => ("gone", "the publisher says it is gone for good (410)".to_owned(), (0, 0, 0)),
            Outcome::Failed(reason) => ("failed", reason.clone(), (0, 0, 0)),
            Outcome::Unknown => ("unknown", "there is no source of this name".to_owned(), (0, 0, 0)),
        };
        let (new, joined, updated) = counts;
        Self { source: report.source.to_string(), outcome: outcome.to_owned(), new, joined, updated, text, is_success }
    }
}

/// One source as `list` shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    pub source: String,
    pub title: String,
    pub address: String,
    pub topics: Vec<String>,
    pub health: Health,
    pub reason: Option<String>,
    /// RFC 3339.
    pub last_success: Option<String>,
    /// RFC 3339.
    pub next_poll: Option<String>,
    pub failures: u32,
    pub entries: u64,
    /// Of these so many are held back, as a mass re-issue.
    #[serde(default)]
    pub held: u64,
    pub notes: Vec<String>,
}

impl From<SourceStatus> for Listed {
    fn from(status: SourceStatus) -> Self {
        let time = |at: crate::model::Timestamp| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        Self {
            source: status.key.to_string(),
            title: status.title,
            address: status.address,
            topics: status.topics.iter().map(ToString::to_string).collect(),
            health: status.health,
            reason: status.reason,
            last_success: status.last_success.map(time),
            next_poll: status.next_poll.map(time),
            failures: status.failures,
            entries: status.entries,
            held: status.held,
            notes: status.notes,
        }
    }
}

/// Where the socket of a store lies.
pub fn path(store: &Path) -> PathBuf {
    store.join("feedmill.sock")
}

/// Listens until `stop`. The store is locked by us, so a socket that is there is a dead one.
pub(super) fn listen(store: &Path, mill: Arc<Mill>, stop: CancellationToken) -> anyhow::Result<JoinHandle<()>> {
    let path = path(store);
    let _ = std::fs::remove_file(&path);
    let listener =
        UnixListener::bind(&path).with_context(|| format!("the control socket {} cannot be made", path.display()))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
        .context("the control socket cannot be kept to its user")?;
    Ok(tokio::spawn(async move {
        let mut talks = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = talks.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => drop(talks.spawn(talk(stream, Arc::clone(&mill)))),
                    Err(error) => tracing::warn!(%error, "a command could not be heard"),
                },
            }
        }
        talks.shutdown().await;
        let _ = std::fs::remove_file(&path);
    }))
}

async fn talk(mut stream: UnixStream, mill: Arc<Mill>) {
    let (reading, mut writing) = stream.split();
    let mut line = String::new();
    let mut reading = BufReader::new(tokio::io::AsyncReadExt::take(reading, REQUEST_LIMIT));
    if reading.read_line(&mut line).await.is_err() {
        return;
    }
    let mut say = async |answer: &Answer| write(&mut writing, answer).await;
    // A command that went away needs no answer.
    let _ = match serde_json::from_str(&line) {
        Ok(Question::List) => {
            let catalogue = mill.catalogue();
            for status in mill.polling.statuses(&catalogue, clock::now()) {
                if say(&Answer::Source(status.into())).await.is_err() {
                    return;
                }
            }
            say(&Answer::Done).await
        }
        Ok(Question::Poll { sources, force }) => {
            let keys = match keys(&mill, &sources) {
                Ok(keys) => keys,
                Err(refusal) => return drop(say(&Answer::Refused(refusal)).await),
            };
            let total = if keys.is_empty() { mill.polling.declared().len() } else { keys.len() };
            let mut reports = mill.poll(keys, force).await;
            let mut told = say(&Answer::Total(total)).await;
            while let Some(report) = reports.recv().await {
                told = say(&Answer::Polled(report.into())).await;
            }
            mill.settle().await;
            if told.is_ok() { say(&Answer::Done).await } else { told }
        }
        Ok(Question::Release { source }) => match release(&mill, &source).await {
            Ok(released) => match say(&Answer::Released(released)).await {
                Ok(()) => say(&Answer::Done).await,
                gone => gone,
            },
            Err(refusal) => say(&Answer::Refused(refusal)).await,
        },
        Ok(Question::Export) => match mill.handle.run(begin_export).await {
            Ok((export, counters)) => match say(&Answer::Exporting(counters.entries)).await {
                Ok(()) => send(&mill, export, &mut writing).await,
                gone => gone,
            },
            Err(error) => say(&Answer::Refused(error.to_string())).await,
        },
        Ok(Question::Reindex) => reindex(&mill, &mut writing).await,
        Ok(Question::Why { asked, feed }) => match say(&explain(&mill, &asked, feed).await).await {
            Ok(()) => say(&Answer::Done).await,
            gone => gone,
        },
        Ok(Question::Query(asked)) => match say(&query::answer(&mill.reading, &mill.catalogue(), &asked).await).await {
            Ok(()) => say(&Answer::Done).await,
            gone => gone,
        },
        Ok(Question::Plan(asked)) => try_out(&mill, trial::plan(&mill, asked).await, &mut writing).await,
        Ok(Question::Replay(asked)) => try_out(&mill, trial::replay(&mill, asked).await, &mut writing).await,
        Err(error) => say(&Answer::Refused(format!("this daemon does not understand the command: {error}"))).await,
    };
}

async fn explain(mill: &Mill, asked: &str, feed: Option<String>) -> Answer {
    let question = match why::Asked::read(asked) {
        Ok(asked) => why::Question { asked, feed, audience: Audience::Full },
        Err(problem) => return Answer::Refused(problem),
    };
    match mill.reading.explain(question, |_| ()).await {
        Ok((account, ())) => Answer::Account(Box::new(account)),
        Err(error) => Answer::Failed(error.to_string()),
    }
}

async fn write(writing: &mut WriteHalf<'_>, answer: &Answer) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(answer).unwrap_or_default();
    line.push(b'\n');
    writing.write_all(&line).await
}

/// Tells what is found as it is found. It ends early when the command has gone away.
async fn try_out(
    mill: &Mill,
    begun: Result<Box<dyn Work>, Box<Answer>>,
    writing: &mut WriteHalf<'_>,
) -> std::io::Result<()> {
    let mut work = match begun {
        Ok(work) => work,
        Err(answer) => return write(writing, &answer).await,
    };
    loop {
        match trial::step(mill, work).await {
            Ok((further, Some(told))) => {
                work = further;
                for one in told {
                    write(writing, &Answer::Told(one)).await?;
                }
            }
            Ok((_, None)) => return write(writing, &Answer::Done).await,
            Err(error) => return write(writing, &Answer::Failed(error.to_string())).await,
        }
    }
}

/// Has the index made anew, and tells how far that has come.
async fn reindex(mill: &Mill, writing: &mut WriteHalf<'_>) -> std::io::Result<()> {
    let Some(search) = &mill.search else {
        let what =
            "there is no index: `enabled = false` stands under [search] in the file that the daemon was started with";
        return write(writing, &Answer::Refused(what.to_owned())).await;
    };
    let (order, mut told) = mpsc::unbounded_channel();
    if search.orders.send(order).await.is_err() {
        return write(writing, &Answer::Failed("the daemon is stopping".to_owned())).await;
    }
    while let Some(Progress { done, whole }) = told.recv().await {
        write(writing, &Answer::Indexed(done, whole)).await?;
    }
    let index = &search.index;
    match index.view() {
        Some(view) if view.standing().filled.is_none() => write(writing, &Answer::Done).await,
        _ => {
            let why = index.trouble().map_or_else(|| "the daemon is stopping".to_owned(), |error| error.to_string());
            write(writing, &Answer::Failed(format!("the index could not be made: {why}"))).await
        }
    }
}

/// What an export shows must not be lost either, so it is on the disk before the first line is sent.
fn begin_export(store: &Store) -> Result<(Export, Counters), StoreError> {
    let export = Export::begin(store)?;
    store.wait_for_sync()?;
    Ok((export, store.counters()?))
}

/// Sends an export as fast as it is taken. One that ends without its last line is known to be incomplete.
async fn send(mill: &Mill, mut export: Export, writing: &mut WriteHalf<'_>) -> std::io::Result<()> {
    loop {
        let step = mill.handle.run(move |store| {
            let lines = export.step(store)?;
            Ok((export, lines))
        });
        match step.await {
            Ok((_, None)) => return Ok(()),
            Ok((further, Some(lines))) => {
                export = further;
                writing.write_all(&lines).await?;
            }
            Err(error) => {
                tracing::error!(%error, "an export ended before everything was written");
                return Ok(());
            }
        }
    }
}

/// Lets out what is held back of a source; published when it returns.
pub async fn release(mill: &Mill, source: &str) -> Result<u64, String> {
    let keys = keys(mill, &[source.to_owned()])?;
    let catalogue = mill.catalogue();
    let scope = keys.first().and_then(|key| catalogue.scopes.get(key)).cloned();
    let scope = scope.ok_or_else(|| format!("the store has not met `{source}` yet"))?;
    let released = mill.polling.committer.release(scope).await;
    mill.settle().await;
    released.map_err(|error| format!("what is held back of `{source}` cannot be released: {error}"))
}

/// The named sources, all of which must be declared.
pub fn keys(mill: &Mill, names: &[String]) -> Result<Vec<SourceKey>, String> {
    let declared = mill.polling.declared();
    let find = |name: &String| {
        let found = declared.iter().find(|key| key.as_str() == name).cloned();
        found.ok_or_else(|| {
            let near = declared.iter().min_by_key(|key| strsim::damerau_levenshtein(key.as_str(), name));
            let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            format!("there is no source `{name}`{near}")
        })
    };
    names.iter().map(find).collect()
}
