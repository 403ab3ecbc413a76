//! Bounds of options, on every surface: code, files, the environment.

use std::time::Duration;

use serde_json::{Value, json};
use statsig::net::sources::FileSpecSource;
use statsig::{
    Bounds, DataSource, Error, NetworkEndpoint, NetworkOptions, NetworkProtocol, OptionRow, ProxyConfig, Statsig,
    StatsigBuilder, StatsigOptions, SystemClock,
};

/// The problems of a builder; none if it builds.
fn problems(builder: StatsigBuilder) -> Vec<String> {
    match builder.build() {
        Ok(_) => Vec::new(),
        Err(Error::Misconfigured(found)) => found.problems().to_vec(),
        Err(error) => panic!("{error:?}"),
    }
}

/// A client that needs nothing else.
fn local() -> StatsigBuilder {
    Statsig::builder().disable_network(true)
}

fn from_json(text: &Value) -> StatsigBuilder {
    local().options(StatsigOptions::from_json(&text.to_string()).unwrap())
}

/// Sets an option in code to a number; for a duration, of milliseconds.
type Setter = fn(StatsigBuilder, u64) -> StatsigBuilder;

fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

fn network(change: impl FnOnce(&mut NetworkOptions)) -> NetworkOptions {
    let mut options = NetworkOptions::default();
    change(&mut options);
    options
}

/// The builder's way to set each option with bounds, and the name that messages show.
const IN_CODE: &[(&str, &str, Setter)] = &[
    ("init_timeout_ms", "`init_timeout`", |builder, n| builder.init_timeout(ms(n))),
    ("hedge_after_ms", "`hedge_after`", |builder, n| builder.hedge_after(ms(n))),
    ("request_timeout_ms", "`request_timeout`", |builder, n| builder.request_timeout(ms(n))),
    ("id_lists_request_timeout_ms", "`network_options.id_lists_request_timeout`", |builder, n| {
        builder.network_options(network(|options| options.id_lists_request_timeout = ms(n)))
    }),
    ("log_event_timeout_ms", "`network_options.log_event_timeout`", |builder, n| {
        builder.network_options(network(|options| options.log_event_timeout = ms(n)))
    }),
    ("specs_sync_interval_ms", "`specs_sync_interval`", |builder, n| builder.specs_sync_interval(ms(n))),
    ("max_poll_backoff_ms", "`max_poll_backoff`", |builder, n| builder.max_poll_backoff(ms(n))),
    ("id_lists_sync_interval_ms", "`id_lists_sync_interval`", |builder, n| builder.id_lists_sync_interval(ms(n))),
    ("out_of_sync_threshold_ms", "`out_of_sync_threshold`", |builder, n| builder.out_of_sync_threshold(ms(n))),
    ("max_specs_bytes", "`network_options.max_specs_bytes`", |builder, n| {
        builder.network_options(network(|options| options.max_specs_bytes = n.try_into().unwrap()))
    }),
    ("event_queue_size", "`event_queue_size`", |builder, n| builder.event_queue_size(n.try_into().unwrap())),
    ("flush_interval_ms", "`event_flush_interval`", |builder, n| builder.event_flush_interval(ms(n))),
    ("retry_queue_size", "`retry_queue_size`", |builder, n| builder.retry_queue_size(n.try_into().unwrap())),
    ("event_queue_max_events", "events of `event_queue_bounds`", |builder, n| {
        builder.event_queue_bounds(n.try_into().unwrap(), 1)
    }),
    ("event_queue_max_bytes", "bytes of `event_queue_bounds`", |builder, n| {
        builder.event_queue_bounds(1, n.try_into().unwrap())
    }),
    ("exposure_dedupe_max_keys", "`exposure_dedupe_max_keys`", |builder, n| {
        builder.exposure_dedupe_max_keys(n.try_into().unwrap())
    }),
];

fn is_of_a_feature(name: &str) -> bool {
    name.starts_with("spool_")
}

