//! The corpus itself: every file of every set can be read, and the record model loses nothing.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::thread;

use serde_json::Value;
use statsig_conformance::record::Record;
use statsig_conformance::{SpecSet, equality::same};

/// Runs a check on every set, a thread for each.
fn on_every_set(check: impl Fn(&SpecSet) + Sync) {
    let sets = SpecSet::all_in(&integration_tests::corpus()).unwrap();
    assert!(sets.len() >= 23, "only {} sets found", sets.len());
    thread::scope(|scope| {
        for set in &sets {
            let check = &check;
            thread::Builder::new().name(set.name().to_owned()).spawn_scoped(scope, move || check(set)).unwrap();
        }
    });
}

#[test]
fn every_part_of_every_set_can_be_read() {
    on_every_set(|set| {
        let plan = set.plan().unwrap();
        assert_eq!(plan.format, 1, "{}", set.name());
        assert_eq!(plan.name, set.name());
        let users = set.users().unwrap();
        assert!(!users.is_empty());
        let ids: BTreeSet<_> = users.iter().map(|user| &user.id).collect();
        assert_eq!(ids.len(), users.len(), "two users share an id in {}", set.name());
        for asked in [&plan.gates, &plan.dynamic_configs, &plan.experiments, &plan.layers] {
            let once: BTreeSet<_> = asked.iter().collect();
            assert_eq!(once.len(), asked.len(), "{} asks twice", set.name());
        }
        let specs: Value = serde_json::from_slice(&set.specs().unwrap()).unwrap();
        assert!(specs["condition_map"].is_object());
        if !set.name().starts_with("corners_") {
            let specs: Value = serde_json::from_slice(&set.specs_v1().unwrap()).unwrap();
            assert!(specs["feature_gates"].is_array());
        }
    });
}

#[test]
fn every_record_fits_the_model() {
    on_every_set(|set| {
        for line in set.expected().unwrap().lines() {
            let line = line.unwrap();
            let value: Value = serde_json::from_str(&line).unwrap();
            if value.get("error").is_some() {
                continue;
            }
            let record: Record =
                serde_json::from_str(&line).unwrap_or_else(|error| panic!("{}: {error}: {line}", set.name()));
            let again = serde_json::to_value(&record).unwrap();
            assert!(same(&value, &again), "{}: {value}\nbecame {again}", set.name());
        }
    });
}
