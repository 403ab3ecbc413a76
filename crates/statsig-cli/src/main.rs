//! The command `statsig`: evaluates, explains, watches and inspects Statsig projects.
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
//! | `watch` | `statsig watch`: updates as they come |
//! | `redis`, `events` | `statsig redis`, `statsig events`: a store and a stream of events in Redis |
//! | `remote` | places on the network: keys, addresses, a runtime, until Ctrl-C |
//! | [`questions`] | what is asked of a project, and names that it does not have |
//! | [`input`] | opening files, reading specs and users, saying where they are wrong |
//! | [`output`] | standard output or a file, and who closed it |
//! | [`failure`] | how the command ends |
//! | [`text`] | cells of a table: width, abbreviation, colour |

mod args;
mod clock;
mod eval;
#[cfg(feature = "redis")]
mod events;
mod explain;
mod failure;
mod input;
mod output;
mod questions;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "net")]
mod remote;
mod specs;
mod text;
#[cfg(feature = "net")]
mod watch;

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
        #[cfg(feature = "net")]
        Command::Watch(command) => command.run(),
        #[cfg(feature = "redis")]
        Command::Redis(command) => command.run(),
        #[cfg(feature = "redis")]
        Command::Events(command) => command.run(),
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
