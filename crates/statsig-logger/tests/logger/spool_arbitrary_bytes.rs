//! Recovery from folders with any content, on the real file system.
//!
//! Segments that were written properly are cut, flipped, filled with noise and mixed with files of
//! pure noise. Nothing may panic, start may not fail, and what is handed out is intact.

// The helpers of a test may assert like the test itself.
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use statsig_background::OsFileSystem;
use statsig_logger::spool::testing::ManualClock;
use statsig_logger::spool::{AckOutcome, Encoding, FsyncPolicy, Spool, SpoolOptions, SpoolRecord, SpoolStats};
use uuid::Uuid;

const NOW: u64 = 1_790_000_000_000;
const KEY_HASH: &str = "0123456789abcdef";
const BATCHES: u32 = 24;

/// What is done to a file.
#[derive(Debug, Clone)]
enum Damage {
    Truncate {
        at: usize,
    },
    Flip {
        at: usize,
        bit: u8,
    },
    Overwrite {
        at: usize,
        bytes: Vec<u8>,
    },
    Append {
        bytes: Vec<u8>,
    },
    Insert {
        at: usize,
        bytes: Vec<u8>,
    },
    Cut {
        at: usize,
        len: usize,
    },
    Zero {
        from: usize,
    },
    Delete,
    /// Takes the content of another file.
    CopyFrom {
        file: usize,
    },
}

fn damage() -> impl Strategy<Value = Damage> {
    let bytes = || prop::collection::vec(any::<u8>(), 1..200);
    prop_oneof![
        3 => any::<usize>().prop_map(|at| Damage::Truncate { at }),
        6 => (any::<usize>(), 0_u8..8).prop_map(|(at, bit)| Damage::Flip { at, bit }),
        2 => (any::<usize>(), bytes()).prop_map(|(at, bytes)| Damage::Overwrite { at, bytes }),
        2 => bytes().prop_map(|bytes| Damage::Append { bytes }),
        1 => any::<usize>().prop_map(|from| Damage::Zero { from }),
        2 => (any::<usize>(), bytes()).prop_map(|(at, bytes)| Damage::Insert { at, bytes }),
        2 => (any::<usize>(), 1_usize..200).prop_map(|(at, len)| Damage::Cut { at, len }),
        1 => Just(Damage::Delete),
        1 => any::<usize>().prop_map(|file| Damage::CopyFrom { file }),
    ]
}

impl Damage {
    fn apply(&self, path: &Path, files: &[PathBuf]) {
        let Ok(mut bytes) = fs::read(path) else {
            return;
        };
        let len = bytes.len().max(1);
        match self {
            Self::Truncate { at } => bytes.truncate(at % len),
            Self::Flip { at, bit } => {
                if let Some(byte) = bytes.get_mut(at % len) {
                    *byte ^= 1 << bit;
                }
            }
            Self::Overwrite { at, bytes: noise } => {
                let at = at % len;
                for (target, source) in bytes.iter_mut().skip(at).zip(noise) {
                    *target = *source;
                }
            }
            Self::Append { bytes: noise } => bytes.extend_from_slice(noise),
            Self::Insert { at, bytes: noise } => {
                let at = at % len;
                bytes.splice(at..at, noise.iter().copied());
            }
            Self::Cut { at, len: cut } => {
                let at = at % len;
                let end = (at + cut).min(bytes.len());
                bytes.drain(at..end);
            }
            Self::Zero { from } => {
                let from = from % len;
                bytes.iter_mut().skip(from).for_each(|byte| *byte = 0);
            }
            Self::Delete => {
                fs::remove_file(path).expect("remove");
                return;
            }
            Self::CopyFrom { file } => {
                bytes = fs::read(&files[file % files.len()]).unwrap_or_default();
            }
        }
        fs::write(path, bytes).expect("write");
    }
}

fn options(dir: &Path) -> SpoolOptions {
    let mut options = SpoolOptions::new(dir, KEY_HASH);
    options.segment_bytes = 1024;
    options.max_bytes = 1 << 20;
    options.fsync = FsyncPolicy::Never;
    options
}

fn open(dir: &Path) -> Spool {
    let clock = Arc::new(ManualClock::new(NOW));
    Spool::open(options(dir), Arc::new(OsFileSystem), clock).expect("open")
}

fn id(n: u32) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | u128::from(n))
}

fn body(n: u32) -> Vec<u8> {
    (0..90 + n).map(|i| (i * 31 + n) as u8).collect()
}

/// Leaves what a process leaves that ends with batches pending and some acknowledged.
fn write_some(dir: &Path) {
    let spool = open(dir);
    for n in 0..BATCHES {
        let body = body(n);
        let record = SpoolRecord {
            id: id(n),
            created_ms: NOW,
            event_count: n,
            encoding: Encoding::Zstd,
            attempts: 0,
            metadata: None,
            body: &body,
        };
        spool.append(&record).expect("append");
    }
    // Every other one, so that no segment goes.
    for n in 0..BATCHES {
        let batch = spool.next_batch().expect("next").expect("a batch");
        if n % 2 == 0 {
            spool.ack(batch.id, AckOutcome::Delivered).expect("ack");
        }
    }
    spool.close().expect("close");
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).expect("read_dir") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// Drains a damaged spool; returns the numbers of the batches handed out.
fn drain(dir: &Path, only_ours: bool) -> Result<Vec<u32>, TestCaseError> {
    drain_counted(dir, only_ours).map(|(seen, _)| seen)
}

