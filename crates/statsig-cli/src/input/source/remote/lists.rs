//! ID lists from places on the network.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use statsig_core::{IdListChunk, IdListEntry, IdListManifest, IdListSource, SourceError};
use statsig_net::id_lists::{IdListOptions, IdListReport, IdListSync, IdLists};
use tokio::runtime::Handle;

use super::Source;
use crate::args::Warnings;
use crate::failure::Failure;
use crate::remote::secret::Secret;
use crate::remote::waiting::Waiting;
use crate::remote::{self, sdk_key};
use crate::text;

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

    /// Fetches lists, once. Those that cannot be had are warned of.
    pub(crate) fn read(&self, wanted: &[String], lists: &Arc<IdLists>, warnings: Warnings) -> Result<(), Failure> {
        let waiting = Waiting::start(format!("ID lists from {}", self.name), warnings.quiet);
        let source = Arc::new(Wanted { names: wanted.to_vec(), source: Arc::clone(&self.lists) });
        let report = remote::run(async {
            let mut options = IdListOptions::default();
            options.interval = NEVER;
            let sync = IdListSync::start(options, Arc::clone(lists), source, &Handle::current());
            Ok(sync.sync_now().await)
        })?;
        drop(waiting);
        self.warn(&report, warnings);
        Ok(())
    }

    fn warn(&self, report: &IdListReport, warnings: Warnings) {
        let clean = |message: &str| self.key.hide_in(&text::clean(message));
        if let Some(error) = &report.error {
            warnings.warn(&format!("no ID lists from {}: {}", self.name, clean(error)));
        }
        for (list, error) in &report.failed {
            warnings.warn(&format!("no ID list {} from {}: {}", text::clean(list), self.name, clean(error)));
        }
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
