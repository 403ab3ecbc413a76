//! Options as text: `docs/options.md` lists what there is, each does what its row says.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use statsig::{Error, OptionRow, Statsig, StatsigOptions, StatsigUser};
use statsig_testkit::specs::{ConditionInput, GateBuilder, ProjectBuilder};

/// What only code can give, by the builder's method.
const IN_CODE: &[(&str, &str)] = &[
    ("clock", "Tells the time."),
    ("compile_limits", "Bounds on what config specs may cost (default 512 MiB)."),
    ("data_store", "Any other `DataStore` than Redis."),
    ("error_reporter", "Reports lost events elsewhere."),
    ("evaluation_callback", "Hears of every evaluation."),
    ("event_sink", "Where events go, if not upstream."),
    ("events_flushed_callback", "Hears of every attempt to deliver a batch."),
    ("id_lists", "Knows who is in which ID list, in place of downloaded lists."),
    ("network_options", "All of the network's options at once; also connection timeouts and the like."),
    ("observer", "Receives metrics and errors."),
    ("options", "Takes over a `StatsigOptions`."),
    ("override_adapter", "Answers before the rules do, in place of local overrides."),
    ("persistent_storage", "Keeps sticky assignments."),
    ("record_secondary_exposures", "Whether results carry the gates that took part."),
    ("rules_updated_callback", "Hears of config specs that came into force."),
    ("runtime", "The tokio runtime for background work."),
    ("spec_stream", "A stream that pushes new specs, with default options."),
    ("spec_stream_with", "A stream that pushes new specs, with options of its own."),
];

const BUILDERS: [&str; 5] = [
    include_str!("../../../src/builder.rs"),
    include_str!("../../../src/builder/logging.rs"),
    include_str!("../../../src/builder/network.rs"),
    include_str!("../../../src/builder/network_setters.rs"),
    include_str!("../../../src/options/apply.rs"),
];

/// The builder's methods.
fn methods() -> BTreeSet<String> {
    let lines = BUILDERS.iter().flat_map(|source| source.lines());
    let lines = lines.filter_map(|line| line.strip_prefix("    pub fn "));
    // `build` is none of them: it takes no option.
    let methods = lines.filter(|line| {
        line.contains("(mut self,") || line.contains("(self,") || line.ends_with('(') || line.contains("<K")
    });
    methods.map(|line| line.split(['(', '<']).next().unwrap().to_owned()).collect()
}

fn list(out: &mut String, rows: &[OptionRow], path: &str) {
    for row in rows {
        let name = format!("{path}{}", row.name);
        let bounds = match row.bounds.to_string() {
            none if none.is_empty() => none,
            bounds => format!(": {bounds}"),
        };
        let OptionRow { kind, default, builder, about, .. } = row;
        let _ = writeln!(out, "| `{name}` | {kind}{bounds} | {default} | `{builder}` | {} |", about.trim());
        list(out, row.inner, &format!("{name}."));
    }
}

fn document() -> String {
    let mut out = String::from(include_str!("options.head.md"));
    out.push_str("\n| option | what it may be | default | builder | what it does |\n| --- | --- | --- | --- | --- |\n");
    list(&mut out, StatsigOptions::ALL, "");
    out.push_str("\n## In code only\n\n| builder | what it does |\n| --- | --- |\n");
    for (method, about) in IN_CODE {
        let _ = writeln!(out, "| `{method}` | {about} |");
    }
    out.push_str("\n## Names in other Statsig SDKs\n\n| there | here |\n| --- | --- |\n");
    for foreign in StatsigOptions::FOREIGN {
        let names = foreign.names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let here = match (foreign.here, foreign.remark) {
            (Some(here), "") => here.to_owned(),
            (Some(here), remark) => format!("{here}: {remark}"),
            (None, remark) => remark.to_owned(),
        };
        let _ = writeln!(out, "| {names} | {here} |");
    }
    out
}

/// After a change: `UPDATE_DOCS=1 cargo test -p statsig-oss --test client tables::options`.
#[test]
fn the_document_lists_every_option() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/options.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, document()).unwrap();
    }
    assert!(std::fs::read_to_string(path).unwrap() == document(), "docs/options.md is not what the table says");
}

