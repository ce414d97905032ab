use std::borrow::Cow;

use encoding_rs::Encoding;
use proptest::prelude::*;

use crate::parse::decode::{HIGH, decode};

fn encoded(label: &str, text: &str) -> Vec<u8> {
    let (bytes, _, had_errors) = Encoding::for_label(label.as_bytes()).unwrap().encode(text);
    assert!(!had_errors, "{label} cannot hold {text}");
    bytes.into_owned()
}

fn units<const N: usize>(text: &str, unit: fn(u32) -> [u8; N]) -> Vec<u8> {
    let wide: Vec<u32> =
        if N == 2 { text.encode_utf16().map(u32::from).collect() } else { text.chars().map(u32::from).collect() };
    wide.into_iter().flat_map(unit).collect()
}

fn be16(unit: u32) -> [u8; 2] {
    u16::try_from(unit).unwrap().to_be_bytes()
}

fn le16(unit: u32) -> [u8; 2] {
    u16::try_from(unit).unwrap().to_le_bytes()
}

/// What comes out, with the notes behind a bar each.
fn check(bytes: &[u8], content_type: Option<&str>, expected: &str) {
    let decoded = decode(bytes, content_type);
    let shown: Vec<&str> = [&*decoded.text].into_iter().chain(decoded.notes.iter().map(String::as_str)).collect();
    assert_eq!(shown.join(" | "), expected, "{}", String::from_utf8_lossy(bytes));
}

/// The text of the declaration, `<a>` and the text, in an encoding.
fn document(declaration: &str, label: &str, text: &str) -> Vec<u8> {
    encoded(label, &format!("{declaration}<a>{text}</a>"))
}

#[test]
fn marks_and_zero_bytes_go_before_every_claim() {
    let lying = "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><a>né🙂</a>";
    let marked = format!("\u{feff}{lying}");
    let server = Some("text/xml; charset=koi8-r");
    check(marked.as_bytes(), server, "<a>né🙂</a>");
    check(&units(&marked, be16), server, "<a>né🙂</a>");
    check(&units(&marked, le16), server, "<a>né🙂</a>");
    check(&units(&marked, u32::to_be_bytes), server, "<a>né🙂</a>");
    check(&units(&marked, u32::to_le_bytes), server, "<a>né🙂</a>");
    let unmarked = |name| format!("<a>né🙂</a> | it is {name}, by its zero bytes, without a byte order mark");
    check(&units(lying, be16), server, &unmarked("UTF-16BE"));
    check(&units(lying, le16), server, &unmarked("UTF-16LE"));
    check(&units(lying, u32::to_be_bytes), server, &unmarked("UTF-32BE"));
    check(&units(lying, u32::to_le_bytes), server, &unmarked("UTF-32LE"));
    // A mark over bytes that are not what it says, twice, or behind a blank.
    check(b"\xef\xbb\xbf<a>\xe9</a>", server, "<a>é</a> | 1 bytes are not UTF-8 and were read as windows-1252");
    check("\u{feff}\n\u{feff}<a/>".as_bytes(), None, "<a/>");
    check("\n\u{feff}<?xml version=\"1.0\"?><a/>".as_bytes(), None, "<a/>");
    check(b"\xfe\xff\0<\0a\0>\0", None, "<a>\u{fffd} | 1 places are not UTF-16BE and were replaced by \u{fffd}");
    check(
        b"\0\0\xfe\xff\0\0\0<\0\x11\0\0\0",
        None,
        "<\u{fffd} | 2 places are not UTF-32 and were replaced by \u{fffd}",
    );
}

#[test]
fn the_server_goes_before_the_declaration() {
    let cyrillic = document("<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>", "windows-1251", "Привет");
    for content_type in [
        "text/xml; charset=windows-1251",
        "text/xml;charset=\"Windows-1251\"; x=y",
        "application/rss+xml; q=1; CHARSET='cp1251'",
        "text/xml; charset=windows-1251, text/xml",
    ] {
        check(&cyrillic, Some(content_type), "<a>Привет</a>");
    }
    check(
        &document("<?xml version=\"1.0\" encoding=\"koi8-r\"?>", "koi8-r", "Привет"),
        Some("text/xml"),
        "<a>Привет</a>",
    );
    check(
        &document("<?xml encoding='koi8-r'?>", "koi8-r", "Привет"),
        Some("text/xml; charset=nonsense"),
        "<a>Привет</a> | there is no encoding `nonsense`",
    );
}

