//! Options of where specs and ID lists come from.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use statsig_core::{
    ClientSdkInfo, Clock, DataStore, IdListSource, KeySchema, Observer, Reach, SnapshotStore, SpecOrigin, SpecSource,
    SpecStream,
};
use statsig_net::id_lists::{IdListOptions, IdLists, StoredIdLists};
use statsig_net::sources::{BootstrapSpecSource, DataStoreSpecSource, FileSpecSource, LastKnownGood};
use statsig_net::{
    AcceptorOptions, ClientIdentity, FollowedStream, Network, NetworkEndpoint, NetworkOptions, NetworkProtocol,
    PayloadAcceptor, RulesetTarget, SdkKey, SpecSources, SpecSync, SpecsListener, SpecsUpdated, StoreWriter,
    StreamOptions, SyncOptions,
};
use tokio::runtime::Handle;

use super::spelling::{Spelling, bounds_of};
use crate::error::shorten;
use crate::key::{foreign_kind, problem_of_key};
use crate::networking::{IdListPlan, Networking};
use crate::options::{LEAST_VENDOR_INTERVAL, SourceName};

/// A place where config specs come from, for the order of `initialize_sources` and
/// `config_sync_sources`.
#[derive(Clone)]
#[non_exhaustive]
pub enum DataSource {
    /// The configured address: Statsig's servers, or a proxy in their place.
    Network,
    /// Statsig's own servers, whatever address is configured.
    StatsigNetwork,
    /// The data store of the options.
    DataStore,
    /// The bootstrap document of the options.
    Bootstrap,
    /// A file, watched for changes.
    File(PathBuf),
    /// What the last run has kept ([`last_known_good`](crate::StatsigBuilder::last_known_good)): asked
    /// here, rather than after all others.
    Snapshot,
    /// Whatever tells of new specs by itself. Streams are followed wherever they are listed, and begin
    /// after the first load; a start for which nothing else is listed waits for them.
    Stream,
    /// Any other.
    Custom(Arc<dyn SpecSource>),
}

impl std::fmt::Debug for DataSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Network => f.write_str("Network"),
            Self::StatsigNetwork => f.write_str("StatsigNetwork"),
            Self::DataStore => f.write_str("DataStore"),
            Self::Bootstrap => f.write_str("Bootstrap"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Snapshot => f.write_str("Snapshot"),
            Self::Stream => f.write_str("Stream"),
            Self::Custom(source) => f.debug_tuple("Custom").field(&source.name()).finish(),
        }
    }
}

impl DataSource {
    /// Returns the name that a message shows, as an option or as in code.
    fn shown(&self, as_option: bool) -> String {
        let (option, variant) = match self {
            Self::Network => (SourceName::Network, "Network"),
            Self::StatsigNetwork => (SourceName::StatsigNetwork, "StatsigNetwork"),
            Self::DataStore => (SourceName::DataStore, "DataStore"),
            Self::Bootstrap => (SourceName::Bootstrap, "Bootstrap"),
            Self::File(_) => (SourceName::File, "File"),
            Self::Snapshot => (SourceName::Snapshot, "Snapshot"),
            Self::Stream => (SourceName::Stream, "Stream"),
            Self::Custom(source) => {
                let mut name = source.name().to_owned();
                shorten(&mut name, 100);
                return format!("`{name}`");
            }
        };
        if as_option { format!("`{}`", option.as_str()) } else { format!("`DataSource::{variant}`") }
    }
}

/// Returns the name of an endpoint in files.
fn endpoint_name(endpoint: NetworkEndpoint) -> &'static str {
    match endpoint {
        NetworkEndpoint::DownloadConfigSpecs => "download_config_specs",
        NetworkEndpoint::GetIdLists => "get_id_lists",
        NetworkEndpoint::DownloadIdListFile => "download_id_list_file",
        NetworkEndpoint::LogEvent => "log_event",
        _ => "all",
    }
}

/// Returns the name of a protocol in files.
fn protocol_name(protocol: NetworkProtocol) -> &'static str {
    match protocol {
        NetworkProtocol::Http => "http",
        NetworkProtocol::Grpc => "grpc",
        NetworkProtocol::GrpcWebsocket => "grpc_stream",
        _ => "websocket",
    }
}

