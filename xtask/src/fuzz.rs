//! `cargo xtask fuzz`.

use std::{path::Path, process::Command};

use anyhow::{Context, bail};
use clap::Args;

use crate::{
    shell::{cargo_command, find_program, output_of, run},
    workspace::Workspace,
};

/// Runs the fuzz targets for a bounded time
///
/// Runs each target of fuzz/ for the given number of seconds and fails at the first input that makes one panic, run out
/// of memory or take too long; cargo-fuzz then prints the file that holds the input. Needs a nightly compiler, which must
/// be installed already, and cargo-fuzz, which is installed from its sources if it is missing.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  \
        cargo xtask fuzz                          every target, 30 seconds each\n  \
        cargo xtask fuzz --seconds 600 evaluate   one target, ten minutes\n  \
        cargo xtask fuzz --list                   the names of the targets"
)]
pub(crate) struct Fuzz {
    /// How long each target runs
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// List the targets and do nothing else
    #[arg(long)]
    list: bool,
    /// The targets to run [default: all]
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
}

impl Fuzz {
    /// Runs the chore.
    pub(crate) fn run(&self, workspace: &Workspace) -> anyhow::Result<()> {
        let root = &workspace.root;
        if !root.join("fuzz/Cargo.toml").is_file() {
            bail!("there is no fuzz/ folder in {}", root.display());
        }
        let nightly = Nightly::find()?;
        ensure_cargo_fuzz(root)?;
        let known = nightly.targets(root)?;
        if self.list {
            known.iter().for_each(|name| println!("{name}"));
            return Ok(());
        }
        for name in chosen(&known, &self.targets)? {
            println!("\n── {name}, {} s", self.seconds);
            // New inputs are kept in the first folder, which is not part of the sources.
            let found = format!("fuzz/corpus/{name}");
            std::fs::create_dir_all(root.join(&found)).with_context(|| format!("cannot create {found}"))?;
            let seeds = format!("fuzz/seeds/{name}");
            let time = format!("-max_total_time={}", self.seconds);
            let options = [&*time, "-timeout=20", "-dict=fuzz/json.dict"];
            run(nightly.cargo_fuzz(root).args(["run", name, &found, &seeds, "--"]).args(options))?;
        }
        Ok(())
    }
}

/// The targets to run: those asked for, or all.
fn chosen<'a>(known: &'a [String], asked: &'a [String]) -> anyhow::Result<&'a [String]> {
    if asked.is_empty() {
        return Ok(known);
    }
    match asked.iter().find(|name| !known.contains(name)) {
        Some(unknown) => bail!("no fuzz target `{unknown}`; there are: {}", known.join(", ")),
        None => Ok(asked),
    }
}

/// How to reach a nightly cargo.
enum Nightly {
    /// The cargo that runs us is a nightly one.
    Own,
    /// Through rustup, by the toolchain's name.
    Rustup(String),
}

impl Nightly {
    fn find() -> anyhow::Result<Self> {
        let toolchains = output_of(Command::new("rustup").args(["toolchain", "list"]));
        if let Some(name) = toolchains.as_deref().and_then(first_nightly) {
            return Ok(Self::Rustup(name.to_owned()));
        }
        let own = output_of(Command::new("rustc").arg("--version"));
        if own.is_some_and(|version| version.contains("nightly")) {
            return Ok(Self::Own);
        }
        bail!("fuzzing needs a nightly compiler: install one with `rustup toolchain install nightly`")
    }

    /// `cargo fuzz` at the workspace's root, on the nightly compiler.
    fn cargo_fuzz(&self, root: &Path) -> Command {
        match self {
            Self::Own => cargo_command(root, ["fuzz"]),
            Self::Rustup(toolchain) => {
                let mut command = Command::new("rustup");
                command.current_dir(root).args(["run", toolchain, "cargo", "fuzz"]);
                // Set by the stable cargo that started us; they would win over the toolchain chosen here.
                for variable in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
                    command.env_remove(variable);
                }
                command
            }
        }
    }

    fn targets(&self, root: &Path) -> anyhow::Result<Vec<String>> {
        let listing = output_of(self.cargo_fuzz(root).arg("list"))
            .context("`cargo fuzz list` failed: is fuzz/Cargo.toml in order?")?;
        Ok(listing.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect())
    }
}

/// The first nightly toolchain in the output of `rustup toolchain list`.
fn first_nightly(listing: &str) -> Option<&str> {
    listing.lines().filter_map(|line| line.split_whitespace().next()).find(|name| name.starts_with("nightly"))
}

fn ensure_cargo_fuzz(root: &Path) -> anyhow::Result<()> {
    if find_program("cargo-fuzz").is_some() {
        return Ok(());
    }
    println!("cargo-fuzz is not installed: building it from its sources, once.");
    run(&mut cargo_command(root, ["install", "cargo-fuzz", "--locked"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nightly_toolchain_is_found_in_the_listing() {
        let listing = "stable-x86_64 (active, default)\nnightly-2026-01-01-x86_64\nnightly-x86_64\n";
        assert_eq!(first_nightly(listing), Some("nightly-2026-01-01-x86_64"));
        assert_eq!(first_nightly("stable-x86_64\n1.88.0-nightlyish\n"), None);
    }

    #[test]
    fn all_targets_run_unless_some_are_named() {
        let known = ["specs".to_owned(), "users".to_owned()];
        assert_eq!(chosen(&known, &[]).unwrap(), known);
        assert_eq!(chosen(&known, &["users".to_owned()]).unwrap(), ["users"]);
        let error = chosen(&known, &["other".to_owned()]).unwrap_err().to_string();
        assert_eq!(error, "no fuzz target `other`; there are: specs, users");
    }
}
