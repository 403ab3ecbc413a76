//! Time of the spool.

use std::sync::OnceLock;
use std::time::Instant;

use statsig_background::SystemClock;
use statsig_core::Clock;

/// Time of day, and time that only passes.
///
/// The spool uses the time of day for the age of batches and for the fsync interval. It may jump in either direction: a
/// jump back makes a due fsync happen at once; how jumps affect ages is in the documentation of the [module](super).
pub trait SpoolClock: Send + Sync {
    /// Returns milliseconds since the Unix epoch. Must be cheap: it is read in every call.
    fn now_ms(&self) -> u64;

    /// Returns milliseconds since some moment; never jumps. Must be cheap.
    ///
    /// By default this is the time of day, and jumps are not noticed.
    fn monotonic_ms(&self) -> u64 {
        self.now_ms()
    }
}

impl SpoolClock for SystemClock {
    fn now_ms(&self) -> u64 {
        u64::try_from(Clock::now_ms(self)).unwrap_or(0)
    }

    fn monotonic_ms(&self) -> u64 {
        static BEGIN: OnceLock<Instant> = OnceLock::new();
        u64::try_from(BEGIN.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
