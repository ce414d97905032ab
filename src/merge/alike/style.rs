//! House style: the same thing spelt otherwise. Eleven and 11, per cent and %, colour and color.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::merge::alike::words::{Word, word_hash};

/// Small numbers in the languages of most wires, by the number. Spellings are folded.
const NUMBERS: &[(&str, &[&str])] = &[
    ("2", &["two", "zwei", "deux", "dos", "due", "dois", "duas", "twee", "tva", "dwa", "два", "две"]),
    ("3", &["three", "drei", "trois", "tres", "tre", "drie", "trzy", "три"]),
    ("4", &["four", "vier", "quatre", "cuatro", "quattro", "quatro", "fyra", "cztery", "четыре", "чотири"]),
    ("5", &["five", "funf", "cinq", "cinco", "cinque", "vijf", "fem", "piec", "пять", "п'ять"]),
    ("6", &["six", "sechs", "seis", "sei", "zes", "sex", "szesc", "шесть", "шість"]),
    ("7", &["seven", "sieben", "sept", "siete", "sette", "sete", "zeven", "sju", "siedem", "семь", "сім"]),
    ("8", &["eight", "acht", "huit", "ocho", "otto", "oito", "atta", "osiem", "восемь", "вісім"]),
    ("9", &["nine", "neun", "neuf", "nueve", "nove", "negen", "nio", "dziewiec", "девять"]),
    ("10", &["ten", "zehn", "dix", "diez", "dieci", "dez", "tien", "tio", "dziesiec", "десять"]),
    ("11", &["eleven", "elf", "onze", "once", "undici", "elva", "jedenascie", "одиннадцать"]),
    ("12", &["twelve", "zwolf", "douze", "doce", "dodici", "doze", "twaalf", "tolv", "dwanascie", "двенадцать"]),
    ("13", &["thirteen", "dreizehn", "treize", "trece", "tredici", "treze"]),
    ("14", &["fourteen", "vierzehn", "quatorze", "catorce", "quattordici"]),
    ("15", &["fifteen", "funfzehn", "quinze", "quince", "quindici"]),
    ("16", &["sixteen", "sechzehn", "seize", "dieciseis", "sedici", "dezesseis"]),
    ("17", &["seventeen", "siebzehn", "diecisiete", "diciassette"]),
    ("18", &["eighteen", "achtzehn", "dieciocho", "diciotto", "dezoito"]),
    ("19", &["nineteen", "neunzehn", "diecinueve", "diciannove"]),
    ("20", &["twenty", "zwanzig", "vingt", "veinte", "venti", "vinte", "twintig", "tjugo"]),
    ("30", &["thirty", "dreissig", "trente", "treinta", "trenta", "trinta", "dertig"]),
    ("40", &["forty", "vierzig", "quarante", "cuarenta", "quaranta", "quarenta"]),
    ("50", &["fifty", "funfzig", "cinquante", "cincuenta", "cinquanta", "cinquenta", "vijftig"]),
    ("60", &["sixty", "sechzig", "soixante", "sesenta", "sessanta", "sessenta"]),
    ("70", &["seventy", "siebzig", "setenta", "settanta"]),
    ("80", &["eighty", "achtzig", "ochenta", "ottanta", "oitenta"]),
    ("90", &["ninety", "neunzig", "noventa", "novanta"]),
    ("100", &["hundred", "hundert", "cent", "cien", "ciento", "cento", "cem", "honderd", "hundra"]),
];

/// Words for what others write as a sign that is no word.
const SIGNS: &[&str] = &["percent", "prozent", "procent", "procenta", "процентов", "процента", "and", "und"];

/// Words that are two where others write one sign.
const PER: &[&str] = &["per", "pour", "por", "pro"];
const HUNDRED: &[&str] = &["cent", "ciento", "cento", "cien"];

