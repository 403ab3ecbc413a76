//! `statsig eval`: many users, many names.
//!
//! Users come in as a stream, results go out as a stream in the same order; what is in memory does
//! not depend on how many there are. In between, worker threads evaluate chunks of users:
//! [`pipeline`] orders them, [`answer`] evaluates what [`crate::questions`] lists, [`rows`] and
//! [`table`] format it, [`notices`] collects what is odd about users, [`progress`] shows the progress.

mod answer;
pub(crate) mod notices;
mod pipeline;
mod progress;
mod rows;
mod table;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, anyhow};
use clap::{ArgGroup, Args, ValueEnum};

use crate::conditions::Conditions;
use crate::failure::{Ending, Failure};
use crate::help;
use crate::input::file::InputFile;
use crate::input::source::Source;
use crate::input::users::{Chunk, UserLines};
use crate::input::{inflate, name_of, open};
use crate::output::{self, Output};
use crate::presentation::table_width;
use crate::questions::{Asked, Questions};
use crate::text;
use crate::warnings::Warnings;
use pipeline::{Evaluated, Evaluation};
use progress::Progress;
use rows::Rows;
use table::Layout;

const EXAMPLES: &str = "\
Examples:
  Every value for every user, as a table:
    statsig eval --specs specs.json --users users.jsonl --all
  One gate and one experiment for millions of users, as JSON lines:
    statsig eval --specs specs.json --users users.jsonl.gz --gate new_editor \\
        --experiment button_color_v3 --format jsonl --out values.jsonl
  In a pipe, and for one user at a certain time:
    jq -c '.[]' users.json | statsig eval --specs specs.json --users - --all --format jsonl | head
    statsig eval --specs specs.json --user '{\"userID\": \"u-1\"}' --gate new_editor --now 2026-11-22
  With the rules that are in force now, from Statsig's servers and from Redis:
    STATSIG_SECRET_KEY=secret-... statsig eval --user '{\"userID\": \"u-1\"}' --all
    statsig eval --redis redis://redis.internal --sdk-key secret-... --users users.jsonl --all

Fields of a JSON result:
  line, user_id       the user: the number of its line, its user ID as it is written there
  kind, name          gate, dynamic_config, experiment, layer or parameter_store, and which one
  value               true or false for a gate, an object for everything else
  rule_id, id_type    the rule that decided, and the kind of ID by which it does
  group_name          of experiments and layers
  allocated_experiment  of layers: the experiment that the user is in
  reason              Recognized, Unrecognized, Malformed (the project has it, but it cannot be used; SDKs answer Unrecognized), Unsupported or Error:...
  version             the version of the rules";

/// Evaluates gates, configs, experiments, layers and parameter stores for many users
///
/// Results come in the order of the users, for each user in the order gates, configs, experiments, layers, parameter
/// stores. Users are read as a stream and spread over all cores; memory does not depend on their number. Progress is
/// shown on a terminal.
///
/// A name that the project does not have gives a row with reason Unrecognized, and a warning. A line that is no user
/// ends the run, unless --keep-going says otherwise.
#[derive(Debug, Args)]
#[command(
    override_usage = "statsig eval <SOURCE> <--users <FILE>|--user <JSON>> <--all|NAMES> [OPTIONS]",
    after_help = help::exit_codes(),
    after_long_help = help::after(EXAMPLES),
    group = ArgGroup::new("who").args(["users", "user"]).required(true),
    group = ArgGroup::new("what").args(["gates", "configs", "experiments", "layers", "stores", "all"])
        .multiple(true).required(true)
)]
pub(crate) struct Eval {
    /// The users: one JSON object a line, plain or gzip; `-` is standard input
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// A user, as JSON; may be repeated
    #[arg(long, value_name = "JSON")]
    user: Vec<String>,
    #[command(flatten)]
    source: Source,

    /// A gate, segment or holdout; may be repeated
    #[arg(long = "gate", value_name = "NAME", help_heading = "What to evaluate")]
    gates: Vec<String>,
    /// A dynamic config or autotune; may be repeated
    #[arg(long = "config", value_name = "NAME", help_heading = "What to evaluate")]
    configs: Vec<String>,
    /// An experiment; may be repeated
    #[arg(long = "experiment", value_name = "NAME", help_heading = "What to evaluate")]
    experiments: Vec<String>,
    /// A layer; may be repeated
    #[arg(long = "layer", value_name = "NAME", help_heading = "What to evaluate")]
    layers: Vec<String>,
    /// A parameter store; may be repeated
    #[arg(long = "store", value_name = "NAME", help_heading = "What to evaluate")]
    stores: Vec<String>,
    /// Everything that the project has, except segments and holdouts
    #[arg(long, help_heading = "What to evaluate")]
    all: bool,

    #[command(flatten)]
    conditions: Conditions,

