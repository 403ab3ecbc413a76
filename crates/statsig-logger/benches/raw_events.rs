//! Throughput of events that are JSON already: parse, queue, group by SDK, compress.
//!
//! Requests of 100 events come from a number of SDK sessions in turn; the sink takes everything. Figures per core are
//! by the processor time of the whole process (Linux only).
//!
//! `cargo bench -p statsig-logger --bench raw_events`

mod processor_time;

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use statsig_core::{FixedClock, NoopSink, SdkMetadata};
use statsig_logger::RawEventQueue;

use processor_time::cpu_seconds;

const REQUESTS: usize = 10_000;
const EVENTS: usize = 100;

fn main() {
    for (sessions, level) in [(1, 3), (50, 3), (1_000, 3), (50, 0)] {
        run(sessions, level);
    }
}

/// A request with events that differ like exposures of different users.
fn request(number: usize) -> Vec<u8> {
    let event = |place: usize| {
        let user = ((number * EVENTS + place) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!(
            r#"{{"eventName":"statsig::gate_exposure","value":null,"metadata":{{"gate":"gate_{}","gateValue":"true","ruleID":"4uO1mYjrPB3tKfVZbAyjyA","reason":"Network:Recognized"}},"statsigMetadata":{{}},"user":{{"userID":"{user:016x}","email":"person{}@example.com","country":"NZ"}},"time":1700000000{:03},"secondaryExposures":[]}}"#,
            user % 40,
            user % 1_000_003,
            place
        )
    };
    format!("[{}]", (0..EVENTS).map(event).collect::<Vec<_>>().join(",")).into_bytes()
}

fn run(sessions: usize, level: u32) {
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build() else {
        return;
    };
    let mut options = RawEventQueue::default_options();
    options.compression_level = level;
    let room = options.queue_events as u64 / 2;
    let requests: Vec<Vec<u8>> = (0..256).map(request).collect();
    let metadata: Vec<Arc<SdkMetadata>> = (0..sessions)
        .map(|session| Arc::new(SdkMetadata::new().with_sdk_type("bench").with_session_id(session.to_string())))
        .collect();
    let clock = Arc::new(FixedClock(1_700_000_000_000));
    let queue = RawEventQueue::start(options, Arc::new(NoopSink), clock, runtime.handle());
    let (begin, cpu_begin) = (Instant::now(), cpu_seconds());
    let mut bytes = 0;
    for number in 0..REQUESTS {
        let request = &requests[number % requests.len()];
        bytes += request.len();
        // A server would answer 503 instead.
        while queue.stats().pending > room {
            std::thread::yield_now();
        }
        let _ = queue.log(request, &metadata[number % sessions]);
    }
    let report = runtime.block_on(queue.shutdown(Duration::from_secs(60)));
    let took = begin.elapsed().as_secs_f64();
    let stats = queue.stats();
    let per_core = stats.delivered as f64 / (cpu_seconds() - cpu_begin);
    let line = format!(
        "{sessions} sessions, gzip {level}: {per_core:.0} events/s a core, {:.0} by the clock, {:.0} MB/s, \
         {:.0} events a batch, {} lost\n",
        stats.delivered as f64 / took,
        bytes as f64 / took / 1e6,
        stats.delivered as f64 / stats.batches_delivered as f64,
        stats.dropped.total() + report.failed,
    );
    let _ = std::io::stdout().write_all(line.as_bytes());
}