/// The same with what the spool has counted.
fn drain_counted(dir: &Path, only_ours: bool) -> Result<(Vec<u32>, SpoolStats), TestCaseError> {
    let spool = open(dir);
    let mut seen = Vec::new();
    while let Some(batch) = spool.next_batch().map_err(|error| TestCaseError::fail(error.to_string()))? {
        if only_ours {
            let n = batch.event_count;
            prop_assert_eq!(batch.id, id(n));
            prop_assert_eq!(&batch.body, &body(n));
            seen.push(n);
        }
        spool.ack(batch.id, AckOutcome::Delivered).map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
    let stats = spool.stats();
    let (came, became) = stats.balance();
    prop_assert_eq!(came, became);
    prop_assert_eq!(stats.pending.batches, 0);
    spool.close().map_err(|error| TestCaseError::fail(error.to_string()))?;
    Ok((seen, stats))
}

/// Segments, with the numbers and bytes of their records.
type Records = Vec<(PathBuf, Vec<(u32, Vec<u8>)>)>;

fn records(dir: &Path) -> Records {
    let mut next = 0;
    let mut segments = Vec::new();
    for path in files(dir).into_iter().filter(|path| path.extension().is_some_and(|end| end == "log")) {
        let bytes = fs::read(&path).expect("read");
        let mut records = Vec::new();
        let mut at = 32;
        while at < bytes.len() {
            let end = at + 48 + body(next).len();
            records.push((next, bytes[at..end].to_vec()));
            next += 1;
            at = end;
        }
        segments.push((path, records));
    }
    assert_eq!(next, BATCHES);
    segments
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 150,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn damage_never_yields_a_wrong_batch(
        damages in prop::collection::vec((any::<usize>(), damage()), 1..6),
    ) {
        let folder = tempfile::tempdir().expect("tempdir");
        write_some(folder.path());
        let files = files(folder.path());
        for (file, damage) in &damages {
            damage.apply(&files[file % files.len()], &files);
        }
        let seen = drain(folder.path(), true)?;
        // Damage to acknowledgements may repeat a batch, in another process, but never in one.
        let mut unique = seen.clone();
        unique.sort_unstable();
        unique.dedup();
        prop_assert_eq!(unique.len(), seen.len());
        prop_assert_eq!(drain(folder.path(), true)?, Vec::<u32>::new());
    }

    #[test]
    fn every_intact_record_is_delivered_whatever_is_around_it(
        damages in prop::collection::vec((any::<usize>(), damage()), 1..6),
    ) {
        let folder = tempfile::tempdir().expect("tempdir");
        write_some(folder.path());
        let before = records(folder.path());
        let logs: Vec<PathBuf> = before.iter().map(|(path, _)| path.clone()).collect();
        for (file, damage) in &damages {
            damage.apply(&logs[file % logs.len()], &logs);
        }
        let mut expected = Vec::new();
        for path in &logs {
            // What was copied to another segment is a record of that one by its salt only.
            let own = before.iter().find(|(of, _)| of == path).map(|(_, records)| records.as_slice());
            let bytes = fs::read(path).unwrap_or_default();
            for (n, record) in own.unwrap_or_default() {
                if n % 2 == 1 && bytes.windows(record.len()).any(|window| window == record) {
                    expected.push(*n);
                }
            }
        }
        let (mut seen, stats) = drain_counted(folder.path(), true)?;
        seen.sort_unstable();
        let copied = damages.iter().any(|(_, damage)| matches!(damage, Damage::CopyFrom { .. }));
        let missing: Vec<u32> = expected.iter().copied().filter(|n| !seen.contains(n)).collect();
        prop_assert!(copied || missing.is_empty(), "{missing:?} of {expected:?}");
        let lost = (1..BATCHES).step_by(2).filter(|n| !seen.contains(n)).count() as u64;
        let removed = damages.iter().any(|(_, damage)| {
            matches!(damage, Damage::Delete | Damage::CopyFrom { .. } | Damage::Truncate { .. } | Damage::Cut { .. })
        });
        if lost > 0 && !removed {
            prop_assert!(stats.corrupt_records + stats.truncated_tails > 0, "{stats:?}");
        }
        // Counted once, not by every process.
        let (_, again) = drain_counted(folder.path(), true)?;
        prop_assert_eq!(again.recovered.batches, 0);
        prop_assert_eq!(again.corrupt_records, 0);
    }

    #[test]
    fn a_flip_costs_its_record_only_and_is_counted(at in any::<usize>(), bit in 0_u8..8) {
        let folder = tempfile::tempdir().expect("tempdir");
        write_some(folder.path());
        let logs: Vec<PathBuf> = records(folder.path()).into_iter().map(|(path, _)| path).collect();
        Damage::Flip { at, bit }.apply(&logs[at % logs.len()], &logs);
        let (seen, stats) = drain_counted(folder.path(), true)?;
        let lost = BATCHES as usize / 2 - seen.len();
        prop_assert!(lost <= 1, "{lost}");
        if lost == 1 {
            prop_assert_eq!((stats.corrupt_records, stats.truncated_tails), (1, 0));
        }
        let kept = fs::read_dir(folder.path().join(KEY_HASH).join("dead")).map_or(0, Iterator::count);
        prop_assert_eq!(kept as u64, stats.corrupt_records);
    }

    #[test]
    fn noise_is_survived(
        noise in prop::collection::vec(
            (0_u64..4, any::<bool>(), prop::collection::vec(any::<u8>(), 0..3000)),
            1..6,
        ),
        with_magic in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().expect("tempdir");
        let instance = folder.path().join(KEY_HASH).join(id(1).to_string());
        fs::create_dir_all(&instance).expect("create");
        for (seq, is_log, mut bytes) in noise {
            if with_magic && is_log && bytes.len() >= 32 {
                // A header that is right, so that the noise is taken for records.
                bytes[..32].fill(0);
                bytes[..4].copy_from_slice(b"SGEV");
                bytes[4] = 1;
                let sum = crc32c::crc32c(&bytes[..28]);
                bytes[28..32].copy_from_slice(&sum.to_le_bytes());
            }
            let extension = if is_log { "log" } else { "ack" };
            fs::write(instance.join(format!("seg-{seq:020}.{extension}")), bytes).expect("write");
        }
        drain(folder.path(), false)?;
        drain(folder.path(), false)?;
    }
}

#[test]
fn strange_names_are_left_alone() {
    let folder = tempfile::tempdir().expect("tempdir");
    write_some(folder.path());
    let key_dir = folder.path().join(KEY_HASH);
    fs::write(key_dir.join("README"), "not ours").expect("write");
    fs::create_dir(key_dir.join("not-an-instance")).expect("create");
    fs::write(key_dir.join("not-an-instance/seg-00000000000000000001.log"), "x").expect("write");
    fs::write(key_dir.join(format!("{}.lock", id(9))), "").expect("write");
    let instance = fs::read_dir(&key_dir)
        .expect("read_dir")
        .map(|entry| entry.expect("entry").path())
        .find(|path| path.is_dir() && !path.ends_with("not-an-instance"))
        .expect("an instance");
    fs::create_dir(instance.join("seg-00000000000000000099.log")).expect("a folder");
    fs::write(instance.join("seg-1.log"), "too short a name").expect("write");

    let seen = drain(folder.path(), true).expect("drain");
    assert_eq!(seen.len(), BATCHES as usize / 2);
    assert!(key_dir.join("README").exists());
    assert!(key_dir.join("not-an-instance/seg-00000000000000000001.log").exists());
    assert!(!key_dir.join(format!("{}.lock", id(9))).exists(), "a lone lock");
}

/// The header of the segment is gone, and with it the first byte of the first record, which is one of its checksum.
#[test]
fn a_record_with_a_damaged_checksum_does_not_tell_the_salt() {
    let folder = tempfile::tempdir().expect("tempdir");
    write_some(folder.path());
    let logs: Vec<PathBuf> = records(folder.path()).into_iter().map(|(path, _)| path).collect();
    Damage::Cut { at: 3, len: 30 }.apply(&logs[1], &logs);
    let (mut seen, stats) = drain_counted(folder.path(), true).expect("drain");
    seen.sort_unstable();
    assert_eq!(seen, [1, 3, 5, 9, 11, 13, 15, 17, 19, 21, 23], "all but 7");
    assert!(stats.corrupt_records + stats.corrupt_segments > 0, "{stats:?}");
}

/// What is cut out is as long as the next record, so that the one after it comes to lie where that was, which is settled.
#[test]
fn a_record_at_the_place_of_a_settled_one_is_delivered() {
    let folder = tempfile::tempdir().expect("tempdir");
    write_some(folder.path());
    let before = records(folder.path());
    let logs: Vec<PathBuf> = before.iter().map(|(path, _)| path.clone()).collect();
    let settled = before[3].1.iter().find(|(n, _)| *n == 20).map_or(0, |(_, record)| record.len());
    // From within the body of 19 into that of 20.
    Damage::Cut { at: 32 + 60, len: settled }.apply(&logs[3], &logs);
    let spool = open(folder.path());
    let mut seen = Vec::new();
    while let Some(batch) = spool.next_batch().expect("batch") {
        seen.push(batch.event_count);
        spool.ack(batch.id, AckOutcome::Delivered).expect("ack");
    }
    assert!(seen.contains(&21) && seen.contains(&23), "{seen:?}");
}
