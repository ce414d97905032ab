//! Addresses within sentences, without what may be a secret.

use std::borrow::Cow;

/// A sentence in which no address has a name and password before its host, or anything behind `?` or `#`: there publishers' tokens
/// stand. What is left still tells which address is meant.
pub fn masked(sentence: &str) -> Cow<'_, str> {
    if !sentence.contains("://") {
        return Cow::Borrowed(sentence);
    }
    let mut told = String::with_capacity(sentence.len());
    let mut rest = sentence;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        told.push_str(before);
        let ends = |letter: char| letter.is_whitespace() || matches!(letter, '"' | '\'' | '`' | '<' | '>' | '”' | '“');
        let (address, following) = after.split_at(after.find(ends).unwrap_or(after.len()));
        told.push_str(&without_secrets(address));
        rest = following;
    }
    told.push_str(rest);
    Cow::Owned(told)
}

/// Of an address without its scheme.
fn without_secrets(address: &str) -> String {
    let authority = address.find(['/', '?', '#', '\\']).unwrap_or(address.len());
    let host = address[..authority].rfind('@').map_or(0, |at| at + 1);
    let path = &address[host..];
    match path.find(['?', '#']) {
        Some(at) => {
            // What closes the sentence is no part of the address.
            let closing = path.trim_end_matches([')', ']', ',', ';', ':', '.']);
            format!("{}…{}", &path[..=at], &path[closing.len().max(at + 1)..])
        }
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_left_and_the_address_is_still_known() {
        for (sentence, expected) in [
            ("it answers 404", "it answers 404"),
            ("https://example.org/feed.xml: it answers 404", "https://example.org/feed.xml: it answers 404"),
            ("https://me:hunter2@example.org/feed", "https://example.org/feed"),
            (
                "error for url (https://example.org/feed?token=hunter2): timed out",
                "error for url (https://example.org/feed?…): timed out",
            ),
            (
                "moved to `http://a.example/?k=hunter2#x` and https://b.example/#hunter2.",
                "moved to `http://a.example/?…` and https://b.example/#….",
            ),
            ("https://a@hunter2@example.org?x=hunter2", "https://example.org?…"),
            ("http://example.org/a@b", "http://example.org/a@b"),
            ("ftp://u:hunter2@h", "ftp://h"),
            ("http://é:hunter2@é.example/é?é=hunter2 é", "http://é.example/é?… é"),
            ("://", "://"),
            ("a ://?", "a ://?…"),
        ] {
            assert_eq!(masked(sentence), expected);
            assert!(!masked(sentence).contains("hunter2"));
        }
    }
}
