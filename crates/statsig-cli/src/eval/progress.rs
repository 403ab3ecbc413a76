//! How far a run is, on a terminal.

use std::io::Read;
use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on standard error; nothing in a pipe.
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Shows nothing.
    pub(super) fn none() -> Self {
        Self { bar: ProgressBar::hidden() }
    }

    /// Shows how much of a file was read; for a pipe, how much has come.
    pub(super) fn of_file(path: &Path) -> Self {
        let size = path.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
        let (bar, template) = match size {
            Some(size) => (ProgressBar::new(size), "{bar:30} {percent:>3} %  {msg}  {elapsed} of about {duration}"),
            None => (ProgressBar::no_length(), "{spinner} {binary_bytes} read  {msg}  {elapsed}"),
        };
        bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(5));
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self { bar: bar.with_style(style) }
    }

    /// Whether somebody sees it.
    pub(super) fn is_wanted(&self) -> bool {
        !self.bar.is_hidden()
    }

    /// Counts what is read from `reader`.
    pub(super) fn watch(&self, reader: impl Read + Send + 'static) -> Box<dyn Read + Send> {
        if self.is_wanted() { Box::new(self.bar.wrap_read(reader)) } else { Box::new(reader) }
    }

    /// Says how many users are done.
    pub(super) fn set_users(&self, users: u64) {
        if self.is_wanted() {
            self.bar.set_message(crate::text::count(users, "user"));
        }
    }

    /// Calls `write`, which may write to the same terminal.
    pub(super) fn aside<R>(&self, write: impl FnOnce() -> R) -> R {
        self.bar.suspend(write)
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
