//! The one place where a document is judged and put in force.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use statsig_core::{
    Clock, CompileLimits, Error as SpecsError, Ruleset, SnapshotStore, SourceError, SourceErrorKind, SpecCursor,
    SpecSourceKind, SpecTrigger, SpecUpdate, SpecsFormat, StoreFormat, UpdateOutcome, is_future,
};
use tokio::sync::watch;
use tokio::time::Instant;

use super::deltas::{DeltaOutcome, Deltas, Wanted};
use super::keep::{Kept, Slots};
use super::options::{SpecSources, SyncOptions};
use super::read::{Parts, Unreadable, read};
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
    /// The document as it was received, and where from. In place of a difference stands the whole that
    /// it led to, as JSON.
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
    deltas: Deltas,
    held: Mutex<Held>,
    listener_panics: std::sync::atomic::AtomicU64,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
}

/// What is known about the document in force.
#[derive(Default)]
struct Held {
    /// The document's digest and time.
    in_force: Option<([u8; 32], u64)>,
    /// What its server calls it.
    checksum: Option<String>,
    /// Time of a later document with the checksum of the one in force.
    same_until: u64,
    origin: Option<Arc<str>>,
    /// The document's parts, where differences to it are of use.
    parts: Option<Arc<Parts>>,
}

/// How a document came.
pub(super) enum Way {
    /// A stream told.
    Told,
    /// A source was asked.
    Asked(SpecTrigger, Question),
}

/// What a source is told that we hold.
#[derive(Default)]
pub(super) struct Question {
    pub(super) cursor: SpecCursor,
    /// What a difference would be the difference to.
    base: Option<Arc<Parts>>,
}

impl Way {
    fn trigger(&self) -> Option<SpecTrigger> {
        match self {
            Self::Told => None,
            Self::Asked(trigger, _) => Some(*trigger),
        }
    }

    fn base(&self) -> Option<&Arc<Parts>> {
        match self {
            Self::Told => None,
            Self::Asked(_, question) => question.base.as_ref(),
        }
    }
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
        let slots = Arc::new(Slots::new(sources));
        // Who shares specs with others needs whole ones.
        let deltas = cfg!(feature = "proto") && options.deltas && !slots.shares();
        let shared = Shared {
            store,
            limits: options.limits,
            sdk_key: options.sdk_key.clone(),
            listener: options.on_update.clone(),
            slots,
            deltas: Deltas::new(deltas, options.delta_no_progress_threshold),
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
        let mut cursor = snapshot.cursor();
        if cursor.time > 0 {
            cursor.time = cursor.time.max(self.shared.held().same_until);
        }
        cursor
    }

    /// What to ask a source.
    pub(super) fn question(&self, source: &SpecSourceKind, trigger: SpecTrigger) -> Question {
        if *source != SpecSourceKind::Network {
            return Question { cursor: self.cursor(), base: None };
        }
        let shared = &self.shared;
        // The same before and after, so the cursor in between is that of its document.
        let before = shared.parts_in_force();
        let cursor = self.cursor();
        let base = before.zip(shared.parts_in_force()).and_then(|(one, same)| Arc::ptr_eq(&one, &same).then_some(same));
        match shared.deltas.wanted(trigger, base.is_some(), shared.clock.now_ms()) {
            Wanted::Difference => Question { cursor: cursor.with_deltas(true), base },
            Wanted::Newer => Question { cursor, base: None },
            Wanted::Everything => {
                tracing::info!("differences lead nowhere, asking for whole config specs");
                Question::default()
            }
        }
    }

