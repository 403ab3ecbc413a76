//! Details of the first load.

use std::sync::Arc;
use std::time::Duration;

use statsig_core::{Snapshot, SpecOrigin};

use super::outcome::{AttemptOutcome, SourceAttempt};

/// Details of the first load.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct InitializeDetails {
    /// Duration of `initialize`.
    pub duration: Duration,
    /// Whether everything runs: not so if the time was over, or the client was shut down before. Says
    /// nothing about specs.
    pub init_success: bool,
    /// Whether there are specs.
    pub is_config_spec_ready: bool,
    /// Whether there are ID lists; `None` where none were fetched.
    pub is_id_list_ready: Option<bool>,
    /// Whether the time was over; loading goes on then.
    pub timed_out: bool,
    /// Origin of the current specs.
    pub source: SpecOrigin,
    /// Address or place that the current specs came from.
    pub source_api: Option<Arc<str>>,
    /// Time of the project's last change by the current specs, in milliseconds since 1970.
    pub specs_time: u64,
    /// Time since the current specs were known to be the latest, when `initialize` returned: the same as
    /// [`SyncHealth::data_age`](crate::SyncHealth::data_age). `None` without specs, and where it is not known: for a
    /// bootstrap payload or a data store, until an upstream source is reached.
    pub data_age: Option<Duration>,
    /// Whether the fallback was fetched from.
    pub fallback_spec_used: bool,
    /// The last error, also where a later source succeeded. Where the time was over and no source failed: the sources
    /// that did not answer.
    pub error: Option<String>,
    /// Every source that was fetched from, in order.
    pub attempts: Vec<SourceAttempt>,
}

impl InitializeDetails {
    /// Returns the details of a client that has nothing to load: the snapshot is all that there will be.
    #[must_use]
    pub fn without_sources(snapshot: &Snapshot) -> Self {
        Self { init_success: true, ..Self::of(snapshot) }
    }

    /// Returns the details of a load that did not begin, with the reason: that of a client which a forked child has
    /// inherited, for instance.
    #[must_use]
    pub fn not_asked(snapshot: &Snapshot, reason: &'static str) -> Self {
        Self::of(snapshot).refused(reason)
    }

    fn of(snapshot: &Snapshot) -> Self {
        Self {
            is_config_spec_ready: snapshot.source().has_specs(),
            source: snapshot.source().clone(),
            specs_time: snapshot.ruleset().meta().time,
            ..Self::default()
        }
    }

    /// Turns the details into those of a load that did not begin.
    pub(super) fn refused(mut self, reason: &'static str) -> Self {
        self.error = Some(reason.to_owned());
        self.attempts = vec![SourceAttempt::none(reason)];
        self
    }
}

/// Returns the last error of some fetches, or the sources that did not answer in time.
pub(super) fn last_error(attempts: &[SourceAttempt], timed_out: bool) -> Option<String> {
    let failed = attempts.iter().rev().find_map(|attempt| attempt.outcome.failure().map(str::to_owned));
    if failed.is_some() || !timed_out {
        return failed;
    }
    let late = attempts.iter().filter(|attempt| attempt.outcome == AttemptOutcome::Pending);
    let late: Vec<String> = late
        .map(|attempt| format!("{} did not answer within {:.1} s", attempt.source, attempt.duration.as_secs_f64()))
        .collect();
    (!late.is_empty()).then(|| late.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_that_is_under_way_is_not_ready() {
        for origin in [SpecOrigin::Loading, SpecOrigin::Uninitialized, SpecOrigin::NoValues] {
            let snapshot = Snapshot::empty(origin);
            // As in a child that was forked off during the first load.
            let details = InitializeDetails::not_asked(&snapshot, "forked");
            assert!(!details.is_config_spec_ready && !details.init_success, "{details:?}");
            assert!(!InitializeDetails::without_sources(&snapshot).is_config_spec_ready);
        }
    }
}
