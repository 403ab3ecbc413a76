//! One source made of several.

use std::sync::Arc;

use async_trait::async_trait;
use statsig_core::{DataStore, SourceError, SourceErrorKind, SpecFetch, SpecRequest, SpecSource, SpecSourceKind};

use crate::secret::chain_of;

/// Asks sources in order until one answers: several mirrors of one thing, say.
///
/// The lists of [`SpecSources`](crate::SpecSources) are chains as well, and better ones: they go on
/// to the next source also when what the first one gave cannot be used. A `SourceChain` only sees
/// whether it was given something.
#[derive(Clone)]
pub struct SourceChain {
    name: Arc<str>,
    kind: SpecSourceKind,
    sources: Vec<Arc<dyn SpecSource>>,
}

impl std::fmt::Debug for SourceChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.sources.iter().map(|source| source.name()).collect();
        f.debug_struct("SourceChain").field("name", &self.name).field("sources", &names).finish()
    }
}

impl SourceChain {
    /// A chain with a name of its own. Updates keep the kind of the source that gave them; `kind` is
    /// what evaluations would say about the chain as a whole.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, kind: SpecSourceKind, sources: Vec<Arc<dyn SpecSource>>) -> Self {
        Self { name: name.into(), kind, sources }
    }
}

#[async_trait]
impl SpecSource for SourceChain {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> SpecSourceKind {
        self.kind.clone()
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
        crate::sync::all(self.sources.iter().map(|source| source.close())).await;
    }
}
