//! Notice of specs that became current.

use std::sync::Arc;
use std::time::Duration;

use statsig_core::SpecUpdate;

/// Config specs that became current.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SpecsUpdated {
    /// Time of the project's last change, in milliseconds since 1970.
    pub time: u64,
    /// The same of the specs before; 0 if there were none.
    pub previous_time: u64,
    /// The payload as it was received, with its version and origin. A delta is replaced by the full specs that it led
    /// to, as JSON.
    pub update: Arc<SpecUpdate>,
    /// Number of parts of the payload that could not be used.
    pub problems: usize,
    /// Duration of decoding and compiling.
    pub compile_duration: Duration,
}

/// Callback for specs that became current, in their order, on a thread that may block.
///
/// A panic in it is counted and has no other consequence. It may supply other specs; those are reported to it after it
/// has returned.
pub type SpecsListener = Arc<dyn Fn(&SpecsUpdated) + Send + Sync>;
