//! Specs that stand in a payload but cannot be read.

use serde::Serialize;

/// A section of config specs whose entries are looked up by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SpecSection {
    /// Gates, with segments and holdouts.
    FeatureGates,
    /// Dynamic configs, experiments and autotunes.
    DynamicConfigs,
    /// Layers.
    LayerConfigs,
    /// Parameter stores.
    ParamStores,
    /// Contextual bandits.
    CmabConfigs,
}

impl SpecSection {
    /// Name of the section in the payload, for instance `feature_gates`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FeatureGates => "feature_gates",
            Self::DynamicConfigs => "dynamic_configs",
            Self::LayerConfigs => "layer_configs",
            Self::ParamStores => "param_stores",
            Self::CmabConfigs => "cmab_configs",
        }
    }
}

/// A spec that the payload holds but that could not be read, and was skipped.
///
/// Evaluations of its name end as those of an unknown name (`…:Unrecognized`, as the official SDKs
/// have it). Listings and messages tell the two apart with [`Ruleset::malformed`](crate::Ruleset::malformed).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MalformedSpec {
    /// Section in which the spec stands.
    pub section: SpecSection,
    /// Name of the spec.
    pub name: String,
    /// Reason it was skipped, at most 200 characters; names no place in the payload.
    pub reason: String,
}

/// Collects malformed specs, at most [`MalformedSpecs::LIMIT`] of them.
#[derive(Debug, Default)]
pub(crate) struct MalformedSpecs(Vec<MalformedSpec>);

impl MalformedSpecs {
    const LIMIT: usize = 10_000;

    pub(crate) fn push(&mut self, section: SpecSection, name: &str, reason: String) {
        if self.0.len() < Self::LIMIT {
            self.0.push(MalformedSpec { section, name: name.to_owned(), reason });
        }
    }

    /// Forgets the specs of a section, which is about to be read again.
    pub(crate) fn forget(&mut self, section: SpecSection) {
        self.0.retain(|spec| spec.section != section);
    }

    /// Returns those that `is_known` knows no sound spec of the same name for, by section and name.
    pub(crate) fn finish(mut self, is_known: impl Fn(SpecSection, &str) -> bool) -> Box<[MalformedSpec]> {
        self.0.retain(|spec| !is_known(spec.section, &spec.name));
        // Of several entries of one name the last counts, as everywhere in a payload.
        self.0.reverse();
        self.0.sort_by(|a, b| (a.section, &a.name).cmp(&(b.section, &b.name)));
        self.0.dedup_by(|a, b| a.section == b.section && a.name == b.name);
        self.0.into_boxed_slice()
    }
}
