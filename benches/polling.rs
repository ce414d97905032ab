//! How fast all sources of a scripted origin are polled, beside a bare loop over the same client library: `scripts/bench polling`
//! runs both. Not a test: it prints figures and promises none.
//!
//! `polling bare|mill ORIGIN [alone] [parse] [passes=N]`: `alone` makes a connection for each poll, `parse` reads every document of the bare
//! loop with feed-rs. Each prints one line for a pass: its name, polls, seconds, CPU seconds, peak resident MB.

#![expect(clippy::print_stdout, reason = "figures are what it is for")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use feedmill::config::{self, Config, Surroundings};
use feedmill::daemon::mill::{self, Mill};
use feedmill::fetch::Fetcher;
use feedmill::poll::Drive;
use reqwest::header::{ACCEPT_ENCODING, ETAG, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};

/// Polls under way at once, in both.
const CONCURRENCY: usize = 64;
/// Passes after the first, unless told otherwise; the origin answers each poll of theirs with 304.
const UNCHANGED: usize = 5;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [kind, origin, flags @ ..] = arguments.as_slice() else {
        println!("polling bare|mill ORIGIN [alone] [parse] [passes=N]: needs an origin; scripts/bench starts one");
        return Ok(());
    };
    let has = |name: &str| flags.iter().any(|flag| flag == name);
    let passes = flags.iter().find_map(|flag| flag.strip_prefix("passes=")?.parse().ok()).unwrap_or(UNCHANGED);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match kind.as_str() {
        "bare" => runtime.block_on(bare(origin, passes, has("alone"), has("parse"))),
        _ => runtime.block_on(full(origin, passes, has("alone"))),
    }
}

/// Seconds of processor time that this process has used, and the peak of its resident memory in MB.
fn used() -> Result<(f64, f64), Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB").trim();
    Ok((ticks / 100.0, peak.trim_end_matches(" kB").parse::<f64>()? / 1024.0))
}

struct Pass {
    name: String,
    began: Instant,
    cpu: f64,
}

impl Pass {
    fn begin(name: impl Into<String>) -> Result<Self, Failure> {
        Ok(Self { name: name.into(), began: Instant::now(), cpu: used()?.0 })
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of polls are small")]
    fn end(self, polls: usize) -> Result<(), Failure> {
        let seconds = self.began.elapsed().as_secs_f64();
        let (cpu, peak) = used()?;
        let cpu = cpu - self.cpu;
        let each = cpu * 1e6 / polls as f64;
        let rate = polls as f64 / seconds;
        println!(
            "{}\t{polls} polls\t{seconds:.3} s\t{rate:.0}/s\t{cpu:.2} CPU s\t{each:.0} µs\t{peak:.0} MB",
            self.name
        );
        Ok(())
    }
}

async fn addresses(origin: &str) -> Result<Vec<String>, Failure> {
    let list =
        reqwest::Client::builder().no_proxy().build()?.get(format!("{origin}/urls")).send().await?.text().await?;
    Ok(list.split_whitespace().map(str::to_owned).collect())
}

/// What the client library can do at best: one client, so many tasks that take the next address, validators remembered, bodies
/// read and thrown away or parsed.
async fn bare(origin: &str, passes: usize, alone: bool, parse: bool) -> Result<(), Failure> {
    let addresses = Arc::new(addresses(origin).await?);
    let mut client = reqwest::Client::builder().no_proxy().tcp_nodelay(true);
    if alone {
        client = client.pool_max_idle_per_host(0);
    }
    let client = client.build()?;
    let mut validators: Arc<Vec<Validators>> = Arc::new(vec![(None, None); addresses.len()]);
    for pass in 0..=passes {
        let measured = Pass::begin(if pass == 0 { "bare 200" } else { "bare 304" })?;
        let next = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..CONCURRENCY)
            .map(|_| {
                tokio::spawn(take_turns(
                    client.clone(),
                    Arc::clone(&addresses),
                    Arc::clone(&validators),
                    Arc::clone(&next),
                    parse,
                ))
            })
            .collect();
        let mut learnt = vec![(None, None); addresses.len()];
        for task in tasks {
            for (index, one) in task.await?? {
                learnt[index] = one;
            }
        }
        measured.end(addresses.len())?;
        validators = Arc::new(learnt);
    }
    Ok(())
}

type Validators = (Option<HeaderValue>, Option<HeaderValue>);

async fn take_turns(
    client: reqwest::Client,
    addresses: Arc<Vec<String>>,
    validators: Arc<Vec<Validators>>,
    next: Arc<AtomicUsize>,
    parse: bool,
) -> Result<Vec<(usize, Validators)>, Failure> {
    let mut learnt = Vec::new();
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(address) = addresses.get(index) else { return Ok(learnt) };
        let mut asked = client.get(address).header(ACCEPT_ENCODING, "gzip, br, zstd");
        let (etag, last_modified) = &validators[index];
        if let Some(etag) = etag {
            asked = asked.header(IF_NONE_MATCH, etag);
        }
        if let Some(last_modified) = last_modified {
            asked = asked.header(IF_MODIFIED_SINCE, last_modified);
        }
        let answer = asked.send().await?;
        learnt.push((index, (answer.headers().get(ETAG).cloned(), answer.headers().get(LAST_MODIFIED).cloned())));
        let body = inflated(answer).await?;
        if parse && !body.is_empty() {
            feed_rs::parser::parse(&body[..])?;
        }
    }
}

async fn inflated(mut answer: reqwest::Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The whole mill: fetched, read, merged, stored durably, republished.
async fn full(origin: &str, passes: usize, alone: bool) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let config = configuration(&addresses(origin).await?, folder.path())?;
    let polls = config.sources.len();
    let mut settings = mill::fetching(&config);
    if alone {
        settings.idle_per_host = 0;
    }
    let mill = Arc::new(Mill::start(config, chrono::DateTime::UNIX_EPOCH, "127.0.0.1:1".parse()?, Drive::Wishes)?);
    mill.polling.replace_fetcher(Fetcher::new(settings)?);
    for pass in 0..=passes {
        let measured = Pass::begin(if pass == 0 { "mill 200" } else { "mill 304" })?;
        let mut reports = mill.poll(Vec::new(), true).await;
        let mut failed = 0;
        while let Some(report) = reports.recv().await {
            failed += usize::from(!report.outcome.is_success());
        }
        measured.end(polls)?;
        if failed > 0 {
            println!("{failed} polls failed");
        }
        if pass == 0 {
            mill.settle().await;
        }
    }
    mill.stop().await;
    Ok(())
}

fn configuration(addresses: &[String], folder: &std::path::Path) -> Result<Config, Failure> {
    let source = |(number, address): (usize, &String)| {
        format!("[sources.s{number}]\nurl = \"{address}\"\ntopics = [\"topic-{}\"]\n", number % 24)
    };
    let sources = addresses.iter().enumerate().map(source).collect::<Vec<_>>().concat();
    let text = format!(
        "[store]\npath = \"store\"\n[poll]\nallow_private = [\"127.0.0.0/8\"]\nconcurrency = {CONCURRENCY}\nper_host = {CONCURRENCY}\nhost_delay = \"0s\"\n{sources}"
    );
    let around = Surroundings {
        variables: &BTreeMap::new(),
        folder,
        read_file: &|_| Err(std::io::Error::other("no secrets here")),
    };
    config::read(&text, &around).map_err(|problems| format!("{problems:?}").into())
}
