//! What an [`IdListSync`](super::IdListSync) is told, and what it tells.

use std::sync::Arc;
use std::time::Duration;

use statsig_core::Observer;

/// Options of an [`IdListSync`](super::IdListSync).
#[derive(Clone)]
#[non_exhaustive]
pub struct IdListOptions {
    /// Pause between rounds. Default 60 seconds, at least 10 milliseconds; varies by a tenth.
    pub interval: Duration,
    /// Files that are read at a time. Default 3.
    pub parallel: usize,
    /// Most bytes of all files together. A list that would exceed them stays as it is. Default 2 GiB.
    pub max_total_bytes: u64,
    /// Receives metrics: `docs/protocol/network.md#metrics`.
    pub observer: Option<Arc<dyn Observer>>,
    /// Seed of pauses; random by default.
    pub jitter_seed: Option<u64>,
}

impl Default for IdListOptions {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(60),
            parallel: 3,
            max_total_bytes: 2 << 30,
            observer: None,
            jitter_seed: None,
        }
    }
}

impl std::fmt::Debug for IdListOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdListOptions")
            .field("interval", &self.interval)
            .field("parallel", &self.parallel)
            .field("max_total_bytes", &self.max_total_bytes)
            .field("observer", &self.observer.is_some())
            .finish_non_exhaustive()
    }
}

/// What a round came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct IdListReport {
    /// Whether there was a manifest.
    pub success: bool,
    /// Lists that changed, appeared or went.
    pub changed: usize,
    /// Lists that could not be brought up to date, each with why. They stay as they are.
    pub failed: Vec<(String, String)>,
    /// Why there was no manifest.
    pub error: Option<String>,
}
