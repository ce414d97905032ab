//! Durations (`"15m"`, `"1h30m"`) and sizes (`"20MB"`) as people write them.

use std::time::Duration;

const SECOND: u64 = 1;
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// Long spans need no leap days.
const YEAR: u64 = 365 * DAY;

/// `None` for anything but whole numbers with a unit of s, m, h, d, w or y; several may follow each other.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (number, after) = number(rest)?;
        let (unit, length) = match after.as_bytes() {
            [b'm', b's', ..] => return milliseconds(text),
            [b's', ..] => (SECOND, 1),
            [b'm', ..] => (MINUTE, 1),
            [b'h', ..] => (HOUR, 1),
            [b'd', ..] => (DAY, 1),
            [b'w', ..] => (7 * DAY, 1),
            [b'y', ..] => (YEAR, 1),
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(unit)?)?;
        rest = after[length..].trim_start();
    }
    (!text.trim().is_empty()).then_some(Duration::from_secs(total))
}

fn milliseconds(text: &str) -> Option<Duration> {
    text.trim().strip_suffix("ms")?.trim().parse().ok().map(Duration::from_millis)
}

/// In bytes. kB, MB and GB are decimal, KiB, MiB and GiB binary.
pub(super) fn size(text: &str) -> Option<u64> {
    let (number, unit) = number(text.trim())?;
    let unit = match unit.trim() {
        "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(unit)
}

fn number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// A duration as it would be written.
pub(super) fn spelt(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(YEAR, "y"), (7 * DAY, "w"), (DAY, "d"), (HOUR, "h"), (MINUTE, "m")];
    let unit = units.into_iter().find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{seconds}s"), |(unit, name)| format!("{}{name}", seconds / unit))
}
