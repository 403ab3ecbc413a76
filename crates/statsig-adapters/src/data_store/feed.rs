//! News from a store.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::keys::Shown;

/// Something that a [`ChangeFeed`] noticed.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChangeHint {
    /// From now on changes are noticed as they happen. Read once: there may have been some before.
    /// Comes first, again after every [`Interrupted`](Self::Interrupted), and whenever the store
    /// cannot rule out that something was missed.
    Subscribed,
    /// Somebody stored another value.
    Changed {
        /// The key.
        key: Arc<str>,
        /// The payload's own time, in milliseconds since 1970, if the store tells.
        lcut: Option<u64>,
    },
    /// Changes go unnoticed until the next [`Subscribed`](Self::Subscribed): poll.
    Interrupted,
}

/// Shows as little of the key as [`StoreKey`](super::StoreKey) does.
impl fmt::Debug for ChangeHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subscribed => f.write_str("Subscribed"),
            Self::Changed { key, lcut } => {
                f.debug_struct("Changed").field("key", &Shown(key)).field("lcut", lcut).finish()
            }
            Self::Interrupted => f.write_str("Interrupted"),
        }
    }
}

/// A subscription to changes of a store, from [`DataStore::watch`](super::DataStore::watch).
///
/// Hints are hints: they may come twice, late, or for a value that is there no more, and several
/// changes of one key may come as one. The value itself is read from the store. Dropping the feed
/// ends the subscription.
#[async_trait]
pub trait ChangeFeed: Send {
    /// Waits for the next hint; `None` once the store was shut down.
    ///
    /// # Cancel safety
    /// Dropping the future loses no hint.
    async fn next(&mut self) -> Option<ChangeHint>;
}
