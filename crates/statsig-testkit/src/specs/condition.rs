//! Conditions: what they look at, and what they compare it with.

use serde_json::{Map, Value, json};

/// What a condition looks at; an operator makes a [`ConditionBuilder`] of it.
///
/// Two types, so that no condition can be built without the operator that it needs.
///
/// ```
/// use statsig_testkit::specs::ConditionInput;
///
/// let condition = ConditionInput::user_field("level").at_least(7);
/// # let _ = condition;
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use = "an input needs an operator"]
pub struct ConditionInput {
    condition_type: &'static str,
    field: Option<String>,
    salt: Option<String>,
}

/// A condition of a rule (`docs/protocol/evaluation.md#conditions`).
#[derive(Debug, Clone, PartialEq)]
pub struct ConditionBuilder {
    input: ConditionInput,
    operator: Option<&'static str>,
    target: Value,
    id_type: Option<String>,
}

impl ConditionInput {
    fn new(condition_type: &'static str) -> Self {
        Self { condition_type, field: None, salt: None }
    }

    fn with_field(condition_type: &'static str, field: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..Self::new(condition_type) }
    }

    /// A field of the user: its own, custom, or private.
    pub fn user_field(field: impl Into<String>) -> Self {
        Self::with_field("user_field", field)
    }

    /// The country: the user's own, or what its IP address tells.
    pub fn country() -> Self {
        Self::with_field("ip_based", "country")
    }

    /// What the user agent tells: `os_name`, `os_version`, `browser_name` or `browser_version`.
    pub fn user_agent(field: impl Into<String>) -> Self {
        Self::with_field("ua_based", field)
    }

    /// The environment tier.
    pub fn environment_tier() -> Self {
        Self::with_field("environment_field", "tier")
    }

    /// Another field of the environment.
    pub fn environment_field(field: impl Into<String>) -> Self {
        Self::with_field("environment_field", field)
    }

    /// Now. Only the time operators see it.
    pub fn current_time() -> Self {
        Self::new("current_time")
    }

    /// The bucket, 0 to 999, that the unit falls into with this salt.
    pub fn bucket(salt: impl Into<String>) -> Self {
        Self { salt: Some(salt.into()), ..Self::new("user_bucket") }
    }

    /// The ID that the condition's id type names.
    pub fn unit_id() -> Self {
        Self::new("unit_id")
    }

    /// The app that is asked for, or the project's own.
    pub fn target_app() -> Self {
        Self::new("target_app")
    }

    /// The name of the user's group in an experiment.
    pub fn experiment_group(experiment: impl Into<String>) -> Self {
        Self::with_field("experiment_group", experiment)
    }

    fn compare(self, operator: &'static str, target: Value) -> ConditionBuilder {
        ConditionBuilder { input: self, operator: Some(operator), target, id_type: None }
    }
}

