//! Allocations of checks and of building users.
//!
//! The bounds are promises of the documentation: a gate's value costs no allocation, a config with
//! one typed read at most two.
//!
//! A binary of its own: the counting allocator replaces the one of the whole process.

use std::sync::Arc;

use allocation_counter::measure;
use statsig_core::{
    ClientInitializeOptions, EvaluationContext, EvaluationSettings, FixedClock, HashAlgorithm, ResponseFormat, Ruleset,
    Snapshot, SpecOrigin, StatsigUser,
};

#[path = "../benches/fixtures/mod.rs"]
#[allow(dead_code, clippy::expect_used, reason = "the benchmarks use the rest; a broken fixture ends the test")]
mod fixtures;

use fixtures::Bench;

#[path = "../benches/fixtures/whole_project.rs"]
#[allow(dead_code, clippy::expect_used, reason = "the benchmarks use the rest; a broken fixture ends the test")]
mod whole_project;

/// Allocations of one call, after a first one that may fill what is filled only once.
fn allocations<R>(mut call: impl FnMut() -> R) -> u64 {
    drop(call());
    let mut result = None;
    let counted = measure(|| result = Some(call()));
    drop(result);
    counted.count_total
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| vec![1_u8]), 1);
    assert_eq!(allocations(|| 1_u8), 0);
}

#[test]
fn a_gate_costs_none() {
    let bench = Bench::new();
    for gate in [
        "unknown",
        "public",
        "rollout",
        "ten_rules",
        "large_list",
        "large_exact_list",
        "version",
        "browser",
        "after_launch",
        "older_than_a_day",
        "numbers",
        "pattern",
        "bucketed",
    ] {
        assert_eq!(allocations(|| bench.gate(gate)), 0, "{gate}");
    }
}

#[test]
fn a_gate_costs_none_where_something_is_overridden() {
    let bench = Bench::new();
    assert!(!bench.overridden_gate("ten_rules"));
    let none = |what| {
        for gate in ["ten_rules", "public", "unknown"] {
            assert_eq!(allocations(|| bench.overridden_gate(gate)), 0, "{gate}, {what}");
        }
    };
    none("another gate is overridden");
    bench.overrides.override_gate("ten_rules", true, Some("another"));
    none("one is overridden for another ID");
    bench.overrides.override_gate("ten_rules", true, None);
    assert!(bench.overridden_gate("ten_rules"));
    none("one is overridden for everyone");
    bench.overrides.remove_all_overrides();
    none("nothing is overridden");
}

#[test]
fn a_config_with_one_read_costs_at_most_two() {
    let bench = Bench::new();
    assert!(allocations(|| bench.config_read()) <= 2);
    assert!(allocations(|| bench.experiment_read()) <= 2);
    assert!(allocations(|| bench.layer_read()) <= 2);
    assert!(allocations(|| bench.config("unknown")) <= 2);
}

#[test]
fn a_user_with_an_id_costs_at_most_two_and_a_clone_none() {
    let long = "0123456789abcdef0123456789abcdef";
    assert!(allocations(|| StatsigUser::with_user_id("user-1")) <= 2);
    assert!(allocations(|| StatsigUser::with_user_id(long)) <= 2);
    let user = StatsigUser::with_user_id(long);
    assert_eq!(allocations(|| user.clone()), 0);
}

#[test]
fn a_user_with_six_fields_costs_at_most_ten() {
    let counted = allocations(|| {
        StatsigUser::builder()
            .user_id("0b8f3a0e-6f0e-4f5e-9d0a-3d2a8f6f1c11")
            .email("a.rather.long.name@corp.example")
            .ip("203.0.113.7")
            .user_agent("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36")
            .country("NZ")
            .app_version("2.10.1")
            .build()
    });
    assert!(counted <= 10, "{counted}");
    let counted = allocations(|| {
        StatsigUser::builder()
            .user_id("user-1")
            .custom_id("companyID", "a company with a long name")
            .email("a.rather.long.name@corp.example")
            .custom("plan", "enterprise")
            .custom("level", 7)
            .private_attribute("salary", 1.5)
            .build()
    });
    assert!(counted <= 10, "{counted}");
}

#[test]
fn a_response_costs_less_than_one_an_entry_while_it_is_written() {
    let project = whole_project::WholeProject::new();
    for algorithm in [HashAlgorithm::None, HashAlgorithm::Djb2, HashAlgorithm::Sha256] {
        for format in [ResponseFormat::V1, ResponseFormat::V2, ResponseFormat::InitV2] {
            let options = ClientInitializeOptions::new().with_hash_algorithm(algorithm).with_response_format(format);
            let counted = allocations(|| project.write(&options, std::io::sink()));
            // A few buffers and tables that grow, and nothing for each entry.
            assert!(project.entries() >= 150 && counted <= 48, "{counted}, {algorithm:?}, {format:?}");
        }
    }
}

/// The table of countries is read when it is first asked.
#[test]
fn the_country_of_an_address_costs_none_after_the_first() {
    let document = r#"{
        "has_updates": true, "time": 1, "dynamic_configs": {}, "layer_configs": {},
        "condition_map": {"us": {
            "type": "ip_based", "field": "country", "operator": "any", "targetValue": ["US"], "idType": "userID"
        }},
        "feature_gates": {"in_the_us": {
            "type": "feature_gate", "entity": "feature_gate", "salt": "s", "enabled": true, "defaultValue": false,
            "idType": "userID", "rules": [{"name": "r", "id": "r", "passPercentage": 100, "conditions": ["us"],
                                           "returnValue": true, "idType": "userID"}]
        }}
    }"#;
    let ruleset = Ruleset::compile(document.as_bytes()).unwrap();
    let snapshot = Arc::new(Snapshot::new(ruleset, SpecOrigin::Bootstrap, 0));
    let (settings, clock) = (EvaluationSettings::new(), FixedClock(0));
    for (ip, expected) in [("8.8.8.8", true), ("127.0.0.1", false), ("999.1.1.1", false), ("::1", false)] {
        let user = StatsigUser::builder().ip(ip).build();
        let context = EvaluationContext::new(&snapshot, &user, &settings, &clock);
        assert_eq!(context.check_gate("in_the_us"), cfg!(feature = "ip-country") && expected, "{ip}");
        assert_eq!(allocations(|| context.check_gate("in_the_us")), 0, "{ip}");
    }
}
