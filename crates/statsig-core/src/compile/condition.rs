//! Conditions: inputs resolved, targets parsed for their operator.

use std::borrow::Cow;

use super::compiler::{Compiler, path};
use crate::error::Error;
use crate::excerpt::{LONGEST_NAME, clip, of_fragment};
use crate::json::Reader;
use crate::pattern::PatternError;
use crate::ruleset::{
    Affix, ArrayTest, Condition, EqualTarget, GateRef, Input, NO_INDEX, NumberOp, Test, Text, TextSet, TimeOp,
    UserAgentPart, VersionOp, position,
};
use crate::specs::wire::{WireCondition, WireTarget};
use crate::specs::{CowStr, Format, ProblemKind, for_each_entry};
use crate::value::{VersionPart, is_lower_ascii, parse_float, parse_target_time, version_parts};

impl Condition {
    /// The gates that the condition asks.
    pub(crate) fn gates(&self) -> &[GateRef] {
        match &self.input {
            Input::Gate { gate, .. } => std::slice::from_ref(gate),
            Input::AnyGate { gates, .. } => gates,
            _ => &[],
        }
    }

    pub(super) fn gates_mut(&mut self) -> &mut [GateRef] {
        match &mut self.input {
            Input::Gate { gate, .. } => std::slice::from_mut(gate),
            Input::AnyGate { gates, .. } => gates,
            _ => &mut [],
        }
    }

    pub(crate) fn is_unsupported(&self) -> bool {
        self.input == Input::Unsupported || matches!(self.test, Test::Unsupported | Test::PatternLimit)
    }
}

