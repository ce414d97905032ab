//! `feedmill access`: makes passwords and tokens, and the lines for feeds.toml.

use std::io::{IsTerminal as _, Read as _};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;

use crate::cli::line;
use crate::daemon::settings::Fault;
use crate::serve;

/// Longest password that is hashed, in bytes.
const LONGEST: u64 = 1_024;
/// Shortest one that is not refused, in characters.
const SHORTEST: usize = 8;

/// What `feedmill access` makes.
#[derive(Debug, Subcommand)]
pub(super) enum Wanted {
    /// Makes a token for addresses, https://…/t/TOKEN/all.atom, and shows it once: feeds.toml holds only its hash.
    Token {
        /// Whose it is: a name for the line, such as phone.
        #[arg(default_value = "reader")]
        name: String,
    },
    /// Makes the hash of a password that comes on standard input; of a new one, which is shown once, when nothing comes.
    Password {
        /// The user's name.
        #[arg(default_value = "reader")]
        name: String,
    },
}

pub(super) fn run(wanted: &Wanted) -> anyhow::Result<ExitCode> {
    match wanted {
        Wanted::Token { name } => {
            let (token, hash) = serve::new_token()?;
            line(&format!("the token (it is shown only now): {token}"))?;
            line(&format!("an address with it:               https://…/t/{token}/all.atom"))?;
            line("for feeds.toml, under [access.NAME]; to withdraw the token, remove the line:")?;
            line(&format!("tokens.{} = \"{hash}\"", key(name)))?;
        }
        Wanted::Password { name } => {
            if name.contains(|letter: char| letter == ':' || letter.is_control()) {
                return Err(
                    Fault(format!("`{name}` cannot be a user: a name has no colon and no control character")).into()
                );
            }
            let given = given()?;
            let is_new = given.is_none();
            let password = given.map_or_else(serve::new_password, Ok)?;
            let hash = serve::password_hash(&password)?;
            if is_new {
                line(&format!("the password (it is shown only now): {password}"))?;
            }
            line("for feeds.toml, under [access.NAME]:")?;
            line(&format!("users.{} = \"{hash}\"", key(name)))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The password on standard input, without the end of its line; `None` when somebody sits there, or nothing comes.
fn given() -> anyhow::Result<Option<String>> {
    let input = std::io::stdin();
    if input.is_terminal() {
        return Ok(None);
    }
    let mut text = String::new();
    input.lock().take(LONGEST + 1).read_to_string(&mut text).context("standard input cannot be read")?;
    let password = text.trim_end_matches(['\r', '\n']);
    match password.chars().count() {
        0 => Ok(None),
        1..SHORTEST => Err(Fault(format!("the password is shorter than {SHORTEST} characters")).into()),
        _ if text.len() as u64 > LONGEST => Err(Fault(format!("the password is longer than {LONGEST} bytes")).into()),
        _ => Ok(Some(password.to_owned())),
    }
}

/// A key of TOML: bare where it can be, else quoted.
fn key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if is_bare { name.to_owned() } else { format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")) }
}
