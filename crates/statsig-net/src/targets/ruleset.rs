//! The ruleset of a client as a target: decodes, compiles, swaps one pointer.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use statsig_core::{
    Admission, AdmissionRules, AppliedPayload, CompileLimits, CurrentSpecs, Envelope, Error as SpecsError,
    PayloadFormat, Rejection, RejectionCause, Ruleset, SnapshotStore, SourceError, SourceErrorKind, SpecOrigin,
    SpecTarget, SpecUpdate, SpecVersion, SpecsFormat, StorePath, UpdateOutcome,
};

use super::read::{DecodedPayload, DeltaBase, decode};
use super::{no_specs, unusable};

/// Compiles payloads and makes them current in a [`SnapshotStore`].
///
/// ```
/// use std::sync::Arc;
/// use statsig_core::{Snapshot, SnapshotStore, SpecOrigin, SpecTarget};
/// use statsig_net::RulesetTarget;
///
/// let store = Arc::new(SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized)));
/// let target = RulesetTarget::new(Arc::clone(&store));
/// assert_eq!(target.current().version, None);
/// ```
#[derive(Debug)]
pub struct RulesetTarget {
    store: Arc<SnapshotStore>,
    limits: CompileLimits,
    base: Mutex<Option<RetainedBase>>,
}

/// Entities of the current payload, for the next delta.
#[derive(Clone)]
struct RetainedBase {
    version: SpecVersion,
    entities: Arc<DeltaBase>,
}

impl std::fmt::Debug for RetainedBase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RetainedBase").field("version", &self.version).finish_non_exhaustive()
    }
}

/// A payload that may become current.
struct CompiledPayload {
    ruleset: Ruleset,
    envelope: Envelope,
    /// JSON of the specs that a delta led to.
    full: Option<Vec<u8>>,
    base: Option<Arc<DeltaBase>>,
}

impl RulesetTarget {
    /// Returns a target with the default limits.
    #[must_use]
    pub fn new(store: Arc<SnapshotStore>) -> Arc<Self> {
        Self::with_limits(store, CompileLimits::default())
    }

    /// Returns a target with limits of the compiled payload.
    #[must_use]
    pub fn with_limits(store: Arc<SnapshotStore>, limits: CompileLimits) -> Arc<Self> {
        Arc::new(Self { store, limits, base: Mutex::default() })
    }

    /// Returns the store that holds the ruleset.
    #[must_use]
    pub fn store(&self) -> &Arc<SnapshotStore> {
        &self.store
    }

    fn base(&self) -> MutexGuard<'_, Option<RetainedBase>> {
        self.base.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the retained base, if its payload is current: others may have replaced the ruleset.
    fn current_base(&self) -> Option<RetainedBase> {
        let version = self.store.load().version();
        self.base().clone().filter(|base| base.version == version)
    }

    fn compile(&self, update: &SpecUpdate) -> Result<Option<CompiledPayload>, Rejection> {
        // A full payload may leave out the content of entities that the client has.
        let base = self
            .current_base()
            .filter(|base| update.delta_base.as_ref().is_none_or(|wanted| wanted.is_same_state(&base.version)));
        let limit = update.max_bytes.map_or(self.limits.max_bytes, |own| own.min(self.limits.max_bytes));
        let decoded = decode(update, limit, base.as_ref().map(|base| &*base.entities));
        let DecodedPayload { json, base, is_delta } = decoded.map_err(|failure| match &update.delta_base {
            Some(wanted) if failure.is_mismatch && !self.store.load().version().is_same_state(wanted) => {
                let reason = "other specs were applied while the delta was under way";
                Rejection::new(RejectionCause::BaseSuperseded, SourceError::new(SourceErrorKind::Failing, reason))
            }
            _ if failure.is_mismatch => {
                Rejection::new(RejectionCause::BaseMismatch, SourceError::new(SourceErrorKind::Invalid, failure.reason))
            }
            _ => unusable(failure.reason),
        })?;
        if is_delta && update.delta_base.is_none() {
            let reason = "a delta that does not name its base";
            let error = SourceError::new(SourceErrorKind::Invalid, reason);
            return Err(Rejection::new(RejectionCause::BaseMismatch, error));
        }
        let ruleset = match Ruleset::compile_with(&json, &self.limits) {
            Ok(ruleset) => ruleset,
            Err(SpecsError::NoUpdates) if self.store.holds_specs() => return Ok(None),
            Err(SpecsError::NoUpdates) => return Err(no_specs()),
            Err(error) => return Err(unusable(error)),
        };
        let meta = ruleset.meta();
        let path = if meta.format == SpecsFormat::V1 { StorePath::SpecsV1 } else { StorePath::SpecsV2 };
        let envelope = Envelope::new(meta.into(), path).with_hashed_sdk_key(meta.hashed_sdk_key_used.as_deref());
        let full = match json {
            Cow::Owned(json) if is_delta => Some(json),
            _ => None,
        };
        Ok(Some(CompiledPayload { ruleset, envelope, full, base }))
    }
}

impl SpecTarget for RulesetTarget {
    fn current(&self) -> CurrentSpecs {
        let snapshot = self.store.load();
        let origin = snapshot.source().clone();
        let version = origin.has_specs().then(|| snapshot.version());
        CurrentSpecs::new(origin, version, snapshot.received_at_ms())
    }

    fn admit(&self, update: &SpecUpdate, rules: &AdmissionRules<'_>) -> Admission {
        let CompiledPayload { ruleset, envelope, full, base } = match self.compile(update) {
            Ok(Some(compiled)) => compiled,
            Ok(None) => return Admission::Unchanged(None),
            Err(rejection) => return Admission::Rejected(rejection),
        };
        if let Err(rejection) = rules.check(&envelope) {
            return Admission::Rejected(rejection);
        }
        let problems = ruleset.problems().len();
        match self.store.apply_compiled(ruleset, update.origin.clone(), update.received_at_ms) {
            UpdateOutcome::Applied => {
                let base = base.filter(|_| rules.retains_delta_base);
                *self.base() = base.map(|entities| RetainedBase { version: envelope.version.clone(), entities });
                let applied = AppliedPayload::new(envelope).with_full(full.map(Into::into));
                Admission::Applied(applied.with_problems(problems))
            }
            UpdateOutcome::Older => Admission::Older(envelope),
            _ => Admission::Unchanged(Some(envelope)),
        }
    }

    fn accepts(&self, format: PayloadFormat) -> bool {
        format == PayloadFormat::Json || cfg!(feature = "proto") && format == PayloadFormat::Protobuf
    }

    fn delta_base(&self) -> Option<SpecVersion> {
        self.current_base().map(|base| base.version)
    }

    fn mark_without_specs(&self, origin: SpecOrigin) {
        self.store.mark_without_specs(origin);
    }

    fn free_replaced(&self) -> usize {
        self.store.free_replaced()
    }
}

#[cfg(test)]
mod tests {
    use statsig_core::testing::spec_target_contract;
    use statsig_core::{Reach, Snapshot};

    use super::*;

    #[test]
    fn it_keeps_the_contract() {
        let store = Arc::new(SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized)));
        let payload = |time_ms, checksum: &str| super::super::payload::tests::json(time_ms, checksum, Reach::Upstream);
        spec_target_contract(&*RulesetTarget::new(store), payload);
    }

    #[cfg(feature = "proto")]
    #[test]
    fn it_keeps_the_contract_with_binary_payloads() {
        let store = Arc::new(SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized)));
        spec_target_contract(&*RulesetTarget::new(store), super::super::payload::tests::protobuf);
    }
}
