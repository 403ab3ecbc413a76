//! Everything around the entries.

use serde_json::{Value, json};
use statsig_core::{ClientInitializeOptions, ClientSdkInfo, EvaluationSettings, HashAlgorithm, StatsigUser};

use super::project::{Asked, document, names, plain};

#[test]
fn the_top_level_tells_what_clients_check() {
    let asked = Asked::new();
    let info =
        ClientSdkInfo { sdk_type: "server".to_owned(), sdk_version: "1.2.3".to_owned(), session_id: "s-1".to_owned() };
    let response = asked.json(&ClientInitializeOptions::new().with_sdk_info(info));
    for (field, expected) in [
        ("time", json!(1_700_000_000_000_u64)),
        ("has_updates", json!(true)),
        ("hash_used", json!("djb2")),
        ("sdkParams", json!({})),
        ("sdkInfo", json!({"sdkType": "server", "sdkVersion": "1.2.3", "sessionId": "s-1"})),
        ("user", json!({"userID": "u", "statsigEnvironment": {"tier": "development"}})),
        ("evaluated_keys", json!({"userID": "u"})),
    ] {
        assert_eq!(response[field], expected, "{field}");
    }
    for absent in ["pa_hash", "full_checksum", "can_record_session", "exposures", "values", "generator"] {
        assert!(response.get(absent).is_none(), "{absent}");
    }
}

#[test]
fn names_are_hashed_as_asked() {
    for (algorithm, name) in [
        (HashAlgorithm::None, "gate_pub"),
        (HashAlgorithm::Djb2, "2726547849"),
        (HashAlgorithm::Sha256, &*HashAlgorithm::Sha256.hash("gate_pub")),
    ] {
        let response = Asked::new().json(&ClientInitializeOptions::new().with_hash_algorithm(algorithm));
        assert_eq!(response["hash_used"], algorithm.as_str());
        assert_eq!(response["feature_gates"][name]["name"], name);
        let nested = &response["feature_gates"][&*algorithm.hash("gate_nested")];
        assert_eq!(nested["secondary_exposures"][0]["gate"], name);
        let store = &response["param_stores"][&*algorithm.hash("store")];
        assert_eq!(store["gate"]["gate_name"], name);
        let layer = &response["layer_configs"][&*algorithm.hash("layer_1")];
        assert_eq!(layer["allocated_experiment_name"], *algorithm.hash("exp_layer"));
    }
}

#[test]
fn private_attributes_stay() {
    let mut asked = Asked::new();
    asked.settings = EvaluationSettings::new().with_environment("production").with_global_custom_fields([("g", 1)]);
    asked.user = StatsigUser::builder()
        .custom_id("companyID", 7)
        .custom("plan", "gold")
        .private_attribute("vip", true)
        .private_attribute("email", "x@y.z")
        .private_attribute("age", 30)
        .build();
    let (text, _) = asked.text(&plain());
    for secret in ["x@y.z", "vip", "privateAttributes"] {
        assert!(!text.contains(secret), "{secret}");
    }
    let response: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(response["pa_hash"], "1203568802");
    assert_eq!(
        response["user"],
        json!({"customIDs": {"companyID": 7}, "custom": {"g": 1, "plan": "gold"},
               "statsigEnvironment": {"tier": "production"}})
    );
    assert_eq!(response["evaluated_keys"], json!({"customIDs": {"companyID": "7"}}));
}

#[test]
fn stores_tell_references_with_hashed_names() {
    let store = &Asked::new().json(&plain())["param_stores"]["store"];
    assert_eq!(
        *store,
        json!({
            "static": {"name": "static", "ref_type": "static", "param_type": "number", "value": 3},
            "gate": {"name": "gate", "ref_type": "gate", "param_type": "string", "gate_name": "gate_pub",
                     "pass_value": "in", "fail_value": null},
            "config": {"name": "config", "ref_type": "dynamic_config", "param_type": "number", "config_name": "config",
                       "param_name": "n"},
            "experiment": {"name": "experiment", "ref_type": "experiment", "param_type": "string",
                           "experiment_name": "exp_layer", "param_name": "a"},
            "layer": {"name": "layer", "ref_type": "layer", "param_type": "string", "layer_name": "layer_1",
                      "param_name": "a"},
        })
    );
}

