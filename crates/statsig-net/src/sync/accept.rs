//! The one place where a document is judged and put in force.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use statsig_core::{
    Clock, CompileLimits, Error as SpecsError, Ruleset, SnapshotStore, SourceError, SourceErrorKind, SpecCursor,
    SpecUpdate, SpecsFormat, StoreFormat, UpdateOutcome,
};
use tokio::sync::watch;
use tokio::time::Instant;

use super::keep::{Kept, Slots};
use super::options::{SpecSources, SyncOptions};
use crate::metrics::Metrics;
use crate::secret::SdkKey;

/// Specs that have come into force.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SpecsUpdated {
    /// When the project last changed, in milliseconds since 1970.
    pub time: u64,
    /// When it had last changed as far as the specs before knew; 0 if there were none.
    pub previous_time: u64,
    /// The document as it was received, and where from.
    pub update: Arc<SpecUpdate>,
    /// How many parts of the document could not be used.
    pub problems: usize,
    /// How long it took to decode and compile.
    pub compile_duration: Duration,
}

/// Is called with everything that comes into force, on a blocking thread. A panic in it is counted
/// and has no other consequence.
pub type SpecsListener = Arc<dyn Fn(&SpecsUpdated) + Send + Sync>;

/// What became of a document, and how long it took.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) result: Result<UpdateOutcome, SourceError>,
    pub(super) duration: Duration,
}

/// Judges documents and puts them in force, one at a time.
pub(super) struct Acceptor {
    shared: Arc<Shared>,
    time: watch::Sender<u64>,
    one_at_a_time: Arc<tokio::sync::Mutex<()>>,
}

struct Shared {
    store: Arc<SnapshotStore>,
    limits: CompileLimits,
    sdk_key: Option<SdkKey>,
    listener: Option<SpecsListener>,
    slots: Arc<Slots>,
    held: Mutex<Held>,
    listener_panics: std::sync::atomic::AtomicU64,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
}

/// What is known about the document in force.
#[derive(Debug, Default)]
struct Held {
    /// The document's digest and time.
    in_force: Option<([u8; 32], u64)>,
    /// Time of a later document with the checksum of the one in force.
    same_until: u64,
    origin: Option<Arc<str>>,
}

impl Acceptor {
    pub(super) fn new(
        options: &SyncOptions,
        sources: &SpecSources,
        store: Arc<SnapshotStore>,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
    ) -> Self {
        let time = store.load().ruleset().meta().time;
        let shared = Shared {
            store,
            limits: options.limits,
            sdk_key: options.sdk_key.clone(),
            listener: options.on_update.clone(),
            slots: Arc::new(Slots::new(sources)),
            held: Mutex::default(),
            listener_panics: std::sync::atomic::AtomicU64::new(0),
            clock,
            metrics,
        };
        Self { shared: Arc::new(shared), time: watch::Sender::new(time), one_at_a_time: Arc::default() }
    }

    /// What we hold, for the next question.
    pub(super) fn cursor(&self) -> SpecCursor {
        let snapshot = self.shared.store.load_full();
        if !self.shared.store.holds_specs() {
            return SpecCursor::default();
        }
        let meta = snapshot.ruleset().meta();
        let same_until = self.shared.held().same_until;
        SpecCursor::new(meta.time.max(same_until), meta.checksum.as_deref())
    }

    pub(super) fn origin(&self) -> Option<Arc<str>> {
        self.shared.held().origin.clone()
    }

    /// Somebody else has put specs in force.
    pub(super) fn replaced(&self) {
        self.time.send_replace(self.shared.store.load().ruleset().meta().time);
    }

    /// Follows the time of the specs in force.
    pub(super) fn updates(&self) -> watch::Receiver<u64> {
        self.time.subscribe()
    }

    pub(super) fn slots(&self) -> Arc<Slots> {
        Arc::clone(&self.shared.slots)
    }

