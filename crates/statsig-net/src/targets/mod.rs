//! Consumers of accepted payloads.
//!
//! | target | used by | reads |
//! | --- | --- | --- |
//! | [`RulesetTarget`] | a client | all of a payload: decodes, compiles, swaps the ruleset |
//! | [`PayloadTarget`] | a feed of a proxy | the envelope; publishes the bytes to connections |

mod payload;
mod read;
mod ruleset;

pub use self::payload::{PayloadTarget, PublishedPayload};
pub use self::ruleset::RulesetTarget;

use statsig_core::{Rejection, RejectionCause, SourceError, SourceErrorKind};

/// Returns the refusal of a payload that says nothing is new to a target that holds nothing.
fn no_specs() -> Rejection {
    let reason = "no specs, only word that nothing is new";
    Rejection::new(RejectionCause::NoSpecs, SourceError::new(SourceErrorKind::Empty, reason))
}

/// Returns the refusal of a payload that cannot be used.
fn unusable(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Rejection {
    Rejection::new(RejectionCause::Unusable, SourceError::new(SourceErrorKind::Invalid, reason))
}
