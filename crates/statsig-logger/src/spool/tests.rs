//! Behaviour of the spool on a disk that works.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use statsig_background::testing::{FaultyFileSystem, MemoryDisk, MemoryFileSystem};
use statsig_background::{FileSystem, OsFileSystem, SystemClock};
use statsig_core::SdkMetadata;
use uuid::Uuid;

use super::testing::ManualClock;
use super::*;

const KEY_HASH: &str = "0123456789abcdef";
const NOW: u64 = 1_790_000_000_000;

struct Bench {
    disk: MemoryDisk,
    clock: Arc<ManualClock>,
    options: SpoolOptions,
}

impl Bench {
    fn new() -> Self {
        let mut options = SpoolOptions::new("/spool", KEY_HASH);
        options.segment_bytes = 1024;
        options.max_bytes = 1 << 20;
        Self { disk: MemoryDisk::new(), clock: Arc::new(ManualClock::new(NOW)), options }
    }

    fn open(&self) -> (Spool, Arc<MemoryFileSystem>) {
        let fs = Arc::new(self.disk.process());
        let spool = Spool::open(self.options.clone(), fs.clone(), self.clock.clone());
        (spool.expect("open"), fs)
    }

    fn files(&self, suffix: &str) -> usize {
        let files = self.disk.files();
        files.iter().filter(|file| file.ends_with(suffix)).count()
    }
}

fn id(n: u32) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | u128::from(n))
}

fn body(n: u32) -> Vec<u8> {
    (0..100 + n % 50).map(|i| (i * 7 + n) as u8).collect()
}

fn append_at(spool: &Spool, n: u32, created_ms: u64) -> Result<Receipt, SpoolError> {
    spool.append(&SpoolRecord {
        id: id(n),
        created_ms,
        event_count: n % 7 + 1,
        encoding: Encoding::Gzip,
        attempts: 2,
        metadata: None,
        body: &body(n),
    })
}

fn append(spool: &Spool, n: u32) -> Receipt {
    append_at(spool, n, NOW + u64::from(n)).expect("append")
}

fn next(spool: &Spool) -> Option<Uuid> {
    spool.next_batch().expect("next").map(|batch| batch.id)
}

fn drain(spool: &Spool) -> Vec<Uuid> {
    let mut ids = Vec::new();
    while let Some(id) = next(spool) {
        ids.push(id);
        spool.ack(id, AckOutcome::Delivered).expect("ack");
    }
    ids
}

fn ids(range: std::ops::Range<u32>) -> Vec<Uuid> {
    range.map(id).collect()
}

fn assert_balanced(spool: &Spool) {
    let (came, became) = spool.stats().balance();
    assert_eq!(came, became);
}

#[test]
fn batches_come_back_as_they_were_in_order() {
    let bench = Bench::new();
    let (spool, _fs) = bench.open();
    for n in 0..30 {
        append(&spool, n);
    }
    assert!(spool.stats().segments > 3, "several segments");
    for n in 0..30 {
        let batch = spool.next_batch().expect("next").expect("a batch");
        let expected = SpooledBatch {
            id: id(n),
            created_ms: NOW + u64::from(n),
            event_count: n % 7 + 1,
            encoding: Encoding::Gzip,
            attempts: 2,
            metadata: None,
            body: body(n),
        };
        assert_eq!(batch, expected);
        let settled = spool.ack(batch.id, AckOutcome::Delivered).expect("ack");
        assert_eq!(settled, Settled::Kept);
    }
    assert_eq!(next(&spool), None);
    let stats = spool.stats();
    assert_eq!(stats.pending, Tally::default());
    assert_eq!(stats.delivered, stats.appended);
    assert_balanced(&spool);
    spool.close().expect("close");
    assert_eq!(bench.disk.files(), Vec::<String>::new(), "nothing is left");
}

