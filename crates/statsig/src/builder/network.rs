//! Options of where specs and ID lists come from.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use statsig_core::{
    ClientSdkInfo, Clock, DataStore, IdListSource, KeySchema, Observer, SnapshotStore, SpecSource, SpecSourceKind,
    SpecStream,
};
use statsig_net::id_lists::{IdListOptions, IdLists, StoredIdLists};
use statsig_net::sources::{BootstrapSpecSource, DataStoreSpecSource, FileSpecSource, LastKnownGood};
use statsig_net::transport::{OutboundProxy, TlsOptions};
use statsig_net::{
    ClientIdentity, EndpointOptions, Network, NetworkEndpoint, NetworkOptions, NetworkProtocol, ProxyConfig, SdkKey,
    SpecSources, SpecSync, SpecsListener, SpecsUpdated, StoreWriter, SyncOptions,
};
use tokio::runtime::Handle;

use super::StatsigBuilder;
use crate::networking::{IdListPlan, Networking};
use crate::runtime::A_YEAR;

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

/// What the builder knows of the network.
pub(super) struct NetworkChoices {
    pub(super) key: Option<SdkKey>,
    service_name: Option<String>,
    options: NetworkOptions,
    sync: SyncOptions,
    id_lists: bool,
    id_list_options: IdListOptions,
    data_store: Option<Arc<dyn DataStore>>,
    schema: KeySchema,
    fallback: bool,
    initialize_sources: Option<Vec<DataSource>>,
    config_sync_sources: Option<Vec<DataSource>>,
    streams: Vec<Arc<dyn SpecStream>>,
    last_known_good: Option<PathBuf>,
    on_update: Option<SpecsListener>,
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

