//! Appends batches until it is killed, and says which were accepted.
//!
//! Arguments: folder, fsync policy, seed. Each line on standard output is one of
//! `acked N` (batch N is spooled) and `delivered N` (it was handed out, and is acknowledged next).

use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use statsig_background::{OsFileSystem, SystemClock};
use statsig_logger::spool::{AckOutcome, Encoding, FsyncPolicy, Spool, SpoolClock, SpoolOptions, SpoolRecord};
use uuid::Uuid;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let dir = args.next().ok_or("no folder")?;
    let fsync = match args.next().ok_or("no policy")?.as_str() {
        "never" => FsyncPolicy::Never,
        "every-batch" => FsyncPolicy::EveryBatch,
        _ => FsyncPolicy::Interval { every: Duration::from_millis(1), bytes: 4096 },
    };
    let mut state: u64 = args.next().ok_or("no seed")?.parse()?;
    let first = state << 32;

    let mut options = SpoolOptions::new(dir, "0123456789abcdef");
    // Small segments, so that a kill meets rotation and deletion, too.
    options.segment_bytes = 4096;
    options.fsync = fsync;
    let spool = Spool::open(options, Arc::new(OsFileSystem), Arc::new(SystemClock))?;
    let mut out = std::io::stdout().lock();
    for n in first.. {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let len = usize::try_from((state >> 33) % 900)?;
        // The content follows from the number, so that the parent can check it.
        let body: Vec<u8> = n.to_le_bytes().into_iter().cycle().take(len).collect();
        spool.append(&SpoolRecord {
            id: Uuid::from_u128(u128::from(n)),
            created_ms: SystemClock.now_ms(),
            event_count: u32::try_from(len)?,
            encoding: Encoding::Raw,
            attempts: 0,
            metadata: None,
            body: &body,
        })?;
        writeln!(out, "acked {n}")?;
        out.flush()?;
        // Now and then something is delivered, also of what an earlier child had left.
        if state >> 62 == 0
            && let Some(batch) = spool.next_batch()?
        {
            // Saying it is the delivery, so it comes before the acknowledgement.
            writeln!(out, "delivered {}", batch.id.as_u128())?;
            out.flush()?;
            spool.ack(batch.id, AckOutcome::Delivered)?;
        }
    }
    Ok(())
}
