//! Products: two lists of a document, each harmless, of which every pair could be visited.

use statsig_core::{ClientInitializeOptions, StatsigUser};

use super::documents::{Document, ids, rule};
use super::{RECOGNIZED, TOO_DEEP, compile, evaluate, gate, sound};

/// For each refused spec, the delegates of all specs before it were looked through.
#[test]
fn refused_specs_beside_delegates() {
    let count = 150_000;
    let mut document = Document::default();
    for at in 0..count {
        document.config(format!("x{at}"), &rule("", "{}", ",\"configDelegate\":\"y\""));
        document.configs.push_str(&format!(r#","bad{at}":{{"type":"x"}}"#));
    }
    let snapshot = compile(document.write()).unwrap();
    assert_eq!(snapshot.ruleset().size().configs, count);
}

/// Each group of a bandit had a copy of the weights of its id.
#[test]
fn groups_of_a_bandit_beside_weights() {
    let count = 50_000;
    let weights = (0..count).map(|at| format!("\"f{at}\":1")).collect::<Vec<_>>().join(",");
    let group = r#"{"name":"A","id":"a","parameterValues":{"arm":"a"}}"#;
    let groups = vec![group; count].join(",");
    let document = Document {
        more: format!(
            r#""cmab_configs":{{"bandit":{{"salt":"s","defaultValue":{{}},"idType":"userID","enabled":true,"version":1,
            "sampleRate":0,"higherIsBetter":true,"groups":[{groups}],
            "config":{{"a":{{"alpha":1,"intercept":1,"records":1,"weightsNumerical":{{{weights}}},"weightsCategorical":{{}}}}}}}}}},"#
        ),
        ..Document::default()
    };
    let snapshot = compile(document.write()).unwrap();
    let value = evaluate(&snapshot, StatsigUser::new(), |context| {
        sound(&context.explain_experiment("bandit"));
        context.experiment("bandit", true).value().to_string()
    });
    assert_eq!(value, "{\"arm\":\"a\"}");
}

/// The candidates of a mapping may share a rule, of as many conditions as the document has room for.
#[test]
fn candidates_of_a_mapping_beside_conditions_of_its_rule() {
    let mut document = Document::default();
    document.condition("never", r#""type":"user_field","field":"a","operator":"any","targetValue":["b"]"#);
    document.gate("g", "");
    let candidate = r#"{"new_config_name":"x","rules":[{"rule_name":"o"}]}"#;
    document.more = format!(
        "\"overrides\":{{\"g\":[{}]}},\"override_rules\":{{\"o\":{}}},",
        vec![candidate; 100_000].join(","),
        rule(&ids((0..100_000).map(|_| "never".to_owned())), "true", ""),
    );
    let snapshot = compile(document.write()).unwrap();
    assert_eq!(gate(&snapshot, "g"), (false, TOO_DEEP.to_owned()));
}

/// The rules of a merging layer may all hand over to one experiment.
#[test]
fn rules_of_a_layer_beside_conditions_of_its_delegate() {
    let mut document = Document::default();
    document.condition("always", r#""type":"public""#);
    document.config("x", &rule(&ids((0..50_000).map(|_| "always".to_owned())), "{\"a\":1}", ""));
    document.layer("l", &vec![rule("", "{}", ",\"configDelegate\":\"x\""); 50_000].join(","));
    let snapshot = compile(document.write()).unwrap();
    for record in [false, true] {
        let reason =
            evaluate(&snapshot, StatsigUser::new(), move |context| context.layer("l", record).details().reason());
        assert_eq!(reason, TOO_DEEP);
    }
    evaluate(&snapshot, StatsigUser::new(), |context| sound(&context.explain_layer("l")));
}

/// The list of known groups was searched from its beginning.
#[test]
fn groups_of_ninety_thousand_experiments() {
    let count = 90_000;
    let mut document = Document::default();
    for at in 0..count {
        let field = format!(r#""type":"experiment_group","field":"x{at}","operator":"eq","targetValue":null"#);
        document.condition(format!("c{at}"), &field);
    }
    document.gate("g", &ids((0..count).chain(0..count).map(|at| format!("c{at}"))));
    let snapshot = compile(document.write()).unwrap();
    assert_eq!(gate(&snapshot, "g"), (true, RECOGNIZED.to_owned()));
}

/// In a v1 document with shared conditions, every rule could lead to every gate of one condition.
#[test]
fn rules_beside_gates_of_a_shared_condition() {
    let count = 100_000;
    let names = ids((0..count).map(|_| "g".to_owned()));
    let rules = vec![rule("\"c\"", "true", ""); count].join(",");
    let document = format!(
        r#"{{"time":1,"dynamic_configs":[],"feature_gates":[
            {{"name":"g","type":"feature_gate","enabled":true}},
            {{"name":"many","type":"feature_gate","enabled":true,"rules":[{rules}]}}],
        "condition_map":{{"c":{{"type":"multi_pass_gate","idType":"","targetValue":[{names}]}}}}}}"#
    );
    let snapshot = compile(document).unwrap();
    assert_eq!(gate(&snapshot, "many"), (false, "Bootstrap:Unsupported".to_owned()));
}

