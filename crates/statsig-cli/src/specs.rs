//! `statsig specs`: what is in a document, and what is wrong with it.

mod report;
mod show;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::args::Warnings;
use crate::failure::{EXIT_CODES, Ending, Failure};
use crate::input::source::Source;
use crate::input::specs;
use crate::output::Output;
use crate::text::Paint;
use report::Report;

const EXAMPLES: &str = "\
Examples:
  statsig specs specs.json
  statsig specs specs.json --strict --format json | jq '.problems'
  curl --silent \"$URL\" | statsig specs -
  STATSIG_SECRET_KEY=secret-... statsig specs --strict";

/// Shows what a document of config specs holds, and what is wrong with it
///
/// Counts of specs by entity, sizes, how long compilation takes, which condition types, operators and user fields are
/// used, the ID lists that it refers to, the specs with the most rules, and every part that was skipped or will not
/// behave as written.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct Specs {
    /// The config specs: v2 or v1, plain or gzip; `-` is standard input
    #[arg(value_name = "FILE", conflicts_with = "source")]
    file: Option<PathBuf>,
    /// How the report is written
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// End with exit code 1 if there are problems
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    source: Source,
}

/// The forms of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// One JSON object
    Json,
}

impl Specs {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<Ending, Failure> {
        let source = self.source.or_file(self.file);
        let document = source.read(Warnings { quiet: false })?;
        let (ruleset, compile_time) =
            report::compile(&document.bytes).map_err(|error| specs::refused(&document, &error))?;
        let report = Report::new(document.name, &ruleset, compile_time);
        let mut output = Output::stdout();
        let text = match self.format {
            Format::Table => show::text(&report, Paint { styled: output.styled() }),
            Format::Json => show::json(&report),
        };
        output.write(text.as_bytes())?;
        output.finish()?;
        Ok(if self.strict && !report.problems.is_empty() { Ending::Findings } else { Ending::Clean })
    }
}
