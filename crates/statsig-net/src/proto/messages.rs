//! The messages, as they are on the wire.

use std::collections::HashMap;

use prost::bytes::Bytes;
use prost::{Enumeration, Message, Oneof};

/// A part of a document.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SpecsEnvelope {
    #[prost(enumeration = "Kind", tag = "1")]
    pub(super) kind: i32,
    #[prost(string, tag = "2")]
    pub(super) name: String,
    #[prost(string, tag = "3")]
    pub(super) checksum: String,
    #[prost(bytes = "bytes", optional, tag = "4")]
    pub(super) data: Option<Bytes>,
}

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub(super) enum Kind {
    Unknown = 0,
    Done = 1,
    TopLevel = 2,
    FeatureGate = 3,
    DynamicConfig = 4,
    LayerConfig = 5,
    ParamStore = 6,
    Condition = 7,
    Deletions = 8,
    Checksums = 9,
    CopyPrev = 10,
}

/// The head of a document.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SpecsTopLevel {
    #[prost(bool, tag = "1")]
    pub(super) has_updates: bool,
    #[prost(uint64, tag = "2")]
    pub(super) time: u64,
    #[prost(string, tag = "3")]
    pub(super) company_id: String,
    #[prost(string, tag = "4")]
    pub(super) response_format: String,
    #[prost(string, tag = "5")]
    pub(super) checksum: String,
    #[prost(bytes = "bytes", tag = "7")]
    pub(super) rest: Bytes,
}

/// What a difference takes away from the document before, by name.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RulesetsResponseDeletions {
    #[prost(string, repeated, tag = "1")]
    pub(super) dynamic_configs: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub(super) feature_gates: Vec<String>,
    #[prost(string, repeated, tag = "3")]
    pub(super) layer_configs: Vec<String>,
    #[prost(string, repeated, tag = "4")]
    pub(super) experiment_to_layer: Vec<String>,
    #[prost(string, repeated, tag = "5")]
    pub(super) condition_map: Vec<String>,
    #[prost(string, repeated, tag = "6")]
    pub(super) sdk_configs: Vec<String>,
    #[prost(string, repeated, tag = "7")]
    pub(super) param_stores: Vec<String>,
    #[prost(string, repeated, tag = "8")]
    pub(super) cmab_configs: Vec<String>,
    #[prost(string, repeated, tag = "9")]
    pub(super) override_rules: Vec<String>,
    #[prost(string, repeated, tag = "10")]
    pub(super) overrides: Vec<String>,
}

/// The sums of the checksums of all entities, by section.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RulesetsChecksums {
    #[prost(map = "string, uint64", tag = "1")]
    pub(super) field_checksums: HashMap<String, u64>,
}

/// A gate, config or layer.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Spec {
    #[prost(string, tag = "1")]
    pub(super) salt: String,
    #[prost(bool, tag = "2")]
    pub(super) enabled: bool,
    #[prost(message, optional, tag = "3")]
    pub(super) default_value: Option<ReturnValue>,
    #[prost(int32, tag = "4")]
    pub(super) entity: i32,
    #[prost(message, optional, tag = "5")]
    pub(super) id_type: Option<IdType>,
    #[prost(uint32, tag = "6")]
    pub(super) version: u32,
    #[prost(message, repeated, tag = "7")]
    pub(super) rules: Vec<Rule>,
    #[prost(bool, optional, tag = "8")]
    pub(super) is_active: Option<bool>,
    #[prost(string, repeated, tag = "9")]
    pub(super) explicit_parameters: Vec<String>,
    #[prost(bool, optional, tag = "10")]
    pub(super) has_shared_params: Option<bool>,
    #[prost(string, repeated, tag = "11")]
    pub(super) target_app_ids: Vec<String>,
    #[prost(bool, optional, tag = "12")]
    pub(super) use_new_layer_eval: Option<bool>,
    #[prost(bool, optional, tag = "13")]
    pub(super) forward_all_exposures: Option<bool>,
    #[prost(string, repeated, tag = "14")]
    pub(super) fields_used: Vec<String>,
}