/// What a word means to all styles.
enum Meaning {
    Number(&'static str),
    Sign,
    Hundred(&'static str),
}

static MEANINGS: LazyLock<HashMap<&str, Meaning>> = LazyLock::new(|| {
    let numbers = NUMBERS.iter().flat_map(|(digits, spelt)| spelt.iter().map(|word| (*word, Meaning::Number(digits))));
    let signs = SIGNS.iter().map(|word| (*word, Meaning::Sign));
    let hundreds = HUNDRED.iter().map(|word| (*word, Meaning::Hundred("100")));
    numbers.chain(signs).chain(hundreds).collect()
});

/// The words without what only a house style adds, and small numbers as digits.
pub(super) fn plain(words: Vec<Word<'_>>) -> Vec<Word<'_>> {
    let mut plain: Vec<Word<'_>> = Vec::with_capacity(words.len());
    for mut word in words {
        match MEANINGS.get(word.folded.as_str()) {
            None => {}
            Some(Meaning::Sign) => continue,
            Some(Meaning::Hundred(_)) if plain.last().is_some_and(|before| PER.contains(&before.folded.as_str())) => {
                plain.pop();
                continue;
            }
            Some(Meaning::Number(digits) | Meaning::Hundred(digits)) => {
                word.hash = word_hash(digits);
                (*digits).clone_into(&mut word.folded);
            }
        }
        plain.push(word);
    }
    plain
}

/// Whether two words are one word in two spellings: a few letters apart, or cut short.
pub(super) fn are_spellings(one: &str, other: &str) -> bool {
    let has_digits = |word: &str| word.chars().any(char::is_numeric);
    if one == other {
        return true;
    }
    if has_digits(one) || has_digits(other) {
        return false;
    }
    let (short, long) = if one.len() < other.len() { (one, other) } else { (other, one) };
    let letters = short.chars().count();
    if letters >= 3 && long.starts_with(short) {
        return true;
    }
    // km for kilometres, Dr for doctor.
    if (2..=3).contains(&letters) && is_abbreviated(short, long) {
        return true;
    }
    // Eastern and western are two letters apart.
    let begin_alike = one.chars().next() == other.chars().next();
    let allowed = match letters {
        0..=3 => 0,
        4..=8 => 1,
        _ if begin_alike => 2,
        _ => 1,
    };
    allowed > 0 && strsim::damerau_levenshtein(one, other) <= allowed
}

/// Whether a word of two or three letters is made of another one's, beginning with the first.
fn is_abbreviated(short: &str, long: &str) -> bool {
    let mut letters = long.chars();
    long.chars().next() == short.chars().next() && short.chars().all(|letter| letters.any(|other| other == letter))
}

/// The digits of some words, so that 1,000 is 1000, 5m is 5 million, 5.80 is 5.8 and 7:08 pm is 19:08: without zeros, which come and go
/// with the style.
pub(super) fn digits(words: &[&Word<'_>]) -> String {
    let is_afternoon = words.iter().any(|word| word.folded.ends_with("pm"));
    let mut digits = String::new();
    let mut follows_han = false;
    for word in words {
        let han = word.folded.chars().next().and_then(han_numeral);
        match han {
            // 四十一 is 41, 十二 is 12: a power of ten is a digit only where none stands before it.
            Some(Han::Power) if follows_han => {}
            Some(Han::Power) => digits.push('1'),
            Some(Han::Digit(digit)) => digits.push(digit),
            None => {
                let number: String = word.folded.chars().filter(|letter| letter.is_numeric()).collect();
                match number.parse::<u32>() {
                    Ok(hour) if is_afternoon && digits.is_empty() && hour < 12 => digits += &(hour + 12).to_string(),
                    _ => digits += &number,
                }
            }
        }
        follows_han = han.is_some();
    }
    digits.retain(|digit| digit != '0');
    digits
}

/// A numeral of Han.
#[derive(Clone, Copy)]
enum Han {
    Digit(char),
    /// Ten, a hundred and so on.
    Power,
}

fn han_numeral(letter: char) -> Option<Han> {
    let digits = "〇一二三四五六七八九";
    match letter {
        '零' => Some(Han::Digit('0')),
        '两' => Some(Han::Digit('2')),
        '十' | '百' | '千' | '万' | '萬' => Some(Han::Power),
        _ => {
            let value = digits.chars().position(|digit| digit == letter)?;
            char::from_digit(u32::try_from(value).ok()?, 10).map(Han::Digit)
        }
    }
}

/// Whether a word is a numeral of Han.
pub(super) fn is_han_numeral(word: &str) -> bool {
    let mut letters = word.chars();
    letters.next().is_some_and(|letter| han_numeral(letter).is_some()) && letters.next().is_none()
}
