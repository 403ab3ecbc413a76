//! The refusal of calls in a forked child.

/// Reason why nothing is done in a forked child.
pub(super) const INHERITED: &str =
    "this process was forked from the one that built the client; build a new client here";
