//! The form of what is printed: widths, hints, help, completions and manual pages.

use serde_json::{Value, json};

use crate::{SPECS, USERS, file, folder, root, run, run_with};

fn widest(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap()
}

#[test]
fn tables_fit_their_width() {
    let mut document: Value = serde_json::from_slice(&std::fs::read(root().join(SPECS)).unwrap()).unwrap();
    document["feature_gates"]["dark_mode"]["rules"] = json!("none");
    let long = "a_gate_with_quite_a_long_name_that_does_not_fit_into_any_column";
    document["feature_gates"][long] = document["feature_gates"]["new_editor"].clone();
    document["feature_gates"][long]["enabled"] = json!("true");
    let specs = file("specs.json", document.to_string());
    let users = "{\"userID\": \"a-user-with-a-rather-long-id-0000000000000\"}\n{\"customIDs\": {\"d\": \"x\"}}\n";
    for width in [40, 50, 60, 72, 80, 100, 140] {
        let columns = width.to_string();
        let table = run_with(["eval", "--specs", &specs, "--users", "-", "--all", "--width", &columns], users);
        assert!(widest(&table.stdout) <= width, "{width}: {}", table.stdout);
        assert!(table.stdout.contains("NAME") && table.stdout.contains("VALUE"), "{}", table.stdout);
        assert!(table.stdout.contains("Malformed"), "{}", table.stdout);
        let report = run(["specs", &specs, "--width", &columns]);
        let lines = report.stdout.lines().skip(1).collect::<Vec<_>>().join("\n");
        assert!(widest(&lines) <= width, "{width}: {}", report.stdout);
        for what in [["experiment", "button_color_v3"], ["store", "sidebar"]] {
            let explain = ["explain", "--specs", &specs, "--quiet", "--user", r#"{"userID": "u-1"}"#];
            let tree = run(explain.into_iter().chain(what).chain(["--width", &columns])).clean();
            assert!(widest(&tree) <= width, "{width}: {tree}");
        }
    }
    // Columns that are there are not narrower than they have to be.
    let table = run(["eval", "--specs", SPECS, "--users", USERS, "--gate", "dark_mode", "--width", "60"]).clean();
    assert!(table.starts_with("USER ") && table.contains(" Recognized"), "{table}");
}

#[test]
fn help_fits_its_width_and_is_broken_once() {
    for width in [50, 60, 80, 100, 130] {
        let mut commands =
            vec![&["--help"][..], &["eval", "--help"], &["explain", "--help"], &["specs", "-h"], &["man", "--help"]];
        if cfg!(feature = "redis") {
            commands.extend([&["redis", "--help"][..], &["events", "--help"], &["watch", "--help"]]);
        }
        for arguments in commands {
            let output = crate::statsig(arguments.iter().copied()).env("COLUMNS", width.to_string()).output().unwrap();
            let help = String::from_utf8(output.stdout).unwrap();
            // The usage line is clap's own.
            let (_, rest) = help.split_once("Usage:").unwrap();
            let (_, codes) = rest.split_once("Exit codes:\n").unwrap();
            assert!(widest(codes) <= width, "{arguments:?} {width}: {codes}");
            let indented =
                codes.lines().all(|line| line.starts_with("  ") && (&line[2..3] != " " || line.starts_with("     ")));
            assert!(indented, "{arguments:?} {width}: {codes}");
            let items = codes.lines().filter(|line| line.starts_with("  ") && &line[2..3] != " ").count();
            assert_eq!(items, 5, "{codes}");
        }
    }
}

/// Options that a message names have to be those of the command that printed it.
fn assert_hints_exist(command: &[&str], stderr: &str) {
    let help = run(command.iter().copied().chain(["--help"])).clean();
    let words = stderr.split(|character: char| !character.is_ascii_alphanumeric() && character != '-');
    for option in words.filter(|word| word.starts_with("--") && word.len() > 2) {
        assert!(help.contains(option), "{command:?} has no {option}: {stderr}");
    }
}

#[test]
fn hints_name_what_exists() {
    let user = r#"{"userID":"u-1"}"#;
    let explain = ["explain", "--specs", SPECS, "--user", user];
    for (what, hint) in [
        (["gate", "button_color_v3"], "statsig explain … experiment button_color_v3"),
        (["experiment", "dark_mode"], "statsig explain … gate dark_mode"),
        (["gate", "sidebar"], "statsig explain … store sidebar"),
        (["gate", "home_scren"], "statsig explain … layer home_screen"),
        (["store", "sidebra"], "did you mean `sidebar`?"),
    ] {
        let ran = run(explain.into_iter().chain(what));
        assert!(ran.code == Some(0) && ran.stderr.contains(hint), "{what:?}: {}", ran.stderr);
        assert_hints_exist(&["explain"], &ran.stderr);
    }
    let listed = file("list.json", crate::eval::specs_with_id_list());
    let eval = ["eval", "--specs", SPECS, "--gate", "dark_mode"];
    for (command, arguments, input) in [
        ("eval", eval.into_iter().chain(["--experiment", "dark_mode", "--user", user]).collect::<Vec<_>>(), ""),
        ("eval", eval.into_iter().chain(["--users", "-"]).collect(), "{}\nx"),
        ("eval", vec!["eval", "--specs", &listed, "--user", user, "--gate", "vip"], ""),
        ("explain", vec!["explain", "--specs", &listed, "--user", user, "gate", "vip"], ""),
        ("eval", vec!["eval", "--user", user, "--gate", "x"], ""),
        ("explain", vec!["explain", "--user", user, "gate", "x"], ""),
        ("specs", vec!["specs"], ""),
        ("specs", vec!["specs", "https://h/x.json"], ""),
        ("specs", vec!["specs", "-"], "{\"has_updates\": false}"),
    ] {
        let ran = run_with(arguments, input);
        assert_ne!(ran.stderr, "");
        assert_hints_exist(&[command], &ran.stderr);
    }
    // The command that is named reads the same file, whatever it is called.
    let mut document: Value = serde_json::from_slice(&std::fs::read(root().join(SPECS)).unwrap()).unwrap();
    document["feature_gates"]["dark_mode"]["enabled"] = json!("true");
    let odd = file("an odd name.json", document.to_string());
    let ran = run(["eval", "--specs", &odd, "--user", user, "--gate", "new_editor"]);
    assert!(ran.stderr.contains(&format!("`statsig specs '{odd}'` lists them")), "{}", ran.stderr);
    let ran = run_with(["eval", "--specs", "-", "--user", user, "--gate", "new_editor"], &document.to_string());
    assert!(ran.stderr.contains("in standard input: `statsig specs -` lists them"), "{}", ran.stderr);
}

#[test]
fn a_malformed_spec_is_never_called_unknown() {
    let mut document: Value = serde_json::from_slice(&std::fs::read(root().join(SPECS)).unwrap()).unwrap();
    document["feature_gates"]["dark_mode"]["enabled"] = json!("true");
    document["dynamic_configs"]["upload_limits"]["rules"] = json!(7);
    document["dynamic_configs"]["button_color_v3"].as_object_mut().unwrap().remove("salt").unwrap();
    document["layer_configs"]["home_screen"]["defaultValue"] = Value::Null;
    document["layer_configs"]["home_screen"]["enabled"] = json!(1);
    document["param_stores"]["sidebar"] = json!({"parameters": 7});
    let specs = file("malformed.json", document.to_string());
    let user = r#"{"userID":"u-1"}"#;
    let names = [
        ("gate", "dark_mode"),
        ("config", "upload_limits"),
        ("experiment", "button_color_v3"),
        ("layer", "home_screen"),
        ("store", "sidebar"),
    ];
    for (kind, name) in names {
        let warning = format!("warning: the {kind} `{name}` cannot be used, its spec is malformed: ");
        let option = format!("--{kind}");
        let ran = run(["eval", "--specs", &specs, "--user", user, &option, name, "--format", "jsonl"]);
        assert!(ran.code == Some(0) && ran.stderr.contains(&warning), "{kind}: {}", ran.stderr);
        assert!(!ran.stderr.contains("has no") && !ran.stderr.contains("at line 1"), "{}", ran.stderr);
        let row: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!((&row["name"], &row["reason"]), (&json!(name), &json!("Malformed")));
        let ran = run(["explain", "--specs", &specs, "--user", user, kind, name]);
        assert!(ran.stderr.contains(&warning) && !ran.stderr.contains("has no"), "{kind}: {}", ran.stderr);
    }
    let all = run(["eval", "--specs", &specs, "--user", user, "--all", "--format", "jsonl"]);
    let report = run(["specs", &specs]).clean();
    let listed: Value = serde_json::from_str(&run(["specs", &specs, "--json"]).clean()).unwrap();
    assert_eq!(listed["malformed"].as_array().unwrap().len(), names.len());
    for (_, name) in names {
        assert_eq!(all.stdout.matches(&format!("\"name\":\"{name}\"")).count(), 1, "{name}: {}", all.stdout);
        assert!(all.stderr.contains(&format!("`{name}` cannot be used")), "{name}: {}", all.stderr);
        let (_, malformed) = report.split_once("Malformed").unwrap();
        assert!(malformed.contains(name), "{name}: {report}");
    }
}

#[test]
fn a_time_may_be_a_date_or_a_number() {
    let nudge = |now: &str| {
        let arguments = ["eval", "--specs", SPECS, "--user", "{}", "--gate", "upgrade_nudge", "--format", "jsonl"];
        run(arguments.into_iter().chain(["--now", now]))
    };
    let value = |ran: &crate::Ran| serde_json::from_str::<Value>(&ran.stdout).unwrap()["value"].clone();
    // The gate is on from 2100 on.
    for (now, on) in [
        ("2099-12-31T23:59:59Z", false),
        ("2100-01-01T00:00:01Z", true),
        ("2100-01-01T00:30:00+01:00", false),
        ("2100-01-02", true),
        ("2099-12-31", false),
        ("4102444799999", false),
        ("4102444800001", true),
    ] {
        let ran = nudge(now);
        assert_eq!((value(&ran), ran.stderr.as_str()), (json!(on), ""), "{now}");
    }
    let seconds = nudge("4102444801");
    assert_eq!(value(&seconds), json!(true));
    assert!(seconds.stderr.contains("taken for seconds since 1970: 2100-01-01 00:00:01 UTC"), "{}", seconds.stderr);
    let wrong = nudge("tomorrow");
    assert!(wrong.code == Some(2) && wrong.stderr.contains("2026-11-22T09:30:00Z"), "{}", wrong.stderr);
}

#[test]
fn every_subcommand_takes_quiet_and_those_with_results_json() {
    let user = r#"{"userID":"u-1"}"#;
    for arguments in [
        &["specs", SPECS][..],
        &["explain", "--specs", SPECS, "--user", user, "store", "sidebar"],
        &["explain", "--specs", SPECS, "--user", user, "gate", "dark_mode"],
        &["eval", "--specs", SPECS, "--user", user, "--gate", "dark_mode"],
    ] {
        let with = |more: &[&str]| run(arguments.iter().copied().chain(more.iter().copied())).clean();
        with(&["--quiet"]);
        let strip = |text: String| {
            let mut value: Value = serde_json::from_str(&text).unwrap();
            value["sizes"]["compile_ms"] = Value::Null;
            value
        };
        let (long, short) = (with(&["--format", "json"]), with(&["--json"]));
        if arguments[0] == "eval" {
            assert_eq!(long, short);
        } else {
            assert_eq!(strip(long), strip(short));
        }
        assert_eq!(
            with(&["--json", "-q", "--format", if arguments[0] == "eval" { "table" } else { "text" }]).chars().next(),
            with(&[]).chars().next()
        );
    }
    run(["-q", "specs", SPECS]).clean();
    run(["completions", "bash", "--quiet"]).clean();
    if cfg!(feature = "redis") {
        for command in
            [&["watch"][..], &["redis", "get"], &["redis", "put"], &["redis", "watch"], &["events", "forward"]]
        {
            let help = run(command.iter().copied().chain(["-h"])).clean();
            for option in ["--quiet", "--format", "--json", "--width"] {
                assert!(help.contains(option), "{command:?} has no {option}");
            }
        }
    }
}

#[test]
fn a_parameter_store_is_explained_by_what_it_refers_to() {
    let arguments = ["explain", "--specs", SPECS, "--user", r#"{"userID":"u-1"}"#, "store", "sidebar"];
    let tree = run(arguments).clean();
    assert!(tree.starts_with("store sidebar\n"), "{tree}");
    let explanation: Value = serde_json::from_str(&run(arguments.into_iter().chain(["--json"])).clean()).unwrap();
    let row = ["eval", "--specs", SPECS, "--user", r#"{"userID":"u-1"}"#, "--store", "sidebar", "--format", "jsonl"];
    let row = run(row).json_lines().remove(0);
    let parameters = explanation["parameters"].as_array().unwrap();
    assert_eq!(parameters.len(), row["value"].as_object().unwrap().len());
    for parameter in parameters {
        let name = parameter["name"].as_str().unwrap();
        assert_eq!(parameter["value"], row["value"][name], "{name}");
        assert_eq!(parameter["explanation"].is_null(), parameter["target"]["type"] == "static", "{name}");
        assert!(tree.contains(&format!("\n  {name} = ")), "{name}: {tree}");
    }
    let unknown = run(["explain", "--specs", SPECS, "--user", "{}", "store", "s"]);
    assert!(unknown.code == Some(0) && unknown.stdout.contains("is not in the project"), "{}", unknown.stdout);
}

#[test]
fn completions_and_manual_pages_are_made() {
    for (shell, part) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef statsig"),
        ("fish", "complete -c statsig"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion"),
    ] {
        let script = run(["completions", shell]).clean();
        assert!(script.contains(part) && script.contains("explain"), "{shell}");
    }
    let page = run(["man"]).clean();
    assert!(page.contains(".TH statsig 1") && page.contains("Exit codes:"), "{page}");
    assert!(run(["man", "eval"]).clean().contains("keep\\-going"));
    let wrong = run(["man", "frobnicate"]);
    assert!(wrong.code == Some(2) && wrong.stderr.contains("eval, explain, specs"), "{}", wrong.stderr);
    let dir = folder().join("pages");
    run(["man", "--dir", dir.to_str().unwrap()]).clean();
    for name in ["statsig.1", "statsig-eval.1", "statsig-explain.1", "statsig-completions.1"] {
        assert!(dir.join(name).is_file(), "{name}");
    }
    if cfg!(feature = "redis") {
        assert!(dir.join("statsig-redis-get.1").is_file() && dir.join("statsig-events-forward.1").is_file());
        assert!(run(["man", "redis", "get"]).clean().contains(".TH statsig-redis-get 1"));
    }
}
