//! `statsig specs`: the contents of a document, and its problems.

mod report;
mod show;

use std::path::PathBuf;

use clap::Args;

use crate::failure::{Ending, Failure};
use crate::help;
use crate::input::source::Source;
use crate::input::specs;
use crate::output::{self, Output};
use crate::presentation::Presentation;
use crate::text::Paint;
use crate::warnings::Warnings;
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
/// used, the ID lists that it refers to, the specs with the most rules, the specs that are malformed, and every part that
/// was skipped or will not behave as written.
#[derive(Debug, Args)]
#[command(after_help = help::exit_codes(), after_long_help = help::after(EXAMPLES))]
pub(crate) struct Specs {
    /// The config specs: v2 or v1, plain or gzip; `-` is standard input
    #[arg(value_name = "FILE", conflicts_with = "source")]
    file: Option<PathBuf>,
    #[command(flatten)]
    presentation: Presentation,
    /// End with exit code 1 if there are problems
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    source: Source,
}

impl Specs {
    /// Runs the command.
    pub(crate) fn run(self, warnings: Warnings) -> Result<Ending, Failure> {
        let source = self.source.or_file(self.file);
        output::refuse_inputs(None, source.files())?;
        let document = source.read(warnings)?;
        let (ruleset, compile_time) =
            report::compile(&document.bytes).map_err(|error| specs::refused(&document, &error))?;
        let report = Report::new(document.name, &ruleset, compile_time);
        let mut output = Output::stdout();
        let text = if self.presentation.is_json() {
            show::json(&report)
        } else {
            show::text(&report, Paint { styled: output.styled() }, self.presentation.table_width(&output))
        };
        output.write(text.as_bytes())?;
        output.finish()?;
        Ok(if self.strict && !report.problems.is_empty() { Ending::Findings } else { Ending::Clean })
    }
}
