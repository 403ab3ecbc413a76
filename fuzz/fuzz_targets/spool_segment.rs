//! A folder of a dead process with any bytes in a segment and its acknowledgements is adopted: nothing panics, what is
//! handed out is accounted for, and a later process finds nothing of it again.
//!
//! The first two bytes say how many of the others are acknowledgements, and whether the segment gets a header that is
//! right, or is made of intact records with the bytes between them.

#![no_main]

use std::path::Path;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use statsig_background::testing::MemoryDisk;
use statsig_logger::spool::testing::ManualClock;
use statsig_background::FileSystem;
use statsig_logger::spool::{AckOutcome, Encoding, Spool, SpoolOptions, SpoolRecord};

const NOW: u64 = 1_790_000_000_000;

fn open(disk: &MemoryDisk) -> Spool {
    let options = SpoolOptions::new("/spool", "0123456789abcdef");
    Spool::open(options, Arc::new(disk.process()), Arc::new(ManualClock::new(NOW))).expect("a disk that works")
}

/// Hands everything out; returns how many batches there were, and how many of them are intact records of ours.
fn drain(disk: &MemoryDisk) -> (usize, usize) {
    let spool = open(disk);
    let (mut batches, mut ours) = (0, 0);
    while let Some(batch) = spool.next_batch().expect("a disk that works") {
        batches += 1;
        ours += usize::from(batch.body == body(batch.event_count));
        spool.ack(batch.id, AckOutcome::Delivered).expect("a disk that works");
    }
    let (came, became) = spool.stats().balance();
    assert_eq!(came, became);
    spool.close().expect("a disk that works");
    (batches, ours)
}

fn body(n: u32) -> Vec<u8> {
    vec![b'0' + (n % 10) as u8; 20]
}

fuzz_target!(|input: &[u8]| {
    let [acks, way, bytes @ ..] = input else { return };
    let disk = MemoryDisk::new();
    let (acks, bytes) = bytes.split_at(bytes.len().min(usize::from(*acks)));
    // Three records of a process that is killed.
    let (spool, process) = {
        let process = Arc::new(disk.process());
        let options = SpoolOptions::new("/spool", "0123456789abcdef");
        let clock = Arc::new(ManualClock::new(NOW));
        (Spool::open(options, process.clone(), clock).expect("a disk that works"), process)
    };
    for n in 1..=3_u32 {
        let (id, body) = (uuid(n), body(n));
        let record =
            SpoolRecord { id, created_ms: NOW, event_count: n, encoding: Encoding::Raw, attempts: 0, metadata: None, body: &body };
        spool.append(&record).expect("a disk that works");
    }
    process.kill();
    let log = disk.files().into_iter().find(|path| path.ends_with(".log")).expect("a segment");
    let (header, record) = (32, 48 + 20);
    let intact = match way % 3 {
        // Noise only.
        0 => {
            disk.tamper(Path::new(&log), |content| *content = bytes.to_vec()).expect("it is there");
            0
        }
        // Noise for records.
        1 => {
            disk.tamper(Path::new(&log), |content| {
                content.truncate(header);
                content.extend_from_slice(bytes);
            })
            .expect("it is there");
            0
        }
        // Noise between the first record and the others.
        _ => {
            disk.tamper(Path::new(&log), |content| {
                content.splice(header + record..header + record, bytes.iter().copied());
            })
            .expect("it is there");
            3
        }
    };
    if !acks.is_empty() {
        let fs = disk.process();
        let mut file = fs.create(Path::new(&log).with_extension("ack").as_ref()).expect("a disk that works");
        file.append(acks).expect("a disk that works");
    }
    let (batches, ours) = drain(&disk);
    // Noise is no acknowledgement: its checksum would have to be right.
    assert!(batches >= ours && ours >= intact, "{ours} of {intact}");
    assert_eq!(drain(&disk).0, 0);
});

fn uuid(n: u32) -> uuid::Uuid {
    uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | u128::from(n))
}
