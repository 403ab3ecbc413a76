//! The chores of this workspace: `cargo xtask --help` lists them, `cargo xtask CHORE --help` explains one.
//!
//! Each chore is a thin layer over `cargo` and a few checks of our own. What the checks enforce is data in
//! [`architecture`]; how they look at the workspace is in [`workspace`]; the checks themselves are pure functions in
//! [`checks`], tested on made-up workspaces.
//!
//! The tree of this crate is small on purpose: it is compiled before every test run.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program talks to its user through these")]

mod advisories;
mod architecture;
mod bench;
mod checks;
mod conformance;
mod demo;
mod deps;
mod fuzz;
mod lint;
mod policy;
mod publish;
mod requirements;
mod shell;
mod test;
mod wasm;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "The chores of this workspace",
    after_help = "`cargo xtask CHORE --help` tells what a chore does, needs and leaves behind.\n\
                  CI runs `test` and `lint`, nothing else."
)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

/// What can be done.
#[derive(Debug, Subcommand)]
enum Chore {
    Demo(demo::Demo),
    Test(test::Test),
    Lint(lint::Lint),
    Conformance(conformance::Conformance),
    Bench(bench::Bench),
    Fuzz(fuzz::Fuzz),
    Deps(deps::Deps),
    Advisories(advisories::Advisories),
    PublishDryRun(publish::PublishDryRun),
}

fn main() -> ExitCode {
    match run(Cli::parse().chore) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(chore: Chore) -> anyhow::Result<()> {
    let workspace = Workspace::load()?;
    match chore {
        Chore::Demo(chore) => chore.run(&workspace),
        Chore::Test(chore) => chore.run(&workspace),
        Chore::Lint(chore) => chore.run(&workspace),
        Chore::Conformance(chore) => chore.run(&workspace),
        Chore::Bench(chore) => chore.run(&workspace),
        Chore::Fuzz(chore) => chore.run(&workspace),
        Chore::Deps(chore) => chore.run(&workspace),
        Chore::Advisories(chore) => chore.run(&workspace),
        Chore::PublishDryRun(chore) => chore.run(&workspace),
    }
}