/// Up to a thousand problems are listed, and each had the whole of its spec's name.
#[test]
fn problems_beside_the_length_of_a_name() {
    let name = "n".repeat(1 << 20);
    let pattern = r#"{"type":"user_field","field":"a","operator":"str_matches","targetValue":"("}"#;
    let conditions = vec![pattern; 2_000].join(",");
    let document = format!(
        r#"{{"time":1,"dynamic_configs":[],"feature_gates":[{{"name":"{name}","enabled":true,"rules":[{{"conditions":[{conditions}]}}]}}]}}"#
    );
    let snapshot = compile(document).unwrap();
    let problems = snapshot.ruleset().problems();
    assert_eq!(problems.len(), 1_001);
    assert!(problems.iter().all(|problem| problem.path.len() + problem.message.len() < 1_000));
}

#[test]
fn names_beside_references_to_them() {
    // As many gates as references, all of one length.
    let count = 100_000;
    let mut document = Document::default();
    for at in 0..count {
        document.pass(format!("c{at:06}"), format!("g{:06}", count - 1 - at));
        document.gate(format!("g{at:06}"), if at < 10 { "" } else { "\"c099995\"" });
    }
    let snapshot = compile(document.write()).unwrap();
    assert_eq!(gate(&snapshot, "g050000"), (true, RECOGNIZED.to_owned()));
}

/// In a response about all of a project, each of many gates would have the exposures of all.
#[test]
fn entries_of_a_response_beside_gates_that_they_all_ask() {
    let count = 3_000;
    let mut document = Document::default();
    document.condition("always", r#""type":"public""#);
    for at in 0..count {
        document.pass(format!("c{at}"), format!("g{at}"));
        document.gate(format!("g{at}"), "\"always\"");
        document.gate(format!("x{at}"), "\"hub\"");
    }
    document.pass("hub", "hub");
    document.gate("hub", &ids((0..count).map(|at| format!("c{at}"))));
    let snapshot = compile(document.write()).unwrap();
    let (entries, exposures) = evaluate(&snapshot, StatsigUser::new(), |context| {
        let response = context.client_initialize_response(&ClientInitializeOptions::new());
        let exposures = response.feature_gates().map(|gate| gate.secondary_exposures().count()).sum::<usize>();
        (response.feature_gates().count(), exposures)
    });
    assert_eq!(entries, 2 * count + 1);
    assert!((1_000_000..1_100_000).contains(&exposures), "{exposures}");
}

/// Entries that lead to a look-up by name are evaluated one by one, each at the cost of a check.
#[test]
fn entries_of_a_response_that_share_nothing() {
    let (count, conditions) = (2_000, 50_000);
    let mut document = Document::default();
    document.condition("always", r#""type":"public""#);
    document.condition("group", r#""type":"experiment_group","field":"e","operator":"neq","targetValue":"x""#);
    document.pass("hub", "hub");
    document.gate("hub", &ids(std::iter::once("group").chain(vec!["always"; conditions]).map(str::to_owned)));
    for at in 0..count {
        document.gate(format!("x{at}"), "\"hub\"");
    }
    let snapshot = compile(document.write()).unwrap();
    let left_out = evaluate(&snapshot, StatsigUser::new(), |context| {
        context.write_client_initialize_response(&ClientInitializeOptions::new(), std::io::sink()).unwrap().left_out
    });
    assert!(left_out > 1_000 && left_out < count, "{left_out}");
}

/// Gates that ask the next one twice: 2^60 evaluations, were they not remembered.
#[test]
fn a_response_about_gates_that_double() {
    let count = 60;
    let mut document = Document::default();
    for at in 0..count {
        document.pass(format!("c{at}"), format!("g{}", at + 1));
        document.gate(format!("g{at}"), &format!("\"c{at}\",\"c{at}\""));
    }
    document.gate(format!("g{count}"), "");
    let snapshot = compile(document.write()).unwrap();
    let exposures = evaluate(&snapshot, StatsigUser::new(), |context| {
        let response = context.client_initialize_response(&ClientInitializeOptions::new());
        response.feature_gates().map(|gate| gate.secondary_exposures().count()).collect::<Vec<_>>()
    });
    assert_eq!(exposures, (0..=count).rev().collect::<Vec<_>>());
}
