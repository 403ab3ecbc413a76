//! `statsig conformance`: comparison with recorded results, and replays.

use statsig_conformance::{Kinds, run_set};

use crate::{folder, root, run};

const CORPUS: &str = "integration-tests/corpus";

#[test]
fn a_set_that_agrees_ends_clean() {
    let ran = run(["--quiet", "conformance", CORPUS, "--set", "layers"]).clean();
    assert!(ran.starts_with("layers ") && ran.contains(" agree") && !ran.contains("<-"), "{ran}");
    let one = run(["--quiet", "conformance", &format!("{CORPUS}/layers"), "--kinds", "layer"]).clean();
    assert!(one.starts_with("layers ") && one.lines().next() != ran.lines().next(), "{one}");
}

#[test]
fn a_set_is_replayed_into_a_file_and_differences_are_found() {
    for set in ["layers", "apps_stores"] {
        let source = format!("{CORPUS}/{set}");
        let mut expected = Vec::new();
        run_set(&root().join(&source), Kinds::ALL, &mut expected).unwrap();
        let expected = String::from_utf8(expected).unwrap();
        assert!(expected.lines().count() > 1000);

        let results = folder();
        let out = results.join(format!("{set}.jsonl"));
        std::fs::write(&out, "something longer than nothing, to be overwritten").unwrap();
        assert_eq!(run(["conformance", &source, "--out", out.to_str().unwrap()]).clean(), "");
        assert!(std::fs::read_to_string(&out).unwrap() == expected, "results of {set} differ");

        let compare = ["--quiet", "conformance", &source, "--results", results.to_str().unwrap()];
        run(compare).clean();
        let record = expected.lines().find(|line| line.contains(r#""rule_id":"#)).unwrap();
        let changed = expected.replacen(record, &record.replacen(r#""rule_id":""#, r#""rule_id":"x"#, 1), 1);
        assert_ne!(changed, expected);
        std::fs::write(&out, changed).unwrap();
        let ran = run(compare);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""), "{}", ran.stdout);
        assert!(ran.stdout.contains("   <- 1 differ\n"), "{}", ran.stdout);
    }
}

#[test]
fn what_is_no_corpus_is_named() {
    let out = folder().join("unused.jsonl").to_str().unwrap().to_owned();
    for (arguments, message) in [
        (
            &["examples", "--out", &out][..],
            "cannot replay examples: examples holds neither specs.json nor specs.json.gz",
        ),
        (&["examples"], "examples holds no set with recorded results"),
        (&["nowhere"], "nowhere is not a corpus"),
        (&[CORPUS, "--set", "unheard"], "integration-tests/corpus has no set named unheard"),
    ] {
        let ran = run(["conformance"].into_iter().chain(arguments.iter().copied()));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""), "{}", ran.stderr);
        assert!(ran.stderr.contains(message), "{}", ran.stderr);
    }
}

#[test]
fn an_output_is_none_of_the_inputs() {
    let set = folder();
    for name in ["specs.json", "users.json", "plan.json"] {
        std::fs::write(set.join(name), "{}").unwrap();
        let out = set.join(name).to_str().unwrap().to_owned();
        let ran = run(["conformance", set.to_str().unwrap(), "--out", &out]);
        assert!(ran.code == Some(2) && ran.stderr.contains("and CORPUS "), "{}", ran.stderr);
    }
}
