//! A start, by what is up: what the client comes to, and how long that takes.
//!
//! `cargo bench -p statsig-net --bench cold_start` prints the table of `docs/protocol/network.md#start`.
//! Everything is real but the servers, which are on loopback; options are the default ones. Takes about
//! a minute, most of it waiting for what does not answer.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::use_debug, reason = "a program that measures")]

mod fixtures;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use statsig_core::{
    DataStore, DataStoreError, DataStoreErrorKind, FixedClock, InMemoryDataStore, KeySchema, Reach, Snapshot,
    SnapshotStore, SpecOrigin, SpecSource, SpecUpdate, StoreFormat, StoreKeys, StorePath, StoreResponse,
};
use statsig_net::sources::{DataStoreSpecSource, LastKnownGood};
use statsig_net::{
    AttemptOutcome, ClientIdentity, InitializeDetails, Network, NetworkOptions, RulesetTarget, SdkKey, SpecSources,
    SpecSync, SyncOptions,
};
use statsig_testkit::server::{Coding, Endpoint, FakeStatsig, Fault};

const KEY: &str = "secret-bench";

/// How a server or a store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    Up,
    /// Connections are refused.
    Down,
    /// Answers with errors.
    Failing,
    /// Takes requests and never answers.
    Silent,
    /// Up, and has nothing.
    Empty,
}

