//! A client from the options of `create`.
//!
//! The one place that knows which options there are. What needs sources that the client does not
//! have is refused by its name, and so is what nobody knows.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};
use statsig::{DataSource, JsonlFileSink, NetworkOptions, NoopSink, Statsig, StatsigBuilder};
#[cfg(feature = "spool")]
use statsig::{SpoolMode, SpoolOptions};
use tokio::runtime::Handle;

use crate::answer::{Failure, FailureKind};
use crate::request::Fields;

/// Options of the protocol that need what the client has not.
const UNSUPPORTED: &[&str] = &["data_store", "proxy"];

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    bootstrap: Option<String>,
    environment: Option<String>,
    global_custom_fields: Option<Map<String, Value>>,
    local_mode: bool,
    disable_all_logging: bool,
    event_queue_size: Option<usize>,
    flush_interval_ms: Option<u64>,
    retry_queue_size: Option<usize>,
    spool_dir: Option<PathBuf>,
    api: Option<String>,
    specs_url: Option<String>,
    id_lists_url: Option<String>,
    log_event_url: Option<String>,
    enable_id_lists: Option<bool>,
    fallback_to_statsig_api: bool,
    init_timeout_ms: Option<u64>,
    request_timeout_ms: Option<u64>,
    specs_sync_interval_ms: Option<u64>,
    id_lists_sync_interval_ms: Option<u64>,
    snapshot_dir: Option<PathBuf>,
    specs_file: Option<PathBuf>,
    initialize_sources: Option<Vec<Source>>,
    config_sync_sources: Option<Vec<Source>>,
    /// Where events go, one a line. Without it they go nowhere, and count as delivered.
    events_file: Option<PathBuf>,
}

/// A source by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Source {
    Network,
    StatsigNetwork,
    Bootstrap,
    File,
}

impl Options {
    /// Whether anything but a bootstrap document is to be had.
    fn is_on_the_network(&self) -> bool {
        let listed = self.initialize_sources.iter().chain(&self.config_sync_sources).flatten();
        [&self.api, &self.specs_url, &self.id_lists_url, &self.log_event_url].into_iter().any(Option::is_some)
            || self.snapshot_dir.is_some()
            || listed.into_iter().any(|source| matches!(source, Source::Network | Source::StatsigNetwork))
    }

    fn sources(&self, names: &[Source]) -> Result<Vec<DataSource>, Failure> {
        let source = |name: &Source| match (name, &self.specs_file) {
            (Source::Network, _) => Ok(DataSource::Network),
            (Source::StatsigNetwork, _) => Ok(DataSource::StatsigNetwork),
            (Source::Bootstrap, _) => Ok(DataSource::Bootstrap),
            (Source::File, Some(path)) => Ok(DataSource::File(path.clone())),
            (Source::File, None) => Err(Failure::new(FailureKind::InvalidOption, "`file` needs `specs_file`")),
        };
        names.iter().map(source).collect()
    }

    /// Takes over everything about sources.
    fn network(&self, mut builder: StatsigBuilder, sdk_key: &str) -> Result<StatsigBuilder, Failure> {
        let millis = Duration::from_millis;
        if self.is_on_the_network() {
            let mut network = NetworkOptions::default();
            let endpoints = &mut network.endpoints;
            endpoints.api.clone_from(&self.api);
            endpoints.specs_url.clone_from(&self.specs_url);
            endpoints.id_lists_url.clone_from(&self.id_lists_url);
            endpoints.log_event_url.clone_from(&self.log_event_url);
            if let Some(timeout) = self.request_timeout_ms {
                network.initial_request_timeout = millis(timeout);
                network.request_timeout = millis(timeout);
            }
            builder = builder.sdk_key(sdk_key).network_options(network);
        }
        builder = builder.fallback_to_statsig_api(self.fallback_to_statsig_api);
        if let Some(enable) = self.enable_id_lists {
            builder = builder.enable_id_lists(enable);
        }
        if let Some(timeout) = self.init_timeout_ms {
            builder = builder.init_timeout(millis(timeout));
        }
        if let Some(interval) = self.specs_sync_interval_ms {
            builder = builder.specs_sync_interval(millis(interval));
        }
        if let Some(interval) = self.id_lists_sync_interval_ms {
            builder = builder.id_lists_sync_interval(millis(interval));
        }
        if let Some(folder) = &self.snapshot_dir {
            builder = builder.last_known_good(folder);
        }
        match (&self.initialize_sources, &self.specs_file) {
            (Some(names), _) => builder = builder.initialize_sources(self.sources(names)?),
            (None, Some(path)) => builder = builder.initialize_sources([DataSource::File(path.clone())]),
            (None, None) => {}
        }
        if let Some(names) = &self.config_sync_sources {
            builder = builder.config_sync_sources(self.sources(names)?);
        }
        Ok(builder)
    }
}

