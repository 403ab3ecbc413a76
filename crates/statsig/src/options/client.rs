//! Every option of a client that can be written as text: the one table that code, files, environment
//! variables and `docs/options.md` share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use super::group::{group_value, option_group};
use super::value::{
    AddressText, EndpointName, ProxyProtocol, SecretText, SourceName, SpecsText, SpoolPolicy, StoreKeySchema,
};

option_group! {
    /// Options of a client, as operators write them: in a file, or in environment variables.
    ///
    /// In TOML or JSON an option has the name that its field's documentation begins with, in the environment
    /// that name in capitals behind `STATSIG_`. `docs/options.md` lists all. An option that needs a cargo
    /// feature which is not compiled in is a problem that `build` reports.
    ///
    /// ```
    /// use statsig::{Statsig, StatsigOptions};
    ///
    /// # fn main() -> Result<(), statsig::Error> {
    /// let written = r#"{"bootstrap": "{\"has_updates\": true, \"time\": 1, \"feature_gates\": {}, \"dynamic_configs\": {}, \"layer_configs\": {}, \"condition_map\": {}}",
    ///                   "environment": "staging", "local_mode": true}"#;
    /// // What the environment says comes first.
    /// let options = StatsigOptions::from_env()?.or(StatsigOptions::from_json(written)?);
    /// let statsig = Statsig::builder().options(options).build()?;
    /// # let _ = statsig;
    /// # Ok(())
    /// # }
    /// ```
    StatsigOptions {
        /// The server secret key, `secret-…`. Keys of clients and of the console are refused where it would go to Statsig's own servers. With it, specs come from Statsig's servers and events go there. In the environment also `STATSIG_SECRET_KEY`.
        sdk_key("sdk_key", "none", "sdk_key", KEY): SecretText,
        /// The environment tier of users that bring none of their own, for instance `staging`.
        environment("environment", "none", "environment"): String,
        /// Custom fields that every user has, unless it has its own of the same name.
        global_custom_fields("global_custom_fields", "none", "global_custom_fields"): Map<String, Value>,
        /// The name of this service, for the vendor's and the proxy's statistics.
        service_name("service_name", "none", "service_name", NOT_EMPTY): String,
        /// Neither fetches nor sends anything; events are not even kept. Only in this mode may a client have no config specs at all.
        local_mode("local_mode", "`false`", "disable_network"): bool,
        /// The config specs to start with, as text.
        bootstrap("bootstrap", "none", "bootstrap"): SpecsText,
        /// A file with config specs, watched for changes: the source `file`, the only one at start unless `initialize_sources` says otherwise.
        specs_file("specs_file", "none", "initialize_sources", NOT_EMPTY): PathBuf,
        /// A folder that keeps the newest accepted specs, as the last source of the next start.
        snapshot_dir("snapshot_dir", "none", "last_known_good", NOT_EMPTY): PathBuf,

        /// The base of all addresses, for a proxy in place of Statsig's servers.
        api("api", "Statsig's servers", "api"): AddressText,
        /// Address of the config specs, up to and with `download_config_specs`.
        specs_url("specs_url", "by `api`", "endpoints"): AddressText,
        /// Address of the config specs that is asked right after the first one fails, in the same form as `specs_url`.
        fallback_specs_url("fallback_specs_url", "none", "endpoints"): AddressText,
        /// Address of the manifest of the ID lists, whole.
        id_lists_url("id_lists_url", "by `api`", "endpoints"): AddressText,
        /// Scheme and host in place of those in a manifest's addresses.
        id_list_file_api("id_list_file_api", "as the manifest says", "endpoints"): AddressText,
        /// Address for events, whole.
        log_event_url("log_event_url", "by `api`", "endpoints"): AddressText,
        /// Address for reports of errors, whole.
        sdk_exception_url("sdk_exception_url", "by `api`", "endpoints"): AddressText,
        /// A forward proxy for everything.
        proxy("proxy", "none", "proxy_config"): ProxyOptions,
        /// Forward proxies for single endpoints; `all` stands for those without an entry.
        proxy_configs("proxy_configs", "none", "proxy_config"): BTreeMap<EndpointName, ProxyOptions>,
        /// Whether Statsig's own servers are asked when a configured address fails.
        fallback_to_statsig_api("fallback_to_statsig_api", "`false`", "fallback_to_statsig_api"): bool,
        /// A proxy between this machine and the internet.
        http_proxy("http_proxy", "`HTTPS_PROXY`, `ALL_PROXY`, … of the environment", "outbound_proxy"): OutboundProxyOptions,
        /// Whom to trust, and who we are, where a forward proxy has no TLS options of its own.
        tls("tls", "the authorities of the operating system", "tls"): TlsFileOptions,
        /// A store that processes share: asked before the network, told of what the network brought. Needs the feature `redis`.
        data_store("data_store", "none", "data_store"): DataStoreOptions,

        /// Where specs come from at start, best first.
        initialize_sources("initialize_sources", "data store, bootstrap, network, as far as configured", "initialize_sources"): Vec<SourceName>,
        /// Where polls ask, best first.
        config_sync_sources("config_sync_sources", "data store, network, as far as configured", "config_sync_sources"): Vec<SourceName>,
        /// Longest time that `initialize` waits, cut to a year; loading goes on beyond it.
        init_timeout("init_timeout_ms", "10000", "init_timeout", POSITIVE): Duration,
        /// At start, ask the next source as well after so long without an answer; once one answers, those asked before it get as long again, within `init_timeout_ms`, so that the freshest counts.
        hedge_after("hedge_after_ms", "never", "hedge_after", TIMEOUT): Duration,
        /// Time for a request for config specs.
        request_timeout("request_timeout_ms", "3000 at start, 10000 later", "request_timeout", TIMEOUT): Duration,
        /// Time for the manifest of ID lists, and for each silence while a file is read.
        id_lists_request_timeout("id_lists_request_timeout_ms", "10000", "network_options", TIMEOUT): Duration,
        /// Time for a batch of events.
        log_event_timeout("log_event_timeout_ms", "10000", "network_options", TIMEOUT): Duration,
        /// Pause between polls for specs; at least 1000 where they reach Statsig's own servers.
        specs_sync_interval("specs_sync_interval_ms", "10000", "specs_sync_interval", INTERVAL): Duration,
        /// Longest pause between polls for specs while they fail; at least the sync interval.
        max_poll_backoff("max_poll_backoff_ms", "the sync interval, at least 10000", "max_poll_backoff", TIMEOUT): Duration,
        /// Pause between rounds for ID lists; at least 1000 where they reach Statsig's own servers.
        id_lists_sync_interval("id_lists_sync_interval_ms", "60000", "id_lists_sync_interval", INTERVAL): Duration,
        /// Specs that are older by their own time make polls go on to the next source although one succeeded.
        out_of_sync_threshold("out_of_sync_threshold_ms", "none", "out_of_sync_threshold", TIMEOUT): Duration,
        /// Whether the network is asked for differences to the specs held, in place of whole ones; not by one who writes a data store. Needs the feature `proto`.
        enable_dcs_deltas("enable_dcs_deltas", "`false`", "enable_dcs_deltas"): bool,
        /// After so many differences in a row that led to nothing newer, everything is asked for, at most every 5 minutes; 0 is never.
        dcs_delta_no_progress_threshold("dcs_delta_no_progress_threshold", "10", "dcs_delta_no_progress_threshold"): u32,
        /// Whether ID lists are fetched.
        enable_id_lists("enable_id_lists", "`true`", "enable_id_lists"): bool,
        /// Most bytes of config specs, compressed or not.
        max_specs_bytes("max_specs_bytes", "268435456", "network_options", POSITIVE): usize,

        /// Logs no event of any kind, and counts none.
        disable_all_logging("disable_all_logging", "`false`", "disable_all_logging"): bool,
        /// Events go to this file, one a line, instead of upstream.
        events_file("events_file", "none", "event_sink", NOT_EMPTY): PathBuf,
        /// Events in a batch, and waiting events that make one be sent. While more than twice as many wait, batches have up to 3,000.
        event_queue_size("event_queue_size", "500", "event_queue_size", POSITIVE): usize,
        /// Longest time that an event waits for its batch; at least 1000 where batches go to Statsig's own servers.
        flush_interval("flush_interval_ms", "60000", "event_flush_interval", FLUSH_INTERVAL): Duration,
        /// Batches that are kept for another attempt while the destination does not take them.
        retry_queue_size("retry_queue_size", "10", "retry_queue_size", POSITIVE): usize,
        /// Most events that wait while batches cannot be sent; not fewer than `event_queue_size`, where both are set.
        event_queue_max_events("event_queue_max_events", "250000", "event_queue_bounds", POSITIVE): usize,
        /// Most bytes that they hold.
        event_queue_max_bytes("event_queue_max_bytes", "67108864", "event_queue_bounds", POSITIVE): usize,
        /// Exposures that are remembered so that they are not logged twice a minute.
        exposure_dedupe_max_keys("exposure_dedupe_max_keys", "100000", "exposure_dedupe_max_keys", REMEMBERED): usize,
        /// A folder for events that cannot be delivered. Needs the feature `spool`.
        spool_dir("spool_dir", "none: in memory only", "event_spool", NOT_EMPTY): PathBuf,
        /// When events are written there: when they cannot be delivered, or before the first attempt.
        spool_mode("spool_mode", "`overflow`", "event_spool"): SpoolPolicy,
        /// Most bytes there.
        spool_max_bytes("spool_max_bytes", "536870912", "event_spool", SPOOL_BYTES): u64,
        /// Longest time that a batch rests there.
        spool_max_age("spool_max_age_ms", "259200000", "event_spool", TIMEOUT): Duration,
        /// Whether lost events are reported to the vendor: how many, and why. Needs `sdk_key`.
        report_errors_upstream("report_errors_upstream", "`false`", "report_errors_upstream"): bool,

        /// A user's IP address does not tell the country.
        disable_country_lookup("disable_country_lookup", "`false`", "ip_country"): bool,
        /// A user agent does not tell browser and operating system.
        disable_user_agent_parsing("disable_user_agent_parsing", "`false`", "user_agent"): bool,
        /// What the SDK calls itself; with `sdk_version`.
        sdk_type("sdk_type", "`rust-server-oss`", "sdk", NOT_EMPTY): String,
        /// The version that goes with `sdk_type`.
        sdk_version("sdk_version", "that of this crate", "sdk", NOT_EMPTY): String,
    }
}