/// Returns the name of the option that set the proxy of an endpoint.
fn proxy_option(endpoint: NetworkEndpoint, spelling: &Spelling) -> String {
    match endpoint {
        NetworkEndpoint::All if spelling.is_option("proxy") => "`proxy`".to_owned(),
        _ if spelling.is_option("proxy_configs") => format!("`proxy_configs.{}`", endpoint_name(endpoint)),
        _ => "`proxy_config`".to_owned(),
    }
}

/// Returns the problem of an interval that is too short for Statsig's own servers. `requests` names what is sent.
pub(super) fn too_short_for_vendor(
    option: &str,
    interval: Duration,
    requests: &str,
    spelling: &Spelling,
) -> Option<String> {
    let (least, unit) = (LEAST_VENDOR_INTERVAL, spelling.unit(option));
    // Shorter than the bounds of the option, it is reported already.
    let is_within = bounds_of(option).problem_of_duration(interval).is_none();
    (is_within && interval < least).then(|| {
        let name = spelling.name(option);
        format!("{name} must be {}{unit} or more: {requests} go to Statsig's own servers", least.as_millis())
    })
}

/// Returns the problem of a client that would never have specs.
pub(super) fn no_source(sources: &SpecSources, around: &Surroundings<'_>) -> Option<String> {
    let is_empty = sources.initial.is_empty()
        && sources.polled.is_empty()
        && sources.streams.is_empty()
        && sources.fallback.is_none()
        && sources.last_known_good.is_none();
    (is_empty && !around.local_mode).then(|| {
        let list = around.spelling.name("initialize_sources");
        format!("no source of config specs: list one in {list}, or switch `local_mode` (`disable_network`) on")
    })
}

/// What the builder knows of the network.
pub(super) struct NetworkChoices {
    pub(super) key: Option<SdkKey>,
    pub(super) service_name: Option<String>,
    pub(super) options: NetworkOptions,
    pub(super) sync: SyncOptions,
    pub(super) id_lists: bool,
    pub(super) id_list_options: IdListOptions,
    pub(super) data_store: Option<Arc<dyn DataStore>>,
    /// Options of a data store were given and refused.
    pub(super) data_store_refused: bool,
    pub(super) schema: KeySchema,
    pub(super) fallback: bool,
    pub(super) initialize_sources: Option<Vec<DataSource>>,
    pub(super) config_sync_sources: Option<Vec<DataSource>>,
    pub(super) streams: Vec<FollowedStream>,
    pub(super) last_known_good: Option<PathBuf>,
    pub(super) on_update: Option<SpecsListener>,
}

impl Default for NetworkChoices {
    fn default() -> Self {
        Self {
            key: None,
            service_name: None,
            options: NetworkOptions::default(),
            sync: SyncOptions::default(),
            id_lists: true,
            id_list_options: IdListOptions::default(),
            data_store: None,
            data_store_refused: false,
            schema: KeySchema::default(),
            fallback: false,
            initialize_sources: None,
            config_sync_sources: None,
            streams: Vec::new(),
            last_known_good: None,
            on_update: None,
        }
    }
}

/// What the rest of the builder has to say.
pub(super) struct Surroundings<'a> {
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) bootstrap: Option<&'a [u8]>,
    pub(super) local_mode: bool,
    pub(super) spelling: &'a Spelling,
    pub(super) limits: statsig_core::CompileLimits,
    pub(super) observer: Option<&'a Arc<dyn Observer>>,
}

impl NetworkChoices {
    /// Whether specs may come from anywhere but a bootstrap document.
    pub(super) fn has_sources(&self, local_mode: bool) -> bool {
        self.key.is_some() && (!local_mode || self.last_known_good.is_some())
            || self.data_store.is_some()
            || self.initialize_sources.is_some()
            || self.config_sync_sources.is_some()
            || !self.streams.is_empty()
    }

    /// Whether nobody is asked before the bootstrap document.
    pub(super) fn bootstrap_comes_first(&self) -> bool {
        match &self.initialize_sources {
            Some(sources) => matches!(sources.first(), Some(DataSource::Bootstrap)),
            None => self.data_store.is_none(),
        }
    }

