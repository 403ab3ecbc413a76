//! A process with a client forks: both go on, each with its own, and neither disturbs the other.

#![cfg(unix)]
// The helpers of a test may fail like the test itself.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use statsig_testkit::server::{Endpoint, FakeStatsig};
use statsig_testkit::specs::{GateBuilder, ProjectBuilder};

/// The program, ended whatever becomes of the test. Its child ends by an alarm of its own.
struct Forking(Child);

impl Drop for Forking {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn forks_with_a_client_on(place: &str) {
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(ProjectBuilder::new().time(5).gate(GateBuilder::on("old")).build());
    let folder = tempfile::tempdir().unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_forking"))
        .args([&server.url(), folder.path().to_str().unwrap(), place])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut forking = Forking(child);
    let mut lines = BufReader::new(forking.0.stdout.take().unwrap()).lines();
    // Without a line it has failed, and said why on standard error.
    let mut hear = |expected: &str| assert_eq!(lines.next().map(Result::unwrap).as_deref(), Some(expected));

    hear("the child is up");
    let update = ProjectBuilder::new().time(10).gate(GateBuilder::on("old")).gate(GateBuilder::on("new"));
    server.publish_specs(update.build());
    hear("shut down");
    let requests = server.requests().len();
    forking.0.stdin.take().unwrap().write_all(b"go on\n").unwrap();
    hear("nothing is left");
    assert!(forking.0.wait().unwrap().success());
    assert_eq!(server.requests().len(), requests, "no request after the shutdown");

    let mut customs: BTreeMap<String, usize> = BTreeMap::new();
    let mut exposures = 0;
    for event in server.events() {
        match event["eventName"].as_str().unwrap() {
            name if name.starts_with("statsig::") => exposures += 1,
            name => *customs.entry(name.to_owned()).or_default() += 1,
        }
    }
    let once = ["after", "before", "by the child"].map(|name| (name.to_owned(), 1));
    assert_eq!(customs, BTreeMap::from(once));
    // Two gates and an update: `old` and `new` before it, and `new` after it, where both are checked; once
    // for the parent, and without `new` before the update for the child.
    assert_eq!(exposures, 3 + 2);

    let sessions = |endpoint| -> std::collections::BTreeSet<String> {
        let all = server.requests_to(endpoint);
        all.iter().map(|request| request.header("statsig-server-session-id").unwrap().to_owned()).collect()
    };
    assert_eq!(sessions(Endpoint::SpecsV2).len(), 2, "parent and child are sessions of their own");
    assert_eq!(sessions(Endpoint::SpecsV2), sessions(Endpoint::Events));
}

#[test]
fn a_client_on_a_thread_of_its_own() {
    forks_with_a_client_on("thread");
}

#[test]
fn a_client_on_the_applications_runtime() {
    forks_with_a_client_on("runtime");
}
