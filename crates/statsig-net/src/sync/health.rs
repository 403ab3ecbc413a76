//! Health of the synchronisation, put together from all parts.

use std::time::Duration;

use statsig_background::{TaskSupervisor, WorkerHealth};
use statsig_core::SpecOrigin;
use tokio::time::Instant;

use super::acceptor::PayloadAcceptor;
use super::persist_health::PersistHealth;
use super::poller::Poller;
use super::readiness::Readiness;
use super::source_health::SourceHealth;
use super::stats::SyncStats;
use super::stream_health::{StreamHealth, StreamStates};

/// Rate of polls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PollingState {
    /// Not begun: the first load is under way, or there is nothing to poll.
    Off,
    /// The regular interval.
    Regular,
    /// The long interval: a live stream makes polls a safety net.
    Slow,
    /// Paused by the application.
    Paused,
}

/// Health of a [`SpecSync`](crate::SpecSync).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncHealth {
    /// Origin of the current specs.
    pub source: SpecOrigin,
    /// Time of the project's last change by the current specs, in milliseconds since 1970.
    pub specs_time: u64,
    /// Time since the current specs were known to be the latest: since an upstream source last brought
    /// or confirmed them, or, for a client without one, any source; for the last run's copy, since
    /// it was received. `None` without specs, and where it is not known: for a bootstrap payload or
    /// a data store, until an upstream source is reached.
    pub data_age: Option<Duration>,
    /// Time since a source was last reached, with or without news.
    pub last_contact: Option<Duration>,
    /// Time since specs last became current.
    pub last_update: Option<Duration>,
    /// Failed fetches in a row.
    pub failures: u32,
    /// The last failure, without secrets; `None` once a source succeeds.
    pub last_error: Option<String>,
    /// Rate of polls.
    pub polling: PollingState,
    /// Time until the next poll; zero while one is under way, `None` if nothing is polled.
    pub next_poll: Option<Duration>,
    /// Number of fetches so far.
    pub questions: u64,
    /// Number of payloads that became current.
    pub applied: u64,
    /// Number of payloads that were older than the current one.
    pub older: u64,
    /// Number of payloads that were persisted, and of failures at that.
    pub kept: (u64, u64),
    /// Places in which accepted payloads are persisted: the last-known-good file, the data store.
    pub persistence: Vec<PersistHealth>,
    /// Number of panics of workers, sources and listeners.
    pub panics: u64,
    /// Sources that were fetched from, and streams that brought something, in the order of the first time.
    pub sources: Vec<SourceHealth>,
    /// Streams, in the order of the options.
    pub streams: Vec<StreamHealth>,
    /// Background workers, in the order in which they began. A success of a worker is:
    ///
    /// | worker | success |
    /// | --- | --- |
    /// | `specs-poller` | a regular poll in which a source answered with something that can be used, with or without news. Not `sync_now`, and not the first load |
    /// | `specs-stream …` | an event that can be used: specs, word that nothing is new, a sign of life |
    /// | `specs-keeper …` | an accepted payload is persisted: it was written, or what is there is as new, or was kept from expiring |
    /// | `specs-reclaimer` | all specs that updates have replaced are freed |
    pub workers: Vec<WorkerHealth>,
}

/// The parts that health is read from.
pub(super) struct HealthParts<'a> {
    pub(super) acceptor: &'a PayloadAcceptor,
    pub(super) stats: &'a SyncStats,
    pub(super) streams: &'a StreamStates,
    pub(super) poller: &'a Poller,
    pub(super) readiness: &'a Readiness,
    pub(super) tasks: &'a TaskSupervisor,
    pub(super) interval: Duration,
    pub(super) slow_interval: Duration,
}

impl HealthParts<'_> {
    /// Returns the health as of now.
    pub(super) fn read(&self, is_polling: bool) -> SyncHealth {
        let specs = self.acceptor.specs();
        let polling = match (is_polling, self.poller.is_paused()) {
            (false, _) => PollingState::Off,
            (true, true) => PollingState::Paused,
            (true, false) if self.streams.is_slow() => PollingState::Slow,
            (true, false) => PollingState::Regular,
        };
        let is_stopping = self.tasks.is_stopping();
        let next_poll = self.poller.next_poll().filter(|_| !is_stopping);
        let workers = self.tasks.workers();
        let counts = self.stats.counts();
        let elapsed = |at: Option<Instant>| at.map(|at| at.elapsed());
        SyncHealth {
            source: specs.origin,
            specs_time: specs.version.map_or(0, |version| version.time_ms),
            data_age: self.readiness.data_age(),
            last_contact: elapsed(counts.last_contact),
            last_update: elapsed(counts.last_update),
            failures: counts.failures,
            last_error: counts.last_error,
            polling,
            next_poll: next_poll.filter(|_| polling != PollingState::Off && polling != PollingState::Paused),
            questions: counts.questions,
            applied: counts.applied,
            older: counts.older,
            kept: counts.kept,
            persistence: self.stats.persistence(),
            panics: counts.panics
                + self.acceptor.listener_panics()
                + workers.iter().map(|worker| worker.restarts).sum::<u64>(),
            sources: self.stats.sources(|name| self.poller.next_attempt(name).filter(|_| !is_stopping)),
            streams: self.streams.health(self.interval, self.slow_interval),
            workers,
        }
    }
}