    /// Notes options that are out of bounds, and those that can do nothing.
    pub(super) fn check(&self, around: &Surroundings<'_>, problems: &mut Vec<String>) {
        let spelling = around.spelling;
        self.check_numbers(spelling, problems);
        self.check_proxies(spelling, problems);
        let endpoints = &self.options.endpoints;
        let addresses = [
            ("api", endpoints.api.is_some()),
            ("specs_url", endpoints.specs_url.is_some()),
            ("fallback_specs_url", endpoints.fallback_specs_url.is_some()),
            ("id_lists_url", endpoints.id_lists_url.is_some()),
            ("id_list_file_api", endpoints.id_list_file_api.is_some()),
            ("log_event_url", endpoints.log_event_url.is_some()),
            ("sdk_exception_url", endpoints.sdk_exception_url.is_some()),
            ("proxy", !endpoints.proxies.is_empty()),
            ("snapshot_dir", self.last_known_good.is_some()),
        ];
        match &self.key {
            None if !around.local_mode => {
                let given = addresses.iter().filter(|(_, is_given)| *is_given);
                problems.extend(given.map(|(option, _)| {
                    let option =
                        if *option == "proxy" && !spelling.is_option(option) { "proxy_configs" } else { option };
                    format!("{} needs `sdk_key`", spelling.name(option))
                }));
            }
            // In local mode, a key is of no use.
            Some(key) if !(around.local_mode && key.expose().is_empty()) => {
                let problem = problem_of_key(key.expose());
                problems.extend(problem.map(|problem| format!("{} {problem}", spelling.name("sdk_key"))));
            }
            _ => {}
        }
        if self.sync.deltas && !cfg!(feature = "proto") {
            let name = spelling.name("enable_dcs_deltas");
            problems.push(format!("{name} needs the feature `proto`: deltas are binary"));
        }
    }

    fn check_numbers(&self, spelling: &Spelling, problems: &mut Vec<String>) {
        let (options, sync) = (&self.options, &self.sync);
        let durations = [
            ("init_timeout_ms", sync.init_timeout),
            ("hedge_after_ms", sync.hedge_after),
            ("request_timeout_ms", Some(options.request_timeout)),
            ("id_lists_request_timeout_ms", Some(options.id_lists_request_timeout)),
            ("log_event_timeout_ms", Some(options.log_event_timeout)),
            ("specs_sync_interval_ms", Some(sync.poll_interval)),
            ("max_poll_backoff_ms", sync.max_poll_backoff),
            ("id_lists_sync_interval_ms", Some(self.id_list_options.interval)),
            ("out_of_sync_threshold_ms", sync.out_of_sync_threshold),
        ];
        let mut check = |name: &str, problem: Option<String>| {
            problems.extend(problem.map(|problem| format!("`{name}` {problem}")));
        };
        for (option, value) in durations {
            check(spelling.bare(option), value.and_then(|value| bounds_of(option).problem_of_duration(value)));
        }
        let name = match spelling.bare("request_timeout_ms") {
            NETWORK_REQUEST_TIMEOUT => "network_options.initial_request_timeout",
            other => other,
        };
        let timeout = bounds_of("request_timeout_ms");
        check(name, timeout.problem_of_duration(options.initial_request_timeout));
        let transport = &options.transport;
        check("network_options.transport.connect_timeout", timeout.problem_of_duration(transport.connect_timeout));
        let bytes = bounds_of("max_specs_bytes").problem_of_number(options.max_specs_bytes as u128, "");
        check(spelling.bare("max_specs_bytes"), bytes);
    }

    fn check_proxies(&self, spelling: &Spelling, problems: &mut Vec<String>) {
        for (endpoint, config) in &self.options.endpoints.proxies {
            let name = proxy_option(*endpoint, spelling);
            if config.protocol != NetworkProtocol::Http {
                let protocol = protocol_name(config.protocol);
                problems.push(format!("{name}: `{protocol}` is not spoken by this version: use `http`"));
            }
            let base = bounds_of("proxy.retry_backoff_base_ms").problem_of_duration(config.retry_backoff_base);
            problems.extend(base.map(|problem| format!("{name}: `retry_backoff_base` {problem}")));
            let growth =
                bounds_of("proxy.retry_backoff_multiplier").problem_of_fraction(config.retry_backoff_multiplier);
            problems.extend(growth.map(|problem| format!("{name}: `retry_backoff_multiplier` {problem}")));
        }
    }

