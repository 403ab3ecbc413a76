//! Checks through a handle beside checks by name.
//!
//! `cargo bench -p statsig --bench prepared_names`. Both are measured in turn, round after round, and the fastest batch of
//! each counts; compare the two figures of a line.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark reports, and ends where its input is wrong")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use statsig::{NoopSink, Statsig, StatsigUser};

const ROUNDS: usize = 200;
const BATCH: u32 = 5_000;

const SPECS: &[u8] = br#"{
    "has_updates": true, "time": 1700000000000, "dynamic_configs": {}, "layer_configs": {},
    "condition_map": {
        "all": {"type": "public", "idType": "userID"},
        "staff": {"type": "user_field", "field": "email", "operator": "str_ends_with_any",
            "targetValue": ["@corp.example"], "idType": "userID"}
    },
    "feature_gates": {
        "public_to_everyone": {"type": "feature_gate", "entity": "feature_gate", "salt": "s", "enabled": true,
            "defaultValue": false, "idType": "userID", "rules": [{"name": "o", "id": "o", "passPercentage": 100,
            "conditions": ["all"], "returnValue": true, "idType": "userID"}]},
        "rolled_out_to_half": {"type": "feature_gate", "entity": "feature_gate", "salt": "s", "enabled": true,
            "defaultValue": false, "idType": "userID", "rules": [{"name": "h", "id": "h", "passPercentage": 50,
            "conditions": ["all"], "returnValue": true, "idType": "userID"}]},
        "open_for_employees": {"type": "feature_gate", "entity": "feature_gate", "salt": "s", "enabled": true,
            "defaultValue": false, "idType": "userID", "rules": [{"name": "e", "id": "e", "passPercentage": 100,
            "conditions": ["staff"], "returnValue": true, "idType": "userID"}]}
    }
}"#;

/// Nanoseconds of one call, over a batch.
fn nanoseconds(mut call: impl FnMut() -> bool) -> f64 {
    let begun = Instant::now();
    for _ in 0..BATCH {
        black_box(call());
    }
    begun.elapsed().as_secs_f64() * 1e9 / f64::from(BATCH)
}

fn main() {
    let silent = Statsig::builder().bootstrap(SPECS).build().unwrap();
    let logging = Statsig::builder().bootstrap(SPECS).event_sink(Arc::new(NoopSink)).build().unwrap();
    let user = StatsigUser::builder().user_id("user-0012345").email("ada@corp.example").build();
    println!("{:<44}{:>9}{:>9}{:>8}", "ns a check", "by name", "handle", "ratio");
    for (client, what) in [(&silent, "no logger"), (&logging, "exposure repeated")] {
        for name in ["public_to_everyone", "rolled_out_to_half", "open_for_employees", "not_in_the_project"] {
            let handle = client.gate(name);
            let (mut by_name, mut by_handle) = (f64::INFINITY, f64::INFINITY);
            for _ in 0..ROUNDS {
                by_name = by_name.min(nanoseconds(|| client.check_gate(black_box(&user), black_box(name))));
                by_handle = by_handle.min(nanoseconds(|| handle.check(black_box(&user))));
            }
            println!("{:<44}{by_name:>9.1}{by_handle:>9.1}{:>8.2}", format!("{name}, {what}"), by_handle / by_name);
        }
    }
}
