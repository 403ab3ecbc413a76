//! Where the spool takes the time from.

use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time of day.
///
/// The spool uses it for the age of batches and for the fsync interval. It may jump in either
/// direction: a jump back makes a due fsync happen at once and batches look younger, a jump forward
/// ages them; nothing else depends on it.
pub trait SpoolClock: Send + Sync {
    /// Returns milliseconds since the Unix epoch. Must be cheap: it is read in every call.
    fn now_ms(&self) -> u64;
}

/// Clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl SpoolClock for SystemClock {
    fn now_ms(&self) -> u64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
    }
}