    /// Notes what Statsig's own servers would not bear: short intervals, and keys of another kind.
    pub(super) fn check_vendor(&self, network: &Network, around: &Surroundings<'_>, problems: &mut Vec<String>) {
        let spelling = around.spelling;
        let specs_are_there = network.reaches_statsig(NetworkEndpoint::DownloadConfigSpecs);
        let asks = |sources: &Option<Vec<DataSource>>| match sources {
            None => specs_are_there,
            Some(sources) => sources.iter().any(|source| match source {
                DataSource::Network => specs_are_there,
                DataSource::StatsigNetwork => true,
                _ => false,
            }),
        };
        let polls = asks(&self.config_sync_sources);
        if polls {
            problems.extend(too_short_for_vendor("specs_sync_interval_ms", self.sync.poll_interval, "polls", spelling));
        }
        if self.id_lists && network.reaches_statsig(NetworkEndpoint::GetIdLists) {
            let interval = self.id_list_options.interval;
            problems.extend(too_short_for_vendor("id_lists_sync_interval_ms", interval, "requests", spelling));
        }
        let Some(key) = &self.key else { return };
        match foreign_kind(key.expose()) {
            Some(kind) if polls || asks(&self.initialize_sources) => {
                let name = spelling.name("sdk_key");
                problems.push(format!("{name} is {kind}: Statsig's servers take server secret keys (`secret-…`) only"));
            }
            Some(kind) => tracing::warn!(kind, "the SDK key is no server secret key; servers may refuse requests"),
            None if !key.is_server_secret() => {
                tracing::warn!(
                    "the SDK key does not begin with `secret-`: Statsig's servers take server secret keys only"
                );
            }
            None => {}
        }
    }

    /// The addresses and connections, if there is a key to use them with; none in local mode.
    pub(super) fn network(
        &self,
        sdk: &mut ClientSdkInfo,
        around: &Surroundings<'_>,
    ) -> Result<Option<Network>, statsig_net::Error> {
        // In local mode any key will do.
        let Some(key) = self.key.as_ref().filter(|_| !around.local_mode) else { return Ok(None) };
        // With a key that was refused, the other options are checked all the same.
        let key = if problem_of_key(key.expose()).is_none() { key.clone() } else { SdkKey::new("secret-") };
        let identity = ClientIdentity::new(key)
            .and_then(|identity| identity.with_sdk(&sdk.sdk_type, &sdk.sdk_version))
            .and_then(|identity| match &self.service_name {
                Some(service) => identity.with_service_name(service),
                None => Ok(identity),
            });
        let connect = |identity| Network::new(self.options.clone(), identity, Arc::clone(around.clock));
        let network = match identity {
            Ok(identity) => {
                identity.session_id().clone_into(&mut sdk.session_id);
                connect(identity)?
            }
            Err(statsig_net::Error::Misconfigured { mut problems }) => {
                // With any other key, to hear what is wrong with the rest as well.
                let rest = ClientIdentity::new(SdkKey::new("secret-")).and_then(connect);
                if let Err(statsig_net::Error::Misconfigured { problems: more }) = rest {
                    problems.extend(more);
                }
                return Err(statsig_net::Error::Misconfigured { problems });
            }
            Err(error) => return Err(error),
        };
        Ok(Some(match around.observer {
            Some(observer) => network.with_observer(Arc::clone(observer)),
            None => network,
        }))
    }

