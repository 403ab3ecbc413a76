//! Options for how results are printed, the same for every subcommand that prints some.

use clap::{Args, ValueEnum};

use crate::output::Output;

/// Columns of a table that goes to no terminal.
const TABLE_WIDTH: usize = 100;

/// Form and width of the output.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Presentation {
    /// Form of the output
    #[arg(long, value_enum, default_value_t = Format::Text, overrides_with = "json")]
    format: Format,
    /// The same as --format json
    #[arg(long, overrides_with = "format")]
    json: bool,
    /// Columns that a line may take [default: those of the terminal]
    #[arg(long, value_name = "COLUMNS")]
    width: Option<usize>,
}

/// Forms of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    #[value(alias = "table")]
    Text,
    /// For programs: JSON; one object a line where results come one by one
    Json,
}

impl Presentation {
    /// Returns whether the output is for programs.
    pub(crate) fn is_json(self) -> bool {
        self.json || self.format == Format::Json
    }

    /// Columns of a table or report: 100 when nobody says otherwise.
    pub(crate) fn table_width(self, output: &Output) -> usize {
        table_width(self.width, output)
    }

    /// Columns of lines that come one by one; `None` when a line may be as long as it is.
    pub(crate) fn line_width(self, output: &Output) -> Option<usize> {
        self.width.or_else(|| output.terminal_width())
    }
}

/// Columns of a table: as given, those of the terminal, or 100.
pub(crate) fn table_width(given: Option<usize>, output: &Output) -> usize {
    given.or_else(|| output.terminal_width()).unwrap_or(TABLE_WIDTH)
}
