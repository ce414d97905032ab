//! Dates as publishers write them → instants. None rather than wrong: a missing date is replaced by the time of first sight, a
//! wrong one misplaces the entry for ever.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime};

use crate::model::Timestamp;

/// Reads RFC 822 and its successors with whatever zone, ISO 8601 and RFC 3339 with parts missing, asctime and RFC 850.
/// Without a zone, or with an unknown one, UTC is meant.
pub fn read_date(text: &str) -> Option<Timestamp> {
    let text = text.split('(').next().unwrap_or(text);
    let words: Vec<&str> = text.split([' ', '\t', '\n', '\r', ',']).filter(|word| !word.is_empty()).collect();
    let first = words.first()?;
    let begins_with_year = first.len() >= 4 && first.as_bytes()[..4].iter().all(u8::is_ascii_digit);
    if begins_with_year { iso(&words.join(" ")) } else { spelt(&words) }
}

/// `2026-11-01T08:00:00Z` and what is left of it.
fn iso(text: &str) -> Option<Timestamp> {
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], text[at + 1..].trim()),
        None => (text, ""),
    };
    let parts: Vec<&str> = date.split(['-', '/', '.']).collect();
    let number = |part: &str| part.parse::<u32>().ok();
    let (year, month, day) = match parts[..] {
        [year, month, day] => (year.parse().ok()?, number(month)?, number(day)?),
        [year, month] => (year.parse().ok()?, number(month)?, 1),
        [whole] if whole.len() == 8 => (whole[..4].parse().ok()?, number(&whole[4..6])?, number(&whole[6..])?),
        [year] if year.len() == 4 => (year.parse().ok()?, 1, 1),
        _ => return None,
    };
    let date = NaiveDate::from_ymd_opt(year, month, day)?;
    if time.is_empty() {
        return Some(date.and_time(NaiveTime::MIN).and_utc());
    }
    let zone_at = time.find(['+', '-', 'Z', 'z', ' ']).unwrap_or(time.len());
    instant(date, clock(&time[..zone_at])?, &time[zone_at..])
}

/// `Sun, 01 Nov 2026 08:00:00 +0000` in every order of its words.
fn spelt(words: &[&str]) -> Option<Timestamp> {
    let is_time = |word: &&&str| word.contains(':');
    let time = words.iter().position(|word| word.contains(':'));
    let month_at = words.iter().position(|word| month(word).is_some());
    if let Some(at) = month_at {
        let month = month(words[at])?;
        let after = words.get(at + 1).filter(|word| !is_time(word)).and_then(|word| word.parse::<u32>().ok());
        let before = at.checked_sub(1).and_then(|before| words[before].trim_end_matches('.').parse::<u32>().ok());
        // `1 Nov 2026`, `Nov 1, 2026`, or `Nov  1 08:00:00 2026`.
        let (day, year, behind) = match (before, after) {
            (Some(day), Some(year)) => (day, year, at + 2),
            (None, Some(day)) => {
                let year_at =
                    words.iter().skip(at + 2).position(|word| word.len() == 4 && word.parse::<u32>().is_ok())? + at + 2;
                (day, words[year_at].parse().ok()?, if year_at == at + 2 { at + 3 } else { at + 2 })
            }
            _ => return None,
        };
        return put_together(year, month, day, words, time, behind);
    }
    // RFC 850: `Sunday, 01-Nov-26 08:00:00 GMT`, and `01.11.2026 08:00`.
    let (at, date) = words.iter().enumerate().find(|(_, word)| word.chars().any(|letter| letter.is_ascii_digit()))?;
    let parts: Vec<&str> = date.split(['-', '.']).filter(|part| !part.is_empty()).collect();
    let [day, name, year] = parts[..] else { return None };
    let month = month(name).or_else(|| name.parse().ok().filter(|_| date.contains('.')))?;
    put_together(year.parse().ok()?, month, day.parse().ok()?, words, time, at + 1)
}