impl<'a> Compiler<'a> {
    pub(super) fn read_conditions(&mut self, reader: &mut Reader<'a>) -> Result<(), Error> {
        let problems = self.problems.mark();
        for_each_entry(
            reader,
            self,
            |compiler| {
                compiler.conditions.clear();
                compiler.condition_slots.fill(NO_INDEX);
                compiler.problems.rewind(problems);
            },
            |compiler, id, condition: WireCondition<'a>| {
                let id = id.unwrap_or_default();
                let (key, slot) = compiler.condition_slot(&id);
                match compiler.condition(Some(key), &id, condition) {
                    Ok(condition) => {
                        compiler.condition_slots[slot as usize] = position(compiler.conditions.len());
                        compiler.conditions.push(condition);
                    }
                    Err(refusal) => {
                        compiler.problems.push(
                            ProblemKind::ConditionSkipped,
                            || path("condition_map", Some(&id)),
                            refusal,
                        );
                    }
                }
            },
            |compiler, entry, error| {
                let refusal = of_fragment(&error);
                compiler.problems.push(ProblemKind::ConditionSkipped, || path("condition_map", entry.name), refusal);
            },
        )
        .map_err(|source| Error::in_section("condition_map", &source))
    }

    /// Compiles one condition; `label` names it in problems. `id`: of a shared one.
    pub(super) fn condition(
        &mut self,
        id: Option<Text>,
        label: &str,
        wire: WireCondition<'a>,
    ) -> Result<Condition, String> {
        let v1 = self.format == Format::V1;
        let written = wire.condition_type.as_deref().ok_or("the required field `type` is missing")?;
        let id_type = match &wire.id_type {
            Some(id_type) => id_type,
            None if v1 => "userID",
            None => return Err("the required field `idType` is missing".to_owned()),
        };
        if wire.additional_values.has_non_string && !v1 {
            return Err("`additionalValues` must hold strings only".to_owned());
        }
        let condition_type = if v1 { Cow::Owned(written.to_lowercase()) } else { Cow::Borrowed(written) };
        let field = wire.field.as_deref();
        let type_name = self.text.intern(written);
        let operator = self.text.intern_opt(wire.operator.as_deref());
        let field_name = self.text.intern_opt(field);
        let input = self.input(
            &condition_type,
            id.is_none(),
            field,
            id_type,
            wire.additional_values.salt.as_deref().unwrap_or(""),
            &wire.target_value,
        );
        let test = match (&input, wire.operator.as_deref()) {
            (Input::Public | Input::Gate { .. } | Input::AnyGate { .. } | Input::Unsupported, _) => Test::None,
            (_, None) => Test::Unsupported,
            (Input::UserBucket { .. }, Some(operator @ ("any" | "none"))) => {
                Test::InBuckets { buckets: buckets(&wire.target_value), negated: operator == "none" }
            }
            (_, Some(operator)) => self.test(label, operator, wire.target_value),
        };
        let condition = Condition { id: id.unwrap_or(Text::EMPTY), input, test, type_name, operator, field_name };
        if condition.is_unsupported() && condition.test != Test::PatternLimit {
            let written = clip(written, LONGEST_NAME);
            let operator = clip(wire.operator.as_deref().unwrap_or("none"), LONGEST_NAME);
            self.problems.push(
                ProblemKind::Unsupported,
                || label.to_owned(),
                format_args!(
                    "type `{written}` with operator `{operator}` is unknown; rules that use it are unsupported"
                ),
            );
        }
        Ok(condition)
    }

    fn input(
        &mut self,
        condition_type: &str,
        is_inline: bool,
        field: Option<&str>,
        id_type: &str,
        salt: &str,
        target: &WireTarget<'_>,
    ) -> Input {
        // Only inline: a shared one, with as many gates as rules that name it, would take the square
        // of the document's size to follow.
        let multi = is_inline && self.format == Format::V1;
        match condition_type {
            "public" => Input::Public,
            "pass_gate" => Input::Gate { gate: self.gate_ref(target_string(target)), expected: true },
            "fail_gate" => Input::Gate { gate: self.gate_ref(target_string(target)), expected: false },
            "multi_pass_gate" if multi => Input::AnyGate { gates: self.gate_refs(target), expected: true },
            "multi_fail_gate" if multi => Input::AnyGate { gates: self.gate_refs(target), expected: false },
            "user_field" => field.map_or(Input::Nothing, |field| Input::UserField { field: self.field(field) }),
            "ip_based" => field.map_or(Input::Nothing, |field| Input::IpBased {
                field: self.field(field),
                is_country: field == "country",
            }),
            "ua_based" => field.map_or(Input::Nothing, |field| Input::UaBased {
                field: self.field(field),
                part: UserAgentPart::from_field(&field.to_lowercase()),
            }),
            "environment_field" => field.map_or(Input::Nothing, |field| Input::Environment {
                exact: self.text.intern(field),
                lower: self.text.intern(&field.to_lowercase()),
            }),
            "current_time" => Input::CurrentTime,
            "user_bucket" => Input::UserBucket { prefix: self.bucket_prefix(salt), unit: self.unit(id_type) },
            "unit_id" => Input::UnitId { unit: self.unit(id_type) },
            "target_app" => Input::TargetApp,
            "experiment_group" => Input::ExperimentGroup { experiment: self.text.intern_opt(field) },
            _ => Input::Unsupported,
        }
    }

    pub(super) fn gate_ref(&mut self, name: &str) -> GateRef {
        GateRef { name: self.text.intern(name), spec: NO_INDEX, is_segment: name.starts_with("segment:") }
    }

    fn gate_refs(&mut self, target: &WireTarget<'_>) -> Box<[GateRef]> {
        match target {
            WireTarget::Array(names) => names.iter().map(|name| self.gate_ref(name)).collect(),
            _ => Box::default(),
        }
    }

    fn test(&mut self, label: &str, operator: &str, target: WireTarget<'_>) -> Test {
        let number = |op, target: &WireTarget<'_>| Test::Number { op, target: target_float(target) };
        let version = |op, target: &WireTarget<'_>| Test::Version { op, target: target_version(target) };
        match operator {
            "gt" => number(NumberOp::Gt, &target),
            "gte" => number(NumberOp::Gte, &target),
            "lt" => number(NumberOp::Lt, &target),
            "lte" => number(NumberOp::Lte, &target),
            "version_gt" => version(VersionOp::Gt, &target),
            "version_gte" => version(VersionOp::Gte, &target),
            "version_lt" => version(VersionOp::Lt, &target),
            "version_lte" => version(VersionOp::Lte, &target),
            "version_eq" => version(VersionOp::Eq, &target),
            "version_neq" => version(VersionOp::Neq, &target),
            "any" | "none" => Test::InSet { set: lower_set(&target), negated: operator == "none" },
            "any_case_sensitive" | "none_case_sensitive" => {
                Test::InSetExact { set: exact_set(&target), negated: operator == "none_case_sensitive" }
            }
            "str_starts_with_any" => self.affix(Affix::Starts, &target, false),
            "str_ends_with_any" => self.affix(Affix::Ends, &target, false),
            "str_contains_any" => self.affix(Affix::Contains, &target, false),
            "str_contains_none" => self.affix(Affix::Contains, &target, true),
            "str_matches" => self.pattern(label, &target),
            "before" => Test::Time { op: TimeOp::Before, target: target_time(&target) },
            "after" => Test::Time { op: TimeOp::After, target: target_time(&target) },
            "on" => Test::Time { op: TimeOp::On, target: target_time(&target) },
            "eq" | "neq" => Test::Equal { target: self.equal_target(target), negated: operator == "neq" },
            "in_segment_list" | "not_in_segment_list" => Test::IdList {
                list: match &target {
                    WireTarget::String(name) => Some(self.text.intern(name)),
                    _ => None,
                },
                negated: operator == "not_in_segment_list",
            },
            "array_contains_any" => Test::Array { test: ArrayTest::Any, items: exact_set(&target) },
            "array_contains_none" => Test::Array { test: ArrayTest::None, items: exact_set(&target) },
            "array_contains_all" => Test::Array { test: ArrayTest::All, items: exact_set(&target) },
            "not_array_contains_all" => Test::Array { test: ArrayTest::NotAll, items: exact_set(&target) },
            _ => Test::Unsupported,
        }
    }

    fn affix(&mut self, affix: Affix, target: &WireTarget<'_>, negated: bool) -> Test {
        let mut pieces: Vec<Text> = match target {
            WireTarget::Array(items) => items.iter().map(|item| self.text.intern(&lowered(item))).collect(),
            _ => Vec::new(),
        };
        keep_first_of_equal(&mut pieces);
        Test::Affix { affix, pieces: pieces.into_boxed_slice(), negated }
    }

    fn pattern(&mut self, label: &str, target: &WireTarget<'_>) -> Test {
        let WireTarget::String(source) = target else { return Test::Matches(None) };
        match self.patterns.compile(source) {
            Ok(pattern) => Test::Matches(Some(pattern)),
            Err(PatternError::Invalid(reason)) => {
                let message = format_args!("the pattern is invalid and never matches: {reason}");
                self.problems.push(ProblemKind::InvalidPattern, || label.to_owned(), message);
                Test::Matches(None)
            }
            Err(PatternError::Limit(limit)) => {
                let message = format_args!("the pattern exceeds a limit ({limit}); rules that use it are unsupported");
                self.problems.push(ProblemKind::PatternLimit, || label.to_owned(), message);
                Test::PatternLimit
            }
        }
    }

    fn equal_target(&mut self, target: WireTarget<'_>) -> EqualTarget {
        match target {
            WireTarget::Null => EqualTarget::Null,
            WireTarget::Bool(value) => EqualTarget::Bool(value),
            WireTarget::Number(_) => target_float(&target).map_or(EqualTarget::Null, EqualTarget::Number),
            WireTarget::String(text) => EqualTarget::String(self.text.intern(&text)),
            WireTarget::Array(items) => {
                let mut lower: Vec<Cow<'_, str>> = items.iter().map(|item| lowered(item)).collect();
                lower.sort_unstable();
                let is_distinct = lower.windows(2).all(|pair| pair[0] != pair[1]);
                EqualTarget::Array(is_distinct.then(|| items.iter().map(|item| self.text.intern(item)).collect()))
            }
            WireTarget::Object(members) => {
                // Of equal keys the last one counts.
                let mut members: Vec<(&str, &str)> =
                    members.iter().rev().map(|(key, value)| (&**key, &**value)).collect();
                members.sort_by_key(|(key, _)| *key);
                members.dedup_by_key(|(key, _)| *key);
                EqualTarget::Object(
                    members.into_iter().map(|(key, value)| (self.text.intern(key), self.text.intern(value))).collect(),
                )
            }
        }
    }
}

