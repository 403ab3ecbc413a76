//! Recognises JSON objects by their members.

use std::fmt;

use serde_core::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use serde_json::Value;

use super::{OuterFields, PayloadShape};
use crate::SpecVersion;
use crate::json_fields::unsigned_integer;
use crate::json_key::Key;

/// Returns the kind and the outer fields of an object; `payload` begins with its brace.
pub(super) fn read(payload: &[u8]) -> OuterFields {
    let mut deserializer = serde_json::Deserializer::from_slice(payload);
    let Ok(top) = TopLevel::deserialize(&mut deserializer) else {
        return OuterFields::of_shape(PayloadShape::BrokenJson);
    };
    let is_alone = deserializer.end().is_ok();
    let time_ms = top.time.as_ref().and_then(Value::as_number).and_then(unsigned_integer);
    let checksum = top.checksum.as_ref().and_then(Value::as_str);
    let version = time_ms.filter(|_| is_alone && !top.says_no_updates && !top.is_ambiguous);
    let hashed_sdk_key = top.hashed_sdk_key.as_ref().filter(|hash| !hash.is_null());
    OuterFields {
        shape: top.shape(),
        version: version.map(|time_ms| SpecVersion::new(time_ms, checksum)),
        // A number is as good as its text; anything else equals no hash.
        hashed_sdk_key: hashed_sdk_key.map(|hash| hash.as_str().map_or_else(|| hash.to_string(), str::to_owned)),
    }
}

/// The members that matter, as far as they were met.
#[derive(Debug, Default)]
struct TopLevel {
    sections: [Member; 3],
    has_conditions: bool,
    has_time: bool,
    says_whether_new: bool,
    says_no_updates: bool,
    /// Members that only client-initialize responses have.
    client_marks: u32,
    error_marks: u32,
    members: usize,
    /// Members that describe an ID list.
    lists: usize,
    time: Option<Value>,
    checksum: Option<Value>,
    hashed_sdk_key: Option<Value>,
    /// True if a field that makes the version occurs twice.
    is_ambiguous: bool,
}

impl TopLevel {
    fn shape(&self) -> PayloadShape {
        if self.says_no_updates {
            return PayloadShape::NoUpdates;
        }
        let sections = || self.sections.iter().filter(|section| **section != Member::default());
        if self.has_conditions && sections().count() > 0 {
            return self.specs(sections().any(|section| section.is_list()));
        }
        let is_evaluated = sections().any(|section| section.first().is_evaluated());
        if sections().count() > 0 && sections().all(|section| section.is_list()) && !is_evaluated {
            return self.specs(true);
        }
        if sections().count() > 0 && (self.client_marks > 0 || is_evaluated) || self.client_marks > 1 {
            return PayloadShape::ClientInitializeResponse;
        }
        if sections().count() > 0 || self.has_conditions {
            return PayloadShape::IncompleteSpecs;
        }
        if self.lists > 0 && self.lists == self.members {
            return PayloadShape::IdListManifest;
        }
        if self.error_marks > 0 { PayloadShape::ErrorObject } else { PayloadShape::OtherObject }
    }

    /// Config specs of one of the forms, whole or not.
    fn specs(&self, is_v1: bool) -> PayloadShape {
        let [gates, configs, layers] = self.sections.map(|section| section != Member::default());
        let is_whole = self.has_time && gates && configs && (is_v1 || layers && self.says_whether_new);
        match (is_whole, is_v1) {
            (false, _) => PayloadShape::IncompleteSpecs,
            (true, true) => PayloadShape::SpecsV1,
            (true, false) => PayloadShape::SpecsV2,
        }
    }

    fn enter(&mut self, key: &str, member: Member) {
        self.members += 1;
        self.lists += usize::from(member.own().is_list_of_ids());
        let section = match key {
            "feature_gates" => 0,
            "dynamic_configs" => 1,
            "layer_configs" => 2,
            _ => return self.enter_other(key, member),
        };
        self.sections[section] = member;
    }

    fn enter_other(&mut self, key: &str, member: Member) {
        match key {
            "condition_map" => self.has_conditions = member != Member::default(),
            "has_updates" => {
                self.says_whether_new = member != Member::default();
                self.says_no_updates = member == Member::Bool(false);
            }
            "time" => self.has_time = member != Member::default(),
            "evaluated_keys" | "sdkParams" | "sdkInfo" | "hash_used" | "derived_fields" | "pa_hash"
            | "full_checksum" | "generator" | "user" | "exposures" | "values" => self.client_marks += 1,
            // A list of IDs may have any name.
            "error" | "errors" | "message" | "errorMessage" | "error_message" | "error_description" | "detail"
            | "details" | "code" | "status" | "statusCode" | "status_code" | "reason" | "fault"
                if !member.own().is_list_of_ids() =>
            {
                self.error_marks += 1;
            }
            "success" | "ok" if member == Member::Bool(false) => self.error_marks += 1,
            _ => {}
        }
    }
}

