//! All of a project for one user: at once, and by single calls.

#![allow(clippy::expect_used, reason = "a benchmark reports, and ends where its input is wrong")]

#[path = "fixtures/whole_project.rs"]
#[allow(dead_code, reason = "tests use the rest")]
mod whole_project;

use divan::counter::{BytesCount, ItemsCount};
use divan::{AllocProfiler, Bencher};
use statsig_core::{ClientInitializeOptions, HashAlgorithm, ResponseFormat};
use whole_project::WholeProject;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// What the response is compared with: every entry evaluated by itself, nothing written.
#[divan::bench]
fn single_calls(bencher: Bencher<'_, '_>) {
    let project = WholeProject::new();
    bencher.counter(ItemsCount::new(project.entries())).bench(|| project.single_calls());
}

/// The response in memory.
#[divan::bench]
fn response(bencher: Bencher<'_, '_>) {
    let project = WholeProject::new();
    let options = ClientInitializeOptions::new();
    bencher.counter(ItemsCount::new(project.entries())).bench(|| project.response(&options));
}

/// The response as JSON, with each way of hashing and in each format.
#[divan::bench(args = ["none", "djb2", "sha256", "djb2 v2", "djb2 init_v2"])]
fn write(bencher: Bencher<'_, '_>, arguments: &str) {
    let project = WholeProject::new();
    let (hash, format) = arguments.split_once(' ').unwrap_or((arguments, "v1"));
    let options = ClientInitializeOptions::new()
        .with_hash_algorithm(hash.parse::<HashAlgorithm>().expect("a hash algorithm"))
        .with_response_format(ResponseFormat::from_name(format));
    let mut out = Vec::new();
    project.append(&options, &mut out);
    bencher.counter(BytesCount::new(out.len())).bench_local(|| {
        out.clear();
        project.append(&options, &mut out);
    });
}