/// Full Unicode lower case; borrows what is lower-case ASCII already.
fn lowered(text: &str) -> Cow<'_, str> {
    if is_lower_ascii(text.as_bytes()) { Cow::Borrowed(text) } else { Cow::Owned(text.to_lowercase()) }
}

fn target_string<'t>(target: &'t WireTarget<'_>) -> &'t str {
    match target {
        WireTarget::String(text) => text,
        _ => "",
    }
}

/// The target's number. "Not a number" compares like no number at all: never.
fn target_float(target: &WireTarget<'_>) -> Option<f64> {
    let float = match target {
        WireTarget::Number(number) => number.as_f64(),
        WireTarget::String(text) => parse_float(text),
        _ => None,
    };
    float.filter(|float: &f64| !float.is_nan())
}

/// Components up to the first that is no number: nothing behind it can be reached.
fn target_version(target: &WireTarget<'_>) -> Option<Box<[VersionPart]>> {
    let WireTarget::String(text) = target else { return None };
    let mut parts = Vec::new();
    for part in version_parts(text) {
        parts.push(part);
        if part.is_none() {
            break;
        }
    }
    Some(parts.into_boxed_slice())
}

/// Returns which of the 1,000 buckets a target names, a bit each.
fn buckets(target: &WireTarget<'_>) -> Box<[u64; 16]> {
    let mut bits = Box::new([0; 16]);
    let mut add = |text: &str| {
        // As integers are written: without a sign, and without zeros in front.
        let is_bucket = matches!(text.as_bytes(), [b'0'] | [b'1'..=b'9', ..]) && text.len() <= 3;
        if let (true, Ok(bucket)) = (is_bucket, text.parse::<usize>()) {
            bits[bucket / 64] |= 1 << (bucket % 64);
        }
    };
    match target {
        WireTarget::Array(items) => items.iter().for_each(|item| add(item)),
        WireTarget::Object(members) => members.iter().for_each(|(key, _)| add(key)),
        _ => {}
    }
    bits
}

