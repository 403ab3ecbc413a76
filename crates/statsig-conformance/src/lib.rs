//! The conformance corpus: its files, its records, and the rules by which results are compared.
//!
//! What comes in: a folder of *sets*. Each set holds `specs`, `users` and `plan` (JSON) and
//! `expected` (one record a line), plain or gzip. What goes out: a [`Report`] that counts, by
//! category, how many fields agree, and keeps the first that do not.
//!
//! | module | what |
//! | --- | --- |
//! | [`set`] | finding and opening the files of a set |
//! | [`plan`] | what a set asks for, and its users |
//! | [`record`] | one result, as it is written |
//! | [`equality`] | when two JSON values count as the same |
//! | [`mod@compare`] | walking two result files |
//! | [`exceptions`] | the places where this project differs on purpose |
//! | [`report`] | counts and differences |
//! | [`suite`] | many sets at once, on all cores |
//!
//! # What is not compared
//!
//! The part of a reason after the first colon (`Recognized:IdListInMemory`) is detail of the
//! reference and never compared. Records in which the reference itself failed (`error` instead of
//! a value) are skipped.

mod client_response;
pub mod compare;
pub mod equality;
mod events;
pub mod exceptions;
mod fields;
pub mod plan;
pub mod record;
pub mod report;
pub mod runner;
mod script;
pub mod set;
pub mod suite;

pub use compare::{Comparison, Kind, Kinds, compare};
pub use exceptions::{Difference, Exception};
pub use report::{Mismatch, Report, Tally};
pub use runner::{Input, RunError, run_set};
pub use set::SpecSet;
pub use suite::{Outcome, Suite};

use std::path::PathBuf;

/// Why a corpus or a result file could not be used.
///
/// A difference between results is no error: it is counted in the [`Report`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be opened, read or listed.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A set lacks one of its parts, both plain and compressed.
    #[error("{} holds neither {part} nor {part}.gz", dir.display())]
    MissingPart {
        /// The set's folder.
        dir: PathBuf,
        /// The part's file name without `.gz`.
        part: &'static str,
    },
    /// A whole file is not the JSON that it should be.
    #[error("{} is not a valid {part}", path.display())]
    Document {
        /// The file.
        path: PathBuf,
        /// Which part of a set it should have been.
        part: &'static str,
        /// Where and why parsing failed.
        source: serde_json::Error,
    },
    /// A line of a result file is no record.
    #[error("line {line} of the {side} results is not a record")]
    Record {
        /// `expected` or `actual`.
        side: &'static str,
        /// The line's number, from 1.
        line: usize,
        /// Where and why parsing failed.
        source: serde_json::Error,
    },
    /// A result file broke off while it was read.
    #[error("cannot read line {line} of the {side} results")]
    Read {
        /// `expected` or `actual`.
        side: &'static str,
        /// The line's number, from 1.
        line: usize,
        /// What the reader said.
        source: std::io::Error,
    },
}
