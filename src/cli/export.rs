//! `feedmill export`

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::io::AsyncBufReadExt as _;

use crate::cli::talk::Talk;
use crate::daemon::control::{Answer, Question};
use crate::daemon::settings::{Fault, Settings};
use crate::store::open;
use crate::store::portable::{self, Export};

pub(super) async fn run(settings: &Settings, file: &str) -> anyhow::Result<ExitCode> {
    let config = settings.read()?;
    let mut written = Written { output: Output::open(file)?, bar: bar(), bytes: 0 };
    match Talk::open(&config.store.path, &Question::Export).await? {
        Some(talk) => from_daemon(talk, &mut written).await?,
        None if !config.store.path.exists() => {
            return Err(Fault(format!("there is no store in {} yet", config.store.path.display())).into());
        }
        None => {
            let store = open::open(&config.store.path, config.store.cache_bytes)?;
            written.bar.set_length(store.counters()?.entries);
            let mut export = Export::begin(&store)?;
            while let Some(lines) = export.step(&store)? {
                lines.split_inclusive(|byte| *byte == b'\n').try_for_each(|line| written.line(line))?;
            }
        }
    }
    written.bar.finish_and_clear();
    written.output.finish()?;
    Ok(ExitCode::SUCCESS)
}

async fn from_daemon(mut talk: Talk, written: &mut Written) -> anyhow::Result<()> {
    if let Some(Answer::Exporting(entries)) = talk.next().await? {
        written.bar.set_length(entries);
    }
    let mut lines = talk.rest();
    let (mut line, mut is_whole) = (Vec::new(), false);
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line).await.context("the daemon went silent")? == 0 {
            break;
        }
        is_whole = portable::is_end(&line);
        written.line(&line)?;
    }
    if !is_whole {
        bail!("the daemon ended the export before everything was written; its log says why");
    }
    Ok(())
}

/// On a terminal only; indicatif draws nothing in a pipe.
fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} entries {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}

struct Written {
    output: Output,
    bar: ProgressBar,
    bytes: usize,
}

impl Written {
    fn line(&mut self, line: &[u8]) -> anyhow::Result<()> {
        self.output.writer().write_all(line).map_err(told)?;
        let megabytes = self.bytes >> 20;
        self.bytes += line.len();
        if self.bytes >> 20 != megabytes {
            self.bar.set_message(format!("{} MB", self.bytes >> 20));
        }
        if portable::is_entry(line) {
            self.bar.inc(1);
        }
        Ok(())
    }
}

/// A pipe that its reader closed is an error here, unlike elsewhere: what it has read is not whole.
fn told(error: std::io::Error) -> anyhow::Error {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        return anyhow::anyhow!("whoever reads the export stopped before its end");
    }
    anyhow::Error::new(error).context("the export cannot be written")
}

/// Where the lines go. A file gets its name when it is whole.
enum Output {
    Standard(BufWriter<std::io::Stdout>),
    File { writer: BufWriter<File>, unfinished: PathBuf, path: PathBuf },
}

impl Output {
    fn open(file: &str) -> anyhow::Result<Self> {
        if file == "-" {
            return Ok(Self::Standard(BufWriter::new(std::io::stdout())));
        }
        let (path, unfinished) = (PathBuf::from(file), PathBuf::from(format!("{file}.unfinished")));
        // It tells what private sources said, so it belongs to its user as the store does.
        let created = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished);
        let created = created.map_err(|error| Fault(format!("{} cannot be written: {error}", unfinished.display())))?;
        Ok(Self::File { writer: BufWriter::with_capacity(1 << 18, created), unfinished, path })
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Standard(writer) => writer,
            Self::File { writer, .. } => writer,
        }
    }

    fn finish(mut self) -> anyhow::Result<()> {
        self.writer().flush().map_err(told)?;
        if let Self::File { writer, unfinished, path } = self {
            writer.get_ref().sync_all().context("the export cannot be written")?;
            fs::rename(&unfinished, &path).with_context(|| format!("{} cannot be written", path.display()))?;
        }
        Ok(())
    }
}
