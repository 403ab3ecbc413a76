//! Values that an option may have.
//!
//! The table of options ([`client`](super::client)) names the bounds of each option once. Files, the environment and
//! the builder are checked against them, and `docs/options.md` lists them.

use std::fmt;
#[cfg(any(test, feature = "net", feature = "logger"))]
use std::time::Duration;

/// Milliseconds of a day.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// Milliseconds of the longest duration: every clock can add it.
const YEAR_MS: u64 = 365 * DAY_MS;

/// Values that an option may have, beside those of its type. Both ends are included.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Bounds {
    /// Any value of the type.
    Any,
    /// A number of this size or larger.
    AtLeast(u64),
    /// A whole number; for durations, in milliseconds.
    Whole {
        /// The smallest.
        least: u64,
        /// The largest.
        most: u64,
    },
    /// A number that may have a fraction.
    Fraction {
        /// The smallest.
        least: f64,
        /// The largest.
        most: f64,
    },
    /// A text that is not empty.
    NotEmpty,
    /// An SDK key: printable ASCII without white space and quotation marks.
    Key,
}

/// The key of a project.
pub(super) const KEY: Bounds = Bounds::Key;
/// Paths and names.
pub(super) const NOT_EMPTY: Bounds = Bounds::NotEmpty;
/// Durations that something waits for.
pub(super) const TIMEOUT: Bounds = Bounds::Whole { least: 1, most: YEAR_MS };
/// Pauses between requests; toward Statsig's servers, a second is the least.
pub(super) const INTERVAL: Bounds = Bounds::Whole { least: 10, most: YEAR_MS };
/// Pauses between batches of events.
pub(super) const FLUSH_INTERVAL: Bounds = Bounds::Whole { least: 10, most: DAY_MS };
/// Pauses between attempts.
pub(super) const BACKOFF: Bounds = Bounds::Whole { least: 1, most: DAY_MS };
/// Sizes, counts, and durations that are cut to a year.
pub(super) const POSITIVE: Bounds = Bounds::AtLeast(1);
/// Exposures that are remembered, 16 bytes each.
pub(super) const REMEMBERED: Bounds = Bounds::Whole { least: 1, most: 16_777_216 };
/// Bytes of a spool: room for two segments.
pub(super) const SPOOL_BYTES: Bounds = Bounds::AtLeast(16 << 20);
/// Growth of a pause.
pub(super) const MULTIPLIER: Bounds = Bounds::Fraction { least: 1.0, most: 1_000.0 };

/// Shortest interval between requests to Statsig's own servers.
#[cfg(feature = "net")]
pub(crate) const LEAST_VENDOR_INTERVAL: Duration = Duration::from_secs(1);

impl Bounds {
    /// Returns what is wrong with a whole number, to be read after the option's name. `unit` follows each number.
    pub(crate) fn problem_of_number(self, number: u128, unit: &str) -> Option<String> {
        match self {
            Self::AtLeast(least) | Self::Whole { least, .. } if number < u128::from(least) => {
                Some(format!("must be {least}{unit} or more"))
            }
            Self::Whole { most, .. } if number > u128::from(most) => {
                Some(format!("must be {most}{unit} or less{}", in_days(most)))
            }
            _ => None,
        }
    }

    /// Returns what is wrong with a duration that was given in code.
    #[cfg(any(test, feature = "net", feature = "logger"))]
    pub(crate) fn problem_of_duration(self, duration: Duration) -> Option<String> {
        self.problem_of_number(duration.as_millis(), " ms")
    }

    /// Returns what is wrong with a number that may have a fraction.
    pub(crate) fn problem_of_fraction(self, number: f64) -> Option<String> {
        match self {
            Self::Fraction { least, most } if !(least..=most).contains(&number) => {
                Some(format!("must be {least} to {most}"))
            }
            _ => None,
        }
    }
}

/// A number of milliseconds in days, where it is that.
fn in_days(ms: u64) -> String {
    match ms / DAY_MS {
        1 if ms == DAY_MS => " (a day)".to_owned(),
        days @ 2.. if ms.is_multiple_of(DAY_MS) => format!(" ({days} days)"),
        _ => String::new(),
    }
}

/// For the table of `docs/options.md`; empty where every value of the type will do.
impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => Ok(()),
            Self::AtLeast(least) => write!(f, "{least} or more"),
            Self::Whole { least, most } => write!(f, "{least} to {most}"),
            Self::Fraction { least, most } => write!(f, "{least} to {most}"),
            Self::NotEmpty => f.write_str("not empty"),
            Self::Key => f.write_str("printable ASCII without white space and quotation marks"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_belong_to_the_bounds() {
        let says = |number: u128| INTERVAL.problem_of_number(number, "");
        assert_eq!((says(10), says(u128::from(YEAR_MS))), (None, None));
        assert_eq!(says(9).as_deref(), Some("must be 10 or more"));
        assert_eq!(says(u128::MAX).as_deref(), Some("must be 31536000000 or less (365 days)"));
        let in_code = FLUSH_INTERVAL.problem_of_duration(Duration::MAX);
        assert_eq!(in_code.as_deref(), Some("must be 86400000 ms or less (a day)"));
        assert_eq!(TIMEOUT.problem_of_duration(Duration::from_micros(999)).as_deref(), Some("must be 1 ms or more"));
        assert_eq!(POSITIVE.problem_of_number(u128::MAX, ""), None);
        assert_eq!(MULTIPLIER.problem_of_fraction(1.0), None);
        for odd in [0.5, f64::NAN, f64::INFINITY, -1.0] {
            assert_eq!(MULTIPLIER.problem_of_fraction(odd).as_deref(), Some("must be 1 to 1000"), "{odd}");
        }
    }
}
