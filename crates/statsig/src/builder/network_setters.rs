//! Builder methods of the network, the data store and the order of sources.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use statsig_core::{DataStore, KeySchema, SpecStream};
use statsig_net::transport::{OutboundProxy, TlsOptions};
use statsig_net::{
    EndpointOptions, FollowedStream, NetworkEndpoint, NetworkOptions, ProxyConfig, SdkKey, SpecsUpdated, StreamOptions,
};

use super::StatsigBuilder;
use super::network::DataSource;
use crate::runtime::A_YEAR;

impl StatsigBuilder {
    /// The server secret key, `secret-…`. With it, specs come from Statsig's servers once
    /// [`initialize`](crate::Statsig::initialize) is called, and events go there. Shown nowhere.
    ///
    /// `build` refuses a key that is blank, stands in quotation marks, or has white space, control characters or others
    /// than ASCII; and a client or console key, if it would go to Statsig's own servers.
    pub fn sdk_key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.spelling.in_code("sdk_key", "sdk_key");
        self.network.key = Some(SdkKey::new(key));
        self
    }

    /// The base of all addresses, such as `https://statsig.example.com/v1`, for a proxy in place of
    /// Statsig's servers.
    pub fn api(mut self, base: impl Into<String>) -> Self {
        self.spelling.in_code("api", "api");
        self.network.options.endpoints.api = Some(base.into());
        self
    }

    /// All addresses at once; replaces [`api`](Self::api).
    pub fn endpoints(mut self, endpoints: EndpointOptions) -> Self {
        self.spelling.in_code("api", "endpoints.api");
        self.spelling.in_code("specs_url", "endpoints.specs_url");
        self.spelling.in_code("id_lists_url", "endpoints.id_lists_url");
        self.spelling.in_code("id_list_file_api", "endpoints.id_list_file_api");
        self.spelling.in_code("log_event_url", "endpoints.log_event_url");
        self.spelling.in_code("sdk_exception_url", "endpoints.sdk_exception_url");
        self.network.options.endpoints = endpoints;
        self
    }

    /// A forward proxy for one endpoint, or for all.
    pub fn proxy_config(mut self, endpoint: NetworkEndpoint, config: ProxyConfig) -> Self {
        self.spelling.in_code("proxy", "proxy_config");
        self.spelling.in_code("proxy_configs", "proxy_config");
        self.network.options.endpoints.proxies.insert(endpoint, config);
        self
    }

    /// Timeouts, sizes, TLS and proxies of requests; replaces addresses that were set before.
    pub fn network_options(mut self, options: NetworkOptions) -> Self {
        self.spelling.in_code("request_timeout_ms", "network_options.request_timeout");
        self.spelling.in_code("id_lists_request_timeout_ms", "network_options.id_lists_request_timeout");
        self.spelling.in_code("log_event_timeout_ms", "network_options.log_event_timeout");
        self.spelling.in_code("max_specs_bytes", "network_options.max_specs_bytes");
        self.network.options = options;
        self
    }

    /// Notes that there were options of a data store, which cannot be used.
    pub(crate) fn refuse_data_store(&mut self) {
        self.network.data_store_refused = true;
    }

    /// The same, to change.
    pub(crate) fn network_options_mut(&mut self) -> &mut NetworkOptions {
        &mut self.network.options
    }

    /// Time for a request for config specs, at start and later: 1 ms to 365 days (default: 3 s and 10 s).
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.spelling.in_code("request_timeout_ms", "request_timeout");
        self.network.options.initial_request_timeout = timeout;
        self.network.options.request_timeout = timeout;
        self
    }

    /// A proxy between this machine and the internet (default: what `HTTPS_PROXY`, `ALL_PROXY` and their kin
    /// say).
    pub fn outbound_proxy(mut self, proxy: OutboundProxy) -> Self {
        self.network.options.transport.proxy = Some(proxy);
        self
    }

    /// Whom to trust, and who we are, where a forward proxy has no TLS options of its own (default: the
    /// authorities of the operating system, no certificate).
    pub fn tls(mut self, tls: TlsOptions) -> Self {
        self.network.options.transport.tls = tls;
        self
    }

    /// Specs whose own time is longer ago are taken for stale: polls go on to the next source although one
    /// succeeded (default: never). A quiet project is always stale by this.
    pub fn out_of_sync_threshold(mut self, threshold: Duration) -> Self {
        self.spelling.in_code("out_of_sync_threshold_ms", "out_of_sync_threshold");
        self.network.sync.out_of_sync_threshold = Some(threshold);
        self
    }

    /// The name of this service, for the vendor's and the proxy's statistics.
    pub fn service_name(mut self, name: impl Into<String>) -> Self {
        self.network.service_name = Some(name.into());
        self
    }

    /// Whether Statsig's own servers are asked when a configured address fails (default: no).
    pub fn fallback_to_statsig_api(mut self, fallback: bool) -> Self {
        self.network.fallback = fallback;
        self
    }

    /// A store that processes share: asked before the network, told of what the network brought.
    ///
    /// It is the client's own: [`Statsig::shutdown`](crate::Statsig::shutdown) shuts it down. Two clients in one
    /// process need two that are opened separately; a clone of a store is the same one.
    pub fn data_store(mut self, store: Arc<dyn DataStore>) -> Self {
        self.spelling.in_code("data_store", "data_store");
        self.network.data_store = Some(store);
        self
    }

    /// How entries of the data store are named (default: by a hash of the key).
    pub fn data_store_key_schema(mut self, schema: KeySchema) -> Self {
        self.network.schema = schema;
        self
    }

    /// Where specs come from at start, best first (default: data store, bootstrap, network, as far
    /// as they are configured).
    pub fn initialize_sources(mut self, sources: impl IntoIterator<Item = DataSource>) -> Self {
        self.spelling.in_code("initialize_sources", "initialize_sources");
        self.network.initialize_sources = Some(sources.into_iter().collect());
        self
    }

    /// Where polls ask, best first (default: data store, network, as far as they are configured).
    pub fn config_sync_sources(mut self, sources: impl IntoIterator<Item = DataSource>) -> Self {
        self.spelling.in_code("config_sync_sources", "config_sync_sources");
        self.network.config_sync_sources = Some(sources.into_iter().collect());
        self
    }

    /// Adds a stream that pushes new specs, with default options.
    pub fn spec_stream(self, stream: Arc<dyn SpecStream>) -> Self {
        self.spec_stream_with(stream, StreamOptions::default())
    }

    /// Adds a stream that pushes new specs, with options of its own: when to connect it again, and when to poll in its
    /// place.
    pub fn spec_stream_with(mut self, stream: Arc<dyn SpecStream>, options: StreamOptions) -> Self {
        self.network.streams.push(FollowedStream::new(stream, options));
        self
    }

    /// Keeps the newest accepted specs in a folder, as the last source of the next start.
    pub fn last_known_good(mut self, folder: impl Into<PathBuf>) -> Self {
        self.spelling.in_code("snapshot_dir", "last_known_good");
        self.network.last_known_good = Some(folder.into());
        self
    }

    /// Longest time that `initialize` waits, 1 ms or more (default: 10 s); loading goes on beyond it. More than 365
    /// days is taken for 365 days.
    pub fn init_timeout(mut self, timeout: Duration) -> Self {
        self.spelling.in_code("init_timeout_ms", "init_timeout");
        self.network.sync.init_timeout = Some(timeout.min(A_YEAR));
        self
    }

    /// At start, ask the next source as well after so long without an answer (default: never). Once one
    /// answers with specs that can be used, those asked before it get as long again to come with newer
    /// ones.
    pub fn hedge_after(mut self, after: Duration) -> Self {
        self.spelling.in_code("hedge_after_ms", "hedge_after");
        self.network.sync.hedge_after = Some(after);
        self
    }

    /// Whether the network is asked for differences to the specs held, in place of whole ones (default:
    /// `false`).
    ///
    /// Saves transfer where a large project changes often; costs the memory of the project's text. Polls
    /// only, and not by a client that writes its specs to a data store: others can make use of whole
    /// documents only. A difference that does not fit changes nothing and is followed by a whole
    /// document. Needs the feature `proto`: `docs/protocol/network.md#deltas`.
    pub fn enable_dcs_deltas(mut self, enable: bool) -> Self {
        self.spelling.in_code("enable_dcs_deltas", "enable_dcs_deltas");
        self.network.sync.deltas = enable;
        self
    }

    /// After how many differences in a row that led to nothing newer a poll asks for everything, at most
    /// every 5 minutes (default: 10; 0 is never).
    pub fn dcs_delta_no_progress_threshold(mut self, differences: u32) -> Self {
        self.network.sync.delta_no_progress_threshold = differences;
        self
    }

    /// Pause between polls for specs: 10 ms to 365 days, and at least 1 s where they reach Statsig's own servers
    /// (default: 10 s).
    pub fn specs_sync_interval(mut self, interval: Duration) -> Self {
        self.spelling.in_code("specs_sync_interval_ms", "specs_sync_interval");
        self.network.sync.poll_interval = interval;
        self
    }

    /// Longest pause between polls for specs while they fail: 1 ms to 365 days (default: the interval, but not less
    /// than 10 s).
    ///
    /// Pauses are uniform between 1 s and a limit that doubles with each failure up to this; a shorter one than the
    /// interval counts as the interval. A pause that a server asks for may be longer: up to 5 minutes, or this.
    pub fn max_poll_backoff(mut self, longest: Duration) -> Self {
        self.spelling.in_code("max_poll_backoff_ms", "max_poll_backoff");
        self.network.sync.max_poll_backoff = Some(longest);
        self
    }

    /// Pause between rounds for ID lists: 10 ms to 365 days, and at least 1 s where they reach Statsig's own servers
    /// (default: 60 s).
    pub fn id_lists_sync_interval(mut self, interval: Duration) -> Self {
        self.spelling.in_code("id_lists_sync_interval_ms", "id_lists_sync_interval");
        self.network.id_list_options.interval = interval;
        self
    }

    /// Whether ID lists are fetched (default: yes).
    pub fn enable_id_lists(mut self, enable: bool) -> Self {
        self.network.id_lists = enable;
        self
    }

    /// Calls back with specs that became current, from any source, on a background thread; with those of
    /// [`update_specs`](crate::Statsig::update_specs) on the caller's. Should return soon.
    pub fn rules_updated_callback(mut self, callback: impl Fn(&SpecsUpdated) + Send + Sync + 'static) -> Self {
        let log = Arc::clone(self.subscriptions.log());
        self.network.on_update = Some(Arc::new(move |updated: &SpecsUpdated| {
            log.watch("`rules_updated_callback`", || callback(updated));
        }));
        self
    }
}
