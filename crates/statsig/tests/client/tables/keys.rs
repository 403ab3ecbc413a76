//! SDK keys and bootstrap documents that are something else.

use serde_json::json;
use statsig::{DataSource, Error, Statsig, StatsigBuilder, StatsigOptions};

fn problems(builder: StatsigBuilder) -> Vec<String> {
    match builder.build() {
        Ok(_) => Vec::new(),
        Err(Error::Misconfigured(found)) => found.problems().to_vec(),
        Err(error) => panic!("{error:?}"),
    }
}

#[test]
fn keys_with_what_no_key_has_are_refused_without_being_shown() {
    for key in [
        "",
        "  ",
        "secret-abcdef\n",
        " secret-abcdef",
        "'secret-abcdef'",
        "\"secret-abcdef\"",
        "secret-abc def",
        "secret-ab\u{0}cdef",
        "secret-äbcdef",
        "\u{201c}secret-abcdef\u{201d}",
    ] {
        let with_key = |builder: StatsigBuilder| builder.api("http://127.0.0.1:1");
        let options = StatsigOptions::from_json(&json!({"sdk_key": key}).to_string()).unwrap();
        for builder in [Statsig::builder().sdk_key(key), Statsig::builder().options(options)] {
            let found = problems(with_key(builder));
            assert_eq!(found.len(), 1, "{key:?}: {found:?}");
            assert!(found[0].starts_with("`sdk_key` "), "{found:?}");
            assert!(!found[0].contains("cdef") && !found[0].contains("abc"), "{found:?}");
        }
    }
}

#[test]
fn other_problems_are_listed_beside_that_of_the_key() {
    let found = problems(Statsig::builder().sdk_key("secret-k\n").api("no address").event_queue_size(0)).join("\n");
    assert!(found.contains("`sdk_key`") && found.contains("`api`") && found.contains("`event_queue_size`"), "{found}");
    assert_eq!(found.lines().count(), 3, "{found}");
}

#[test]
fn keys_of_clients_and_of_the_console_are_refused_by_statsigs_servers() {
    for (key, kind) in [("client-abcdef", "a client key"), ("console-abcdef", "a console key")] {
        let found = problems(Statsig::builder().sdk_key(key));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(&format!("`sdk_key` is {kind}")) && !found[0].contains("abcdef"), "{found:?}");
        // A server of one's own may take any key, and so do local mode and documents at hand.
        assert_eq!(problems(Statsig::builder().sdk_key(key).api("http://127.0.0.1:1")), Vec::<String>::new());
        assert_eq!(problems(Statsig::builder().sdk_key(key).disable_network(true)), Vec::<String>::new());
        let listed = Statsig::builder().sdk_key(key).initialize_sources([DataSource::File("f".into())]);
        assert_eq!(problems(listed.config_sync_sources([])), Vec::<String>::new());
    }
}

#[test]
fn what_is_no_bootstrap_document_is_named() {
    for (text, says) in [
        ("", "is empty"),
        (" \n", "is empty"),
        ("specs.json", "holds a path"),
        ("/etc/statsig/specs", "holds a path"),
        ("https://h/v2/download_config_specs/secret-abcdef.json", "holds an address"),
        ("secret-abcdef", "holds an SDK key"),
    ] {
        let alone = Statsig::builder().bootstrap(text);
        let beside = Statsig::builder().sdk_key("secret-k").api("http://127.0.0.1:1").bootstrap(text);
        let local = Statsig::builder().disable_network(true).bootstrap(text);
        for builder in [alone, beside, local] {
            let found = problems(builder);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].starts_with(&format!("`bootstrap` {says}")) && !found[0].contains("abcdef"), "{found:?}");
        }
    }
}

/// It is never as if there were none.
#[test]
fn a_bootstrap_document_that_cannot_be_used_is_an_error_where_nothing_else_is_there() {
    for text in ["{", "[]", "null", "no JSON"] {
        for builder in [Statsig::builder(), Statsig::builder().sdk_key("secret-k").disable_network(true)] {
            let error = builder.bootstrap(text).build().unwrap_err();
            assert!(matches!(error, Error::Specs(_)), "{text}: {error:?}");
        }
    }
}
