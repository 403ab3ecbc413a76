//! Time, environment and ID lists of an evaluation.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use clap::Args;
use statsig::{FixedClock, InMemoryIdLists, Statsig};
use statsig_core::{Clock as _, IdHash, IdListLookup};

use crate::failure::Failure;
use crate::input;
use crate::input::file::InputFile;
use crate::input::id_lists::Fetched;
use crate::input::source::Source;
use crate::input::specs::{Document, refused};
use crate::now::{self, Moment};
use crate::text::{self, quoted};
use crate::warnings::Warnings;
use statsig::SystemClock;

/// Everything beside specs and user that an evaluation depends on.
#[derive(Debug, Args)]
#[command(next_help_heading = "Evaluation")]
pub(crate) struct Conditions {
    /// The time that every evaluation sees: 2026-11-22T09:30:00Z, 2026-11-22 (midnight UTC), or a number [default: now]
    ///
    /// A date and time has an offset, as in RFC 3339. A number below 100,000,000,000 is seconds since 1970, with a
    /// warning; any other is milliseconds.
    #[arg(long, value_name = "TIME", allow_negative_numbers = true, value_parser = now::parse)]
    now: Option<Moment>,
    /// The environment tier of users that bring none of their own, for instance `staging`
    #[arg(long, value_name = "TIER")]
    environment: Option<String>,
    /// The content of an ID list: a file of lines with `+` or `-` and an 8-character hash, plain or gzip
    ///
    /// Others come from the source of the specs; those that it does not have are empty. May be repeated.
    #[arg(long = "id-list", value_name = "NAME=FILE", value_parser = named_file)]
    id_lists: Vec<(String, PathBuf)>,
    /// Take ID lists that cannot be fetched for empty, with a warning, instead of ending with exit code 3
    #[cfg(feature = "net")]
    #[arg(long)]
    allow_missing_id_lists: bool,
}

impl Conditions {
    /// Files that are read.
    pub(crate) fn files(&self) -> impl Iterator<Item = InputFile<'_>> {
        self.id_lists.iter().map(|(_, path)| InputFile::new("--id-list", path))
    }

    /// Returns the time that every evaluation sees, in milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        self.now.map_or_else(|| SystemClock.now_ms(), |moment| moment.ms)
    }

    /// Makes a client over a document.
    ///
    /// The time stands still, so that all users of a run see the same.
    pub(crate) fn client(&self, source: &Source, document: &Document, warnings: Warnings) -> Result<Statsig, Failure> {
        let mut builder = Statsig::builder().clock(Arc::new(FixedClock(self.now_ms())));
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
        self.warn_of_seconds(warnings);
        let missing = self.missing_lists(&statsig);
        let missing = lists.fetched.fetch(source, missing, self.allows_missing_id_lists(), warnings)?;
        warn(&statsig, document, &missing, warnings);
        Ok(statsig)
    }

    fn allows_missing_id_lists(&self) -> bool {
        #[cfg(feature = "net")]
        return self.allow_missing_id_lists;
        #[cfg(not(feature = "net"))]
        true
    }

    fn warn_of_seconds(&self, warnings: Warnings) {
        if let Some(Moment { ms, was_seconds: true }) = self.now {
            warnings.warn(&format!(
                "--now is taken for seconds since 1970: {}; numbers from 100,000,000,000 on are milliseconds",
                text::iso_time_signed(ms)
            ));
        }
    }

    fn read_id_lists(&self, warnings: Warnings) -> Result<InMemoryIdLists, Failure> {
        let mut lists = InMemoryIdLists::new();
        for (name, path) in &self.id_lists {
            InputFile::new("--id-list", path).refuse_address()?;
            let text = input::read_text(path).context("cannot read an ID list").map_err(Failure::input)?;
            let ignored = lists.apply(name, &text);
            if ignored > 0 {
                warnings.warn(&format!(
                    "{} of {} ignored: each must be `+` or `-` and an 8-character hash",
                    text::count(ignored as u64, "line"),
                    input::name_of(path)
                ));
            }
        }
        Ok(lists)
    }

    /// Names of the lists that conditions look into and no option gives.
    fn missing_lists(&self, statsig: &Statsig) -> Vec<String> {
        let given = |list: &str| self.id_lists.iter().any(|(name, _)| name == list);
        let snapshot = statsig.snapshot();
        let names = snapshot.ruleset().id_list_names();
        names.into_iter().filter(|list| !given(list)).map(str::to_owned).collect()
    }
}

fn warn(statsig: &Statsig, document: &Document, empty: &[String], warnings: Warnings) {
    let problems = statsig.problems().len();
    if problems > 0 {
        let problems = text::count(problems as u64, "problem");
        warnings.warn(&format!("{problems} in {}: `{}` lists them", document.name, document.inspection));
    }
    if let Some(first) = empty.first() {
        let names: Vec<String> = empty.iter().map(|name| text::clean(name)).collect();
        warnings.warn(&format!(
            "treated as empty: {} ({}); give it with --id-list {}=FILE",
            text::count(empty.len() as u64, "ID list"),
            names.join(", "),
            quoted(first)
        ));
    }
}

/// Looks into the lists of the options and those of the source.
struct Lists {
    given: InMemoryIdLists,
    fetched: Fetched,
}

impl IdListLookup for Lists {
    fn contains(&self, list: &str, id: &IdHash) -> bool {
        self.given.contains(list, id) || self.fetched.contains(list, id)
    }
}

fn named_file(text: &str) -> anyhow::Result<(String, PathBuf)> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => Ok((name.to_owned(), Path::new(path).into())),
        _ => Err(anyhow!("expected NAME=FILE")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_list_is_a_name_and_a_file() {
        assert_eq!(named_file("vips=a=b.txt").unwrap(), ("vips".to_owned(), PathBuf::from("a=b.txt")));
        for bad in ["", "vips", "=x", "vips="] {
            assert!(named_file(bad).is_err(), "{bad:?}");
        }
    }
}
