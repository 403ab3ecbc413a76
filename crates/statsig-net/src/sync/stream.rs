//! Subscriptions: backoff, failover to polling, liveness.
//!
//! ```text
//! Connecting ──first good event──▶ Live ──error, end, silence──▶ Backoff ──pause──▶ Connecting
//!      └────────────────error, no event in time───────────────────┘
//! ```
//!
//! A stream that cannot work as things are set up is left alone. Failures in a row are counted, and
//! forgotten at the first good event of a connection. While they are more than the threshold, polling
//! has taken over; it stops to do so at that event.

use std::sync::Arc;
use std::time::Duration;

use statsig_core::{SourceError, SourceErrorKind, SpecStream, SpecSubscription, StreamEvent};
use tokio::time::{sleep, timeout};

use super::Inner;
use super::accept::Way;
use super::details::AttemptOutcome;
use super::health::{StreamState, Worker};
use super::start::outcome_of;
use super::supervise::supervise;
use crate::metrics::{Asked, STREAM};
use crate::secret::chain_of;

/// Longest pause that a source may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(600);

/// Spawns a supervisor for each stream.
pub(super) fn spawn(inner: &Arc<Inner>) {
    for (index, stream) in inner.sources.streams.iter().enumerate() {
        let stream = Arc::clone(stream);
        let name = format!("specs-stream {}", stream.name());
        supervise(inner, name, move |inner, worker| follow(inner, worker, index, Arc::clone(&stream)));
    }
}

/// Keeps a subscription for ever.
async fn follow(inner: Arc<Inner>, worker: Worker, index: usize, stream: Arc<dyn SpecStream>) {
    let options = inner.options.stream.clone();
    loop {
        inner.books.stream(index, |health| health.state = StreamState::Connecting);
        let error = tokio::select! {
            biased;
            () = inner.ended() => return,
            error = listen(&inner, worker, index, &*stream) => error,
        };
        let text = chain_of(&error);
        if error.kind() == SourceErrorKind::Misconfigured {
            tracing::debug!(stream = stream.name(), error = text, "there is no such stream");
            inner.books.stream_is_off(index, text);
            return;
        }
        let mut failures = 0;
        inner.books.stream(index, |health| {
            health.failures = health.failures.saturating_add(1);
            failures = health.failures;
            health.state = StreamState::Backoff;
            health.failed_over |= failures > options.failover_threshold;
            health.last_error = Some(text.clone());
        });
        let metrics = &inner.books.metrics;
        metrics.stream_failed(stream.name(), failures);
        tracing::debug!(stream = stream.name(), failures, error = text, "the stream broke");
        if failures == options.failover_threshold.saturating_add(1) {
            note(&inner, &*stream, &AttemptOutcome::failed(&error));
            metrics.stream_failed_over(stream.name());
            tracing::warn!(stream = stream.name(), failures, error = text, "the stream is down, polling takes over");
        }
        let longest = options.longest_pause(failures);
        let gave_up = options.max_retry_attempt.is_some_and(|most| failures > most);
        let own = if gave_up { options.retry_backoff_cap } else { inner.random.up_to(longest) };
        let pause = own.max(error.retry_after().unwrap_or_default().min(LONGEST_ASKED));
        inner.books.stream_retries(index, pause);
        tokio::select! {
            biased;
            () = inner.ended() => return,
            () = sleep(pause) => {}
        }
    }
}

/// Subscribes and handles events until something is wrong; returns what.
async fn listen(inner: &Arc<Inner>, worker: Worker, index: usize, stream: &dyn SpecStream) -> SourceError {
    let options = &inner.options.stream;
    let late = |limit: Duration| SourceError::new(SourceErrorKind::TimedOut, format!("nothing came within {limit:?}"));
    let cursor = inner.acceptor.cursor();
    let first = async {
        let mut subscription = stream.subscribe(&cursor).await?;
        let event = subscription.next().await?;
        Ok::<_, SourceError>((subscription, event))
    };
    let (mut subscription, mut event): (Box<dyn SpecSubscription>, _) =
        match timeout(options.connect_timeout, first).await {
            Ok(Ok(first)) => first,
            Ok(Err(error)) => return error,
            Err(_) => return late(options.connect_timeout),
        };
    let mut live = false;
    loop {
        let Some(received) = event else {
            return SourceError::new(SourceErrorKind::Unreachable, "the source ended the stream");
        };
        inner.books.metrics.stream_message(stream.name());
        if live {
            // The first event only says what is there.
            inner.books.noticed(index);
        }
        if let Err(error) = handle(inner, stream, received).await {
            return error;
        }
        inner.books.succeeded(worker);
        if !std::mem::replace(&mut live, true) {
            let mut again = false;
            inner.books.stream(index, |health| {
                again = health.failures > 0;
                health.reconnections += u64::from(again);
                health.failures = 0;
                health.failed_over = false;
                health.state = StreamState::Live;
                health.last_error = None;
            });
            if again {
                inner.books.metrics.stream_reconnected(stream.name());
            }
        }
        let next = if stream.is_quiet() {
            subscription.next().await
        } else {
            match timeout(options.silence_limit, subscription.next()).await {
                Ok(next) => next,
                Err(_) => return late(options.silence_limit),
            }
        };
        event = match next {
            Ok(event) => event,
            Err(error) => return error,
        };
    }
}

/// Takes one event in; an error if the stream is not to be trusted any more.
async fn handle(inner: &Arc<Inner>, stream: &dyn SpecStream, event: StreamEvent) -> Result<(), SourceError> {
    // Quiet streams belong to stores and files.
    if let StreamEvent::NoUpdate { time } = event
        && time == inner.acceptor.cursor().time
        && !stream.is_quiet()
    {
        inner.acceptor.slots().confirm();
    }
    let outcome = match event {
        StreamEvent::Specs(update) => match inner.acceptor.accept(update, Way::Told).await.result {
            Ok(outcome) => outcome_of(outcome),
            // It is asked again with what is really held.
            Err(error) => {
                note(inner, stream, &AttemptOutcome::failed(&error));
                return Err(error);
            }
        },
        // A source without anything may get something; one that has more than we do must give it.
        StreamEvent::NoUpdate { time } if time > inner.acceptor.cursor().time => {
            return Err(SourceError::new(
                SourceErrorKind::Invalid,
                "nothing new, though the source has more than we do",
            ));
        }
        StreamEvent::Changed => {
            inner.wake.notify_one();
            AttemptOutcome::Unchanged
        }
        _ => AttemptOutcome::Unchanged,
    };
    note(inner, stream, &outcome);
    Ok(())
}

fn note(inner: &Inner, stream: &dyn SpecStream, outcome: &AttemptOutcome) {
    let told = Asked { name: stream.name(), kind: &stream.kind(), trigger: STREAM };
    inner.books.note(told, outcome, None);
}
