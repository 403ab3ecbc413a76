//! The way of options into a builder.

use super::client::StatsigOptions;
use super::group::OptionGroup;
use crate::builder::StatsigBuilder;

/// Hands an option to the builder's method, if it is set.
macro_rules! set {
    ($builder:ident, $options:ident: $($option:ident => $method:ident,)*) => {
        $(if let Some(value) = $options.$option.take() {
            $builder = $builder.$method(value);
        })*
    };
}

/// What concerns the spool of events.
const SPOOL: &[&str] = &["spool_dir", "spool_mode", "spool_max_bytes", "spool_max_age_ms"];

impl StatsigBuilder {
    /// Takes over options that operators have written. What is called on the builder later comes on top; an
    /// option that is not set changes nothing.
    ///
    /// [`build`](Self::build) reports what cannot be used: values out of their bounds, files that are missing, options
    /// of features that are not compiled in.
    pub fn options(mut self, mut options: StatsigOptions) -> Self {
        let names = StatsigOptions::ALL.iter().map(|row| row.name);
        let named: Vec<&str> = names.filter(|name| options.is_set(name)).collect();
        options.check_all("", &mut self.problems);
        set!(self, options:
            environment => environment,
            global_custom_fields => global_custom_fields,
            local_mode => disable_network,
        );
        if let Some(document) = &options.bootstrap {
            self = self.bootstrap(document.as_str());
        }
        if let Some(disable) = options.disable_country_lookup {
            self = self.ip_country(!disable);
        }
        if let Some(disable) = options.disable_user_agent_parsing {
            self = self.user_agent(!disable);
        }
        match (options.sdk_type.take(), options.sdk_version.take()) {
            (Some(sdk_type), Some(version)) => self = self.sdk(sdk_type, version),
            (None, None) => {}
            _ => self.problems.push("`sdk_type` and `sdk_version` belong together: one is missing".to_owned()),
        }
        self = self.network_side(&mut options);
        self = self.event_side(options);
        self.spelling.as_options(named);
        self
    }

    #[cfg(not(feature = "net"))]
    fn network_side(mut self, options: &mut StatsigOptions) -> Self {
        const OPTIONS: &[&str] = &[
            "sdk_key",
            "service_name",
            "specs_file",
            "snapshot_dir",
            "api",
            "specs_url",
            "fallback_specs_url",
            "id_lists_url",
            "id_list_file_api",
            "log_event_url",
            "sdk_exception_url",
            "proxy",
            "proxy_configs",
            "fallback_to_statsig_api",
            "http_proxy",
            "tls",
            "data_store",
            "initialize_sources",
            "config_sync_sources",
            "init_timeout_ms",
            "hedge_after_ms",
            "request_timeout_ms",
            "id_lists_request_timeout_ms",
            "log_event_timeout_ms",
            "specs_sync_interval_ms",
            "max_poll_backoff_ms",
            "id_lists_sync_interval_ms",
            "out_of_sync_threshold_ms",
            "enable_dcs_deltas",
            "dcs_delta_no_progress_threshold",
            "enable_id_lists",
            "max_specs_bytes",
            "report_errors_upstream",
        ];
        self.refuse(options, OPTIONS, "net");
        self
    }

    #[cfg(not(feature = "logger"))]
    fn event_side(mut self, options: StatsigOptions) -> Self {
        // To switch off what is not there is no mistake.
        const OPTIONS: &[&str] = &[
            "events_file",
            "event_queue_size",
            "flush_interval_ms",
            "retry_queue_size",
            "event_queue_max_events",
            "event_queue_max_bytes",
            "exposure_dedupe_max_keys",
        ];
        self.refuse(&options, OPTIONS, "logger");
        self.refuse(&options, SPOOL, "spool");
        self
    }

    /// Reports options that nothing in this build would heed.
    #[allow(dead_code, reason = "with every feature, there are none")]
    fn refuse(&mut self, options: &StatsigOptions, names: &[&str], feature: &str) {
        let set = names.iter().filter(|name| options.is_set(name));
        self.problems.extend(set.map(|name| needs(name, feature)));
    }