/// The fields about recording, under these settings.
fn recording(settings: Value) -> Value {
    let mut document = document();
    document["session_replay_info"] = settings;
    let mut response = Asked::of(&document).json(&ClientInitializeOptions::new());
    response.as_object_mut().unwrap().retain(|key, _| key.contains("record"));
    response
}

#[test]
fn sessions_are_recorded_as_the_project_says() {
    for (settings, expected) in [
        (json!({}), json!({"can_record_session": true})),
        (
            json!({"sampling_rate": 1, "recording_blocked": true}),
            json!({"can_record_session": false, "recording_blocked": true, "session_recording_rate": 1.0}),
        ),
        (json!({"sampling_rate": 0}), json!({"can_record_session": false, "session_recording_rate": 0.0})),
        (
            json!({"targeting_gate": "gate_pub"}),
            json!({"can_record_session": true, "passes_session_recording_targeting": true}),
        ),
        (
            json!({"targeting_gate": "off"}),
            json!({"can_record_session": false, "passes_session_recording_targeting": false}),
        ),
        (
            json!({"targeting_gate": "loop"}),
            json!({"can_record_session": false, "passes_session_recording_targeting": false}),
        ),
        (
            json!({"targeting_gate": "no such gate", "sampling_rate": 1}),
            json!({"can_record_session": false, "passes_session_recording_targeting": false,
                   "session_recording_rate": 1.0}),
        ),
        (
            json!({"targeting_gate": "unsupported"}),
            json!({"can_record_session": false, "passes_session_recording_targeting": false}),
        ),
        (
            json!({"session_recording_event_triggers": {"buy": {"values": ["a"], "sampling_rate": 1}, "see": {"sampling_rate": 0}, "any": {}},
                   "session_recording_exposure_triggers": {"gate_pub": {"values": []}},
                   "session_recording_privacy_settings": {"privacy_mode": "mask", "masked_elements": [], "blocked_elements": ["#b"]}}),
            json!({"can_record_session": true,
                   "session_recording_event_triggers": {"buy": {"values": ["a"], "passes_sampling": true}, "see": {"passes_sampling": false}, "any": {}},
                   "session_recording_exposure_triggers": {"2726547849": {"values": []}},
                   "session_recording_privacy_settings": {"privacy_mode": "mask", "masked_elements": [], "blocked_elements": ["#b"]}}),
        ),
    ] {
        assert_eq!(recording(settings.clone()), expected, "{settings}");
    }
}

#[test]
fn recording_settings_of_a_wrong_shape_are_reported_and_left_out() {
    assert_eq!(recording(json!({"sampling_rate": "often"})), json!({}));
    let mut document = document();
    document["session_replay_info"] = json!({"sampling_rate": "often"});
    let ruleset = statsig_core::Ruleset::compile(document.to_string().as_bytes()).unwrap();
    assert!(ruleset.problems().iter().any(|problem| problem.to_string().contains("session_replay_info")));
}

#[test]
fn a_project_without_specs_has_an_ordinary_response() {
    let empty = json!({"has_updates": true, "time": 0, "feature_gates": {}, "dynamic_configs": {}, "layer_configs": {},
                       "condition_map": {}});
    let response = Asked::of(&empty).json(&plain());
    for section in ["feature_gates", "dynamic_configs", "layer_configs", "param_stores"] {
        assert!(names(&response, section).is_empty());
    }
    assert_eq!(
        (&response["time"], &response["has_updates"], &response["hash_used"]),
        (&json!(0), &json!(true), &json!("none"))
    );
}

#[test]
fn two_calls_agree() {
    let asked = Asked::new();
    assert_eq!(asked.text(&plain()), asked.text(&plain()));
}

#[test]
fn an_output_that_fails_ends_the_response() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    for options in [plain(), plain().with_previous_response_hash("1")] {
        let result = Asked::new().with(|context| context.write_client_initialize_response(&options, Full));
        assert_eq!(result.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    }
}
