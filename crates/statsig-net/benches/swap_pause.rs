//! What readers feel when new specs come into force.
//!
//! `cargo bench -p statsig-net --bench swap_pause [SECONDS]`. Threads check a gate in a loop and measure
//! each check, while a writer compiles documents and puts them in force. Every other check keeps its
//! snapshot, as a result does, until the next one, so that readers are often the last to hold old
//! specs. The baseline is the same without the swap: the writer compiles, and throws away.
//!
//! Two kinds of figures: over all checks, and the worst of the thousand checks after each swap, where
//! a pause would be.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program that measures")]

mod fixtures;

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use statsig_core::{
    CompileLimits, EvaluationContext, EvaluationSettings, FixedClock, Ruleset, Snapshot, SnapshotStore, SpecOrigin,
    StatsigUser,
};

/// Checks after a swap in which its pause is looked for.
const WINDOW: u32 = 1_000;

/// Counts of durations: to the nanosecond below 4 µs, within 2 % above.
struct Histogram {
    counts: Vec<u64>,
    max: u64,
}

impl Histogram {
    const EXACT: u64 = 4_096;
    const STEPS: u64 = 64;

    fn new() -> Self {
        Self { counts: vec![0; (Self::EXACT + 52 * Self::STEPS) as usize], max: 0 }
    }

    fn slot(ns: u64) -> usize {
        if ns < Self::EXACT {
            return ns as usize;
        }
        let power = u64::from(ns.ilog2());
        let step = ((ns - (1 << power)) * Self::STEPS) >> power;
        (Self::EXACT + (power - 12) * Self::STEPS + step) as usize
    }

    fn value(slot: usize) -> u64 {
        let slot = slot as u64;
        if slot < Self::EXACT {
            return slot;
        }
        let (power, step) = ((slot - Self::EXACT) / Self::STEPS + 12, (slot - Self::EXACT) % Self::STEPS);
        (1 << power) + (step << power) / Self::STEPS
    }

    fn add(&mut self, ns: u64) {
        self.counts[Self::slot(ns)] += 1;
        self.max = self.max.max(ns);
    }

    fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
        self.max = self.max.max(other.max);
    }

    fn len(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The value that so large a part of all does not exceed.
    fn quantile(&self, part: f64) -> u64 {
        let rank = (self.len() as f64 * part).ceil() as u64;
        let mut seen = 0;
        let slot = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        slot.map_or(0, Self::value)
    }
}

struct Measured {
    all: Histogram,
    after_swaps: Histogram,
    swaps: u64,
}

/// Checks until told to end.
fn read(store: &SnapshotStore, swaps: &AtomicU64, ending: &AtomicBool) -> (Histogram, Histogram) {
    let (mut all, mut after_swaps) = (Histogram::new(), Histogram::new());
    let (user, settings, clock) = (StatsigUser::with_user_id("u"), EvaluationSettings::new(), FixedClock(0));
    let mut held = store.load_full();
    let (mut known, mut left, mut worst) = (0, 0, 0);
    let mut turn = 0_u64;
    while !ending.load(Ordering::Relaxed) {
        turn += 1;
        let begun = Instant::now();
        if turn.is_multiple_of(2) {
            held = store.load_full();
            black_box(EvaluationContext::new(&held, &user, &settings, &clock).check_gate("gate_1"));
        } else {
            let snapshot = store.load();
            black_box(EvaluationContext::new(&snapshot, &user, &settings, &clock).check_gate("gate_1"));
        }
        let ns = begun.elapsed().as_nanos() as u64;
        all.add(ns);
        worst = worst.max(ns);
        if left > 0 {
            left -= 1;
            if left == 0 {
                after_swaps.add(worst);
            }
        }
        let now = swaps.load(Ordering::Relaxed);
        if now != known {
            // This check may have been the one that met the swap.
            (known, left, worst) = (now, WINDOW, ns);
        }
    }
    drop(held);
    (all, after_swaps)
}

fn run(size: usize, seconds: u64, applies: bool) -> Measured {
    let document = fixtures::document(size, 5);
    let compile = || Ruleset::compile_with(document.as_bytes(), &CompileLimits::default()).unwrap();
    let store = SnapshotStore::new(Snapshot::new(compile(), SpecOrigin::Network, 1));
    let (swaps, ending) = (AtomicU64::new(0), AtomicBool::new(false));
    let readers = std::thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1));
    let mut measured = Measured { all: Histogram::new(), after_swaps: Histogram::new(), swaps: 0 };
    std::thread::scope(|scope| {
        let reading: Vec<_> = (0..readers).map(|_| scope.spawn(|| read(&store, &swaps, &ending))).collect();
        let until = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < until {
            let ruleset = compile();
            if applies {
                store.apply_compiled(ruleset, SpecOrigin::Network, 1);
            } else {
                drop(ruleset);
            }
            swaps.fetch_add(1, Ordering::Relaxed);
        }
        ending.store(true, Ordering::Relaxed);
        for reader in reading {
            let (all, after_swaps) = reader.join().unwrap();
            measured.all.merge(&all);
            measured.after_swaps.merge(&after_swaps);
        }
    });
    measured.swaps = swaps.into_inner();
    measured
}

fn print(size: usize, what: &str, of: &str, histogram: &Histogram) -> u64 {
    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|part| histogram.quantile(part));
    println!("{size:>10} {what:>9} {of:>12} {:>10} {p50:>9} {p99:>9} {p999:>9} {:>10}", histogram.len(), histogram.max);
    p999
}

fn main() {
    let seconds = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(10);
    println!("nanoseconds; {seconds} s each");
    println!(
        "{:>10} {:>9} {:>12} {:>10} {:>9} {:>9} {:>9} {:>10}",
        "bytes", "run", "of", "number", "p50", "p99", "p99.9", "max"
    );
    for size in [20_000, 1_000_000, 50_000_000] {
        let [baseline, swapping] = [false, true].map(|applies| run(size, seconds, applies));
        let before = print(size, "baseline", "all checks", &baseline.all);
        let after = print(size, "swapping", "all checks", &swapping.all);
        print(size, "baseline", "after swaps", &baseline.after_swaps);
        print(size, "swapping", "after swaps", &swapping.after_swaps);
        println!(
            "{size:>10} {} swaps; p99.9 of all checks differs by {} ns",
            swapping.swaps,
            after as i64 - before as i64
        );
    }
}
