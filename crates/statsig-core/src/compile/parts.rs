//! Contextual bandits, parameter stores, config mappings.

use std::collections::BTreeMap;

use super::compiler::Compiler;
use crate::error::Error;
use crate::excerpt::{LONGEST_NAME, clip, of_fragment};
use crate::json::{Raw, Reader};
use crate::ruleset::{
    Categorical, Cmab, CmabGroup, CmabWeights, Mapping, MappingCandidate, NO_INDEX, Parameter, ParameterStoreSpec,
    StoreParameter, position,
};
use crate::specs::wire::{WireCmab, WireCmabWeights, WireMapping, WireParam, WireParamStore, WireRule};
use crate::specs::{CowStr, Entry, SpecSection, for_each_entry};

impl<'a> Compiler<'a> {
    /// Walks a section of parts; bad ones are reported and left out.
    fn read_parts<T: serde::Deserialize<'a>>(
        &mut self,
        section: Option<Raw<'a>>,
        name: &'static str,
        restart: impl FnOnce(&mut Self),
        mut part: impl FnMut(&mut Self, &str, T) -> Result<(), String>,
    ) -> Result<(), Error> {
        let Some(raw) = section else { return Ok(()) };
        let problems = self.problems.mark();
        let named = named_section(name);
        for_each_entry(
            &mut Reader::new(raw.get()),
            self,
            |compiler| {
                compiler.problems.rewind(problems);
                if let Some(section) = named {
                    compiler.malformed.forget(section);
                }
                restart(compiler);
            },
            |compiler, key, value| {
                let key = key.unwrap_or_default();
                if let Err(refusal) = part(compiler, &key, value) {
                    compiler.skip_part(name, Some(&key), refusal);
                }
            },
            |compiler, entry: Entry<'_>, error| compiler.skip_part(name, entry.name, of_fragment(&error)),
        )
        .map_err(|source| Error::in_section(name, &source))
    }

    pub(super) fn read_override_rules(&mut self, section: Option<Raw<'a>>) -> Result<(), Error> {
        self.read_parts(
            section,
            "override_rules",
            |compiler| compiler.override_rules.clear(),
            |compiler, name, wire: WireRule<'a>| {
                // The percentage is hashed with the salt of the spec that is replaced: see `read_mappings`.
                let rule = compiler.rule(name, "", wire, false, &mut false)?;
                let key = compiler.text.intern(name);
                compiler.override_rules.insert(key, position(compiler.rules.len()));
                compiler.rules.push(rule);
                Ok(())
            },
        )
    }

    pub(super) fn read_mappings(&mut self, section: Option<Raw<'a>>) -> Result<(), Error> {
        self.read_parts(
            section,
            "overrides",
            |compiler| compiler.mappings.clear(),
            |compiler, name, wire: Vec<WireMapping<'a>>| {
                let name = compiler.text.intern(name);
                let mut candidates = Vec::new();
                for mapping in wire {
                    let new_config = compiler.text.intern(&mapping.new_config_name);
                    for rule in mapping.rules {
                        let key = compiler.text.intern(&rule.rule_name);
                        if let Some(&rule_at) = compiler.override_rules.get(&key) {
                            candidates.push(MappingCandidate {
                                new_config,
                                rule: rule_at,
                                start_time: rule.start_time.unwrap_or(0),
                            });
                        }
                    }
                }
                compiler.mappings.push(Mapping { name, candidates: candidates.into_boxed_slice() });
                Ok(())
            },
        )
    }

    pub(super) fn read_cmabs(&mut self, section: Option<Raw<'a>>) -> Result<(), Error> {
        self.read_parts(
            section,
            "cmab_configs",
            |compiler| compiler.cmabs.clear(),
            |compiler, name, wire: WireCmab<'a>| {
                let cmab = compiler.cmab(name, wire).map_err(|error| of_fragment(&error))?;
                compiler.cmabs.push(cmab);
                Ok(())
            },
        )
    }

    fn cmab(&mut self, name: &str, wire: WireCmab<'a>) -> Result<Cmab, serde_json::Error> {
        let has_weights = wire.config.is_some();
        // Of weights with the same group's id the last count.
        let wire_weights: BTreeMap<CowStr<'_>, WireCmabWeights<'a>> =
            wire.config.map(|config| config.0).unwrap_or_default().into_iter().collect();
        let mut weights = Vec::new();
        let mut weights_by_id = BTreeMap::new();
        let mut groups = Vec::with_capacity(wire.groups.len());
        for group in wire.groups {
            let learned = match (weights_by_id.get(&group.id), wire_weights.get(&group.id)) {
                (Some(&known), _) => known,
                (None, Some(learned)) => {
                    weights.push(self.weights(learned, groups.len()));
                    position(weights.len() - 1)
                }
                (None, None) => NO_INDEX,
            };
            weights_by_id.insert(group.id.clone(), learned);
            groups.push(CmabGroup {
                name: self.text.intern(&group.name),
                id: self.text.intern(&group.id),
                value: self.value(group.parameter_values)?,
                weights: learned,
            });
        }
        Ok(Cmab {
            name: self.text.intern(name),
            id_type: self.text.intern(&wire.id_type),
            unit: self.unit(&wire.id_type),
            prefix: self.prefix(&format!("{}.", &*wire.salt)),
            default_value: self.value(wire.default_value)?,
            version: wire.version,
            enabled: wire.enabled,
            higher_is_better: wire.higher_is_better,
            sample_rate: wire.sample_rate,
            targeting_gate: wire.targeting_gate_name.as_deref().map(|gate| self.gate_ref(gate)),
            groups: groups.into_boxed_slice(),
            weights: weights.into_boxed_slice(),
            has_weights,
            target_apps: self.name_list(wire.target_app_ids),
        })
    }

    fn weights(&mut self, wire: &WireCmabWeights<'a>, group: usize) -> CmabWeights {
        let numerical = wire.weights_numerical.0.iter().map(|(field, weight)| (self.field(field), *weight)).collect();
        let categorical = wire
            .weights_categorical
            .0
            .iter()
            .map(|(field, weights)| {
                let weights = weights.0.iter().map(|(value, weight)| (self.text.intern(value), *weight)).collect();
                Categorical { field: self.field(field), weights }
            })
            .collect();
        CmabWeights {
            group: position(group),
            alpha: wire.alpha,
            intercept: wire.intercept,
            records: wire.records,
            numerical,
            categorical,
        }
    }

    pub(super) fn read_stores(&mut self, section: Option<Raw<'a>>) -> Result<(), Error> {
        self.read_parts(
            section,
            "param_stores",
            |compiler| compiler.stores.clear(),
            |compiler, name, wire: WireParamStore<'a>| {
                let mut parameters = Vec::with_capacity(wire.parameters.0.len());
                for (parameter, wire) in wire.parameters.0 {
                    let parameter_name = compiler.text.intern(&parameter);
                    let ref_type = compiler.text.intern(&wire.ref_type);
                    let param_type = compiler.text.intern(&wire.param_type);
                    let target = compiler
                        .parameter(wire)
                        .map_err(|error| format!("{}: {}", clip(&parameter, LONGEST_NAME), of_fragment(&error)))?;
                    parameters.push(StoreParameter { name: parameter_name, ref_type, param_type, target });
                }
                let store = ParameterStoreSpec {
                    name: compiler.text.intern(name),
                    parameters: compiler.by_name(parameters),
                    target_apps: compiler.name_list(wire.target_app_ids),
                };
                compiler.stores.push(store);
                Ok(())
            },
        )
    }

    fn by_name(&self, mut parameters: Vec<StoreParameter>) -> Box<[StoreParameter]> {
        parameters.reverse();
        parameters.sort_by(|a, b| self.text.get(a.name).cmp(self.text.get(b.name)));
        parameters.dedup_by_key(|parameter| parameter.name);
        parameters.into_boxed_slice()
    }

    /// Which kind of reference it is follows from the fields that are there.
    fn parameter(&mut self, wire: WireParam<'a>) -> Result<Parameter, serde_json::Error> {
        if let Some(value) = wire.value {
            return Ok(Parameter::Static { value: self.any_value(value)? });
        }
        if let (Some(gate), Some(pass), Some(fail)) = (&wire.gate_name, wire.pass_value, wire.fail_value) {
            let (pass, fail) = (self.any_value(pass)?, self.any_value(fail)?);
            return Ok(Parameter::Gate { gate: self.text.intern(gate), pass, fail });
        }
        let Some(parameter) = wire.param_name.as_deref().map(|name| self.text.intern(name)) else {
            return Ok(Parameter::Unknown);
        };
        Ok(if let Some(config) = &wire.config_name {
            Parameter::DynamicConfig { config: self.text.intern(config), parameter }
        } else if let Some(experiment) = &wire.experiment_name {
            Parameter::Experiment { experiment: self.text.intern(experiment), parameter }
        } else if let Some(layer) = &wire.layer_name {
            Parameter::Layer { layer: self.text.intern(layer), parameter }
        } else {
            Parameter::Unknown
        })
    }
}

/// The section whose malformed entries are remembered by name; `None` for those that nobody asks for by name.
pub(super) fn named_section(name: &str) -> Option<SpecSection> {
    [SpecSection::ParamStores, SpecSection::CmabConfigs].into_iter().find(|section| section.as_str() == name)
}
