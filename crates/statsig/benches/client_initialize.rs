//! A client-initialize response of a 400 kB project, and the same entries by public getters.
//!
//! `cargo bench -p statsig-oss --bench client_initialize`. Each way is measured in turn, round after round, and
//! the median counts; compare lines of one run with each other.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    dead_code,
    reason = "a benchmark reports, and uses a part of the fixture"
)]

#[path = "../../statsig-core/benches/fixtures/whole_project.rs"]
mod whole_project;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use statsig::{
    ClientInitializeOptions, EvaluationOptions, ExperimentEvaluationOptions, HashAlgorithm, LayerEvaluationOptions,
    NoopSink, Statsig, StatsigUser,
};

const ROUNDS: usize = 300;

fn user() -> StatsigUser {
    StatsigUser::builder()
        .user_id("user-0012345")
        .email("ada@mail.example")
        .country("NZ")
        .app_version("2.10.1")
        .custom("plan", "silver")
        .build()
}

/// Every entry by a call of its own, without exposure.
fn getters(statsig: &Statsig, user: &StatsigUser, names: &[Vec<String>; 3]) {
    let quietly = EvaluationOptions::new().disable_exposure_logging(true);
    let (experiment, layer) = (
        ExperimentEvaluationOptions::new().with_exposure_logging_disabled(true),
        LayerEvaluationOptions::new().with_exposure_logging_disabled(true),
    );
    for name in &names[0] {
        black_box(statsig.get_feature_gate_with_options(user, name, quietly));
    }
    for name in &names[1] {
        black_box(statsig.get_experiment_with_options(user, name, &experiment));
    }
    for name in &names[2] {
        black_box(statsig.get_layer_with_options(user, name, &layer));
    }
}

fn time(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e6
}

fn main() {
    let document = whole_project::document();
    // What an application has: a logger, and results that say which gates took part, as a response does.
    let statsig = Statsig::builder()
        .bootstrap(&document)
        .event_sink(Arc::new(NoopSink))
        .record_secondary_exposures(true)
        .build()
        .unwrap();
    let names = [statsig.get_feature_gate_list(), statsig.get_experiment_list(), statsig.get_layer_list()];
    let entries: usize = names.iter().map(Vec::len).sum();
    let user = user();
    let hashes = [HashAlgorithm::None, HashAlgorithm::Djb2, HashAlgorithm::Sha256];
    let options = hashes.map(|hash| ClientInitializeOptions::new().with_hash_algorithm(hash));
    let mut out = Vec::with_capacity(1 << 20);
    let (mut single, mut typed, mut written) = (Vec::new(), Vec::new(), [Vec::new(), Vec::new(), Vec::new()]);
    let mut bytes = [0; 3];
    for _ in 0..ROUNDS {
        single.push(time(|| getters(&statsig, &user, &names)));
        typed.push(time(|| drop(black_box(statsig.get_client_initialize_response(&user, &options[1])))));
        for (at, options) in options.iter().enumerate() {
            out.clear();
            written[at].push(time(|| {
                statsig.append_client_initialize_response(&user, options, &mut out);
            }));
            bytes[at] = out.len();
        }
    }
    let single = median(single);
    println!("project of {} bytes, {entries} entries, medians of {ROUNDS} rounds", document.len());
    println!("{:<24}{:>10}{:>10}{:>10}", "", "us", "bytes", "ratio");
    println!("{:<24}{single:>10.0}{:>10}{:>10}", "public getters", "", "1.0");
    let typed = median(typed);
    println!("{:<24}{typed:>10.0}{:>10}{:>10.1}", "typed response", "", single / typed);
    for ((hash, times), bytes) in ["none", "djb2", "sha256"].iter().zip(written).zip(bytes) {
        let time = median(times);
        println!("{:<24}{time:>10.0}{bytes:>10}{:>10.1}", format!("written, {hash}"), single / time);
    }
}