option_group! {
    /// A forward proxy, as operators write it.
    ProxyOptions {
        /// How it is spoken to; this version speaks `http` only, and refuses the others.
        protocol("protocol", "`http`", "proxy_config"): ProxyProtocol,
        /// Its address; must be given.
        address("address", "none", "proxy_config"): AddressText,
        /// After so many failures in a row a stream waits the longest pause each time.
        max_retry_attempts("max_retry_attempts", "no limit", "proxy_config"): u32,
        /// Longest pause after the first failure of a stream.
        retry_backoff_base("retry_backoff_base_ms", "1000", "proxy_config", BACKOFF): Duration,
        /// By what the pause grows with each failure.
        retry_backoff_multiplier("retry_backoff_multiplier", "2", "proxy_config", MULTIPLIER): f64,
        /// After more failures in a row than these, polling takes over until the stream is back.
        failover_threshold("failover_threshold", "4", "proxy_config"): u32,
        /// Whom to trust where the connection is encrypted, which it is unless the address says `http://`; with a client certificate, both sides show one.
        tls("tls", "as the address says", "proxy_config"): ProxyTlsOptions,
    }
}

option_group! {
    /// Certificates for a forward proxy: files in PEM form.
    ProxyTlsOptions {
        /// The authority to trust; must be given.
        ca("ca", "none", "proxy_config", NOT_EMPTY): PathBuf,
        /// Our certificate.
        client_cert("client_cert", "none", "proxy_config", NOT_EMPTY): PathBuf,
        /// The key of our certificate.
        client_key("client_key", "none", "proxy_config", NOT_EMPTY): PathBuf,
        /// The name that the proxy's certificate must be for, if that is not the host of the address.
        domain("domain", "the host of the address", "proxy_config", NOT_EMPTY): String,
    }
}

