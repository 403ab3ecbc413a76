//! Allocations of a logged exposure on the application's thread, and the bytes it holds.
//!
//! A binary of its own: the counting allocator replaces the one of the whole process.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail like tests")]

use std::sync::Arc;

use statsig::{ClientInitializeOptions, EventSink, FixedClock, HashAlgorithm, NoopSink, Statsig, StatsigUser};
use tokio::runtime::{Builder, Runtime};

const SPECS: &[u8] = br#"{
    "has_updates": true, "time": 1700000000000, "dynamic_configs": {}, "layer_configs": {},
    "condition_map": {
        "all": {"type": "public", "idType": "userID"},
        "nested": {"type": "pass_gate", "targetValue": "inner", "idType": "userID"}
    },
    "feature_gates": {
        "inner": {"type": "feature_gate", "entity": "feature_gate", "salt": "s", "enabled": true,
            "defaultValue": false, "idType": "userID", "rules": [{"name": "i", "id": "i", "passPercentage": 100,
            "conditions": ["all"], "returnValue": true, "idType": "userID"}]},
        "outer": {"type": "feature_gate", "entity": "feature_gate", "salt": "s", "enabled": true,
            "defaultValue": false, "idType": "userID", "rules": [{"name": "o", "id": "o", "passPercentage": 50,
            "conditions": ["nested"], "returnValue": true, "idType": "userID"}]}
    }
}"#;

/// A client on a runtime that never runs, so that its events stay in the queue.
fn client(events: usize) -> (Statsig, Runtime) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let sink: Arc<dyn EventSink> = Arc::new(NoopSink);
    let builder = Statsig::builder().bootstrap(SPECS).clock(Arc::new(FixedClock(0))).event_sink(sink);
    let statsig = builder.event_queue_bounds(events, usize::MAX).runtime(runtime.handle().clone()).build().unwrap();
    (statsig, runtime)
}

fn users(count: usize) -> Vec<StatsigUser> {
    (0..count).map(|at| StatsigUser::with_user_id(format!("user-{at}"))).collect()
}

#[test]
fn a_repeated_exposure_allocates_nothing() {
    let (statsig, _runtime) = client(10_000);
    let users = users(1_000);
    let check_all = || users.iter().filter(|user| statsig.check_gate(user, "inner")).count();
    assert_eq!(check_all(), 1_000);
    let counted = allocation_counter::measure(|| {
        assert_eq!(check_all(), 1_000);
    });
    assert_eq!((counted.count_total, statsig.event_stats().accepted), (0, 1_000));
}

#[test]
fn a_new_exposure_allocates_about_once_and_holds_less_than_64_bytes() {
    const USERS: usize = 50_000;
    for gate in ["inner", "outer"] {
        let (statsig, _runtime) = client(USERS);
        let users = users(USERS);
        let counted = allocation_counter::measure(|| {
            for user in &users {
                let _ = statsig.check_gate(user, gate);
            }
        });
        let stats = statsig.event_stats();
        assert!(stats.accepted as usize > USERS * 99 / 100 && stats.dropped.total() == 0, "{stats:?}");
        let (allocations, held) = (counted.count_total, counted.bytes_current);
        assert!(allocations <= USERS as u64 * 11 / 10, "{gate}: {allocations} allocations");
        assert!(held <= 64 * USERS as i64, "{gate}: {held} bytes");
    }
}

#[path = "../../statsig-core/benches/fixtures/whole_project.rs"]
#[allow(dead_code, clippy::expect_used, reason = "the benchmarks use the rest; a broken fixture ends the test")]
mod whole_project;

#[test]
fn a_response_in_a_reused_buffer_allocates_at_most_ten_times() {
    let statsig = Statsig::builder().bootstrap(whole_project::document()).build().unwrap();
    let user = StatsigUser::builder().user_id("user-0012345").email("ada@mail.example").country("NZ").build();
    for hash in [HashAlgorithm::None, HashAlgorithm::Djb2, HashAlgorithm::Sha256] {
        let options = ClientInitializeOptions::new().with_hash_algorithm(hash);
        let mut body = Vec::new();
        statsig.append_client_initialize_response(&user, &options, &mut body);
        let first = body.len();
        body.clear();
        let counted = allocation_counter::measure(|| {
            statsig.append_client_initialize_response(&user, &options, &mut body);
        });
        assert!(first > 20_000 && body.len() == first, "{first} and {}", body.len());
        assert!(counted.count_total <= 10, "{} allocations, {hash:?}", counted.count_total);
    }
}
