//! Patterns that are made to take all memory or time.

use serde_json::json;
use statsig_core::{ClientInitializeOptions, ProblemKind, StatsigUser};

use super::documents::{Document, ids};
use super::{compile, evaluate, gate, sound};

const UNSUPPORTED: &str = "Bootstrap:Unsupported";

/// A gate for each pattern that is found in the field `a`, and one, `all`, that asks all of them.
fn gates(patterns: &[String]) -> String {
    let mut document = Document::default();
    for (at, pattern) in patterns.iter().enumerate() {
        let target = json!(pattern);
        document.condition(
            at,
            &format!(r#""type":"user_field","field":"a","operator":"str_matches","targetValue":{target}"#),
        );
        document.gate(format!("g{at}"), &format!("\"{at}\""));
    }
    document.gate("all", &ids((0..patterns.len()).map(|at| at.to_string())));
    document.write()
}

#[test]
fn patterns_beyond_the_limits_are_problems_and_end_evaluations_as_unsupported() {
    let hostile = [
        "a?".repeat(2_000_000),
        "a|".repeat(100_000),
        "((a{1000}){1000}){1000}".to_owned(),
        "\\w{150}".to_owned(),
        "(".repeat(100_000),
    ];
    let snapshot = compile(gates(&hostile)).unwrap();
    let problems = snapshot.ruleset().problems();
    assert_eq!(problems.len(), hostile.len(), "{problems:?}");
    for (at, problem) in problems.iter().enumerate() {
        assert_eq!(problem.kind, ProblemKind::PatternLimit, "{problem}");
        assert_eq!(problem.path, at.to_string());
        assert_eq!(gate(&snapshot, &format!("g{at}")), (false, UNSUPPORTED.to_owned()));
    }
    assert!(snapshot.pattern_limit_hits() >= hostile.len() as u64);
}

#[test]
fn invalid_patterns_never_match_as_ever() {
    let invalid = [
        "(".repeat(1_000),
        format!("{}a{}", "(?=".repeat(200), ")".repeat(200)),
        "[a-z".repeat(200),
        "*".repeat(1_000),
        "(?<n>a)".repeat(100),
        "(?<=a+\\b)b".to_owned(),
    ];
    let snapshot = compile(gates(&invalid)).unwrap();
    for (at, problem) in snapshot.ruleset().problems().iter().enumerate() {
        assert_eq!(problem.kind, ProblemKind::InvalidPattern, "{problem}");
        assert_eq!(gate(&snapshot, &format!("g{at}")), (false, "Bootstrap:Recognized".to_owned()));
    }
    assert_eq!(snapshot.pattern_limit_hits(), 0);
}

#[test]
fn all_patterns_of_a_payload_together_are_bounded() {
    let mut patterns: Vec<String> = (0..1_000).map(|at| format!("\\w{{150}}{at}")).collect();
    patterns.extend((0..1_000).map(|_| "\\d+x".to_owned()));
    let snapshot = compile(gates(&patterns)).unwrap();
    let of_all = |text: &str| snapshot.ruleset().problems().iter().filter(|p| p.message.contains(text)).count();
    assert_eq!(of_all("1 MiB compiled"), 64);
    assert!(of_all("64 MiB compiled") > 900);
}

#[test]
fn searches_that_take_too_long_end_the_evaluation_and_are_counted() {
    let patterns = ["(?=.*\\d)(?=.*[a-z]).*x$", "^(?=a)(a+)+\\1$", "^(?:(?=.*)a)*$", "^(?:(?=a)a|aa)+$", "\\bx"];
    let value = "a1".repeat(50_000);
    let snapshot = compile(gates(&patterns.map(str::to_owned))).unwrap();
    assert_eq!(snapshot.ruleset().problems(), []);
    let user = StatsigUser::builder().user_id("u").custom("a", value).build();
    evaluate(&snapshot, user, move |context| {
        for (at, pattern) in patterns.iter().enumerate() {
            let name = format!("g{at}");
            let before = context.snapshot().pattern_limit_hits();
            for record in [false, true] {
                let gate = context.feature_gate(&name, record);
                assert_eq!((gate.value(), gate.rule_id()), (false, ""), "{pattern}");
                assert_eq!(gate.details().reason(), UNSUPPORTED);
            }
            assert!(!context.check_gate(&name));
            assert_eq!(context.snapshot().pattern_limit_hits(), before + 3);
            let explanation = context.explain_gate(&name);
            sound(&explanation);
            assert!(explanation.to_string().contains("pattern limit"), "{explanation}");
        }
    });
}

/// Each search of a check is within its limit, and a thousand of them are not a thousand limits.
#[test]
fn a_thousand_searches_of_a_check_share_a_limit() {
    let patterns: Vec<String> = (0..1_000).map(|at| format!("^(?=a)(a+)+\\1(?:z{{{at}}})?$")).collect();
    let snapshot = compile(gates(&patterns)).unwrap();
    let user = StatsigUser::builder().user_id("u").custom("a", format!("{}b", "a".repeat(12))).build();
    evaluate(&snapshot, user, |context| {
        assert_eq!(context.feature_gate("g0", false).details().reason(), "Bootstrap:Recognized");
        assert_eq!(context.feature_gate("all", false).details().reason(), UNSUPPORTED);
        sound(&context.explain_gate("all"));
    });
    let long = StatsigUser::builder().user_id("u").custom("a", format!("{}b", "a".repeat(60))).build();
    evaluate(&snapshot, long, |context| {
        // A whole project is bounded, too: what is left of its entries is unsupported.
        let response = context.client_initialize_response(&ClientInitializeOptions::new());
        assert_eq!(response.feature_gates().count(), 1_001);
        assert!(response.feature_gates().all(|gate| !gate.value()));
    });
}
