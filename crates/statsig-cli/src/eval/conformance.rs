//! `statsig eval --conformance`: replaying a recorded set.

use std::path::{Path, PathBuf};

use statsig_conformance::{Kinds, RunError, run_set};

use crate::failure::{Ending, Failure};
use crate::input::file::InputFile;
use crate::output::{self, Output};

/// Files of a set; each may end in `.gz`.
const FILES: [&str; 3] = ["specs.json", "users.json", "plan.json"];

/// Evaluates what the plan of a set asks for, and writes one record a line.
pub(super) fn replay(set: &Path, out: Option<&PathBuf>) -> Result<Ending, Failure> {
    InputFile::new("--conformance", set).refuse_address()?;
    let files: Vec<PathBuf> = FILES.iter().flat_map(|file| [set.join(file), set.join(format!("{file}.gz"))]).collect();
    output::refuse_inputs(out, files.iter().map(|file| InputFile::new("--conformance", file)))?;
    let mut output = Output::open(out)?;
    run_set(set, Kinds::ALL, &mut output).map_err(|error| match error {
        RunError::Write(source) => output.failure(source),
        other => Failure::input(anyhow::Error::from(other).context(format!("cannot replay {}", set.display()))),
    })?;
    output.finish()?;
    Ok(Ending::Clean)
}
