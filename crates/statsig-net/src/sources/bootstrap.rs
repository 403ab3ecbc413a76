//! A document that the application supplies.

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use statsig_core::{
    Clock, SourceError, SourceErrorKind, SpecFetch, SpecRequest, SpecSource, SpecSourceKind, SpecUpdate,
};

use super::{now, unpack, whole};

/// Gives a document that the application supplies, plain or gzip, and may replace.
///
/// Is asked at start, and not by regular polls.
pub struct BootstrapSpecSource {
    document: RwLock<Arc<[u8]>>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for BootstrapSpecSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BootstrapSpecSource").finish_non_exhaustive()
    }
}

impl BootstrapSpecSource {
    /// A source of one document.
    #[must_use]
    pub fn new(document: impl Into<Arc<[u8]>>, clock: Arc<dyn Clock>) -> Self {
        Self { document: RwLock::new(document.into()), clock }
    }

    /// Replaces the document. It counts when the source is asked the next time, by
    /// [`SpecSync::sync_now`](crate::SpecSync::sync_now) for instance.
    pub fn set(&self, document: impl Into<Arc<[u8]>>) {
        *self.document.write().unwrap_or_else(PoisonError::into_inner) = document.into();
    }
}

#[async_trait]
impl SpecSource for BootstrapSpecSource {
    fn name(&self) -> &str {
        "bootstrap"
    }

    fn kind(&self) -> SpecSourceKind {
        SpecSourceKind::Bootstrap
    }

    async fn fetch(&self, request: &SpecRequest) -> Result<SpecFetch, SourceError> {
        let document = Arc::clone(&self.document.read().unwrap_or_else(PoisonError::into_inner));
        let document = unpack::unpacked(document.to_vec(), unpack::MAX_BYTES).await;
        let document = document.map_err(|error| SourceError::new(SourceErrorKind::Invalid, error))?;
        let update = SpecUpdate::new(document, self.kind(), now(&*self.clock)).with_origin("bootstrap");
        whole(update, &request.cursor)
    }

    async fn wants_polling(&self) -> bool {
        false
    }
}
