//! Any bytes under any label become text that is rewritten into plain Atom, or are refused; the rewritten document is read alike.
#![no_main]

use chrono::DateTime;
use feedmill::parse;
use libfuzzer_sys::fuzz_target;

/// What servers claim.
const TYPES: &[&str] = &[
    "text/xml",
    "text/xml; charset=utf-8",
    "application/rss+xml; charset=windows-1251",
    "text/xml; charset=\"shift_jis\"",
    "text/xml; charset=utf-16",
    "text/xml;charset=gb2312; x",
    "text/html; charset=koi8-r",
    "charset=;charset=x",
];

fuzz_target!(|input: (u8, &[u8])| {
    let (number, bytes) = input;
    let now = DateTime::from_timestamp(1_795_000_000, 0).expect("a time of this century");
    let content_type = TYPES.get(usize::from(number)).copied();
    let Ok(document) = parse::normalised(bytes, content_type, None) else { return };
    let first = parse::parse(bytes, content_type, None, now).expect("it was rewritten");
    let again = parse::parse(document.as_bytes(), None, None, now).expect("a rewritten document is a feed");
    assert_eq!(first.observations.len(), again.observations.len(), "{document}");
});
