//! The time of a payload, compared with the clock.

/// How far ahead of the clock the time of a payload may be: 24 hours, in milliseconds.
pub const MAX_TIME_AHEAD_MS: u64 = 24 * 60 * 60 * 1_000;

/// A clock before this was never set: 2020-01-01, in milliseconds since 1970.
const EARLIEST_CLOCK_MS: u64 = 1_577_836_800_000;

/// Returns true if a payload's time is more than [`MAX_TIME_AHEAD_MS`] ahead of the clock.
///
/// Such a time comes from a server that is wrong (microseconds for milliseconds, say). It orders nothing: the next
/// payload with a sane time replaces it, whichever of the two is greater. The same rule holds for the creation times
/// of ID lists. Times are in milliseconds since 1970. A clock before 2020 was never set, and nothing is ahead of it.
///
/// ```
/// use statsig_adapters::is_future;
///
/// let now = 1_790_000_000_000;
/// assert!(!is_future(now + 86_400_000, now));
/// assert!(is_future(now + 86_400_001, now));
/// assert!(is_future(now * 1_000, now) && !is_future(now * 1_000, 0));
/// ```
#[must_use]
pub const fn is_future(time_ms: u64, now_ms: u64) -> bool {
    now_ms >= EARLIEST_CLOCK_MS && time_ms > now_ms.saturating_add(MAX_TIME_AHEAD_MS)
}