    /// A source of the network says that nothing is new.
    pub(super) fn nothing_new(&self) {
        self.shared.deltas.nothing_new();
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
    pub(super) async fn accept(&self, update: SpecUpdate, way: Way) -> Judged {
        let begun = Instant::now();
        let turn = Arc::clone(&self.one_at_a_time).lock_owned().await;
        let shared = Arc::clone(&self.shared);
        let time = self.time.clone();
        let work = tokio::task::spawn_blocking(move || {
            // The turn lasts as long as the work, whoever waits for it.
            let _turn = turn;
            let outcome = shared.judge(update, way);
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

    /// The parts of the document in force.
    fn parts_in_force(&self) -> Option<Arc<Parts>> {
        let snapshot = self.store.load_full();
        let meta = snapshot.ruleset().meta();
        let held = self.held();
        // Somebody else may have put other specs in force meanwhile.
        let is_ours = held.in_force.is_some_and(|(_, time)| time == meta.time) && held.checksum == meta.checksum;
        held.parts.clone().filter(|_| is_ours)
    }

    fn judge(&self, update: SpecUpdate, way: Way) -> Result<UpdateOutcome, SourceError> {
        let begun = std::time::Instant::now();
        let digest: [u8; 32] = Sha256::digest(&update.document).into();
        let in_force = self.store.load().ruleset().meta().time;
        if self.held().in_force == Some((digest, in_force)) {
            self.note_delta(&way, &update, update.is_delta, UpdateOutcome::Unchanged, false);
            return Ok(UpdateOutcome::Unchanged);
        }
        let Compiled { ruleset, json, parts, is_delta } = match self.compile(&update, &way) {
            Ok(compiled) => compiled,
            Err(Unusable::NothingNew) => {
                self.deltas.nothing_new();
                return Ok(UpdateOutcome::Unchanged);
            }
            Err(Unusable::Late) => {
                let reason = "other specs came into force while the difference was on its way";
                return Err(SourceError::new(SourceErrorKind::Failing, reason));
            }
            Err(Unusable::Refused { error, of_delta }) => {
                if let Some(outcome) = of_delta {
                    self.deltas.difference(way.trigger(), outcome);
                }
                return Err(error);
            }
        };
        let meta = ruleset.meta();
        let (time, format, problems) = (meta.time, meta.format, ruleset.problems().len());
        let checksum = meta.checksum.clone();
        let known_until = self.held().same_until.max(in_force);
        let outcome = self.store.apply_compiled(ruleset, update.source.clone(), update.received_at_ms);
        self.note_delta(&way, &update, is_delta, outcome, time > known_until);
        match outcome {
            UpdateOutcome::Applied => {
                let parts = parts.filter(|_| self.deltas.enabled());
                let origin = update.origin.clone();
                *self.held() = Held { in_force: Some((digest, time)), checksum, same_until: time, origin, parts };
                let update = match json {
                    // Nobody else has what a difference refers to.
                    Some(json) if is_delta => {
                        let mut whole = update.with_format(StoreFormat::PlainText).with_delta(false);
                        whole.document = json;
                        whole
                    }
                    _ => update,
                };
                let update = Arc::new(update);
                let updated = SpecsUpdated {
                    time,
                    previous_time: in_force,
                    update: Arc::clone(&update),
                    problems,
                    compile_duration: begun.elapsed(),
                };
                self.announce(&updated);
                let streamed = matches!(way, Way::Told);
                self.slots.put(&Kept { update, time, format, streamed, from_delta: is_delta });
            }
            UpdateOutcome::Unchanged => {
                let mut held = self.held();
                if !is_future(time, update.received_at_ms) {
                    held.same_until = held.same_until.max(time);
                }
            }
            _ => {}
        }
        Ok(outcome)
    }

    /// Reads and compiles a document.
    fn compile(&self, update: &SpecUpdate, way: &Way) -> Result<Compiled, Unusable> {
        let base = way.base();
        let limit = update.max_decoded.unwrap_or(usize::MAX).min(self.limits.max_bytes);
        let read = read(update, limit, base.map(|base| &**base))
            .map_err(|unreadable| Unusable::unreadable(unreadable, update.is_delta))?;
        let invalid = |reason| Unusable::refused(SourceErrorKind::Invalid, reason, read.is_delta);
        // What is held now may not be what was held when it was asked for.
        let in_force = self.parts_in_force();
        if read.refers_to_base && !base.zip(in_force.as_ref()).is_some_and(|(base, own)| Arc::ptr_eq(base, own)) {
            return Err(Unusable::Late);
        }
        let ruleset = match Ruleset::compile_with(&read.json, &self.limits) {
            Ok(ruleset) => ruleset,
            Err(SpecsError::NoUpdates) if self.store.holds_specs() => return Err(Unusable::NothingNew),
            Err(SpecsError::NoUpdates) => {
                let reason = "no specs, only word that nothing is new";
                return Err(Unusable::refused(SourceErrorKind::Empty, reason.into(), read.is_delta));
            }
            Err(error) => return Err(invalid(error.into())),
        };
        if let (Some(key), Some(made_for)) = (&self.sdk_key, &ruleset.meta().hashed_sdk_key_used)
            && !key.is_named_by(made_for)
        {
            return Err(invalid("the document was made for another SDK key".into()));
        }
        let json = match read.json {
            Cow::Owned(json) => Some(json),
            Cow::Borrowed(_) => None,
        };
        Ok(Compiled { ruleset, json, parts: read.parts, is_delta: read.is_delta })
    }

    /// Takes note of a document that could be read.
    fn note_delta(&self, way: &Way, update: &SpecUpdate, is_delta: bool, outcome: UpdateOutcome, is_later: bool) {
        if is_delta {
            let outcome = if is_later { DeltaOutcome::Progress } else { DeltaOutcome::InVain };
            return self.deltas.difference(way.trigger(), outcome);
        }
        // What does not come into force says nothing, unless the network stands by what is in force.
        let stands = update.source == SpecSourceKind::Network && outcome == UpdateOutcome::Unchanged;
        if outcome == UpdateOutcome::Applied || stands {
            self.deltas.whole();
        }
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

/// A document that may come into force.
struct Compiled {
    ruleset: Ruleset,
    /// Its text, where it did not come as JSON.
    json: Option<Vec<u8>>,
    parts: Option<Arc<Parts>>,
    /// Whether a difference came, or what its source takes for one.
    is_delta: bool,
}

/// Why nothing of a document comes into force.
enum Unusable {
    /// It says that nothing is new.
    NothingNew,
    /// It is the difference to what is not in force any more.
    Late,
    Refused {
        error: SourceError,
        /// What that means for differences, if it is one.
        of_delta: Option<DeltaOutcome>,
    },
}

impl Unusable {
    fn refused(kind: SourceErrorKind, reason: Box<dyn std::error::Error + Send + Sync>, is_delta: bool) -> Self {
        let of_delta = is_delta.then_some(DeltaOutcome::InVain);
        Self::Refused { error: SourceError::new(kind, reason), of_delta }
    }

    /// Of a document that its source calls a difference or not.
    fn unreadable(unreadable: Unreadable, called_delta: bool) -> Self {
        if unreadable.is_misfit {
            let error = SourceError::new(SourceErrorKind::Invalid, unreadable.reason);
            return Self::Refused { error, of_delta: Some(DeltaOutcome::Misfit) };
        }
        Self::refused(SourceErrorKind::Invalid, unreadable.reason, called_delta)
    }
}

/// The shape of a document, for the key that it is stored under.
pub(super) fn is_v1(format: SpecsFormat) -> bool {
    format == SpecsFormat::V1
}
