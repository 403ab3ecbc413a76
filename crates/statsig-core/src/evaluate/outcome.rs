//! The result of an evaluation, in terms of the ruleset.

use crate::json::Json;
use crate::ruleset::{MaybeText, NO_INDEX, NO_RATE, Ruleset, Text};

/// A gate that took part in another evaluation; logged with its exposure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecondaryExposure<'a> {
    /// Name of the gate.
    pub gate: &'a str,
    /// Its value, before a `fail_gate` condition inverts it.
    pub value: bool,
    /// The rule that decided it.
    pub rule_id: &'a str,
}

/// A [`SecondaryExposure`] in terms of the ruleset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Exposed {
    pub(crate) gate: Text,
    pub(crate) rule_id: Text,
    pub(crate) value: bool,
}

impl Exposed {
    pub(crate) fn resolve(self, ruleset: &Ruleset) -> SecondaryExposure<'_> {
        SecondaryExposure { gate: ruleset.str(self.gate), value: self.value, rule_id: ruleset.str(self.rule_id) }
    }
}

/// The JSON value of a config.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum ConfigValue {
    /// There is none.
    #[default]
    None,
    /// A place in [`Ruleset::json`].
    At(u32),
    /// A value that is not in the specs: merged, or overridden.
    Own(Json),
}

/// Which of the collected exposures belong to a layer's own conditions.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Undelegated {
    #[default]
    Unset,
    /// Those before this position.
    Until(u32),
    /// A list of its own, of merging layers.
    Own(Vec<Exposed>),
}

/// Which rule each parameter of a merging layer came from.
pub(crate) type ParameterRules = Box<[(Box<str>, Text)]>;

/// What one evaluation has found so far; delegates and mapped configs write into the same one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) value: ConfigValue,
    pub(crate) passed: bool,
    pub(crate) rule_id: Text,
    pub(crate) group_name: MaybeText,
    pub(crate) id_type: MaybeText,
    /// The first spec that took part, which a mapping may have put in another one's place; none of
    /// bandits.
    pub(crate) spec_name: MaybeText,
    pub(crate) version: Option<u32>,
    pub(crate) is_experiment_group: bool,
    pub(crate) is_experiment_active: bool,
    pub(crate) is_in_layer: bool,
    /// Position in [`Ruleset::name_lists`].
    pub(crate) explicit_parameters: u32,
    /// The delegate: position in [`Ruleset::specs`].
    pub(crate) delegate: u32,
    pub(crate) undelegated: Undelegated,
    pub(crate) overridden: bool,
    pub(crate) override_config_name: MaybeText,
    pub(crate) sampling_rate: u64,
    pub(crate) forward_all_exposures: bool,
    /// A nested gate without sampling rate took part.
    pub(crate) seen_analytical: bool,
    pub(crate) unsupported: bool,
    /// A bandit chose a group in order to learn. Results then append `:explore` to the rule ID;
    /// exposures of a gate that hands over to the bandit do not.
    pub(crate) explored: bool,
    /// Of merging layers: which rule each parameter came from.
    pub(crate) parameter_rules: Option<ParameterRules>,
    /// Where this outcome's exposures begin in the evaluator's list.
    pub(crate) exposures_from: u32,
}

/// What an evaluation of a gate comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) passed: bool,
    pub(crate) rule_id: Text,
    /// As [`Outcome::explored`].
    pub(crate) explored: bool,
}

impl Decision {
    /// That of an unknown gate, or of one that could not be evaluated.
    pub(crate) const NONE: Self = Self { passed: false, rule_id: Text::EMPTY, explored: false };

    pub(crate) fn of(outcome: &Outcome) -> Self {
        Self { passed: outcome.passed, rule_id: outcome.rule_id, explored: outcome.explored }
    }
}

impl Outcome {
    pub(crate) const fn new(exposures_from: u32) -> Self {
        Self {
            value: ConfigValue::None,
            passed: false,
            rule_id: Text::EMPTY,
            group_name: MaybeText::NONE,
            id_type: MaybeText::NONE,
            spec_name: MaybeText::NONE,
            version: None,
            is_experiment_group: false,
            is_experiment_active: false,
            is_in_layer: false,
            explicit_parameters: NO_INDEX,
            delegate: NO_INDEX,
            undelegated: Undelegated::Unset,
            overridden: false,
            override_config_name: MaybeText::NONE,
            sampling_rate: NO_RATE,
            forward_all_exposures: false,
            seen_analytical: false,
            unsupported: false,
            explored: false,
            parameter_rules: None,
            exposures_from,
        }
    }

    /// Whether `parameter` is among the explicit ones.
    pub(crate) fn is_explicit(&self, ruleset: &Ruleset, parameter: &str) -> bool {
        ruleset.names(self.explicit_parameters).is_some_and(|mut names| names.any(|name| name == parameter))
    }
}
