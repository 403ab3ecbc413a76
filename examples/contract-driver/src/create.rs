//! A client from the options of `create`.
//!
//! They are the client's own (`docs/options.md`); what the driver does otherwise, so that a suite does not
//! reach Statsig's servers by accident, is here.

use std::sync::Arc;

use serde_json::{Map, Value};
use statsig::{NoopSink, SourceName, Statsig, StatsigOptions};
use tokio::runtime::Handle;

use crate::answer::{Failure, FailureKind};
use crate::request::Fields;

/// Whether the options lead anywhere but to a bootstrap document: only then does the client get the key,
/// with which it would ask Statsig's servers.
fn lead_out(options: &StatsigOptions) -> bool {
    let listed = options.initialize_sources.iter().chain(&options.config_sync_sources).flatten();
    let addresses = [&options.api, &options.specs_url, &options.id_lists_url, &options.log_event_url];
    addresses.into_iter().any(Option::is_some)
        || options.proxy.is_some()
        || options.proxy_configs.is_some()
        || options.data_store.is_some()
        || options.snapshot_dir.is_some()
        || listed.into_iter().any(|source| matches!(source, SourceName::Network | SourceName::StatsigNetwork))
}

/// Whether somebody was named who takes events.
fn has_place_for_events(options: &StatsigOptions) -> bool {
    options.events_file.is_some()
        || options.api.is_some()
        || options.log_event_url.is_some()
        || options.proxy.is_some()
        || options.proxy_configs.is_some()
}

/// Builds a client; its background work runs on `runtime`.
pub fn create(fields: &mut Fields, runtime: &Handle) -> Result<Statsig, Failure> {
    let sdk_key: String = fields.required("sdk_key")?;
    let given: Map<String, Value> = fields.optional("options")?.unwrap_or_default();
    let mut options: StatsigOptions = serde_json::from_value(given.into())
        .map_err(|error| Failure::new(FailureKind::InvalidOption, error.to_string()))?;
    options.sdk_key = lead_out(&options).then(|| sdk_key.into());
    if let Some(store) = &mut options.data_store {
        // A suite wants to see what is written.
        store.read_only.get_or_insert(false);
    }
    let mut builder = Statsig::builder().runtime(runtime.clone());
    if !has_place_for_events(&options) {
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
