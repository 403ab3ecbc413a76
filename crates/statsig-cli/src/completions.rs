//! `statsig completions`: completion scripts for shells.

use clap::Args;
use clap_complete::Shell;

use crate::failure::{Ending, Failure};
use crate::help;
use crate::output::Output;

const EXAMPLES: &str = "\
Examples:
  statsig completions bash > ~/.local/share/bash-completion/completions/statsig
  statsig completions zsh > ~/.zfunc/_statsig     # a folder of $fpath
  statsig completions fish > ~/.config/fish/completions/statsig.fish";

/// Prints a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = help::exit_codes(), after_long_help = help::after(EXAMPLES))]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    /// Runs the command, for this command line.
    pub(crate) fn run(&self, mut command_line: clap::Command) -> Result<Ending, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command_line, "statsig", &mut script);
        let mut output = Output::stdout();
        output.write(&script)?;
        output.finish()?;
        Ok(Ending::Clean)
    }
}
