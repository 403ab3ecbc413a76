//! Reads a point in time as people write it.

use anyhow::{anyhow, bail};
use jiff::Timestamp;

/// Numbers below this are seconds: as milliseconds they would end in March 1973, as seconds in the year 5138.
const FIRST_MILLISECONDS: f64 = 1e11;

/// Forms that are understood; part of the error about all others.
const FORMS: &str = "expected a date such as 2026-11-22 or 2026-11-22T09:30:00Z, or seconds or milliseconds since 1970";

/// A point in time of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Milliseconds since 1970.
    pub(crate) ms: i64,
    /// Whether a number was taken for seconds.
    pub(crate) was_seconds: bool,
}

/// Reads an RFC 3339 time, a date (midnight UTC), or a number of seconds or milliseconds since 1970.
///
/// # Errors
/// The forms that are understood.
pub(crate) fn parse(text: &str) -> anyhow::Result<Moment> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        return of_number(text, number);
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(Moment { ms: time.as_millisecond(), was_seconds: false });
    }
    if text.len() == "2026-11-22".len()
        && let Ok(midnight) = format!("{text}T00:00:00Z").parse::<Timestamp>()
    {
        return Ok(Moment { ms: midnight.as_millisecond(), was_seconds: false });
    }
    if text.contains(['T', 't', ' ']) && format!("{text}Z").parse::<Timestamp>().is_ok() {
        bail!("the time has no offset: end it with Z for UTC, or with +01:00 for instance");
    }
    Err(anyhow!(FORMS))
}

fn of_number(text: &str, number: f64) -> anyhow::Result<Moment> {
    if !number.is_finite() {
        bail!(FORMS);
    }
    let was_seconds = number.abs() < FIRST_MILLISECONDS;
    let ms = match text.parse::<i64>() {
        Ok(number) if was_seconds => number * 1_000,
        Ok(number) => number,
        // Within range, since a float of that size is cut, not wrapped.
        #[allow(clippy::cast_possible_truncation, reason = "bounded just before")]
        Err(_) => (if was_seconds { number * 1_000.0 } else { number }).round() as i64,
    };
    // What no calendar has is a mistake.
    Timestamp::from_millisecond(ms).map_err(|_| anyhow!("the time is out of range; {FORMS}"))?;
    Ok(Moment { ms, was_seconds: was_seconds && ms != 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_an_offset_or_are_midnight_utc() {
        for (text, ms) in [
            ("2026-11-22T00:00:00Z", 1_795_305_600_000),
            ("2026-11-22", 1_795_305_600_000),
            ("2026-11-22T01:00:00+01:00", 1_795_305_600_000),
            ("2026-11-21T19:30:00.250-04:30", 1_795_305_600_250),
            ("2026-11-22 00:00:00Z", 1_795_305_600_000),
            ("1969-12-31T23:59:59Z", -1_000),
            (" 1970-01-01 ", 0),
        ] {
            assert_eq!(parse(text).unwrap(), Moment { ms, was_seconds: false }, "{text}");
        }
    }

    #[test]
    fn small_numbers_are_seconds() {
        for (text, ms, was_seconds) in [
            ("1795305600", 1_795_305_600_000, true),
            ("1795305600.5", 1_795_305_600_500, true),
            ("1795305600000", 1_795_305_600_000, false),
            ("99999999999", 99_999_999_999_000, true),
            ("100000000000", 100_000_000_000, false),
            ("-86400", -86_400_000, true),
            ("-100000000000", -100_000_000_000, false),
            ("0", 0, false),
        ] {
            assert_eq!(parse(text).unwrap(), Moment { ms, was_seconds }, "{text}");
        }
    }

    #[test]
    fn other_forms_are_refused_with_those_that_are_understood() {
        for text in ["", "tomorrow", "22.11.2026", "2026-13-01", "2026-11", "NaN", "inf", "2026-11-22T25:00:00Z"] {
            assert!(parse(text).unwrap_err().to_string().contains("2026-11-22T09:30:00Z"), "{text}");
        }
        assert!(parse("2026-11-22T00:00:00").unwrap_err().to_string().contains("no offset"));
        assert!(parse("9223372036854775807").unwrap_err().to_string().contains("out of range"));
    }
}
