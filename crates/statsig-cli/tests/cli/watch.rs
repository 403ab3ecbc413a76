//! `statsig watch`.

use serde_json::{Value, json};
use statsig_testkit::server::{Endpoint, FakeStatsig, Fault};

use crate::follow::Running;
use crate::{SPECS, file, root, statsig};

const KEY: &str = "secret-AbCdEfGhIjKlMnOpQrStUvWxYz";

fn document() -> Value {
    serde_json::from_slice(&std::fs::read(root().join(SPECS)).unwrap()).unwrap()
}

/// A later one, with a gate less, a config more, and a layer that is another.
fn later() -> Value {
    let mut document = document();
    document["time"] = json!(document["time"].as_u64().unwrap() + 1_000);
    document["checksum"] = json!("another");
    document["feature_gates"].as_object_mut().unwrap().remove("dark_mode").unwrap();
    document["dynamic_configs"]["new_limits"] = document["dynamic_configs"]["upload_limits"].clone();
    document["layer_configs"]["home_screen"]["salt"] = json!("another");
    document
}

fn assert_is_later(row: &Value) {
    let time = later()["time"].as_u64().unwrap();
    assert_eq!((&row["time"], &row["previous_time"]), (&json!(time), &json!(time - 1_000)));
    assert_eq!(row["gates"]["removed"], json!(["dark_mode"]));
    assert_eq!(row["configs"]["added"], json!(["new_limits"]));
    assert_eq!(row["layers"]["changed"], json!(["home_screen"]));
    for (kind, what) in [("gates", "added"), ("gates", "changed"), ("configs", "removed"), ("configs", "changed")] {
        assert_eq!(row[kind][what], json!([]), "{kind} {what}");
    }
}

#[test]
fn updates_are_told_as_they_come() {
    let server = FakeStatsig::start().unwrap();
    let text = document().to_string();
    server.publish_specs(text.as_bytes());
    let api = server.url();
    let mut watch =
        Running::start(["watch", "--api", &api, "--no-fallback", "--json", "--poll", "1", "--updates", "2"], KEY);
    let first = watch.json();
    assert_eq!((&first["bytes"], &first["previous_time"]), (&json!(text.len()), &json!(0)));
    assert_eq!((&first["source"], &first["origin"]), (&json!("Network"), &json!(format!("{api}/v2"))));
    let gates = document()["feature_gates"].as_object().unwrap().len();
    assert_eq!((&first["gates"]["total"], &first["gates"]["changed"]), (&json!(gates), &json!([])));
    // One that is older is no update.
    let mut older = document();
    older["time"] = json!(7);
    server.fail_once(Endpoint::SpecsV2, Fault::Body(older.to_string().into_bytes()));
    server.publish_specs(later().to_string());
    assert_is_later(&watch.json());
    let ran = watch.end();
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "", ""));
}

#[cfg(unix)]
#[test]
fn it_goes_on_through_failures_until_interrupted() {
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(document().to_string());
    server.fail_always(Endpoint::SpecsV2, Some(Fault::Status(500, format!("oops {KEY}"))));
    let arguments = ["watch", "--api", &server.url(), "--no-fallback", "--poll", "1"];
    let mut watch = Running::start(arguments, KEY);
    let complaint = watch.complaint();
    assert!(complaint.starts_with("warning: the server: ") && complaint.contains("500"), "{complaint}");
    assert!(complaint.ends_with("; will ask again\n") && !complaint.contains("AbCdEfGh"), "{complaint}");
    server.fail_always(Endpoint::SpecsV2, None);
    let line = watch.line();
    assert!(line.contains(" bytes of 2026-11-22 00:00:00 UTC from http://127.0.0.1:"), "{line}");
    assert!(line.contains(": 14 gates, ") && line.ends_with("1 parameter store\n"), "{line}");
    server.publish_specs(later().to_string());
    let line = watch.line();
    let changes = ": 1 gate removed (dark_mode); 1 config added (new_limits); 1 layer changed (home_screen)\n";
    assert!(line.ends_with(changes), "{line}");
    let ran = watch.interrupt();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{}", ran.stderr);
}

