//! How far a run is, on a terminal.

use std::io::{IsTerminal, Read};
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::text::count;

/// Runs that are over sooner show no bar.
const PATIENCE: Duration = Duration::from_millis(400);

/// A bar on standard error; nothing in a pipe.
pub(super) struct Progress {
    bar: ProgressBar,
    /// Whether somebody would see it.
    wanted: bool,
}

impl Progress {
    /// Shows nothing.
    pub(super) fn none() -> Self {
        Self { bar: ProgressBar::hidden(), wanted: false }
    }

    /// Shows how much of a file was read; for a pipe, how much has come.
    pub(super) fn of_file(path: &Path) -> Self {
        let size = path.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
        let template = match size {
            Some(_) => "{bar:30} {percent:>3} %  {msg}  {elapsed} of about {duration}",
            None => "{spinner} {binary_bytes} read  {msg}  {elapsed}",
        };
        let bar = ProgressBar::with_draw_target(size, ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self { bar: bar.with_style(style), wanted: std::io::stderr().is_terminal() }
    }

    /// Whether somebody would see it.
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// Counts what is read from `reader`.
    pub(super) fn watch(&self, reader: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
        if self.wanted { Box::new(self.bar.wrap_read(reader)) } else { reader }
    }

    /// Says how many users are done.
    pub(super) fn set_users(&self, users: u64) {
        if !self.wanted {
            return;
        }
        if self.bar.is_hidden() && self.bar.elapsed() > PATIENCE {
            self.bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(5));
        }
        self.bar.set_message(count(users, "user"));
    }

    /// Calls `write`, which writes to the same terminal.
    pub(super) fn aside<R>(&self, write: impl FnOnce() -> R) -> R {
        self.bar.suspend(write)
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