#[test]
fn metadata_of_another_sdk_survives_restarts_rejections_and_failed_fsyncs() {
    let metadata = SdkMetadata::new().with_sdk_type("py-server").with_statsig_metadata("{\"a\": 1.0}").expect("valid");
    let mut bench = Bench::new();
    bench.options.fsync = FsyncPolicy::Interval { every: Duration::from_secs(3_600), bytes: 1 << 20 };
    let (spool, fs) = bench.open();
    for n in 0..3 {
        let body = body(n);
        let metadata = (n != 1).then_some(&metadata);
        let record = SpoolRecord {
            id: id(n),
            created_ms: NOW,
            event_count: 1,
            encoding: Encoding::Raw,
            attempts: 0,
            metadata,
            body: &body,
        };
        spool.append(&record).expect("append");
    }
    let check = |spool: &Spool| {
        for n in 0..3 {
            let batch = spool.next_batch().expect("next").expect("a batch");
            assert_eq!((batch.id, &batch.body), (id(n), &body(n)));
            assert_eq!(batch.metadata.as_deref(), (n != 1).then_some(&metadata));
        }
    };
    check(&spool);
    (0..3).for_each(|n| assert!(spool.release(id(n)).is_ok()));
    // The copies in memory are what is written again.
    bench.disk.fail_syncs(1);
    let _ = spool.sync();
    check(&spool);
    (0..3).for_each(|n| assert!(spool.release(id(n)).is_ok()));
    spool.sync().expect("sync");
    fs.kill();
    let (spool, fs) = bench.open();
    check(&spool);
    spool.ack(id(0), AckOutcome::Rejected).expect("ack");
    let dead = bench.disk.files().into_iter().find(|path| path.contains("/dead/")).expect("set aside");
    let mut content = Vec::new();
    bench.disk.tamper(Path::new(&dead), |bytes| content.clone_from(bytes)).expect("read");
    assert!(content.windows(9).any(|window| window == b"py-server"));
    fs.kill();
}

#[test]
fn segments_of_the_previous_format_are_read() {
    let bench = Bench::new();
    let (spool, fs) = bench.open();
    (0..3).for_each(|n| assert!(spool.append(&previous(n, &body(n))).is_ok()));
    fs.kill();
    let logs: Vec<_> = bench.disk.files().into_iter().filter(|path| path.ends_with(".log")).collect();
    for log in &logs {
        let tamper = |bytes: &mut Vec<u8>| {
            assert_eq!(bytes[4..6], [2, 0]);
            bytes[4] = 1;
            let sum = crc32c::crc32c(&bytes[..28]);
            bytes[28..32].copy_from_slice(&sum.to_le_bytes());
        };
        bench.disk.tamper(Path::new(log), tamper).expect("tamper");
    }
    let (spool, _fs) = bench.open();
    assert_eq!((spool.stats().foreign_segments, spool.stats().recovered.batches), (0, 3));
    assert_eq!(drain(&spool), ids(0..3));
    assert_balanced(&spool);
}

/// A record as version 1 had it.
fn previous(n: u32, body: &[u8]) -> SpoolRecord<'_> {
    SpoolRecord {
        id: id(n),
        created_ms: NOW,
        event_count: 1,
        encoding: Encoding::Raw,
        attempts: 0,
        metadata: None,
        body,
    }
}

#[test]
fn a_released_batch_is_next_again_with_one_attempt_more() {
    let (spool, _fs) = Bench::new().open();
    append(&spool, 0);
    append(&spool, 1);
    assert_eq!(next(&spool), Some(id(0)));
    assert_eq!(next(&spool), Some(id(1)));
    assert_eq!(next(&spool), None, "both are in flight");
    assert_eq!(spool.stats().in_flight.batches, 2);
    assert_eq!(spool.release(id(0)).expect("release"), Settled::Kept);
    let again = spool.next_batch().expect("next").expect("a batch");
    assert_eq!((again.id, again.attempts), (id(0), 3));
    assert!(matches!(spool.release(id(9)), Err(SpoolError::NotInFlight { .. })));
    assert_balanced(&spool);
}

