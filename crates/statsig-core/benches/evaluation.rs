//! Time and heap allocations of checks, on one thread and on two.

#![allow(clippy::expect_used, reason = "a benchmark reports, and ends where its input is wrong")]

mod fixtures;

use divan::{AllocProfiler, Bencher, black_box};
use fixtures::{Bench, SCENARIOS, Scenario};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

struct Named(Scenario);

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.0)
    }
}

#[divan::bench(args = SCENARIOS.iter().map(|scenario| Named(*scenario)), threads = [1, 2])]
fn check(bencher: Bencher<'_, '_>, scenario: &Named) {
    let bench = Bench::new();
    let (_, operation) = scenario.0;
    bencher.bench(|| operation(black_box(&bench)));
}