struct Case {
    order: [&'static str; 2],
    network: Is,
    store: Is,
    disk: bool,
    hedge_after: Option<Duration>,
}

const fn case(order: [&'static str; 2], network: Is, store: Is, disk: bool) -> Case {
    Case { order, network, store, disk, hedge_after: None }
}

const fn hedged(after_ms: u64, case: Case) -> Case {
    Case { hedge_after: Some(Duration::from_millis(after_ms)), ..case }
}

const NETWORK_FIRST: [&str; 2] = ["network", "store"];
const STORE_FIRST: [&str; 2] = ["store", "network"];

const CASES: [Case; 16] = [
    case(NETWORK_FIRST, Is::Up, Is::Up, true),
    case(NETWORK_FIRST, Is::Down, Is::Up, true),
    case(NETWORK_FIRST, Is::Failing, Is::Up, true),
    case(NETWORK_FIRST, Is::Silent, Is::Up, true),
    hedged(200, case(NETWORK_FIRST, Is::Silent, Is::Up, true)),
    case(NETWORK_FIRST, Is::Down, Is::Empty, true),
    case(NETWORK_FIRST, Is::Down, Is::Failing, true),
    case(NETWORK_FIRST, Is::Silent, Is::Silent, true),
    hedged(200, case(NETWORK_FIRST, Is::Silent, Is::Silent, true)),
    case(NETWORK_FIRST, Is::Down, Is::Empty, false),
    case(NETWORK_FIRST, Is::Silent, Is::Silent, false),
    case(STORE_FIRST, Is::Up, Is::Up, true),
    case(STORE_FIRST, Is::Up, Is::Empty, true),
    case(STORE_FIRST, Is::Up, Is::Failing, true),
    case(STORE_FIRST, Is::Up, Is::Silent, true),
    hedged(200, case(STORE_FIRST, Is::Up, Is::Silent, true)),
];

/// A store that is broken, or never answers.
struct Trouble(Is);

impl Trouble {
    async fn happens<T>(&self) -> Result<T, DataStoreError> {
        if self.0 == Is::Silent {
            std::future::pending::<()>().await;
        }
        Err(DataStoreError::new(DataStoreErrorKind::Unavailable, "out of order"))
    }
}

#[async_trait]
impl DataStore for Trouble {
    async fn initialize(&self) -> Result<(), DataStoreError> {
        self.happens().await
    }
    async fn shutdown(&self) -> Result<(), DataStoreError> {
        Ok(())
    }
    async fn get(&self, _: &str) -> Result<StoreResponse<String>, DataStoreError> {
        self.happens().await
    }
    async fn set(&self, _: &str, _: &str, _: Option<u64>) -> Result<(), DataStoreError> {
        self.happens().await
    }
    async fn support_polling_updates_for(&self, _: &StorePath) -> bool {
        false
    }
}

async fn store_that(is: Is, document: &str) -> Arc<dyn DataStore> {
    if matches!(is, Is::Failing | Is::Silent | Is::Down) {
        return Arc::new(Trouble(is));
    }
    let store = InMemoryDataStore::new();
    if is == Is::Up {
        let name = StoreKeys::new(KEY).key(&StorePath::SpecsV2, StoreFormat::PlainText, KeySchema::Hashed).name;
        store.set(&name, document, None).await.unwrap();
    }
    Arc::new(store)
}

async fn start(case: &Case, document: &str) -> InitializeDetails {
    let (key, clock) = (SdkKey::new(KEY), Arc::new(FixedClock(0)));
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(document);
    server.compress(Some(Coding::Gzip));
    let fault = match case.network {
        Is::Failing => Some(Fault::Status(500, String::new())),
        Is::Silent => Some(Fault::Hang),
        _ => None,
    };
    server.fail_always(Endpoint::SpecsV2, fault);
    let mut options = NetworkOptions::default();
    options.endpoints.api = Some(match case.network {
        // A port that was just given back.
        Is::Down => format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()),
        _ => server.url(),
    });
    let network = Network::new(options, ClientIdentity::new(key.clone()).unwrap(), clock.clone()).unwrap();
    let store = store_that(case.store, document).await;
    let mut sources = SpecSources::new();
    for name in case.order {
        let source: Arc<dyn SpecSource> = match name {
            "network" => Arc::new(network.spec_source()),
            _ => Arc::new(DataStoreSpecSource::new(Arc::clone(&store), &key, KeySchema::Hashed, clock.clone())),
        };
        sources = sources.then(source);
    }
    let folder = tempfile::tempdir().unwrap();
    let disk = LastKnownGood::new(folder.path(), &key);
    if case.disk {
        let update = SpecUpdate::new(document.as_bytes().to_vec(), SpecOrigin::Network, Reach::Upstream, 0);
        disk.keep(Arc::new(update)).await.unwrap();
    }
    sources.last_known_good = Some(disk);
    let mut options = SyncOptions::default();
    options.hedge_after = case.hedge_after;
    let specs = Arc::new(SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized)));
    let runtime = tokio::runtime::Handle::current();
    let sync = SpecSync::new(options, RulesetTarget::new(specs), sources, clock, &runtime);
    let details = sync.initialize().await;
    sync.shutdown(Duration::ZERO).await;
    details
}

fn word(outcome: &AttemptOutcome) -> String {
    match outcome {
        AttemptOutcome::Failed { kind, .. } => kind.to_string(),
        AttemptOutcome::Pending => "no answer yet".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let document = fixtures::document(20_000, 5);
    println!("| network | store | disk | asked, in this order | specs from | `initialize` took |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for case in CASES {
        // What is quick is measured several times.
        let mut runs = vec![start(&case, &document).await];
        while runs[0].duration < Duration::from_millis(100) && runs.len() < 9 {
            runs.push(start(&case, &document).await);
        }
        runs.sort_by_key(|details| details.duration);
        let details = &runs[runs.len() / 2];
        let asked: Vec<_> =
            details.attempts.iter().map(|attempt| format!("{}: {}", attempt.source, word(&attempt.outcome))).collect();
        let hedge = case.hedge_after.map_or_else(String::new, |after| format!(" (`hedge_after` {after:?})"));
        println!(
            "| {:?} | {:?} | {} | {}{hedge} | {} | {:.1?}{} |",
            case.network,
            case.store,
            if case.disk { "kept" } else { "nothing" },
            asked.join(", "),
            details.source,
            details.duration,
            if details.timed_out { ", time up" } else { "" },
        );
    }
}
