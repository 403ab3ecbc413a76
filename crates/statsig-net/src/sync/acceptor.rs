//! The only way in for payloads: judges them, and hands them to the target.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use statsig_background::ForkGuard;
use statsig_core::{
    AcceptedEncodings, Admission, AdmissionRules, AppliedPayload, Clock, CurrentSpecs, Envelope, Observer,
    PayloadFormat, Reach, Rejection, RejectionCause, SourceError, SourceErrorKind, SpecRequest, SpecTarget,
    SpecTrigger, SpecUpdate, SpecVersion,
};
use tokio::sync::watch;

use super::delta_policy::{DeltaOutcome, DeltaPolicy, FetchExtent};
use super::turn::{Admittance, Turn};
use super::updated::{SpecsListener, SpecsUpdated};
use super::write_back::{AcceptedPayload, WriteBackQueue};
use crate::metrics::Metrics;
use crate::secret::SdkKey;

/// Options of a [`PayloadAcceptor`].
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct AcceptorOptions {
    /// The key that payloads must be made for, where they name one. Default: any.
    pub sdk_key: Option<SdkKey>,
    /// Callback for specs that became current.
    pub on_update: Option<SpecsListener>,
    /// Receives metrics: `docs/protocol/network.md#metrics`.
    pub observer: Option<Arc<dyn Observer>>,
}

impl std::fmt::Debug for AcceptorOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AcceptorOptions").field("sdk_key", &self.sdk_key).finish_non_exhaustive()
    }
}

/// The only way in for payloads, whatever brings them: polls, streams, bootstrap, the application.
///
/// Accepts one payload at a time:
///
/// 1. Bytes that are current already are `Unchanged`, unread.
/// 2. The target reads the payload, and refuses one that is damaged or not config specs.
/// 3. A payload that was made for another SDK key is refused.
/// 4. The target compares versions, and makes a newer payload current in one step.
/// 5. The payload is queued for the data store and the last-known-good file, and reported.
///
/// Cloning shares everything. A [`SpecSync`](crate::SpecSync) has an acceptor, and lends it to others.
///
/// In a forked child, the acceptor of a `SpecSync` refuses payloads at once, and any other one if a thread of the parent
/// was judging a payload: no lock is waited for that nobody will release.
#[derive(Clone)]
pub struct PayloadAcceptor {
    shared: Arc<AcceptorShared>,
}

impl std::fmt::Debug for PayloadAcceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PayloadAcceptor").finish_non_exhaustive()
    }
}

struct AcceptorShared {
    target: Arc<dyn SpecTarget>,
    sdk_key: Option<SdkKey>,
    listener: Option<SpecsListener>,
    queue: Arc<WriteBackQueue>,
    deltas: DeltaPolicy,
    encodings: AcceptedEncodings,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    /// Held while one payload is judged and reported.
    turn: Turn,
    current: Mutex<CurrentPayload>,
    /// Notices that wait for the listener.
    notices: Mutex<VecDeque<SpecsUpdated>>,
    listener_panics: AtomicU64,
    time: watch::Sender<u64>,
    /// The process that the acceptor belongs to; `None` if it works in every one.
    process: Option<ForkGuard>,
}

/// Facts about the current payload that the target does not hold.
#[derive(Default)]
struct CurrentPayload {
    /// Digest and version of the payload.
    accepted: Option<([u8; 32], SpecVersion)>,
    /// Time of a later payload with the checksum of the current one.
    same_until_ms: u64,
    address: Option<Arc<str>>,
    reach: Option<Reach>,
    is_own_copy: bool,
}

/// Circumstances in which a payload arrived.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Arrival {
    /// Reason for the fetch; `None` for what a stream or the application brought.
    pub(super) trigger: Option<SpecTrigger>,
    /// Whether the source holds the client's own earlier payloads.
    pub(super) is_own_copy: bool,
}

/// What the sync engine adds to an acceptor.
#[derive(Default)]
pub(super) struct EngineParts {
    pub(super) queue: Arc<WriteBackQueue>,
    pub(super) deltas: DeltaPolicy,
    pub(super) encodings: AcceptedEncodings,
    /// The process that the engine belongs to.
    pub(super) process: Option<ForkGuard>,
}

