//! `cargo xtask publish-dry-run`.

use std::process::Command;

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

/// The dry run for the whole workspace, with more arguments.
pub(crate) fn dry_run(workspace: &Workspace, more: &[&str]) -> Command {
    let mut command = cargo_command(&workspace.root, ["publish", "--workspace", "--dry-run", "--allow-dirty"]);
    command.args(more);
    command
}
