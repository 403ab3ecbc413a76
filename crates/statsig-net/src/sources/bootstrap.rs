//! A payload that the application supplies, as a source.

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use bytes::Bytes;
use statsig_core::{
    Clock, Reach, SourceError, SourceErrorKind, SpecFetch, SpecOrigin, SpecRequest, SpecSource, SpecUpdate,
};

use super::{answer_with, unpack};

/// Source of a payload that the application supplies, plain or gzip, and may replace.
///
/// Read by the first load, and not by regular polls.
pub struct BootstrapSpecSource {
    payload: RwLock<Bytes>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for BootstrapSpecSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BootstrapSpecSource").finish_non_exhaustive()
    }
}

impl BootstrapSpecSource {
    /// Returns a source of one payload.
    #[must_use]
    pub fn new(payload: impl Into<Bytes>, clock: Arc<dyn Clock>) -> Self {
        Self { payload: RwLock::new(payload.into()), clock }
    }

    /// Replaces the payload. It counts from the next fetch, by [`SpecSync::sync_now`](crate::SpecSync::sync_now) for
    /// instance.
    pub fn set(&self, payload: impl Into<Bytes>) {
        *self.payload.write().unwrap_or_else(PoisonError::into_inner) = payload.into();
    }
}

#[async_trait]
impl SpecSource for BootstrapSpecSource {
    fn name(&self) -> &str {
        "bootstrap"
    }

    fn origin(&self) -> SpecOrigin {
        SpecOrigin::Bootstrap
    }

    fn reach(&self) -> Reach {
        Reach::Local
    }

    async fn fetch(&self, request: &SpecRequest) -> Result<SpecFetch, SourceError> {
        let payload = self.payload.read().unwrap_or_else(PoisonError::into_inner).clone();
        let payload = unpack::unpacked(payload, unpack::MAX_BYTES).await;
        let payload = payload.map_err(|error| SourceError::new(SourceErrorKind::Invalid, error))?;
        let update = SpecUpdate::new(payload, self.origin(), self.reach(), self.clock.unix_ms());
        answer_with(update.with_address("bootstrap"), request.version.as_ref())
    }

    async fn wants_polling(&self) -> bool {
        false
    }
}
