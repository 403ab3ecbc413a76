//! Any pattern is compiled or refused, and any search ends; both within their limits.
//!
//! The text before the first line feed is the pattern, the rest the value of the user.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use statsig_core::{EvaluationContext, EvaluationSettings, FixedClock, Ruleset, Snapshot, SpecOrigin, StatsigUser};

fuzz_target!(|input: &str| {
    let (pattern, value) = input.split_once('\n').unwrap_or((input, ""));
    let payload = serde_json::json!({"has_updates": true, "time": 1, "dynamic_configs": {}, "layer_configs": {},
        "condition_map": {"c": {"type": "user_field", "field": "f", "operator": "str_matches", "targetValue": pattern,
            "idType": "userID"}},
        "feature_gates": {"g": {"type": "feature_gate", "entity": "feature_gate", "salt": "s", "enabled": true,
            "defaultValue": false, "idType": "userID", "rules": [{"name": "r", "id": "r", "passPercentage": 100,
            "conditions": ["c"], "returnValue": true, "idType": "userID"}]}}});
    let ruleset = Ruleset::compile(payload.to_string().as_bytes()).expect("a pattern never concerns the whole payload");
    let snapshot = Arc::new(Snapshot::new(ruleset, SpecOrigin::Bootstrap, 1));
    let user = StatsigUser::builder().custom("f", value).build();
    let settings = EvaluationSettings::new();
    let context = EvaluationContext::new(&snapshot, &user, &settings, &FixedClock(1));
    assert_eq!(context.feature_gate("g", false).value(), context.feature_gate("g", true).value());
});
