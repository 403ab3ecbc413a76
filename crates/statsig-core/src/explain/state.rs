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
    pub(super) fn expose(&mut self, exposures: &[Exposed]) {
        let fit = room(&self.exposures, exposures);
        self.exposures.extend_from_slice(fit);
    }

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

/// As many of `more` as still fit into `list`.
pub(super) fn room<'e>(list: &[Exposed], more: &'e [Exposed]) -> &'e [Exposed] {
    &more[..more.len().min(MAX_EXPOSURES.saturating_sub(list.len()))]
}