    /// Sets up synchronisation, which begins with `initialize`.
    pub(super) fn start(
        self,
        network: Option<&Network>,
        sources: SpecSources,
        around: &Surroundings<'_>,
        store: &Arc<SnapshotStore>,
        listener: SpecsListener,
        runtime: &Handle,
    ) -> Networking {
        let (init_timeout, key) = (self.sync.init_timeout, self.key);
        let mut sync = self.sync;
        sync.local_mode = around.local_mode || !goes_on(&sources);
        sync.observer = around.observer.cloned();
        sync.sdk_key.clone_from(&key);
        sync.on_update = Some(listener);
        let target = RulesetTarget::with_limits(Arc::clone(store), around.limits);
        let sync = SpecSync::new(sync, target, sources, Arc::clone(around.clock), runtime);
        let shared = self.data_store.zip(key).map(|(store, key)| (store, key, self.schema));
        let mut id_list_options = self.id_list_options;
        id_list_options.observer = around.observer.cloned();
        id_list_options.clock = Some(Arc::clone(around.clock));
        let id_lists = network.filter(|_| self.id_lists).map(|network| IdListPlan {
            lists: Arc::new(IdLists::new()),
            source: stored_lists(Arc::new(network.id_list_source(self.fallback)), shared),
            options: id_list_options,
        });
        Networking::new(sync, id_lists, init_timeout, runtime.clone())
    }

    /// Returns the listener of the application and of the client itself.
    pub(super) fn listener(&self, client: impl Fn(&SpecsUpdated) + Send + Sync + 'static) -> SpecsListener {
        let own = self.on_update.clone();
        Arc::new(move |updated: &SpecsUpdated| {
            client(updated);
            if let Some(own) = &own {
                own(updated);
            }
        })
    }

    /// Returns the way in for specs of a client that nothing keeps up to date.
    pub(super) fn acceptor(
        &self,
        store: &Arc<SnapshotStore>,
        limits: statsig_core::CompileLimits,
        clock: &Arc<dyn Clock>,
        observer: Option<&Arc<dyn Observer>>,
        listener: SpecsListener,
    ) -> PayloadAcceptor {
        let target = RulesetTarget::with_limits(Arc::clone(store), limits);
        let mut options = AcceptorOptions::default();
        options.sdk_key.clone_from(&self.key);
        options.on_update = Some(listener);
        options.observer = observer.cloned();
        PayloadAcceptor::new(target, options, Arc::clone(clock))
    }