fn put_together(
    year: u32,
    month: u32,
    day: u32,
    words: &[&str],
    time: Option<usize>,
    behind: usize,
) -> Option<Timestamp> {
    let year = match year {
        0..70 => 2000 + year,
        70..100 => 1900 + year,
        1900..=2200 => year,
        _ => return None,
    };
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    let Some(time) = time.filter(|time| *time + 1 >= behind) else {
        return Some(date.and_time(NaiveTime::MIN).and_utc());
    };
    let written = words[time];
    let zone_at = written.find(['+', '-', 'Z']).unwrap_or(written.len());
    let mut clock = clock(&written[..zone_at])?;
    let mut zone: Vec<&str> = vec![&written[zone_at..]];
    for word in &words[time + 1..] {
        match word.to_ascii_lowercase().as_str() {
            "am" if clock.hour == 12 => clock.hour = 0,
            "pm" if clock.hour < 12 => clock.hour += 12,
            "am" | "pm" => {}
            _ => zone.push(word),
        }
    }
    // In asctime's order the year stands where others have the zone.
    let zone: String = zone.into_iter().filter(|word| word.len() != 4 || word.parse::<u32>().is_err()).collect();
    instant(date, clock, &zone)
}

#[derive(Clone, Copy)]
struct Clock {
    hour: u32,
    minute: u32,
    second: u32,
}

fn clock(text: &str) -> Option<Clock> {
    let parts: Vec<&str> = text.trim().split(':').collect();
    let number = |part: &str| part.split(['.', ',']).next().and_then(|part| part.parse::<u32>().ok());
    match parts[..] {
        [hour, minute] => Some(Clock { hour: number(hour)?, minute: number(minute)?, second: 0 }),
        [hour, minute, second] => Some(Clock { hour: number(hour)?, minute: number(minute)?, second: number(second)? }),
        _ => None,
    }
}

fn instant(date: NaiveDate, clock: Clock, zone: &str) -> Option<Timestamp> {
    // 24:00 is the midnight that ends the day (ISO 8601); a leap second is the second before.
    let (date, hour) = if clock.hour == 24 && clock.minute == 0 { (date.succ_opt()?, 0) } else { (date, clock.hour) };
    let second = if clock.second == 60 { 59 } else { clock.second };
    let local = NaiveDateTime::new(date, NaiveTime::from_hms_opt(hour, clock.minute, second)?);
    let offset = FixedOffset::east_opt(offset(zone.trim()).unwrap_or(0))?;
    let at: DateTime<FixedOffset> = local.and_local_timezone(offset).single()?;
    Some(at.to_utc())
}

/// Seconds east of UTC; `None` for what is no zone, or an impossible one.
fn offset(zone: &str) -> Option<i32> {
    let zone =
        zone.strip_prefix("GMT").or_else(|| zone.strip_prefix("UTC")).filter(|rest| !rest.is_empty()).unwrap_or(zone);
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return named(zone),
    };
    let digits: String = zone[1..].chars().filter(char::is_ascii_digit).collect();
    let (hours, minutes) = match digits.len() {
        1 | 2 => (digits.parse::<i32>().ok()?, 0),
        3 | 4 => (digits[..2].parse().ok()?, digits[2..].parse::<i32>().ok()?),
        _ => return None,
    };
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Zones by name, where all who use the name mean the same. RFC 822's letters were defined with the wrong sign and mean nothing.
fn named(zone: &str) -> Option<i32> {
    let hours = match zone.to_ascii_uppercase().as_str() {
        "BST" | "CET" | "WEST" | "IST-IE" => 1.0,
        "CEST" | "EET" | "SAST" => 2.0,
        "EEST" | "MSK" => 3.0,
        "IST" => 5.5,
        "HKT" | "SGT" | "AWST" => 8.0,
        "JST" | "KST" => 9.0,
        "ACST" => 9.5,
        "AEST" => 10.0,
        "AEDT" => 11.0,
        "NZST" => 12.0,
        "NZDT" => 13.0,
        "NDT" => -2.5,
        "ADT" => -3.0,
        "NST" => -3.5,
        "AST" | "EDT" => -4.0,
        "EST" | "CDT" => -5.0,
        "CST" | "MDT" => -6.0,
        "MST" | "PDT" => -7.0,
        "PST" | "AKDT" => -8.0,
        "AKST" => -9.0,
        "HST" => -10.0,
        _ => return None,
    };
    #[expect(clippy::cast_possible_truncation, reason = "halves of hours are whole seconds")]
    let seconds = (hours * 3600.0) as i32;
    Some(seconds)
}

