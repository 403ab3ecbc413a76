//! `cargo xtask bench`.

use anyhow::{Context, ensure};
use clap::Args;

use crate::{
    shell::{cargo_command, find_program, run},
    workspace::Workspace,
};

/// The package whose benchmarks are run.
const PACKAGE: &str = "statsig-core";

/// The benchmark that counts instructions; it runs under valgrind.
const INSTRUCTIONS: &str = "instructions";

/// Measures the core: time, then instructions
///
/// Runs the core's benchmarks (crates/statsig-core/benches) and, where valgrind is installed, the one that counts
/// instructions per operation; without valgrind that part is skipped, and the output says so. Figures in time depend on
/// the machine and are never asserted; instruction counts hardly vary and are good for comparing two builds.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  \
        cargo xtask bench                  everything\n  \
        cargo xtask bench -- gate          benchmarks of time with `gate` in their name, then the instructions\n  \
        cargo xtask bench --no-time        only the instruction counts"
)]
pub(crate) struct Bench {
    /// Leave out the benchmarks of time
    #[arg(long)]
    no_time: bool,
    /// Leave out the instruction counts
    #[arg(long, conflicts_with = "no_time")]
    no_instructions: bool,
    /// Arguments for the benchmarks of time, for example a filter
    #[arg(last = true, value_name = "ARGS")]
    extra: Vec<String>,
}

impl Bench {
    /// Runs the chore.
    pub(crate) fn run(&self, workspace: &Workspace) -> anyhow::Result<()> {
        let member = workspace.member(PACKAGE).context("the workspace lacks the core")?;
        if !self.no_time {
            let timed: Vec<_> = member.benches.iter().filter(|name| *name != INSTRUCTIONS).collect();
            ensure!(!timed.is_empty(), "{PACKAGE} has no benchmarks of time");
            let mut command = cargo_command(&workspace.root, ["bench", "--package", PACKAGE]);
            for name in timed {
                command.args(["--bench", name]);
            }
            run(command.arg("--").args(&self.extra))?;
        }
        if self.no_instructions || !member.benches.iter().any(|name| name == INSTRUCTIONS) {
            return Ok(());
        }
        if find_program("valgrind").is_none() {
            println!("Skipped the instruction counts: valgrind is not on the path.");
            return Ok(());
        }
        run(&mut cargo_command(&workspace.root, ["bench", "--package", PACKAGE, "--bench", INSTRUCTIONS]))
    }
}
