//! How many distinct exposures pass through queue, encoding and compression in a second.
//!
//! One thread logs as fast as the queue has room; the sink takes everything. The figure per core is
//! by the processor time of the whole process (Linux only), so that a busy machine does not spoil it.
//!
//! `cargo bench -p statsig-logger --bench throughput`

mod processor_time;

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use statsig_core::{Delivery, EventBatch, EventSink, FixedClock};
use statsig_logger::{EventPipeline, PipelineOptions, QueuedEvent};

use processor_time::cpu_seconds;

const EVENTS: u64 = 2_000_000;

/// Counts bytes, and keeps none.
#[derive(Default)]
struct Counting(AtomicU64);

#[async_trait::async_trait]
impl EventSink for Counting {
    async fn deliver(&self, batch: &EventBatch) -> Delivery {
        self.0.fetch_add(batch.body.len() as u64, Ordering::Relaxed);
        Delivery::Delivered
    }
}

/// As much to write as a gate exposure of a user with a few attributes, and as hard to compress:
/// identifiers look random.
struct Exposure {
    time: u64,
    user: u64,
    gate: u64,
}

/// An even number for each number (SplitMix64).
fn mixed(number: u64) -> u64 {
    let mut bits = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

impl QueuedEvent for Exposure {
    fn is_exposure(&self) -> bool {
        true
    }

    fn cost_bytes(&self) -> usize {
        size_of::<Self>()
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        // Writing to memory does not fail.
        let _ = write!(
            out,
            concat!(
                r#"{{"eventName":"statsig::gate_exposure","value":null,"metadata":{{"gate":"gate_{}","gateValue":"true","#,
                r#""ruleID":"4uO1mYjrPB3tKfVZbAyjyA","reason":"Network:Recognized","lcut":"1700000000000","#,
                r#""receivedAt":"1700000000123"}},"statsigMetadata":{{}},"user":{{"userID":"{:016x}","#,
                r#""email":"person{}@example.com","country":"NZ","statsigEnvironment":{{"tier":"production"}}}},"#,
                r#""time":{},"secondaryExposures":[]}}"#
            ),
            self.gate,
            self.user,
            self.user % 1_000_003,
            self.time
        );
    }
}

fn main() {
    for (level, batch_events) in [(6, 500), (6, 2_000), (3, 500), (2, 500), (1, 500), (0, 500)] {
        run(level, batch_events);
    }
}

fn run(level: u32, batch_events: usize) {
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build() else {
        return;
    };
    let mut options = PipelineOptions::default();
    options.compression_level = level;
    options.batch_events = batch_events;
    let room = options.queue_events as u64 / 2;
    let clock = Arc::new(FixedClock(1_700_000_000_000));
    let sink = Arc::new(Counting::default());
    let pipeline = EventPipeline::start(options, Arc::clone(&sink) as Arc<dyn EventSink>, clock, runtime.handle());
    let (begin, cpu_begin) = (Instant::now(), cpu_seconds());
    for user in 0..EVENTS {
        let bits = mixed(user);
        pipeline.log(Exposure { time: 1_700_000_000_000 + user / 500, user: bits, gate: bits % 40 });
        // A stand-in for the rest of the application: it does not outrun the pipeline for ever.
        if user % 10_000 == 0 {
            while pipeline.stats().pending > room {
                std::thread::yield_now();
            }
        }
    }
    let report = runtime.block_on(pipeline.shutdown(Duration::from_secs(60)));
    let took = begin.elapsed().as_secs_f64();
    let stats = pipeline.stats();
    let lost = stats.dropped.total() + report.failed;
    let per_second = stats.delivered as f64 / took;
    let per_core = stats.delivered as f64 / (cpu_seconds() - cpu_begin);
    let bytes = sink.0.load(Ordering::Relaxed) as f64 / stats.delivered as f64;
    let line = format!(
        "gzip {level}, {batch_events} a batch: {per_core:.0} exposures/s a core, {per_second:.0} by the clock, \
         {bytes:.1} bytes each, {lost} lost\n"
    );
    let _ = std::io::stdout().write_all(line.as_bytes());
}
