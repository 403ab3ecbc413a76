//! Users as a stream: order, memory, and what happens when an end goes away.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Stdio};
use std::sync::Arc;

use statsig::{FixedClock, Getters, Statsig, StatsigUser};

use crate::{NOW, SPECS, root, run_with, statsig};

const ONE_EXPERIMENT: [&str; 11] =
    ["eval", "--specs", SPECS, "--users", "-", "--now", NOW, "--experiment", "button_color_v3", "--format", "jsonl"];

#[test]
fn ten_thousand_users_come_out_in_order() {
    let statsig = Statsig::builder()
        .bootstrap(std::fs::read(root().join(SPECS)).unwrap())
        .clock(Arc::new(FixedClock(NOW.parse().unwrap())))
        .build()
        .unwrap();
    let ids: Vec<String> = (0..10_000).map(|at| format!("user-{}", at * 7919 % 10_007)).collect();
    let users: String = ids.iter().map(|id| format!("{{\"userID\": \"{id}\", \"locale\": \"en-US\"}}\n")).collect();
    let rows = run_with(ONE_EXPERIMENT.into_iter().chain(["--gate", "new_editor"]), &users).json_lines();
    assert_eq!(rows.len(), 20_000);
    let mut colors = std::collections::BTreeSet::new();
    for (at, (pair, id)) in rows.chunks(2).zip(&ids).enumerate() {
        let user = StatsigUser::builder().user_id(id.as_str()).locale("en-US").build();
        let color = statsig.get_experiment(&user, "button_color_v3").get_string("Button Color", "");
        assert_eq!(pair[0]["line"], at + 1);
        assert_eq!(pair[0]["user_id"], **id);
        assert_eq!(pair[0]["value"], statsig.check_gate(&user, "new_editor"));
        assert_eq!(pair[1]["line"], at + 1);
        assert_eq!(pair[1]["value"]["Button Color"], *color);
        colors.insert(color);
    }
    assert!(colors.len() > 2, "{colors:?}");
}

fn start() -> Child {
    statsig(ONE_EXPERIMENT).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_slow_source_is_served_as_it_comes() {
    let mut child = start();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for at in 1..=3 {
        // The next user comes only when the last one's result is there.
        writeln!(stdin, "{{\"userID\": \"u-{at}\"}}").unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert!(line.starts_with(&format!("{{\"line\":{at},\"user_id\":\"u-{at}\"")), "{line}");
    }
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let mut child = start();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let writer = std::thread::spawn(move || {
        // Until nobody reads any more; standard input is never closed from this side.
        while stdin.write_all(b"{\"userID\": \"u-1\"}\n").is_ok() {}
        stdin
    });
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    drop(stdout);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut complaints = String::new();
    child.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
    assert_eq!(complaints, "");
    drop(writer.join().unwrap());
}

/// Peak memory of a process in bytes.
#[cfg(target_os = "linux")]
fn peak_memory(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    1024 * line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_depend_on_the_number_of_users() {
    const USERS: usize = 40_000;
    let mut child = start();
    let mut stdin = child.stdin.take().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let line = format!("{{\"userID\": \"u-1\", \"custom\": {{\"note\": \"{}\"}}}}\n", "x".repeat(1_500));
    let all = USERS * line.len();
    let writer = std::thread::spawn(move || {
        for _ in 0..USERS {
            stdin.write_all(line.as_bytes()).unwrap();
        }
        stdin
    });
    // When the last result is here, the process still waits for more.
    assert_eq!(stdout.lines().take(USERS).map(Result::unwrap).count(), USERS);
    let peak = peak_memory(&child);
    assert!(all > 60_000_000 && peak < 30_000_000, "{peak} bytes for {all} bytes of users");
    drop(writer.join().unwrap());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