impl<'de> Deserialize<'de> for TopLevel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TopVisitor;
        impl<'de> Visitor<'de> for TopVisitor {
            type Value = TopLevel;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<TopLevel, A::Error> {
                let mut top = TopLevel::default();
                while let Some(key) = members.next_key::<Key>()? {
                    let outer = match key.as_str() {
                        "time" => &mut top.time,
                        "checksum" => &mut top.checksum,
                        "hashed_sdk_key_used" => &mut top.hashed_sdk_key,
                        _ => {
                            let member = members.next_value()?;
                            top.enter(key.as_str(), member);
                            continue;
                        }
                    };
                    let value = members.next_value::<Value>()?;
                    let member = if value.is_null() { Member::Nothing } else { Member::Single };
                    let is_repeated = outer.replace(value).is_some();
                    top.is_ambiguous |= is_repeated;
                    top.enter(key.as_str(), member);
                }
                Ok(top)
            }
        }
        deserializer.deserialize_map(TopVisitor)
    }
}

/// What is looked at of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Member {
    /// Missing, or `null`.
    #[default]
    Nothing,
    Bool(bool),
    /// A number or string.
    Single,
    /// An array, with its first item.
    List {
        first: Entry,
    },
    /// An object: its own keys, and its first member.
    Object {
        own: Entry,
        first: Entry,
    },
}

impl Member {
    fn is_list(self) -> bool {
        matches!(self, Self::List { .. })
    }

    /// The first spec of a section.
    fn first(self) -> Entry {
        match self {
            Self::List { first } | Self::Object { first, .. } => first,
            _ => Entry::default(),
        }
    }

    /// The member's own keys.
    fn own(self) -> Entry {
        if let Self::Object { own, .. } = self { own } else { Entry::default() }
    }
}

/// Keys of an object that tell what it describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Entry {
    has_rules: bool,
    has_salt: bool,
    has_value: bool,
    has_rule_id: bool,
    has_url: bool,
    has_size: bool,
    has_file_id: bool,
    has_exposures: bool,
}

impl Entry {
    /// A result for a user, not the rules that lead to it. `v` and `r` are the short names of one of the formats.
    fn is_evaluated(self) -> bool {
        !self.has_rules && !self.has_salt && (self.has_rule_id && self.has_value || self.has_exposures)
    }

    fn is_list_of_ids(self) -> bool {
        self.has_url && (self.has_size || self.has_file_id)
    }

    fn note(&mut self, key: &str) {
        match key {
            "rules" | "conditions" => self.has_rules = true,
            "salt" | "defaultValue" => self.has_salt = true,
            "value" | "v" => self.has_value = true,
            "rule_id" | "r" | "ruleID" => self.has_rule_id = true,
            "secondary_exposures" | "undelegated_secondary_exposures" => self.has_exposures = true,
            "url" => self.has_url = true,
            "size" | "creationTime" => self.has_size = true,
            "fileID" => self.has_file_id = true,
            _ => {}
        }
    }
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MemberVisitor)
    }
}

struct MemberVisitor;

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = Member;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_unit<E>(self) -> Result<Member, E> {
        Ok(Member::Nothing)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Member, E> {
        Ok(Member::Bool(value))
    }
    fn visit_i64<E>(self, _: i64) -> Result<Member, E> {
        Ok(Member::Single)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Member, E> {
        Ok(Member::Single)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Member, E> {
        Ok(Member::Single)
    }
    fn visit_str<E>(self, _: &str) -> Result<Member, E> {
        Ok(Member::Single)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Member, A::Error> {
        let first = items.next_element::<Entry>()?.unwrap_or_default();
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Member::List { first })
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Member, A::Error> {
        let (mut own, mut first) = (Entry::default(), None);
        while let Some(key) = members.next_key::<Key>()? {
            own.note(key.as_str());
            if first.is_none() {
                first = Some(members.next_value::<Entry>()?);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Member::Object { own, first: first.unwrap_or_default() })
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_unit<E>(self) -> Result<Entry, E> {
        Ok(Entry::default())
    }
    fn visit_bool<E>(self, _: bool) -> Result<Entry, E> {
        Ok(Entry::default())
    }
    fn visit_i64<E>(self, _: i64) -> Result<Entry, E> {
        Ok(Entry::default())
    }
    fn visit_u64<E>(self, _: u64) -> Result<Entry, E> {
        Ok(Entry::default())
    }
    fn visit_f64<E>(self, _: f64) -> Result<Entry, E> {
        Ok(Entry::default())
    }
    fn visit_str<E>(self, _: &str) -> Result<Entry, E> {
        Ok(Entry::default())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Entry, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Entry::default())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Entry, A::Error> {
        let mut entry = Entry::default();
        while let Some(key) = members.next_key::<Key>()? {
            entry.note(key.as_str());
            members.next_value::<IgnoredAny>()?;
        }
        Ok(entry)
    }
}
