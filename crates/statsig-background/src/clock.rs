//! The operating system's wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use statsig_adapters::Clock;

/// The operating system's wall clock.
///
/// Jumps when somebody sets the clock, in either direction. A time before 1970 reads as 0.
///
/// ```
/// use statsig_adapters::Clock;
/// use statsig_background::SystemClock;
///
/// assert!(SystemClock.now_ms() > 1_700_000_000_000);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
    }
}
