//! Any text is a date between 1900 and 2200, or none.
#![no_main]

use chrono::Datelike as _;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Some(date) = feedmill::parse::read_date(text) {
        assert!((1899..=2201).contains(&date.year()), "{text}: {date}");
    }
});
