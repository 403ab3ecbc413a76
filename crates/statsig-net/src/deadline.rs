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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_overflows() {
        let now = Instant::now();
        assert_eq!(after(now, Duration::from_secs(5)), now + Duration::from_secs(5));
        assert_eq!(after(now, Duration::MAX), now + NEVER);
        assert_eq!(after(after(now, Duration::MAX), Duration::MAX), now + 2 * NEVER);
    }
}
