//! The parts of a document as serde sees them; field names are the protocol's.
//!
//! Required fields are `Option` here: whether one may be missing depends on the document's format,
//! which the compiler checks. A present field of the wrong type fails the part it stands in.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use super::integer::{integer, optional_integer};
use crate::json::Raw;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A string that borrows from the document unless it has escapes.
///
/// (`Cow<str>` inside containers always copies under serde.)
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct CowStr<'a>(pub(crate) Cow<'a, str>);

impl Deref for CowStr<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for CowStr<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StrVisitor<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for StrVisitor<'a> {
            type Value = CowStr<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, value: &'de str) -> Result<CowStr<'a>, E> {
                Ok(CowStr(Cow::Borrowed(value)))
            }
            fn visit_str<E>(self, value: &str) -> Result<CowStr<'a>, E> {
                Ok(CowStr(Cow::Owned(value.to_owned())))
            }
            fn visit_string<E>(self, value: String) -> Result<CowStr<'a>, E> {
                Ok(CowStr(Cow::Owned(value)))
            }
        }
        deserializer.deserialize_str(StrVisitor(PhantomData))
    }
}

/// Keeps a present `null` apart from a missing key.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Raw<'a>>, D::Error> {
    Raw::deserialize(deserializer).map(Some)
}

/// A gate, config, experiment or layer.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a spec: an object")]
pub(crate) struct WireSpec<'a> {
    #[serde(borrow, default)]
    pub(crate) name: Option<CowStr<'a>>,
    #[serde(rename = "type", borrow, default)]
    pub(crate) spec_type: Option<CowStr<'a>>,
    #[serde(borrow, default)]
    pub(crate) entity: Option<CowStr<'a>>,
    #[serde(borrow, default)]
    pub(crate) salt: Option<CowStr<'a>>,
    #[serde(default)]
    pub(crate) enabled: Option<bool>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) default_value: Option<Raw<'a>>,
    #[serde(borrow, default)]
    pub(crate) rules: Option<Vec<WireRule<'a>>>,
    #[serde(borrow, default)]
    pub(crate) id_type: Option<CowStr<'a>>,
    #[serde(default, deserialize_with = "optional_integer")]
    pub(crate) version: Option<u32>,
    #[serde(default)]
    pub(crate) is_active: Option<bool>,
    #[serde(default)]
    pub(crate) has_shared_params: Option<bool>,
    #[serde(default)]
    pub(crate) forward_all_exposures: Option<bool>,
    #[serde(default)]
    pub(crate) use_new_layer_eval: Option<bool>,
    #[serde(borrow, default)]
    pub(crate) explicit_parameters: Option<Vec<CowStr<'a>>>,
    #[serde(rename = "targetAppIDs", borrow, default)]
    pub(crate) target_app_ids: Option<Vec<CowStr<'a>>>,
    #[serde(borrow, default)]
    pub(crate) fields_used: Option<Vec<CowStr<'a>>>,
    /// Of no use yet, but a wrong type fails the spec.
    #[serde(rename = "checksum", borrow, default)]
    pub(crate) _checksum: Option<CowStr<'a>>,
}

/// A rule of a spec.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a rule: an object")]
pub(crate) struct WireRule<'a> {
    #[serde(borrow, default)]
    pub(crate) name: Option<CowStr<'a>>,
    #[serde(borrow, default)]
    pub(crate) id: Option<CowStr<'a>>,
    #[serde(borrow, default)]
    pub(crate) salt: Option<CowStr<'a>>,
    #[serde(default)]
    pub(crate) pass_percentage: Option<f64>,
    #[serde(borrow, default)]
    pub(crate) conditions: Option<Vec<WireConditionRef<'a>>>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) return_value: Option<Raw<'a>>,
    #[serde(borrow, default)]
    pub(crate) id_type: Option<CowStr<'a>>,
    #[serde(borrow, default)]
    pub(crate) group_name: Option<CowStr<'a>>,
    #[serde(borrow, default)]
    pub(crate) config_delegate: Option<CowStr<'a>>,
    #[serde(default)]
    pub(crate) is_experiment_group: Option<bool>,
    #[serde(default, deserialize_with = "optional_integer")]
    pub(crate) sampling_rate: Option<u64>,
}

/// A rule's condition: the key of a shared one (v2), or the condition itself (v1).
#[derive(Debug)]
pub(crate) enum WireConditionRef<'a> {
    Id(CowStr<'a>),
    Inline(Box<WireCondition<'a>>),
}

impl<'de: 'a, 'a> Deserialize<'de> for WireConditionRef<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RefVisitor<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for RefVisitor<'a> {
            type Value = WireConditionRef<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a condition id or a condition")
            }
            fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
                Ok(WireConditionRef::Id(CowStr(Cow::Borrowed(value))))
            }
            fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
                Ok(WireConditionRef::Id(CowStr(Cow::Owned(value.to_owned()))))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let condition = WireCondition::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(WireConditionRef::Inline(Box::new(condition)))
            }
        }
        deserializer.deserialize_any(RefVisitor(PhantomData))
    }
}

