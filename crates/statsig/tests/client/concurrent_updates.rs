//! Checks that go on while the specs are replaced.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use statsig::{Getters, Statsig, StatsigUser, UpdateOutcome};

fn spec(kind: &str, default: Value, condition: &str, value: Value) -> Value {
    json!({
        "type": kind, "entity": kind, "salt": "s", "enabled": true, "defaultValue": default, "idType": "userID",
        "rules": [{"name": "r", "id": "r", "passPercentage": 100, "conditions": [condition], "returnValue": value, "idType": "userID"}],
    })
}

/// Two forms of one project. In each of them `outer` is open: by passing an open gate in the first,
/// by failing a closed one in the second. A check that saw half of each would find it closed.
fn project(time: u64) -> Vec<u8> {
    let first = time.is_multiple_of(2);
    let open = if first { "everybody" } else { "nobody" };
    json!({
        "has_updates": true, "time": time, "layer_configs": {},
        "condition_map": {
            "everybody": {"type": "public", "idType": "userID"},
            "nobody": {"type": "user_field", "field": "none", "operator": "any", "targetValue": ["x"], "idType": "userID"},
            "asks_inner": {"type": if first { "pass_gate" } else { "fail_gate" }, "targetValue": "inner", "idType": "userID"},
        },
        "feature_gates": {
            "inner": spec("feature_gate", json!(false), open, json!(true)),
            "outer": spec("feature_gate", json!(false), "asks_inner", json!(true)),
        },
        "dynamic_configs": {"config": spec("dynamic_config", json!({}), "everybody", json!({"a": time, "b": time}))},
    })
    .to_string()
    .into_bytes()
}

#[test]
fn a_check_sees_one_state_of_the_specs() {
    const UPDATES: u64 = 500;
    let statsig = Statsig::builder().bootstrap(project(0)).build().unwrap();
    let user = StatsigUser::with_user_id("u");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut last = 0;
                    loop {
                        let ended = done.load(Ordering::Acquire);
                        assert!(statsig.check_gate(&user, "outer"));
                        let config = statsig.get_dynamic_config(&user, "config");
                        let (a, b) = (config.get_i64("a", -1), config.get_i64("b", -2));
                        assert_eq!(a, b);
                        assert!(a >= last, "went back from {last} to {a}");
                        last = a;
                        if ended {
                            return last;
                        }
                    }
                })
            })
            .collect();
        for time in 1..=UPDATES {
            assert_eq!(statsig.update_specs(project(time)).unwrap(), UpdateOutcome::Applied);
        }
        done.store(true, Ordering::Release);
        for reader in readers {
            assert_eq!(reader.join().unwrap(), i64::try_from(UPDATES).unwrap());
        }
    });
}

#[test]
fn a_result_outlives_the_specs_it_was_read_from() {
    let statsig = Statsig::builder().bootstrap(project(2)).build().unwrap();
    let config = statsig.get_dynamic_config(&StatsigUser::with_user_id("u"), "config");
    statsig.update_specs(project(4)).unwrap();
    drop(statsig);
    assert_eq!((config.get_i64("a", 0), config.rule_id()), (2, "r"));
}
