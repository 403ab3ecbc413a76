//! Instructions and time of one operation, in one run, with ratios to one SHA-256, and how much more
//! two threads do than one.
//!
//! Instructions are counted by valgrind's callgrind, where it is installed: the program runs
//! itself under it, once with N and once with 2N operations, and divides the difference by N.
//! Callgrind's processor has no SHA instructions, so hashing is counted as the portable code that
//! stands in for them: about 3,000 instructions a block instead of some 100. The last column is
//! the count without the compression function.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a benchmark reports, and ends where its input is wrong"
)]

mod fixtures;

use std::process::Command;
use std::time::Instant;

use fixtures::{Bench, SCENARIOS};

const ENTRY: &str = "STATSIG_BENCH_SCENARIO";
const OPERATIONS: u64 = 500;

fn main() {
    if let Ok(scenario) = std::env::var(ENTRY) {
        let mut parts = scenario.split(':').map(|part| part.parse::<u64>().unwrap_or_default());
        let (at, operations) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        run(at as usize, operations);
        return;
    }
    let bench = Bench::new();
    let times: Vec<f64> = SCENARIOS.iter().map(|(_, operation)| nanoseconds(&bench, *operation)).collect();
    let sha = SCENARIOS.iter().position(|(name, _)| name.contains("SHA-256")).map_or(1.0, |at| times[at]);
    println!("{:<38}{:>8}{:>11}{:>11}{:>14}{:>13}", "", "ns", "x SHA-256", "2 threads", "instructions", "without SHA");
    for (at, (name, _)) in SCENARIOS.iter().enumerate() {
        let counted = instructions(at);
        let (total, plain) =
            counted.map_or(("-".into(), "-".into()), |(total, plain)| (total.to_string(), plain.to_string()));
        let (ns, scaling) = (times[at], two_threads(&bench, SCENARIOS[at].1));
        println!("{name:<38}{ns:>8.1}{:>11.2}{scaling:>10.2}x{total:>14}{plain:>13}", ns / sha);
    }
    if instructions(0).is_none() {
        println!("valgrind is not installed: no instruction counts");
    }
}

fn run(at: usize, operations: u64) {
    let bench = Bench::new();
    let (_, operation) = SCENARIOS[at];
    let sum = (0..operations).fold(0_u64, |sum, _| sum.wrapping_add(operation(std::hint::black_box(&bench))));
    std::hint::black_box(sum);
}

/// The fastest of several batches.
fn nanoseconds(bench: &Bench, operation: fn(&Bench) -> u64) -> f64 {
    const BATCH: u32 = 20_000;
    let batch = || {
        let start = Instant::now();
        for _ in 0..BATCH {
            std::hint::black_box(operation(std::hint::black_box(bench)));
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(BATCH)
    };
    (0..40).map(|_| batch()).fold(f64::INFINITY, f64::min)
}

/// Throughput of two threads together, compared with one alone; the median of several tries.
fn two_threads(bench: &Bench, operation: fn(&Bench) -> u64) -> f64 {
    const OPERATIONS: u32 = 400_000;
    let work = || {
        for _ in 0..OPERATIONS {
            std::hint::black_box(operation(std::hint::black_box(bench)));
        }
    };
    let timed = |threads: usize| {
        let start = Instant::now();
        std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
        start.elapsed().as_secs_f64()
    };
    let mut ratios: Vec<f64> = (0..5).map(|_| 2.0 * timed(1) / timed(2)).collect();
    ratios.sort_by(f64::total_cmp);
    ratios[2]
}

/// Instructions of one operation: all, and those outside SHA-256's compression function.
fn instructions(at: usize) -> Option<(u64, u64)> {
    let (all, hashing) = callgrind(at, OPERATIONS)?;
    let (all_twice, hashing_twice) = callgrind(at, 2 * OPERATIONS)?;
    let (all, hashing) = ((all_twice - all) / OPERATIONS, (hashing_twice - hashing) / OPERATIONS);
    Some((all, all - hashing))
}

fn callgrind(at: usize, operations: u64) -> Option<(u64, u64)> {
    let out = std::env::temp_dir().join(format!("statsig-callgrind-{}-{at}-{operations}", std::process::id()));
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", "--compress-strings=no", "--compress-pos=no", "-q"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe().ok()?)
        .env(ENTRY, format!("{at}:{operations}"))
        .output()
        .ok()?;
    let profile = std::fs::read_to_string(&out).ok()?;
    let _ = std::fs::remove_file(&out);
    status.status.success().then(|| totals(&profile))
}

/// Sums the self cost of all functions, and of those that compress SHA-256 blocks.
fn totals(profile: &str) -> (u64, u64) {
    let (mut all, mut hashing) = (0, 0);
    let (mut in_hash, mut skip) = (false, false);
    for line in profile.lines() {
        if let Some(function) = line.strip_prefix("fn=") {
            in_hash = function.contains("sha2") && function.contains("compress");
        } else if line.starts_with("calls=") {
            // The next line is the cost of the callee, which is counted with the callee.
            skip = true;
        } else if line.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '*')) {
            if std::mem::take(&mut skip) {
                continue;
            }
            let cost = line.split_ascii_whitespace().nth(1).and_then(|cost| cost.parse::<u64>().ok()).unwrap_or(0);
            all += cost;
            hashing += if in_hash { cost } else { 0 };
        }
    }
    (all, hashing)
}