/// A condition.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a condition: an object")]
pub(crate) struct WireCondition<'a> {
    #[serde(rename = "type", borrow, default)]
    pub(crate) condition_type: Option<CowStr<'a>>,
    #[serde(borrow, default)]
    pub(crate) target_value: WireTarget<'a>,
    #[serde(borrow, default)]
    pub(crate) operator: Option<CowStr<'a>>,
    #[serde(borrow, default)]
    pub(crate) field: Option<CowStr<'a>>,
    #[serde(borrow, default)]
    pub(crate) additional_values: WireSalt<'a>,
    #[serde(borrow, default)]
    pub(crate) id_type: Option<CowStr<'a>>,
}

/// `additionalValues`, of which only the salt is of use.
#[derive(Debug, Default)]
pub(crate) struct WireSalt<'a> {
    pub(crate) salt: Option<CowStr<'a>>,
    /// Some value is not a string: fatal to a v2 condition, stringified in v1.
    pub(crate) has_non_string: bool,
}

impl<'de: 'a, 'a> Deserialize<'de> for WireSalt<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SaltVisitor<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for SaltVisitor<'a> {
            type Value = WireSalt<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(WireSalt::default())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut salt = WireSalt::default();
                while let Some(key) = map.next_key::<CowStr<'a>>()? {
                    let text = match map.next_value::<WireTarget<'a>>()? {
                        WireTarget::String(text) => Some(text),
                        WireTarget::Number(number) => {
                            salt.has_non_string = true;
                            Some(CowStr(Cow::Owned(number.to_string())))
                        }
                        WireTarget::Bool(value) => {
                            salt.has_non_string = true;
                            Some(CowStr(Cow::Borrowed(if value { "true" } else { "false" })))
                        }
                        _ => {
                            salt.has_non_string = true;
                            None
                        }
                    };
                    if &*key == "salt" {
                        salt.salt = text;
                    }
                }
                Ok(salt)
            }
        }
        deserializer.deserialize_any(SaltVisitor(PhantomData))
    }
}

/// A target value, reduced to what operators can see of it.
///
/// Items of arrays and members of objects are texts: a string itself, anything else its JSON.
#[derive(Debug, Default)]
pub(crate) enum WireTarget<'a> {
    #[default]
    Null,
    Bool(bool),
    Number(serde_json::Number),
    String(CowStr<'a>),
    Array(Vec<CowStr<'a>>),
    Object(Vec<(CowStr<'a>, CowStr<'a>)>),
}

impl<'de: 'a, 'a> Deserialize<'de> for WireTarget<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TargetVisitor<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for TargetVisitor<'a> {
            type Value = WireTarget<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON value")
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(WireTarget::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
                Ok(WireTarget::Bool(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
                Ok(WireTarget::Number(value.into()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
                Ok(WireTarget::Number(value.into()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
                // JSON has no other floats than finite ones.
                Ok(serde_json::Number::from_f64(value).map_or(WireTarget::Null, WireTarget::Number))
            }
            fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
                Ok(WireTarget::String(CowStr(Cow::Borrowed(value))))
            }
            fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
                Ok(WireTarget::String(CowStr(Cow::Owned(value.to_owned()))))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut list = Vec::new();
                while let Some(TextOf(item)) = items.next_element()? {
                    list.push(item);
                }
                Ok(WireTarget::Array(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut list = Vec::new();
                while let Some((key, TextOf(value))) = members.next_entry::<CowStr<'a>, TextOf<'a>>()? {
                    list.push((key, value));
                }
                Ok(WireTarget::Object(list))
            }
        }
        deserializer.deserialize_any(TargetVisitor(PhantomData))
    }
}

/// The text of an item: a string itself, anything else its compact JSON.
struct TextOf<'a>(CowStr<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for TextOf<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ItemVisitor<'a>(PhantomData<&'a ()>);
        fn json<'a, E>(value: &serde_json::Value) -> Result<TextOf<'a>, E> {
            Ok(TextOf(CowStr(Cow::Owned(crate::value::json_text(value)))))
        }
        impl<'de: 'a, 'a> Visitor<'de> for ItemVisitor<'a> {
            type Value = TextOf<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON value")
            }
            fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
                Ok(TextOf(CowStr(Cow::Borrowed(value))))
            }
            fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
                Ok(TextOf(CowStr(Cow::Owned(value.to_owned()))))
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(TextOf(CowStr(Cow::Borrowed("null"))))
            }
            fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
                Ok(TextOf(CowStr(Cow::Borrowed(if value { "true" } else { "false" }))))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
                json(&value.into())
            }
            fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
                json(&value.into())
            }
            fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
                json(&value.into())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
                json(&serde_json::Value::deserialize(serde::de::value::SeqAccessDeserializer::new(items))?)
            }
            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
                json(&serde_json::Value::deserialize(serde::de::value::MapAccessDeserializer::new(members))?)
            }
        }
        deserializer.deserialize_any(ItemVisitor(PhantomData))
    }
}