/// Rows with numbers, by their path.
fn numbers() -> Vec<(String, &'static OptionRow)> {
    let own = StatsigOptions::ALL.iter().map(|row| (row.name.to_owned(), row));
    let proxy = StatsigOptions::ALL.iter().filter(|row| row.name == "proxy").flat_map(|row| row.inner);
    let rows = own.chain(proxy.map(|row| (format!("proxy.{}", row.name), row)));
    rows.filter(|(_, row)| matches!(row.bounds, Bounds::AtLeast(_) | Bounds::Whole { .. })).collect()
}

/// The ends of what is allowed, and what lies beyond them with the number that the message names.
fn ends(bounds: Bounds) -> (Vec<u64>, Vec<(u64, u64)>) {
    match bounds {
        Bounds::AtLeast(least) => (vec![least, u64::MAX], vec![(0, least), (least - 1, least)]),
        Bounds::Whole { least, most } => {
            let beyond = vec![(0, least), (least - 1, least), (most + 1, most), (u64::MAX, most)];
            (vec![least, most], beyond)
        }
        _ => unreachable!(),
    }
}

/// An object with one option at a path, and what that needs beside it.
fn one(path: &str, value: u64) -> Value {
    match path.split_once('.') {
        Some((group, name)) => json!({group: {"address": "http://h", name: value}}),
        None if is_of_a_feature(path) => json!({"spool_dir": "/tmp/never-made", path: value}),
        None => json!({path: value}),
    }
}

#[test]
fn every_number_is_checked_in_files_and_in_the_environment() {
    let rows = numbers();
    assert!(rows.len() >= 18, "{}", rows.len());
    for (path, row) in rows {
        let (within, beyond) = ends(row.bounds);
        if !is_of_a_feature(&path) || cfg!(feature = "spool") {
            for value in within {
                assert_eq!(problems(from_json(&one(&path, value))), Vec::<String>::new(), "{path} {value}");
            }
        }
        for (value, named) in beyond {
            let found = problems(from_json(&one(&path, value)));
            let own: Vec<_> =
                found.iter().filter(|problem| problem.starts_with(&format!("`{path}` must be"))).collect();
            assert_eq!(own.len(), 1, "{path} {value}: {found:?}");
            assert!(own[0].contains(&named.to_string()), "{found:?}");
            assert!(found.len() == 1 || is_of_a_feature(&path), "{found:?}");
            if path.contains('.') {
                continue;
            }
            let variable = format!("STATSIG_{}", path.to_uppercase());
            let Err(Error::Misconfigured(found)) = StatsigOptions::from_vars([(&variable, value.to_string())]) else {
                panic!("{variable} = {value} was taken")
            };
            assert!(found.problems()[0].starts_with(&format!("`{variable}` must be")), "{found}");
            assert!(found.problems()[0].contains(&named.to_string()), "{found}");
        }
    }
}

/// Numbers for which every value makes sense, and 0 is one with a meaning.
const FREE: &[&str] = &["dcs_delta_no_progress_threshold", "proxy.max_retry_attempts", "proxy.failover_threshold"];

#[test]
fn every_number_has_bounds() {
    let own = StatsigOptions::ALL.iter().map(|row| (row.name.to_owned(), row));
    let inner = StatsigOptions::ALL
        .iter()
        .flat_map(|group| group.inner.iter().map(|row| (format!("{}.{}", group.name, row.name), row)));
    for (path, row) in own.chain(inner) {
        let is_number = row.kind.contains("number");
        assert!(!is_number || row.bounds != Bounds::Any || FREE.contains(&&*path), "{path} has no bounds");
    }
}

