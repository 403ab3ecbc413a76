//! The `conformance` command: does this build answer like the official server core?

use std::io::{BufRead, Cursor};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use statsig_conformance::exceptions::DOCUMENTED;
use statsig_conformance::{Kind, Kinds, Outcome, Report, SpecSet, Suite, run_set, set};

/// Compares results with the recorded results of the official server core.
///
/// Prints how many fields agree by category, the documented differences that were met, and the
/// first differences that should not be. Ends with status 1 if there is any, and with 2 if the
/// corpus cannot be used.
#[derive(Debug, Parser)]
#[command(verbatim_doc_comment)]
struct Arguments {
    /// A folder of sets, or one set
    #[arg(value_name = "CORPUS", default_value = "integration-tests/corpus")]
    corpus: PathBuf,
    /// What to compare [default: everything]
    ///
    /// One or more of gate, dynamic_config, experiment, layer, param, experiment_groups, lists, gcir, script, events.
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    kinds: Vec<Kind>,
    /// Only sets with one of these names
    #[arg(long = "set", value_name = "NAME", value_delimiter = ',')]
    sets: Vec<String>,
    /// A folder of results by another program: NAME.jsonl or NAME.jsonl.gz for each set
    ///
    /// Without it, this build evaluates the sets itself.
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
    /// How many differences to print of each category
    #[arg(long, value_name = "N", default_value_t = 3)]
    shown: usize,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            show_error(&format!("error: {error:#}"));
            ExitCode::from(2)
        }
    }
}

/// Returns whether everything agrees.
fn run(arguments: &Arguments) -> Result<bool> {
    let kinds = if arguments.kinds.is_empty() { Kinds::ALL } else { arguments.kinds.iter().copied().collect() };
    let sets = chosen_sets(arguments)?;
    let progress = ProgressBar::new(sets.len() as u64).with_style(
        ProgressStyle::with_template("{bar:30} {pos} of {len} sets, {elapsed}  {wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let outcomes = Suite::new(sets).kinds(kinds).exceptions(DOCUMENTED).shown(arguments.shown).run(
        |set| results_of(arguments.results.as_deref(), set, kinds),
        |outcome| {
            progress.set_message(outcome.set.clone());
            progress.inc(1);
        },
    );
    progress.finish_and_clear();
    summarise(outcomes, arguments.shown)
}

fn chosen_sets(arguments: &Arguments) -> Result<Vec<SpecSet>> {
    let corpus = &arguments.corpus;
    let single = SpecSet::new(corpus);
    let mut sets = if single.exists() { vec![single] } else { SpecSet::all_in(corpus).context("no corpus there")? };
    for name in &arguments.sets {
        if sets.iter().all(|set| set.name() != name) {
            bail!("{} has no set named {name}", corpus.display());
        }
    }
    if !arguments.sets.is_empty() {
        sets.retain(|set| arguments.sets.iter().any(|name| name == set.name()));
    }
    if sets.is_empty() {
        bail!("{} holds no set with recorded results", corpus.display());
    }
    Ok(sets)
}

fn results_of(dir: Option<&Path>, set: &SpecSet, kinds: Kinds) -> Result<Box<dyn BufRead + Send>> {
    let Some(dir) = dir else {
        let mut results = Vec::new();
        run_set(set.dir(), kinds, &mut results)?;
        return Ok(Box::new(Cursor::new(results)));
    };
    let plain = dir.join(format!("{}.jsonl", set.name()));
    let path = if plain.exists() { plain } else { dir.join(format!("{}.jsonl.gz", set.name())) };
    Ok(set::open(&path)?)
}

/// Prints the outcomes of all sets and their sum.
fn summarise(outcomes: Vec<Outcome<anyhow::Error>>, shown: usize) -> Result<bool> {
    let mut sum = Report::default();
    let mut complete = true;
    for outcome in outcomes {
        let report = match outcome.report {
            Ok(report) => report,
            Err(error) => {
                show_error(&format!("{}: {error:#}", outcome.set));
                complete = false;
                continue;
            }
        };
        let tally = report.total();
        show(&format!(
            "{:<26}{:>9} of {:>9} agree{}",
            outcome.set,
            tally.agreed + tally.excepted,
            tally.total,
            match tally.differing() {
                0 => String::new(),
                differing => format!("   <- {differing} differ"),
            }
        ));
        sum.merge(report, shown);
    }
    show(&format!("\n{sum}\n"));
    for exception in DOCUMENTED {
        if let Some(uses) = sum.exceptions().get(exception.name) {
            show(&format!("excepted {uses} times: {}", exception.name));
            show(&format!("    {}", exception.reason));
        }
    }
    Ok(complete && sum.is_agreement())
}

#[expect(clippy::print_stdout, reason = "a command prints")]
fn show(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "a command prints")]
fn show_error(text: &str) {
    eprintln!("{text}");
}
