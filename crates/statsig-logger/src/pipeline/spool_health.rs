//! Health of the spool, as an application asks for it.

use std::time::Duration;

use tokio::time::Instant;

/// Health of the spool of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpoolHealth {
    /// Tells whether batches are written, or the reason against it.
    pub state: SpoolState,
    /// Time for which it has been in this state.
    pub since: Duration,
    /// The last error, at most 200 characters; `None` if there was none. It may be over: see `state`.
    pub last_error: Option<String>,
    /// Time since the last error.
    pub last_error_ago: Option<Duration>,
    /// Time until the spool is tried again; `None` while it works, hangs or is closed. A spool that hangs is used
    /// again as soon as it answers.
    pub next_retry: Option<Duration>,
}

/// State of a spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SpoolState {
    /// It takes batches.
    Ok,
    /// It cannot be opened, or not be written to. Batches stay in memory until it can.
    Unavailable,
    /// A call has not returned within 2 seconds. Batches are delivered from memory until it does.
    Hanging,
    /// The pipeline has ended.
    Closed,
}

impl SpoolState {
    /// The name of the state in logs and health checks.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unavailable => "unavailable",
            Self::Hanging => "hanging",
            Self::Closed => "closed",
        }
    }
}

/// Past of the spool, for its health.
#[derive(Debug, Default)]
pub(super) struct SpoolHistory {
    state: Option<(SpoolState, Instant)>,
    last_error: Option<(String, Instant)>,
}

impl SpoolHistory {
    pub(super) fn failed(&mut self, error: String, now: Instant) {
        self.last_error = Some((error, now));
    }

    /// Notes the present state.
    pub(super) fn enter(&mut self, state: SpoolState, now: Instant) {
        if self.state.is_none_or(|(known, _)| known != state) {
            self.state = Some((state, now));
        }
    }

    pub(super) fn health(&self, retry_at: Option<Instant>, now: Instant) -> SpoolHealth {
        let (state, since) = self.state.unwrap_or((SpoolState::Ok, now));
        SpoolHealth {
            state,
            since: now.saturating_duration_since(since),
            last_error: self.last_error.as_ref().map(|(error, _)| error.clone()),
            last_error_ago: self.last_error.as_ref().map(|(_, at)| now.saturating_duration_since(*at)),
            next_retry: retry_at
                .filter(|_| state == SpoolState::Unavailable)
                .map(|at| at.saturating_duration_since(now)),
        }
    }
}
