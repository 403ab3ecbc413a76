//! Workers that persist accepted payloads.

use std::sync::Arc;
use std::time::Duration;

use statsig_background::{UniformRandom, Worker};
use statsig_core::{DataStoreError, DataStoreErrorKind, TouchOutcome};
use tokio::time::sleep;

use super::stats::SyncStats;
use super::store_writer::StoreWriter;
use super::write_back::{AcceptedPayload, LatestPayload, WriteBackQueue};
use crate::secret::chain_of;
use crate::sources::LastKnownGood;

/// Attempts to write one payload.
const ATTEMPTS: u32 = 3;
/// Pause before the second attempt; grows fourfold.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// Destination of accepted payloads.
#[derive(Debug, Clone)]
pub(super) enum Destination {
    /// The data store that processes share.
    Store(StoreWriter),
    /// The last-known-good file.
    Disk(LastKnownGood),
}

/// Failure to persist a payload.
#[derive(Debug)]
struct PersistFailure {
    /// Whether the same write may succeed soon.
    is_retryable: bool,
    /// Whether the same write may succeed later, after somebody has repaired something.
    may_heal: bool,
    text: String,
}

impl PersistFailure {
    fn of_store(error: &DataStoreError) -> Self {
        let is_retryable = error.is_retryable();
        let may_heal = is_retryable || error.kind() == DataStoreErrorKind::Denied;
        Self { is_retryable, may_heal, text: chain_of(error) }
    }
}

impl Destination {
    /// Returns the name of the worker.
    pub(super) fn worker_name(&self) -> &'static str {
        match self {
            Self::Store(_) => "specs-keeper data-store",
            Self::Disk(_) => "specs-keeper last-known-good",
        }
    }

    /// Returns the name of the place in metrics.
    fn place(&self) -> &'static str {
        match self {
            Self::Store(_) => "data-store",
            Self::Disk(_) => "disk",
        }
    }

    fn room<'a>(&self, queue: &'a WriteBackQueue) -> Option<&'a LatestPayload> {
        match self {
            Self::Store(_) => queue.store(),
            Self::Disk(_) => queue.disk(),
        }
    }

    async fn write(&self, payload: &AcceptedPayload) -> Result<(), PersistFailure> {
        match self {
            Self::Store(writer) => {
                let written = writer.write(&payload.update, &payload.envelope).await;
                written.map_err(|error| PersistFailure::of_store(&error))
            }
            Self::Disk(disk) => disk.keep(Arc::clone(&payload.update)).await.map_err(|error| {
                let is_retryable = error.is_retryable();
                PersistFailure { is_retryable, may_heal: is_retryable, text: chain_of(&error) }
            }),
        }
    }
}

/// Persists the payloads of one destination.
pub(super) struct Persister {
    pub(super) destination: Destination,
    pub(super) queue: Arc<WriteBackQueue>,
    pub(super) stats: Arc<SyncStats>,
    pub(super) random: UniformRandom,
}

impl Persister {
    /// Writes each payload that comes, until the end; then the one that still waits.
    pub(super) async fn run(&self, worker: &Worker) {
        let Some(room) = self.destination.room(&self.queue) else { return };
        // Whether the store lacks the last payload, but may take it later.
        let mut is_behind = false;
        // A store that refuses for good is not kept up.
        let mut may_heal = true;
        loop {
            if let Some(payload) = room.take() {
                is_behind = self.persist(worker, room, &payload).await;
                continue;
            }
            if worker.stop_signal().is_stopping() {
                return;
            }
            tokio::select! {
                () = room.is_filled() => {}
                () = room.is_confirmed(), if may_heal => {
                    if let (Destination::Store(writer), Some(shared)) = (&self.destination, room.shared()) {
                        match self.uphold(writer, &shared, &mut is_behind).await {
                            Ok(()) => worker.report_success(),
                            Err(failure) => {
                                may_heal = failure.may_heal;
                                let error = failure.text;
                                tracing::debug!(error, "failed to keep config specs in the data store from expiring");
                            }
                        }
                    }
                }
                () = worker.stop_signal().stopped() => {}
            }
        }
    }

    /// Keeps the entry that an upstream source confirmed from expiring, and writes it again where it is missing.
    async fn uphold(
        &self,
        writer: &StoreWriter,
        shared: &AcceptedPayload,
        is_behind: &mut bool,
    ) -> Result<(), PersistFailure> {
        let touched = async || {
            let touched = writer.touch(shared.update.format, &shared.envelope.path).await;
            touched.map_err(|error| PersistFailure::of_store(&error))
        };
        if !*is_behind && touched().await? != TouchOutcome::Absent {
            return Ok(());
        }
        let written = self.destination.write(shared).await;
        self.stats.persisted("data-store", written.as_ref().copied().map_err(|failure| failure.text.as_str()), None);
        *is_behind = written.is_err();
        written
    }

    /// Writes a payload, in some attempts; returns whether the write is left for later.
    async fn persist(&self, worker: &Worker, room: &LatestPayload, payload: &AcceptedPayload) -> bool {
        let place = self.destination.place();
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=ATTEMPTS {
            let Err(failure) = self.destination.write(payload).await else {
                self.stats.persisted(place, Ok(()), None);
                worker.report_success();
                return false;
            };
            let is_last = !failure.is_retryable || attempt == ATTEMPTS || worker.stop_signal().is_stopping();
            let wait = self.random.around(pause, 0.2);
            self.stats.persisted(place, Err(&failure.text), (!is_last).then_some(wait));
            let next = if is_last { "with the next payload" } else { "soon" };
            tracing::warn!(place, attempt, error = failure.text, next, "failed to persist config specs");
            if is_last {
                return failure.may_heal;
            }
            tokio::select! {
                () = sleep(wait) => {}
                () = worker.stop_signal().stopped() => {}
                // A newer payload replaces this one.
                () = room.is_filled() => return true,
            }
            pause *= 4;
        }
        true
    }
}