option_group! {
    /// Certificates for all connections: files in PEM form.
    TlsFileOptions {
        /// Authorities to trust besides those of the operating system.
        ca("ca", "none", "tls", NOT_EMPTY): PathBuf,
        /// Our certificate.
        client_cert("client_cert", "none", "tls", NOT_EMPTY): PathBuf,
        /// The key of our certificate.
        client_key("client_key", "none", "tls", NOT_EMPTY): PathBuf,
    }
}

option_group! {
    /// A proxy between this machine and the internet.
    OutboundProxyOptions {
        /// `http://host:port`, `https://…`, `socks5://…` or `socks5h://…`; must be given.
        address("address", "none", "outbound_proxy"): SecretText,
        /// The user name there.
        username("username", "none", "outbound_proxy", NOT_EMPTY): String,
        /// The password there.
        password("password", "none", "outbound_proxy"): SecretText,
    }
}

option_group! {
    /// A store that processes share.
    DataStoreOptions {
        /// `redis://[user[:password]@]host[:port][/db]`, or `rediss://…` with TLS; this or `redis_urls` must be given.
        redis_url("redis_url", "none", "data_store", NOT_EMPTY): SecretText,
        /// Some nodes of a cluster; with `sentinel_master`, the sentinels.
        redis_urls("redis_urls", "none", "data_store"): Vec<SecretText>,
        /// The name that sentinels have for the master.
        sentinel_master("sentinel_master", "none", "data_store", NOT_EMPTY): String,
        /// A file that holds the password, read again for each new connection.
        password_file("password_file", "none", "data_store", NOT_EMPTY): PathBuf,
        /// How entries are named.
        key_schema("key_schema", "`v2`", "data_store_key_schema"): StoreKeySchema,
        /// A text before every key. Other SDKs do not find such keys.
        prefix("prefix", "none", "data_store"): String,
        /// Whether the store is only read. `false` for the one process of a fleet that writes what the network brought.
        read_only("read_only", "`true`", "data_store"): bool,
    }
}

group_value! { ProxyOptions ProxyTlsOptions TlsFileOptions OutboundProxyOptions DataStoreOptions }