fn are_lower_ascii(items: &[CowStr<'_>]) -> bool {
    items.iter().all(|item| is_lower_ascii(item.as_bytes()))
}

fn lower_set(target: &WireTarget<'_>) -> Option<TextSet> {
    match target {
        WireTarget::Array(items) if are_lower_ascii(items) => Some(TextSet::new(items.iter().map(|item| &**item))),
        WireTarget::Array(items) => {
            let items: Vec<Cow<'_, str>> = items.iter().map(|item| lowered(item)).collect();
            Some(TextSet::new(items.iter().map(AsRef::as_ref)))
        }
        // Keys are compared as written: with an upper-case letter they equal no lower-case text.
        WireTarget::Object(members) => {
            let keys = members.iter().map(|(key, _)| &**key);
            Some(TextSet::new(keys.filter(|key| !key.bytes().any(|byte| byte.is_ascii_uppercase()))))
        }
        _ => None,
    }
}

/// The items of an array; of those equal but for case only the last one.
fn exact_set(target: &WireTarget<'_>) -> Option<TextSet> {
    let WireTarget::Array(items) = target else { return None };
    if are_lower_ascii(items) {
        return Some(TextSet::new(items.iter().map(|item| &**item)));
    }
    let mut last: Vec<(Cow<'_, str>, &str)> = items.iter().rev().map(|item| (lowered(item), &**item)).collect();
    last.sort_by(|a, b| a.0.cmp(&b.0));
    last.dedup_by(|a, b| a.0 == b.0);
    Some(TextSet::new(last.into_iter().map(|(_, item)| item)))
}

/// Drops texts that stand in the list before.
fn keep_first_of_equal(texts: &mut Vec<Text>) {
    let mut order: Vec<(Text, usize)> = texts.iter().copied().zip(0..).collect();
    order.sort_unstable();
    order.dedup_by_key(|(text, _)| *text);
    order.sort_unstable_by_key(|(_, at)| *at);
    *texts = order.into_iter().map(|(text, _)| text).collect();
}

/// The target's time, else its number cut to an integer.
#[allow(clippy::cast_possible_truncation)] // as the protocol has it
fn target_time(target: &WireTarget<'_>) -> Option<i64> {
    let time = match target {
        WireTarget::String(text) => parse_target_time(text),
        _ => None,
    };
    time.or_else(|| match target {
        // As an integer, "not a number" is 0.
        WireTarget::String(text) => parse_float(text).map(|float| float as i64),
        other => target_float(other).map(|float| float as i64),
    })
}
