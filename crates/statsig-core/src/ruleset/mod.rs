//! The compiled form of a project: immutable, shared, and ready to be evaluated.
//!
//! In: what the compiler makes of a payload. Out: flat tables in which specs, rules and
//! conditions refer to each other by position, strings are places in one buffer, and config values
//! are places in another. Nothing here knows about users; [`crate::evaluate`] walks these tables.
//!
//! A ruleset never changes after it was built and has no interior mutability, so that any number of
//! threads read it without coordination. Compiling the same bytes twice gives equal rulesets.

mod hash_prefix;
mod list;
mod name_index;
mod response_text;
mod target;
mod text;
mod text_set;
mod text_table;

use std::collections::BTreeMap;
use std::ops::Range;

pub(crate) use hash_prefix::HashPrefix;
pub use list::{ExperimentGroup, ExperimentGroups};
pub(crate) use name_index::NameIndex;
pub(crate) use response_text::{HashedText, ResponseText, SharedText, Snippets};
pub(crate) use target::{Affix, ArrayTest, EqualTarget, NumberOp, Test, TimeOp, VersionOp};
pub(crate) use text::{MaybeText, Text, TextPool, TextPoolBuilder, position, well_known};
pub(crate) use text_set::TextSet;
pub(crate) use text_table::TextTable;

use statsig_adapters::SpecVersion;

use crate::json::JsonRef;
use crate::specs::{Format, MalformedSpec, Problem, SpecSection};
use crate::value::Attribute;

/// Stands for "no index" in a `u32` field.
pub(crate) const NO_INDEX: u32 = u32::MAX;
/// Stands for "no sampling rate".
pub(crate) const NO_RATE: u64 = u64::MAX;

/// A compiled project.
///
/// Made by [`Ruleset::compile`] from the bytes of a document; read by an
/// [`EvaluationContext`](crate::EvaluationContext). Two rulesets are equal when they were compiled
/// from documents that say the same in the same order.
#[derive(Debug, PartialEq)]
pub struct Ruleset {
    pub(crate) text: TextPool,
    pub(crate) json: Box<[u8]>,
    pub(crate) specs: Box<[Spec]>,
    pub(crate) rules: Box<[Rule]>,
    /// Condition positions of all rules; a rule holds a range of it. `NO_INDEX`: not in the document.
    pub(crate) rule_conditions: Box<[u32]>,
    pub(crate) conditions: Box<[Condition]>,
    pub(crate) prefixes: Box<[HashPrefix]>,
    pub(crate) unit_types: Box<[UnitType]>,
    pub(crate) fields: Box<[UserField]>,
    /// Lists of names: explicit parameters, target apps, fields used.
    pub(crate) name_lists: Box<[Box<[Text]>]>,
    pub(crate) gates: NameIndex,
    pub(crate) configs: NameIndex,
    pub(crate) layers: NameIndex,
    pub(crate) cmabs: Box<[Cmab]>,
    pub(crate) cmab_names: NameIndex,
    pub(crate) stores: Box<[ParameterStoreSpec]>,
    pub(crate) store_names: NameIndex,
    pub(crate) mappings: Box<[Mapping]>,
    pub(crate) mapping_names: NameIndex,
    pub(crate) experiment_layers: Box<[(Text, Text)]>,
    /// The app that `target_app` conditions see.
    pub(crate) app: Option<Attribute>,
    /// The app of each client key; `None` if the document has no such map.
    pub(crate) apps_by_key: Option<BTreeMap<String, Attribute>>,
    /// The same, by the djb2 hash of the key.
    pub(crate) apps_by_hashed_key: Option<BTreeMap<String, Attribute>>,
    pub(crate) session_replay: Option<SessionReplay>,
    pub(crate) meta: RulesetMeta,
    pub(crate) problems: Vec<Problem>,
    /// Sorted by section and name.
    pub(crate) malformed: Box<[MalformedSpec]>,
}

