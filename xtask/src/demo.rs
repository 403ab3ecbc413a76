//! `cargo xtask demo`.

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

use anyhow::{Context, bail};
use clap::Args;

use crate::{
    shell::{cargo_command, run},
    workspace::Workspace,
};

/// The made-up project, relative to the workspace's root.
const SPECS: &str = "examples/specs/demo_project.json";

/// Its users, one JSON object a line.
const USERS: &str = "examples/users.jsonl";

/// Lines of users who come out differently.
const CHOSEN_USERS: [usize; 6] = [1, 3, 5, 12, 13, 15];

/// What they are asked.
const CHOSEN_NAMES: [&str; 10] = [
    "--gate",
    "new_editor",
    "--gate",
    "ai_summaries",
    "--config",
    "upload_limits",
    "--experiment",
    "button_color_v3",
    "--layer",
    "home_screen",
];

/// Evaluates the example project for some of its users, and explains one result
///
/// Builds the `statsig` command, evaluates two gates, a config, an experiment and a layer of
/// examples/specs/demo_project.json for six users of examples/users.jsonl and prints the values with their reasons; then
/// shows how the first user comes to a value of the experiment `button_color_v3`, rule by rule. Needs no network, no
/// account and no Redis.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Demo {}

impl Demo {
    /// Runs the chore.
    pub(crate) fn run(&self, workspace: &Workspace) -> anyhow::Result<()> {
        let path = workspace.root.join(USERS);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let users = chosen(&text)?;
        let first = users.first().copied().unwrap_or_default();
        // The build comes first and shows its progress, so that nothing stands between the results.
        run(&mut cargo_command(&workspace.root, ["build", "--package", "statsig-cli"]))?;
        let statsig = || cargo_command(&workspace.root, ["run", "--quiet", "--package", "statsig-cli", "--"]);

        println!("\nSix of the users in {USERS}, some names of the project {SPECS}:");
        println!("$ statsig eval --specs {SPECS} --users - {}\n", CHOSEN_NAMES.join(" "));
        feed(statsig().args(["eval", "--specs", SPECS, "--users", "-"]).args(CHOSEN_NAMES), &users.join("\n"))?;

        println!("\nHow the first of them comes to a value of the experiment:");
        println!("$ statsig explain --specs {SPECS} --user \"$(head -n 1 {USERS})\" experiment button_color_v3\n");
        let explain = ["explain", "--specs", SPECS, "--user", first, "experiment", "button_color_v3"];
        feed(statsig().args(explain), "")?;
        println!("\nEverything, for all users:");
        println!("$ cargo run --package statsig-cli -- eval --specs {SPECS} --users {USERS} --all");
        Ok(())
    }
}

/// The chosen lines of the users' file.
fn chosen(text: &str) -> anyhow::Result<Vec<&str>> {
    let lines: Vec<&str> = text.lines().collect();
    let line = |number: &usize| lines.get(number - 1).copied().with_context(|| format!("{USERS} has no line {number}"));
    CHOSEN_USERS.iter().map(line).collect()
}

/// Runs a command with a text on its standard input.
///
/// # Errors
/// When it cannot be started, does not read the text, or ends with anything but success.
fn feed(command: &mut Command, input: &str) -> anyhow::Result<()> {
    let mut child = command.stdin(Stdio::piped()).spawn().context("cannot start the command statsig")?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).context("the command statsig does not read its users")?;
    }
    let status = child.wait().context("the command statsig is lost")?;
    if !status.success() {
        bail!("the command statsig failed ({status})");
    }
    Ok(())
}