/// Builds a client; its background work runs on `runtime`.
pub fn create(fields: &mut Fields, runtime: &Handle) -> Result<Statsig, Failure> {
    let sdk_key: String = fields.required("sdk_key")?;
    let options = options(fields.optional("options")?.unwrap_or_default())?;
    let mut builder = Statsig::builder()
        .runtime(runtime.clone())
        .disable_network(options.local_mode)
        .disable_all_logging(options.disable_all_logging);
    builder = options.network(builder, &sdk_key)?;
    if let Some(specs) = options.bootstrap {
        builder = builder.bootstrap(specs);
    }
    if let Some(tier) = options.environment {
        builder = builder.environment(tier);
    }
    if let Some(custom) = options.global_custom_fields {
        builder = builder.global_custom_fields(custom);
    }
    if let Some(events) = options.event_queue_size {
        builder = builder.event_queue_size(events);
    }
    if let Some(interval) = options.flush_interval_ms {
        builder = builder.event_flush_interval(Duration::from_millis(interval));
    }
    if let Some(batches) = options.retry_queue_size {
        builder = builder.retry_queue_size(batches);
    }
    builder = match options.events_file {
        // To the server that was named.
        None if options.api.is_some() || options.log_event_url.is_some() => builder,
        None => builder.event_sink(Arc::new(NoopSink)),
        Some(path) => {
            let sink = JsonlFileSink::open(path).map_err(|error| Failure::of(FailureKind::InvalidOption, &error))?;
            builder.event_sink(Arc::new(sink))
        }
    };
    #[cfg(feature = "spool")]
    if let Some(folder) = options.spool_dir {
        builder = builder.event_spool(SpoolOptions::for_sdk_key(folder, &sdk_key), SpoolMode::Overflow);
    }
    #[cfg(not(feature = "spool"))]
    if options.spool_dir.is_some() {
        return Err(unsupported("spool_dir"));
    }
    builder.build().map_err(|error| {
        let kind = match error {
            statsig::Error::Misconfigured(_) => FailureKind::InvalidOption,
            statsig::Error::Specs(_) => FailureKind::InvalidSpecs,
            _ => FailureKind::Failed,
        };
        Failure::of(kind, &error)
    })
}

fn options(given: Map<String, Value>) -> Result<Options, Failure> {
    if let Some(name) = given.keys().find(|name| UNSUPPORTED.contains(&name.as_str())) {
        return Err(unsupported(name));
    }
    // A `null` is like no option.
    let given: Map<String, Value> = given.into_iter().filter(|(_, value)| !value.is_null()).collect();
    serde_path_to_error::deserialize(Value::Object(given)).map_err(|error| {
        let message = match error.path().to_string() {
            path if path == "." => error.into_inner().to_string(),
            path => format!("`{path}`: {}", error.into_inner()),
        };
        Failure::new(FailureKind::InvalidOption, message)
    })
}

fn unsupported(name: &str) -> Failure {
    Failure::new(FailureKind::Unsupported, format!("the client has no option `{name}`"))
}