/// What a document says about itself and about the SDK's behaviour.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct RulesetMeta {
    /// The document's shape.
    pub format: Format,
    /// When the project last changed, in milliseconds since 1970 (`lcut`).
    pub time: u64,
    /// The server's checksum of the document, if it sent one.
    pub checksum: Option<String>,
    /// The company's id, if it was sent.
    pub company_id: Option<String>,
    /// The app that `target_app` conditions compare with.
    pub app_id: Option<serde_json::Value>,
    /// The environment tier of users and SDKs that set none.
    pub default_environment: Option<String>,
    /// `hashed_sdk_key_used` of a v1 document: the hash of the key it was made for.
    pub hashed_sdk_key_used: Option<String>,
    /// ID lists that the project refers to.
    pub id_lists: BTreeMap<String, bool>,
    /// Global switches.
    pub sdk_flags: BTreeMap<String, bool>,
    /// Global settings, for instance of the event logger.
    pub sdk_configs: BTreeMap<String, serde_json::Value>,
    /// Sampling rates of diagnostics, out of 10,000.
    pub diagnostics: BTreeMap<String, f64>,
    /// Size of the document in bytes.
    pub document_bytes: usize,
}

/// What kind of entity a spec is, as the product names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Entity {
    /// A feature gate.
    FeatureGate,
    /// A segment: a gate that is used by other gates only, and never listed as an exposure.
    Segment,
    /// A holdout.
    Holdout,
    /// A dynamic config.
    DynamicConfig,
    /// An experiment.
    Experiment,
    /// An autotune.
    Autotune,
    /// A layer.
    Layer,
    /// Anything else; evaluated like the others.
    Other,
}

impl Entity {
    pub(crate) fn from_wire(entity: &str) -> Self {
        match entity {
            "feature_gate" => Self::FeatureGate,
            "segment" => Self::Segment,
            "holdout" => Self::Holdout,
            "dynamic_config" => Self::DynamicConfig,
            "experiment" => Self::Experiment,
            "autotune" => Self::Autotune,
            "layer" => Self::Layer,
            _ => Self::Other,
        }
    }

    /// The protocol's name of the entity.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FeatureGate => "feature_gate",
            Self::Segment => "segment",
            Self::Holdout => "holdout",
            Self::DynamicConfig => "dynamic_config",
            Self::Experiment => "experiment",
            Self::Autotune => "autotune",
            Self::Layer => "layer",
            Self::Other => "other",
        }
    }
}

/// A gate, config, experiment or layer.
#[derive(Debug, PartialEq)]
pub(crate) struct Spec {
    pub(crate) name: Text,
    pub(crate) id_type: Text,
    pub(crate) salt: Text,
    pub(crate) rules_start: u32,
    pub(crate) rules_len: u32,
    /// Place of the default value in [`Ruleset::json`].
    pub(crate) default_value: u32,
    pub(crate) version: Option<u32>,
    /// Position in [`Ruleset::mappings`].
    pub(crate) mapping: u32,
    /// Position in [`Ruleset::cmabs`].
    pub(crate) cmab: u32,
    /// Positions in [`Ruleset::name_lists`].
    pub(crate) explicit_parameters: u32,
    pub(crate) target_apps: u32,
    pub(crate) fields_used: u32,
    pub(crate) entity: Entity,
    pub(crate) enabled: bool,
    pub(crate) default_is_true: bool,
    pub(crate) is_active: Option<bool>,
    pub(crate) has_shared_params: Option<bool>,
    pub(crate) forward_all_exposures: Option<bool>,
    pub(crate) merges_layers: bool,
    /// When this spec is asked for, rules may be evaluated only as far as needed, here and in all
    /// that is in reach: nothing there can make the evaluation unsupported or exceed a limit.
    pub(crate) is_plain: bool,
    /// Nested results must be remembered: the gates in reach form a cycle, are nested too deep, or
    /// would be evaluated too often.
    pub(crate) needs_memo: bool,
    /// Gates in reach give the same result wherever they are asked from: there is no cycle, no
    /// chain that is too deep, nothing that is looked up by name. Evaluations of many specs share
    /// their results.
    pub(crate) shares_gates: bool,
    /// An evaluation of this spec asks no gate, hands over to no other spec, and looks nothing up.
    pub(crate) stands_alone: bool,
    /// v1 only: some condition is unsupported, which makes the whole spec so.
    pub(crate) unsupported: bool,
}

