//! A Redis, by URL.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use statsig_background::error_chain;
use statsig_core::{DataStoreError, DataStoreErrorKind};
use statsig_store_redis::{RedisDataStore, RedisOptions, TlsOptions};

use super::secret::Secret;
use crate::failure::Failure;
use crate::input;
use crate::input::file::InputFile;

/// Largest certificate file, in bytes.
const MAX_CERTIFICATE: u64 = 1 << 20;

/// Where Redis is.
#[derive(Debug, Args)]
#[command(next_help_heading = "Redis")]
pub(crate) struct RedisPlace {
    /// Redis: redis://[user[:password]@]host[:port][/db], rediss:// with TLS, unix:///path
    ///
    /// Several are nodes of a cluster, or sentinels with --redis-master.
    #[arg(long = "redis", value_name = "URL", value_parser = Secret::parse)]
    urls: Vec<Secret>,
    /// The URLs are sentinels, and this is their name for the master
    #[arg(long = "redis-master", value_name = "NAME", requires = "urls")]
    master: Option<String>,
    /// A file with the password, so that it is in no list of processes
    #[arg(long = "redis-password-file", value_name = "FILE", requires = "urls")]
    password_file: Option<PathBuf>,
    /// A PEM file of authorities to trust in place of the system's; switches TLS on
    #[arg(long = "redis-ca", value_name = "FILE", requires = "urls")]
    authorities: Option<PathBuf>,
    /// A text before every key, as the writers of the store use it
    #[arg(long = "redis-namespace", value_name = "TEXT", requires = "urls")]
    namespace: Option<String>,
}

impl RedisPlace {
    /// Whether a Redis is given.
    pub(crate) fn is_given(&self) -> bool {
        !self.urls.is_empty()
    }

    /// Files that are read.
    pub(crate) fn files(&self) -> impl Iterator<Item = InputFile<'_>> {
        let password = self.password_file.as_deref().map(|path| InputFile::new("--redis-password-file", path));
        password.into_iter().chain(self.authorities.as_deref().map(|path| InputFile::new("--redis-ca", path)))
    }

    /// Returns the options of a client.
    pub(crate) fn options(&self) -> Result<RedisOptions, Failure> {
        self.files().try_for_each(InputFile::refuse_address)?;
        let urls = self.urls.iter().map(Secret::expose);
        let options = match (self.urls.as_slice(), &self.master) {
            ([], _) => return Err(Failure::usage(anyhow!("no Redis")).with_hint("give --redis URL")),
            (_, Some(master)) => RedisOptions::sentinel(urls, master.as_str()),
            ([url], None) => RedisOptions::single(url.expose()),
            (_, None) => RedisOptions::cluster(urls),
        };
        let mut options = options.map_err(wrong_options)?;
        if let Some(namespace) = &self.namespace {
            options = options.namespace(namespace);
        }
        if let Some(file) = &self.password_file {
            options = options.password_file(file);
        }
        if let Some(file) = &self.authorities {
            let pem = input::read(file, MAX_CERTIFICATE).map_err(Failure::input)?;
            options = options.tls(TlsOptions::new().authorities(pem));
        }
        Ok(options)
    }

    /// Opens a store, without connecting.
    pub(crate) fn open(&self, change: impl FnOnce(RedisOptions) -> RedisOptions) -> Result<RedisDataStore, Failure> {
        RedisDataStore::open(change(self.options()?)).map_err(wrong_options)
    }
}

/// What to say about options that cannot work.
pub(crate) fn wrong_options(error: statsig_store_redis::OptionsError) -> Failure {
    Failure::usage(error)
        .with_hint("a URL is redis://[user[:password]@]host[:port][/db]; special characters in %XX form")
}

/// What to say about a store that does not do what it should.
pub(crate) fn failed(error: &DataStoreError) -> Failure {
    let hint = hint(error.kind());
    let failure = Failure::input(anyhow!("{}", error_chain(error)));
    if hint.is_empty() { failure } else { failure.with_hint(hint) }
}

fn hint(kind: DataStoreErrorKind) -> &'static str {
    match kind {
        DataStoreErrorKind::Unavailable | DataStoreErrorKind::Timeout => {
            "is the server up, and are host and port of --redis right? `redis-cli ping` tells"
        }
        DataStoreErrorKind::Denied => "check user and password, and that the user may run the command on these keys",
        DataStoreErrorKind::ReadOnly => "write to the master, not to a replica",
        DataStoreErrorKind::Full => "raise `maxmemory` of the server, or choose a policy that evicts",
        DataStoreErrorKind::Malformed => "something else is stored under the key; look with `redis-cli type`",
        _ => "",
    }
}