    pub(super) fn listener_panics(&self) -> u64 {
        self.shared.listener_panics.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Judges a document, and puts it in force if it is to be: `docs/protocol/network.md#acceptance`.
    ///
    /// Decodes and compiles on a blocking thread. If the future is dropped, that goes on, and what
    /// can be used comes into force.
    pub(super) async fn accept(&self, update: SpecUpdate, streamed: bool) -> Judged {
        let begun = Instant::now();
        let turn = Arc::clone(&self.one_at_a_time).lock_owned().await;
        let shared = Arc::clone(&self.shared);
        let time = self.time.clone();
        let work = tokio::task::spawn_blocking(move || {
            // The turn lasts as long as the work, whoever waits for it.
            let _turn = turn;
            let outcome = shared.judge(update, streamed);
            if let Ok(UpdateOutcome::Applied) = outcome {
                time.send_replace(shared.store.load().ruleset().meta().time);
            }
            outcome
        });
        let result = work.await.unwrap_or_else(|error| {
            let what = if error.is_panic() { "reading the document failed unexpectedly" } else { "the runtime ended" };
            Err(SourceError::new(SourceErrorKind::Invalid, what))
        });
        Judged { result, duration: begun.elapsed() }
    }
}

impl Shared {
    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn judge(&self, update: SpecUpdate, streamed: bool) -> Result<UpdateOutcome, SourceError> {
        let begun = std::time::Instant::now();
        let invalid =
            |reason: Box<dyn std::error::Error + Send + Sync>| SourceError::new(SourceErrorKind::Invalid, reason);
        let digest: [u8; 32] = Sha256::digest(&update.document).into();
        // Somebody else may have put other specs in force meanwhile.
        let in_force = self.store.load().ruleset().meta().time;
        if self.held().in_force == Some((digest, in_force)) {
            return Ok(UpdateOutcome::Unchanged);
        }
        let compiled = match update.format {
            StoreFormat::PlainText => Ruleset::compile_with(&update.document, &self.limits),
            #[cfg(feature = "proto")]
            StoreFormat::StatsigBr => {
                let json = crate::proto::to_json(&update.document, self.limits.max_bytes)
                    .map_err(|error| invalid(error.into()))?;
                Ruleset::compile_with(&json, &self.limits)
            }
            #[allow(unreachable_patterns, reason = "the enum may grow")]
            _ => return Err(invalid("this build does not read this form of config specs".into())),
        };
        let ruleset = match compiled {
            Ok(ruleset) => ruleset,
            Err(SpecsError::NoUpdates) if self.store.holds_specs() => return Ok(UpdateOutcome::Unchanged),
            Err(SpecsError::NoUpdates) => {
                let reason = "no specs, only word that nothing is new";
                return Err(SourceError::new(SourceErrorKind::Empty, reason));
            }
            Err(error) => return Err(invalid(error.into())),
        };
        let meta = ruleset.meta();
        if let (Some(key), Some(made_for)) = (&self.sdk_key, &meta.hashed_sdk_key_used)
            && !key.is_named_by(made_for)
        {
            return Err(invalid("the document was made for another SDK key".into()));
        }
        let (time, format, problems) = (meta.time, meta.format, ruleset.problems().len());
        let previous_time = self.store.load().ruleset().meta().time;
        let outcome = self.store.apply_compiled(ruleset, update.source.clone(), update.received_at_ms);
        match outcome {
            UpdateOutcome::Applied => {
                *self.held() = Held { in_force: Some((digest, time)), same_until: time, origin: update.origin.clone() };
                let update = Arc::new(update);
                let updated = SpecsUpdated {
                    time,
                    previous_time,
                    update: Arc::clone(&update),
                    problems,
                    compile_duration: begun.elapsed(),
                };
                self.announce(&updated);
                self.slots.put(&Kept { update, time, format, streamed });
            }
            UpdateOutcome::Unchanged => {
                let mut held = self.held();
                held.same_until = held.same_until.max(time);
            }
            _ => {}
        }
        Ok(outcome)
    }

    fn announce(&self, updated: &SpecsUpdated) {
        tracing::info!(
            time = updated.time,
            source = %updated.update.source,
            bytes = updated.update.document.len(),
            problems = updated.problems,
            "config specs updated"
        );
        if updated.previous_time > 0 {
            let now = u64::try_from(self.clock.now_ms()).unwrap_or(0);
            let age = Duration::from_millis(now.saturating_sub(updated.time));
            self.metrics.propagation(age, &updated.update.source, updated.update.origin.as_deref());
        }
        let Some(listener) = &self.listener else { return };
        if catch_unwind(AssertUnwindSafe(|| listener(updated))).is_err() {
            self.listener_panics.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            self.metrics.panicked("specs-listener");
            tracing::error!("the listener for new specs panicked");
        }
    }
}

/// The shape of a document, for the key that it is stored under.
pub(super) fn is_v1(format: SpecsFormat) -> bool {
    format == SpecsFormat::V1
}
