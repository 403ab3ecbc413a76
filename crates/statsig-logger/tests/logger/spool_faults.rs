//! Each fault of the file system, met in each thing that the spool does.
//!
//! Whatever fails: no panic, an error that says whether to try again, balanced accounts, every
//! accepted batch delivered, and the spool back to work once the disk is.

// The helpers of a test may assert like the test itself.
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use statsig_background::FileSystem;
use statsig_background::testing::{FaultyFileSystem, FileFault, FileOperation, MemoryDisk, MemoryFileSystem};
use statsig_logger::spool::testing::ManualClock;
use statsig_logger::spool::{
    AckOutcome, Encoding, FsyncPolicy, Settled, Spool, SpoolClock, SpoolError, SpoolErrorKind, SpoolOptions,
    SpoolRecord,
};
use uuid::Uuid;

const NOW: u64 = 1_790_000_000_000;

struct Rig {
    disk: MemoryDisk,
    clock: Arc<ManualClock>,
    options: SpoolOptions,
}

struct Process {
    spool: Spool,
    faults: Arc<FaultyFileSystem>,
    fs: Arc<MemoryFileSystem>,
}

impl Rig {
    fn new(fsync: FsyncPolicy) -> Self {
        let mut options = SpoolOptions::new("/spool", "0123456789abcdef");
        options.segment_bytes = 1024;
        options.max_bytes = 1 << 20;
        options.fsync = fsync;
        Self { disk: MemoryDisk::new(), clock: Arc::new(ManualClock::new(NOW)), options }
    }

    fn try_open(&self, prepare: impl FnOnce(&FaultyFileSystem)) -> Result<Process, SpoolError> {
        let fs = Arc::new(self.disk.process());
        let faults = Arc::new(FaultyFileSystem::new(fs.clone()));
        prepare(&faults);
        let spool = Spool::open(self.options.clone(), faults.clone(), self.clock.clone())?;
        Ok(Process { spool, faults, fs })
    }

    fn open(&self) -> Process {
        self.try_open(|_| {}).expect("open")
    }
}

fn id(n: u32) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | u128::from(n))
}

fn body(n: u32) -> Vec<u8> {
    (0..120).map(|i| (i * 3 + n) as u8).collect()
}

impl Process {
    fn append(&self, n: u32) -> Result<bool, SpoolError> {
        let body = body(n);
        let receipt = self.spool.append(&SpoolRecord {
            id: id(n),
            created_ms: NOW,
            event_count: n + 1,
            encoding: Encoding::Raw,
            attempts: 0,
            metadata: None,
            body: &body,
        })?;
        Ok(receipt.is_durable())
    }

    fn assert_balanced(&self, what: &str) {
        let (came, became) = self.spool.stats().balance();
        assert_eq!(came, became, "{what}");
    }

    /// Takes all batches out, trying again after errors, and checks their content.
    fn drain(&self, what: &str) -> BTreeSet<Uuid> {
        let mut seen = BTreeSet::new();
        let mut errors = 0;
        loop {
            match self.spool.next_batch() {
                Ok(Some(batch)) => {
                    let n = batch.event_count - 1;
                    assert_eq!((batch.id, &batch.body), (id(n), &body(n)), "{what}");
                    assert!(seen.insert(batch.id), "{what}: handed out twice");
                    // The note may fail; the batch is settled for this process all the same.
                    let _ = self.spool.ack(batch.id, AckOutcome::Delivered);
                }
                Ok(None) => return seen,
                Err(error) => {
                    errors += 1;
                    assert!(errors < 100, "{what}: {error}");
                }
            }
        }
    }
}

fn policies() -> [FsyncPolicy; 3] {
    [
        FsyncPolicy::Never,
        FsyncPolicy::Interval { every: Duration::from_millis(200), bytes: 400 },
        FsyncPolicy::EveryBatch,
    ]
}

fn faults(op: FileOperation) -> Vec<FileFault> {
    let mut faults = vec![FileFault::DISK_FULL, FileFault::IO_ERROR, FileFault::Error(ErrorKind::PermissionDenied)];
    match op {
        FileOperation::Append => faults.extend([
            FileFault::ShortWrite(0),
            FileFault::ShortWrite(1),
            FileFault::ShortWrite(47),
            FileFault::ShortWrite(100),
            FileFault::TornWrite(20),
            FileFault::TornWrite(60),
            // All is written, and the call fails all the same.
            FileFault::TornWrite(usize::MAX),
        ]),
        FileOperation::Read => faults.push(FileFault::BitFlip),
        _ => {}
    }
    faults
}

