//! `cargo xtask publish-dry-run`.

use std::{env, process::Command};

use clap::Args;

use crate::{
    shell::{cargo_command, run},
    workspace::Workspace,
};

/// Packages every published crate of the workspace and builds it from its package
///
/// Runs `cargo publish --workspace --dry-run`: nothing is uploaded. The crates are built against each other's packages, as
/// the registry would serve them, which shows files that a package lacks. `cargo xtask lint` does the same without the
/// builds. Never dry-run a single crate: its siblings would come from the registry, where others may own their names.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct PublishDryRun {}

impl PublishDryRun {
    /// Runs the chore.
    pub(crate) fn run(&self, workspace: &Workspace) -> anyhow::Result<()> {
        run(&mut dry_run(workspace, &[]))
    }
}

/// Packages every published crate, without building it; prints the reason and succeeds where cargo may not use the network.
///
/// # Errors
/// When a crate cannot be packaged, or the registry does not answer.
pub(crate) fn check_packaging(workspace: &Workspace) -> anyhow::Result<()> {
    if env::var_os("CARGO_NET_OFFLINE").is_some_and(|offline| offline == "true") {
        println!("Left out: packaging asks the registry, and CARGO_NET_OFFLINE is set.");
        return Ok(());
    }
    // Warnings tell of each test that a package leaves out.
    run(&mut dry_run(workspace, &["--no-verify", "--quiet"]))
}

/// The dry run for the whole workspace, with more arguments.
fn dry_run(workspace: &Workspace, more: &[&str]) -> Command {
    let mut command = cargo_command(&workspace.root, ["publish", "--workspace", "--dry-run", "--allow-dirty"]);
    command.args(more);
    command
}