#[test]
fn a_batch_appended_in_flight_is_handed_out_only_after_its_release() {
    let (spool, _fs) = Bench::new().open();
    let body = body(1);
    let record = SpoolRecord {
        id: id(1),
        created_ms: NOW,
        event_count: 1,
        encoding: Encoding::Raw,
        attempts: 0,
        metadata: None,
        body: &body,
    };
    spool.append_in_flight(&record).expect("append");
    assert_eq!(next(&spool), None);
    assert!(matches!(spool.append_in_flight(&record), Err(SpoolError::AlreadyInFlight { .. })));
    spool.release(id(1)).expect("release");
    assert_eq!(drain(&spool), [id(1)]);
}

#[test]
fn what_a_killed_process_left_is_adopted_without_what_it_had_settled() {
    let bench = Bench::new();
    let (first, fs) = bench.open();
    for n in 0..20 {
        append(&first, n);
    }
    for n in 0..5 {
        assert_eq!(next(&first), Some(id(n)));
        first.ack(id(n), AckOutcome::Delivered).expect("ack");
    }
    assert_eq!(next(&first), Some(id(5)), "in flight at the end");
    fs.kill();

    let (second, fs) = bench.open();
    assert_eq!(second.stats().adopted_instances, 1);
    assert_eq!(second.stats().recovered.batches, 15);
    append(&second, 20);
    assert_eq!(next(&second), Some(id(5)));
    second.ack(id(5), AckOutcome::Delivered).expect("ack");
    fs.kill();

    // What the second had adopted is below its folder.
    let (third, _fs) = bench.open();
    assert_eq!(third.stats().adopted_instances, 2);
    assert_eq!(drain(&third), ids(6..21));
    assert_balanced(&third);
    third.close().expect("close");
    assert_eq!(bench.disk.files(), Vec::<String>::new());
    drop((first, second));
}

#[test]
fn a_live_process_keeps_its_segments() {
    let bench = Bench::new();
    let (first, fs) = bench.open();
    append(&first, 0);
    let (second, _fs) = bench.open();
    append(&second, 1);
    assert_eq!(second.stats().adopted_instances, 0);
    assert_eq!(drain(&second), [id(1)]);
    fs.kill();
    bench.clock.advance(59_000);
    second.maintain().expect("maintain");
    assert_eq!(second.stats().adopted_instances, 0, "not yet due");
    bench.clock.advance(1_000);
    second.maintain().expect("maintain");
    assert_eq!(second.stats().adopted_instances, 1);
    assert_eq!(drain(&second), [id(0)]);
}

#[test]
fn spools_of_different_keys_do_not_meet() {
    let mut bench = Bench::new();
    let (first, fs) = bench.open();
    append(&first, 0);
    fs.kill();
    bench.options.key_hash = "fedcba9876543210".to_owned();
    let (second, _fs) = bench.open();
    assert_eq!(next(&second), None);
}

#[test]
fn the_byte_bound_evicts_oldest_segments_and_counts_them() {
    let mut bench = Bench::new();
    bench.options.max_bytes = 4096;
    let (spool, _fs) = bench.open();
    for n in 0..100 {
        append(&spool, n);
        assert!(spool.stats().disk_bytes <= 4096, "after {n}");
        assert_balanced(&spool);
    }
    let dropped = spool.stats().dropped.max_bytes.batches;
    assert!(dropped > 60, "{dropped} dropped");
    let kept = drain(&spool);
    assert_eq!(kept, ids(100 - kept.len() as u32..100), "the newest");
    assert_eq!(kept.len() as u64 + dropped, 100);
    assert_balanced(&spool);
}