    #[cfg(feature = "logger")]
    fn event_side(mut self, mut options: StatsigOptions) -> Self {
        set!(self, options:
            disable_all_logging => disable_all_logging,
            event_queue_size => event_queue_size,
            flush_interval => event_flush_interval,
            retry_queue_size => retry_queue_size,
            exposure_dedupe_max_keys => exposure_dedupe_max_keys,
        );
        #[cfg(feature = "net")]
        set!(self, options: report_errors_upstream => report_errors_upstream,);
        self.limit_queue(options.event_queue_max_events, options.event_queue_max_bytes);
        if let Some(path) = options.events_file.take() {
            self = self.events_to_file(path);
        }
        self.spool(&options)
    }

    #[cfg(all(feature = "logger", not(feature = "spool")))]
    fn spool(mut self, options: &StatsigOptions) -> Self {
        self.refuse(options, SPOOL, "spool");
        self
    }

    #[cfg(feature = "spool")]
    fn spool(mut self, options: &StatsigOptions) -> Self {
        use super::value::SpoolPolicy;
        use statsig_logger::SpoolMode;

        let Some(folder) = &options.spool_dir else {
            let set = SPOOL.iter().filter(|name| options.is_set(name));
            self.problems.extend(set.map(|name| format!("`{name}` goes with `spool_dir`, which is missing")));
            return self;
        };
        let mode = match options.spool_mode {
            Some(SpoolPolicy::WriteAhead) => SpoolMode::WriteAhead,
            Some(SpoolPolicy::Overflow) | None => SpoolMode::Overflow,
        };
        self.spool_in(folder.clone(), options.spool_max_bytes, options.spool_max_age, mode)
    }
}

#[cfg(feature = "net")]
mod network {
    use statsig_net::transport::OutboundProxy;
    use statsig_net::{AuthenticationMode, NetworkEndpoint, NetworkProtocol, ProxyConfig};

    use super::super::client::{DataStoreOptions, OutboundProxyOptions, ProxyOptions, StatsigOptions};
    use super::super::value::{EndpointName, ProxyProtocol, SourceName};
    use crate::builder::{DataSource, StatsigBuilder};

    impl StatsigBuilder {
        pub(super) fn network_side(mut self, options: &mut StatsigOptions) -> Self {
            set!(self, options:
                service_name => service_name,
                snapshot_dir => last_known_good,
                fallback_to_statsig_api => fallback_to_statsig_api,
                init_timeout => init_timeout,
                hedge_after => hedge_after,
                request_timeout => request_timeout,
                specs_sync_interval => specs_sync_interval,
                max_poll_backoff => max_poll_backoff,
                id_lists_sync_interval => id_lists_sync_interval,
                out_of_sync_threshold => out_of_sync_threshold,
                enable_dcs_deltas => enable_dcs_deltas,
                dcs_delta_no_progress_threshold => dcs_delta_no_progress_threshold,
                enable_id_lists => enable_id_lists,
            );
            if let Some(key) = &options.sdk_key {
                self = self.sdk_key(key.expose());
            }
            let network = self.network_options_mut();
            let endpoints = &mut network.endpoints;
            for (address, option) in [
                (&mut endpoints.api, options.api.take()),
                (&mut endpoints.specs_url, options.specs_url.take()),
                (&mut endpoints.fallback_specs_url, options.fallback_specs_url.take()),
                (&mut endpoints.id_lists_url, options.id_lists_url.take()),
                (&mut endpoints.id_list_file_api, options.id_list_file_api.take()),
                (&mut endpoints.log_event_url, options.log_event_url.take()),
                (&mut endpoints.sdk_exception_url, options.sdk_exception_url.take()),
            ] {
                *address = option.map(|given| given.expose().to_owned()).or(address.take());
            }
            for (timeout, option) in [
                (&mut network.id_lists_request_timeout, options.id_lists_request_timeout),
                (&mut network.log_event_timeout, options.log_event_timeout),
            ] {
                *timeout = option.unwrap_or(*timeout);
            }
            network.max_specs_bytes = options.max_specs_bytes.unwrap_or(network.max_specs_bytes);
            let tls = &mut network.transport.tls;
            if let Some(files) = options.tls.take() {
                tls.ca_cert_path = files.ca.or(tls.ca_cert_path.take());
                tls.client_cert_path = files.client_cert.or(tls.client_cert_path.take());
                tls.client_key_path = files.client_key.or(tls.client_key_path.take());
            }
            if let Some(proxy) = options.http_proxy.take() {
                self = self.through(proxy);
            }
            let mut proxies = options.proxy_configs.take().unwrap_or_default();
            let for_all = proxies.remove(&EndpointName::All);
            if for_all.is_some() && options.proxy.is_some() {
                self.problems.push("`proxy` and `proxy_configs.all` are for the same: give one of them".to_owned());
            }
            // First what stands for all, so that what is said of one endpoint counts.
            if let Some(proxy) = options.proxy.take().or(for_all) {
                self = self.by_proxy("proxy", NetworkEndpoint::All, proxy);
            }
            for (endpoint, proxy) in proxies {
                self = self.by_proxy(&format!("proxy_configs.{}", endpoint.as_str()), endpoint.into(), proxy);
            }
            if let Some(store) = options.data_store.take() {
                self = self.store(store);
            }
            self.sources_by_name(options)
        }

