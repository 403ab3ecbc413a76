//! Fetches from one source, and hands the payload to the acceptor.

use std::sync::Arc;
use std::time::Duration;

use statsig_background::StopSignal;
use statsig_core::{Reach, SourceError, SourceErrorKind, SpecFetch, SpecSource, SpecTrigger};
use tokio::time::Instant;

use super::acceptor::{Arrival, PayloadAcceptor};
use super::outcome::AttemptOutcome;
use super::stats::SyncStats;
use crate::metrics::SyncLabels;

/// Fetches payloads for the first load and for polls.
#[derive(Clone)]
pub(super) struct Fetcher {
    pub(super) acceptor: PayloadAcceptor,
    pub(super) stats: Arc<SyncStats>,
    pub(super) stop: StopSignal,
}

/// Result of one fetch.
#[derive(Debug)]
pub(super) struct FetchResult {
    pub(super) outcome: AttemptOutcome,
    /// Duration of decoding, compiling and judging.
    pub(super) apply_duration: Duration,
    /// Size of the payload.
    pub(super) bytes: usize,
}

impl FetchResult {
    fn of(outcome: AttemptOutcome) -> Self {
        Self { outcome, apply_duration: Duration::ZERO, bytes: 0 }
    }

    pub(super) fn failed(error: &SourceError) -> Self {
        Self::of(AttemptOutcome::failed(error))
    }
}

impl Fetcher {
    /// Fetches from a source, and makes the payload current if it is newer.
    pub(super) async fn fetch(&self, source: &dyn SpecSource, trigger: SpecTrigger) -> FetchResult {
        let begun = Instant::now();
        let request = self.acceptor.request(source.reach(), trigger);
        let _in_progress = self.stats.fetch_begins(source.name());
        let fetched = tokio::select! {
            biased;
            () = self.stop.stopped() => {
                // Not a failure of the source.
                return FetchResult::failed(&SourceError::new(SourceErrorKind::Disabled, "the client is shut down"));
            }
            fetched = source.fetch(&request) => fetched,
        };
        let result = match fetched {
            Ok(SpecFetch::Updated(update)) => {
                let bytes = update.payload.len();
                let arrival = Arrival { trigger: Some(trigger), is_own_copy: source.is_own_copy() };
                let (admission, apply_duration) = self.acceptor.accept(update, arrival).await;
                FetchResult { outcome: AttemptOutcome::of(&admission), apply_duration, bytes }
            }
            Ok(_) if request.version.is_none() => {
                FetchResult::failed(&SourceError::new(SourceErrorKind::Empty, "the source says that nothing is new"))
            }
            Ok(SpecFetch::Behind) => FetchResult::of(AttemptOutcome::Older),
            Ok(_) => {
                if source.reach() == Reach::Upstream {
                    self.acceptor.record_unchanged();
                }
                FetchResult::of(AttemptOutcome::Unchanged)
            }
            Err(error) => FetchResult::failed(&error),
        };
        let labels = SyncLabels {
            name: source.name(),
            origin: &source.origin(),
            reach: source.reach(),
            trigger: match trigger {
                SpecTrigger::Initial => "initial",
                SpecTrigger::Background => "background",
                _ => "manual",
            },
        };
        self.stats.note(labels, source.is_own_copy(), &result.outcome, Some(begun.elapsed()));
        result
    }
}
