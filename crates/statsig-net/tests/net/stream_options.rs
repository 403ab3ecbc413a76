//! Options belong to one stream.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use statsig_core::{Snapshot, SnapshotStore, SpecOrigin};
use statsig_net::{RulesetTarget, SpecSources, SpecSync, StreamOptions, SyncOptions};
use tokio::runtime::Handle;

use super::common::clock;
use super::common::{Scripted, Stream, until};

#[tokio::test(start_paused = true)]
async fn one_streams_options_do_not_change_how_another_reconnects() {
    let streams = [Arc::new(Scripted::default()), Arc::new(Scripted::default())];
    streams.iter().for_each(|stream| stream.refuses.store(true, Ordering::Relaxed));
    let mut patient = StreamOptions::default();
    patient.retry_backoff_base = Duration::from_secs(3_600);
    patient.retry_backoff_cap = Duration::from_secs(3_600);
    patient.failover_threshold = 0;
    // After the first failure every pause is the longest one.
    patient.max_retry_attempt = Some(0);
    let sources = SpecSources::new()
        .with_stream_options(Arc::new(Stream(Arc::clone(&streams[0]))), patient)
        .with_stream(Arc::new(Stream(Arc::clone(&streams[1]))));
    let store = Arc::new(SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized)));
    let mut options = SyncOptions::default();
    options.init_timeout = Some(Duration::from_secs(1));
    let sync = SpecSync::new(options, RulesetTarget::new(store), sources, clock(), &Handle::current());
    sync.initialize().await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    let count = |index: usize| streams[index].subscriptions.load(Ordering::Relaxed);
    until(|| count(1) > 5).await;
    assert_eq!(count(0), 1, "the first stream waits for an hour");
    let health = sync.health();
    assert_eq!((health.streams[0].failures, health.streams[0].failed_over), (1, true));
    assert!(health.streams[1].failures > 5 && health.streams[1].failed_over);
    sync.shutdown(Duration::from_secs(60)).await;
}
