//! Everything that talks to Statsig's servers, set up once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use statsig_core::{Clock, Observer};

use crate::endpoints::{EndpointOptions, Endpoints, IdListsAddress, SpecsAddress, is_vendors};
use crate::error::Error;
use crate::error_reporter::HttpErrorReporter;
use crate::event_sink::{EventSinkOptions, HttpEventSink};
use crate::id_lists::HttpIdListSource;
use crate::identity::ClientIdentity;
use crate::metrics::Metrics;
use crate::proxy_config::NetworkEndpoint;
use crate::sources::HttpSpecSource;
use crate::transport::{HttpClient, HttpRequest, ReqwestTransport, TlsOptions, TransportOptions};
use statsig_background::UniformRandom;

/// Options of a [`Network`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NetworkOptions {
    /// Where to send requests.
    pub endpoints: EndpointOptions,
    /// TLS, proxies and connections.
    pub transport: TransportOptions,
    /// Time for a request for config specs at start. Default 3 seconds.
    pub initial_request_timeout: Duration,
    /// Time for a request for config specs later. Default 10 seconds.
    pub request_timeout: Duration,
    /// Time for the manifest of ID lists, and for each silence while a file is read. Default 10 seconds.
    pub id_lists_request_timeout: Duration,
    /// Time for a batch of events. Default 10 seconds.
    pub log_event_timeout: Duration,
    /// Most bytes of config specs, compressed or not. Default 256 MiB.
    pub max_specs_bytes: usize,
}

impl Default for NetworkOptions {
    fn default() -> Self {
        Self {
            endpoints: EndpointOptions::default(),
            transport: TransportOptions::default(),
            initial_request_timeout: Duration::from_secs(3),
            request_timeout: Duration::from_secs(10),
            id_lists_request_timeout: Duration::from_secs(10),
            log_event_timeout: Duration::from_secs(10),
            max_specs_bytes: HttpRequest::MAX_BYTES,
        }
    }
}

/// Makes the sources and sinks that talk to Statsig's servers, or to proxies in their place.
///
/// Endpoints share connections unless a proxy has TLS of its own. Opens nothing by itself.
#[derive(Clone)]
pub struct Network {
    pub(crate) identity: ClientIdentity,
    pub(crate) endpoints: Endpoints,
    pub(crate) options: NetworkOptions,
    pub(crate) clock: Arc<dyn Clock>,
    client: HttpClient,
    metrics: Metrics,
    /// Clients of endpoints whose proxy has TLS of its own.
    own_clients: BTreeMap<NetworkEndpoint, HttpClient>,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network").field("specs", &self.endpoints.specs.origin()).finish_non_exhaustive()
    }
}

impl Network {
    /// Works out addresses and sets up clients. Reads certificate files; blocks shortly.
    ///
    /// # Errors
    /// When options contradict each other, or a certificate cannot be used.
    pub fn new(options: NetworkOptions, identity: ClientIdentity, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let endpoints = Endpoints::resolve(&options.endpoints)?;
        let connect = |tls: &TlsOptions| {
            let transport = ReqwestTransport::new(&options.transport.clone().with_tls(tls.clone()))?;
            Ok::<_, Error>(HttpClient::new(Arc::new(transport)))
        };
        let client = connect(&options.transport.tls)?;
        let mut known: Vec<(&TlsOptions, HttpClient)> = vec![(&options.transport.tls, client.clone())];
        let mut own_clients = BTreeMap::new();
        for (endpoint, tls) in &endpoints.tls {
            let found = known.iter().find(|(same, _)| *same == tls).map(|(_, client)| client.clone());
            let client = found.map_or_else(|| connect(tls), Ok)?;
            known.push((tls, client.clone()));
            own_clients.insert(*endpoint, client);
        }
        Ok(Self { identity, endpoints, options, clock, client, metrics: Metrics::default(), own_clients })
    }

    /// The same network, over a transport of the caller's: TLS and proxies are its business.
    ///
    /// # Errors
    /// When addresses cannot be worked out.
    pub fn with_client(
        options: NetworkOptions,
        identity: ClientIdentity,
        clock: Arc<dyn Clock>,
        client: HttpClient,
    ) -> Result<Self, Error> {
        let endpoints = Endpoints::resolve(&options.endpoints)?;
        let (metrics, own_clients) = (Metrics::default(), BTreeMap::new());
        Ok(Self { identity, endpoints, options, clock, client, metrics, own_clients })
    }

