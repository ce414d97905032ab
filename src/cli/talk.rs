//! Who answers a command: the daemon that runs, over its socket, or a mill of our own when none does.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;

use crate::config::Config;
use crate::daemon::control::{self, Answer, Question};
use crate::daemon::mill::Mill;
use crate::daemon::settings::Fault;
use crate::model::Timestamp;
use crate::poll::Drive;

/// The daemon's answers, one after another.
pub(super) struct Talk {
    lines: Lines<BufReader<OwnedReadHalf>>,
}

impl Talk {
    /// Asks the daemon that uses a store; `None` when none does.
    pub(super) async fn open(store: &Path, question: &Question) -> anyhow::Result<Option<Self>> {
        // Nobody listens on a socket that a killed daemon left.
        let Ok(stream) = UnixStream::connect(control::path(store)).await else { return Ok(None) };
        let (reading, mut writing) = stream.into_split();
        let mut line = serde_json::to_vec(question)?;
        line.push(b'\n');
        writing.write_all(&line).await.context("the daemon does not listen")?;
        Ok(Some(Self { lines: BufReader::new(reading).lines() }))
    }

    /// The next answer; `None` after the last.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Answer>> {
        let line = self.lines.next_line().await.context("the daemon went silent")?;
        let Some(line) = line else { bail!("the daemon stopped before it had answered") };
        match serde_json::from_str(&line).context("the daemon is of another version; restart it")? {
            Answer::Done => Ok(None),
            Answer::Refused(what) => Err(Fault(what).into()),
            Answer::Failed(what) => bail!(what),
            answer => Ok(Some(answer)),
        }
    }

    /// What follows the answers, as it is.
    pub(super) fn rest(self) -> BufReader<OwnedReadHalf> {
        self.lines.into_inner()
    }
}

/// A mill without a listener, for one command.
pub(super) fn own_mill(config: Config) -> anyhow::Result<Arc<Mill>> {
    let address = config.server.listen;
    // Nobody reads its documents.
    Ok(Arc::new(Mill::start(config, Timestamp::UNIX_EPOCH, address, Drive::Wishes)?))
}
