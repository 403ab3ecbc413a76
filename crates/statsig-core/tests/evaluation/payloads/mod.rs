//! Payloads that are not what they should be: of another kind, damaged, or wrong in parts.

mod kinds;
mod malformed;
mod messages;
mod numbers;
mod times;

use serde_json::{Value, json};
use statsig_core::{Error, Ruleset};

/// A gate that is open to everybody.
fn gate() -> Value {
    json!({"type": "feature_gate", "entity": "feature_gate", "salt": "s", "enabled": true, "defaultValue": false,
        "idType": "userID", "rules": [{"name": "r", "id": "r", "salt": "s", "passPercentage": 100,
        "conditions": ["all"], "returnValue": true, "idType": "userID"}]})
}

/// Config specs with these gates.
fn specs(gates: &Value) -> Value {
    json!({"has_updates": true, "time": 1_000, "feature_gates": gates, "dynamic_configs": {}, "layer_configs": {},
        "condition_map": {"all": {"type": "public", "idType": "userID"}}, "experiment_to_layer": {}})
}

fn compile(payload: &Value) -> Result<Ruleset, Error> {
    Ruleset::compile(payload.to_string().as_bytes())
}

/// An error with all of its causes.
fn whole_message(error: &Error) -> String {
    let mut message = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        message.push_str(": ");
        message.push_str(&cause.to_string());
        source = cause.source();
    }
    message
}
