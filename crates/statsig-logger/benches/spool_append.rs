//! Append throughput of the spool for each fsync policy, on the disk of the temporary folder.
//!
//! `cargo bench -p statsig-logger --features spool --bench spool_append`; set `TMPDIR` to choose
//! the disk. A temporary folder in memory says nothing about fsync.

// A benchmark that cannot set up its folder has nothing to fall back on.
#![allow(clippy::expect_used)]

use std::sync::Arc;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use statsig_background::{OsFileSystem, SystemClock, new_uuid_v7};
use statsig_logger::spool::{AckOutcome, Encoding, FsyncPolicy, Spool, SpoolOptions, SpoolRecord};
use tempfile::TempDir;
use uuid::Uuid;

/// Bytes of a batch of 500 exposures, compressed, and of a small one.
const BODIES: [usize; 2] = [20_000, 1_000];

fn main() {
    divan::main();
}

fn open(fsync: FsyncPolicy) -> (TempDir, Spool) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut options = SpoolOptions::new(folder.path(), "0123456789abcdef");
    options.fsync = fsync;
    // Long runs evict, as they do in an outage.
    options.max_bytes = 256 << 20;
    let spool = Spool::open(options, Arc::new(OsFileSystem), Arc::new(SystemClock)).expect("open");
    (folder, spool)
}

fn append(spool: &Spool, body: &[u8]) -> Uuid {
    let id = new_uuid_v7(1_790_000_000_000);
    let record = SpoolRecord {
        id,
        created_ms: u64::MAX,
        event_count: 500,
        encoding: Encoding::Gzip,
        attempts: 0,
        metadata: None,
        body,
    };
    black_box(spool.append(&record).expect("append"));
    id
}

fn bench(bencher: Bencher<'_, '_>, len: usize, fsync: FsyncPolicy) {
    let (_folder, spool) = open(fsync);
    let body = vec![0xA5; len];
    bencher
        .counter(BytesCount::new(len))
        .counter(ItemsCount::new(1_usize))
        .bench_local(|| append(&spool, black_box(&body)));
}

#[divan::bench(args = BODIES, sample_count = 5000)]
fn never(bencher: Bencher<'_, '_>, len: usize) {
    bench(bencher, len, FsyncPolicy::Never);
}

#[divan::bench(args = BODIES, sample_count = 5000)]
fn interval(bencher: Bencher<'_, '_>, len: usize) {
    bench(bencher, len, FsyncPolicy::default());
}

#[divan::bench(args = BODIES, sample_count = 300)]
fn every_batch(bencher: Bencher<'_, '_>, len: usize) {
    bench(bencher, len, FsyncPolicy::EveryBatch);
}

/// Append, hand out, acknowledge.
#[divan::bench(args = BODIES, sample_count = 5000)]
fn round_trip_interval(bencher: Bencher<'_, '_>, len: usize) {
    let (_folder, spool) = open(FsyncPolicy::default());
    let body = vec![0xA5; len];
    bencher.counter(BytesCount::new(len)).counter(ItemsCount::new(1_usize)).bench_local(|| {
        append(&spool, black_box(&body));
        let batch = spool.next_batch().expect("next").expect("a batch");
        spool.ack(batch.id, AckOutcome::Delivered).expect("ack");
        batch.body.len()
    });
}