#[test]
fn a_batch_evicted_in_flight_counts_by_its_acknowledgement() {
    let mut bench = Bench::new();
    bench.options.max_bytes = 2048;
    let (spool, _fs) = bench.open();
    append(&spool, 0);
    append(&spool, 1);
    assert_eq!(next(&spool), Some(id(0)));
    assert_eq!(next(&spool), Some(id(1)));
    for n in 2..40 {
        append(&spool, n);
    }
    assert_balanced(&spool);
    let before = spool.stats();
    assert_eq!(before.in_flight.batches, 2);
    let settled = spool.ack(id(0), AckOutcome::Delivered).expect("ack");
    assert_eq!(settled, Settled::Evicted);
    assert_eq!(spool.release(id(1)).expect("release"), Settled::Evicted);
    let after = spool.stats();
    assert_eq!(after.delivered.batches, 1);
    assert_eq!(after.dropped.max_bytes.batches, before.dropped.max_bytes.batches + 1);
    assert_balanced(&spool);
}

#[test]
fn batches_over_the_age_limit_are_dropped_from_their_creation_on() {
    let mut bench = Bench::new();
    bench.options.max_age = Duration::from_secs(3600);
    let (spool, _fs) = bench.open();
    append_at(&spool, 0, NOW - 3_500_000).expect("append");
    append_at(&spool, 1, NOW).expect("append");
    // From the future, as after a clock that jumped.
    append_at(&spool, 2, NOW + 10_000_000).expect("append");
    bench.clock.advance(200_000);
    spool.maintain().expect("maintain");
    assert_eq!(spool.stats().dropped.max_age.batches, 1);
    bench.clock.advance(3_500_000);
    assert_eq!(next(&spool), Some(id(2)), "also without maintenance");
    assert_eq!(spool.stats().dropped.max_age.batches, 2);
    assert_balanced(&spool);
}

#[test]
fn a_clock_that_jumps_gives_up_nothing_at_once() {
    const DAY: u64 = 24 * 60 * 60 * 1_000;
    let bench = Bench::new();
    let (spool, fs) = bench.open();
    append(&spool, 0);
    // Ahead and back again, as with a wrong clock that the network sets right.
    bench.clock.set(NOW + 100 * DAY);
    spool.maintain().expect("maintain");
    append_at(&spool, 1, NOW + 100 * DAY).expect("append");
    bench.clock.set(NOW);
    spool.maintain().expect("maintain");
    assert_eq!(spool.stats().dropped.max_age.batches, 0);
    // Both have the age that has passed.
    bench.clock.advance(3 * DAY - 1_000);
    spool.maintain().expect("maintain");
    assert_eq!(spool.stats().pending.batches, 2);
    fs.kill();

    // Another process starts with a wrong clock.
    bench.clock.set(NOW + 100 * DAY);
    let (spool, fs) = bench.open();
    assert_eq!(spool.stats().pending.batches, 2);
    bench.clock.advance(5 * 60_000);
    spool.maintain().expect("maintain");
    assert_eq!(spool.stats().pending.batches, 2, "not before the clock has proved steady");
    bench.clock.set(NOW + 2 * DAY);
    bench.clock.advance(20 * 60_000);
    spool.maintain().expect("maintain");
    assert_eq!(spool.stats().pending.batches, 2, "set right in time");
    fs.kill();

    // It was no jump: the machine was off.
    bench.clock.set(NOW + 200 * DAY);
    let (spool, _fs) = bench.open();
    bench.clock.advance(10 * 60_000);
    spool.maintain().expect("maintain");
    assert_eq!((spool.stats().pending.batches, spool.stats().dropped.max_age.batches), (0, 2));
    assert_balanced(&spool);
}

#[test]
fn a_clock_that_was_not_set_yet_does_not_make_batches_old() {
    let bench = Bench::new();
    bench.clock.set(5_000);
    let (spool, fs) = bench.open();
    append_at(&spool, 0, 5_000).expect("append");
    bench.clock.set(NOW);
    bench.clock.advance(11 * 60_000);
    spool.maintain().expect("maintain");
    assert_eq!(spool.stats().pending.batches, 1);
    fs.kill();
    let (spool, _fs) = bench.open();
    bench.clock.advance(11 * 60_000);
    spool.maintain().expect("maintain");
    assert_eq!(next(&spool), Some(id(0)));
}

