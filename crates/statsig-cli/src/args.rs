//! The command line: subcommands, and the options that all of them take.

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand};

#[cfg(feature = "conformance")]
use crate::conformance;
#[cfg(feature = "net")]
use crate::watch;
use crate::{completions, eval, explain, help, man, specs};
#[cfg(feature = "redis")]
use crate::{events, redis};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Evaluates, explains and inspects Statsig projects
///
/// Works on a document of config specs, as Statsig's servers send it to server SDKs (v2, or the older v1 form): from a
/// file, for which no network, account or key is needed, from Statsig's servers or a proxy, or from Redis. Users and
/// evaluations are sent nowhere.
#[derive(Debug, Parser)]
#[command(name = "statsig", version, styles = STYLES, after_help = help::exit_codes(), term_width = help::width())]
pub(crate) struct Cli {
    /// No progress, no warnings
    #[arg(long, short, global = true, help_heading = "Output")]
    pub(crate) quiet: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Eval(Box<eval::Eval>),
    Explain(Box<explain::Explain>),
    Specs(Box<specs::Specs>),
    #[cfg(feature = "net")]
    Watch(Box<watch::Watch>),
    #[cfg(feature = "redis")]
    Redis(Box<redis::Redis>),
    #[cfg(feature = "redis")]
    Events(Box<events::Events>),
    #[cfg(feature = "conformance")]
    Conformance(conformance::Conformance),
    Completions(completions::Completions),
    Man(man::Man),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
