//! The client-initialize responses that a plan asks for.

use serde_json::Value;
use statsig::{ClientInitializeOptions, Statsig, StatsigUser};

use super::runner::RunError;

/// What a request of a plan or a script says of the response.
pub(super) struct Request<'a> {
    pub(super) hash: Option<&'a str>,
    pub(super) client_key: Option<&'a str>,
    pub(super) include_local_overrides: Option<bool>,
}

/// The response as the corpus keeps it.
pub(super) fn response(statsig: &Statsig, user: &StatsigUser, request: &Request<'_>) -> Result<Value, RunError> {
    let mut options = ClientInitializeOptions::new();
    if let Some(algorithm) = request.hash.and_then(|name| name.parse().ok()) {
        options = options.with_hash_algorithm(algorithm);
    }
    if let Some(key) = request.client_key {
        options = options.with_client_sdk_key(key);
    }
    if let Some(include) = request.include_local_overrides {
        options = options.with_local_overrides(include);
    }
    // Read back from the text that a client would get.
    let mut text = Vec::new();
    statsig.write_client_initialize_response(user, &options, &mut text).map_err(RunError::Write)?;
    let mut response: Value = serde_json::from_slice(&text).map_err(|error| RunError::Write(error.into()))?;
    if let Value::Object(fields) = &mut response {
        fields.shift_remove("sdkInfo");
    }
    Ok(response)
}
