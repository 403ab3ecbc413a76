//! Length and number: of texts, lists, conditions, specs.

use std::fmt::Write;

use serde_json::json;
use statsig_core::{Getters, Json, Ruleset, StatsigUser};

use super::documents::{Document, ids, rule};
use super::{RECOGNIZED, compile, evaluate, gate, on_small_stack, sound};

#[test]
fn a_document_of_two_hundred_thousand_small_specs_is_compiled() {
    let mut document = Document::default();
    for at in 0..200_000 {
        document.gate(format!("g{at}"), "");
    }
    let snapshot = compile(document.write()).unwrap();
    assert_eq!(snapshot.ruleset().size().gates, 200_000);
    assert_eq!(snapshot.ruleset().feature_gate_names().len(), 0, "their entity is unknown");
    assert_eq!(gate(&snapshot, "g199999"), (true, RECOGNIZED.to_owned()));
}

#[test]
fn a_rule_of_a_hundred_thousand_conditions_is_evaluated() {
    let mut document = Document::default();
    let count = 100_000;
    for at in 0..count {
        let fields = format!(r#""type":"user_field","field":"f{at}","operator":"eq","targetValue":null"#);
        document.condition(format!("c{at}"), &fields);
    }
    document.gate("g", &ids((0..count).map(|at| format!("c{at}"))));
    let snapshot = compile(document.write()).unwrap();
    assert_eq!(gate(&snapshot, "g"), (true, RECOGNIZED.to_owned()));
    assert_eq!(snapshot.ruleset().size().conditions, count);
}

#[test]
fn targets_of_three_hundred_thousand_items_are_searched() {
    let count = 300_000;
    let items = ids((0..count).map(|at| format!("item-{at}")));
    let tags: Vec<String> = (0..count).rev().map(|at| format!("item-{at}")).collect();
    let in_order: Vec<String> = tags.iter().rev().cloned().collect();
    let user = StatsigUser::builder()
        .custom("one", "ITEM-299999")
        .custom("tags", tags)
        .custom("in_order", in_order)
        .custom("long", format!("{}item-299998", "x".repeat(10)))
        .build();
    let mut document = Document::default();
    let mut expected = Vec::new();
    for (operator, field, open) in [
        ("any", "one", true),
        ("none", "one", false),
        ("any_case_sensitive", "one", false),
        ("str_ends_with_any", "long", true),
        ("array_contains_all", "tags", true),
        ("array_contains_none", "tags", false),
        ("eq", "in_order", true),
        ("eq", "tags", false),
    ] {
        let name = format!("{operator} {field}");
        document.condition(
            &name,
            &format!(r#""type":"user_field","field":"{field}","operator":"{operator}","targetValue":[{items}]"#),
        );
        document.gate(&name, &format!("\"{name}\""));
        expected.push((name, open));
    }
    let snapshot = compile(document.write()).unwrap();
    evaluate(&snapshot, user, move |context| {
        for (name, expected) in expected {
            assert_eq!(context.check_gate(&name), expected, "{name}");
        }
    });
}

#[test]
fn texts_of_a_megabyte_are_hashed_compared_and_parsed() {
    let long = "9".repeat(1 << 20);
    let mut document = Document::default();
    for (at, (condition_type, operator)) in [
        ("unit_id", "any"),
        ("user_field", "version_gte"),
        ("user_field", "gt"),
        ("user_field", "before"),
        ("user_field", "str_contains_any"),
        ("user_field", "str_matches"),
        ("ua_based", "version_gt"),
        ("ip_based", "any"),
        ("user_field", "eq"),
        ("user_field", "in_segment_list"),
    ]
    .into_iter()
    .enumerate()
    {
        for target in [format!("\"{long}\""), format!("[\"{long}\"]")] {
            let id = format!("c{at}{}", &target[..1].replace('"', "t"));
            document.condition(
                &id,
                &format!(r#""type":"{condition_type}","field":"a","operator":"{operator}","targetValue":{target}"#),
            );
            document.gate(&id, &format!("\"{id}\""));
        }
    }
    document.gates.push_str(&format!(
        r#","{long}":{{"type":"x","entity":"x","salt":"{long}","enabled":true,"defaultValue":false,"idType":"{long}",
        "rules":[{{"name":"{long}","id":"{long}","passPercentage":50,"conditions":[],"returnValue":true,"idType":"{long}"}}]}}"#
    ));
    let snapshot = compile(document.write()).unwrap();
    let user = StatsigUser::builder()
        .user_id(&long)
        .custom_id(&long, &long)
        .custom("a", long.as_str())
        .user_agent(&long)
        .ip(&long)
        .build();
    evaluate(&snapshot, user, move |context| {
        assert!(context.check_gate("c0["), "the unit ID is in the list");
        assert!(context.check_gate("c4["), "the text contains itself");
        assert!(context.check_gate("c8t"), "the texts are equal");
        for at in 0..10 {
            let _ = (context.check_gate(&format!("c{at}[")), context.check_gate(&format!("c{at}t")));
        }
        assert_eq!(context.feature_gate(&long, true).rule_id(), long);
    });
}

#[test]
fn a_value_of_two_hundred_thousand_members_is_packed_and_read() {
    let mut members = String::new();
    for at in 0..100_000 {
        let comma = if at == 0 { "" } else { "," };
        // Every key twice: the last counts.
        write!(members, r#"{comma}"k{at}":0,"k{at}":{at}"#).unwrap();
    }
    let value = format!("{{{members}}}");
    let mut document = Document::default();
    document.config("x", &rule("", &value, ""));
    document.layer("l", &[rule("", &value, ""), rule("", &value, "")].join(","));
    let snapshot = compile(document.write()).unwrap();
    evaluate(&snapshot, StatsigUser::new(), |context| {
        let config = context.dynamic_config("x", false);
        assert_eq!((config.get_i64("k0", -1), config.get_i64("k99999", -1)), (0, 99_999));
        let layer = context.layer("l", false);
        assert_eq!((layer.get_i64("k99999", -1), layer.parameter("k5").rule_id), (99_999, "r"));
        assert_eq!(layer.value().as_object().into_iter().flatten().count(), 100_000);
        sound(&context.explain_layer("l"));
    });
    on_small_stack(move || {
        assert_eq!(Json::parse(&value).unwrap().view().as_object().into_iter().flatten().count(), 100_000);
    });
}

#[test]
fn a_user_of_two_hundred_thousand_attributes_is_read() {
    let custom: serde_json::Map<_, _> = (0..200_000).map(|at| (format!("k{at}"), json!(at))).collect();
    let text = json!({"userID": "u", "custom": custom}).to_string();
    let user: StatsigUser = serde_json::from_str(&text).unwrap();
    assert_eq!(user.custom("k199999"), Some(json!(199_999)));
    assert_eq!(serde_json::from_str::<StatsigUser>(&serde_json::to_string(&user).unwrap()).unwrap(), user);
}

#[test]
fn documents_above_the_limit_are_refused_unread() {
    let limits = statsig_core::CompileLimits::default().with_max_bytes(10);
    let error = Ruleset::compile_with(b"{\"time\":1 }", &limits).unwrap_err();
    assert_eq!(error.to_string(), "config specs of 11 bytes exceed the limit of 10 bytes");
    assert_eq!(error.kind(), statsig_core::ErrorKind::TooLarge);
}
