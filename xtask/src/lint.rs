//! `cargo xtask lint`.

use std::{process::Command, time::Instant};

use anyhow::bail;
use clap::Args;

use crate::{
    checks, deps,
    shell::{cargo_command, run},
    workspace::Workspace,
};

/// Checks format, lints, documentation and dependencies
///
/// Runs, and reports all that fail at the end:
///
/// - `cargo fmt --check`;
/// - clippy with warnings denied, all targets of the workspace: with all features and with none;
/// - clippy for each publishable crate with each of its features alone, and for the fuzz targets;
/// - rustdoc with broken links and other warnings denied;
/// - that no dependency needs a newer compiler than we promise;
/// - what `cargo xtask deps` checks: arrows between crates, sizes of trees, licences, bans and sources.
///
/// Nothing is linked or run, all steps share the usual target folder.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Lint {
    /// Stop at the first step that fails
    #[arg(long)]
    fail_fast: bool,
}

/// One step: what it is called and how it is done.
type Step<'a> = (String, Box<dyn FnOnce() -> anyhow::Result<()> + 'a>);

impl Lint {
    /// Runs the chore.
    pub(crate) fn run(&self, workspace: &Workspace) -> anyhow::Result<()> {
        let mut failed = Vec::new();
        for (name, step) in steps(workspace) {
            println!("\n── {name}");
            let start = Instant::now();
            if let Err(error) = step() {
                eprintln!("{name}: {error:#}");
                failed.push(name);
                if self.fail_fast {
                    break;
                }
            } else {
                println!("ok ({:.1} s)", start.elapsed().as_secs_f32());
            }
        }
        if !failed.is_empty() {
            bail!("failed: {}", failed.join("; "));
        }
        Ok(())
    }
}

/// Every step, the quick ones first.
fn steps(workspace: &Workspace) -> Vec<Step<'_>> {
    let cargo = |args: &[&str]| cargo_command(&workspace.root, args);
    let mut steps = vec![
        command_step("format", cargo(&["fmt", "--all", "--", "--check"])),
        step("dependencies", move || deps::check(workspace)),
        step("oldest compiler", move || deps::report(&checks::too_new(&workspace.packages))),
        command_step(
            "clippy, all features",
            clippy(cargo(&["clippy", "--workspace", "--all-targets", "--all-features"])),
        ),
        command_step(
            "clippy, no features",
            clippy(cargo(&["clippy", "--workspace", "--all-targets", "--no-default-features"])),
        ),
    ];
    for (package, feature) in single_features(workspace) {
        let command = cargo(&["clippy", "--package", package, "--no-default-features", "--features", feature]);
        steps.push(command_step(&format!("clippy, {package} with {feature} alone"), clippy(command)));
    }
    if workspace.root.join("fuzz/Cargo.toml").is_file() {
        // A workspace of its own; without its default features it needs neither nightly nor a C++ compiler.
        let mut command = cargo(&["clippy", "--manifest-path", "fuzz/Cargo.toml", "--no-default-features"]);
        if std::env::var_os("CARGO_TARGET_DIR").is_none() {
            command.env("CARGO_TARGET_DIR", workspace.root.join("target"));
        }
        steps.push(command_step("clippy, fuzz targets", clippy(command)));
    }
    let mut doc = cargo(&["doc", "--workspace", "--no-deps", "--all-features"]);
    doc.env("RUSTDOCFLAGS", "-D rustdoc::broken_intra_doc_links -D warnings");
    steps.push(command_step("documentation", doc));
    steps
}

/// Each feature of each crate that others can depend on.
fn single_features(workspace: &Workspace) -> impl Iterator<Item = (&str, &str)> {
    workspace
        .members
        .iter()
        .filter(|member| member.publishable)
        .flat_map(|member| member.features.iter().map(|feature| (member.name.as_str(), feature.as_str())))
}

fn clippy(mut command: Command) -> Command {
    command.args(["--", "-D", "warnings"]);
    command
}

fn command_step<'a>(name: &str, mut command: Command) -> Step<'a> {
    step(name, move || run(&mut command))
}

fn step<'a>(name: &str, action: impl FnOnce() -> anyhow::Result<()> + 'a) -> Step<'a> {
    (name.to_owned(), Box::new(action))
}
