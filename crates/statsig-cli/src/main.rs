//! The command `statsig`: evaluates, explains, watches and inspects Statsig projects.
//!
//! This crate owns arguments, files, tables, progress and exit codes. Values come from `statsig-core`,
//! comparisons with recorded results from `statsig-conformance`.
//!
//! | module | content |
//! | --- | --- |
//! | [`args`], [`presentation`], [`conditions`] | the command line, and options that subcommands share |
//! | [`eval`] | `statsig eval`: many users, many names, as a stream |
//! | [`explain`] | `statsig explain`: one user, one name, step by step |
//! | [`specs`] | `statsig specs`: the contents of a document |
//! | `watch` | `statsig watch`: updates as they come |
//! | `redis`, `events` | `statsig redis`, `statsig events`: a store and a stream of events in Redis |
//! | [`completions`], [`man`] | completion scripts and manual pages |
//! | `conformance` | `statsig conformance`: comparison with recorded results (feature `conformance`) |
//! | `remote` | places on the network: keys, addresses, a runtime, until Ctrl-C |
//! | [`malformed`] | specs that cannot be used |
//! | [`questions`] | names that are evaluated, and names that the project does not have |
//! | [`input`] | files, specs and users, and errors that name the place in them |
//! | [`output`] | standard output, or a file that is replaced as a whole |
//! | [`failure`], [`warnings`] | exit codes, errors and warnings |
//! | [`mask`] | keys in messages |
//! | [`text`], [`help`] | cells of a table, broken lines, colours; help texts |

mod args;
mod completions;
mod conditions;
#[cfg(feature = "conformance")]
mod conformance;
mod eval;
#[cfg(feature = "redis")]
mod events;
mod explain;
mod failure;
mod help;
mod input;
mod malformed;
mod man;
mod mask;
mod now;
mod output;
mod presentation;
mod questions;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "net")]
mod remote;
mod specs;
mod text;
mod warnings;
#[cfg(feature = "net")]
mod watch;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::args::{Cli, Command};
use crate::failure::Failure;
use crate::mask::{masked, masked_argument};
use crate::warnings::Warnings;

fn main() -> ExitCode {
    let Cli { quiet, command } = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let warnings = Warnings { quiet };
    let done = match command {
        Command::Eval(command) => command.run(warnings),
        Command::Explain(command) => command.run(warnings),
        Command::Specs(command) => command.run(warnings),
        #[cfg(feature = "net")]
        Command::Watch(command) => command.run(warnings),
        #[cfg(feature = "redis")]
        Command::Redis(command) => command.run(warnings),
        #[cfg(feature = "redis")]
        Command::Events(command) => command.run(warnings),
        #[cfg(feature = "conformance")]
        Command::Conformance(command) => command.run(warnings),
        Command::Completions(command) => command.run(Cli::command()),
        Command::Man(command) => command.run(Cli::command),
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

/// Prints help, the version, or the reason why the command line is wrong, which repeats arguments: one
/// of them may be a key in the wrong place.
fn refuse(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Standard output may be closed early.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = masked_argument(&error.render().ansi().to_string());
    let _ = write!(anstream::stderr(), "{text}");
    ExitCode::from(2)
}

fn report(failure: &Failure) {
    let style = text::ERROR;
    let mut stderr = anstream::stderr();
    // There is nowhere left to complain to when standard error is closed.
    let _ = writeln!(stderr, "{style}error:{style:#} {}", masked(&failure.to_string()));
    if let Some(hint) = failure.hint() {
        let _ = writeln!(stderr, "  hint: {}", masked(hint));
    }
}
