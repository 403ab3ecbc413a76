//! `statsig redis get`: lists the values of a store.

use std::borrow::Cow;
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::Args;
use serde::Serialize;
use statsig_core::{DataStore, DataStoreError, EntryRequest, SpecVersion, StoreEntry, StoreFormat};
use statsig_store_redis::RedisDataStore;

use super::table::table;
use super::{Place, Store, places, redis};
use crate::failure::{Ending, Failure};
use crate::input::inflated;
use crate::input::specs::{max_bytes, text_of};
use crate::output::{self, Output};
use crate::presentation::Presentation;
use crate::remote;
use crate::remote::waiting::Waiting;
use crate::text::{Paint, count, iso_time};
use crate::warnings::Warnings;

/// Lists the config specs of an SDK key in a store, newest first, or gets the newest
#[derive(Debug, Args)]
pub(super) struct Get {
    /// Write the newest document here in place of the list, as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write it as it is stored: the vendor's binary form and gzip stay that
    #[arg(long, requires = "out")]
    raw: bool,
    #[command(flatten)]
    presentation: Presentation,
    #[command(flatten)]
    store: Store,
}

/// A value that was found, or not.
pub(super) struct Found {
    pub(super) place: Place,
    pub(super) value: Result<StoreEntry, DataStoreError>,
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
    pub(super) fn run(&self, warnings: Warnings) -> Result<Ending, Failure> {
        output::refuse_inputs(self.out.as_ref(), self.store.place.files())?;
        let key = self.store.key()?;
        let store = self.store.place.open(|options| options)?;
        let waiting = Waiting::start("Redis", warnings.quiet);
        let found = remote::run(look(&store, places(&key)))?;
        drop(waiting);
        match &self.out {
            Some(out) => self.write_newest(&found, out, warnings),
            None => self.list(&found),
        }
    }

    fn write_newest(&self, found: &[Found], out: &PathBuf, warnings: Warnings) -> Result<Ending, Failure> {
        let mut readable = found.iter().filter_map(|found| Some((&found.place, found.value.as_ref().ok()?)));
        let Some((place, entry)) = readable.next() else { return Err(nothing()) };
        let bytes = match entry.format {
            _ if self.raw => Cow::Borrowed(&entry.bytes[..]),
            StoreFormat::StatsigBr => {
                let text =
                    text_of(&entry.bytes).with_context(|| format!("{} in binary form cannot be read", place.path));
                Cow::Owned(text.map_err(|error| Failure::input(error).with_hint("--raw gets it as it is"))?)
            }
            _ => Cow::Owned(inflated(entry.bytes.to_vec(), &place.path, max_bytes()).map_err(Failure::input)?),
        };
        let mut output = Output::open(Some(out))?;
        output.write(&bytes)?;
        output.finish()?;
        let size = count(bytes.len() as u64, "byte");
        let format = entry.format.as_str();
        warnings.note(&format!("{size} of {} ({format}), {}", place.path, time_of(entry)));
        Ok(Ending::Clean)
    }

    fn list(&self, found: &[Found]) -> Result<Ending, Failure> {
        if found.is_empty() && !self.presentation.is_json() {
            return Err(nothing());
        }
        let mut output = Output::stdout();
        let text = if self.presentation.is_json() {
            json(found)
        } else {
            table(found, Paint { styled: output.styled() }, self.presentation.table_width(&output))
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
        let time = found.value.as_ref().ok().map(|entry| entry.version.as_ref().map_or(0, |version| version.time_ms));
        std::cmp::Reverse(time)
    });
    Ok(found)
}

/// Adds the time of a payload that has to be read for it.
fn dated(entry: StoreEntry) -> StoreEntry {
    if entry.format != StoreFormat::StatsigBr || entry.version.is_some() {
        return entry;
    }
    let version = text_of(&entry.bytes).ok().and_then(|text| SpecVersion::of_json(&text));
    entry.with_version(version)
}

pub(super) fn time_of(entry: &StoreEntry) -> String {
    match (&entry.version, entry.format) {
        (Some(version), _) => iso_time(version.time_ms),
        (None, StoreFormat::StatsigBr) => "time unknown".to_owned(),
        (None, _) => "no config specs".to_owned(),
    }
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
                time: version.map(|version| version.time_ms),
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