impl Spec {
    pub(crate) fn rules(&self) -> Range<usize> {
        self.rules_start as usize..(self.rules_start + self.rules_len) as usize
    }
}

/// A rule of a spec.
#[derive(Debug, PartialEq)]
pub(crate) struct Rule {
    pub(crate) id: Text,
    pub(crate) group_name: MaybeText,
    /// The rule's own salt, or its id where it has none.
    pub(crate) salt: Text,
    pub(crate) conditions_start: u32,
    pub(crate) conditions_len: u32,
    /// Place of the return value in [`Ruleset::json`].
    pub(crate) value: u32,
    /// The experiment that decides in this rule's stead: position in [`Ruleset::specs`].
    pub(crate) delegate: u32,
    pub(crate) unit: u32,
    pub(crate) pass: Pass,
    pub(crate) sampling_rate: u64,
    pub(crate) pass_percentage: f32,
    pub(crate) value_is_false: bool,
    pub(crate) is_experiment_group: bool,
    /// It has no condition but public ones.
    pub(crate) matches_everybody: bool,
}

impl Rule {
    pub(crate) fn conditions(&self) -> Range<usize> {
        self.conditions_start as usize..(self.conditions_start + self.conditions_len) as usize
    }
}

/// Who passes a rule's percentage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    Nobody,
    Everybody,
    /// Units whose bucket out of 10,000 is below the threshold.
    Below {
        threshold: u32,
        prefix: u32,
    },
}

/// A condition: what is looked at, and what is asked of it.
#[derive(Debug, PartialEq)]
pub(crate) struct Condition {
    /// Its key in the document; empty for inline conditions.
    pub(crate) id: Text,
    pub(crate) input: Input,
    pub(crate) test: Test,
    /// Type and operator as written, for explanations.
    pub(crate) type_name: Text,
    pub(crate) operator: MaybeText,
    pub(crate) field_name: MaybeText,
}

/// What a condition looks at.
#[derive(Debug, PartialEq)]
pub(crate) enum Input {
    /// Matches everybody; no operator.
    Public,
    /// The result of a gate; no operator.
    Gate {
        gate: GateRef,
        expected: bool,
    },
    /// The results of several gates, of which one must be as expected (v1); no operator.
    AnyGate {
        gates: Box<[GateRef]>,
        expected: bool,
    },
    UserField {
        field: u32,
    },
    /// A user field, or the country of the user's IP address.
    IpBased {
        field: u32,
        is_country: bool,
    },
    /// A user field, or what the user agent tells.
    #[cfg_attr(not(feature = "user-agent"), allow(dead_code))]
    UaBased {
        field: u32,
        part: Option<UserAgentPart>,
    },
    Environment {
        exact: Text,
        lower: Text,
    },
    CurrentTime,
    UserBucket {
        prefix: u32,
        unit: u32,
    },
    UnitId {
        unit: u32,
    },
    TargetApp,
    /// The group that the user has in an experiment.
    ExperimentGroup {
        experiment: MaybeText,
    },
    /// No field is named: always missing.
    Nothing,
    /// A type that this version does not know.
    Unsupported,
}

/// What a user agent tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UserAgentPart {
    OsName,
    OsVersion,
    BrowserName,
    BrowserVersion,
}