impl PayloadAcceptor {
    /// Returns an acceptor without persistence, for a target that nothing keeps up to date.
    #[must_use]
    pub fn new(target: Arc<dyn SpecTarget>, options: AcceptorOptions, clock: Arc<dyn Clock>) -> Self {
        let metrics = Metrics::new(options.observer.clone());
        Self::with_parts(target, options, clock, metrics, EngineParts::default())
    }

    pub(super) fn with_parts(
        target: Arc<dyn SpecTarget>,
        options: AcceptorOptions,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
        parts: EngineParts,
    ) -> Self {
        let time = target.current().version.map_or(0, |version| version.time_ms);
        let shared = AcceptorShared {
            target,
            sdk_key: options.sdk_key,
            listener: options.on_update,
            queue: parts.queue,
            deltas: parts.deltas,
            encodings: parts.encodings,
            clock,
            metrics,
            turn: Turn::default(),
            current: Mutex::default(),
            notices: Mutex::default(),
            listener_panics: AtomicU64::new(0),
            time: watch::Sender::new(time),
            process: parts.process,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Judges a payload, and makes it current if it is newer: `docs/protocol/network.md#acceptance`.
    ///
    /// Decodes, compiles and reports on the calling thread, after waiting for a payload that is being judged. Within a
    /// report, a payload is judged at once, and reported after it.
    #[must_use]
    pub fn admit(&self, update: SpecUpdate) -> Admission {
        self.admit_from(update, Arrival::default())
    }

    /// Does the same on a blocking thread. If the future is dropped, that goes on.
    pub(super) async fn accept(&self, update: SpecUpdate, arrival: Arrival) -> (Admission, Duration) {
        let begun = tokio::time::Instant::now();
        let acceptor = self.clone();
        let work = tokio::task::spawn_blocking(move || acceptor.admit_from(update, arrival));
        let admission = work.await.unwrap_or_else(|error| {
            let what = if error.is_panic() { "reading the payload failed unexpectedly" } else { "the runtime ended" };
            Admission::Rejected(Rejection::new(
                RejectionCause::Unusable,
                SourceError::new(SourceErrorKind::Invalid, what),
            ))
        });
        (admission, begun.elapsed())
    }

    fn admit_from(&self, update: SpecUpdate, arrival: Arrival) -> Admission {
        let shared = &self.shared;
        if shared.process.is_some_and(ForkGuard::is_inherited) {
            return inherited();
        }
        match shared.turn.wait() {
            Admittance::Granted(_turn) => {
                let admission = shared.judge(update, arrival);
                shared.deliver_notices();
                admission
            }
            // The call that has the turn reports.
            Admittance::Nested => shared.judge(update, arrival),
            Admittance::Stuck => inherited(),
        }
    }

    /// Returns the request for the next fetch from a source, or for a subscription.
    pub(super) fn request(&self, reach: Reach, trigger: SpecTrigger) -> SpecRequest {
        let shared = &self.shared;
        let request = |version| {
            SpecRequest::new(version, trigger)
                .with_protobuf(shared.target.accepts(PayloadFormat::Protobuf))
                .with_encodings(shared.encodings)
        };
        let version = self.version();
        if reach != Reach::Upstream {
            return request(version);
        }
        match shared.deltas.extent(trigger, self.has_delta_base(version.as_ref()), shared.clock.now_ms()) {
            FetchExtent::Delta => request(version).with_deltas(true),
            FetchExtent::Newer => request(version),
            FetchExtent::Everything => {
                tracing::info!("deltas make no progress; fetching full config specs");
                request(None)
            }
        }
    }

    /// Returns the request for a subscription to a stream.
    pub(super) fn stream_request(&self, reach: Reach) -> SpecRequest {
        let version = self.version();
        let has_base = reach == Reach::Upstream && self.has_delta_base(version.as_ref());
        let accepts_deltas = self.shared.deltas.allows_streamed(has_base);
        SpecRequest::new(version, SpecTrigger::Background)
            .with_protobuf(self.shared.target.accepts(PayloadFormat::Protobuf))
            .with_encodings(self.shared.encodings)
            .with_deltas(accepts_deltas)
    }

    /// Returns whether the target can apply a delta to a version.
    fn has_delta_base(&self, version: Option<&SpecVersion>) -> bool {
        let base = self.shared.target.delta_base();
        base.zip(version).is_some_and(|(base, version)| base.is_same_state(version))
    }

    /// Returns the version that a source need not send again; `None` if there are no specs, or their time orders
    /// nothing.
    pub(super) fn version(&self) -> Option<SpecVersion> {
        let current = self.shared.target.current();
        let mut version = current.version?;
        if version.time_ms == 0 || version.is_future(current.received_at_ms) {
            return None;
        }
        version.time_ms = version.time_ms.max(self.shared.current().same_until_ms);
        Some(version)
    }

    /// Returns what the target holds.
    pub(super) fn specs(&self) -> CurrentSpecs {
        self.shared.target.current()
    }

    /// Returns whether the target holds specs.
    pub(super) fn has_specs(&self) -> bool {
        self.specs().version.is_some()
    }

    /// Returns the time of the current specs, in milliseconds since 1970; 0 if there are none.
    pub(super) fn time_ms(&self) -> u64 {
        self.specs().version.map_or(0, |version| version.time_ms)
    }

    pub(super) fn target(&self) -> &Arc<dyn SpecTarget> {
        &self.shared.target
    }

    /// Returns the address or place that the current specs came from.
    pub(super) fn address(&self) -> Option<Arc<str>> {
        self.shared.current().address.clone()
    }

    /// Returns the reach of the source of the current specs; `None` if they did not come through this acceptor.
    pub(super) fn reach(&self) -> Option<Reach> {
        self.shared.current().reach
    }

    /// Returns whether the current specs are the client's own earlier copy.
    pub(super) fn is_own_copy(&self) -> bool {
        self.shared.current().is_own_copy
    }

    /// Records that an upstream source has nothing newer than the current specs.
    pub(super) fn confirm(&self) {
        self.shared.queue.confirm();
    }

    /// Records for the delta policy that an upstream source has nothing new.
    pub(super) fn record_unchanged(&self) {
        self.shared.deltas.record_unchanged();
    }

    /// Follows the time of the current specs, in milliseconds since 1970.
    pub(super) fn updates(&self) -> watch::Receiver<u64> {
        self.shared.time.subscribe()
    }

    pub(super) fn queue(&self) -> &Arc<WriteBackQueue> {
        &self.shared.queue
    }

    pub(super) fn listener_panics(&self) -> u64 {
        self.shared.listener_panics.load(Ordering::Relaxed)
    }
}

/// Returns the refusal of a payload in a forked child.
fn inherited() -> Admission {
    let error = SourceError::new(SourceErrorKind::Disabled, super::inherited::INHERITED);
    Admission::Rejected(Rejection::new(RejectionCause::Disabled, error))
}

impl AcceptorShared {
    fn current(&self) -> MutexGuard<'_, CurrentPayload> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn judge(&self, update: SpecUpdate, arrival: Arrival) -> Admission {
        let begun = Instant::now();
        let digest: [u8; 32] = Sha256::digest(&update.payload).into();
        let before = self.target.current().version;
        let is_current = self
            .current()
            .accepted
            .as_ref()
            .is_some_and(|(accepted, version)| *accepted == digest && before.as_ref() == Some(version));
        if is_current {
            self.record(&update, arrival, false, true);
            return Admission::Unchanged(None);
        }
        let check = |envelope: &Envelope| self.check_key(envelope);
        let rules = AdmissionRules::new(&check, self.deltas.enabled());
        let previous_time = before.map_or(0, |version| version.time_ms);
        let known_until = self.current().same_until_ms.max(previous_time);
        let admission = self.target.admit(&update, &rules);
        match &admission {
            Admission::Applied(applied) => {
                self.record(&update, arrival, applied.envelope.version.time_ms > known_until, true);
                let duration = begun.elapsed();
                self.apply(update, applied, arrival, (digest, previous_time, duration));
            }
            Admission::Unchanged(None) => self.deltas.record_unchanged(),
            Admission::Unchanged(Some(envelope)) => {
                let version = &envelope.version;
                self.record(&update, arrival, version.time_ms > known_until, update.reach == Reach::Upstream);
                if !version.is_future(update.received_at_ms) {
                    let mut current = self.current();
                    current.same_until_ms = current.same_until_ms.max(version.time_ms);
                }
            }
            Admission::Rejected(rejection) => self.record_rejection(&update, arrival, rejection.cause),
            _ => self.record(&update, arrival, false, false),
        }
        admission
    }

    /// Refuses a payload that was made for another SDK key.
    fn check_key(&self, envelope: &Envelope) -> Result<(), Rejection> {
        match (&self.sdk_key, &envelope.hashed_sdk_key) {
            (Some(key), Some(made_for)) if !key.is_named_by(made_for) => {
                let error = SourceError::new(SourceErrorKind::Invalid, "the payload was made for another SDK key");
                Err(Rejection::new(RejectionCause::OtherKey, error))
            }
            _ => Ok(()),
        }
    }

    /// Records what a payload that could be read says about deltas.
    ///
    /// A full payload that is not current proves nothing, unless an upstream source confirms the current one with it.
    fn record(&self, update: &SpecUpdate, arrival: Arrival, is_later: bool, is_confirmed: bool) {
        if update.delta_base.is_some() {
            let outcome = if is_later { DeltaOutcome::Progress } else { DeltaOutcome::NoProgress };
            self.deltas.record_delta(arrival.trigger, outcome);
        } else if is_confirmed {
            self.deltas.record_full();
        }
    }

    fn record_rejection(&self, update: &SpecUpdate, arrival: Arrival, cause: RejectionCause) {
        match cause {
            RejectionCause::BaseMismatch => self.deltas.record_delta(arrival.trigger, DeltaOutcome::Mismatch),
            RejectionCause::BaseSuperseded => {}
            _ if update.delta_base.is_some() => self.deltas.record_delta(arrival.trigger, DeltaOutcome::NoProgress),
            _ => {}
        }
    }

    /// Records a payload that became current, and queues it for persistence and the listener.
    fn apply(
        &self,
        mut update: SpecUpdate,
        applied: &AppliedPayload,
        arrival: Arrival,
        (digest, previous_time, compile_duration): ([u8; 32], u64, Duration),
    ) {
        let envelope = &applied.envelope;
        let version = envelope.version.clone();
        let is_from_delta = update.delta_base.take().is_some();
        *self.current() = CurrentPayload {
            accepted: Some((digest, version.clone())),
            same_until_ms: version.time_ms,
            address: update.address.clone(),
            reach: Some(update.reach),
            is_own_copy: arrival.is_own_copy,
        };
        if let Some(full) = &applied.full {
            // Nobody else has the base of a delta.
            update.payload = full.clone();
            update.format = PayloadFormat::Json;
        }
        update.version = Some(version.clone());
        let update = Arc::new(update);
        let updated = SpecsUpdated {
            time: version.time_ms,
            previous_time,
            update: Arc::clone(&update),
            problems: applied.problems,
            compile_duration,
        };
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).push_back(updated);
        let is_own_copy = arrival.is_own_copy;
        self.queue.put(&AcceptedPayload { update, envelope: envelope.clone(), is_own_copy, is_from_delta });
    }