    /// Form of the results
    #[arg(long, value_enum, default_value_t = Format::Table, overrides_with = "json", help_heading = "Output")]
    format: Format,
    /// The same as --format json
    #[arg(long, overrides_with = "format", help_heading = "Output")]
    json: bool,
    /// Write results to this file [default: standard output]
    ///
    /// A file appears, or is replaced, when the run succeeds; pipes and devices are written to at once. It cannot be
    /// one of the inputs.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    out: Option<PathBuf>,
    /// Columns that the table may take [default: those of the terminal, or 100]
    #[arg(long, value_name = "COLUMNS", help_heading = "Output")]
    width: Option<usize>,
    /// Skip lines that are no user, and count them
    #[arg(long, help_heading = "Output")]
    keep_going: bool,
}

/// Forms of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    #[value(alias = "text")]
    /// Aligned columns, abbreviated to the width of the terminal
    Table,
    /// One JSON array of results
    Json,
    /// One JSON object a line for each result
    Jsonl,
}

impl Eval {
    /// Runs the command.
    pub(crate) fn run(self, warnings: Warnings) -> Result<Ending, Failure> {
        self.check_files()?;
        let started = Instant::now();
        let document = self.source.read(warnings)?;
        let statsig = self.conditions.client(&self.source, &document, warnings)?;
        drop(document);
        let questions = Questions::new(&statsig, &self.asked());
        let hint = |kind: &str, name: &str| format!("--{kind} {}", text::quoted(name));
        questions.warn_of_unknown(&statsig, hint, warnings);

        let (users, progress) = self.open_users(warnings)?;
        let mut users = users.lines_per_chunk(pipeline::lines_per_chunk(questions.len()));
        let first = users.next_chunk()?;
        let mut output = Output::open(self.out.as_ref())?;
        let rows = self.rows(&output, &questions, &statsig, first.as_ref());
        let evaluation = Evaluation {
            statsig,
            questions,
            rows,
            source: users.name().to_owned(),
            keep_going: self.keep_going,
            head: users.head().to_vec(),
        };
        let done = pipeline::run(Arc::new(evaluation), first, users, &mut output, &progress, warnings);
        progress.finish();
        let done = done?;
        output.finish()?;
        if progress.is_wanted() {
            warnings.note(&summary(&done, started));
        }
        Ok(if done.rejected > 0 { Ending::Findings } else { Ending::Clean })
    }

    /// Refuses inputs and an output that do not go together.
    fn check_files(&self) -> Result<(), Failure> {
        let standard_input = Path::new("-");
        let users = self.users.as_deref().map(|path| InputFile::new("--users", path));
        let is_standard_input = |file: Option<InputFile<'_>>| file.is_some_and(|file| file.path == standard_input);
        if is_standard_input(self.source.file()) && is_standard_input(users) {
            return Err(Failure::usage(anyhow!("specs and users cannot both come from standard input")));
        }
        users.map_or(Ok(()), InputFile::refuse_address)?;
        let files = self.source.files().chain(users).chain(self.conditions.files());
        output::refuse_inputs(self.out.as_ref(), files)
    }

    fn asked(&self) -> Asked<'_> {
        Asked {
            gates: &self.gates,
            configs: &self.configs,
            experiments: &self.experiments,
            layers: &self.layers,
            stores: &self.stores,
            all: self.all,
        }
    }

    fn open_users(&self, warnings: Warnings) -> Result<(UserLines, Progress), Failure> {
        let Some(path) = &self.users else { return Ok((UserLines::inline(&self.user)?, Progress::none())) };
        let progress = if warnings.quiet { Progress::none() } else { Progress::of_file(path) };
        let reader = open(path).context("no users").map_err(Failure::input)?;
        let reader = inflate(progress.watch(reader))
            .with_context(|| format!("cannot read {}", name_of(path)))
            .map_err(Failure::input)?;
        Ok((UserLines::new(reader, name_of(path))?, progress))
    }

    fn rows(&self, output: &Output, questions: &Questions, statsig: &statsig::Statsig, first: Option<&Chunk>) -> Rows {
        let format = if self.json { Format::Json } else { self.format };
        match format {
            Format::Json => Rows::Json,
            Format::Jsonl => Rows::JsonLines,
            Format::Table => {
                Rows::Table(Layout::new(table_width(self.width, output), output.styled(), questions, statsig, first))
            }
        }
    }
}

fn summary(done: &Evaluated, started: Instant) -> String {
    let users = text::count(done.users, "user");
    let values = text::count(done.rows, "value");
    let skipped =
        if done.rejected > 0 { format!(", {} skipped", text::count(done.rejected, "line")) } else { String::new() };
    format!("{users}, {values}{skipped} in {:.2} s", started.elapsed().as_secs_f64())
}