#[test]
fn declarations_are_found_and_their_labels_read() {
    for declaration in [
        "<?xml version=\"1.0\" encoding=\"windows-1251\"?>",
        "\r\n <?xml version='1.0' encoding = 'windows-1251' ?>",
        "<?xml version=1.0 encoding=windows-1251?>",
        "<?xml version=\"1.0\" encoding=\"windows-1251'?>",
        "<?xml version=\"1.0\" encoding=\" windows-1251 \">",
        "<?XML version=\"1.0\" ENCODING=\"WINDOWS-1251\"?>",
    ] {
        check(&document(declaration, "windows-1251", "Привет"), None, "<a>Привет</a>");
    }
    let behind = "<!-- a > b <?x -->\n<?xml-stylesheet href='x'?><?xml version=\"1.0\" encoding=\"windows-1251\"?>";
    check(
        &document(behind, "windows-1251", "Привет"),
        None,
        "<!-- a > b <?x -->\n<?xml-stylesheet href='x'?><a>Привет</a>",
    );
    let curly = b"<?xml version=\"1.0\" encoding=\xe2\x80\x9cwindows-1251\xe2\x80\x9d?><a>\xcf</a>";
    check(curly, None, "<a>П</a>");
    check(b"<?xml encoding=\"\" standalone=\"yes\"?><a>e</a>", None, "<a>e</a>");
    // What stands below the root is text.
    check(b"<a><![CDATA[<?xml encoding='koi8-r'?>]]></a>", None, "<a><![CDATA[<?xml encoding='koi8-r'?>]]></a>");
    check(
        "{\"a\":\"<?xml version='1.0' encoding='koi8-r'?>é\"}".as_bytes(),
        None,
        "{\"a\":\"<?xml version='1.0' encoding='koi8-r'?>é\"}",
    );
}

#[test]
fn claims_that_the_bytes_contradict_lose() {
    for (label, bytes, expected) in [
        ("iso-8859-1", "<a>é’</a>".as_bytes(), "<a>é’</a> | declared iso-8859-1, but the text is UTF-8"),
        ("us-ascii", "<a>é</a>".as_bytes(), "<a>é</a> | declared us-ascii, but the text is UTF-8"),
        ("iso-8859-1", b"<a>e</a>", "<a>e</a>"),
        // Both mean windows-1252.
        ("iso-8859-1", b"<a>\x93\xe9\x94</a>", "<a>“é”</a>"),
        ("us-ascii", b"<a>\x80</a>", "<a>€</a>"),
        ("utf-16", "<a>é</a>".as_bytes(), "<a>é</a> | declared utf-16, but this is not UTF-16"),
        ("shift_jis", "<a>日本語の例</a>".as_bytes(), "<a>日本語の例</a> | declared shift_jis, but the text is UTF-8"),
        ("utf-7", b"<a>+AOk-</a>", "<a>+AOk-</a> | there is no encoding `utf-7`"),
        ("hz-gb-2312", b"<a>~{</a>", "<a>~{</a> | there is no encoding `hz-gb-2312`"),
        ("x-user-defined", "<a>é</a>".as_bytes(), "<a>é</a> | there is no encoding `x-user-defined`"),
        ("utf-8", b"<a>\xc3\xa9\xe9\x93</a>", "<a>éé“</a> | 2 bytes are not UTF-8 and were read as windows-1252"),
        ("gb2312", b"<a>\xc4\xe3\xff</a>", "<a>你\u{fffd}</a> | 1 places are not GBK and were replaced by \u{fffd}"),
    ] {
        let document = [format!("<?xml version=\"1.0\" encoding=\"{label}\"?>").as_bytes(), bytes].concat();
        check(&document, None, expected);
    }
    let server = Some("text/xml; charset=ISO-8859-1");
    check("<a>é</a>".as_bytes(), server, "<a>é</a> | the server says ISO-8859-1, but the text is UTF-8");
}

#[test]
fn encodings_with_letters_of_several_bytes_are_kept() {
    for (label, text) in [
        ("gb2312", "你好，世界"),
        ("gb18030", "你好🙂"),
        ("shift_jis", "日本語の例"),
        ("euc-jp", "日本語の例"),
        ("iso-2022-jp", "日本語の例"),
        ("euc-kr", "안녕하세요"),
        ("big5", "繁體中文"),
    ] {
        let declaration = format!("<?xml version=\"1.0\" encoding=\"{label}\"?>");
        check(&document(&declaration, label, text), None, &format!("<a>{text}</a>"));
    }
}

