//! The program runs, and the file holds what it says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const USERS: usize = 24;

/// Runs the program, and returns what it prints.
fn run(path: &Path) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new(env!("CARGO_BIN_EXE_exposures-to-file")).arg(path).current_dir(root).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn events(path: &Path) -> Vec<Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The number behind a word.
fn number(text: &str, word: &str) -> usize {
    let rest = text.split_once(word).unwrap_or_else(|| panic!("no `{word}` in {text}")).1;
    rest.trim_start().split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

#[test]
fn the_file_holds_each_exposure_of_each_user_and_the_event() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("exposures.jsonl");
    let text = run(&path);
    let events = events(&path);
    assert_eq!(number(&text, "delivered"), events.len(), "{text}");
    assert_eq!(number(&text, "+ pending"), 0, "{text}");
    // Two visits of three reads each; a second one is logged only if a window turns in between.
    assert_eq!(events.len() - 1 + number(&text, "repeated:"), USERS * 6, "{text}");

    let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for event in &events {
        let name = event["eventName"].as_str().unwrap();
        let of = event["metadata"].get("gate").or_else(|| event["metadata"].get("config"));
        let user = event["user"].to_string();
        assert!(!user.contains("privateAttributes") && !user.contains("card_country"), "{user}");
        let tier = event["user"]["statsigEnvironment"]["tier"].as_str().unwrap();
        assert!(["production", "staging", "development"].contains(&tier), "{user}");
        users.entry(format!("{name} {}", of.and_then(Value::as_str).unwrap_or_default())).or_default().insert(user);
    }
    let counted: Vec<_> = users.iter().map(|(kind, users)| (kind.as_str(), users.len())).collect();
    assert_eq!(
        counted,
        [
            ("order_paid ", 1),
            ("statsig::config_exposure button_color_v3", USERS),
            ("statsig::gate_exposure dark_mode", USERS),
            ("statsig::layer_exposure home_screen", USERS),
        ]
    );
    let paid = events.last().unwrap();
    assert_eq!((&paid["eventName"], &paid["value"]), (&"order_paid".into(), &12.5.into()));
    assert_eq!(paid["metadata"], serde_json::json!({"plan": "team"}));
}

#[test]
fn a_second_run_appends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("exposures.jsonl");
    let first = number(&run(&path), "delivered");
    let second = number(&run(&path), "delivered");
    assert_eq!(events(&path).len(), first + second);
}