    /// Where specs come from. What contradicts itself goes to `problems`.
    pub(super) fn sources(
        &self,
        network: Option<&Network>,
        around: &Surroundings<'_>,
        problems: &mut Vec<String>,
    ) -> SpecSources {
        let clock = around.clock;
        let store = self.data_store.as_ref().zip(self.key.as_ref());
        let store =
            store.map(|(store, key)| DataStoreSpecSource::new(Arc::clone(store), key, self.schema, Arc::clone(clock)));
        if self.data_store.is_some() && store.is_none() {
            let name = around.spelling.name("data_store");
            problems.push(format!("{name} needs `sdk_key`: its entries are named by the key"));
        }
        let bootstrap = around.bootstrap.map(|document| {
            Arc::new(BootstrapSpecSource::new(document.to_vec(), Arc::clone(clock))) as Arc<dyn SpecSource>
        });
        let own: Option<Arc<dyn SpecSource>> = network.map(|network| Arc::new(network.spec_source()) as _);
        let fallback: Option<Arc<dyn SpecSource>> =
            network.and_then(Network::fallback_spec_source).map(|source| Arc::new(source) as _);
        let kept = self.last_known_good.as_ref().zip(self.key.as_ref());
        let kept = kept.map(|(folder, key)| LastKnownGood::new(folder, key));
        let second = network.and_then(Network::second_spec_source);
        let second: Option<Arc<dyn SpecSource>> = second.map(|source| Arc::new(source) as _);
        let mut watched: Vec<PathBuf> = Vec::new();
        let mut sources = SpecSources::new();
        let mut stream_lists: Vec<&str> = Vec::new();
        let mut find =
            |list: &'static str, wanted: &DataSource, sources: &mut SpecSources| -> Option<Arc<dyn SpecSource>> {
                let found = match wanted {
                    DataSource::Network => own.clone(),
                    DataSource::StatsigNetwork => fallback.clone().or_else(|| own.clone()),
                    DataSource::DataStore => store.clone().map(|store| Arc::new(store) as _),
                    DataSource::Bootstrap => bootstrap.clone(),
                    DataSource::File(path) => {
                        let file = FileSpecSource::new(path, Arc::clone(clock));
                        // Listed twice, it is watched once.
                        if !around.local_mode && !watched.contains(path) {
                            watched.push(path.clone());
                            sources.streams.push(followed(Arc::new(file.stream())));
                        }
                        Some(Arc::new(file) as _)
                    }
                    DataSource::Snapshot => kept.clone().map(|kept| Arc::new(kept) as _),
                    DataSource::Stream => {
                        stream_lists.push(list);
                        return None;
                    }
                    DataSource::Custom(source) => Some(Arc::clone(source)),
                };
                let on_network = matches!(wanted, DataSource::Network | DataSource::StatsigNetwork);
                let is_reported = match wanted {
                    DataSource::DataStore => self.data_store_refused || self.data_store.is_some(),
                    DataSource::Snapshot => self.last_known_good.is_some(),
                    _ => false,
                };
                if found.is_none() && !is_reported && !(on_network && (around.local_mode || self.key.is_some())) {
                    let source = wanted.shown(around.spelling.is_option(list));
                    let lack = if on_network { "which needs `sdk_key`" } else { "which is not configured" };
                    problems.push(format!("{} lists {source}, {lack}", around.spelling.name(list)));
                }
                found
            };
        let usual = [DataSource::DataStore, DataSource::Bootstrap, DataSource::Network];
        let is_there = |source: &DataSource| match source {
            DataSource::DataStore => store.is_some(),
            DataSource::Bootstrap => bootstrap.is_some(),
            _ => own.is_some(),
        };
        let usual = |with_bootstrap: bool| -> Vec<DataSource> {
            let wanted =
                |source: &&DataSource| is_there(source) && (with_bootstrap || !matches!(source, DataSource::Bootstrap));
            usual.iter().filter(wanted).cloned().collect()
        };
        let initial = self.initialize_sources.clone().unwrap_or_else(|| usual(true));
        // The second address is asked right after the first, wherever that is listed.
        let with_second = |wanted: &DataSource, found: Option<Arc<dyn SpecSource>>| {
            let second = second.clone().filter(|_| matches!(wanted, DataSource::Network));
            found.into_iter().chain(second)
        };
        let found =
            initial.iter().flat_map(|wanted| with_second(wanted, find("initialize_sources", wanted, &mut sources)));
        let found = found.collect();
        sources.initial = found;
        let polled = self.config_sync_sources.clone().unwrap_or_else(|| usual(false));
        let found =
            polled.iter().flat_map(|wanted| with_second(wanted, find("config_sync_sources", wanted, &mut sources)));
        let found = found.collect();
        sources.polled = found;
        sources.fallback = fallback.filter(|_| self.fallback);
        sources.streams.extend(self.streams.iter().cloned());
        if let (Some(store), Some(data_store), Some(key)) = (&store, &self.data_store, &self.key) {
            if !around.local_mode {
                sources.streams.push(followed(Arc::new(store.stream())));
            }
            sources.write_back = Some(StoreWriter::new(Arc::clone(data_store), key, self.schema));
        }
        sources.last_known_good = kept;
        if sources.streams.is_empty() && !around.local_mode {
            let spelling = around.spelling;
            problems.extend(stream_lists.into_iter().map(|list| {
                let source = DataSource::Stream.shown(spelling.is_option(list));
                format!("{} lists {source}, but there is no stream", spelling.name(list))
            }));
        }
        sources
    }
}

/// Name of the timeout of requests, where it was set together with all options of the network.
const NETWORK_REQUEST_TIMEOUT: &str = "network_options.request_timeout";

/// A source of ID lists, beside the data store that processes share.
fn stored_lists(
    origin: Arc<dyn IdListSource>,
    shared: Option<(Arc<dyn DataStore>, SdkKey, KeySchema)>,
) -> Arc<dyn IdListSource> {
    match shared {
        Some((store, key, schema)) => Arc::new(StoredIdLists::new(store, &key, schema, origin, true)),
        None => origin,
    }
}

/// Returns a stream of the client's own, with default options.
fn followed(stream: Arc<dyn SpecStream>) -> FollowedStream {
    FollowedStream::new(stream, StreamOptions::default())
}

/// Whether anything may change after the first load.
fn goes_on(sources: &SpecSources) -> bool {
    !sources.streams.is_empty()
        || sources.fallback.is_some()
        || sources.polled.iter().any(|source| source.origin() != SpecOrigin::Bootstrap)
        || sources.initial.iter().any(|source| source.reach() == Reach::Upstream)
}
