//! Trees stay small, whatever the specs.

use serde_json::{Value, json};

use super::{Project, rule};
use crate::explain::{Cut, LEVELS, NODES, SpecTrace};
use crate::{Explanation, StatsigUser};

/// Gates `g0` … of which each asks those that `asked` names.
fn gates(count: usize, asked: impl Fn(usize) -> Vec<usize>) -> Project {
    let conditions =
        (0..count).map(|at| (format!("c{at}"), json!({"type": "pass_gate", "targetValue": format!("g{at}")})));
    (0..count).fold(Project::new(Value::Object(conditions.collect())), |project, at| {
        let ids: Vec<String> = asked(at).into_iter().map(|other| format!("c{other}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        project.gate(&format!("g{at}"), &[rule("r", &ids, json!(true))])
    })
}

fn explain(project: &Project, name: &str) -> Explanation {
    project.explain(&StatsigUser::with_user_id("u"), |context| context.explain_gate(name))
}

/// Levels of specs in a tree.
fn levels(trace: &SpecTrace) -> usize {
    let asked = trace.rules.iter().flat_map(|rule| &rule.conditions).flat_map(|condition| &condition.asked);
    1 + asked.map(levels).max().unwrap_or_default()
}

fn cuts(trace: &SpecTrace) -> Vec<Cut> {
    let asked = trace.rules.iter().flat_map(|rule| &rule.conditions).flat_map(|condition| &condition.asked);
    trace.cut.into_iter().chain(asked.flat_map(cuts)).collect()
}

#[test]
fn a_circle_is_shown_once() {
    let explanation = explain(&gates(2, |at| vec![1 - at]), "g0");
    assert_eq!(explanation.result.reason, "Error:Statsig Evaluation Depth Exceeded");
    assert_eq!((levels(&explanation.trace), cuts(&explanation.trace)), (3, vec![Cut::Cycle]));
    let text = explanation.to_string();
    assert!(text.contains("broken off pass_gate g0: broken off") && text.contains("a circle"), "{text}");
    assert!(!explanation.is_cut);
}

#[test]
fn long_chains_are_cut() {
    let explanation = explain(&gates(60, |at| if at < 59 { vec![at + 1] } else { vec![] }), "g0");
    assert_eq!(explanation.result.rule_id, "r");
    assert_eq!((levels(&explanation.trace), cuts(&explanation.trace)), (LEVELS + 1, vec![Cut::Depth]));
    assert!(explanation.is_cut);
    // One level more than the evaluation can take.
    let explanation = explain(&gates(66, |at| if at < 65 { vec![at + 1] } else { vec![] }), "g0");
    assert_eq!(explanation.result.reason, "Error:Statsig Evaluation Depth Exceeded");
}

#[test]
fn wide_graphs_are_cut() {
    // Each gate asks the next one twelve times: 12^20 paths, of which each gate is shown once.
    let explanation = explain(&gates(20, |at| if at < 19 { vec![at + 1; 12] } else { vec![] }), "g0");
    assert!(!explanation.is_cut && explanation.result.value.view().as_bool() == Some(true));
    assert!(explanation.lines().len() < 2_000);

    let explanation = explain(&gates(3_000, |at| if at == 0 { (1..3_000).collect() } else { vec![] }), "g0");
    assert!(explanation.is_cut && explanation.result.value.view().as_bool() == Some(true));
    assert!(explanation.lines().len() < 3 * NODES);
    assert!(explanation.to_string().contains("more conditions, cut after 2000 nodes"));
}

#[test]
fn many_rules_are_cut() {
    let rules: Vec<Value> = (0..5_000).map(|at| rule(&at.to_string(), &["public"], json!(true))).collect();
    let explanation = explain(&Project::new(json!({})).gate("g", &rules), "g");
    assert!(explanation.is_cut);
    assert_eq!(explanation.trace.rules.len() + explanation.trace.rules_left_out, 5_000);
    assert!(explanation.to_string().contains("more rules, cut after 2000 nodes"));
}

#[test]
fn long_values_are_cut() {
    let long = "y".repeat(20_000);
    let target: Vec<String> = (0..50).map(|at| format!("{long}{at}")).collect();
    let seen = [json!(long), json!(vec![&long; 50]), json!({"a": long, "b": [long], "c": {"d": long}})];
    let project = Project::new(json!({
        "c": {"type": "user_field", "field": "f", "operator": "any", "targetValue": target},
        "d": {"type": "user_field", "field": "f", "operator": "eq", "targetValue": long},
        "e": {"type": "user_field", "field": "f", "operator": "eq", "targetValue": {"a": long}}
    }))
    .gate("g", &[rule("r", &["c", "d", "e"], json!(true))]);
    for seen in seen {
        let user = StatsigUser::builder().user_id(long.as_str()).custom("f", seen).build();
        let explanation = project.explain(&user, |context| context.explain_gate("g"));
        assert!(serde_json::to_string(&explanation.trace).unwrap().len() < 8_000);
    }
}

/// The deepest evaluation that there is, on the stack of an ordinary thread: a gate at each of 64
/// levels, between them delegates and experiments that are asked for their groups.
#[test]
fn the_deepest_evaluation_fits_an_ordinary_stack() {
    let conditions: serde_json::Map<String, Value> = (0..200)
        .map(|at| {
            let field = format!("e{}", at + 1);
            (format!("c{at}"), json!({"type": "experiment_group", "field": field, "operator": "eq", "targetValue": 1}))
        })
        .collect();
    let project = (0..200).fold(Project::new(Value::Object(conditions)), |project, at| {
        project.experiment(&format!("e{at}"), &[rule("r", &[&format!("c{at}")], json!({}))])
    });
    let explained = std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(move || project.explain(&StatsigUser::with_user_id("u"), |context| context.explain_experiment("e0")))
        .unwrap();
    let explanation = explained.join().unwrap();
    assert!(explanation.is_cut);
    assert!(explanation.to_string().contains("too many specs inside each other"));
}
