//! The daemon takes a third less memory when glibc keeps one arena for all threads and not one for each: what one thread gives back
//! another then uses. glibc takes this wish from the environment alone, before a program begins; so the daemon begins again with it.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

const VARIABLE: &str = "MALLOC_ARENA_MAX";
const ARENAS: &str = "1";

/// Replaces this process by itself, under the same number, with the wish in its environment. Whoever set the variable is obeyed; where
/// it cannot be done, it is done without.
pub fn begin_again(variables: &BTreeMap<String, String>) {
    if !cfg!(target_env = "gnu") || variables.contains_key(VARIABLE) {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut arguments = std::env::args_os();
    let mut again = Command::new(program);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    // It returns only if it failed.
    let _ = again.args(arguments).env(VARIABLE, ARENAS).exec();
}
