//! A client from the options of `create`.
//!
//! They are the client's own (`docs/options.md`); what the driver does otherwise, so that a suite does not
//! reach Statsig's servers by accident, is here.

use std::sync::Arc;

use serde_json::{Map, Value};
use statsig::{EndpointName, NoopSink, SourceName, Statsig, StatsigOptions};
use tokio::runtime::Handle;

use crate::answer::{Failure, FailureKind};
use crate::request::Fields;

/// Whether an endpoint has an address that is not Statsig's own.
fn has_address(options: &StatsigOptions, own: bool, endpoint: EndpointName) -> bool {
    let by_endpoint = options
        .proxy_configs
        .as_ref()
        .is_some_and(|proxies| proxies.contains_key(&endpoint) || proxies.contains_key(&EndpointName::All));
    own || by_endpoint || options.api.is_some() || options.proxy.is_some()
}

/// Leaves out what would reach Statsig's servers although nobody named them.
fn stay_away_from_statsig(options: &mut StatsigOptions) {
    let listed = options.initialize_sources.iter().chain(&options.config_sync_sources).flatten();
    let wants_network = listed.into_iter().any(|name| matches!(name, SourceName::Network | SourceName::StatsigNetwork));
    let has_specs = has_address(options, options.specs_url.is_some(), EndpointName::DownloadConfigSpecs);
    if !has_specs && !wants_network {
        let there = [
            (SourceName::DataStore, options.data_store.is_some()),
            (SourceName::Bootstrap, options.bootstrap.is_some()),
            (SourceName::File, options.specs_file.is_some()),
            (SourceName::Snapshot, options.snapshot_dir.is_some()),
        ];
        let there = || there.iter().filter(|(_, is_there)| *is_there).map(|(name, _)| *name);
        options.initialize_sources.get_or_insert_with(|| there().collect());
        options
            .config_sync_sources
            .get_or_insert_with(|| there().filter(|name| *name == SourceName::DataStore).collect());
    }
    if !has_address(options, options.id_lists_url.is_some(), EndpointName::GetIdLists) {
        options.enable_id_lists.get_or_insert(false);
    }
}

/// Whether the options lead anywhere but to documents at hand: only then does the client get the key.
fn lead_out(options: &StatsigOptions) -> bool {
    let addresses =
        [&options.api, &options.specs_url, &options.fallback_specs_url, &options.id_lists_url, &options.log_event_url];
    let listed = options.initialize_sources.iter().chain(&options.config_sync_sources).flatten();
    addresses.into_iter().any(Option::is_some)
        || options.proxy.is_some()
        || options.proxy_configs.is_some()
        || options.data_store.is_some()
        || options.snapshot_dir.is_some()
        || listed.into_iter().any(|source| matches!(source, SourceName::Network | SourceName::StatsigNetwork))
}

/// Builds a client; its background work runs on `runtime`.
pub fn create(fields: &mut Fields, runtime: &Handle) -> Result<Statsig, Failure> {
    let sdk_key: String = fields.required("sdk_key")?;
    let given: Map<String, Value> = fields.optional("options")?.unwrap_or_default();
    let mut options: StatsigOptions = serde_json::from_value(given.into())
        .map_err(|error| Failure::new(FailureKind::InvalidOption, error.to_string()))?;
    if lead_out(&options) {
        options.sdk_key = Some(sdk_key.into());
        stay_away_from_statsig(&mut options);
    }
    if let Some(store) = &mut options.data_store {
        // A suite wants to see what is written.
        store.read_only.get_or_insert(false);
    }
    let mut builder = Statsig::builder().runtime(runtime.clone());
    let has_place_for_events = has_address(&options, options.log_event_url.is_some(), EndpointName::LogEvent);
    if !has_place_for_events && options.events_file.is_none() {
        builder = builder.event_sink(Arc::new(NoopSink));
    }
    builder.options(options).build().map_err(|error| {
        let kind = match error {
            statsig::Error::Misconfigured(_) => FailureKind::InvalidOption,
            statsig::Error::Specs(_) => FailureKind::InvalidSpecs,
            _ => FailureKind::Failed,
        };
        Failure::of(kind, &error)
    })
}
