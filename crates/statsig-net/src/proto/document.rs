//! A document as its parts, and how one follows from another: `docs/protocol/network.md#deltas`.

use std::collections::BTreeMap;
use std::sync::Arc;

use prost::{DecodeError, Message};
use serde_json::{Map, Value};

use super::messages::{Kind, RulesetsChecksums, RulesetsResponseDeletions, SpecsEnvelope};
use super::{Decoded, ProtoError, convert};

/// The names of the sections in JSON, in the order of [`Document::sections`].
const SECTIONS: [&str; 5] = ["feature_gates", "dynamic_configs", "layer_configs", "condition_map", "param_stores"];

/// Members of the head of which a difference sends the changed entries only.
const MERGED: [&str; 5] = ["experiment_to_layer", "sdk_configs", "cmab_configs", "override_rules", "overrides"];

/// The parts of a document that was read. Its entities are shared with those that follow from it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Document {
    head: Map<String, Value>,
    sections: [Section; SECTIONS.len()],
}

/// Entities by name.
type Section = BTreeMap<String, Entity>;

/// A gate, config, layer, condition or parameter store.
#[derive(Debug, Clone)]
struct Entity {
    checksum: Box<str>,
    /// `None` if it could not be read: it is not served, but counts in the sums.
    json: Option<Arc<[u8]>>,
}

/// The section of a kind of part.
fn section_of(kind: Kind) -> Option<usize> {
    match kind {
        Kind::FeatureGate => Some(0),
        Kind::DynamicConfig => Some(1),
        Kind::LayerConfig => Some(2),
        Kind::Condition => Some(3),
        Kind::ParamStore => Some(4),
        _ => None,
    }
}

/// Takes the parts of a document in, in their order.
pub(super) struct Reader<'a> {
    held: Option<&'a Document>,
    head: Option<Map<String, Value>>,
    sections: [Section; SECTIONS.len()],
    /// Whether the document begins with everything that is held.
    is_delta: bool,
    /// What is taken away from members of the head that was held.
    deleted: [Vec<String>; MERGED.len()],
    checksums: Option<RulesetsChecksums>,
    /// There was an entity without content, and not the one that is held.
    lacks_content: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(held: Option<&'a Document>) -> Self {
        Self {
            held,
            head: None,
            sections: Default::default(),
            is_delta: false,
            deleted: Default::default(),
            checksums: None,
            lacks_content: false,
        }
    }

    /// Begins with what is held.
    pub(super) fn copy(&mut self) -> Result<(), ProtoError> {
        let held = self.held.ok_or(ProtoError::NoBase)?;
        // What was sent already is newer.
        for (own, held) in self.sections.iter_mut().zip(&held.sections) {
            let sent = std::mem::replace(own, held.clone());
            own.extend(sent);
        }
        self.is_delta = true;
        Ok(())
    }

    /// Takes away what the document before had.
    pub(super) fn delete(&mut self, envelope: &SpecsEnvelope) -> Result<Result<(), ProtoError>, DecodeError> {
        if !self.is_delta {
            return Ok(Err(ProtoError::NoBase));
        }
        let names = RulesetsResponseDeletions::decode(envelope.data.clone().unwrap_or_default())?;
        let [gates, configs, layers, conditions, stores] = &mut self.sections;
        for (section, names) in [
            (gates, &names.feature_gates),
            (configs, &names.dynamic_configs),
            (layers, &names.layer_configs),
            (conditions, &names.condition_map),
            (stores, &names.param_stores),
        ] {
            for name in names {
                section.remove(name);
            }
        }
        let of_head =
            [names.experiment_to_layer, names.sdk_configs, names.cmab_configs, names.override_rules, names.overrides];
        for (deleted, names) in self.deleted.iter_mut().zip(of_head) {
            deleted.extend(names);
        }
        Ok(Ok(()))
    }

    /// Notes what the whole must add up to.
    pub(super) fn expect(&mut self, envelope: &SpecsEnvelope) -> Result<(), DecodeError> {
        self.checksums = Some(RulesetsChecksums::decode(envelope.data.clone().unwrap_or_default())?);
        Ok(())
    }

    pub(super) fn head(&mut self, envelope: &SpecsEnvelope) -> Result<(), ProtoError> {
        self.head = Some(convert::head(envelope).map_err(ProtoError::Head)?);
        Ok(())
    }

    /// Takes an entity in, or that of the same name and checksum that is held: its content need not be
    /// sent again. One that cannot be read is left out.
    pub(super) fn add(&mut self, kind: Kind, envelope: SpecsEnvelope) {
        let Some(index) = section_of(kind) else { return };
        let held = self.held.and_then(|held| held.sections[index].get(&envelope.name));
        let is_same =
            |held: &&Entity| held.json.is_some() && !held.checksum.is_empty() && *held.checksum == *envelope.checksum;
        self.lacks_content |= envelope.data.is_none() && held.is_none_or(|held| !is_same(&held));
        let entity = match held.filter(is_same) {
            Some(held) => held.clone(),
            None => {
                let json = convert::entity(kind, &envelope)
                    .inspect_err(|error| {
                        let name: String = envelope.name.chars().take(100).collect();
                        tracing::warn!(name, %error, "a part of the config specs cannot be read and is left out");
                    })
                    .ok();
                Entity { checksum: envelope.checksum.into(), json: json.map(Into::into) }
            }
        };
        self.sections[index].insert(envelope.name, entity);
    }

    /// The whole, if it is what it says.
    pub(super) fn finish(self, limit: usize) -> Result<Decoded, ProtoError> {
        let is_delta = self.is_delta;
        let mut head = self.head.ok_or(ProtoError::NoHead)?;
        if let (true, Some(held)) = (is_delta, self.held) {
            head = merged(&held.head, head, &self.deleted);
        }
        for name in SECTIONS {
            head.remove(name);
        }
        let document = Document { head, sections: self.sections };
        match &self.checksums {
            // Whoever sends a part takes it for granted that we have the rest.
            _ if is_delta && self.lacks_content => return Err(ProtoError::NoBase),
            Some(expected) => document.check(expected)?,
            None if is_delta => return Err(ProtoError::Checksum("it states none")),
            None => {}
        }
        let json = document.to_json(limit)?;
        Ok(Decoded { json, parts: Some(document), is_delta })
    }
}

