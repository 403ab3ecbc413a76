//! Explanations of everything in the corpus: they agree with the evaluation, and hold together.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use statsig::explain::{CandidateOutcome, RuleOutcome, SpecOutcome, SpecTrace};
use statsig::{Explanation, Statsig, StatsigUser};
use statsig_conformance::{Input, SpecSet};

/// Explains every name of every set, in the older form too where there is one, for every user.
fn on_every_explanation(check: impl Fn(&str, &Explanation) + Sync) -> usize {
    let sets = SpecSet::all_in(&integration_tests::corpus()).unwrap();
    let queue = Mutex::new(sets.iter().collect::<Vec<_>>());
    let explained = AtomicUsize::new(0);
    let next = || queue.lock().unwrap().pop();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(set) = next() {
                    let mut input = Input::of(set).unwrap();
                    explained.fetch_add(explain_all(&input, |why| check(set.name(), why)), Ordering::Relaxed);
                    if let Ok(specs) = set.specs_v1() {
                        input.specs = specs;
                        explained.fetch_add(explain_all(&input, |why| check(set.name(), why)), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    explained.into_inner()
}

fn explain_all(input: &Input, check: impl Fn(&Explanation)) -> usize {
    type Explain = fn(&Statsig, &StatsigUser, &str) -> Explanation;
    let statsig = input.client().unwrap();
    let plan = &input.plan;
    let calls: [(&[String], Explain); 4] = [
        (&plan.gates, Statsig::explain_gate),
        (&plan.dynamic_configs, Statsig::explain_config),
        (&plan.experiments, Statsig::explain_experiment),
        (&plan.layers, Statsig::explain_layer),
    ];
    let mut count = 0;
    for user in &input.users {
        let user: StatsigUser = serde_json::from_str(user.user.get()).unwrap();
        for (names, explain) in calls {
            for name in names {
                check(&explain(&statsig, &user, name));
                count += 1;
            }
        }
    }
    count
}

#[test]
fn explanations_agree_with_evaluations() {
    let explained = on_every_explanation(|set, why| {
        assert!(!why.disagrees, "{set}: {why}");
        consistent(&why.trace).unwrap_or_else(|problem| panic!("{set}: {problem} in\n{why}"));
        if !why.result.rule_id.is_empty() {
            assert_eq!(why.trace.rule_id, why.result.rule_id, "{set}: {why}");
        }
    });
    assert!(explained > 300_000, "only {explained} evaluations were explained");
}

/// Whether what a tree says of its parts fits what it says of the whole.
fn consistent(trace: &SpecTrace) -> Result<(), String> {
    let problem = |what: &str| Err(format!("{}: {what}", trace.name));
    if trace.cut.is_some() {
        return Ok(());
    }
    let deciding = |rule: &&statsig::explain::RuleTrace| {
        !matches!(rule.outcome, RuleOutcome::NoMatch | RuleOutcome::NotReached | RuleOutcome::Superseded)
    };
    match trace.outcome {
        SpecOutcome::Rule => match trace.rules.iter().find(deciding) {
            None => return problem("a rule decided, but none is shown"),
            Some(rule) if matches!(rule.outcome, RuleOutcome::Decided | RuleOutcome::OutsidePercentage) => {
                if trace.rules_left_out == 0
                    && trace.kind != statsig::explain::SpecKind::Layer
                    && rule.id != trace.rule_id
                {
                    return problem("another rule decided");
                }
            }
            Some(_) => {}
        },
        SpecOutcome::Default if trace.rules.iter().any(|rule| rule.outcome == RuleOutcome::Decided) => {
            return problem("no rule decided, but one is shown");
        }
        SpecOutcome::Mapped if trace.mappings.last().map(|last| last.outcome) != Some(CandidateOutcome::Taken) => {
            return problem("no mapping was taken");
        }
        SpecOutcome::Bandit if trace.bandit.is_none() => return problem("there is no bandit"),
        SpecOutcome::Overridden if trace.local_override.is_none() => return problem("there is no override"),
        _ => {}
    }
    let inner = trace
        .rules
        .iter()
        .flat_map(|rule| rule.conditions.iter().flat_map(|condition| &condition.asked).chain(rule.delegate.as_deref()));
    inner.chain(trace.mappings.iter().filter_map(|candidate| candidate.config.as_deref())).try_for_each(consistent)
}