#[test]
fn every_number_is_checked_in_code() {
    for (path, row) in numbers() {
        let Some((_, name, set)) = IN_CODE.iter().find(|(option, ..)| *option == path) else {
            assert!(path.starts_with("proxy.") || is_of_a_feature(&path), "{path} is not set in code by this test");
            continue;
        };
        let (within, beyond) = ends(row.bounds);
        for value in within {
            assert_eq!(problems(set(local(), value)), Vec::<String>::new(), "{path} {value}");
        }
        for (value, named) in beyond {
            let found = problems(set(local(), value));
            assert_eq!(found.len(), 1, "{path} {value}: {found:?}");
            assert!(found[0].starts_with(&format!("{name} must be {named}")), "{found:?}");
        }
        if row.kind.starts_with("milliseconds") && path != "init_timeout_ms" {
            let found = problems(set(local(), u64::MAX));
            assert!(found[0].contains(" ms or less"), "{found:?}");
        }
    }
}

/// A year is what `Duration::MAX` is taken for where something only waits; elsewhere it is refused.
#[test]
fn durations_that_no_clock_can_add_are_refused() {
    const MAX: Duration = Duration::MAX;
    assert_eq!(problems(local().init_timeout(MAX)), Vec::<String>::new());
    let found = problems(
        local()
            .request_timeout(MAX)
            .hedge_after(MAX)
            .specs_sync_interval(MAX)
            .id_lists_sync_interval(MAX)
            .out_of_sync_threshold(MAX)
            .event_flush_interval(MAX),
    );
    assert_eq!(found.len(), 6, "{found:?}");
    assert!(found.iter().all(|problem| problem.contains(" ms or less (")), "{found:?}");
    let both = network(|options| {
        (options.initial_request_timeout, options.request_timeout) = (MAX, Duration::ZERO);
        options.transport.connect_timeout = Duration::ZERO;
    });
    let found = problems(local().network_options(both)).join("\n");
    for named in ["initial_request_timeout`", "`network_options.request_timeout`", "transport.connect_timeout`"] {
        assert!(found.contains(named), "{named} is not in:\n{found}");
    }
}

#[test]
fn fields_that_are_set_in_code_are_checked_by_their_option() {
    let mut options = StatsigOptions::default();
    options.request_timeout = Some(Duration::MAX);
    options.specs_sync_interval = Some(Duration::ZERO);
    let found = problems(local().options(options));
    assert_eq!(
        found,
        ["`request_timeout_ms` must be 31536000000 or less (365 days)", "`specs_sync_interval_ms` must be 10 or more"]
    );
}

#[test]
fn proxies_are_checked_wherever_they_are_given() {
    let mut config = ProxyConfig::new(NetworkProtocol::Grpc, "h");
    config.retry_backoff_base = Duration::MAX;
    config.retry_backoff_multiplier = f64::NAN;
    let found = problems(local().proxy_config(NetworkEndpoint::LogEvent, config)).join("\n");
    for named in [
        "`proxy_config`: `grpc` is not spoken by this version",
        "`proxy_config`: `retry_backoff_base` must be",
        "`proxy_config`: `retry_backoff_multiplier` must be 1 to 1000",
    ] {
        assert!(found.contains(named), "{named} is not in:\n{found}");
    }
    let found = problems(from_json(&json!({
        "proxy": {"address": "h:1", "protocol": "grpc", "retry_backoff_multiplier": 0.5},
        "proxy_configs": {
            "log_event": {"protocol": "websocket", "address": "h:1", "retry_backoff_base_ms": 0},
            "get_id_lists": {"address": "h", "tls": {"client_cert": "c.pem"}},
        },
    })));
    let found = found.join("\n");
    for named in [
        "`proxy.retry_backoff_multiplier` must be 1 to 1000",
        "`proxy_configs.log_event.retry_backoff_base_ms` must be 1 or more",
        "`proxy_configs.log_event`: `websocket` is not spoken by this version: use `http`",
        "`proxy_configs.get_id_lists.tls.ca` is missing",
        "`proxy_configs.get_id_lists.tls.client_key` is missing",
    ] {
        assert!(found.contains(named), "{named} is not in:\n{found}");
    }
    assert!(!found.contains("Grpc") && !found.contains("Websocket"), "{found}");
}

