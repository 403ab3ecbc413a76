//! Gates, configs and layers, with their rules.

use super::compiler::{Compiler, Section, path, place};
use crate::error::Error;
use crate::excerpt::{LONGEST_NAME, clip, of_fragment};
use crate::json::{Raw, Reader};
use crate::ruleset::{Condition, Entity, Input, NO_INDEX, NO_RATE, Pass, Rule, Spec, position};
use crate::specs::wire::{Entries, WireCondition, WireConditionRef, WireRule, WireSpec};
use crate::specs::{CowStr, Format, ProblemKind, for_each_entry};

/// Why a spec was left out, in words.
type Refusal = String;

fn missing(field: &str) -> Refusal {
    format!("the required field `{field}` is missing")
}

impl<'a> Compiler<'a> {
    pub(super) fn read_specs(&mut self, reader: &mut Reader<'a>, which: Section) -> Result<(), Error> {
        let mark = (
            self.specs.len(),
            self.rules.len(),
            self.rule_conditions.len(),
            self.conditions.len(),
            self.delegates.len(),
            self.problems.mark(),
        );
        for_each_entry(
            reader,
            self,
            |compiler| {
                compiler.specs.truncate(mark.0);
                compiler.rules.truncate(mark.1);
                compiler.rule_conditions.truncate(mark.2);
                compiler.conditions.truncate(mark.3);
                compiler.delegates.truncate(mark.4);
                compiler.problems.rewind(mark.5);
                compiler.sections[which as usize].clear();
                compiler.malformed.forget(which.public());
            },
            |compiler, name, spec: WireSpec<'a>| compiler.read_spec(which, name, spec),
            |compiler, entry, error| {
                let name = entry.name.map(str::to_owned).or_else(|| name_in(entry.raw));
                let refusal = refusal_in(entry.raw, &error);
                match name {
                    Some(name) => compiler.skip_spec(which, &name, refusal),
                    None => {
                        let place = || format!("{}[{}]", which.name(), entry.index);
                        compiler.problems.push(ProblemKind::SpecSkipped, place, refusal);
                    }
                }
            },
        )
        .map_err(|source| Error::in_section(which.name(), &source))
    }

    fn read_spec(&mut self, which: Section, key: Option<CowStr<'a>>, mut wire: WireSpec<'a>) {
        let Some(name) = key.or_else(|| wire.name.take()) else {
            self.problems.push(ProblemKind::SpecSkipped, || which.name().to_owned(), missing("name"));
            return;
        };
        let (rules, conditions, delegates) = (self.rules.len(), self.rule_conditions.len(), self.delegates.len());
        match self.spec(&name, wire) {
            Ok(spec) => {
                self.sections[which as usize].push(position(self.specs.len()));
                self.specs.push(spec);
            }
            Err(refusal) => {
                self.rules.truncate(rules);
                self.rule_conditions.truncate(conditions);
                self.delegates.truncate(delegates);
                self.skip_spec(which, &name, refusal);
            }
        }
    }

    /// Reports a spec that is left out, and remembers its name.
    fn skip_spec(&mut self, which: Section, name: &str, refusal: Refusal) {
        self.problems.push(ProblemKind::SpecSkipped, || path(which.name(), Some(name)), &refusal);
        self.malformed.push(which.public(), name, refusal);
    }