#[test]
fn the_table_and_the_builder_name_each_other() {
    let every = StatsigOptions::ALL.iter().flat_map(|row| std::iter::once(row).chain(row.inner));
    let in_table: BTreeSet<String> = every.map(|row| row.builder.to_owned()).collect();
    let in_code: BTreeSet<String> = IN_CODE.iter().map(|(method, _)| (*method).to_owned()).collect();
    let listed: BTreeSet<String> = &in_table | &in_code;
    let methods = methods();
    assert!(methods.len() > 40, "{methods:?}");
    let unlisted: Vec<_> = methods.difference(&listed).collect();
    let unknown: Vec<_> = listed.difference(&methods).collect();
    assert!(unlisted.is_empty() && unknown.is_empty(), "not listed: {unlisted:?}; not there: {unknown:?}");
}

/// What the table says is what the parts begin with.
#[test]
fn defaults_are_those_of_the_table() {
    let (network, sync) = (statsig_net::NetworkOptions::default(), statsig_net::SyncOptions::default());
    let ms = |time: Duration| time.as_millis().to_string();
    let logger = statsig_logger::EventLoggerOptions::default();
    let pipeline = &logger.pipeline;
    let lists = statsig_net::id_lists::IdListOptions::default();
    let proxy = statsig_net::ProxyConfig::new(statsig_net::NetworkProtocol::Http, "h");
    let request = format!("{} at start, {} later", ms(network.initial_request_timeout), ms(network.request_timeout));
    for (option, default) in [
        ("init_timeout_ms", ms(sync.init_timeout.unwrap())),
        ("request_timeout_ms", request),
        ("id_lists_request_timeout_ms", ms(network.id_lists_request_timeout)),
        ("log_event_timeout_ms", ms(network.log_event_timeout)),
        ("specs_sync_interval_ms", ms(sync.poll_interval)),
        ("id_lists_sync_interval_ms", ms(lists.interval)),
        ("max_specs_bytes", network.max_specs_bytes.to_string()),
        ("event_queue_size", pipeline.batch_events.to_string()),
        ("flush_interval_ms", ms(pipeline.batch_interval)),
        ("retry_queue_size", pipeline.retry_queue_size.to_string()),
        ("event_queue_max_events", pipeline.queue_events.to_string()),
        ("event_queue_max_bytes", pipeline.queue_bytes.to_string()),
        ("exposure_dedupe_max_keys", logger.exposure_dedupe_max_keys.to_string()),
        ("proxy.retry_backoff_base_ms", ms(proxy.retry_backoff_base)),
        ("proxy.retry_backoff_multiplier", proxy.retry_backoff_multiplier.to_string()),
        ("proxy.failover_threshold", proxy.push_worker_failover_threshold.to_string()),
    ] {
        assert_eq!(row(option).default, default, "{option}");
    }
}

fn row(path: &str) -> &'static OptionRow {
    let mut rows = StatsigOptions::ALL;
    let mut found = None;
    for name in path.split('.') {
        let row = rows.iter().find(|row| row.name == name).unwrap();
        rows = row.inner;
        found = Some(row);
    }
    found.unwrap()
}

fn problems(error: &Error) -> Vec<String> {
    let Error::Misconfigured(found) = error else { panic!("{error:?}") };
    found.problems().to_vec()
}

#[test]
fn options_from_text_take_effect() {
    let project = ProjectBuilder::new()
        .gate(GateBuilder::new("staging").when(ConditionInput::environment_tier().is_any_of(["staging"])))
        .gate(GateBuilder::new("eu").when(ConditionInput::user_field("region").is_any_of(["eu"])))
        .build();
    let text = json!({
        "bootstrap": String::from_utf8(project).unwrap(), "environment": "staging",
        "global_custom_fields": {"region": "eu"}, "local_mode": true, "service_name": null,
    });
    let options = StatsigOptions::from_json(&text.to_string()).unwrap();
    let statsig = Statsig::builder().options(options.clone()).build().unwrap();
    let ada = StatsigUser::with_user_id("ada");
    assert!(statsig.check_gate(&ada, "staging") && statsig.check_gate(&ada, "eu"));
    // What code says afterwards counts.
    let statsig = Statsig::builder().options(options).environment("production").build().unwrap();
    assert!(!statsig.check_gate(&ada, "staging") && statsig.check_gate(&ada, "eu"));
}

#[test]
fn whatever_is_wrong_is_told_at_once_by_build_too() {
    let text = json!({
        "sdk_key": "secret-abcdef", "sdk_type": "mine", "initialize_sources": ["file", "stream"],
        "http_proxy": {"username": "u"}, "proxy": {"protocol": "http"}, "event_queue_size": 0,
        "events_file": "/no/such/folder/events", "data_store": {"prefix": "p"}, "log_event_url": "ftp://h",
    });
    let options = StatsigOptions::from_json(&text.to_string()).unwrap();
    let error = Statsig::builder().options(options).build().unwrap_err();
    let told = problems(&error).join("\n");
    for named in [
        "sdk_version",
        "specs_file",
        "`initialize_sources` lists `stream`",
        "http_proxy.address",
        "`proxy.address`",
        "event_queue_size",
        "/no/such/folder",
        "data_store",
        "log_event_url",
    ] {
        assert!(told.contains(named), "{named} is not in:\n{told}");
    }
    assert!(!told.contains("abcdef"));
}