#[test]
fn intervals_may_be_short_but_not_toward_statsigs_servers() {
    let key = || Statsig::builder().sdk_key("secret-test");
    let short = |builder: StatsigBuilder| {
        let builder = builder.specs_sync_interval(ms(999)).id_lists_sync_interval(ms(10));
        problems(builder.event_flush_interval(ms(500)))
    };
    assert_eq!(
        short(key()),
        [
            "`specs_sync_interval` must be 1000 ms or more: polls go to Statsig's own servers",
            "`id_lists_sync_interval` must be 1000 ms or more: requests go to Statsig's own servers",
            "`event_flush_interval` must be 1000 ms or more: batches of events go to Statsig's own servers",
        ]
    );
    assert_eq!(short(key().api("http://127.0.0.1:1")), Vec::<String>::new());
    assert_eq!(short(key().api("http://statsigapi.net/v1")).len(), 3, "whatever the scheme");
    assert_eq!(short(key().disable_network(true)), Vec::<String>::new());
    let quiet = key().enable_id_lists(false).disable_all_logging(true);
    assert_eq!(short(quiet.config_sync_sources([])), Vec::<String>::new(), "nothing is sent at this interval");
    let listed = key().api("http://127.0.0.1:1").config_sync_sources([DataSource::StatsigNetwork]);
    assert_eq!(short(listed).len(), 1);
    let options = json!({"sdk_key": "secret-test", "specs_sync_interval_ms": 100});
    let options = StatsigOptions::from_json(&options.to_string()).unwrap();
    assert_eq!(
        problems(Statsig::builder().options(options)),
        ["`specs_sync_interval_ms` must be 1000 or more: polls go to Statsig's own servers"]
    );
}

#[test]
fn a_batch_fits_into_its_queue() {
    let options = json!({"event_queue_size": 11, "event_queue_max_events": 10});
    assert_eq!(
        problems(from_json(&options)),
        ["`event_queue_size` must not be more than `event_queue_max_events` (10)"]
    );
    let found = problems(local().event_queue_size(11).event_queue_bounds(10, 1_000));
    assert_eq!(found, ["`event_queue_size` must not be more than `event_queue_bounds` (10)"]);
    // A small queue with the usual batches only means that batches are smaller.
    assert_eq!(problems(local().event_queue_bounds(10, 1_000)), Vec::<String>::new());
}

#[test]
fn a_client_without_any_source_is_refused_unless_it_is_local() {
    let names_local_mode = |builder: StatsigBuilder| {
        let found = problems(builder);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("`local_mode`"), "{found:?}");
    };
    names_local_mode(Statsig::builder());
    names_local_mode(Statsig::builder().sdk_key("secret-k").initialize_sources([]).config_sync_sources([]));
    assert_eq!(problems(local()), Vec::<String>::new());
    assert_eq!(problems(from_json(&json!({"initialize_sources": []}))), Vec::<String>::new());
    // Polls alone are a source, and so is a file.
    let polled = Statsig::builder().sdk_key("secret-k").api("http://127.0.0.1:1").initialize_sources([]);
    assert_eq!(problems(polled), Vec::<String>::new());
    let file = FileSpecSource::new("/no/such/file", std::sync::Arc::new(SystemClock));
    let custom = Statsig::builder().initialize_sources([DataSource::Custom(std::sync::Arc::new(file))]);
    assert_eq!(problems(custom), Vec::<String>::new());
}

#[test]
fn lists_of_sources_are_checked_once_and_by_their_own_words() {
    let found = problems(from_json(&json!({
        "sdk_key": "secret-k", "initialize_sources": ["data_store", "bootstrap", "snapshot", "file"],
        "config_sync_sources": ["data_store", "stream"], "data_store": null,
    })));
    let expected = [
        "`initialize_sources` lists `file`, but `specs_file` is missing",
        "`initialize_sources` lists `data_store`, which is not configured",
        "`initialize_sources` lists `bootstrap`, which is not configured",
        "`initialize_sources` lists `snapshot`, which is not configured",
        "`config_sync_sources` lists `data_store`, which is not configured",
    ];
    assert_eq!(found, expected);
}
