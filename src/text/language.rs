//! Which language is a text in, when nobody says it? And which tags does a range of languages find?

use whatlang::Lang;

use crate::text::stands_alone;

/// The languages that are told apart, with their codes of ISO 639-1.
const CODES: &[(Lang, &str)] = &[
    (Lang::Afr, "af"),
    (Lang::Aka, "ak"),
    (Lang::Amh, "am"),
    (Lang::Ara, "ar"),
    (Lang::Aze, "az"),
    (Lang::Bel, "be"),
    (Lang::Bul, "bg"),
    (Lang::Ben, "bn"),
    (Lang::Cat, "ca"),
    (Lang::Ces, "cs"),
    (Lang::Cym, "cy"),
    (Lang::Dan, "da"),
    (Lang::Deu, "de"),
    (Lang::Ell, "el"),
    (Lang::Eng, "en"),
    (Lang::Epo, "eo"),
    (Lang::Spa, "es"),
    (Lang::Est, "et"),
    (Lang::Pes, "fa"),
    (Lang::Fin, "fi"),
    (Lang::Fra, "fr"),
    (Lang::Guj, "gu"),
    (Lang::Heb, "he"),
    (Lang::Hin, "hi"),
    (Lang::Hrv, "hr"),
    (Lang::Hun, "hu"),
    (Lang::Hye, "hy"),
    (Lang::Ind, "id"),
    (Lang::Ita, "it"),
    (Lang::Jpn, "ja"),
    (Lang::Jav, "jv"),
    (Lang::Kat, "ka"),
    (Lang::Khm, "km"),
    (Lang::Kan, "kn"),
    (Lang::Kor, "ko"),
    (Lang::Lat, "la"),
    (Lang::Lit, "lt"),
    (Lang::Lav, "lv"),
    (Lang::Mkd, "mk"),
    (Lang::Mal, "ml"),
    (Lang::Mar, "mr"),
    (Lang::Mya, "my"),
    (Lang::Nob, "nb"),
    (Lang::Nep, "ne"),
    (Lang::Nld, "nl"),
    (Lang::Ori, "or"),
    (Lang::Pan, "pa"),
    (Lang::Pol, "pl"),
    (Lang::Por, "pt"),
    (Lang::Ron, "ro"),
    (Lang::Rus, "ru"),
    (Lang::Sin, "si"),
    (Lang::Slk, "sk"),
    (Lang::Slv, "sl"),
    (Lang::Sna, "sn"),
    (Lang::Srp, "sr"),
    (Lang::Swe, "sv"),
    (Lang::Tam, "ta"),
    (Lang::Tel, "te"),
    (Lang::Tha, "th"),
    (Lang::Tuk, "tk"),
    (Lang::Tgl, "tl"),
    (Lang::Tur, "tr"),
    (Lang::Ukr, "uk"),
    (Lang::Urd, "ur"),
    (Lang::Uzb, "uz"),
    (Lang::Vie, "vi"),
    (Lang::Yid, "yi"),
    (Lang::Cmn, "zh"),
    (Lang::Zul, "zu"),
];

/// Fewest letters from which a language is read; shorter texts are guessed wrong too often. A character that stands for a word or a
/// syllable counts as three.
const LETTERS: usize = 100;

/// Of longer texts the beginning, in bytes: enough for every language, and the cost has a bound.
const LENGTH: usize = 4_000;

/// The language of a text in two letters (ISO 639-1); `None` for a short text, and where two languages are about as likely.
pub fn detected(text: &str) -> Option<&'static str> {
    let text = crate::text::beginning(text, LENGTH);
    let letters = text.chars().filter(|letter| letter.is_alphabetic());
    let weight: usize = letters.map(|letter| if is_dense(letter) { 3 } else { 1 }).sum();
    if weight < LETTERS {
        return None;
    }
    whatlang::detect(text).filter(whatlang::Info::is_reliable).and_then(|info| code(info.lang()))
}

fn code(language: Lang) -> Option<&'static str> {
    CODES.iter().find(|(known, _)| *known == language).map(|(_, code)| *code)
}

fn is_dense(letter: char) -> bool {
    stands_alone(letter) || matches!(letter, '\u{ac00}'..='\u{d7a3}')
}

/// A language range (RFC 4647 §2.1) in small letters; `None` for what is none, such as a language's name.
pub fn range(text: &str) -> Option<String> {
    let range = text.to_ascii_lowercase().replace('_', "-");
    let mut parts = range.split('-');
    let first = parts.next().unwrap_or_default();
    let is_language = (2..=3).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_subtag = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_language && parts.all(is_subtag)).then_some(range)
}

/// Whether a range finds a tag (RFC 4647 §3.3.1): `en` finds en and en-GB. The range is in small letters.
pub fn finds(range: &str, tag: &str) -> bool {
    let tag = tag.trim().to_ascii_lowercase().replace('_', "-");
    tag.strip_prefix(range).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGLISH: &str = "The leaders of both countries signed a pact about mutual defence on Sunday, after talks that had \
                           lasted through the whole night and into the next morning.";

    #[test]
    fn languages_are_read_from_texts_that_are_long_enough() {
        for (text, expected) in [
            (ENGLISH, Some("en")),
            (
                "Die Regierungen beider Länder haben am Sonntag einen Vertrag über gegenseitigen Beistand unterschrieben, nachdem \
                 die Gespräche die ganze Nacht gedauert hatten.",
                Some("de"),
            ),
            (
                "Les dirigeants des deux pays ont signé dimanche un pacte de défense mutuelle, après des discussions qui avaient \
                 duré toute la nuit.",
                Some("fr"),
            ),
            (
                "Главы обеих стран подписали в воскресенье договор о взаимной обороне после переговоров, которые продолжались всю ночь.",
                Some("ru"),
            ),
            (
                "両国の首脳は日曜日、夜を徹した話し合いの末に相互防衛条約に署名し、来年から協力を始めることで合意した。",
                Some("ja"),
            ),
            (
                "두 나라 정상은 일요일 밤샘 회담 끝에 상호 방위 조약에 서명하고 내년부터 협력하기로 합의했다고 밝혔다.",
                Some("ko"),
            ),
            ("", None),
            ("Leaders sign pact", None),
            ("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20", None),
        ] {
            assert_eq!(detected(text), expected, "{text}");
        }
    }

    #[test]
    fn only_the_beginning_of_a_long_text_is_read() {
        let text =
            format!("{}{}", ENGLISH.repeat(30), "Die Regierungen beider Länder haben unterschrieben. ".repeat(10_000));
        assert_eq!(detected(&text), Some("en"));
    }

    #[test]
    fn ranges_are_codes() {
        for (text, expected) in [
            ("en", Some("en")),
            ("EN_gb", Some("en-gb")),
            ("zh-Hant-TW", Some("zh-hant-tw")),
            ("gsw", Some("gsw")),
            ("english", None),
            ("e", None),
            ("en-", None),
            ("d3", None),
            ("", None),
        ] {
            assert_eq!(range(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_range_finds_what_is_more_special() {
        for (range, tag, expected) in [
            ("en", "en", true),
            ("en", "en-GB", true),
            ("en", "EN_us", true),
            ("en-gb", "en", false),
            ("en", "eng", false),
            ("zh-hant", "zh-Hant-TW", true),
        ] {
            assert_eq!(finds(range, tag), expected, "{range} {tag}");
        }
    }
}
