//! Consumers of accepted payloads.

use std::sync::Arc;

use bytes::Bytes;

use crate::{PayloadFormat, SourceError, SpecOrigin, SpecUpdate, SpecVersion, StorePath};

/// Outer fields of a payload, read without its specs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Envelope {
    /// Version of the payload.
    pub version: SpecVersion,
    /// Shape of the payload, as the path that it is downloaded from and stored under:
    /// [`StorePath::SpecsV1`] or [`StorePath::SpecsV2`].
    pub path: StorePath,
    /// Hash of the SDK key that the payload was made for, if it says so.
    pub hashed_sdk_key: Option<Arc<str>>,
}

impl Envelope {
    /// Returns an envelope that names no SDK key.
    #[must_use]
    pub fn new(version: SpecVersion, path: StorePath) -> Self {
        Self { version, path, hashed_sdk_key: None }
    }

    /// Sets the hash of the SDK key that the payload was made for.
    #[must_use]
    pub fn with_hashed_sdk_key(mut self, hash: Option<impl Into<Arc<str>>>) -> Self {
        self.hashed_sdk_key = hash.map(Into::into);
        self
    }
}

/// Answer of a [`SpecTarget`] to a payload.
#[derive(Debug)]
#[non_exhaustive]
pub enum Admission {
    /// The payload is current now.
    Applied(AppliedPayload),
    /// The payload says that nothing is new, or has the checksum of the current one. Holds its envelope if it is a
    /// payload of specs.
    Unchanged(Option<Envelope>),
    /// The payload is older than the current one.
    Older(Envelope),
    /// The payload cannot be used.
    Rejected(Rejection),
}

/// A payload that became current.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AppliedPayload {
    /// Outer fields of the payload.
    pub envelope: Envelope,
    /// JSON of the specs that a delta led to; `None` if a full payload came.
    pub full: Option<Bytes>,
    /// Number of parts of the payload that could not be used.
    pub problems: usize,
}

impl AppliedPayload {
    /// Returns a full payload without problems.
    #[must_use]
    pub fn new(envelope: Envelope) -> Self {
        Self { envelope, full: None, problems: 0 }
    }

    /// Sets the JSON that a delta led to.
    #[must_use]
    pub fn with_full(mut self, full: Option<Bytes>) -> Self {
        self.full = full;
        self
    }

    /// Sets the number of parts that could not be used.
    #[must_use]
    pub fn with_problems(mut self, problems: usize) -> Self {
        self.problems = problems;
        self
    }
}

/// Refusal of a payload.
#[derive(Debug)]
#[non_exhaustive]
pub struct Rejection {
    /// Reason, as far as it decides what is fetched next.
    pub cause: RejectionCause,
    /// The error for reports.
    pub error: SourceError,
}

impl Rejection {
    /// Returns a refusal.
    #[must_use]
    pub fn new(cause: RejectionCause, error: SourceError) -> Self {
        Self { cause, error }
    }
}

/// Reason for refusing a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectionCause {
    /// The payload says that nothing is new, but nothing is held.
    NoSpecs,
    /// The payload is damaged, too large, or not config specs.
    Unusable,
    /// The payload was made for another SDK key.
    OtherKey,
    /// The payload is a delta that does not fit the current payload.
    BaseMismatch,
    /// The payload is a delta to a payload that is no longer current.
    BaseSuperseded,
    /// The client was inherited by a forked child, or is shut down.
    Disabled,
}

/// Conditions that a payload has to meet beyond those of the target.
pub struct AdmissionRules<'a> {
    check: &'a (dyn Fn(&Envelope) -> Result<(), Rejection> + 'a),
    /// True if the target retains the base that a later delta refers to.
    pub retains_delta_base: bool,
}

impl std::fmt::Debug for AdmissionRules<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdmissionRules").field("retains_delta_base", &self.retains_delta_base).finish_non_exhaustive()
    }
}

impl<'a> AdmissionRules<'a> {
    /// Returns rules with a check of the envelope.
    #[must_use]
    pub fn new(check: &'a (dyn Fn(&Envelope) -> Result<(), Rejection> + 'a), retains_delta_base: bool) -> Self {
        Self { check, retains_delta_base }
    }

    /// Checks an envelope.
    ///
    /// # Errors
    /// If the payload must not become current: it was made for another SDK key, for instance.
    pub fn check(&self, envelope: &Envelope) -> Result<(), Rejection> {
        (self.check)(envelope)
    }
}

/// The payload that a target holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CurrentSpecs {
    /// Origin of the specs, or the reason why there are none.
    pub origin: SpecOrigin,
    /// Version of the specs; `None` while there are none.
    pub version: Option<SpecVersion>,
    /// Time of reception, in milliseconds since 1970; 0 while there are no specs.
    pub received_at_ms: u64,
}

impl CurrentSpecs {
    /// Returns the description of a held payload.
    #[must_use]
    pub fn new(origin: SpecOrigin, version: Option<SpecVersion>, received_at_ms: u64) -> Self {
        Self { origin, version, received_at_ms }
    }
}

/// Consumer of payloads: a client's ruleset, or a feed of a proxy.
///
/// # Duties of an implementor
///
/// - **Order.** A payload becomes current only if [`SpecVersion::compare_to_held`] says that it is newer. Comparison
///   and swap are one step for concurrent calls.
/// - **A rejected payload changes nothing.**
/// - **The rules are checked** with the payload's envelope before the swap.
/// - **No locks for readers** of what is current.
///
/// # Contract test
///
/// `statsig_adapters::testing::spec_target_contract` (feature `testing`) checks these duties.
pub trait SpecTarget: Send + Sync {
    /// Returns what the target holds. Called often; takes no lock that an `admit` holds for long.
    fn current(&self) -> CurrentSpecs;

    /// Reads a payload and makes it current if it is newer than the one held.
    ///
    /// Called on a thread that may block, by one caller at a time.
    fn admit(&self, update: &SpecUpdate, rules: &AdmissionRules<'_>) -> Admission;

    /// Returns whether the target reads a format; by default, JSON only.
    fn accepts(&self, format: PayloadFormat) -> bool {
        format == PayloadFormat::Json
    }

    /// Returns the version that a delta may refer to; `None` by default.
    fn delta_base(&self) -> Option<SpecVersion> {
        None
    }

    /// Records why there are no specs, if there are none. Nothing by default.
    fn mark_without_specs(&self, origin: SpecOrigin) {
        let _ = origin;
    }

    /// Frees payloads that were replaced and that nobody uses any more; returns how many are still in use.
    ///
    /// Called on a thread that may block. By default there are none.
    fn free_replaced(&self) -> usize {
        0
    }
}
