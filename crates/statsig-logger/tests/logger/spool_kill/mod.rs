//! SIGKILL at random points: what was acknowledged as spooled is delivered after a restart.

// The helpers of a test may assert like the test itself.
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use statsig_background::{OsFileSystem, SystemClock};
use statsig_logger::spool::{AckOutcome, Spool, SpoolOptions};

const ROUNDS: u64 = 60;

/// A child that is killed whatever becomes of the test.
struct Victim(Child);

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(dir: &Path, policy: &str, seed: u64) -> Victim {
    let child = Command::new(env!("CARGO_BIN_EXE_spool-kill-child"))
        .arg(dir)
        .arg(policy)
        .arg(seed.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("spawn");
    Victim(child)
}

/// Lets a child run up to a random point, kills it, and notes what it had said.
fn run_and_kill(
    dir: &Path,
    policy: &str,
    seed: u64,
    spooled: &mut BTreeSet<u128>,
    delivered: &mut BTreeSet<u128>,
) -> usize {
    let mut victim = start(dir, policy, seed);
    let mut lines = BufReader::new(victim.0.stdout.take().expect("stdout")).lines();
    let mut heard = 0;
    let mut note = |line: String| {
        let (word, number) = line.split_once(' ').expect("two words");
        let number: u128 = number.parse().expect("a number");
        match word {
            "acked" => spooled.insert(number),
            "delivered" => delivered.insert(number),
            _ => panic!("unexpected line: {line}"),
        };
        heard += 1;
    };
    // Some children are killed before they have opened the spool.
    for _ in 0..seed * 7 % 40 {
        note(lines.next().expect("a line").expect("readable"));
    }
    // A point within the work on the next batches: spinning, as the kill is to be asynchronous.
    let spin = Duration::from_micros(seed * 131 % 700);
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

#[test]
fn what_was_acknowledged_as_spooled_survives_sigkill() {
    let mut kills_after_output = 0;
    for policy in ["interval", "never", "every-batch"] {
        let folder = tempfile::tempdir().expect("tempdir");
        let mut spooled = BTreeSet::new();
        let mut delivered = BTreeSet::new();
        for round in 0..ROUNDS / 3 {
            let seed = round + 1;
            let heard = run_and_kill(folder.path(), policy, seed, &mut spooled, &mut delivered);
            kills_after_output += usize::from(heard > 0);
            if round % 4 == 3 {
                // The other rounds leave their remains to the next child, which adopts them.
                drain(folder.path(), &mut delivered);
            }
        }
        drain(folder.path(), &mut delivered);

        let lost: Vec<&u128> = spooled.difference(&delivered).collect();
        assert_eq!(lost, Vec::<&u128>::new(), "{policy}");
        assert!(spooled.len() > 100, "{policy}: only {}", spooled.len());
    }
    assert!(kills_after_output > 40, "{kills_after_output}");
}

fn drain(dir: &Path, delivered: &mut BTreeSet<u128>) {
    let options = SpoolOptions::new(dir, "0123456789abcdef");
    let spool = Spool::open(options, Arc::new(OsFileSystem), Arc::new(SystemClock)).expect("open");
    while let Some(batch) = spool.next_batch().expect("next") {
        let n = u64::try_from(batch.id.as_u128()).expect("64 bits");
        let pattern = n.to_le_bytes();
        let intact = batch.body.iter().enumerate().all(|(at, &byte)| byte == pattern[at % 8]);
        assert!(intact && batch.body.len() == batch.event_count as usize);
        delivered.insert(batch.id.as_u128());
        spool.ack(batch.id, AckOutcome::Delivered).expect("ack");
    }
    let stats = spool.stats();
    let (came, became) = stats.balance();
    assert_eq!(came, became);
    assert_eq!(stats.dropped.total().batches, 0, "a kill damages nothing");
    assert_eq!(stats.corrupt_segments, 0);
    spool.close().expect("close");
}