#[test]
fn a_refused_key_ends_it() {
    let server = FakeStatsig::start().unwrap();
    let ran = Running::start(["watch", "--api", &server.url(), "--no-fallback"], KEY).end();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""));
    assert!(
        ran.stderr.contains(" answers 401") && ran.stderr.contains("hint: is it a server secret key"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("AbCdEfGh"), "{}", ran.stderr);
}

#[test]
fn a_file_is_followed() {
    let path = file("watched.json", document().to_string());
    let mut watch = Running::start(["watch", "--specs", &path, "--json", "--updates", "2"], "");
    assert_eq!(watch.json()["origin"], json!(path));
    std::fs::write(&path, later().to_string()).unwrap();
    assert_is_later(&watch.json());
    assert_eq!(watch.end().code, Some(0));
    let ran = statsig(["watch", "--specs", "-"]).output().unwrap();
    assert_eq!(ran.status.code(), Some(2));
}

/// Everything that can change a result is named; what cannot is said to be nothing.
#[test]
fn parts_beside_specs_are_told_too() {
    let path = file("parts.json", document().to_string());
    let mut watch = Running::start(["watch", "--specs", &path, "--format", "json"], "");
    watch.json();
    let mut document = document();
    let mut publish = |part: &str, value: Value| {
        document["time"] = json!(document["time"].as_u64().unwrap() + 1_000);
        document["checksum"] = json!(part);
        document[part] = value;
        let new = file("new.json", document.to_string());
        std::fs::rename(new, &path).unwrap();
        watch.json()
    };
    let rule = |percentage: u8| json!({"m": {"name": "m", "id": "m", "salt": "s", "passPercentage": percentage, "conditions": [], "returnValue": true, "idType": "userID"}});
    publish("override_rules", rule(10));
    let mapping = json!({"upload_limits": [{"new_config_name": "button_color_v3", "rules": [{"rule_name": "m", "start_time": 0}]}]});
    assert_eq!(publish("overrides", mapping)["mappings"]["added"], json!(["upload_limits"]));
    assert_eq!(publish("override_rules", rule(20))["mappings"]["changed"], json!(["upload_limits"]));
    let row = publish("default_environment", json!("staging"));
    assert!(row["settings"].to_string().contains("default_environment"), "{row}");
    assert_eq!(publish("id_lists", json!({"vips": true}))["id_lists"]["added"], json!(["vips"]));
    assert_eq!(publish("something_new", json!([1]))["unknown_parts"]["added"], json!(["something_new"]));
    let row = publish("checksum", json!("again"));
    for (group, change) in row.as_object().unwrap() {
        for what in ["added", "removed", "changed"] {
            assert!(change.get(what).is_none_or(|names| names == &json!([])), "{group} {what}: {row}");
        }
    }
    let mut gates = self::document()["feature_gates"].clone();
    gates["dark_mode"]["enabled"] = json!("true");
    let row = publish("feature_gates", gates);
    assert_eq!(
        (&row["gates"]["changed"], &row["malformed"]["added"]),
        (&json!(["dark_mode"]), &json!(["gate dark_mode"]))
    );
}

#[test]
fn lines_are_broken_where_a_width_is_asked_for() {
    let path = file("narrow.json", document().to_string());
    let ran = Running::start(["watch", "--specs", &path, "--updates", "1", "--width", "60"], "").end();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let folded: Vec<&str> = ran.stdout.lines().collect();
    assert!(folded.len() > 1 && folded.iter().all(|line| line.chars().count() <= 60), "{}", ran.stdout);
    assert!(folded[1..].iter().all(|line| line.starts_with("  ")), "{}", ran.stdout);
}
