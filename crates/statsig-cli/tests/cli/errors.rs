//! What is said, and which exit code comes, when something is wrong.

use crate::{SPECS, USERS, file, root, run, run_with};

const GATE: [&str; 2] = ["--gate", "dark_mode"];

/// The users of the example with a bad third line.
fn users_with_a_bad_line(bad: &str) -> String {
    let text = std::fs::read_to_string(root().join(USERS)).unwrap();
    let mut lines: Vec<&str> = text.lines().take(5).collect();
    lines.insert(2, bad);
    lines.join("\n")
}

#[test]
fn a_bad_line_ends_the_run() {
    for (at, bad, message) in [
        (0, r#"{"userID": "u" "email": 1}"#, ":3:16: expected `,` or `}`\n"),
        (1, "nonsense", ":3:2: expected ident\n"),
        (2, r#"{"customIDs": ["x"]}"#, "`customIDs`: expected an object\n"),
        (3, "7", "expected a JSON object, such as"),
    ] {
        let users = file(&format!("bad_line_{at}.jsonl"), users_with_a_bad_line(bad));
        let ran = run(["eval", "--specs", SPECS, "--users", &users, "--format", "jsonl"].into_iter().chain(GATE));
        assert_eq!(ran.code, Some(3));
        assert!(ran.stderr.starts_with(&format!("error: {users}:3:")), "{}", ran.stderr);
        assert!(ran.stderr.contains(message) && ran.stderr.contains("hint: --keep-going"), "{}", ran.stderr);
        // What came before stands.
        assert_eq!(ran.stdout.lines().count(), 2, "{}", ran.stdout);
    }
}

#[test]
fn bad_lines_can_be_skipped() {
    let users = users_with_a_bad_line("nonsense");
    let arguments = ["eval", "--specs", SPECS, "--users", "-", "--format", "jsonl", "--keep-going"];
    let ran = run_with(arguments.into_iter().chain(GATE), &users);
    assert_eq!(ran.code, Some(1));
    assert_eq!(ran.stderr, "warning: skipped standard input:3:2: expected ident\n");
    let lines: Vec<_> = ran.stdout.lines().map(|row| row.split(',').next().unwrap()).collect();
    assert_eq!(lines, [1, 2, 4, 5, 6].map(|line| format!("{{\"line\":{line}")));
}

#[test]
fn an_unfinished_array_shows_that_it_is() {
    let arguments = ["eval", "--specs", SPECS, "--users", "-", "--format", "json"];
    let ran = run_with(arguments.into_iter().chain(GATE), &users_with_a_bad_line("nonsense"));
    assert_eq!(ran.code, Some(3));
    assert!(serde_json::from_str::<serde_json::Value>(&ran.stdout).is_err(), "{}", ran.stdout);
}

#[test]
fn private_values_are_not_shown() {
    for bad in [r#"{"privateAttributes": "hunter2"}"#, r#"{"privateAttributes": {"pin": "hunter2"} x}"#] {
        let ran = run(["eval", "--specs", SPECS, "--user", bad].into_iter().chain(GATE));
        assert_eq!(ran.code, Some(3));
        assert!(ran.stderr.starts_with("error: --user:1:") && !ran.stderr.contains("hunter2"), "{}", ran.stderr);
    }
}

#[test]
fn bad_specs_are_located() {
    let document = std::fs::read_to_string(root().join(SPECS)).unwrap();
    let broken = document.replacen("\"passPercentage\": 100", "\"passPercentage\" 100", 1);
    let line = 1 + broken.lines().position(|line| line.contains("\"passPercentage\" 100")).unwrap();
    for (name, content, messages) in [
        (
            "no_colon.json",
            broken.as_str(),
            [&*format!("line {line}, "), "at `feature_gates.segment:staff.rules[0]`", "expected `:`"],
        ),
        ("cut.json", &document[..document.len() / 2], ["line ", "at `", "EOF while parsing"]),
        (
            "wrong_type.json",
            "{\"has_updates\": true, \"feature_gates\": {}, \"dynamic_configs\": {}, \"layer_configs\": {}, \
             \"condition_map\": {},\n\"time\": \"x\"}",
            ["line 2, ", "at `time`", "expected a whole number"],
        ),
        (
            "wrong_section.json",
            "{\"has_updates\": true, \"time\": 1, \"feature_gates\": 7, \"dynamic_configs\": {}, \
             \"layer_configs\": {}, \"condition_map\": {}}",
            ["at `feature_gates`", "invalid type: integer", "expected an object or a list"],
        ),
        (
            "no_conditions.json",
            r#"{"has_updates": true, "time": 1, "feature_gates": {}, "dynamic_configs": {}, "layer_configs": {}}"#,
            ["the key `condition_map` is missing", "hint: ", "download_config_specs"],
        ),
        (
            "no_specs.json",
            "{\"time\": 1}",
            ["not config specs but another JSON object", "hint: ", "download_config_specs"],
        ),
        ("twice.json", r#""{\"has_updates\": true}""#, ["encoded twice", "hint: ", "store the document itself"]),
        ("error.json", r#"{"error": "no such key"}"#, ["an error object", "hint: ", "SDK key"]),
        ("no_updates.json", "{\"has_updates\": false}", ["has_updates: false", "hint: ", "sinceTime"]),
    ] {
        let specs = file(name, content);
        let ran = run(["specs", &specs]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""), "{name}");
        assert!(ran.stderr.starts_with(&format!("error: {specs}: ")), "{}", ran.stderr);
        for message in messages {
            assert!(ran.stderr.contains(message), "{name}: {} lacks {message:?}", ran.stderr);
        }
        let eval = run(["eval", "--specs", &specs, "--users", USERS].into_iter().chain(GATE));
        assert_eq!((eval.code, eval.stderr), (Some(3), ran.stderr));
    }
    let binary = run(["specs", &file("binary.json", b"{\xff\xfe")]);
    assert!(binary.stderr.contains("invalid UTF-8 at byte 1"), "{}", binary.stderr);
    let users = run(["specs", &file("users.jsonl", "{\"userID\": \"a\"}\n{\"userID\": \"b\"}\n")]);
    assert!(users.stderr.contains("holds several JSON objects, one a line, such as users"), "{}", users.stderr);
    let empty = run(["specs", &file("empty.json", "")]);
    assert!(empty.code == Some(3) && empty.stderr.contains("empty.json is empty\n"), "{}", empty.stderr);
}

#[test]
fn missing_files_are_named() {
    for (arguments, message) in [
        (["--specs", "nowhere.json", "--users", USERS], "error: no config specs: cannot open nowhere.json: "),
        (["--specs", SPECS, "--users", "nowhere.jsonl"], "error: no users: cannot open nowhere.jsonl: "),
        (["--specs", SPECS, "--users", "examples"], "error: no users: examples is a folder, a file is needed"),
    ] {
        let ran = run(["eval"].into_iter().chain(arguments).chain(GATE));
        assert_eq!(ran.code, Some(3));
        assert!(ran.stderr.starts_with(message), "{}", ran.stderr);
    }
}

#[test]
fn a_wrong_command_line_says_so() {
    for arguments in [
        &[][..],
        &["eval"],
        &["eval", "--specs", SPECS, "--all"],
        &["eval", "--specs", SPECS, "--users", USERS],
        &["eval", "--specs", SPECS, "--users", USERS, "--user", "{}", "--all"],
        &["eval", "--specs", SPECS, "--users", USERS, "--all", "--id-list", "x"],
        &["eval", "--specs", "-", "--users", "-", "--all"],
        &["eval", "--users", USERS, "--all"],
        &["specs"],
        &["frobnicate"],
    ] {
        let ran = run(arguments.iter().copied());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(ran.stderr.contains("error:") || ran.stderr.contains("Usage:"), "{}", ran.stderr);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_cannot_be_written_says_so() {
    let arguments = ["eval", "--specs", SPECS, "--users", USERS, "--all", "--out"];
    for (out, message) in [
        ("/dev/full", "error: cannot write to /dev/full: "),
        ("nowhere/results.jsonl", "error: cannot create nowhere/results.jsonl"),
    ] {
        let ran = run(arguments.into_iter().chain([out]));
        assert_eq!(ran.code, Some(4), "{}", ran.stderr);
        assert!(ran.stderr.starts_with(message), "{}", ran.stderr);
    }
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = crate::statsig(["specs", SPECS]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
}
