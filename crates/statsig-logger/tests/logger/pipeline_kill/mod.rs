//! SIGKILL at random points of a whole pipeline: what it had reported as safe is delivered.

// The helpers of a test may assert like the test itself.
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use statsig_background::{OsFileSystem, SystemClock};
use statsig_core::FixedClock;
use statsig_logger::spool::{Spool, SpoolOptions};
use statsig_logger::{EventPipeline, JsonlFileSink, PipelineOptions, QueuedEvent, SpoolMode};
use tokio::runtime::Handle;

const ROUNDS: u64 = 60;

/// A child that is killed whatever becomes of the test.
struct Victim(Child);

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lets a child run up to a random point, kills it, and notes what it had reported as safe.
fn run_and_kill(dir: &Path, policy: &str, seed: u64, safe: &mut BTreeSet<u64>) -> usize {
    let child = Command::new(env!("CARGO_BIN_EXE_pipeline-kill-child"))
        .arg(dir)
        .arg(policy)
        .arg(seed.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("spawn");
    let mut victim = Victim(child);
    let mut lines = BufReader::new(victim.0.stdout.take().expect("stdout")).lines();
    let mut heard = 0;
    let mut note = |line: String| {
        let range = line.strip_prefix("safe ").and_then(|range| range.split_once("..")).expect("a range");
        safe.extend(range.0.parse::<u64>().expect("a number")..range.1.parse().expect("a number"));
        heard += 1;
    };
    // Some children are killed before they have begun.
    for _ in 0..seed * 7 % 12 {
        note(lines.next().expect("a line").expect("readable"));
    }
    // A point within the work on the next events: spinning, as the kill is to be asynchronous.
    let spin = Duration::from_micros(seed * 431 % 5_000);
    let begin = Instant::now();
    while begin.elapsed() < spin {
        std::hint::spin_loop();
    }
    victim.0.kill().expect("kill");
    victim.0.wait().expect("wait");
    // What it had said before it died counts, too.
    for line in lines {
        note(line.expect("readable"));
    }
    heard
}

#[tokio::test]
async fn batches_that_a_hanging_sink_has_not_answered_survive_sigkill_in_the_default_mode() {
    const EVENTS: u64 = 1_200;
    let folder = tempfile::tempdir().expect("tempdir");
    let child = Command::new(env!("CARGO_BIN_EXE_pipeline-kill-child"))
        .arg(folder.path())
        .args(["hanging", &EVENTS.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("spawn");
    let mut victim = Victim(child);
    let mut lines = BufReader::new(victim.0.stdout.take().expect("stdout")).lines();
    assert_eq!(lines.next().expect("a line").expect("readable"), "stored");
    victim.0.kill().expect("kill");
    victim.0.wait().expect("wait");
    assert_eq!(drain(folder.path()).await, EVENTS);
    assert_eq!(delivered(folder.path()), (0..EVENTS).collect());
}

struct Nothing;

impl QueuedEvent for Nothing {
    fn is_exposure(&self) -> bool {
        false
    }
    fn cost_bytes(&self) -> usize {
        0
    }
    fn write_json(&self, _: &mut Vec<u8>) {}
}

/// Runs a pipeline in this process until the spool is empty; returns the events that it had found.
async fn drain(dir: &Path) -> u64 {
    let options = SpoolOptions::new(dir, "0123456789abcdef");
    let spool = Spool::open(options, Arc::new(OsFileSystem), Arc::new(SystemClock)).expect("open");
    let sink = Arc::new(JsonlFileSink::open(dir.join("events.jsonl")).expect("the file of events"));
    let pipeline: EventPipeline<Nothing> = EventPipeline::start_with_spool(
        PipelineOptions::default(),
        spool,
        SpoolMode::WriteAhead,
        sink,
        Arc::new(FixedClock(1_790_000_000_000)),
        &Handle::current(),
    );
    let begin = Instant::now();
    while pipeline.stats().pending > 0 {
        assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", pipeline.stats());
        let _ = pipeline.flush(Duration::from_millis(10)).await;
        tokio::task::yield_now().await;
    }
    let stats = pipeline.stats();
    assert!(stats.is_balanced(), "{stats:?}");
    assert_eq!((stats.dropped.total(), stats.delivered), (0, stats.recovered), "a kill damages nothing");
    assert!(pipeline.shutdown(Duration::from_secs(5)).await.is_complete());
    stats.recovered
}

/// The events in the file of the sink. A kill may have left part of a line.
fn delivered(dir: &Path) -> BTreeSet<u64> {
    let text = std::fs::read_to_string(dir.join("events.jsonl")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

#[tokio::test]
async fn what_was_reported_as_safe_is_delivered_after_sigkill() {
    let mut kills_after_output = 0;
    let mut recovered = 0;
    for policy in ["interval", "never", "every-batch"] {
        let folder = tempfile::tempdir().expect("tempdir");
        let mut safe = BTreeSet::new();
        for round in 0..ROUNDS / 3 {
            let heard = run_and_kill(folder.path(), policy, round + 1, &mut safe);
            kills_after_output += usize::from(heard > 0);
            if round % 4 == 3 {
                // The other rounds leave their remains to the next child, which adopts them.
                recovered += drain(folder.path()).await;
            }
        }
        recovered += drain(folder.path()).await;
        let delivered = delivered(folder.path());
        let lost: Vec<&u64> = safe.difference(&delivered).collect();
        assert_eq!(lost, Vec::<&u64>::new(), "{policy}");
        assert!(safe.len() > 500, "{policy}: only {}", safe.len());
    }
    assert!(kills_after_output > 40, "{kills_after_output}");
    assert!(recovered > 100, "the kills left too little to be recovered: {recovered}");
}
