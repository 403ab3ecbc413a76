//! A command that runs until it is told to end, and what it says meanwhile.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Stdio};

use serde_json::Value;

use crate::{Ran, statsig};

/// A running command. Ends with its handle.
pub(crate) struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    /// Starts it, with the SDK key in the environment.
    pub(crate) fn start<'a>(arguments: impl IntoIterator<Item = &'a str>, key: &str) -> Self {
        let mut command = statsig(arguments);
        command.env("STATSIG_SECRET_KEY", key).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// Waits for the next line.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        if self.lines.read_line(&mut line).unwrap() == 0 {
            let mut complaints = String::new();
            self.child.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
            assert_eq!(complaints, "", "it ended");
        }
        line
    }

    /// The next line, as JSON.
    pub(crate) fn json(&mut self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }

    /// Waits for a line of JSON that is what it should be.
    #[cfg(feature = "redis")]
    pub(crate) fn json_until(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let row = self.json();
            if is_it(&row) {
                return row;
            }
        }
    }

    /// Waits until it says something on standard error.
    pub(crate) fn complaint(&mut self) -> String {
        let mut line = String::new();
        // One byte at a time: the rest is read when it ends.
        let complaints = self.child.stderr.as_mut().unwrap();
        while !line.ends_with('\n') {
            let mut byte = [0];
            assert_eq!(complaints.read(&mut byte).unwrap(), 1, "{line}");
            line.push(char::from(byte[0]));
        }
        line
    }

    /// Presses Ctrl-C, and waits for the end.
    #[cfg(unix)]
    pub(crate) fn interrupt(self) -> Ran {
        let status = std::process::Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
        self.end()
    }

    /// Ends it at once, as the operating system does when memory runs out.
    #[cfg(feature = "redis")]
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> Ran {
        let mut stdout = String::new();
        self.lines.read_to_string(&mut stdout).unwrap();
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        Ran { code: self.child.wait().unwrap().code(), stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
