//! `statsig conformance`: compares this build with recorded results (feature `conformance`).

use std::io::{BufRead, Cursor};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use statsig_conformance::exceptions::DOCUMENTED;
use statsig_conformance::{Kind, Kinds, Outcome, Report, RunError, SpecSet, Suite, run_set, set};

use crate::failure::{Ending, Failure};
use crate::help;
use crate::input::file::InputFile;
use crate::output::{self, Output};
use crate::warnings::Warnings;

const EXAMPLES: &str = "\
Examples:
  statsig conformance
  statsig conformance --kinds gate,layer --set strings,layers --shown 10
  statsig conformance --results recorded-elsewhere/
  statsig conformance integration-tests/corpus/strings --out results.jsonl";

/// Files of a set that a replay reads; each may end in `.gz`.
const FILES: [&str; 3] = ["specs.json", "users.json", "plan.json"];

/// Compares results with the recorded results of the official server core
///
/// Prints the number of fields that agree by category, the documented differences that occurred, and the first
/// undocumented ones. Ends with exit code 1 if there are any.
#[derive(Debug, Args)]
#[command(after_help = help::exit_codes(), after_long_help = help::after(EXAMPLES))]
pub(crate) struct Conformance {
    /// A folder of sets, or one set (specs.json, users.json, plan.json, plain or .gz)
    #[arg(value_name = "CORPUS", default_value = "integration-tests/corpus")]
    corpus: PathBuf,
    /// Categories of results to compare [default: all]
    ///
    /// One or more of gate, dynamic_config, experiment, layer, param, experiment_groups, lists, gcir, script, events.
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    kinds: Vec<Kind>,
    /// Only sets with one of these names
    #[arg(long = "set", value_name = "NAME", value_delimiter = ',')]
    sets: Vec<String>,
    /// A folder of results by another program: NAME.jsonl or NAME.jsonl.gz for each set
    ///
    /// Without it, this build evaluates the sets.
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
    /// Number of differences to print of each category
    #[arg(long, value_name = "N", default_value_t = 3)]
    shown: usize,
    /// Write the results of one set to this file, one record a line, instead of comparing them
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sets", "results", "shown"])]
    out: Option<PathBuf>,
}

impl Conformance {
    /// Runs the command.
    pub(crate) fn run(&self, warnings: Warnings) -> Result<Ending, Failure> {
        InputFile::new("CORPUS", &self.corpus).refuse_address()?;
        match &self.out {
            Some(out) => self.replay(out),
            None => self.compare(warnings),
        }
    }

    fn kinds(&self) -> Kinds {
        if self.kinds.is_empty() { Kinds::ALL } else { self.kinds.iter().copied().collect() }
    }

    /// Evaluates the plan of a set and writes one record a line.
    fn replay(&self, out: &PathBuf) -> Result<Ending, Failure> {
        let set = &self.corpus;
        let files: Vec<PathBuf> =
            FILES.iter().flat_map(|file| [set.join(file), set.join(format!("{file}.gz"))]).collect();
        output::refuse_inputs(Some(out), files.iter().map(|file| InputFile::new("CORPUS", file)))?;
        let mut output = Output::open(Some(out))?;
        run_set(set, self.kinds(), &mut output).map_err(|error| match error {
            RunError::Write(source) => output.failure(source),
            other => Failure::input(anyhow::Error::from(other).context(format!("cannot replay {}", set.display()))),
        })?;
        output.finish()?;
        Ok(Ending::Clean)
    }

    /// Compares each set with its recorded results and prints the outcome.
    fn compare(&self, warnings: Warnings) -> Result<Ending, Failure> {
        let kinds = self.kinds();
        let sets = self.chosen_sets().map_err(Failure::input)?;
        let progress = if warnings.quiet { ProgressBar::hidden() } else { ProgressBar::new(sets.len() as u64) };
        let template = ProgressStyle::with_template("{bar:30} {pos} of {len} sets, {elapsed}  {wide_msg}");
        let progress = progress.with_style(template.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let outcomes = Suite::new(sets).kinds(kinds).exceptions(DOCUMENTED).shown(self.shown).run(
            |set| self.results(set, kinds),
            |outcome| {
                progress.set_message(outcome.set.clone());
                progress.inc(1);
            },
        );
        progress.finish_and_clear();
        let summary = Summary::new(outcomes, self.shown);
        let mut output = Output::stdout();
        output.write(summary.text.as_bytes())?;
        output.finish()?;
        match summary.failed.len() {
            0 if summary.agrees => Ok(Ending::Clean),
            0 => Ok(Ending::Findings),
            _ => Err(Failure::input(anyhow!("cannot compare {}", summary.failed.join("; ")))),
        }
    }

    fn chosen_sets(&self) -> anyhow::Result<Vec<SpecSet>> {
        let corpus = self.corpus.display();
        let single = SpecSet::new(&self.corpus);
        let mut sets = if single.exists() {
            vec![single]
        } else {
            SpecSet::all_in(&self.corpus).with_context(|| format!("{corpus} is not a corpus"))?
        };
        if let Some(unknown) = self.sets.iter().find(|name| sets.iter().all(|set| set.name() != name.as_str())) {
            return Err(anyhow!("{corpus} has no set named {unknown}"));
        }
        sets.retain(|set| self.sets.is_empty() || self.sets.iter().any(|name| name == set.name()));
        if sets.is_empty() { Err(anyhow!("{corpus} holds no set with recorded results")) } else { Ok(sets) }
    }

    fn results(&self, set: &SpecSet, kinds: Kinds) -> anyhow::Result<Box<dyn BufRead + Send>> {
        match &self.results {
            Some(folder) => Ok(set::open(&results_file(folder, set.name()))?),
            None => {
                let mut results = Vec::new();
                run_set(set.dir(), kinds, &mut results)?;
                Ok(Box::new(Cursor::new(results)))
            }
        }
    }
}

/// The results of a set in a folder, plain or compressed.
fn results_file(folder: &Path, set: &str) -> PathBuf {
    let plain = folder.join(format!("{set}.jsonl"));
    if plain.exists() { plain } else { folder.join(format!("{set}.jsonl.gz")) }
}

/// The outcomes of all sets.
struct Summary {
    /// A line a set, their sum, and the documented differences.
    text: String,
    /// Sets that cannot be compared, with the reason.
    failed: Vec<String>,
    /// True if all other sets agree.
    agrees: bool,
}

impl Summary {
    fn new(outcomes: Vec<Outcome<anyhow::Error>>, shown: usize) -> Self {
        let (mut sum, mut text, mut failed) = (Report::default(), String::new(), Vec::new());
        for Outcome { set, report } in outcomes {
            match report {
                Ok(report) => {
                    text.push_str(&line(&set, &report));
                    sum.merge(report, shown);
                }
                Err(error) => failed.push(format!("{set}: {error:#}")),
            }
        }
        text.push_str(&format!("\n{sum}\n\n"));
        for exception in DOCUMENTED {
            if let Some(uses) = sum.exceptions().get(exception.name) {
                text.push_str(&format!("excepted {uses} times: {}\n    {}\n", exception.name, exception.reason));
            }
        }
        Self { text, failed, agrees: sum.is_agreement() }
    }
}

/// The line of a set.
fn line(set: &str, report: &Report) -> String {
    let tally = report.total();
    let differing = match tally.differing() {
        0 => String::new(),
        count => format!("   <- {count} differ"),
    };
    format!("{set:<26}{:>9} of {:>9} agree{differing}\n", tally.agreed + tally.excepted, tally.total)
}
