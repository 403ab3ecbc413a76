//! Specs that a document holds and that cannot be used, with the kind that a listing puts them under.

use statsig_core::{Ruleset, SpecSection};

use crate::questions::Kind;

/// A spec that was skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// A config may be meant as an experiment: both stand in one section.
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) reason: String,
}

/// Lists the specs of a ruleset that were skipped.
pub(crate) fn list(ruleset: &Ruleset) -> Vec<Malformed> {
    let specs = ruleset.malformed_specs().iter().filter_map(|spec| {
        let kind = match spec.section {
            SpecSection::FeatureGates => Kind::Gate,
            SpecSection::DynamicConfigs => Kind::DynamicConfig,
            SpecSection::LayerConfigs => Kind::Layer,
            SpecSection::ParamStores => Kind::ParameterStore,
            // Nothing is asked by the name of a bandit; `specs` lists it with the problems.
            _ => return None,
        };
        Some(Malformed { kind, name: spec.name.clone(), reason: spec.reason.clone() })
    });
    specs.collect()
}

/// Returns the reason why the spec of a name cannot be used; `None` if it can, or if there is none.
pub(crate) fn reason(ruleset: &Ruleset, kind: Kind, name: &str) -> Option<String> {
    let section = match kind {
        Kind::Gate => SpecSection::FeatureGates,
        Kind::DynamicConfig | Kind::Experiment => SpecSection::DynamicConfigs,
        Kind::Layer => SpecSection::LayerConfigs,
        Kind::ParameterStore => SpecSection::ParamStores,
    };
    ruleset.malformed(section, name).map(|spec| spec.reason.clone())
}
