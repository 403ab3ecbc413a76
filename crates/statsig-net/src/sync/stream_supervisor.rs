//! Keeps the subscription of one stream: backoff, failover to polling, liveness.
//!
//! ```text
//! Connecting ──first good event──▶ Live ──error, end, silence──▶ Backoff ──pause──▶ Connecting
//!      └────────────────error, no event in time───────────────────┘
//! ```
//!
//! A stream that cannot work as things are set up is left alone. Failures in a row are counted, and
//! reset at the first good event of a connection. While they are more than the threshold, polling
//! takes over, until that event.

use std::sync::Arc;
use std::time::Duration;

use statsig_background::{UniformRandom, Worker};
use statsig_core::{Admission, Reach, SourceError, SourceErrorKind, SpecStream, SpecSubscription, StreamEvent};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::acceptor::{Arrival, PayloadAcceptor};
use super::options::StreamOptions;
use super::outcome::AttemptOutcome;
use super::stats::SyncStats;
use super::stream_health::{StreamState, StreamStates};
use crate::metrics::{STREAM, SyncLabels};
use crate::secret::chain_of;

/// Longest pause that a source may ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(600);

/// Follows one stream.
pub(super) struct StreamSupervisor {
    pub(super) stream: Arc<dyn SpecStream>,
    pub(super) options: StreamOptions,
    /// Number of the stream in `states`.
    pub(super) index: usize,
    pub(super) acceptor: PayloadAcceptor,
    pub(super) stats: Arc<SyncStats>,
    pub(super) states: Arc<StreamStates>,
    /// Wakes the poller.
    pub(super) poll_now: Arc<Notify>,
    pub(super) random: UniformRandom,
}

impl StreamSupervisor {
    /// Subscribes again and again, until the end.
    pub(super) async fn run(&self, worker: &Worker) {
        let (stream, stop) = (self.stream.name(), worker.stop_signal());
        loop {
            self.states.update(self.index, |health| health.state = StreamState::Connecting);
            let error = tokio::select! {
                biased;
                () = stop.stopped() => return,
                error = self.follow(worker) => error,
            };
            let text = chain_of(&error);
            if error.kind() == SourceErrorKind::Misconfigured {
                tracing::debug!(stream, error = text, "stream is off");
                self.states.turn_off(self.index, text);
                // Who waits for the upstream may have nothing to wait for any more.
                self.stats.notify_waiters();
                return;
            }
            let failures = self.record_failure(&error, &text);
            let gave_up = self.options.max_retry_attempt.is_some_and(|most| failures > most);
            let own = if gave_up {
                self.options.retry_backoff_cap
            } else {
                self.random.up_to(self.options.longest_pause(failures))
            };
            let pause = own.max(error.retry_after().unwrap_or_default().min(LONGEST_RETRY_AFTER));
            self.states.retries_after(self.index, pause);
            tokio::select! {
                biased;
                () = stop.stopped() => return,
                () = sleep(pause) => {}
            }
        }
    }

    /// Records a failure; returns the number of failures in a row.
    fn record_failure(&self, error: &SourceError, text: &str) -> u32 {
        let threshold = self.options.failover_threshold;
        let mut failures = 0;
        self.states.update(self.index, |health| {
            health.failures = health.failures.saturating_add(1);
            failures = health.failures;
            health.state = StreamState::Backoff;
            health.failed_over |= failures > threshold;
            health.last_error = Some(text.to_owned());
        });
        let (stream, metrics) = (self.stream.name(), self.stats.metrics());
        metrics.stream_failed(stream, failures);
        tracing::debug!(stream, failures, error = text, "stream broke");
        if failures == threshold.saturating_add(1) {
            self.note(&AttemptOutcome::failed(error));
            metrics.stream_failed_over(stream);
            tracing::warn!(stream, failures, error = text, "stream is down; polling takes over");
        }
        failures
    }

    /// Subscribes and handles events until a failure; returns it.
    async fn follow(&self, worker: &Worker) -> SourceError {
        let late =
            |limit: Duration| SourceError::new(SourceErrorKind::TimedOut, format!("nothing came within {limit:?}"));
        let request = self.acceptor.stream_request(self.stream.reach());
        let first = async {
            let mut subscription = self.stream.subscribe(&request).await?;
            let event = subscription.next().await?;
            Ok::<_, SourceError>((subscription, event))
        };
        let (mut subscription, mut event): (Box<dyn SpecSubscription>, _) =
            match timeout(self.options.connect_timeout, first).await {
                Ok(Ok(first)) => first,
                Ok(Err(error)) => return error,
                Err(_) => return late(self.options.connect_timeout),
            };
        let mut is_live = false;
        loop {
            let Some(received) = event else {
                return SourceError::new(SourceErrorKind::Unreachable, "the source ended the stream");
            };
            self.stats.metrics().stream_message(self.stream.name());
            if is_live {
                // The first event is no notice of a change.
                self.states.noticed(self.index);
            }
            if let Err(error) = self.handle(received).await {
                return error;
            }
            worker.report_success();
            if !std::mem::replace(&mut is_live, true) {
                self.record_connection();
            }
            let next = if self.stream.is_quiet() {
                subscription.next().await
            } else {
                match timeout(self.options.silence_limit, subscription.next()).await {
                    Ok(next) => next,
                    Err(_) => return late(self.options.silence_limit),
                }
            };
            event = match next {
                Ok(event) => event,
                Err(error) => return error,
            };
        }
    }

    /// Records that the stream works.
    fn record_connection(&self) {
        let mut is_reconnection = false;
        self.states.update(self.index, |health| {
            is_reconnection = health.failures > 0;
            health.reconnections += u64::from(is_reconnection);
            health.failures = 0;
            health.failed_over = false;
            health.state = StreamState::Live;
            health.last_error = None;
        });
        if is_reconnection {
            self.stats.metrics().stream_reconnected(self.stream.name());
        }
    }

    /// Handles one event; an error ends the subscription.
    async fn handle(&self, event: StreamEvent) -> Result<(), SourceError> {
        let held_ms = self.acceptor.version().map_or(0, |version| version.time_ms);
        let outcome = match event {
            StreamEvent::Specs(update) => match self.acceptor.accept(update, Arrival::default()).await.0 {
                Admission::Rejected(rejection) => {
                    // The next subscription names the version that is really held.
                    self.note(&AttemptOutcome::failed(&rejection.error));
                    return Err(rejection.error);
                }
                admission => AttemptOutcome::of(&admission),
            },
            // A source without anything may get something; one that has more than the client must send it.
            StreamEvent::NoUpdate { time_ms } if time_ms > held_ms => {
                return Err(SourceError::new(
                    SourceErrorKind::Invalid,
                    "the source has newer specs than the client, and sent word that nothing is new",
                ));
            }
            StreamEvent::NoUpdate { time_ms } => {
                if time_ms == held_ms && self.stream.reach() == Reach::Upstream {
                    self.acceptor.confirm();
                }
                AttemptOutcome::Unchanged
            }
            StreamEvent::Changed => {
                self.poll_now.notify_one();
                AttemptOutcome::Unchanged
            }
            _ => AttemptOutcome::Unchanged,
        };
        self.note(&outcome);
        Ok(())
    }

    fn note(&self, outcome: &AttemptOutcome) {
        let (name, origin, reach) = (self.stream.name(), self.stream.origin(), self.stream.reach());
        let labels = SyncLabels { name, origin: &origin, reach, trigger: STREAM };
        self.stats.note(labels, false, outcome, None);
    }
}
