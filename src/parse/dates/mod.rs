//! Dates as publishers write them → instants. None rather than wrong: a missing date is replaced by the time of first sight, a
//! wrong one misplaces the entry for ever.
//!
//! One walk over the pieces of the text gathers numbers, a month, a clock and a zone, wherever they stand; what they mean is decided at
//! the end. So RFC 822 and 850, RFC 3339, asctime and whatever a locale prints are one case, not ten.

mod token;
mod words;

#[cfg(test)]
mod tests;

use chrono::{Datelike as _, NaiveDate, TimeDelta};

use crate::model::Timestamp;
use token::{Kind, Tokens};

/// No date is longer. What comes behind is not looked at.
const LONGEST: usize = 200;

/// Reads RFC 822 and its successors with whatever zone, ISO 8601 and RFC 3339 with parts missing, asctime and RFC 850, dates with
/// months in the languages of Europe, and seconds since 1970. Without a zone, or with an unknown one, UTC is meant; without a time,
/// midnight; without a day or a month, the first. Fractions of seconds are dropped.
///
/// None for what cannot be, for years outside 1900 to 2200, and for orders of day and month that could be either.
pub fn read_date(text: &str) -> Option<Timestamp> {
    let text = text.trim_start();
    let text = text.char_indices().nth(LONGEST).map_or(text, |(end, _)| &text[..end]);
    let text = if text.starts_with('<') { attribute(text)? } else { text };
    if let Some(at) = epoch(text.trim_end()) {
        return Some(at);
    }
    let mut reading = Reading::of(text);
    reading.walk()?;
    reading.meaning()
}

/// Drupal puts HTML where a date belongs: `<time datetime="2019-05-03T19:21:28Z">Fri, 05/03/2019 - 15:21</time>`.
fn attribute(text: &str) -> Option<&str> {
    let (_, value) = text.split_once("datetime=")?;
    value.get(1..)?.split(['"', '\'']).next()
}

/// Seconds since 1970 have ten digits from 2001 to 2286; milliseconds three more.
fn epoch(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = match whole.len() {
        _ if !is_number(whole) || !is_number(fraction) => return None,
        10 => whole.parse().ok()?,
        13 => whole.parse::<i64>().ok()? / 1_000,
        _ => return None,
    };
    Timestamp::from_timestamp(seconds, 0).filter(|at| at.year() <= 2200)
}

/// How many digits there are tells a year from a day.
#[derive(Clone, Copy, Default)]
struct Number {
    value: u32,
    digits: usize,
}

#[derive(Clone, Copy)]
struct Clock {
    hour: u32,
    minute: u32,
    second: u32,
}

/// What was met so far.
struct Reading<'t> {
    tokens: Tokens<'t>,
    /// Day, month and year in the order in which they stand.
    numbers: [Number; 3],
    count: usize,
    /// The month by its name, and how many numbers stood before it.
    month: Option<(u32, usize)>,
    /// What stands behind the first number.
    separator: Option<char>,
    /// Words before the first number that mean nothing: a weekday, or prose.
    has_prose: bool,
    clock: Option<Clock>,
    /// Minutes east of UTC.
    zone: Option<i32>,
}

impl<'t> Reading<'t> {
    fn of(text: &'t str) -> Self {
        Self {
            tokens: Tokens::of(text),
            numbers: [Number::default(); 3],
            count: 0,
            month: None,
            separator: None,
            has_prose: false,
            clock: None,
            zone: None,
        }
    }

    /// None as soon as something has no place in a date.
    fn walk(&mut self) -> Option<()> {
        let mut before = None;
        while let Some(token) = self.tokens.next() {
            match token.kind {
                Kind::Digits(digits) => self.digits(digits, before, token.is_glued)?,
                Kind::Word(word) => self.word(word)?,
                Kind::Mark(mark) if ",.-/+:'’–".contains(mark) => {
                    if self.count == 1 {
                        self.separator = self.separator.or(Some(mark));
                    }
                }
                // Behind a whole date come notes, as in RFC 9557's `[Europe/Paris]`.
                Kind::Mark(_) => return self.has_date().then_some(()),
            }
            before = Some(token.kind);
        }
        Some(())
    }

