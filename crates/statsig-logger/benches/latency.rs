//! Events delivered and dropped at a fixed rate into a sink with a fixed latency.
//!
//! One thread logs distinct exposures at the rate; the sink is in this process and answers each
//! batch after the latency. Lines show the counts of the ledger, and the processor time of the
//! whole process (Linux only).
//!
//! `cargo bench -p statsig-logger --bench latency` runs 60,000 events/s into 50 ms and 100,000
//! events/s into 100 ms, for 10 seconds each. Other figures follow `--`, in threes:
//! events per second, latency in milliseconds, seconds.

mod processor_time;

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use statsig_core::{Delivery, EventBatch, EventSink, FixedClock};
use statsig_logger::{EventPipeline, PipelineOptions, QueuedEvent};

use processor_time::cpu_seconds;

/// Loads that are measured by default: events per second, latency in milliseconds, seconds.
const LOADS: [[u64; 3]; 2] = [[60_000, 50, 10], [100_000, 100, 10]];

/// A sink that answers after a fixed time.
struct SlowSink {
    latency: Duration,
    running: AtomicUsize,
    most_running: AtomicUsize,
    largest_batch: AtomicUsize,
}

#[async_trait::async_trait]
impl EventSink for SlowSink {
    async fn deliver(&self, batch: &EventBatch) -> Delivery {
        let running = self.running.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_running.fetch_max(running, Ordering::Relaxed);
        self.largest_batch.fetch_max(batch.event_count as usize, Ordering::Relaxed);
        tokio::time::sleep(self.latency).await;
        self.running.fetch_sub(1, Ordering::Relaxed);
        Delivery::Delivered
    }
}

/// An event of about the size and compressibility of a gate exposure of a user with six fields.
struct Exposure {
    user: u64,
}

impl QueuedEvent for Exposure {
    fn is_exposure(&self) -> bool {
        true
    }

    fn cost_bytes(&self) -> usize {
        size_of::<Self>()
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        let user = self.user;
        let bits = user.wrapping_mul(0x9e37_79b9_7f4a_7c15);
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
            bits % 40,
            bits,
            user % 1_000_003,
            1_700_000_000_000 + user / 500
        );
    }
}

fn main() {
    // `cargo bench` adds `--bench`.
    let figures: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let given = figures.chunks_exact(3).map(|load| [load[0], load[1], load[2]]);
    let loads: Vec<[u64; 3]> = if figures.is_empty() { LOADS.to_vec() } else { given.collect() };
    for load in loads {
        run(load);
    }
}

fn run([rate, latency_ms, seconds]: [u64; 3]) {
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build() else {
        return;
    };
    let sink = Arc::new(SlowSink {
        latency: Duration::from_millis(latency_ms),
        running: AtomicUsize::new(0),
        most_running: AtomicUsize::new(0),
        largest_batch: AtomicUsize::new(0),
    });
    let clock = Arc::new(FixedClock(1_700_000_000_000));
    let pipeline = EventPipeline::start(
        PipelineOptions::default(),
        Arc::clone(&sink) as Arc<dyn EventSink>,
        clock,
        runtime.handle(),
    );
    let (begin, cpu_begin) = (Instant::now(), cpu_seconds());
    let (events, mut logged, mut most_pending) = (rate * seconds, 0, 0);
    while logged < events {
        let due = (begin.elapsed().as_secs_f64() * rate as f64) as u64;
        for user in logged..due.min(events) {
            pipeline.log(Exposure { user });
        }
        logged = logged.max(due);
        most_pending = most_pending.max(pipeline.stats().pending);
        std::thread::sleep(Duration::from_millis(1));
    }
    let took = begin.elapsed().as_secs_f64();
    let cpu = cpu_seconds() - cpu_begin;
    let _ = runtime.block_on(pipeline.shutdown(Duration::from_secs(60)));
    let stats = pipeline.stats();
    let line = format!(
        "{rate}/s for {took:.1} s into {latency_ms} ms: accepted {}, delivered {}, dropped {}; most pending {most_pending}, \
         {} batches of up to {}, up to {} deliveries at a time, {cpu:.1} s of processor time\n",
        stats.accepted,
        stats.delivered,
        stats.dropped.total(),
        stats.batches_delivered,
        sink.largest_batch.load(Ordering::Relaxed),
        sink.most_running.load(Ordering::Relaxed),
    );
    let _ = std::io::stdout().write_all(line.as_bytes());
}