    fn spec(&mut self, name: &str, wire: WireSpec<'a>) -> Result<Spec, Refusal> {
        let v1 = self.format == Format::V1;
        if !v1 && wire.spec_type.is_none() {
            return Err(missing("type"));
        }
        let is_gate = wire.spec_type.as_deref() == Some("feature_gate");
        let salt = match &wire.salt {
            Some(salt) => salt,
            None if v1 => "",
            None => return Err(missing("salt")),
        };
        let entity = match (wire.entity.as_deref(), wire.spec_type.as_deref()) {
            (Some(entity), _) => entity,
            (None, Some(spec_type)) if v1 => spec_type,
            (None, None) if v1 => "",
            (None, _) => return Err(missing("entity")),
        };
        let enabled = wire.enabled.or(v1.then_some(false)).ok_or_else(|| missing("enabled"))?;
        let id_type = wire.id_type.as_deref().or(v1.then_some("")).ok_or_else(|| missing("idType"))?;
        let mut wire_rules = wire.rules.or(v1.then(Vec::new)).ok_or_else(|| missing("rules"))?;
        let default_value = match wire.default_value {
            _ if v1 && is_gate => place::FALSE,
            Some(raw) => self.value(raw).map_err(|error| format!("defaultValue: {}", of_fragment(&error)))?,
            None if v1 => place::EMPTY_OBJECT,
            None => return Err(missing("defaultValue")),
        };
        if v1 && !enabled {
            // Readers of v1 never look at the rules of a disabled spec.
            wire_rules.clear();
        }

        let id_type = self.text.intern(id_type);
        let first = self.rules.len();
        let mut unsupported = false;
        for (at, rule) in wire_rules.into_iter().enumerate() {
            let in_rule = |refusal| format!("rules[{at}]: {refusal}");
            let rule = self.rule(name, salt, rule, v1 && is_gate, &mut unsupported).map_err(in_rule)?;
            self.rules.push(rule);
        }
        Ok(Spec {
            name: self.text.intern(name),
            id_type,
            salt: self.text.intern(salt),
            rules_start: position(first),
            rules_len: position(self.rules.len() - first),
            default_value,
            version: wire.version,
            mapping: NO_INDEX,
            cmab: NO_INDEX,
            explicit_parameters: self.name_list(wire.explicit_parameters),
            target_apps: self.name_list(wire.target_app_ids),
            fields_used: self.name_list(wire.fields_used),
            entity: Entity::from_wire(entity),
            enabled,
            default_is_true: default_value == place::TRUE,
            is_active: wire.is_active,
            has_shared_params: wire.has_shared_params,
            forward_all_exposures: wire.forward_all_exposures,
            merges_layers: wire.use_new_layer_eval == Some(true),
            is_plain: false,
            needs_memo: true,
            stands_alone: false,
            shares_gates: false,
            unsupported: v1 && unsupported,
        })
    }

    /// Compiles a rule whose percentage is hashed with `spec_salt`.
    pub(super) fn rule(
        &mut self,
        spec: &str,
        spec_salt: &str,
        wire: WireRule<'a>,
        always_true: bool,
        unsupported: &mut bool,
    ) -> Result<Rule, Refusal> {
        let v1 = self.format == Format::V1;
        let or_default = |field: &Option<CowStr<'a>>, name| match field {
            Some(text) => Ok(text.clone()),
            None if v1 => Ok(CowStr::default()),
            None => Err(missing(name)),
        };
        or_default(&wire.name, "name")?;
        let id = or_default(&wire.id, "id")?;
        let id_type = match &wire.id_type {
            Some(id_type) => id_type,
            None if v1 => "userID",
            None => return Err(missing("idType")),
        };
        let pass_percentage = wire.pass_percentage.or(v1.then_some(0.0)).ok_or_else(|| missing("passPercentage"))?;
        let wire_conditions = wire.conditions.or(v1.then(Vec::new)).ok_or_else(|| missing("conditions"))?;
        let value = match wire.return_value {
            _ if always_true => place::TRUE,
            Some(raw) => self.value(raw).map_err(|error| format!("returnValue: {}", of_fragment(&error)))?,
            None if v1 => place::NULL,
            None => return Err(missing("returnValue")),
        };