    fn digits(&mut self, digits: &str, before: Option<Kind>, is_glued: bool) -> Option<()> {
        let next = self.tokens.peek();
        let is_time = next == Some(Kind::Mark(':'));
        if self.is_zone(digits, before, is_glued, is_time) {
            let minutes = if is_time { self.tokens.digits_behind(&[':']) } else { None };
            let sign = if before == Some(Kind::Mark('-')) { -1 } else { 1 };
            // What is no zone on earth is none: the clock is taken for UTC.
            self.zone = offset(digits, minutes).map(|minutes| sign * minutes);
            return Some(());
        }
        if self.clock.is_some() {
            return self.number(digits);
        }
        let is_hour = digits.len() <= 2 && matches!(next, Some(Kind::Word(word)) if is_half(word));
        let is_behind_t = self.has_date() && matches!(before, Some(Kind::Word("T" | "t")));
        match digits.len() {
            _ if is_time => self.clock = Some(Clock::spelt(digits, &mut self.tokens)?),
            _ if is_hour => self.clock = Some(Clock::of(digits, "0", "0")?),
            _ if is_behind_t => self.clock = Some(Clock::compact(digits, &mut self.tokens)?),
            8 | 14 if self.count == 0 => {
                let (date, time) = digits.split_at(8);
                [&date[..4], &date[4..6], &date[6..]].into_iter().try_for_each(|part| self.number(part))?;
                self.clock = if time.is_empty() { None } else { Some(Clock::compact(time, &mut self.tokens)?) };
            }
            _ => self.number(digits)?,
        }
        Some(())
    }

    /// Whether digits behind a sign are a zone: a minus is also a dash, before a time (`2.3.2024 - 15:21`) or within a date.
    fn is_zone(&self, digits: &str, before: Option<Kind>, is_glued: bool, is_time: bool) -> bool {
        let is_signed = match before {
            Some(Kind::Mark('+')) => true,
            Some(Kind::Mark('-')) => is_glued || (digits.len() == 4 && self.has_date()),
            _ => false,
        };
        is_signed && (self.clock.is_some() || (self.has_date() && (is_time || digits.len() == 4)))
    }

    fn number(&mut self, digits: &str) -> Option<()> {
        let number = Number { value: digits.parse().ok().filter(|_| digits.len() <= 4)?, digits: digits.len() };
        *self.numbers.get_mut(self.count)? = number;
        self.count += 1;
        Some(())
    }

    fn word(&mut self, word: &str) -> Option<()> {
        if self.half(word) {
            return Some(());
        }
        // A whole date needs no month, and `mar` may be a Tuesday in French: the last name before the date is whole counts.
        if !self.has_date()
            && let Some(month) = words::month(word)
        {
            self.month = Some((month, self.count));
            return Some(());
        }
        if (self.clock.is_some() || self.has_date())
            && let Some(zone) = words::zone(word)
        {
            self.zone = self.zone.or(Some(zone));
            return Some(());
        }
        self.has_prose |= self.count == 0;
        // Before the first number stands the weekday, behind the time a zone that nobody knows.
        (self.count == 0 || self.clock.is_some() || words::is_filler(word)).then_some(())
    }

    /// `am`, `PM` or `p.m.` behind the time: moves it to its half of the day.
    fn half(&mut self, word: &str) -> bool {
        let Some(clock) = &mut self.clock else { return false };
        let mut ahead = self.tokens.clone();
        let is_dotted = word.len() == 1
            && ahead.next().is_some_and(|token| token.kind == Kind::Mark('.'))
            && ahead.next().is_some_and(|token| matches!(token.kind, Kind::Word("m" | "M")));
        if is_dotted {
            self.tokens = ahead;
        } else if !is_half(word) {
            return false;
        }
        match word.as_bytes() {
            [b'a' | b'A', ..] if clock.hour == 12 => clock.hour = 0,
            [b'p' | b'P', ..] if clock.hour < 12 => clock.hour += 12,
            _ => {}
        }
        true
    }

    /// Whether day, month and year were met.
    fn has_date(&self) -> bool {
        self.count == 3 || (self.count == 2 && self.month.is_some())
    }

