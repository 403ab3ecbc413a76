//! `cargo xtask conformance`.

use std::path::PathBuf;

use clap::Args;

use crate::{
    shell::{cargo_command, run},
    workspace::Workspace,
};

/// The command `statsig` with nothing but its subcommand `conformance`.
const RUNNER: [&str; 9] = [
    "run",
    "--release",
    "--package",
    "statsig-cli",
    "--no-default-features",
    "--features",
    "conformance",
    "--",
    "conformance",
];

/// Compares this build with recorded results of a Statsig server SDK
///
/// Builds the command `statsig` with its feature `conformance` in release mode, evaluates every user of every set of a corpus, compares each field with the
/// recorded one, and prints how many agree by kind and the first that do not. Differences that the project makes on
/// purpose are counted apart, by rule. The corpus is the project's own (integration-tests/corpus) unless a folder is
/// given; the README there describes the format.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Conformance {
    /// A folder of sets, or one set [default: the project's own corpus]
    #[arg(value_name = "CORPUS")]
    corpus: Option<PathBuf>,
    /// Further arguments for `statsig conformance`
    #[arg(last = true, value_name = "ARGS")]
    extra: Vec<String>,
}

impl Conformance {
    /// Runs the chore.
    pub(crate) fn run(&self, workspace: &Workspace) -> anyhow::Result<()> {
        let mut command = cargo_command(&workspace.root, RUNNER);
        if let Some(corpus) = &self.corpus {
            // The command runs at the workspace's root, wherever we were called.
            command.arg(std::path::absolute(corpus)?);
        }
        run(command.args(&self.extra))
    }
}
