//! Options of an [`IdListSync`](super::IdListSync), and the report of a round.

use std::sync::Arc;
use std::time::Duration;

use statsig_core::{Clock, Observer};

/// Options of an [`IdListSync`](super::IdListSync).
#[derive(Clone)]
#[non_exhaustive]
pub struct IdListOptions {
    /// Pause between rounds. Default 60 seconds, at least 10 milliseconds; varies by a tenth. After a round that a
    /// large file, or a slow line, did not end in, 5 seconds at most.
    pub interval: Duration,
    /// Files that are read at a time. Default 3.
    pub parallel: usize,
    /// Most bytes of all files together. A list that would exceed them stays as it is. Default 2 GiB.
    pub max_total_bytes: u64,
    /// Most lists. Default 10,000. A list beyond stays away; lists that are held have the first right to stay.
    pub max_lists: usize,
    /// Tells the time of day, to which the creation times of lists are compared. Default: the system's clock.
    pub clock: Option<Arc<dyn Clock>>,
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
            max_lists: 10_000,
            clock: None,
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
            .field("max_lists", &self.max_lists)
            .field("observer", &self.observer.is_some())
            .finish_non_exhaustive()
    }
}

/// Result of a round.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct IdListReport {
    /// Whether there was a manifest.
    pub success: bool,
    /// Lists that changed, appeared or went.
    pub changed: usize,
    /// Lists that could not be brought up to date, each with the reason, sorted by name; the first 100. They stay as
    /// they are.
    pub failed: Vec<(String, String)>,
    /// Number of lists that could not be brought up to date, also of those beyond the first 100, and of those that
    /// are left out.
    pub failed_count: usize,
    /// Lists of the manifest that are left out because there are more than `max_lists`.
    pub left_out: usize,
    /// Lists of which a part was read, to be continued in the next round. They are among the failed.
    pub unfinished: usize,
    /// Lists that are up to date, and about which something is wrong all the same: lines that are no entries, a
    /// creation time in the future. The first 100.
    pub problems: Vec<(String, String)>,
    /// The reason why there was no manifest.
    pub error: Option<String>,
}

impl IdListReport {
    /// Most lists that are named in a report.
    pub(super) const NAMED: usize = 100;

    /// A round without a manifest.
    pub(super) fn without_manifest(error: impl Into<String>) -> Self {
        Self { error: Some(error.into()), ..Self::default() }
    }

    /// Adds a list that could not be brought up to date.
    pub(super) fn fail(&mut self, name: &str, reason: String) {
        self.failed_count += 1;
        if self.failed.len() < Self::NAMED {
            self.failed.push((shown(name), reason));
        }
    }

    /// Adds a list about which something is wrong.
    pub(super) fn note(&mut self, name: &str, problem: String) {
        if self.problems.len() < Self::NAMED {
            self.problems.push((shown(name), problem));
        }
    }

    /// The first failure and the number of the others, in one line; `None` if every list is up to date.
    pub(super) fn summary(&self) -> Option<String> {
        if let Some(error) = &self.error {
            return Some(format!("no manifest of ID lists: {error}"));
        }
        let (name, reason) = self.failed.first()?;
        match self.failed_count {
            0 | 1 => Some(format!("{name}: {reason}")),
            more => Some(format!("{name}: {reason}; and {} more lists fail", more - 1)),
        }
    }
}

/// At most 100 characters of a name, none of them a control character.
fn shown(name: &str) -> String {
    name.chars().take(100).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
