//! What an exposure costs on the application's thread until it is known to be a duplicate or new.
//!
//! `cargo bench -p statsig-logger --bench dedupe`; allocations are shown beside the times.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use divan::{AllocProfiler, Bencher};
use statsig_logger::{
    ExposureDedupe, ExposureKey, ExposureKind, ExposureParts, ExposureSampler, SamplingInput, SamplingMode,
    exposure_hash,
};

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

const WINDOW: Duration = Duration::from_secs(60);

fn main() {
    divan::main();
}

fn parts(user: u64) -> ExposureParts {
    ExposureParts { kind: ExposureKind::Gate, spec: 11, rule: 22, user: exposure_hash(&user), extra: 1 }
}

/// A check that was logged a moment ago: key and look-up.
#[divan::bench(threads = [1, 2])]
fn hit(bencher: Bencher<'_, '_>) {
    let dedupe = ExposureDedupe::new(100_000, WINDOW);
    let users: Vec<ExposureParts> = (0..1_024).map(parts).collect();
    for parts in &users {
        let _ = dedupe.is_first(ExposureKey::new(parts), 1);
    }
    let next = AtomicU64::new(0);
    bencher
        .with_inputs(|| users[next.fetch_add(1, Ordering::Relaxed) as usize % users.len()])
        .bench_values(|parts| dedupe.is_first(ExposureKey::new(black_box(&parts)), 2));
}

/// A user never seen before: key, look-up, and the word of another taken.
#[divan::bench(threads = [1, 2])]
fn miss(bencher: Bencher<'_, '_>) {
    let dedupe = ExposureDedupe::new(100_000, WINDOW);
    for user in 0..1_000_000 {
        let _ = dedupe.is_first(ExposureKey::new(&parts(user)), 1);
    }
    let next = AtomicU64::new(1_000_000);
    bencher
        .with_inputs(|| parts(next.fetch_add(1, Ordering::Relaxed)))
        .bench_values(|parts| dedupe.is_first(ExposureKey::new(black_box(&parts)), 2));
}

/// What sampling adds to a new exposure.
#[divan::bench]
fn sampling(bencher: Bencher<'_, '_>) {
    let sampler = ExposureSampler::new();
    sampler.set_mode(SamplingMode::Shadow);
    let parts = parts(1);
    let input =
        SamplingInput { parts: &parts, rule_id: "rule", rule_rate: Some(101), forward_all: false, analytical: false };
    bencher.bench_local(|| sampler.decide(black_box(&input), 1));
}
