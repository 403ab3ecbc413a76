//! What logging adds to a check, on the application's thread.
//!
//! `cargo bench -p statsig-oss --bench exposures`; allocations are shown beside the times. Compare lines
//! of one run with each other, and with a SHA-256 block: absolute figures depend on the machine.

#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use divan::{AllocProfiler, Bencher};
use statsig::{CustomEvent, EvaluationOptions, EventSink, NoopSink, Statsig, StatsigUser};

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const SPECS: &[u8] = br#"{
    "has_updates": true, "time": 1700000000000, "dynamic_configs": {}, "layer_configs": {},
    "condition_map": {"all": {"type": "public", "idType": "userID"}},
    "feature_gates": {"open": {"type": "feature_gate", "entity": "feature_gate", "salt": "s", "enabled": true,
        "defaultValue": false, "idType": "userID", "rules": [{"name": "o", "id": "o", "passPercentage": 100,
        "conditions": ["all"], "returnValue": true, "idType": "userID"}]}}
}"#;

const USERS: usize = 1_024;

fn client(log: bool) -> Statsig {
    let builder = Statsig::builder().bootstrap(SPECS);
    let sink: Arc<dyn EventSink> = Arc::new(NoopSink);
    let builder = if log { builder.event_sink(sink) } else { builder };
    builder.event_queue_bounds(usize::MAX >> 8, usize::MAX >> 8).build().unwrap()
}

fn user(at: usize) -> StatsigUser {
    StatsigUser::builder().user_id(format!("user-{at}")).custom_id("companyID", "c-1").build()
}

/// A check of a gate without rollout, for users in turn.
fn check(bencher: Bencher<'_, '_>, log: bool, options: EvaluationOptions) {
    let statsig = client(log);
    let users: Vec<StatsigUser> = (0..USERS).map(user).collect();
    for user in &users {
        let _ = statsig.check_gate_with_options(user, "open", options);
    }
    let next = AtomicUsize::new(0);
    bencher
        .with_inputs(|| &users[next.fetch_add(1, Ordering::Relaxed) % USERS])
        .bench_values(|user| statsig.check_gate_with_options(black_box(user), "open", options));
}

#[divan::bench(threads = [1, 2], sample_size = 64, sample_count = 1000)]
fn no_logger(bencher: Bencher<'_, '_>) {
    check(bencher, false, EvaluationOptions::new());
}

/// The exposure was logged a moment ago.
#[divan::bench(threads = [1, 2], sample_size = 64, sample_count = 1000)]
fn repeated(bencher: Bencher<'_, '_>) {
    check(bencher, true, EvaluationOptions::new());
}

/// Exposures off: the check is counted.
#[divan::bench(threads = [1, 2], sample_size = 64, sample_count = 1000)]
fn not_exposed(bencher: Bencher<'_, '_>) {
    check(bencher, true, EvaluationOptions::new().disable_exposure_logging(true));
}

/// A user never seen before, made beforehand.
#[divan::bench(sample_count = 200, sample_size = 500)]
fn new(bencher: Bencher<'_, '_>) {
    let statsig = client(true);
    let next = AtomicUsize::new(0);
    bencher
        .with_inputs(|| user(next.fetch_add(1, Ordering::Relaxed)))
        .bench_refs(|user| statsig.check_gate(black_box(user), "open"));
}

#[divan::bench(sample_count = 200, sample_size = 500)]
fn custom_event(bencher: Bencher<'_, '_>) {
    let statsig = client(true);
    let user = user(0);
    let event = CustomEvent::new("add_to_cart").value(12.5).metadata("sku", "A-17");
    bencher.bench_local(|| statsig.log_custom_event(black_box(&user), black_box(&event)));
}

/// The time alone, of which each check reads one.
#[divan::bench]
fn clock() -> i64 {
    statsig::Clock::now_ms(&statsig::SystemClock)
}