    /// The same network, whose requests for specs and ID lists are measured:
    /// `docs/protocol/network.md#metrics`. Sources that were made before are not concerned.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.metrics = Metrics::new(Some(observer));
        self
    }

    /// Who we are.
    #[must_use]
    pub fn identity(&self) -> &ClientIdentity {
        &self.identity
    }

    /// Whether requests of an endpoint go to Statsig's own servers. Never for
    /// [`All`](NetworkEndpoint::All), which is no endpoint, and for the files of ID lists, whose addresses come with
    /// the manifest.
    #[must_use]
    pub fn reaches_statsig(&self, endpoint: NetworkEndpoint) -> bool {
        let endpoints = &self.endpoints;
        match endpoint {
            NetworkEndpoint::DownloadConfigSpecs => endpoints.specs.is_vendors(),
            NetworkEndpoint::GetIdLists => is_vendors(&endpoints.id_lists.url),
            NetworkEndpoint::LogEvent => is_vendors(&endpoints.log_event),
            NetworkEndpoint::DownloadIdListFile | NetworkEndpoint::All => false,
        }
    }

    /// Config specs from the configured address: source `network`.
    #[must_use]
    pub fn spec_source(&self) -> HttpSpecSource {
        let client = self.client(NetworkEndpoint::DownloadConfigSpecs);
        self.source("network", self.endpoints.specs.clone(), client)
    }

    /// Config specs from the second configured address: source `network-fallback`. `None` without one.
    ///
    /// A proxy's certificates are not for it, since it may be another server.
    #[must_use]
    pub fn second_spec_source(&self) -> Option<HttpSpecSource> {
        let address = self.endpoints.fallback_specs.clone()?;
        Some(self.source("network-fallback", address, self.client.clone()))
    }

    /// Config specs from Statsig's own servers: source `statsig-network`. `None` if that is where the
    /// first source asks already.
    #[must_use]
    pub fn fallback_spec_source(&self) -> Option<HttpSpecSource> {
        let address = SpecsAddress::statsig().ok()?;
        (!self.endpoints.specs.is_statsig())
            .then(|| self.source("statsig-network", address, self.client(NetworkEndpoint::All)))
    }

    /// ID lists from the configured address; with `fallback`, the manifest from Statsig's own servers
    /// when that fails.
    #[must_use]
    pub fn id_list_source(&self, fallback: bool) -> HttpIdListSource {
        HttpIdListSource {
            manifest_client: self.client(NetworkEndpoint::GetIdLists),
            file_client: self.client(NetworkEndpoint::DownloadIdListFile),
            identity: self.identity.clone(),
            address: self.endpoints.id_lists.clone(),
            // A proxy's certificates are not for Statsig's servers.
            fallback: IdListsAddress::statsig().ok().filter(|_| fallback).map(|own| (self.client.clone(), own)),
            file_host: self.endpoints.id_list_files.clone(),
            clock: Arc::clone(&self.clock),
            timeout: self.options.id_lists_request_timeout,
            metrics: self.metrics.clone(),
        }
    }

    /// Takes batches of events to the configured address.
    #[must_use]
    pub fn event_sink(&self, options: EventSinkOptions) -> HttpEventSink {
        HttpEventSink {
            client: self.client(NetworkEndpoint::LogEvent),
            identity: self.identity.clone(),
            url: self.endpoints.log_event.clone(),
            clock: Arc::clone(&self.clock),
            timeout: self.options.log_event_timeout,
            options,
        }
    }

    /// Reports errors of the client to the configured address.
    #[must_use]
    pub fn error_reporter(&self) -> HttpErrorReporter {
        HttpErrorReporter {
            client: self.client(NetworkEndpoint::All),
            identity: self.identity.clone(),
            url: self.endpoints.sdk_exception.clone(),
            clock: Arc::clone(&self.clock),
            timeout: self.options.log_event_timeout,
        }
    }

    fn source(&self, name: &'static str, address: SpecsAddress, client: HttpClient) -> HttpSpecSource {
        HttpSpecSource {
            name,
            client,
            identity: self.identity.clone(),
            address,
            clock: Arc::clone(&self.clock),
            initial_timeout: self.options.initial_request_timeout,
            timeout: self.options.request_timeout,
            max_bytes: self.options.max_specs_bytes,
            random: UniformRandom::new(None),
            metrics: self.metrics.clone(),
            knows_v1_only: AtomicBool::new(false),
        }
    }

    /// The client for an endpoint; that without a proxy's TLS for those that have none.
    pub(crate) fn client(&self, endpoint: NetworkEndpoint) -> HttpClient {
        self.own_clients.get(&endpoint).unwrap_or(&self.client).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use statsig_core::{FixedClock, IdListSource};

    use super::*;
    use crate::secret::SdkKey;
    use crate::transport::{HttpResponse, HttpTransport};

    /// Answers nothing, and keeps which hosts were asked.
    #[derive(Default)]
    struct Noted(Mutex<Vec<String>>);

    #[async_trait::async_trait]
    impl HttpTransport for Noted {
        async fn exchange(&self, request: &HttpRequest) -> Result<HttpResponse, Error> {
            self.0.lock().unwrap().push(request.host());
            Err(Error::NetworkDisabled)
        }
    }

    #[tokio::test]
    async fn statsigs_servers_see_no_certificate_of_a_proxy() {
        let (base, proxy) = (Arc::new(Noted::default()), Arc::new(Noted::default()));
        let mut options = NetworkOptions::default();
        options.endpoints.api = Some("https://proxy.example".into());
        let identity = ClientIdentity::new(SdkKey::new("secret-k")).unwrap();
        let client = HttpClient::new(base.clone());
        let mut network = Network::with_client(options, identity, Arc::new(FixedClock(0)), client).unwrap();
        network.own_clients.insert(NetworkEndpoint::GetIdLists, HttpClient::new(proxy.clone()));
        assert!(network.id_list_source(true).manifest().await.is_err());
        assert_eq!(*proxy.0.lock().unwrap(), ["proxy.example"]);
        assert_eq!(*base.0.lock().unwrap(), ["api.statsigcdn.com"]);
    }
}
