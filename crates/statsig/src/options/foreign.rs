//! Names that options have in other Statsig SDKs.

/// An option of other Statsig SDKs.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ForeignOption {
    /// Its names there, in snake case; some SDKs write them in camel case.
    pub names: &'static [&'static str],
    /// The option here, as text that may hold Markdown; `None` if there is none and none is needed.
    pub here: Option<&'static str>,
    /// A remark: a unit, or the reason why there is none.
    pub remark: &'static str,
}

const fn option(names: &'static [&'static str], here: &'static str, remark: &'static str) -> ForeignOption {
    ForeignOption { names, here: Some(here), remark }
}

const fn none(names: &'static [&'static str], remark: &'static str) -> ForeignOption {
    ForeignOption { names, here: None, remark }
}

/// Every such name that is known, in the order of `docs/options.md`.
pub(super) const FOREIGN_OPTIONS: &[ForeignOption] = &[
    option(&["api_key", "secret_key", "server_secret", "server_secret_key", "secret"], "`sdk_key`", ""),
    option(&["tier", "set_environment_parameter", "statsig_environment", "env"], "`environment`", "a text"),
    option(
        &["api_for_download_config_specs", "dcs_url", "download_config_specs_url"],
        "`specs_url`",
        "up to and with `download_config_specs`",
    ),
    option(&["api_for_get_id_lists", "get_id_lists_url"], "`id_lists_url`", "a whole address"),
    option(&["api_for_log_event", "log_event_api"], "`log_event_url`", "a whole address"),
    option(&["download_id_list_file_api"], "`id_list_file_api`", ""),
    option(&["base_url", "api_url", "api_override", "network_api"], "`api`", ""),
    option(
        &["timeout", "network_timeout", "network_timeout_ms", "request_timeout"],
        "`request_timeout_ms`",
        "milliseconds; `init_timeout_ms` is for the whole start",
    ),
    option(&["init_timeout", "overall_init_timeout"], "`init_timeout_ms`", "milliseconds, not seconds"),
    option(
        &["rulesets_sync_interval", "rulesets_sync_interval_ms", "polling_interval", "polling_interval_ms"],
        "`specs_sync_interval_ms`",
        "milliseconds, not seconds",
    ),
    option(
        &["idlists_sync_interval", "idlists_sync_interval_ms"],
        "`id_lists_sync_interval_ms`",
        "milliseconds, not seconds",
    ),
    option(&["disable_id_lists", "disable_id_lists_sync"], "`enable_id_lists`", "the opposite"),
    option(&["disable_network", "offline"], "`local_mode`", ""),
    option(&["bootstrap_values"], "`bootstrap`", "a text"),
    option(
        &["event_logging_max_queue_size", "logging_max_buffer_size", "event_queue_max_size"],
        "`event_queue_size`",
        "",
    ),
    option(&["event_logging_max_pending_batch_queue_size"], "`retry_queue_size`", ""),
    option(
        &["event_logging_flush_interval_ms", "logging_interval", "logging_interval_ms"],
        "`flush_interval_ms`",
        "milliseconds",
    ),
    option(&["disable_logging", "disable_event_logging"], "`disable_all_logging`", ""),
    option(&["out_of_sync_threshold_in_s"], "`out_of_sync_threshold_ms`", "milliseconds, not seconds"),
    option(&["data_adapter"], "`data_store`", "Redis; any other in code"),
    option(&["data_store_key_schema_version"], "`data_store.key_schema`", ""),
    option(&["spec_adapters_config"], "`initialize_sources`, `config_sync_sources`, `proxy`", ""),
    option(
        &["specs_adapter", "id_lists_adapter", "event_logging_adapter"],
        "`DataSource::Custom`, `id_lists`, `event_sink`",
        "in code",
    ),
    option(&["proxy_config"], "`http_proxy`", "a proxy of the network; `proxy` is a forward proxy of Statsig"),
    option(&["observability_client"], "`observer`", "in code"),
    option(&["output_logger_provider", "output_log_level", "logger", "log_level"], "a `tracing` subscriber", "in code"),
    option(&["rules_updated_callback"], "`rules_updated_callback`", "in code"),
    option(&["evaluation_callback"], "`evaluation_callback`", "in code"),
    option(&["sdk_error_callback", "error_callback"], "`error_reporter`, and `Observer::error`", "in code"),
    option(&["disable_ua_parser"], "`disable_user_agent_parsing`", ""),
    none(
        &[
            "wait_for_country_lookup_init",
            "wait_for_user_agent_init",
            "init_strategy_for_ip3_country",
            "idlists_thread_limit",
            "log_event_connection_reuse",
        ],
        "not needed: the tables are built in, connections are always kept",
    ),
    none(
        &[
            "use_third_party_ua_parser",
            "config_compression_mode",
            "experimental_flags",
            "console_capture_options",
            "disable_diagnostics",
        ],
        "not there",
    ),
    none(&["disable_disk_access"], "not needed: nothing touches a disk unless a folder or a file is named"),
];

#[cfg(test)]
mod tests {
    use super::super::client::StatsigOptions;
    use super::*;

    #[test]
    fn names_are_told_once_and_belong_to_no_option_of_ours() {
        let mut names: Vec<&str> = FOREIGN_OPTIONS.iter().flat_map(|foreign| foreign.names).copied().collect();
        let is_own = |name: &&str| StatsigOptions::ALL.iter().any(|row| row.name == *name);
        assert_eq!(names.iter().copied().find(is_own), None);
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(names.iter().all(|name| super::super::suggest::snake_case(name) == **name));
    }
}
