//! The words of dates: names of months and zones, and what may stand between the numbers.

use crate::text;

/// Full names, folded as [`text::fold`] does it. A word of three letters or more that begins one name of a line, and no other, stands for
/// it; the first line that knows a word decides. `listopad` is left out: it is October in Zagreb and November in Warsaw.
const MONTHS: &[&str] = &[
    "january february march april may june july august september october november december",
    "januar februar marz april mai juni juli august september oktober november dezember",
    "janner feber maerz april mai juni juli august september oktober november dezember",
    "janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre",
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "janeiro fevereiro marco abril maio junho julho agosto setembro outubro novembro dezembro",
    "januari februari maart april mei juni juli augustus september oktober november december",
    "- - mrt - - - - - - - - -",
    "- - mrz - - - - - - - - -",
    "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
    "январь февраль март апрель маи июнь июль август сентябрь октябрь ноябрь декабрь",
    "січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня",
    "stycznia lutego marca kwietnia maja czerwca lipca sierpnia wrzesnia pazdziernika - grudnia",
    "styczen luty marzec kwiecien maj czerwiec lipiec sierpien wrzesien pazdziernik - grudzien",
    "leden unor brezen duben kveten cerven cervenec srpen zari rijen - prosinec",
    "ledna unora brezna dubna kvetna cervna cervence srpna zari rijna - prosince",
    "januara februara marca aprila maja juna jula augusta septembra oktobra novembra decembra",
    "januari februari mars april maj juni juli augusti september oktober november december",
    "januar februar marts april maj juni juli august september oktober november desember",
    "tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesakuuta heinakuuta elokuuta syyskuuta lokakuuta marraskuuta joulukuuta",
    "jaanuar veebruar marts aprill mai juuni juuli august september oktoober november detsember",
    "ocak subat mart nisan mayıs haziran temmuz agustos eylul ekim kasım aralık",
    "januar februar marcius aprilis majus junius julius augusztus szeptember oktober november december",
    "ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie decembrie",
    "gener febrer marc abril maig juny juliol agost setembre octubre novembre desembre",
    "ιανουαριου φεβρουαριου μαρτιου απριλιου μαιου ιουνιου ιουλιου αυγουστου σεπτεμβριου οκτωβριου νοεμβριου δεκεμβριου",
    "januari februari maret april mei juni juli agustus september oktober november desember",
];

/// Known at a glance, so that the long search is for other languages only.
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// From 1 to 12.
pub(super) fn month(word: &str) -> Option<u32> {
    if let Some(start) = word.get(..3).filter(|_| word.len() == 3) {
        if let Some(at) = ENGLISH.iter().position(|name| name.eq_ignore_ascii_case(start)) {
            return u32::try_from(at + 1).ok();
        }
        if WEEKDAYS.iter().any(|name| name.eq_ignore_ascii_case(start)) {
            return None;
        }
    }
    word.chars().nth(2)?;
    let word = text::fold(word);
    MONTHS.iter().find_map(|names| among(names, &word))
}

const ENGLISH: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

fn among(names: &str, word: &str) -> Option<u32> {
    let numbered = || (1..).zip(names.split(' '));
    let exact = numbered().find(|(_, name)| *name == word);
    let mut begun = numbered().filter(|(_, name)| name.starts_with(word));
    let (month, _) = exact.or_else(|| begun.next().filter(|_| begun.next().is_none()))?;
    Some(month)
}

/// Whether a word says nothing: ordinals, and small words around the parts of a date.
pub(super) fn is_filler(word: &str) -> bool {
    const FILLERS: &str =
        "st nd rd th er º ª de del di do of the at um on a à as às alle ore om kl klo le den d г в р r y year h";
    let is_like = |filler: &str| filler.eq_ignore_ascii_case(word);
    FILLERS.split(' ').any(is_like) || ["年", "月", "日", "년", "월", "일", "t"].into_iter().any(is_like)
}

/// Minutes east of UTC, where nearly all who write the name mean the same. RFC 822 gave the single letters the wrong sign, so that RFC 5322
/// §4.3 takes them for "unknown": UTC.
pub(super) fn zone(word: &str) -> Option<i32> {
    const ZONES: &[(&str, i32)] = &[
        ("GMT Z UTC UT WET", 0),
        ("BST CET WEST MEZ WAT", 60),
        ("CEST MESZ EET SAST CAT", 120),
        ("EEST MSK EAT TRT IDT", 180),
        ("GST", 240),
        ("PKT", 300),
        ("IST", 330),
        ("NPT", 345),
        ("WIB ICT", 420),
        ("HKT SGT AWST PHT MYT", 480),
        ("JST KST", 540),
        ("ACST", 570),
        ("AEST", 600),
        ("ACDT", 630),
        ("AEDT", 660),
        ("NZST", 720),
        ("NZDT", 780),
        ("NDT", -150),
        ("BRT ART ADT", -180),
        ("NST", -210),
        ("EDT AST CLT", -240),
        ("EST CDT COT PET", -300),
        ("CST MDT", -360),
        ("MST PDT", -420),
        ("PST AKDT", -480),
        ("AKST", -540),
        ("HST", -600),
    ];
    let has = |names: &str| names.split(' ').any(|name| name.eq_ignore_ascii_case(word));
    ZONES.iter().find(|(names, _)| has(names)).map(|(_, minutes)| *minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_folded_and_stands_for_its_month() {
        for names in MONTHS {
            assert_eq!(names.split(' ').count(), 12, "{names}");
            for (number, name) in (1..).zip(names.split(' ')).filter(|(_, name)| *name != "-") {
                assert_eq!(text::fold(name), name);
                assert_eq!(month(name), Some(number), "{name}");
                assert_eq!(month(&name.to_uppercase()).unwrap_or(number), number, "{name} in capitals");
            }
        }
    }

    #[test]
    fn abbreviations_are_known_and_weekdays_are_no_months() {
        for (words, expected) in [
            ("Jan Ene Gen janv Янв Oca Led", Some(1)),
            ("fév Fev luty Şub", Some(2)),
            ("Mär Mrz mrt MAR Mart bře", Some(3)),
            ("avr Abr АПР", Some(4)),
            ("mai Mag mei maj май мая", Some(5)),
            ("giu juin Июн cze", Some(6)),
            ("lug juil Июл lip", Some(7)),
            ("aoû Ago авг sie elo", Some(8)),
            ("Sept set сен wrz Eyl", Some(9)),
            ("ott okt out Окт paź Eki", Some(10)),
            ("nov ноя Kas marras", Some(11)),
            ("dez déc dic дек pro Ara des", Some(12)),
            ("Mon Tuesday mardi martes martedì Do Mi mercoledì пн понедельник jeu dim sáb seg jui cerv no x", None),
        ] {
            for word in words.split(' ') {
                assert_eq!(month(word), expected, "{word}");
            }
        }
    }
}
