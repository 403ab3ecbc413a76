//! `statsig specs`.

use serde_json::{Value, json};

use crate::{SPECS, file, root, run, run_with};

fn report(arguments: &[&str]) -> Value {
    serde_json::from_str(&run(["specs", "--format", "json"].iter().chain(arguments).copied()).clean()).unwrap()
}

#[test]
fn the_example_project_is_counted() {
    let report = report(&[SPECS, "--strict"]);
    let document = std::fs::read(root().join(SPECS)).unwrap();
    assert_eq!((&report["format"], &report["sizes"]["document_bytes"]), (&json!("v2"), &json!(document.len())));

    // The counts, from the document itself.
    let document: Value = serde_json::from_slice(&document).unwrap();
    let mut expected = std::collections::BTreeMap::<&str, (u64, u64)>::new();
    for section in ["feature_gates", "dynamic_configs", "layer_configs"] {
        for spec in document[section].as_object().unwrap().values() {
            let count = expected.entry(spec["entity"].as_str().unwrap()).or_default();
            count.0 += 1;
            count.1 += spec["rules"].as_array().unwrap().len() as u64;
        }
    }
    let found = report["entities"].as_array().unwrap().iter().map(|count| {
        (count["entity"].as_str().unwrap(), (count["specs"].as_u64().unwrap(), count["rules"].as_u64().unwrap()))
    });
    assert_eq!(found.collect::<std::collections::BTreeMap<_, _>>(), expected);

    let conditions = document["condition_map"].as_object().unwrap();
    assert_eq!(report["conditions"], json!(conditions.len()));
    let versions = conditions.values().filter(|condition| condition["field"] == "appVersion").count();
    assert!(versions > 0);
    let fields = report["user_fields"].as_array().unwrap();
    assert!(fields.contains(&json!({"name": "appVersion", "conditions": versions})), "{fields:?}");
    assert_eq!(report["largest"][0], json!({"name": "button_color_v3", "entity": "experiment", "rules": 6}));
    assert_eq!((&report["parameter_stores"], &report["problems"]), (&json!(1), &json!([])));
}

#[test]
fn the_text_says_the_same() {
    let text = run(["specs", SPECS]).clean();
    for part in [
        "v2, 54,985 bytes, last changed 2026-11-22 00:00:00 UTC",
        "App             planboard-web",
        "10 feature gates (17 rules), 3 segments (4 rules), 1 holdout (1 rule)",
        "appVersion 3",
        "button_color_v3 (experiment, 6)",
        "Problems        none",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert!(text.lines().all(|line| line.len() <= 100 && !line.ends_with(' ')), "{text}");
}

#[test]
fn older_and_compressed_documents_are_read() {
    let set = "integration-tests/corpus/arrays_lists";
    let (new, old) = (report(&[&format!("{set}/specs.json.gz")]), report(&[&format!("{set}/specs_v1.json.gz")]));
    assert_eq!((&new["format"], &old["format"]), (&json!("v2"), &json!("v1")));
    assert_eq!(new["entities"], old["entities"]);
    assert_eq!(new["id_lists"], old["id_lists"]);
    assert!(!new["id_lists"].as_array().unwrap().is_empty());
}

#[test]
fn problems_are_listed_and_count_when_it_is_strict() {
    let mut document: Value = serde_json::from_slice(&std::fs::read(root().join(SPECS)).unwrap()).unwrap();
    document["feature_gates"]["dark_mode"]["rules"] = json!("none");
    document["feature_gates"]["new_editor"]["rules"][0]["conditions"] = json!(["no\u{1b}such"]);
    let document = document.to_string();
    let specs = file("problems.json", &document);

    let text = run(["specs", &specs]);
    assert_eq!((text.code, text.stderr.as_str()), (Some(0), ""));
    assert!(text.stdout.contains("Problems        2\n"), "{}", text.stdout);
    assert!(text.stdout.contains("  spec-skipped at feature_gates.dark_mode: "), "{}", text.stdout);
    assert!(text.stdout.contains("  missing-condition at ") && !text.stdout.contains('\u{1b}'), "{}", text.stdout);

    let strict = run_with(["specs", "-", "--strict", "--format", "json"], &document);
    assert_eq!((strict.code, strict.stderr.as_str()), (Some(1), ""));
    let report: Value = serde_json::from_str(&strict.stdout).unwrap();
    assert_eq!(report["file"], "standard input");
    let kinds: Vec<_> = report["problems"].as_array().unwrap().iter().map(|problem| &problem["kind"]).collect();
    assert_eq!(kinds, ["spec-skipped", "missing-condition"]);

    let eval = run(["eval", "--specs", &specs, "--user", "{}", "--gate", "new_editor"]);
    assert_eq!(eval.code, Some(0));
    assert!(
        eval.stderr.contains(&format!("warning: 2 problems in {specs}: `statsig specs {specs}`")),
        "{}",
        eval.stderr
    );
}
