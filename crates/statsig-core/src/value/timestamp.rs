//! Points in time as users and targets write them (`docs/protocol/evaluation.md#values`).

const MS_PER_DAY: i64 = 86_400_000;
/// First and last year with a timestamp.
const YEARS: std::ops::RangeInclusive<i64> = -262_143..=262_142;

/// Milliseconds since 1970 of a user's text: an integer, or a date of 8 to 20 bytes.
pub(crate) fn parse_user_time(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    if !(8..=20).contains(&text.len()) || !text.bytes().any(|byte| matches!(byte, b'-' | b'T' | b':')) {
        return None;
    }
    parse_date(text)
}

/// Milliseconds since 1970 of a target's text: an integer, or a date of any length.
pub(crate) fn parse_target_time(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| parse_date(text))
}

fn parse_date(text: &str) -> Option<i64> {
    parse_rfc3339(text).or_else(|| parse_lenient(text))
}

/// `2023-11-14T22:13:19.123+01:00`: all digits present, an offset required.
fn parse_rfc3339(text: &str) -> Option<i64> {
    let mut rest = Scanner(text);
    let year = rest.digits(4)?;
    rest.one_of(&['-'])?;
    let month = rest.digits(2)?;
    rest.one_of(&['-'])?;
    let day = rest.digits(2)?;
    rest.one_of(&['T', 't', ' '])?;
    let hour = rest.digits(2)?;
    rest.one_of(&[':'])?;
    let minute = rest.digits(2)?;
    rest.one_of(&[':'])?;
    let second = rest.digits(2)?;
    let millis = if rest.one_of(&['.']).is_some() { rest.fraction()? } else { 0 };
    let offset = rest.offset()?;
    if !rest.0.is_empty() {
        return None;
    }
    Some(to_millis(year, month, day, hour, minute, second)? + millis - offset * 60_000)
}

/// `YYYY-MM-DD HH:MM:SS` in UTC, with white space before numbers and short numbers allowed.
fn parse_lenient(text: &str) -> Option<i64> {
    let mut rest = Scanner(text);
    let year = rest.year()?;
    rest.one_of(&['-'])?;
    let month = rest.number()?;
    rest.one_of(&['-'])?;
    let day = rest.number()?;
    let hour = rest.number()?;
    rest.one_of(&[':'])?;
    let minute = rest.number()?;
    rest.one_of(&[':'])?;
    let second = rest.number()?;
    if !rest.0.is_empty() {
        return None;
    }
    to_millis(year, month, day, hour, minute, second)
}

/// What is left of a text that is read from the front.
struct Scanner<'a>(&'a str);

impl Scanner<'_> {
    fn one_of(&mut self, wanted: &[char]) -> Option<char> {
        let first = self.0.chars().next().filter(|c| wanted.contains(c))?;
        self.0 = &self.0[first.len_utf8()..];
        Some(first)
    }

    /// Exactly `count` digits.
    fn digits(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.0 = rest;
        digits.parse().ok()
    }

    /// Up to `most` digits after white space, at least one.
    fn up_to(&mut self, most: usize) -> Option<i64> {
        let count = self.0.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if count == 0 { None } else { self.digits(count) }
    }

    /// One or two digits, with white space before them.
    fn number(&mut self) -> Option<i64> {
        self.0 = self.0.trim_start();
        self.up_to(2)
    }

    /// One to four digits, or a sign and any number of them, with white space before.
    fn year(&mut self) -> Option<i64> {
        self.0 = self.0.trim_start();
        match self.one_of(&['+', '-']) {
            None => self.up_to(4),
            Some(sign) => {
                let year = self.up_to(usize::MAX)?;
                Some(if sign == '-' { -year } else { year })
            }
        }
    }

    /// Any number of digits after a decimal point, cut to milliseconds.
    fn fraction(&mut self) -> Option<i64> {
        let count = self.0.bytes().take_while(u8::is_ascii_digit).count();
        if count == 0 {
            return None;
        }
        let millis = self.0.bytes().take(count).chain(std::iter::repeat(b'0')).take(3);
        let millis = millis.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        self.0 = &self.0[count..];
        Some(millis)
    }

    /// `Z`, or hours and minutes, in minutes east of UTC.
    fn offset(&mut self) -> Option<i64> {
        let sign = self.one_of(&['Z', 'z', '+', '-', '\u{2212}'])?;
        if matches!(sign, 'Z' | 'z') {
            return Some(0);
        }
        let hours = self.digits(2)?;
        self.one_of(&[':'])?;
        let minutes = self.digits(2)?;
        if hours > 23 || minutes > 59 {
            return None;
        }
        let offset = hours * 60 + minutes;
        Some(if sign == '+' { offset } else { -offset })
    }
}

fn to_millis(year: i64, month: i64, day: i64, hour: i64, minute: i64, second: i64) -> Option<i64> {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    // Second 60, a leap second, is the first of the next minute.
    if !YEARS.contains(&year) || !(1..=length).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some(days_since_1970(year, month, day) * MS_PER_DAY + ((hour * 60 + minute) * 60 + second) * 1000)
}

/// Days from 1970-01-01, by counting in years that begin in March and eras of 400 years.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_side() {
        for (text, expected) in [
            ("1699999999", Some(1_699_999_999)),
            ("2023-11-14T22:13:19Z", Some(1_699_999_999_000)),
            ("2023-11-14 22:13:19", Some(1_699_999_999_000)),
            ("2023-11-14 22:13:19Z", Some(1_699_999_999_000)),
            ("2023-1-4 2:3:9", Some(1_672_797_789_000)),
            ("2023-11-14T22:13:19.000Z", None),
            ("2023-11-14", None),
            ("2023-02-29 00:00:00", None),
            ("2024-02-29 24:00:00", None),
            ("2016-12-31 23:59:60", Some(1_483_228_800_000)),
            ("1969-12-31 23:59:59", Some(-1000)),
            ("", None),
            ("not a date", None),
        ] {
            assert_eq!(parse_user_time(text), expected, "{text}");
        }
    }

    #[test]
    fn target_side_takes_fractions_and_offsets() {
        for (text, expected) in [
            ("2023-11-14T22:13:19.123456Z", Some(1_699_999_999_123)),
            ("2023-11-14T22:13:19+01:00", Some(1_699_996_399_000)),
            ("2023-11-14T22:13:19\u{2212}01:00", Some(1_700_003_599_000)),
            ("2023-11-14T22:13:19+24:00", None),
            ("2023-11-14T22:13:19", None),
        ] {
            assert_eq!(parse_target_time(text), expected, "{text}");
        }
    }
}
