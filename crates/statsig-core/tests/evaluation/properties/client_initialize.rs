//! Client-initialize responses: one content however it is made, and the content of single calls.

use proptest::prelude::*;
use statsig_core::{
    ClientConfigKind, ClientExposure, ClientInitializeOptions, EvaluationContext, EvaluationSettings, FixedClock,
    HashAlgorithm, InMemoryIdLists, Json, OverrideAdapter, Reason, ResponseFormat, Ruleset, SecondaryExposure,
    StatsigUser,
};
use statsig_testkit::generate::Style;

use super::support::{any_user, document, snapshot};

/// Overrides what every generated project has.
struct Overrides;

impl OverrideAdapter for Overrides {
    fn gate(&self, name: &str, _: &StatsigUser) -> Option<bool> {
        name.ends_with('1').then_some(true)
    }

    fn layer(&self, name: &str, _: &StatsigUser) -> Option<Json> {
        name.ends_with('2').then(|| Json::from(serde_json::json!({"mine": [1.5]})))
    }
}

/// Makes a context and calls `check` with it, always with the same clock, lists, settings and draws.
fn with_context(document: &str, user: &StatsigUser, check: impl FnOnce(EvaluationContext<'_>)) {
    let snapshot = snapshot(Ruleset::compile(document.as_bytes()).unwrap());
    let settings = EvaluationSettings::new().with_global_custom_fields([("level", 3)]);
    let mut lists = InMemoryIdLists::new();
    lists.insert("list", "user-1");
    let clock = FixedClock(1_790_000_000_000);
    let context = EvaluationContext::new(&snapshot, user, &settings, &clock).with_id_lists(Some(&lists)).with_seed(7);
    check(context);
}

fn any_options() -> impl Strategy<Value = ClientInitializeOptions> {
    let hash = prop::sample::select(vec![HashAlgorithm::None, HashAlgorithm::Djb2, HashAlgorithm::Sha256]);
    let format = prop::sample::select(vec![ResponseFormat::V1, ResponseFormat::V2, ResponseFormat::InitV2]);
    (hash, format, any::<[bool; 6]>()).prop_map(|(hash, format, flags)| {
        let options = ClientInitializeOptions::new()
            .with_hash_algorithm(hash)
            .with_response_format(format)
            .with_id_type_removed(flags[0])
            .with_default_value_gates_removed(flags[1])
            .with_experiments_in_layers_removed(flags[2])
            .with_local_overrides(flags[3]);
        let options = if flags[4] { options.with_target_app_id("app-1") } else { options };
        if flags[5] { options.with_previous_response_hash("") } else { options }
    })
}

/// Holds the two ways of making a response against each other, and against themselves.
fn assert_one_content(document: &str, user: &StatsigUser, options: &ClientInitializeOptions) {
    with_context(document, user, |context| {
        let context = context.with_overrides(Some(&Overrides));
        let mut streamed = Vec::new();
        let summary = context.write_client_initialize_response(options, &mut streamed).unwrap();
        let streamed = String::from_utf8(streamed).unwrap();
        let kept = context.client_initialize_response(options);
        assert_eq!(streamed, serde_json::to_string(&kept).unwrap());
        assert_eq!(summary, kept.summary());
        let json: serde_json::Value = serde_json::from_str(&streamed).unwrap();
        assert_eq!(json, serde_json::to_value(&kept).unwrap());

        let checksum = kept.full_checksum();
        assert_eq!(json.get("full_checksum").and_then(|checksum| checksum.as_str()), checksum.as_deref());
        if let Some(checksum) = checksum {
            let again = context.client_initialize_response(&options.clone().with_previous_response_hash(checksum));
            assert!(!again.has_updates() && again.feature_gates().next().is_none());
        }
    });
}

/// The exposures of a single call, as a response tells them.
fn without_repeats<'e>(exposures: impl Iterator<Item = SecondaryExposure<'e>>) -> Vec<String> {
    let mut seen = Vec::new();
    for one in exposures {
        let one = format!("{} {} {}", one.gate, one.value, one.rule_id);
        if !seen.contains(&one) {
            seen.push(one);
        }
    }
    seen
}

