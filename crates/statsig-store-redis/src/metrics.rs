//! What an observer hears. Names and tags: `docs/protocol/data-store.md#metrics`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use statsig_adapters::{DataStoreError, DataStoreErrorKind, Observer};
use statsig_background::GuardedObserver;

use crate::op::Op;

/// Tells an observer, if there is one. Clones share their levels.
#[derive(Clone)]
pub(crate) struct Metrics(Option<Arc<Watched>>);

struct Watched {
    observer: GuardedObserver,
    /// Who uses the connection: store, sink or drainer.
    role: &'static str,
    /// Breakers that are open now.
    open: AtomicU64,
}

impl Metrics {
    pub(crate) fn new(observer: Option<&Arc<dyn Observer>>, role: &'static str) -> Self {
        let watched = |observer: &Arc<_>| {
            let observer = GuardedObserver::new(Some(Arc::clone(observer)));
            Arc::new(Watched { observer, role, open: AtomicU64::new(0) })
        };
        Self(observer.map(watched))
    }

    /// Returns the observer, for other components.
    pub(crate) fn observer(&self) -> GuardedObserver {
        self.0.as_ref().map(|watched| watched.observer.clone()).unwrap_or_default()
    }

    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// An attempt of a command that the server had the chance to answer.
    pub(crate) fn command(&self, op: Op, elapsed: Duration, failure: Option<DataStoreErrorKind>) {
        self.tell(|watched| {
            let tags = [("role", watched.role), ("op", op.name()), ("outcome", failure.map_or("ok", word))];
            watched.observer.distribution("redis.command.latency", millis(elapsed), &tags);
        });
    }

    /// A command that is tried again.
    pub(crate) fn retry(&self, op: Op) {
        self.tell(|watched| {
            watched.observer.increment("redis.retries_count", 1, &[("role", watched.role), ("op", op.name())]);
        });
    }

    /// A command that was not tried, since too many before it failed.
    pub(crate) fn refused(&self, op: Op) {
        self.tell(|watched| {
            watched.observer.increment("redis.refused_count", 1, &[("role", watched.role), ("op", op.name())]);
        });
    }

    /// That a breaker opened or closed.
    pub(crate) fn breaker(&self, opened: bool) {
        self.tell(|watched| {
            let role = [("role", watched.role)];
            let open = if opened {
                watched.observer.increment("redis.breaker_openings_count", 1, &role);
                watched.open.fetch_add(1, Ordering::Relaxed) + 1
            } else {
                watched.open.fetch_sub(1, Ordering::Relaxed).saturating_sub(1)
            };
            watched.observer.gauge("redis.breakers_open", open, &role);
        });
    }

    pub(crate) fn reconnected(&self) {
        self.tell(|watched| watched.observer.increment("redis.reconnects_count", 1, &[("role", watched.role)]));
    }

    /// What became of a call on the store.
    pub(crate) fn operation(&self, op: &str, outcome: &str) {
        self.increment("redis.operations_count", 1, &[("op", op), ("outcome", outcome)]);
    }

    /// As [`operation`](Self::operation), for a call that failed.
    pub(crate) fn failed(&self, op: &str, error: &DataStoreError) {
        self.operation(op, word(error.kind()));
    }

    pub(crate) fn increment(&self, name: &str, by: u64, tags: &[(&str, &str)]) {
        self.tell(|watched| watched.observer.increment(name, by, tags));
    }

    pub(crate) fn gauge(&self, name: &str, value: u64, tags: &[(&str, &str)]) {
        self.tell(|watched| watched.observer.gauge(name, value, tags));
    }

    pub(crate) fn distribution(&self, name: &str, value: f64, tags: &[(&str, &str)]) {
        self.tell(|watched| watched.observer.distribution(name, value, tags));
    }

    #[cfg(feature = "streams")]
    pub(crate) fn error(&self, tag: &str, message: &str) {
        self.tell(|watched| watched.observer.error(tag, message));
    }

    fn tell(&self, what: impl FnOnce(&Watched)) {
        if let Some(watched) = &self.0 {
            what(watched);
        }
    }
}

pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

#[allow(clippy::cast_precision_loss)] // counts, lengths and times of day are below 2^52
pub(crate) fn number(value: u64) -> f64 {
    value as f64
}

/// The tag for a failure.
pub(crate) fn word(kind: DataStoreErrorKind) -> &'static str {
    match kind {
        DataStoreErrorKind::Unavailable => "unavailable",
        DataStoreErrorKind::Timeout => "timeout",
        DataStoreErrorKind::Denied => "denied",
        DataStoreErrorKind::ReadOnly => "read_only",
        DataStoreErrorKind::Full => "full",
        DataStoreErrorKind::TooLarge => "too_large",
        DataStoreErrorKind::Malformed => "malformed",
        DataStoreErrorKind::Invalid => "invalid",
        DataStoreErrorKind::Closed => "closed",
        _ => "error",
    }
}
