//! Any bytes are read or refused; what is read twice is read the same.
#![no_main]

use chrono::DateTime;
use feedmill::parse;
use libfuzzer_sys::fuzz_target;
use url::Url;

fuzz_target!(|bytes: &[u8]| {
    let base = Url::parse("https://base.example/dir/feed").expect("an address");
    let now = DateTime::from_timestamp(1_795_000_000, 0).expect("a time of this century");
    let read = || parse::parse(bytes, None, Some(&base), now);
    assert_eq!(read(), read());
});
