//! How many connections the system lets us hold.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Open files that polling, the store and the log may need besides.
const OTHERS: usize = 512;

/// Makes room for so many connections, as far as the system allows, and gives how many there is room for.
///
/// Many systems allow 1,024 open files unless a program asks for more, and what readers took up polling and the store would miss.
pub(super) fn room(wanted: usize) -> usize {
    let limits = getrlimit(Resource::Nofile);
    let needed = u64::try_from(wanted + OTHERS).unwrap_or(u64::MAX);
    if limits.current.is_some_and(|current| current < needed) {
        let current = limits.maximum.map_or(needed, |most| needed.min(most));
        // Refused, we stay within what there is.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum: limits.maximum });
    }
    let files = getrlimit(Resource::Nofile).current.and_then(|files| usize::try_from(files).ok());
    let room = files.map_or(wanted, |files| wanted.min(files.saturating_sub(OTHERS).max(1)));
    if room < wanted {
        tracing::warn!(
            room,
            "the system allows fewer open files than {wanted} `connections` need; raise LimitNOFILE or `ulimit -n`"
        );
    }
    room
}
