//! Compiles specs and conditions where they stand, in one pass over the payload.
//!
//! Statsig sends the conditions behind the specs that name them. So a rule gets the slot of a condition's ID, and
//! slots become positions when all conditions are known. Only payloads of the current form whose sections are in the
//! usual order, and whose rules name no condition that is absent, are compiled like this. All others are compiled
//! section by section, conditions first; so the order of problems does not depend on the order of sections.

use std::ops::Range;

use serde::Deserialize;

use super::compiler::{Compiler, Section};
use super::spec::are_public;
use crate::json::{Reader, Unread};
use crate::ruleset::{NO_INDEX, Ruleset};
use crate::specs::{CowStr, Document, Format};

/// Compiles a payload in one pass; `None` if it has to be compiled section by section.
pub(super) fn compile(text: &str) -> Option<Ruleset> {
    let mut compiler = Compiler::new(Format::V2);
    let sections = compiler.read_in_place(text).ok()?;
    let mut document = Document::parse_around(text, sections)?;
    if document.format != Format::V2 {
        return None;
    }
    let wire = &mut document.wire;
    wire.condition_map = None;
    (wire.feature_gates, wire.dynamic_configs, wire.layer_configs) = (None, None, None);
    compiler.run(document.wire, text.len()).ok()
}

impl<'a> Compiler<'a> {
    /// Reads the sections of specs and conditions; returns where they stand.
    fn read_in_place(&mut self, text: &'a str) -> Result<Vec<Range<usize>>, Unread> {
        let mut reader = Reader::new(text);
        let mut sections = Vec::new();
        let mut last = None;
        self.defers_conditions = true;
        reader.open(b'{')?;
        while reader.next_item(b'}')? {
            let key = CowStr::deserialize(&mut reader)?;
            reader.expect(b':')?;
            let section = match &*key {
                "condition_map" => None,
                "feature_gates" => Some(Section::Gates),
                "dynamic_configs" => Some(Section::Configs),
                "layer_configs" => Some(Section::Layers),
                _ => {
                    reader.skip()?;
                    continue;
                }
            };
            let start = reader.position();
            if reader.peek() == Some(b'[') {
                // Some languages write empty maps like this; other lists are of the older form.
                let list = reader.raw()?;
                if !list[1..].trim_ascii_start().starts_with(']') {
                    return Err(Unread);
                }
            } else if let Some(section) = section {
                if last.replace(section as usize) > Some(section as usize) {
                    return Err(Unread);
                }
                self.read_specs(&mut reader, section).map_err(|_| Unread)?;
            } else {
                // Problems of conditions come first.
                let of_specs = std::mem::take(&mut self.problems);
                self.read_conditions(&mut reader).map_err(|_| Unread)?;
                self.problems.append(of_specs);
            }
            sections.push(start..reader.position());
        }
        reader.close(b'}')?;
        reader.end()?;
        self.resolve_conditions()?;
        Ok(sections)
    }

    /// Makes positions of the slots of conditions.
    fn resolve_conditions(&mut self) -> Result<(), Unread> {
        self.defers_conditions = false;
        if self.condition_slots.contains(&NO_INDEX) {
            return Err(Unread);
        }
        for at in &mut self.rule_conditions {
            *at = self.condition_slots.get(*at as usize).copied().ok_or(Unread)?;
        }
        let Self { rules, rule_conditions, conditions, .. } = self;
        for rule in rules {
            rule.matches_everybody = are_public(conditions, &rule_conditions[rule.conditions()]);
        }
        Ok(())
    }
}
