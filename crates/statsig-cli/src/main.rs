//! The command `statsig`: evaluates, explains and inspects Statsig projects, without network or account.
//!
//! This crate owns arguments, files, tables, progress and exit codes; how a value comes about is the
//! business of `statsig-core`, and how recorded results are replayed that of `statsig-testkit`.
//!
//! | module | what |
//! | --- | --- |
//! | [`args`] | the command line, what it shares between subcommands |
//! | [`eval`] | `statsig eval`: many users, many names, as a stream |
//! | [`explain`] | `statsig explain`: one user, one name, step by step |
//! | [`specs`] | `statsig specs`: what is in a document |
//! | [`questions`] | what is asked of a project, and names that it does not have |
//! | [`input`] | opening files, reading specs and users, saying where they are wrong |
//! | [`output`] | standard output or a file, and who closed it |
//! | [`failure`] | how the command ends |
//! | [`text`] | cells of a table: width, abbreviation, colour |

mod args;
mod eval;
mod explain;
mod failure;
mod input;
mod output;
mod questions;
mod specs;
mod text;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};
use crate::failure::Failure;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Eval(command) => command.run(),
        Command::Explain(command) => command.run(),
        Command::Specs(command) => command.run(),
    };
    match done {
        Ok(ending) => ending.into(),
        // Whoever read our output has seen enough: `| head` is no failure.
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            report(&failure);
            failure.exit_code()
        }
    }
}

fn report(failure: &Failure) {
    let style = text::ERROR;
    let mut stderr = anstream::stderr();
    // There is nowhere left to complain to when standard error is closed.
    let _ = writeln!(stderr, "{style}error:{style:#} {failure}");
    if let Some(hint) = failure.hint() {
        let _ = writeln!(stderr, "  hint: {hint}");
    }
}