        fn through(mut self, options: OutboundProxyOptions) -> Self {
            let Some(address) = options.address else {
                self.problems.push("`http_proxy.address` is missing".to_owned());
                return self;
            };
            let mut proxy = OutboundProxy::new(address.expose());
            match (options.username, &options.password) {
                (Some(user), password) => {
                    proxy = proxy.with_auth(user, password.as_ref().map_or("", |password| password.expose()));
                }
                (None, Some(_)) => {
                    self.problems.push("`http_proxy.password` goes with `http_proxy.username`".to_owned())
                }
                (None, None) => {}
            }
            self.outbound_proxy(proxy)
        }

        fn by_proxy(mut self, option: &str, endpoint: NetworkEndpoint, options: ProxyOptions) -> Self {
            let protocol = match options.protocol.unwrap_or(ProxyProtocol::Http) {
                ProxyProtocol::Http => NetworkProtocol::Http,
                ProxyProtocol::Grpc => NetworkProtocol::Grpc,
                ProxyProtocol::GrpcStream => NetworkProtocol::GrpcWebsocket,
                ProxyProtocol::Websocket => NetworkProtocol::Websocket,
            };
            let Some(address) = options.address else {
                self.problems.push(format!("`{option}.address` is missing"));
                return self;
            };
            let mut config = ProxyConfig::new(protocol, address.expose());
            config.max_retry_attempt = options.max_retry_attempts;
            config.retry_backoff_base = options.retry_backoff_base.unwrap_or(config.retry_backoff_base);
            config.retry_backoff_multiplier =
                options.retry_backoff_multiplier.unwrap_or(config.retry_backoff_multiplier);
            config.push_worker_failover_threshold =
                options.failover_threshold.unwrap_or(config.push_worker_failover_threshold);
            if let Some(tls) = options.tls {
                let is_mutual = tls.client_cert.is_some() || tls.client_key.is_some();
                let needed = [
                    ("ca", tls.ca.is_some()),
                    ("client_cert", tls.client_cert.is_some() || !is_mutual),
                    ("client_key", tls.client_key.is_some() || !is_mutual),
                ];
                let missing: Vec<_> = needed.iter().filter(|(_, is_there)| !is_there).collect();
                if !missing.is_empty() {
                    self.problems.extend(missing.iter().map(|(file, _)| format!("`{option}.tls.{file}` is missing")));
                    return self;
                }
                config.authentication_mode = if is_mutual { AuthenticationMode::Mtls } else { AuthenticationMode::Tls };
                config.tls_ca_cert_path = tls.ca;
                config.tls_client_cert_path = tls.client_cert;
                config.tls_client_key_path = tls.client_key;
                config.tls_domain = tls.domain;
            }
            self.proxy_config(endpoint, config)
        }

        #[cfg(not(feature = "redis"))]
        fn store(mut self, _: DataStoreOptions) -> Self {
            self.problems.push(super::needs("data_store", "redis"));
            self.refuse_data_store();
            self
        }

