//! Statsig's servers, or a proxy in their place.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use statsig_background::error_chain;
use statsig_net::{ClientIdentity, Network, NetworkOptions, SdkKey};

use super::secret::Secret;
use crate::failure::Failure;
use crate::input::specs::max_bytes;
use statsig::SystemClock;

/// Time for one request.
const REQUEST: Duration = Duration::from_secs(30);

/// Which servers are asked.
#[derive(Debug, Args)]
pub(crate) struct Servers {
    /// Base address of a proxy in place of Statsig's servers, such as https://statsig.example.com/v1
    #[arg(long, value_name = "URL")]
    pub(crate) api: Option<String>,
}

impl Servers {
    /// Makes what talks to them.
    pub(crate) fn network(&self, key: &Secret, log_event_url: Option<&str>) -> Result<Network, Failure> {
        let mut options = NetworkOptions::default();
        options.endpoints.api.clone_from(&self.api);
        options.endpoints.log_event_url = log_event_url.map(str::to_owned);
        options.initial_request_timeout = REQUEST;
        options.request_timeout = REQUEST;
        options.id_lists_request_timeout = REQUEST;
        options.max_specs_bytes = usize::try_from(max_bytes()).unwrap_or(usize::MAX);
        let made = ClientIdentity::new(SdkKey::new(key.expose()))
            .and_then(|identity| Network::new(options, identity, Arc::new(SystemClock)));
        made.map_err(|error| Failure::usage(anyhow::anyhow!("{}", key.hide_in(&error_chain(&error)))))
    }
}