/// One entry of `overrides`: the configs that may take a spec's place.
#[derive(Debug, serde::Deserialize)]
#[serde(expecting = "a mapping: an object")]
pub(crate) struct WireMapping<'a> {
    #[serde(borrow)]
    pub(crate) new_config_name: CowStr<'a>,
    #[serde(borrow)]
    pub(crate) rules: Vec<WireMappingRule<'a>>,
}

/// When a [`WireMapping`] applies.
#[derive(Debug, serde::Deserialize)]
#[serde(expecting = "a mapping rule: an object")]
pub(crate) struct WireMappingRule<'a> {
    #[serde(borrow)]
    pub(crate) rule_name: CowStr<'a>,
    #[serde(default, deserialize_with = "optional_integer")]
    pub(crate) start_time: Option<i64>,
}

/// A contextual bandit.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a contextual bandit: an object")]
pub(crate) struct WireCmab<'a> {
    #[serde(borrow)]
    pub(crate) salt: CowStr<'a>,
    #[serde(rename = "targetAppIDs", borrow, default)]
    pub(crate) target_app_ids: Option<Vec<CowStr<'a>>>,
    #[serde(borrow)]
    pub(crate) default_value: Raw<'a>,
    #[serde(borrow)]
    pub(crate) id_type: CowStr<'a>,
    pub(crate) enabled: bool,
    #[serde(deserialize_with = "integer")]
    pub(crate) version: u32,
    pub(crate) sample_rate: f64,
    pub(crate) higher_is_better: bool,
    #[serde(borrow)]
    pub(crate) groups: Vec<WireCmabGroup<'a>>,
    #[serde(borrow, default)]
    pub(crate) config: Option<Entries<'a, WireCmabWeights<'a>>>,
    #[serde(borrow, default)]
    pub(crate) targeting_gate_name: Option<CowStr<'a>>,
}

/// An arm of a contextual bandit.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a group: an object")]
pub(crate) struct WireCmabGroup<'a> {
    #[serde(borrow)]
    pub(crate) name: CowStr<'a>,
    #[serde(borrow)]
    pub(crate) id: CowStr<'a>,
    #[serde(borrow)]
    pub(crate) parameter_values: Raw<'a>,
}

/// What a contextual bandit has learned about one arm.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase", expecting = "weights: an object")]
pub(crate) struct WireCmabWeights<'a> {
    pub(crate) alpha: f64,
    pub(crate) intercept: f64,
    #[serde(deserialize_with = "integer")]
    pub(crate) records: u64,
    #[serde(borrow)]
    pub(crate) weights_numerical: Entries<'a, f64>,
    #[serde(borrow)]
    pub(crate) weights_categorical: Entries<'a, Entries<'a, f64>>,
}

/// A parameter store.
#[derive(Debug, serde::Deserialize)]
#[serde(expecting = "a parameter store: an object")]
pub(crate) struct WireParamStore<'a> {
    #[serde(borrow)]
    pub(crate) parameters: Entries<'a, WireParam<'a>>,
    #[serde(rename = "targetAppIDs", borrow, default)]
    pub(crate) target_app_ids: Option<Vec<CowStr<'a>>>,
}

/// A parameter of a store; which fields are present tells what it refers to.
#[derive(Debug, serde::Deserialize)]
#[serde(expecting = "a parameter: an object")]
pub(crate) struct WireParam<'a> {
    /// Passed on to clients, like `param_type`; here the fields tell the kind.
    #[serde(borrow)]
    pub(crate) ref_type: CowStr<'a>,
    #[serde(borrow)]
    pub(crate) param_type: CowStr<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) value: Option<Raw<'a>>,
    #[serde(borrow, default)]
    pub(crate) gate_name: Option<CowStr<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) pass_value: Option<Raw<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) fail_value: Option<Raw<'a>>,
    #[serde(borrow, default)]
    pub(crate) config_name: Option<CowStr<'a>>,
    #[serde(borrow, default)]
    pub(crate) experiment_name: Option<CowStr<'a>>,
    #[serde(borrow, default)]
    pub(crate) layer_name: Option<CowStr<'a>>,
    #[serde(borrow, default)]
    pub(crate) param_name: Option<CowStr<'a>>,
}

