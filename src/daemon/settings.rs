//! Where the configuration comes from, and what to tell when it is no good.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::clock;
use crate::config::{self, Config, Problem, Surroundings};
use crate::model::Timestamp;

/// Most problems that are told at once.
const TOLD: usize = 100;

/// A mistake of the user: told in full, exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub String);

impl Fault {
    /// Why an address cannot be listened on.
    pub fn listen(address: SocketAddr, error: &std::io::Error) -> Self {
        let what = match error.kind() {
            std::io::ErrorKind::AddrInUse => format!(
                "{address} is in use; stop the other program, or set `listen` under [server] (or FEEDMILL_SERVER_LISTEN) to another port"
            ),
            _ => format!(
                "{address} cannot be listened on: {error}; set `listen` under [server] to an address of this machine"
            ),
        };
        Self(what)
    }
}

/// The configuration's file and the environment, read once.
#[derive(Debug, Clone)]
pub struct Settings {
    pub path: PathBuf,
    pub variables: BTreeMap<String, String>,
}

impl Settings {
    /// Reads the file.
    ///
    /// # Errors
    /// Every problem with its place, as one [`Fault`].
    pub fn read(&self) -> Result<Config, Fault> {
        self.check(&self.text()?).map_err(|problems| self.told(&problems))
    }

    pub fn text(&self) -> Result<String, Fault> {
        std::fs::read_to_string(&self.path).map_err(|error| {
            let path = self.path.display();
            Fault(format!("{path} cannot be read: {error}; name another file with --config FILE"))
        })
    }

    /// When the file was written, and not later than now; the Unix epoch where the file system does not tell.
    pub fn edited(&self) -> Timestamp {
        let written = std::fs::metadata(&self.path).and_then(|metadata| metadata.modified());
        written.map_or(Timestamp::UNIX_EPOCH, |at| Timestamp::from(at).min(clock::now()))
    }

    /// Checks a text as if it stood in the file.
    pub fn check(&self, text: &str) -> Result<Config, Vec<Problem>> {
        let folder = std::path::absolute(&self.path).ok().and_then(|path| path.parent().map(Path::to_owned));
        let around = Surroundings {
            variables: &self.variables,
            folder: folder.as_deref().unwrap_or(Path::new(".")),
            read_file: &|path| std::fs::read_to_string(path),
        };
        config::read(text, &around)
    }

    /// All problems, a line each.
    pub fn told(&self, problems: &[Problem]) -> Fault {
        let mut lines: Vec<String> =
            problems.iter().take(TOLD).map(|problem| format!("{}: {problem}", self.path.display())).collect();
        if problems.len() > TOLD {
            lines.push(format!("and {} more", problems.len() - TOLD));
        }
        Fault(lines.join("\n"))
    }
}
