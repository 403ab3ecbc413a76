//! Distinct exposures a second through check, queue, encoding and compression, and what is left of
//! them in memory.
//!
//! `cargo bench -p statsig-oss --bench exposure_throughput`. One thread checks a gate for users that it
//! makes as it goes; the sink takes everything. The figure per core is by the processor time of the
//! whole process (Linux only), users included.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use statsig::{EventSink, NoopSink, Statsig, StatsigUser};

const SPECS: &[u8] = br#"{
    "has_updates": true, "time": 1700000000000, "sdk_configs": {"exposure_dedupe_ttl_ms": 1}, "dynamic_configs": {}, "layer_configs": {},
    "condition_map": {"all": {"type": "public", "idType": "userID"}},
    "feature_gates": {"open": {"type": "feature_gate", "entity": "feature_gate", "salt": "s", "enabled": true,
        "defaultValue": false, "idType": "userID", "rules": [{"name": "o", "id": "4uO1mYjrPB3tKfVZbAyjyA",
        "passPercentage": 100, "conditions": ["all"], "returnValue": true, "idType": "userID"}]}}
}"#;

/// Exposures that may be pending before the application waits.
const ROOM: u64 = 10_000;
/// Exposures of a run.
const EXPOSURES: u64 = 10_000_000;
/// How many distinct users a run has; the runs are processes of their own.
const DISTINCT: &str = "DISTINCT_USERS";

fn main() {
    if let Some(distinct) = std::env::var(DISTINCT).ok().and_then(|text| text.parse().ok()) {
        return run(distinct);
    }
    let Ok(program) = std::env::current_exe() else { return };
    for distinct in [100_000, EXPOSURES] {
        let mut command = std::process::Command::new(&program);
        let _ = command.env(DISTINCT, distinct.to_string()).status();
    }
}

/// As many exposures from many users as from few: what the number of users costs shows alone.
fn run(distinct: u64) {
    let sink: Arc<dyn EventSink> = Arc::new(NoopSink);
    let Ok(statsig) = Statsig::builder().bootstrap(SPECS).event_sink(sink).build() else { return };
    let (begin, cpu) = (Instant::now(), cpu_seconds());
    for at in 0..EXPOSURES {
        let id = format!("{:016x}", (at % distinct).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let user = StatsigUser::builder().user_id(id).email("person@example.com").country("NZ").build();
        let _ = statsig.check_gate(&user, "open");
        // A stand-in for the rest of the application: it does not outrun the pipeline for ever.
        while at % 1_000 == 0 && statsig.event_stats().pending > ROOM {
            std::thread::yield_now();
        }
    }
    let _ = statsig.flush_events_blocking(Duration::from_secs(60));
    let (took, cpu) = (begin.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let resident = resident_kib();
    let report = statsig.shutdown_blocking(Duration::from_secs(60));
    let stats = statsig.event_stats();
    let lost = stats.dropped.total() + report.events.failed;
    let count = stats.accepted as f64;
    say(&format!(
        "{distinct} users: {count} exposures, {:.0}/s a core, {:.0}/s by the clock, {lost} lost, {resident:.0} KiB resident\n",
        count / cpu,
        count / took
    ));
}

fn say(line: &str) {
    let _ = std::io::stdout().write_all(line.as_bytes());
}

/// Processor time of the process, in ticks of 10 ms; `NaN` where there is no such file.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(f64::NAN);
    (ticks(11) + ticks(12)) / 100.0
}

/// Resident memory of the process.
fn resident_kib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(f64::NAN)
}