        let conditions_start = position(self.rule_conditions.len());
        let conditions_len = position(wire_conditions.len());
        for condition in wire_conditions {
            let at = self.rule_condition(spec, condition, unsupported)?;
            self.rule_conditions.push(at);
        }
        // An absent salt falls back to the id; an empty one stays empty.
        let salt = wire.salt.as_deref().unwrap_or(&id);
        let rule = Rule {
            id: self.text.intern(&id),
            group_name: self.text.intern_opt(wire.group_name.as_deref()),
            salt: self.text.intern(salt),
            conditions_start,
            conditions_len,
            value,
            delegate: NO_INDEX,
            unit: self.unit(id_type),
            pass: self.pass(pass_percentage, spec_salt, salt),
            sampling_rate: wire.sampling_rate.unwrap_or(NO_RATE),
            #[allow(clippy::cast_possible_truncation)] // for explanations only
            pass_percentage: pass_percentage as f32,
            value_is_false: value == place::FALSE,
            is_experiment_group: wire.is_experiment_group == Some(true),
            matches_everybody: !self.defers_conditions
                && are_public(&self.conditions, &self.rule_conditions[conditions_start as usize..]),
        };
        if let Some(delegate) = &wire.config_delegate {
            let delegate = self.text.intern(delegate);
            self.delegates.push((position(self.rules.len()), delegate));
        }
        Ok(rule)
    }

    /// Who passes; the hash input is prepared only where it is needed.
    pub(super) fn pass(&mut self, percentage: f64, spec_salt: &str, rule_salt: &str) -> Pass {
        if percentage <= 0.0 {
            return Pass::Nobody;
        }
        if percentage >= 100.0 {
            return Pass::Everybody;
        }
        // A bucket is below the product exactly when it is below the product rounded up.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 0 and 10,000
        let threshold = (percentage * 100.0).ceil() as u32;
        Pass::Below { threshold, prefix: self.rule_prefix(spec_salt, rule_salt) }
    }

    fn rule_condition(
        &mut self,
        spec: &str,
        wire: WireConditionRef<'a>,
        unsupported: &mut bool,
    ) -> Result<u32, Refusal> {
        match (wire, self.format) {
            (WireConditionRef::Id(id), _) => {
                let known = self.find_condition(&id);
                if known.is_none() {
                    *unsupported = true;
                    self.problems.push(
                        ProblemKind::MissingCondition,
                        || path("condition_map", Some(&id)),
                        format_args!("named by a rule of `{}`, but absent or skipped", clip(spec, LONGEST_NAME)),
                    );
                }
                Ok(known.unwrap_or(NO_INDEX))
            }
            (WireConditionRef::Inline(_), Format::V2) => Err("conditions must be ids of `condition_map`".to_owned()),
            (WireConditionRef::Inline(condition), Format::V1) => {
                Ok(self.inline_condition(spec, *condition, unsupported))
            }
        }
    }

    fn inline_condition(&mut self, spec: &str, wire: WireCondition<'a>, unsupported: &mut bool) -> u32 {
        match self.condition(None, spec, wire) {
            Ok(condition) => {
                *unsupported |= condition.is_unsupported();
                self.conditions.push(condition);
                position(self.conditions.len() - 1)
            }
            Err(refusal) => {
                *unsupported = true;
                self.problems.push(
                    ProblemKind::ConditionSkipped,
                    || format!("a condition of {}", clip(spec, LONGEST_NAME)),
                    refusal,
                );
                NO_INDEX
            }
        }
    }
}

/// Returns whether all of the conditions at some positions are `public`.
pub(super) fn are_public(conditions: &[Condition], at: &[u32]) -> bool {
    at.iter().all(|&at| conditions.get(at as usize).is_some_and(|condition| condition.input == Input::Public))
}

/// The `name` of a list entry that could not be read as a whole.
fn name_in(raw: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Named {
        name: String,
    }
    serde_json::from_str::<Named>(raw).ok().map(|named| named.name)
}

/// Says why a spec could not be read: the member of a wrong type by its path, where one is to blame.
fn refusal_in(raw: &str, error: &serde_json::Error) -> Refusal {
    match wrong_member(raw, reads_spec) {
        Some((key, value, reason)) => {
            let in_rule = if key == "rules" { first_wrong_rule(value) } else { None };
            in_rule.unwrap_or_else(|| format!("`{}`: {reason}", clip(&key, LONGEST_NAME)))
        }
        None => of_fragment(error),
    }
}

fn first_wrong_rule(rules: &str) -> Option<Refusal> {
    let rules: Vec<Raw<'_>> = serde_json::from_str(rules).ok()?;
    rules.iter().enumerate().find_map(|(at, rule)| {
        let error = reads_rule(rule.get()).err()?;
        Some(match wrong_member(rule.get(), reads_rule) {
            Some((key, _, reason)) => format!("`rules[{at}].{}`: {reason}", clip(&key, LONGEST_NAME)),
            None => format!("`rules[{at}]`: {}", of_fragment(&error)),
        })
    })
}

fn reads_spec(text: &str) -> Result<(), serde_json::Error> {
    serde_json::from_str::<WireSpec<'_>>(text).map(drop)
}

fn reads_rule(text: &str) -> Result<(), serde_json::Error> {
    serde_json::from_str::<WireRule<'_>>(text).map(drop)
}

/// The first member of an object that is unreadable even alone: its key, its value and why.
fn wrong_member(object: &str, reads: fn(&str) -> Result<(), serde_json::Error>) -> Option<(String, &str, String)> {
    let members: Entries<'_, Raw<'_>> = serde_json::from_str(object).ok()?;
    members.0.into_iter().find_map(|(key, value)| {
        let alone = format!("{{{}:{}}}", serde_json::Value::from(&*key), value.get());
        let error = reads(&alone).err()?;
        Some((key.to_string(), value.get(), of_fragment(&error)))
    })
}
