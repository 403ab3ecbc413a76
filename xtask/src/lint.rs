//! `cargo xtask lint`.

use std::{process::Command, time::Instant};

use anyhow::bail;
use clap::Args;

use crate::{
    architecture::ALLOWED_CIRCLES,
    checks, deps, publish,
    shell::{cargo_command, run},
    wasm,
    workspace::Workspace,
};

/// Checks format, lints, documentation and dependencies
///
/// Runs, and reports all that fail at the end:
///
/// - `cargo fmt --check`;
/// - clippy with warnings denied, all targets of the workspace: with all features and with none;
/// - clippy for each crate in crates/ with each of its features alone, and for the fuzz targets;
/// - rustdoc with broken links and other warnings denied;
/// - that no dependency needs a newer compiler than we promise;
/// - what `cargo xtask deps` checks: arrows between crates, sizes of trees, licences, bans and sources;
/// - that no files of different folders of a crate import each other in a circle;
/// - that all crates can be packaged together (`cargo publish --workspace --dry-run --no-verify`; asks the registry,
///   and is left out if CARGO_NET_OFFLINE is set);
/// - that the core compiles for wasm32-unknown-unknown. The target is added with rustup if it is missing; where that is
///   impossible, the check is left out, and the output says why.
///
/// Nothing is linked or run, all steps share the usual target folder.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Lint {
    /// Stop at the first step that fails
    #[arg(long)]
    fail_fast: bool,
    /// Run only the steps with this text in their name, for instance `circles` or `statsig-net`
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

/// One step: what it is called and how it is done.
type Step<'a> = (String, Box<dyn FnOnce() -> anyhow::Result<()> + 'a>);

impl Lint {
    /// Runs the chore.
    pub(crate) fn run(&self, workspace: &Workspace) -> anyhow::Result<()> {
        let mut failed = Vec::new();
        let mut steps = steps(workspace);
        if let Some(text) = &self.only {
            steps.retain(|(name, _)| name.contains(text.as_str()));
            if steps.is_empty() {
                bail!("no step has `{text}` in its name");
            }
        }
        for (name, step) in steps {
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
        step("import circles", move || deps::report(&checks::import_circles(workspace, ALLOWED_CIRCLES))),
        step("packaging", move || publish::check_packaging(workspace)),
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
    steps.push(step("core for WebAssembly", move || wasm::check_core(workspace)));
    let mut doc = cargo(&["doc", "--workspace", "--no-deps", "--all-features"]);
    doc.env("RUSTDOCFLAGS", "-D rustdoc::broken_intra_doc_links -D warnings");
    steps.push(command_step("documentation", doc));
    steps
}

/// Each feature of each crate that others can depend on, or install.
fn single_features(workspace: &Workspace) -> impl Iterator<Item = (&str, &str)> {
    workspace
        .members
        .iter()
        .filter(|member| member.folder.starts_with("crates"))
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