impl UserAgentPart {
    pub(crate) fn from_field(lower: &str) -> Option<Self> {
        match lower {
            "os_name" | "osname" => Some(Self::OsName),
            "os_version" | "osversion" => Some(Self::OsVersion),
            "browser_name" | "browsername" => Some(Self::BrowserName),
            "browser_version" | "browserversion" => Some(Self::BrowserVersion),
            _ => None,
        }
    }
}

/// A gate that a condition refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GateRef {
    pub(crate) name: Text,
    /// Position in [`Ruleset::specs`]; `NO_INDEX` if there is no such gate.
    pub(crate) spec: u32,
    pub(crate) is_segment: bool,
}

/// An id type that rules bucket by.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnitType {
    pub(crate) name: Text,
    pub(crate) lower: Text,
    pub(crate) is_user_id: bool,
}

/// A user field that conditions look at.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UserField {
    pub(crate) exact: Text,
    pub(crate) lower: Text,
    pub(crate) slot: FieldSlot,
}

/// Whether a field's name is one of the user's top-level fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldSlot {
    /// Custom only.
    None,
    /// A canonical name: looked up before custom attributes.
    First(TopField),
    /// An alias with underscore: looked up after them.
    Last(TopField),
}

/// The top-level fields of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TopField {
    UserId,
    Email,
    Ip,
    Country,
    Locale,
    AppVersion,
    UserAgent,
}

impl FieldSlot {
    pub(crate) fn from_lower(name: &str) -> Self {
        match name {
            "userid" => Self::First(TopField::UserId),
            "email" => Self::First(TopField::Email),
            "ip" => Self::First(TopField::Ip),
            "country" => Self::First(TopField::Country),
            "locale" => Self::First(TopField::Locale),
            "appversion" => Self::First(TopField::AppVersion),
            "useragent" => Self::First(TopField::UserAgent),
            "user_id" => Self::Last(TopField::UserId),
            "app_version" => Self::Last(TopField::AppVersion),
            "user_agent" => Self::Last(TopField::UserAgent),
            _ => Self::None,
        }
    }
}

/// A contextual bandit.
#[derive(Debug, PartialEq)]
pub(crate) struct Cmab {
    pub(crate) name: Text,
    pub(crate) id_type: Text,
    pub(crate) unit: u32,
    pub(crate) prefix: u32,
    pub(crate) default_value: u32,
    pub(crate) version: u32,
    pub(crate) enabled: bool,
    pub(crate) higher_is_better: bool,
    pub(crate) sample_rate: f64,
    pub(crate) targeting_gate: Option<GateRef>,
    pub(crate) groups: Box<[CmabGroup]>,
    /// What was learned, once for each group's id, in the order of the groups.
    pub(crate) weights: Box<[CmabWeights]>,
    /// Whether it has learned anything yet.
    pub(crate) has_weights: bool,
    pub(crate) target_apps: u32,
}

/// An arm of a contextual bandit.
#[derive(Debug, PartialEq)]
pub(crate) struct CmabGroup {
    pub(crate) name: Text,
    pub(crate) id: Text,
    pub(crate) value: u32,
    /// Position in [`Cmab::weights`], or `NO_INDEX`.
    pub(crate) weights: u32,
}

/// What was learned about an arm.
#[derive(Debug, PartialEq)]
pub(crate) struct CmabWeights {
    /// The first group that they are about: position in [`Cmab::groups`].
    pub(crate) group: u32,
    pub(crate) alpha: f64,
    pub(crate) intercept: f64,
    pub(crate) records: u64,
    pub(crate) numerical: Box<[(u32, f64)]>,
    pub(crate) categorical: Box<[Categorical]>,
}

/// What a bandit has learned about the values of one field.
#[derive(Debug, PartialEq)]
pub(crate) struct Categorical {
    pub(crate) field: u32,
    pub(crate) weights: Box<[(Text, f64)]>,
}

