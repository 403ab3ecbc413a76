//! Loading: megabytes a second, allocations, memory held afterwards, and the peak on the way.
//!
//! Payloads, each of which can be named as an argument; all of them without one:
//!
//! | name | payload |
//! | --- | --- |
//! | `ten-rules` | the small project of the evaluation benchmarks, with its ten-rule gate |
//! | `project` | a project of 432 kB |
//! | `repeated` | that project, repeated to 50.7 MB |
//! | `rich` | a generated project of 50.7 MB with the variety of real ones |
//!
//! A path of a file measures the payload in it.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a benchmark reports, and ends where its input is wrong"
)]

#[allow(dead_code, reason = "other benchmarks use the rest")]
mod fixtures;
#[path = "fixtures/repeated_project.rs"]
mod repeated_project;
#[path = "fixtures/rich_project.rs"]
mod rich_project;
#[allow(dead_code, reason = "other benchmarks use the rest")]
#[path = "fixtures/whole_project.rs"]
mod whole_project;

use std::time::Instant;

use allocation_counter::measure;
use statsig_core::Ruleset;

/// Size of the large payloads in bytes.
const LARGE: usize = 50_700_000;
const PAYLOADS: [&str; 4] = ["ten-rules", "project", "repeated", "rich"];

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let names: Vec<&str> =
        if asked.is_empty() { PAYLOADS.to_vec() } else { asked.iter().map(String::as_str).collect() };
    println!(
        "{:<12}{:>10}{:>10}{:>12}{:>14}{:>12}{:>12}{:>12}",
        "", "MB", "MB/s", "ms", "allocations", "peak MiB", "held MiB", "problems"
    );
    for name in names {
        report(name, &payload(name));
    }
}

fn payload(name: &str) -> Vec<u8> {
    match name {
        "ten-rules" => fixtures::document().to_string().into_bytes(),
        "project" => whole_project::document().into_bytes(),
        "repeated" => repeated_project::payload(&whole_project::document(), LARGE).into_bytes(),
        "rich" => rich_project::payload(LARGE).into_bytes(),
        path => std::fs::read(path).expect("the name of a payload, or a file"),
    }
}

fn report(name: &str, payload: &[u8]) {
    let size = payload.len() as f64;
    let compile = || Ruleset::compile(payload).expect("the payload is sound");
    let problems = compile().problems().len();
    // As many as fit into about two seconds, at least five.
    let mut seconds = Vec::new();
    let begin = Instant::now();
    while seconds.len() < 5 || begin.elapsed().as_secs_f64() < 2.0 {
        let start = Instant::now();
        let ruleset = compile();
        seconds.push(start.elapsed().as_secs_f64());
        drop(ruleset);
    }
    let best = seconds.iter().copied().fold(f64::INFINITY, f64::min);
    let mut ruleset = None;
    let memory = measure(|| ruleset = Some(compile()));
    drop(ruleset);
    let mebibytes = |bytes: f64| bytes / f64::from(1 << 20);
    println!(
        "{name:<12}{:>10.3}{:>10.1}{:>12.3}{:>14}{:>12.2}{:>12.2}{problems:>12}",
        size / 1e6,
        size / 1e6 / best,
        best * 1e3,
        memory.count_total,
        mebibytes(memory.bytes_max as f64),
        mebibytes(memory.bytes_current as f64),
    );
}
