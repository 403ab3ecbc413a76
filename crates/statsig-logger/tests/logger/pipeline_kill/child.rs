//! Logs through a pipeline that writes ahead, to a sink that fails half of the time, until it is
//! killed.
//!
//! Arguments: folder, fsync policy, seed. With the policy `hanging`, the sink never answers and batches are written in
//! the default mode; `stored` on standard output says that the spool has all of the `seed` events. Otherwise the sink appends delivered events to `events.jsonl` in
//! the folder. On standard output, `safe A..B` says that a flush has reported the events A to B as
//! delivered or spooled.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use statsig_background::{OsFileSystem, SystemClock};
use statsig_core::{Delivery, EventBatch, EventSink};
use statsig_logger::spool::{FsyncPolicy, Spool, SpoolOptions};
use statsig_logger::{EventPipeline, JsonlFileSink, PipelineOptions, QueuedEvent, SpoolMode};
use tokio::runtime::Handle;

struct Number(u64);

impl QueuedEvent for Number {
    fn is_exposure(&self) -> bool {
        !self.0.is_multiple_of(3)
    }
    fn cost_bytes(&self) -> usize {
        size_of::<Self>()
    }
    fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.to_string().as_bytes());
    }
}

/// Fails half of the time, before or after the file has the batch.
struct Moody {
    file: JsonlFileSink,
    random: AtomicU64,
}

#[async_trait]
impl EventSink for Moody {
    async fn deliver(&self, batch: &EventBatch) -> Delivery {
        let random = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        match random >> 61 {
            0..=2 => Delivery::retry("not this time"),
            3 => {
                // The answer gets lost.
                let _ = self.file.deliver(batch).await;
                Delivery::retry("no answer")
            }
            _ => self.file.deliver(batch).await,
        }
    }
}

/// Never answers.
struct Hanging;

#[async_trait]
impl EventSink for Hanging {
    async fn deliver(&self, _: &EventBatch) -> Delivery {
        std::future::pending().await
    }
}

/// Logs events to a sink that never answers, and waits to be killed.
async fn hang(spool: Spool, events: u64) -> Result<(), Box<dyn Error>> {
    let mut options = PipelineOptions::default();
    options.batch_events = 100;
    let mode = SpoolMode::default();
    let (sink, clock) = (Arc::new(Hanging), Arc::new(SystemClock));
    let pipeline = EventPipeline::start_with_spool(options, spool, mode, sink, clock, &Handle::current());
    (0..events).for_each(|number| pipeline.log(Number(number)));
    let begin = tokio::time::Instant::now();
    while pipeline.stats().pending_on_disk < events {
        if begin.elapsed() > Duration::from_secs(60) {
            return Err("not stored".into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "stored")?;
    out.flush()?;
    std::future::pending().await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let dir = args.next().ok_or("no folder")?;
    let policy = args.next().ok_or("no policy")?;
    let hanging = policy == "hanging";
    let fsync = match policy.as_str() {
        "never" => FsyncPolicy::Never,
        "every-batch" => FsyncPolicy::EveryBatch,
        _ => FsyncPolicy::Interval { every: Duration::from_millis(1), bytes: 4096 },
    };
    let seed: u64 = args.next().ok_or("no seed")?.parse()?;

    let mut spool_options = SpoolOptions::new(&dir, "0123456789abcdef");
    // Small segments, so that a kill meets rotation and deletion, too.
    spool_options.segment_bytes = 4096;
    spool_options.fsync = fsync;
    let spool = Spool::open(spool_options, Arc::new(OsFileSystem), Arc::new(SystemClock))?;
    if hanging {
        return hang(spool, seed).await;
    }
    let file = JsonlFileSink::open(Path::new(&dir).join("events.jsonl"))?;
    let sink = Arc::new(Moody { file, random: AtomicU64::new(seed.wrapping_mul(0xd134_2543_de82_ef95)) });

    let mut options = PipelineOptions::default();
    options.batch_events = 20;
    options.backoff_base = Duration::from_millis(1);
    options.backoff_cap = Duration::from_millis(4);
    options.jitter_seed = Some(seed);
    let pipeline = EventPipeline::start_with_spool(
        options,
        spool,
        SpoolMode::WriteAhead,
        sink,
        Arc::new(SystemClock),
        &Handle::current(),
    );

    let mut first = seed << 32;
    loop {
        let end = first + 1 + (first ^ seed) % 60;
        (first..end).for_each(|number| pipeline.log(Number(number)));
        let report = pipeline.flush(Duration::from_secs(5)).await;
        if report.is_safe() {
            let mut out = std::io::stdout().lock();
            writeln!(out, "safe {first}..{end}")?;
            out.flush()?;
        }
        first = end;
    }
}
