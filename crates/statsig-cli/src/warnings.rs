//! Writes warnings and notes to standard error.

use std::io::Write;

use crate::mask::masked;
use crate::text;

/// Writes warnings, unless they are not wanted. Keys in them are masked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Warnings {
    /// Write nothing.
    pub(crate) quiet: bool,
}

impl Warnings {
    /// Writes a line.
    pub(crate) fn note(self, message: &str) {
        if !self.quiet {
            let _ = writeln!(anstream::stderr(), "{}", masked(message));
        }
    }

    /// Writes a warning.
    pub(crate) fn warn(self, message: &str) {
        if !self.quiet {
            let style = text::WARNING;
            // A warning that cannot be written must not stop the work.
            let _ = writeln!(anstream::stderr(), "{style}warning:{style:#} {}", masked(message));
        }
    }
}