    /// Reports what became current, in its order.
    fn deliver_notices(&self) {
        let next = || self.notices.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        while let Some(updated) = next() {
            self.announce(&updated);
            self.time.send_replace(updated.time);
        }
    }

    fn announce(&self, updated: &SpecsUpdated) {
        let update = &updated.update;
        tracing::info!(
            time = updated.time,
            source = %update.origin,
            bytes = update.payload.len(),
            problems = updated.problems,
            "config specs updated"
        );
        if updated.previous_time > 0 {
            let now = self.clock.unix_ms();
            let age = Duration::from_millis(now.saturating_sub(updated.time));
            self.metrics.propagation(age, &update.origin, update.address.as_deref());
        }
        let Some(listener) = &self.listener else { return };
        if catch_unwind(AssertUnwindSafe(|| listener(updated))).is_err() {
            self.listener_panics.fetch_add(1, Ordering::Relaxed);
            self.metrics.panicked("specs-listener");
            tracing::error!("the listener for new specs panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use statsig_core::{FixedClock, Snapshot, SnapshotStore, SpecOrigin};

    use super::*;
    use crate::RulesetTarget;

    fn payload(time: u64, key: Option<&SdkKey>) -> SpecUpdate {
        let key = key.map_or(String::new(), |key| format!(r#""hashed_sdk_key_used":"{}","#, key.hash()));
        let text = format!(
            r#"{{"has_updates":true,{key}"time":{time},"feature_gates":{{}},"dynamic_configs":{{}},"layer_configs":{{}},
            "condition_map":{{}}}}"#
        );
        SpecUpdate::new(text.into_bytes(), SpecOrigin::Bootstrap, Reach::Local, 9)
    }

    fn acceptor(on_update: Option<SpecsListener>, parts: EngineParts) -> PayloadAcceptor {
        let store = Arc::new(SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized)));
        let options = AcceptorOptions { sdk_key: Some(SdkKey::new("secret-own")), on_update, observer: None };
        let (target, clock) = (RulesetTarget::new(store), Arc::new(FixedClock(0)));
        PayloadAcceptor::with_parts(target, options, clock, Metrics::default(), parts)
    }

    #[test]
    fn a_payload_for_another_key_is_refused() {
        let acceptor = acceptor(None, EngineParts::default());
        match acceptor.admit(payload(5, Some(&SdkKey::new("secret-other")))) {
            Admission::Rejected(rejection) => assert_eq!(rejection.cause, RejectionCause::OtherKey),
            other => panic!("{other:?}"),
        }
        assert!(!acceptor.has_specs());
        for update in [payload(5, Some(&SdkKey::new("secret-own"))), payload(6, None)] {
            assert!(matches!(acceptor.admit(update), Admission::Applied(_)));
        }
    }

    #[test]
    fn bytes_that_are_current_are_not_read_again() {
        let acceptor = acceptor(None, EngineParts::default());
        assert!(matches!(acceptor.admit(payload(5, None)), Admission::Applied(_)));
        assert!(matches!(acceptor.admit(payload(5, None)), Admission::Unchanged(None)), "unread");
        let mut longer = payload(5, None);
        longer.payload = [&longer.payload[..], b" "].concat().into();
        assert!(matches!(acceptor.admit(longer), Admission::Applied(_)), "no checksum tells them apart");
        assert!(matches!(acceptor.admit(payload(4, None)), Admission::Older(_)));
    }

    #[test]
    fn an_accepted_payload_is_queued_with_its_version_and_shares_its_bytes() {
        let queue = Arc::new(WriteBackQueue::new(true, true));
        let acceptor = acceptor(None, EngineParts { queue: Arc::clone(&queue), ..EngineParts::default() });
        let mut update = payload(5, None);
        update.reach = Reach::Upstream;
        let bytes = update.payload.clone();
        assert!(matches!(acceptor.admit(update), Admission::Applied(_)));
        for room in [queue.store(), queue.disk()] {
            let queued = room.and_then(|room| room.take()).unwrap();
            assert_eq!(queued.update.payload.as_ptr(), bytes.as_ptr(), "copied");
            assert_eq!(queued.update.version, Some(SpecVersion::new(5, None)));
            assert_eq!(queued.envelope.version, SpecVersion::new(5, None));
        }
    }

    #[test]
    fn a_listener_may_supply_specs() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let own: Arc<std::sync::OnceLock<PayloadAcceptor>> = Arc::default();
        let listener: SpecsListener = {
            let (heard, own) = (Arc::clone(&heard), Arc::clone(&own));
            Arc::new(move |updated| {
                if updated.time == 5 {
                    assert!(matches!(own.get().unwrap().admit(payload(6, None)), Admission::Applied(_)));
                }
                heard.lock().unwrap().push((updated.previous_time, updated.time));
            })
        };
        let acceptor = acceptor(Some(listener), EngineParts::default());
        own.set(acceptor.clone()).unwrap();
        assert!(matches!(acceptor.admit(payload(5, None)), Admission::Applied(_)));
        assert_eq!(*heard.lock().unwrap(), [(0, 5), (5, 6)]);
        assert_eq!((acceptor.time_ms(), *acceptor.updates().borrow()), (6, 6));
    }

    #[test]
    fn an_inherited_engine_takes_nothing_and_waits_for_no_lock() {
        let process = Some(ForkGuard::inherited());
        let acceptor = acceptor(None, EngineParts { process, ..EngineParts::default() });
        let shared = Arc::clone(&acceptor.shared);
        // Another thread of the parent had the turn.
        std::thread::scope(|scope| {
            let _turn = shared.turn.wait();
            let admission = scope.spawn(|| acceptor.admit(payload(5, None))).join().unwrap();
            match admission {
                Admission::Rejected(rejection) => assert_eq!(rejection.cause, RejectionCause::Disabled),
                other => panic!("{other:?}"),
            }
        });
        assert!(!acceptor.has_specs());
    }
}
