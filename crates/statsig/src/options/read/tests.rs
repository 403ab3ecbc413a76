use std::time::Duration;

use super::super::bounds::Bounds;
use super::super::value::{ProxyProtocol, SourceName, SpoolPolicy};
use super::*;

fn problems(result: Result<StatsigOptions, Error>) -> Vec<String> {
    match result {
        Err(Error::Misconfigured(found)) => found.problems,
        other => panic!("{other:?}"),
    }
}

/// A value that fits, as JSON and as the text of a variable.
fn fitting(row: &OptionRow) -> (Value, String) {
    let text = |text: &str| (Value::from(text), text.to_owned());
    match row.kind {
        kind if kind.starts_with("a list") => (serde_json::json!(["network", "stream"]), "network, stream".into()),
        "`true` or `false`" => (true.into(), "true".into()),
        "a whole number" | "milliseconds, a whole number" => {
            let number = match row.bounds {
                Bounds::AtLeast(least) | Bounds::Whole { least, .. } => least,
                _ => 7,
            };
            (number.into(), number.to_string())
        }
        "a number" => (1.5.into(), "1.5".into()),
        kind if kind.starts_with("an object") => (Value::Object(Map::new()), "{}".into()),
        kind if kind.starts_with('`') => text(kind[1..].split('`').next().unwrap()),
        _ => text("text"),
    }
}

#[test]
fn every_option_is_read_from_an_object_and_from_a_variable() {
    let mut all = Map::new();
    for row in StatsigOptions::ALL {
        let (value, text) = fitting(row);
        all.insert(row.name.to_owned(), value);
        let one = Value::Object(Map::from_iter([(row.name.to_owned(), all[row.name].clone())])).to_string();
        let from_json = StatsigOptions::from_json(&one).unwrap();
        let variable = format!("STATSIG_{}", row.name.to_uppercase());
        assert_eq!(from_json, StatsigOptions::from_vars([(variable, text)]).unwrap(), "{}", row.name);
        assert_ne!(from_json, StatsigOptions::default(), "{}", row.name);
        assert_eq!(from_json.clone().or(StatsigOptions::default()), from_json);
        assert_eq!(StatsigOptions::default().or(from_json.clone()), from_json);
    }
    StatsigOptions::from_json(&Value::Object(all).to_string()).unwrap();
}

#[test]
fn every_option_refuses_another_kind_by_its_name() {
    for row in StatsigOptions::ALL {
        let odd = if row.kind.starts_with("a list") { serde_json::json!({}) } else { serde_json::json!([["s3cr3t"]]) };
        let one = Value::Object(Map::from_iter([(row.name.to_owned(), odd)])).to_string();
        let found = problems(StatsigOptions::from_json(&one));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(&format!("`{}` must be {}", row.name, row.kind)), "{found:?}");
        assert!(!found[0].contains("s3cr3t"), "{found:?}");
    }
}