/// Appends, reads, acknowledges, rotates and maintains while one operation fails in one way, then
/// heals, goes on, is killed, recovers, and accounts for every batch.
fn live_through(policy: FsyncPolicy, op: FileOperation, fault: FileFault, skip: u32, times: u32) {
    let what = format!("{op:?}: {fault:?} after {skip}, {times} times, {policy:?}");
    let rig = Rig::new(policy);
    let process = rig.open();
    process.faults.inject(op, fault, skip, times);

    let mut accepted = BTreeSet::new();
    let mut settled = BTreeSet::new();
    let mut n = 0;
    for round in 0..12 {
        for _ in 0..3 {
            match process.append(n) {
                Ok(_) => {
                    accepted.insert(id(n));
                }
                Err(error) => check_error(&error, fault, &what),
            }
            n += 1;
            process.assert_balanced(&what);
        }
        if let Ok(Some(batch)) = process.spool.next_batch() {
            assert!(accepted.contains(&batch.id), "{what}");
            let outcome = match round % 3 {
                0 => AckOutcome::Rejected,
                1 => AckOutcome::Replaced,
                _ => AckOutcome::Delivered,
            };
            // Replacements that cannot be made durable leave the batch in flight.
            let acked = process.spool.ack(batch.id, outcome).is_ok();
            if acked || process.spool.release(batch.id).is_err() {
                settled.insert(batch.id);
            }
        }
        process.assert_balanced(&what);
        rig.clock.advance(150);
        let _ = process.spool.maintain();
        process.assert_balanced(&what);
    }

    process.faults.heal();
    process.spool.maintain().unwrap_or_else(|error| {
        // Under `Never`, a failed fsync goes on being reported by `sync`, not here.
        panic!("{what}: still broken: {error}")
    });
    let lost = process.spool.stats().dropped.total().batches;
    let may_lose = op == FileOperation::Read || op == FileOperation::Open;
    assert!(lost == 0 || may_lose, "{what}: {lost} dropped");
    assert!(process.append(n).is_ok(), "{what}: no new batch");
    accepted.insert(id(n));

    // A kill loses nothing of what was accepted and nothing of what was acknowledged.
    process.fs.kill();
    let next = rig.open();
    next.assert_balanced(&what);
    let delivered = next.drain(&what);
    let open: BTreeSet<Uuid> = accepted.difference(&settled).copied().collect();
    let missing = open.difference(&delivered).count() as u64;
    assert!(missing <= lost, "{what}: {missing} missing");
    assert!(delivered.is_disjoint(&settled), "{what}: delivered again");
    next.assert_balanced(&what);
    next.spool.close().expect("close");
    let files = rig.disk.files();
    assert!(files.iter().all(|f| f.contains("/dead/")), "{what}: {files:?}");
}

fn check_error(error: &SpoolError, fault: FileFault, what: &str) {
    let transient = fault != FileFault::Error(ErrorKind::PermissionDenied);
    if error.kind() != SpoolErrorKind::Sync {
        assert_eq!(error.is_retryable(), transient, "{what}: {error}");
    }
    if error.kind() == SpoolErrorKind::Io {
        assert!(std::error::Error::source(error).is_some(), "{what}");
    }
}

#[test]
fn every_operation_may_fail_in_every_way() {
    for policy in policies() {
        for op in FileOperation::ALL {
            for fault in faults(op) {
                for (skip, times) in [(0, 1), (1, 1), (2, 3), (5, 2), (0, 20), (7, u32::MAX)] {
                    live_through(policy, op, fault, skip, times);
                }
            }
        }
    }
}