macro_rules! list_operators {
    ($($(#[$doc:meta])* $name:ident => $operator:literal;)*) => {
        impl ConditionInput {$(
            $(#[$doc])*
            pub fn $name<V: Into<Value>>(self, values: impl IntoIterator<Item = V>) -> ConditionBuilder {
                self.compare($operator, values.into_iter().map(Into::into).collect())
            }
        )*}
    };
}

list_operators! {
    /// Its text is one of these, whatever their case (`any`).
    is_any_of => "any";
    /// Its text is none of these, whatever their case (`none`). Holds for what is missing.
    is_none_of => "none";
    /// Its text is exactly one of these (`any_case_sensitive`).
    is_exactly_any_of => "any_case_sensitive";
    /// Its text is exactly none of these (`none_case_sensitive`).
    is_exactly_none_of => "none_case_sensitive";
    /// Its text starts with one of these, whatever the case (`str_starts_with_any`).
    starts_with_any => "str_starts_with_any";
    /// Its text ends with one of these, whatever the case (`str_ends_with_any`).
    ends_with_any => "str_ends_with_any";
    /// Its text contains one of these, whatever the case (`str_contains_any`).
    contains_any => "str_contains_any";
    /// Its text contains none of these, whatever the case (`str_contains_none`).
    contains_none => "str_contains_none";
    /// It is an array, and has one of these (`array_contains_any`).
    array_contains_any => "array_contains_any";
    /// It is an array, and has none of these (`array_contains_none`).
    array_contains_none => "array_contains_none";
    /// It is an array, and has all of these (`array_contains_all`).
    array_contains_all => "array_contains_all";
    /// It is an array, and lacks some of these (`not_array_contains_all`).
    array_lacks_some => "not_array_contains_all";
}

macro_rules! operators {
    ($target:ty: $($(#[$doc:meta])* $name:ident => $operator:literal;)*) => {
        impl ConditionInput {$(
            $(#[$doc])*
            pub fn $name(self, target: impl Into<$target>) -> ConditionBuilder {
                let target: $target = target.into();
                self.compare($operator, json!(target))
            }
        )*}
    };
}

operators! { Value:
    /// Its number is greater (`gt`).
    greater_than => "gt";
    /// Its number is as great or greater (`gte`).
    at_least => "gte";
    /// Its number is less (`lt`).
    less_than => "lt";
    /// Its number is as great or less (`lte`).
    at_most => "lte";
}

operators! { String:
    /// Its version comes after (`version_gt`).
    version_after => "version_gt";
    /// Its version is the same or comes after (`version_gte`).
    version_at_least => "version_gte";
    /// Its version comes before (`version_lt`).
    version_before => "version_lt";
    /// Its version is the same or comes before (`version_lte`).
    version_at_most => "version_lte";
    /// Its version is the same (`version_eq`).
    version_is => "version_eq";
    /// Its version is another one (`version_neq`).
    version_is_not => "version_neq";
    /// The pattern is found in its text (`str_matches`). A pattern that does not compile never is,
    /// and is listed among the problems of the specs.
    matches => "str_matches";
    /// It is in the ID list of this name (`in_segment_list`).
    is_in_id_list => "in_segment_list";
    /// It is not in the ID list of this name (`not_in_segment_list`).
    is_not_in_id_list => "not_in_segment_list";
}

operators! { i64:
    /// It is a time before this one, in milliseconds since 1970 (`before`).
    before => "before";
    /// It is a time after this one, in milliseconds since 1970 (`after`).
    after => "after";
    /// It is a time on the same UTC day as this one, in milliseconds since 1970 (`on`).
    on_day_of => "on";
}

operators! { Value:
    /// It equals the value, by the rules of the value's kind (`eq`).
    equals => "eq";
    /// It does not equal the value (`neq`).
    differs_from => "neq";
}

impl ConditionBuilder {
    fn plain(condition_type: &'static str, target: Value) -> Self {
        Self { input: ConditionInput::new(condition_type), operator: None, target, id_type: None }
    }

    /// Holds for everyone.
    #[must_use]
    pub fn everyone() -> Self {
        Self::plain("public", Value::Null)
    }

    /// The gate is open for the user.
    #[must_use]
    pub fn pass_gate(gate: impl Into<String>) -> Self {
        Self::plain("pass_gate", gate.into().into())
    }

    /// The gate is not open for the user; holds for gates that are not there.
    #[must_use]
    pub fn fail_gate(gate: impl Into<String>) -> Self {
        Self::plain("fail_gate", gate.into().into())
    }

    /// The user is in the segment: see [`GateBuilder::segment`](super::GateBuilder::segment).
    #[must_use]
    pub fn in_segment(segment: impl AsRef<str>) -> Self {
        Self::pass_gate(segment_name(segment.as_ref()))
    }

    /// The user is not in the segment.
    #[must_use]
    pub fn not_in_segment(segment: impl AsRef<str>) -> Self {
        Self::fail_gate(segment_name(segment.as_ref()))
    }

    /// The unit's ID is in an ID list, which the client gets from elsewhere.
    #[must_use]
    pub fn in_id_list(list: impl Into<String>) -> Self {
        ConditionInput::unit_id().is_in_id_list(list)
    }

    /// The id type of what the condition looks at (default: that of the rule).
    #[must_use]
    pub fn id_type(mut self, id_type: impl Into<String>) -> Self {
        self.id_type = Some(id_type.into());
        self
    }

    /// The ID list that it asks, if it asks one.
    pub(super) fn id_list(&self) -> Option<&str> {
        match self.operator {
            Some("in_segment_list" | "not_in_segment_list") => self.target.as_str(),
            _ => None,
        }
    }

    /// The condition in a document; `rule_id_type`: of the rule that it stands in.
    pub(super) fn to_json(&self, rule_id_type: &str) -> Value {
        let mut out = Map::new();
        out.insert("type".to_owned(), self.input.condition_type.into());
        if !self.target.is_null() || self.operator.is_some() {
            out.insert("targetValue".to_owned(), self.target.clone());
        }
        if let Some(operator) = self.operator {
            out.insert("operator".to_owned(), operator.into());
        }
        if let Some(field) = &self.input.field {
            out.insert("field".to_owned(), field.as_str().into());
        }
        if let Some(salt) = &self.input.salt {
            out.insert("additionalValues".to_owned(), json!({"salt": salt}));
        }
        out.insert("idType".to_owned(), self.id_type.as_deref().unwrap_or(rule_id_type).into());
        Value::Object(out)
    }
}

/// The name of the gate that is a segment: it begins with `segment:`.
pub(super) fn segment_name(name: &str) -> String {
    if name.starts_with("segment:") { name.to_owned() } else { format!("segment:{name}") }
}
