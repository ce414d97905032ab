//! Text that was encoded twice: `Ã©` where `é` was meant.
use encoding_rs::WINDOWS_1252;
#[derive(Default)]
pub(super) struct Judge {
    yes: usize,
    no: usize,
}
impl Judge {
    pub(super) fn look_at(&mut self, text: &str) {
        if text.is_ascii() {
            return;
        }
        if undone(text).is_some() { self.yes += 1 } else { self.no += 1 }
    }
    pub(super) fn is_double(&self) -> bool {
        self.yes > 0 && self.yes >= 10 * self.no
    }
}
pub(super) fn may_be_double(text: &str) -> bool {
    !text.is_ascii()
}
pub(super) fn undone(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    let (bytes, _, bad) = WINDOWS_1252.encode(text);
    if bad {
        return None;
    }
    String::from_utf8(bytes.into_owned()).ok()
}