#[test]
fn recovery_survives_every_fault_and_a_later_process_gets_the_rest() {
    for op in FileOperation::ALL {
        for fault in faults(op) {
            for skip in 0..6 {
                let what = format!("{op:?}: {fault:?} after {skip}");
                let rig = Rig::new(FsyncPolicy::default());
                let first = rig.open();
                for n in 0..20 {
                    first.append(n).expect("append");
                }
                let batch = first.spool.next_batch().expect("next").expect("a batch");
                first.spool.ack(batch.id, AckOutcome::Delivered).expect("ack");
                first.fs.kill();

                let opened = rig.try_open(|faults| faults.inject(op, fault, skip, 1));
                if let Ok(process) = &opened {
                    process.assert_balanced(&what);
                    process.fs.kill();
                }
                let third = rig.open();
                let delivered = third.drain(&what);
                let expected: BTreeSet<Uuid> = (1..20).map(id).collect();
                if fault == FileFault::BitFlip {
                    // What looks damaged is cut off; a flip in memory cannot be told from one on
                    // the disk. Nothing that is wrong is delivered.
                    assert!(delivered.is_subset(&expected), "{what}");
                } else {
                    assert_eq!(delivered, expected, "{what}");
                }
                third.assert_balanced(&what);
            }
        }
    }
}

#[test]
fn a_full_disk_is_counted_and_said_to_be_worth_another_try() {
    let rig = Rig::new(FsyncPolicy::default());
    let process = rig.open();
    process.append(0).expect("append");
    process.faults.break_down(FileOperation::Append, FileFault::ShortWrite(30));
    for n in 1..4 {
        let error = process.append(n).expect_err("full");
        assert_eq!(error.kind(), SpoolErrorKind::DiskFull);
        assert!(error.is_retryable());
    }
    assert_eq!(process.spool.stats().disk_full, 3);
    // A failing disk must not be littered with one file for each attempt.
    assert_eq!(rig.disk.files().len(), 2, "a lock and a segment");
    process.faults.heal();
    process.append(4).expect("append");
    let expected: BTreeSet<Uuid> = [id(0), id(4)].into();
    assert_eq!(process.drain("full"), expected);
}

#[test]
fn after_a_failed_fsync_data_moves_and_is_durable_only_then() {
    for policy in [policies()[1], FsyncPolicy::EveryBatch] {
        let rig = Rig::new(policy);
        let process = rig.open();
        process.append(0).expect("append");
        process.append(1).expect("append");
        // This fsync fails and loses its pages; later ones of the same file succeed.
        rig.disk.fail_syncs(1);
        process.append(2).expect("append");
        process.append(3).expect("append");
        process.spool.sync().expect("sync");
        assert_eq!(process.spool.stats().failed_syncs, 1);
        rig.disk.power_failure(&mut |_| 0);
        let next = rig.open();
        let expected: BTreeSet<Uuid> = (0..4).map(id).collect();
        assert_eq!(next.drain("moved"), expected);
    }
}

#[test]
fn while_nothing_can_be_synced_batches_stay_deliverable() {
    let interval = policies()[1];
    let rig = Rig::new(interval);
    let process = rig.open();
    process.append(0).expect("append");
    process.append(1).expect("append");
    rig.disk.fail_syncs(u32::MAX);
    assert!(!process.append(2).expect("accepted, not durable"));
    let error = process.append(3).expect_err("no more until these are safe");
    assert_eq!(error.kind(), SpoolErrorKind::Sync);
    assert!(error.is_retryable());
    assert!(process.spool.sync().is_err());
    assert!(process.spool.sync().is_err(), "it does not get better by itself");
    process.assert_balanced("limbo");

    let batch = process.spool.next_batch().expect("next").expect("a batch");
    assert_eq!((batch.id, batch.body), (id(0), body(0)));
    process.spool.release(batch.id).expect("release");
    let again = process.spool.next_batch().expect("next").expect("a batch");
    assert_eq!((again.id, again.attempts), (id(0), 1));

    rig.disk.fail_syncs(0);
    process.spool.sync().expect("sync");
    rig.disk.power_failure(&mut |_| 0);
    let next = rig.open();
    let expected: BTreeSet<Uuid> = (0..3).map(id).collect();
    assert_eq!(next.drain("limbo"), expected, "the one in flight too");
}

#[test]
fn under_every_batch_a_batch_that_cannot_be_synced_is_refused() {
    let rig = Rig::new(FsyncPolicy::EveryBatch);
    let process = rig.open();
    process.append(0).expect("append");
    rig.disk.fail_syncs(u32::MAX);
    let error = process.append(1).expect_err("not durable");
    assert_eq!(error.kind(), SpoolErrorKind::Sync);
    process.assert_balanced("refused");
    rig.disk.fail_syncs(0);
    assert!(process.append(2).expect("append"));
    let expected: BTreeSet<Uuid> = [id(0), id(2)].into();
    assert_eq!(process.drain("refused"), expected);
}

