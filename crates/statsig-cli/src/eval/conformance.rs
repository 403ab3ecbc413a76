//! `statsig eval --conformance`: replaying a recorded set.

use std::path::{Path, PathBuf};

use statsig_conformance::{Kinds, RunError, run_set};

use crate::failure::{Ending, Failure};
use crate::output::Output;

/// Evaluates what the plan of a set asks for, and writes one record a line.
pub(super) fn replay(set: &Path, out: Option<&PathBuf>) -> Result<Ending, Failure> {
    let mut output = Output::open(out)?;
    run_set(set, Kinds::ALL, &mut output).map_err(|error| match error {
        RunError::Write(source) => output.failure(source),
        other => Failure::input(anyhow::Error::from(other).context(format!("cannot replay {}", set.display()))),
    })?;
    output.finish()?;
    Ok(Ending::Clean)
}