#[test]
fn a_rejected_batch_goes_to_a_bounded_dead_folder() {
    let mut bench = Bench::new();
    bench.options.dead_max_bytes = 3 * (150 + dead::OVERHEAD as u64);
    let (spool, _fs) = bench.open();
    for n in 0..8 {
        append(&spool, n);
        assert_eq!(next(&spool), Some(id(n)));
        spool.ack(id(n), AckOutcome::Rejected).expect("ack");
    }
    assert_eq!(spool.stats().dead_lettered.batches, 8);
    assert_eq!(spool.stats().dead_write_errors, 0);
    let files = bench.disk.files();
    let dead: Vec<&String> = files.iter().filter(|f| f.contains("/dead/")).collect();
    assert_eq!(dead.len(), 3, "the bound");
    for n in 5..8 {
        assert!(dead.iter().any(|f| f.contains(&id(n).to_string())), "batch {n}");
    }
    // A dead file is a segment: the spool's own reader can read it.
    let fs = bench.disk.process();
    let newest = dead.last().expect("one");
    let scan = recovery::scan_segment(&fs, Path::new(newest.as_str()));
    let scan = scan.unwrap_or_else(|_| panic!("unreadable"));
    assert_eq!(scan.records[0].header.id, id(7));
    assert_balanced(&spool);
}

#[test]
fn what_is_delivered_does_not_stay_on_disk_for_want_of_traffic() {
    let bench = Bench::new();
    let (spool, _fs) = bench.open();
    append(&spool, 0);
    drain(&spool);
    assert_eq!(bench.files(".log"), 1);
    bench.clock.advance(60_000);
    spool.maintain().expect("maintain");
    assert_eq!(bench.files(".log"), 0);
    append(&spool, 1);
    assert_eq!(drain(&spool), [id(1)]);
}

#[test]
fn receipts_say_what_each_policy_has_done() {
    let mut bench = Bench::new();
    bench.options.segment_bytes = 8192;
    bench.options.fsync = FsyncPolicy::EveryBatch;
    assert!(append(&bench.open().0, 0).is_durable());
    bench.options.fsync = FsyncPolicy::Never;
    assert!(!append(&bench.open().0, 1).is_durable());
    bench.options.fsync = FsyncPolicy::Interval { every: Duration::from_millis(200), bytes: 500 };
    let (spool, _fs) = bench.open();
    assert!(!append(&spool, 0).is_durable());
    assert!(!append(&spool, 1).is_durable());
    assert!(!append(&spool, 2).is_durable());
    assert!(append(&spool, 3).is_durable(), "over 500 bytes");
    assert!(!append(&spool, 4).is_durable());
    bench.clock.advance(200);
    assert!(append(&spool, 5).is_durable(), "after 200 ms");
    bench.clock.set(NOW - 1_000_000);
    assert!(append(&spool, 6).is_durable(), "the clock jumped back");
}

#[test]
fn limits_and_wrong_use_are_typed_errors() {
    let bench = Bench::new();
    let (spool, _fs) = bench.open();
    let limit = bench.options.max_body_bytes();
    let mut record = SpoolRecord {
        id: id(0),
        created_ms: NOW,
        event_count: 1,
        encoding: Encoding::Raw,
        attempts: 0,
        metadata: None,
        body: &vec![0; limit],
    };
    spool.append(&record).expect("exactly the limit");
    let longer = vec![0; limit + 1];
    record.body = &longer;
    let error = spool.append(&record).expect_err("over the limit");
    assert_eq!(error.kind(), SpoolErrorKind::Usage);
    assert!(!error.is_retryable());

    spool.close().expect("close");
    spool.close().expect("twice");
    assert!(matches!(append_at(&spool, 1, NOW), Err(SpoolError::Closed)));
    assert!(matches!(spool.next_batch(), Err(SpoolError::Closed)));

    let mut options = SpoolOptions::new("", "0123456789ABCDEF");
    options.segment_bytes = 12;
    options.max_bytes = 13;
    options.max_age = Duration::ZERO;
    options.fsync = FsyncPolicy::Interval { every: Duration::ZERO, bytes: u64::MAX };
    let opened = Spool::open(options, Arc::new(OsFileSystem), Arc::new(SystemClock));
    match opened {
        Err(SpoolError::InvalidOptions { problems }) => assert_eq!(problems.len(), 6),
        _ => panic!("invalid options were accepted"),
    }
}

