//! Arguments and environment in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A variable that is not text is none of ours.
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    feedmill::cli::run(std::env::args_os(), variables.collect())
}