#[test]
fn without_copies_a_failed_fsync_is_reported_until_its_batches_are_gone() {
    let rig = Rig::new(FsyncPolicy::Never);
    let process = rig.open();
    process.append(0).expect("append");
    rig.disk.fail_syncs(1);
    assert!(process.spool.sync().is_err());
    assert!(process.spool.sync().is_err(), "not forgotten");
    process.append(1).expect("append");
    assert_eq!(process.drain("tainted").len(), 2);
    process.spool.sync().expect("nothing is at risk any more");
}

#[test]
fn a_record_that_the_medium_refuses_is_tried_for_minutes_and_does_not_hold_up_the_queue() {
    let rig = Rig::new(FsyncPolicy::default());
    let process = rig.open();
    process.append(0).expect("append");
    process.append(1).expect("append");
    process.faults.inject(FileOperation::Read, FileFault::IO_ERROR, 0, 1);
    assert!(process.spool.next_batch().expect_err("unreadable").is_retryable());
    let batch = process.spool.next_batch().expect("next").expect("a batch");
    assert_eq!(batch.id, id(1));
    assert!(process.spool.next_batch().expect("next").is_none(), "it is kept back");
    let mut failures = 1;
    process.faults.break_down(FileOperation::Read, FileFault::IO_ERROR);
    let begin = rig.clock.now_ms();
    while process.spool.stats().dropped.unreadable.batches == 0 {
        rig.clock.advance(10_000);
        failures += u64::from(process.spool.next_batch().is_err());
        assert!(rig.clock.now_ms() < begin + 3_600_000);
        process.assert_balanced("unreadable");
    }
    let stats = process.spool.stats();
    assert!(rig.clock.now_ms() >= begin + 120_000, "not before two minutes");
    assert_eq!((stats.dropped.unreadable.events, stats.read_errors), (1, failures));
    assert!(failures >= 3, "{failures}");
}

#[test]
fn a_record_that_the_medium_gives_back_in_the_end_is_delivered() {
    let rig = Rig::new(FsyncPolicy::default());
    let process = rig.open();
    process.append(0).expect("append");
    process.faults.inject(FileOperation::Read, FileFault::IO_ERROR, 0, 2);
    process.spool.next_batch().expect_err("unreadable");
    rig.clock.advance(30_000);
    process.spool.next_batch().expect_err("unreadable");
    rig.clock.advance(60_000);
    assert_eq!(process.spool.next_batch().expect("next").expect("a batch").id, id(0));
}

#[test]
fn a_shortage_never_gives_up_a_batch_however_long_it_lasts() {
    for kind in [ErrorKind::OutOfMemory, ErrorKind::PermissionDenied, ErrorKind::Interrupted, ErrorKind::WouldBlock] {
        for op in [FileOperation::Open, FileOperation::Read] {
            let rig = Rig::new(FsyncPolicy::default());
            let process = rig.open();
            for n in 0..20 {
                process.append(n).expect("append");
            }
            process.faults.break_down(op, FileFault::Error(kind));
            for _ in 0..1_000 {
                process.spool.next_batch().expect_err("a shortage");
                rig.clock.advance(1_000);
            }
            process.faults.heal();
            assert_eq!(process.drain("shortage"), (0..20).map(id).collect(), "{kind:?} {op:?}");
            assert_eq!(process.spool.stats().dropped.total().batches, 0);
        }
    }
}

#[test]
fn files_that_somebody_has_deleted_are_counted_and_the_spool_goes_on() {
    let rig = Rig::new(FsyncPolicy::default());
    let process = rig.open();
    for n in 0..8 {
        process.append(n).expect("append");
    }
    let flying = process.spool.next_batch().expect("next").expect("a batch");
    let remove = |ends: &str| {
        for path in rig.disk.files().into_iter().filter(|path| path.ends_with(ends)) {
            process.fs.remove_file(path.as_ref()).expect("remove");
        }
    };
    remove(".log");
    remove(".lock");
    process.spool.sync().expect("nothing is left to sync");
    let stats = process.spool.stats();
    assert_eq!((stats.dropped.corrupt.batches, stats.pending.batches), (7, 1), "but for the one in flight");
    assert_eq!(process.spool.release(flying.id).expect("release"), Settled::Evicted);
    process.assert_balanced("deleted");
    assert_eq!(process.spool.stats().pending.batches, 0);

    process.append(100).expect("append");
    assert!(rig.disk.files().iter().any(|path| path.ends_with(".lock")), "nobody adopts a folder in use");
    rig.clock.advance(60_000);
    let other = rig.open();
    assert_eq!(other.spool.stats().recovered.batches, 0);
    assert_eq!(process.drain("after").len(), 1);
}

