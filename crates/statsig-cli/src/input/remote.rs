//! Config specs from places on the network.

mod lists;

use std::sync::Arc;

use anyhow::{Context, anyhow};
use statsig_background::error_chain;
use statsig_core::{PayloadFormat, SourceError, SourceErrorKind, SpecFetch, SpecRequest, SpecTrigger, SpecUpdate};
use statsig_net::SpecSources;

use super::source::{Source, no_source};
use crate::failure::Failure;
use crate::input::inflated;
use crate::input::specs::{Document, max_bytes, text_of};
use crate::remote::secret::Secret;
use crate::remote::waiting::Waiting;
use crate::remote::{self, sdk_key};
use crate::warnings::Warnings;

pub(crate) use lists::RemoteLists;

/// A place on the network that has config specs.
pub(crate) struct Remote {
    /// Asked in order, and followed.
    pub(crate) sources: SpecSources,
    /// What must not be in any message.
    pub(crate) key: Secret,
    /// How it is called in messages.
    pub(crate) name: &'static str,
    /// Which of the hints fit.
    is_redis: bool,
}

impl Remote {
    /// The place that is meant; `None` if it is a file.
    pub(crate) fn of(source: &Source) -> Result<Option<Self>, Failure> {
        #[cfg(feature = "redis")]
        if source.redis.is_given() {
            return Self::redis(source).map(Some);
        }
        if source.file().is_some() {
            if source.servers.api.is_some() {
                return Err(Failure::usage(anyhow!("--specs and --api cannot be used together")));
            }
            return Ok(None);
        }
        let Some(key) = sdk_key(source.sdk_key.as_ref()) else {
            return Err(if source.servers.api.is_some() { remote::no_sdk_key() } else { no_source() });
        };
        let network = source.servers.network(&key, None)?;
        let mut sources = SpecSources::new().then(Arc::new(network.spec_source()));
        if !source.no_fallback {
            sources.fallback = network.fallback_spec_source().map(|source| Arc::new(source) as _);
        }
        Ok(Some(Self { sources, key, name: "the server", is_redis: false }))
    }

    #[cfg(feature = "redis")]
    fn redis(source: &Source) -> Result<Self, Failure> {
        use statsig_core::StoreKeys;
        use statsig_net::sources::DataStoreSpecSource;

        use statsig::SystemClock;

        if source.file().is_some() || source.servers.api.is_some() {
            return Err(Failure::usage(anyhow!("--redis cannot be used together with --specs or --api")));
        }
        let key = remote::needed_sdk_key(source.sdk_key.as_ref())?;
        let store = source.redis.open(|options| options)?;
        let places = StoreKeys::new(key.expose()).all_specs_keys();
        let stored = DataStoreSpecSource::with_keys(Arc::new(store), places, Arc::new(SystemClock));
        let stream = Arc::new(stored.stream());
        let sources = SpecSources::new().then(Arc::new(stored)).with_stream(stream);
        Ok(Self { sources, key, name: "Redis", is_redis: true })
    }

    /// Gets the document, once.
    pub(crate) fn read(&self, warnings: Warnings) -> Result<Document, Failure> {
        let waiting = Waiting::start(format!("config specs from {}", self.name), warnings.quiet);
        let update = remote::run(self.fetch(&waiting, warnings))?;
        drop(waiting);
        let name = match &update.address {
            Some(origin) if !self.is_redis => origin.to_string(),
            _ => self.name.to_owned(),
        };
        let inspection = "statsig specs (with the same source)".to_owned();
        let document = match update.format {
            PayloadFormat::Protobuf => text_of(&update.payload)
                .with_context(|| format!("the binary form of {name} cannot be read"))
                .map_err(Failure::input)?,
            _ => inflated(update.payload.into(), &name, max_bytes()).map_err(Failure::input)?,
        };
        Ok(Document::of_text(document, name, inspection))
    }

    async fn fetch(&self, waiting: &Waiting, warnings: Warnings) -> Result<SpecUpdate, Failure> {
        let request = SpecRequest::new(None, SpecTrigger::Manual).with_protobuf(true);
        let mut failed: Vec<(String, SourceError)> = Vec::new();
        for source in self.sources.initial.iter().chain(&self.sources.fallback) {
            match source.fetch(&request).await {
                Ok(SpecFetch::Updated(update)) => {
                    if let (Some((_, error)), Some(origin)) = (failed.first(), &update.address) {
                        let error = self.key.hide_in(&error_chain(error));
                        waiting.aside(|| warnings.warn(&format!("{error}; used {origin} in its place")));
                    }
                    return Ok(update);
                }
                Ok(_) => {
                    let error = SourceError::new(SourceErrorKind::Empty, "only word that nothing is new");
                    failed.push((source.name().to_owned(), error));
                }
                Err(error) => failed.push((source.name().to_owned(), error)),
            }
        }
        Err(self.failure(&failed))
    }

    fn failure(&self, failed: &[(String, SourceError)]) -> Failure {
        let several = failed.len() > 1;
        let texts: Vec<String> = failed
            .iter()
            .map(|(name, error)| if several { format!("{name}: {}", error_chain(error)) } else { error_chain(error) })
            .collect();
        let message = self.key.hide_in(&texts.join("; "));
        let kind = failed.first().map_or(SourceErrorKind::Empty, |(_, error)| error.kind());
        Failure::input(anyhow!("no config specs from {}: {message}", self.name)).with_hint(self.hint(kind))
    }

    /// What to do about a source that gives nothing.
    pub(crate) fn hint(&self, kind: SourceErrorKind) -> &'static str {
        match (self.is_redis, kind) {
            (true, SourceErrorKind::Empty) => {
                "is it the SDK key that the writers use? `statsig redis get` lists what is there, `statsig redis put` seeds it"
            }
            (true, SourceErrorKind::Refused) => "check user and password of --redis, and what the user may read",
            (true, _) => "is the server up, and is --redis right? `redis-cli ping` tells",
            (false, SourceErrorKind::Refused) => {
                "is it a server secret key, enabled, and of this project? See the project's settings, Keys & Environments"
            }
            (false, SourceErrorKind::Empty | SourceErrorKind::Invalid) => "does --api name a server of config specs?",
            (false, _) => "check the network and --api; with --specs FILE none is needed",
        }
    }
}
