//! From nothing to the first evaluation: how long it takes, and what takes it.
//!
//! `cargo bench -p statsig-net --bench first_evaluation`. The server is on loopback, in the same
//! process; documents are compressed by gzip as Statsig's servers do.
//!
//! The client overlaps and merges steps, so two of them are measured apart, on the same bytes: to decompress, and to
//! read the JSON without keeping anything. `transfer` and `compile` are what is left of the client's own two
//! figures, `source` and `apply`; the latter holds a SHA-256 of the document, too.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::use_debug, reason = "a program that measures")]

mod fixtures;

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use statsig_core::{
    EvaluationContext, EvaluationSettings, FixedClock, Snapshot, SnapshotStore, SpecOrigin, StatsigUser,
};
use statsig_net::{ClientIdentity, Network, NetworkOptions, RulesetTarget, SdkKey, SpecSources, SpecSync, SyncOptions};
use statsig_testkit::server::{Coding, FakeStatsig};

const ROUNDS: usize = 7;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!(
        "{:>10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}",
        "bytes", "all", "source", "transfer", "decompress", "apply", "parse", "compile", "evaluation"
    );
    for size in [20_000, 1_000_000, 50_000_000] {
        let document = fixtures::document(size, 5);
        let server = FakeStatsig::start().unwrap();
        server.publish_specs(document.clone());
        server.compress(Some(Coding::Gzip));
        let decompress = median(|| inflate(&gzip(document.as_bytes())));
        let parse = median(|| {
            let begun = Instant::now();
            let _: serde::de::IgnoredAny = serde_json::from_str(&document).unwrap();
            begun.elapsed()
        });
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let clock = Arc::new(FixedClock(0));
            let mut options = NetworkOptions::default();
            options.endpoints.api = Some(server.url());
            options.initial_request_timeout = Duration::from_secs(60);
            let identity = ClientIdentity::new(SdkKey::new("secret-bench")).unwrap();
            let network = Network::new(options, identity, clock.clone()).unwrap();
            let store = Arc::new(SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized)));
            let sources = SpecSources::new().then(Arc::new(network.spec_source()));
            let mut options = SyncOptions::default();
            options.init_timeout = None;
            let begun = Instant::now();
            let runtime = tokio::runtime::Handle::current();
            let sync = SpecSync::new(options, RulesetTarget::new(Arc::clone(&store)), sources, clock.clone(), &runtime);
            let details = sync.initialize().await;
            let loaded = begun.elapsed();
            let (snapshot, settings, user) =
                (store.load_full(), EvaluationSettings::new(), StatsigUser::with_user_id("u"));
            let open = EvaluationContext::new(&snapshot, &user, &settings, &*clock).check_gate("gate_1");
            let all = begun.elapsed();
            assert!(details.is_config_spec_ready && !open);
            let attempt = &details.attempts[0];
            rounds.push((all, attempt.duration - attempt.apply_duration, attempt.apply_duration, all - loaded));
            sync.shutdown(Duration::from_secs(1)).await;
        }
        rounds.sort();
        let (all, source, apply, evaluation) = rounds[ROUNDS / 2];
        let (transfer, compile) = (source.saturating_sub(decompress), apply.saturating_sub(parse));
        let columns = [all, source, transfer, decompress, apply, parse, compile, evaluation];
        let columns: String = columns.iter().map(|time| format!(" {:>10}", format!("{time:.1?}"))).collect();
        println!("{:>10}{columns}", document.len());
    }
}

fn median(measure: impl Fn() -> Duration) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| measure()).collect();
    times.sort();
    times[ROUNDS / 2]
}

fn gzip(document: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(document).unwrap();
    out.finish().unwrap()
}

fn inflate(compressed: &[u8]) -> Duration {
    let begun = Instant::now();
    let mut out = Vec::new();
    flate2::read::GzDecoder::new(compressed).read_to_end(&mut out).unwrap();
    begun.elapsed()
}
