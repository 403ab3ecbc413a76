//! `statsig man`: manual pages.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;
use clap_mangen::Man as Page;

use crate::failure::{Ending, Failure};
use crate::help;
use crate::input::file::InputFile;
use crate::output::Output;

const EXAMPLES: &str = "\
Examples:
  statsig man | man -l -
  statsig man redis get | man -l -
  statsig man --dir ~/.local/share/man/man1";

/// Columns of lists on a page, which is indented.
const PAGE_WIDTH: usize = 72;

/// Prints a manual page, or writes all of them into a folder
#[derive(Debug, Args)]
#[command(after_help = help::exit_codes(), after_long_help = help::after(EXAMPLES))]
pub(crate) struct Man {
    /// The subcommand, such as `eval` or `redis get` [default: the command itself]
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    command: Vec<String>,
    /// Write a page for the command and one for each subcommand into this folder, which is created
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Man {
    /// Runs the command, for the command line that `command_line` makes.
    pub(crate) fn run(&self, command_line: impl FnOnce() -> clap::Command) -> Result<Ending, Failure> {
        // Before the command line is made: its help texts take this width.
        help::fix_width(PAGE_WIDTH);
        let mut root = command_line();
        // Gives subcommands their whole names.
        root.build();
        match &self.dir {
            Some(dir) => write_all(&root, dir)?,
            None => self.print(&root)?,
        }
        Ok(Ending::Clean)
    }

    fn print(&self, root: &clap::Command) -> Result<(), Failure> {
        let mut command = root;
        for name in &self.command {
            command = command.find_subcommand(name).ok_or_else(|| {
                let names: Vec<&str> = subcommands(command).map(clap::Command::get_name).collect();
                let known = if names.is_empty() { "it has none".to_owned() } else { names.join(", ") };
                Failure::usage(anyhow!("`{command}` has no subcommand `{}`", crate::text::clean(name)))
                    .with_hint(format!("subcommands: {known}"))
            })?;
        }
        let mut output = Output::stdout();
        output.write(&page(command)?)?;
        output.finish()
    }
}

/// Renders the page of a command.
fn page(command: &clap::Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    Page::new(command.clone()).render(&mut page).map_err(Failure::output)?;
    Ok(page)
}

/// Subcommands, without the `help` that clap adds.
fn subcommands(command: &clap::Command) -> impl Iterator<Item = &clap::Command> {
    command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help")
}

fn write_all(root: &clap::Command, dir: &Path) -> Result<(), Failure> {
    InputFile::new("--dir", dir).refuse_address()?;
    let context = || format!("cannot write manual pages to {}", dir.display());
    std::fs::create_dir_all(dir).with_context(context).map_err(Failure::output)?;
    let mut waiting = vec![root];
    while let Some(command) = waiting.pop() {
        let name = command.get_display_name().unwrap_or_else(|| command.get_name());
        let file = dir.join(format!("{name}.1"));
        std::fs::write(file, page(command)?).with_context(context).map_err(Failure::output)?;
        waiting.extend(subcommands(command));
    }
    Ok(())
}