#[test]
fn a_folder_that_somebody_has_deleted_is_made_again() {
    let rig = Rig::new(FsyncPolicy::default());
    let process = rig.open();
    process.append(0).expect("append");
    let log = rig.disk.files().into_iter().find(|path| path.ends_with(".log")).expect("a log");
    let dir = std::path::Path::new(&log).parent().expect("a folder").to_path_buf();
    process.fs.remove_file(log.as_ref()).expect("remove");
    process.fs.remove_dir(&dir).expect("remove");
    rig.clock.advance(10_000);
    process.spool.maintain().expect("maintain");
    assert_eq!(process.spool.stats().dropped.corrupt.batches, 1);
    process.append(1).expect("append");
    process.fs.kill();
    let expected: BTreeSet<Uuid> = [id(1)].into();
    assert_eq!(rig.open().drain("made again"), expected);
}

#[test]
fn an_eviction_that_fails_keeps_the_bound_by_refusing() {
    let mut rig = Rig::new(FsyncPolicy::default());
    rig.options.max_bytes = 4096;
    let process = rig.open();
    process.faults.break_down(FileOperation::RemoveFile, FileFault::IO_ERROR);
    let accepted = (0..100).filter(|&n| process.append(n).is_ok()).count();
    assert!(accepted < 30, "{accepted}");
    assert!(process.spool.stats().disk_bytes <= 4096);
    assert_eq!(process.spool.stats().dropped.total().batches, 0);
    process.faults.heal();
    process.append(100).expect("append");
    process.assert_balanced("eviction");
}

#[test]
fn an_acknowledgement_that_cannot_be_written_is_tried_again() {
    let rig = Rig::new(FsyncPolicy::default());
    let process = rig.open();
    process.append(0).expect("append");
    process.append(1).expect("append");
    process.faults.break_down(FileOperation::Append, FileFault::ShortWrite(5));
    let batch = process.spool.next_batch().expect("next").expect("a batch");
    let error = process.spool.ack(batch.id, AckOutcome::Delivered);
    assert!(error.expect_err("full").is_retryable());
    assert_eq!(process.spool.stats().delivered.batches, 1, "it was");
    process.faults.heal();
    process.spool.maintain().expect("maintain");
    process.fs.kill();
    let next = rig.open();
    let expected: BTreeSet<Uuid> = [id(1)].into();
    assert_eq!(next.drain("ack"), expected, "not the settled one");
}

#[test]
fn damage_in_an_early_segment_costs_no_later_one() {
    let rig = Rig::new(FsyncPolicy::default());
    let process = rig.open();
    for n in 0..20 {
        process.append(n).expect("append");
    }
    process.fs.kill();
    let files = rig.disk.files();
    let logs: Vec<&String> = files.iter().filter(|f| f.ends_with(".log")).collect();
    assert_eq!(logs.len(), 4);
    let record = 48 + 120;
    let tamper = |log: &str, at: usize| {
        rig.disk.tamper(log.as_ref(), |bytes| bytes[at] ^= 1).expect("tamper");
    };
    // The header of a segment; the header of a record; a body; and a torn end.
    tamper(logs[0], 3);
    tamper(logs[1], 32 + 2 * record);
    tamper(logs[2], 32 + record + 60);
    rig.disk.tamper(logs[3].as_ref(), |bytes| bytes.truncate(bytes.len() - 1)).expect("tamper");

    let next = rig.open();
    let delivered = next.drain("damage");
    // The salt of the first segment is intact, so that nothing of it is lost.
    let expected: BTreeSet<Uuid> = (0..20).filter(|n| ![7, 11, 19].contains(n)).map(id).collect();
    assert_eq!(delivered, expected);
    let stats = next.spool.stats();
    assert_eq!(stats.corrupt_segments, 2);
    assert_eq!(stats.truncated_tails, 1);
    assert_eq!(stats.corrupt_records, 2);
    assert_eq!(stats.dropped.corrupt.batches, 2);
    assert_eq!(stats.dropped.corrupt.events, 12 + 20, "the headers of the body and of the torn end tell how many");
    next.assert_balanced("damage");
    let files = rig.disk.files();
    let kept = files.iter().filter(|f| f.contains("/dead/")).count();
    assert_eq!(kept, 2, "the record without a header, and that without its body");
}

