//! `feedmill release`

use std::io::Write as _;
use std::process::ExitCode;

use crate::cli::line;
use crate::cli::talk::{Talk, own_mill};
use crate::daemon::control::{self, Answer, Question};
use crate::daemon::settings::{Fault, Settings};

pub(super) async fn run(settings: &Settings, source: &str) -> anyhow::Result<ExitCode> {
    let config = settings.read()?;
    let mut released = 0;
    if let Some(mut talk) = Talk::open(&config.store.path, &Question::Release { source: source.to_owned() }).await? {
        while let Some(answer) = talk.next().await? {
            if let Answer::Released(count) = answer {
                released = count;
            }
        }
    } else {
        let mill = own_mill(config)?;
        let result = control::release(&mill, source).await;
        mill.stop().await;
        released = result.map_err(Fault)?;
    }
    if released == 0 {
        writeln!(std::io::stderr(), "feedmill: nothing of `{source}` is held back")?;
        return Ok(ExitCode::FAILURE);
    }
    line(&format!("{source}: {released} entries are released"))?;
    Ok(ExitCode::SUCCESS)
}
