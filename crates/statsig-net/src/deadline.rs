//! Arithmetic with times that cannot overflow, whatever durations options hold.

use std::time::Duration;

use tokio::time::Instant;

/// The longest duration that is distinguished from "never": 30 years.
pub(crate) const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 3_600);

/// The moment some time after another; some 30 years later if the time is longer.
pub(crate) fn after(moment: Instant, time: Duration) -> Instant {
    moment.checked_add(time.min(NEVER)).unwrap_or(moment)
}

/// The moment some time from now; some 30 years from now if the time is longer.
pub(crate) fn from_now(time: Duration) -> Instant {
    after(Instant::now(), time)
}

/// A duration times a factor; the longest duration if that is longer, and zero for a factor that is no number.
pub(crate) fn scaled(time: Duration, factor: f64) -> Duration {
    if factor.is_nan() || factor <= 0.0 {
        return Duration::ZERO;
    }
    Duration::try_from_secs_f64(time.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_overflows() {
        let now = Instant::now();
        assert_eq!(after(now, Duration::from_secs(5)), now + Duration::from_secs(5));
        assert_eq!(after(now, Duration::MAX), now + NEVER);
        assert_eq!(after(after(now, Duration::MAX), Duration::MAX), now + 2 * NEVER);
        assert_eq!(scaled(Duration::MAX, 1.5), Duration::MAX);
        assert_eq!(scaled(Duration::from_secs(10), 0.5), Duration::from_secs(5));
        for factor in [f64::NAN, f64::NEG_INFINITY, -1.0, 0.0] {
            assert_eq!(scaled(Duration::MAX, factor), Duration::ZERO);
        }
        assert_eq!(scaled(Duration::from_secs(1), f64::INFINITY), Duration::MAX);
    }
}
