//! Nesting: of JSON, of gates, of delegates, mappings and experiment groups.

use statsig_core::{Getters, ProblemKind, StatsigUser};

use super::documents::{Document, ids, rule};
use super::{RECOGNIZED, TOO_DEEP, compile, evaluate, gate, on_small_stack, sound};

/// A megabyte of brackets.
fn nested(open: &str, inside: &str, close: &str) -> String {
    let levels = 500_000 / open.len();
    format!("{}{inside}{}", open.repeat(levels), close.repeat(levels))
}

#[test]
fn a_megabyte_of_brackets_is_refused_or_skipped_wherever_it_stands() {
    for deep in [nested("[", "", "]"), nested("{\"k\":", "1", "}"), nested("[", "", ""), nested("[{\"k\":", "", "")] {
        assert!(compile(deep.clone()).is_err());
        for at in ["feature_gates", "condition_map", "app_id", "sdk_configs", "experiment_to_layer", "time", "unknown"]
        {
            let more = Document { more: format!("\"{at}\":{deep},"), ..Document::default() };
            let _ = compile(more.write());
        }
        for field in ["type", "targetValue", "operator", "additionalValues", "idType", "unknown"] {
            let mut document = Document::default();
            document.condition("c", &format!("\"type\":\"public\",\"{field}\":{deep}")).gate("g", "\"c\"");
            let _ = compile(document.write());
        }
        for field in ["rules", "defaultValue", "explicitParameters", "unknown"] {
            let mut document = Document::default();
            document.gate("sound", "").gates.push_str(&format!(",\"g\":{{\"{field}\":{deep}}}"));
            if let Ok(snapshot) = compile(document.write()) {
                assert_eq!(gate(&snapshot, "sound"), (true, RECOGNIZED.to_owned()));
                assert_eq!(gate(&snapshot, "g").1, "Bootstrap:Unrecognized");
            }
        }
        on_small_stack(move || {
            assert!(serde_json::from_str::<StatsigUser>(&format!("{{\"custom\":{{\"a\":{deep}}}}}")).is_err());
            assert!(statsig_core::Json::parse(&deep).is_err());
        });
    }
}

