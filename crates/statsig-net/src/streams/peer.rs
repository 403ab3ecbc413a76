//! Host name of the proxy behind a stream.

use std::sync::{Arc, Mutex, PoisonError};

/// Host name that the proxy reported last (`x-sfp-hostname`).
#[derive(Debug, Default)]
pub(super) struct PeerName(Mutex<Option<Arc<str>>>);

impl PeerName {
    /// Returns the name, once the proxy has reported one.
    pub(super) fn get(&self) -> Option<Arc<str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the name.
    pub(super) fn set(&self, name: Option<Arc<str>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = name;
    }
}
