//! `statsig redis put`: seeds a store.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::anyhow;
use clap::{Args, ValueEnum};
use serde::Serialize;
use statsig_core::{
    DataStore, EntryRequest, KeySchema, PutMode, PutOutcome, Ruleset, SpecsFormat, StoreEntry, StoreFormat, StoreKeys,
    StorePath,
};
use statsig_net::SdkKey;
use statsig_store_redis::{Layout, RedisDataStore};

use super::{Store, redis};
use crate::failure::{Ending, Failure};
use crate::input::file::InputFile;
use crate::input::specs::{Document, refused};
use crate::output::Output;
use crate::presentation::Presentation;
use crate::remote;
use crate::remote::secret::Secret;
use crate::remote::waiting::Waiting;
use crate::text::wrap::Wrapped;
use crate::text::{self, Paint, clean, count, iso_time};
use crate::warnings::Warnings;

/// Stores a document of config specs, unless a newer one is there
///
/// The time within the document decides, inside Redis: whatever others write meanwhile, the newest stays. Everybody
/// who follows the store is told. A document that an SDK could not use is refused. Ends with exit code 1 if something
/// newer was there.
#[derive(Debug, Args)]
pub(super) struct Put {
    /// The document: v2 or v1, plain, gzip or the vendor's binary form; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Store it even if something newer is there, or if it was made for another SDK key
    #[arg(long)]
    force: bool,
    /// In which form it is stored [default: that of the file]
    #[arg(long = "as", value_enum, value_name = "FORM")]
    form: Option<Form>,
    /// Under which names: SDKs look for the hash of the SDK key, the official proxy for its first 20 characters
    #[arg(long, value_enum, default_value_t = Schema::Both)]
    schema: Schema,
    /// How a value is laid out that is not there yet
    #[arg(long, value_enum, default_value_t = Shape::Hash)]
    layout: Shape,
    /// Days for which it is kept; 0 for ever
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u64).range(..=36_500))]
    keep: u64,
    #[command(flatten)]
    presentation: Presentation,
    #[command(flatten)]
    store: Store,
}

/// The names of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Schema {
    /// The hash of the SDK key and its beginning
    Both,
    /// The hash of the SDK key
    Hash,
    /// The first 20 characters of the SDK key, in plain sight
    Prefix,
}

/// The forms of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// JSON; a file in binary form is rewritten
    #[value(name = "plain_text")]
    PlainText,
    /// The vendor's binary form; the file has to have it
    #[value(name = "statsig-br")]
    StatsigBr,
    /// Both, from a file in binary form
    Both,
}

/// The layouts of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// A hash with payload and time
    Hash,
    /// The bare payload, for SDKs with a plain GET
    String,
}

/// An outcome as JSON.
#[derive(Serialize)]
struct Row {
    path: String,
    format: &'static str,
    schema: &'static str,
    time: Option<u64>,
    bytes: usize,
    outcome: &'static str,
    /// Time of the newer value that stays.
    stored_time: Option<u64>,
}

impl Put {
    /// Runs the command.
    pub(super) fn run(&self, warnings: Warnings) -> Result<Ending, Failure> {
        let key = self.store.key()?;
        let layout = if self.layout == Shape::String { Layout::String } else { Layout::Hash };
        let ttl = (self.keep > 0).then(|| Duration::from_secs(self.keep * 24 * 3_600));
        let store = self.store.place.open(|options| options.read_only(false).layout(layout).ttl(ttl))?;
        let document = Document::of_file(InputFile::new("FILE", &self.file))?;
        let path = self.check(&document, &key)?;
        let entries = self.entries(document)?;
        let keys = StoreKeys::new(key.expose());
        let waiting = Waiting::start("Redis", warnings.quiet);
        let mut outcomes = Vec::new();
        remote::run(async {
            for entry in &entries {
                let stored = self.store(&store, &keys, &path, entry).await?;
                outcomes.extend(stored.into_iter().map(|outcome| (entry, outcome)));
            }
            Ok(())
        })?;
        drop(waiting);
        let mut output = Output::stdout();
        let mut ending = Ending::Clean;
        for (entry, (schema, outcome)) in outcomes {
            if matches!(outcome, PutOutcome::SkippedOlder { .. }) {
                ending = Ending::Findings;
            }
            output.write(self.line(&path, schema, entry, outcome, &output).as_bytes())?;
        }
        output.finish()?;
        Ok(ending)
    }

    fn line(
        &self,
        path: &StorePath,
        schema: &'static str,
        entry: &StoreEntry,
        outcome: PutOutcome,
        output: &Output,
    ) -> String {
        if self.presentation.is_json() {
            let row = Row {
                path: path.to_string(),
                format: entry.format.as_str(),
                schema,
                time: entry.version.as_ref().map(|version| version.time_ms),
                bytes: entry.bytes.len(),
                outcome: match outcome {
                    PutOutcome::Written => "written",
                    PutOutcome::Refreshed => "refreshed",
                    PutOutcome::SkippedOlder { .. } => "skipped_older",
                    _ => "not_stored",
                },
                stored_time: if let PutOutcome::SkippedOlder { stored_lcut } = outcome { stored_lcut } else { None },
            };
            // Strings and numbers always serialize.
            return serde_json::to_string(&row).unwrap_or_default() + "\n";
        }
        let form = if entry.format == StoreFormat::StatsigBr { " statsig-br" } else { "" };
        let mut out = String::new();
        let paint = Paint { styled: output.styled() };
        let mut line = Wrapped::new(&mut out, paint, self.presentation.line_width(output), 0, 2);
        line.push(text::PLAIN, &format!("{path}{form} {schema}: {}", described(entry, outcome)));
        line.finish();
        out
    }

