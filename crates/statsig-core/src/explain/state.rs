//! The result of a walk, while it is being built.

use crate::evaluate::{ConfigValue, Exposed, MAX_EXPOSURES};
use crate::ruleset::Text;

/// The result that an evaluation builds; delegates and mapped configs write into the same one.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub(super) passed: bool,
    pub(super) value: ConfigValue,
    pub(super) rule_id: Option<Text>,
    pub(super) explored: bool,
    pub(super) group_name: Option<Text>,
    pub(super) id_type: Option<Text>,
    pub(super) version: Option<u32>,
    pub(super) is_experiment_group: bool,
    pub(super) is_experiment_active: bool,
    /// Position in [`Ruleset::name_lists`].
    pub(super) explicit_parameters: Option<u32>,
    /// Position in [`Ruleset::specs`].
    pub(super) delegate: Option<u32>,
    pub(super) exposures: Vec<Exposed>,
    pub(super) undelegated: Option<Vec<Exposed>>,
    pub(super) overridden: bool,
    pub(super) override_config: Option<Text>,
    pub(super) unsupported: bool,
    /// Of merging layers: which rule each parameter came from.
    pub(super) parameter_rules: Option<Vec<(String, Text)>>,
}

impl State {
    pub(super) fn rule(&self) -> Text {
        self.rule_id.unwrap_or(Text::EMPTY)
    }

    /// The end of a spec's evaluation, as far as it concerns the result.
    pub(super) fn finalize(&mut self) {
        if self.undelegated.is_none() && !self.exposures.is_empty() {
            self.undelegated = Some(self.exposures.clone());
        }
    }
}

/// What a walk may still copy of exposures; bounds its time and memory.
#[derive(Debug)]
pub(super) struct ExposureBudget {
    left: usize,
    /// Whether anything was left out.
    pub(super) dropped: bool,
}

impl ExposureBudget {
    /// Far more than an evaluation keeps.
    pub(super) fn new() -> Self {
        Self { left: 64 * MAX_EXPOSURES, dropped: false }
    }

    /// Appends as many exposures as fit; returns how many.
    pub(super) fn append(&mut self, list: &mut Vec<Exposed>, more: &[Exposed]) -> usize {
        let count = more.len().min(self.left).min(MAX_EXPOSURES.saturating_sub(list.len()));
        list.extend_from_slice(&more[..count]);
        self.left -= count;
        self.dropped |= count < more.len();
        count
    }
}
