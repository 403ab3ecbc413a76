//! `statsig explain`.

use serde_json::Value;

use crate::{NOW, SPECS, root, run, statsig};

fn explain<'a>(user: &'a str, what: [&'a str; 2], more: &[&'a str]) -> Vec<&'a str> {
    ["explain", "--specs", SPECS, "--user", user, "--now", NOW].iter().chain(&what).chain(more).copied().collect()
}

#[test]
fn the_tree_shows_rules_buckets_and_nested_gates() {
    let tree = run(explain(r#"{"userID": "u-1"}"#, ["experiment", "button_color_v3"], &[])).clean();
    for part in [
        "experiment button_color_v3 = {\"Button Color\":\"green\"",
        "segment:staff",
        "iRDHuXETPNFbAS7QgaqFzl",
        "bucket 514 of 1000",
        "holdout_2026_q4",
    ] {
        assert!(tree.contains(part), "{tree}");
    }
    assert!(tree.lines().count() > 15 && !tree.contains('\u{1b}'), "{tree}");
}

#[test]
fn an_explanation_agrees_with_the_evaluation() {
    let users = std::fs::read_to_string(root().join("examples/users.jsonl")).unwrap();
    let names = [
        ("gate", "new_editor"),
        ("config", "upload_limits"),
        ("experiment", "button_color_v3"),
        ("layer", "home_screen"),
    ];
    for user in users.lines().step_by(5) {
        for (kind, name) in names {
            let option = format!("--{kind}");
            let arguments =
                ["eval", "--specs", SPECS, "--user", user, "--now", NOW, &option, name, "--format", "jsonl"];
            let row = run(arguments).json_lines().remove(0);
            let explanation: Value =
                serde_json::from_str(&run(explain(user, [kind, name], &["--format", "json"])).clean()).unwrap();
            assert_eq!((&explanation["name"], &explanation["disagrees"]), (&row["name"], &Value::Bool(false)));
            assert_eq!(explanation["result"]["rule_id"], row["rule_id"], "{explanation}");
            assert!(explanation["trace"]["rules"].is_array(), "{explanation}");
        }
    }
}

#[test]
fn roles_have_colours() {
    let mut command = statsig(explain(r#"{"userID": "u-1"}"#, ["gate", "dark_mode"], &[]));
    let output = command.env("CLICOLOR_FORCE", "1").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("\u{1b}[1mdark_mode\u{1b}[0m") && text.contains("\u{1b}[32mpass"), "{text}");
}

#[test]
fn private_values_stay_private() {
    let user = r#"{"userID": "u-17", "privateAttributes": {"plan": "business-secret"}}"#;
    for format in ["text", "json"] {
        let text = run(explain(user, ["config", "upload_limits"], &["--format", format])).clean();
        assert!(text.contains("plan") && !text.contains("secret"), "{text}");
    }
}

#[test]
fn what_cannot_be_explained_says_why() {
    let ran = run(explain("{}", ["gate", "dark_mod"], &[]));
    assert_eq!(ran.code, Some(0));
    assert_eq!(ran.stderr, "warning: the project has no gate `dark_mod`; did you mean `dark_mode`?\n");
    assert!(ran.stdout.contains("dark_mod"), "{}", ran.stdout);

    let ran = run(explain(r#"{"custom": 7}"#, ["gate", "dark_mode"], &[]));
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.starts_with("error: --user: column ") && ran.stderr.contains("`custom`"), "{}", ran.stderr);

    let ran = run(explain("{}", ["gates", "dark_mode"], &[]));
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("gate, config, experiment, layer"), "{}", ran.stderr);
}