    fn meaning(&self) -> Option<Timestamp> {
        // Half a date with a time is a misunderstanding; half a date among words is no date.
        if !self.has_date() && (self.clock.is_some() || self.has_prose) {
            return None;
        }
        let date = self.date()?;
        let clock = self.clock.unwrap_or(Clock { hour: 0, minute: 0, second: 0 });
        // 24:00 is the midnight that ends the day (ISO 8601); a leap second is the second before.
        let is_end_of_day = clock.hour == 24 && clock.minute == 0 && clock.second == 0;
        let (date, hour) = if is_end_of_day { (date.succ_opt()?, 0) } else { (date, clock.hour) };
        let second = if clock.second == 60 { 59 } else { clock.second };
        let local = date.and_hms_opt(hour, clock.minute, second)?.and_utc();
        local.checked_sub_signed(TimeDelta::minutes(self.zone.unwrap_or(0).into()))
    }

    fn date(&self) -> Option<NaiveDate> {
        let [first, second, _] = self.numbers;
        let (year, month, day) = match (self.count, self.month) {
            // `mar, 16.11.2022`: the name is the weekday's.
            (3, None | Some((_, 0))) => self.three()?,
            (2, Some((month, _))) if first.digits == 4 => (first, month, second.day()?),
            (2, Some((month, _))) => (second, month, first.day()?),
            (2, None) if first.digits == 4 => (first, second.day()?, 1),
            (1, Some((month, _))) if first.digits == 4 => (first, month, 1),
            (1, None) if first.digits == 4 => (first, 1, 1),
            _ => return None,
        };
        NaiveDate::from_ymd_opt(year.year()?, month, day)
    }

    /// Year first, or day, month and year with full stops between them; with other marks only if no other reading is possible.
    fn three(&self) -> Option<(Number, u32, u32)> {
        let [first, second, third] = self.numbers;
        if first.digits == 4 {
            return Some((first, second.day()?, third.day()?));
        }
        let (one, two) = (first.day()?, second.day()?);
        match self.separator {
            Some('.') => Some((third, two, one)),
            _ if third.digits != 4 => None,
            _ if one > 12 || one == two => Some((third, two, one)),
            _ if two > 12 => Some((third, one, two)),
            _ => None,
        }
    }
}

impl Number {
    /// A day or a month, by its number of digits.
    fn day(self) -> Option<u32> {
        (self.digits <= 2).then_some(self.value)
    }

    /// RFC 2822 §4.3 has two digits below 50 in this century; dates of feeds are never from before 1970.
    fn year(self) -> Option<i32> {
        let year = match (self.digits, self.value) {
            (2, 0..70) => 2000 + self.value,
            (2, 70..) => 1900 + self.value,
            (4, 1900..=2200) => self.value,
            _ => return None,
        };
        i32::try_from(year).ok()
    }
}

impl Clock {
    /// `8:5`, `08:05:30`, `08:05:30.123` and `08:05:30:123`; the hour was met, the colon comes next.
    fn spelt(hour: &str, tokens: &mut Tokens) -> Option<Self> {
        let minute = tokens.digits_behind(&[':'])?;
        let second = tokens.digits_behind(&[':']).unwrap_or("0");
        tokens.digits_behind(&['.', ',', ':']);
        Self::of(hour, minute, second)
    }

    /// `0805`, `080530` and `080530.123`.
    fn compact(digits: &str, tokens: &mut Tokens) -> Option<Self> {
        tokens.digits_behind(&['.', ',']);
        match digits.len() {
            4 => Self::of(&digits[..2], &digits[2..], "0"),
            6 => Self::of(&digits[..2], &digits[2..4], &digits[4..]),
            _ => None,
        }
    }

    fn of(hour: &str, minute: &str, second: &str) -> Option<Self> {
        let number = |digits: &str| digits.parse().ok().filter(|_| digits.len() <= 2);
        Some(Self { hour: number(hour)?, minute: number(minute)?, second: number(second)? })
    }
}

fn is_half(word: &str) -> bool {
    word.eq_ignore_ascii_case("am") || word.eq_ignore_ascii_case("pm")
}

/// Minutes of `01`, `0100` or `01` and `00`; none for what is no zone on earth.
fn offset(hours: &str, minutes: Option<&str>) -> Option<i32> {
    let (hours, minutes) = match (hours.len(), minutes) {
        (1 | 2, minutes) => (hours, minutes.unwrap_or("0")),
        (3 | 4, None) => hours.split_at(hours.len() - 2),
        _ => return None,
    };
    let (hours, minutes) = (hours.parse::<i32>().ok()?, minutes.parse::<i32>().ok()?);
    (hours <= 14 && minutes < 60).then_some(hours * 60 + minutes)
}
