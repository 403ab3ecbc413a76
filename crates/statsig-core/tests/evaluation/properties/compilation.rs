//! Compilation: it never panics, depends on the bytes alone, and isolates what is malformed.

use proptest::prelude::*;
use statsig_core::{ProblemKind, Ruleset};
use statsig_testkit::generate::{Node, Project, Style};

use super::support::{Form, any_project, any_user, assert_same, document, everything, form, gates, snapshot};

/// Parts that cannot be read, whatever stands around them.
fn malformed() -> impl Strategy<Value = Node> {
    let raw = |texts: &'static [&'static str]| prop::sample::select(texts).prop_map(Node::raw);
    raw(&[
        "1",
        "[]",
        "null",
        "\"text\"",
        "{}",
        r#"{"type":1}"#,
        r#"{"salt":1e400}"#,
        r#"{"rules":{}}"#,
        r#"{"type":"public","idType":7}"#,
        r#"{"type":"feature_gate","version":-1}"#,
        r#"{"type":"public","type":"public"}"#,
    ])
}

proptest! {
    #[test]
    fn the_same_bytes_give_the_same_ruleset(document in document(Style::Wild)) {
        match (Ruleset::compile(document.as_bytes()), Ruleset::compile(document.as_bytes())) {
            (Ok(one), Ok(other)) => prop_assert!(one == other, "{one:?}\n{other:?}"),
            (Err(one), Err(other)) => prop_assert_eq!(one.to_string(), other.to_string()),
            (one, other) => panic!("{one:?}, but then {other:?}"),
        }
    }

    #[test]
    fn any_bytes_are_compiled_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = Ruleset::compile(&bytes);
    }

    #[test]
    fn damaged_documents_are_compiled_or_refused(document in document(Style::Tame), at: prop::sample::Index, byte: u8) {
        let mut document = document.into_bytes();
        let at = at.index(document.len());
        document[at] = byte;
        let _ = Ruleset::compile(&document);
        let _ = Ruleset::compile(&document[..at]);
    }

    /// Payloads whose sections are in the usual order are compiled in one pass, others section by section.
    #[test]
    fn the_order_of_sections_changes_nothing(
        project in prop_oneof![any_project(Style::Tame), any_project(Style::Wild)], user in any_user(),
        absent in prop::option::of(0..20_usize), broken in prop::option::of((any::<prop::sample::Index>(), malformed())),
    ) {
        let mut project = project;
        if let Some(absent) = absent.filter(|absent| *absent < project.conditions.len()) {
            project.conditions.remove(absent);
        }
        if let Some((at, part)) = broken && !project.gates.is_empty() {
            let at = at.index(project.gates.len());
            project.gates[at].1 = part;
        }
        let ordered = |order: [usize; 4]| {
            let Project { conditions, gates, configs, layers, extras } = project.clone();
            let sections = [
                ("condition_map", conditions), ("feature_gates", gates), ("dynamic_configs", configs), ("layer_configs", layers),
            ];
            let mut members = extras;
            for at in order {
                members.push((sections[at].0.to_owned(), Node::Object(sections[at].1.clone())));
            }
            Ruleset::compile(Node::Object(members).to_string().as_bytes())
        };
        let reference = ordered([3, 2, 1, 0]);
        for order in [[0, 1, 2, 3], [1, 2, 3, 0], [1, 0, 2, 3]] {
            match (&reference, ordered(order)) {
                (Ok(reference), Ok(ruleset)) => {
                    // Reports that name a spec of a cycle or chain come in the order of the specs.
                    let in_order = |ruleset: &Ruleset| {
                        let mut problems: Vec<String> = ruleset.problems().iter().map(ToString::to_string).collect();
                        problems.sort();
                        problems
                    };
                    prop_assert_eq!(in_order(reference), in_order(&ruleset));
                    prop_assert_eq!(reference.malformed_specs(), ruleset.malformed_specs());
                }
                (Err(reference), Err(error)) => prop_assert_eq!(reference.to_string(), error.to_string()),
                (_, other) => panic!("in another order: {other:?}"),
            }
        }
        if let (Ok(reference), Ok(one)) = (reference, ordered([1, 2, 3, 0])) {
            let first = ordered([0, 1, 2, 3]).unwrap();
            prop_assert_eq!(one.problems(), first.problems());
            let (reference, one) = (everything(&snapshot(reference), &user, true), everything(&snapshot(one), &user, true));
            assert_same(&reference, &one, "another order of sections");
        }
    }

    #[test]
    fn what_is_compiled_is_json(
        document in document(Style::Tame), at: prop::sample::Index, new in "[\\[\\]{},:\"\\\\ 0-9eE+.\\-untrfalse\t]{0,2}",
    ) {
        let at = at.index(document.len());
        if let (Some(before), Some(behind)) = (document.get(..at), document.get(at + 1..)) {
            let damaged = format!("{before}{new}{behind}");
            if Ruleset::compile(damaged.as_bytes()).is_ok() {
                prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&damaged).is_ok(), "{}", damaged);
            }
        }
    }

    #[test]
    fn a_malformed_part_is_reported_and_changes_nothing_else(
        project in any_project(Style::Tame), form in form(), part in malformed(), which in 0..5_usize, user in any_user(),
    ) {
        let mut project = project;
        let v1 = form == Form::V1;
        let compile = |project: &Project| snapshot(Ruleset::compile(form.of(project).as_bytes()).unwrap());
        let mut sound = compile(&project);
        let bad = ("malformed".to_owned(), part);
        let (path, kind) = match which {
            0 => { project.gates.insert(0, bad); ("feature_gates", ProblemKind::SpecSkipped) }
            1 => { project.configs.push(bad); ("dynamic_configs", ProblemKind::SpecSkipped) }
            2 => { project.layers.push(bad); ("layer_configs", ProblemKind::SpecSkipped) }
            3 if !v1 => { project.conditions.insert(3, bad); ("condition_map", ProblemKind::ConditionSkipped) }
            _ => {
                // A section of its own, so that the sound document is the one without it.
                project.extras.retain(|(name, _)| name != "param_stores");
                sound = compile(&project);
                project.extras.push(("param_stores".to_owned(), Node::Object(vec![bad])));
                ("param_stores", ProblemKind::PartSkipped)
            }
        };
        let damaged = compile(&project);
        let paths: Vec<_> = damaged.ruleset().problems().iter().filter(|p| p.kind == kind).map(|p| &*p.path).collect();
        if v1 && which < 3 {
            // A list's entries are known by their place. Of the parts above an object may be a whole spec: in v1 all
            // fields have defaults.
            prop_assert!(paths.iter().all(|p| p.starts_with(path)) && paths.len() <= 1, "{:?}", paths);
        } else {
            prop_assert_eq!(paths, [&format!("{path}.malformed")]);
        }
        assert_same(&everything(&sound, &user, true), &everything(&damaged, &user, true), "a malformed part added");
    }
}

