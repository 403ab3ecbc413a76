//! At the end everything is closed, once, in the time that there is.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail like tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use statsig_core::{
    DataStore, KeySchema, Reach, SourceError, SourceErrorKind, SpecFetch, SpecOrigin, SpecRequest, SpecSource,
    SpecStream, SpecSubscription,
};
use statsig_net::sources::{BootstrapSpecSource, DataStoreSpecSource, SourceChain};
use statsig_net::{RulesetTarget, SpecSources, SpecSync, StoreWriter, SyncOptions};
use tokio::runtime::Handle;

use crate::common::{Counting, clock, key, specs};

const LONG: Duration = Duration::from_secs(600);

fn start(sources: SpecSources) -> SpecSync {
    let empty = statsig_core::Snapshot::empty(SpecOrigin::Uninitialized);
    let store = Arc::new(statsig_core::SnapshotStore::new(empty));
    SpecSync::new(SyncOptions::default(), RulesetTarget::new(store), sources, clock(), &Handle::current())
}

/// Counts how often it is closed, as a source and as a stream; the stream hangs in its `close`.
#[derive(Default)]
struct Own {
    source: AtomicU32,
    stream: AtomicU32,
}

#[async_trait::async_trait]
impl SpecSource for Own {
    fn name(&self) -> &str {
        "own"
    }
    fn origin(&self) -> SpecOrigin {
        SpecOrigin::Adapter("Own".into())
    }
    fn reach(&self) -> Reach {
        Reach::Local
    }
    async fn fetch(&self, _: &SpecRequest) -> Result<SpecFetch, SourceError> {
        Err(SourceError::new(SourceErrorKind::Empty, "nothing"))
    }
    async fn close(&self) {
        self.source.fetch_add(1, Ordering::Relaxed);
    }
}

#[async_trait::async_trait]
impl SpecStream for Own {
    fn name(&self) -> &str {
        "own"
    }
    fn origin(&self) -> SpecOrigin {
        SpecOrigin::Adapter("Own".into())
    }
    fn reach(&self) -> Reach {
        Reach::Local
    }
    async fn subscribe(&self, _: &SpecRequest) -> Result<Box<dyn SpecSubscription>, SourceError> {
        Err(SourceError::new(SourceErrorKind::Refused, "nothing"))
    }
    async fn close(&self) {
        self.stream.fetch_add(1, Ordering::Relaxed);
        std::future::pending::<()>().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_data_store_is_shut_down_once_whoever_shares_it() {
    for uses in 1..32_u32 {
        let counting = Arc::new(Counting::default());
        let store = Arc::clone(&counting) as Arc<dyn DataStore>;
        let source = || DataStoreSpecSource::new(Arc::clone(&store), &key(), KeySchema::Hashed, clock());
        let document = BootstrapSpecSource::new(specs(5, true).into_bytes(), clock());
        let mut sources = SpecSources::new().then(Arc::new(document));
        if uses & 1 > 0 {
            sources.initial.push(Arc::new(source()));
        }
        if uses & 2 > 0 {
            sources.polled.push(Arc::new(source()));
        }
        if uses & 4 > 0 {
            sources = sources.with_stream(Arc::new(source().stream()));
        }
        if uses & 8 > 0 {
            sources.write_back = Some(StoreWriter::new(Arc::clone(&store), &key(), KeySchema::Hashed));
        }
        if uses & 16 > 0 {
            let chain = vec![Arc::new(source()) as Arc<dyn SpecSource>, Arc::new(source())];
            sources.fallback = Some(Arc::new(SourceChain::new("chain", SpecOrigin::Network, chain)));
        }
        let sync = start(sources);
        assert!(sync.initialize().await.is_config_spec_ready);
        let lists = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(counting.shutdowns(), 0, "others use it still: {uses:#b}");
        };
        sync.shutdown_with(LONG, lists).await;
        assert_eq!(counting.shutdowns(), 1, "{uses:#b}");
        sync.shutdown(LONG).await;
        assert_eq!(counting.shutdowns(), 1, "{uses:#b}");
    }
}

#[tokio::test(start_paused = true)]
async fn several_stores_are_shut_down_and_one_that_hangs_stops_nobody() {
    let counted = [(); 3].map(|()| Arc::new(Counting::default()));
    counted[0].hangs.store(true, Ordering::Relaxed);
    let source = |at: usize| {
        let store = Arc::clone(&counted[at]) as Arc<dyn DataStore>;
        DataStoreSpecSource::new(store, &key(), KeySchema::Hashed, clock())
    };
    let own = Arc::new(Own::default());
    let mut sources = SpecSources::new().then(Arc::new(source(0))).then(own.clone());
    sources = sources.with_stream(own.clone()).with_stream(own.clone()).with_stream(Arc::new(source(1).stream()));
    sources.write_back = Some(StoreWriter::new(counted[2].clone(), &key(), KeySchema::Hashed));
    let sync = start(sources);
    sync.initialize().await;
    let begun = tokio::time::Instant::now();
    sync.shutdown(Duration::from_secs(3)).await;
    assert_eq!(begun.elapsed(), Duration::from_secs(3));
    assert_eq!(counted.each_ref().map(|store| store.shutdowns()), [1, 1, 1]);
    assert_eq!([&own.source, &own.stream].map(|closed| closed.load(Ordering::Relaxed)), [1, 1]);
}

#[tokio::test]
async fn what_was_never_used_is_not_shut_down() {
    let counting = Arc::new(Counting::default());
    let source = DataStoreSpecSource::new(counting.clone(), &key(), KeySchema::Hashed, clock());
    start(SpecSources::new().then(Arc::new(source))).shutdown(LONG).await;
    assert_eq!(counting.shutdowns(), 0);
}

/// A source that cannot be closed.
struct Stuck;

#[async_trait::async_trait]
impl SpecSource for Stuck {
    fn name(&self) -> &str {
        "stuck"
    }
    fn origin(&self) -> SpecOrigin {
        SpecOrigin::Bootstrap
    }
    fn reach(&self) -> Reach {
        Reach::Local
    }
    async fn fetch(&self, _: &SpecRequest) -> Result<SpecFetch, SourceError> {
        Err(SourceError::new(SourceErrorKind::Empty, "nothing"))
    }
    async fn close(&self) {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_hangs_leaves_time_for_the_stores_and_they_have_some_seconds() {
    for (hangs, took) in [(false, 20), (true, 25)] {
        let counting = Arc::new(Counting::default());
        counting.hangs.store(hangs, Ordering::Relaxed);
        let source = DataStoreSpecSource::new(counting.clone(), &key(), KeySchema::Hashed, clock());
        let members: Vec<Arc<dyn SpecSource>> = vec![Arc::new(Stuck), Arc::new(source)];
        let chain = SourceChain::new("chain", SpecOrigin::Network, members);
        let sync = start(SpecSources::new().then(Arc::new(chain)));
        sync.initialize().await;
        let begun = tokio::time::Instant::now();
        sync.shutdown(Duration::from_secs(40)).await;
        assert_eq!((begun.elapsed().as_secs(), counting.shutdowns()), (took, 1));
    }
}