#[test]
fn a_record_at_the_end_of_a_segment_fits_exactly() {
    let bench = Bench::new();
    let (spool, _fs) = bench.open();
    let half = (bench.options.segment_bytes as usize - format::SEGMENT_HEADER_LEN) / 2;
    let body = vec![1; half - format::RECORD_HEADER_LEN];
    for n in 0..4 {
        let record = SpoolRecord {
            id: id(n),
            created_ms: NOW,
            event_count: 1,
            encoding: Encoding::Raw,
            attempts: 0,
            metadata: None,
            body: &body,
        };
        spool.append(&record).expect("append");
    }
    let stats = spool.stats();
    assert_eq!((stats.segments, stats.disk_bytes), (2, 2048));
}

#[test]
fn a_forked_child_is_refused() {
    let bench = Bench::new();
    let fs = Arc::new(FaultyFileSystem::new(Arc::new(bench.disk.process())));
    let spool = Spool::open(bench.options.clone(), fs.clone(), bench.clock.clone());
    let spool = spool.expect("open");
    append(&spool, 0);
    fs.pretend_fork(true);
    assert!(matches!(append_at(&spool, 1, NOW), Err(SpoolError::ForeignProcess)));
    assert!(matches!(spool.next_batch(), Err(SpoolError::ForeignProcess)));
    let before = bench.disk.files();
    assert!(spool.close().is_err());
    assert_eq!(bench.disk.files(), before, "the parent's files are untouched");
    fs.pretend_fork(false);
    assert_eq!(drain(&spool), [id(0)]);
}

#[cfg(unix)]
#[test]
fn on_a_real_disk_everything_is_private_and_survives() {
    use std::os::unix::fs::PermissionsExt;

    fn visit(path: &Path, check: &mut dyn FnMut(&Path, bool, u32)) {
        for entry in std::fs::read_dir(path).expect("read_dir") {
            let entry = entry.expect("entry");
            let metadata = entry.metadata().expect("metadata");
            let mode = metadata.permissions().mode() & 0o777;
            check(&entry.path(), metadata.is_dir(), mode);
            if metadata.is_dir() {
                visit(&entry.path(), check);
            }
        }
    }

    let folder = tempfile::tempdir().expect("tempdir");
    let dir = folder.path().join("deep/spool");
    let mut options = SpoolOptions::new(&dir, KEY_HASH);
    options.segment_bytes = 4096;
    options.max_bytes = 1 << 20;
    options.fsync = FsyncPolicy::EveryBatch;
    // A folder that was made with an open hand is closed.
    std::fs::create_dir_all(dir.join(KEY_HASH)).expect("create");
    let key_dir = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(dir.join(KEY_HASH), key_dir).expect("chmod");

    let clock = Arc::new(ManualClock::new(NOW));
    let open = || Spool::open(options.clone(), Arc::new(OsFileSystem), clock.clone()).expect("open");
    let first = open();
    for n in 0..50 {
        assert!(append(&first, n).is_durable());
    }
    assert_eq!(next(&first), Some(id(0)));
    first.ack(id(0), AckOutcome::Rejected).expect("ack");
    let mut seen = 0;
    visit(&dir, &mut |path, is_dir, mode| {
        let expected = if is_dir { 0o700 } else { 0o600 };
        assert_eq!(mode, expected, "{}", path.display());
        seen += 1;
    });
    assert!(seen > 6, "{seen} files and folders");

    let second = open();
    assert_eq!(second.stats().recovered.batches, 0, "the first is alive");
    first.close().expect("close");
    clock.advance(60_000);
    second.maintain().expect("maintain");
    assert_eq!(drain(&second), ids(1..50));
    second.close().expect("close");
    let mut left = Vec::new();
    visit(&dir, &mut |path, is_dir, _| {
        if !is_dir {
            left.push(path.to_path_buf());
        }
    });
    assert_eq!(left.len(), 1, "only the dead letter");
}

