//! Positions of what many specs and conditions name: ID types, user fields, salts, conditions and lists of names.

use super::compiler::Compiler;
use crate::ruleset::{FieldSlot, HashPrefix, NO_INDEX, Text, UnitType, UserField, position};
use crate::specs::CowStr;

impl Compiler<'_> {
    /// The position of an id type.
    pub(super) fn unit(&mut self, id_type: &str) -> u32 {
        let name = self.text.intern(id_type);
        if let Some(&known) = self.unit_ids.get(&name) {
            return known;
        }
        let lower = id_type.to_lowercase();
        let unit = UnitType { name, is_user_id: lower == "userid", lower: self.text.intern(&lower) };
        let at = position(self.unit_types.len());
        self.unit_types.push(unit);
        self.unit_ids.insert(name, at);
        at
    }

    /// The position of a user field.
    pub(super) fn field(&mut self, field: &str) -> u32 {
        let exact = self.text.intern(field);
        if let Some(&known) = self.field_ids.get(&exact) {
            return known;
        }
        let lower = field.to_lowercase();
        let field = UserField { exact, slot: FieldSlot::from_lower(&lower), lower: self.text.intern(&lower) };
        let at = position(self.fields.len());
        self.fields.push(field);
        self.field_ids.insert(exact, at);
        at
    }

    /// The position of what is hashed before the unit ID.
    pub(super) fn prefix(&mut self, text: &str) -> u32 {
        let prefix = HashPrefix::new(text, &mut self.text);
        self.prefixes.push(prefix);
        position(self.prefixes.len() - 1)
    }

    /// The position of what is hashed before the unit ID for a spec's and a rule's salt.
    pub(super) fn rule_prefix(&mut self, spec_salt: &str, rule_salt: &str) -> u32 {
        let mut joined = std::mem::take(&mut self.joined);
        joined.clear();
        for part in [spec_salt, ".", rule_salt, "."] {
            joined.push_str(part);
        }
        let at = self.prefix(&joined);
        self.joined = joined;
        at
    }

    /// The position of what is hashed before the unit ID of a `user_bucket` condition.
    pub(super) fn bucket_prefix(&mut self, salt: &str) -> u32 {
        let salts = &self.bucket_salts;
        match self.bucket_prefixes.find(salt.as_bytes(), |(salt, _)| salts.bytes(*salt)) {
            Ok((_, known)) => known,
            Err(vacant) => {
                let at = self.prefix(&format!("{salt}."));
                let kept = self.bucket_salts.append(salt);
                self.bucket_prefixes.insert(vacant, salt.as_bytes(), (kept, at));
                at
            }
        }
    }

    /// The ID and slot of a shared condition.
    pub(super) fn condition_slot(&mut self, id: &str) -> (Text, u32) {
        let Self { text, condition_ids, condition_slots, .. } = self;
        match condition_ids.find(id.as_bytes(), |(id, _)| text.bytes(*id)) {
            Ok(known) => known,
            Err(vacant) => {
                let new = (text.append(id), position(condition_slots.len()));
                condition_slots.push(NO_INDEX);
                condition_ids.insert(vacant, id.as_bytes(), new);
                new
            }
        }
    }

    /// The position of a shared condition, or its slot if conditions are deferred.
    pub(super) fn find_condition(&mut self, id: &str) -> Option<u32> {
        if self.defers_conditions {
            return Some(self.condition_slot(id).1);
        }
        let Self { text, condition_ids, condition_slots, .. } = self;
        let (_, slot) = condition_ids.find(id.as_bytes(), |(id, _)| text.bytes(*id)).ok()?;
        condition_slots.get(slot as usize).copied().filter(|at| *at != NO_INDEX)
    }

    /// The position of a list of names.
    pub(super) fn name_list(&mut self, names: Option<Vec<CowStr<'_>>>) -> u32 {
        let Some(names) = names else { return NO_INDEX };
        let names = names.iter().map(|name| self.text.intern(name)).collect();
        self.name_lists.push(names);
        position(self.name_lists.len() - 1)
    }
}