        #[cfg(feature = "redis")]
        fn store(mut self, options: DataStoreOptions) -> Self {
            use super::super::value::StoreKeySchema;
            use statsig_core::KeySchema;
            use statsig_store_redis::{RedisDataStore, RedisOptions};

            let urls = options.redis_urls.unwrap_or_default();
            let urls = urls.iter().map(|url| url.expose());
            let redis = match (&options.redis_url, urls.len(), &options.sentinel_master) {
                (Some(url), 0, None) => RedisOptions::single(url.expose()),
                (None, 1.., Some(master)) => RedisOptions::sentinel(urls, master.as_str()),
                (None, 1.., None) => RedisOptions::cluster(urls),
                _ => {
                    self.problems.push(
                        "`data_store` needs either `redis_url` or `redis_urls`; `sentinel_master` goes with the latter"
                            .to_owned(),
                    );
                    self.refuse_data_store();
                    return self;
                }
            };
            let opened = redis.and_then(|mut redis| {
                if let Some(prefix) = options.prefix {
                    redis = redis.namespace(prefix);
                }
                if let Some(path) = options.password_file {
                    redis = redis.password_file(path);
                }
                RedisDataStore::open(redis.read_only(options.read_only.unwrap_or(true)))
            });
            match opened {
                Ok(store) => self = self.data_store(std::sync::Arc::new(store)),
                Err(error) => {
                    self.problems.push(format!("`data_store`: {}", crate::error::chain_of(&error)));
                    self.refuse_data_store();
                }
            }
            match options.key_schema {
                Some(StoreKeySchema::V2) => self.data_store_key_schema(KeySchema::Hashed),
                Some(StoreKeySchema::V3) => self.data_store_key_schema(KeySchema::Prefix),
                None => self,
            }
        }

        fn sources_by_name(mut self, options: &mut StatsigOptions) -> Self {
            let file = options.specs_file.take();
            let problems = &mut self.problems;
            let mut named = |list: &str, names: Vec<SourceName>| -> Vec<DataSource> {
                let source = |name| match name {
                    SourceName::DataStore => Some(DataSource::DataStore),
                    SourceName::Bootstrap => Some(DataSource::Bootstrap),
                    SourceName::Network => Some(DataSource::Network),
                    SourceName::StatsigNetwork => Some(DataSource::StatsigNetwork),
                    SourceName::Snapshot => Some(DataSource::Snapshot),
                    SourceName::Stream => Some(DataSource::Stream),
                    SourceName::File => match &file {
                        Some(path) => Some(DataSource::File(path.clone())),
                        None => {
                            problems.push(format!("`{list}` lists `file`, but `specs_file` is missing"));
                            None
                        }
                    },
                };
                names.into_iter().filter_map(source).collect()
            };
            let names_file =
                |names: &Option<Vec<SourceName>>| names.as_ref().map(|names| names.contains(&SourceName::File));
            // Where nothing else is said, the start asks the file.
            let is_listed = names_file(&options.initialize_sources).unwrap_or(true)
                || names_file(&options.config_sync_sources).unwrap_or(false);
            let initial = options.initialize_sources.take().map(|names| named("initialize_sources", names));
            let polled = options.config_sync_sources.take().map(|names| named("config_sync_sources", names));
            if file.is_some() && !is_listed {
                self.problems.push("`specs_file` is given, but `file` is in no list of sources".to_owned());
            }
            let initial = initial.or_else(|| file.map(|path| vec![DataSource::File(path)]));
            if let Some(sources) = initial {
                self = self.initialize_sources(sources);
            }
            if let Some(sources) = polled {
                self = self.config_sync_sources(sources);
            }
            self
        }
    }

    impl From<EndpointName> for NetworkEndpoint {
        fn from(name: EndpointName) -> Self {
            match name {
                EndpointName::DownloadConfigSpecs => Self::DownloadConfigSpecs,
                EndpointName::GetIdLists => Self::GetIdLists,
                EndpointName::DownloadIdListFile => Self::DownloadIdListFile,
                EndpointName::LogEvent => Self::LogEvent,
                EndpointName::All => Self::All,
            }
        }
    }
}

#[allow(dead_code, reason = "with every feature, nothing is missing")]
fn needs(option: &str, feature: &str) -> String {
    format!("`{option}` needs the cargo feature `{feature}`, which is not compiled in")
}
