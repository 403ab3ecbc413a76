//! `statsig eval`: values and formats.

use serde_json::{Value, json};

use crate::{NOW, SPECS, USERS, file, folder, root, run, run_with, statsig};

const CHOSEN: [&str; 10] = [
    "--gate",
    "new_editor",
    "--config",
    "upload_limits",
    "--experiment",
    "button_color_v3",
    "--layer",
    "home_screen",
    "--store",
    "sidebar",
];

fn chosen<'a>(more: &[&'a str]) -> Vec<&'a str> {
    ["eval", "--specs", SPECS, "--users", USERS, "--now", NOW]
        .into_iter()
        .chain(CHOSEN)
        .chain(more.iter().copied())
        .collect()
}

#[test]
fn the_table_has_a_line_for_each_value() {
    let arguments = ["eval", "--specs", SPECS, "--now", NOW, "--user", r#"{"userID": "u-2"}"#];
    let table = run(arguments.into_iter().chain(CHOSEN)).clean();
    let expected = "\
USER  KIND        NAME             VALUE                          RULE      GROUP         REASON
u-2   gate        new_editor       false                          default   -             Recognized
u-2   config      upload_limits    max_file_mb: 10, max_files: …  default   -             Recognized
u-2   experiment  button_color_v3  Button Color: orange, Paragr…  bEdQ9Qy…  Orange        Recognized
u-2   layer       home_screen      hero: classic, hero_height: …  default   -             Recognized
u-2   store       sidebar          button_color: orange, editor…  -         -             Recognized
";
    assert_eq!(table, expected);
}

#[test]
fn a_wide_table_shows_more() {
    let arguments = chosen(&["--width", "200"]);
    let table = run(arguments).clean();
    assert!(table.contains("Button Color: green, Paragraph Text: "), "{table}");
    assert!(table.contains(" iRDHuXETPNFbAS7QgaqFzl "), "{table}");
    for line in run(chosen(&[])).clean().lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

#[test]
fn json_lines_have_all_fields() {
    let rows = run(chosen(&["--format", "jsonl"])).json_lines();
    assert_eq!(rows.len(), 24 * 5);
    assert_eq!(
        rows[3 * 5 + 1],
        json!({
            "line": 4, "user_id": "u-4", "kind": "dynamic_config", "name": "upload_limits",
            "value": {"max_file_mb": 10, "max_files": 3, "formats": ["png", "jpg"]},
            "rule_id": "Mh9V8wp6WD6jtXLhhzQujG", "id_type": "userID", "group_name": null,
            "allocated_experiment": null, "reason": "Recognized", "version": 8
        })
    );
    let layer = rows.iter().find(|row| row["kind"] == "layer" && row["group_name"] != Value::Null).unwrap();
    assert!(layer["allocated_experiment"].is_string(), "{layer}");
    // Users without an ID of their own are told apart by their lines.
    assert_eq!((&rows[20 * 5]["line"], &rows[20 * 5]["user_id"]), (&json!(21), &Value::Null));
}

#[test]
fn a_json_array_holds_the_same() {
    let lines = run(chosen(&["--format", "jsonl"])).json_lines();
    let array: Vec<Value> = serde_json::from_str(&run(chosen(&["--format", "json"])).clean()).unwrap();
    assert_eq!(lines, array);
    let nobody = run_with(["eval", "--specs", SPECS, "--users", "-", "--all", "--json"], "\n");
    assert_eq!((nobody.code, nobody.stderr.as_str()), (Some(0), "warning: standard input is empty: no users\n"));
    assert_eq!(serde_json::from_str::<Vec<Value>>(&nobody.stdout).unwrap(), Vec::<Value>::new());
}

/// The example project was evaluated by the official core, too.
#[test]
fn values_agree_with_the_recorded_ones() {
    let recorded = std::fs::File::open(root().join("integration-tests/data/demo_project/expected.jsonl.gz")).unwrap();
    let recorded = std::io::read_to_string(flate2::read::GzDecoder::new(recorded)).unwrap();
    let recorded: Vec<Value> = recorded.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let rows =
        run(["eval", "--specs", SPECS, "--users", USERS, "--now", NOW, "--all", "--format", "jsonl"]).json_lines();
    let mut compared = 0;
    for row in rows.iter().filter(|row| row["kind"] != "parameter_store") {
        let user = format!("d{:02}", row["line"].as_u64().unwrap());
        let expected = recorded
            .iter()
            .find(|record| record["kind"] == row["kind"] && record["name"] == row["name"] && record["user"] == *user)
            .unwrap_or_else(|| panic!("no record for {row}"));
        for field in ["value", "rule_id", "id_type", "reason"] {
            assert_eq!(row[field], expected[field], "{field} of {row}");
        }
        compared += 1;
    }
    assert_eq!(compared, 24 * 17);
}

#[test]
fn users_may_be_compressed_or_come_by_pipe() {
    let text = std::fs::read_to_string(root().join(USERS)).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, text.as_bytes()).unwrap();
    // The name says nothing about the content.
    let compressed = file("users_compressed.jsonl", gzip.finish().unwrap());
    let expected = run(chosen(&["--format", "jsonl"])).clean();
    let tail = |users| {
        ["eval", "--specs", SPECS, "--now", NOW, "--format", "jsonl", "--users", users].into_iter().chain(CHOSEN)
    };
    assert_eq!(run(tail(&compressed)).clean(), expected);
    assert_eq!(run_with(tail("-"), &text).clean(), expected);
    assert_eq!(run_with(tail("-"), &format!("\u{feff}{}", text.replace('\n', "\r\n"))).clean(), expected);
}

#[test]
fn options_reach_the_evaluation() {
    let debug_panel = |more: &[&str]| {
        let arguments =
            ["eval", "--specs", SPECS, "--user", r#"{"userID": "u-1"}"#, "--gate", "debug_panel", "--format", "jsonl"];
        run(arguments.into_iter().chain(more.iter().copied())).json_lines()[0]["value"].clone()
    };
    assert_eq!(debug_panel(&[]), json!(false));
    assert_eq!(debug_panel(&["--environment", "staging"]), json!(true));

    // From 2100 on.
    let nudge = |now| {
        let arguments = ["eval", "--specs", SPECS, "--user", "{}", "--gate", "upgrade_nudge", "--format", "jsonl"];
        run(arguments.into_iter().chain(["--now", now])).json_lines()[0]["value"].clone()
    };
    assert_eq!((nudge("4102444799999"), nudge("4102444800001")), (json!(false), json!(true)));
}

#[test]
fn id_lists_come_from_files() {
    let specs = file("id_list_specs.json", specs_with_id_list());
    let arguments =
        ["eval", "--specs", &specs, "--user", r#"{"userID": "user-1"}"#, "--gate", "vip", "--format", "jsonl"];
    let without = run(arguments);
    assert!(
        without.stderr.contains("1 ID list (vips)") && without.stderr.contains("--id-list vips=FILE"),
        "{}",
        without.stderr
    );
    assert!(without.stdout.contains(r#""value":false"#), "{}", without.stdout);

    let list = format!("vips={}", file("vips.txt", "+pmWkWSBC\n+xsKJ5J6c\n"));
    assert_eq!(run(arguments.into_iter().chain(["--id-list", &list])).json_lines()[0]["value"], json!(true));
    let odd = format!("vips={}", file("odd_vips.txt", "user-1\n+xsKJ5J6c\n"));
    let ran = run(arguments.into_iter().chain(["--id-list", &odd]));
    assert!(ran.stderr.contains("1 line of ") && ran.stderr.contains(" ignored"), "{}", ran.stderr);
}

pub(crate) fn specs_with_id_list() -> String {
    json!({
        "has_updates": true, "time": 1, "dynamic_configs": {}, "layer_configs": {},
        "condition_map": {"c": {
            "type": "unit_id", "operator": "in_segment_list", "targetValue": "vips", "idType": "userID", "field": null
        }},
        "feature_gates": {"vip": {
            "type": "feature_gate", "entity": "feature_gate", "salt": "s", "enabled": true, "defaultValue": false,
            "idType": "userID", "rules": [{
                "name": "r", "id": "r", "salt": "r", "passPercentage": 100, "conditions": ["c"], "returnValue": true,
                "idType": "userID"
            }]
        }}
    })
    .to_string()
}

#[test]
fn unknown_names_have_rows_and_a_warning() {
    let user = r#"{"userID": "u-1"}"#;
    let names = ["--gate", "dark_mod", "--gate", "button_color_v3", "--experiment", "zzz"];
    let ran = run(["eval", "--specs", SPECS, "--user", user, "--format", "jsonl"].into_iter().chain(names));
    assert_eq!(ran.code, Some(0));
    for warning in [
        "warning: the project has no gate `dark_mod`; did you mean `dark_mode`?",
        "warning: the project has no gate `button_color_v3`; it has the experiment `button_color_v3`: --experiment button_color_v3",
        "warning: the project has no experiment `zzz`\n",
    ] {
        assert!(ran.stderr.contains(warning), "{}", ran.stderr);
    }
    let rows: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 3);
    for row in &rows {
        assert_eq!((&row["reason"], &row["rule_id"]), (&json!("Unrecognized"), &json!("")), "{row}");
    }
    assert_eq!((&rows[0]["value"], &rows[2]["value"]), (&json!(false), &json!({})));
    let quiet = run(["eval", "--quiet", "--specs", SPECS, "--user", user].into_iter().chain(names));
    assert_eq!((quiet.code, quiet.stderr.as_str()), (Some(0), ""));
}

#[test]
fn everything_is_asked_once() {
    let user = r#"{"userID": "u-1"}"#;
    let first = ["--gate", "new_editor", "--gate", "segment:staff", "--gate", "new_editor", "--all"];
    let rows =
        run(["eval", "--specs", SPECS, "--user", user, "--format", "jsonl"].into_iter().chain(first)).json_lines();
    let names: Vec<&str> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    // 10 gates, a segment, 2 configs, 4 experiments, a layer, a store.
    assert_eq!(names.len(), 19);
    assert_eq!(names[..4], ["new_editor", "segment:staff", "ai_summaries", "calendar_sync"]);
}

#[test]
fn colours_are_for_terminals_and_those_who_ask() {
    let run = |variables: &[(&str, &str)]| {
        let mut command = statsig(chosen(&[]));
        String::from_utf8(command.envs(variables.iter().copied()).output().unwrap().stdout).unwrap()
    };
    assert!(!run(&[]).contains('\u{1b}'));
    assert!(run(&[("CLICOLOR_FORCE", "1")]).contains("\u{1b}[32mtrue\u{1b}[0m"));
    assert!(!run(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]).contains('\u{1b}'));
}

#[test]
fn a_user_cannot_steer_the_terminal() {
    let user = r#"{"userID": "\u001b[2J\u001b]0;x\u0007"}"#;
    let table = run(["eval", "--specs", SPECS, "--user", user, "--gate", "dark_mode"]).clean();
    assert!(!table.contains('\u{1b}') && table.contains(r"\u{1b}"), "{table}");
}

#[test]
fn results_go_to_a_file() {
    let out = folder().join("results.jsonl");
    let expected = run(chosen(&["--format", "jsonl"])).clean();
    assert_eq!(run(chosen(&["--format", "jsonl", "--out", out.to_str().unwrap()])).clean(), "");
    assert_eq!(std::fs::read_to_string(out).unwrap(), expected);
}
