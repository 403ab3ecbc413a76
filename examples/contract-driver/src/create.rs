//! A client from the options of `create`.
//!
//! The one place that knows which options there are. What needs sources that the client does not
//! have is refused by its name, and so is what nobody knows.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};
use statsig::{JsonlFileSink, NoopSink, Statsig};
#[cfg(feature = "spool")]
use statsig::{SpoolMode, SpoolOptions};
use tokio::runtime::Handle;

use crate::answer::{Failure, FailureKind};
use crate::request::Fields;

/// Options of the protocol that need what the client has not.
const UNSUPPORTED: &[&str] = &[
    "api",
    "config_sync_sources",
    "data_store",
    "enable_id_lists",
    "fallback_to_statsig_api",
    "id_lists_sync_interval_ms",
    "id_lists_url",
    "init_timeout_ms",
    "initialize_sources",
    "log_event_url",
    "proxy",
    "request_timeout_ms",
    "snapshot_dir",
    "specs_file",
    "specs_sync_interval_ms",
    "specs_url",
];

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
    /// Where events go, one a line. Without it they go nowhere, and count as delivered.
    events_file: Option<PathBuf>,
}

/// Builds a client; its background work runs on `runtime`.
pub fn create(fields: &mut Fields, runtime: &Handle) -> Result<Statsig, Failure> {
    let sdk_key: String = fields.required("sdk_key")?;
    let options = options(fields.optional("options")?.unwrap_or_default())?;
    let mut builder = Statsig::builder()
        .runtime(runtime.clone())
        .disable_network(options.local_mode)
        .disable_all_logging(options.disable_all_logging);
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
    // Without a network nobody asks for the key.
    drop(sdk_key);
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