fn told<'e>(exposures: impl Iterator<Item = ClientExposure<'e>>) -> Vec<String> {
    exposures.map(|one| format!("{} {} {}", one.gate, one.value, one.rule_id)).collect()
}

/// Holds every entry against a call of its own.
fn assert_agrees_with_single_calls(document: &str, user: &StatsigUser) {
    with_context(document, user, |context| {
        let options = ClientInitializeOptions::new().with_hash_algorithm(HashAlgorithm::None);
        let response = context.client_initialize_response(&options);
        for entry in response.feature_gates() {
            let single = context.feature_gate(entry.plain_name(), true);
            assert_ne!(single.details().kind(), Reason::DepthExceeded, "{entry:?}");
            assert_eq!((entry.value(), &*entry.rule_id()), (single.value(), single.rule_id()), "{}", entry.name());
            assert_eq!(entry.id_type().unwrap_or_default(), single.id_type());
            assert_eq!(told(entry.secondary_exposures()), without_repeats(single.secondary_exposures()));
        }
        for entry in response.dynamic_configs() {
            let (value, rule, group, exposures) = if entry.kind() == ClientConfigKind::DynamicConfig {
                let single = context.dynamic_config(entry.plain_name(), true);
                assert_eq!(entry.rule_passed(), single.rule_passed());
                let exposures = without_repeats(single.secondary_exposures());
                (single.value().to_owned(), single.rule_id().to_owned(), None, exposures)
            } else {
                let single = context.experiment(entry.plain_name(), true);
                assert_eq!(entry.is_experiment_active(), single.is_experiment_active());
                assert_eq!(entry.is_user_in_experiment(), single.is_user_in_experiment());
                let exposures = without_repeats(single.secondary_exposures());
                let group = single.group_name().map(str::to_owned);
                (single.value().to_owned(), single.rule_id().to_owned(), group, exposures)
            };
            if entry.value().as_object().is_some() {
                assert_eq!(entry.value(), value.view(), "{}", entry.name());
            }
            assert_eq!(*entry.rule_id(), *rule, "{}", entry.name());
            if entry.kind() != ClientConfigKind::DynamicConfig {
                assert_eq!(entry.group_name(), group.as_deref());
            }
            assert_eq!(told(entry.secondary_exposures()), exposures, "{}", entry.name());
        }
        for entry in response.layers() {
            let single = context.layer(entry.plain_name(), true);
            assert_eq!(&*entry.rule_id(), single.rule_id(), "{}", entry.name());
            assert_eq!(entry.allocated_experiment(), single.allocated_experiment());
            assert_eq!(told(entry.secondary_exposures()), without_repeats(single.secondary_exposures()));
            let absent = single.parameter("no such parameter").secondary_exposures;
            assert_eq!(told(entry.undelegated_secondary_exposures()), without_repeats(absent.into_iter()));
        }
        let ruleset = Ruleset::compile(document.as_bytes()).unwrap();
        let gates = ruleset.feature_gate_names();
        let missing = gates.iter().filter(|name| !response.feature_gates().any(|gate| gate.plain_name() == **name));
        for name in missing {
            assert_eq!(context.feature_gate(name, true).details().kind(), Reason::DepthExceeded, "{name}");
        }
    });
}

proptest! {
    #[test]
    fn streaming_writes_what_serializing_does(
        document in document(Style::Tame), user in any_user(), options in any_options()
    ) {
        assert_one_content(&document, &user, &options);
    }

    #[test]
    fn any_document_that_compiles_has_a_response(
        document in document(Style::Wild), user in any_user(), options in any_options()
    ) {
        if Ruleset::compile(document.as_bytes()).is_ok() {
            assert_one_content(&document, &user, &options);
            assert_agrees_with_single_calls(&document, &user);
        }
    }

    #[test]
    fn entries_are_what_single_calls_say(document in document(Style::Tame), user in any_user()) {
        assert_agrees_with_single_calls(&document, &user);
    }
}