#[cfg(unix)]
#[test]
fn links_and_pipes_in_the_folder_are_neither_followed_nor_waited_for() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let folder = tempfile::tempdir().expect("tempdir");
    let (dir, elsewhere) = (folder.path().join("spool"), folder.path().join("elsewhere"));
    std::fs::create_dir_all(&dir).expect("create");
    std::fs::create_dir(&elsewhere).expect("create");
    std::fs::set_permissions(&elsewhere, std::fs::Permissions::from_mode(0o755)).expect("chmod");
    symlink(&elsewhere, dir.join(KEY_HASH)).expect("link");
    let options = SpoolOptions::new(&dir, KEY_HASH);
    let open = || Spool::open(options.clone(), Arc::new(OsFileSystem), Arc::new(ManualClock::new(NOW)));
    let error = open().expect_err("a link");
    assert!(matches!(error, SpoolError::Io { .. }), "{error}");
    let mode = std::fs::metadata(&elsewhere).expect("metadata").permissions().mode() & 0o777;
    assert_eq!(mode, 0o755, "untouched");
    assert_eq!(std::fs::read_dir(&elsewhere).expect("read_dir").count(), 0);

    // In the folder of a dead process: a pipe and a link in place of segments.
    std::fs::remove_file(dir.join(KEY_HASH)).expect("remove");
    let instance = dir.join(KEY_HASH).join(id(1).to_string());
    std::fs::create_dir_all(&instance).expect("create");
    let made = std::process::Command::new("mkfifo").arg(instance.join("seg-00000000000000000001.log")).status();
    assert!(made.expect("mkfifo").success());
    std::fs::write(elsewhere.join("file"), "not ours").expect("write");
    symlink(elsewhere.join("file"), instance.join("seg-00000000000000000002.log")).expect("link");
    symlink(elsewhere.join("file"), instance.join("seg-00000000000000000003.ack")).expect("link");
    let spool = open().expect("open");
    assert_eq!(spool.stats().recovered.batches, 0);
    append(&spool, 0);
    spool.sync().expect("sync");
    spool.close().expect("close");
    assert_eq!(std::fs::read(elsewhere.join("file")).expect("read"), b"not ours");

    // Even a pipe that is opened by name.
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    for error in [OsFileSystem.open(&pipe).err(), OsFileSystem.try_lock(&pipe).err()] {
        assert_eq!(error.expect("not a file").kind(), std::io::ErrorKind::InvalidInput);
    }
}

/// As the superuser only: nobody else can make a folder that belongs to another.
#[cfg(unix)]
#[test]
fn a_folder_of_another_user_is_refused_and_keeps_its_mode() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

    let folder = tempfile::tempdir().expect("tempdir");
    let theirs = folder.path().join("theirs");
    std::fs::create_dir(&theirs).expect("create");
    std::fs::set_permissions(&theirs, std::fs::Permissions::from_mode(0o755)).expect("chmod");
    OsFileSystem.make_private(&theirs).expect("our own");
    assert_eq!(std::fs::metadata(&theirs).expect("metadata").mode() & 0o777, 0o700);
    std::fs::set_permissions(&theirs, std::fs::Permissions::from_mode(0o755)).expect("chmod");
    if chown(&theirs, Some(12_345), None).is_err() {
        return;
    }
    let error = OsFileSystem.make_private(&theirs).expect_err("not ours");
    assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
    assert_eq!(std::fs::metadata(&theirs).expect("metadata").mode() & 0o777, 0o755);
    assert_eq!(std::fs::read_dir(&theirs).expect("read_dir").count(), 0, "no trace is left");
}