#[test]
fn nested_options_are_read_and_refused_by_their_path() {
    let options = StatsigOptions::from_json(
        r#"{"proxy": {"protocol": "grpc_websocket", "address": "h:1", "max_retry_attempts": 3,
            "retry_backoff_base_ms": 20, "retry_backoff_multiplier": 1.5, "failover_threshold": 0,
            "tls": {"ca": "ca.pem", "client_cert": "c.pem", "client_key": "k.pem", "domain": "d"}},
            "proxy_configs": {"log_event": {"address": "e"}}, "spool_mode": "WRITE_AHEAD",
            "initialize_sources": ["snapshot", "data_store"]}"#,
    )
    .unwrap();
    let proxy = options.proxy.unwrap();
    assert_eq!((proxy.protocol, proxy.failover_threshold), (Some(ProxyProtocol::GrpcStream), Some(0)));
    assert_eq!(proxy.retry_backoff_base, Some(Duration::from_millis(20)));
    assert_eq!(proxy.tls.unwrap().domain.as_deref(), Some("d"));
    assert_eq!(options.proxy_configs.unwrap().len(), 1);
    assert_eq!(options.spool_mode, Some(SpoolPolicy::WriteAhead));
    assert_eq!(options.initialize_sources, Some(vec![SourceName::Snapshot, SourceName::DataStore]));

    let one_of = |text: &str| problems(StatsigOptions::from_json(text)).join("\n");
    assert_eq!(
        one_of(r#"{"proxy": {"protocol": "grpc-steam"}}"#),
        "`proxy.protocol` must be `http`, `grpc`, `grpc_stream` or `websocket`: did you mean `grpc_stream`?"
    );
    assert_eq!(one_of(r#"{"local_mode": "yes"}"#), "`local_mode` must be `true` or `false`, not a text");
    assert_eq!(
        one_of(r#"{"init_timeout_ms": -1}"#),
        "`init_timeout_ms` must be milliseconds, a whole number, not a negative number"
    );
    let fraction = StatsigOptions::from_json(r#"{"init_timeout_ms": 3e3}"#).unwrap();
    assert_eq!(fraction.init_timeout, Some(Duration::from_secs(3)));

    let wrong = r#"{"proxy": {"tls": {"ca": 1}, "adress": "h"}, "proxy_configs": {"everything": {}, "all": 1},
        "config_sync_sources": ["network", "cloud"], "colour": 1, "api": null}"#;
    let found = problems(StatsigOptions::from_json(wrong)).join("\n");
    for named in [
        "`proxy.tls.ca`",
        "`proxy.adress`",
        "`proxy_configs.everything`",
        "`proxy_configs.all`",
        "`config_sync_sources`",
        "`colour`",
    ] {
        assert!(found.contains(named), "{named} is not in:\n{found}");
    }
    assert_eq!(found.lines().count(), 6, "{found}");
}

#[test]
fn texts_that_are_no_object_are_refused_by_line_and_without_their_contents() {
    let found = problems(StatsigOptions::from_json("{\n\"sdk_key\": secret-abc}")).join("\n");
    assert!(found.contains("line 2") && !found.contains("abc"), "{found}");
    assert_eq!(problems(StatsigOptions::from_json("[]")), ["the options must be a JSON object, not a list"]);
    assert!(StatsigOptions::from_json("\u{feff}{}").is_ok());
    #[cfg(feature = "toml")]
    {
        let found = problems(StatsigOptions::from_toml("api = \"h\"\nsdk_key = secret-abc")).join("\n");
        assert!(found.contains("line 2") && !found.contains("abc"), "{found}");
        let read = StatsigOptions::from_toml("init_timeout_ms = 5\n[proxy]\naddress = \"h\"").unwrap();
        assert_eq!(read, StatsigOptions::from_json(r#"{"init_timeout_ms": 5, "proxy": {"address": "h"}}"#).unwrap());
        // What JSON does not have is not passed over.
        let odd = "request_timeout_ms = inf\nenvironment = 1979-05-27\n[proxy]\nretry_backoff_multiplier = nan";
        let found = problems(StatsigOptions::from_toml(odd)).join("\n");
        for named in ["`request_timeout_ms`", "`environment`", "`proxy.retry_backoff_multiplier`"] {
            assert!(found.contains(named), "{found}");
        }
    }
}

#[test]
fn files_are_read_by_their_name() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("statsig.json");
    std::fs::write(&json, r#"{"environment": "staging"}"#).unwrap();
    assert_eq!(StatsigOptions::from_file(&json).unwrap().environment.as_deref(), Some("staging"));
    let missing = problems(StatsigOptions::from_file(folder.path().join("none.json"))).join("\n");
    assert!(missing.contains("none.json"), "{missing}");
    let toml = folder.path().join("statsig.TOML");
    std::fs::write(&toml, "environment = \"staging\"").unwrap();
    let read = StatsigOptions::from_file(&toml);
    #[cfg(feature = "toml")]
    assert_eq!(read.unwrap().environment.as_deref(), Some("staging"));
    #[cfg(not(feature = "toml"))]
    assert!(problems(read)[0].contains("feature `toml`"));
}

#[test]
fn variables_of_others_are_left_alone_and_wrong_ones_named() {
    let read = StatsigOptions::from_vars([
        ("PATH", "/bin"),
        ("STATSIG_API", ""),
        ("STATSIG_SOMETHING_ELSE", "1"),
        ("STATSIG_LOCAL_MODE", "on"),
        ("STATSIG_SECRET_KEY", "secret-other"),
        ("STATSIG_SDK_KEY", "secret-own"),
        ("STATSIG_DATA_STORE", r#"{"redis_url": "redis://h"}"#),
    ])
    .unwrap();
    assert_eq!((read.api, read.local_mode), (None, Some(true)));
    assert_eq!(read.sdk_key.as_ref().map(|key| key.expose()), Some("secret-own"));
    assert!(read.data_store.is_some());
    let alone = StatsigOptions::from_vars([("STATSIG_SECRET_KEY", "secret-other")]).unwrap();
    assert_eq!(alone.sdk_key.unwrap().expose(), "secret-other");

    let found = problems(StatsigOptions::from_vars([
        ("STATSIG_INIT_TIMEOUT_MS", "3s"),
        ("STATSIG_LOCAL_MODE", "maybe"),
        ("STATSIG_INITIALIZE_SOURCES", "network,cloud"),
    ]));
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].contains("`STATSIG_INIT_TIMEOUT_MS` must be milliseconds"), "{found:?}");
}

#[test]
fn values_of_variables_are_checked_by_the_name_of_the_variable() {
    let found = problems(StatsigOptions::from_vars([
        ("STATSIG_REQUEST_TIMEOUT_MS", "0"),
        ("STATSIG_SPECS_SYNC_INTERVAL_MS", "18446744073709551615"),
        ("STATSIG_SDK_KEY", "secret-abcdef\n"),
        ("STATSIG_PROXY", r#"{"address": "h", "retry_backoff_base_ms": 0}"#),
    ]));
    assert_eq!(
        found,
        [
            "`STATSIG_REQUEST_TIMEOUT_MS` must be 1 or more",
            "`STATSIG_SPECS_SYNC_INTERVAL_MS` must be 31536000000 or less (365 days)",
            "`STATSIG_SDK_KEY` begins or ends with white space, such as the line break of a file: remove it",
            "`STATSIG_PROXY.retry_backoff_base_ms` must be 1 or more",
        ]
    );
    let alias = problems(StatsigOptions::from_vars([("STATSIG_SECRET_KEY", "'secret-abcdef'")]));
    assert!(alias[0].starts_with("`STATSIG_SECRET_KEY` stands in quotation marks"), "{alias:?}");
    // The other name counts, whatever comes first.
    for variables in [["STATSIG_SECRET_KEY", "STATSIG_SDK_KEY"], ["STATSIG_SDK_KEY", "STATSIG_SECRET_KEY"]] {
        let read = StatsigOptions::from_vars(variables.map(|name| (name, format!("secret-{}", name.len())))).unwrap();
        assert_eq!(read.sdk_key.unwrap().expose(), "secret-15");
    }
}

#[test]
fn nothing_secret_shows() {
    let options = StatsigOptions::from_json(
        r#"{"sdk_key": "secret-s3cr3t", "bootstrap": "{\"s3cr3t\": 1}", "environment": "staging",
            "data_store": {"redis_url": "redis://:s3cr3t@h"}, "http_proxy": {"address": "http://u:s3cr3t@h", "password": "s3cr3t"}}"#,
    )
    .unwrap();
    let shown = format!("{options:?}");
    assert!(!shown.contains("s3cr3t") && shown.contains("staging") && shown.contains("sdk_key: hidden"), "{shown}");
    assert!(!shown.contains("retry_queue_size"), "only what is set: {shown}");
}