    /// Notes what is given and can do nothing.
    pub(super) fn check(&self, local_mode: bool, problems: &mut Vec<String>) {
        let endpoints = &self.options.endpoints;
        let addresses = [
            ("api", endpoints.api.is_some()),
            ("specs_url", endpoints.specs_url.is_some()),
            ("fallback_specs_url", endpoints.fallback_specs_url.is_some()),
            ("id_lists_url", endpoints.id_lists_url.is_some()),
            ("id_list_file_api", endpoints.id_list_file_api.is_some()),
            ("log_event_url", endpoints.log_event_url.is_some()),
            ("sdk_exception_url", endpoints.sdk_exception_url.is_some()),
            ("a proxy", !endpoints.proxies.is_empty()),
            ("last_known_good (`snapshot_dir`)", self.last_known_good.is_some()),
        ];
        if self.key.is_none() && !local_mode {
            let given = addresses.iter().filter(|(_, is_given)| *is_given);
            problems.extend(given.map(|(name, _)| format!("{name} needs `sdk_key`")));
        }
        if self.sync.deltas && !cfg!(feature = "proto") {
            problems.push("enable_dcs_deltas needs the feature `proto`: differences are binary".to_owned());
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
        if !key.is_server_secret() {
            tracing::warn!("the SDK key does not begin with `secret-`: Statsig's servers take server secret keys only");
        }
        let identity = ClientIdentity::new(key.clone())
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
        listener: impl Fn(&SpecsUpdated) + Send + Sync + 'static,
        runtime: &Handle,
    ) -> Networking {
        let (own, init_timeout, key) = (self.on_update, self.sync.init_timeout, self.key);
        let mut sync = self.sync;
        sync.local_mode = around.local_mode || !goes_on(&sources);
        sync.observer = around.observer.cloned();
        sync.limits = around.limits;
        sync.sdk_key.clone_from(&key);
        sync.on_update = Some(Arc::new(move |updated: &SpecsUpdated| {
            listener(updated);
            if let Some(own) = &own {
                own(updated);
            }
        }));
        let sync = SpecSync::start(sync, Arc::clone(store), sources, Arc::clone(around.clock), runtime);
        let shared = self.data_store.zip(key).map(|(store, key)| (store, key, self.schema));
        let mut id_list_options = self.id_list_options;
        id_list_options.observer = around.observer.cloned();
        let id_lists = network.filter(|_| self.id_lists).map(|network| IdListPlan {
            lists: Arc::new(IdLists::new()),
            source: stored_lists(Arc::new(network.id_list_source(self.fallback)), shared),
            options: id_list_options,
        });
        Networking::new(sync, id_lists, init_timeout, runtime.clone())
    }

    /// Where specs come from. What contradicts itself goes to `problems`.
    pub(super) fn sources(
        &self,
        network: Option<&Network>,
        around: &Surroundings<'_>,
        problems: &mut Vec<String>,
    ) -> SpecSources {
        let clock = around.clock;
        for (endpoint, config) in &self.options.endpoints.proxies {
            if config.protocol != NetworkProtocol::Http {
                problems.push(format!(
                    "the proxy for {endpoint:?} is to be spoken to by {:?}, which this version does not do: use HTTP",
                    config.protocol
                ));
            }
        }
        let store = self.data_store.as_ref().zip(self.key.as_ref());
        let store =
            store.map(|(store, key)| DataStoreSpecSource::new(Arc::clone(store), key, self.schema, Arc::clone(clock)));
        if self.data_store.is_some() && store.is_none() {
            problems.push("a data store needs `sdk_key`: its entries are named by the key".to_owned());
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
        let mut wants_streams = false;
        let mut watched: Vec<PathBuf> = Vec::new();
        let mut sources = SpecSources::new();
        let mut find = |wanted: &DataSource, sources: &mut SpecSources| -> Option<Arc<dyn SpecSource>> {
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
                        sources.streams.push(Arc::new(file.stream()));
                    }
                    Some(Arc::new(file) as _)
                }
                DataSource::Snapshot => kept.clone().map(|kept| Arc::new(kept) as _),
                DataSource::Stream => {
                    wants_streams = true;
                    return None;
                }
                DataSource::Custom(source) => Some(Arc::clone(source)),
            };
            let on_network = matches!(wanted, DataSource::Network | DataSource::StatsigNetwork);
            if found.is_none() && !(on_network && (around.local_mode || self.key.is_some())) {
                problems.push(format!("the source {wanted:?} is listed, but not configured"));
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
        let found = initial.iter().flat_map(|wanted| with_second(wanted, find(wanted, &mut sources))).collect();
        sources.initial = found;
        let polled = self.config_sync_sources.clone().unwrap_or_else(|| usual(false));
        let found = polled.iter().flat_map(|wanted| with_second(wanted, find(wanted, &mut sources))).collect();
        sources.polled = found;
        sources.fallback = fallback.filter(|_| self.fallback);
        sources.streams.extend(self.streams.iter().cloned());
        if let (Some(store), Some(data_store), Some(key)) = (&store, &self.data_store, &self.key) {
            if !around.local_mode {
                sources.streams.push(Arc::new(store.stream()));
            }
            sources.write_back = Some(StoreWriter::new(Arc::clone(data_store), key, self.schema));
        }
        sources.last_known_good = kept;
        if wants_streams && sources.streams.is_empty() && !around.local_mode {
            problems.push("the source Stream is listed, but there is no stream".to_owned());
        }
        sources
    }
}

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

/// Whether anything may change after the first load.
fn goes_on(sources: &SpecSources) -> bool {
    !sources.streams.is_empty()
        || sources.fallback.is_some()
        || sources.polled.iter().any(|source| source.kind() != SpecSourceKind::Bootstrap)
        || sources.initial.iter().any(|source| source.kind() == SpecSourceKind::Network)
}

impl StatsigBuilder {
    /// The server secret key, `secret-…`. With it, specs come from Statsig's servers once
    /// [`initialize`](crate::Statsig::initialize) is called, and events go there. Shown nowhere.
    pub fn sdk_key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.network.key = Some(SdkKey::new(key));
        self
    }

    /// The base of all addresses, such as `https://statsig.example.com/v1`, for a proxy in place of
    /// Statsig's servers.
    pub fn api(mut self, base: impl Into<String>) -> Self {
        self.network.options.endpoints.api = Some(base.into());
        self
    }