/// A parameter store.
#[derive(Debug, PartialEq)]
pub(crate) struct ParameterStoreSpec {
    pub(crate) name: Text,
    /// Sorted by name.
    pub(crate) parameters: Box<[StoreParameter]>,
    pub(crate) target_apps: u32,
}

/// A parameter of a store.
#[derive(Debug, PartialEq)]
pub(crate) struct StoreParameter {
    pub(crate) name: Text,
    /// Kind of reference and type of value, as written; for clients.
    pub(crate) ref_type: Text,
    pub(crate) param_type: Text,
    pub(crate) target: Parameter,
}

/// What a parameter of a store refers to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Parameter {
    Static {
        value: u32,
    },
    Gate {
        gate: Text,
        pass: u32,
        fail: u32,
    },
    DynamicConfig {
        config: Text,
        parameter: Text,
    },
    Experiment {
        experiment: Text,
        parameter: Text,
    },
    Layer {
        layer: Text,
        parameter: Text,
    },
    /// Of no known shape: always the fallback.
    Unknown,
}

/// The configs that may take a spec's place.
#[derive(Debug, PartialEq)]
pub(crate) struct Mapping {
    pub(crate) name: Text,
    pub(crate) candidates: Box<[MappingCandidate]>,
}

/// A config that takes another's place when a rule says so.
#[derive(Debug, PartialEq)]
pub(crate) struct MappingCandidate {
    pub(crate) new_config: Text,
    /// Position in [`Ruleset::rules`]; its percentage is hashed with the original spec's salt.
    pub(crate) rule: u32,
    pub(crate) start_time: i64,
}

/// What clients are told about recording sessions.
#[derive(Debug, PartialEq)]
pub(crate) struct SessionReplay {
    pub(crate) sampling_rate: Option<f64>,
    pub(crate) targeting_gate: MaybeText,
    pub(crate) recording_blocked: Option<bool>,
    pub(crate) event_triggers: Option<Box<[RecordingTrigger]>>,
    /// Keys are names of specs.
    pub(crate) exposure_triggers: Option<Box<[RecordingTrigger]>>,
    pub(crate) privacy: Option<PrivacySettings>,
}

/// What starts a recording.
#[derive(Debug, PartialEq)]
pub(crate) struct RecordingTrigger {
    pub(crate) key: Text,
    pub(crate) sampling_rate: Option<f64>,
    /// Position in [`Ruleset::name_lists`].
    pub(crate) values: u32,
}

/// What a recording hides. Lists are positions in [`Ruleset::name_lists`].
#[derive(Debug, PartialEq)]
pub(crate) struct PrivacySettings {
    pub(crate) mode: Text,
    pub(crate) unmasked: u32,
    pub(crate) masked: u32,
    pub(crate) blocked: u32,
}

/// How much a ruleset holds, for reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RulesetSize {
    /// Gates, including segments and holdouts.
    pub gates: usize,
    /// Dynamic configs, experiments and autotunes.
    pub configs: usize,
    /// Layers.
    pub layers: usize,
    /// Rules of all of these.
    pub rules: usize,
    /// Conditions.
    pub conditions: usize,
    /// Parameter stores.
    pub parameter_stores: usize,
    /// Contextual bandits.
    pub cmabs: usize,
    /// Bytes of strings, each counted once.
    pub text_bytes: usize,
    /// Bytes of config values, each counted once.
    pub value_bytes: usize,
    /// Size of the document it was compiled from, in bytes.
    pub document_bytes: usize,
}

/// The version of the specs that the ruleset was compiled from.
impl From<&RulesetMeta> for SpecVersion {
    fn from(meta: &RulesetMeta) -> Self {
        Self::new(meta.time, meta.checksum.as_deref())
    }
}

impl Ruleset {
    /// What the document says about itself.
    #[must_use]
    pub fn meta(&self) -> &RulesetMeta {
        &self.meta
    }

