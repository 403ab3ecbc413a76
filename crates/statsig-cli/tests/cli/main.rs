//! The command as people and scripts use it: the real binary over the example project.

#![allow(clippy::unwrap_used, reason = "helpers of tests assert as tests do")]

#[cfg(feature = "redis")]
mod binary;
#[cfg(feature = "conformance")]
mod conformance;
mod errors;
mod eval;
#[cfg(feature = "redis")]
mod events;
mod explain;
mod files;
#[cfg(feature = "net")]
mod follow;
mod forms;
#[cfg(feature = "net")]
mod network;
#[cfg(feature = "redis")]
mod redis;
mod specs;
mod streams;
mod users;
#[cfg(feature = "net")]
mod watch;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// The example project and its users, relative to the workspace.
const SPECS: &str = "examples/specs/demo_project.json";
const USERS: &str = "examples/users.jsonl";

/// 2026-11-22, when the example project was made.
const NOW: &str = "1795305600000";

/// What a run left behind.
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ran {
    /// Asserts success with nothing to complain about, and returns the output.
    fn clean(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{}", self.stdout);
        self.stdout
    }

    /// The output as JSON lines.
    fn json_lines(self) -> Vec<serde_json::Value> {
        self.clean().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// The command, to be run in the root of the workspace.
fn statsig<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_statsig"));
    command.current_dir(root()).args(arguments);
    for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "STATSIG_SECRET_KEY"] {
        command.env_remove(variable);
    }
    command
}

/// Runs the command with nothing on standard input.
fn run<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Ran {
    statsig(arguments).stdin(Stdio::null()).output().unwrap().into()
}

/// Runs the command with a text on standard input.
fn run_with<'a>(arguments: impl IntoIterator<Item = &'a str>, input: &str) -> Ran {
    let mut child =
        statsig(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // The command may well end before it has read everything.
        scope.spawn(move || drop(stdin.write_all(input.as_bytes())));
        child.wait_with_output().unwrap().into()
    })
}

fn root() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", ".."].iter().collect()
}

/// The running test's own folder: its thread is named after it.
fn folder() -> PathBuf {
    let test = std::thread::current().name().unwrap_or("unnamed").replace("::", "-");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A file of the running test's own, whatever others call theirs at the same time.
fn file(name: &str, content: impl AsRef<[u8]>) -> String {
    let path = folder().join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn help_has_examples_and_exit_codes() {
    let top = run(["--help"]).clean();
    assert!(top.contains("Exit codes:") && top.contains("eval") && top.contains("specs"), "{top}");
    let mut commands = vec!["eval", "explain", "specs", "completions", "man"];
    commands.extend(cfg!(feature = "conformance").then_some("conformance"));
    commands.extend(cfg!(feature = "net").then_some("watch"));
    commands.extend(cfg!(feature = "redis").then_some(["redis", "events"]).into_iter().flatten());
    for command in commands {
        let help = run([command, "--help"]).clean();
        assert!(help.contains("Examples:") && help.contains("Exit codes:"), "{help}");
        let short = run([command, "-h"]).clean();
        assert!(short.contains("Exit codes:") && !short.contains("Examples:"), "{short}");
    }
}