#[test]
fn values_as_deep_as_the_parser_allows_are_kept_and_read() {
    let deep = format!("{}1{}", "[".repeat(120), "]".repeat(120));
    let mut document = Document::default();
    document.condition("c", &format!(r#""type":"user_field","field":"a","operator":"eq","targetValue":[{deep}]"#));
    document.config("x", &rule("\"c\"", &format!("{{\"a\":{deep}}}"), ""));
    let snapshot = compile(document.write()).unwrap();
    let user = serde_json::from_str(&format!("{{\"custom\":{{\"a\":[{deep}]}}}}")).unwrap();
    let value = evaluate(&snapshot, user, |context| {
        let config = context.dynamic_config("x", true);
        config.get("a", serde_json::Value::Null).to_string()
    });
    assert_eq!(value, deep);
}

/// Gates that ask each other in a row; the last one is open to everybody.
fn chain(length: usize) -> Document {
    let mut document = Document::default();
    for at in 0..length {
        document.pass(format!("to_{at}"), format!("g{at}"));
        let next = if at + 1 == length { String::new() } else { format!("\"to_{}\"", at + 1) };
        document.gate(format!("g{at}"), &next);
    }
    document
}

#[test]
fn a_chain_of_a_hundred_thousand_gates_errs_above_the_limit_and_holds_below() {
    let length = 100_000;
    let snapshot = compile(chain(length).write()).unwrap();
    for above in [0, 1, 50_000, length - 66] {
        assert_eq!(gate(&snapshot, &format!("g{above}")), (false, TOO_DEEP.to_owned()), "g{above}");
    }
    for below in [length - 65, length - 2, length - 1] {
        assert_eq!(gate(&snapshot, &format!("g{below}")), (true, RECOGNIZED.to_owned()), "g{below}");
    }
    let problems = snapshot.ruleset().problems();
    assert!(problems.iter().any(|problem| problem.kind == ProblemKind::TooDeep && problem.path == "g0"));
    assert!(problems.len() <= 1_001);
}

#[test]
fn a_circle_of_a_hundred_thousand_gates_errs() {
    let mut document = Document::default();
    let length = 100_000;
    for at in 0..length {
        document.pass(format!("to_{at}"), format!("g{at}"));
        document.gate(format!("g{at}"), &format!("\"to_{}\"", (at + 1) % length));
    }
    let snapshot = compile(document.write()).unwrap();
    assert_eq!(gate(&snapshot, "g7"), (false, TOO_DEEP.to_owned()));
    assert!(snapshot.ruleset().problems().iter().any(|problem| problem.kind == ProblemKind::Cycle));
}

/// Value and reason of an experiment.
fn experiment(snapshot: &std::sync::Arc<statsig_core::Snapshot>, name: &str) -> (String, String) {
    let name = name.to_owned();
    evaluate(snapshot, StatsigUser::with_user_id("user-1"), move |context| {
        let [quick, recording] = [false, true].map(|record| {
            let experiment = context.experiment(&name, record);
            (experiment.value().to_string(), experiment.details().reason())
        });
        assert_eq!(quick, recording, "{name}: quick and recording");
        sound(&context.explain_experiment(&name));
        quick
    })
}

#[test]
fn chains_and_circles_of_delegates_end() {
    let length = 20_000;
    for circular in [false, true] {
        let mut document = Document::default();
        for at in 0..length {
            let next = if circular { (at + 1) % length } else { at + 1 };
            document.config(format!("x{at}"), &rule("", "{\"a\":1}", &format!(",\"configDelegate\":\"x{next}\"")));
        }
        document.layer("l", &rule("", "{}", ",\"configDelegate\":\"x0\""));
        let snapshot = compile(document.write()).unwrap();
        assert_eq!(experiment(&snapshot, "x0"), ("{}".to_owned(), TOO_DEEP.to_owned()));
        let near_the_end = experiment(&snapshot, &format!("x{}", length - 50));
        let (value, reason) = if circular { ("{}", TOO_DEEP) } else { ("{\"a\":1}", RECOGNIZED) };
        assert_eq!(near_the_end, (value.to_owned(), reason.to_owned()));
        let layer = evaluate(&snapshot, StatsigUser::new(), |context| context.layer("l", true).details().reason());
        assert_eq!(layer, TOO_DEEP);
        evaluate(&snapshot, StatsigUser::new(), |context| sound(&context.explain_layer("l")));
    }
}

#[test]
fn chains_and_circles_of_mappings_end() {
    let length = 20_000;
    let names: Vec<String> = (0..length).map(|at| format!("x{at}")).collect();
    let mut document = Document::default();
    for name in &names {
        document.config(name, &rule("", "{\"a\":1}", ""));
    }
    let to = |at: usize| {
        format!(r#""x{at}":[{{"new_config_name":"x{}","rules":[{{"rule_name":"o"}}]}}]"#, (at + 1) % length)
    };
    let overrides = (0..length).map(to).collect::<Vec<_>>().join(",");
    document.more = format!("\"overrides\":{{{overrides}}},\"override_rules\":{{\"o\":{}}},", rule("", "true", ""));
    let snapshot = compile(document.write()).unwrap();
    // The deepest mapping fails and leaves its config to itself; that is the answer of all above it.
    assert_eq!(experiment(&snapshot, "x0"), ("{\"a\":1}".to_owned(), RECOGNIZED.to_owned()));
}

#[test]
fn chains_and_circles_of_experiment_groups_end() {
    let length = 20_000;
    for circular in [false, true] {
        let mut document = Document::default();
        for at in 0..length {
            let next = if circular { (at + 1) % length } else { at + 1 };
            document.condition(
                format!("c{at}"),
                &format!(r#""type":"experiment_group","field":"x{next}","operator":"any","targetValue":["G"]"#),
            );
            let group = rule(&format!("\"c{at}\""), "{\"a\":1}", ",\"groupName\":\"G\"");
            document.config(format!("x{at}"), &group);
        }
        let snapshot = compile(document.write()).unwrap();
        assert_eq!(experiment(&snapshot, "x3"), ("{}".to_owned(), RECOGNIZED.to_owned()));
    }
}

/// The targeting gate of a bandit was not counted among what the spec of the bandit's name reaches.
#[test]
fn a_bandit_asks_a_gate_that_takes_two_to_the_sixtieth_looks() {
    let mut document = fan_out(60);
    document.config("bandit", "");
    document.layer("l", &rule("", "{}", ",\"configDelegate\":\"bandit\""));
    document.more =
        r#""cmab_configs":{"bandit":{"salt":"s","defaultValue":{},"idType":"userID","enabled":true,"version":1,
        "sampleRate":0,"higherIsBetter":true,"targetingGateName":"g0",
        "groups":[{"name":"A","id":"a","parameterValues":{"arm":"a"}}]}},"#
            .to_owned();
    let snapshot = compile(document.write()).unwrap();
    assert_eq!(experiment(&snapshot, "bandit"), ("{\"arm\":\"a\"}".to_owned(), RECOGNIZED.to_owned()));
    let arm = evaluate(&snapshot, StatsigUser::new(), |context| context.layer("l", true).get_string("arm", "none"));
    assert_eq!(arm, "a");
}

/// Gates of which each asks the next one twice.
fn fan_out(levels: usize) -> Document {
    let mut document = Document::default();
    for at in 0..=levels {
        document.pass(format!("to_{at}"), format!("g{at}"));
        let twice = if at == levels { String::new() } else { ids([at + 1, at + 1].map(|next| format!("to_{next}"))) };
        document.gate(format!("g{at}"), &twice);
    }
    document
}

#[test]
fn gates_that_ask_each_other_two_to_the_sixtieth_times_are_evaluated_once_each() {
    let snapshot = compile(fan_out(60).write()).unwrap();
    assert_eq!(gate(&snapshot, "g0"), (true, RECOGNIZED.to_owned()));
}

/// Every repetition copied the exposures of all that lies below.
#[test]
fn remembered_exposures_are_not_copied_without_bound() {
    let mut document = fan_out(20);
    document.gate("many", &ids((0..1_000_000).map(|_| "to_0".to_owned())));
    let snapshot = compile(document.write()).unwrap();
    assert_eq!(gate(&snapshot, "many"), (true, RECOGNIZED.to_owned()));
}
