//! `cargo xtask test`.

use clap::Args;

use crate::{
    requirements,
    shell::{cargo_command, has_cargo_subcommand, run},
    workspace::Workspace,
};

/// Runs every test of the workspace
///
/// First finds the programs that some tests start as real peers, such as redis-server (nothing is needed for the core). A
/// missing one is installed with the system's package manager, after the commands are shown; `--no-install` prevents
/// that. Then builds the examples and runs the documentation tests, and last the unit,
/// property, conformance and integration tests, all with every feature: with cargo-nextest where that is installed,
/// else with `cargo test`. No test needs the network or an account.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  \
        cargo xtask test                            everything\n  \
        cargo xtask test --only-tests -- -p statsig-core operators\n                                              \
        the core's tests with `operators` in their name"
)]
pub(crate) struct Test {
    /// Leave out the examples and the documentation tests
    #[arg(long)]
    only_tests: bool,
    /// Fail where a program is missing, rather than install it
    #[arg(long)]
    no_install: bool,
    /// Arguments for `cargo nextest run` (or `cargo test`)
    #[arg(last = true, value_name = "ARGS")]
    extra: Vec<String>,
}

impl Test {
    /// Runs the chore.
    pub(crate) fn run(&self, workspace: &Workspace) -> anyhow::Result<()> {
        requirements::ensure(workspace, !self.no_install)?;
        let root = &workspace.root;
        // The long run comes last, so that its summary is what stands at the end.
        if !self.only_tests {
            run(&mut cargo_command(root, ["build", "--workspace", "--all-features", "--examples"]))?;
            run(&mut cargo_command(root, ["test", "--workspace", "--all-features", "--doc"]))?;
        }
        let runner: &[&str] = if has_cargo_subcommand(root, "nextest") {
            &["nextest", "run"]
        } else {
            &["test", "--lib", "--bins", "--tests"]
        };
        let mut command = cargo_command(root, runner);
        // A package named in the extra arguments narrows the run.
        if !self.extra.iter().any(|word| word == "-p" || word.starts_with("--package")) {
            command.arg("--workspace");
        }
        // One failure does not hide the others.
        run(command.args(["--all-features", "--no-fail-fast"]).args(&self.extra))
    }
}
