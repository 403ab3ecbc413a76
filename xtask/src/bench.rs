//! `cargo xtask bench`.

use anyhow::{Context, ensure};
use clap::Args;

use crate::{
    shell::{cargo_command, find_program, run},
    workspace::Workspace,
};

/// The package whose benchmarks are run unless another one is named.
const PACKAGE: &str = "statsig-core";

/// The benchmark that counts instructions; it runs under valgrind.
const INSTRUCTIONS: &str = "instructions";

/// Measures a crate, by default the core: time, then instructions
///
/// Runs the benchmarks of a crate (crates/statsig-core/benches, say) and, where valgrind is installed, the one that counts
/// instructions per operation; without valgrind that part is skipped, and the output says so. Figures in time depend on
/// the machine and are never asserted; instruction counts hardly vary and are good for comparing two builds.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  \
        cargo xtask bench                  everything\n  \
        cargo xtask bench -- gate          benchmarks of time with `gate` in their name, then the instructions\n  \
        cargo xtask bench --no-time        only the instruction counts\n  \
        cargo xtask bench --package statsig-net    starts, swaps, ID lists"
)]
pub(crate) struct Bench {
    /// The crate that is measured
    #[arg(long, value_name = "CRATE", default_value = PACKAGE)]
    package: String,
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
        let member =
            workspace.member(&self.package).with_context(|| format!("the workspace has no crate {}", self.package))?;
        if !self.no_time {
            let timed: Vec<_> = member.benches.iter().filter(|name| *name != INSTRUCTIONS).collect();
            ensure!(!timed.is_empty(), "{} has no benchmarks of time", self.package);
            let mut command = cargo_command(&workspace.root, ["bench", "--package", &self.package]);
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
        run(&mut cargo_command(&workspace.root, ["bench", "--package", &self.package, "--bench", INSTRUCTIONS]))
    }
}
