//! One source made of several.

use std::sync::Arc;

use async_trait::async_trait;
use statsig_core::{DataStore, Reach, SourceError, SourceErrorKind, SpecFetch, SpecOrigin, SpecRequest, SpecSource};

use crate::secret::chain_of;

/// Fetches from sources in order until one answers: several mirrors of one thing, say.
///
/// The lists of [`SpecSources`](crate::SpecSources) are chains as well, and better ones: they go on
/// to the next source also when what the first one gave cannot be used. A `SourceChain` only sees
/// whether it was given something.
#[derive(Clone)]
pub struct SourceChain {
    name: Arc<str>,
    origin: SpecOrigin,
    sources: Vec<Arc<dyn SpecSource>>,
}

impl std::fmt::Debug for SourceChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.sources.iter().map(|source| source.name()).collect();
        f.debug_struct("SourceChain").field("name", &self.name).field("sources", &names).finish()
    }
}

impl SourceChain {
    /// Returns a chain with a name and an origin of its own. Updates keep the origin of the source that they come
    /// from. The reach of the chain is that of its member closest to Statsig's servers.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, origin: SpecOrigin, sources: Vec<Arc<dyn SpecSource>>) -> Self {
        Self { name: name.into(), origin, sources }
    }
}

#[async_trait]
impl SpecSource for SourceChain {
    fn name(&self) -> &str {
        &self.name
    }

    fn origin(&self) -> SpecOrigin {
        self.origin.clone()
    }

    fn reach(&self) -> Reach {
        self.sources.iter().map(|source| source.reach()).min().unwrap_or(Reach::Local)
    }

    async fn fetch(&self, request: &SpecRequest) -> Result<SpecFetch, SourceError> {
        let mut failures = Vec::new();
        let mut retryable = false;
        let mut kind = SourceErrorKind::Misconfigured;
        let mut behind = false;
        for source in &self.sources {
            match source.fetch(request).await {
                Ok(SpecFetch::Behind) => behind = true,
                Ok(fetched) => return Ok(fetched),
                Err(error) => {
                    retryable |= error.is_retryable();
                    kind = error.kind();
                    failures.push(format!("{}: {}", source.name(), chain_of(&error)));
                }
            }
        }
        if behind {
            return Ok(SpecFetch::Behind);
        }
        let reason = if failures.is_empty() { "the chain is empty".to_owned() } else { failures.join("; ") };
        Err(SourceError::new(kind, reason).with_retryable(retryable))
    }

    fn data_stores(&self) -> Vec<Arc<dyn DataStore>> {
        self.sources.iter().flat_map(|source| source.data_stores()).collect()
    }

    async fn close(&self) {
        crate::concurrent::all(self.sources.iter().map(|source| source.close())).await;
    }
}