    /// All addresses at once; replaces [`api`](Self::api).
    pub fn endpoints(mut self, endpoints: EndpointOptions) -> Self {
        self.network.options.endpoints = endpoints;
        self
    }

    /// A forward proxy for one endpoint, or for all.
    pub fn proxy_config(mut self, endpoint: NetworkEndpoint, config: ProxyConfig) -> Self {
        if endpoint == NetworkEndpoint::DownloadConfigSpecs || endpoint == NetworkEndpoint::All {
            self.network.sync.stream = (&config).into();
        }
        self.network.options.endpoints.proxies.insert(endpoint, config);
        self
    }

    /// Timeouts, sizes, TLS and proxies of requests; replaces addresses that were set before.
    pub fn network_options(mut self, options: NetworkOptions) -> Self {
        self.network.options = options;
        self
    }

    /// The same, to change.
    pub(crate) fn network_options_mut(&mut self) -> &mut NetworkOptions {
        &mut self.network.options
    }

    /// Time for a request for config specs, at start and later (default: 3 s and 10 s).
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
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
        self.network.initialize_sources = Some(sources.into_iter().collect());
        self
    }

    /// Where polls ask, best first (default: data store, network, as far as they are configured).
    pub fn config_sync_sources(mut self, sources: impl IntoIterator<Item = DataSource>) -> Self {
        self.network.config_sync_sources = Some(sources.into_iter().collect());
        self
    }

    /// One more stream that tells of new specs by itself.
    pub fn spec_stream(mut self, stream: Arc<dyn SpecStream>) -> Self {
        self.network.streams.push(stream);
        self
    }

    /// Keeps the newest accepted specs in a folder, as the last source of the next start.
    pub fn last_known_good(mut self, folder: impl Into<PathBuf>) -> Self {
        self.network.last_known_good = Some(folder.into());
        self
    }

    /// Longest time that `initialize` waits (default: 10 s); loading goes on beyond it.
    pub fn init_timeout(mut self, timeout: Duration) -> Self {
        self.network.sync.init_timeout = Some(timeout.min(A_YEAR));
        self
    }

    /// At start, ask the next source as well after so long without an answer (default: never). Once one
    /// answers with specs that can be used, those asked before it get as long again to come with newer
    /// ones.
    pub fn hedge_after(mut self, after: Duration) -> Self {
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
        self.network.sync.deltas = enable;
        self
    }

    /// After how many differences in a row that led to nothing newer a poll asks for everything, at most
    /// every 5 minutes (default: 10; 0 is never).
    pub fn dcs_delta_no_progress_threshold(mut self, differences: u32) -> Self {
        self.network.sync.delta_no_progress_threshold = differences;
        self
    }

    /// Pause between polls for specs: 1 s or more (default: 10 s).
    pub fn specs_sync_interval(mut self, interval: Duration) -> Self {
        self.network.sync.poll_interval = interval;
        self
    }

    /// Longest pause between polls for specs while they fail (default: the interval, but not less than 10 s).
    ///
    /// Pauses are uniform between 1 s and a limit that doubles with each failure up to this; a shorter one than the
    /// interval counts as the interval. A pause that a server asks for may be longer: up to 5 minutes, or this.
    pub fn max_poll_backoff(mut self, longest: Duration) -> Self {
        self.network.sync.max_poll_backoff = Some(longest.min(A_YEAR));
        self
    }

    /// Pause between rounds for ID lists: 1 s or more (default: 60 s).
    pub fn id_lists_sync_interval(mut self, interval: Duration) -> Self {
        self.network.id_list_options.interval = interval;
        self
    }

    /// Whether ID lists are fetched (default: yes).
    pub fn enable_id_lists(mut self, enable: bool) -> Self {
        self.network.id_lists = enable;
        self
    }

    /// Calls back with specs that came into force from any source, on a background thread; should return
    /// soon. Not with those of [`update_specs`](crate::Statsig::update_specs).
    pub fn rules_updated_callback(mut self, callback: impl Fn(&SpecsUpdated) + Send + Sync + 'static) -> Self {
        self.network.on_update = Some(Arc::new(callback));
        self
    }
}