/// A target that reads as "not a number" made the ruleset differ from itself.
#[test]
fn a_target_that_is_not_a_number_equals_itself() {
    let condition = serde_json::json!({
        "c": {"type": "user_field", "field": "x", "operator": "gt", "targetValue": "NaN", "idType": "userID"},
        "d": {"type": "user_field", "field": "x", "operator": "before", "targetValue": "nan", "idType": "userID"},
    });
    let document = gates(&[("g", &["c", "d"])], condition);
    let compile = || Ruleset::compile(document.as_bytes()).unwrap();
    assert!(compile() == compile());
}

/// A malformed entry has its section read again from the start, and what the first reading had
/// reported was reported again.
#[test]
fn each_problem_is_reported_once() {
    let condition = serde_json::json!({
        "odd": {"type": "moon_phase", "idType": "userID"},
        "bad": {"type": 1},
    });
    let ruleset = Ruleset::compile(gates(&[("g", &["odd"])], condition).as_bytes()).unwrap();
    let kinds: Vec<_> = ruleset.problems().iter().map(|problem| problem.kind).collect();
    assert_eq!(kinds, [ProblemKind::Unsupported, ProblemKind::ConditionSkipped]);
}

#[test]
fn entries_of_lists_are_reported_by_name_or_place() {
    let document = r#"{"time": 1, "dynamic_configs": [], "feature_gates": [
        {"name": "a", "type": "feature_gate"}, 7, {"name": "b", "rules": 1}, {"salt": "s"}
    ]}"#;
    let ruleset = Ruleset::compile(document.as_bytes()).unwrap();
    let paths: Vec<_> = ruleset.problems().iter().map(|problem| &*problem.path).collect();
    assert_eq!(paths, ["feature_gates[1]", "feature_gates.b", "feature_gates"]);
}
