//! The command line, and what its subcommands share.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand};
use statsig::{FixedClock, InMemoryIdLists, Statsig};
use statsig_core::{Clock as _, IdHash, IdListLookup};

use crate::clock::WallClock;
use crate::failure::{EXIT_CODES, Failure};
use crate::input::id_lists::Fetched;
use crate::input::source::Source;
use crate::input::specs::{Document, refused};
#[cfg(feature = "net")]
use crate::watch;
use crate::{eval, explain, input, specs, text};
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
#[command(name = "statsig", version, styles = STYLES, after_help = EXIT_CODES, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What can be done.
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
}

/// What evaluations depend on beside specs and user.
#[derive(Debug, Args)]
#[command(next_help_heading = "Evaluation")]
pub(crate) struct Conditions {
    /// The time that every evaluation sees, in milliseconds since 1970 [default: now]
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    now: Option<i64>,
    /// The environment tier of users that bring none of their own, for instance `staging`
    #[arg(long, value_name = "TIER")]
    environment: Option<String>,
    /// The content of an ID list: a file of lines with `+` or `-` and an 8-character hash
    ///
    /// Others come from the source of the specs; those that it does not have are empty. May be repeated.
    #[arg(long = "id-list", value_name = "NAME=FILE", value_parser = named_file)]
    id_lists: Vec<(String, PathBuf)>,
}

impl Conditions {
    /// A client over a document.
    ///
    /// The time stands still, so that all users of a run see the same.
    pub(crate) fn client(&self, source: &Source, document: &Document, warnings: Warnings) -> Result<Statsig, Failure> {
        let mut builder =
            Statsig::builder().clock(Arc::new(FixedClock(self.now.unwrap_or_else(|| WallClock.now_ms()))));
        if let Some(tier) = &self.environment {
            builder = builder.environment(tier);
        }
        let lists = Arc::new(Lists { given: self.read_id_lists(warnings)?, fetched: Fetched::default() });
        let statsig = builder.id_lists(Arc::clone(&lists) as _).bootstrap(&document.bytes).build().map_err(
            |error| match error {
                statsig::Error::Specs(error) => refused(document, &error),
                other => Failure::usage(other),
            },
        )?;
        let missing = self.missing_lists(&statsig);
        let missing = lists.fetched.fetch(source, missing, warnings)?;
        self.warn(&statsig, document, &missing, warnings);
        Ok(statsig)
    }

    fn read_id_lists(&self, warnings: Warnings) -> Result<InMemoryIdLists, Failure> {
        let mut lists = InMemoryIdLists::new();
        for (name, path) in &self.id_lists {
            let text = input::read_text(path).context("cannot read an ID list").map_err(Failure::input)?;
            let ignored = lists.apply(name, &text);
            if ignored > 0 {
                warnings.warn(&format!(
                    "{} of {} ignored: each must be `+` or `-` and an 8-character hash",
                    text::count(ignored as u64, "line"),
                    path.display()
                ));
            }
        }
        Ok(lists)
    }

    /// The lists that conditions look into and no option gives.
    fn missing_lists(&self, statsig: &Statsig) -> Vec<String> {
        let given = |list: &str| self.id_lists.iter().any(|(name, _)| name == list);
        let snapshot = statsig.snapshot();
        let names = snapshot.ruleset().id_list_names();
        names.into_iter().filter(|list| !given(list)).map(str::to_owned).collect()
    }

    fn warn(&self, statsig: &Statsig, document: &Document, empty: &[String], warnings: Warnings) {
        let problems = statsig.problems().len();
        if problems > 0 {
            let problems = text::count(problems as u64, "problem");
            warnings.warn(&format!("{problems} in {}: `{}` lists them", document.name, document.inspection));
        }
        if let Some(first) = empty.first() {
            warnings.warn(&format!(
                "treated as empty: {} ({}); give it with --id-list {first}=FILE",
                text::count(empty.len() as u64, "ID list"),
                empty.join(", ")
            ));
        }
    }
}

/// The lists of the options, and those of the source.
struct Lists {
    given: InMemoryIdLists,
    fetched: Fetched,
}

impl IdListLookup for Lists {
    fn contains(&self, list: &str, id: &IdHash) -> bool {
        self.given.contains(list, id) || self.fetched.contains(list, id)
    }
}

/// Whether warnings are welcome.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Warnings {
    /// Say nothing.
    pub(crate) quiet: bool,
}

impl Warnings {
    /// Writes a line to standard error.
    pub(crate) fn note(self, message: &str) {
        use std::io::Write;
        if !self.quiet {
            let _ = writeln!(anstream::stderr(), "{message}");
        }
    }

    /// Writes a warning to standard error.
    pub(crate) fn warn(self, message: &str) {
        use std::io::Write;
        if !self.quiet {
            let style = text::WARNING;
            // A warning that cannot be written must not stop the work.
            let _ = writeln!(anstream::stderr(), "{style}warning:{style:#} {message}");
        }
    }
}

fn named_file(text: &str) -> anyhow::Result<(String, PathBuf)> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => Ok((name.to_owned(), path.into())),
        _ => Err(anyhow!("expected NAME=FILE")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_id_list_is_a_name_and_a_file() {
        assert_eq!(named_file("vips=a=b.txt").unwrap(), ("vips".to_owned(), PathBuf::from("a=b.txt")));
        for bad in ["", "vips", "=x", "vips="] {
            assert!(named_file(bad).is_err(), "{bad:?}");
        }
    }
}
