//! The state of a compilation, and its order.

use std::collections::BTreeMap;

use super::clients::{ForClients, attributes};
use super::parts::named_section;
use crate::error::Error;
use crate::excerpt::{LONGEST_NAME, clip};
use crate::json::{Encoder, PackSeed, Raw, Reader};
use crate::pattern::PatternPool;
use crate::ruleset::{
    Cmab, Condition, HashPrefix, Mapping, NO_INDEX, NameIndex, ParameterStoreSpec, Rule, Ruleset, RulesetMeta, Spec,
    Text, TextPoolBuilder, TextTable, UnitType, UserField, position,
};
use crate::specs::wire::{Entries, WireDocument};
use crate::specs::{CowStr, Format, MalformedSpecs, ProblemKind, Problems, SpecSection};
use crate::value::Attribute;
use serde::de::DeserializeSeed;

/// Places of the values that need no storage of their own.
pub(super) mod place {
    pub(in crate::compile) const NULL: u32 = 0;
    pub(in crate::compile) const FALSE: u32 = 1;
    pub(in crate::compile) const TRUE: u32 = 2;
    pub(in crate::compile) const EMPTY_OBJECT: u32 = 3;
}

/// Which of the three spec sections something stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Gates,
    Configs,
    Layers,
}

impl Section {
    /// The section as messages and listings know it.
    pub(super) fn public(self) -> SpecSection {
        match self {
            Self::Gates => SpecSection::FeatureGates,
            Self::Configs => SpecSection::DynamicConfigs,
            Self::Layers => SpecSection::LayerConfigs,
        }
    }

    pub(super) fn name(self) -> &'static str {
        self.public().as_str()
    }
}

