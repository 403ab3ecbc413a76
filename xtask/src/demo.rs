//! `cargo xtask demo`.

use std::fs;

use anyhow::Context;
use clap::Args;

use crate::{
    shell::{cargo_command, run},
    workspace::Workspace,
};

/// The made-up project, relative to the workspace's root.
const SPECS: &str = "examples/specs/demo_project.json";

/// Its users, one JSON object a line.
const USERS: &str = "examples/users.jsonl";

/// Evaluates the example project for its users, and explains one result
///
/// Builds the `statsig` command, evaluates every gate, config, experiment and layer of examples/specs/demo_project.json
/// for every user of examples/users.jsonl and prints the values with their reasons; then shows how one user comes to a
/// value of the experiment `button_color_v3`, rule by rule. Needs no network, no account and no Redis.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Demo {}

impl Demo {
    /// Runs the chore.
    pub(crate) fn run(&self, workspace: &Workspace) -> anyhow::Result<()> {
        let users = workspace.root.join(USERS);
        let text = fs::read_to_string(&users).with_context(|| format!("cannot read {}", users.display()))?;
        let user = text.lines().find(|line| !line.trim().is_empty()).context("there is no user")?;
        let statsig = ["run", "--quiet", "--package", "statsig-cli", "--"];
        let eval = ["eval", "--specs", SPECS, "--users", USERS, "--all", "--format", "table"];
        let explain = ["explain", "--specs", SPECS, "--user", user, "experiment", "button_color_v3"];
        run(cargo_command(&workspace.root, statsig).args(eval))?;
        println!();
        run(cargo_command(&workspace.root, statsig).args(explain))
    }
}
