//! Integers that were written as floats are integers.

use serde_json::{Value, json};
use statsig_core::{Ruleset, StickyValues};

use super::{compile, gate, specs};

#[test]
fn the_time_may_be_an_integral_float() {
    let text = specs(&json!({"g": gate()})).to_string();
    for (written, time) in
        [("1700000000000.0", 1_700_000_000_000), ("1.7e+12", 1_700_000_000_000), ("1000.0", 1_000), ("0.0", 0)]
    {
        let text = text.replace("\"time\":1000", &format!("\"time\":{written}"));
        assert_eq!(Ruleset::compile(text.as_bytes()).unwrap().meta().time, time, "{written}");
    }
    for wrong in ["1.5", "-1.0", "1e30", "\"1000\"", "true"] {
        let text = text.replace("\"time\":1000", &format!("\"time\":{wrong}"));
        assert!(Ruleset::compile(text.as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn every_integer_of_a_payload_may_be_an_integral_float() {
    let mut of_floats = gate();
    of_floats["version"] = json!(3.0);
    of_floats["rules"][0]["samplingRate"] = json!(101.0);
    let mut payload = specs(&json!({"g": of_floats}));
    payload["override_rules"] = json!({"o": gate()["rules"][0]});
    payload["overrides"] =
        json!({"g": [{"new_config_name": "h", "rules": [{"rule_name": "o", "start_time": 1.7e12}]}]});
    let weights =
        json!({"alpha": 0.0, "intercept": 0, "records": 7.0, "weightsNumerical": {}, "weightsCategorical": {}});
    payload["cmab_configs"] = json!({"b": {"salt": "s", "defaultValue": {}, "idType": "userID", "enabled": true,
        "version": 2.0, "sampleRate": 0, "higherIsBetter": true, "config": {"a": weights},
        "groups": [{"name": "A", "id": "a", "parameterValues": {}}]}});
    let ruleset = compile(&payload).unwrap();
    assert_eq!(ruleset.problems(), []);
    assert_eq!(ruleset.size().cmabs, 1);
    for wrong in [json!(1.5), json!(-1), json!(4_294_967_296_u64), json!(4_294_967_296.0)] {
        let mut payload = payload.clone();
        payload["feature_gates"]["g"]["version"] = wrong.clone();
        assert_eq!(compile(&payload).unwrap().malformed_specs().len(), 1, "{wrong}");
    }
}

#[test]
fn integers_of_sticky_values_may_be_integral_floats() {
    let stored = json!({"value": true, "rule_id": "r", "time": 1.7e12, "config_version": 4.0});
    let values: StickyValues = serde_json::from_value::<Value>(stored).and_then(serde_json::from_value).unwrap();
    assert_eq!((values.time, values.config_version), (Some(1_700_000_000_000), Some(4)));
}