/// Everything that is being built.
pub(super) struct Compiler<'a> {
    pub(super) format: Format,
    pub(super) text: TextPoolBuilder,
    json: Encoder,
    /// Values by their text in the payload.
    values: TextTable<(&'a str, u32)>,
    pub(super) specs: Vec<Spec>,
    pub(super) sections: [Vec<u32>; 3],
    pub(super) rules: Vec<Rule>,
    pub(super) rule_conditions: Vec<u32>,
    /// Rules with a delegate that is still a name.
    pub(super) delegates: Vec<(u32, Text)>,
    pub(super) conditions: Vec<Condition>,
    /// Slots of shared conditions by their ID.
    pub(super) condition_ids: TextTable<(Text, u32)>,
    /// Positions of shared conditions; `NO_INDEX` of one that is only named so far.
    pub(super) condition_slots: Vec<u32>,
    /// Rules hold slots of conditions for the time being.
    pub(super) defers_conditions: bool,
    pub(super) prefixes: Vec<HashPrefix>,
    /// Prefixes of `user_bucket` conditions: those of an experiment's groups are the same.
    pub(super) bucket_prefixes: TextTable<(Text, u32)>,
    /// Salts of these prefixes.
    pub(super) bucket_salts: TextPoolBuilder,
    /// A salt that is being joined.
    pub(super) joined: String,
    pub(super) unit_types: Vec<UnitType>,
    pub(super) unit_ids: BTreeMap<Text, u32>,
    pub(super) fields: Vec<UserField>,
    pub(super) field_ids: BTreeMap<Text, u32>,
    pub(super) name_lists: Vec<Box<[Text]>>,
    pub(super) patterns: PatternPool,
    pub(super) cmabs: Vec<Cmab>,
    pub(super) stores: Vec<ParameterStoreSpec>,
    pub(super) mappings: Vec<Mapping>,
    pub(super) override_rules: BTreeMap<Text, u32>,
    /// Where clients' apps and what they are told of recording are kept until the end.
    pub(super) for_clients: ForClients,
    pub(super) problems: Problems,
    pub(super) malformed: MalformedSpecs,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(format: Format) -> Self {
        let mut json = Encoder::default();
        json.null();
        json.bool(false);
        json.bool(true);
        // `{}`; packing a constant cannot fail.
        let _ = PackSeed(&mut json).deserialize(serde_json::Value::Object(serde_json::Map::new()));
        Self {
            format,
            text: TextPoolBuilder::default(),
            json,
            values: TextTable::default(),
            specs: Vec::new(),
            sections: [Vec::new(), Vec::new(), Vec::new()],
            rules: Vec::new(),
            rule_conditions: Vec::new(),
            delegates: Vec::new(),
            conditions: Vec::new(),
            condition_ids: TextTable::default(),
            condition_slots: Vec::new(),
            defers_conditions: false,
            prefixes: Vec::new(),
            bucket_prefixes: TextTable::default(),
            bucket_salts: TextPoolBuilder::default(),
            joined: String::new(),
            unit_types: Vec::new(),
            unit_ids: BTreeMap::new(),
            fields: Vec::new(),
            field_ids: BTreeMap::new(),
            name_lists: Vec::new(),
            patterns: PatternPool::default(),
            cmabs: Vec::new(),
            stores: Vec::new(),
            mappings: Vec::new(),
            override_rules: BTreeMap::new(),
            for_clients: ForClients::default(),
            problems: Problems::default(),
            malformed: MalformedSpecs::default(),
        }
    }

    /// Reads the sections in the order in which they depend on each other.
    pub(super) fn run(mut self, mut wire: WireDocument<'a>, document_bytes: usize) -> Result<Ruleset, Error> {
        if let Some(section) = wire.condition_map {
            self.read_conditions(&mut Reader::new(section.get()))?;
        }
        let sections = [
            (wire.feature_gates, Section::Gates),
            (wire.dynamic_configs, Section::Configs),
            (wire.layer_configs, Section::Layers),
        ];
        for (section, which) in sections {
            if let Some(section) = section {
                self.read_specs(&mut Reader::new(section.get()), which)?;
            }
        }
        self.read_override_rules(wire.override_rules)?;
        self.read_mappings(wire.overrides)?;
        self.read_cmabs(wire.cmab_configs)?;
        self.read_stores(wire.param_stores)?;
        self.read_session_replay(wire.session_replay_info);
        self.for_clients.apps_by_key = wire.sdk_keys_to_app_ids.take().map(attributes);
        self.for_clients.apps_by_hashed_key = wire.hashed_sdk_keys_to_app_ids.take().map(attributes);
        let experiment_layers = self.read_experiment_layers(&wire)?;
        let meta = RulesetMeta {
            format: self.format,
            time: wire.time.unwrap_or_default(),
            checksum: wire.checksum.map(into_string).filter(|checksum| !checksum.is_empty()),
            company_id: wire.company_id.map(into_string),
            app_id: wire.app_id,
            default_environment: wire.default_environment.map(into_string),
            hashed_sdk_key_used: wire.hashed_sdk_key_used.map(into_string),
            id_lists: wire.id_lists.unwrap_or_default(),
            sdk_flags: wire.sdk_flags.unwrap_or_default(),
            sdk_configs: wire.sdk_configs.unwrap_or_default(),
            diagnostics: wire.diagnostics.unwrap_or_default(),
            document_bytes,
        };
        Ok(self.finish(meta, experiment_layers))
    }

    pub(super) fn finish(mut self, meta: RulesetMeta, experiment_layers: Vec<(Text, Text)>) -> Ruleset {
        self.values = TextTable::default();
        self.condition_ids = TextTable::default();
        self.bucket_prefixes = TextTable::default();
        self.bucket_salts = TextPoolBuilder::default();
        let [gates, configs, layers] = std::mem::take(&mut self.sections).map(|list| self.index_specs(&list));
        let cmab_names = self.index(self.cmabs.iter().map(|cmab| cmab.name));
        let store_names = self.index(self.stores.iter().map(|store| store.name));
        let mapping_names = self.index(self.mappings.iter().map(|mapping| mapping.name));
        self.link(&gates, &configs, &layers, &cmab_names, &mapping_names);
        self.analyse();
        let mut ruleset = Ruleset {
            text: self.text.finish(),
            json: self.json.into_bytes().into_boxed_slice(),
            specs: self.specs.into_boxed_slice(),
            rules: self.rules.into_boxed_slice(),
            rule_conditions: self.rule_conditions.into_boxed_slice(),
            conditions: self.conditions.into_boxed_slice(),
            prefixes: self.prefixes.into_boxed_slice(),
            unit_types: self.unit_types.into_boxed_slice(),
            fields: self.fields.into_boxed_slice(),
            name_lists: self.name_lists.into_boxed_slice(),
            gates,
            configs,
            layers,
            cmabs: self.cmabs.into_boxed_slice(),
            cmab_names,
            stores: self.stores.into_boxed_slice(),
            store_names,
            mappings: self.mappings.into_boxed_slice(),
            mapping_names,
            experiment_layers: experiment_layers.into_boxed_slice(),
            app: meta.app_id.clone().map(Attribute::from),
            apps_by_key: self.for_clients.apps_by_key,
            apps_by_hashed_key: self.for_clients.apps_by_hashed_key,
            session_replay: self.for_clients.session_replay,
            meta,
            problems: self.problems.into_vec(),
            malformed: Box::default(),
        };
        ruleset.malformed = self.malformed.finish(|section, name| ruleset.holds(section, name));
        ruleset
    }

    fn index_specs(&self, list: &[u32]) -> NameIndex {
        NameIndex::new(list.iter().map(|&at| (self.text.get(self.specs[at as usize].name), at)))
    }

    fn index(&self, names: impl Iterator<Item = Text>) -> NameIndex {
        NameIndex::new(names.map(|name| self.text.get(name)).zip(0..))
    }

    /// Turns the names that are left into positions.
    fn link(
        &mut self,
        gates: &NameIndex,
        configs: &NameIndex,
        layers: &NameIndex,
        cmabs: &NameIndex,
        mappings: &NameIndex,
    ) {
        let Self { text, specs, rules, conditions, delegates, cmabs: cmab_list, mappings: mapping_list, .. } = self;
        let find = |index: &NameIndex, name: Text| {
            index.find(text.get(name), |at| text.get(specs[at as usize].name)).unwrap_or(NO_INDEX)
        };
        for &mut (rule, name) in delegates {
            rules[rule as usize].delegate = find(configs, name);
        }
        for condition in conditions.iter_mut() {
            for gate in condition.gates_mut() {
                gate.spec = find(gates, gate.name);
            }
        }
        for cmab in cmab_list.iter_mut() {
            if let Some(gate) = &mut cmab.targeting_gate {
                gate.spec = find(gates, gate.name);
            }
        }
        if mapping_list.is_empty() && cmab_list.is_empty() {
            return;
        }
        for index in [gates, configs, layers] {
            for at in index.targets() {
                let name = text.get(specs[at as usize].name);
                let mapping = mappings.find(name, |at| text.get(mapping_list[at as usize].name)).unwrap_or(NO_INDEX);
                let cmab = cmabs.find(name, |at| text.get(cmab_list[at as usize].name)).unwrap_or(NO_INDEX);
                specs[at as usize].mapping = mapping;
                specs[at as usize].cmab = cmab;
            }
        }
    }

    /// Stores a config value: an object, a boolean or `null`; anything else counts as `{}`.
    pub(super) fn value(&mut self, raw: Raw<'a>) -> Result<u32, serde_json::Error> {
        match raw.get().as_bytes().first() {
            Some(b't') => Ok(place::TRUE),
            Some(b'f') => Ok(place::FALSE),
            Some(b'n') => Ok(place::NULL),
            Some(b'{') => self.any_value(raw),
            _ => Ok(place::EMPTY_OBJECT),
        }
    }

    /// Stores a value of any kind.
    pub(super) fn any_value(&mut self, raw: Raw<'a>) -> Result<u32, serde_json::Error> {
        let vacant = match self.values.find(raw.get().as_bytes(), |(raw, _)| raw.as_bytes()) {
            Ok((_, known)) => return Ok(known),
            Err(vacant) => vacant,
        };
        let start = self.json.len();
        if PackSeed(&mut self.json).deserialize(&mut Reader::new(raw.get())).is_err() {
            self.json.truncate(start);
            let mut deserializer = serde_json::Deserializer::from_str(raw.get());
            if let Err(error) = PackSeed(&mut self.json).deserialize(&mut deserializer) {
                self.json.truncate(start);
                return Err(error);
            }
        }
        let at = if self.json.bytes()[start..] == *crate::json::EMPTY_OBJECT {
            self.json.truncate(start);
            place::EMPTY_OBJECT
        } else {
            position(start)
        };
        self.values.insert(vacant, raw.get().as_bytes(), (raw.get(), at));
        Ok(at)
    }

    fn read_experiment_layers(&mut self, wire: &WireDocument<'a>) -> Result<Vec<(Text, Text)>, Error> {
        let malformed = |section| move |source| Error::in_section(section, &source);
        let mut pairs = Vec::new();
        if let Some(raw) = wire.experiment_to_layer {
            let map: Entries<'_, CowStr<'_>> =
                serde_json::from_str(raw.get()).map_err(malformed("experiment_to_layer"))?;
            for (experiment, layer) in map.0 {
                pairs.push((self.text.intern(&experiment), self.text.intern(&layer)));
            }
        } else if let (Format::V1, Some(raw)) = (self.format, wire.layers) {
            let map: Entries<'_, Vec<CowStr<'_>>> = serde_json::from_str(raw.get()).map_err(malformed("layers"))?;
            for (layer, experiments) in map.0 {
                let layer = self.text.intern(&layer);
                pairs.extend(experiments.iter().map(|experiment| (self.text.intern(experiment), layer)));
            }
        }
        Ok(pairs)
    }

    /// Reports a part that is left out; those that are looked up by name are remembered.
    pub(super) fn skip_part(&mut self, section: &str, name: Option<&str>, error: impl std::fmt::Display) {
        if let (Some(section), Some(name)) = (named_section(section), name) {
            self.malformed.push(section, name, error.to_string());
        }
        self.problems.push(ProblemKind::PartSkipped, || path(section, name), error);
    }
}

/// A JSON path for problems.
pub(super) fn path(section: &str, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("{section}.{}", clip(name, LONGEST_NAME)),
        None => section.to_owned(),
    }
}

fn into_string(text: CowStr<'_>) -> String {
    text.0.into_owned()
}