#[test]
fn an_application_may_hold_them_in_its_own_configuration() {
    #[derive(serde::Deserialize)]
    struct Own {
        statsig: StatsigOptions,
    }
    let own: Own = serde_json::from_value(json!({"statsig": {"init_timeout_ms": 1_500}})).unwrap();
    assert_eq!(own.statsig.init_timeout, Some(Duration::from_millis(1_500)));
    let Err(error) = serde_json::from_value::<Own>(json!({"statsig": {"colour": 1, "api": []}})) else { panic!() };
    assert!(error.to_string().contains("colour") && error.to_string().contains("`api`"), "{error}");
}

/// Every name that a build without some feature refuses is an option.
#[test]
fn options_of_features_are_named_as_in_the_table() {
    let source = include_str!("../../../src/options/apply.rs");
    let lists = source.split("&[&str] = &[").skip(1).map(|rest| rest.split(']').next().unwrap());
    let names: Vec<&str> = lists.flat_map(|list| list.split('"').skip(1).step_by(2)).collect();
    assert!(names.len() > 35, "{names:?}");
    for name in names {
        assert!(StatsigOptions::ALL.iter().any(|row| row.name == name), "{name}");
    }
    let alone = StatsigOptions::from_json(r#"{"spool_mode": "overflow", "local_mode": true}"#).unwrap();
    let told = problems(&Statsig::builder().options(alone).build().unwrap_err()).join("\n");
    assert!(told.contains("`spool_mode`"), "{told}");
}

#[test]
fn what_can_do_nothing_or_contradicts_itself_is_refused() {
    let specs = r#"{"has_updates": true, "time": 1}"#;
    for (options, named) in [
        (json!({"api": "http://h"}), "`api` needs `sdk_key`"),
        (json!({"snapshot_dir": "/tmp"}), "snapshot_dir"),
        (json!({"sdk_key": "secret-k", "http_proxy": {"address": "http://h", "password": "p"}}), "http_proxy.username"),
        (json!({"sdk_key": "secret-k", "http_proxy": {"address": "htp://h"}}), "http_proxy.address"),
        (json!({"sdk_key": "secret-k", "max_specs_bytes": 0}), "max_specs_bytes"),
        (json!({"sdk_key": "secret-k", "specs_file": "f", "initialize_sources": ["network"]}), "specs_file"),
        (
            json!({"sdk_key": "secret-k", "proxy": {"address": "h"}, "proxy_configs": {"all": {"address": "h"}}}),
            "proxy_configs.all",
        ),
        (
            json!({"sdk_key": "secret-k", "proxy": {"address": "h", "retry_backoff_multiplier": -1}}),
            "retry_backoff_multiplier",
        ),
    ] {
        let given = StatsigOptions::from_json(&options.to_string()).unwrap();
        let told = problems(&Statsig::builder().options(given).bootstrap(specs).build().unwrap_err()).join("\n");
        assert!(told.contains(named), "{options}: {told}");
    }
}

#[test]
fn nothing_is_left_behind_when_the_build_fails_or_nothing_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let with = |more: serde_json::Value| {
        let mut options = json!({"events_file": path, "bootstrap": "{\"has_updates\": true, \"time\": 1, \"feature_gates\": {}, \"dynamic_configs\": {}, \"layer_configs\": {}, \"condition_map\": {}}"});
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Statsig::builder().options(StatsigOptions::from_json(&options.to_string()).unwrap()).build()
    };
    with(json!({"event_queue_size": 0})).unwrap_err();
    with(json!({"local_mode": true})).unwrap();
    assert!(!path.exists());
    with(json!({})).unwrap();
    assert!(path.exists());
}

/// The file that the guide shows is one that can be read.
#[cfg(feature = "toml")]
#[test]
fn the_file_of_the_guide_can_be_read() {
    let guide = include_str!("../../../../../docs/guide/options.md");
    let file = guide.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let options = StatsigOptions::from_toml(file).unwrap();
    assert_eq!(options.init_timeout, Some(Duration::from_secs(3)));
    assert!(options.proxy.is_some_and(|proxy| proxy.address.is_some()));
}
