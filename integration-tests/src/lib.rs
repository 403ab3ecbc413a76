//! What the tests of the whole workspace share: where their data lies, and a way to put small
//! projects together.

pub mod project;

use std::path::PathBuf;

/// The folder of recorded sets.
#[must_use]
pub fn corpus() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "corpus"].iter().collect()
}

/// One of the hand-made tables of facts.
#[must_use]
pub fn data(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "data", name].iter().collect()
}
