//! Why a result is what it is.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::evaluate::DEPTH_ERROR;
use crate::snapshot::Snapshot;
use statsig_adapters::SpecOrigin;

/// How an evaluation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The rules decided.
    Recognized,
    /// There is no spec of that name.
    Unrecognized,
    /// The rules use something that this version does not know; the value is the default.
    Unsupported,
    /// An override decided.
    LocalOverride,
    /// Gates nest too deep, or refer to each other in a circle; the value is the default.
    DepthExceeded,
    /// The user keeps an earlier assignment.
    Persisted,
}

/// Where a value came from, how, and how old the specs were
/// (`docs/protocol/evaluation.md#results`).
///
/// `Display` and `Serialize` give the text that other Statsig SDKs report as `reason`, for instance
/// `Bootstrap:Recognized`; it is put together only then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvaluationDetails<'a> {
    pub(super) source: &'a SpecOrigin,
    pub(super) reason: Reason,
    pub(super) lcut: Option<u64>,
    pub(super) received_at_ms: Option<u64>,
    pub(super) version: Option<u32>,
}

impl<'a> EvaluationDetails<'a> {
    /// Details of a result that was found in `snapshot` now.
    pub(super) fn of(snapshot: &'a Snapshot, reason: Reason, version: Option<u32>) -> Self {
        let source = snapshot.source();
        let has_times = source.has_values() && reason != Reason::DepthExceeded;
        Self {
            source,
            reason,
            lcut: has_times.then(|| snapshot.ruleset().meta().time),
            received_at_ms: has_times.then(|| snapshot.received_at_ms()),
            version: if reason == Reason::Unrecognized { None } else { version },
        }
    }

    /// Where the specs came from.
    #[must_use]
    pub fn source(&self) -> &'a SpecOrigin {
        self.source
    }

    /// How the evaluation ended.
    #[must_use]
    pub fn kind(&self) -> Reason {
        self.reason
    }

    /// The reason as text, source included; allocates.
    #[must_use]
    pub fn reason(&self) -> String {
        self.to_string()
    }

    /// When the project last changed (`lcut`), in milliseconds since 1970; of an earlier assignment,
    /// what that was then. `None` without specs and after an error.
    #[must_use]
    pub fn lcut(&self) -> Option<u64> {
        self.lcut
    }

    /// When the specs were received, in milliseconds since 1970; of an earlier assignment, when it
    /// was given. `None` without specs and after an error.
    #[must_use]
    pub fn received_at_ms(&self) -> Option<u64> {
        self.received_at_ms
    }

    /// Version of the spec; `None` if it has none or there is no spec.
    #[must_use]
    pub fn version(&self) -> Option<u32> {
        self.version
    }

    /// The reason without the source: `Recognized`, `LocalOverride:Recognized`, `Error:…`.
    fn write_reason(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            Reason::Recognized => f.write_str("Recognized"),
            Reason::Unrecognized => f.write_str("Unrecognized"),
            Reason::Unsupported => f.write_str("Unsupported"),
            Reason::LocalOverride => f.write_str("LocalOverride:Recognized"),
            Reason::DepthExceeded => write!(f, "Error:{DEPTH_ERROR}"),
            Reason::Persisted => f.write_str("Persisted"),
        }
    }
}

impl fmt::Display for EvaluationDetails<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            Reason::LocalOverride | Reason::DepthExceeded | Reason::Persisted => self.write_reason(f),
            _ if !self.source.has_values() => write!(f, "{}", self.source),
            _ => {
                write!(f, "{}:", self.source)?;
                self.write_reason(f)
            }
        }
    }
}

impl Serialize for EvaluationDetails<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut out = serializer.serialize_struct("EvaluationDetails", 4)?;
        out.serialize_field("reason", &self.reason())?;
        out.serialize_field("lcut", &self.lcut())?;
        out.serialize_field("received_at", &self.received_at_ms())?;
        out.serialize_field("version", &self.version)?;
        out.end()
    }
}