    /// What was skipped, or will not behave as written; empty for a sound document.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Returns the specs that the payload holds but that could not be read, by section and name.
    ///
    /// At most 10,000; of several entries of one name the last. A listing of the project shows them with their reason,
    /// beside the specs that can be evaluated.
    #[must_use]
    pub fn malformed_specs(&self) -> &[MalformedSpec] {
        &self.malformed
    }

    /// Returns the malformed spec of a name, if the payload holds one and no sound one beside it.
    ///
    /// For messages about names that are not found: such a spec is not unknown, but skipped.
    #[must_use]
    pub fn malformed(&self, section: SpecSection, name: &str) -> Option<&MalformedSpec> {
        let at = self.malformed.binary_search_by(|spec| (spec.section, spec.name.as_str()).cmp(&(section, name)));
        at.ok().map(|at| &self.malformed[at])
    }

    /// Whether there is a sound spec of that name.
    pub(crate) fn holds(&self, section: SpecSection, name: &str) -> bool {
        match section {
            SpecSection::FeatureGates => self.find(&self.gates, name).is_some(),
            SpecSection::DynamicConfigs => self.find(&self.configs, name).is_some(),
            SpecSection::LayerConfigs => self.find(&self.layers, name).is_some(),
            SpecSection::ParamStores => self.find_store(name).is_some(),
            SpecSection::CmabConfigs => self.find_cmab(name).is_some(),
        }
    }

    /// How much the ruleset holds.
    #[must_use]
    pub fn size(&self) -> RulesetSize {
        RulesetSize {
            gates: self.gates.len(),
            configs: self.configs.len(),
            layers: self.layers.len(),
            rules: self.rules.len(),
            conditions: self.conditions.len(),
            parameter_stores: self.stores.len(),
            cmabs: self.cmabs.len(),
            text_bytes: self.text.size(),
            value_bytes: self.json.len(),
            document_bytes: self.meta.document_bytes,
        }
    }

    #[inline]
    pub(crate) fn str(&self, text: Text) -> &str {
        self.text.get(text)
    }

    pub(crate) fn value(&self, at: u32) -> JsonRef<'_> {
        JsonRef::new(self.json.get(at as usize..).unwrap_or_default())
    }

    pub(crate) fn spec(&self, index: u32) -> Option<&Spec> {
        self.specs.get(index as usize)
    }

    #[inline]
    pub(crate) fn find(&self, names: &NameIndex, name: &str) -> Option<u32> {
        names.find(name, |at| self.text.bytes(self.specs[at as usize].name))
    }

    /// Returns the value of a gate, given the position of its spec, if it is the same for every user without overrides.
    pub(crate) fn constant_gate(&self, spec: u32) -> Option<bool> {
        let Some(spec) = self.spec(spec) else { return self.mappings.is_empty().then_some(false) };
        if !spec.is_plain {
            return None;
        }
        let Some(rule) = self.rules.get(spec.rules())?.first() else { return Some(spec.default_is_true) };
        match rule.pass {
            _ if !rule.matches_everybody || rule.delegate != NO_INDEX => None,
            Pass::Everybody => Some(!rule.value_is_false),
            Pass::Nobody => Some(spec.default_is_true),
            Pass::Below { .. } => None,
        }
    }

    pub(crate) fn find_mapping(&self, name: &str) -> Option<u32> {
        self.mapping_names.find(name, |at| self.str(self.mappings[at as usize].name))
    }

    pub(crate) fn find_cmab(&self, name: &str) -> Option<u32> {
        self.cmab_names.find(name, |at| self.str(self.cmabs[at as usize].name))
    }

    pub(crate) fn find_store(&self, name: &str) -> Option<&ParameterStoreSpec> {
        self.store_names.find(name, |at| self.str(self.stores[at as usize].name)).map(|at| &self.stores[at as usize])
    }

    pub(crate) fn names(&self, list: u32) -> Option<impl Iterator<Item = &str>> {
        self.name_lists.get(list as usize).map(|names| names.iter().map(|&name| self.str(name)))
    }
}
