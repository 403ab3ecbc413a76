//! Feature gates.

use std::fmt;

use super::Record;
use crate::evaluate::{Call, EvaluationContext, Evaluator, Kind, NoTrace, Outcome};

/// The result of a gate check.
///
/// A name without a gate gives `false`, an empty rule ID and the reason `…:Unrecognized`.
#[derive(Clone)]
pub struct FeatureGate {
    pub(super) record: Record,
}

impl FeatureGate {
    accessors!();

    /// Whether the gate is open for the user.
    #[must_use]
    pub fn value(&self) -> bool {
        self.record.outcome.passed
    }

    /// The rule that decided; `default`, `disabled`, `override`, or empty if there was none.
    #[must_use]
    pub fn rule_id(&self) -> &str {
        self.record.rule_id()
    }

    /// The id type of the gate; empty if there is no such gate.
    #[must_use]
    pub fn id_type(&self) -> &str {
        self.record.id_type()
    }
}

impl fmt::Debug for FeatureGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FeatureGate")
            .field("name", &self.name())
            .field("value", &self.value())
            .field("rule_id", &self.rule_id())
            .field("reason", &format_args!("{}", self.details()))
            .finish()
    }
}

impl EvaluationContext<'_> {
    /// Checks a gate: false for unknown names and wherever something is wrong.
    ///
    /// No allocation, no lock, no formatting for gates of ordinary shape; conditions on upper-case
    /// text that is long or not ASCII, and projects whose gates form cycles or nest very deep,
    /// allocate a little.
    #[must_use]
    pub fn check_gate(&self, name: &str) -> bool {
        self.check_called_gate(Call::by_name(self.snapshot.ruleset(), name, Kind::Gate))
    }

    #[inline]
    pub(super) fn check_called_gate(&self, call: Call<'_>) -> bool {
        let ruleset = self.snapshot.ruleset();
        if self.overrides.is_none() {
            match ruleset.spec(call.spec) {
                Some(spec) if spec.is_plain => return self.plain_decision(spec).passed,
                None if ruleset.mappings.is_empty() => return false,
                _ => {}
            }
        }
        self.evaluate_gate(call)
    }

    /// Checks a gate with all that may take part. Apart, so that plain gates need no room for it.
    #[inline(never)]
    fn evaluate_gate(&self, call: Call<'_>) -> bool {
        let mut outcome = Outcome::new(0);
        Evaluator::new(*self, NoTrace).run(&mut outcome, call).is_ok() && outcome.passed
    }

    /// Evaluates a gate. `record`: also keep the gates that took part.
    #[must_use]
    pub fn feature_gate(&self, name: &str, record: bool) -> FeatureGate {
        FeatureGate { record: Record::of(*self, Call::by_name(self.snapshot.ruleset(), name, Kind::Gate), record) }
    }
}