/// The members of an object, in order.
#[derive(Debug)]
pub(crate) struct Entries<'a, T>(pub(crate) Vec<(CowStr<'a>, T)>);

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Entries<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor<'a, T>(PhantomData<(&'a (), T)>);
        impl<'de: 'a, 'a, T: Deserialize<'de>> Visitor<'de> for EntriesVisitor<'a, T> {
            type Value = Entries<'a, T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut list = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    list.push(entry);
                }
                Ok(Entries(list))
            }
        }
        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

/// The top level of a document: each section as raw text, to be read when its turn comes.
#[derive(Debug, serde::Deserialize)]
#[serde(expecting = "config specs: an object")]
pub(crate) struct WireDocument<'a> {
    #[serde(default)]
    pub(crate) has_updates: Option<bool>,
    #[serde(default, deserialize_with = "optional_integer")]
    pub(crate) time: Option<u64>,
    #[serde(borrow, default)]
    pub(crate) checksum: Option<CowStr<'a>>,
    #[serde(borrow, default)]
    pub(crate) company_id: Option<CowStr<'a>>,
    #[serde(borrow, default)]
    pub(crate) feature_gates: Option<Raw<'a>>,
    #[serde(borrow, default)]
    pub(crate) dynamic_configs: Option<Raw<'a>>,
    #[serde(borrow, default)]
    pub(crate) layer_configs: Option<Raw<'a>>,
    #[serde(borrow, default)]
    pub(crate) condition_map: Option<Raw<'a>>,
    #[serde(borrow, default)]
    pub(crate) experiment_to_layer: Option<Raw<'a>>,
    /// v1 only: layer to its experiments.
    #[serde(borrow, default)]
    pub(crate) layers: Option<Raw<'a>>,
    #[serde(borrow, default)]
    pub(crate) param_stores: Option<Raw<'a>>,
    #[serde(borrow, default)]
    pub(crate) cmab_configs: Option<Raw<'a>>,
    #[serde(borrow, default)]
    pub(crate) overrides: Option<Raw<'a>>,
    #[serde(borrow, default)]
    pub(crate) override_rules: Option<Raw<'a>>,
    #[serde(default)]
    pub(crate) id_lists: Option<std::collections::BTreeMap<String, bool>>,
    #[serde(default)]
    pub(crate) sdk_flags: Option<std::collections::BTreeMap<String, bool>>,
    #[serde(default)]
    pub(crate) sdk_configs: Option<std::collections::BTreeMap<String, serde_json::Value>>,
    #[serde(default)]
    pub(crate) diagnostics: Option<std::collections::BTreeMap<String, f64>>,
    #[serde(default)]
    pub(crate) app_id: Option<serde_json::Value>,
    #[serde(borrow, default)]
    pub(crate) default_environment: Option<CowStr<'a>>,
    #[serde(borrow, default)]
    pub(crate) hashed_sdk_key_used: Option<CowStr<'a>>,
    #[serde(default)]
    pub(crate) sdk_keys_to_app_ids: Option<std::collections::BTreeMap<String, serde_json::Value>>,
    #[serde(default)]
    pub(crate) hashed_sdk_keys_to_app_ids: Option<std::collections::BTreeMap<String, serde_json::Value>>,
    #[serde(borrow, default)]
    pub(crate) session_replay_info: Option<Raw<'a>>,
}

/// What clients are told about recording sessions.
#[derive(Debug, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct WireSessionReplay<'a> {
    #[serde(default)]
    pub(crate) sampling_rate: Option<f64>,
    #[serde(borrow, default)]
    pub(crate) targeting_gate: Option<CowStr<'a>>,
    #[serde(default)]
    pub(crate) recording_blocked: Option<bool>,
    #[serde(borrow, default)]
    pub(crate) session_recording_event_triggers: Option<Entries<'a, WireTrigger<'a>>>,
    #[serde(borrow, default)]
    pub(crate) session_recording_exposure_triggers: Option<Entries<'a, WireTrigger<'a>>>,
    #[serde(borrow, default)]
    pub(crate) session_recording_privacy_settings: Option<WirePrivacySettings<'a>>,
}

/// What starts a recording.
#[derive(Debug, serde::Deserialize)]
#[serde(expecting = "a trigger: an object")]
pub(crate) struct WireTrigger<'a> {
    #[serde(default)]
    pub(crate) sampling_rate: Option<f64>,
    #[serde(borrow, default)]
    pub(crate) values: Option<Vec<CowStr<'a>>>,
}

/// What a recording hides.
#[derive(Debug, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct WirePrivacySettings<'a> {
    #[serde(borrow)]
    pub(crate) privacy_mode: CowStr<'a>,
    #[serde(borrow, default)]
    pub(crate) unmasked_elements: Option<Vec<CowStr<'a>>>,
    #[serde(borrow, default)]
    pub(crate) masked_elements: Option<Vec<CowStr<'a>>>,
    #[serde(borrow, default)]
    pub(crate) blocked_elements: Option<Vec<CowStr<'a>>>,
}
