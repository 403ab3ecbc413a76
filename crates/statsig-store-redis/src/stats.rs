//! What a store did, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows, or a level.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Adds, and returns the new value.
    pub(crate) fn add(&self, amount: u64) -> u64 {
        self.0.fetch_add(amount, Ordering::Relaxed).wrapping_add(amount)
    }

    /// Subtracts, and returns the new value.
    pub(crate) fn sub(&self, amount: u64) -> u64 {
        self.0.fetch_sub(amount, Ordering::Relaxed).wrapping_sub(amount)
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! stats {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What a [`RedisDataStore`](crate::RedisDataStore) did since it was opened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        #[non_exhaustive]
        pub struct RedisStoreStats {
            $($(#[$doc])* pub $name: u64,)*
        }

        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: Counter,)*
        }

        impl Counters {
            pub(crate) fn snapshot(&self) -> RedisStoreStats {
                RedisStoreStats { $($name: self.$name.get(),)* }
            }
        }
    };
}

stats! {
    /// Reads that found a value.
    hits,
    /// Reads that found none.
    misses,
    /// Reads of entries that were no news, so that the payload was not transferred.
    unchanged,
    /// Reads that passed over an entry that is not config specs.
    unusable,
    /// Payloads and values stored.
    written,
    /// Payloads that were there already, and are kept longer now.
    refreshed,
    /// Payloads not stored because a newer one was there.
    skipped_older,
    /// Values touched to be kept longer.
    touched,
    /// Payload bytes read, as stored.
    bytes_read,
    /// Payload bytes written, as stored.
    bytes_written,
    /// Attempts that had no answer in time.
    timeouts,
    /// Operations that failed.
    errors,
    /// Connections made for commands; all but the first are reconnections.
    connections,
    /// Subscriptions that stand now.
    subscriptions,
    /// Subscriptions that broke.
    interruptions,
    /// Notices of a change received.
    hints,
    /// Stored values whose change could not be announced, for want of a right.
    unannounced,
}