/// A rule of a spec.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Rule {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(uint32, tag = "2")]
    pub(super) pass_percentage: u32,
    #[prost(string, tag = "3")]
    pub(super) id: String,
    #[prost(string, optional, tag = "4")]
    pub(super) salt: Option<String>,
    #[prost(string, repeated, tag = "5")]
    pub(super) conditions: Vec<String>,
    #[prost(message, optional, tag = "6")]
    pub(super) id_type: Option<IdType>,
    #[prost(message, optional, tag = "7")]
    pub(super) return_value: Option<ReturnValue>,
    #[prost(string, optional, tag = "8")]
    pub(super) group_name: Option<String>,
    #[prost(string, optional, tag = "9")]
    pub(super) config_delegate: Option<String>,
    #[prost(bool, optional, tag = "10")]
    pub(super) is_experiment_group: Option<bool>,
    #[prost(bool, optional, tag = "11")]
    pub(super) is_control_group: Option<bool>,
    #[prost(float, optional, tag = "12")]
    pub(super) sampling_rate: Option<f32>,
    #[prost(double, optional, tag = "13")]
    pub(super) pass_percentage_float: Option<f64>,
}

/// A condition.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Condition {
    #[prost(int32, tag = "1")]
    pub(super) condition_type: i32,
    #[prost(message, optional, tag = "2")]
    pub(super) id_type: Option<IdType>,
    #[prost(message, optional, tag = "3")]
    pub(super) target_value: Option<AnyValue>,
    #[prost(int32, optional, tag = "4")]
    pub(super) operator: Option<i32>,
    #[prost(string, optional, tag = "5")]
    pub(super) field: Option<String>,
    #[prost(bytes = "bytes", optional, tag = "6")]
    pub(super) additional_values: Option<Bytes>,
}

/// What a condition compares with.
#[derive(Clone, PartialEq, Message)]
pub(super) struct AnyValue {
    #[prost(oneof = "Any", tags = "1, 2, 3, 4, 5, 6")]
    pub(super) value: Option<Any>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Any {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Signed(i64),
    #[prost(uint64, tag = "4")]
    Unsigned(u64),
    #[prost(double, tag = "5")]
    Float(f64),
    #[prost(bytes = "bytes", tag = "6")]
    Json(Bytes),
}

/// What a rule or a spec gives.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ReturnValue {
    #[prost(oneof = "Returned", tags = "1, 2")]
    pub(super) value: Option<Returned>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Returned {
    #[prost(bool, tag = "1")]
    Bool(bool),
    #[prost(bytes = "bytes", tag = "2")]
    Json(Bytes),
}

/// The kind of unit that is bucketed.
#[derive(Clone, PartialEq, Message)]
pub(super) struct IdType {
    #[prost(oneof = "Unit", tags = "1, 2")]
    pub(super) value: Option<Unit>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Unit {
    #[prost(int32, tag = "1")]
    Known(i32),
    #[prost(string, tag = "2")]
    Custom(String),
}

/// Names by number, from 1 on.
pub(super) const ENTITIES: [&str; 7] =
    ["feature_gate", "dynamic_config", "autotune", "experiment", "layer", "segment", "holdout"];
pub(super) const CONDITIONS: [&str; 11] = [
    "public",
    "fail_gate",
    "pass_gate",
    "ua_based",
    "ip_based",
    "user_field",
    "environment_field",
    "current_time",
    "user_bucket",
    "target_app",
    "unit_id",
];
pub(super) const OPERATORS: [&str; 31] = [
    "gt",
    "gte",
    "lt",
    "lte",
    "version_gt",
    "version_gte",
    "version_lt",
    "version_lte",
    "version_eq",
    "version_neq",
    "any",
    "none",
    "str_starts_with_any",
    "str_ends_with_any",
    "str_contains_any",
    "str_contains_none",
    "any_case_sensitive",
    "none_case_sensitive",
    "str_matches",
    "before",
    "after",
    "on",
    "eq",
    "neq",
    "in_segment_list",
    "not_in_segment_list",
    "array_contains_any",
    "array_contains_none",
    "array_contains_all",
    "not_array_contains_all",
    "encoded_any",
];
pub(super) const UNITS: [&str; 2] = ["userID", "stableID"];
