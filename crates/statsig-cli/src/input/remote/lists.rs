//! ID lists from places on the network.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use async_trait::async_trait;
use statsig_core::{IdListChunk, IdListEntry, IdListManifest, IdListSource, SourceError};
use statsig_net::id_lists::{IdListOptions, IdListReport, IdListSync, IdLists};
use tokio::runtime::Handle;

use crate::failure::Failure;
use crate::input::source::Source;
use crate::remote::secret::Secret;
use crate::remote::waiting::Waiting;
use crate::remote::{self, sdk_key};
use crate::text;
use crate::warnings::Warnings;

/// No second round: the command asks once.
const NEVER: Duration = Duration::from_secs(86_400 * 365);

/// A place on the network that has ID lists.
pub(crate) struct RemoteLists {
    lists: Arc<dyn IdListSource>,
    key: Secret,
    name: &'static str,
}

impl RemoteLists {
    /// The place that is meant; `None` if it is a file.
    pub(crate) fn of(source: &Source) -> Result<Option<Self>, Failure> {
        #[cfg(feature = "redis")]
        if source.redis.is_given() {
            use statsig_net::{SdkKey, id_lists::StoredIdLists};

            let key = remote::needed_sdk_key(source.sdk_key.as_ref())?;
            let store = Arc::new(source.redis.open(|options| options)?);
            let lists = Arc::new(StoredIdLists::alone(store, &SdkKey::new(key.expose())));
            return Ok(Some(Self { lists, key, name: "Redis" }));
        }
        let Some(key) = sdk_key(source.sdk_key.as_ref()).filter(|_| source.file().is_none()) else { return Ok(None) };
        let network = source.servers.network(&key, None)?;
        let fallback = source.servers.api.is_some() && !source.no_fallback;
        Ok(Some(Self { lists: Arc::new(network.id_list_source(fallback)), key, name: "the server" }))
    }

    /// Fetches lists, once.
    ///
    /// # Errors
    /// A list cannot be fetched. With `may_be_missing` this is a warning.
    pub(crate) fn read(
        &self,
        wanted: &[String],
        lists: &Arc<IdLists>,
        may_be_missing: bool,
        warnings: Warnings,
    ) -> Result<(), Failure> {
        let waiting = Waiting::start(format!("ID lists from {}", self.name), warnings.quiet);
        let source = Arc::new(Wanted { names: wanted.to_vec(), source: Arc::clone(&self.lists) });
        let report = remote::run(async {
            let mut options = IdListOptions::default();
            options.interval = NEVER;
            let sync = IdListSync::start(options, Arc::clone(lists), source, &Handle::current());
            Ok(sync.sync_now().await)
        })?;
        drop(waiting);
        let failures = self.failures(&report);
        if may_be_missing {
            failures.iter().for_each(|failure| warnings.warn(failure));
        } else if let Some(first) = failures.first() {
            let others = match failures.len() - 1 {
                0 => String::new(),
                others => format!("; and {} more", text::count(others as u64, "list")),
            };
            return Err(Failure::input(anyhow!("{first}{others}")).with_hint(
                "values may depend on it: --id-list NAME=FILE gives it, --allow-missing-id-lists takes it for empty",
            ));
        }
        Ok(())
    }

    fn failures(&self, report: &IdListReport) -> Vec<String> {
        let clean = |message: &str| self.key.hide_in(&text::clean(message));
        let all = report.error.iter().map(|error| format!("no ID lists from {}: {}", self.name, clean(error)));
        let each = report
            .failed
            .iter()
            .map(|(list, error)| format!("no ID list {} from {}: {}", text::clean(list), self.name, clean(error)));
        all.chain(each).collect()
    }
}

/// Some of the lists of a source.
struct Wanted {
    names: Vec<String>,
    source: Arc<dyn IdListSource>,
}

#[async_trait]
impl IdListSource for Wanted {
    fn name(&self) -> &str {
        self.source.name()
    }

    async fn manifest(&self) -> Result<IdListManifest, SourceError> {
        let mut manifest = self.source.manifest().await?;
        manifest.entries.retain(|entry| self.names.contains(&entry.name));
        manifest.unreadable.retain(|name| self.names.contains(name));
        Ok(manifest)
    }

    async fn read(&self, entry: &IdListEntry, start: u64) -> Result<IdListChunk, SourceError> {
        self.source.read(entry, start).await
    }
}