#[test]
fn what_says_nothing_is_guessed_by_its_looks() {
    for (label, name, text) in [
        ("windows-1251", "windows-1251", "Сегодня в городе открылась новая выставка современного искусства"),
        ("koi8-r", "KOI8-U", "Сегодня в городе открылась новая выставка современного искусства"),
        ("iso-8859-7", "windows-1253", "Η Ελλάδα είναι μια χώρα της Ευρώπης"),
        ("windows-1252", "windows-1252", "Le café déjà fermé à l’été, «voilà»"),
        ("windows-1252", "windows-1252", "Größere Überraschung in Köln"),
        ("windows-1250", "windows-1250", "Příliš žluťoučký kůň úpěl ďábelské ódy"),
        ("shift_jis", "Shift_JIS", "日本語の文章を書いてみました。今日は天気がいいですね。"),
        ("euc-kr", "EUC-KR", "대한민국의 수도는 서울입니다. 오늘은 날씨가 좋습니다."),
        ("gb18030", "GBK", "今天的天气很好，我们去公园玩吧。这是一个简单的例子。"),
        ("big5", "Big5", "今天的天氣很好，我們去公園玩吧。這是一個簡單的例子。"),
        ("windows-874", "windows-874", "วันนี้อากาศดีมาก เราไปเที่ยวสวนสาธารณะกันเถอะ"),
    ] {
        let note = format!("it is not UTF-8 and does not say what it is; it was read as {name}");
        check(&document("", label, text), None, &format!("<a>{text}</a> | {note}"));
    }
    let accident = "<a>é\u{feff}</a>".replace('\u{feff}', "é ü").into_bytes();
    let accident = [&accident[..], b"\xe9"].concat();
    check(&accident, None, "<a>éé ü</a>é | 1 bytes are not UTF-8 and were read as windows-1252");
}

#[test]
fn declarations_and_forbidden_characters_are_dropped() {
    for (text, expected) in [
        ("<?xml version=\"1.0\"?><a/>", "<a/>"),
        ("<?xml version=\"1.0\"><a/>", "<a/>"),
        ("<?xml version=\"1.0\" <a/>", "<a/>"),
        ("<?xml?xml version=\"1.0\" encoding=\"UTF-8\" ??><a/>", "<a/>"),
        ("<?xml version=\"1.0\"?><a><?xml version=\"1.0\"?><b/></a>", "<a><b/></a>"),
        ("<?xml version=\"1.0\"?><?xml-stylesheet href=\"x\"?><a/>", "<?xml-stylesheet href=\"x\"?><a/>"),
        ("<!-- <?xml version='1' ?> --><?xml version='1'?><a/>", "<!-- <?xml version='1' ?> --><a/>"),
        ("<a><![CDATA[<?xml ?>]]><?xml ?></a>", "<a><![CDATA[<?xml ?>]]></a>"),
        ("<a><![CDATA[<?xml ?> open", "<a><![CDATA[<?xml ?> open"),
        (
            "<a>\0x\u{8}\u{1f}\t\r\n\u{fffe}é\u{ffff}\u{ff5e}</a>",
            "<a>x\t\r\né\u{ff5e}</a> | 9 bytes of control characters were removed",
        ),
        ("{\"a\":\u{1}1}", "{\"a\":1} | 1 bytes of control characters were removed"),
        ("", ""),
        ("<?xml", ""),
    ] {
        check(text.as_bytes(), None, expected);
    }
}

#[test]
fn plain_utf_8_is_not_copied() {
    let document = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><?xml-stylesheet?><a>é</a>";
    assert!(matches!(decode(document.as_bytes(), None).text, Cow::Borrowed(_)));
}

#[test]
fn windows_1252_is_what_the_table_of_whatwg_says() {
    let bytes: Vec<u8> = (0x80..0xa0).collect();
    assert_eq!(encoding_rs::WINDOWS_1252.decode(&bytes).0, HIGH.iter().collect::<String>());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_give_clean_text(
        start in prop::sample::select(vec![&b""[..], b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff", b"\xff\xfe\0\0", b"<?xml encoding='gbk'?>", b"<?xml", b"<!--", b"<\0", b"\0<"]),
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"<?xml >!-[]".to_vec())], 0..80),
        content_type in prop::option::of("[a-z/]{0,9};charset=[\"']?(utf-8|big5|utf-16|koi8-r|.{0,9})"),
    ) {
        let bytes = [start, &bytes].concat();
        let decoded = decode(&bytes, content_type.as_deref());
        let is_forbidden = |letter: char| (letter < ' ' && !"\t\n\r".contains(letter)) || matches!(letter, '\u{fffe}' | '\u{ffff}');
        let is_clean = !decoded.text.contains(is_forbidden);
        prop_assert!(is_clean, "{:?}", decoded.text);
    }

    #[test]
    fn sound_text_comes_through(text in "[^\u{0}-\u{1f}\u{fffe}\u{ffff}<]{0,40}") {
        let document = format!("<a>{text}</a>");
        let wide = [units(&document, be16), units(&document, le16), units(&document, u32::to_le_bytes)];
        for bytes in [document.as_bytes(), &wide[0], &wide[1], &wide[2]] {
            prop_assert_eq!(&*decode(bytes, None).text, &*document);
        }
    }
}
