//! `statsig redis put`: seeds a store.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::anyhow;
use clap::{Args, ValueEnum};
use statsig_core::{
    DataStore, KeySchema, PutMode, PutOutcome, Ruleset, SpecsFormat, StoreEntry, StoreFormat, StoreKeys, StorePath,
};
use statsig_net::SdkKey;
use statsig_store_redis::{Layout, RedisDataStore};

use super::{Store, redis};
use crate::failure::{Ending, Failure};
use crate::input::specs::{Document, refused};
use crate::output::Output;
use crate::remote;
use crate::remote::secret::Secret;
use crate::remote::waiting::Waiting;
use crate::text::{clean, count, iso_time};

/// Stores a document of config specs, unless a newer one is there
///
/// The time within the document decides, inside Redis: whatever others write meanwhile, the newest stays. Everybody
/// who follows the store is told. A document that an SDK could not use is refused. Ends with exit code 1 if something
/// newer was there.
#[derive(Debug, Args)]
pub(super) struct Put {
    /// The document: v2 or v1, plain or gzip; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Store it even if something newer is there, or if it was made for another SDK key
    #[arg(long)]
    force: bool,
    /// Under which names: SDKs look for the hash of the SDK key, the official proxy for its first 20 characters
    #[arg(long, value_enum, default_value_t = Schema::Both)]
    schema: Schema,
    /// How a value is laid out that is not there yet
    #[arg(long, value_enum, default_value_t = Form::Hash)]
    layout: Form,
    /// Days for which it is kept; 0 for ever
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u64).range(..=36_500))]
    keep: u64,
    /// No progress
    #[arg(long, short)]
    quiet: bool,
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

/// The layouts of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A hash with payload and time
    Hash,
    /// The bare payload, for SDKs with a plain GET
    String,
}

impl Put {
    /// Runs the command.
    pub(super) fn run(&self) -> Result<Ending, Failure> {
        let key = self.store.key()?;
        let layout = if self.layout == Form::String { Layout::String } else { Layout::Hash };
        let ttl = (self.keep > 0).then(|| Duration::from_secs(self.keep * 24 * 3_600));
        let store = self.store.place.open(|options| options.read_only(false).layout(layout).ttl(ttl))?;
        let document = Document::of_file(&self.file)?;
        let path = self.check(&document, &key)?;
        let entry = StoreEntry::json(document.bytes);
        let waiting = Waiting::start("Redis", self.quiet);
        let outcomes = remote::run(self.store(&store, &StoreKeys::new(key.expose()), &path, &entry))?;
        drop(waiting);
        let mut output = Output::stdout();
        let mut ending = Ending::Clean;
        let size = count(entry.bytes.len() as u64, "byte");
        let time = entry.version.as_ref().map_or_else(String::new, |version| iso_time(version.lcut));
        for (schema, outcome) in outcomes {
            let told = match outcome {
                PutOutcome::Written => format!("stored {size} of {time}"),
                PutOutcome::Refreshed => format!("kept {time}, which was there already"),
                PutOutcome::SkippedOlder { stored_lcut } => {
                    ending = Ending::Findings;
                    let there = stored_lcut.map_or_else(|| "something newer".to_owned(), iso_time);
                    format!("left {there}, which is newer than {time}; --force replaces it")
                }
                _ => "not stored".to_owned(),
            };
            output.write(format!("{path} {schema}: {told}\n").as_bytes())?;
        }
        output.finish()?;
        Ok(ending)
    }

    /// Refuses what readers could not use, and says where the rest belongs.
    fn check(&self, document: &Document, key: &Secret) -> Result<StorePath, Failure> {
        let ruleset = Ruleset::compile(&document.bytes).map_err(|error| refused(document, &error))?;
        let meta = ruleset.meta();
        let name = &document.name;
        if meta.time == 0 {
            let failure = Failure::input(anyhow!("{name} has no `time`, by which stores order documents"));
            return Err(failure.with_hint("download it anew"));
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
            let key = keys.key(path, StoreFormat::PlainText, schema);
            let outcome = store.put_entry(&key.name, entry, mode).await.map_err(|error| redis::failed(&error))?;
            if outcome == PutOutcome::Written && *path == StorePath::SpecsV2 {
                // SDKs prefer the binary form, however old it is.
                let binary = keys.key(path, StoreFormat::StatsigBr, schema);
                let limit = if self.force { None } else { entry.version.as_ref().map(|version| version.lcut) };
                store.remove(&binary, limit).await.map_err(|error| redis::failed(&error))?;
            }
            outcomes.push((name, outcome));
        }
        Ok(outcomes)
    }
}