/// The head that follows from the one before.
fn merged(held: &Map<String, Value>, sent: Map<String, Value>, deleted: &[Vec<String>]) -> Map<String, Value> {
    let mut head = held.clone();
    // Without one of its own the new document has none.
    head.remove("checksum");
    for (name, deleted) in MERGED.iter().zip(deleted) {
        if let Some(Value::Object(entries)) = head.get_mut(*name) {
            for name in deleted {
                entries.remove(name);
            }
        }
    }
    for (name, value) in sent {
        match (head.get_mut(&name), value) {
            (Some(Value::Object(entries)), Value::Object(changed)) if MERGED.contains(&&*name) => {
                entries.extend(changed);
            }
            (_, value) => {
                head.insert(name, value);
            }
        }
    }
    head
}

impl Document {
    /// Compares the sum of each section with what the server has.
    fn check(&self, expected: &RulesetsChecksums) -> Result<(), ProtoError> {
        for (name, section) in SECTIONS.into_iter().zip(&self.sections) {
            let number = |entity: &Entity| u64::from(entity.checksum.parse::<u32>().unwrap_or(0));
            let sum = section.values().map(number).fold(0, u64::wrapping_add);
            if expected.field_checksums.get(name) != Some(&sum) {
                return Err(ProtoError::Checksum(name));
            }
        }
        Ok(())
    }

    /// The whole as text.
    fn to_json(&self, limit: usize) -> Result<Vec<u8>, ProtoError> {
        let refused = |error: serde_json::Error| ProtoError::Head(error.into());
        let mut out = serde_json::to_vec(&self.head).map_err(refused)?;
        out.pop();
        for (name, section) in SECTIONS.into_iter().zip(&self.sections) {
            out.extend_from_slice(format!(",\"{name}\":{{").as_bytes());
            let readable = section.iter().filter_map(|(name, entity)| Some((name, entity.json.as_deref()?)));
            for (index, (name, json)) in readable.enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                serde_json::to_writer(&mut out, name).map_err(refused)?;
                out.push(b':');
                out.extend_from_slice(json);
            }
            out.push(b'}');
            // Differences must not make it grow without end.
            if out.len() > limit {
                return Err(ProtoError::TooLarge(limit));
            }
        }
        out.push(b'}');
        Ok(out)
    }
}
