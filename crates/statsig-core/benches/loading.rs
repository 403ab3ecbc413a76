//! Loading: megabytes a second, memory held afterwards, and the peak on the way.
//!
//! The document is a made-up project of a given size in megabytes (first argument, default 50)
//! with the mix that real ones have: mostly gates with a few rules, some experiments with values,
//! and target lists of IDs.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a benchmark reports, and ends where its input is wrong"
)]

use std::time::Instant;

use peak_alloc::PeakAlloc;
use serde_json::{Value, json};
use statsig_core::Ruleset;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

fn main() {
    let megabytes = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(50);
    let document = document(megabytes << 20);
    let size = document.len() as f64;
    let before = ALLOCATOR.current_usage();
    let mut best = f64::INFINITY;
    let (mut held, mut peak) = (0.0, 0.0);
    for _ in 0..5 {
        ALLOCATOR.reset_peak_usage();
        let start = Instant::now();
        let ruleset = Ruleset::compile(document.as_bytes()).expect("the document is sound");
        best = best.min(start.elapsed().as_secs_f64());
        held = (ALLOCATOR.current_usage() - before) as f64;
        peak = (ALLOCATOR.peak_usage() - before) as f64;
        assert!(ruleset.problems().is_empty(), "{:?}", &ruleset.problems()[..1]);
    }
    println!("document       {:8.1} MB", size / 1e6);
    println!("load           {:8.0} MB/s", size / 1e6 / best);
    println!("memory held    {:8.2} x the document", held / size);
    println!("peak           {:8.2} x the document, besides its text", peak / size);
}

/// A xorshift generator: the same document every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn uuid(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            a >> 32,
            a >> 16 & 0xffff,
            a & 0xffff,
            b >> 48,
            b & 0xffff_ffff_ffff
        )
    }

    fn id(&mut self) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        (0..22).map(|_| char::from(ALPHABET[(self.next() % 62) as usize])).collect()
    }
}

fn document(size: usize) -> String {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut gates, mut configs, mut conditions) = (Vec::new(), Vec::new(), Vec::new());
    let mut written = 0;
    for number in 0_u64.. {
        if written >= size {
            break;
        }
        let rules: Vec<Value> = (0..1 + random.next() % 6)
            .map(|_| {
                let names: Vec<String> =
                    (0..1 + random.next() % 2).map(|_| condition(&mut random, &mut conditions, number)).collect();
                rule(&mut random, &names, number % 4 == 3)
            })
            .collect();
        let name = format!("{}_{number}", if number % 4 == 3 { "experiment" } else { "feature_rollout" });
        let spec = spec(&mut random, rules, number % 4 == 3).to_string();
        written += spec.len() + name.len() + 5;
        let list = if number % 4 == 3 { &mut configs } else { &mut gates };
        list.push(format!("\"{name}\":{spec}"));
        written += conditions.iter().rev().take(12).map(String::len).sum::<usize>() / 12;
    }
    format!(
        "{{\"has_updates\":true,\"time\":1700000000000,\"condition_map\":{{{}}},\"feature_gates\":{{{}}},\"dynamic_configs\":{{{}}},\"layer_configs\":{{}}}}",
        conditions.join(","),
        gates.join(","),
        configs.join(",")
    )
}

fn spec(random: &mut Random, rules: Vec<Value>, experiment: bool) -> Value {
    json!({
        "type": if experiment { "dynamic_config" } else { "feature_gate" }, "salt": random.uuid(), "enabled": true,
        "defaultValue": if experiment { json!({"title": "Welcome", "limit": 10}) } else { json!(false) }, "rules": rules,
        "isDeviceBased": false, "idType": "userID", "entity": if experiment { "experiment" } else { "feature_gate" },
        "version": random.next() % 30, "isActive": true, "hasSharedParams": false, "explicitParameters": [],
        "targetAppIDs": ["4QVIg1NlH6dSv2NcB0Bpmx"], "forwardAllExposures": false,
    })
}

fn rule(random: &mut Random, conditions: &[String], experiment: bool) -> Value {
    let id = random.id();
    let value = if experiment {
        json!({"title": format!("Variant {}", random.next() % 1000), "limit": random.next() % 100, "ratio": 0.25, "tags": ["a", "b"],
               "enabled": true})
    } else {
        json!(true)
    };
    let percentage = [0, 10, 50, 100][(random.next() % 4) as usize];
    json!({
        "name": id, "passPercentage": percentage, "conditions": conditions, "returnValue": value,
        "id": id, "salt": random.uuid(), "isDeviceBased": false, "idType": "userID",
        "groupName": if experiment { json!("Test") } else { json!(null) }, "isExperimentGroup": experiment,
    })
}

/// `number`: gates refer to earlier ones only, so that there are no cycles.
fn condition(random: &mut Random, conditions: &mut Vec<String>, number: u64) -> String {
    let id = (random.next() >> 30).to_string();
    let (kind, field, operator, target) = match random.next() % 6 {
        0 => (
            "user_field",
            json!("email"),
            "str_contains_any",
            json!([format!("@company{}.example", random.next() % 5000)]),
        ),
        1 => ("user_field", json!("country"), "any", json!(["US", "CA", "GB", "DE"])),
        2 => (
            "user_field",
            json!("appVersion"),
            "version_gte",
            json!(format!("{}.{}.0", random.next() % 9, random.next() % 30)),
        ),
        3 => ("user_bucket", json!(null), "lt", json!(random.next() % 1000)),
        4 => (
            "pass_gate",
            json!(null),
            "any",
            json!(format!("feature_rollout_{}", random.next() % (number / 40 + 1) * 4)),
        ),
        _ => {
            let ids: Vec<String> =
                (0..random.next() % 40).map(|_| format!("user-{}", random.next() % 10_000_000)).collect();
            ("unit_id", json!(null), "any", ids.into())
        }
    };
    let condition = json!({"type": kind, "field": field, "operator": operator, "targetValue": target,
                           "additionalValues": {"salt": random.uuid()}, "isDeviceBased": false, "idType": "userID"});
    conditions.push(format!("\"{id}\":{condition}"));
    id
}
