//! Drives Statsig clients by JSON lines: requests on standard input, answers on standard output.
//!
//! A test suite in any language starts this program and talks to it; README.md tells the protocol.
//!
//! | file | what it does |
//! | --- | --- |
//! | `line` | cuts the input into lines, and bounds them |
//! | `request` | reads a line: operation, client, fields |
//! | `answer` | what goes back, and the errors there are |
//! | `session` | from line to line: finds the client, runs the operation, ends in order |
//! | `ops` | the table of operations |
//! | `create` | a client from the options of `create` |
//! | `checks`, `events`, `overrides` | what the operations do |

mod answer;
mod checks;
mod create;
mod events;
mod line;
mod ops;
mod overrides;
mod request;
mod session;
mod sync;

use std::io;

use anyhow::Context;
use clap::Parser;

/// Drives Statsig clients by JSON lines: requests on standard input, answers on standard output
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Longest line that is read; of a longer one, only an error comes back
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20)]
    max_line_bytes: usize,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the threads for background work")?;
    let lines = line::Lines::new(io::stdin().lock(), arguments.max_line_bytes);
    let answered = session::run(lines, io::stdout(), runtime.handle());
    // What still runs has had its time.
    runtime.shutdown_background();
    answered
}
