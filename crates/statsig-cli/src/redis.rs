//! `statsig redis`: shows, seeds and follows a data store in Redis.

mod get;
mod put;
mod table;
mod watch;

use clap::{Args, Subcommand};
use statsig_core::{KeySchema, StoreFormat, StoreKey, StoreKeys, StorePath};

use crate::failure::{Ending, Failure};
use crate::help;
use crate::remote::redis::RedisPlace;
use crate::remote::secret::Secret;
use crate::remote::{needed_sdk_key, redis};
use crate::warnings::Warnings;

const EXAMPLES: &str = "\
Examples:
  export STATSIG_SECRET_KEY=secret-...
  statsig redis get --redis redis://redis.internal
  statsig redis get --redis redis://redis.internal --out specs.json
  statsig redis put specs.json --redis redis://redis.internal
  statsig redis watch --redis redis://redis.internal --format json";

/// Looks at, seeds and follows the config specs in a Redis
///
/// The store is what SDKs and proxies share. All known keys of an SDK key are looked at: those of current SDKs, of the
/// official forward proxy and of earlier generations, as hash or as bare value.
#[derive(Debug, Args)]
#[command(after_help = help::exit_codes(), after_long_help = help::after(EXAMPLES))]
pub(crate) struct Redis {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Get(get::Get),
    Put(put::Put),
    Watch(watch::Watch),
}

impl Redis {
    /// Runs the command.
    pub(crate) fn run(self, warnings: Warnings) -> Result<Ending, Failure> {
        match self.command {
            Command::Get(command) => command.run(warnings),
            Command::Put(command) => command.run(warnings),
            Command::Watch(command) => command.run(warnings),
        }
    }
}

/// Which store, and whose values in it.
#[derive(Debug, Args)]
struct Store {
    #[command(flatten)]
    place: RedisPlace,
    /// The server secret key whose values are meant [env: STATSIG_SECRET_KEY]
    #[arg(long, value_name = "KEY", value_parser = Secret::parse, help_heading = "Redis")]
    sdk_key: Option<Secret>,
}

impl Store {
    fn key(&self) -> Result<Secret, Failure> {
        needed_sdk_key(self.sdk_key.as_ref())
    }
}

/// A key, as it may be shown: without the SDK key, of which one schema has a part in plain text.
#[derive(Debug, Clone)]
struct Place {
    key: StoreKey,
    path: String,
    schema: &'static str,
}

/// Every key that may hold the config specs of an SDK key.
fn places(sdk_key: &Secret) -> Vec<Place> {
    let keys = StoreKeys::new(sdk_key.expose());
    let mut places: Vec<Place> = keys.all_specs_keys().into_iter().map(|key| named(&keys, key)).collect();
    places.push(Place { key: StoreKey::legacy_specs(), path: "statsig.cache".to_owned(), schema: "any project" });
    places
}

fn named(keys: &StoreKeys, key: StoreKey) -> Place {
    for path in [StorePath::SpecsV2, StorePath::SpecsV1] {
        for (schema, name) in [(KeySchema::Hashed, "hash"), (KeySchema::Prefix, "prefix")] {
            for format in [StoreFormat::PlainText, StoreFormat::StatsigBr] {
                if keys.key(&path, format, schema) == key {
                    return Place { key, path: path.to_string(), schema: name };
                }
            }
        }
    }
    Place { key, path: "statsig::".to_owned(), schema: "hexadecimal hash" }
}
