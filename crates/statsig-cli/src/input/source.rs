//! Where config specs are: a file, Statsig's servers, Redis.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;

use super::file::InputFile;
use crate::failure::Failure;
#[cfg(feature = "net")]
use crate::remote::{secret::Secret, statsig::Servers};

/// The source of the config specs: one of several.
#[derive(Debug, Args)]
#[command(next_help_heading = "Source of the config specs")]
pub(crate) struct Source {
    /// A file: v2 or v1, plain or gzip; `-` is standard input
    #[arg(long, value_name = "FILE", group = "source")]
    specs: Option<PathBuf>,
    /// The file stands as an argument of its own.
    #[arg(skip)]
    is_argument: bool,
    /// Statsig's servers, and what is in Redis for it: a server secret key [env: STATSIG_SECRET_KEY]
    ///
    /// The variable keeps it out of the list of processes. It does not count where --specs is given.
    #[cfg(feature = "net")]
    #[arg(long, value_name = "KEY", value_parser = Secret::parse, group = "source")]
    pub(crate) sdk_key: Option<Secret>,
    #[cfg(feature = "net")]
    #[command(flatten)]
    pub(crate) servers: Servers,
    /// Do not turn to Statsig's servers when those of --api fail
    #[cfg(feature = "net")]
    #[arg(long, requires = "api")]
    pub(crate) no_fallback: bool,
    #[cfg(feature = "redis")]
    #[command(flatten)]
    pub(crate) redis: crate::remote::redis::RedisPlace,
}

impl Source {
    /// The file, if it is one.
    pub(crate) fn file(&self) -> Option<InputFile<'_>> {
        let option = if self.is_argument { "FILE" } else { "--specs" };
        self.specs.as_deref().map(|path| InputFile::new(option, path))
    }

    /// Returns the same source, or a file that stands as an argument of its own.
    pub(crate) fn or_file(mut self, file: Option<PathBuf>) -> Self {
        self.is_argument = file.is_some();
        self.specs = file.or(self.specs);
        self
    }

    /// Files that are read.
    pub(crate) fn files(&self) -> impl Iterator<Item = InputFile<'_>> {
        let files = self.file().into_iter();
        #[cfg(feature = "redis")]
        let files = files.chain(self.redis.files());
        files
    }
}

/// That no source is given.
pub(crate) fn no_source() -> Failure {
    let hint = match (cfg!(feature = "redis"), cfg!(feature = "net")) {
        (true, _) => "give --specs FILE, --sdk-key KEY (or set STATSIG_SECRET_KEY), or --redis URL with a key",
        (_, true) => "give --specs FILE, or --sdk-key KEY (or set STATSIG_SECRET_KEY)",
        _ => "give --specs FILE",
    };
    Failure::usage(anyhow!("no source of config specs")).with_hint(hint)
}
