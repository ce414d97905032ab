//! Bytes of a page → text: byte order mark, the HTTP charset, `<meta>` (HTML §13.2.3.2), UTF-8, windows-1252.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// Where a page may say what it is written in.
const PRESCAN: usize = 1_024;

pub(super) fn decode<'b>(bytes: &'b [u8], content_type: Option<&str>) -> Cow<'b, str> {
    if let Some((encoding, length)) = Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(&bytes[length..]).0;
    }
    let is_utf8 = std::str::from_utf8(bytes).is_ok();
    let claimed = content_type.and_then(charset).or_else(|| declared(bytes)).filter(|encoding| {
        // What could be read so far as ASCII cannot be UTF-16, and valid UTF-8 is none of the old charsets by accident.
        *encoding != UTF_16LE && *encoding != UTF_16BE && !(encoding.is_single_byte() && is_utf8)
    });
    let encoding = claimed.unwrap_or(if is_utf8 { UTF_8 } else { WINDOWS_1252 });
    encoding.decode_without_bom_handling(bytes).0
}

/// The encoding that follows `charset=`, in a header or in a `<meta>`.
fn charset(text: &str) -> Option<&'static Encoding> {
    let lower = text.to_ascii_lowercase();
    let value = lower.split_once("charset")?.1.trim_start().strip_prefix('=')?;
    let value = value.trim_start_matches([' ', '"', '\'']);
    let end = value.find([' ', '"', '\'', ';', '>', '/']).unwrap_or(value.len());
    Encoding::for_label(&value.as_bytes()[..end])
}

fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(PRESCAN)]).into_owned();
    start.split("<meta").skip(1).find_map(charset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_as_it_was_written() {
        for (bytes, content_type, expected) in [
            (&b"gr\xfc\xdfe"[..], None, "grüße"),
            ("grüße".as_bytes(), Some("text/html; charset=iso-8859-1"), "grüße"),
            (b"\xef\xbb\xbfgut", Some("text/html; charset=koi8-r"), "gut"),
            (b"\xcf\xf0\xe8\xe2\xe5\xf2", Some("text/html; charset=\"windows-1251\""), "Привет"),
            (b"<meta charset=shift_jis>\x83e\x83X\x83g", None, "<meta charset=shift_jis>テスト"),
            (
                b"<meta http-equiv=content-type content='text/html; charset=gbk'>\xc4\xe3\xba\xc3",
                None,
                "<meta http-equiv=content-type content='text/html; charset=gbk'>你好",
            ),
            (b"\xff\xfeh\0i\0", None, "hi"),
            (b"", None, ""),
        ] {
            assert_eq!(decode(bytes, content_type), expected);
        }
    }
}
