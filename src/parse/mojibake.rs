//! Text that was encoded twice: UTF-8 taken for windows-1252 and written as UTF-8 again, so that `é` stands as `Ã©`.
//!
//! One text alone proves nothing, since it may speak *about* that fault. A document in which nearly every text with letters beyond ASCII
//! can be undone was spoilt as a whole.

use crate::parse::decode;

/// Whether there is anything in a document that looks encoded twice: a letter that is a first byte of UTF-8, and one behind it that is a
/// further byte. Much cheaper than a [`Judge`].
pub(super) fn may_be_double(text: &str) -> bool {
    let bytes = text.as_bytes();
    // U+00C2 to U+00F4 are C3 82 to C3 B4; what windows-1252 has for 80 to BF begins with one of these.
    let follows = |at: usize| {
        matches!(bytes.get(at + 1), Some(0x82..=0xb4))
            && matches!(bytes.get(at + 2), Some(0xc2 | 0xc5 | 0xc6 | 0xcb | 0xe2))
    };
    memchr::memchr_iter(0xc3, bytes).any(follows)
}

/// The text as it was meant, if every character is one byte of windows-1252 and the bytes are UTF-8 with a letter of several bytes.
/// None for sound text. Stops at the first character that does not fit.
pub(super) fn undone(text: &str) -> Option<String> {
    if text.is_ascii() || !looks_twice_encoded(text) {
        return None;
    }
    let bytes: Option<Vec<u8>> = text.chars().map(narrow).collect();
    String::from_utf8(bytes?).ok()
}

/// Whether the characters follow each other as the bytes of UTF-8 do; `from_utf8` knows the finer rules.
fn looks_twice_encoded(text: &str) -> bool {
    let mut wanted = 0_u8;
    for letter in text.chars() {
        let Some(byte) = narrow(letter) else { return false };
        let is_continuation = (0x80..0xc0).contains(&byte);
        if (wanted > 0) != is_continuation {
            return false;
        }
        wanted = match byte {
            0..0x80 => 0,
            0x80..0xc0 => wanted - 1,
            0xc0..0xe0 => 1,
            0xe0..0xf0 => 2,
            _ => 3,
        };
    }
    wanted == 0
}

/// The byte that a character was before. Some programs take the first encoding for ISO-8859-1, in which 0x80 to 0x9F are controls.
fn narrow(letter: char) -> Option<u8> {
    if let Ok(byte) = u8::try_from(letter) {
        return Some(byte);
    }
    let high = decode::HIGH.iter().position(|other| *other == letter)?;
    u8::try_from(high + 0x80).ok()
}

/// Counts the texts of a document that could have been encoded twice, and those that were not.
#[derive(Debug, Default)]
pub(super) struct Judge {
    converting: usize,
    sound: usize,
}
impl Judge {
    /// A text in ASCII says nothing.
    pub(super) fn see(&mut self, text: &str) {
        if text.is_ascii() {
            return;
        }
        let count = if undone(text).is_some() { &mut self.converting } else { &mut self.sound };
        *count += 1;
    }

    /// Whether the document was encoded twice: ten texts or more that convert for each that does not.
    pub(super) fn is_double(&self) -> bool {
        self.converting > 0 && self.converting >= 10 * self.sound
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As programs do it: the bytes of UTF-8, each as a character.
    fn doubled(text: &str) -> String {
        text.bytes().map(decode::windows_1252).collect()
    }

    #[test]
    fn texts_are_undone() {
        for (text, expected) in [
            ("CafÃ©", "Café"),
            ("GrÃ¶ÃŸere Ãœberraschung", "Größere Überraschung"),
            ("Lâ€™Ã©tÃ© dÃ©jÃ\u{a0} fini", "L’été déjà fini"),
            ("ÐŸÑ€Ð¸Ð²ÐµÑ‚", "Привет"),
            ("Ð½ÐµÑ\u{81}Ð¾Ð¼Ð½ÐµÐ½Ð½Ð¾", "несомненно"),
            ("â‚¬ 5 â€“ ðŸ™‚", "€ 5 – 🙂"),
            // By way of ISO-8859-1.
            ("L\u{e2}\u{80}\u{99}\u{c3}\u{a9}t\u{c3}\u{a9}", "L’été"),
        ] {
            assert_eq!(undone(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn sound_texts_are_left_alone() {
        for text in [
            "",
            "plain",
            "Café",
            "Größere Überraschung",
            "Привет",
            "日本語",
            "L’été",
            "Why do I see Ã© instead of é?",
            "Ã",
            "€",
            // Bytes in the order of UTF-8, and yet none: a surrogate and an overlong letter.
            "í\u{a0}\u{80}",
            "À€",
        ] {
            assert_eq!(undone(text), None, "{text}");
        }
    }

    fn judged(texts: &[&str]) -> bool {
        let mut judge = Judge::default();
        for text in texts {
            judge.see(text);
        }
        judge.is_double()
    }

    #[test]
    fn only_a_document_that_agrees_is_taken_for_double() {
        let about = "Ã© and how it came to be";
        assert!(undone(about).is_some());
        assert!(!judged(&[about, "Café", "plain"]));
        assert!(!judged(&[]));
        assert!(!judged(&["plain"]));
        assert!(judged(&["CafÃ©", "plain"]));
        assert!(judged(&["ÐŸÑ€Ð¸Ð²ÐµÑ‚"; 10]));
        let mut mixed = vec!["GrÃ¶ÃŸe"; 10];
        mixed.push("’");
        assert!(judged(&mixed));
        assert!(!judged(&mixed[1..]));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_was_doubled_is_undone(text in ".{0,40}") {
            prop_assert_eq!(undone(&doubled(&text)), (!text.is_ascii()).then(|| text.clone()));
            if let Some(once) = undone(&text) {
                prop_assert!(once.len() < text.len());
            }
        }
    }
}
