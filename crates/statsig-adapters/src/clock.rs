//! Where the time comes from.

/// Tells the time to evaluations that ask for it.
///
/// Core itself never reads a clock. Only `current_time` conditions and config mappings with a
/// start time ask, and an evaluation asks at most once.
///
/// ```
/// use statsig_adapters::Clock;
///
/// struct AlwaysNoon;
///
/// impl Clock for AlwaysNoon {
///     fn now_ms(&self) -> i64 {
///         1_700_049_600_000
///     }
/// }
/// assert_eq!(AlwaysNoon.now_ms() % 86_400_000, 43_200_000);
/// ```
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01T00:00:00Z. Must not block.
    fn now_ms(&self) -> i64;

    /// Returns the time as an unsigned number: 0 for a clock before 1970.
    fn unix_ms(&self) -> u64 {
        u64::try_from(self.now_ms()).unwrap_or(0)
    }
}

/// A clock that stands still, for tests and replays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedClock(
    /// The time it tells, in milliseconds since 1970.
    pub i64,
);

impl Clock for FixedClock {
    fn now_ms(&self) -> i64 {
        self.0
    }
}