#[test]
fn a_segment_whose_header_is_gone_still_delivers_its_records() {
    for cut in [4, 20, 32, 32 + 10] {
        let rig = Rig::new(FsyncPolicy::default());
        let process = rig.open();
        for n in 0..5 {
            process.append(n).expect("append");
        }
        process.fs.kill();
        let files = rig.disk.files();
        let log = files.iter().find(|f| f.ends_with(".log")).expect("a log");
        // Overwritten by noise, the salt included.
        rig.disk.tamper(log.as_ref(), |bytes| bytes[..cut].fill(0xA5)).expect("tamper");
        let next = rig.open();
        let expected: BTreeSet<Uuid> = (u32::from(cut > 32)..5).map(id).collect();
        assert_eq!(next.drain("headless"), expected, "{cut}");
        assert_eq!(next.spool.stats().corrupt_segments, 1);
        next.assert_balanced("headless");
    }
}

#[test]
fn damage_is_counted_once_and_not_by_each_process_that_finds_it() {
    let rig = Rig::new(FsyncPolicy::default());
    let process = rig.open();
    for n in 0..5 {
        process.append(n).expect("append");
    }
    process.fs.kill();
    let files = rig.disk.files();
    let log = files.iter().find(|f| f.ends_with(".log")).expect("a log");
    rig.disk.tamper(log.as_ref(), |bytes| bytes[32] ^= 1).expect("tamper");
    for corrupt in [1, 0, 0] {
        let next = rig.open();
        let stats = next.spool.stats();
        assert_eq!((stats.corrupt_records, stats.corrupt_segments), (corrupt, corrupt));
        assert_eq!(stats.pending.batches, 4);
        next.spool.close().expect("close");
    }
    assert_eq!(rig.disk.files().iter().filter(|f| f.contains("/dead/")).count(), 1);
}

#[test]
fn an_unreadable_block_costs_its_own_records_only_and_another_process_may_read_it() {
    let rig = Rig::new(FsyncPolicy::default());
    let process = rig.open();
    for n in 0..5 {
        process.append(n).expect("append");
    }
    process.fs.kill();
    for faults in 1..8 {
        let next =
            rig.try_open(|rules| rules.inject(FileOperation::Read, FileFault::IO_ERROR, 0, faults)).expect("open");
        next.assert_balanced("unreadable");
        next.fs.kill();
    }
    assert_eq!(rig.open().drain("unreadable").len(), 5, "nothing was given up");
}

#[test]
fn a_shortage_while_adopting_is_waited_out() {
    for op in [FileOperation::Open, FileOperation::Read, FileOperation::Size, FileOperation::List] {
        let rig = Rig::new(FsyncPolicy::default());
        let process = rig.open();
        for n in 0..20 {
            process.append(n).expect("append");
        }
        let batch = process.spool.next_batch().expect("next").expect("a batch");
        process.spool.ack(batch.id, AckOutcome::Delivered).expect("ack");
        process.fs.kill();
        let shortage = FileFault::Error(ErrorKind::OutOfMemory);
        let next = rig.try_open(|rules| rules.inject(op, shortage, u32::from(op == FileOperation::List) * 2, u32::MAX));
        let next = next.expect("open");
        assert_eq!(next.drain("shortage"), BTreeSet::new(), "{op:?}");
        assert!(next.spool.stats().read_errors > 0, "{op:?}");
        next.faults.heal();
        rig.clock.advance(60_000);
        next.spool.maintain().expect("maintain");
        assert_eq!(next.drain("shortage"), (1..20).map(id).collect(), "{op:?}");
        next.assert_balanced("shortage");
        assert_eq!(next.spool.stats().dropped.total().batches, 0);
    }
}

