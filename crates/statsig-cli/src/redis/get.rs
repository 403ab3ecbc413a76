//! `statsig redis get`: what is in a store.

use std::borrow::Cow;
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::{Args, ValueEnum};
use serde::Serialize;
use statsig_core::{DataStore, DataStoreError, EntryRequest, EntryVersion, StoreEntry, StoreFormat};
use statsig_store_redis::RedisDataStore;

use super::{Place, Store, places, redis};
use crate::args::Warnings;
use crate::failure::{Ending, Failure};
use crate::input::specs::text_of;
use crate::output::Output;
use crate::remote;
use crate::remote::waiting::Waiting;
use crate::text::{self, Paint, clean, count, grouped, iso_time};

/// Lists the config specs of an SDK key in a store, newest first, or gets the newest
#[derive(Debug, Args)]
pub(super) struct Get {
    /// Write the newest document here in place of the list, as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write it as it is stored: the vendor's binary form stays that
    #[arg(long, requires = "out")]
    raw: bool,
    /// How the list is written
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// No progress, no warnings
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    store: Store,
}

/// The forms of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// One JSON array
    Json,
}

/// A value that was found, or not.
struct Found {
    place: Place,
    value: Result<StoreEntry, DataStoreError>,
}

/// The same as JSON.
#[derive(Serialize)]
struct Row<'a> {
    path: &'a str,
    format: &'static str,
    schema: &'static str,
    time: Option<u64>,
    checksum: Option<&'a str>,
    bytes: Option<usize>,
    stored_at: Option<u64>,
    error: Option<String>,
}

impl Get {
    /// Runs the command.
    pub(super) fn run(&self) -> Result<Ending, Failure> {
        let key = self.store.key()?;
        let store = self.store.place.open(|options| options)?;
        let waiting = Waiting::start("Redis", self.quiet);
        let found = remote::run(look(&store, places(&key)))?;
        drop(waiting);
        match &self.out {
            Some(out) => self.write_newest(&found, out),
            None => self.list(&found),
        }
    }

    fn write_newest(&self, found: &[Found], out: &PathBuf) -> Result<Ending, Failure> {
        let mut readable = found.iter().filter_map(|found| Some((&found.place, found.value.as_ref().ok()?)));
        let Some((place, entry)) = readable.next() else { return Err(nothing()) };
        let bytes = if entry.format == StoreFormat::StatsigBr && !self.raw {
            let text = text_of(&entry.bytes).with_context(|| format!("{} in binary form cannot be read", place.path));
            Cow::Owned(text.map_err(|error| Failure::input(error).with_hint("--raw gets it as it is"))?)
        } else {
            Cow::Borrowed(&entry.bytes)
        };
        let mut output = Output::open(Some(out))?;
        output.write(&bytes)?;
        output.finish()?;
        let size = count(bytes.len() as u64, "byte");
        let format = entry.format.as_str();
        Warnings { quiet: self.quiet }.note(&format!("{size} of {} ({format}), {}", place.path, time_of(entry)));
        Ok(Ending::Clean)
    }

    fn list(&self, found: &[Found]) -> Result<Ending, Failure> {
        if found.is_empty() && self.format == Format::Table {
            return Err(nothing());
        }
        let mut output = Output::stdout();
        let text = match self.format {
            Format::Json => json(found),
            Format::Table => table(found, Paint { styled: output.styled() }),
        };
        output.write(text.as_bytes())?;
        output.finish()?;
        Ok(Ending::Clean)
    }
}

fn nothing() -> Failure {
    Failure::input(anyhow!("Redis has no config specs for this SDK key"))
        .with_hint("is it the SDK key that the writers use? `statsig redis put FILE` seeds the store")
}

/// Reads every key; the newest comes first, what cannot be read last.
async fn look(store: &RedisDataStore, places: Vec<Place>) -> Result<Vec<Found>, Failure> {
    store.initialize().await.map_err(|error| redis::failed(&error))?;
    let mut found = Vec::new();
    for place in places {
        match store.get_entry(&EntryRequest::new([place.key.clone()])).await {
            Ok(Some(entry)) => found.push(Found { place, value: Ok(dated(entry)) }),
            Ok(None) => {}
            Err(error) => found.push(Found { place, value: Err(error) }),
        }
    }
    found.sort_by_key(|found| {
        let time = found.value.as_ref().ok().map(|entry| entry.version.as_ref().map_or(0, |version| version.lcut));
        std::cmp::Reverse(time)
    });
    Ok(found)
}

/// Finds out the time of a payload that does not tell it without being read.
fn dated(entry: StoreEntry) -> StoreEntry {
    if entry.format != StoreFormat::StatsigBr || entry.version.is_some() {
        return entry;
    }
    let version = text_of(&entry.bytes).ok().and_then(|text| EntryVersion::of_json(&text));
    entry.with_version(version)
}

fn time_of(entry: &StoreEntry) -> String {
    match (&entry.version, entry.format) {
        (Some(version), _) => iso_time(version.lcut),
        (None, StoreFormat::StatsigBr) => "time unknown".to_owned(),
        (None, _) => "no config specs".to_owned(),
    }
}

fn table(found: &[Found], paint: Paint) -> String {
    let mut out = String::new();
    let heading = format!("{:<28} {:<11} {:<17} {:>12}  {:<24} stored\n", "path", "format", "schema", "bytes", "time");
    paint.push(&mut out, text::HEADING, &heading);
    for Found { place, value } in found {
        out.push_str(&format!("{:<28} {:<11} {:<17} ", place.path, place.key.format.as_str(), place.schema));
        match value {
            Ok(entry) => {
                let bytes = grouped(entry.bytes.len() as u64);
                let stored = entry.stored_at_ms.map_or_else(|| "-".to_owned(), iso_time);
                out.push_str(&format!("{bytes:>12}  {:<24} {stored}\n", time_of(entry)));
            }
            Err(error) => {
                paint.push(&mut out, text::WARNING, &clean(&error.to_string()));
                out.push('\n');
            }
        }
    }
    out
}

fn json(found: &[Found]) -> String {
    let rows: Vec<Row<'_>> = found
        .iter()
        .map(|Found { place, value }| {
            let entry = value.as_ref().ok();
            let version = entry.and_then(|entry| entry.version.as_ref());
            Row {
                path: &place.path,
                format: place.key.format.as_str(),
                schema: place.schema,
                time: version.map(|version| version.lcut),
                checksum: version.and_then(|version| version.checksum.as_deref()),
                bytes: entry.map(|entry| entry.bytes.len()),
                stored_at: entry.and_then(|entry| entry.stored_at_ms),
                error: value.as_ref().err().map(ToString::to_string),
            }
        })
        .collect();
    // Strings and numbers always serialize.
    let mut text = serde_json::to_string_pretty(&rows).unwrap_or_default();
    text.push('\n');
    text
}
