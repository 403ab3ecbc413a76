//! From nothing to the first evaluation: how long it takes, and what takes it.
//!
//! `cargo bench -p statsig-net --bench first_evaluation`. The server is on loopback, in the same
//! process; documents are compressed by gzip as Statsig's servers do.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::use_debug, reason = "a program that measures")]

mod fixtures;

use std::sync::Arc;
use std::time::{Duration, Instant};

use statsig_core::{
    EvaluationContext, EvaluationSettings, FixedClock, Snapshot, SnapshotStore, SpecSourceKind, StatsigUser,
};
use statsig_net::{ClientIdentity, Network, NetworkOptions, SdkKey, SpecSources, SpecSync, SyncOptions};
use statsig_testkit::server::{Coding, FakeStatsig};

const ROUNDS: usize = 7;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("{:>10} {:>12} {:>18} {:>16} {:>12}", "bytes", "all", "transfer+inflate", "judge+compile", "evaluation");
    for size in [20_000, 1_000_000, 50_000_000] {
        let document = fixtures::document(size, 5);
        let server = FakeStatsig::start().unwrap();
        server.publish_specs(document.clone());
        server.compress(Some(Coding::Gzip));
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let clock = Arc::new(FixedClock(0));
            let mut options = NetworkOptions::default();
            options.endpoints.api = Some(server.url());
            options.initial_request_timeout = Duration::from_secs(60);
            let identity = ClientIdentity::new(SdkKey::new("secret-bench")).unwrap();
            let network = Network::new(options, identity, clock.clone()).unwrap();
            let store = Arc::new(SnapshotStore::new(Snapshot::empty(SpecSourceKind::Uninitialized)));
            let sources = SpecSources::new().then(Arc::new(network.spec_source()));
            let mut options = SyncOptions::default();
            options.init_timeout = None;
            let begun = Instant::now();
            let runtime = tokio::runtime::Handle::current();
            let sync = SpecSync::start(options, Arc::clone(&store), sources, clock.clone(), &runtime);
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
        let (all, transfer, apply, evaluation) = rounds[ROUNDS / 2];
        println!("{:>10} {all:>12.2?} {transfer:>18.2?} {apply:>16.2?} {evaluation:>12.2?}", document.len());
    }
}
