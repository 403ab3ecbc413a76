//! Health of the places in which accepted payloads are kept.

use std::time::Duration;

use tokio::time::Instant;

/// Health of one place in which accepted payloads are kept for the next start, or for other processes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PersistHealth {
    /// Its name: `last-known-good` or `data-store`.
    pub name: &'static str,
    /// Successful writes so far.
    pub writes: u64,
    /// Failed writes so far.
    pub failed_writes: u64,
    /// Failed writes in a row.
    pub failures: u32,
    /// The last failure, without secrets; `None` once a write succeeds.
    pub last_error: Option<String>,
    /// Time since the last failure. It stays when a write succeeds.
    pub last_failure: Option<Duration>,
    /// Time since the last successful write.
    pub last_success: Option<Duration>,
    /// Time until the same payload is written again; `None` if the next write is that of the next payload.
    pub next_attempt: Option<Duration>,
}

/// Notes about the writes to one place.
#[derive(Debug)]
pub(super) struct PersistLog {
    health: PersistHealth,
    place: &'static str,
    failed: Option<Instant>,
    succeeded: Option<Instant>,
    retry: Option<Instant>,
}

impl PersistLog {
    /// Begins the notes about a place, by its name in metrics.
    pub(super) fn new(place: &'static str) -> Self {
        let health = PersistHealth {
            name: if place == "disk" { "last-known-good" } else { place },
            writes: 0,
            failed_writes: 0,
            failures: 0,
            last_error: None,
            last_failure: None,
            last_success: None,
            next_attempt: None,
        };
        Self { health, place, failed: None, succeeded: None, retry: None }
    }

    pub(super) fn place(&self) -> &'static str {
        self.place
    }

    /// Notes a write, or why it failed and when it is repeated.
    pub(super) fn note(&mut self, written: Result<(), &str>, retry_after: Option<Duration>) {
        let (now, health) = (Instant::now(), &mut self.health);
        match written {
            Ok(()) => {
                health.writes += 1;
                (health.failures, health.last_error) = (0, None);
                self.succeeded = Some(now);
            }
            Err(error) => {
                health.failed_writes += 1;
                health.failures = health.failures.saturating_add(1);
                health.last_error = Some(error.to_owned());
                self.failed = Some(now);
            }
        }
        self.retry = retry_after.and_then(|pause| now.checked_add(pause));
    }

    /// Returns the health as of now.
    pub(super) fn health(&self) -> PersistHealth {
        PersistHealth {
            last_failure: self.failed.map(|at| at.elapsed()),
            last_success: self.succeeded.map(|at| at.elapsed()),
            next_attempt: self.retry.map(|at| at.saturating_duration_since(Instant::now())),
            ..self.health.clone()
        }
    }
}