    /// Returns what to store, in the forms that are wanted.
    fn entries(&self, document: Document) -> Result<Vec<StoreEntry>, Failure> {
        let json = StoreEntry::json(document.bytes);
        let form = match (self.form, &document.binary) {
            (Some(form), _) => form,
            (None, Some(_)) => Form::StatsigBr,
            (None, None) => Form::PlainText,
        };
        if form == Form::PlainText {
            return Ok(vec![json]);
        }
        let Some(binary) = document.binary else {
            let failure = Failure::input(anyhow!("{} is JSON, of which no binary form can be made", document.name));
            return Err(failure.with_hint("leave out --as, or give a document that was downloaded in binary form"));
        };
        let binary = StoreEntry::new(binary, StoreFormat::StatsigBr, json.version.clone().unwrap_or_default());
        // The JSON first, since storing it removes an older binary form.
        Ok(if form == Form::Both { vec![json, binary] } else { vec![binary] })
    }

    /// Refuses what readers could not use, and says where the rest belongs.
    fn check(&self, document: &Document, key: &Secret) -> Result<StorePath, Failure> {
        let ruleset = Ruleset::compile(&document.bytes).map_err(|error| refused(document, &error))?;
        let meta = ruleset.meta();
        let name = &document.name;
        if meta.time == 0 {
            let failure = Failure::input(anyhow!("{name} has no `time`, by which stores order documents"));
            return Err(failure.with_hint("download it again"));
        }
        if let Some(made_for) = &meta.hashed_sdk_key_used
            && !self.force
            && !SdkKey::new(key.expose()).is_named_by(made_for)
        {
            let failure = Failure::input(anyhow!("{name} was made for another SDK key ({})", clean(made_for)));
            return Err(failure.with_hint("use that key, or --force if readers do not check it"));
        }
        Ok(if meta.format == SpecsFormat::V1 { StorePath::SpecsV1 } else { StorePath::SpecsV2 })
    }

    async fn store(
        &self,
        store: &RedisDataStore,
        keys: &StoreKeys,
        path: &StorePath,
        entry: &StoreEntry,
    ) -> Result<Vec<(&'static str, PutOutcome)>, Failure> {
        let mode = if self.force { PutMode::Force } else { PutMode::IfNewer };
        let mut outcomes = Vec::new();
        for (schema, name, wanted) in [
            (KeySchema::Hashed, "hash", self.schema != Schema::Prefix),
            (KeySchema::Prefix, "prefix", self.schema != Schema::Hash),
        ] {
            if !wanted {
                continue;
            }
            let key = keys.key(path, entry.format, schema);
            if let Some(stored_lcut) = self.newer_sibling(store, keys, path, schema, entry).await? {
                outcomes.push((name, PutOutcome::SkippedOlder { stored_lcut: Some(stored_lcut) }));
                continue;
            }
            let outcome = store.put_entry(&key.name, entry, mode).await.map_err(|error| redis::failed(&error))?;
            if outcome == PutOutcome::Written && *path == StorePath::SpecsV2 {
                self.clear_sibling(store, keys, schema, entry).await?;
            }
            outcomes.push((name, outcome));
        }
        Ok(outcomes)
    }

    /// The time of what is there in the other form, if that is newer: SDKs that look at one form only, or
    /// at one before the other, would go back.
    async fn newer_sibling(
        &self,
        store: &RedisDataStore,
        keys: &StoreKeys,
        path: &StorePath,
        schema: KeySchema,
        entry: &StoreEntry,
    ) -> Result<Option<u64>, Failure> {
        if self.force || *path != StorePath::SpecsV2 {
            return Ok(None);
        }
        let other =
            if entry.format == StoreFormat::PlainText { StoreFormat::StatsigBr } else { StoreFormat::PlainText };
        let request = EntryRequest::new([keys.key(path, other, schema)]).unless_known(entry.version.clone());
        let there = store.get_entry(&request).await.map_err(|error| redis::failed(&error))?;
        let (there, new) = (there.and_then(|there| there.version), entry.version.as_ref());
        Ok(there.zip(new).filter(|(there, new)| there.time_ms > new.time_ms).map(|(there, _)| there.time_ms))
    }

    /// Removes what readers would prefer in the other form.
    async fn clear_sibling(
        &self,
        store: &RedisDataStore,
        keys: &StoreKeys,
        schema: KeySchema,
        entry: &StoreEntry,
    ) -> Result<(), Failure> {
        let (form, older_than) = match (entry.format, self.force) {
            // SDKs prefer the binary form, however old it is.
            (StoreFormat::PlainText, false) => {
                (StoreFormat::StatsigBr, entry.version.as_ref().map(|version| version.time_ms))
            }
            (StoreFormat::PlainText, true) => (StoreFormat::StatsigBr, None),
            // A newer JSON would hide what was forced.
            (_, true) if self.form != Some(Form::Both) => (StoreFormat::PlainText, None),
            _ => return Ok(()),
        };
        let sibling = keys.key(&StorePath::SpecsV2, form, schema);
        store.remove(&sibling, older_than).await.map_err(|error| redis::failed(&error)).map(drop)
    }
}

/// The outcome for an entry, in words.
fn described(entry: &StoreEntry, outcome: PutOutcome) -> String {
    let time = entry.version.as_ref().map_or_else(String::new, |version| iso_time(version.time_ms));
    match outcome {
        PutOutcome::Written => format!("stored {} of {time}", count(entry.bytes.len() as u64, "byte")),
        PutOutcome::Refreshed => format!("kept {time}, which was there already"),
        PutOutcome::SkippedOlder { stored_lcut } => {
            let there = stored_lcut.map_or_else(|| "something newer".to_owned(), iso_time);
            format!("left {there}, which is newer than {time}; --force replaces it")
        }
        _ => "not stored".to_owned(),
    }
}