#[test]
fn a_segment_of_a_newer_version_is_left_alone() {
    let rig = Rig::new(FsyncPolicy::default());
    let process = rig.open();
    process.append(0).expect("append");
    process.fs.kill();
    let files = rig.disk.files();
    let log = files.iter().find(|f| f.ends_with(".log")).expect("a log");
    rig.disk
        .tamper(log.as_ref(), |bytes| {
            bytes[4] = 9;
            let sum = crc32c::crc32c(&bytes[..28]);
            bytes[28..32].copy_from_slice(&sum.to_le_bytes());
        })
        .expect("tamper");
    for _ in 0..3 {
        let next = rig.open();
        assert_eq!(next.spool.stats().foreign_segments, 1);
        assert!(next.drain("newer").is_empty());
        next.spool.close().expect("close");
    }
    assert!(rig.disk.files().iter().any(|f| f.ends_with(".log")));
}

#[test]
fn a_spent_segment_that_was_left_behind_does_not_hide_the_next() {
    let rig = Rig::new(FsyncPolicy::default());
    let process = rig.open();
    for n in 0..7 {
        process.append(n).expect("append");
    }
    process.faults.break_down(FileOperation::RemoveFile, FileFault::IO_ERROR);
    for _ in 0..5 {
        let batch = process.spool.next_batch().expect("next").expect("a batch");
        process.spool.ack(batch.id, AckOutcome::Delivered).expect("ack");
    }
    process.fs.kill();
    let next = rig.open();
    let expected: BTreeSet<Uuid> = [id(5), id(6)].into();
    assert_eq!(next.drain("spent"), expected);
}

#[test]
fn a_refused_batch_does_not_turn_up_after_a_restart() {
    let rig = Rig::new(FsyncPolicy::default());
    let process = rig.open();
    process.append(0).expect("append");
    // All bytes reach the file, and the call fails all the same.
    let all = FileFault::TornWrite(usize::MAX);
    process.faults.inject(FileOperation::Append, all, 0, 1);
    process.append(1).expect_err("refused");
    process.append(2).expect("append");
    process.fs.kill();
    let next = rig.open();
    assert_eq!(next.spool.stats().truncated_tails, 0);
    let expected: BTreeSet<Uuid> = [id(0), id(2)].into();
    assert_eq!(next.drain("refused"), expected);
}

#[test]
fn a_record_dropped_as_damaged_is_not_found_again() {
    let rig = Rig::new(FsyncPolicy::default());
    let process = rig.open();
    process.append(0).expect("append");
    process.append(1).expect("append");
    let files = rig.disk.files();
    let log = files.iter().find(|f| f.ends_with(".log")).expect("a log");
    rig.disk.tamper(log.as_ref(), |bytes| bytes[32 + 48 + 10] ^= 1).expect("tamper");
    let batch = process.spool.next_batch().expect("next").expect("a batch");
    assert_eq!(batch.id, id(1));
    assert_eq!(process.spool.stats().dropped.corrupt.batches, 1);
    process.fs.kill();
    let next = rig.open();
    assert_eq!(next.spool.stats().recovered.batches, 1);
    let expected: BTreeSet<Uuid> = [id(1)].into();
    assert_eq!(next.drain("damaged"), expected);
}

#[test]
fn acknowledgements_outlive_a_deletion_that_is_not_durable() {
    let rig = Rig::new(FsyncPolicy::EveryBatch);
    let process = rig.open();
    // Five fit a segment, so that the sixth seals the first.
    for n in 0..6 {
        process.append(n).expect("append");
    }
    for n in 0..5 {
        let batch = process.spool.next_batch().expect("next").expect("a batch");
        assert_eq!(batch.id, id(n));
        if n == 4 {
            process.faults.break_down(FileOperation::SyncDir, FileFault::IO_ERROR);
        }
        process.spool.ack(batch.id, AckOutcome::Delivered).expect("noted and synced before");
    }
    let files = rig.disk.files();
    assert!(files.iter().any(|f| f.ends_with("01.ack")));
    assert!(!files.iter().any(|f| f.ends_with("01.log")));
    // The deletion of the segment is undone.
    rig.disk.power_failure(&mut |_| 0);
    let next = rig.open();
    let expected: BTreeSet<Uuid> = [id(5)].into();
    assert_eq!(next.drain("deletion"), expected);
    assert_eq!(next.spool.stats().adopted_instances, 1);
}