fn month(word: &str) -> Option<u32> {
    const MONTHS: [&[&str]; 12] = [
        &["jan", "ene", "gen", "janv"],
        &["feb", "fév", "fev", "febr"],
        &["mar", "mär", "mrt", "mars", "mrz", "maa"],
        &["apr", "avr", "abr"],
        &["may", "mai", "mag", "mei", "maj"],
        &["jun", "giu", "juin"],
        &["jul", "lug", "juil"],
        &["aug", "aoû", "aou", "ago"],
        &["sep", "set"],
        &["oct", "okt", "ott", "out"],
        &["nov"],
        &["dec", "dez", "déc", "dic"],
    ];
    let word = word.trim_end_matches('.').to_lowercase();
    if !word.chars().next()?.is_alphabetic() || word.chars().count() < 3 {
        return None;
    }
    // Weekdays that begin like months: `mar` of French and Spanish, `mart`, `dom`.
    let is_weekday = ["mardi", "martes", "martedì", "marti"].contains(&word.as_str());
    let found = MONTHS.iter().position(|names| names.iter().any(|name| word.starts_with(name)));
    found.filter(|_| !is_weekday).and_then(|index| u32::try_from(index + 1).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let shown = read_date(text).map(|at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string());
        assert_eq!(shown.as_deref().unwrap_or("none"), expected, "{text}");
    }

    #[test]
    fn dates_of_the_wild_are_read() {
        for (text, expected) in [
            ("Thu, 20 Jun 2024 08:15:00 +0000", "2024-06-20T08:15:00Z"),
            ("Thu, 20 Jun 2024 08:15:00 GMT", "2024-06-20T08:15:00Z"),
            ("20 Jun 2024 08:15 EST", "2024-06-20T13:15:00Z"),
            ("Wed,  1 Feb 2006 10:00:00 -0800", "2006-02-01T18:00:00Z"),
            ("Sun, 10 Dec 17 10:00:00 GMT", "2017-12-10T10:00:00Z"),
            ("Mon, 05 Jan 2004 10:00:00", "2004-01-05T10:00:00Z"),
            ("05 Jan 2004", "2004-01-05T00:00:00Z"),
            ("Mon Jan  5 10:00:00 2004", "2004-01-05T10:00:00Z"),
            ("Monday, 05-Jan-04 10:00:00 GMT", "2004-01-05T10:00:00Z"),
            ("January 29, 2021 04:42 PM", "2021-01-29T16:42:00Z"),
            ("mer, 16 nov 2022 10:00:00 +0100", "2022-11-16T09:00:00Z"),
            ("Do, 22 Dez 2016 10:00:00 +0100", "2016-12-22T09:00:00Z"),
            ("22.11.2022 12:16:00", "2022-11-22T12:16:00Z"),
            ("2024-06-20T10:02:11Z", "2024-06-20T10:02:11Z"),
            ("2024-06-20T10:02:11.123+02:00", "2024-06-20T08:02:11Z"),
            ("2026-02-17T17:36:36-0500", "2026-02-17T22:36:36Z"),
            ("2019-05-18 10:58:46 +0300", "2019-05-18T07:58:46Z"),
            ("2000-01-01T12:00+00:00", "2000-01-01T12:00:00Z"),
            ("2003-12-13T18:30:02", "2003-12-13T18:30:02Z"),
            ("2020/1/10 14:33:00", "2020-01-10T14:33:00Z"),
            ("2021-02-03", "2021-02-03T00:00:00Z"),
            ("2005-07", "2005-07-01T00:00:00Z"),
            ("20040105", "2004-01-05T00:00:00Z"),
            ("2004-01-05T24:00:00Z", "2004-01-06T00:00:00Z"),
            ("Tue, 01 Jul 2003 10:00:00 GMT+0100", "2003-07-01T09:00:00Z"),
            ("Thu, 20 Jun 2024 08:15:00 +3000", "2024-06-20T08:15:00Z"),
        ] {
            check(text, expected);
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "not a date",
            "2003-07-32",
            "2003-13-01",
            "Thu, 20 Jun 2024 25:15:00 GMT",
            "0000-00-00",
            "soon",
            "Jun",
            "12:30",
            "()",
            "2024-06-20Tnoon",
        ] {
            check(text, "none");
        }
    }
}
